"""The noise of the test items: a cluster bootstrap, and the part of it that no number of seeds removes."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from crosslayer.stats.tables import Floats, Statistic

N_RESAMPLES = 500
"""Leaves the standard error of an item variance at 6 % of it."""


def best_guess(chance: float, n_items: int, level: float = 0.95) -> float:
    """The share of items that guessing does not exceed at that level: a quantile of the binomial distribution."""
    from scipy.stats import binom  # slow to load

    return float(binom.ppf(level, n_items, chance)) / n_items


def item_variance(
    counts: Floats,
    language: npt.NDArray[Any],
    cluster: npt.NDArray[Any],
    statistic: Statistic,
    rng: np.random.Generator,
    n_resamples: int = N_RESAMPLES,
) -> Floats:
    """Model-by-item variance (M, M) of the difference of every two models, for `ScoreTable`.

    Args:
        counts: (M, S, N, K); NaN for all items of a missing trial.
        language, cluster, statistic, rng, n_resamples: as in `bootstrap_scores`.
    """
    n_models, n_seeds = counts.shape[:2]
    flat = counts.reshape(n_models * n_seeds, *counts.shape[2:])
    scores = bootstrap_scores(flat, language, cluster, statistic, rng, n_resamples)
    return pure_item_variance(scores.reshape(n_models, n_seeds, n_resamples))


def pure_item_variance(draws: Floats) -> Floats:
    """The same from resampled scores (M, S, R), NaN in missing trials; 0 where no two seeds tell it.

    Two runs share the model-by-item part and nothing else of their item noise, so the covariance of different
    seeds' resampled scores estimates it alone. With all trials there this is (S v_mean - v_single) / (S - 1), with
    v_mean the variance of the mean over seeds and v_single that of one run, of each difference.
    """
    n_models, _, n_resamples = draws.shape
    present = np.asarray(np.isfinite(draws).all(axis=-1))
    centred = np.where(present[..., None], draws - draws.mean(axis=-1, keepdims=True), 0.0)
    total = centred.sum(axis=1)
    products = total @ total.T - np.einsum("msr,nsr->mn", centred, centred)
    n_pairs = present.sum(axis=1)[:, None] * present.sum(axis=1) - present.astype(int) @ present.T
    covariance = np.divide(
        products, (n_resamples - 1) * n_pairs, out=np.zeros((n_models, n_models)), where=n_pairs > 0
    )
    own = np.diag(covariance)
    return np.asarray(np.maximum(own[:, None] + own - 2 * covariance, 0))


def bootstrap_scores(
    counts: Floats,
    language: npt.NDArray[Any],
    cluster: npt.NDArray[Any],
    statistic: Statistic,
    rng: np.random.Generator,
    n_resamples: int = N_RESAMPLES,
) -> Floats:
    """Scores (A, R) of A trials, the plain mean over languages, under resampling of clusters of items.

    All trials see the same resamples. Clusters are drawn among those that cover the same languages, so that
    no language changes its number of clusters: for parallel test sets give the item as cluster (one draw
    serves all languages), for others make clusters unique to a language.

    Args:
        counts: (A, N, K) what each item adds, for example (correct, 1) or (found, predicted, gold) spans.
        language, cluster: (N,) any labels.
        statistic: points (...,) from summed counts (..., K).
        rng: source of the draws.
        n_resamples: R.
    """
    languages, column = np.unique(language, return_inverse=True)
    _, row = np.unique(cluster, return_inverse=True)
    covers = np.zeros((row.max() + 1, len(languages)), dtype=bool)
    covers[row, column] = True
    cell = np.cumsum(covers).reshape(covers.shape) - 1  # numbers of the clusters in the languages that they cover
    n_trials, n_items, n_counts = counts.shape
    totals = np.zeros((cell[-1, -1] + 1, n_trials * n_counts))
    np.add.at(totals, cell[row, column], counts.transpose(1, 0, 2).reshape(n_items, -1))
    sums = np.zeros((n_resamples, n_trials, len(languages), n_counts))
    _, first, stratum = np.unique(covers, axis=0, return_index=True, return_inverse=True)
    for number in np.argsort(first):
        here, columns = np.flatnonzero(stratum == number), np.flatnonzero(covers[first[number]])
        weights = rng.multinomial(len(here), np.full(len(here), 1 / len(here)), size=n_resamples)
        drawn = weights @ totals[cell[np.ix_(here, columns)]].reshape(len(here), -1)
        sums[:, :, columns] += drawn.reshape(n_resamples, len(columns), n_trials, n_counts).swapaxes(1, 2)
    return np.asarray(statistic(sums).mean(axis=-1).T)
