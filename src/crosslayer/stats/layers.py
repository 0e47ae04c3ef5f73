"""Layers across tasks: do they gain differently, what wins a task's own layer, how probably is each the best."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import NamedTuple

import numpy as np
from scipy.special import fdtrc

from claimtrack.errors import ResultsError
from crosslayer.stats.selection import (
    SelectedGain,
    by_seed,
    choosing_seeds,
    chosen_by_others,
    comparable,
    complete,
)
from crosslayer.stats.tables import (
    KNOWN,
    ROUNDING,
    Floats,
    ScoreTable,
    item_variance_of,
    known_gain,
    residual_variance,
    welch_df,
)


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
    _check_two_of_each(len(tables), len(names), min(map(len, seeds), default=0))
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


def own_against_common(
    tables: Mapping[str, ScoreTable], layers: Sequence[str], halves: Mapping[str, tuple[ScoreTable, ScoreTable]]
) -> SelectedGain:
    """Points that each task's own best layer wins over one common layer, mean over tasks.

    Both are chosen by other seeds on the other of the two ``halves`` of the items, as in `cross_fitted_gain` (own:
    best mean of the task; common: best mean over tasks), and compared on what did not choose. The interval takes
    own and common layer as two different trials at every seed and task, so it keeps its width where they happen to
    be the same, and is wider where folds that choose from each other's scores vary more (`_switch_spread`).
    `chosen` has the common layer.
    """
    names, seeds = complete(list(tables.values()), layers)
    _check_two_of_each(len(tables), len(names), len(seeds))
    scores = np.stack([table.cells(names, seeds) for table in tables.values()])  # (T, L, S)
    one, two = (np.stack([halves[task][k].cells(names, seeds) for task in tables]) for k in (0, 1))
    column, choosing = np.arange(len(seeds)), choosing_seeds(len(seeds))
    commons, won, items = [], [], []
    for selection, scored in ((one, two), (two, one)):
        common = chosen_by_others(selection.mean(axis=0), choosing)
        commons.append(common)
        for place, table in enumerate(tables.values()):
            own, rows = chosen_by_others(selection[place], choosing), table.rows(names)
            won.append(np.mean(scored[place][own, column] - scored[place][common, column]))
            counts = [np.bincount(rows[choice], minlength=len(table.models)) for choice in (own, common)]
            items.append(item_variance_of(table, (counts[0] - counts[1]) / len(seeds), int(rows[0])))
    residuals, dfs = zip(*(residual_variance(table) for table in tables.values()), strict=True)
    n_tasks, n_seeds = len(tables), len(seeds)
    seed_part = _switch_spread(n_tasks, len(names), n_seeds) * sum(residuals) / (n_tasks**2 * n_seeds)
    df = welch_df(residuals, dfs) if all(dfs) else 0.0
    found = known_gain(float(np.mean(won)), n_seeds, seed_part, df, float(np.mean(items)) / n_tasks)
    return SelectedGain(found, by_seed(seeds, names, commons), names[int(scores.mean(axis=(0, 2)).argmax())])


@lru_cache
def _switch_spread(n_tasks: int, n_layers: int, n_seeds: int) -> float:
    """n_tasks n_seeds times the variance of the mean points won on unit normal scores, at least 2: that of two
    fixed layers. From 20,000 simulated sets of tables without layer effects."""
    scores = np.random.default_rng(0).standard_normal((20_000, n_tasks, n_layers, n_seeds))
    choosing = choosing_seeds(n_seeds)
    own = chosen_by_others(scores, choosing)
    common = chosen_by_others(scores.mean(axis=1), choosing)[:, None]
    of_own = np.take_along_axis(scores, own[:, :, None], axis=2)
    of_common = np.take_along_axis(scores, np.broadcast_to(common, own.shape)[:, :, None], axis=2)
    return max(2.0, float(n_tasks * n_seeds * (of_own - of_common).mean(axis=(1, 2, 3)).var()))


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


def _check_two_of_each(n_tasks: int, n_layers: int, n_seeds: int) -> None:
    if min(n_tasks, n_layers, n_seeds) < 2:
        found = f"{n_tasks} tasks, {n_layers} layers, {n_seeds} seeds"
        raise ResultsError(f"a comparison across tasks needs 2 of each, found {found}: run the missing trials")


def _box_epsilon(variances: Floats) -> float:
    """Box's epsilon of contrasts between T independent means of these variances, 1 where they are equal."""
    size = len(variances)
    centring = np.eye(size) - 1 / size
    matrix = centring * variances @ centring
    return float(np.trace(matrix) ** 2 / (np.trace(matrix @ matrix) * (size - 1)))
