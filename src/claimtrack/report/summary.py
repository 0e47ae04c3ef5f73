"""The first screen: two sentences, one picture, how sure that is and why, and what would decide the rest."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal, get_args

from claimtrack.decisions import Decision
from claimtrack.evidence import Evidence, Measurement
from claimtrack.report import numbers, pictures
from claimtrack.report.claims import ClaimInRun, ClaimView, by_name
from claimtrack.sections import FirstScreen, Sections
from claimtrack.verdict import Verdict
from claimtrack.wording import EVIDENCE, Titles, hours_words, title

ENOUGH = 10
"""Seeds a task below which they count as few."""
Certainty = Literal["high", "moderate", "low"]


@dataclass(frozen=True)
class Summary:
    """The first screen.

    Attributes:
        asked: what it asks, and of which claims.
        measured_on: the encoder, where it is not the paper's.
        sentences: the answer.
        certainty, reasons: how sure that is, and what takes from it.
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
    rows: tuple[pictures.Row, ...]
    others: tuple[tuple[str, str, str], ...]
    deciding: tuple[str, ...]
    built: str

    def svg(self) -> str:
        """The picture as a file of its own."""
        head = f"gain ({self.asked.claim}); below it, its size ({self.asked.size})"
        return pictures.whole(self.rows, self.axis, head, self.asked.note)

    def strip(self, row: pictures.Row) -> str:
        """The picture of a row."""
        return pictures.strip(row.mark, self.axis, f"{row.label}: {row.value}, {row.words}") if row.mark else ""


def summarise(
    claims: Sequence[ClaimView], sections: Sections, costs: Sequence[str], titles: Titles
) -> Summary | None:
    """The first screen from the leading run of its claim; ``None`` where nothing is decided on any task.

    ``costs``: what else would decide the rest (`Sections.costs`).
    """
    first, by_id = sections.first, {claim.entry.id: claim for claim in claims}
    if first is None or not {first.claim, first.size} <= by_id.keys():
        return None
    lead, size = by_id[first.claim].lead, by_id[first.size]
    if lead is None or lead.evidence is None or not lead.found.decisions:
        return None
    same = next(item for item in size.runs if item.run == lead.run)
    sized, bounds = same.found.decisions, size.entry.claimed.bounds
    rows = tuple(_rows(first, lead, bounds, same, sections))
    structural = [claim.verdict for claim in claims if claim.entry.kind == "structural"]
    held = structural.count("reproduced")
    certainty, reasons = grade(lead.found, lead.evidence)
    return Summary(
        asked=first,
        measured_on=lead.run.labels,
        sentences=tuple(sections.sentences(lead.found.decisions, sized, " to ".join(f"{b:g}" for b in bounds))),
        certainty=certainty,
        reasons=reasons,
        axis=pictures.axis_of([row.mark for row in rows if row.mark], first.axis),
        rows=rows,
        others=tuple((asked, name, by_id[name].verdict) for name, asked in first.others.items() if name in by_id),
        deciding=(*_deciding(lead.found, lead.evidence, titles), *_awaited(by_id[first.claim].runs), *costs),
        built=f"{first.built}: {held} of {len(structural)} claims" if structural else "",
    )


def grade(verdict: Verdict, evidence: Evidence) -> tuple[Certainty, tuple[str, ...]]:
    """How sure an answer is, after the grading of systematic reviews: high, less one step for each reason."""
    found = [decision.decision for decision in verdict.decisions.values()]
    unknown = sum(name in ("undecided", "missing") for name in found)
    against = {
        EVIDENCE[verdict.relevance]: verdict.relevance != "direct",
        f"{unknown} of {len(found)} tasks undecided": unknown > 0,
        "few seeds": 0 < evidence.n_seeds < ENOUGH,
        "rules not sealed before the first trial": verdict.sealed is False,
    }
    reasons = tuple(reason for reason, holds in against.items() if holds)
    steps: tuple[Certainty, ...] = get_args(Certainty)
    return steps[min(len(reasons), 2)], reasons


def _rows(
    first: FirstScreen,
    lead: ClaimInRun,
    bounds: tuple[float, float],
    size: ClaimInRun,
    sections: Sections,
) -> Iterator[pictures.Row]:
    sizes = {row.part.subject: _size(size, row.part, bounds[1]) for row in size.judged}
    for row in lead.judged:
        part = row.part
        decision = by_name(lead.found.decisions, part)
        if decision is None:
            continue
        value = estimate = "not measured"
        if mark := row.drawn:
            value = estimate = numbers.number(mark.estimate, 1, signed=True)
            low_high = " to ".join(numbers.number(end, 1) for end in mark.interval or ())
            value += f" ({low_high})" if low_high else ""
            mark = replace(mark, claimed=bounds)
        yield pictures.Row(
            label=row.subject,
            small=", ".join(filter(None, (f"{part.n_seeds} seeds", sections.remark(part)))),
            mark=mark,
            estimate=estimate,
            words=_words(decision, first.words),
            beside=sizes.get(part.subject, ""),
            value=value,
            link=row.trials[0][0] if row.trials else "",
        )


def _words(decision: Decision, words: Mapping[str, str]) -> str:
    said = words.get(decision.decision, decision.decision)
    return f"{said} ({decision.seeds} seeds would decide)" if decision.seeds else said


def _size(size: ClaimInRun, part: Measurement, high: float) -> str:
    """The decision on a claimed range, which ends at ``high``, in words."""
    decision = by_name(size.found.decisions, part)
    if decision and decision.decision == "refuted" and part.estimate is not None:
        return "larger than claimed" if part.estimate > high else "smaller than claimed"
    found = decision.decision if decision else ""
    return "claimed size possible" if found == "holds" else found


def _deciding(verdict: Verdict, evidence: Evidence, titles: Titles) -> Iterator[str]:
    """``81 more seeds overall (time not recorded)``: how many each task needs stands in its row."""
    there = evidence.seeds_by_name
    open_ = {task: found for task, found in verdict.decisions.items() if found.decision == "undecided"}
    more = {task: found.seeds - there.get(task, 0) for task, found in open_.items() if found.seeds}
    if more:
        hours = [open_[task].hours for task in more]
        known = [value for value in hours if value is not None]
        cost = hours_words(sum(known)) if len(known) == len(hours) else "time not recorded"
        yield f"{sum(more.values())} more seeds overall ({cost})"
    if never := [title(task, titles) for task, found in open_.items() if not found.seeds]:
        yield f"on {', '.join(never)} no number of seeds"


def _awaited(runs: Sequence[ClaimInRun]) -> Iterator[str]:
    """``sealed xtreme-small``: runs whose plan is not due."""
    yield from (f"sealed {item.run.name}" for item in runs if item.run.withheld)
