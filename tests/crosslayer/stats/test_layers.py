"""Layers across tasks."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
import scipy.stats

from claimtrack.errors import ResultsError
from crosslayer import stats
from score_tables import LAYERS, MODELS, noise, table


def on_all(tables):
    """All items in place of each half: they choose and are scored."""
    return {name: (one, one) for name, one in tables.items()}


def task_tables(rng, sds=(1, 1, 1, 1), effects=0.0):
    return {
        f"task {number}": table(noise(rng, sd=sd) + effects * rng.standard_normal((12, 1)))
        for number, sd in enumerate(sds)
    }


@pytest.mark.parametrize("others", [8, 5])
def test_interaction_of_two_tasks_and_two_layers_is_a_t_test(others):
    """With T = L = S' = 2 the interaction is the difference of two paired differences: F = t^2 (Welch's, where one
    task has more seeds)."""
    rng = np.random.default_rng(12)
    scores = [noise(rng, models=2, seeds=seeds) for seeds in (8, others)]
    found = stats.task_by_layer_interaction({str(i): table(s) for i, s in enumerate(scores)}, MODELS[:2])
    differences = [s[1] - s[0] for s in scores]
    expected = scipy.stats.ttest_ind(*differences, equal_var=False)
    assert found.f == pytest.approx(expected.statistic**2)
    assert found.p == pytest.approx(expected.pvalue)
    assert (found.df1, found.df2) == pytest.approx((1, expected.df))
    assert found.n_seeds == others


def test_interaction_is_the_classical_f_where_noise_is_equal():
    """Four tasks with the same residuals: sums of squares of the textbook layout, tasks x layers x seeds."""
    rng = np.random.default_rng(13)
    shared = rng.standard_normal((5, 3))
    shared -= shared.mean(axis=1, keepdims=True)
    means = rng.standard_normal((4, 5))
    scores = 60 + means[:, :, None] + shared
    cells = scores.mean(axis=2)
    centred = cells - cells.mean(axis=0) - cells.mean(axis=1, keepdims=True) + cells.mean()
    rest = shared - shared.mean(axis=0)
    f = (3 * (centred**2).sum() / 12) / (4 * (rest**2).sum() / 32)
    found = stats.task_by_layer_interaction({str(i): table(s) for i, s in enumerate(scores)}, MODELS[:5])
    assert (found.f, found.df1, found.df2) == pytest.approx((f, 12, 32))
    assert found.p == pytest.approx(scipy.stats.f.sf(f, 12, 32))


def test_interaction_takes_its_degrees_of_freedom_from_the_noisy_tasks():
    """All noise in one of three tasks: one task contrast of two is noisy, and one residual is all there is."""
    rng = np.random.default_rng(29)
    found = stats.task_by_layer_interaction(task_tables(rng, (1, 1e-4, 1e-4)), LAYERS)
    assert (found.df1, found.df2) == pytest.approx((10, 22), rel=1e-3)


def test_interaction_finds_a_real_one_and_survives_scores_without_noise():
    rng = np.random.default_rng(15)
    assert stats.task_by_layer_interaction(task_tables(rng, effects=3.0), LAYERS).p < 1e-4
    flat = {name: table(np.full((12, 3), 100 / 3)) for name in "ab"}
    assert stats.task_by_layer_interaction(flat, LAYERS).p == 1
    flat["b"] = table(flat["b"].scores + np.arange(12)[:, None])
    assert stats.task_by_layer_interaction(flat, LAYERS).p == 0
    flat["b"] = table(np.full((12, 2), 100 / 3))
    assert stats.task_by_layer_interaction(flat, LAYERS).n_seeds == 2


def test_comparisons_across_tasks_need_two_of_each():
    with pytest.raises(ResultsError, match="1 tasks, 11 layers, 3 seeds"):
        stats.task_by_layer_interaction({"a": table(np.zeros((12, 3)))}, LAYERS)
    one = {name: table(np.zeros((12, 1))) for name in "ab"}
    with pytest.raises(ResultsError, match="2 tasks, 11 layers, 1 seeds"):
        stats.own_against_common(one, LAYERS, on_all(one))


def test_own_against_common_weighs_a_noisy_task_as_its_mean_does():
    """One task ten times as noisy: its own share of the variance of a mean over tasks, and about its degrees."""
    rng = np.random.default_rng(21)
    tables = {
        name: table(60 + sd * rng.standard_normal((12, 3))) for name, sd in zip("abc", (5, 0.5, 0.5), strict=True)
    }
    found = stats.own_against_common(tables, LAYERS, on_all(tables)).gain
    residuals = [stats.residual_variance(one)[0] for one in tables.values()]
    assert found.standard_error**2 / (np.mean(residuals) / (3 * 3)) == pytest.approx(2.3, abs=0.3)
    assert found.df == pytest.approx(22 * sum(residuals) ** 2 / np.sum(np.square(residuals)))
    assert 22 < found.df < 24


def test_the_gain_over_pairs_leaves_a_seed_out_of_rows_and_columns():
    values = np.random.default_rng(22).standard_normal((4, 4))
    mean = np.mean([values[s, t] for s, t in itertools.permutations(range(4), 2)])
    pseudo = []
    for left_out in range(4):
        kept = [s for s in range(4) if s != left_out]
        without = np.mean([values[s, t] for s, t in itertools.permutations(kept, 2)])
        pseudo.append(4 * mean - 3 * without)
    expected = scipy.stats.ttest_1samp(pseudo, 0)
    found = stats.pair_gain(values)
    assert (found.estimate, found.p_value) == pytest.approx((mean, expected.pvalue))
    two = stats.pair_gain(values[:2, :2])
    assert (two.estimate, two.interval) == (pytest.approx((values[0, 1] + values[1, 0]) / 2), None)


def test_own_against_common_counts_item_noise():
    rng = np.random.default_rng(17)
    tables = task_tables(rng, effects=3.0)
    wider = {name: table(one.scores, item_variance=4.0) for name, one in tables.items()}
    plain, noisy = (stats.own_against_common(t, LAYERS, on_all(t)).gain for t in (tables, wider))
    assert noisy.estimate == plain.estimate
    assert plain.standard_error**2 < noisy.standard_error**2 <= plain.standard_error**2 + 1 + 1e-9


def test_probability_best_of_two_is_a_t_probability():
    scores = 60 + np.array([[0.0, 0.2, 0.1], [1.0, 0.0, 0.4], [1.3, 2.2, 0.6]])
    found = stats.probability_best(table(scores), LAYERS[:2], np.random.default_rng(0), n=100_000)
    one = stats.gain(table(scores), "layer_2", baseline="layer_1")
    assert found["layer_2"] == pytest.approx(
        scipy.stats.t.cdf(one.estimate / one.standard_error, one.df), abs=0.01
    )
    assert one.df == 4
    assert sum(found.values()) == pytest.approx(1)


def test_probability_best_spreads_with_item_noise():
    scores = np.array([[60, 60, 60], [61, 61.2, 61], [62, 62, 62.1]])
    clear = stats.probability_best(table(scores), LAYERS[:2], np.random.default_rng(0))
    vague = stats.probability_best(table(scores, item_variance=4.0), LAYERS[:2], np.random.default_rng(0))
    assert clear["layer_2"] > 0.99
    gap = scores[2].mean() - scores[1].mean()
    assert vague["layer_2"] == pytest.approx(scipy.stats.norm.cdf(gap / 2), abs=0.02)
    with pytest.raises(ResultsError, match=r"P\(best\) needs 2 seeds"):
        stats.probability_best(table(scores[:, :1]), LAYERS[:2], np.random.default_rng(0))
