"""Calibration errors, proper scores, recalibration and selective prediction, against second implementations."""

from __future__ import annotations

import os
import subprocess
import sys
from itertools import pairwise, permutations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from netcal.metrics.confidence import ECE, MCE
from scipy.special import logsumexp, softmax
from scipy.stats import norm
from sklearn.calibration import CalibratedClassifierCV, calibration_curve
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import brier_score_loss, log_loss

from claimtrack.errors import ResultsError
from claimtrack.samples import reliability_bins
from crosslayer.metrics import calibration, proper_scores, recalibration, tagging
from crosslayer.tasks import TASKS

PLUG_IN = [calibration.ece10_equal_width_v1, calibration.ece10_equal_mass_v1]
ALL_ECE = [*PLUG_IN, calibration.ece10_equal_mass_debiased_v1]


def ece_by_loop(confidence, correct, edges):
    """Right-closed bins, item by item."""
    total = 0.0
    for low, high in pairwise(edges):
        inside = [(c, y) for c, y in zip(confidence, correct, strict=True) if low < c <= high]
        if inside:
            total += len(inside) * abs(np.mean([c for c, _ in inside]) - np.mean([y for _, y in inside]))
    return 100 * total / len(confidence)


@settings(max_examples=100)
@given(st.lists(st.tuples(st.integers(1, 20), st.booleans()), min_size=1, max_size=60))
def test_equal_width_agrees_with_a_loop_on_edges_and_between(items):
    confidence = np.array([k / 20 for k, _ in items])  # every second one lies exactly on an edge
    correct = np.array([float(right) for _, right in items])
    expected = ece_by_loop(confidence, correct, [k / 10 for k in range(11)])
    assert calibration.ece10_equal_width_v1(confidence, correct) == pytest.approx(expected)


@pytest.mark.parametrize("ece", ALL_ECE)
def test_confidences_of_0_and_1_have_a_place(ece):
    assert ece(np.ones(40), np.ones(40)) == 0
    assert ece(np.ones(40), np.repeat([1.0, 0.0], [30, 10])) == pytest.approx(25, abs=0.02)
    assert ece(np.zeros(5), np.ones(5)) == pytest.approx(100)


@pytest.mark.parametrize(("n", "sizes"), [(250, [25] * 10), (25, [3, 2] * 5)])
def test_equal_mass_has_ten_bins_of_the_ranks_ceil_of_k_tenths(n, sizes):
    rng = np.random.default_rng(6)
    confidence, correct = np.linspace(0.4, 0.95, n), rng.integers(0, 2, n).astype(float)
    bins = np.split(confidence - correct, np.cumsum(sizes)[:-1])
    expected = 100 * sum(abs(gaps.sum()) for gaps in bins) / n
    assert calibration.ece10_equal_mass_v1(confidence, correct) == pytest.approx(expected)


CONFIDENCES = {
    "spread": lambda rng: rng.uniform(0.5, 1, 1500),
    "sure": lambda rng: 0.5 + rng.beta(12, 1, 1500) / 2,
    "very sure": lambda rng: 1 - rng.beta(0.4, 12, 1500) / 2,
}


def simulated(draw, shift, repeats=250):
    """Mean plug-in and debiased ECE of models whose accuracy is confidence - shift."""
    rng = np.random.default_rng(7)
    drawn = [(confidence, rng.random(1500) < confidence - shift) for confidence in map(draw, [rng] * repeats)]
    return np.mean([[ece(confidence, right) for ece in ALL_ECE[1:]] for confidence, right in drawn], axis=0)


@pytest.mark.parametrize("draw", CONFIDENCES.values(), ids=CONFIDENCES)
def test_debiased_ece_has_no_floor_and_finds_a_large_gap(draw):
    plug_in, debiased = simulated(draw, 0.0)
    assert abs(debiased) < 0.25
    assert plug_in > 0.5
    if draw is CONFIDENCES["spread"]:
        assert plug_in == pytest.approx(2.3, abs=0.4)
    assert simulated(draw, 0.2, repeats=100)[1] == pytest.approx(20, abs=0.5)


