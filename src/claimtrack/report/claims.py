"""What the report says of each claim: in each run, and over all of them."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from math import inf
from pathlib import Path
from xml.etree import ElementTree

from claimtrack.decisions import Decision
from claimtrack.entries import Claimed, Entry
from claimtrack.evidence import Check, Evidence, Measurement
from claimtrack.report import numbers, pictures
from claimtrack.report.runs import RunView
from claimtrack.report.text import anchor
from claimtrack.runs import RunResults
from claimtrack.sections import Drawing, Sections
from claimtrack.statistics import MIN_SEEDS
from claimtrack.verdict import Verdict
from claimtrack.wording import Titles, decision_words, decisions_sentence, measure_title, title


@dataclass(frozen=True)
class PartRow:
    """A `Measurement` as text.

    Attributes:
        decision: on its task, with what would decide it; empty where the rule decides on no task.
        by_seed: ``+0.4, −0.2``; empty where they are not known.
        trials: anchor and name of the tables of its trials.
        drawn: what a figure shows of it; ``None`` where there is nothing to draw.
        axis: unit, quantity, and what keeps it from the axis of the others.
        few: whether it has too few seeds for an interval.
    """

    part: Measurement
    measure: str
    subject: str
    estimate: str
    interval: str
    p_value: str
    decision: str
    by_seed: str
    trials: tuple[tuple[str, str], ...]
    drawn: pictures.Mark | None
    axis: tuple[str, ...]
    few: bool


@dataclass(frozen=True)
class ClaimInRun:
    """What one run says about one claim.

    Attributes:
        answer: the decisions as a sentence, or the sentence behind the verdict where there are none.
        evidence: ``None`` where it was not run.
        folder: of its evidence, in the repository.
        tasks: that were measured, by title.
    """

    run: RunView
    found: Verdict
    answer: str
    evidence: Evidence | None
    parts: tuple[PartRow, ...]
    drawings: tuple[Drawing, ...]
    folder: str
    tasks: tuple[str, ...]

    @property
    def anchor(self) -> str:
        """Under which it is cited, ``C06-xtreme-small``."""
        return anchor(f"{self.found.claim}-{self.run.name}")

    @property
    def headline(self) -> PartRow | None:
        """The row of the number that stands for the claim."""
        place = self.evidence.headline if self.evidence else None
        return None if place is None else self.parts[place]

    @property
    def judged(self) -> tuple[PartRow, ...]:
        """The rows that the verdict reads, or the headline where it reads none."""
        found = tuple(row for row in self.parts if row.part.judged)
        return found or ((self.headline,) if self.headline else ())

    @property
    def others(self) -> tuple[PartRow, ...]:
        """The rows that are shown only; those by language or layer and exploratory ones are in a file beside."""
        rows = (row for row in self.parts if (row.part.language, row.part.layer) == (None, None))
        return tuple(r for r in rows if r not in self.judged and not r.part.note.startswith("Exploratory"))


@dataclass(frozen=True)
class ClaimView:
    """One claim over all runs, those first that are evidence about the paper."""

    entry: Entry
    runs: tuple[ClaimInRun, ...]

    @property
    def lead(self) -> ClaimInRun | None:
        """Of the runs with a verdict, the most relevant one; then that on real data, and most tasks and seeds."""

        def order(item: ClaimInRun) -> tuple[bool, int, int, int, int]:
            seeds = item.evidence.n_seeds if item.evidence else 0
            return not item.found.ran, item.found.rank, item.run.order, -len(item.tasks), -seeds

        return min(self.runs, key=order, default=None)

    @property
    def rest(self) -> tuple[ClaimInRun, ...]:
        """The other runs with a verdict."""
        return tuple(item for item in self.runs if item.found.ran and item != self.lead)

    @property
    def verdict(self) -> str:
        """That of the leading run."""
        return self.lead.found.verdict if self.lead else "not run"

    @property
    def checks(self) -> tuple[Check, ...]:
        """The checks of the leading run."""
        return self.lead.evidence.checks if self.lead and self.lead.evidence else ()

    @property
    def literature_status(self) -> str:
        """What the source report and the primary source say, never the verdict."""
        marks = {True: "verified (✓)", False: "not verified (×)", None: "not marked"}
        unread = "neither supported nor refuted, as far as read,"
        supports = {True: "supported", False: "not supported", None: unread}[self.entry.primary_source.supports]
        return f"{marks[self.entry.verified]} in the source report; {supports} by the primary source"

    @property
    def literature_counts(self) -> str:
        """``2 supports, 1 partly``."""
        found = Counter(item.direction for item in self.entry.literature)
        return ", ".join(f"{n} {direction}" for direction, n in found.items())


def in_run(entry: Entry, run: RunResults, view: RunView, titles: Titles, sections: Sections) -> ClaimInRun:
    """What a run says about the claim of an entry."""
    evidence, verdict = run.evidence.get(entry.id), run.verdicts[entry.id]
    parts, folder = evidence.parts if evidence else (), run.folder / "claims" / entry.id
    measured = {part.task for part in parts if part.estimate is not None}
    said = "" if entry.kind == "question" else decisions_sentence(verdict.decisions, titles)
    return ClaimInRun(
        run=view,
        found=verdict,
        answer=f"{said[:1].upper()}{said[1:]}." if said else verdict.because,
        evidence=evidence,
        parts=tuple(_row(entry, run, view, titles, sections, p) for p in parts),
        drawings=tuple(_drawing(folder, name) for name in (evidence.figures if evidence else ())),
        folder=folder.as_posix(),
        tasks=tuple(found for task, found in titles.items() if task in measured),
    )


def _row(
    entry: Entry, run: RunResults, view: RunView, titles: Titles, sections: Sections, part: Measurement
) -> PartRow:
    verdict = run.verdicts[entry.id]
    decisions = verdict.decisions if part.judged else {}
    found = by_name(decisions, part)
    few = 0 < part.n_seeds < MIN_SEEDS
    signed = sections.is_difference(part.measure)
    places = numbers.decimals(part.interval, part.unit, part.estimate)
    counted = "" if verdict.relevance != "none" else ("no evidence" if view.real else "made-up data")
    layer = None if part.layer is None else f"layer {part.layer}"
    return PartRow(
        part=part,
        measure=measure_title(part.measure, titles),
        subject=", ".join(filter(None, (title(part.subject, titles), part.model, layer, part.language))),
        estimate=numbers.estimate(part, signed),
        interval=numbers.NO_VALUE if few else numbers.interval(part, signed),
        p_value=numbers.NO_VALUE if few else numbers.p_values(part),
        decision=decision_words(found) if found else "",
        by_seed=", ".join(numbers.number(value, places, signed) for value in part.by_seed),
        trials=view.tables(entry.id, part.task) if part.n_seeds else (),
        drawn=_mark(entry.claimed, part, few),
        axis=(part.unit, "difference" if signed else part.measure, counted),
        few=few,
    )


def by_name(decisions: Mapping[str, Decision], part: Measurement) -> Decision | None:
    """What is decided on a measurement, under whichever of its names."""
    return next((decisions[name] for name in part.names if name in decisions), None)


def _mark(claimed: Claimed, part: Measurement, few: bool) -> pictures.Mark | None:
    if part.estimate is None:
        return None
    return pictures.Mark(
        estimate=part.estimate,
        interval=(part.interval.low, part.interval.high) if part.interval and not few else None,
        seeds=part.by_seed,
        reported=claimed.reported(part.task) if part.unit == claimed.unit and part.judged else None,
        claimed=_band(claimed, part),
    )


def _band(claimed: Claimed, part: Measurement) -> tuple[float, float] | None:
    """The claimed range, where it has two ends and is in the unit of the measure."""
    low, high = claimed.bounds
    if part.measure in claimed.measures:
        low, high = claimed.measures[part.measure].bounds
    elif part.measure in claimed.signs or part.unit != claimed.unit:
        return None
    return (low, high) if high - low < inf else None


def _drawing(folder: Path, name: str) -> Drawing:
    """A figure of the evidence; only SVG files in the claim's own folder are read, none with code."""
    path = folder / name
    inside = path.name == name and path.suffix == ".svg" and path.is_file() and not path.is_symlink()
    svg = path.read_bytes() if inside else None
    return Drawing(name, svg if svg and _is_still(svg) else None)


def _is_still(svg: bytes) -> bool:
    """Whether a drawing that is opened by itself runs nothing: no scripts, no handlers, no foreign content."""
    try:
        elements = list(ElementTree.fromstring(svg).iter())
    except ElementTree.ParseError:
        return False
    names = {element.tag.rpartition("}")[2].lower() for element in elements}
    attributes = [pair for element in elements for pair in element.attrib.items()]
    return not names & {"script", "foreignobject", "animate", "set"} and not any(
        name.rpartition("}")[2].lower().startswith("on")
        or "javascript:" in re.sub(r"[\x00-\x20]", "", value.lower())
        for name, value in attributes
    )
