"""The one shape that every data source gives out."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Literal, Self

Split = Literal["train", "dev", "test"]
SPLITS: tuple[Split, ...] = ("train", "dev", "test")


@dataclass(frozen=True, slots=True)
class PairExample:
    """Two texts and one label; ``item`` is the same in all languages where the data are parallel.

    Pairs for sentence retrieval are a text and its English, without a label.
    """

    item: str
    first: str
    second: str
    label: str = ""


@dataclass(frozen=True, slots=True)
class TagExample:
    """A sentence as words with one tag each."""

    item: str
    words: tuple[str, ...]
    tags: tuple[str, ...]


Example = PairExample | TagExample
Key = tuple[Split, str]
"""Split and language."""
Corpus = Mapping[Key, list[Example]]
"""Examples of one task."""

Parallel = Mapping[str, list[PairExample]]
"""Pairs for sentence retrieval by language."""


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


def pairs_of(reading: Reading) -> list[PairExample]:
    """The pairs among its examples."""
    return [row for row in reading.examples if isinstance(row, PairExample)]


def corpus_of(readings: Mapping[Key, Reading]) -> Corpus:
    """The examples alone."""
    return {key: reading.examples for key, reading in readings.items()}
