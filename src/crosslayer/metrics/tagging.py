"""Scores of tasks with one label a word.

Three rules, each under its own name: share of right words, span F1 as seqeval 1.2.2 counts BIO tags, and
the span F1 on bare part-of-speech tags that XTREME reports (seqeval 0.0.12 on tags without prefix).

Notation: N words in reading order, S sentences.
"""

from __future__ import annotations

import re
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from claimtrack.errors import ResultsError
from crosslayer.metrics.classification import f1_from_counts, share_from_counts
from crosslayer.metrics.inputs import Ids, confidences, label_ids

Bools = npt.NDArray[np.bool_]
Counts = npt.NDArray[np.int64]
Tags = Sequence[Sequence[str]]


def token_accuracy_v1(gold: Ids, predicted: Ids, sentence: Ids) -> float:
    """Share of right words over all sentences together, in points; arguments as in `token_counts_v1`."""
    return float(share_from_counts(token_counts_v1(gold, predicted, sentence).sum(axis=0).astype(float)))


def token_counts_v1(gold: Ids, predicted: Ids, sentence: Ids) -> Counts:
    """Right words and all words of each sentence, (S, 2).

    Args:
        gold, predicted: label ids, both (N,).
        sentence: index of each word's sentence, (N,), from 0, never falling; S is the last one plus 1.

    Raises:
        ResultsError: the lengths differ, a sentence index falls, or there is no word.
    """
    gold, predicted, sentence = _checked(gold, predicted, sentence)
    return _by_sentence(sentence, gold == predicted, np.ones(len(gold), dtype=bool))


def span_f1_v1(gold_tags: Tags, predicted: Tags) -> float:
    """Micro span F1 in points by seqeval 1.2.2 in its default (conlleval) mode; 0 where there is no span.

    Raises:
        ResultsError: a tag is not BIO, or the sentences or their words differ in number.
    """
    gold, guess, _ = _flat_tags(gold_tags, predicted)
    _read_bio(sorted({*gold, *guess}))
    from seqeval.metrics import f1_score

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        score = f1_score([list(tags) for tags in gold_tags], [list(tags) for tags in predicted], zero_division=0)
    return float(100 * score)


def span_counts_v1(gold_ids: Ids, predicted_ids: Ids, sentence_index: Ids, labels: Sequence[str]) -> Counts:
    """Spans found, predicted and gold in each sentence, (S, 3), by the rule of `span_f1_v1`.

    A span starts at B-X, and at I-X that stands at the start of a sentence or after O or another type; it
    goes on over I-X. A span is found when start, end and type agree (seqeval 1.2.2, ``get_entities``).

    Args:
        gold_ids, predicted_ids: indices into `labels`, both (N,).
        sentence_index: index of each word's sentence, (N,), from 0, never falling.
        labels: "O", "B-X" and "I-X".

    Raises:
        ResultsError: lengths, order, an id outside `labels`, or a label that is not BIO.
    """
    gold_ids, predicted_ids, sentence = _checked(gold_ids, predicted_ids, sentence_index, labels)
    kinds, begins = _read_bio(labels)
    first = _sentence_starts(sentence)
    spans = [_bio_spans(kinds[ids], begins[ids], first) for ids in (gold_ids, predicted_ids)]
    return _span_counts(spans[0], spans[1], sentence)


def xtreme_pos_span_f1_v1(gold_tags: Tags, predicted: Tags) -> float:
    """XTREME's part-of-speech "F1" in points: micro span F1 of bare tags; 0 where there is no word.

    The rule is `xtreme_pos_span_counts_v1`'s. Two habits of seqeval 1.2.2 are absent from it: cutting off a
    tag's first letter (so that CCONJ and SCONJ collide) and losing an X at the end of a sentence.

    Raises:
        ResultsError: the sentences or their words differ in number.
    """
    gold, guess, sentence = _flat_tags(gold_tags, predicted)
    if not len(sentence):
        return 0.0
    labels, ids = np.unique(np.concatenate([gold, guess]), return_inverse=True)
    counts = xtreme_pos_span_counts_v1(ids[: len(gold)], ids[len(gold) :], sentence, labels.tolist())
    return float(f1_from_counts(counts.sum(axis=0).astype(float)))


def xtreme_pos_span_counts_v1(
    gold_ids: Ids, predicted_ids: Ids, sentence_index: Ids, labels: Sequence[str]
) -> Counts:
    """Spans found, predicted and gold in each sentence, (S, 3), by seqeval 0.0.12's rule for bare tags.

    Neighbouring equal tags of a sentence are one span and every word is in one. A tag whose first letter is
    S (SCONJ, SYM) is read as a one-word span, as in BIOES: those words never merge.

    Args and errors as in `span_counts_v1`, but `labels` are bare tags.
    """
    gold_ids, predicted_ids, sentence = _checked(gold_ids, predicted_ids, sentence_index, labels)
    single = np.array([label.startswith("S") for label in labels])
    first = _sentence_starts(sentence)
    spans = [_run_spans(ids, single[ids], first) for ids in (gold_ids, predicted_ids)]
    return _span_counts(spans[0], spans[1], sentence)


