"""Calibration after multilingual instead of English-only intermediate training (Q01).

Every measure is taken in each language other than English and averaged over them. The primary one is the debiased
equal-mass ECE of 10 bins, before any scaling; accuracy and mean confidence stand beside it, since an arm can be
better calibrated only by being worse. Brier score, negative log-likelihood and the same after temperature scaling
fitted on English dev come second; everything else is exploratory.

Distance from English is the number of steps up the language tree: 1 for another Germanic language, 2 for another
Indo-European one, 3 for the rest.

Notation: S seeds, L languages, R resamples.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import get_args

import numpy as np

from claimtrack.errors import ResultsError
from claimtrack.evidence import Evidence, Measurement
from crosslayer import stats
from crosslayer.config import Arm, IntermediateSpec, Profile
from crosslayer.data.languages import LANGUAGES, of_unknown_family
from crosslayer.paper import reliability
from crosslayer.paper.calibrated import MEASURES, NOTES, PRIMARY, Calibrated, Trials, calibrate, known
from crosslayer.paper.model_calibration import draw_models, model_parts
from crosslayer.paper.parts import (
    gain_part,
    make_evidence,
    mean_part,
    part_or_none,
    seed_part,
    select,
    tasks_in,
)  # fmt: skip
from crosslayer.paper.scores import describe_failures, never_run, that_learnt
from crosslayer.predictions.batches import best_batch, describe_other_batches
from crosslayer.predictions.records import TrialRecord
from crosslayer.predictions.runs import Run
from crosslayer.stats import Floats
from crosslayer.tasks import TASK_NAMES, TASKS, TaskName

ARMS: tuple[Arm, ...] = get_args(Arm)
COMPARED: tuple[Arm, Arm] = ("multilingual", "english")
BESIDE = ("ece", "accuracy")
"""Shown side by side wherever the primary measure is, since an arm can be better calibrated by being worse."""
CHANGE = "{}_multilingual_minus_english"
SEEN = {"ece": "ECE (points)", "accuracy": "accuracy (points)"}


class Target(Trials):
    """The trials of one target task by arm and seed."""

    @property
    def seeds(self) -> list[int]:
        """Those that have both arms that are compared."""
        return self.seeds_of(*COMPARED)

    def change_by_language(self, measure: str, seeds: Sequence[int]) -> Floats:
        """Multilingual minus English-only, (S, L)."""
        after, before = (self.by_language(arm, measure, seeds) for arm in COMPARED)
        return after - before

    def change(self, measure: str) -> stats.Gain:
        """Multilingual minus English-only, mean over languages; the noise is pooled over the three arms."""
        return stats.gain(self.table(measure), *COMPARED)


def measure(claim: str, run: Run, profile: Profile) -> Evidence:
    """The primary change over all targets and by target; other measures; levels by arm; languages; models."""
    targets, missing, keys = load_targets(run, profile)
    compared = [target for target in targets if target.seeds]
    pooled = together(compared)
    rest = [target for target in compared if target not in pooled]
    missing += [f"{TASKS[t.task].title}: both arms at {len(t.seeds)} of {stats.MIN_SEEDS} seeds" for t in rest]
    missing += of_unknown_family(code for target in compared for code in target.languages)
    parts = [overall(pooled)]
    parts += [_change_of(target, profile.intermediate) for target in compared]
    parts += [part for name in MEASURES if name != PRIMARY for part in _other(compared, pooled, name)]
    parts += [part for target in targets for part in _levels(target)]
    parts += [part for target in compared for part in _by_kin(target)]
    parts += [part for target in compared for part in _by_language(target)]
    parts += [part for target in targets for part in _recalibrated(target)]
    of_models, more = model_parts(run, profile)
    return make_evidence(claim, run, profile, parts + of_models, missing, keys + more)


def figures(evidence: Evidence, run: Run, profile: Profile, folder: Path) -> tuple[str, ...]:
    """Changes with their intervals, levels, languages, reliability, recalibration, risk; fusion and smoothing."""
    drawn: list[str] = []
    if any(part.estimate is not None for part in select(evidence, CHANGE.format(PRIMARY))):
        drawn += [_draw_changes(evidence, folder), _draw_levels(evidence, folder)]
        drawn.append(_draw_languages(evidence, folder))
    records = {
        task: [r for r in run.records("intermediate", task) if r.key in evidence.trials and r.outcome == "ok"]
        for task in tasks_in(evidence)
    }
    drawn += reliability.draw(
        evidence, run, {task: _paired(found) for task, found in records.items() if found}, folder
    )
    return (*drawn, *draw_models(evidence, folder))


def _paired(records: list[TrialRecord]) -> list[TrialRecord]:
    """Those of the seeds that have both arms that are compared, or all where none has."""
    seeds = set.intersection(*({record.seed for record in records if record.arm == arm} for arm in COMPARED))
    return [record for record in records if record.seed in seeds] or records


def load_targets(run: Run, profile: Profile) -> tuple[list[Target], list[str], list[str]]:
    """The targets with any usable trial, what is missing in words, and the keys of the trials."""
    targets, missing, keys = [], [], []
    for task in TASK_NAMES:
        if task not in profile.intermediate.targets:
            missing.append(f"{TASKS[task].title} is no intermediate target of the profile {profile.profile}")
            continue
        trials, lacking = _load_trials(run, task, profile)
        missing += lacking
        if trials:
            targets.append(Target(task, {place: found for place, (found, _) in trials.items()}))
            keys += [key for _, key in trials.values()]
    return targets, missing, keys


def _load_trials(
    run: Run, task: TaskName, profile: Profile
) -> tuple[dict[tuple[str, int], tuple[Calibrated, str]], list[str]]:
    """Usable trials with their keys by arm and seed, and what is missing."""
    every = run.records("intermediate", task)
    if not every:
        return {}, [f"{TASKS[task].title}: intermediate training has not run"]
    records = best_batch(every)
    usable, at_chance = that_learnt(run, records)
    planned, there = profile.intermediate, {(_after(record.arm), record.seed) for record in records}
    missing = [*describe_other_batches(every, records), *describe_failures(records), *at_chance]
    missing += never_run(TASKS[task].title, map(_after, planned.arms), planned.seeds_of(task), there)
    trials = {}
    for record in usable:
        try:
            found = calibrate(run, record, profile.data.source == "fragment")
            trials[str(record.arm), record.seed] = found, record.key
        except ResultsError as error:
            missing.append(str(error))
    return trials, list(dict.fromkeys(missing))


def _after(arm: str) -> str:
    return f"baseline after {arm} intermediate training"


def together(targets: list[Target]) -> list[Target]:
    """The targets that one answer rests on: those with three seeds of both arms, or all where none has."""
    return [target for target in targets if len(target.seeds) >= stats.MIN_SEEDS] or targets


def overall(targets: list[Target], name: str = PRIMARY) -> Measurement:
    """One interval over all targets: targets share no random numbers, so their variances add up."""
    about = ", ".join(TASKS[target.task].title for target in targets)
    judged = name == PRIMARY
    note = f"Mean over the languages other than English, then over {about}; below 0 is better calibrated."

    def make() -> Measurement:
        found = stats.mean_gain([target.change(name) for target in targets])
        n_items = sum(target.n_items for target in targets)
        return gain_part(
            CHANGE.format(name), found, unit=MEASURES[name].unit, judged=judged, n_items=n_items,
            note=note if judged else NOTES.get(MEASURES[name].role, ""),
        )  # fmt: skip

    return part_or_none(CHANGE.format(name), make, unit=MEASURES[name].unit, judged=judged)


def _change_of(target: Target, settings: IntermediateSpec) -> Measurement:
    phase = settings.phase(target.task)
    differ = any(own != phase for own in settings.phases.values())
    after = f", after {phase['epochs']} epochs at a learning rate of {phase['learning_rate']:g}" if differ else ""
    return gain_part(
        CHANGE.format(PRIMARY),
        target.change(PRIMARY),
        task=target.task,
        n_items=target.n_items,
        note=f"{target.rows} in each language{after}.",
    )


def _other(compared: list[Target], pooled: list[Target], name: str) -> list[Measurement]:
    """The change of another measure, over the pooled targets and by target."""
    about = MEASURES[name]
    compared, pooled = ([target for target in some if name in target.measures] for some in (compared, pooled))
    parts = [overall(pooled, name)] if len(pooled) > 1 or (pooled and name in BESIDE) else []
    for target in compared:
        with suppress(ResultsError):  # a model that predicted no span has no error of its spans
            parts.append(
                gain_part(
                    CHANGE.format(name), target.change(name), unit=about.unit, task=target.task,
                    note=target.note(name),
                )
            )  # fmt: skip
    return parts


def _levels(target: Target) -> list[Measurement]:
    """Every measure after each arm."""
    return [
        mean_part(
            name, about.unit, values, task=target.task, model=arm, note=target.note(name)
        )
        for arm in ARMS
        if (seeds := target.seeds_of(arm))
        for name, about in target.measures.items()
        if len(values := known(target.level(arm, name, seeds)))
    ]  # fmt: skip


def steps_from_english(code: str) -> int:
    """1 for a language of English's genus, 2 for another of its family, 3 for the rest."""
    english, other = LANGUAGES["en"], LANGUAGES[code]
    return 1 if other.genus == english.genus else 2 if other.family == english.family else 3


