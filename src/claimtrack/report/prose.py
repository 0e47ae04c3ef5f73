"""What people wrote for the report: paragraphs, deviations, notes on data; checked, and shared by both outputs."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Set
from pathlib import Path
from typing import Any, Literal, NamedTuple

from pydantic import TypeAdapter, ValidationError

from claimtrack.errors import ClaimError
from claimtrack.evidence import Strict
from claimtrack.settings import describe, read_yaml, validated

_MARKED = re.compile(r"\[(@[\w:.-]+(?:; @[\w:.-]+)*)\]|`([^`]+)`")


class Paragraph(Strict):
    """A paragraph with a heading."""

    title: str
    text: str


class DataNote(Strict):
    """A corpus or encoder: its name, its terms, and what to know of it."""

    name: str
    terms: str
    note: str


class Prose(Strict):
    """``prose.yaml``."""

    title: str
    question: str
    method: tuple[Paragraph, ...]
    limits: tuple[str, ...]
    data: tuple[DataNote, ...]
    data_note: str


class Deviation(Strict):
    """One entry of ``deviations.yaml``: a difference from the paper, or a choice where it is silent.

    Attributes:
        source: what the paper says.
        ours: what is done here.
        effect: what that may change.
        settings: dotted keys of the profile that decide it; ``*`` stands for each task.
    """

    id: str
    topic: str
    source: str
    ours: str
    effect: str
    settings: tuple[str, ...]


class Piece(NamedTuple):
    """A stretch of prose: plain text, a citation key, or the name of something in the code."""

    kind: Literal["text", "cite", "code"]
    text: str


def load_prose(path: Path) -> Prose:
    """Read ``prose.yaml``; a `ClaimError` names what is wrong."""
    return validated(read_yaml(path), Prose, str(path))


def load_deviations(path: Path) -> tuple[Deviation, ...]:
    """Read ``deviations.yaml``; a `ClaimError` names what is wrong."""
    try:
        return TypeAdapter(tuple[Deviation, ...]).validate_python(read_yaml(path))
    except ValidationError as error:
        raise ClaimError(f"{path}: {describe(error, Deviation)}") from None


def pieces(text: str) -> Iterator[Piece]:
    """Split prose at ``[@key; @key]`` and at backquotes."""
    end = 0
    for match in _MARKED.finditer(text):
        if match.start() > end:
            yield Piece("text", text[end : match.start()])
        cited = (match[1] or "").replace("@", "").replace("; ", ",")
        yield Piece("cite", cited) if cited else Piece("code", match[2])
        end = match.end()
    if text[end:]:
        yield Piece("text", text[end:])


def check_citations(texts: Iterable[str], known: Set[str], where: Path | str) -> None:
    """Raise a `ClaimError` for a citation without a reference."""
    cited = {key for text in texts for kind, keys in pieces(text) if kind == "cite" for key in keys.split(",")}
    if unknown := sorted(cited - known):
        raise ClaimError(f"{where} cites {unknown[0]}, which references.bib does not have; add it there")


def setting(profile: Any, key: str) -> str:
    """The value of a dotted key as text; with ``*``, the values of all tasks, one if they agree.

    Raises:
        ClaimError: the profile model has no such key.
    """
    section, star, rest = key.partition(".*.")
    try:
        if not star:
            return _show(_walk(profile, key))
        values = {name: _show(_walk(task, rest)) for name, task in _walk(profile, section).items()}
    except (AttributeError, KeyError):
        raise ClaimError(f"deviations.yaml: no profile has the key {key}; correct settings there") from None
    if len(set(values.values())) <= 1:
        return next(iter(values.values()), "none")
    return ", ".join(f"{name} {value}" for name, value in values.items())


def _walk(value: Any, key: str) -> Any:
    for part in key.split("."):
        value = value[part] if isinstance(value, Mapping) else getattr(value, part)
    return value


def _show(value: Any) -> str:
    if value is None:
        return "all"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list | tuple):
        return " ".join(map(str, value)) or "none"
    return f"{value:g}" if isinstance(value, float) else str(value)
