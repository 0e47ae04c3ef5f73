"""Statistics against closed forms, scipy, brute force and simulation with stated error rates."""

from __future__ import annotations

import itertools
import math
import time
from dataclasses import replace

import numpy as np
import pytest
import scipy.stats
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from statsmodels.stats.multitest import multipletests

from claimtrack.errors import ResultsError
from crosslayer import stats
from crosslayer.metrics.classification import f1_from_counts, share_from_counts

LAYERS = [f"layer_{layer}" for layer in range(1, 12)]
MODELS = ("baseline", *LAYERS)


def table(scores, item_variance=0.0, seeds=None):
    """Rows: baseline, layer_1, ...; one item variance for all pairs."""
    scores = np.asarray(scores, dtype=float)
    size = len(scores)
    variance = np.full((size, size), item_variance) * (1 - np.eye(size))
    return stats.ScoreTable(
        MODELS[:size], tuple(range(scores.shape[1])) if seeds is None else seeds, scores, variance
    )


def noise(rng, models=12, seeds=3, sd=1.0):
    """Scores without any effect but the seeds'."""
    return 60 + 2 * rng.standard_normal(seeds) + sd * rng.standard_normal((models, seeds))


def covered(gains, truth):
    return np.mean([g.interval.low <= truth <= g.interval.high for g in gains])


# Tables and gains


def test_a_table_checks_its_shapes_and_names():
    with pytest.raises(ResultsError, match="one row a model"):
        stats.ScoreTable(("a", "b"), (0,), np.zeros((2, 2)), np.zeros((2, 2)))
    with pytest.raises(ResultsError, match=r"no scores of 'self': the table has baseline, layer_1"):
        stats.gain(table(np.zeros((2, 3))), "self")


def test_two_models_give_the_paired_t_test():
    scores = noise(np.random.default_rng(0), models=2, seeds=6)
    found = stats.gain(table(scores), "layer_1")
    expected = scipy.stats.ttest_rel(scores[1], scores[0])
    interval = expected.confidence_interval(0.95)
    assert found.p_value == pytest.approx(expected.pvalue)
    assert (found.interval.low, found.interval.high) == pytest.approx((interval.low, interval.high))
    assert (found.df, found.n_seeds, found.interval.level, found.interval.df) == (5, 6, 0.95, 5)


def test_residual_variance_is_the_two_way_one():
    scores = noise(np.random.default_rng(1), models=5, seeds=4)
    centred = scores - scores.mean(axis=0) - scores.mean(axis=1, keepdims=True) + scores.mean()
    variance, df = stats.residual_variance(table(scores))
    assert df == 4 * 3
    assert variance == pytest.approx((centred**2).sum() / 12)


def test_item_variance_widens_and_adds_its_degrees_of_freedom():
    """Welch-Satterthwaite: (a + b)^2 / (a^2 / df + b^2 / 299), b from 300 resamples."""
    scores = noise(np.random.default_rng(2), models=4, seeds=3)
    found = stats.gain(table(scores, item_variance=0.5), "layer_2")
    seeds = 2 * stats.residual_variance(table(scores))[0] / 3
    assert found.standard_error == pytest.approx(math.sqrt(seeds + 0.5))
    assert found.df == pytest.approx((seeds + 0.5) ** 2 / (seeds**2 / 6 + 0.25 / 299))
    half = scipy.stats.t.ppf(0.975, found.df) * found.standard_error
    assert found.interval.high - found.estimate == pytest.approx(half)


@settings(max_examples=60, deadline=None)
@given(arrays(float, (2, 3), elements=st.floats(40, 60)), st.floats(0, 10))
def test_item_variance_never_narrows_an_interval(scores, item_variance):
    """With two degrees of freedom adding a part could: the wider of the two intervals counts."""
    plain, wider = (stats.gain(table(scores, v), "layer_1").interval for v in (0.0, item_variance))
    assert wider.high - wider.low >= plain.high - plain.low - 1e-9


def test_item_variance_alone_has_the_interval_of_its_resamples():
    scores = np.array([[60.0, 61.0, 62.0], [61.0, 62.0, 63.0]])
    found = stats.gain(table(scores, item_variance=0.25), "layer_1")
    assert found.interval.low == pytest.approx(1 - scipy.stats.t.ppf(0.975, 299) * 0.5)
    assert stats.gain(table(scores), "layer_1").p_value == 0
    assert stats.gain(table(scores[[0, 0]]), "layer_1").p_value == 1


@pytest.mark.parametrize("n_seeds", [1, 2])
def test_fewer_than_three_seeds_give_an_estimate_alone(n_seeds):
    found = stats.gain(table([[60.0] * n_seeds, [61.5] * n_seeds], item_variance=0.2), "layer_1")
    assert found == stats.Gain(1.5, n_seeds)
    assert (found.interval, found.standard_error, found.df, found.p_value) == (None, None, None, None)


