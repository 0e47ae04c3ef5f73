"""Calibration after multilingual instead of English-only intermediate training (Q01).

Every measure is taken in each language other than English and averaged over them. The primary one is the debiased
equal-mass ECE of 10 bins, before any scaling; Brier score, negative log-likelihood, the ECE after temperature
scaling fitted on English dev, and accuracy stand beside it.

Notation: S seeds, L languages, R resamples.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import get_args

import numpy as np

from crosslayer import stats
from crosslayer.analysis.calibrated import UNITS, Calibrated, calibrate
from crosslayer.analysis.parts import (
    gain_part,
    has_values,
    interval,
    make_evidence,
    seed_gain,
    select,
    tasks_in,
)  # fmt: skip
from crosslayer.analysis.scores import describe_failures
from crosslayer.claims.evidence import Evidence, Part
from crosslayer.config import Arm, Profile
from crosslayer.errors import ResultsError
from crosslayer.predictions import Run
from crosslayer.stats import Floats
from crosslayer.tasks import TASK_NAMES, TASKS, TaskName

ARMS: tuple[Arm, ...] = get_args(Arm)
PRIMARY = "ece"
CHANGE = "{}_multilingual_minus_english"
SEEN = {"ece": "ECE (points)", "accuracy": "accuracy (points)"}


@dataclass(frozen=True, eq=False)
class Target:
    """The trials of one target task by arm and seed."""

    task: TaskName
    trials: dict[tuple[str, int], Calibrated]

    @property
    def seeds(self) -> list[int]:
        """Those that have both arms that are compared."""
        return sorted(
            seed for arm, seed in self.trials if arm == "english" and ("multilingual", seed) in self.trials
        )

    def level(self, arm: str, measure: str, seeds: Sequence[int]) -> Floats:
        """A measure, mean over languages, by seed."""
        return np.array([self.trials[arm, seed].by_language[measure].mean() for seed in seeds])

    def change(self, measure: str, seeds: Sequence[int]) -> Floats:
        """Multilingual minus English-only, mean over languages, by seed."""
        return self.level("multilingual", measure, seeds) - self.level("english", measure, seeds)

    def item_variance(self, seeds: Sequence[int]) -> float:
        """Variance due to test items of the mean over seeds of the primary change."""
        pairs = [(self.trials["multilingual", seed], self.trials["english", seed]) for seed in seeds]
        return float(np.mean([a.resampled - b.resampled for a, b in pairs], axis=0).var(ddof=1))


def measure(claim: str, run: Run, profile: Profile) -> Evidence:
    """The primary change over all targets, then by target; the other measures; levels by arm; languages."""
    targets, missing, keys = load_targets(run, profile)
    compared = [target for target in targets if target.seeds]
    parts = [_overall(compared)]
    parts += [_change_of(target) for target in compared]
    parts += [part for name in UNITS if name != PRIMARY for part in _secondary(compared, name)]
    parts += [part for target in targets for part in _levels(target)]
    parts += [part for target in compared for part in _by_language(target)]
    return make_evidence(claim, run, profile, parts, missing, keys)


def figures(evidence: Evidence, run: Run, profile: Profile, folder: Path) -> tuple[str, ...]:
    """Changes with their intervals, levels by arm, and the change in each language."""
    if not has_values(evidence):
        return ()
    drawn = [_draw_changes(evidence, folder), _draw_levels(evidence, folder)]
    if any(part.language for part in evidence.parts):
        drawn.append(_draw_languages(evidence, folder))
    return tuple(drawn)


def load_targets(run: Run, profile: Profile) -> tuple[list[Target], list[str], list[str]]:
    """The targets with any usable trial, what is missing in words, and the keys of the trials."""
    targets, missing, keys = [], [], []
    parallel = profile.data.source == "fragment"
    for task in TASK_NAMES:
        if task not in profile.intermediate.targets:
            missing.append(f"{TASKS[task].title} is no intermediate target of the profile {profile.profile}")
            continue
        trials, lacking = _load_trials(run, task, parallel)
        missing += lacking
        if trials:
            targets.append(Target(task, {place: found for place, (found, _) in trials.items()}))
            keys += [key for _, key in trials.values()]
    return targets, missing, keys


def _load_trials(
    run: Run, task: TaskName, parallel: bool
) -> tuple[dict[tuple[str, int], tuple[Calibrated, str]], list[str]]:
    """Usable trials with their keys by arm and seed, and what is missing."""
    trials, missing = {}, []
    records = run.records("intermediate", task)
    if not records:
        missing.append(f"{TASKS[task].title}: intermediate training has not run")
    missing += describe_failures(records)
    for record in (record for record in records if record.outcome == "ok"):
        try:
            trials[str(record.arm), record.seed] = calibrate(run, record, parallel), record.key
        except ResultsError as error:
            missing.append(str(error))
    return trials, missing


def _overall(targets: list[Target]) -> Part:
    """One interval over all targets, at the seeds that all of them have."""
    name = CHANGE.format(PRIMARY)
    seeds = _common_seeds(targets)
    if not seeds:
        note = "no seed has both arms of every target: run the missing trials"
        return Part(measure=name, estimate=None, unit="points", judged=True, note=note)
    values = np.mean([target.change(PRIMARY, seeds) for target in targets], axis=0)
    variance = sum(target.item_variance(seeds) for target in targets) / len(targets) ** 2
    about = ", ".join(TASKS[target.task].title for target in targets)
    return gain_part(
        name, seed_gain(values, variance), judged=True, n_items=sum(_n_items(target) for target in targets),
        note=f"Mean over the languages other than English, then over {about}; below 0 is better calibrated.",
    )  # fmt: skip


def _common_seeds(targets: list[Target]) -> list[int]:
    shared = [set(target.seeds) for target in targets]
    return sorted(set.intersection(*shared)) if shared else []


def _n_items(target: Target) -> int:
    return next(iter(target.trials.values())).n_items


def _change_of(target: Target) -> Part:
    gain = seed_gain(target.change(PRIMARY, target.seeds), target.item_variance(target.seeds))
    return gain_part(CHANGE.format(PRIMARY), gain, task=target.task, n_items=_n_items(target))


def _secondary(targets: list[Target], name: str) -> list[Part]:
    """The change of another measure, over all targets and by target; intervals over seeds only."""
    seeds = _common_seeds(targets)
    found: dict[TaskName | None, Floats] = {target.task: target.change(name, target.seeds) for target in targets}
    if seeds:
        found = {None: np.mean([target.change(name, seeds) for target in targets], axis=0), **found}
    return [_mean_part(CHANGE.format(name), UNITS[name], values, task=task) for task, values in found.items()]


def _levels(target: Target) -> list[Part]:
    """Every measure after each arm."""
    parts = []
    for arm in ARMS:
        seeds = sorted(seed for name, seed in target.trials if name == arm)
        for name, unit in UNITS.items():
            if seeds:
                parts.append(_mean_part(name, unit, target.level(arm, name, seeds), task=target.task, model=arm))
    return parts


def _by_language(target: Target) -> list[Part]:
    """The primary change in each language."""
    arms = [
        [target.trials[arm, s].by_language[PRIMARY] for s in target.seeds] for arm in ("multilingual", "english")
    ]
    change = np.array(arms[0]) - np.array(arms[1])
    languages = target.trials["english", target.seeds[0]].languages
    return [
        _mean_part(CHANGE.format(PRIMARY), "points", values, task=target.task, language=code)
        for code, values in zip(languages, change.T, strict=True)
    ]


def _mean_part(measure: str, unit: str, values: Floats, **about: str | None) -> Part:
    found = stats.mean_interval(values.tolist())
    return Part(
        measure=measure, unit=unit, estimate=found.estimate, interval=interval(found.interval),
        n_seeds=len(values), task=about.get("task"), language=about.get("language"), model=about.get("model"),
    )  # fmt: skip


def _draw_changes(evidence: Evidence, folder: Path) -> str:
    from crosslayer.analysis import plots

    title = "Change by multilingual instead of English-only intermediate training, with 95 % intervals"
    with plots.picture(folder, "changes.svg", title, height=2.6, columns=len(SEEN)) as panels:
        for axes, (name, unit) in zip(panels, SEEN.items(), strict=True):
            parts = [part for part in select(evidence, CHANGE.format(name)) if part.language is None]
            rows = [plots.Row("all targets" if p.task is None else _title(p.task), p) for p in parts]
            plots.forest(axes, rows, f"change of {unit}")
    return "changes.svg"


def _draw_levels(evidence: Evidence, folder: Path) -> str:
    from crosslayer.analysis import plots

    title = "Calibration error and accuracy after each arm of intermediate training, 95 % intervals over seeds"
    with plots.picture(folder, "levels.svg", title, height=2.8, columns=len(SEEN)) as panels:
        for axes, (name, unit) in zip(panels, SEEN.items(), strict=True):
            for series, task in enumerate(tasks_in(evidence)):
                by_arm = {part.model: part for part in select(evidence, name, task)}
                plots.by_category(axes, [by_arm.get(arm) for arm in ARMS], ARMS, series, TASKS[task].title)
            axes.set(xlabel="intermediate training", ylabel=unit)
        panels[0].legend()
    return "levels.svg"


def _draw_languages(evidence: Evidence, folder: Path) -> str:
    from crosslayer.analysis import plots

    tasks = tasks_in(evidence)
    title = "Change of the calibration error in each language, with 95 % intervals over seeds"
    with plots.picture(folder, "languages.svg", title, height=1.9 * len(tasks), rows=len(tasks)) as panels:
        for axes, task in zip(panels, tasks, strict=True):
            plots.by_name(axes, [p for p in select(evidence, CHANGE.format(PRIMARY), task) if p.language])
            plots.zero_line(axes)
            axes.set(title=TASKS[task].title, ylabel="change (points)")
        panels[-1].set_xlabel("language (ISO 639-1), by change")
    return "languages.svg"


def _title(task: str) -> str:
    return next(about.title for name, about in TASKS.items() if name == task)
