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
from safetensors.torch import save_file

from crosslayer.encoders.base import WORD_EMBEDDINGS, load_weights, one_line
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
    return load_weights(config=config, state_dict={WORD_EMBEDDINGS: rows} | state)


def save_encoder(model: BertModel, folder: Path, meta: Mapping[str, Any]) -> None:
    """Write ``config.json``, ``model.safetensors`` and ``meta.json``; the same model gives the same bytes."""
    folder.mkdir(parents=True, exist_ok=True)
    config = model.config.to_dict() | {"_name_or_path": "None"}  # not where it was read from on this machine
    config.pop("transformers_version", None)
    for name, content in (("config.json", config), ("meta.json", meta)):
        text = json.dumps(content, indent=2, sort_keys=True, ensure_ascii=False)
        (folder / name).write_text(text + "\n", encoding="utf-8")
    state = {name: tensor.contiguous() for name, tensor in model.state_dict().items()}
    try:
        save_file(state, folder / "model.safetensors")
    except SafetensorError as error:  # its Rust code wraps errors of the file system
        raise EncoderError(f"the weights cannot be written: {one_line(error)}; free some space") from error
