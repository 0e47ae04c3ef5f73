"""The one shape that every data source gives out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

Split = Literal["train", "dev", "test"]
SPLITS: tuple[Split, ...] = ("train", "dev", "test")


@dataclass(frozen=True, slots=True)
class PairExample:
    """Two texts and one label; ``item`` is the same in all languages where the data are parallel."""

    item: str
    first: str
    second: str
    label: str


@dataclass(frozen=True, slots=True)
class TagExample:
    """A sentence as words with one tag each."""

    item: str
    words: tuple[str, ...]
    tags: tuple[str, ...]


Example = PairExample | TagExample
Corpus = Mapping[tuple[Split, str], list[Example]]
"""Examples of one task by (split, language)."""

Parallel = Mapping[str, list[tuple[str, str, str]]]
"""Language -> (item, text, English text), for sentence retrieval."""
