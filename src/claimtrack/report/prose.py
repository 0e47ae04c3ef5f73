"""What people wrote for the report: paragraphs, deviations, notes on data; checked, and shared by both outputs."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Mapping, Set
from pathlib import Path
from typing import Any

from markupsafe import Markup
from pydantic import TypeAdapter, ValidationError

from claimtrack.errors import ClaimError
from claimtrack.evidence import Strict
from claimtrack.settings import describe, read_yaml, validated

_CITED = re.compile(r"\[@([\w:.-]+(?:; @[\w:.-]+)*)\]")
_MARKED = re.compile(rf"{_CITED.pattern}|`([^`]+)`")


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


def load_prose(path: Path) -> Prose:
    """Read ``prose.yaml``; a `ClaimError` names what is wrong."""
    return validated(read_yaml(path), Prose, str(path))


def load_deviations(path: Path) -> tuple[Deviation, ...]:
    """Read ``deviations.yaml``; a `ClaimError` names what is wrong."""
    try:
        found = TypeAdapter(tuple[Deviation, ...]).validate_python(read_yaml(path))
    except ValidationError as error:
        raise ClaimError(f"{path}: {describe(error, Deviation)}") from None
    for name, n in Counter(deviation.id for deviation in found).items():
        if n > 1:
            raise ClaimError(f"{path}: two deviations have the id {name}; give one another id")
    return found


def set_prose(
    text: str, plain: Callable[[str], str], cite: Callable[[list[str]], str], code: Callable[[str], str]
) -> Markup:
    """A paragraph, set: plain stretches, citations ``[@key; @key]`` by their keys, and what is in backquotes."""
    first, *rest = _MARKED.split(text)
    shown = [plain(first)]
    for cited, name, after in zip(rest[::3], rest[1::3], rest[2::3], strict=True):
        shown += [cite(cited.split("; @")) if cited else code(name), plain(after)]
    return Markup("".join(shown))


def check_citations(text: str, known: Set[str], where: Path | str) -> None:
    """Raise a `ClaimError` for a citation without a reference."""
    cited = {key for keys in _CITED.findall(text) for key in keys.split("; @")}
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