@pytest.mark.parametrize("gap", [0.0, 0.5, 1.0, 3.0])
def test_debiased_gap_is_the_mean_over_random_halvings(gap):
    """Sign from one half, gap from the other: the closed form against drawn halvings of 400 items."""
    rng = np.random.default_rng(3)
    gaps = rng.normal(size=400)
    gaps += gap * gaps.std() / 20 - gaps.mean()
    halvings = np.argsort(rng.random((8000, 400)), axis=1)
    first, second = (gaps[part].mean(axis=1) for part in np.split(halvings, 2, axis=1))
    columns = np.zeros((10, 3))
    columns[0] = len(gaps), gaps.sum(), (gaps**2).sum()
    closed = calibration.ece10_equal_mass_debiased_from_counts_v1(columns.ravel()) / 100
    assert closed == pytest.approx(np.mean(np.sign(first) * second), abs=0.003)


def test_debiased_counts_add_up_under_weights():
    """A weight of 2 is the item twice, as long as the bins are those of the whole sample."""
    rng = np.random.default_rng(4)
    confidence = rng.uniform(0.4, 1, 500)
    correct = (rng.random(500) < confidence - 0.1).astype(float)
    counts = calibration.ece10_equal_mass_debiased_counts_v1(confidence, correct)
    weighted = calibration.ece10_equal_mass_debiased_from_counts_v1(np.full(500, 2.0) @ counts)
    twice = calibration.ece10_equal_mass_debiased_v1(np.tile(confidence, 2), np.tile(correct, 2))
    assert weighted == pytest.approx(twice)


def random_logits(n=400, k=4, seed=5):
    """Logits (n, k) and gold labels of a calibrated model."""
    rng = np.random.default_rng(seed)
    logits = 2 * rng.normal(size=(n, k))
    return logits, np.array([rng.choice(k, p=row) for row in softmax(logits, axis=1)])


def test_temperature_stops_at_its_bounds():
    logits = np.array([[3.0, 0.0], [0.0, 2.0]])
    assert recalibration.fit_temperature(logits, np.array([0, 1])) == recalibration.TEMPERATURES[0]
    assert recalibration.fit_temperature(logits, np.array([1, 0])) == recalibration.TEMPERATURES[1]


def test_brier_parts_add_up_and_mean_what_they_say():
    logits, gold = random_logits()
    sharp = softmax(logits / 0.3, axis=1)
    parts = proper_scores.brier_parts_v1(sharp, gold)
    total = parts.reliability - parts.resolution + parts.uncertainty + parts.within_bin
    assert total == pytest.approx(proper_scores.brier_v1(sharp, gold), abs=1e-12)
    shares = np.bincount(gold) / len(gold)
    assert parts.uncertainty == pytest.approx(1 - (shares**2).sum())
    fair = proper_scores.brier_parts_v1(softmax(logits, axis=1), gold)
    assert parts.reliability > 2 * fair.reliability
    assert parts.resolution == pytest.approx(fair.resolution, rel=0.1)


def too_sure(n, k=3, seed=0):
    """Probabilities (n, k) of a model that is too sure, and gold labels."""
    logits, gold = random_logits(n, k, seed)
    return softmax(1.5 * logits, axis=1), gold


@pytest.mark.parametrize("seed", range(5))
def test_netcal_agrees_between_the_edges(seed):
    probabilities, gold = too_sure(1000, seed=seed)
    items = calibration.top_label(probabilities, gold)
    by_width = ECE(10).measure(probabilities, gold)
    by_mass = ECE(10, equal_intervals=False).measure(probabilities, gold)
    assert calibration.ece10_equal_width_v1(*items) == pytest.approx(100 * by_width, abs=1e-7)
    assert calibration.ece10_equal_mass_v1(*items) == pytest.approx(100 * by_mass, abs=1e-7)
    largest = MCE(10).measure(probabilities, gold)
    assert calibration.mce10_equal_width_v1(*items) == pytest.approx(100 * largest, abs=1e-7)


def test_scikit_learn_agrees_on_reliability_brier_and_likelihood():
    rng = np.random.default_rng(1)
    confidence = np.round(rng.uniform(0, 1, 800), 2)  # every tenth on an edge
    correct = (rng.random(800) < confidence**2).astype(float)
    bins = reliability_bins(confidence, correct, 10)
    accuracy, mean = calibration_curve(correct, confidence, n_bins=10)
    np.testing.assert_allclose(bins.accuracy, accuracy, rtol=1e-9)
    np.testing.assert_allclose(bins.confidence, mean, rtol=1e-9)
    probabilities, gold = too_sure(500)
    brier = brier_score_loss(gold, probabilities, scale_by_half=False)
    assert proper_scores.brier_v1(probabilities, gold) == pytest.approx(brier, rel=1e-9)
    likelihood = proper_scores.nll_v1(np.log(probabilities), gold)
    assert likelihood == pytest.approx(log_loss(gold, probabilities), rel=1e-9)


