"""Batches of windows: bucketed by length, padded to the longest of the batch only."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from crosslayer.windows.encoded import Array, Encoded

POOL = 32
"""Training batches that are sorted by length together."""


@dataclass(frozen=True)
class Batch:
    """B windows padded to T sub-words, with the P positions that are predicted.

    Attributes:
        ids, types: (B, T) int64.
        mask: (B, T) bool, true at real sub-words.
        row, position: (P,) where the predicted positions lie.
        labels: (P,) label ids.
        windows: (B,) indices into the encoded windows.
    """

    ids: Tensor
    types: Tensor
    mask: Tensor
    row: Tensor
    position: Tensor
    labels: Tensor
    windows: Array

    def to(self, device: torch.device) -> Batch:
        """The same batch on another device."""
        tensors = ("ids", "types", "mask", "row", "position", "labels")
        return replace(self, **{name: getattr(self, name).to(device, non_blocking=True) for name in tensors})


def training_batches(
    encoded: Encoded, rows: Array, batch_size: int, rng: np.random.Generator, pad_id: int
) -> Iterator[Batch]:
    """One epoch: shuffled, cut into pools, sorted by length within a pool, batches shuffled again.

    The last incomplete batch is left out (other items each epoch), so that every batch is a whole number of
    batch-normalisation groups.
    """
    order = rows[rng.permutation(len(rows))]
    order = order[: len(order) // batch_size * batch_size]
    lengths = encoded.lengths()
    for pool in np.array_split(order, range(POOL * batch_size, len(order), POOL * batch_size)):
        by_length = pool[np.argsort(lengths[pool], kind="stable")]
        batches = by_length.reshape(-1, batch_size)
        for index in rng.permutation(len(batches)):
            yield collate(encoded, batches[index], pad_id)


def micro_batches(batch: Batch, size: int | None) -> Iterator[Batch]:
    """The batch in parts of ``size`` consecutive windows, each padded as far as the whole; ``None``: in one."""
    size = size or len(batch.ids)
    for start in range(0, len(batch.ids), size):
        part = slice(start, start + size)
        chosen = (batch.row >= start) & (batch.row < start + size)
        yield Batch(
            batch.ids[part],
            batch.types[part],
            batch.mask[part],
            batch.row[chosen] - start,
            batch.position[chosen],
            batch.labels[chosen],
            batch.windows[part],
        )


def prediction_batches(encoded: Encoded, rows: Array, max_tokens: int, pad_id: int) -> Iterator[Batch]:
    """All rows, longest first, as many in a batch as ``max_tokens`` padded sub-words allow, but never one alone
    if there are two (`crosslayer.models.fusion.ShuffledFusion` needs a neighbour)."""
    lengths = encoded.lengths()
    order = rows[np.argsort(-lengths[rows], kind="stable")]
    start = 0
    while start < len(order):
        size = max(2, max_tokens // int(lengths[order[start]]))
        size += len(order) - start - size == 1
        yield collate(encoded, order[start : start + size], pad_id)
        start += size


def collate(encoded: Encoded, windows: Array, pad_id: int) -> Batch:
    """Pad the windows to the longest of them."""
    lengths = np.array([len(encoded.ids[w]) for w in windows])
    ids = np.full((len(windows), lengths.max()), pad_id, dtype=np.int64)
    types = np.zeros_like(ids)
    for row, window in enumerate(windows):
        ids[row, : lengths[row]] = encoded.ids[window]
        types[row, : lengths[row]] = encoded.types[window]
    firsts = [encoded.firsts[w] for w in windows]
    row_of = np.repeat(np.arange(len(windows)), [len(f) for f in firsts])
    return Batch(
        torch.from_numpy(ids),
        torch.from_numpy(types),
        torch.from_numpy(np.arange(ids.shape[1]) < lengths[:, None]),
        torch.from_numpy(row_of),
        torch.from_numpy(np.concatenate(firsts).astype(np.int64)),
        torch.from_numpy(np.concatenate([encoded.labels[w] for w in windows]).astype(np.int64)),
        windows,
    )
