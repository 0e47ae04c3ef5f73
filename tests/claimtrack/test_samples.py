"""From one value a seed to a measurement: against scipy's own tests, published formulas and counting by hand."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from scipy import stats

from claimtrack.errors import ResultsError
from claimtrack.evidence import Measurement
from claimtrack.samples import (
    difference_of,
    equivalence_p,
    in_order,
    item_variance_of,
    mean_of,
    overlap,
    permutation_p,
)

VALUES = [0.4, 1.1, -0.2, 0.9, 1.6, 0.3]
OTHERS = [0.1, 0.9, -0.9, 1.1, 0.6, 0.2]


def test_a_mean_has_the_interval_and_p_of_a_t_test() -> None:
    found = mean_of("gain", VALUES, "points", null=0.1)
    theirs = stats.ttest_1samp(VALUES, 0.1)
    low, high = theirs.confidence_interval(0.95)
    assert found.interval is not None
    assert (found.interval.low, found.interval.high) == pytest.approx((low, high))
    assert (found.estimate, found.p_value) == pytest.approx((np.mean(VALUES), theirs.pvalue))
    assert (found.n_seeds, found.interval.df, found.judged) == (6, 5, True)
    assert found.by_seed == tuple(VALUES)


@pytest.mark.parametrize("by_seed", [VALUES[1:], [*VALUES[1:], 2.0]])
def test_values_of_seeds_belong_to_their_estimate(by_seed: list[float]) -> None:
    kept = mean_of("gain", VALUES, "points").model_dump()
    with pytest.raises(
        ValueError, match=f"by_seed has {len(by_seed)} values, whose mean is not the estimate over 6"
    ):
        Measurement.model_validate(kept | {"by_seed": by_seed})


def test_a_difference_is_paired() -> None:
    found = difference_of("gain", VALUES, OTHERS, "points")
    assert found.p_value == pytest.approx(stats.ttest_rel(VALUES, OTHERS).pvalue)
    assert found.estimate == pytest.approx(np.mean(VALUES) - np.mean(OTHERS))
    assert found.by_seed == pytest.approx(np.subtract(VALUES, OTHERS))


def test_neither_one_value_nor_equal_ones_have_an_interval() -> None:
    assert mean_of("x", [1.0], "points").interval is None
    for method in ("t", "bootstrap"):
        same = mean_of("x", [1.0] * 20, "points", method=method)
        assert (same.estimate, same.interval, same.p_value) == (1.0, None, None)
    on_items = mean_of("x", [1.0] * 5, "points", item_variance=0.04).interval
    assert on_items is not None
    assert on_items.high - 1.0 == pytest.approx(0.2 * stats.t.ppf(0.975, 4))
    with pytest.raises(ResultsError, match="a bootstrap of 19 values is too narrow"):
        mean_of("x", range(19), "points", method="bootstrap")


def test_overlapping_splits_by_nadeau_and_bengio() -> None:
    """Their t statistic: mean / sqrt((1 / S + n_test / n_train) s^2)."""
    found = mean_of("x", VALUES, "points", shared=overlap(300, 100))
    variance = np.var(VALUES, ddof=1)
    t = np.mean(VALUES) / math.sqrt((1 / 6 + 100 / 300) * variance)
    assert found.p_value == pytest.approx(2 * stats.t.sf(t, 5))
    assert found.item_variance == pytest.approx(variance / 3)
    with pytest.raises(ResultsError, match="items to train on"):
        overlap(0, 10)


def test_the_item_variance_is_the_covariance_of_seeds() -> None:
    values = np.random.default_rng(3).normal(size=(4, 50)) + np.random.default_rng(4).normal(size=50)
    between = np.cov(values)[~np.eye(4, dtype=bool)]
    assert item_variance_of(values) == pytest.approx(between.mean() / 50)
    assert item_variance_of([[1.0, 0.0], [0.0, 1.0]]) == 0, "a negative one counts as none"


def test_seeds_on_one_test_set_are_not_taken_for_new_test_sets() -> None:
    """Ten seeds, 200 items, no effect: items alone give a difference of 0.7 points (sd), seeds one of 0.1."""
    rng = np.random.default_rng(5)
    alarms = np.zeros(2)
    for _ in range(400):
        values = rng.normal(0, 10, 200) + rng.normal(0, 0.3, (10, 1)) + rng.normal(0, 1, (10, 200))
        for place, kept in enumerate((0.0, item_variance_of(values))):
            p = mean_of("x", values.mean(axis=1), "points", item_variance=kept).p_value
            alarms[place] += p is not None and p < 0.05
    assert alarms[0] > 200, "without the item variance"
    assert alarms[1] <= 32, "of 400 at a rate of at most 5 %: 32 or fewer in 99.7 % of runs"


def test_the_bootstrap_interval_is_like_the_t_interval_of_many_values() -> None:
    values = np.random.default_rng(0).normal(3.0, 1.0, 200)
    found, student = (mean_of("x", values, "points", method=method).interval for method in ("bootstrap", "t"))
    assert found is not None
    assert student is not None
    assert (found.low, found.high) == pytest.approx((student.low, student.high), abs=0.03)
    assert found.df is None
    assert mean_of("x", values, "points", method="bootstrap").p_value is None, "that of a t test is another one"


@settings(max_examples=30)
@given(st.lists(st.floats(-5, 5), min_size=3, max_size=8), st.floats(0.1, 3))
def test_equivalence_is_the_90_percent_interval_inside_the_margin(values: list[float], margin: float) -> None:
    assume(np.ptp(values) > 1e-6)
    inside = equivalence_p(mean_of("x", values, "points", null=0.5), margin, null=0.5) < 0.05
    low, high = stats.ttest_1samp(values, 0.5).confidence_interval(0.90)
    assert inside == (0.5 - margin < low and high < 0.5 + margin)


def test_permutation_p_counts_all_exchanges() -> None:
    differences = np.subtract(VALUES, OTHERS)
    means = [abs(np.mean(differences * signs)) for signs in itertools.product((1, -1), repeat=6)]
    expected = np.mean(np.array(means) >= abs(differences.mean()) - 1e-12)
    assert permutation_p(VALUES, OTHERS) == pytest.approx(expected)
    assert permutation_p([1.0, 2.0, 3.0], [0.0, 0.0, 0.0]) == pytest.approx(2 / 2**3)
    assert permutation_p([1.0, 2.0], [1.0, 2.0]) == 1


def test_an_order_is_the_paired_difference_of_neighbours() -> None:
    found = in_order({"a": VALUES, "b": OTHERS, "c": [0.0] * 6}, "points")
    assert [part.measure for part in found] == ["a_over_b", "b_over_c"]
    assert found[0] == difference_of("a_over_b", VALUES, OTHERS, "points")


def test_what_is_no_sample_is_refused() -> None:
    for values, told in (([], "shape"), ([1.0, math.nan], "value 1 is not finite"), ([[1.0]], "one value a seed")):
        with pytest.raises(ResultsError, match=told):
            mean_of("x", values, "points")  # type: ignore[arg-type]
    with pytest.raises(ResultsError, match="2 values against 1"):
        difference_of("x", [1.0, 2.0], [1.0], "points")
    with pytest.raises(ResultsError, match="margin above 0"):
        equivalence_p(mean_of("x", VALUES, "points"), 0)
    for kept in ({"shared": 0.25}, {"item_variance": 0.1}):
        with pytest.raises(ResultsError, match="the bootstrap takes no shared and no item variance"):
            mean_of("x", VALUES, "points", method="bootstrap", **kept)
    with pytest.raises(ResultsError, match="item_variance -1 is negative"):
        mean_of("x", VALUES, "points", item_variance=-1.0)
    with pytest.raises(ResultsError, match="values of 2 seeds and 2 items"):
        item_variance_of([VALUES])
