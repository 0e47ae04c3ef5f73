"""The first screen: two sentences, one picture, how sure that is and why, and what would decide the rest."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, get_args

from claimtrack.decisions import Decision
from claimtrack.evidence import Evidence
from claimtrack.registry import Entry, Registry
from claimtrack.report import numbers, pictures
from claimtrack.report.sections import FirstScreen, Sections
from claimtrack.report.text import anchor
from claimtrack.results import RunResults
from claimtrack.verdict import Verdict
from claimtrack.wording import EVIDENCE, title

ENOUGH = 10
"""Seeds a task below which they count as few."""
Certainty = Literal["high", "moderate", "low"]


@dataclass(frozen=True)
class SummaryRow(pictures.Row):
    """One task: what is drawn and said of it, the decisions on the claim beside the number and on its size below.

    Attributes:
        seeds: of the number.
        value: the number with its interval.
        link: the anchor of its trials.
    """

    seeds: int
    value: str
    link: str


@dataclass(frozen=True)
class Summary:
    """The first screen.

    Attributes:
        asked: what it asks, and of which claims.
        measured_on: the encoder, where it is not the paper's.
        sentences: the answer.
        certainty, reasons: how sure that is, and what takes from it.
        rows: one a task.
        others: question, claim id and verdict of other claims.
        deciding: what would decide the rest and what it costs, one line each.
        built: how many of the structural claims hold, as a sentence.
    """

    asked: FirstScreen
    measured_on: str
    sentences: tuple[str, ...]
    certainty: Certainty
    reasons: tuple[str, ...]
    axis: pictures.Axis
    rows: tuple[SummaryRow, ...]
    others: tuple[tuple[str, str, str], ...]
    deciding: tuple[str, ...]
    built: str

    def svg(self) -> str:
        """The picture as a file of its own."""
        said = "; ".join(f"{r.label} {r.value}, {r.words}" for r in self.rows)
        heads = ("", "", f"gain ({self.asked.claim}); below it, its size ({self.asked.size})")
        return pictures.whole(self.rows, self.axis, f"{self.axis.unit}: {said}", heads, self.asked.note)

    def strip(self, row: SummaryRow) -> str:
        """The picture of a row."""
        return pictures.strip(row.mark, self.axis, f"{row.label}: {row.value}, {row.words}") if row.mark else ""


def summarise(registry: Registry, runs: Sequence[RunResults[Any]], sections: Sections) -> Summary | None:
    """The first screen from the most relevant run of its claim; ``None`` where nothing was measured."""
    first = sections.first
    if first is None or first.claim not in registry.entries:
        return None
    ran = [run for run in runs if run.verdicts[first.claim].ran]
    if not ran:
        return None
    lead = min(ran, key=lambda run: (run.verdicts[first.claim].rank, sections.notes(run).order))
    verdict, evidence = lead.verdicts[first.claim], lead.evidence[first.claim]
    size, entry = lead.verdicts.get(first.size), registry.entries.get(first.size)
    claimed = " to ".join(f"{bound:g}" for bound in entry.claimed.bounds) if entry else ""
    rows = tuple(_rows(registry, first, lead, sections))
    structural = [entry.id for entry in registry.entries.values() if entry.kind == "structural"]
    held = sum(_verdict_of(claim, runs) == "reproduced" for claim in structural)
    certainty, reasons = grade(verdict, evidence)
    return Summary(
        asked=first,
        measured_on=", ".join(label for label, _ in sections.notes(lead).cautions),
        sentences=tuple(sections.sentences(verdict.decisions, size.decisions if size else {}, claimed)),
        certainty=certainty,
        reasons=reasons,
        axis=pictures.axis_of([row.mark for row in rows if row.mark], first.axis),
        rows=rows,
        others=tuple((question, claim, _verdict_of(claim, runs)) for claim, question in first.others.items()),
        deciding=(*_deciding(verdict, evidence, registry.project.titles), *sections.costs(runs)),
        built=f"{first.built}: {held} of {len(structural)} checks" if structural else "",
    )


def grade(verdict: Verdict, evidence: Evidence) -> tuple[Certainty, tuple[str, ...]]:
    """How sure an answer is, after the grading of systematic reviews: high, less one step for each reason."""
    reasons = []
    if verdict.relevance != "direct":
        reasons.append(EVIDENCE[verdict.relevance])
    found = [decision.decision for decision in verdict.decisions.values()]
    if unknown := sum(name in ("undecided", "missing") for name in found):
        reasons.append(f"{unknown} of {len(found)} tasks undecided")
    judged = [part.n_seeds for part in evidence.parts if part.judged and part.n_seeds]
    if judged and min(judged) < ENOUGH:
        reasons.append("few seeds")
    if verdict.sealed is False:
        reasons.append("rules written after seeing results")
    steps: tuple[Certainty, ...] = get_args(Certainty)
    return steps[min(len(reasons), 2)], tuple(reasons)


def _rows(
    registry: Registry, first: FirstScreen, run: RunResults[Any], sections: Sections
) -> Iterator[SummaryRow]:
    verdict, evidence = run.verdicts[first.claim], run.evidence[first.claim]
    entry, size = registry.entries[first.claim], run.verdicts.get(first.size)
    other = registry.entries.get(first.size)
    keys = set(evidence.trials)
    trials = [trial for trial in registry.project.trials(run.folder).values() if trial.key in keys]
    links = {trial.subject: anchor(f"trials-{run.name}-{trial.stage}-{trial.subject}") for trial in trials}
    for part in (part for part in evidence.parts if part.judged and part.task):
        task, decision = str(part.task), verdict.decisions.get(str(part.task))
        if decision is None:
            continue
        seeds = sections.seed_values(run, part)
        mark = None
        value = estimate = "not measured"
        if part.estimate is not None:
            span = (part.interval.low, part.interval.high) if part.interval else None
            band = other.claimed.bounds if other else None
            mark = pictures.Mark(part.estimate, span, seeds, entry.claimed.reported(task), band)
            value = estimate = numbers.number(part.estimate, 1, signed=True)
            value += f" ({numbers.number(span[0], 1)} to {numbers.number(span[1], 1)})" if span else ""
        sized = size.decisions.get(task) if size else None
        yield SummaryRow(
            label=title(task, registry.project.titles),
            small=", ".join(filter(None, (f"{part.n_seeds} seeds", sections.remark(part)))),
            mark=mark,
            estimate=estimate,
            words=_words(decision, first.words),
            beside=_size(sized, part.estimate, other) if sized else "",
            seeds=part.n_seeds,
            value=value,
            link=links.get(task, ""),
        )


def _words(decision: Decision, words: Mapping[str, str]) -> str:
    said = words.get(decision.decision, decision.decision)
    return f"{said} ({decision.seeds} seeds would decide)" if decision.seeds else said


def _size(decision: Decision, estimate: float | None, entry: Entry | None) -> str:
    """The decision on a claimed range in words."""
    if decision.decision != "refuted" or estimate is None or entry is None:
        return {"holds": "as large as claimed"}.get(decision.decision, decision.decision)
    return "larger than claimed" if estimate > entry.claimed.bounds[1] else "smaller than claimed"


def _verdict_of(claim: str, runs: Sequence[RunResults[Any]]) -> str:
    """The verdict of the most relevant run."""
    found = [run.verdicts[claim] for run in runs if claim in run.verdicts and run.verdicts[claim].ran]
    return min(found, key=lambda verdict: verdict.rank).verdict if found else "not run"


def _deciding(verdict: Verdict, evidence: Evidence, titles: Mapping[str, str]) -> Iterator[str]:
    """``81 more seeds on XNLI, NER (time not recorded)``."""
    there = {name: part.n_seeds for part in evidence.parts if part.judged for name in part.names}
    open_ = {task: found for task, found in verdict.decisions.items() if found.decision == "undecided"}
    more = {task: found.seeds - there.get(task, 0) for task, found in open_.items() if found.seeds}
    if more:
        hours = [open_[task].hours for task in more]
        known = [value for value in hours if value is not None]
        cost = f"{sum(known):.0f} h" if len(known) == len(hours) else "time not recorded"
        yield f"{sum(more.values())} more seeds on {', '.join(title(task, titles) for task in more)} ({cost})"
    if never := [title(task, titles) for task, found in open_.items() if not found.seeds]:
        yield f"on {', '.join(never)} no number of seeds"
