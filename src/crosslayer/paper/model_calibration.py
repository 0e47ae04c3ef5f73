"""Does fusing layers, or label smoothing, shift calibration? From the sweep: another question than Q01's.

D_x is the one that English dev chose, by the mean of all seeds. Each is compared with the baseline of its seed.
"""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

from claimtrack.errors import ResultsError
from claimtrack.evidence import Evidence, Measurement
from crosslayer import stats
from crosslayer.config import Profile
from crosslayer.paper.calibrated import MEASURES, PRIMARY, Calibrated, Trials, calibrate
from crosslayer.paper.parts import gain_part, mean_part, select, tasks_in
from crosslayer.paper.scores import that_learnt
from crosslayer.predictions.batches import best_batch, chosen_on_dev
from crosslayer.predictions.models import BASELINE, Model
from crosslayer.predictions.records import TrialRecord
from crosslayer.predictions.runs import Run
from crosslayer.tasks import TASK_NAMES, TASKS, TaskName

CHANGE = "{}_model_minus_baseline"
SHOWN = {"ece": "change of ECE (points)", "accuracy": "change of accuracy (points)"}
NOTE = "Exploratory. Another question than Q01's, from the sweep without intermediate training; not judged."


def model_parts(run: Run, profile: Profile) -> tuple[list[Measurement], list[str]]:
    """Changes by task and by language, and the keys of the trials; nothing where no scores were kept."""
    parts: list[Measurement] = []
    keys: list[str] = []
    for task in TASK_NAMES:
        smoothed = _smoothed(run.records("sweep", task))
        records = best_batch(run.records("sweep", task), smoothed)
        chosen = chosen_on_dev(run, (record for record in records if record.outcome == "ok"))
        compared = [*([chosen] if chosen else []), *smoothed]
        learnt = [r for r in that_learnt(run, records)[0] if r.model in (BASELINE, *compared)]
        trials, used = _calibrated(run, task, learnt, profile.data.source == "fragment")
        found = [part for model in compared for part in _changes(trials, model)]
        keys += used if found else []
        parts += found
    return parts, keys


def _smoothed(records: Iterable[TrialRecord]) -> list[Model]:
    """The baselines trained with label smoothing; with the chosen D_x those whose scores the ledger keeps."""
    return sorted({record.model for record in records if record.model.smoothing})


def _calibrated(run: Run, task: TaskName, records: list[TrialRecord], parallel: bool) -> tuple[Trials, list[str]]:
    """Those whose scores were kept, and their keys."""
    found: dict[tuple[str, int], Calibrated] = {}
    keys = []
    for record in records:
        try:
            found[record.model, record.seed] = calibrate(run, record, parallel)
        except ResultsError:
            continue
        keys.append(record.key)
    return Trials(task, found), keys


def _changes(trials: Trials, model: str) -> list[Measurement]:
    """Every measure, mean over languages; error and accuracy in each language too."""
    seeds = trials.seeds_of(model, BASELINE)
    if not seeds:
        return []
    parts = []
    for name in trials.measures:
        table = replace(trials.table(name), pooled=())  # label smoothing may change the noise too
        rests_on = f"{trials.rows} in each language." if name == PRIMARY else trials.sample(name)
        note = f"{NOTE} {rests_on}".strip()
        about: dict[str, Any] = {"task": trials.task, "model": model, "n_items": trials.n_items, "note": note}
        with suppress(ResultsError):  # a model that predicted no span has no error of its spans
            found = stats.gain(table, model, BASELINE)
            parts.append(gain_part(CHANGE.format(name), found, unit=MEASURES[name].unit, **about))
    for name in SHOWN:
        change = trials.by_language(model, name, seeds) - trials.by_language(BASELINE, name, seeds)
        parts += [
            mean_part(
                CHANGE.format(name), "points", values, task=trials.task, model=model, language=code, note=NOTE
            )
            for code, values in zip(trials.languages, change.T, strict=True)
        ]
    return parts


def draw_models(evidence: Evidence, folder: Path) -> tuple[str, ...]:
    """Changes of calibration error and accuracy side by side; nothing where nothing was compared."""
    if not select(evidence, CHANGE.format("ece")):
        return ()
    from crosslayer.paper import plots

    title = (
        "Change of calibration error and accuracy by layer fusion and label smoothing, 95 % intervals over seeds"
    )
    rows = {
        name: [
            part
            for task in tasks_in(evidence)
            for part in select(evidence, CHANGE.format(name), task)
            if part.language is None
        ]
        for name in SHOWN
    }
    height = plots.forest_height(len(rows["ece"]))
    with plots.picture(folder, "models.svg", title, height=height, columns=len(SHOWN)) as panels:
        for axes, (name, unit) in zip(panels, SHOWN.items(), strict=True):
            plots.forest(axes, [plots.Row(_label(part), part) for part in rows[name]], unit)
    return ("models.svg",)


def _label(part: Measurement) -> str:
    title = next(about.title for name, about in TASKS.items() if name == part.task)
    model = Model(str(part.model))
    return f"{title}, smoothing {model.smoothing:g}" if model.smoothing else f"{title}, D{model.layer}"
