"""Scores in points (0 to 100) from counts."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Ids = npt.NDArray[np.integer[Any]]


def share_from_counts(counts: Floats) -> Floats:
    """Points (...,) from counts (..., 2) of (correct, all); 0 where there is nothing to count."""
    return _points(counts[..., 0], counts[..., 1])


def f1_from_counts(counts: Floats) -> Floats:
    """Micro F1 in points (...,) from counts (..., 3) of (found, predicted, gold) spans; 0 without spans.

    F1 = 2 found / (predicted + gold), the harmonic mean of precision and recall.
    """
    return _points(2 * counts[..., 0], counts[..., 1] + counts[..., 2])


def _points(part: Floats, whole: Floats) -> Floats:
    whole = np.asarray(whole, dtype=np.float64)
    share: Floats = np.divide(100.0 * part, whole, out=np.zeros_like(whole), where=whole != 0)
    return share