def test_a_model_of_another_kind_keeps_its_noise_to_itself():
    """The pooled residual is that of the others, and its own interval that of its own paired differences."""
    rng = np.random.default_rng(30)
    scores = np.vstack([noise(rng, models=5, seeds=4), 60 + 10 * rng.standard_normal((1, 4))])
    mixed = replace(table(scores), pooled=MODELS[:5])
    alone = table(scores[:5])
    assert stats.residual_variance(mixed) == stats.residual_variance(alone)
    assert stats.gain(mixed, "layer_4").interval == stats.gain(alone, "layer_4").interval
    expected = scipy.stats.ttest_rel(scores[5], scores[0])
    found = stats.gain(mixed, "layer_5")
    assert (found.p_value, found.df) == pytest.approx((expected.pvalue, 3))
    assert "layer_5" not in stats.comparable([mixed], LAYERS[:5])


def test_the_residual_is_that_of_a_mixed_model():
    """A second implementation: seeds as a random effect, fitted by restricted maximum likelihood."""
    import pandas as pd
    import statsmodels.formula.api as smf

    scores = noise(np.random.default_rng(31), models=6, seeds=8)
    model, seed = (index.ravel() for index in np.indices(scores.shape))
    cells = pd.DataFrame({"model": np.array(MODELS)[model], "seed": seed, "score": scores.ravel()})
    fitted = smf.mixedlm("score ~ model", cells, groups="seed").fit(reml=True)
    assert stats.residual_variance(table(scores))[0] == pytest.approx(fitted.scale, rel=1e-3)
    found = stats.gain(table(scores), "layer_3")
    assert found.standard_error == pytest.approx(fitted.bse["model[T.layer_3]"], rel=1e-3)


def test_the_mean_of_independent_gains_is_welchs_for_two():
    """Half the difference of two independent samples: the variances add up, degrees of freedom are Welch's."""
    rng = np.random.default_rng(32)
    one, two = rng.normal(1, 1, 5), rng.normal(0, 3, 8)
    found = stats.mean_gain([stats.seed_gain(one), stats.seed_gain(-two)])
    expected = scipy.stats.ttest_ind(one, two, equal_var=False)
    assert found.estimate == pytest.approx((one.mean() - two.mean()) / 2)
    assert (found.p_value, found.df) == pytest.approx((expected.pvalue, expected.df))
    assert found.n_seeds == 5
    few = stats.mean_gain([stats.seed_gain(one), stats.seed_gain(two[:2])])
    assert (few.interval, few.n_seeds) == (None, 2)
    with pytest.raises(ResultsError, match="no gain to take a mean of"):
        stats.mean_gain([])


def test_a_missing_cell_drops_its_own_pair_only():
    scores = noise(np.random.default_rng(3), models=4, seeds=4)
    scores[2, 1] = np.nan
    holed = table(scores)
    assert stats.residual_variance(holed)[1] == 3 * 3 - 1
    assert stats.gain(holed, "layer_1").n_seeds == 4
    assert stats.gain(holed, "layer_2").n_seeds == 3
    expected = math.sqrt(2 * stats.residual_variance(holed)[0] / 3)
    assert stats.gain(holed, "layer_2").standard_error == pytest.approx(expected)
    assert stats.gain(holed, "layer_2").estimate == pytest.approx(np.mean((scores[2] - scores[0])[[0, 2, 3]]))


def test_residual_of_a_table_with_holes_is_least_squares():
    """Normal equations by an independent route: alternate the two sets of means until they settle."""
    scores = noise(np.random.default_rng(4), models=4, seeds=4)
    scores[[1, 3], [0, 2]] = np.nan
    rest = scores.copy()
    for _ in range(500):
        rest = rest - np.nanmean(rest, axis=1, keepdims=True)
        rest = rest - np.nanmean(rest, axis=0)
    assert stats.residual_variance(table(scores))[0] == pytest.approx(np.nansum(rest**2) / (9 - 2))


def test_a_gain_without_a_common_seed_is_refused():
    with pytest.raises(ResultsError, match="no seed has both 'layer_1' and 'baseline'"):
        stats.gain(table([[60.0, np.nan], [np.nan, 61.0]]), "layer_1")


def test_a_model_that_always_collapsed_costs_the_others_nothing():
    scores = noise(np.random.default_rng(5), models=4, seeds=3)
    holed = np.vstack([scores, np.full(3, np.nan)])
    found, expected = (stats.gain(table(cells), "layer_1") for cells in (holed, scores))
    assert (found.estimate, found.df, found.n_seeds) == (expected.estimate, expected.df, expected.n_seeds)
    assert found.standard_error == pytest.approx(expected.standard_error)
    assert (
        stats.cross_fitted_gain(table(holed), LAYERS[:4], (table(holed),) * 2).chosen
        == stats.cross_fitted_gain(table(scores), LAYERS[:3], (table(scores),) * 2).chosen
    )


