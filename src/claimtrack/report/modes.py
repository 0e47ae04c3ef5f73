"""One encoder and data with a frozen and with a fine-tuned trunk: how much of a layer's supplement is left."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from claimtrack.evidence import Measurement
from claimtrack.report import numbers
from claimtrack.report.layers import GAINS
from crosslayer.tasks import TASK_NAMES, TASKS, TaskName

if TYPE_CHECKING:
    from claimtrack.results import RunResults

MODES = {"frozen": "frozen", "finetuned": "fine-tuned"}
CLAIMS = ("C02", "C06")
"""The claims that the comparison belongs to."""


@dataclass(frozen=True)
class Curve:
    """The gains of all layers in one run."""

    run: str
    mode: Literal["frozen", "finetuned"]
    gains: tuple[Measurement, ...]

    @property
    def label(self) -> str:
        """``frozen (name of the run)``."""
        return f"{MODES[self.mode]} ({self.run})"


@dataclass(frozen=True)
class ModePanel:
    """One task in both modes; ``sentence`` compares the gains of the layers that dev chooses."""

    task: str
    curves: tuple[Curve, ...]
    sentence: str


def mode_panels(runs: Sequence[RunResults]) -> tuple[ModePanel, ...]:
    """One panel for each task that was measured in both modes with one encoder on the same real data."""
    return tuple(panel for task in TASK_NAMES if (panel := _panel(task, runs)) is not None)


def _panel(task: TaskName, runs: Sequence[RunResults]) -> ModePanel | None:
    real = [run for run in runs if run.profile.data.source != "fragment" and _layer_gains(run, task)]
    for run in real:
        alike = [other for other in real if _setting(other, task) == _setting(run, task)]
        by_mode = {other.profile.tasks[task].mode: other for other in reversed(alike)}
        if len(by_mode) == len(MODES):
            chosen = [by_mode[mode] for mode in ("frozen", "finetuned")]
            curves = tuple(Curve(r.name, r.profile.tasks[task].mode, _layer_gains(r, task)) for r in chosen)
            return ModePanel(TASKS[task].title, curves, _sentence(task, chosen))
    return None


def _setting(run: RunResults, task: TaskName) -> tuple[object, ...]:
    """What two runs must share to be compared."""
    return run.profile.encoder, run.profile.data, run.profile.tasks[task].sizes


def _layer_gains(run: RunResults, task: TaskName) -> tuple[Measurement, ...]:
    evidence = run.evidence.get(GAINS)
    return tuple(
        part
        for part in (evidence.parts if evidence else ())
        if part.measure == "layer_gain" and part.task == task and part.estimate is not None
    )


def _sentence(task: TaskName, runs: Sequence[RunResults]) -> str:
    said = []
    for run in runs:
        evidence = run.evidence[GAINS]
        part = next(p for p in evidence.parts if p.measure == "dev_selected_gain" and p.task == task)
        said.append(f"{MODES[run.profile.tasks[task].mode]} {_gain(part)}")
    return f"{TASKS[task].title}, gain of the layer that English dev chooses: {'; '.join(said)}."


def _gain(part: Measurement) -> str:
    shown = numbers.estimate(part)
    return shown if part.interval is None else f"{shown} ({numbers.interval(part)})"
