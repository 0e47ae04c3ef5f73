"""Metrics against second implementations, hand-made cases and simulation."""

from __future__ import annotations

import subprocess
import sys
from itertools import groupby, pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import minimize_scalar
from scipy.special import log_softmax
from seqeval.metrics import f1_score

from crosslayer.errors import ResultsError
from crosslayer.metrics import METRICS, calibration, tagging
from crosslayer.metrics.classification import accuracy_v1, f1_from_counts, share_from_counts
from crosslayer.tasks import TASKS, UPOS

BIO = TASKS["ner"].labels


def ids(sentences, labels):
    flat = [labels.index(tag) for tags in sentences for tag in tags]
    return np.array(flat), np.repeat(np.arange(len(sentences)), [len(tags) for tags in sentences])


def test_every_task_has_its_metric_in_the_registry():
    assert {task.metric for task in TASKS.values()} <= set(METRICS)
    assert all(name.rpartition("_v")[2].isdigit() for name in METRICS)


def test_metrics_and_stats_stay_on_this_side_of_the_border():
    """Neither torch nor the slow scipy.stats is loaded by importing the metrics and statistics."""
    code = (
        "import sys, crosslayer.metrics, crosslayer.stats; "
        "sys.exit(any(m in sys.modules for m in ('torch', 'scipy.stats', 'sklearn')))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


# Classification


def test_accuracy_is_in_points():
    assert accuracy_v1(np.array([0, 1, 2, 1]), np.array([0, 1, 1, 1])) == 75.0


def test_accuracy_refuses_unequal_and_empty_input():
    with pytest.raises(ResultsError, match="lengths differ"):
        accuracy_v1(np.array([0, 1]), np.array([0]))
    with pytest.raises(ResultsError, match="no items"):
        accuracy_v1(np.array([], dtype=int), np.array([], dtype=int))


def test_scores_of_summed_counts():
    assert share_from_counts(np.array([[3.0, 4.0], [0.0, 0.0]])).tolist() == [75.0, 0.0]
    precision, recall = 2 / 5, 2 / 3
    expected = 200 * precision * recall / (precision + recall)
    assert f1_from_counts(np.array([2.0, 5.0, 3.0])) == pytest.approx(expected)
    assert f1_from_counts(np.zeros(3)) == 0


# Tags

sentences_of = lambda tags: st.lists(  # noqa: E731
    st.lists(st.tuples(st.sampled_from(tags), st.sampled_from(tags)), min_size=1, max_size=9),
    min_size=1,
    max_size=5,
).map(lambda rows: tuple([[pair[side] for pair in row] for row in rows] for side in (0, 1)))


def test_token_scores_count_words_not_sentences():
    gold, sentence = ids([["NOUN"], ["VERB", "X", "X"]], UPOS)
    predicted, _ = ids([["NOUN"], ["VERB", "NOUN", "NOUN"]], UPOS)
    assert tagging.token_counts_v1(gold, predicted, sentence).tolist() == [[1, 1], [1, 3]]
    assert tagging.token_accuracy_v1(gold, predicted, sentence) == 50.0


@settings(max_examples=150, deadline=None)
@given(sentences_of(BIO))
def test_span_counts_agree_with_seqeval(tags):
    gold, predicted = tags
    gold_ids, sentence = ids(gold, BIO)
    counts = tagging.span_counts_v1(gold_ids, ids(predicted, BIO)[0], sentence, BIO)
    each = [100 * f1_score([g], [p], zero_division=0) for g, p in zip(gold, predicted, strict=True)]
    assert f1_from_counts(counts.astype(float)) == pytest.approx(each)
    assert f1_from_counts(counts.sum(axis=0).astype(float)) == pytest.approx(tagging.span_f1_v1(gold, predicted))


@pytest.mark.parametrize(
    ("gold", "predicted", "counts"),
    [
        ("B-PER I-PER O", "I-PER I-PER O", [1, 1, 1]),  # I after nothing starts a span
        ("B-PER B-PER", "B-PER I-PER", [0, 1, 2]),  # B splits
        ("B-PER I-ORG", "B-PER B-ORG", [2, 2, 2]),  # I of another type starts one
        ("B-PER I-PER", "B-PER O", [0, 1, 1]),  # a shorter span is wrong
        ("B-PER O", "B-LOC O", [0, 1, 1]),  # and so is another type
        ("O O", "O O", [0, 0, 0]),
    ],
)
def test_span_counts_by_hand(gold, predicted, counts):
    gold_ids, sentence = ids([gold.split()], BIO)
    found = tagging.span_counts_v1(gold_ids, ids([predicted.split()], BIO)[0], sentence, BIO)
    assert found.tolist() == [counts]


def test_spans_end_with_their_sentence():
    gold, _ = ids([["B-PER"], ["I-PER"]], BIO)
    assert tagging.span_counts_v1(gold, gold, np.array([0, 2]), BIO).tolist() == [
        [1, 1, 1],
        [0, 0, 0],
        [1, 1, 1],
    ]


def test_span_f1_without_spans_is_zero_and_quiet():
    assert tagging.span_f1_v1([["O", "O"]], [["O", "O"]]) == 0.0
    assert tagging.span_f1_v1([["NOUN"]], [["VERB"]]) == 0.0


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (([0], [0, 1], [0]), "lengths differ"),
        (([0, 0], [0, 0], [1, 0]), "fall"),
        (([0], [7], [0]), "from 7 to 7"),
        (([-1], [0], [0]), "from -1 to -1"),
    ],
)
def test_span_counts_refuse_bad_input(arguments, message):
    with pytest.raises(ResultsError, match=message):
        tagging.span_counts_v1(*map(np.array, arguments), BIO)


