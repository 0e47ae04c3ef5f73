"""The paper's Table 1 beside each run's: the baseline's score, the gain of every layer and control."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from crosslayer.analysis import paper
from crosslayer.claims.evidence import Evidence, Part
from crosslayer.report import numbers
from crosslayer.report.runs import RunView
from crosslayer.tasks import TASK_NAMES, TASKS, TaskName

GAINS = "C05"
"""The claim whose evidence has the gains of all layers and controls."""


@dataclass(frozen=True)
class LayerCell:
    """One model on one task: the paper's number, and ours with its interval, empty where there is none, and p."""

    paper: str
    ours: str
    interval: str
    p_adjusted: str


@dataclass(frozen=True)
class LayerRow:
    """One model on all tasks of a table."""

    name: str
    cells: tuple[LayerCell, ...]


@dataclass(frozen=True)
class LayerTable:
    """Table 1 of the paper, rebuilt in one run; ``seeds`` are the fewest and most behind a cell."""

    run: RunView
    tasks: tuple[str, ...]
    rows: tuple[LayerRow, ...]
    seeds: str


def layer_table(run: RunView, evidence: Evidence | None) -> LayerTable | None:
    """The table of a run; ``None`` where no task has the gain of any layer."""
    gains = [part for part in evidence.parts if part.measure in ("layer_gain", "control_gain")] if evidence else []
    measured = [part for part in gains if part.estimate is not None]
    tasks = [task for task in TASK_NAMES if any(part.task == task and part.layer for part in measured)]
    if evidence is None or not tasks:
        return None
    parts = {(part.task, part.model): part for part in measured}
    controls = dict.fromkeys(part.model for part in measured if part.layer is None)
    layers = sorted({part.layer for part in measured if part.layer is not None}, reverse=True)
    baselines = {part.task: part for part in evidence.parts if part.measure == "baseline_score"}
    rows = [LayerRow("baseline, score", tuple(_baseline(task, baselines.get(task)) for task in tasks))]
    for layer in layers:
        rows.append(LayerRow(f"D_{layer}", tuple(_layer(task, layer, parts) for task in tasks)))
    for name in controls:
        cells = tuple(_cell(numbers.NO_VALUE, parts.get((task, name))) for task in tasks)
        rows.append(LayerRow(f"control: {name}", cells))
    titles = tuple(TASKS[task].title for task in tasks)
    return LayerTable(run, titles, tuple(rows), _seeds(measured))


def _baseline(task: TaskName, part: Part | None) -> LayerCell:
    return _cell(numbers.number(paper.baseline(task), 2), part)


def _layer(task: TaskName, layer: int, parts: dict[tuple[str | None, str | None], Part]) -> LayerCell:
    reported = paper.layer_gains(task).get(layer)
    return _cell(numbers.number(reported, 2, signed=True), parts.get((task, f"layer_{layer}")))


def _cell(reported: str, part: Part | None) -> LayerCell:
    if part is None or part.estimate is None:
        return LayerCell(reported, numbers.NO_VALUE, "", numbers.NO_VALUE)
    signed = part.measure != "baseline_score"
    return LayerCell(
        paper=reported,
        ours=numbers.number(part.estimate, 2, signed),
        interval=" to ".join(_bounds(part, signed)),
        p_adjusted=numbers.p_value(part.p_adjusted),
    )


def _bounds(part: Part, signed: bool) -> Iterator[str]:
    if part.interval is not None:
        yield numbers.number(part.interval.low, 2, signed)
        yield numbers.number(part.interval.high, 2, signed)


def _seeds(parts: Sequence[Part]) -> str:
    counts = [part.n_seeds for part in parts]
    return str(counts[0]) if len(set(counts)) == 1 else f"{min(counts)} to {max(counts)}"
