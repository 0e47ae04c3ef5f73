"""What has one value a seed; permutations and corrections of p values."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np

from claimtrack.errors import ResultsError
from claimtrack.statistics import MIN_SEEDS
from crosslayer.stats.tables import Floats, SeedMean, t_interval

Tail = Literal["greater", "less", "two-sided"]


def mean_interval(values_by_seed: Sequence[float]) -> SeedMean:
    """Mean of one value a seed with its Student t interval; NaN seeds are left out.

    Raises:
        ResultsError: no value is left.
    """
    values = np.asarray(values_by_seed, dtype=np.float64)
    values = values[np.isfinite(values)]
    if not len(values):
        raise ResultsError("no seed has a value: run the missing trials")
    mean, interval = float(values.mean()), None
    if len(values) >= MIN_SEEDS:
        error = float(values.std(ddof=1) / np.sqrt(len(values)))
        interval = t_interval(mean, error, len(values) - 1, "Student t over seeds")
    return SeedMean(mean, interval, tuple(values.tolist()))


def slope(x: Floats, y_by_seed: Floats) -> SeedMean:
    """Least-squares slope of y (S, n) on x (n,), one a seed, with a t interval over seeds."""
    centred = np.asarray(x, dtype=np.float64) - np.mean(x)
    return mean_interval((y_by_seed @ centred / (centred @ centred)).tolist())


def permutation_p(null: Floats, observed: float, tail: Tail) -> float:
    """p of an observed statistic among permuted ones: (1 + number as extreme) / (1 + number).

    Differences below 1e-9 count as ties; two-sided is twice the smaller tail, at most 1.
    """
    tolerance = 1e-9 * max(1.0, abs(observed))
    above = (1 + np.sum(null >= observed - tolerance)) / (1 + len(null))
    below = (1 + np.sum(null <= observed + tolerance)) / (1 + len(null))
    return float({"greater": above, "less": below, "two-sided": min(1.0, 2 * min(above, below))}[tail])


def circular_shift_p(x: Floats, y: Floats) -> float:
    """One-sided p of a positive correlation of two series over layers (n,), by shifts of one of them.

    Neighbouring layers are alike, so y is moved round as a whole, forward and reversed, which keeps its
    smoothness: 2 n arrangements, the observed one among them, so p is at least 1 / (2 n) (13 layers: 0.038;
    shifts alone would stop at 1 / 13 = 0.077).
    """
    x = np.asarray(x, dtype=np.float64)
    y = np.asarray(y, dtype=np.float64)
    shifts = [np.roll(series, k) for series in (y, y[::-1]) for k in range(len(y))]
    correlations = np.stack(shifts[1:]) @ (x - x.mean())
    return permutation_p(correlations, float(y @ (x - x.mean())), "greater")


def pair_pseudo_values(values: Floats) -> Floats:
    """Jackknife pseudo-values (S,) of the mean over ordered pairs of different seeds of ``values`` (S, S).

    A seed stands in 2 (S - 1) pairs, in a row and in a column, and is left out of both. The pseudo-values have the
    mean of the pairs, and their standard error is that of this mean, noise of rows and of columns counted
    (Arvesen 1969, Jackknifing U-statistics).

    Raises:
        ResultsError: fewer than three seeds.
    """
    n = len(values)
    if n < 3:
        raise ResultsError(f"an interval of what pairs of seeds differ in needs 3 seeds, found {n}: run more")
    pairs = np.where(np.eye(n, dtype=bool), 0.0, values)
    total = pairs.sum()
    without = (total - pairs.sum(axis=0) - pairs.sum(axis=1)) / ((n - 1) * (n - 2))
    return np.asarray(total / (n - 1) - (n - 1) * without)