@settings(max_examples=40, deadline=None)
@given(
    arrays(float, (4, 3), elements=st.floats(0, 100)),
    arrays(float, 3, elements=st.floats(-50, 50)),
    st.permutations(range(3)),
)
def test_seed_offsets_and_the_order_of_seeds_change_no_gain(scores, offset, order):
    found = stats.gain(table(scores, 0.1), "layer_2")
    for other in (scores + offset, scores[:, order]):
        again = stats.gain(table(other, 0.1), "layer_2")
        assert again.estimate == pytest.approx(found.estimate, abs=1e-9)
        assert again.standard_error == pytest.approx(found.standard_error, abs=1e-6)


def test_the_interval_covers_95_percent():
    rng = np.random.default_rng(6)
    gains = [stats.gain(table(noise(rng)), "layer_4") for _ in range(2000)]
    assert 0.935 <= covered(gains, 0.0) <= 0.965


def test_the_interval_covers_95_percent_with_item_noise():
    """Item noise shared by all seeds, of the variance that the table states."""
    rng = np.random.default_rng(7)
    gains = [
        stats.gain(table(noise(rng) + rng.normal(0, 0.5, (12, 1)), item_variance=0.5), "layer_4")
        for _ in range(2000)
    ]
    assert 0.935 <= covered(gains, 0.0) <= 0.965


@pytest.mark.parametrize("df", [4, 22, 110])
def test_the_minimum_detectable_gain_is_found_with_80_percent_power(df):
    effect = stats.minimum_detectable(1.0, df)
    power = scipy.stats.nct.sf(scipy.stats.t.ppf(0.975, df), df, effect)
    assert power == pytest.approx(0.8, abs=0.02)


# The three estimands


@pytest.mark.parametrize("items", [0.0, 0.04])
def test_power_is_how_often_the_test_finds_the_gain(items):
    """1,000 tables: the share found has a standard error of at most 1.6 %; 5 % is passed once in 600 runs."""
    rng = np.random.default_rng(8)
    planned = stats.power(table(noise(rng, seeds=200), items), LAYERS, 1.0).power
    assert planned > 0.99
    scores = noise(rng, seeds=4)
    residual, _ = stats.residual_variance(table(scores))
    scores = scores / np.sqrt(residual)  # so that the measured noise is the true one
    found = stats.power(table(scores, items), LAYERS, 1.5)
    hits = 0
    for _ in range(1000):
        drawn = noise(rng, seeds=4)
        drawn[1] += 1.5 + np.sqrt(items) * rng.standard_normal()
        hits += stats.gain(table(drawn, items), "layer_1").interval.low > 0
    assert found.power == pytest.approx(hits / 1000, abs=0.05)


def test_without_a_model_there_is_no_gain_to_find():
    with pytest.raises(ResultsError, match="no successful trial of a model"):
        stats.power(table(noise(np.random.default_rng(9))), [], 1.0)


def test_seeds_for_80_percent_are_the_fewest_that_do():
    scores = noise(np.random.default_rng(9), seeds=3)
    found = stats.power(table(scores), LAYERS, 1.0)
    residual, _ = stats.residual_variance(table(scores))

    def normal_seeds(power):  # with 11 (S - 1) degrees of freedom Student's t is nearly normal
        return 2 * residual * (scipy.stats.norm.ppf(0.975) + scipy.stats.norm.ppf(power)) ** 2

    assert found.seeds in (math.ceil(normal_seeds(0.8)), math.ceil(normal_seeds(0.8)) + 1)
    assert stats.power(table(scores, item_variance=1.0), LAYERS, 1.0).seeds is None
    with pytest.raises(ResultsError, match="no successful trial of a model"):
        stats.power(table(scores), [], 1.0)
    assert stats.power(table(np.zeros((3, 2))), ["layer_1"], 0.5) == stats.Power(0.5, 1.0, 2)
    with pytest.raises(ResultsError, match="run more seeds"):
        stats.power(table(np.zeros((3, 1))), ["layer_1"], 1.0)


def test_each_estimand_by_hand():
    """Layers 1, 2 over a baseline of 60; test and dev prefer different layers on different seeds."""
    test = table([[60, 60, 60], [61, 64, 61], [62, 60, 63]])
    dev = table([[70, 70, 70], [75, 71, 75], [74, 74, 74]])
    found = stats.cross_fitted_gain(test, LAYERS[:2], (test, test))
    assert list(found.chosen.values()) == ["layer_1", "layer_2", "layer_1"]
    assert found.gain.estimate == pytest.approx((1 + 0 + 1) / 3)
    assert found.overall == "layer_1"
    found = stats.dev_selected_gain(dev, test, LAYERS[:2])
    assert list(found.chosen.values()) == ["layer_2", "layer_1", "layer_2"]
    assert found.gain.estimate == pytest.approx((2 + 4 + 3) / 3)
    assert found.overall == "layer_2"
    found = stats.best_on_test_gain(test, LAYERS[:2])
    assert set(found.chosen.values()) == {"layer_1"}
    assert found.gain == stats.gain(test, "layer_1")


