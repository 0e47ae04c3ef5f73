"""The model of a gain: scores of models and seeds, and what their differences vary with.

**Model**: score[m, s, i] = model m + seed s + (model x seed) + (model x item) + rest, over test items i. A gain
over n paired seeds has the variance

    2 r / n + v

- r, the residual of score ~ model + seed, is fitted by least squares to the models of one kind
  (`ScoreTable.pooled`), with (M - 1)(S - 1) degrees of freedom when no cell is missing. It holds the seeds' part
  and the rest, both of which shrink with more seeds. A model of another kind has another seed pattern, so its gain
  has the variance of its own paired differences.
- v, the model-by-item part, is what no number of seeds removes. `items.item_variance` estimates it alone, without
  the item noise of single runs, which is in r already.

The interval is Student's t with Welch-Satterthwaite degrees of freedom over both parts. With very few degrees of
freedom adding v can narrow it; then the wider one, without v, counts.

**Missing cells** (collapsed or failed trials) are NaN. `gain` uses the seeds that have both models.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import numpy.typing as npt
from scipy.special import stdtr, stdtrit

from claimtrack.errors import ResultsError
from claimtrack.evidence import Interval
from claimtrack.statistics import MIN_SEEDS, POWER

Floats = npt.NDArray[np.float64]
Indices = npt.NDArray[np.intp]
Statistic = Callable[[Floats], Floats]
"""Score in points (...,) of summed counts (..., K), such as `metrics.classification.f1_from_counts`."""

BASELINE = "baseline"
LEVEL = 0.95
ITEM_DF = 299
"""Degrees of freedom of an item variance: it comes from 300 resamples or more."""
KNOWN = 1e6
"""Degrees of freedom that stand for a known variance."""
ROUNDING = 1e-18
"""Sums of squares of scores (points squared) below this are rounding, not noise."""


@dataclass(frozen=True, eq=False)
class ScoreTable:
    """Scores of one task.

    Attributes:
        models: M names, for example "baseline", "layer_4", "self".
        seeds: S seeds.
        scores: (M, S) points; NaN where the trial is missing or collapsed.
        item_variance: (M, M) model-by-item variance of the difference of two models (`items.item_variance`),
            points squared; zeros are allowed.
        pooled: the models of one kind, whose residuals are pooled; all of them if not given.
    """

    models: tuple[str, ...]
    seeds: tuple[int, ...]
    scores: Floats
    item_variance: Floats
    pooled: tuple[str, ...] | None = None

    def rows(self, models: Sequence[str]) -> Indices:
        """Row numbers of the models; ResultsError names one that is not there."""
        unknown = [model for model in models if model not in self.models]
        if unknown:
            raise ResultsError(f"no scores of {unknown[0]!r}: the table has {', '.join(self.models)}")
        return np.array([self.models.index(model) for model in models], dtype=np.intp)

    def columns(self, seeds: Sequence[int]) -> Indices:
        """Column numbers of the seeds."""
        return np.array([self.seeds.index(seed) for seed in seeds], dtype=np.intp)

    def cells(self, models: Sequence[str], seeds: Sequence[int]) -> Floats:
        """Scores (models, seeds)."""
        return self.scores[self.rows(models)][:, self.columns(seeds)]

    def item_covariance(self, rows: Indices, base: int) -> Floats:
        """Item covariance of gains over row ``base``: 2 cov(a - c, b - c) = v(a, c) + v(b, c) - v(a, b)."""
        to_base = self.item_variance[rows, base]
        return np.asarray((to_base[:, None] + to_base - self.item_variance[rows][:, rows]) / 2)


@dataclass(frozen=True)
class Gain:
    """A gain in points; without an interval where fewer than `MIN_SEEDS` seeds, or no noise, are known.

    Attributes:
        estimate: the gain.
        n_seeds: paired seeds behind it.
        seed_variance: the part of its variance that shrinks with more seeds; None where it is unknown.
        seed_df: degrees of freedom of that part.
        item_variance: the part that does not.
        method: how the interval is made, for readers.
    """

    estimate: float
    n_seeds: int
    seed_variance: float | None = None
    seed_df: float = 0.0
    item_variance: float = 0.0
    method: str = "Student t, model + seed, pooled residual and item variance"

    @property
    def standard_error(self) -> float | None:
        """Of the estimate, seeds and items together."""
        return self._wider and self._wider[0]

    @property
    def df(self) -> float | None:
        """Welch-Satterthwaite degrees of freedom."""
        return self._wider and self._wider[1]

    @property
    def counted_item_variance(self) -> float:
        """The part of the squared standard error that is due to the items: 0 where the interval leaves it out."""
        counts = self.seed_variance is not None and self.standard_error != float(np.sqrt(self.seed_variance))
        return self.item_variance if counts else 0.0

    @property
    def interval(self) -> Interval | None:
        """The 95 % interval."""
        if self._wider is None:
            return None
        error, df = self._wider
        half = float(stdtrit(df, (1 + LEVEL) / 2)) * error
        method = self.method if self.counted_item_variance else self.method.removesuffix(" and item variance")
        return Interval(
            low=self.estimate - half, high=self.estimate + half, level=LEVEL, method=method,
            df=None if df >= KNOWN else df,
        )  # fmt: skip

    @property
    def minimum_detectable(self) -> float | None:
        """The smallest true gain found with 80 % power by a two-sided test at 5 %."""
        return self._wider and minimum_detectable(*self._wider)

    @property
    def p_value(self) -> float | None:
        """Two-sided p of no gain."""
        if self._wider is None:
            return None
        error, df = self._wider
        return float(2 * stdtr(df, -abs(self.estimate) / max(error, np.sqrt(ROUNDING))))

    @cached_property
    def _wider(self) -> tuple[float, float] | None:
        """Standard error and df of the wider of the two intervals, with and without the item part."""
        if self.seed_variance is None:
            return None
        parts = [self.seed_variance, self.item_variance]
        both = [
            (np.sqrt(self.seed_variance), self.seed_df),
            (np.sqrt(sum(parts)), welch_df(parts, [self.seed_df, ITEM_DF])),
        ]
        error, df = max(both, key=lambda pair: pair[0] * stdtrit(pair[1], (1 + LEVEL) / 2))
        return float(error), float(df)


def gain(table: ScoreTable, model: str, baseline: str = BASELINE) -> Gain:
    """Gain of a model over the baseline on the seeds that have both.

    With two models and no item variance this is the paired t test.
    """
    both = np.isfinite(table.scores[table.rows([model, baseline])]).all(axis=0)
    if not both.any():
        raise ResultsError(f"no seed has both {model!r} and {baseline!r}: run the missing trials")
    seeds = [table.seeds[column] for column in np.flatnonzero(both)]
    return gain_of_choices(table, dict.fromkeys(seeds, model), baseline)


def gain_of_choices(
    table: ScoreTable, chosen: Mapping[int, str], baseline: str = BASELINE, spread: float = 2.0
) -> Gain:
    """Gain over the baseline of the model that was chosen for each seed; both are there at every seed.

    ``spread`` times the residual variance is S times the seed variance: 2 for choices that depend on no score.
    """
    rows, base = table.rows([*chosen.values()]), int(table.rows([baseline])[0])
    differences = gains_by_seed(table, chosen, baseline)
    items = item_variance_of(table, np.bincount(rows, minlength=len(table.models)) / len(rows), base)
    pooled = table.models if table.pooled is None else table.pooled
    if not {baseline, *chosen.values()} <= {*pooled}:
        return replace(seed_gain(differences, items), method="Student t, own differences")
    residual, df = residual_variance(table)
    return known_gain(float(differences.mean()), len(rows), spread * residual / len(rows), df, items)


def gains_by_seed(table: ScoreTable, chosen: Mapping[int, str], baseline: str = BASELINE) -> Floats:
    """(S,) how far the model chosen for each seed lies above the baseline; both are there at every seed."""
    columns, base = table.columns([*chosen]), int(table.rows([baseline])[0])
    return np.asarray(table.scores[table.rows([*chosen.values()]), columns] - table.scores[base, columns])


def seed_gain(by_seed: Floats, item_variance: float = 0.0) -> Gain:
    """Mean of one value a seed (S,): a paired t test, with an item variance added if there is one."""
    n = len(by_seed)
    variance = float(np.var(by_seed, ddof=1)) / n if n > 1 else 0.0
    method = "Student t over seeds" + (", item variance added" if item_variance else "")
    return known_gain(float(np.mean(by_seed)), n, variance, n - 1, item_variance, method)


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


def mean_gain(gains: Sequence[Gain]) -> Gain:
    """Mean of gains that share no random numbers, such as those of different tasks: their variances add up."""
    if not gains:
        raise ResultsError("no gain to take a mean of: run the missing trials")
    estimate, n_seeds = float(np.mean([found.estimate for found in gains])), min(found.n_seeds for found in gains)
    parts = [found.seed_variance for found in gains]
    if any(part is None for part in parts):
        return Gain(estimate, n_seeds)
    seeds = np.array(parts, dtype=np.float64) / len(gains) ** 2
    items = sum(found.item_variance for found in gains) / len(gains) ** 2
    df = welch_df(seeds, [found.seed_df for found in gains])
    method = "Student t, variances of independent parts added"
    return Gain(estimate, n_seeds, float(seeds.sum()), df, items, method)


def residual_variance(table: ScoreTable) -> tuple[float, int]:
    """Residual variance of score ~ model + seed over the cells of the pooled models, and its degrees of freedom.

    With no degree of freedom left both are 0.
    """
    scores = table.scores if table.pooled is None else table.scores[table.rows(table.pooled)]
    row, column = np.nonzero(np.isfinite(scores))
    if len(row) == scores.size:
        centred = scores - scores.mean(axis=0) - scores.mean(axis=1, keepdims=True) + scores.mean()
        return _mean_square(centred, int(np.prod(np.array(scores.shape) - 1)))
    design = np.hstack([np.eye(scores.shape[0])[row], np.eye(scores.shape[1])[column]])
    present = scores[row, column]
    fitted, _, rank, _ = np.linalg.lstsq(design, present, rcond=None)
    return _mean_square(present - design @ fitted, len(present) - int(rank))


def item_variance_of(table: ScoreTable, weights: Floats, base: int) -> float:
    """Item variance of (weighted mean of models - baseline); weights (M,) add up to 1. Estimates of pairs need not
    fit together, so that a sum of them may come out below 0: then it is 0."""
    used = np.flatnonzero(weights)
    return max(float(weights[used] @ table.item_covariance(used, base) @ weights[used]), 0.0)


def minimum_detectable(standard_error: float, df: float) -> float:
    """Smallest true gain that a two-sided test at 5 % finds with 80 % power."""
    return float((stdtrit(df, 0.975) + stdtrit(df, POWER)) * standard_error)


def welch_df(variances: Sequence[float] | Floats, dfs: Sequence[float]) -> float:
    """Welch-Satterthwaite degrees of freedom of a sum of independent variances; `KNOWN` for a sum of 0.

    A variance whose square is 0 in floating point counts as 0.
    """
    known = [(variance, df) for variance, df in zip(variances, dfs, strict=True) if variance**2]
    total = sum(variance for variance, _ in known)
    return float(min(total**2 / sum(v**2 / df for v, df in known), KNOWN)) if total else KNOWN


def known_gain(
    estimate: float, n_seeds: int, seeds: float, df: float, items: float = 0.0, method: str = Gain.method
) -> Gain:
    """A gain with an interval if there are enough seeds, and degrees of freedom, for one."""
    if n_seeds < MIN_SEEDS or not df:
        return Gain(estimate, n_seeds)
    return Gain(estimate, n_seeds, seeds, float(df), items, method)


def _mean_square(residuals: Floats, df: int) -> tuple[float, int]:
    square = float((residuals**2).sum())
    return (square / df, df) if df and square > ROUNDING else (0.0, df)
