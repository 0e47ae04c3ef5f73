"""Scores of tasks with one label an item."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from claimtrack.errors import ResultsError

Ids = npt.NDArray[np.integer[Any]]
Floats = npt.NDArray[np.float64]


def accuracy_v1(gold: Ids, predicted: Ids) -> float:
    """Share of items whose predicted label is the gold one, in points (0 to 100).

    Args:
        gold, predicted: label ids, both (N,).

    Raises:
        ResultsError: the lengths differ or there is no item.
    """
    gold, predicted = np.asarray(gold), np.asarray(predicted)
    require_same_length(gold=gold, predicted=predicted)
    return float(100 * np.mean(gold == predicted))


def share_from_counts(counts: Floats) -> Floats:
    """Points (...,) from counts (..., 2) of (correct, all); 0 where there is nothing to count."""
    return _points(counts[..., 0], counts[..., 1])


def f1_from_counts(counts: Floats) -> Floats:
    """Micro F1 in points (...,) from counts (..., 3) of (found, predicted, gold) spans; 0 without spans.

    F1 = 2 found / (predicted + gold), the harmonic mean of precision and recall.
    """
    return _points(2 * counts[..., 0], counts[..., 1] + counts[..., 2])


def require_same_length(**arrays: npt.NDArray[Any]) -> None:
    """Raise ResultsError where the arrays' first axes differ or are empty."""
    lengths = {name: len(array) for name, array in arrays.items()}
    if len(set(lengths.values())) > 1:
        raise ResultsError(f"lengths differ ({lengths}): give one entry per item to each")
    if 0 in lengths.values():
        raise ResultsError(f"no items to score ({', '.join(lengths)} are empty): check the predictions")


def _points(part: Floats, whole: Floats) -> Floats:
    whole = np.asarray(whole, dtype=np.float64)
    share: Floats = np.divide(100.0 * part, whole, out=np.zeros_like(whole), where=whole != 0)
    return share
