"""What a claim is: its text and source, what the paper says, what is claimed in numbers, and how it is judged."""

from __future__ import annotations

import math
from itertools import pairwise
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, field_validator, model_validator

from claimtrack.samples import over

THE_PAPER = "the paper"
"""What claims are relevant to, unless they say otherwise."""
VerdictName = Literal[
    "reproduced", "partly reproduced", "not reproduced", "inconclusive", "not run",
    "improves", "worsens", "practically none", "undecided",
]  # fmt: skip
RelevanceValue = Literal["direct", "indirect", "none"]
Direction = Literal["supports", "contradicts", "partly", "context"]
Sign = Literal["+", "-"]
Line = Annotated[str, StringConstraints(min_length=1, pattern=r"^[^\r\n]*$")]
Text = Annotated[str, StringConstraints(min_length=1)]


class Record(BaseModel):
    """Base of the registry's parts: unknown keys, NaN and loose types are errors."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)


class Source(Record):
    """The report that the claims come from.

    Attributes:
        title, date: as it has them; the date in ISO 8601.
        note: what kind of report it is.
        cites: the papers that it names.
    """

    title: Line
    date: Line
    note: Text
    cites: list[Line] = []


class PrimarySource(Record):
    """What the paper itself says about a claim.

    Attributes:
        supports: whether it does; ``None`` where what can be read of it does not tell.
        cell: the table, equation or figure.
        note: in our words.
    """

    supports: bool | None
    cell: Line
    note: str = ""


def _bounds(low: float | None, high: float | None) -> tuple[float, float]:
    return (-math.inf if low is None else low), (math.inf if high is None else high)


class ClaimedMeasure(Record):
    """What is claimed of one measure: a sign, a range, or that it is practically equal to a value.

    Attributes:
        sign: on which side of ``null`` it lies.
        smallest: with a sign, the smallest effect of interest: one that is shown to be below it refutes.
        low, high: the range it lies in; ``None`` where that has no end.
        within: how far from ``null`` it may lie and count as equal.
        null: the value of no effect.
        unit: of its measurements.
    """

    sign: Sign | None = None
    smallest: Annotated[float, Field(ge=0)] = 0.0
    low: float | None = None
    high: float | None = None
    within: Annotated[float, Field(gt=0)] | None = None
    null: float = 0.0
    unit: Line

    @model_validator(mode="after")
    def _one_kind(self) -> ClaimedMeasure:
        ranged = self.low is not None or self.high is not None
        if (self.sign is not None) + ranged + (self.within is not None) != 1:
            raise ValueError("claim one of sign, low or high, and within")
        if self.smallest and self.sign is None:
            raise ValueError("smallest goes with a sign")
        if None not in (self.low, self.high) and self.bounds[0] > self.bounds[1]:
            raise ValueError(f"low {self.low} lies above high {self.high}")
        return self

    @property
    def bounds(self) -> tuple[float, float]:
        """Where the value is claimed to lie."""
        if self.within is not None:
            return self.null - self.within, self.null + self.within
        if self.sign is not None:
            return (self.null, math.inf) if self.sign == "+" else (-math.inf, self.null)
        return _bounds(self.low, self.high)

    @property
    def refuted_outside(self) -> tuple[float, float]:
        """The range outside of which the claim is refuted."""
        low, high = self.bounds
        return low + self.smallest, high - self.smallest

    def __str__(self) -> str:
        """``above 0``, ``above 0, refuted below 0.5``, ``4 to 6``, ``within 0.5 of 0``."""
        if self.within is not None:
            return f"within {self.within:g} of {self.null:g}"
        (low, high), (least, most) = self.bounds, self.refuted_outside
        if math.isinf(high):
            return f"above {low:g}" + (f", refuted below {least:g}" if self.smallest else "")
        if math.isinf(low):
            return f"below {high:g}" + (f", refuted above {most:g}" if self.smallest else "")
        return f"{low:g} to {high:g}"


class Claimed(Record):
    """The paper's value in numbers; only verdicts use it.

    Attributes:
        low, high: the claimed range, in ``unit``; ``None`` where it has no end.
        unit: that of the measures that the range is about.
        signs: the claimed sign of each measure, where no size is claimed.
        by_task: the value reported for each task, in ``unit``.
        each: what is claimed of each measure, for the rule ``claimed_each``.
        order: measures from the largest to the smallest; each pair of neighbours is the measure ``ONE_over_NEXT``.
        other_metric: tasks whose reported value is of another metric than ours: no figure sets them side by side.
    """

    low: float | None = None
    high: float | None = None
    unit: str = ""
    signs: dict[str, Sign] = {}
    by_task: dict[str, float] = {}
    other_metric: list[str] = []
    each: dict[str, ClaimedMeasure] = {}
    order: list[str] = []

    @model_validator(mode="after")
    def _order_in_a_unit(self) -> Claimed:
        if self.order and not self.unit:
            raise ValueError("order needs a unit")
        return self

    @property
    def measures(self) -> dict[str, ClaimedMeasure]:
        """``each``, and a positive sign of every step of ``order``."""
        steps = {over(*pair): ClaimedMeasure(sign="+", unit=self.unit) for pair in pairwise(self.order)}
        return {**self.each, **steps}

    def named_measures(self) -> dict[str, str]:
        """Every measure that is named, and its unit where that is given."""
        return {**dict.fromkeys(self.signs, ""), **{name: one.unit for name, one in self.measures.items()}}

    @property
    def bounds(self) -> tuple[float, float]:
        """The claimed range, infinite where it has no end."""
        return _bounds(self.low, self.high)

    def reported(self, task: str | None) -> float | None:
        """The value reported for a task, if it is of our metric."""
        return None if task is None or task in self.other_metric else self.by_task.get(task)


class Relevance(Record):
    """What kind of evidence a verdict is, under one condition.

    Attributes:
        when: the condition, ``any`` or one that the plugin has.
        value: ``direct`` (what the paper did), ``indirect`` (another model of like size, or less data), or
            ``none``.
        reason: shown beside it.
    """

    when: Line
    value: RelevanceValue
    reason: Text


class Literature(Record):
    """What somebody else reports about a claim; shown, never judged.

    Attributes:
        direction: how it relates to the claim; ``context`` gives a scale or a caveat without deciding anything.
        finding: what was compared or found, in our words.
        number, unit: as reported; ``null`` where the finding is qualitative.
        model: on which model, and which data where that matters.
        source: citation with arXiv id or DOI where it has one.
        independent: whether none of the paper's authors took part.
        read: what of the source could be read.
    """

    direction: Direction
    finding: Line
    number: Line | None = None
    unit: Line | None = None
    model: Line
    source: Line
    independent: bool
    read: Literal["full text", "abstract"]

    @property
    def reported(self) -> str:
        """Number and unit in one text; empty without a number."""
        return " ".join(filter(None, (self.number, self.unit)))

    @property
    def citation(self) -> str:
        """The source, with what a reader has to know about it."""
        notes = ["as reported in the abstract"] if self.read == "abstract" else []
        notes += [] if self.independent else ["by authors of the paper itself"]
        return ", ".join([self.source, *notes])

    @model_validator(mode="after")
    def _complete(self) -> Literature:
        if self.unit is not None and self.number is None:
            raise ValueError("a unit needs a number")
        return self


class Entry(Record):
    """One claim.

    Attributes:
        id: C01..C99 or Q01..Q99.
        source_text: the source report's words, cut off where it cut them off (``truncated``).
        truncated: whether it did.
        source_row: row of its table, from 1; ``None`` for its research question.
        verified, confidence: the source report's own marks: the literature status, never the verdict.
        kind: ``measured``, ``structural`` (checks of what was built) or ``question`` (nothing is claimed).
        title: short, ours.
        primary_source: what the paper itself says.
        reported: the paper's numbers in short.
        measured_as, reproduced_when, would_change: how it is judged, and what would change the verdict.
        notebook: the notebook's name without ``.py``.
        metric: name and version of the main metric.
        rule: the verdict rule, one of `claimtrack.rules.COMMON` or of the plugin.
        claimed: the paper's value, for the verdict.
        relevance: looked through in order, the first condition that holds counts.
        relevant_to: what a verdict is evidence about.
        literature: what others report.
    """

    id: Annotated[str, StringConstraints(pattern=r"^[CQ]\d{2}$")]
    source_text: Line
    source_row: Annotated[int, Field(ge=1)] | None = None
    verified: bool | None = None
    confidence: Annotated[float, Field(ge=0, le=1)] | None = None
    truncated: bool = False
    kind: Literal["measured", "structural", "question"]
    title: Line
    primary_source: PrimarySource
    reported: Line | None = None
    measured_as: Text
    reproduced_when: Text
    would_change: Text
    notebook: Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]*$")]
    metric: Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]*_v\d+$")]
    rule: Line
    claimed: Claimed = Claimed()
    relevance: list[Relevance]
    relevant_to: Line = THE_PAPER
    literature: list[Literature] = []

    @field_validator("relevance")
    @classmethod
    def _total(cls, value: list[Relevance]) -> list[Relevance]:
        if not value or value[-1].when != "any":
            raise ValueError("the last one must be for `any`, so that every profile has an answer")
        return value
