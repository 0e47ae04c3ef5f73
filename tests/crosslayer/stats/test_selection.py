"""The three estimands: gains of layers chosen on dev, by other seeds, and on test."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
import scipy.stats

from claimtrack.errors import ResultsError
from crosslayer import stats
from score_tables import LAYERS, MODELS, noise, table


@pytest.mark.parametrize("items", [0.0, 0.04])
def test_power_is_how_often_the_test_finds_the_gain(items):
    """1,000 tables: the share found has a standard error of at most 1.6 %; 5 % is passed once in 600 runs."""
    rng = np.random.default_rng(8)
    assert stats.power(table(noise(rng, seeds=200), items), LAYERS, 1.0)[0] > 0.99
    scores = noise(rng, seeds=4)
    residual, _ = stats.residual_variance(table(scores))
    scores = scores / np.sqrt(residual)  # so that the measured noise is the true one
    found, _ = stats.power(table(scores, items), LAYERS, 1.5)
    hits = 0
    for _ in range(1000):
        drawn = noise(rng, seeds=4)
        drawn[1] += 1.5 + np.sqrt(items) * rng.standard_normal()
        hits += stats.gain(table(drawn, items), "layer_1").interval.low > 0
    assert found == pytest.approx(hits / 1000, abs=0.05)


def test_seeds_for_80_percent_are_the_fewest_that_do():
    scores = noise(np.random.default_rng(9), seeds=3)
    _, found = stats.power(table(scores), LAYERS, 1.0)
    residual, _ = stats.residual_variance(table(scores))

    def normal_seeds(power):  # with 11 (S - 1) degrees of freedom Student's t is nearly normal
        return 2 * residual * (scipy.stats.norm.ppf(0.975) + scipy.stats.norm.ppf(power)) ** 2

    assert found in (math.ceil(normal_seeds(0.8)), math.ceil(normal_seeds(0.8)) + 1)
    assert stats.power(table(scores, item_variance=1.0), LAYERS, 1.0)[1] is None
    with pytest.raises(ResultsError, match="no successful trial of a model"):
        stats.power(table(scores), [], 1.0)
    assert stats.power(table(np.zeros((3, 2))), ["layer_1"], 0.5) == (1.0, 3), "no interval with fewer"
    with pytest.raises(ResultsError, match="run more seeds"):
        stats.power(table(np.zeros((3, 1))), ["layer_1"], 1.0)


def crossed(test):
    """Layers 1 and 2, chosen and scored on all items."""
    return stats.cross_fitted_gain(test, LAYERS[:2], (test, test))


def test_each_estimand_by_hand():
    """Layers 1, 2 over a baseline of 60; test and dev prefer different layers on different seeds."""
    test = table([[60, 60, 60], [61, 64, 61], [62, 60, 63]])
    dev = table([[70, 70, 70], [75, 71, 75], [74, 74, 74]])
    found = crossed(test)
    assert list(found.chosen.values()) == ["layer_1", "layer_2", "layer_1"]
    assert found.gain.estimate == pytest.approx((1 + 0 + 1) / 3)
    assert [*found.by_seed] == [1, 0, 1]
    assert found.overall == "layer_1"
    found = stats.dev_selected_gain(dev, test, LAYERS[:2])
    assert list(found.chosen.values()) == ["layer_2", "layer_1", "layer_2"]
    assert found.gain.estimate == pytest.approx((2 + 4 + 3) / 3)
    assert [*found.by_seed] == [2, 4, 3]
    assert found.overall == "layer_2"
    found = stats.best_on_test_gain(test, LAYERS[:2])
    assert set(found.chosen.values()) == {"layer_1"}
    assert found.gain == stats.gain(test, "layer_1")
    assert [*found.by_seed] == [1, 4, 1]


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
    assert found.by_seed == pytest.approx([found.gain.estimate] * 3)
    assert set(found.chosen.values()) == {"layer_1/layer_2"}


def test_from_ten_seeds_on_two_folds_of_seeds_choose_for_each_other():
    """Seeds in even places say layer 1, those in odd ones layer 2: each fold is scored with the other's choice."""
    even = np.arange(10) % 2 == 0
    scores = np.stack([np.full(10, 60.0), np.where(even, 64, 59), np.where(even, 58, 63)])
    found = crossed(table(scores))
    assert list(found.chosen.values()) == ["layer_2", "layer_1"] * 5
    assert found.gain.estimate == pytest.approx((-2 - 1) / 2)
    assert set(crossed(table(scores[:, :9])).chosen.values()) == {"layer_1"}


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
        crossed(one)
    holed = table([[60, 60, 60], [61, 61, np.nan], [62, 62, 62]])
    assert crossed(holed).chosen == dict.fromkeys(range(3), "layer_2"), "layer 1 is out"
    holed = table([[60, 60, 60, 60], [61, 61, np.nan, 61], [62, 62, 62, 62]])
    found = crossed(holed)
    assert list(found.chosen) == [0, 1, 3], "three seeds are enough to stay in"
    assert [*found.by_seed] == [2, 2, 2]
    with pytest.raises(ResultsError, match="no seed has all of layer_1, layer_2, baseline"):
        stats.best_on_test_gain(table([[60, np.nan], [np.nan, 61], [np.nan, 62]]), LAYERS[:2])


def test_dev_and_test_are_joined_by_seed_number():
    test = table([[60, 60], [61, 61], [62, 62]], seeds=(5, 6))
    dev = table([[0, 0, 0], [9, 1, 1], [1, 2, 9]], seeds=(4, 5, 6))
    assert stats.dev_selected_gain(dev, test, LAYERS[:2]).chosen == {5: "layer_2", 6: "layer_2"}


def test_null_best_gain_is_the_expected_maximum():
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
