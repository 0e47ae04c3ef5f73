"""Layers: do they gain differently across tasks, how probably is each the best, how does a value go with them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from scipy.special import fdtrc

from claimtrack.errors import ResultsError
from crosslayer.stats.selection import check_two_of_each, comparable, complete, permutation_p
from crosslayer.stats.tables import KNOWN, ROUNDING, Floats, ScoreTable, residual_variance


class FTest(NamedTuple):
    """An F test: statistic, degrees of freedom and p; `n_seeds` are the fewest behind a mean."""

    f: float
    df1: float
    df2: float
    p: float
    n_seeds: int


def task_by_layer_interaction(tables: Mapping[str, ScoreTable], layers: Sequence[str]) -> FTest:
    """F test of whether layers gain differently in different tasks.

    Numerator: mean square of the interaction of the task-by-layer means (a baseline cancels in it).
    Denominator: its mean without interaction, the mean over tasks of v_t = r_t / S_t + items_t, with r_t the
    task's residual variance of score ~ model + seed, S_t its seeds that have all layers (tasks are not paired by
    seed) and items_t the item variance of a layer. Noise differs between tasks, so the degrees of freedom are
    Box's (1954) for the numerator and Welch-Satterthwaite's for the denominator; with equal v_t and no item
    variance they are the classical ones, (T-1)(L-1) and the sum over tasks. No noise counts as that of rounding.
    """
    names = comparable(list(tables.values()), layers) if tables else []
    seeds = [complete([table], names)[1] for table in tables.values()]
    check_two_of_each(len(tables), len(names), min(map(len, seeds), default=0))
    means = np.stack(
        [table.cells(names, own).mean(axis=1) for table, own in zip(tables.values(), seeds, strict=True)]
    )
    centred = means - means.mean(axis=0) - means.mean(axis=1, keepdims=True) + means.mean()
    variances, dfs = np.transpose([residual_variance(table) for table in tables.values()])
    n_seeds = [len(own) for own in seeds]
    noise = np.maximum(variances, ROUNDING) / n_seeds
    among = [table.item_variance[np.ix_(table.rows(names), table.rows(names))] for table in tables.values()]
    # of one layer's mean in the contrasts among layers: half the mean over pairs
    expected = noise + [between.sum() / (2 * len(names) * (len(names) - 1)) for between in among]
    full_df1 = (len(tables) - 1) * (len(names) - 1)
    f = float((centred**2).sum() / full_df1 / expected.mean())
    df1 = full_df1 * _box_epsilon(expected)
    df2 = float(min(expected.sum() ** 2 / (noise**2 / dfs).sum(), KNOWN))
    return FTest(f, df1, df2, float(fdtrc(df1, df2, f)), min(n_seeds))


def probability_best(
    table: ScoreTable, candidates: Sequence[str], rng: np.random.Generator, n: int = 20_000
) -> dict[str, float]:
    """Probability of each candidate to be the best, by drawing n sets of true means.

    Draws: observed means + normal noise of the pooled residual (its variance drawn from the scaled inverse
    chi-squared) over the seeds + normal item noise.
    """
    names, seeds = complete([table], candidates)
    residual, df = residual_variance(table)
    if not df:
        raise ResultsError("P(best) needs 2 seeds of 2 models: run more seeds")
    means = table.cells(names, seeds).mean(axis=1)
    rows = table.rows(names)
    error = np.sqrt(residual * df / rng.chisquare(df, size=(n, 1)) / len(seeds))
    draws = means + error * rng.standard_normal((n, len(names)))
    values, vectors = np.linalg.eigh(table.item_covariance(rows, int(rows[0])))
    draws += rng.standard_normal(draws.shape) @ (vectors * np.sqrt(np.maximum(values, 0))).T
    counts = np.bincount(draws.argmax(axis=1), minlength=len(names))
    return dict(zip(names, (counts / n).tolist(), strict=True))


def slopes(x: npt.NDArray[Any], y: Floats) -> Floats:
    """Least-squares slopes (S,) of y (S, n) on x (n,)."""
    centred = np.asarray(x, dtype=np.float64) - np.mean(x)
    return np.asarray(y @ centred / (centred @ centred))


def circular_shift_p(x: Floats, y: Floats) -> float:
    """One-sided p of a positive correlation of two series over layers (n,), by shifts of one of them.

    Neighbouring layers are alike, so y is moved round as a whole, forward and reversed, which keeps its
    smoothness: 2 n arrangements, the observed one among them, so p is at least 1 / (2 n) (13 layers: 0.038;
    shifts alone would stop at 1 / 13 = 0.077).
    """
    centred = x - x.mean()
    shifts = [np.roll(series, k) for series in (y, y[::-1]) for k in range(len(y))]
    return permutation_p(np.stack(shifts[1:]) @ centred, float(y @ centred))


def _box_epsilon(variances: Floats) -> float:
    """Box's epsilon of contrasts between T independent means of these variances, 1 where they are equal."""
    size = len(variances)
    centring = np.eye(size) - 1 / size
    matrix = centring * variances @ centring
    return float(np.trace(matrix) ** 2 / (np.trace(matrix @ matrix) * (size - 1)))
