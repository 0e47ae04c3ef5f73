"""Tables of scores, and the gains between them."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
import scipy.stats
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from claimtrack.errors import ResultsError
from crosslayer import stats
from score_tables import LAYERS, MODELS, noise, table


def test_two_models_give_the_paired_t_test():
    scores = noise(np.random.default_rng(0), models=2, seeds=6)
    found = stats.gain(table(scores), "layer_1")
    expected = scipy.stats.ttest_rel(scores[1], scores[0])
    interval = expected.confidence_interval(0.95)
    assert found.p_value == pytest.approx(expected.pvalue)
    assert (found.interval.low, found.interval.high) == pytest.approx((interval.low, interval.high))
    assert (found.df, found.n_seeds, found.interval.level, found.interval.df) == (5, 6, 0.95, 5)


def test_item_variance_widens_and_adds_its_degrees_of_freedom():
    """Welch-Satterthwaite: (a + b)^2 / (a^2 / df + b^2 / 299), b from 300 resamples."""
    scores = noise(np.random.default_rng(2), models=4, seeds=3)
    found = stats.gain(table(scores, item_variance=0.5), "layer_2")
    seeds = 2 * stats.residual_variance(table(scores))[0] / 3
    assert found.standard_error == pytest.approx(math.sqrt(seeds + 0.5))
    assert found.df == pytest.approx((seeds + 0.5) ** 2 / (seeds**2 / 6 + 0.25 / 299))
    half = scipy.stats.t.ppf(0.975, found.df) * found.standard_error
    assert found.interval.high - found.estimate == pytest.approx(half)


@settings(max_examples=60)
@given(arrays(float, (2, 3), elements=st.floats(40, 60)), st.floats(0, 10))
def test_item_variance_never_narrows_an_interval(scores, item_variance):
    """With two degrees of freedom adding a part could: the wider of the two intervals counts."""
    plain, wider = (stats.gain(table(scores, v), "layer_1").interval for v in (0.0, item_variance))
    assert wider.high - wider.low >= plain.high - plain.low - 1e-9


def test_item_variance_alone_has_the_interval_of_its_resamples():
    scores = np.array([[60.0, 61.0, 62.0], [61.0, 62.0, 63.0]])
    found = stats.gain(table(scores, item_variance=0.25), "layer_1")
    assert found.interval.low == pytest.approx(1 - scipy.stats.t.ppf(0.975, 299) * 0.5)
    assert stats.gain(table(scores), "layer_1").p_value < 1e-15
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


@pytest.mark.parametrize(
    ("model", "told"),
    [
        ("layer_1", "no seed has both 'layer_1' and 'baseline'"),
        ("self", "no scores of 'self': the table has baseline, layer_1"),
    ],
)
def test_a_gain_that_has_no_scores_is_refused(model, told):
    with pytest.raises(ResultsError, match=told):
        stats.gain(table([[60.0, np.nan], [np.nan, 61.0]]), model)


@pytest.mark.parametrize("df", [4, 22, 110])
def test_the_minimum_detectable_gain_is_found_with_80_percent_power(df):
    effect = stats.minimum_detectable(1.0, df)
    power = scipy.stats.nct.sf(scipy.stats.t.ppf(0.975, df), df, effect)
    assert power == pytest.approx(0.8, abs=0.02)
