"""Encoders without the embedding rows that no text uses: most of a multilingual encoder's weights."""

from __future__ import annotations

import copy
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from transformers import BertConfig, BertModel

from crosslayer.encoders.base import assemble
from crosslayer.errors import EncoderError

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
