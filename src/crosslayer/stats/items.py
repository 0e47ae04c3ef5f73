"""The noise of the test items: a cluster bootstrap, and the part of it that no number of seeds removes."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.special import bdtr, bdtrik

from crosslayer.stats.tables import Floats, Indices, Statistic

N_RESAMPLES = 500
"""Leaves the standard error of an item variance at 6 % of it."""


def best_guess(chance: float, n_items: int, level: float = 0.95) -> float:
    """The share of items that guessing does not exceed at that level: a quantile of the binomial distribution.

    It is that of `scipy.stats.binom`, which takes most of a second to import.
    """
    right = float(np.ceil(bdtrik(level, n_items, chance)))
    reached = right > 0 and bdtr(right - 1, n_items, chance) >= level
    return float(right - reached) / n_items


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
    languages, language_code = np.unique(language, return_inverse=True)
    _, cluster_code = np.unique(cluster, return_inverse=True)
    n_trials, _, n_counts = counts.shape
    sums = np.zeros((n_resamples, n_trials, len(languages), n_counts))
    for items, columns in _strata(language_code, cluster_code):
        totals = _cluster_totals(counts[:, items], language_code[items], cluster_code[items], len(columns))
        weights = rng.multinomial(len(totals), np.full(len(totals), 1 / len(totals)), size=n_resamples)
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
