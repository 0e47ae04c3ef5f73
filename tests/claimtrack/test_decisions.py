"""Tests of parts against any value, and the seeds that would decide, against scipy and simulation."""

from __future__ import annotations

from math import inf

import numpy as np
import pytest
import scipy.stats

from claimtrack.decisions import (
    Target,
    decide_difference,
    decide_each,
    error_of,
    p_above,
    p_below,
    p_of_zero,
)
from claimtrack.evidence import Interval, Measurement
from crosslayer import stats
from crosslayer.paper.parts import gain_of, gain_part

VALUES = np.array([0.3, 1.1, 0.7, -0.2, 0.9])


def part(values: np.ndarray, items: float = 0.0) -> Measurement:
    return gain_part("gain", stats.seed_gain(values, items), judged=True)


def bounded(found: Measurement, low: float, high: float = inf) -> Target:
    """Refuted below ``low`` and above ``high``."""
    return Target(found, (low, high))


def test_a_part_is_tested_against_any_value_as_its_values_are() -> None:
    found = part(VALUES)
    for bound in (-0.5, 0.0, 0.5, 2.0):
        less, greater = (
            scipy.stats.ttest_1samp(VALUES, bound, alternative=tail).pvalue for tail in ("less", "greater")
        )
        assert (p_below(found, bound), p_above(found, bound)) == (pytest.approx(less), pytest.approx(greater))
    assert p_of_zero(found) == pytest.approx(scipy.stats.ttest_1samp(VALUES, 0).pvalue)
    assert error_of(found) == pytest.approx((scipy.stats.sem(VALUES), 4))


@pytest.mark.parametrize(("low", "high"), [(0.01, 9.0), (-3.0, 1.1), (0.5, 1.5)])
def test_each_end_of_a_skewed_interval_is_where_p_is_one_half_of_5_percent(low: float, high: float) -> None:
    interval = Interval(low=low, high=high, method="bootstrap, BCa")
    found = Measurement(measure="x", estimate=1.0, interval=interval, unit="points")
    assert (p_above(found, low), p_below(found, high)) == pytest.approx((0.025, 0.025))


def test_a_gain_comes_back_from_its_part() -> None:
    gain = stats.seed_gain(VALUES, 0.2)
    again = gain_of(gain_part("gain", gain))
    assert (again.estimate, again.n_seeds) == (gain.estimate, 5)
    assert (again.interval.low, again.interval.df) == pytest.approx((gain.interval.low, gain.interval.df))
    alone = stats.mean_gain([again])
    assert (alone.interval.high, alone.df) == pytest.approx((gain.interval.high, gain.df)), "items count once"


def test_a_part_says_only_the_item_variance_that_its_interval_counts() -> None:
    """With two degrees of freedom the interval without the item part is the wider one."""
    narrow = stats.Gain(1.0, 3, 1.0, 2.0, 0.1)
    assert gain_part("gain", narrow).item_variance == 0
    many = (stats.Gain(1.0, 3, variance, 2.0, variance / 10) for variance in np.linspace(0.1, 9, 500))
    assert {gain.counted_item_variance for gain in many} == {0.0}, "whatever the root rounds to"
    again = gain_of(gain_part("gain", narrow))
    assert (again.seed_variance, again.interval.high) == (pytest.approx(1.0), pytest.approx(narrow.interval.high))


def test_a_task_without_all_of_its_parts_lends_no_weight_to_the_others() -> None:
    """Holm over four tasks: p = 0.0145 holds up as the second smallest of four, not as the smallest."""
    whole = part(VALUES + 0.4)
    assert 0.05 / 4 < p_of_zero(whole) < 0.05 / 3
    lone = [bounded(part(VALUES + 50), 0.5)]
    pair = [bounded(whole, -9.0), bounded(part(VALUES + 50), -9.0)]
    two, four = (
        decide_each({"a": lone, "b": pair, **missing}, about_size=False, n_parts=2)
        for missing in ({}, {"c": [], "d": []})
    )
    assert [found.decisions["b"].decision for found in (two, four)] == ["holds", "undecided"]


def test_equivalence_is_two_one_sided_tests() -> None:
    """The same as whether the 90 % interval lies inside the margin."""
    rng = np.random.default_rng(0)
    for _ in range(200):
        values = rng.normal(rng.uniform(-1, 1), rng.uniform(0.1, 1), 6)
        interval = scipy.stats.ttest_1samp(values, 0).confidence_interval(0.9)
        inside = interval.low > -1 and interval.high < 1
        assert (decide_difference(part(values), 1.0).decision == "practically none") == inside


def test_holms_correction_spans_all_tests_of_a_claim() -> None:
    """One task at p = 0.01 against its bound: refuted alone and among four, not beside seven other tests."""
    values = np.array([-1.0, 0.0, 1.0, 0.0, 0.0])
    error = scipy.stats.sem(values)
    bound = -float(scipy.stats.t.ppf(0.01, 4)) * error
    one, far = part(values), part(values + 50)
    assert p_below(one, bound) == pytest.approx(0.01)
    alone = decide_each({"a": [bounded(one, bound)]}, about_size=True)
    four = decide_each({"a": [bounded(one, bound)], **{k: [bounded(far, 0.0)] for k in "bcd"}}, about_size=True)
    eight = decide_each(
        {"a": [bounded(one, bound, 99.0)], **{k: [bounded(far, 0.0, 99.0)] for k in "bcd"}}, about_size=True
    )
    assert [found.decisions["a"].decision for found in (alone, four, eight)] == ["refuted", "refuted", "undecided"]


def test_the_seeds_that_would_decide_do_so_in_four_of_five_runs() -> None:
    """A gain of 0.2 points at 0.7 points of seed noise, measured with 6 seeds, claimed to be at least 0.5."""
    rng = np.random.default_rng(1)
    values = rng.normal(size=6)
    values = 0.2 + 0.7 * (values - values.mean()) / values.std(ddof=1)
    needed = decide_each({"a": [bounded(part(values), 0.5)]}, about_size=False).decisions["a"].seeds
    assert needed is not None
    decided = np.mean(
        [
            decide_each({"a": [bounded(part(rng.normal(0.2, 0.7, needed)), 0.5)]}, about_size=False).verdict
            != "inconclusive"
            for _ in range(600)
        ]
    )
    assert 0.75 < decided < 0.88  # 600 runs: 1.6 % to one standard error


def test_a_task_that_no_seed_enters_names_no_seeds() -> None:
    probe = part(VALUES).model_copy(update={"n_seeds": 0})
    assert decide_each({"a": [bounded(probe, 0.5)]}, about_size=False).decisions["a"].seeds is None


def test_a_task_that_lacks_a_part_names_the_seeds_that_would_refute_it() -> None:
    """It can only be refuted: none makes it hold, however far above the bound it lies."""
    above, below = (
        decide_each({"a": [bounded(part(values), 0.5)]}, about_size=False, n_parts=2).decisions["a"]
        for values in (VALUES + 0.3, VALUES - 0.3)
    )
    assert (above.decision, above.seeds, above.note) == ("undecided", None, "a part of it is missing")
    assert below.seeds is not None


def test_values_without_noise_on_a_bound_are_never_decided() -> None:
    found = decide_each({"a": [bounded(part(np.zeros(5)), 0.0)]}, about_size=False).decisions["a"]
    assert (found.decision, found.seeds) == ("undecided", None)
