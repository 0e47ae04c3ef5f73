"""The paper's tables beside each run's: Table 1, the baseline's score and the gain of every layer and control;
Tables 2 and 3, accuracy on English and German and on the rest."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from claimtrack.evidence import Evidence, Measurement
from claimtrack.report import numbers
from claimtrack.report.runs import RunView
from crosslayer.paper import paper
from crosslayer.tasks import TASK_NAMES, TASKS, TaskName

GAINS, NEAR = "C05", "C03"
"""The claims whose evidence has the gains of layers and controls, and what is near English."""
BASELINE = "baseline"


@dataclass(frozen=True)
class LayerCell:
    """One model in a column: the paper's number; ours with its interval, empty where there is none; and p."""

    paper: str
    ours: str
    interval: str
    p_adjusted: str


@dataclass(frozen=True)
class LayerRow:
    """One model in all columns of a table."""

    name: str
    cells: tuple[LayerCell, ...]


@dataclass(frozen=True)
class LayerTable:
    """A table of the paper, rebuilt in one run; ``seeds`` are the fewest and most behind a cell."""

    run: RunView
    columns: tuple[str, ...]
    rows: tuple[LayerRow, ...]
    seeds: str


class Column(NamedTuple):
    """A task under one rule: the end of its measures' names, and whether the paper's numbers are by that rule."""

    title: str
    task: TaskName
    rule: str
    as_reported: bool


def layer_table(run: RunView, evidence: Evidence | None) -> LayerTable | None:
    """Table 1 in a run; ``None`` where no task has the gain of any layer."""
    parts = [part for part in evidence.parts if part.estimate is not None] if evidence else []
    gains = [part for part in parts if part.measure in ("layer_gain", "control_gain")]
    columns = [
        column
        for task in TASK_NAMES
        if any(part.task == task and part.layer for part in gains)
        for column in _columns(task, parts)
    ]
    if not columns:
        return None
    found = {(part.measure, part.task, part.model): part for part in parts if part.language is None}
    controls = dict.fromkeys(str(part.model) for part in gains if part.layer is None)
    layers = sorted({part.layer for part in gains if part.layer is not None}, reverse=True)

    def row(name: str, measure: str, model: str) -> LayerRow:
        ours = [found.get((measure + column.rule, column.task, model)) for column in columns]
        return LayerRow(name, tuple(_cell(_reported(c, model), p) for c, p in zip(columns, ours, strict=True)))

    rows = [
        row("baseline, score", "baseline_score", BASELINE),
        *(row(f"D_{layer}", "layer_gain", f"layer_{layer}") for layer in layers),
        *(row(f"control: {name}", "control_gain", name) for name in controls),
    ]
    return LayerTable(run, tuple(column.title for column in columns), tuple(rows), _seeds(gains))


def _columns(task: TaskName, parts: Sequence[Measurement]) -> tuple[Column, ...]:
    """One, or two where a task is also measured by the rule that the paper reports and ours is another."""
    title = TASKS[task].title
    if task != "pos" or not any(part.measure == f"layer_gain{paper.BY_SPANS}" for part in parts):
        return (Column(title, task, "", True),)
    return Column(f"{title}, accuracy", task, "", False), Column(f"{title}, span F1", task, paper.BY_SPANS, True)


def _reported(column: Column, model: str) -> str:
    if not column.as_reported:
        return numbers.NO_VALUE
    if model == BASELINE:
        return numbers.number(paper.baseline(column.task), 2)
    gains = {f"layer_{x}": gain for x, gain in paper.layer_gains(column.task).items()}
    return numbers.number(gains.get(model), 2, signed=True)


def near_table(run: RunView, evidence: Evidence | None) -> LayerTable | None:
    """Tables 2 and 3 in a run; ``None`` where nothing was measured."""
    measures = {paper.ON_NEAR: "en and de", paper.ON_REST: "the rest"}
    parts = [part for part in evidence.parts if part.measure in measures] if evidence else []
    found = {(part.task, part.model, part.measure): part for part in parts}
    tasks = [task for task in TASK_NAMES if any(part.task == task for part in parts)]
    if not tasks:
        return None
    layers = sorted({part.layer for part in parts if part.layer is not None}, reverse=True)
    models = {BASELINE: BASELINE, **{f"layer_{layer}": f"D_{layer}" for layer in layers}}
    rows = []
    for model, name in models.items():
        cells = []
        for task in tasks:
            reported = paper.near_and_rest(task).get(model, (None, None))
            for measure, level in zip(measures, reported, strict=True):
                cells.append(_cell(numbers.number(level, 2), found.get((task, model, measure))))
        rows.append(LayerRow(name, tuple(cells)))
    columns = tuple(f"{TASKS[task].title}, {group}" for task in tasks for group in measures.values())
    return LayerTable(run, columns, tuple(rows), _seeds(parts))


def _cell(reported: str, part: Measurement | None) -> LayerCell:
    if part is None or part.estimate is None:
        return LayerCell(reported, numbers.NO_VALUE, "", numbers.NO_VALUE)
    signed = "gain" in part.measure
    return LayerCell(
        paper=reported,
        ours=numbers.number(part.estimate, 2, signed),
        interval=" to ".join(_bounds(part, signed)),
        p_adjusted=numbers.p_value(part.p_adjusted),
    )


def _bounds(part: Measurement, signed: bool) -> Iterator[str]:
    if part.interval is not None:
        yield numbers.number(part.interval.low, 2, signed)
        yield numbers.number(part.interval.high, 2, signed)


def _seeds(parts: Sequence[Measurement]) -> str:
    counts = [part.n_seeds for part in parts]
    return str(counts[0]) if len(set(counts)) == 1 else f"{min(counts)} to {max(counts)}"
