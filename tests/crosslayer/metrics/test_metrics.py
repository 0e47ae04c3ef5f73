"""Metrics against second implementations, hand-made cases and simulation."""

from __future__ import annotations

from functools import partial
from itertools import chain, groupby

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from seqeval.metrics import f1_score
from sklearn.metrics import accuracy_score

from crosslayer.metrics import tagging, task_score
from crosslayer.metrics.classification import f1_from_counts
from crosslayer.tasks import TASKS

BIO = TASKS["ner"].labels


def ids(sentences, labels):
    flat = [labels.index(tag) for tags in sentences for tag in tags]
    return np.array(flat), np.repeat(np.arange(len(sentences)), [len(tags) for tags in sentences])


sentences_of = lambda tags: st.lists(  # noqa: E731
    st.lists(st.tuples(st.sampled_from(tags), st.sampled_from(tags)), min_size=1, max_size=9),
    min_size=1,
    max_size=5,
).map(lambda rows: tuple([[pair[side] for pair in row] for row in rows] for side in (0, 1)))


def counts_of(rule, gold, predicted, labels):
    """Counts by sentence of tags in sentences."""
    gold_ids, sentence = ids(gold, labels)
    return rule(gold_ids, ids(predicted, labels)[0], sentence, labels)


def share_of_equals(gold, predicted):
    return accuracy_score([*chain(*gold)], [*chain(*predicted)])


SECOND = {
    "accuracy_v1": share_of_equals, "token_accuracy_v1": share_of_equals,
    "span_f1_v1": partial(f1_score, zero_division=0),
}  # fmt: skip
"""Second implementation of the metric of each name and version."""


@pytest.mark.filterwarnings("ignore:.*true nor predicted samples")
@pytest.mark.parametrize("task", TASKS)
@settings(max_examples=50)
@given(data=st.data())
def test_a_task_is_scored_by_the_metric_that_it_names(task, data):
    labels = TASKS[task].labels
    gold, predicted = data.draw(sentences_of(labels))
    gold_ids, sentence = ids(gold, labels)
    score = task_score(task, gold_ids, ids(predicted, labels)[0], sentence)
    assert score == pytest.approx(100 * SECOND[TASKS[task].metric](gold, predicted))


@pytest.mark.filterwarnings("ignore:.*true nor predicted samples")
@settings(max_examples=150)
@given(sentences_of(BIO))
def test_span_counts_agree_with_seqeval(tags):
    gold, predicted = tags
    counts = counts_of(tagging.span_counts_v1, gold, predicted, BIO).astype(float)
    each = [100 * f1_score([g], [p], zero_division=0) for g, p in zip(gold, predicted, strict=True)]
    assert f1_from_counts(counts) == pytest.approx(each)
    assert f1_from_counts(counts.sum(axis=0)) == pytest.approx(100 * f1_score(gold, predicted, zero_division=0))


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


POS = ["NOUN", "X", "CCONJ", "SCONJ", "SYM", "INTJ"]


@settings(max_examples=100)
@given(sentences_of(POS))
def test_old_pos_rule_agrees_with_a_loop(tags):
    pairs = [(runs(gold), runs(predicted)) for gold, predicted in zip(*tags, strict=True)]
    counts = counts_of(tagging.xtreme_pos_span_counts_v1, *tags, POS)
    assert counts.tolist() == [[len(gold & predicted), len(predicted), len(gold)] for gold, predicted in pairs]
