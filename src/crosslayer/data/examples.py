"""The one shape that every data source gives out."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Literal

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
        rows: in the order of the file, None for one that is left out; a row is a pair or a sentence.
        has_ids: whether the file names its items.
        left_out: how many rows or tags were left out or changed, by reason.
    """

    format: str
    rows: list[Example | None] = field(default_factory=list)
    has_ids: bool = False
    left_out: Counter[str] = field(default_factory=Counter)

    @property
    def examples(self) -> list[Example]:
        """The rows that are not left out."""
        return [row for row in self.rows if row is not None]

    def places(self, examples: Iterable[Example]) -> dict[int, list[int]]:
        """Where examples stand among all rows, and among those not left out, by the number of these rows."""
        items = [example.item for example in examples]
        index = {row.item: place for place, row in enumerate(self.rows) if row is not None}
        kept = {item: place for place, item in enumerate(index)}
        return {len(self.rows): [index[item] for item in items], len(kept): [kept[item] for item in items]}


def pairs_of(reading: Reading) -> list[PairExample]:
    """The pairs among its examples."""
    return [row for row in reading.examples if isinstance(row, PairExample)]


def corpus_of(readings: Mapping[Key, Reading]) -> Corpus:
    """The examples alone."""
    return {key: reading.examples for key, reading in readings.items()}
