"""Intervals, selections and tests of gains between models trained with the same seeds.

Every score and gain is in points, every variance in points squared.

**The model of a gain**: score[m, s] = model m + seed s + e[m, s], e independent with one variance for all
models. Its residual variance r is fitted by least squares to all cells present, controls included, with
(M - 1)(S - 1) degrees of freedom when none is missing. A gain over n paired seeds has the variance

    2 r / n + v        v: variance due to the choice of test items, from a cluster bootstrap

and a Student t interval with Welch-Satterthwaite degrees of freedom (v counts as known). A part of v that
comes from chance differences between seeds on single items is also in r, so the sum errs on the wide side.

**Missing cells** (collapsed or failed trials) are NaN. `gain` uses the seeds that have both models. Whatever
compares several models (the selections, `max_statistic_p`, `probability_best`, the tests across tasks) uses
the seeds that have all of them, and leaves out a candidate without any score. One seed gives an estimate
without interval.

Notation: M models, S seeds, L layers, T tasks, N items, C clusters, R resamples, K counts per item.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
from scipy.special import fdtrc, nctdtr, ndtr, stdtr, stdtrit

from crosslayer.errors import ResultsError

Floats = npt.NDArray[np.float64]
Indices = npt.NDArray[np.intp]
Tail = Literal["greater", "less", "two-sided"]
Statistic = Callable[[Floats], Floats]
"""Score in points (...,) of summed counts (..., K), such as `metrics.classification.f1_from_counts`."""

POWER = 0.8
MIN_SEEDS = 3
"""Seeds that an interval over seeds alone needs."""
MOST_SEEDS = 1000
"""Beyond this nobody asks how many seeds a power would take."""
_KNOWN = 1e6
"""Degrees of freedom that stand for a known variance."""
_ROUNDING = 1e-18
"""Sums of squares of scores (points squared) below this are rounding, not noise."""


@dataclass(frozen=True)
class Interval:
    """A confidence interval, bounds in the unit of its estimate."""

    low: float
    high: float
    level: float
    method: str


@dataclass(frozen=True, eq=False)
class ScoreTable:
    """Scores of one task.

    Attributes:
        models: M names, for example "baseline", "layer_4", "self".
        seeds: S seeds.
        scores: (M, S) points; NaN where the trial is missing or collapsed.
        item_variance: (M, M) variance of the difference of two models' mean scores that is due to the test
            items, points squared (`item_variance`); zeros are allowed.
    """

    models: tuple[str, ...]
    seeds: tuple[int, ...]
    scores: Floats
    item_variance: Floats

    def __post_init__(self) -> None:
        expected = (len(self.models), len(self.seeds))
        if self.scores.shape != expected or self.item_variance.shape != (expected[0], expected[0]):
            shapes = f"{self.scores.shape} and {self.item_variance.shape}"
            raise ResultsError(f"scores and item variances are {shapes}: give one row a model for {expected}")

    def rows(self, models: Sequence[str]) -> Indices:
        """Row numbers of the models; ResultsError names one that is not there."""
        unknown = [model for model in models if model not in self.models]
        if unknown:
            raise ResultsError(f"no scores of {unknown[0]!r}: the table has {', '.join(self.models)}")
        return np.array([self.models.index(model) for model in models], dtype=np.intp)


@dataclass(frozen=True)
class Gain:
    """A gain over the baseline in points; what needs two seeds or more is None with one.

    Attributes:
        estimate: the gain.
        interval: Student t interval.
        standard_error: of the estimate, seeds and items together.
        df: Welch-Satterthwaite degrees of freedom.
        minimum_detectable: smallest true gain found with 80 % power by a two-sided test at 5 %:
            (t_.975 + t_.8) standard errors.
        n_seeds: paired seeds behind the estimate.
    """

    estimate: float
    interval: Interval | None
    standard_error: float | None
    df: float | None
    minimum_detectable: float | None
    n_seeds: int

    @property
    def p_value(self) -> float | None:
        """Two-sided p of no gain; None without a standard error."""
        if self.standard_error is None or self.df is None:
            return None
        if self.standard_error == 0:
            return float(self.estimate**2 <= _ROUNDING)
        return float(2 * stdtr(self.df, -abs(self.estimate) / self.standard_error))


@dataclass(frozen=True)
class SelectedGain:
    """A gain of selected models.

    Attributes:
        gain: the gain over the baseline.
        chosen: seed -> the model that was scored on it; two with a stroke between where halves of the items chose
            differently.
        overall: the model that the selection scores name when all seeds are used, for display.
    """

    gain: Gain
    chosen: dict[int, str]
    overall: str


@dataclass(frozen=True)
class FTest:
    """An F test: statistic, degrees of freedom and p; `n_seeds` are the fewest behind a mean."""

    f: float
    df1: float
    df2: float
    p: float
    n_seeds: int


@dataclass(frozen=True)
class SeedMean:
    """A mean of one value a seed, with a t interval over seeds, None below `MIN_SEEDS`."""

    estimate: float
    interval: Interval | None
    by_seed: tuple[float, ...]


# Gains


def residual_variance(table: ScoreTable) -> tuple[float, int]:
    """Residual variance of score ~ model + seed over the cells present, and its degrees of freedom.

    With no degree of freedom left both are 0.
    """
    row, column = np.nonzero(np.isfinite(table.scores))
    if len(row) == table.scores.size:
        centred = table.scores - table.scores.mean(axis=0) - table.scores.mean(axis=1, keepdims=True)
        return _mean_square(centred + table.scores.mean(), int(np.prod(np.array(table.scores.shape) - 1)))
    design = np.hstack([np.eye(len(table.models))[row], np.eye(len(table.seeds))[column]])
    scores = table.scores[row, column]
    fitted, _, rank, _ = np.linalg.lstsq(design, scores, rcond=None)
    return _mean_square(scores - design @ fitted, len(scores) - int(rank))


def _mean_square(residuals: Floats, df: int) -> tuple[float, int]:
    square = float((residuals**2).sum())
    return (square / df, df) if df and square > _ROUNDING else (0.0, df)


def gain(table: ScoreTable, model: str, baseline: str = "baseline", level: float = 0.95) -> Gain:
    """Gain of a model over the baseline on the seeds that have both (the module docstring has the model).

    With two models and no item variance this is the paired t test.

    Raises:
        ResultsError: a model is not in the table, or no seed has both.
    """
    row, base = table.rows([model, baseline])
    columns = np.flatnonzero(np.isfinite(table.scores[[row, base]]).all(axis=0))
    if not len(columns):
        raise ResultsError(f"no seed has both {model!r} and {baseline!r}: run the missing trials")
    return _paired_gain(table, np.full(len(columns), row), columns, base, level)


def minimum_detectable(standard_error: float, df: float) -> float:
    """Smallest true gain that a two-sided test at 5 % finds with 80 % power."""
    return float((stdtrit(df, 0.975) + stdtrit(df, POWER)) * standard_error)


@dataclass(frozen=True)
class Power:
    """What a design can find.

    Attributes:
        effect: the true gain in points.
        power: chance, from 0 to 1, that the 95 % interval lies above 0 with the seeds at hand.
        seeds: fewest seeds for `POWER`; None where even `MOST_SEEDS` are too few, because the test items alone
            leave more noise.
    """

    effect: float
    power: float
    seeds: int | None


def power(table: ScoreTable, models: Sequence[str], effect: float, baseline: str = "baseline") -> Power:
    """Power of the test of one model's gain at the noise measured in ``table``.

    The test statistic of a true gain g has a noncentral t distribution with noncentrality g / standard error
    (Cohen 1988). The item variance is the mean over the models'; more seeds shrink the seeds' part alone.

    Raises:
        ResultsError: there is no model, or no degree of freedom to estimate the noise.
    """
    if not len(models):
        raise ResultsError("no model ended well whose gain could be found: run one")
    residual, df = residual_variance(table)
    if not df:
        raise ResultsError("one seed leaves no noise to estimate a power from: run more seeds")
    items = float(np.nanmean(table.item_variance[table.rows(models), table.rows([baseline])[0]]))

    def found(n_seeds: int) -> float:
        error = np.sqrt(2 * residual / n_seeds + items)
        if not error:
            return 1.0
        seed_df = (len(table.models) - 1) * (n_seeds - 1)
        total = _satterthwaite(2 * residual / n_seeds, seed_df, items)
        return float(1 - nctdtr(total, effect / error, stdtrit(total, 0.975)))

    enough = next((n for n in range(2, MOST_SEEDS + 1) if found(n) >= POWER), None)
    return Power(effect, found(len(table.seeds)), enough)


def _paired_gain(
    table: ScoreTable, rows: Indices, columns: Indices, base: int, level: float, spread: float = 2.0
) -> Gain:
    """Mean over seeds of score[rows[i], columns[i]] - score[base, columns[i]], of variance spread r / n."""
    estimate = float(np.mean(table.scores[rows, columns] - table.scores[base, columns]))
    residual, df = residual_variance(table)
    items = _item_variance_of(table, np.bincount(rows, minlength=len(table.models)) / len(rows), base)
    return _t_gain(estimate, spread * residual / len(columns), df, items, len(columns), level)


def _item_variance_of(table: ScoreTable, weights: Floats, base: int) -> float:
    """Item variance of (weighted mean of models - baseline)."""
    used = np.flatnonzero(weights)
    return float(weights[used] @ _item_covariance(table, used, base) @ weights[used])


def _item_covariance(table: ScoreTable, rows: Indices, base: int) -> Floats:
    """Item covariance of gains over `base`: 2 cov(a - c, b - c) = v(a, c) + v(b, c) - v(a, b)."""
    to_base = table.item_variance[rows, base]
    covariance: Floats = (to_base[:, None] + to_base - table.item_variance[rows][:, rows]) / 2
    return covariance


def _t_gain(estimate: float, seeds: float, df: float, items: float, n_seeds: int, level: float) -> Gain:
    if n_seeds < 2 or not df:
        return Gain(estimate, None, None, None, None, n_seeds)
    error = float(np.sqrt(seeds + items))
    total_df = _satterthwaite(seeds, df, items)
    method = "Student t, model + seed, pooled residual and item variance"
    return Gain(
        estimate,
        _t_interval(estimate, error, total_df, level, method),
        error,
        total_df,
        minimum_detectable(error, total_df),
        n_seeds,
    )


def _satterthwaite(estimated: float, df: float, known: float) -> float:
    """Degrees of freedom of the sum of an estimated and a known variance."""
    if not known:
        return float(df)
    return float(min(df * (1 + known / estimated) ** 2, _KNOWN)) if estimated else _KNOWN


def _t_interval(estimate: float, error: float, df: float, level: float, method: str) -> Interval:
    half = float(stdtrit(df, (1 + level) / 2)) * error
    return Interval(estimate - half, estimate + half, level, method)


# The three estimands


def dev_selected_gain(
    dev: ScoreTable,
    test: ScoreTable,
    candidates: Sequence[str],
    baseline: str = "baseline",
    level: float = 0.95,
) -> SelectedGain:
    """Test gain of the candidate that the dev scores choose.

    Each seed is scored with the candidate of best mean dev score over the *other* seeds: a trial that is
    lucky on dev is lucky on test too, and choosing on the same trials would show a gain where there is none
    (1.6 r sd / sqrt(S) for 11 layers and a dev-test correlation r). A single seed chooses for itself.

    Raises:
        ResultsError: a model is missing, or no seed has all of them in both tables.
    """
    names, seeds = _complete([dev, test], candidates, baseline)
    return _held_out_gain(_cells(dev, names, seeds), test, names, seeds, baseline, level)


def cross_fitted_gain(
    test: ScoreTable,
    candidates: Sequence[str],
    baseline: str = "baseline",
    level: float = 0.95,
    halves: tuple[ScoreTable, ScoreTable] | None = None,
) -> SelectedGain:
    """Test gain of the candidate chosen by the test scores of the other seeds, mean over the held-out seeds.

    Folds choose from each other's scores, so the estimate varies more than a gain of fixed layers; its seed
    variance is r (1 + k) / S, with k from 20,000 simulated tables without layer effects (the worst case).

    Args:
        test: scores on all items.
        halves: scores on two halves of the items, which take turns: one chooses, the other is scored. Without
            them a layer that is lucky on the items is chosen and scored on the same ones, at every seed: no
            effect at all then shows as a gain of about 0.3 points at item noise of 0.3.

    Raises:
        ResultsError: a model is missing, or fewer than two seeds have all of them.
    """
    names, seeds = _complete([test], candidates, baseline)
    if len(seeds) < 2:
        raise ResultsError(f"cross-fitting needs 2 seeds with all of {', '.join(names)}: run more seeds")
    spread = 1 + _fold_variance(len(names), len(seeds))
    if halves is not None:
        return _crosswise_gain(test, halves, names, seeds, baseline, level, spread)
    return _held_out_gain(_cells(test, names, seeds), test, names, seeds, baseline, level, spread)


def best_on_test_gain(
    test: ScoreTable, candidates: Sequence[str], baseline: str = "baseline", level: float = 0.95
) -> SelectedGain:
    """Gain of the candidate with the best mean test score: what papers show, biased upward, never judged.

    Raises:
        ResultsError: a model is missing, or no seed has all of them.
    """
    names, seeds = _complete([test], candidates, baseline)
    best = names[int(_cells(test, names, seeds).mean(axis=1).argmax())]
    columns = _columns(test, seeds)
    rows = np.full(len(columns), test.rows([best])[0])
    found = _paired_gain(test, rows, columns, test.rows([baseline])[0], level)
    return SelectedGain(found, dict.fromkeys(seeds, best), best)


def max_statistic_p(
    test: ScoreTable,
    candidates: Sequence[str],
    n_permutations: int,
    rng: np.random.Generator,
    baseline: str = "baseline",
) -> float:
    """p of the best-on-test gain if all models, baseline included, were alike.

    The models' scores are permuted within each seed; statistic: the largest mean gain over the baseline.

    Raises:
        ResultsError: a model is missing, or no seed has all of them.
    """
    names, seeds = _complete([test], candidates, baseline)
    scores = _cells(test, [baseline, *names], seeds)
    null = np.empty(n_permutations)
    for start in range(0, n_permutations, 1000):
        block = null[start : start + 1000]
        shuffled = np.broadcast_to(scores, (len(block), *scores.shape))
        block[:] = _best_gain(rng.permuted(shuffled, axis=1))
    return permutation_p(null, float(_best_gain(scores)), "greater")


def null_best_gain(sd: float, n_candidates: int, n_seeds: int) -> float:
    """Mean best-on-test gain, in points, where no candidate has an effect.

    sd / sqrt(n_seeds) times the expected maximum of n standard normals; `sd` is the seed noise of one score.
    """
    x = np.linspace(-9, 9, 3601)
    density = n_candidates * ndtr(x) ** (n_candidates - 1) * np.exp(-(x**2) / 2) / np.sqrt(2 * np.pi)
    return float(sd / np.sqrt(n_seeds) * (x * density).sum() * (x[1] - x[0]))


def _held_out_gain(
    selection: Floats,
    test: ScoreTable,
    names: list[str],
    seeds: list[int],
    baseline: str,
    level: float,
    spread: float = 2.0,
) -> SelectedGain:
    choices = _held_out_choices(selection)
    rows = test.rows(names)[choices]
    found = _paired_gain(test, rows, _columns(test, seeds), test.rows([baseline])[0], level, spread)
    chosen = {seed: names[choice] for seed, choice in zip(seeds, choices, strict=True)}
    return SelectedGain(found, chosen, names[int(selection.mean(axis=1).argmax())])


def _crosswise_gain(
    test: ScoreTable,
    halves: tuple[ScoreTable, ScoreTable],
    names: list[str],
    seeds: list[int],
    baseline: str,
    level: float,
    spread: float,
) -> SelectedGain:
    """Each half of the items scored with what the other half chose on the other seeds.

    Half of the items has twice the item variance, and the mean of two halves half of that: v of the choices made
    on one and on the other, averaged. The residual is that of all items, which errs on the wide side.
    """
    columns = _columns(test, seeds)
    base = int(test.rows([baseline])[0])
    choices = [_held_out_choices(_cells(half, names, seeds)) for half in halves]
    gains, items = [], []
    for chosen, scored in zip(choices, halves[::-1], strict=True):
        rows = test.rows(names)[chosen]
        gains.append(np.mean(scored.scores[rows, columns] - scored.scores[base, columns]))
        items.append(_item_variance_of(test, np.bincount(rows, minlength=len(test.models)) / len(rows), base))
    residual, df = residual_variance(test)
    seed_part = spread * residual / len(seeds)
    found = _t_gain(float(np.mean(gains)), seed_part, df, float(np.mean(items)), len(seeds), level)
    return SelectedGain(
        found, _by_seed(seeds, names, choices), names[int(_cells(test, names, seeds).mean(axis=1).argmax())]
    )


def _by_seed(seeds: list[int], names: list[str], choices: Sequence[Indices]) -> dict[int, str]:
    """What was chosen for each seed, by one fold or by two, with a stroke between where they differ."""
    pairs = [dict.fromkeys(names[choice] for choice in by_fold) for by_fold in zip(*choices, strict=True)]
    return {seed: "/".join(pair) for seed, pair in zip(seeds, pairs, strict=True)}


def _held_out_choices(selection: Floats) -> Indices:
    """For each seed the row of (M, S) with the best mean over the other seeds; the first of equals."""
    others = selection.sum(axis=1, keepdims=True) - selection if selection.shape[1] > 1 else selection
    return np.asarray(others.argmax(axis=0))


@lru_cache
def _fold_variance(n_candidates: int, n_seeds: int) -> float:
    """n_seeds times the variance of the mean held-out score of unit normal scores (1 for fixed choices)."""
    scores = np.random.default_rng(0).standard_normal((20_000, n_candidates, n_seeds))
    choices = (scores.sum(axis=2, keepdims=True) - scores).argmax(axis=1)
    held_out = np.take_along_axis(scores, choices[:, None], axis=1)
    return float(n_seeds * held_out.mean(axis=(1, 2)).var())


def _best_gain(scores: Floats) -> Floats:
    """Largest mean gain of rows 1.. over row 0 of (..., M, S)."""
    means = scores.mean(axis=-1)
    return np.asarray(means[..., 1:].max(axis=-1) - means[..., 0])


def comparable(tables: Sequence[ScoreTable], candidates: Sequence[str]) -> list[str]:
    """The candidates that can be chosen: those with scores at enough seeds of every table.

    Enough are three, or as many as the best candidate has: one that ended well more rarely is left out, rather
    than the seeds at which the others can be compared.
    """
    present = np.stack([np.isfinite(table.scores[table.rows(candidates)]).sum(axis=1) for table in tables])
    enough = np.clip(present.max(axis=1, initial=1, keepdims=True), 1, MIN_SEEDS)
    return [candidates[row] for row in np.flatnonzero((present >= enough).all(axis=0)).tolist()]


def _complete(
    tables: Sequence[ScoreTable], candidates: Sequence[str], *others: str
) -> tuple[list[str], list[int]]:
    """The comparable candidates, and the seeds at which all of them have scores in every table, `others` too."""
    if not tables:
        return [], []
    names = comparable(tables, candidates)
    seeds = [seed for seed in tables[0].seeds if all(seed in table.seeds for table in tables)]
    for table in tables:
        whole = np.isfinite(_cells(table, [*names, *others], seeds)).all(axis=0)
        seeds = [seeds[column] for column in np.flatnonzero(whole).tolist()]
    if not names or not seeds:
        raise ResultsError(f"no seed has all of {', '.join([*candidates, *others])}: run the missing trials")
    return names, seeds


def _columns(table: ScoreTable, seeds: Sequence[int]) -> Indices:
    return np.array([table.seeds.index(seed) for seed in seeds], dtype=np.intp)


def _cells(table: ScoreTable, names: Sequence[str], seeds: Sequence[int]) -> Floats:
    return table.scores[table.rows(names)][:, _columns(table, seeds)]


# Layers across tasks


def task_by_layer_interaction(tables: Mapping[str, ScoreTable], layers: Sequence[str]) -> FTest:
    """F test of whether layers gain differently in different tasks.

    Numerator: mean square of the interaction of the task-by-layer means (a baseline cancels in it).
    Denominator: its mean without interaction, the mean over tasks of v_t = r_t / S_t + items_t, with r_t the
    task's residual variance of score ~ model + seed, S_t its seeds that have all layers (tasks are not paired by
    seed) and items_t the item variance of a layer. Noise differs between tasks, so the degrees of freedom are
    Box's (1954) for the numerator and Welch-Satterthwaite's for the denominator; with equal v_t and no item
    variance they are the classical ones, (T-1)(L-1) and the sum over tasks. Without any noise p is 1 or, with an
    interaction, 0.

    Raises:
        ResultsError: fewer than two tasks or layers, or fewer than two seeds of a task.
    """
    names = comparable(list(tables.values()), layers) if tables else []
    seeds = [_complete([table], names)[1] for table in tables.values()]
    _check_two_of_each(len(tables), len(names), min(map(len, seeds), default=0))
    means = np.stack(
        [_cells(table, names, own).mean(axis=1) for table, own in zip(tables.values(), seeds, strict=True)]
    )
    centred = means - means.mean(axis=0) - means.mean(axis=1, keepdims=True) + means.mean()
    residuals = [residual_variance(table) for table in tables.values()]
    n_seeds = [len(own) for own in seeds]
    noise = np.array([variance for variance, _ in residuals]) / n_seeds
    expected = noise + [_layer_item_variance(table, names) for table in tables.values()]
    full_df1 = (len(tables) - 1) * (len(names) - 1)
    square = float((centred**2).sum())
    if not expected.any():
        p = float(square <= _ROUNDING)
        return FTest(np.inf if square > _ROUNDING else 0.0, full_df1, _KNOWN, p, min(n_seeds))
    f = float(square / full_df1 / expected.mean())
    df1 = full_df1 * _box_epsilon(expected)
    df2 = float(min(expected.sum() ** 2 / (noise**2 / [df for _, df in residuals]).sum(), _KNOWN))
    return FTest(f, df1, df2, float(fdtrc(df1, df2, f)), min(n_seeds))


def own_against_common(
    tables: Mapping[str, ScoreTable],
    layers: Sequence[str],
    level: float = 0.95,
    halves: Mapping[str, tuple[ScoreTable, ScoreTable]] | None = None,
) -> SelectedGain:
    """Points that each task's own best layer wins over one common layer, mean over tasks.

    Both are chosen on the other seeds (own: best mean of the task; common: best mean over tasks) and
    compared on the held-out one. The interval takes own and common layer as two different trials at every
    seed and task, so it keeps its width where they happen to be the same. `chosen` has the common layer.

    Args:
        tables: scores on all items, by task.
        layers: the candidates.
        level: of the interval.
        halves: of each task, scores on two halves of its items, which take turns as in `cross_fitted_gain`.

    Raises:
        ResultsError: fewer than two tasks, layers or common seeds.
    """
    scores, seeds, names = _task_layer_scores(tables, layers)
    folds = [(scores, scores)]
    if halves is not None:
        one, two = (np.stack([_cells(halves[task][k], names, seeds) for task in tables]) for k in (0, 1))
        folds = [(one, two), (two, one)]
    column = np.arange(len(seeds))
    commons, won, items = [], [], []
    for selection, scored in folds:
        common = _held_out_choices(selection.mean(axis=0))
        commons.append(common)
        for place, table in enumerate(tables.values()):
            own = _held_out_choices(selection[place])
            won.append(np.mean(scored[place][own, column] - scored[place][common, column]))
            items.append(_switch_item_variance(table, names, own, common))
    residual, df = _mean_residual(tables)
    n_tasks = len(tables)
    seed_part, item_part = 2 * residual / (n_tasks * len(seeds)), float(np.mean(items)) / n_tasks
    found = _t_gain(float(np.mean(won)), seed_part, df, item_part, len(seeds), level)
    return SelectedGain(found, _by_seed(seeds, names, commons), names[int(scores.mean(axis=(0, 2)).argmax())])


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


def probability_best(
    table: ScoreTable, candidates: Sequence[str], rng: np.random.Generator, n: int = 20_000
) -> dict[str, float]:
    """Probability of each candidate to be the best, by drawing n sets of true means.

    Draws: observed means + normal noise of the pooled residual (its variance drawn from the scaled inverse
    chi-squared) over the seeds + normal item noise.

    Raises:
        ResultsError: a model is missing, or fewer than two seeds have all of them.
    """
    names, seeds = _complete([table], candidates)
    residual, df = residual_variance(table)
    if not df:
        raise ResultsError("P(best) needs 2 seeds of 2 models: run more seeds")
    means = _cells(table, names, seeds).mean(axis=1)
    rows = table.rows(names)
    error = np.sqrt(residual * df / rng.chisquare(df, size=(n, 1)) / len(seeds))
    draws = means + error * rng.standard_normal((n, len(names)))
    draws += _normal(_item_covariance(table, rows, int(rows[0])), n, rng)
    counts = np.bincount(draws.argmax(axis=1), minlength=len(names))
    return dict(zip(names, (counts / n).tolist(), strict=True))


def chance_all_distinct(n_options: int, n_tasks: int) -> float:
    """Probability that uniform draws for all tasks differ from each other (11 layers, 4 tasks: 0.54)."""
    return float(np.prod(1 - np.arange(n_tasks) / n_options))


def _task_layer_scores(
    tables: Mapping[str, ScoreTable], layers: Sequence[str]
) -> tuple[Floats, list[int], list[str]]:
    """Scores (T, L, S) of the layers at the seeds that every task has complete."""
    names, seeds = _complete(list(tables.values()), layers)
    _check_two_of_each(len(tables), len(names), len(seeds))
    return np.stack([_cells(table, names, seeds) for table in tables.values()]), seeds, names


def _check_two_of_each(n_tasks: int, n_layers: int, n_seeds: int) -> None:
    if min(n_tasks, n_layers, n_seeds) < 2:
        found = f"{n_tasks} tasks, {n_layers} layers, {n_seeds} seeds"
        raise ResultsError(f"a comparison across tasks needs 2 of each, found {found}: run the missing trials")


def _mean_residual(tables: Mapping[str, ScoreTable]) -> tuple[float, float]:
    """Mean of the tasks' residual variances, as a mean over tasks has it, and its degrees of freedom (Welch)."""
    found = [residual_variance(table) for table in tables.values()]
    total = sum(variance for variance, _ in found)
    if not total:
        return 0.0, float(sum(df for _, df in found))
    return total / len(found), total**2 / sum(variance**2 / df for variance, df in found if df)