def test_halves_of_the_items_take_turns():
    """Layer 1 is best on one half and layer 2 on the other, at every seed: each is scored where it is not."""
    whole = table([[60, 60, 60], [61, 61, 61], [61.5, 61.5, 61.5]], 0.4)
    one = table([[60, 60, 60], [64, 64, 64], [61, 61, 61]])
    two = table([[60, 60, 60], [58, 58, 58], [62, 62, 62]])
    found = stats.cross_fitted_gain(whole, LAYERS[:2], (one, two))
    assert set(found.chosen.values()) == {"layer_1/layer_2"}
    assert found.gain.estimate == pytest.approx((-2 + 1) / 2)
    assert found.overall == "layer_2"


def test_own_and_common_layers_are_chosen_on_one_half_and_scored_on_the_other():
    """By hand: on half one task a has layer 1 and b layer 2 as best, and 1 in common; on half two the reverse."""
    one = {"a": table([[60] * 3, [66] * 3, [60] * 3]), "b": table([[60] * 3, [61] * 3, [63] * 3])}
    two = {"a": table([[60] * 3, [60] * 3, [63] * 3]), "b": table([[60] * 3, [61] * 3, [61.5] * 3])}
    whole = {task: table((one[task].scores + two[task].scores) / 2) for task in one}
    halves = {task: (one[task], two[task]) for task in one}
    found = stats.own_against_common(whole, LAYERS[:2], halves=halves)
    from_one = [0, 61.5 - 61]  # on half two: a keeps layer 1, b takes 2 instead of 1
    from_two = [0, 0]  # on half one: both take layer 2, the common one
    assert found.gain.estimate == pytest.approx(np.mean([from_one, from_two]))
    assert set(found.chosen.values()) == {"layer_1/layer_2"}


def test_residuals_of_whole_and_of_gappy_tables_have_one_formula():
    """A seed without any score adds nothing: the least-squares path must give what the closed form gives."""
    scores = noise(np.random.default_rng(4), seeds=5)
    gappy = np.hstack([scores, np.full((12, 1), np.nan)])
    variance, df = stats.residual_variance(table(scores))
    assert stats.residual_variance(table(gappy)) == (pytest.approx(variance), df)


@pytest.mark.parametrize(("halved", "bias"), [(True, 0.0), (False, 0.25)])
def test_layers_that_are_lucky_on_the_items_show_no_gain(halved, bias):
    """No effect, item noise of 0.3 on 5 seeds of noise 1. The bias without halves is that of the largest of 11
    sums of both noises, 1.59 sd, times the share of item noise: 1.59 x 0.09 / sqrt(0.09 + 1 / 4) = 0.25."""
    rng = np.random.default_rng(21)
    found = []
    for _ in range(1500):
        scores, items = noise(rng, seeds=5), 0.3 * math.sqrt(2) * rng.standard_normal((2, 12, 1))
        test = table(scores + items.mean(axis=0), 2 * 0.3**2)
        halves = tuple(table(scores + half) for half in items) if halved else (test, test)
        found.append(stats.cross_fitted_gain(test, LAYERS, halves).gain)
    assert np.mean([g.estimate for g in found]) == pytest.approx(bias, abs=0.06)
    if halved:
        assert 0.935 <= covered(found, 0.0) <= 0.99


def test_from_ten_seeds_on_two_folds_of_seeds_choose_for_each_other():
    """Seeds in even places say layer 1, those in odd ones layer 2: each fold is scored with the other's choice."""
    even = np.arange(10) % 2 == 0
    scores = np.stack([np.full(10, 60.0), np.where(even, 64, 59), np.where(even, 58, 63)])
    found = stats.cross_fitted_gain(table(scores), LAYERS[:2], (table(scores),) * 2)
    assert list(found.chosen.values()) == ["layer_2", "layer_1"] * 5
    assert found.gain.estimate == pytest.approx((-2 - 1) / 2)
    fewer = table(scores[:, :9])
    assert set(stats.cross_fitted_gain(fewer, LAYERS[:2], (fewer, fewer)).chosen.values()) == {"layer_1"}


def test_a_clear_winner_is_chosen_everywhere_and_scored_as_its_gain():
    rng = np.random.default_rng(8)
    scores = noise(rng, seeds=4, sd=0.2) + np.where(np.arange(12) == 7, 5, 0)[:, None]
    test = table(scores, 0.1)
    expected = stats.gain(test, "layer_7")
    assert stats.dev_selected_gain(test, test, LAYERS).gain == expected
    assert stats.best_on_test_gain(test, LAYERS).gain == expected
    crossed = stats.cross_fitted_gain(test, LAYERS, (test, test))
    assert set(crossed.chosen.values()) == {"layer_7"}
    assert crossed.gain.estimate == pytest.approx(expected.estimate)


