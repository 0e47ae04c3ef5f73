"""The rates of every rule as tables."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

from claimtrack.verdict import VERDICTS
from claimtrack.wording import measure_title
from crosslayer.paper.plugin import TITLES
from crosslayer.paper.simulation.designs import Design
from crosslayer.paper.simulation.rates import (
    MAX_FALSE_ALARMS,
    REACHED,
    SEEDS,
    Rates,
    seeds_needed,
    simulate,
    standard_error,
)
from crosslayer.paper.simulation.scenarios import SCENARIOS, WITHOUT_SEEDS

N_SEARCHED = 400
"""Data sets of each number of seeds: a rate of 80 % to 2 points."""


class Table(NamedTuple):
    """A title, a head, rows, and a note below."""

    title: str
    head: Sequence[str]
    rows: Sequence[Sequence[str]]
    note: str


def all_tables(design: Design, n: int, advance: Callable[[str], None]) -> list[Table]:
    """One table a claim of ``n`` data sets a truth; ``advance`` is told each truth that is done.

    For the planned design a verdict that it does not reach is followed by the seeds that reach it.
    """
    return [_table(claim, design, n, advance) for claim in SCENARIOS]


def n_scenarios() -> int:
    """Steps of `all_tables`."""
    return sum(len(scenarios) for _, scenarios in SCENARIOS.values())


def to_markdown(tables: Iterable[Table]) -> str:
    """Tables under headings."""
    texts = []
    for table in tables:
        lines = [table.head, ["---"] * len(table.head), *table.rows]
        rows = "\n".join(f"| {' | '.join(cells)} |" for cells in lines)
        texts.append(f"## {table.title}\n\n{rows}\n\n{table.note}\n")
    return "\n".join(texts)


def _table(claim: str, design: Design, n: int, advance: Callable[[str], None]) -> Table:
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
    return Table(claim, head, [row(rates, seen, design) for rates in found], note)


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
    return f"{100 * share:.1f} ± {100 * standard_error(share, n):.1f}"