def _box_epsilon(variances: Floats) -> float:
    """Box's epsilon of contrasts between T independent means of these variances, 1 where they are equal."""
    size = len(variances)
    centring = np.eye(size) - 1 / size
    matrix = centring * variances @ centring
    return float(np.trace(matrix) ** 2 / (np.trace(matrix @ matrix) * (size - 1)))


def _layer_item_variance(table: ScoreTable, names: Sequence[str]) -> float:
    """Item variance of one layer's mean in the contrasts among layers: half the mean over pairs."""
    rows = table.rows(names)
    pairs = len(rows) * (len(rows) - 1)
    return float(table.item_variance[np.ix_(rows, rows)].sum() / (2 * pairs))


def _switch_item_variance(table: ScoreTable, names: list[str], own: Indices, common: Indices) -> float:
    """Item variance of the mean over seeds of (own layer - common layer)."""
    size = len(names)
    weights = (np.bincount(own, minlength=size) - np.bincount(common, minlength=size)) / len(own)
    rows = table.rows(names)
    return float(weights @ _item_covariance(table, rows, int(rows[0])) @ weights)


def _normal(covariance: Floats, n: int, rng: np.random.Generator) -> Floats:
    values, vectors = np.linalg.eigh(covariance)
    root = vectors * np.sqrt(np.maximum(values, 0))
    return np.asarray(rng.standard_normal((n, len(values))) @ root.T)