def test_reliability_intervals_are_wilsons():
    confidence, correct = np.full(40, 0.75), np.repeat([1.0, 0.0], [28, 12])
    bins = reliability_bins(confidence, correct, 10)
    z, p, n = 1.959963984540054, 0.7, 40
    middle, half = p + z**2 / (2 * n), z * np.sqrt(p * (1 - p) / n + z**2 / (4 * n**2))
    assert bins.low == pytest.approx([(middle - half) / (1 + z**2 / n)])
    assert bins.high == pytest.approx([(middle + half) / (1 + z**2 / n)])
    thrice = reliability_bins(np.tile(confidence, 3), np.tile(correct, 3), repeats=3)
    assert (thrice.low, thrice.high) == (pytest.approx(bins.low), pytest.approx(bins.high))
    assert (bins.n.tolist(), bins.accuracy.tolist(), bins.confidence.tolist()) == ([40.0], [0.7], [0.75])


items_drawn = st.lists(st.tuples(st.floats(0, 1), st.booleans()), min_size=1, max_size=60)


def split(items):
    return np.array([c for c, _ in items]), np.array([float(y) for _, y in items])


@settings(max_examples=100)
@given(items_drawn, st.randoms(use_true_random=False))
def test_order_and_copies_of_the_items_do_not_matter(items, random):
    mixed = list(items)
    random.shuffle(mixed)
    for metric in (*PLUG_IN, calibration.mce10_equal_width_v1):
        once = metric(*split(items))
        assert metric(*split(mixed)) == pytest.approx(once, abs=1e-9)
        assert metric(*split(items * 2)) == pytest.approx(once, abs=1e-9)
    for metric in (calibration.aurc_v1, calibration.ece10_equal_mass_debiased_v1):
        assert metric(*split(mixed)) == pytest.approx(metric(*split(items)), abs=1e-7)


def test_classwise_is_the_mean_over_labels_of_one_against_the_rest():
    probabilities, gold = too_sure(300, k=4)
    edges = [k / 10 for k in range(11)]
    each = [ece_by_loop(probabilities[:, k], (gold == k).astype(float), edges) for k in range(4)]
    assert calibration.classwise_ece10_equal_width_v1(probabilities, gold) == pytest.approx(np.mean(each))


@settings(max_examples=100)
@given(st.lists(st.lists(st.tuples(st.integers(0, 6), st.integers(0, 6), st.floats(0.05, 1)), min_size=1,
                         max_size=8), min_size=1, max_size=4))  # fmt: skip
def test_spans_with_confidence_are_those_that_count(sentences):
    labels = TASKS["ner"].labels
    rows = np.array([row for sentence in sentences for row in sentence])
    gold, predicted, p = rows[:, 0].astype(int), rows[:, 1].astype(int), rows[:, 2]
    index = np.repeat(np.arange(len(sentences)), [len(sentence) for sentence in sentences])
    found, all_predicted, _ = tagging.span_counts_v1(gold, predicted, index, labels).sum(axis=0)
    confidence, correct = tagging.span_confidence_v1(p, gold, predicted, index, labels)
    assert (correct.sum(), len(confidence)) == (found, all_predicted)
    assert np.all((confidence > 0) & (confidence <= 1))


def test_a_spans_confidence_is_the_product_over_its_words():
    labels = TASKS["ner"].labels
    gold = [labels.index(tag) for tag in "B-PER I-PER O B-LOC".split()]
    predicted = [labels.index(tag) for tag in "B-PER I-PER B-ORG I-ORG".split()]
    found = tagging.span_confidence_v1(
        np.array([0.9, 0.8, 0.7, 0.5]), np.array(gold), np.array(predicted), np.zeros(4, int), labels
    )
    np.testing.assert_allclose(found, [[0.72, 0.35], [1, 0]])
    with pytest.raises(ResultsError, match="probability is 0 at 2: no model predicts such a label"):
        tagging.span_confidence_v1(
            np.array([1, 1, 0.0, 1]), *map(np.array, (gold, predicted)), np.zeros(4, int), labels
        )