def _by_kin(target: Target) -> list[Measurement]:
    """Error and accuracy along the distance from English after each arm, and their changes; changes by family."""
    return [part for name in BESIDE for part in _of_kin(target, name)]


def _of_kin(target: Target, name: str) -> list[Measurement]:
    parts = []
    known = [code in LANGUAGES for code in target.languages]
    codes = [code for code in target.languages if code in LANGUAGES]
    steps = np.array([steps_from_english(code) for code in codes], dtype=np.float64)
    change = target.change_by_language(name, target.seeds)[:, known]
    about: dict[str, str] = {"task": target.task, "note": NOTES["exploratory"]}
    if len(set(steps)) > 1:
        for arm in ARMS:
            if seeds := target.seeds_of(arm):
                found = stats.slope(steps, target.by_language(arm, name, seeds)[:, known])
                parts.append(seed_part(f"{name}_per_step_from_english", "points", found, model=arm, **about))
        found = stats.slope(steps, change)
        parts.append(seed_part(f"{name}_change_per_step_from_english", "points", found, **about))
    family = np.array([LANGUAGES[code].family for code in codes])
    for kin in sorted(set(family)):
        values = change[:, family == kin].mean(axis=1)
        parts.append(mean_part(f"{name}_change_in_family", "points", values, model=str(kin), **about))
    return parts


