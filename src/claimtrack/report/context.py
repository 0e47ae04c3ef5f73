"""Everything that the report says of the claims, gathered once; HTML and LaTeX only set it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from math import inf
from pathlib import Path
from typing import Any

from markupsafe import Markup

from claimtrack.errors import ClaimError
from claimtrack.evidence import Check, Evidence, Measurement
from claimtrack.registry import Claimed, Entry, Registry, Source, VerdictName
from claimtrack.report import numbers, pictures
from claimtrack.report.bibliography import Reference, load_references
from claimtrack.report.prose import Deviation, Prose, check_citations, load_deviations, load_prose, setting
from claimtrack.report.runs import RunView, view_run
from claimtrack.report.sections import Chapter, Drawing, Section, Sections
from claimtrack.report.summary import Summary, summarise
from claimtrack.report.text import anchor
from claimtrack.results import RunResults
from claimtrack.statistics import MIN_SEEDS
from claimtrack.verdict import Verdict
from claimtrack.wording import decisions_sentence, measure_title, relevance_note, title, what_decides

MARKS: dict[VerdictName, str] = {
    "reproduced": "●", "partly reproduced": "◐", "not reproduced": "✕", "inconclusive": "?", "not run": "–",
    "improves": "▲", "worsens": "▼", "practically none": "=", "undecided": "?",
}  # fmt: skip
"""A shape beside each verdict, so that nothing hangs on colour."""
SHOWN = 4
"""Rows of a claim that are open."""
FEW = MIN_SEEDS
"""Seeds below which a number has no interval."""


@dataclass(frozen=True)
class PartRow:
    """A `Measurement` as text.

    Attributes:
        decision: on its task, with what would decide it; empty where the rule decides on no task.
        seed_values: ``seed 0 +0.4, seed 1 −0.2``; empty where they are not known.
        trials: anchor and name of the tables of its trials.
        drawn: what a figure shows of it; ``None`` where there is nothing to draw.
        axis: unit, quantity, and what keeps it from the axis of the others.
    """

    part: Measurement
    measure: str
    subject: str
    estimate: str
    interval: str
    p_value: str
    decision: str
    seed_values: str
    trials: tuple[tuple[str, str], ...]
    drawn: pictures.Mark | None
    axis: tuple[str, ...]

    @property
    def few(self) -> bool:
        """Whether it has too few seeds for an interval."""
        return 0 < self.part.n_seeds < FEW


@dataclass(frozen=True)
class ClaimInRun:
    """What one run says about one claim.

    Attributes:
        found: the verdict.
        in_words: its decisions as a sentence, empty without any.
        evidence: ``None`` where it was not run.
        anchor: under which it is cited, ``C06-xtreme-small``.
        folder: of its evidence, in the repository.
        tasks: that were measured, by title.
    """

    run: RunView
    found: Verdict
    in_words: str
    evidence: Evidence | None
    parts: tuple[PartRow, ...]
    drawings: tuple[Drawing, ...]
    anchor: str
    folder: str
    tasks: tuple[str, ...]

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
        rows = (
            row for row in self.parts if row not in self.judged and not row.part.note.startswith("Exploratory")
        )
        return tuple(row for row in rows if row.part.language is None and row.part.layer is None)


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
    def answer(self) -> str:
        """The decisions on the tasks, or the sentence behind the verdict where there are none."""
        if self.lead is None:
            return "There is no run yet."
        question = self.entry.kind == "question"
        return self.lead.found.because if question else self.lead.in_words or self.lead.found.because

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
        """``2 support, 1 partly``."""
        found = Counter(item.direction for item in self.entry.literature)
        return ", ".join(f"{n} {direction}" for direction, n in found.items())


SettingRow = tuple[str, tuple[tuple[str, str], ...]]
"""A setting, and each of its values with the runs that have it."""


@dataclass(frozen=True)
class ReportContext:
    """The whole report.

    Attributes:
        summary: the first screen; ``None`` where the paper asks for none or there is no run.
        sections: this paper's own, rebuilt tables and the like.
        chapters: how the results are put together on paper.
        asks: whether there is a main question, which the first screen answers.
        deviations: each with the values that its settings have.
        paper: the folder of prose, bibliography and templates that differ.
        date, revision: of the report.
    """

    source: Source
    prose: Prose
    claims: tuple[ClaimView, ...]
    runs: tuple[RunView, ...]
    summary: Summary | None
    sections: tuple[Section, ...]
    chapters: tuple[Chapter, ...]
    asks: bool
    deviations: tuple[tuple[Deviation, tuple[SettingRow, ...]], ...]
    references: tuple[Reference, ...]
    paper: Path
    date: str
    revision: str

    @property
    def relevance_note(self) -> str:
        """What the claims are relevant to."""
        return relevance_note({claim.entry.id: claim.entry.relevant_to for claim in self.claims})

    @property
    def measured(self) -> tuple[ClaimView, ...]:
        """The claims that numbers decide, and the question."""
        return tuple(claim for claim in self.claims if claim.entry.kind != "structural")

    @property
    def structural(self) -> tuple[ClaimView, ...]:
        """The claims about what was built."""
        return tuple(claim for claim in self.claims if claim.entry.kind == "structural")

    @property
    def appended(self) -> tuple[ClaimView, ...]:
        """The measured claims that no chapter has."""
        there = {claim for chapter in self.chapters for claim in chapter.claims}
        return tuple(claim for claim in self.measured if claim.entry.id not in there)

    def chapter(self, chapter: Chapter) -> tuple[list[ClaimView], list[Section]]:
        """The claims and sections of a chapter, as far as there are any."""
        claims = {claim.entry.id: claim for claim in self.claims}
        sections = {section.id: section for section in self.sections}
        return (
            [claims[name] for name in chapter.claims if name in claims],
            [sections[name] for name in chapter.sections if name in sections],
        )

    @property
    def items(self) -> list[ClaimInRun]:
        """Every claim in every run."""
        return [item for claim in self.claims for item in claim.runs]

    @property
    def verdicts(self) -> tuple[VerdictName, ...]:
        """The verdicts that occur, in the order of `MARKS`."""
        found = {item.found.verdict for item in self.items}
        return tuple(verdict for verdict in MARKS if verdict in found)

    @property
    def tasks(self) -> tuple[str, ...]:
        """The tasks that any claim was measured on, by title."""
        return tuple(dict.fromkeys(task for item in self.items for task in item.tasks))

    @cached_property
    def axes(self) -> dict[tuple[str, ...], pictures.Axis]:
        """One axis for each quantity; real data, what is no evidence and made-up data have axes of their own."""
        marks: dict[tuple[str, ...], list[pictures.Mark]] = {}
        for row in (row for item in self.items for row in item.parts):
            if row.drawn and row.part.judged:
                marks.setdefault(row.axis, []).append(row.drawn)
        return {key: pictures.axis_of(found, key[0]) for key, found in marks.items()}

    def counts(self, run: RunView) -> tuple[tuple[str, int], ...]:
        """How many claims have each verdict in a run, in the order of `MARKS`."""
        found = Counter(item.found.verdict for item in self.items if item.run == run)
        return tuple((verdict, found[verdict]) for verdict in MARKS if found[verdict])

    def strip(self, row: PartRow) -> Markup:
        """The figure of a row."""
        if row.drawn is None or row.axis not in self.axes:
            return Markup("")
        return pictures.strip(row.drawn, self.axes[row.axis], f"{row.subject}: {row.estimate}, {row.interval}")


def build(
    registry: Registry,
    runs: Sequence[RunResults[Any]],
    *,
    paper: Path,
    sections: Sections | None = None,
    date: str = "",
    revision: str = "",
) -> ReportContext:
    """Gather the report from the registry, the runs, the texts in ``paper`` and what the project adds.

    A `ClaimError` where two runs have one name, or a text in ``paper`` is absent or wrong.
    """
    if twice := [name for name, n in Counter(run.name for run in runs).items() if n > 1]:
        raise ClaimError(f"two runs are called {twice[0]}; rename one of their folders in claims/ledger")
    shown = sections or registry.project.sections()
    runs = sorted(runs, key=lambda run: shown.notes(run).order)
    views = tuple(view_run(run, registry.project, shown) for run in runs)
    prose, deviations = load_prose(paper / "prose.yaml"), load_deviations(paper / "deviations.yaml")
    references = load_references(paper / "references.bib")
    known = {reference.key for reference in references}
    check_citations([prose.question, *prose.limits, *(p.text for p in prose.method)], known, paper / "prose.yaml")
    differences = [text for item in deviations for text in (item.source, item.ours, item.effect)]
    check_citations(differences, known, paper / "deviations.yaml")

    def claim(entry: Entry) -> ClaimView:
        pairs = zip(runs, views, strict=True)
        return ClaimView(entry, tuple(_in_run(entry, run, view, registry, shown) for run, view in pairs))

    return ReportContext(
        source=registry.source,
        prose=prose,
        claims=tuple(map(claim, registry.entries.values())),
        runs=views,
        summary=summarise(registry, runs, shown),
        sections=tuple(shown.sections(runs)),
        chapters=shown.chapters or (Chapter("The claims", tuple(registry.entries)),),
        asks=shown.first is not None,
        deviations=tuple((item, tuple(_settings(item, runs))) for item in deviations),
        references=references,
        paper=paper,
        date=date,
        revision=revision,
    )


def _in_run(
    entry: Entry, run: RunResults[Any], view: RunView, registry: Registry, sections: Sections
) -> ClaimInRun:
    evidence, verdict, titles = run.evidence.get(entry.id), run.verdicts[entry.id], registry.project.titles
    parts = evidence.parts if evidence else ()
    measured = {part.task for part in parts if part.estimate is not None}
    said, folder = decisions_sentence(verdict.decisions, titles), run.folder / "claims" / entry.id
    return ClaimInRun(
        run=view,
        found=verdict,
        in_words=f"{said[:1].upper()}{said[1:]}." if said else "",
        evidence=evidence,
        parts=tuple(_row(entry, run, view, titles, sections, part) for part in parts),
        drawings=tuple(_drawing(folder, name) for name in (evidence.figures if evidence else ())),
        anchor=anchor(f"{entry.id}-{run.name}"),
        folder=folder.as_posix(),
        tasks=tuple(found for task, found in titles.items() if task in measured),
    )


def _row(
    entry: Entry,
    run: RunResults[Any],
    view: RunView,
    titles: Mapping[str, str],
    sections: Sections,
    part: Measurement,
) -> PartRow:
    verdict = run.verdicts[entry.id]
    decisions = verdict.decisions if part.judged else {}
    found = next((decisions[name] for name in part.names if name in decisions), None)
    few = 0 < part.n_seeds < FEW
    seeds = sections.seed_values(run, part) if part.judged else {}
    signed = numbers.is_difference(part.measure)
    places = numbers.decimals(part.interval, part.unit, part.estimate)
    counted = "" if verdict.relevance != "none" else ("no evidence" if view.real else "made-up data")
    return PartRow(
        part=part,
        measure=measure_title(part.measure, titles),
        subject=subject(part, titles),
        estimate=numbers.estimate(part),
        interval=numbers.NO_VALUE if few else numbers.interval(part),
        p_value=numbers.NO_VALUE if few else numbers.p_values(part),
        decision="; ".join(filter(None, (found.decision, what_decides(found), found.note))) if found else "",
        seed_values=", ".join(f"seed {s} {numbers.number(v, places, signed)}" for s, v in seeds.items()),
        trials=view.tables(entry.id, part.task) if part.n_seeds else (),
        drawn=_mark(entry.claimed, part, seeds, few),
        axis=(part.unit, "difference" if signed else part.measure, counted),
    )


def subject(part: Measurement, titles: Mapping[str, str]) -> str:
    """What a part is about: ``XNLI, layer 8, sw``."""
    layer = None if part.layer is None else f"layer {part.layer}"
    return ", ".join(filter(None, (title(part.subject, titles), part.model, layer, part.language)))


def _mark(claimed: Claimed, part: Measurement, seeds: Mapping[int, float], few: bool) -> pictures.Mark | None:
    if part.estimate is None:
        return None
    return pictures.Mark(
        estimate=part.estimate,
        interval=(part.interval.low, part.interval.high) if part.interval and not few else None,
        seeds=seeds,
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
    """A figure of the evidence; only SVG files in the claim's own folder are read."""
    path = folder / name
    inside = path.name == name and path.suffix == ".svg" and path.is_file() and not path.is_symlink()
    return Drawing(name, path.read_bytes() if inside else None)


def _settings(deviation: Deviation, runs: Iterable[RunResults[Any]]) -> Iterator[SettingRow]:
    for key in deviation.settings:
        by_value: dict[str, list[str]] = {}
        for run in runs:
            by_value.setdefault(setting(run.profile, key), []).append(run.name)
        if by_value:
            yield key, tuple((value, ", ".join(names)) for value, names in by_value.items())
