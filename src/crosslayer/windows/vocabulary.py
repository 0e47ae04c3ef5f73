"""Trim an encoder's word embeddings to the sub-words in use, and store the trimmed encoder.

Texts are always split with the full tokeniser and their ids mapped afterwards: a tokeniser without the unused
Unigram pieces would split differently. Outputs of the full and of the trimmed model are equal bit for bit.
"""

from __future__ import annotations

import copy
import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file

from claimtrack.reading import parse_json
from crosslayer.encoders.base import WORD_EMBEDDINGS, assemble, one_line
from crosslayer.errors import EncoderError
from crosslayer.windows.encoded import Array, Encoded, ragged

if TYPE_CHECKING:
    from transformers import BertModel


def trim_together(
    model: BertModel, pad_id: int, tables: Mapping[str, Encoded]
) -> tuple[BertModel, dict[str, Encoded]]:
    """``model`` with the embedding rows that ``tables`` use, and the tables with the ids of those rows."""
    used = np.unique(np.concatenate([[pad_id], *(np.unique(np.concatenate(t.ids)) for t in tables.values())]))
    return trim(model, used), {
        name: replace(table, ids=ragged([np.searchsorted(used, row).astype(np.int32) for row in table.ids]))
        for name, table in tables.items()
    }


def trim(model: BertModel, used: Array) -> BertModel:
    """A copy of ``model`` whose embedding row i is sub-word ``used[i]``; these are sorted, padding among them."""
    config = copy.deepcopy(model.config)
    config.pad_token_id = used.tolist().index(config.pad_token_id)
    config.vocab_size = len(used)
    state = {name: tensor.clone() for name, tensor in model.state_dict().items() if name != WORD_EMBEDDINGS}
    rows = model.state_dict()[WORD_EMBEDDINGS][torch.from_numpy(used)]
    return assemble(config, {WORD_EMBEDDINGS: rows} | state)


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
    from transformers import BertConfig

    try:
        config = BertConfig.from_dict(parse_json((folder / "config.json").read_bytes()))
        state = load_file(folder / "model.safetensors")
    except Exception as error:  # a configuration can be wrong in many ways
        raise EncoderError(
            f"{folder} holds no usable encoder ({one_line(error)}); run the encoder stage again"
        ) from error
    return assemble(config, state)