@pytest.mark.parametrize("factor", [0.4, 3.0])
def test_temperature_is_scikit_learns(factor):
    """Of a linear classifier that gives out its features as logits."""
    logits, gold = random_logits(n=2000)
    logits *= factor
    linear = LogisticRegression()
    vars(linear).update(classes_=np.arange(4), coef_=np.eye(4), intercept_=np.zeros(4), n_features_in_=4)
    theirs = CalibratedClassifierCV(FrozenEstimator(linear), method="temperature").fit(logits, gold)
    ours = softmax(logits / recalibration.fit_temperature(logits, gold), axis=1)
    np.testing.assert_allclose(ours, theirs.predict_proba(logits), atol=1e-4)


def test_vector_scaling_is_where_its_loss_has_no_slope():
    """By finite differences of the loss as its docstring states it, SciPy's NLL and normal density written out."""
    logits, gold = random_logits(n=300)
    temperature = recalibration.fit_temperature(logits, gold)
    found = recalibration.fit_vector_scaling(logits, gold, temperature)
    log_q = logits - logsumexp(logits, axis=1, keepdims=True)
    k = logits.shape[1]
    centre = np.repeat([1 / temperature, 0.0], k)

    def loss(parameters):
        scaled = log_q * parameters[:k] + parameters[k:]
        nll = (logsumexp(scaled, axis=1) - scaled[np.arange(len(gold)), gold]).sum()
        return nll - norm.logpdf(parameters, loc=centre).sum()

    at = np.concatenate([found.weight, found.bias])
    steps = 1e-4 * np.eye(2 * k)
    slope = [(loss(at + step) - loss(at - step)) / 2e-4 for step in steps]
    np.testing.assert_allclose(slope, 0, atol=1e-3)
    assert np.array_equal(at, np.round(at, recalibration.DECIMALS))


def test_vector_scaling_is_the_same_on_other_processors():
    """NumPy adds and exponentiates otherwise where its newer instructions are off; the fit used to follow that."""
    program = """
import numpy as np
from crosslayer.metrics.recalibration import fit_vector_scaling
rng = np.random.default_rng(0)
logits = 2 * rng.normal(size=(4000, 17))
gold = (logits * rng.uniform(0.3, 1, 17) + rng.gumbel(size=logits.shape)).argmax(axis=1) % 16
found = fit_vector_scaling(logits, gold, 1.5)
print([*found.weight, *found.bias], np.exp(logits).sum().hex())
"""
    off = {"NPY_DISABLE_CPU_FEATURES": "X86_V3 X86_V4 AVX512_ICL AVX512_SPR"}
    here, there = (
        subprocess.run(
            [sys.executable, "-W", "ignore", "-c", program],
            env={**os.environ, **changes}, capture_output=True, text=True, check=True,
        ).stdout.split("]")
        for changes in ({}, off)
    )  # fmt: skip
    assert here[0] == there[0]


def test_isotonic_is_monotone_and_holds_its_ends_outside_the_fitted_range():
    confidence, correct = np.array([0.4, 0.5, 0.6, 0.8]), np.array([0.0, 1, 0, 1])
    mapped = recalibration.fit_isotonic(confidence, correct)
    assert mapped(np.array([0.1, 0.4, 0.5, 0.6, 0.8, 0.9])).tolist() == [0, 0, 0.5, 0.5, 1, 1]


def test_risk_coverage_by_hand():
    coverage, risk = calibration.risk_coverage(np.array([0.9, 0.6, 0.9, 0.7]), np.array([1.0, 0, 0, 1]))
    assert coverage.tolist() == [0.5, 0.75, 1.0]
    assert risk == pytest.approx([50, 100 / 3, 50])


@settings(max_examples=60)
@given(st.lists(st.tuples(st.integers(0, 2), st.booleans()), min_size=1, max_size=6))
def test_aurc_is_the_mean_over_all_orders_of_equals(items):
    areas = []
    for order in permutations(items):
        if all(a[0] >= b[0] for a, b in pairwise(order)):
            wrong = np.array([not right for _, right in order])
            areas.append(100 * np.mean(wrong.cumsum() / np.arange(1, len(wrong) + 1)))
    assert calibration.aurc_v1(*split(items)) == pytest.approx(np.mean(areas), abs=1e-9)