def test_item_variance_of_a_mixed_choice():
    """Two layers chosen for half the seeds each: var((a + b) / 2 - c) from the item errors themselves."""
    rng = np.random.default_rng(9)
    errors = rng.multivariate_normal(np.zeros(3), [[1, 0.2, 0.1], [0.2, 2, 0.3], [0.1, 0.3, 3]], 50)
    pairwise = np.var(errors[:, :, None] - errors[:, None, :], axis=0)
    scores = np.array([[60, 60.5, 60, 60], [61, 61, 50, 50], [50, 50, 61, 61]])
    test = stats.ScoreTable(MODELS[:3], (0, 1, 2, 3), scores, pairwise)
    found = stats.dev_selected_gain(table(scores[:, ::-1]), test, LAYERS[:2])
    assert set(found.chosen.values()) == {"layer_1", "layer_2"}
    assert sorted(found.chosen.values()) == ["layer_1"] * 2 + ["layer_2"] * 2
    seeds = found.spread * stats.residual_variance(test)[0] / 4
    items = np.var(errors[:, 1:].mean(axis=1) - errors[:, 0])
    assert found.gain.standard_error == pytest.approx(math.sqrt(seeds + items))


def test_selection_with_missing_scores_and_few_seeds():
    one = table([[60.0], [61.0], [62.0]])
    assert stats.dev_selected_gain(one, one, LAYERS[:2]).gain.estimate == 2
    with pytest.raises(ResultsError, match="cross-fitting needs 2 seeds"):
        stats.cross_fitted_gain(one, LAYERS[:2], (one, one))
    holed = table([[60, 60, 60], [61, 61, np.nan], [62, 62, 62]])
    assert stats.cross_fitted_gain(holed, LAYERS[:2], (holed, holed)).chosen == dict.fromkeys(
        range(3), "layer_2"
    ), "layer 1 is out"
    holed = table([[60, 60, 60, 60], [61, 61, np.nan, 61], [62, 62, 62, 62]])
    assert list(stats.cross_fitted_gain(holed, LAYERS[:2], (holed, holed)).chosen) == [0, 1, 3], (
        "three seeds are enough to stay in"
    )
    with pytest.raises(ResultsError, match="no seed has all of layer_1, layer_2, baseline"):
        stats.best_on_test_gain(table([[60, np.nan], [np.nan, 61], [np.nan, 62]]), LAYERS[:2])


def test_dev_and_test_are_joined_by_seed_number():
    test = table([[60, 60], [61, 61], [62, 62]], seeds=(5, 6))
    dev = table([[0, 0, 0], [9, 1, 1], [1, 2, 9]], seeds=(4, 5, 6))
    assert stats.dev_selected_gain(dev, test, LAYERS[:2]).chosen == {5: "layer_2", 6: "layer_2"}


@pytest.mark.parametrize("seeds", [3, 5, 10])
def test_honest_estimands_show_no_gain_where_there_is_none(seeds):
    """No effect, dev and test noise correlated at 0.6: unbiased, and intervals that cover, false alarms 2.5 %.

    Standard error of a coverage over 600 tables: 0.009; a true one of 95 % is below 92.5 % once in 300 times.
    """
    rng = np.random.default_rng(10)
    crossed, by_dev, best = [], [], []
    for _ in range(600):
        scores = noise(rng, seeds=seeds)
        test, dev = table(scores), table(0.6 * scores + 0.8 * rng.standard_normal(scores.shape))
        crossed.append(stats.cross_fitted_gain(test, LAYERS, (test, test)).gain)
        by_dev.append(stats.dev_selected_gain(dev, test, LAYERS).gain)
        best.append(stats.best_on_test_gain(test, LAYERS).gain)
    assert np.mean([g.estimate for g in crossed]) == pytest.approx(0, abs=0.1)
    assert np.mean([g.estimate for g in by_dev]) == pytest.approx(0, abs=0.1)
    assert 0.93 <= covered(crossed, 0.0) <= 0.98
    assert 0.925 <= covered(by_dev, 0.0) <= 0.98
    assert np.mean([g.estimate for g in best]) == pytest.approx(stats.null_best_gain(1, 11, seeds), abs=0.1)


def test_null_best_gain_is_the_expected_maximum():
    assert stats.null_best_gain(1, 1, 1) == 0
    assert stats.null_best_gain(1, 2, 1) == pytest.approx(1 / math.sqrt(math.pi))
    assert stats.null_best_gain(2, 3, 4) == pytest.approx(3 / (2 * math.sqrt(math.pi)))
    assert stats.null_best_gain(0.8, 11, 3) == pytest.approx(0.73, abs=0.005)
    assert stats.null_best_gain(1.2, 11, 3) == pytest.approx(1.10, abs=0.005)


def test_max_statistic_p_against_all_permutations():
    scores = np.array([[60.0, 61.0], [61.5, 61.2], [60.5, 62.9]])
    means = [
        (np.array(first) + np.array(second)) / 2
        for first in itertools.permutations(scores[:, 0])
        for second in itertools.permutations(scores[:, 1])
    ]
    observed = scores.mean(axis=1)
    exact = np.mean([m[1:].max() - m[0] >= observed[1:].max() - observed[0] - 1e-9 for m in means])
    found = stats.max_statistic_p(table(scores), LAYERS[:2], 20_000, np.random.default_rng(0))
    assert found == pytest.approx(exact, abs=0.01)


