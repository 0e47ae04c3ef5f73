"""From one value a seed to a measurement: against scipy's own tests and published formulas."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats

from claimtrack.errors import ResultsError
from claimtrack.samples import difference_of, in_order, mean_of, overlap

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


def test_a_difference_is_paired() -> None:
    found = difference_of("gain", VALUES, OTHERS, "points")
    assert found.p_value == pytest.approx(stats.ttest_rel(VALUES, OTHERS).pvalue)
    assert found.estimate == pytest.approx(np.mean(VALUES) - np.mean(OTHERS))


def test_one_value_has_no_interval_and_equal_ones_one_without_width() -> None:
    assert mean_of("x", [1.0], "points").interval is None
    same = mean_of("x", [1.0, 1.0, 1.0], "points")
    assert same.interval is not None
    assert (same.interval.low, same.interval.high, same.p_value) == (1.0, 1.0, 0)
    assert mean_of("x", [0.0, 0.0], "points").p_value == 1


def test_overlapping_splits_by_nadeau_and_bengio() -> None:
    """Their t statistic: mean / sqrt((1 / S + n_test / n_train) s^2)."""
    found = mean_of("x", VALUES, "points", shared=overlap(300, 100))
    variance = np.var(VALUES, ddof=1)
    t = np.mean(VALUES) / math.sqrt((1 / 6 + 100 / 300) * variance)
    assert found.p_value == pytest.approx(2 * stats.t.sf(t, 5))
    assert found.item_variance == pytest.approx(variance / 3)
    with pytest.raises(ResultsError, match="items to train on"):
        overlap(0, 10)


def test_the_correction_keeps_its_level_where_splits_overlap() -> None:
    """A null of random splits: the uncorrected test rejects far too often, the corrected one at most about 5 %."""
    rng, rejected = np.random.default_rng(1), {0.0: 0, 0.5: 0}
    for _ in range(300):
        data = rng.normal(size=60)
        splits = [rng.permutation(60)[:20] for _ in range(10)]
        values = [data[test].mean() for test in splits]
        for shared in rejected:
            p = mean_of("x", values, "points", shared=shared).p_value
            rejected[shared] += p is not None and p < 0.05
    assert rejected[0.0] > 60
    assert rejected[0.5] < 24


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
