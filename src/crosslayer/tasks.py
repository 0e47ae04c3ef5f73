"""The four tasks of the paper as data (XTREME protocol, arXiv 2003.11080)."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

TaskName = Literal["xnli", "pawsx", "ner", "pos"]
Kind = Literal["pair", "tags"]
TASK_NAMES: tuple[TaskName, ...] = ("xnli", "pawsx", "ner", "pos")

UPOS = (
    "ADJ", "ADP", "ADV", "AUX", "CCONJ", "DET", "INTJ", "NOUN", "NUM",
    "PART", "PRON", "PROPN", "PUNCT", "SCONJ", "SYM", "VERB", "X",
)  # fmt: skip
"""The 17 universal part-of-speech tags (universaldependencies.org/u/pos)."""


@dataclass(frozen=True)
class Task:
    """One task.

    Attributes:
        name: the short name used in paths and tables.
        title: the name used in prose.
        kind: ``pair`` (one label for two texts) or ``tags`` (one label for each word).
        labels: label names; a label id is an index into this tuple.
        languages: the XTREME languages of the task, ISO 639-1, English included.
        metric: the name and version of the metric that scores it.
    """

    name: TaskName
    title: str
    kind: Kind
    labels: tuple[str, ...]
    languages: tuple[str, ...]
    metric: str

    def known(self, label: object) -> str:
        """A label of the task; a ValueError where it is none."""
        if label not in self.labels:
            kind = "tag" if self.kind == "tags" else "label"
            raise ValueError(f"unknown {kind} {label!r:.80}; known: {', '.join(self.labels)}")
        return str(label)


TASKS: dict[TaskName, Task] = {
    "xnli": Task(
        "xnli", "XNLI", "pair", ("entailment", "neutral", "contradiction"),
        tuple("ar bg de el en es fr hi ru sw th tr ur vi zh".split()), "accuracy_v1",
    ),
    "pawsx": Task(
        "pawsx", "PAWS-X", "pair", ("0", "1"),
        tuple("de en es fr ja ko zh".split()), "accuracy_v1",
    ),
    "ner": Task(
        "ner", "NER", "tags", ("O", "B-PER", "I-PER", "B-ORG", "I-ORG", "B-LOC", "I-LOC"),
        tuple(
            "af ar bg bn de el en es et eu fa fi fr he hi hu id it ja jv ka kk ko ml mr ms my nl pt ru "
            "sw ta te th tl tr ur vi yo zh".split()
        ),
        "span_f1_v1",
    ),
    "pos": Task(
        "pos", "POS", "tags", UPOS,
        tuple(
            "af ar bg de el en es et eu fa fi fr he hi hu id it ja kk ko mr nl pt ru ta te th tl tr ur "
            "vi yo zh".split()
        ),
        "token_accuracy_v1",
    ),
}  # fmt: skip

INTERMEDIATE: dict[TaskName, TaskName] = {"xnli": "ner", "pawsx": "ner", "ner": "xnli", "pos": "xnli"}
"""Target task -> the task of its intermediate training: tags before sentences, sentences before tags."""


def english_first(codes: Iterable[str]) -> tuple[str, ...]:
    """Each language code once: English, then the others by name."""
    return tuple(sorted(set(codes), key=lambda code: (code != "en", code)))