def test_max_statistic_p_is_uniform_without_an_effect_and_small_with_one():
    rng = np.random.default_rng(11)
    p = np.array([stats.max_statistic_p(table(noise(rng)), LAYERS, 199, rng) for _ in range(600)])
    assert np.mean(p <= 0.05) == pytest.approx(0.05, abs=0.027)
    assert scipy.stats.kstest(p, "uniform").pvalue > 0.001
    raised = table(noise(rng, seeds=4) - np.where(np.arange(12) == 0, 6, 0)[:, None])
    assert stats.max_statistic_p(raised, LAYERS, 999, rng) < 0.01


# Layers across tasks


def on_all(tables):
    """All items in place of each half: they choose and are scored."""
    return {name: (one, one) for name, one in tables.items()}


def task_tables(rng, sds=(1, 1, 1, 1), effects=0.0, items=0.0):
    return {
        f"task {number}": table(noise(rng, sd=sd) + effects * rng.standard_normal((12, 1)), items)
        for number, sd in enumerate(sds)
    }


@pytest.mark.parametrize("others", [8, 5])
def test_interaction_of_two_tasks_and_two_layers_is_a_t_test(others):
    """With T = L = S' = 2 the interaction is the difference of two paired differences: F = t^2 (Welch's, where one
    task has more seeds)."""
    rng = np.random.default_rng(12)
    scores = [noise(rng, models=2, seeds=seeds) for seeds in (8, others)]
    tables = {
        str(i): stats.ScoreTable(("layer_1", "layer_2"), tuple(range(s.shape[1])), s, np.zeros((2, 2)))
        for i, s in enumerate(scores)
    }
    found = stats.task_by_layer_interaction(tables, ["layer_1", "layer_2"])
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
    layers = LAYERS[:5]
    tables = {
        str(task): stats.ScoreTable(tuple(layers), (0, 1, 2), cells, np.zeros((5, 5)))
        for task, cells in enumerate(scores)
    }
    cells = scores.mean(axis=2)
    centred = cells - cells.mean(axis=0) - cells.mean(axis=1, keepdims=True) + cells.mean()
    rest = shared - shared.mean(axis=0)
    f = (3 * (centred**2).sum() / 12) / (4 * (rest**2).sum() / 32)
    found = stats.task_by_layer_interaction(tables, layers)
    assert (found.f, found.df1, found.df2) == pytest.approx((f, 12, 32))
    assert found.p == pytest.approx(scipy.stats.f.sf(f, 12, 32))


def test_interaction_takes_its_degrees_of_freedom_from_the_noisy_tasks():
    """All noise in one of three tasks: one task contrast of two is noisy, and one residual is all there is."""
    rng = np.random.default_rng(29)
    found = stats.task_by_layer_interaction(task_tables(rng, (1, 1e-4, 1e-4)), LAYERS)
    assert (found.df1, found.df2) == pytest.approx((10, 22), rel=1e-3)


@pytest.mark.parametrize(("sds", "items"), [((1, 1, 1, 1), 0.0), ((0.3, 0.5, 0.8, 1.2), 0.0), ((1, 1, 1, 1), 0.4)])
def test_interaction_is_found_by_chance_in_5_percent(sds, items):
    """Layer effects common to the tasks, noise unequal between tasks, item noise of the stated variance."""
    rng = np.random.default_rng(14)
    p = []
    for _ in range(500):
        common = rng.standard_normal((12, 1))
        tables = {
            name: table(t.scores + common + rng.normal(0, math.sqrt(items / 2), (12, 1)), items)
            for name, t in task_tables(rng, sds).items()
        }
        p.append(stats.task_by_layer_interaction(tables, LAYERS).p)
    assert np.mean(np.array(p) < 0.05) == pytest.approx(0.05, abs=0.028)


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


def test_own_layers_against_a_common_one_by_hand():
    """Layer 1 is 2 points up in task a, layer 2 is 6 up in task b: common is layer 2, own wins 2 in a."""
    base = np.array([60.0, 61.0, 59.5])
    tables = {
        "a": table(base + np.array([[0], [2], [0]])),
        "b": table(base + np.array([[0], [0], [6]])),
    }
    found = stats.own_against_common(tables, LAYERS[:2], on_all(tables))
    assert found.gain.estimate == pytest.approx(1)
    assert found.overall == "layer_2"
    assert set(found.chosen.values()) == {"layer_2"}