# One value a seed, and permutations


def mean_interval(values_by_seed: Sequence[float], level: float = 0.95) -> SeedMean:
    """Mean of one value a seed with its Student t interval; NaN seeds are left out.

    Raises:
        ResultsError: no value is left.
    """
    values = np.asarray(values_by_seed, dtype=np.float64)
    values = values[np.isfinite(values)]
    if not len(values):
        raise ResultsError("no seed has a value: run the missing trials")
    mean = float(values.mean())
    interval = None
    if len(values) >= MIN_SEEDS:
        error = float(values.std(ddof=1) / np.sqrt(len(values)))
        interval = _t_interval(mean, error, len(values) - 1, level, "Student t over seeds")
    return SeedMean(mean, interval, tuple(values.tolist()))


def slope(x: Floats, y_by_seed: Floats, level: float = 0.95) -> SeedMean:
    """Least-squares slope of y (S, n) on x (n,), one a seed, with a t interval over seeds."""
    centred = np.asarray(x, dtype=np.float64) - np.mean(x)
    return mean_interval((y_by_seed @ centred / (centred @ centred)).tolist(), level)


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


def holm(p: Floats) -> Floats:
    """Holm's adjusted p values, in the order given."""
    p = np.asarray(p, dtype=np.float64)
    order = np.argsort(p, kind="stable")
    scaled = np.maximum.accumulate(p[order] * np.arange(len(p), 0, -1))
    adjusted = np.empty_like(p)
    adjusted[order] = np.minimum(scaled, 1)
    return adjusted


