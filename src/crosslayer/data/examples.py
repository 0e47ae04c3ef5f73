"""The one shape that every data source gives out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
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
Corpus = Mapping[tuple[Split, str], list[Example]]
"""Examples of one task by (split, language)."""

Parallel = Mapping[str, list[tuple[str, str, str]]]
"""Language -> (item, text, English text), for sentence retrieval."""


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
