"""Pictures of calibration: reliability diagrams, recalibration by language, risk against coverage.

Notation: N items.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from claimtrack.evidence import Evidence
from crosslayer.metrics.calibration import reliability_bins_v1
from crosslayer.metrics.selective import risk_coverage
from crosslayer.paper.calibrated import Scored, load_scored
from crosslayer.paper.parts import select, tasks_in
from crosslayer.predictions.records import TrialRecord
from crosslayer.predictions.runs import Run
from crosslayer.stats import Floats
from crosslayer.tasks import TASKS, TaskName

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from claimtrack.samples import ReliabilityBins

RECALIBRATED = {
    "ece": "as trained", "ece_scaled": "temperature", "ece_vector_scaled": "vector scaling",
    "ece_isotonic": "isotonic",
}  # fmt: skip
"""Measures of the error in one language, and what was done before."""
TRAINED = {
    "none": "without intermediate task", "english": "after an English intermediate task",
    "multilingual": "after a multilingual intermediate task",
}  # fmt: skip
DIAGRAM_ARMS = ("english", "multilingual")
MAX_PANELS, COLUMNS = 20, 5
POINTS = 200
"""Of a drawn risk-coverage curve."""
Answers = dict[str, tuple[Floats, Floats]]
"""Confidence and correctness (N,) by arm, all seeds together."""


def draw(
    evidence: Evidence, run: Run, records: Mapping[TaskName, Sequence[TrialRecord]], folder: Path
) -> list[str]:
    """All pictures of the targets with usable trials; gives out the file names."""
    drawn: list[str] = []
    by_task: dict[TaskName, Answers] = {}
    for task, found in records.items():
        scored = [(str(record.arm), load_scored(run, record)) for record in found]
        by_task[task] = {arm: _answers([s for name, s in scored if name == arm]) for arm in _arms(scored)}
        if all(arm in by_task[task] for arm in DIAGRAM_ARMS):
            drawn.append(_draw_reliability(task, scored, folder))
    if any(part.language for part in select(evidence, "ece_scaled")):
        drawn.append(_draw_recalibration(evidence, folder))
    if by_task:
        drawn.append(_draw_risk(by_task, folder))
    return drawn


def _arms(scored: Sequence[tuple[str, Scored]]) -> list[str]:
    return list(dict.fromkeys(arm for arm, _ in scored))


def _answers(scored: Sequence[Scored], language: str | None = None) -> tuple[Floats, Floats]:
    pairs = []
    for one in scored:
        rows = slice(None) if language is None else one.table.language == one.table.languages.index(language)
        pairs.append((one.confidence[rows], one.right[rows]))
    confidence, right = (np.concatenate(side) for side in zip(*pairs, strict=True))
    return confidence, right


def shown_languages(languages: Sequence[str], errors: Sequence[float]) -> list[str]:
    """At most 20 languages in the order of their error: all, or evenly spaced ranks from best to worst."""
    order = np.argsort(errors, kind="stable")
    if len(order) > MAX_PANELS:
        order = order[np.linspace(0, len(order) - 1, MAX_PANELS).round().astype(int)]
    return [languages[i] for i in order]


def _draw_reliability(task: TaskName, scored: Sequence[tuple[str, Scored]], folder: Path) -> str:
    from crosslayer.paper import plots

    by_arm = {arm: [s for name, s in scored if name == arm] for arm in DIAGRAM_ARMS}
    table = scored[0][1].table
    codes = [table.languages[code] for code in np.unique(table.language)]
    errors = [_mean_gap(_answers(by_arm["english"], code)) for code in codes]
    languages = shown_languages(codes, errors)
    rows = -(-len(languages) // COLUMNS)
    some = f", {len(languages)} of {len(codes)} languages" if len(languages) < len(codes) else ""
    title = f"Accuracy against confidence on {TASKS[task].title} by language{some}, after two kinds of training"
    name = f"reliability-{task}.svg"
    with plots.picture(folder, name, title, height=1.5 * rows + 0.3, rows=rows, columns=COLUMNS) as panels:
        for place, (axes, language) in enumerate(zip(panels, languages, strict=False)):
            for series, arm in enumerate(DIAGRAM_ARMS):
                plots.reliability(axes, reliability_bins_v1(*_answers(by_arm[arm], language)), series, arm)
            axes.set_title(language)
            _label_outer(axes, place, rows, len(languages))
        plots.legend_above(panels[0])
        plots.hide_rest(panels, len(languages))
    return name


def _label_outer(axes: Axes, place: int, rows: int, used: int) -> None:
    """Names of the axes at the left and at the foot only."""
    if place % COLUMNS == 0:
        axes.set_ylabel("accuracy")
    if place + COLUMNS >= used or place // COLUMNS == rows - 1:
        axes.set_xlabel("confidence")


def _mean_gap(answers: tuple[Floats, Floats]) -> float:
    bins: ReliabilityBins = reliability_bins_v1(*answers)
    return float((bins.n * np.abs(bins.confidence - bins.accuracy)).sum() / bins.n.sum())


def _draw_recalibration(evidence: Evidence, folder: Path) -> str:
    from crosslayer.paper import plots

    tasks = [t for t in tasks_in(evidence) if any(p.language for p in select(evidence, "ece_scaled", t))]
    title = "Calibration error in each language, as trained and after recalibration fitted on English dev"
    with plots.picture(folder, "recalibration.svg", title, height=2.1 * len(tasks), rows=len(tasks)) as panels:
        for axes, task in zip(panels, tasks, strict=True):
            before = [p for p in select(evidence, "ece", task) if p.language]
            names = [str(p.language) for p in sorted(before, key=lambda part: part.estimate or 0.0)]
            for series, (measure, label) in enumerate(RECALIBRATED.items()):
                by_name = {part.language: part for part in select(evidence, measure, task) if part.language}
                plots.by_category(axes, [by_name.get(name) for name in names], names, series, label, joined=False)
            plots.zero_line(axes)
            axes.tick_params(axis="x", labelsize=7)
            axes.set(title=f"{TASKS[task].title}, {TRAINED[str(before[0].model)]}", ylabel="ECE (points)")
        plots.legend_above(panels[0])
        panels[-1].set_xlabel("language (ISO 639-1), by the error as trained")
    return "recalibration.svg"


def _draw_risk(by_task: Mapping[TaskName, Answers], folder: Path) -> str:
    from crosslayer.paper import plots

    columns = min(2, len(by_task))
    rows = -(-len(by_task) // columns)
    title = "Errors among the most confident answers, by the share that is answered, after each kind of training"
    with plots.picture(folder, "risk.svg", title, height=2.4 * rows, rows=rows, columns=columns) as panels:
        for axes, (task, answers) in zip(panels, by_task.items(), strict=False):
            for series, (arm, found) in enumerate(answers.items()):
                coverage, risk = risk_coverage(*found)
                at = np.unique(np.linspace(0, len(coverage) - 1, POINTS).round().astype(int))
                plots.curve(axes, coverage[at], risk[at], series, arm)
            axes.set(title=TASKS[task].title, xlabel="coverage", ylabel="risk (points)", xlim=(0, 1))
            axes.set_ylim(bottom=0)
        panels[0].legend()
        plots.hide_rest(panels, len(by_task))
    return "risk.svg"
