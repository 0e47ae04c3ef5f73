"""Does fusing layers, or label smoothing, shift calibration? From the sweep, beside Q01 and exploratory.

D_x is the one that English dev chose, by the mean of all seeds. Each is compared with the baseline of its seed.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from crosslayer.analysis.calibrated import load_scored
from crosslayer.analysis.parts import mean_part, select, tasks_in
from crosslayer.analysis.scores import BASELINE, that_learnt
from crosslayer.claims.evidence import Evidence, Part
from crosslayer.config import Profile
from crosslayer.errors import ResultsError
from crosslayer.metrics.calibration import ece10_equal_mass_debiased_v1, softmax, top_label
from crosslayer.metrics.proper_scores import brier_v1, nll_v1
from crosslayer.metrics.recalibration import fit_temperature
from crosslayer.predictions import SMOOTHED, Run, TrialRecord, chosen_on_dev
from crosslayer.stats import Floats
from crosslayer.tasks import TASK_NAMES, TASKS, TaskName

CHANGE = "{}_model_minus_baseline"
UNITS = {"ece": "points", "accuracy": "points", "ece_scaled": "points", "brier": "brier", "nll": "nats"}
SHOWN = {"ece": "change of ECE (points)", "accuracy": "change of accuracy (points)"}
Values = dict[tuple[str, int], dict[str, float]]
"""Each measure, mean over the languages other than English, by model and seed."""


def model_parts(run: Run, profile: Profile) -> tuple[list[Part], list[str]]:
    """Changes by task, and the keys of the trials; nothing where no scores were kept."""
    parts: list[Part] = []
    keys: list[str] = []
    for task in TASK_NAMES:
        records = run.records("sweep", task)
        compared = _compared([record for record in records if record.outcome == "ok"])
        values, used = _measured(
            run, [r for r in that_learnt(run, records)[0] if r.model in (BASELINE, *compared)]
        )
        found = [part for model in compared for part in _changes(task, values, model)]
        keys += used if found else []
        parts += found
    return parts, keys


def _compared(records: list[TrialRecord]) -> list[str]:
    """The models that are compared with the baseline, the same whose scores the ledger keeps."""
    smoothed = sorted({record.model for record in records if record.model.startswith(SMOOTHED)})
    chosen = chosen_on_dev(records)
    return [*([chosen] if chosen else []), *smoothed]


def _measured(run: Run, records: list[TrialRecord]) -> tuple[Values, list[str]]:
    values: Values = {}
    keys = []
    for record in records:
        try:
            values[record.model, record.seed] = _means(run, record)
        except ResultsError:
            continue
        keys.append(record.key)
    return values, keys


def _means(run: Run, record: TrialRecord) -> dict[str, float]:
    scored = load_scored(run, record)
    temperature = fit_temperature(scored.dev_logits, scored.dev_gold)
    found = []
    for code in np.unique(scored.table.language):
        here = scored.table.language == code
        logits, gold = scored.logits[here], scored.table.gold[here]
        probabilities = softmax(logits)
        confidence, right = top_label(probabilities, gold)
        scaled, _ = top_label(softmax(logits, temperature), gold)
        found.append({
            "ece": ece10_equal_mass_debiased_v1(confidence, right),
            "accuracy": float(100 * right.mean()),
            "ece_scaled": ece10_equal_mass_debiased_v1(scaled, right),
            "brier": brier_v1(probabilities, gold),
            "nll": nll_v1(logits, gold),
        })  # fmt: skip
    return {name: float(np.mean([each[name] for each in found])) for name in UNITS}


def _changes(task: TaskName, values: Values, model: str) -> list[Part]:
    seeds = sorted(seed for name, seed in values if name == model and (BASELINE, seed) in values)
    if not seeds:
        return []
    return [
        mean_part(
            CHANGE.format(name), unit, _paired(values, model, seeds, name),
            task=task, model=model, note="Exploratory: from the sweep, without intermediate training.",
        )
        for name, unit in UNITS.items()
    ]  # fmt: skip


def _paired(values: Values, model: str, seeds: list[int], name: str) -> Floats:
    return np.array([values[model, seed][name] - values[BASELINE, seed][name] for seed in seeds])


def draw_models(evidence: Evidence, folder: Path) -> tuple[str, ...]:
    """Changes of calibration error and accuracy side by side; nothing where nothing was compared."""
    if not select(evidence, CHANGE.format("ece")):
        return ()
    from crosslayer.analysis import plots

    title = (
        "Change of calibration error and accuracy by layer fusion and label smoothing, 95 % intervals over seeds"
    )
    rows = {
        name: [part for task in tasks_in(evidence) for part in select(evidence, CHANGE.format(name), task)]
        for name in SHOWN
    }
    height = plots.forest_height(len(rows["ece"]))
    with plots.picture(folder, "models.svg", title, height=height, columns=len(SHOWN)) as panels:
        for axes, (name, unit) in zip(panels, SHOWN.items(), strict=True):
            plots.forest(axes, [plots.Row(_label(part), part) for part in rows[name]], unit)
    return ("models.svg",)


def _label(part: Part) -> str:
    title = next(about.title for name, about in TASKS.items() if name == part.task)
    model = str(part.model)
    if model.startswith(SMOOTHED):
        return f"{title}, smoothing {model.removeprefix(SMOOTHED)}"
    return f"{title}, D{model.removeprefix('layer_')}"