# Variance due to the test items


def item_variance(
    counts: Floats,
    language: npt.NDArray[Any],
    cluster: npt.NDArray[Any],
    statistic: Statistic,
    n_resamples: int,
    rng: np.random.Generator,
) -> Floats:
    """Item variance (M, M) of the difference of every two models' mean scores over seeds, for `ScoreTable`.

    Args:
        counts: (M, S, N, K); NaN for all items of a missing trial. A model without any trial gives NaN.
        language, cluster, statistic, n_resamples, rng: as in `bootstrap_scores`.
    """
    n_models, n_seeds = counts.shape[:2]
    flat = counts.reshape(n_models * n_seeds, *counts.shape[2:])
    scores = bootstrap_scores(flat, language, cluster, statistic, n_resamples, rng)
    scores = scores.reshape(n_models, n_seeds, n_resamples)
    present = np.isfinite(scores)
    size = present.sum(axis=1)
    means = np.divide(
        np.where(present, scores, 0).sum(axis=1), size, out=np.full(size.shape, np.nan), where=size > 0
    )
    covariance = np.atleast_2d(np.cov(means))
    own = np.diag(covariance)
    return np.asarray(np.maximum(own[:, None] + own - 2 * covariance, 0))


def bootstrap_scores(
    counts: Floats,
    language: npt.NDArray[Any],
    cluster: npt.NDArray[Any],
    statistic: Statistic,
    n_resamples: int,
    rng: np.random.Generator,
) -> Floats:
    """Scores (A, R) of A trials, the plain mean over languages, under resampling of clusters of items.

    All trials see the same resamples. Clusters are drawn among those that cover the same languages, so that
    no language changes its number of clusters: for parallel test sets give the item as cluster (one draw
    serves all languages), for others make clusters unique to a language.

    Args:
        counts: (A, N, K) what each item adds, for example (correct, 1) or (found, predicted, gold) spans.
        language, cluster: (N,) any labels.
        statistic: points (...,) from summed counts (..., K).
        n_resamples: R.
        rng: source of the draws.
    """
    languages, language_code = np.unique(language, return_inverse=True)
    _, cluster_code = np.unique(cluster, return_inverse=True)
    n_trials, _, n_counts = counts.shape
    sums = np.zeros((n_resamples, n_trials, len(languages), n_counts))
    for items, columns in _strata(language_code, cluster_code):
        totals = _cluster_totals(counts[:, items], language_code[items], cluster_code[items], len(columns))
        weights = _multinomial_weights(len(totals), n_resamples, rng)
        drawn = (weights @ totals.reshape(len(totals), -1)).reshape(n_resamples, n_trials, len(columns), n_counts)
        sums[:, :, columns] += drawn
    return np.asarray(statistic(sums).mean(axis=-1).T)