@pytest.mark.parametrize("n_seeds", [3, 9])
def test_own_layers_win_nothing_by_chance_and_the_interval_covers(n_seeds):
    """500 draws: false alarms of 2.5 % to one side come out above 4.6 % in 1 of 500 such tests."""
    rng = np.random.default_rng(16)
    drawn = [{str(k): table(noise(rng, seeds=n_seeds)) for k in range(4)} for _ in range(500)]
    gains = [stats.own_against_common(tables, LAYERS, on_all(tables)).gain for tables in drawn]
    assert np.mean([g.estimate for g in gains]) == pytest.approx(0, abs=0.06)
    assert np.mean([g.interval.low > 0 for g in gains]) <= 0.046
    assert 0.925 <= covered(gains, 0.0) <= 0.99
    assert all(g.standard_error > 0 for g in gains)


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


def test_pseudo_values_leave_a_seed_out_of_rows_and_columns():
    values = np.random.default_rng(22).standard_normal((4, 4))
    mean = np.mean([values[s, t] for s, t in itertools.permutations(range(4), 2)])
    found = stats.pair_pseudo_values(values)
    for left_out in range(4):
        kept = [s for s in range(4) if s != left_out]
        without = np.mean([values[s, t] for s, t in itertools.permutations(kept, 2)])
        assert found[left_out] == pytest.approx(4 * mean - 3 * without)
    assert found.mean() == pytest.approx(mean)
    with pytest.raises(ResultsError, match="needs 3 seeds, found 2"):
        stats.pair_pseudo_values(values[:2, :2])


@pytest.mark.parametrize("n_seeds", [3, 5])
def test_intervals_over_pairs_cover_where_columns_have_most_of_the_noise(n_seeds):
    """600 draws at 95 %: outside 92.5 to 97.5 % by chance in 1 of 200 such tests."""
    rng = np.random.default_rng(23)
    inside = 0
    for _ in range(600):
        row, column = 0.3 * rng.standard_normal((n_seeds, 1)), rng.standard_normal((1, n_seeds))
        pseudo = stats.pair_pseudo_values(row + column + 0.2 * rng.standard_normal((n_seeds, n_seeds)))
        inside += scipy.stats.ttest_1samp(pseudo, 0).pvalue > 0.05
    assert 0.925 <= inside / 600 <= 0.975


def test_own_against_common_counts_item_noise():
    rng = np.random.default_rng(17)
    tables = task_tables(rng, effects=3.0)
    wider = {
        name: stats.ScoreTable(t.models, t.seeds, t.scores, 4 * (1 - np.eye(12))) for name, t in tables.items()
    }
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


def test_probability_best_needs_a_residual():
    with pytest.raises(ResultsError, match=r"P\(best\) needs 2 seeds"):
        stats.probability_best(table([[60.0], [61.0]]), ["layer_1"], np.random.default_rng(0))


def test_chance_that_all_best_layers_differ():
    assert stats.chance_all_distinct(11, 4) == pytest.approx(11 * 10 * 9 * 8 / 11**4)
    assert stats.chance_all_distinct(3, 4) == 0


# One value a seed, and permutations


def test_mean_interval_is_students():
    values = [1.0, 2.0, 4.0, 4.5]
    found = stats.mean_interval(values)
    low, high = scipy.stats.t.interval(0.95, 3, np.mean(values), scipy.stats.sem(values))
    assert (found.interval.low, found.interval.high) == pytest.approx((low, high))
    assert stats.mean_interval([1.0, 3.0, np.nan]) == stats.SeedMean(2.0, None, (1.0, 3.0))
    with pytest.raises(ResultsError, match="no seed has a value"):
        stats.mean_interval([np.nan])


def test_slopes_are_least_squares_ones():
    rng = np.random.default_rng(19)
    x, y = np.arange(1.0, 12), rng.normal(size=(3, 11))
    found = stats.slope(x, y)
    assert found.by_seed == pytest.approx([scipy.stats.linregress(x, row).slope for row in y])
    assert found.interval == stats.mean_interval(found.by_seed).interval
    assert stats.slope(x, y[:2]).interval is None


@pytest.mark.parametrize(("tail", "expected"), [("greater", 3 / 5), ("less", 4 / 5), ("two-sided", 1.0)])
def test_permutation_p_counts_itself_and_ties(tail, expected):
    assert stats.permutation_p(np.array([0.0, 1.0, 2.0, 3.0]), 2.0, tail) == pytest.approx(expected)


def test_permutation_p_is_never_zero():
    assert stats.permutation_p(np.zeros(99), 5.0, "greater") == 0.01
    assert stats.permutation_p(np.zeros(99), 5.0, "two-sided") == 0.02


def test_circular_shift_p_by_hand_and_at_its_smallest():
    x = np.array([0.0, 1.0, 5.0])
    turned = [(0, 1, 5), (1, 5, 0), (5, 0, 1), (5, 1, 0), (1, 0, 5), (0, 5, 1)]
    for y in turned:
        correlation = np.corrcoef(x, y)[0, 1]
        expected = np.mean([np.corrcoef(x, other)[0, 1] >= correlation - 1e-9 for other in turned])
        assert stats.circular_shift_p(x, np.array(y, dtype=float)) == pytest.approx(expected)
    layers = np.arange(13.0) ** 2
    assert stats.circular_shift_p(layers, layers) == pytest.approx(1 / 26)


