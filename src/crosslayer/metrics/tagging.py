"""Scores of tasks with one label a word.

Two rules, each under its own name: span F1 as seqeval 1.2.2 counts BIO tags, and the span F1 on bare
part-of-speech tags that XTREME reports (seqeval 0.0.12 on tags without prefix).

Arguments of all: ``gold`` and ``predicted``, label ids (N,); ``sentence``, the index of each word's sentence (N,),
from 0, never falling; ``labels``, their names. Counts have one row a sentence.

Notation: N words in reading order, S sentences.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from claimtrack.errors import ResultsError
from crosslayer.metrics.classification import Floats, Ids

Bools = npt.NDArray[np.bool_]
Counts = npt.NDArray[np.int64]


def span_counts_v1(gold: Ids, predicted: Ids, sentence: Ids, labels: Sequence[str]) -> Counts:
    """Spans found, predicted and gold in each sentence, (S, 3), by the rule of span_f1_v1.

    It is that of seqeval 1.2.2 in its default (conlleval) mode, ``get_entities``. A span starts at B-X, and at I-X
    that stands at the start of a sentence or after O or another type; it goes on over I-X. It is found when start,
    end and type agree. Labels are O, B-X and I-X.
    """
    return _span_counts(sentence, *(_bio_spans(ids, sentence, labels) for ids in (gold, predicted)))


def xtreme_pos_span_counts_v1(gold: Ids, predicted: Ids, sentence: Ids, labels: Sequence[str]) -> Counts:
    """Spans found, predicted and gold in each sentence, (S, 3), of XTREME's part-of-speech "F1".

    It is seqeval 0.0.12's rule for bare tags: neighbouring equal tags of a sentence are one span and every word is
    in one. A tag whose first letter is S (SCONJ, SYM) is read as a one-word span, as in BIOES: those words never
    merge. Two habits of seqeval 1.2.2 are absent: cutting off a tag's first letter (so that CCONJ and SCONJ
    collide) and losing an X at the end of a sentence.
    """
    single = np.array([label.startswith("S") for label in labels])

    def spans(tags: Ids) -> _Spans:
        return _spans(tags, single[tags] | _changes(sentence), np.ones(len(tags), dtype=bool))

    return _span_counts(sentence, spans(gold), spans(predicted))


def span_confidence_v1(
    probability: Floats, gold: Ids, predicted: Ids, sentence: Ids, labels: Sequence[str]
) -> tuple[Floats, Floats]:
    """Confidence and correctness (0 or 1) of each predicted span, both (P,), by the rule of `span_counts_v1`.

    A span's confidence is the product of its words' probabilities (N,), above 0, of their predicted labels: that
    all of them are right if words were independent. It is correct if a gold span has its words and type. As
    ``sentence`` any values do that differ between neighbours.
    """
    if not probability.all():
        raise ResultsError(f"probability is 0 at {int(probability.argmin())}: no model predicts such a label")
    true, guess = (_bio_spans(ids, sentence, labels) for ids in (gold, predicted))
    start = np.flatnonzero(guess.end >= 0)
    total = np.append(0.0, np.cumsum(np.log(probability)))
    confidence = np.exp(total[guess.end[start] + 1] - total[start])
    correct = (true.end[start] == guess.end[start]) & (true.kind[start] == guess.kind[start])
    return np.minimum(confidence, 1.0), correct.astype(np.float64)


class _Spans(NamedTuple):
    """Spans of N words: type of each word, and where a span starts the index of its last word, else -1."""

    kind: Ids
    end: Ids


def _bio_spans(ids: Ids, sentence: Ids, labels: Sequence[str]) -> _Spans:
    types = ["O", *sorted({label[2:] for label in labels} - {""})]
    kind = np.array([types.index(label[2:] or "O") for label in labels])[ids]
    begins = np.array([label.startswith("B-") for label in labels])[ids]
    return _spans(kind, begins | _changes(sentence), kind > 0)


def _spans(kind: Ids, start: Bools, inside: Bools) -> _Spans:
    """Spans of equal kinds ``inside``, which begin anew at each ``start``."""
    start = inside & (start | _changes(kind))
    last = inside & np.append(start[1:] | ~inside[1:], True)
    end = np.full(len(kind), -1)
    end[start] = np.flatnonzero(last)
    return _Spans(kind, end)


def _changes(values: Ids) -> Bools:
    """Where another value stands than before."""
    return np.append(True, values[1:] != values[:-1])


def _span_counts(sentence: Ids, gold: _Spans, predicted: _Spans) -> Counts:
    starts = gold.end >= 0
    masks = (starts & (gold.end == predicted.end) & (gold.kind == predicted.kind), predicted.end >= 0, starts)
    counts = [np.bincount(sentence[mask], minlength=int(sentence[-1]) + 1) for mask in masks]
    return np.stack(counts, axis=1).astype(np.int64)
