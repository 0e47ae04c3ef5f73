"""Everything that the report says, gathered once; HTML and LaTeX only set it."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from html import unescape
from itertools import starmap
from pathlib import Path
from typing import TYPE_CHECKING, get_args

from claimtrack.errors import ClaimError
from claimtrack.evidence import Evidence, Measurement
from claimtrack.registry import (
    Claimed,
    Entry,
    Expected,
    Registry,
    RelevanceValue,
    Source,
    VerdictName,
)
from claimtrack.report import numbers
from claimtrack.report.bibliography import Reference, load_references
from claimtrack.report.layers import GAINS, NEAR, LayerTable, layer_table, near_table
from claimtrack.report.modes import ModePanel, mode_panels
from claimtrack.report.paper import (
    Deviation,
    Prose,
    check_citations,
    load_deviations,
    load_prose,
    setting,
)
from claimtrack.report.runs import RunView, view_run
from claimtrack.wording import (
    EVIDENCE,
    NOTHING_MEASURED,
    SEALED,
    decided_title,
    decisions_sentence,
    evidence_about,
    measure_title,
    relevance_note,
    task_title,
    what_decides,
)
from crosslayer.tasks import TASK_NAMES, TASKS

if TYPE_CHECKING:
    from claimtrack.decisions import Decision
    from claimtrack.results import RunResults
    from claimtrack.verdict import Verdict

CALIBRATION = "Q01"
"""The claim about calibration, which the paper gives a section of its own."""
HEADLINES = ("C02", "C06", "C07", CALIBRATION)
MARKS: dict[VerdictName, str] = {
    "reproduced": "●", "partly reproduced": "◐", "not reproduced": "✕", "inconclusive": "?", "not run": "–",
    "improves": "▲", "worsens": "▼", "practically none": "=", "undecided": "?",
}  # fmt: skip
"""A shape beside each verdict, so that nothing hangs on colour."""
_RELEVANCE: tuple[RelevanceValue, ...] = get_args(RelevanceValue)
"""The most relevant first."""


@dataclass(frozen=True)
class DecisionRow:
    """The decision on one task as text; ``needed`` says which seeds would decide it, where it is undecided."""

    about: str
    decision: str
    needed: str
    note: str


@dataclass(frozen=True)
class Outcome:
    """A verdict as shown: its name, the sentence behind it, what kind of evidence it is, whether its rule was
    sealed before the trials (a sentence, or empty), and the decisions on the tasks.

    Attributes:
        in_words: the decisions as a sentence, empty without any.
        hours: ``hours not recorded`` where seeds would decide and their cost is not known.
    """

    verdict: VerdictName
    because: str
    relevance: RelevanceValue
    relevant_to: str
    relevance_reason: str
    sealed: str = ""
    decisions: tuple[DecisionRow, ...] = ()
    in_words: str = ""
    hours: str = ""

    @property
    def mark(self) -> str:
        """The shape of the verdict."""
        return MARKS[self.verdict]

    @property
    def evidence(self) -> str:
        """``indirect evidence``."""
        return EVIDENCE[self.relevance]

    @property
    def evidence_about(self) -> str:
        """``Indirect evidence about the paper``."""
        return evidence_about(self.relevance, self.relevant_to)

    @property
    def slug(self) -> str:
        """The verdict as a class name."""
        return self.verdict.replace(" ", "-")


@dataclass(frozen=True)
class PartRow:
    """A `Measurement` as text; ``detail`` marks rows by language or layer, ``judged`` what the verdict reads."""

    measure: str
    subject: str
    estimate: str
    interval: str
    detectable: str
    p_value: str
    seeds: int
    items: int
    note: str
    judged: bool
    detail: bool

    @property
    def exploratory(self) -> bool:
        """Whether it was looked at without a question put before."""
        return self.note.startswith("Exploratory")


@dataclass(frozen=True)
class PlotRow:
    """An estimate to draw, in the unit of its panel; ``reported`` is the paper's value."""

    run: str
    subject: str
    estimate: float
    interval: tuple[float, float] | None
    expected: tuple[float, float] | None
    reported: float | None


@dataclass(frozen=True)
class Panel:
    """The rows of one measure, with the claimed range, which may be infinite on one side."""

    measure: str
    unit: str
    claimed: tuple[float, float] | None
    rows: tuple[PlotRow, ...]


