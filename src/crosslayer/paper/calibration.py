"""Calibration after multilingual instead of English-only intermediate training (Q01).

Every measure is taken in each language other than English and averaged over them. The primary one is the debiased
equal-mass ECE of 10 bins, before any scaling. Accuracy and mean confidence stand beside it; what comes second and
what is exploratory stands in `calibrated.MEASURES`.

Another question stands beside it, from the sweep without intermediate training and never judged: do fusing layers,
or label smoothing, shift calibration? D_x is the one that English dev chose, by the mean of all seeds. Each is
compared with the baseline of its seed.

Notation: S seeds, L languages.
"""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress
from dataclasses import replace
from typing import Any

import numpy as np

from claimtrack.errors import ResultsError
from claimtrack.evidence import Evidence, Measurement
from crosslayer import stats
from crosslayer.config import IntermediateSpec, Profile
from crosslayer.data.languages import LANGUAGES, of_unknown_family
from crosslayer.paper import calibration_figures
from crosslayer.paper.calibrated import (
    ARMS,
    BESIDE,
    CHANGE,
    COMPARED,
    EXPLORATORY,
    MEASURES,
    OF_MODELS,
    PRIMARY,
    Trials,
    calibrate,
)  # fmt: skip
from crosslayer.paper.conditions import fragment
from crosslayer.paper.families import steps_apart
from crosslayer.paper.parts import Fields, gain_fields, gain_part, make_evidence, mean_part, part_or_none
from crosslayer.paper.scores import describe_failures, never_run, that_learnt
from crosslayer.predictions.batches import best_batch, chosen_on_dev, describe_other_batches
from crosslayer.predictions.models import BASELINE
from crosslayer.predictions.records import TrialRecord
from crosslayer.predictions.runs import Run
from crosslayer.tasks import TASK_NAMES, TASKS, TaskName

NOTE = "Exploratory. Another question than Q01's, from the sweep without intermediate training; not judged."
figures = calibration_figures.figures


def measure(claim: str, run: Run, profile: Profile) -> Evidence:
    """The primary change over all targets and by target; other measures; levels by arm; languages; models."""
    targets, missing, keys = load_targets(run, profile)
    compared = [target for target in targets if target.seeds_of(*COMPARED)]
    pooled = [target for target in compared if len(target.seeds_of(*COMPARED)) >= stats.MIN_SEEDS] or compared
    for target in (target for target in compared if target not in pooled):
        n_seeds = len(target.seeds_of(*COMPARED))
        missing.append(f"{TASKS[target.task].title}: both arms at {n_seeds} of {stats.MIN_SEEDS} seeds")
    missing += of_unknown_family(code for target in compared for code in target.first.by_language.index)
    parts = [part for name in MEASURES for part in _change(name, compared, pooled, profile.intermediate)]
    parts += [
        mean_part(name, about.unit, values, task=target.task, model=arm, note=target.note(name))
        for target in targets
        for arm in ARMS
        for name, about in target.measures.items()
        if len(values := target.levels(name, arm))
    ]
    parts += [part for target in compared for name in BESIDE for part in _by_kin(target, name)]
    for target in compared:
        for name in BESIDE:
            parts += target.language_parts(CHANGE.format(name), name, *COMPARED)
    for target in targets:  # before and after each recalibration, of the first arm there is
        arm = next(arm for arm in ARMS if target.seeds_of(arm))
        for name in filter(target.measures.get, calibration_figures.RECALIBRATED):
            parts += target.language_parts(name, name, arm, model=arm)
    of_models, more = model_parts(run, profile)
    return make_evidence(claim, run, profile, parts + of_models, missing, keys + more)


def load_targets(run: Run, profile: Profile) -> tuple[list[Trials], list[str], list[str]]:
    """The targets with any usable trial by arm, what is missing in words, and the keys of the trials."""
    targets, missing, keys = [], [], []
    for task in TASK_NAMES:
        if task not in profile.intermediate.targets:
            missing.append(f"{TASKS[task].title} is not an intermediate target of the profile {profile.profile}")
            continue
        every = run.records("intermediate", task)
        if not every:
            missing.append(f"{TASKS[task].title}: intermediate training has not run")
            continue
        records = best_batch(every)
        usable, at_chance = that_learnt(run, records)
        planned, there = profile.intermediate, {(_after(record.arm), record.seed) for record in records}
        lacking = [*describe_other_batches(every, records), *describe_failures(records), *at_chance]
        lacking += never_run(TASKS[task].title, map(_after, planned.arms), planned.seeds_of(task), there)
        found, used, refused = _calibrated(run, task, usable, fragment(profile))
        missing += dict.fromkeys([*lacking, *refused])
        keys += used
        if used:
            targets.append(found)
    return targets, missing, keys


def _calibrated(
    run: Run, task: TaskName, records: Iterable[TrialRecord], parallel: bool
) -> tuple[Trials, list[str], list[str]]:
    """The trials whose scores were kept, by arm or model and seed; their keys; and why the others are missing."""
    found, keys, refused = Trials(task, {}), [], []
    for record in records:
        name = record.arm if record.stage == "intermediate" else record.model
        try:
            found.trials[str(name), record.seed] = calibrate(run, record, parallel)
            keys.append(record.key)
        except ResultsError as error:
            refused.append(str(error))
    return found, keys, refused


