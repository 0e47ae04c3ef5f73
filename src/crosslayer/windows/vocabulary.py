"""Trim an encoder's word embeddings to the sub-words in use, and store the trimmed encoder.

Texts are always split with the full tokeniser and their ids mapped afterwards: a tokeniser without the unused
Unigram pieces would split differently. Outputs of the full and of the trimmed model are equal bit for bit.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from transformers import BertConfig, BertModel

from claimtrack.reading import parse_json
from crosslayer.encoders.base import assemble, one_line
from crosslayer.encoders.trimming import remap, trim, vocabulary_in_use
from crosslayer.errors import EncoderError
from crosslayer.windows.encoded import Encoded, ragged


def trim_together(
    model: BertModel, pad_id: int, tables: Mapping[str, Encoded]
) -> tuple[BertModel, dict[str, Encoded]]:
    """``model`` with the embedding rows that ``tables`` use, and the tables with the ids of those rows."""
    used = vocabulary_in_use((np.concatenate(table.ids) for table in tables.values()), [pad_id])
    return trim(model, used), {
        name: replace(table, ids=ragged([remap(row, used).astype(np.int32) for row in table.ids]))
        for name, table in tables.items()
    }


def save_encoder(model: BertModel, folder: Path, meta: Mapping[str, Any]) -> None:
    """Write ``config.json``, ``model.safetensors`` and ``meta.json``; the same model gives the same bytes.

    Raises:
        EncoderError: the weights cannot be written.
    """
    folder.mkdir(parents=True, exist_ok=True)
    config = model.config.to_dict()
    config.pop("transformers_version", None)
    _write_json(folder / "config.json", config)
    _write_json(folder / "meta.json", meta)
    state = {name: tensor.contiguous() for name, tensor in model.state_dict().items()}
    try:
        save_file(state, folder / "model.safetensors")
    except SafetensorError as error:  # its Rust code wraps errors of the file system
        raise EncoderError(f"the weights cannot be written: {one_line(error)}; free some space") from error


def _write_json(path: Path, content: Mapping[str, Any]) -> None:
    path.write_text(json.dumps(content, indent=2, sort_keys=True, ensure_ascii=False) + "\n", encoding="utf-8")


def load_trimmed(folder: Path) -> BertModel:
    """The model that ``save_encoder`` wrote to ``folder``.

    Raises:
        EncoderError: a file is missing, damaged, or the two do not belong together.
    """
    try:
        config = BertConfig.from_dict(parse_json((folder / "config.json").read_bytes()))
        state = load_file(folder / "model.safetensors")
    except Exception as error:  # a configuration can be wrong in many ways
        raise EncoderError(
            f"{folder} holds no usable encoder ({one_line(error)}); run the encoder stage again"
        ) from error
    return assemble(config, state)