@dataclass(frozen=True)
class Drawing:
    """A notebook's figure: its name and its SVG, ``None`` where the file is not there."""

    name: str
    svg: bytes | None

    @property
    def title(self) -> str:
        """The picture in words, as its SVG has them, or else its name."""
        found = re.search(rb"<title>(.*?)</title>", self.svg or b"", re.DOTALL)
        words = unescape(found[1].decode(errors="replace")) if found else ""
        return " ".join(words.split()) or self.name


@dataclass(frozen=True)
class ClaimInRun:
    """What one run says about one claim; ``evidence`` is ``None`` where it was not run.

    Attributes:
        anchor: under which it is cited, ``C06-xtreme-pilot``.
        folder: of its evidence, in the repository.
    """

    run: RunView
    outcome: Outcome
    evidence: Evidence | None
    parts: tuple[PartRow, ...]
    expected: tuple[Expected, ...]
    drawings: tuple[Drawing, ...]
    anchor: str
    folder: str

    @property
    def tasks(self) -> tuple[str, ...]:
        """The tasks that were measured, by title."""
        parts = self.evidence.parts if self.evidence else ()
        measured = {part.task for part in parts if part.estimate is not None}
        return tuple(TASKS[task].title for task in TASK_NAMES if task in measured)

    @property
    def headline(self) -> PartRow | None:
        """The row of the number that stands for the claim."""
        place = self.evidence.headline if self.evidence else None
        return None if place is None else self.parts[place]


@dataclass(frozen=True)
class ClaimView:
    """One claim over all runs; ``lead`` is the most relevant run."""

    entry: Entry
    runs: tuple[ClaimInRun, ...]
    panels: tuple[Panel, ...]

    @property
    def lead(self) -> ClaimInRun | None:
        """Of the runs with a verdict, the most relevant one, then that on most tasks and seeds."""
        ran = [item for item in self.runs if item.outcome.verdict != "not run"]

        def rank(item: ClaimInRun) -> tuple[int, int, int]:
            seeds = item.evidence.n_seeds if item.evidence else 0
            return _RELEVANCE.index(item.outcome.relevance), -len(item.tasks), -seeds

        return min(ran or self.runs, key=rank, default=None)

    @property
    def answer(self) -> str:
        """What the first screen says: the decisions on the tasks, or the sentence behind the verdict where there
        are none or where the verdict is an answer of its own."""
        if self.lead is None:
            return "There is no run yet."
        outcome = self.lead.outcome
        return outcome.because if self.entry.id == CALIBRATION else outcome.in_words or outcome.because

    @property
    def literature_status(self) -> str:
        """What the source report and the primary source say, never the verdict."""
        marks = {True: "verified (✓)", False: "not verified (×)", None: "a question, not marked"}
        supports = {
            True: "supported",
            False: "not supported",
            None: "neither supported nor refuted, as far as read,",
        }
        found = supports[self.entry.primary_source.supports]
        return f"{marks[self.entry.verified]} in the source report; {found} by the primary source"


@dataclass(frozen=True)
class DeviationView:
    """A deviation with the values that its settings have: key, then value and the runs that have it."""

    deviation: Deviation
    settings: tuple[tuple[str, tuple[tuple[str, str], ...]], ...]


@dataclass(frozen=True)
class ReportContext:
    """The whole report; ``tables`` are the paper's Table 1 rebuilt, ``near`` its Tables 2 and 3, ``modes`` the
    tasks measured with a frozen and a fine-tuned trunk, ``paper`` the folder of templates and bibliography."""

    source: Source
    prose: Prose
    claims: tuple[ClaimView, ...]
    runs: tuple[RunView, ...]
    tables: tuple[LayerTable, ...]
    near: tuple[LayerTable, ...]
    modes: tuple[ModePanel, ...]
    deviations: tuple[DeviationView, ...]
    references: tuple[Reference, ...]
    paper: Path

    @property
    def relevance_note(self) -> str:
        """What the claims are relevant to."""
        return relevance_note({claim.entry.id: claim.entry.relevant_to for claim in self.claims})

    @property
    def headlines(self) -> tuple[ClaimView, ...]:
        """The claims of the first screen, those of them that the registry has."""
        return tuple(claim for claim in self.claims if claim.entry.id in HEADLINES)

    @property
    def verdicts(self) -> tuple[VerdictName, ...]:
        """The verdicts that occur, in the order of `MARKS`."""
        found = {item.outcome.verdict for claim in self.claims for item in claim.runs}
        return tuple(verdict for verdict in MARKS if verdict in found)

    @property
    def tasks(self) -> tuple[str, ...]:
        """The tasks that any claim was measured on, by title."""
        found = {task for claim in self.claims for item in claim.runs for task in item.tasks}
        return tuple(TASKS[task].title for task in TASK_NAMES if TASKS[task].title in found)

    def counts(self, run: RunView) -> tuple[tuple[str, int], ...]:
        """How many claims have each verdict in a run, in the order of `MARKS`."""
        found = Counter(item.outcome.verdict for claim in self.claims for item in claim.runs if item.run == run)
        return tuple((verdict, found[verdict]) for verdict in MARKS if found[verdict])


