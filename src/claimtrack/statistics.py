"""The statistics that verdicts need: Holm's correction, and the seeds that would decide."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]

MIN_SEEDS = 3
"""Fewest seeds behind an interval."""
MAX_SEEDS = 1000
"""Beyond this nobody asks how many seeds a decision would take."""
POWER = 0.8
ROUNDING = 1e-12


def alike(values: npt.ArrayLike) -> bool:
    """Whether values (n,) are one number but for rounding: they tell nothing of their spread."""
    sample = np.asarray(values, dtype=np.float64)
    return bool(np.ptp(sample) <= ROUNDING * max(1.0, np.abs(sample).max()))


def holm(p: Floats) -> Floats:
    """Holm's (1979) adjusted p values (n,), in the order given.

    Not by statsmodels, whose `multipletests` collects the garbage of the whole process at every call (0.1 s here).
    """
    p = np.asarray(p, dtype=np.float64)
    order = np.argsort(p, kind="stable")
    adjusted = np.empty(len(p))
    adjusted[order] = np.maximum.accumulate(p[order] * np.arange(len(p), 0, -1))
    return np.minimum(adjusted, 1)


def fewest(chance: Callable[[int], float]) -> int | None:
    """The fewest seeds with at least `POWER`, by bisection: more seeds never decide less."""
    seeds = range(MIN_SEEDS, MAX_SEEDS + 1)
    place = bisect_left(seeds, True, key=lambda n: chance(n) >= POWER)
    return seeds[place] if place < len(seeds) else None
