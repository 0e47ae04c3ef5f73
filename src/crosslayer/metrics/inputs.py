"""What a metric takes. A ResultsError names a wrong argument, its shape and its first bad value.

Notation: N items, K labels.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from claimtrack.errors import ResultsError

Ids = npt.NDArray[np.integer[Any]]
Floats = npt.NDArray[np.float64]

ROUNDING, SUM_ROUNDING = 1e-6, 0.01
"""How far a probability in single precision may pass 1, and the sum of rounded ones may miss it."""


def label_ids(n_labels: int | None = None, **arguments: Any) -> tuple[Ids, ...]:
    """Label ids (N,) of one length, from 0 and below ``n_labels`` if given, in the order of the arguments."""
    told = "label ids from 0" + ("" if n_labels is None else f" to {n_labels - 1}")
    found = {name: _array(name, value, 1, told) for name, value in arguments.items()}
    for name, ids in found.items():
        if not np.issubdtype(ids.dtype, np.integer):
            raise ResultsError(f"{name} {ids.shape} holds {ids.dtype}: give {told}")
        _refuse(name, ids, (ids < 0) | (False if n_labels is None else ids >= n_labels), told)
    _one_length(found)
    return tuple(found.values())


def probabilities_of(probabilities: Any, gold: Any) -> tuple[Floats, Ids]:
    """Probabilities (N, K) whose rows add up to 1, and gold ids (N,) among the K labels."""
    told = "probabilities from 0 to 1, not logits"
    rows = _array("probabilities", probabilities, 2, told, np.float64)
    _refuse("probabilities", rows, ~((rows >= 0) & (rows <= 1 + ROUNDING)), told)
    sums = rows.sum(axis=1)
    _refuse("sums of probabilities", sums, np.abs(sums - 1) > SUM_ROUNDING, "rows that add up to 1")
    return rows, _gold_of(rows, gold)


def logits_of(logits: Any, gold: Any) -> tuple[Floats, Ids]:
    """Finite logits (N, K), and gold ids (N,) among the K labels."""
    rows = _array("logits", logits, 2, "finite logits", np.float64)
    _refuse("logits", rows, ~np.isfinite(rows), "finite logits")
    return rows, _gold_of(rows, gold)


def confidences(confidence: Any, correct: Any) -> tuple[Floats, Floats]:
    """Probabilities of the predicted labels, and 1 where these are right, else 0; both (N,)."""
    told, right = "probabilities from 0 to 1, not logits", "1 where the label is right, else 0"
    found = {
        "confidence": _array("confidence", confidence, 1, told, np.float64),
        "correct": _array("correct", correct, 1, right, np.float64),
    }
    sure, hit = found.values()
    _refuse("confidence", sure, ~((sure >= 0) & (sure <= 1 + ROUNDING)), told)
    _refuse("correct", hit, ~np.isin(hit, (0, 1)), right)
    _one_length(found)
    return np.minimum(sure, 1.0), hit


def _gold_of(rows: Floats, gold: Any) -> Ids:
    (ids,) = label_ids(rows.shape[1], gold=gold)
    _one_length({"scores": rows, "gold": ids})
    return ids


def _array(name: str, value: Any, n_axes: int, told: str, dtype: Any = None) -> npt.NDArray[Any]:
    try:
        array = np.asarray(value, dtype)
    except (TypeError, ValueError):
        raise ResultsError(f"{name} is no array of numbers: give {told}") from None
    if array.ndim != n_axes:
        raise ResultsError(f"{name} has the shape {array.shape}: give {told}, {('(N,)', '(N, K)')[n_axes - 1]}")
    if not array.size:
        raise ResultsError(f"no items to score ({name} is empty): check the predictions")
    return array


def _refuse(name: str, array: npt.NDArray[Any], bad: npt.NDArray[np.bool_], told: str) -> None:
    if bad.any():
        place = tuple(map(int, np.argwhere(bad)[0]))
        where = place[0] if len(place) == 1 else place
        raise ResultsError(f"{name} {array.shape}: {array[place]} at {where}; give {told}")


def _one_length(arrays: dict[str, npt.NDArray[Any]]) -> None:
    lengths = {name: len(array) for name, array in arrays.items()}
    if len(set(lengths.values())) > 1:
        raise ResultsError(f"lengths differ ({lengths}): give one entry per item to each")