def build(registry: Registry, runs: Sequence[RunResults], *, paper: Path) -> ReportContext:
    """Gather the report from the registry, the runs and the texts in ``paper``.

    Raises:
        ClaimError: two runs of one name, or a text in ``paper`` that is absent or wrong.
    """
    _check_names(run.name for run in runs)
    views = tuple(map(view_run, runs))
    prose, deviations = load_prose(paper / "prose.yaml"), load_deviations(paper / "deviations.yaml")
    references = load_references(paper / "references.bib")
    known = {reference.key: reference for reference in references}
    check_citations([prose.question, *prose.limits, *(p.text for p in prose.method)], known, paper / "prose.yaml")
    check_citations(
        [t for d in deviations for t in (d.source, d.ours, d.effect)], known, paper / "deviations.yaml"
    )
    return ReportContext(
        source=registry.source,
        prose=prose,
        claims=tuple(_claim(entry, runs, views) for entry in registry.entries.values()),
        runs=views,
        tables=_tables(layer_table, GAINS, runs, views),
        near=_tables(near_table, NEAR, runs, views),
        modes=mode_panels(runs),
        deviations=tuple(DeviationView(d, tuple(_settings(d, runs))) for d in deviations),
        references=references,
        paper=paper,
    )


def _tables(
    build_table: Callable[[RunView, Evidence | None], LayerTable | None],
    claim: str,
    runs: Sequence[RunResults],
    views: Sequence[RunView],
) -> tuple[LayerTable, ...]:
    """The table of every run that has one; first those that are evidence about the paper."""
    found = [build_table(view, run.evidence.get(claim)) for run, view in zip(runs, views, strict=True)]
    return tuple(sorted(filter(None, found), key=lambda table: _last_shown(table.run)))


def _last_shown(run: RunView) -> tuple[bool, bool]:
    """The fragment comes last, before it a frozen encoder."""
    return "fragment" in run.labels, "frozen" in run.labels


def part_row(part: Measurement) -> PartRow:
    """A part as text."""
    return PartRow(
        measure=measure_title(part.measure),
        subject=subject(part) or "all",
        estimate=numbers.estimate(part),
        interval=numbers.interval(part),
        detectable=numbers.detectable(part),
        p_value=numbers.p_values(part),
        seeds=part.n_seeds,
        items=part.n_items,
        note=part.note,
        judged=part.judged,
        detail=part.language is not None or part.layer is not None,
    )


def subject(part: Measurement) -> str:
    """What a part is about: ``XNLI, layer 8, sw``."""
    layer = None if part.layer is None else f"layer {part.layer}"
    return ", ".join(filter(None, (task_title(part.task), part.model, layer, part.language)))


def _claim(entry: Entry, runs: Sequence[RunResults], views: Sequence[RunView]) -> ClaimView:
    found = tuple(_claim_in_run(entry, run, view) for run, view in zip(runs, views, strict=True))
    return ClaimView(entry, found, tuple(_panels(entry, found)))


