"""Pictures of Q01: changes, levels and languages; reliability, recalibration, risk against coverage; models.

Notation: N items.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import product
from pathlib import Path

import numpy as np

from claimtrack.evidence import Evidence, Measurement
from claimtrack.samples import reliability_bins
from crosslayer import stats
from crosslayer.config import Profile
from crosslayer.metrics.calibration import ece10_equal_width_v1, risk_coverage
from crosslayer.paper import plots
from crosslayer.paper.calibrated import ARMS, BESIDE, CHANGE, COMPARED, OF_MODELS, SAMPLED, Scored, load_scored
from crosslayer.paper.parts import select, tasks_in
from crosslayer.predictions.models import Model
from crosslayer.predictions.records import TrialRecord
from crosslayer.predictions.runs import Run
from crosslayer.stats import Floats
from crosslayer.tasks import TASKS, TaskName

RECALIBRATED = {
    "ece": "as trained", "ece_scaled": "temperature", "ece_vector_scaled": "vector scaling",
    "ece_isotonic": "isotonic",
}  # fmt: skip
"""Measures of the error in one language, and what was done before."""
TRAINED = {
    "none": "without intermediate task", "english": "after an English intermediate task",
    "multilingual": "after a multilingual intermediate task",
}  # fmt: skip
MAX_PANELS, COLUMNS = 20, 5
POINTS = 200
"""Of a drawn risk-coverage curve."""
Arms = Mapping[str, list[Scored]]
"""Trials by arm."""


def figures(evidence: Evidence, run: Run, profile: Profile, folder: Path) -> tuple[str, ...]:
    """All pictures that the evidence and the trials it rests on have something for."""
    drawn: list[str] = []
    changes = {t: parts for t in tasks_in(evidence) if (parts := select(evidence, CHANGE.format("ece"), t))}
    if any(part.estimate is not None for part in select(evidence, CHANGE.format("ece"))):
        drawn += [_draw_changes(evidence, folder), _draw_levels(evidence, list(changes), folder)]
        title = "Change of the calibration error in each language, with 95 % intervals over seeds"
        by_language = {task: [part for part in parts if part.language] for task, parts in changes.items()}
        drawn.append(plots.languages_picture(folder, "languages.svg", title, by_language, "change"))
    by_task: dict[TaskName, dict[str, list[Scored]]] = {}
    for task in tasks_in(evidence):
        usable = [r for r in run.records("intermediate", task) if r.key in evidence.trials and r.outcome == "ok"]
        for record in paired(usable):
            by_task.setdefault(task, {}).setdefault(record.arm, []).append(load_scored(run, record))
    drawn += [_draw_reliability(*of, folder) for of in by_task.items() if of[1].keys() >= {*COMPARED}]
    if _recalibrated(evidence):
        drawn.append(_draw_recalibration(evidence, folder))
    if by_task:
        drawn.append(_draw_risk(by_task, folder))
    return (*drawn, *_draw_models(evidence, folder))


def paired(records: list[TrialRecord]) -> list[TrialRecord]:
    """Those of the seeds that have both arms that are compared, or all where none has."""
    seeds = set.intersection(*({record.seed for record in records if record.arm == arm} for arm in COMPARED))
    return [record for record in records if record.seed in seeds] or records


def _draw_changes(evidence: Evidence, folder: Path) -> str:
    title = (
        "Change by multilingual instead of English-only intermediate training, with 95 % intervals over seeds, "
        "of the error over items too"
    )
    rows = {}
    for name in BESIDE:
        parts = [part for part in select(evidence, CHANGE.format(name)) if part.language is None]
        rows[name] = [plots.Row(_title(part) if part.task else pooled_in(parts), part) for part in parts]
    return _forests(folder, "changes.svg", title, rows, 2.6)


def _forests(folder: Path, name: str, title: str, rows: Mapping[str, Sequence[plots.Row]], height: float) -> str:
    """Changes of calibration error and accuracy side by side."""
    with plots.picture(folder, name, title, height=height, columns=len(BESIDE)) as panels:
        for axes, (measure, unit) in zip(panels, BESIDE.items(), strict=True):
            plots.forest(axes, rows[measure], f"change of {unit}")
    return name


def pooled_in(parts: Sequence[Measurement]) -> str:
    """What the mean over targets rests on, in words."""
    targets = [part for part in parts if part.task]
    pooled = [part for part in targets if part.n_seeds >= stats.MIN_SEEDS]
    return "all targets" if len(pooled) in (0, len(targets)) else f"mean of {', '.join(map(_title, pooled))}"


def _title(part: Measurement) -> str:
    return next(about.title for name, about in TASKS.items() if name == part.task)


def _draw_levels(evidence: Evidence, tasks: Sequence[TaskName], folder: Path) -> str:
    title = "Calibration error and accuracy after each arm of intermediate training, 95 % intervals over seeds"
    with plots.picture(folder, "levels.svg", title, height=2.8, columns=len(BESIDE)) as panels:
        for axes, (name, unit) in zip(panels, BESIDE.items(), strict=True):
            for series, task in enumerate(tasks):
                by_arm = {part.model: part for part in select(evidence, name, task) if part.language is None}
                plots.by_category(axes, [by_arm.get(arm) for arm in ARMS], ARMS, series, TASKS[task].title)
            axes.set(xlabel="intermediate training", ylabel=unit)
        panels[0].legend()
    return "levels.svg"


def _answers(scored: Sequence[Scored], language: str | None = None) -> tuple[Floats, Floats]:
    """Confidence and correctness (N,) of all trials together, in one language or all."""
    if language is not None:
        scored = [one.only(one.table.language == one.table.languages.index(language)) for one in scored]
    return np.concatenate([one.confidence for one in scored]), np.concatenate([one.right for one in scored])


def shown_languages(languages: Sequence[str], errors: Sequence[float]) -> list[str]:
    """At most 20 languages in the order of their error: all, or evenly spaced ranks from best to worst."""
    order = np.argsort(errors, kind="stable")
    if len(order) > MAX_PANELS:
        order = order[np.linspace(0, len(order) - 1, MAX_PANELS).round().astype(int)]
    return [languages[i] for i in order]


def _draw_reliability(task: TaskName, scored: Arms, folder: Path) -> str:
    table = next(iter(scored.values()))[0].table
    codes = [table.languages[code] for code in np.unique(table.language)]
    errors = [ece10_equal_width_v1(*_answers(scored["english"], code)) for code in codes]
    languages = shown_languages(codes, errors)
    rows = -(-len(languages) // COLUMNS)
    some = f", {len(languages)} of {len(codes)} languages" if len(languages) < len(codes) else ""
    title = f"Accuracy against confidence on {TASKS[task].title} by language{some}, after two kinds of training"
    name = f"reliability-{task}.svg"
    with plots.picture(folder, name, title, height=1.5 * rows + 0.3, rows=rows, columns=COLUMNS) as panels:
        for place, (axes, language) in enumerate(zip(panels, languages, strict=False)):
            for series, arm in enumerate(reversed(COMPARED)):
                bins = reliability_bins(*_answers(scored[arm], language), repeats=len(scored[arm]))
                plots.reliability(axes, bins, series, arm)
            left, foot = place % COLUMNS == 0, place + COLUMNS >= len(languages)
            axes.set(title=language, ylabel="accuracy" if left else "", xlabel="confidence" if foot else "")
        plots.legend_above(panels[0])
        plots.hide_rest(panels, len(languages))
    return name


def _recalibrated(evidence: Evidence) -> list[TaskName]:
    """The tasks with errors after recalibration that rest on all rows: the error as trained does, and the
    debiased error of fewer rows is smaller."""
    after = {task: select(evidence, "ece_scaled", task) for task in tasks_in(evidence)}
    return [
        task for task, parts in after.items()
        if any(part.language for part in parts) and not any(SAMPLED in part.note for part in parts)
    ]  # fmt: skip


def _draw_recalibration(evidence: Evidence, folder: Path) -> str:
    tasks = _recalibrated(evidence)
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


def _draw_risk(by_task: Mapping[TaskName, Arms], folder: Path) -> str:
    columns = min(2, len(by_task))
    rows = -(-len(by_task) // columns)
    title = "Errors among the most confident answers, by the share that is answered, after each kind of training"
    with plots.picture(folder, "risk.svg", title, height=2.4 * rows, rows=rows, columns=columns) as panels:
        for axes, (task, arms) in zip(panels, by_task.items(), strict=False):
            for series, (arm, scored) in enumerate(arms.items()):
                coverage, risk = risk_coverage(*_answers(scored))
                at = np.unique(np.linspace(0, len(coverage) - 1, POINTS).round().astype(int))
                plots.curve(axes, coverage[at], risk[at], series, arm)
            axes.set(title=TASKS[task].title, xlabel="coverage", ylabel="risk (points)", xlim=(0, 1))
            axes.set_ylim(bottom=0)
        panels[0].legend()
        plots.hide_rest(panels, len(by_task))
    return "risk.svg"


def _draw_models(evidence: Evidence, folder: Path) -> tuple[str, ...]:
    """Nothing where no models were compared."""
    rows: dict[str, list[plots.Row]] = {name: [] for name in BESIDE}
    for name, task in product(BESIDE, tasks_in(evidence)):
        parts = select(evidence, OF_MODELS.format(name), task)
        rows[name] += [plots.Row(_label(part), part) for part in parts if part.language is None]
    if not rows["ece"]:
        return ()
    title = (
        "Change of calibration error and accuracy by layer fusion and label smoothing, 95 % intervals over seeds"
    )
    return (_forests(folder, "models.svg", title, rows, plots.forest_height(len(rows["ece"]))),)


def _label(part: Measurement) -> str:
    model = Model(str(part.model))
    return f"{_title(part)}, " + (f"smoothing {model.smoothing:g}" if model.smoothing else f"D{model.layer}")
