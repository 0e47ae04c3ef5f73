"""Trim an encoder's word embeddings to the sub-words in use, and store the trimmed encoder.

Texts are always split with the full tokeniser and their ids mapped afterwards: a tokeniser without the unused
Unigram pieces would split differently. Outputs of the full and of the trimmed model are equal bit for bit.
"""

from __future__ import annotations

import copy
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from transformers import BertConfig, BertModel

from claimtrack.errors import EncoderError
from claimtrack.reading import parse_json
from crosslayer.encoders.base import assemble, one_line
from crosslayer.windows.encoded import Encoded

Ids = npt.NDArray[np.int64]
WORD_EMBEDDINGS = "embeddings.word_embeddings.weight"


def vocabulary_in_use(ids: Iterable[npt.NDArray[np.integer[Any]]], always: Sequence[int]) -> Ids:
    """Sorted distinct full ids of all arrays in ``ids``, with those of ``always`` (the special sub-words)."""
    parts = [np.asarray(always, dtype=np.int64), *(np.unique(array) for array in ids)]
    return np.unique(np.concatenate(parts)).astype(np.int64)


def remap(ids: npt.NDArray[np.integer[Any]], used: Ids) -> Ids:
    """Full ids as positions in the sorted array ``used``; the shape stays.

    Raises:
        EncoderError: an id is not among those in use.
    """
    positions = np.minimum(np.searchsorted(used, ids), len(used) - 1)
    unknown = used[positions] != ids
    if unknown.any():
        raise EncoderError(
            f"sub-word {int(np.asarray(ids)[unknown][0])} is not in the trimmed vocabulary of {len(used)}; "
            "prepare the encoder again for these data"
        )
    return positions.astype(np.int64)


def trimmed_config(config: BertConfig, used: Ids) -> BertConfig:
    """``config`` for a model whose embedding row i is sub-word ``used[i]``.

    Raises:
        EncoderError: ``used`` is not sorted and distinct, leaves the vocabulary or lacks the padding id.
    """
    if len(used) == 0 or used[0] < 0 or used[-1] >= config.vocab_size or (np.diff(used) <= 0).any():
        raise EncoderError(f"sub-words in use must be sorted, distinct and in 0..{config.vocab_size - 1}")
    trimmed = copy.deepcopy(config)
    trimmed.pad_token_id = int(remap(np.array([config.pad_token_id]), used)[0])
    trimmed.vocab_size = len(used)
    return trimmed


def trim(model: BertModel, used: Ids) -> BertModel:
    """A copy of ``model`` that keeps the embedding rows of ``used`` only; new ids as in ``remap``."""
    config = trimmed_config(model.config, used)
    state = model.state_dict()
    rows = state.pop(WORD_EMBEDDINGS)[torch.from_numpy(used)]
    return assemble(config, {WORD_EMBEDDINGS: rows} | {name: tensor.clone() for name, tensor in state.items()})


def trim_together(
    model: BertModel, pad_id: int, tables: Mapping[str, Encoded]
) -> tuple[BertModel, dict[str, Encoded]]:
    """``model`` with the embedding rows that ``tables`` use, and the tables with the ids of those rows."""
    used = vocabulary_in_use((np.concatenate(table.ids) for table in tables.values()), [pad_id])
    return trim(model, used), {
        name: replace(table, ids=_remap_rows(table.ids, used)) for name, table in tables.items()
    }


def _remap_rows(rows: npt.NDArray[Any], used: Ids) -> npt.NDArray[Any]:
    lengths = np.cumsum([len(row) for row in rows])
    out = np.empty(len(rows), dtype=object)
    for i, row in enumerate(np.split(remap(np.concatenate(rows), used).astype(np.int32), lengths[:-1])):
        out[i] = row
    return out


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
