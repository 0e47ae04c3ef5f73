"""What a design can find: power, the seeds that would decide, and how much a significant effect exaggerates."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.special import nctdtr, ndtr, stdtr, stdtrit

from claimtrack.errors import ResultsError
from crosslayer.stats.tables import ITEM_DF, POWER, Gain, ScoreTable, residual_variance, welch_df

MAX_SEEDS = 1000
"""Beyond this nobody asks how many seeds a decision would take."""


@dataclass(frozen=True)
class Power:
    """What a design can find.

    Attributes:
        effect: the true gain in points.
        power: chance, from 0 to 1, that the 95 % interval lies above 0 with the seeds at hand.
        seeds: fewest seeds for `POWER`; None where even `MAX_SEEDS` are too few, because the test items alone
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
        raise ResultsError("no successful trial of a model whose gain could be found; train one first")
    residual, df = residual_variance(table)
    if not df:
        raise ResultsError("one seed leaves no noise to estimate a power from: run more seeds")
    n_models = len(table.models if table.pooled is None else table.pooled)
    items = float(np.nanmean(table.item_variance[table.rows(models), table.rows([baseline])[0]]))

    def found(n_seeds: int) -> float:
        seeds = 2 * residual / n_seeds
        error = np.sqrt(seeds + items)
        if not error:
            return 1.0
        total = welch_df([seeds, items], [(n_models - 1) * (n_seeds - 1), ITEM_DF])
        return float(1 - nctdtr(total, effect / error, stdtrit(total, 0.975)))

    return Power(effect, found(len(table.seeds)), _fewest(found))


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

    return _fewest(decided)


def _union(ranges: Sequence[tuple[float, float]]) -> list[tuple[float, float]]:
    """The same numbers in ranges that do not overlap; an empty range, whose end lies before its start, is none."""
    merged: list[tuple[float, float]] = []
    for low, high in sorted(pair for pair in ranges if pair[0] < pair[1]):
        if merged and low <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(high, merged[-1][1]))
        else:
            merged.append((low, high))
    return merged


def win_probability(found: Gain, residual: float) -> float:
    """Chance that one run of the model beats one run of the baseline with the same seed: F(gain / sqrt(2 r))."""
    return float(ndtr(found.estimate / np.sqrt(2 * residual))) if residual else float(found.estimate > 0)


def exaggeration(effect: float, standard_error: float, df: float) -> float:
    """How many times too large the estimate of a true effect is on average where it is significant at 5 %.

    Gelman and Carlin (2014), "Beyond power calculations", type M error; closed form of Lu, Qiu and Deng (2019),
    "A note on type S/M errors in hypothesis testing", with Student's critical value.
    """
    true, critical = effect / standard_error, stdtrit(df, 0.975)
    density = [np.exp(-(x**2) / 2) / np.sqrt(2 * np.pi) for x in (true + critical, true - critical)]
    significant = 1 - ndtr(critical - true) + ndtr(-critical - true)
    size = sum(density) + true * (ndtr(true + critical) + ndtr(true - critical) - 1)
    return float(size / (true * significant))


def _fewest(chance: Callable[[int], float]) -> int | None:
    """The fewest seeds with at least `POWER`, by bisection: more seeds never decide less."""
    if chance(MAX_SEEDS) < POWER:
        return None
    low, high = 2, MAX_SEEDS
    while low < high:
        middle = (low + high) // 2
        low, high = (low, middle) if chance(middle) >= POWER else (middle + 1, high)
    return low
