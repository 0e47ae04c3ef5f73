"""Plans: which trials will be trained, and when they are judged; until then only counts are shown.

A plan is sealed before its first trial (`claimtrack.seal`), and judged once.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING, Annotated

from pydantic import BaseModel, ConfigDict, Field

from claimtrack.errors import ClaimError
from claimtrack.hashed import Hashed, Values, digest

if TYPE_CHECKING:
    from claimtrack.evidence import Trial

FINISHED = ("ok", "collapsed", "nan_loss")
"""Outcomes of trials that are not tried again."""
Count = Annotated[int, Field(ge=1)]


class JudgedAt(BaseModel):
    """When a plan is judged.

    Attributes:
        seeds: as soon as every model of every task has that many seeds.
        day: or from that day on (UTC), if every model has ``at_least`` seeds.
        at_least: fewest seeds that are judged.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    seeds: Count | None = None
    day: date | None = None
    at_least: Count = 1

    def __str__(self) -> str:
        """``10 seeds or on 2026-12-20 with at least 6``."""
        seeds = f"at {self.seeds} seeds" if self.seeds else ""
        day = f"on {self.day} with at least {self.at_least}" if self.day else ""
        return " or ".join(filter(None, (seeds, day)))


@dataclass(frozen=True)
class Planned:
    """What settings plan, without anything that names a machine.

    Attributes:
        profile: their name.
        grid: the parts of them that decide the trials, as JSON values.
        seeds: the planned seeds of each model, by its name (`model_name`).
    """

    profile: str
    grid: Values
    seeds: Mapping[str, list[int]]


class Plan(Hashed):
    """What will be trained, and when it is judged.

    Attributes:
        profile: its name.
        grid: the parts of the profile that decide its trials.
        seeds: the planned seeds of each model: ``{"sweep/pos/layer_8/none": [10, 11]}`` (stage, task, model, arm).
        judged_at: when.
    """

    profile: str
    grid: Values
    seeds: dict[str, list[int]]
    judged_at: JudgedAt


def plan_of(planned: Planned, judged_at: JudgedAt) -> Plan:
    """The plan of settings, and when it is judged."""
    content: Values = {"profile": planned.profile, "grid": planned.grid, "seeds": dict(planned.seeds)}
    when = judged_at.model_dump(mode="json", exclude_defaults=True)
    return Plan(**content, judged_at=judged_at, hash=digest(content | {"judged_at": when}))


def judged_at(seeds: int | None, day: str | None, at_least: int | None) -> JudgedAt | None:
    """When a plan is judged, from the options of the command line; ``None`` without any.

    Raises:
        ClaimError: the day is none, or ``at_least`` stands without one or above ``seeds``.
    """
    if at_least is not None and (day is None or (seeds is not None and at_least > seeds)):
        raise ClaimError("--at-least-seeds goes with --or-date, and is at most --judged-at-seeds")
    if seeds is None and day is None:
        return None
    try:
        return JudgedAt(seeds=seeds, day=date.fromisoformat(day) if day else None, at_least=at_least or 1)
    except ValueError:
        raise ClaimError(f"--or-date {day!r:.40} is no date; write it as 2026-12-31") from None


def plan_due(plan: Plan, seeds_everywhere: int, today: date) -> bool:
    """Whether a plan may be judged.

    Args:
        plan: the plan.
        seeds_everywhere: how many seeds every model has (`seeds_done`).
        today: in UTC.
    """
    when = plan.judged_at
    if when.seeds is not None and seeds_everywhere >= when.seeds:
        return True
    return when.day is not None and today >= when.day and seeds_everywhere >= when.at_least


def counts_only(plan: Plan, trials: Iterable[Trial], today: date) -> str:
    """What is said in place of verdicts while a plan is not due; empty once it is.

    ``sealed plan: 312 of 560 trials; judged at 10 seeds or on 2026-12-20 with at least 6``
    """
    done: dict[str, set[int]] = defaultdict(set)
    for trial in trials:
        if trial.outcome in FINISHED:
            done[model_name(trial.stage, trial.subject, trial.model, trial.arm)].add(trial.seed)
    if plan_due(plan, seeds_done(plan, done), today):
        return ""
    counts = [len(done[model].intersection(seeds)) for model, seeds in plan.seeds.items()]
    planned = sum(map(len, plan.seeds.values()))
    return f"sealed plan: {sum(counts)} of {planned} trials; judged {plan.judged_at}"


def seeds_done(plan: Plan, done: Mapping[str, set[int]]) -> int:
    """How many seeds every model has; a model with fewer planned seeds no longer counts once it has them all."""
    most = max(map(len, plan.seeds.values()), default=0)
    left = {model: set(seeds) - done.get(model, set()) for model, seeds in plan.seeds.items()}
    return min((len(plan.seeds[model]) - len(rest) for model, rest in left.items() if rest), default=most)


def model_name(stage: str, subject: str, model: str, arm: str) -> str:
    """How a plan names a model."""
    return f"{stage}/{subject}/{model}/{arm}"
