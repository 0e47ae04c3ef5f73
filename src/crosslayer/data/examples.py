"""The one shape that every data source gives out."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, Self

from crosslayer.errors import DataError
from crosslayer.tasks import Task

Split = Literal["train", "dev", "test"]
SPLITS: tuple[Split, ...] = ("train", "dev", "test")


@dataclass(frozen=True, slots=True)
class PairExample:
    """Two texts and one label; ``item`` is the same in all languages where the data are parallel."""

    item: str
    first: str
    second: str
    label: str

    @classmethod
    def checked(cls, task: Task, item: str, first: Any, second: Any, label: Any, where: str) -> Self:
        """A pair of values from outside; a DataError that names ``where`` if one is not what it should be."""
        return cls(item, text_of(first, where), text_of(second, where), _label_of(label, task, where))


@dataclass(frozen=True, slots=True)
class TagExample:
    """A sentence as words with one tag each."""

    item: str
    words: tuple[str, ...]
    tags: tuple[str, ...]

    @classmethod
    def checked(cls, task: Task, item: str, words: Any, tags: Any, where: str) -> Self:
        """A sentence of values from outside; errors as `PairExample.checked`."""
        if not isinstance(words, list) or not isinstance(tags, list):
            raise DataError(f"{where} holds no lists of words and tags")
        if len(words) != len(tags):
            raise DataError(f"{where}: {len(words)} words but {len(tags)} tags")
        tags = tuple(_label_of(tag, task, where) for tag in tags)
        return cls(item, tuple(text_of(word, where) for word in words), tags)


Example = PairExample | TagExample
Key = tuple[Split, str]
"""Split and language."""
Corpus = Mapping[Key, list[Example]]
"""Examples of one task."""

Parallel = Mapping[str, list[tuple[str, str, str]]]
"""Language -> (item, text, English text), for sentence retrieval."""


@dataclass
class Reading:
    """The content of a file, or of what a source has for a split and language.

    Attributes:
        format: its name.
        has_ids: whether the file names its items.
        examples: in the order of the file.
        left_out: how many rows or tags were left out or changed, by reason.
        rows: the rows that hold an example, counted from 0; a row is a pair or a sentence.
        row_of: the row of each example, by its item.
        n_rows: how many rows there are with those left out.
    """

    format: str
    has_ids: bool = False
    examples: list[Example] = field(default_factory=list)
    left_out: Counter[str] = field(default_factory=Counter)
    rows: list[int] = field(default_factory=list)
    row_of: dict[str, int] = field(default_factory=dict)
    n_rows: int = 0

    def add(self, rows: Iterable[Example | None]) -> Self:
        """Further rows of the file, None for one that is left out; returns itself."""
        for example in rows:
            if example is not None:
                self.examples.append(example)
                self.rows.append(self.n_rows)
                self.row_of[example.item] = self.n_rows
            self.n_rows += 1
        return self

    def keep(self, numbered: Iterable[tuple[int, Example]]) -> None:
        """Keep some examples, each with its index among those of now; they may have new items."""
        kept = list(numbered)
        self.row_of = {example.item: self.rows[index] for index, example in kept}
        self.examples = [example for _, example in kept]

    def places(self, examples: Iterable[Example]) -> dict[int, list[int]]:
        """Where examples stand among all rows of the file, and among those read, by the number of these rows."""
        rows = [self.row_of[example.item] for example in examples]
        index = {row: i for i, row in enumerate(self.rows)}
        return {self.n_rows: rows, len(self.rows): [index[row] for row in rows]}


def corpus_of(readings: Mapping[Key, Reading]) -> Corpus:
    """The examples alone."""
    return {key: reading.examples for key, reading in readings.items()}


def text_of(value: Any, where: str) -> str:
    """The value if it is a text, else a DataError."""
    if not isinstance(value, str):
        raise DataError(f"{where}: {value!r:.40} is no text")
    return value


def _label_of(label: Any, task: Task, where: str) -> str:
    if label not in task.labels:
        kind = "tag" if task.kind == "tags" else "label"
        raise DataError(f"{where}: unknown {kind} {label!r:.80}; known: {', '.join(task.labels)}")
    return str(label)
