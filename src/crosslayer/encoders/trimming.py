"""Encoders without the embedding rows that no text uses: most of a multilingual encoder's weights."""

from __future__ import annotations

import copy
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from transformers import BertModel

from crosslayer.encoders.base import assemble

Ids = npt.NDArray[np.int64]
WORD_EMBEDDINGS = "embeddings.word_embeddings.weight"


def vocabulary_in_use(ids: Iterable[npt.NDArray[np.integer[Any]]], always: Sequence[int]) -> Ids:
    """Sorted distinct full ids of all arrays in ``ids``, with those of ``always`` (the special sub-words)."""
    parts = [np.asarray(always, dtype=np.int64), *(np.unique(array) for array in ids)]
    return np.unique(np.concatenate(parts)).astype(np.int64)


def remap(ids: npt.NDArray[np.integer[Any]], used: Ids) -> Ids:
    """Full ids, all among the sorted ones of ``used``, as positions in that; the shape stays."""
    return np.searchsorted(used, ids).astype(np.int64)


def trim(model: BertModel, used: Ids) -> BertModel:
    """A copy of ``model`` whose embedding row i is sub-word ``used[i]``; these are sorted, padding among them."""
    config = copy.deepcopy(model.config)
    config.pad_token_id = int(remap(np.array([config.pad_token_id]), used)[0])
    config.vocab_size = len(used)
    state = model.state_dict()
    rows = state.pop(WORD_EMBEDDINGS)[torch.from_numpy(used)]
    return assemble(config, {WORD_EMBEDDINGS: rows} | {name: tensor.clone() for name, tensor in state.items()})
