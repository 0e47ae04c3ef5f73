"""What a design can find: power, the seeds that would decide, and how much a significant effect exaggerates."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy.special import nctdtr, ndtr, stdtrit

from claimtrack.errors import ResultsError
from claimtrack.statistics import fewest
from crosslayer.stats.tables import BASELINE, ITEM_DF, Gain, ScoreTable, residual_variance, welch_df


def power(table: ScoreTable, models: Sequence[str], effect: float) -> tuple[float, int | None]:
    """Chance, 0 to 1, that one model's 95 % interval lies above 0 at the noise in ``table``, and seeds for 80 %.

    The test statistic of a true gain of ``effect`` points has a noncentral t distribution with noncentrality
    effect / standard error (Cohen 1988). The item variance is the mean over the models'; more seeds shrink the
    seeds' part alone, so that even `MAX_SEEDS` may be too few: then the second is None.
    """
    if not len(models):
        raise ResultsError("no successful trial of a model whose gain could be found; train one first")
    residual, df = residual_variance(table)
    if not df:
        raise ResultsError("one seed leaves no noise to estimate a power from: run more seeds")
    n_models = len(table.models if table.pooled is None else table.pooled)
    items = float(np.nanmean(table.item_variance[table.rows(models), table.rows([BASELINE])[0]]))

    def found(n_seeds: int) -> float:
        seeds = 2 * residual / n_seeds
        error = np.sqrt(seeds + items)
        if not error:
            return 1.0
        total = welch_df([seeds, items], [(n_models - 1) * (n_seeds - 1), ITEM_DF])
        return float(1 - nctdtr(total, effect / error, stdtrit(total, 0.975)))

    return found(len(table.seeds)), fewest(found)


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