def test_span_counts_refuse_other_schemes():
    with pytest.raises(ResultsError, match="'S-PER' is no BIO label"):
        tagging.span_counts_v1(np.array([0]), np.array([0]), np.array([0]), ["S-PER"])


def test_span_f1_refuses_sentences_of_unequal_length():
    with pytest.raises(ResultsError, match="one tag per word"):
        tagging.span_f1_v1([["O", "O"]], [["O"]])


def runs(tags):
    """Spans (start, end, tag) of the old rule by a loop: equal neighbours merge, SCONJ and SYM never do."""
    spans, start = set(), 0
    for tag, group in groupby(tags):
        size = len(list(group))
        cuts = [1] * size if tag in ("SCONJ", "SYM") else [size]
        for cut in cuts:
            spans.add((start, start + cut, tag))
            start += cut
    return spans


@settings(max_examples=100, deadline=None)
@given(sentences_of(["NOUN", "X", "CCONJ", "SCONJ", "SYM", "INTJ"]))
def test_old_pos_rule_agrees_with_a_loop(tags):
    gold, predicted = tags
    pairs = [(runs(g), runs(p)) for g, p in zip(gold, predicted, strict=True)]
    found, all_spans = sum(len(g & p) for g, p in pairs), sum(len(g) + len(p) for g, p in pairs)
    assert tagging.xtreme_pos_span_f1_v1(gold, predicted) == pytest.approx(200 * found / all_spans)


@pytest.mark.parametrize(
    ("gold", "predicted", "expected"),
    [
        ("NOUN NOUN VERB", "NOUN NOUN VERB", 100),
        ("NOUN NOUN VERB", "NOUN VERB VERB", 0),  # both spans are wrong, though two of three words are right
        ("NOUN NOUN NOUN", "NOUN X NOUN", 0),  # one wrong word in the middle costs the whole span
        ("SCONJ SCONJ", "SCONJ CCONJ", 50),  # S... words are spans of one word
        ("NOUN X", "NOUN X", 100),
    ],
)
def test_old_pos_rule_by_hand(gold, predicted, expected):
    assert tagging.xtreme_pos_span_f1_v1([gold.split()], [predicted.split()]) == pytest.approx(expected)


def test_old_pos_rule_of_nothing_is_zero():
    assert tagging.xtreme_pos_span_f1_v1([], []) == 0.0


@pytest.mark.filterwarnings("ignore:.*seems not to be NE tag:UserWarning")
@pytest.mark.parametrize(
    ("gold", "predicted", "old", "new"),
    [
        ("NOUN CCONJ", "NOUN SCONJ", 50, 100),  # 1.2.2 cuts the first letter: CCONJ equals SCONJ
        ("NOUN X", "NOUN NOUN", 0, 0),
        ("X", "X", 100, 0),  # 1.2.2 loses an X at the end
    ],
)
def test_seqeval_1_2_2_differs_from_the_old_pos_rule(gold, predicted, old, new):
    sides = [gold.split()], [predicted.split()]
    assert tagging.xtreme_pos_span_f1_v1(*sides) == pytest.approx(old)
    assert 100 * f1_score(*sides, zero_division=0) == pytest.approx(new)


# Calibration

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


@settings(max_examples=100, deadline=None)
@given(st.lists(st.tuples(st.integers(1, 20), st.booleans()), min_size=1, max_size=60))
def test_equal_width_agrees_with_a_loop_on_edges_and_between(items):
    confidence = np.array([k / 20 for k, _ in items])  # every second one lies exactly on an edge
    correct = np.array([float(right) for _, right in items])
    expected = ece_by_loop(confidence, correct, [k / 10 for k in range(11)])
    assert calibration.ece10_equal_width_v1(confidence, correct) == pytest.approx(expected)


