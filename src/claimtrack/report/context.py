"""Everything that the report says of the claims, gathered once; HTML and LaTeX only set it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import product
from pathlib import Path

from markupsafe import Markup

from claimtrack.entries import Source, VerdictName
from claimtrack.registry import Registry
from claimtrack.report import pictures
from claimtrack.report.bibliography import Reference, load_references
from claimtrack.report.claims import ClaimInRun, ClaimView, PartRow, in_run
from claimtrack.report.prose import Deviation, Prose, check_citations, load_deviations, load_prose, setting
from claimtrack.report.runs import RunView, view_run
from claimtrack.report.summary import Summary, summarise
from claimtrack.runs import RunResults
from claimtrack.sections import Chapter, Section
from claimtrack.wording import relevance_note

MARKS: dict[VerdictName, str] = {
    "reproduced": "●", "partly reproduced": "◐", "not reproduced": "✕", "inconclusive": "?", "not run": "–",
    "improves": "▲", "worsens": "▼", "practically none": "=", "undecided": "?",
}  # fmt: skip
"""A shape beside each verdict, so that nothing hangs on colour."""
SHOWN = 4
"""Rows of a claim that are open."""
Values = Mapping[str, Mapping[str, Sequence[str]]]
"""By setting and value, the runs that have it."""


@dataclass(frozen=True)
class ReportContext:
    """The whole report.

    Attributes:
        summary: the first screen; ``None`` where the paper asks for none or there is no run.
        asks: whether there is a main question, which the first screen answers.
        deviations: each with the values that its settings have.
        paper: the folder of prose, bibliography and templates that differ.
    """

    source: Source
    prose: Prose
    claims: tuple[ClaimView, ...]
    runs: tuple[RunView, ...]
    summary: Summary | None
    sections: tuple[Section, ...]
    chapters: tuple[Chapter, ...]
    asks: bool
    deviations: tuple[tuple[Deviation, Values], ...]
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
        """The claims and sections of a chapter that exist."""
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
        for row in (row for item in self.items for row in item.judged):
            marks.setdefault(row.axis, []).extend([row.drawn] if row.drawn else [])
        return {key: pictures.axis_of(found, key[0]) for key, found in marks.items()}

    def strip(self, row: PartRow) -> Markup:
        """The figure of a row."""
        said = f"{row.subject}: {row.estimate}, {row.interval}"
        return pictures.strip(row.drawn, self.axes[row.axis], said) if row.drawn else Markup()


def build(
    registry: Registry,
    runs: Sequence[RunResults],
    *,
    paper: Path,
    date: str = "",
    revision: str = "",
) -> ReportContext:
    """Gather the report from the registry, the runs, the texts in ``paper`` and what the project adds.

    A `ClaimError` where a text in ``paper`` is absent or wrong.
    """
    plugin, shown = registry.project, registry.project.sections()
    most = {run.name: max((e.n_seeds for e in run.evidence.values()), default=0) for run in runs}
    runs = sorted(runs, key=lambda run: (shown.notes(run).order, -most[run.name]))
    views = tuple(view_run(run, plugin, shown) for run in runs)
    pairs = list(zip(runs, views, strict=True))
    claims = tuple(
        ClaimView(entry, tuple(in_run(entry, run, view, plugin.titles, shown) for run, view in pairs))
        for entry in registry.entries.values()
    )
    prose, deviations = load_prose(paper / "prose.yaml"), load_deviations(paper / "deviations.yaml")
    references, sections = load_references(paper / "references.bib"), tuple(shown.sections(runs))
    known = {reference.key for reference in references}
    measured = tuple(claim for claim, entry in registry.entries.items() if entry.kind != "structural")
    check_citations(str(prose), known, paper / "prose.yaml")
    check_citations(str(deviations), known, paper / "deviations.yaml")
    check_citations(str([section.text for section in sections]), known, f"the plugin {registry.plugin}")
    return ReportContext(
        source=registry.source,
        prose=prose,
        claims=claims,
        runs=views,
        summary=summarise(claims, shown, shown.costs(runs), plugin.titles),
        sections=sections,
        chapters=shown.chapters or (Chapter("The claims", measured),),
        asks=shown.first is not None,
        deviations=tuple((item, _values(item, runs)) for item in deviations),
        references=references,
        paper=paper,
        date=date,
        revision=revision,
    )


def _values(deviation: Deviation, runs: Iterable[RunResults]) -> Values:
    found: dict[str, dict[str, list[str]]] = {}
    for key, run in product(deviation.settings, runs):
        found.setdefault(key, {}).setdefault(setting(run.profile, key), []).append(run.name)
    return found
