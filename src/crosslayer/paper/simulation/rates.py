"""How often a rule says what, and how often the intervals hold the truth."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np
import pandas as pd

from claimtrack.evidence import Evidence
from claimtrack.registry import Registry, load_registry
from claimtrack.verdict import judge
from crosslayer.paper.simulation.designs import Design, planned
from crosslayer.paper.simulation.samples import Sample
from crosslayer.paper.simulation.scenarios import SCENARIOS, Scenario

MAX_FALSE_ALARMS = 0.065
"""A true rate of 5 % stays below it in all but 1 of 10,000 runs of 4,000 data sets."""
REACHED = 0.8
SEEDS = (10, 15, 20, 30, 40, 60)
"""Numbers of seeds at which a verdict is looked for that the planned design does not reach."""


class Simulated:
    """Settings under which every claim is measured."""

    profile = "simulated"
    claims = tuple(SCENARIOS)


@dataclass(frozen=True)
class Rates:
    """What a rule says in D data sets of one truth.

    Attributes:
        claim, scenario: which rule, and the truth.
        n: data sets.
        verdicts: how many got each.
        decisions: the same by task or target.
        covered: by measure, the intervals that hold the true value, and all intervals.
    """

    claim: str
    scenario: Scenario
    n: int
    verdicts: Counter[str]
    decisions: dict[str, Counter[str]]
    covered: dict[str, tuple[int, int]]

    def share(self, *verdicts: str) -> float:
        """Of the data sets that got one of these."""
        return sum(self.verdicts[name] for name in verdicts) / self.n

    @property
    def right(self) -> float:
        """Of the data sets with the verdict that is right there."""
        return self.share(str(self.scenario.right))

    @property
    def false_alarms(self) -> float:
        """Of the data sets with a verdict that is wrong there."""
        return self.share(*self.scenario.wrong)

    @property
    def decided(self) -> float:
        """Share of the data sets with the right decision, in the task where it is rarest."""
        return min(counts[str(self.scenario.decision)] for counts in self.decisions.values()) / self.n

    @property
    def coverage(self) -> float | None:
        """Share of the intervals that hold the true value, of the measure where it is smallest."""
        return min((held / n for held, n in self.covered.values()), default=None)


def simulate(claim: str, scenario: Scenario, design: Design, n: int) -> Rates:
    """Judge ``n`` data sets; equal arguments draw equal numbers."""
    sampler, _ = SCENARIOS[claim]
    rng = np.random.default_rng([*map(ord, f"{claim} {scenario.name} {design.name}"), n])
    verdicts: Counter[str] = Counter()
    decisions: dict[str, Counter[str]] = defaultdict(Counter)
    samples = []
    for sample in sampler(scenario.truth, design, rng, n):
        found = judge(_registry().entries[claim], _evidence(claim, sample), Simulated(), _registry().project)
        verdicts[found.verdict] += 1
        for task, decision in found.decisions.items():
            decisions[task][decision.decision] += 1
        samples.append(sample)
    return Rates(claim, scenario, n, verdicts, dict(decisions), covered(samples))


def seeds_needed(claim: str, scenario: Scenario, n: int, share: Callable[[Rates], float]) -> int | None:
    """The first of `SEEDS` at which a share of ``n`` data sets of the planned design is 80 %."""
    for seeds in SEEDS:
        if share(simulate(claim, scenario, planned(seeds), n)) >= REACHED:
            return seeds
    return None


def standard_error(share: float, n: int) -> float:
    """Of a rate in ``n`` independent data sets."""
    return float(np.sqrt(share * (1 - share) / n))


def _evidence(claim: str, sample: Sample) -> Evidence:
    return Evidence(
        claim=claim, profile=Simulated.profile, metric="simulated", facts={**sample.facts},
        status="measured" if sample.parts else "missing", parts=tuple(sample.parts),
    )  # fmt: skip


def covered(samples: Sequence[Sample]) -> dict[str, tuple[int, int]]:
    """By measure, the intervals that hold the true value, and all whose true value is known."""
    rows = [
        (part.measure, part.task or "", part.estimate, part.interval.low, part.interval.high, true)
        for sample in samples
        for part, true in zip(sample.parts, sample.true, strict=True)
        if true is not None and part.interval is not None
    ]
    frame = pd.DataFrame(rows, columns=["measure", "task", "estimate", "low", "high", "true"])
    means = frame.groupby(["measure", "task"])["estimate"].transform("mean")
    held = frame["true"].fillna(means).between(frame["low"], frame["high"])
    return {str(measure): (int(each.sum()), len(each)) for measure, each in held.groupby(frame["measure"])}


@cache
def _registry() -> Registry:
    return load_registry()