def span_confidence_v1(
    probability: npt.NDArray[np.float64],
    gold_ids: Ids,
    predicted_ids: Ids,
    sentence_index: Ids,
    labels: Sequence[str],
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Confidence and correctness (0 or 1) of each predicted span, both (P,).

    A span's confidence is the product of its words' probabilities of their predicted labels: that all of them are
    right if words were independent. It is correct if a gold span has its words and type.

    Args:
        probability: of each word's predicted label, (N,).
        gold_ids, predicted_ids, sentence_index, labels: as in `span_counts_v1`.

    Raises:
        ResultsError: as there, or a probability that is none or 0.
    """
    gold_ids, predicted_ids, sentence = _checked(gold_ids, predicted_ids, sentence_index, labels)
    probability, _ = confidences(probability, np.equal(gold_ids, predicted_ids))
    if not probability.all():
        raise ResultsError(f"probability is 0 at {int(probability.argmin())}: no model predicts such a label")
    kind, begins = _read_bio(labels)
    first = _sentence_starts(sentence)
    gold, predicted = (_bio_spans(kind[ids], begins[ids], first) for ids in (gold_ids, predicted_ids))
    start = np.flatnonzero(predicted.end >= 0)
    total = np.append(0.0, np.cumsum(np.log(probability)))
    confidence = np.exp(total[predicted.end[start] + 1] - total[start])
    correct = (gold.end[start] == predicted.end[start]) & (gold.kind[start] == predicted.kind[start])
    return np.minimum(confidence, 1.0), correct.astype(np.float64)


@dataclass(frozen=True)
class _Spans:
    """Spans of N words: type of each word, and where a span starts the index of its last word, else -1."""

    kind: Ids
    end: Ids


def _bio_spans(kind: Ids, begins: Bools, first: Bools) -> _Spans:
    inside = kind >= 0
    start = inside & (begins | first | (kind != np.roll(kind, 1)))
    return _Spans(kind, _ends(start, inside))


def _run_spans(kind: Ids, single: Bools, first: Bools) -> _Spans:
    start = first | single | (kind != np.roll(kind, 1))
    return _Spans(kind, _ends(start, np.ones(len(kind), dtype=bool)))


def _ends(start: Bools, inside: Bools) -> Ids:
    last = inside & np.append(start[1:] | ~inside[1:], True)
    end = np.full(len(start), -1)
    end[start] = np.flatnonzero(last)
    return end


def _span_counts(gold: _Spans, predicted: _Spans, sentence: Ids) -> Counts:
    starts = gold.end >= 0
    found = starts & (gold.end == predicted.end) & (gold.kind == predicted.kind)
    return _by_sentence(sentence, found, predicted.end >= 0, starts)


def _by_sentence(sentence: Ids, *masks: Bools) -> Counts:
    size = int(sentence[-1]) + 1
    return np.stack([np.bincount(sentence[mask], minlength=size) for mask in masks], axis=1).astype(np.int64)


def _sentence_starts(sentence: Ids) -> Bools:
    return np.append(True, sentence[1:] != sentence[:-1])


def _read_bio(labels: Sequence[str]) -> tuple[Ids, Bools]:
    """Type number of each label (-1 for O) and whether it begins a span."""
    for label in labels:
        if not re.fullmatch("O|[BI]-.+", label):
            raise ResultsError(f"{label!r} is no BIO label: use O, B-X and I-X")
    types = sorted({label[2:] for label in labels if label != "O"})
    kinds = np.array([-1 if label == "O" else types.index(label[2:]) for label in labels])
    return kinds, np.array([label.startswith("B-") for label in labels])


def _checked(
    gold: Ids, predicted: Ids, sentence: Ids, labels: Sequence[str] | None = None
) -> tuple[Ids, Ids, Ids]:
    gold, predicted = label_ids(None if labels is None else len(labels), gold=gold, predicted=predicted)
    gold, sentence = label_ids(gold=gold, sentence=sentence)
    if np.any(np.diff(sentence) < 0):
        raise ResultsError("sentence indices fall: sort the words by sentence, then by position")
    return gold, predicted, sentence


def _flat_tags(gold: Tags, predicted: Tags) -> tuple[list[str], list[str], npt.NDArray[Any]]:
    if any(isinstance(tags, str) for tags in (*gold, *predicted)):
        raise ResultsError("tags are not in sentences: give a list of tags a sentence")
    lengths = [[len(tags) for tags in side] for side in (gold, predicted)]
    if lengths[0] != lengths[1]:
        raise ResultsError("gold and predicted tags differ in sentences or words: give one tag per word")
    if not gold:
        raise ResultsError("no items to score (there is no sentence): check the predictions")
    sentence = np.repeat(np.arange(len(gold)), lengths[0])
    return [t for tags in gold for t in tags], [t for tags in predicted for t in tags], sentence