@pytest.mark.parametrize("k", range(1, 11))
def test_a_confidence_on_an_edge_belongs_to_the_bin_below(k):
    """k / 10, right, cancels against a wrong item just below it, not against one just above."""
    edge = k / 10
    below = calibration.ece10_equal_width_v1(np.array([edge, edge - 0.05]), np.array([1.0, 0.0]))
    assert below == pytest.approx(100 * abs(2 * edge - 1.05) / 2)
    if k < 10:
        above = calibration.ece10_equal_width_v1(np.array([edge, edge + 0.05]), np.array([1.0, 0.0]))
        assert above == pytest.approx(100 * ((1 - edge) + (edge + 0.05)) / 2)


@pytest.mark.parametrize("ece", ALL_ECE)
def test_saturated_confidence_has_a_place(ece):
    confidence, correct = np.ones(40), np.repeat([1.0, 0.0], [30, 10])
    assert ece(confidence, np.ones(40)) == 0
    assert ece(confidence, correct) == pytest.approx(25, abs=0.02)


@pytest.mark.parametrize("ece", ALL_ECE)
def test_confidence_of_zero_has_a_place(ece):
    assert ece(np.zeros(5), np.ones(5)) == pytest.approx(100)


def test_equal_mass_has_ten_bins_of_equal_size():
    confidence = np.random.default_rng(0).uniform(0.3, 1, 250)
    correct = (np.random.default_rng(1).random(250) < 0.7).astype(float)
    order = np.argsort(confidence)
    bins = np.array_split(order, 10)
    expected = np.mean([100 * abs(confidence[b].mean() - correct[b].mean()) for b in bins])
    assert calibration.ece10_equal_mass_v1(confidence, correct) == pytest.approx(expected)


@pytest.mark.parametrize("ece", ALL_ECE)
def test_order_and_ties_do_not_matter(ece):
    rng = np.random.default_rng(2)
    confidence, correct = np.round(rng.uniform(0.5, 1, 203), 1), rng.integers(0, 2, 203).astype(float)
    mixed = rng.permutation(203)
    assert ece(confidence[mixed], correct[mixed]) == pytest.approx(ece(confidence, correct))


def test_equal_mass_splits_what_ten_does_not_divide():
    """25 items: the ranks ceil(2.5 k) make bins of 3, 2, 3, 2 ..."""
    rng = np.random.default_rng(6)
    confidence, correct = np.linspace(0.4, 0.95, 25), rng.integers(0, 2, 25).astype(float)
    bins = np.split(confidence - correct, np.cumsum([3, 2] * 5)[:-1])
    expected = 100 * sum(abs(gaps.sum()) for gaps in bins) / 25
    assert calibration.ece10_equal_mass_v1(confidence, correct) == pytest.approx(expected)


def test_over_and_underconfidence_in_different_bins_do_not_cancel():
    confidence, correct = np.repeat([0.65, 0.95], 100), np.repeat([1.0, 0.0, 1.0], [95, 5 + 35, 65])
    assert confidence.mean() == pytest.approx(correct.mean())
    assert calibration.ece10_equal_width_v1(confidence, correct) == pytest.approx(30)


@pytest.mark.parametrize("ece", ALL_ECE)
def test_ece_refuses_logits(ece):
    with pytest.raises(ResultsError, match="not logits"):
        ece(np.array([1.5]), np.array([1.0]))
    with pytest.raises(ResultsError, match="not logits"):
        ece(np.array([np.nan]), np.array([1.0]))


CONFIDENCES = {
    "spread": lambda rng: rng.uniform(0.5, 1, 1500),
    "sure": lambda rng: 0.5 + rng.beta(12, 1, 1500) / 2,
    "very sure": lambda rng: 1 - rng.beta(0.4, 12, 1500) / 2,
}


def simulated(draw, shift, repeats=250):
    """Mean plug-in and debiased ECE of models whose accuracy is confidence - shift."""
    rng = np.random.default_rng(7)
    scores = []
    for _ in range(repeats):
        confidence = draw(rng)
        correct = (rng.random(1500) < confidence - shift).astype(float)
        scores.append([ece(confidence, correct) for ece in ALL_ECE[1:]])
    return np.mean(scores, axis=0)


@pytest.mark.parametrize("draw", CONFIDENCES.values(), ids=CONFIDENCES)
def test_debiased_ece_of_a_calibrated_model_is_near_zero(draw):
    plug_in, debiased = simulated(draw, 0.0)
    assert abs(debiased) < 0.25
    assert plug_in > 0.5


