"""What has one value a seed, or a pair of seeds; p values by permutation."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from crosslayer.stats.tables import Floats, Gain, seed_gain


def slopes(x: npt.NDArray[Any], y: Floats) -> Floats:
    """Least-squares slopes (S,) of y (S, n) on x (n,)."""
    centred = np.asarray(x, dtype=np.float64) - np.mean(x)
    return np.asarray(y @ centred / (centred @ centred))


def permutation_p(null: Floats, observed: float) -> float:
    """One-sided p of an observed statistic among permuted ones: (1 + number at least as large) / (1 + number).

    Differences below 1e-9 count as ties.
    """
    return float((1 + np.sum(null >= observed - 1e-9 * max(1.0, abs(observed)))) / (1 + len(null)))


def circular_shift_p(x: Floats, y: Floats) -> float:
    """One-sided p of a positive correlation of two series over layers (n,), by shifts of one of them.

    Neighbouring layers are alike, so y is moved round as a whole, forward and reversed, which keeps its
    smoothness: 2 n arrangements, the observed one among them, so p is at least 1 / (2 n) (13 layers: 0.038;
    shifts alone would stop at 1 / 13 = 0.077).
    """
    centred = x - x.mean()
    shifts = [np.roll(series, k) for series in (y, y[::-1]) for k in range(len(y))]
    return permutation_p(np.stack(shifts[1:]) @ centred, float(y @ centred))


def pair_gain(values: Floats) -> Gain:
    """Mean over ordered pairs of different seeds of ``values`` (S, S), the diagonal unread, by a jackknife.

    A seed stands in 2 (S - 1) pairs, in a row and in a column, and is left out of both. The pseudo-values (S,)
    have the mean of the pairs, and their standard error is that of this mean, noise of rows and of columns counted
    (Arvesen 1969, Jackknifing U-statistics). With two seeds there is no interval.
    """
    n = len(values)
    pairs = np.where(np.eye(n, dtype=bool), 0.0, values)
    total = pairs.sum()
    if n < 3:
        return Gain(float(total / (n * (n - 1))), n)
    without = (total - pairs.sum(axis=0) - pairs.sum(axis=1)) / ((n - 1) * (n - 2))
    return seed_gain(total / (n - 1) - (n - 1) * without)
