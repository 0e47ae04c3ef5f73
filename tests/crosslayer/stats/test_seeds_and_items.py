"""What has one value a seed, permutations, item variance, and what a design can find."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
import scipy.stats
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from statsmodels.stats.multitest import multipletests

from crosslayer import stats
from crosslayer.metrics.classification import share_from_counts


def test_slopes_are_least_squares_ones():
    rng = np.random.default_rng(19)
    x, y = np.arange(1.0, 12), rng.normal(size=(3, 11))
    assert stats.slopes(x, y) == pytest.approx([scipy.stats.linregress(x, row).slope for row in y])


def test_permutation_p_counts_itself_and_ties_and_is_never_zero():
    assert stats.permutation_p(np.array([0.0, 1.0, 2.0, 3.0]), 2.0) == pytest.approx(3 / 5)
    assert stats.permutation_p(np.zeros(99), 5.0) == 0.01


def test_circular_shift_p_by_hand_and_at_its_smallest():
    x = np.array([0.0, 1.0, 5.0])
    turned = [(0, 1, 5), (1, 5, 0), (5, 0, 1), (5, 1, 0), (1, 0, 5), (0, 5, 1)]
    for y in turned:
        correlation = np.corrcoef(x, y)[0, 1]
        expected = np.mean([np.corrcoef(x, other)[0, 1] >= correlation - 1e-9 for other in turned])
        assert stats.circular_shift_p(x, np.array(y, dtype=float)) == pytest.approx(expected)
    layers = np.arange(13.0) ** 2
    assert stats.circular_shift_p(layers, layers) == pytest.approx(1 / 26)


@settings(max_examples=20)
@given(arrays(float, st.integers(1, 8), elements=st.floats(0, 1)))
def test_holm_as_another_package_has_it(p):
    assert stats.holm(p) == pytest.approx(multipletests(p, method="holm")[1])


def correct_items(rng, n, accuracy):
    return np.stack([rng.random(n) < accuracy, np.ones(n)], axis=1).astype(float)


def test_bootstrap_of_independent_items_has_the_binomial_variance():
    rng = np.random.default_rng(21)
    a, b = (correct_items(rng, 2000, accuracy) for accuracy in (0.8, 0.7))
    where = (np.repeat("en", 2000), np.arange(2000))
    scores = stats.bootstrap_scores(np.stack([a, b]), *where, share_from_counts, rng, 3000)
    found = scores[0] - scores[1]
    paired = 100 * (a[:, 0] - b[:, 0])
    assert found.mean() == pytest.approx(paired.mean(), abs=0.1)
    assert found.var() == pytest.approx(paired.var() / 2000, rel=0.1)


def test_parallel_items_are_drawn_jointly_and_others_apart():
    """Equal items in 4 languages: jointly drawn the variance of one language, apart a quarter of it."""
    rng = np.random.default_rng(22)
    one = correct_items(rng, 500, 0.7)
    counts, language = np.tile(one, (4, 1)), np.repeat(["de", "en", "es", "fr"], 500)
    item = np.tile(np.arange(500), 4)
    apart = np.array([f"{code}/{number}" for code, number in zip(language, item, strict=True)])
    variances = [
        stats.bootstrap_scores(counts[None], language, cluster, share_from_counts, rng, 2000).var()
        for cluster in (item, apart)
    ]
    single = 1e4 * one[:, 0].var() / 500
    assert variances == pytest.approx([single, single / 4], rel=0.12)


def test_a_language_never_changes_its_number_of_clusters():
    """Languages of one kind of item each: the number of items per language is the same in all resamples."""
    rng = np.random.default_rng(23)
    language = np.repeat(["de", "en"], [30, 3])
    seen = []

    def keep(sums):
        seen.append(sums)
        return sums[..., 0]

    stats.bootstrap_scores(np.ones((1, 33, 1)), language, np.arange(33), keep, rng, 50)
    assert np.unique(seen[0][:, 0, :, 0], axis=0).tolist() == [[30.0, 3.0]]


def test_languages_weigh_the_same_whatever_their_size():
    rng = np.random.default_rng(24)
    counts = np.repeat([[1.0, 1.0], [0.0, 1.0]], [90, 10], axis=0)
    language = np.repeat(["de", "en"], [90, 10])
    found = stats.bootstrap_scores(counts[None], language, np.arange(100), share_from_counts, rng, 5)
    assert found.tolist() == [[50.0] * 5]


def runs_of(rng, n_seeds, n_items, share, own):
    """Right answers (S, N) of runs of one model: an item is right with its own chance in all of them, apart from
    the share of items that each run flips by itself."""
    common = rng.random(n_items) < share
    return np.stack(
        [np.where(rng.random(n_items) < own, rng.random(n_items) < 0.5, common) for _ in range(n_seeds)]
    )


def test_item_variance_leaves_out_what_single_runs_add():
    """The part that seeds share, from the items themselves: (S v_mean - v_single) / (S - 1) of the difference."""
    rng, n = np.random.default_rng(27), 4000
    right = np.stack([runs_of(rng, 3, n, share, 0.5) for share in (0.6, 0.7)]).astype(float)
    counts = np.stack([right, np.ones_like(right)], axis=-1)
    found = stats.item_variance(counts, np.repeat("en", n), np.arange(n), share_from_counts, rng, n_resamples=4000)
    difference = 100 * (right[1] - right[0])
    of_mean, of_one = difference.mean(axis=0).var() / n, difference.var(axis=1).mean() / n
    assert found[0, 1] == found[1, 0] == pytest.approx((3 * of_mean - of_one) / 2, rel=0.1)
    assert found[0, 0] == found[1, 1] == 0
    assert found[0, 1] < of_mean


def test_item_variance_takes_the_seeds_that_each_model_has():
    rng = np.random.default_rng(34)
    draws = rng.standard_normal((3, 4, 300))
    draws[1, 0] = draws[2] = np.nan
    found = stats.pure_item_variance(draws)

    def covariance(a, b):
        pairs = [
            np.cov(draws[a, s], draws[b, t])[0, 1]
            for s, t in itertools.permutations(range(4), 2)
            if np.isfinite(draws[[a, b], [s, t]]).all()
        ]
        return np.mean(pairs) if pairs else 0.0

    expected = covariance(0, 0) + covariance(1, 1) - covariance(0, 1) - covariance(1, 0)
    assert found[0, 1] == pytest.approx(max(expected, 0))
    assert found[2, 2] == 0


def test_a_significant_estimate_exaggerates_as_often_simulated():
    rng = np.random.default_rng(36)
    estimates = rng.normal(1.0, 0.8, 400_000)
    significant = np.abs(estimates[np.abs(estimates) > scipy.stats.t.ppf(0.975, 1e6) * 0.8])
    assert stats.exaggeration(1.0, 0.8, 1e6) == pytest.approx(significant.mean(), rel=0.01)


def test_a_run_wins_a_pair_as_often_as_the_difference_is_positive():
    rng = np.random.default_rng(37)
    wins = np.mean(rng.normal(0.5, 1, 200_000) > rng.normal(0, 1, 200_000))
    assert stats.win_probability(stats.Gain(0.5, 3), 1.0) == pytest.approx(wins, abs=0.01)
    assert stats.win_probability(stats.Gain(0.5, 3), 0.0) == 1
