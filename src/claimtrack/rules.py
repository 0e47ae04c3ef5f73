"""Verdict rules: what a rule is, what it may use, and the rules that every project has.

Common to all rules: they read judged measurements by name; one without an interval, or with fewer than 3 seeds,
is missing, not failed; where only such ones are left the claim is `inconclusive` (`claimtrack.judging`). A claim
about each of several tasks is decided task by task first (`claimtrack.decisions`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain
from math import inf
from typing import NamedTuple

from claimtrack.decisions import LEVEL, Decision, Target, decide_each, decide_targets
from claimtrack.entries import Claimed, Entry, VerdictName
from claimtrack.evidence import Evidence, Measurement
from claimtrack.statistics import MIN_SEEDS, alike
from claimtrack.wording import counted, decisions_sentence, measure_title, sentence

SMALLEST_EFFECT = 0.5
"""Points; a difference below it is of no interest."""


class Judgement(NamedTuple):
    """A verdict, the sentence behind it, and the decision on each task where the claim is about several."""

    verdict: VerdictName
    because: str
    decisions: Mapping[str, Decision] = {}


@dataclass(frozen=True)
class Case:
    """What a rule decides on; ``titles`` are those of the `claimtrack.plugin.Plugin`."""

    entry: Entry
    evidence: Evidence
    rule: Rule
    titles: Mapping[str, str]

    def measured(self, *measures: str) -> list[Measurement]:
        """The judged measurements with a value, by default of all measures of the rule."""
        return self.evidence.measured(*(measures or self.rule.measures))

    def by_task(self, measure: str) -> dict[str, Measurement]:
        """The measurements that can be tested, by task."""
        parts = self.measured(measure)
        return {part.task: part for part in parts if part.task is not None and part.interval is not None}

    def sentence(self, parts: Iterable[Measurement], *, capital: bool = True) -> str:
        """See `claimtrack.wording.sentence`."""
        return sentence(parts, self.titles, capital=capital)

    def judged_each(self, tasks: Mapping[str, list[Target]], about_size: bool, n_parts: int = 1) -> Judgement:
        """The decision on each task and the verdict on all (`decide_each`), in words."""
        each = decide_each(tasks, about_size, n_parts)
        parts = [target.part for target in chain(*tasks.values())]
        measures = list(dict.fromkeys(part.measure for part in parts))
        shown = self.sentence(sorted(parts, key=lambda part: measures.index(part.measure)))
        because = f"{shown}; {decisions_sentence(each.decisions, self.titles)}."
        return Judgement(each.verdict, because, each.decisions)


@dataclass(frozen=True)
class Rule:
    """How a verdict is reached.

    Attributes:
        judge: the rule itself.
        measures: the measures it reads.
        thresholds: its own numbers, beside `decisions.LEVEL` and `MIN_SEEDS`.
        claimed: whether it reads, instead of ``measures``, every measure for which the registry claims something.
            It leaves out by itself what has fewer than `MIN_SEEDS`.
        seedless: whether no seed need enter; ``n_seeds`` 0 is then fine.
        lacks: what the ``claimed`` of an entry lacks for this rule; empty if nothing.
    """

    judge: Callable[[Case], Judgement]
    measures: tuple[str, ...] = ()
    thresholds: Mapping[str, float] = field(default_factory=dict)
    claimed: bool = False
    seedless: bool = False
    lacks: Callable[[Claimed], str] = lambda claimed: ""

    @property
    def decided_by(self) -> dict[str, float]:
        """Every number that the rule compares with, by name; a seal holds them."""
        common = {} if self.is_structural else {"level": LEVEL, "min_seeds": MIN_SEEDS}
        return {**common, **self.thresholds}

    @property
    def is_structural(self) -> bool:
        """Whether it reads checks instead of measurements."""
        return not (self.measures or self.claimed)

    def parts(self, entry: Entry, evidence: Evidence) -> list[Measurement]:
        """The measurements with a value that it reads."""
        return evidence.measured(*(entry.claimed.measures if self.claimed else self.measures))


def has_p(parts: Sequence[Measurement], below: float = inf) -> bool:
    """Whether there are measurements and all have a p value, below the one given."""
    return bool(parts) and all(part.p_value is not None and part.p_value < below for part in parts)


def significant(parts: Sequence[Measurement]) -> bool:
    """Whether there are measurements and all have p < 0.05."""
    return has_p(parts, LEVEL)


def _all_checks(case: Case) -> Judgement:
    """Structural claims: every check passes."""
    checks = case.evidence.checks
    failed = [
        f"{check.name}: expected {check.expected}, found {check.found}" for check in checks if not check.passed
    ]
    told = "; ".join([f"{len(checks) - len(failed)} of {len(checks)} checks pass", *failed[:1]])
    return Judgement("not reproduced" if failed else "reproduced", f"{told}.")


def _claimed_each(case: Case) -> Judgement:
    """What is claimed of each measure holds, for everything that was measured of it; some of it: partly."""
    claimed = case.entry.claimed.measures
    targets: dict[str, Target] = {}
    lost: dict[str, str] = {}
    for measure, target in claimed.items():
        parts = [part for part in case.evidence.parts if part.judged and part.measure == measure]
        lost |= {} if parts else {measure: "not in the evidence"}
        for part in parts:
            name = (part.subject if len(claimed) == 1 else None) or part.names[0]
            if part.estimate is None:
                lost[name] = part.note or "not measured"
            elif part.n_seeds < MIN_SEEDS:
                lost[name] = f"{counted(part.n_seeds, 'seed')}, at least {MIN_SEEDS} are needed"
            elif part.unit != target.unit:
                lost[name] = f"measured in {part.unit}, claimed in {target.unit}"
            elif part.interval is None:
                one = part.by_seed and alike(part.by_seed)
                lost[name] = "all seeds gave one value" if one else "without an interval"
            else:
                targets[name] = Target(part, target.refuted_outside, target.bounds, target.within is not None)
    each = decide_targets(targets, len(lost))
    decisions = each.decisions | {name: Decision(decision="missing", note=note) for name, note in lost.items()}
    stated = ", ".join(f"{measure_title(measure, case.titles)} {target}" for measure, target in claimed.items())
    shown = case.sentence(one.part for one in targets.values())
    told = filter(None, (shown, f"claimed: {stated}", decisions_sentence(decisions, case.titles)))
    return Judgement(each.verdict if targets else "inconclusive", f"{'; '.join(told)}.", decisions)


COMMON: Mapping[str, Rule] = {
    "all_checks": Rule(
        _all_checks,
        lacks=lambda claimed: "checks; claimed_each reads measures" if claimed.measures else "",
    ),
    "claimed_each": Rule(
        _claimed_each,
        claimed=True,
        lacks=lambda claimed: "" if claimed.measures else "claimed.each or claimed.order",
    ),
}
"""The rules that every project has."""