def _after(arm: str) -> str:
    return f"baseline after {arm} intermediate training"


def overall(targets: list[Trials], name: str = PRIMARY) -> Measurement:
    """One interval over all targets: targets share no random numbers, so their variances add up."""
    note = MEASURES[name].note
    if judged := name == PRIMARY:
        about = ", ".join(TASKS[target.task].title for target in targets)
        note = f"Mean over the languages other than English, then over {about}; below 0 is better calibrated."

    def make() -> Fields:
        found = stats.mean_gain([stats.gain(target.table(name), *COMPARED) for target in targets])
        return gain_fields(found, n_items=sum(target.first.n_items for target in targets), note=note)

    return part_or_none(CHANGE.format(name), make, unit=MEASURES[name].unit, judged=judged)


def _change(
    name: str, compared: list[Trials], pooled: list[Trials], settings: IntermediateSpec
) -> list[Measurement]:
    """The change of a measure, over the pooled targets and by target; the noise is pooled over the three arms."""
    compared, pooled = ([target for target in some if name in target.measures] for some in (compared, pooled))
    wanted = name == PRIMARY or len(pooled) > 1 or (pooled and name in BESIDE)
    parts = [overall(pooled, name)] if wanted else []
    for target in compared:
        about: dict[str, Any] = {"note": target.note(name)}
        if name == PRIMARY:
            about = {"n_items": target.first.n_items, "note": _conditions(target, settings)}
        with suppress(ResultsError):  # without spans in some language there is no error of them
            gain = stats.gain(target.table(name), *COMPARED)
            parts.append(gain_part(CHANGE.format(name), gain, unit=MEASURES[name].unit, task=target.task, **about))
    return parts


def _conditions(target: Trials, settings: IntermediateSpec) -> str:
    """How many rows a target has, and its intermediate phase where targets differ in it."""
    phase = settings.phase(target.task)
    differ = any(own != phase for own in settings.phases.values())
    after = f", after {phase['epochs']} epochs at a learning rate of {phase['learning_rate']:g}" if differ else ""
    return f"{target.told(target.first.n_rows)}{after}."


def _by_kin(target: Trials, name: str) -> list[Measurement]:
    """A measure along the distance from English after each arm, and its change; its change by family."""
    parts = []
    known = target.first.by_language.index.isin([*LANGUAGES])
    codes = target.first.by_language.index[known]
    steps = np.array([steps_apart("en", code) for code in codes])
    changes = target.by_language(name, *COMPARED)[:, known]
    about: dict[str, str] = {"task": target.task, "note": EXPLORATORY}
    if len(set(steps)) > 1:
        for arm in filter(target.seeds_of, ARMS):
            slopes = stats.slopes(steps, target.by_language(name, arm)[:, known])
            parts.append(mean_part(f"{name}_per_step_from_english", "points", slopes, model=arm, **about))
        slopes = stats.slopes(steps, changes)
        parts.append(mean_part(f"{name}_change_per_step_from_english", "points", slopes, **about))
    family = np.array([LANGUAGES[code].family for code in codes])
    for kin in sorted(set(family)):
        values = changes[:, family == kin].mean(axis=1)
        parts.append(mean_part(f"{name}_change_in_family", "points", values, model=str(kin), **about))
    return parts


def model_parts(run: Run, profile: Profile) -> tuple[list[Measurement], list[str]]:
    """Changes by fused and smoothed models, and the keys of the trials; nothing where no scores were kept."""
    parts: list[Measurement] = []
    keys: list[str] = []
    for task in TASK_NAMES:
        every = run.records("sweep", task)
        smoothed = sorted({record.model for record in every if record.model.smoothing})
        records = best_batch(every, smoothed)
        chosen = chosen_on_dev(run, (record for record in records if record.outcome == "ok"))
        compared = [*([chosen] if chosen else []), *smoothed]
        learnt = (r for r in that_learnt(run, records)[0] if r.model in (BASELINE, *compared))
        trials, used, _ = _calibrated(run, task, learnt, fragment(profile))
        found = [part for model in compared for part in _changes(trials, model)]
        keys += used if found else []
        parts += found
    return parts, keys


def _changes(trials: Trials, model: str) -> list[Measurement]:
    """Every measure, mean over languages; error and accuracy in each language too."""
    if not trials.seeds_of(model, BASELINE):
        return []
    parts = []
    for name, measured in trials.measures.items():
        rests_on = f"{trials.told(trials.first.n_rows)}." if name == PRIMARY else trials.sample(name)
        about: dict[str, Any] = {"task": trials.task, "model": model, "n_items": trials.first.n_items}
        with suppress(ResultsError):  # without spans in some language there is no error of them
            table = replace(trials.table(name), pooled=())  # label smoothing may change the noise too
            note = f"{NOTE} {rests_on}".strip()
            gain = stats.gain(table, model, BASELINE)
            parts.append(gain_part(OF_MODELS.format(name), gain, unit=measured.unit, note=note, **about))
    for name in BESIDE:
        parts += trials.language_parts(OF_MODELS.format(name), name, model, BASELINE, model=model, note=NOTE)
    return parts
