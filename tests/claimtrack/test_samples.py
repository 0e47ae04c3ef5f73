"""From one value a seed to a measurement: against scipy's own tests, published formulas and counting by hand."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from claimtrack.errors import ResultsError
from claimtrack.samples import difference_of, equivalence_p, in_order, mean_of, overlap, permutation_p

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


def test_a_difference_is_paired() -> None:
    found = difference_of("gain", VALUES, OTHERS, "points")
    assert found.p_value == pytest.approx(stats.ttest_rel(VALUES, OTHERS).pvalue)
    assert found.estimate == pytest.approx(np.mean(VALUES) - np.mean(OTHERS))
    assert found.by_seed == pytest.approx(np.subtract(VALUES, OTHERS))


def test_one_value_has_no_interval_and_equal_ones_one_without_width() -> None:
    assert mean_of("x", [1.0], "points").interval is None
    for method in ("t", "bootstrap"):
        same = mean_of("x", [1.0] * 20, "points", method=method)
        assert same.interval is not None
        assert (same.interval.low, same.interval.high) == (1.0, 1.0)
        assert same.p_value == (0 if method == "t" else None), "a bootstrap has no test here"
    assert mean_of("x", [0.0, 0.0], "points").p_value == 1
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
    part = mean_of("x", values, "points", null=0.5)
    inside = equivalence_p(part, margin, null=0.5) < 0.05
    if np.ptp(values) > 1e-6:
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
    with pytest.raises(ResultsError, match="the bootstrap takes no shared variance"):
        mean_of("x", VALUES, "points", method="bootstrap", shared=0.25)
