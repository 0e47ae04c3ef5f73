"""Answering only where confidence is high: risk against coverage; arguments as in `metrics.calibration`.

Notation: N items, G distinct confidences.
"""

from __future__ import annotations

import numpy as np

from crosslayer.metrics.classification import Floats, Ids


def risk_coverage(confidence: Floats, correct: Floats) -> tuple[Floats, Floats]:
    """Coverage (G,) in 0 to 1 and risk (G,) in points of answering the items at or above each confidence."""
    size, errors = _groups(confidence, correct)
    answered = size.cumsum()
    return answered / answered[-1], 100 * errors.cumsum() / answered


def aurc_v1(confidence: Floats, correct: Floats) -> float:
    """Area under the risk-coverage curve (Geifman and El-Yaniv 2017), points: mean risk over coverages 1/N .. 1.

    Equal confidences count as the mean over all their orders.
    """
    size, errors = _groups(confidence, correct)
    before, wrong_before = size.cumsum() - size, errors.cumsum() - errors
    rank = np.arange(1, size.sum() + 1)
    wrong = np.repeat(wrong_before, size) + (rank - np.repeat(before, size)) * np.repeat(errors / size, size)
    return float(100 * np.mean(wrong / rank))


def _groups(confidence: Floats, correct: Floats) -> tuple[Ids, Floats]:
    """Items and errors at each distinct confidence, from the highest down."""
    _, group, size = np.unique(-confidence, return_inverse=True, return_counts=True)
    return size, np.asarray(np.bincount(group, weights=1 - correct), dtype=np.float64)