def _strata(language: Indices, cluster: Indices) -> Iterator[tuple[Indices, Indices]]:
    """Items and languages of each group of clusters that cover the same languages."""
    pairs = np.unique(np.stack([cluster, language], axis=1), axis=0)
    bounds = np.flatnonzero(np.diff(pairs[:, 0])) + 1
    covered = np.split(pairs[:, 1], bounds)
    patterns: dict[tuple[int, ...], list[int]] = {}
    for code, columns in enumerate(covered):
        patterns.setdefault(tuple(columns.tolist()), []).append(code)
    for pattern, codes in patterns.items():
        yield np.flatnonzero(np.isin(cluster, codes)), np.array(pattern)


def _cluster_totals(counts: Floats, language: Indices, cluster: Indices, n_languages: int) -> Floats:
    """Sums (C, A, languages, K) of counts (A, N, K), clusters and languages renumbered from 0."""
    _, rows = np.unique(cluster, return_inverse=True)
    _, columns = np.unique(language, return_inverse=True)
    totals = np.zeros((rows.max() + 1, n_languages, counts.shape[0], counts.shape[2]))
    np.add.at(totals, (rows, columns), counts.transpose(1, 0, 2))
    return totals.transpose(0, 2, 1, 3)


def _multinomial_weights(n_clusters: int, n_resamples: int, rng: np.random.Generator) -> Floats:
    """How often each cluster is drawn, (R, C), n_clusters draws a resample."""
    weights = np.empty((n_resamples, n_clusters))
    for row, drawn in zip(weights, rng.integers(n_clusters, size=weights.shape), strict=True):
        row[:] = np.bincount(drawn, minlength=n_clusters)
    return weights
