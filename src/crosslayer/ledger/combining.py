"""Sets of trials put together: a trial that several sources hold is the same in all of them and kept once.

Trials of one task may belong to different batches (`crosslayer.predictions.batches`), which are never compared.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import product
from typing import Any

import numpy as np

from claimtrack.errors import ResultsError
from crosslayer.config import Profile, load_profile
from crosslayer.data.examples import Split
from crosslayer.errors import ConfigError
from crosslayer.ledger.compact import without_paths
from crosslayer.ledger.differences import differences
from crosslayer.predictions.models import Model
from crosslayer.predictions.records import PREDICTED, STAGES, Array, Batch, Stage, TrialRecord
from crosslayer.predictions.runs import SPLITS, FolderRun, RecordedRun, ResultsRun, Run, TaskTable, side_by_side
from crosslayer.tasks import TASK_NAMES, TaskName
from crosslayer.training.trials import planned_trials

SAME = ("profile", "encoder", "data", "fusion", "probe")
"""Parts of a profile that are the same in all sources of an entry."""
TRIED_AGAIN = ("failed", "out_of_memory")
"""Outcomes that a later trial takes the place of."""
Place = tuple[Stage, TaskName, Model, int | None, str, int]
Part = tuple[Stage, TaskName]


class CombinedRun(Run):
    """Trials of several sources.

    Attributes:
        name: of the entry that they become.
        trials: of all, in the order of one sweep over everything.
        holders: key of a trial -> the source that it is read from.
        probed: the source whose probes count.
    """

    def __init__(
        self, name: str, trials: Sequence[TrialRecord], holders: Mapping[str, FolderRun], probed: FolderRun
    ) -> None:
        self.name, self.trials, self.holders, self.probed = name, trials, holders, probed

    def table(self, records: Iterable[TrialRecord], split: Split) -> TaskTable:
        records = tuple(records)
        parts: dict[FolderRun, list[TrialRecord]] = {}
        for record in records:
            parts.setdefault(self.holders[record.key], []).append(record)
        whole = side_by_side([holder.table(part, split) for holder, part in parts.items()], self.name)
        row = {record.key: i for i, record in enumerate(whole.records)}
        return replace(whole, records=records, predicted=whole.predicted[[row[r.key] for r in records]])

    def scores(self, record: TrialRecord, split: Split) -> Array | None:
        return self.holders[record.key].scores(record, split)

    def confidence(self, record: TrialRecord, split: Split) -> Array | None:
        return self.holders[record.key].confidence(record, split)

    def diagnostics(self, record: TrialRecord) -> Mapping[str, Array]:
        return self.holders[record.key].diagnostics(record)


def combined(
    name: str,
    recorded: Sequence[RecordedRun],
    results: ResultsRun,
    finished: Sequence[TrialRecord] | None,
    profile: Profile,
    replaced: Collection[Part] = (),
) -> CombinedRun:
    """Trials of several sources as one run, after checking that they belong together (errors: `record`).

    They are put in the order of the plan, but present results alone stay as they are.
    """
    for stage, task in replaced:
        if not any((trial.stage, trial.task) == (stage, task) for trial in finished or ()):
            raise ResultsError(
                f"{results.folder} has no finished trial of {stage}/{task} to replace; run `dvc repro`"
            )
    order = {place: i for i, place in enumerate(planned_places(profile))}
    sources: list[tuple[FolderRun, Sequence[TrialRecord]]] = []
    for one in recorded:
        trials = [trial for trial in one.trials if (trial.stage, trial.task) not in replaced]
        _check_settings(load_profile(one.folder / "profile.yaml"), without_paths(profile), trials, one.name)
        if unplanned := [trial for trial in trials if place_of(trial) not in order]:
            raise ConfigError(
                f"{one.name} holds {_words(unplanned[0])}, which params.yaml does not plan; let sweep and "
                "intermediate plan all that is recorded and all that is new (what they plan need not have been "
                "trained)"
            )
        sources.append((one, trials))
    if finished is not None:
        sources.append((results, finished))
    trials, holders = _united(sources, name)
    if recorded:
        trials.sort(key=lambda trial: (order[place_of(trial)], trial.batch))
    _check_same_inputs(trials)
    return CombinedRun(name, trials, holders, _choose_probes(recorded, results, profile))


def planned_places(profile: Profile) -> Iterator[Place]:
    """All trials that a profile plans, by what a sweep calls them, in its order."""
    for stage, tasks in zip(STAGES, (profile.tasks, profile.intermediate.targets), strict=True):
        for task in (task for task in TASK_NAMES if task in tasks):
            for seed, found in planned_trials(profile, stage, task):
                yield stage, task, found.model, found.layer, found.arm, seed


def place_of(trial: TrialRecord) -> Place:
    """What a sweep calls a trial."""
    return trial.stage, trial.task, trial.model, trial.layer, trial.arm, trial.seed


def _united(
    sources: Iterable[tuple[FolderRun, Sequence[TrialRecord]]], name: str
) -> tuple[list[TrialRecord], dict[str, FolderRun]]:
    """The trials of all sources, each once, and where each is read from: where its scores are kept.

    A trial replaces one that failed, in any order. A ResultsError where one has other predictions in two sources,
    a batch two trials of one place, or present results nothing new.
    """
    places: dict[tuple[Place, Batch], TrialRecord] = {}
    holders: dict[str, FolderRun] = {}
    for holder, trials in sources:
        shared, n_new = [], 0
        for trial in trials:
            place = place_of(trial), trial.batch
            if place not in places or places[place].outcome in TRIED_AGAIN:
                places[place], holders[trial.key] = trial, holder
                n_new += 1
            elif trial.outcome not in TRIED_AGAIN:
                _check_same_trial(places[place], trial, holders, holder)
                shared.append(trial)
        if isinstance(holder, ResultsRun) and not n_new:
            raise ResultsError(
                f"{holder.folder} has no finished trial that is new to {name}; run `dvc repro` first"
            )
        _check_same_predictions(holder, shared, holders)
        holders |= {trial.key: holder for trial in shared if holder.keeps_confidence(trial)}
    return list(places.values()), holders


def _check_settings(old: Profile, new: Profile, trials: Sequence[TrialRecord], name: str) -> None:
    """Check that what recorded trials depend on is set now as it was then; a ConfigError names the first key."""
    tasks = {trial.task for trial in trials}
    after_phase = sorted({trial.task for trial in trials if trial.arm != "none"})

    def fixed(profile: Profile) -> dict[str, Any]:
        content = profile.model_dump(mode="json")
        parts = {part: content[part] for part in SAME}
        parts["tasks"] = {task: content["tasks"].get(task) for task in sorted(tasks)}
        if after_phase:
            phases = {task: profile.intermediate.phase(task) for task in after_phase}
            parts["intermediate"] = {"items": profile.intermediate.items, "by_target": phases}
        return parts

    for where, was, now in differences(fixed(old), fixed(new)):
        raise ConfigError(
            f"{where} is {was!r:.80} in {name} and {now!r:.80} in params.yaml; set it as it was, or record under "
            "another name"
        )


def _check_same_trial(
    old: TrialRecord, new: TrialRecord, holders: Mapping[str, FolderRun], other: FolderRun
) -> None:
    """Check that two trials of one batch and place are one: trained alike, with the same end."""
    if (old.key, old.outcome) != (new.key, new.outcome):
        where, _, _ = next(differences(old.specification, new.specification), ("outcome", "", ""))
        raise ResultsError(
            f"{_words(new)} is trial {new.key} in {_where(other)} and {old.key} in {_where(holders[old.key])}, "
            f"with another {where}; delete it in the results, or record under another name"
        )


def _check_same_predictions(
    holder: FolderRun, trials: Iterable[TrialRecord], holders: Mapping[str, FolderRun]
) -> None:
    """Check that a source has the predictions of those that hold its trials too."""
    shared: dict[tuple[FolderRun, Stage, TaskName], list[TrialRecord]] = {}
    for trial in trials:
        if trial.outcome in PREDICTED:
            shared.setdefault((holders[trial.key], trial.stage, trial.task), []).append(trial)
    for ((former, *_), records), split in product(shared.items(), SPLITS):
        both = side_by_side([former.table(records, split), holder.table(records, split)], holder.name)
        one, two = np.split(both.predicted, 2)
        for i in np.flatnonzero((one != two).any(axis=1)):
            raise ResultsError(
                f"{_words(records[i])} ({records[i].key}) has other predictions in {_where(holder)} than in "
                f"{_where(former)}; delete it in the results, or record under another name"
            )


def _check_same_inputs(trials: Iterable[TrialRecord]) -> None:
    """Check that all trials had one encoder, and one table of windows a task and arm."""
    first: dict[str, tuple[object, TrialRecord]] = {}
    for trial in trials:
        for name, digest in trial.specification.get("digests", {}).items():
            expected, other = first.setdefault(name, (digest, trial))
            if digest != expected:
                raise ResultsError(
                    f"{_words(trial)} ({trial.key}) and {_words(other)} ({other.key}) differ in the digest of "
                    f"{name}; prepare the data from the same files, or record under another name"
                )


def _choose_probes(recorded: Sequence[RecordedRun], results: ResultsRun, new: Profile) -> FolderRun:
    """Whose probes count: the first recorded ones while the tasks are what they were, so that nothing moves."""
    probed = next((run for run in recorded if any((run.folder / "probes").glob("*"))), None)
    if probed and load_profile(probed.folder / "profile.yaml").tasks == new.tasks:
        return probed
    if probed and not any((results.folder / "probes").glob("*")):
        raise ResultsError(
            f"the probes of {probed.name} were measured with other tasks or sizes than params.yaml has, and "
            f"{results.folder} has none; run `dvc repro probe@{new.profile}` first"
        )
    return results


def _words(trial: TrialRecord) -> str:
    after = "" if trial.stage == "sweep" else f" in intermediate arm {trial.arm}"
    return f"{trial.task} {trial.model} with seed {trial.seed}{after}"


def _where(holder: FolderRun) -> str:
    return holder.name if isinstance(holder, RecordedRun) else str(holder.folder)
