"""What the replication of a paper adds to the report (`Sections`), and the shapes that it fills.

Everything here is text, ready to be shown: the templates escape it and know nothing else of the paper.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import unescape

from claimtrack.decisions import Decision
from claimtrack.evidence import Measurement
from claimtrack.runs import RunResults


@dataclass(frozen=True)
class Cell:
    """A cell of a table: its text, and what stands small below it."""

    text: str
    small: str = ""


@dataclass(frozen=True)
class Table:
    """A table whose first column names the rows; ``closed``: a reader opens it first.

    ``groups`` stand above the head: a title and how many columns it spans, the first column left out.
    """

    caption: str
    head: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]
    groups: tuple[tuple[str, int], ...] = ()
    closed: bool = False


@dataclass(frozen=True)
class Drawing:
    """A figure: its name and its SVG, ``None`` where the file is not there."""

    name: str
    svg: bytes | None

    @property
    def title(self) -> str:
        """The picture in words, as its SVG has them, or else its name."""
        found = re.search(rb"<title>(.*?)</title>", self.svg or b"", re.DOTALL)
        words = unescape(found[1].decode(errors="replace")) if found else ""
        return " ".join(words.split()) or self.name


@dataclass(frozen=True)
class Section:
    """A section of this paper's own: prose (citations and code as in ``prose.yaml``), then what it shows."""

    id: str
    title: str
    text: tuple[str, ...] = ()
    points: tuple[str, ...] = ()
    figures: tuple[Drawing, ...] = ()
    tables: tuple[Table, ...] = ()


@dataclass(frozen=True)
class RunNotes:
    """What a reader has to know of a run.

    Attributes:
        cautions: label and banner of each thing that its numbers cannot show.
        setting: rows of name and value: encoder, data, what was trained.
        size: the amount of data, in a few words.
        order: where it stands among the runs; 0 comes first, and of equals the run of most seeds.
        real: whether its data are real ones; others never stand on one axis with them.
    """

    cautions: tuple[tuple[str, str], ...] = ()
    setting: tuple[tuple[str, str], ...] = ()
    size: str = ""
    order: int = 0
    real: bool = True


@dataclass(frozen=True)
class FirstScreen:
    """What the first screen asks, and of which claims.

    Attributes:
        question: one sentence.
        claim, size: the claim whose decisions are drawn, and the one whose decisions stand beside them.
        axis: what is drawn, with its unit.
        note: what a reader has to know of the picture.
        others: short questions by the id of the claim that answers them.
        words: what a decision of ``claim`` is called.
        built: what the structural claims say together.
    """

    question: str
    claim: str
    size: str
    axis: str
    note: str
    others: Mapping[str, str]
    words: Mapping[str, str]
    built: str


@dataclass(frozen=True)
class Chapter:
    """A chapter of the results on paper: its claims, and the sections (by id) that belong to it."""

    title: str
    claims: tuple[str, ...]
    sections: tuple[str, ...] = ()


class Sections:
    """The report of any paper; one with more to say overrides what it needs."""

    first: FirstScreen | None = None
    chapters: tuple[Chapter, ...] = ()
    differences: tuple[str, ...] = ("_minus_", "_over_", "difference", "change", "gain")
    """Words in the name of a measure that is a difference."""

    def is_difference(self, measure: str) -> bool:
        """Whether values of a measure are shown with their sign."""
        return any(word in measure for word in self.differences)

    def notes(self, run: RunResults) -> RunNotes:
        """See `RunNotes`."""
        return RunNotes()

    def distinct(self, run: RunResults) -> Mapping[str, str]:
        """By key, what tells trials of one name apart, for example their precision."""
        return {}

    def remark(self, part: Measurement) -> str:
        """What stands beside a judged number because it restricts it: ``layer 8 only``."""
        return ""

    def sentences(self, gain: Mapping[str, Decision], size: Mapping[str, Decision], claimed: str) -> Sequence[str]:
        """Two sentences that answer the question of the first screen; ``claimed`` is the range of ``size``."""
        return ()

    def costs(self, runs: Sequence[RunResults]) -> Sequence[str]:
        """What else would decide the rest, each with its cost."""
        return ()

    def sections(self, runs: Sequence[RunResults]) -> Sequence[Section]:
        """Tables of the paper, rebuilt, and the like."""
        return ()