def test_plug_in_ece_of_a_calibrated_model_reads_two_points():
    assert simulated(CONFIDENCES["spread"], 0.0)[0] == pytest.approx(2.3, abs=0.4)


@pytest.mark.parametrize("draw", CONFIDENCES.values(), ids=CONFIDENCES)
def test_debiased_ece_finds_a_large_gap(draw):
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


def random_logits(n=400, k=4, scale=2.0):
    rng = np.random.default_rng(5)
    logits = rng.normal(size=(n, k)) * scale
    gold = np.array([rng.choice(k, p=np.exp(row) / np.exp(row).sum()) for row in logits])
    return logits, gold


def test_softmax_is_safe_for_stored_and_large_logits():
    centred = np.array([[0.0, -12.0, -60000.0]], dtype=np.float16)
    probabilities = calibration.softmax(centred)
    assert probabilities.dtype == np.float64
    assert probabilities.sum() == pytest.approx(1, abs=1e-15)
    assert probabilities[0, 1] == pytest.approx(np.exp(-12) / (1 + np.exp(-12)))
    assert calibration.softmax(np.array([[1e4, 0.0]])).tolist() == [[1.0, 0.0]]
    assert calibration.softmax(np.array([[2.0, 0.0]]), temperature=2.0) == pytest.approx(
        calibration.softmax(np.array([[1.0, 0.0]]))
    )


def test_top_label_gives_confidence_and_correctness():
    probabilities = np.array([[0.7, 0.2, 0.1], [0.1, 0.3, 0.6]])
    confidence, correct = calibration.top_label(probabilities, np.array([0, 1]))
    assert (confidence.tolist(), correct.tolist()) == ([0.7, 0.6], [1.0, 0.0])


def test_nll_is_that_of_scipy_and_finite_when_wrong_for_sure():
    logits, gold = random_logits()
    expected = -log_softmax(logits, axis=1)[np.arange(len(gold)), gold].mean()
    assert calibration.nll_v1(logits, gold) == pytest.approx(expected)
    assert calibration.nll_v1(np.array([[0.0, -2000.0]]), np.array([1])) == 2000


@pytest.mark.parametrize("factor", [0.4, 1.0, 3.0])
def test_temperature_undoes_a_scale_and_minimises_nll(factor):
    logits, gold = random_logits(n=3000)
    found = calibration.fit_temperature(logits * factor, gold)
    assert found == pytest.approx(factor, rel=0.1)
    least = minimize_scalar(
        lambda t: calibration.nll_v1(logits * factor / t, gold), bounds=(0.05, 20), method="bounded"
    )
    assert found == pytest.approx(least.x, rel=1e-3)


def test_temperature_stops_at_its_bounds():
    logits = np.array([[3.0, 0.0], [0.0, 2.0]])
    assert calibration.fit_temperature(logits, np.array([0, 1])) == calibration.TEMPERATURES[0]
    assert calibration.fit_temperature(logits, np.array([1, 0])) == calibration.TEMPERATURES[1]


def test_brier_by_hand():
    probabilities = np.array([[0.7, 0.2, 0.1], [0.0, 1.0, 0.0]])
    expected = (0.3**2 + 0.2**2 + 0.1**2 + 1 + 1) / 2
    assert calibration.brier_v1(probabilities, np.array([0, 2])) == pytest.approx(expected)


def test_brier_parts_add_up_and_mean_what_they_say():
    logits, gold = random_logits()
    sharp = calibration.softmax(logits, 0.3)
    parts = calibration.brier_parts_v1(sharp, gold)
    total = parts.reliability - parts.resolution + parts.uncertainty + parts.within_bin
    assert total == pytest.approx(calibration.brier_v1(sharp, gold), abs=1e-12)
    shares = np.bincount(gold) / len(gold)
    assert parts.uncertainty == pytest.approx(1 - (shares**2).sum())
    fair = calibration.brier_parts_v1(calibration.softmax(logits), gold)
    assert parts.reliability > 2 * fair.reliability
    assert parts.resolution == pytest.approx(fair.resolution, rel=0.1)


def test_brier_parts_of_a_constant_forecast():
    """One forecast for all: no resolution; reliability is its squared distance from the base rates."""
    gold = np.repeat([0, 1], [30, 10])
    parts = calibration.brier_parts_v1(np.tile([0.6, 0.4], (40, 1)), gold)
    assert parts.resolution == pytest.approx(0, abs=1e-15)
    assert parts.reliability == pytest.approx(2 * 0.15**2)
    assert parts.within_bin == pytest.approx(0, abs=1e-15)