def test_circular_shift_p_does_not_take_two_smooth_curves_for_a_correlation():
    """Two independent random phases of one smooth wave: p below 0.1 in about a tenth of cases, no more."""
    rng = np.random.default_rng(20)
    angle = 2 * np.pi * np.arange(13) / 13
    p = [
        stats.circular_shift_p(
            *(np.cos(angle + phase) + rng.normal(0, 0.01, 13) for phase in rng.uniform(0, 7, 2))
        )
        for _ in range(1000)
    ]
    assert np.mean(np.array(p) <= 0.1) == pytest.approx(2 / 26, abs=0.03)


def test_holm_by_hand():
    assert stats.holm(np.array([0.03, 0.01, 0.04, 0.005])) == pytest.approx([0.06, 0.03, 0.06, 0.02])


@settings(max_examples=20, deadline=None)
@given(arrays(float, st.integers(1, 8), elements=st.floats(0, 1)))
def test_holm_is_monotone_and_never_below_p(p):
    adjusted = stats.holm(p)
    assert adjusted == pytest.approx(multipletests(p, method="holm")[1])
    assert np.all((adjusted >= p) & (adjusted <= 1))
    assert np.all(np.diff(adjusted[np.argsort(p, kind="stable")]) >= 0)
    assert adjusted.min() == min(1, len(p) * p.min())


# Variance due to the test items


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


def test_sentences_are_clusters_of_their_rows():
    """Words of a sentence stand or fall together: a cluster of 5 equal words has 5 times the variance."""
    rng = np.random.default_rng(25)
    counts = np.repeat(correct_items(rng, 300, 0.6), 5, axis=0)
    language = np.repeat("en", 1500)
    clustered, alone = (
        stats.bootstrap_scores(counts[None], language, cluster, share_from_counts, rng, 2000).var()
        for cluster in (np.repeat(np.arange(300), 5), np.arange(1500))
    )
    assert clustered / alone == pytest.approx(5, rel=0.15)


def test_bootstrap_of_f1_agrees_with_redrawing_the_rows():
    rng = np.random.default_rng(26)
    counts = rng.poisson((1.0, 1.6, 1.8), (200, 3)).astype(float)
    counts[:, 0] = np.minimum(counts[:, 0], counts[:, 1:].min(axis=1))
    found = stats.bootstrap_scores(counts[None], np.repeat("en", 200), np.arange(200), f1_from_counts, rng, 3000)
    redrawn = [f1_from_counts(counts[rng.integers(200, size=200)].sum(axis=0)) for _ in range(3000)]
    assert found.std() == pytest.approx(np.std(redrawn), rel=0.08)
    assert found.mean() == pytest.approx(np.mean(redrawn), abs=0.3)


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


def test_runs_that_share_nothing_have_no_item_variance():
    """Item x run noise alone: 0 up to the noise of the resamples, however few seeds there are."""
    rng, n = np.random.default_rng(33), 2000
    right = (rng.random((2, 4, n)) < 0.6).astype(float)
    counts = np.stack([right, np.ones_like(right)], axis=-1)
    found = stats.item_variance(counts, np.repeat("en", n), np.arange(n), share_from_counts, rng, n_resamples=2000)
    single = 1e4 * 2 * 0.24 / n
    assert found[0, 1] < 0.1 * single


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


# What a design can find


def test_seeds_to_decide_are_the_fewest_at_which_most_estimates_are_decided():
    """Against simulation: of estimates around a true gain of 0.3 at 0.5 points seed noise."""
    rng = np.random.default_rng(35)

    def regions(error, df):
        two, one = scipy.stats.t.ppf(0.975, df) * error, scipy.stats.t.ppf(0.95, df) * error
        return [(-math.inf, 1 - one), (two, math.inf)]

    found = stats.seeds_to_decide(0.3, 2 * 0.25 / 5, 0.001, 44, 5, regions)

    def decided(n):
        """20,000 data sets: a standard error of 0.3 %."""
        df = 11 * (n - 1)
        error = np.sqrt(0.5 / n * rng.chisquare(df, 20_000) / df + 0.001)
        estimate = rng.normal(0.3, np.sqrt(0.5 / n + 0.001), 20_000)
        (_, smaller), (shown, _) = regions(error, df)
        return np.mean((estimate < smaller) | (estimate > shown))

    assert decided(found) > 0.79
    assert decided(found - 1) < 0.81
    assert stats.seeds_to_decide(0.3, 0.1, 5.0, 44, 5, regions) is None


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


def test_five_hundred_resamples_of_20_000_clusters_take_under_a_second():
    rng = np.random.default_rng(28)
    counts = rng.integers(0, 3, (20_000, 3)).astype(float)
    start = time.process_time()
    where = (np.repeat("en", 20_000), np.arange(20_000))
    stats.bootstrap_scores(np.stack([counts, counts[::-1]]), *where, f1_from_counts, rng)
    assert time.process_time() - start < 2  # twice the aim: the machine may be busy
