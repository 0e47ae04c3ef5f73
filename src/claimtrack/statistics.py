"""The statistics that verdicts need: Holm's correction, and the seeds that would decide."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Sequence

import numpy as np
import numpy.typing as npt
from scipy.special import stdtr

Floats = npt.NDArray[np.float64]

MIN_SEEDS = 3
"""Fewest seeds behind an interval."""
MAX_SEEDS = 1000
"""Beyond this nobody asks how many seeds a decision would take."""
POWER = 0.8


def holm(p: Floats) -> Floats:
    """Holm's (1979) adjusted p values (n,), in the order given.

    Not by statsmodels, whose `multipletests` collects the garbage of the whole process at every call (0.1 s here).
    """
    p = np.asarray(p, dtype=np.float64)
    order = np.argsort(p, kind="stable")
    adjusted = np.empty(len(p))
    adjusted[order] = np.maximum.accumulate(p[order] * np.arange(len(p), 0, -1))
    return np.minimum(adjusted, 1)


def seeds_to_decide(
    estimate: float,
    seed_variance: float,
    item_variance: float,
    df: float,
    n_seeds: int,
    regions: Callable[[float, float], Sequence[tuple[float, float]]],
) -> int | None:
    """Fewest seeds at which an estimate is decided in 80 % of runs, were the true value what is estimated now.

    Args:
        estimate: of ``n_seeds`` seeds.
        seed_variance, item_variance: the parts of its squared standard error; seeds shrink the first alone.
        df: degrees of freedom, which grow with the seeds.
        n_seeds: at least two.
        regions: from a standard error and degrees of freedom the ranges of estimates that are decided.

    Returns:
        None where `MAX_SEEDS` are too few.
    """

    def decided(n: int) -> float:
        error, n_df = np.sqrt(seed_variance * n_seeds / n + item_variance), df * (n - 1) / (n_seeds - 1)
        if not error:
            return 1.0
        return sum(
            float(stdtr(n_df, (high - estimate) / error) - stdtr(n_df, (low - estimate) / error))
            for low, high in _union(regions(error, n_df))
        )

    return fewest(decided)


def fewest(chance: Callable[[int], float]) -> int | None:
    """The fewest seeds with at least `POWER`, by bisection: more seeds never decide less."""
    seeds = range(2, MAX_SEEDS + 1)
    place = bisect_left(seeds, True, key=lambda n: chance(n) >= POWER)
    return seeds[place] if place < len(seeds) else None


def _union(ranges: Sequence[tuple[float, float]]) -> list[tuple[float, float]]:
    """The same numbers in ranges that do not overlap; an empty range, whose end lies before its start, is none."""
    merged: list[tuple[float, float]] = []
    for low, high in sorted(pair for pair in ranges if pair[0] < pair[1]):
        if merged and low <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(high, merged[-1][1]))
        else:
            merged.append((low, high))
    return merged