def _claim_in_run(entry: Entry, run: RunResults, view: RunView) -> ClaimInRun:
    evidence = run.evidence.get(entry.id)
    recorded = None if run.name == "fresh" else run.name
    return ClaimInRun(
        run=view,
        outcome=_outcome(entry, run.verdicts.get(entry.id)),
        evidence=evidence,
        parts=tuple(map(part_row, evidence.parts)) if evidence else (),
        expected=tuple(entry.expectations(run.profile.profile, recorded)),
        drawings=tuple(_drawing(run.folder / "claims" / entry.id, name) for name in evidence.figures)
        if evidence
        else (),
        anchor=re.sub(r"[^\w.-]+", "-", f"{entry.id}-{run.name}"),
        folder=(run.folder / "claims" / entry.id).as_posix(),
    )


def _outcome(entry: Entry, verdict: Verdict | None) -> Outcome:
    if verdict is None or verdict.verdict == "not run":
        because = verdict.because if verdict else "There is no evidence in this run."
        return Outcome("not run", because, "none", entry.relevant_to, NOTHING_MEASURED)
    in_words = decisions_sentence(verdict.decisions)
    return Outcome(
        verdict.verdict,
        verdict.because,
        verdict.relevance,
        verdict.relevant_to,
        verdict.relevance_reason,
        SEALED[verdict.sealed],
        tuple(starmap(_decision_row, verdict.decisions.items())),
        f"{in_words[:1].upper()}{in_words[1:]}." if in_words else "",
        "hours not recorded" if any(d.seeds and d.hours is None for d in verdict.decisions.values()) else "",
    )


def _decision_row(name: str, found: Decision) -> DecisionRow:
    return DecisionRow(decided_title(name), found.decision, what_decides(found), found.note)


def _drawing(folder: Path, name: str) -> Drawing:
    """A figure of the evidence; only SVG files in the claim's own folder are read."""
    path = folder / name
    inside = path.name == name and path.suffix == ".svg" and path.is_file() and not path.is_symlink()
    return Drawing(name, path.read_bytes() if inside else None)


def _panels(entry: Entry, runs: Iterable[ClaimInRun]) -> Iterable[Panel]:
    """The judged parts and the headline of each run, by measure and unit."""
    rows: dict[tuple[str, str], list[PlotRow]] = {}
    for item in runs:
        for part in _drawn(item.evidence):
            rows.setdefault((part.measure, part.unit), []).append(_plot_row(entry.claimed, item, part))
    for (measure, unit), found in rows.items():
        yield Panel(measure_title(measure), unit, _range(entry.claimed, measure, unit), tuple(found))


def _drawn(evidence: Evidence | None) -> list[Measurement]:
    if evidence is None:
        return []
    return [
        part
        for index, part in enumerate(evidence.parts)
        if (part.judged or index == evidence.headline) and part.estimate is not None
    ]


def _plot_row(claimed: Claimed, item: ClaimInRun, part: Measurement) -> PlotRow:
    expected = [e for e in item.expected if (e.measure, e.task) == (part.measure, part.task)]
    by_task = {str(t): value for t, value in claimed.by_task.items() if t not in claimed.other_metric}
    assert part.estimate is not None
    return PlotRow(
        run=f"{item.run.name} (fragment)" if "fragment" in item.run.labels else item.run.name,
        subject=subject(part),
        estimate=part.estimate,
        interval=(part.interval.low, part.interval.high) if part.interval else None,
        expected=(expected[0].low, expected[0].high) if expected else None,
        reported=by_task.get(part.task or "") if part.unit == claimed.unit else None,
    )


def _range(claimed: Claimed, measure: str, unit: str) -> tuple[float, float] | None:
    """The claimed range of a measure: its sign, or the bounds where they are in its unit."""
    if sign := claimed.signs.get(measure):
        return (0.0, float("inf")) if sign == "+" else (float("-inf"), 0.0)
    bounded = claimed.low is not None or claimed.high is not None
    return claimed.bounds if bounded and claimed.unit == unit else None


def _settings(
    deviation: Deviation, runs: Sequence[RunResults]
) -> Iterable[tuple[str, tuple[tuple[str, str], ...]]]:
    for key in deviation.settings:
        by_value: dict[str, list[str]] = {}
        for run in runs:
            by_value.setdefault(setting(run.profile, key), []).append(run.name)
        if by_value:
            yield key, tuple((value, ", ".join(names)) for value, names in by_value.items())


def _check_names(names: Iterable[str]) -> None:
    twice = [name for name, count in Counter(names).items() if count > 1]
    if twice:
        raise ClaimError(f"two runs are called {twice[0]}; rename one of their folders in claims/ledger")