def _by_language(target: Target) -> list[Measurement]:
    """The change of error and accuracy in each language."""
    return [
        mean_part(CHANGE.format(name), "points", values, task=target.task, language=code)
        for name in BESIDE
        for code, values in zip(target.languages, target.change_by_language(name, target.seeds).T, strict=True)
    ]


def _recalibrated(target: Target) -> list[Measurement]:
    """The error in each language before and after each recalibration, of the first arm there is."""
    arm = next(arm for arm in ARMS if target.seeds_of(arm))
    return [
        mean_part(name, "points", values, task=target.task, language=code, model=arm)
        for name in reliability.RECALIBRATED
        for code, values in zip(
            target.languages, target.by_language(arm, name, target.seeds_of(arm)).T, strict=True
        )
    ]


def _draw_changes(evidence: Evidence, folder: Path) -> str:
    from crosslayer.paper import plots

    title = (
        "Change by multilingual instead of English-only intermediate training, with 95 % intervals over seeds, "
        "of the error over items too"
    )
    with plots.picture(folder, "changes.svg", title, height=2.6, columns=len(SEEN)) as panels:
        for axes, (name, unit) in zip(panels, SEEN.items(), strict=True):
            parts = [part for part in select(evidence, CHANGE.format(name)) if part.language is None]
            rows = [plots.Row(_title(p.task) if p.task else _pooled_in(parts), p) for p in parts]
            plots.forest(axes, rows, f"change of {unit}")
    return "changes.svg"


def _pooled_in(parts: Sequence[Measurement]) -> str:
    """What the mean over targets rests on, in words."""
    targets = [part for part in parts if part.task]
    pooled = [part for part in targets if part.n_seeds >= stats.MIN_SEEDS]
    if len(pooled) in (0, len(targets)):
        return "all targets"
    return "mean of " + ", ".join(_title(part.task) for part in pooled if part.task)


def _draw_levels(evidence: Evidence, folder: Path) -> str:
    from crosslayer.paper import plots

    title = "Calibration error and accuracy after each arm of intermediate training, 95 % intervals over seeds"
    with plots.picture(folder, "levels.svg", title, height=2.8, columns=len(SEEN)) as panels:
        for axes, (name, unit) in zip(panels, SEEN.items(), strict=True):
            for series, task in enumerate(_targets_in(evidence)):
                by_arm = {part.model: part for part in select(evidence, name, task) if part.language is None}
                plots.by_category(axes, [by_arm.get(arm) for arm in ARMS], ARMS, series, TASKS[task].title)
            axes.set(xlabel="intermediate training", ylabel=unit)
        panels[0].legend()
    return "levels.svg"


def _draw_languages(evidence: Evidence, folder: Path) -> str:
    from crosslayer.paper import plots

    tasks = _targets_in(evidence)
    title = "Change of the calibration error in each language, with 95 % intervals over seeds"
    with plots.picture(folder, "languages.svg", title, height=1.9 * len(tasks), rows=len(tasks)) as panels:
        for axes, task in zip(panels, tasks, strict=True):
            plots.by_name(axes, [p for p in select(evidence, CHANGE.format(PRIMARY), task) if p.language])
            plots.zero_line(axes)
            axes.set(title=TASKS[task].title, ylabel="change (points)")
        panels[-1].set_xlabel("language (ISO 639-1), by change")
    return "languages.svg"


def _targets_in(evidence: Evidence) -> list[TaskName]:
    return [task for task in tasks_in(evidence) if select(evidence, CHANGE.format(PRIMARY), task)]


def _title(task: str) -> str:
    return next(about.title for name, about in TASKS.items() if name == task)
