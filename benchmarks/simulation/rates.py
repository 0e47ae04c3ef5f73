"""How often a rule says what, and how often the intervals hold the truth; and that as tables."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np
import pandas as pd

from benchmarks.sheets import Sheet
from benchmarks.simulation.designs import Design, planned
from benchmarks.simulation.samples import Sample
from benchmarks.simulation.scenarios import SCENARIOS, WITHOUT_SEEDS, Scenario
from claimtrack.evidence import Evidence
from claimtrack.judging import judge
from claimtrack.registry import Registry, load_registry
from claimtrack.verdict import VERDICTS
from claimtrack.wording import measure_title
from crosslayer.paper.plugin import TITLES
from crosslayer.sweep.progress import progress

MAX_FALSE_ALARMS = 0.065
"""A true rate of 5 % stays below it in all but 1 of 10,000 runs of 4,000 data sets."""
REACHED = 0.8
SEEDS = (10, 15, 20, 30, 40, 60)
"""Numbers of seeds at which a verdict is looked for that the planned design does not reach."""
N_SEARCHED = 400
"""Data sets of each number of seeds: a rate of 80 % to 2 points."""


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


def all_tables(design: Design, n: int) -> list[Sheet]:
    """One table a claim of ``n`` data sets a truth, while a bar tells each truth that is done.

    For the planned design a verdict that it does not reach is followed by the seeds that reach it.
    """
    n_truths = sum(len(scenarios) for _, scenarios in SCENARIOS.values())
    with progress("simulate", n_truths) as advance:
        return [_table(claim, design, n, advance) for claim in SCENARIOS]


def _table(claim: str, design: Design, n: int, advance: Callable[[str], None]) -> Sheet:
    found = []
    for scenario in SCENARIOS[claim][1]:
        found.append(simulate(claim, scenario, design, n))
        advance(f"{claim}, {scenario.name}")
    seen = [name for name in VERDICTS if any(rates.verdicts[name] for rates in found)]
    head = ["truth", "right there", *(f"{name} (%)" for name in seen), "false alarms (%)", "coverage (%)"]
    head += [f"seeds for {100 * REACHED:.0f} %"] if design.name == "planned" else []
    head += ["decisions (%)"] if any(rates.decisions for rates in found) else []
    note = (
        f"{n:,} data sets a truth, {design.name} design; ± one standard error. At most "
        f"{100 * MAX_FALSE_ALARMS:.1f} % may be false alarms."
    )
    return Sheet(claim, head, [row(rates, seen, design) for rates in found], note)


def row(rates: Rates, seen: Sequence[str], design: Design) -> list[str]:
    """The cells of one truth: ``seen`` are the verdicts that have a column."""
    cells = [rates.scenario.name, _right(rates), *(_percent(rates.share(name), rates.n) for name in seen)]
    cells.append(_percent(rates.false_alarms, rates.n) if rates.scenario.wrong else "-")
    cells.append("-" if rates.coverage is None else f"{100 * rates.coverage:.1f}")
    cells += [_seeds(rates)] if design.name == "planned" else []
    return cells + ([_decisions(rates)] if rates.decisions else [])


def _right(rates: Rates) -> str:
    if rates.scenario.right:
        return rates.scenario.right
    return f"any but {', '.join(rates.scenario.wrong)}" if rates.scenario.wrong else "any"


def _seeds(rates: Rates) -> str:
    """The seeds that reach the right verdict, and the right decision in every task."""
    needed = [_needed(rates, lambda found: found.right)] if rates.scenario.right else []
    needed += [f"each task {_needed(rates, lambda found: found.decided)}"] if rates.scenario.decision else []
    return "; ".join(needed) or "-"


def _needed(rates: Rates, share: Callable[[Rates], float]) -> str:
    if share(rates) >= REACHED:
        return "reached"
    if rates.claim in WITHOUT_SEEDS:
        return "not reached, no seeds enter"
    needed = seeds_needed(rates.claim, rates.scenario, min(rates.n, N_SEARCHED), share)
    return f"not by {SEEDS[-1]}" if needed is None else str(needed)


def _decisions(rates: Rates) -> str:
    """``XNLI holds 2.5, refuted 30.1; NER ...``; what is missing to 100 is undecided."""
    decisions = rates.decisions.items()
    return "; ".join(f"{measure_title(task, TITLES)} {_counted(found, rates.n)}" for task, found in decisions)


def _counted(counts: Counter[str], n: int) -> str:
    decided = [f"{name} {100 * count / n:.1f}" for name, count in counts.most_common() if name != "undecided"]
    return ", ".join(decided) or "undecided"


def _percent(share: float, n: int) -> str:
    return f"{100 * share:.1f} ± {100 * np.sqrt(share * (1 - share) / n):.1f}"
