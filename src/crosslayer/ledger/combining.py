"""Sets of trials put together: a trial that several sources hold is the same in all of them and kept once.

Trials of one task may belong to different batches (`crosslayer.predictions.batches`), which are never compared.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import product
from typing import TYPE_CHECKING, Any

import numpy as np

from claimtrack.errors import ResultsError
from crosslayer.config import Profile, load_profile
from crosslayer.data.examples import Split
from crosslayer.errors import ConfigError
from crosslayer.ledger.compact import without_paths
from crosslayer.ledger.differences import differences
from crosslayer.predictions.models import BASELINE, Model
from crosslayer.predictions.records import PREDICTED, Array, Batch, Stage, TrialRecord
from crosslayer.predictions.runs import SPLITS, RecordedRun, ResultsRun, TaskTable, side_by_side, trials_of
from crosslayer.tasks import TASK_NAMES, TaskName
from crosslayer.training.trials import planned_trials

if TYPE_CHECKING:
    import pandas as pd

SAME = ("profile", "encoder", "data", "fusion", "probe")
"""Parts of a profile that are the same in all sources of an entry."""
TRIED_AGAIN = ("failed", "out_of_memory")
"""Outcomes that a later trial takes the place of."""
Place = tuple[Stage, TaskName, Model, int | None, str, int]
Part = tuple[Stage, TaskName]
Holder = RecordedRun | ResultsRun


@dataclass(frozen=True)
class CombinedRun:
    """Trials of several sources, read like one run (`crosslayer.predictions.runs.Run`).

    Attributes:
        name: of the entry that they become.
        trials: of all, in the order of one sweep over everything.
        holders: key of a trial -> the sources that hold it; the predictions of the first count.
        probed: the source whose probes count.
    """

    name: str
    trials: tuple[TrialRecord, ...]
    holders: Mapping[str, Sequence[Holder]]
    probed: Holder

    @property
    def keys_with_scores(self) -> set[str]:
        """Of the trials whose scores a recorded source keeps."""
        return {
            trial.key
            for trial in self.trials
            for holder in self.holders[trial.key]
            if isinstance(holder, RecordedRun) and holder.keeps_scores(trial)
        }

    def records(self, stage: Stage, task: TaskName) -> tuple[TrialRecord, ...]:
        return tuple(trial for trial in self.trials if (trial.stage, trial.task) == (stage, task))

    def table(self, records: Iterable[TrialRecord], split: Split) -> TaskTable:
        records = tuple(records)
        parts: dict[Holder, list[TrialRecord]] = {}
        for record in records:
            parts.setdefault(self.holders[record.key][0], []).append(record)
        tables = [holder.table(part, split) for holder, part in parts.items()]
        if not tables:
            raise ResultsError(f"no finished trial of that kind in {self.name}")
        for other in tables[1:]:
            check_same_items(tables[0], other, self.name)
        whole = side_by_side(tables)
        row = {record.key: i for i, record in enumerate(whole.records)}
        return replace(whole, records=records, predicted=whole.predicted[[row[r.key] for r in records]])

    def scores(self, record: TrialRecord, split: Split) -> Array | None:
        """A later source may have those of a trial whose scores were not worth keeping once."""
        found = (holder.scores(record, split) for holder in self.holders[record.key])
        return next((scores for scores in found if scores is not None), None)

    def confidence(self, record: TrialRecord, split: Split) -> Array | None:
        """Of the source that has most of them."""
        found = [holder.confidence(record, split) for holder in self.holders[record.key]]
        return max((c for c in found if c is not None), key=lambda c: int(np.isfinite(c).sum()), default=None)

    def diagnostics(self, record: TrialRecord) -> Mapping[str, Array]:
        return self.holders[record.key][0].diagnostics(record)

    def probe(self, name: str) -> pd.DataFrame | None:
        return self.probed.probe(name)

    def structure(self) -> dict[str, Any] | None:
        return self.probed.structure()


def combined(
    name: str,
    recorded: Sequence[RecordedRun],
    results: ResultsRun,
    finished: Sequence[TrialRecord] | None,
    profile: Profile,
    replaced: Collection[Part] = (),
    *,
    in_order: bool = True,
) -> CombinedRun:
    """Trials of several sources as one run, after checking that they belong together (errors: `record`).

    They are put in the order of the plan, but where ``in_order`` is False, for present results alone.
    """
    for stage, task in replaced:
        if not any((trial.stage, trial.task) == (stage, task) for trial in finished or ()):
            raise ResultsError(
                f"{results.folder} has no finished trial of {stage}/{task} to replace; run `dvc repro`"
            )
    order = {place: i for i, place in enumerate(planned_places(profile))}
    sources: list[tuple[Holder, list[TrialRecord]]] = []
    for one in recorded:
        trials = [trial for trial in trials_of(one) if (trial.stage, trial.task) not in replaced]
        _check_settings(load_profile(one.folder / "profile.yaml"), without_paths(profile), trials, one.name)
        if unplanned := [trial for trial in trials if place_of(trial) not in order]:
            raise ConfigError(
                f"{one.name} holds {_words(unplanned[0])}, which params.yaml does not plan; let sweep and "
                "intermediate plan all that is recorded and all that is new (what they plan need not have been "
                "trained)"
            )
        sources.append((one, trials))
    if finished is not None:
        sources.append((results, list(finished)))
    trials, holders = _united(sources)
    if finished is not None and all(holders[t.key][0] is not results for t in finished if t.key in holders):
        raise ResultsError(f"{results.folder} has no finished trial that {name} lacks; run `dvc repro` first")
    if in_order:
        trials.sort(key=lambda trial: (order[place_of(trial)], trial.batch))
    _check_same_inputs(trials)
    return CombinedRun(name, tuple(trials), holders, _choose_probes(recorded, results, profile))


def planned_places(profile: Profile) -> Iterator[Place]:
    """All trials that a profile plans, by what a sweep calls them, in its order."""
    arms = profile.intermediate
    for task in (task for task in TASK_NAMES if task in profile.tasks):
        trials = planned_trials(profile, task)
        yield from (("sweep", task, found.model, found.layer, "none", seed) for seed, found in trials)
    for task in (task for task in TASK_NAMES if task in arms.targets):
        pairs = product(arms.seeds_of(task), arms.arms)
        yield from (("intermediate", task, BASELINE, None, arm, seed) for seed, arm in pairs)


def place_of(trial: TrialRecord) -> Place:
    """What a sweep calls a trial."""
    return trial.stage, trial.task, trial.model, trial.layer, trial.arm, trial.seed


def _united(
    sources: Iterable[tuple[Holder, Sequence[TrialRecord]]],
) -> tuple[list[TrialRecord], dict[str, list[Holder]]]:
    """The trials of all sources, each once, and who holds them.

    A trial that failed gives way to one that takes its place.

    Raises:
        ResultsError: a trial has other predictions in two sources, or a batch two trials of one place.
    """
    places: dict[tuple[Place, Batch], TrialRecord] = {}
    holders: dict[str, list[Holder]] = {}
    for holder, trials in sources:
        for trial in trials:
            former = places.get((place_of(trial), trial.batch))
            if former is None or former.outcome in TRIED_AGAIN:
                places[place_of(trial), trial.batch] = trial
                holders.pop(former.key if former else "", None)
                holders[trial.key] = [holder]
            else:
                _check_same_trial(former, holders[former.key][0], trial, holder)
                holders[trial.key].append(holder)
        _check_same_predictions(holder, [trial for trial in trials if trial.key in holders], holders)
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


def _check_same_trial(old: TrialRecord, holder: Holder, new: TrialRecord, other: Holder) -> None:
    """Check that two trials of one batch and place are one: trained alike, with the same end."""
    if (old.key, old.outcome) != (new.key, new.outcome):
        where, _, _ = next(differences(old.specification, new.specification), ("outcome", "", ""))
        raise ResultsError(
            f"{_words(new)} is trial {new.key} in {_where(other)} and {old.key} in {_where(holder)}, with another "
            f"{where}; delete it in the results, or record under another name"
        )


def _check_same_predictions(
    holder: Holder, trials: Iterable[TrialRecord], holders: Mapping[str, Sequence[Holder]]
) -> None:
    """Check that a source has the predictions of those that hold its trials too."""
    shared: dict[tuple[Holder, Stage, TaskName], list[TrialRecord]] = {}
    for trial in trials:
        if (first := holders[trial.key][0]) is not holder and trial.outcome in PREDICTED:
            shared.setdefault((first, trial.stage, trial.task), []).append(trial)
    for ((first, _, _), records), split in product(shared.items(), SPLITS):
        one, two = first.table(records, split), holder.table(records, split)
        check_same_items(one, two, first.name)
        for i in np.flatnonzero((one.predicted != two.predicted).any(axis=1)):
            raise ResultsError(
                f"{_words(records[i])} ({records[i].key}) has other predictions in {_where(holder)} than in "
                f"{_where(first)}; delete it in the results, or record under another name"
            )


def check_same_items(old: TaskTable, new: TaskTable, name: str) -> None:
    """Check that two tables have the same rows in the same order; else a ResultsError names a trial."""
    old.check_same_items(
        new,
        f"{_words(new.records[0])} was predicted on other items than in {name}; prepare the data from the same "
        "files, or record under another name",
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


def _choose_probes(recorded: Sequence[RecordedRun], results: ResultsRun, new: Profile) -> Holder:
    """Whose probes count: the first recorded ones while the tasks are what they were, so that nothing moves.

    Raises:
        ResultsError: they are not, and the results have no probes.
    """
    probed = next((run for run in recorded if any((run.folder / "probes").glob("*"))), None)
    here = any((results.folder / "probes").glob("*"))
    if probed is None:
        return results if here or not recorded else recorded[0]
    same = load_profile(probed.folder / "profile.yaml").tasks == new.tasks
    if not same and not here:
        raise ResultsError(
            f"the probes of {probed.name} were measured with other tasks or sizes than params.yaml has, and "
            f"{results.folder} has none; run `dvc repro probe@{new.profile}` first"
        )
    return probed if same else results


def _words(trial: TrialRecord) -> str:
    after = "" if trial.stage == "sweep" else f" in intermediate arm {trial.arm}"
    return f"{trial.task} {trial.model} with seed {trial.seed}{after}"


def _where(holder: Holder) -> str:
    return holder.name if isinstance(holder, RecordedRun) else str(holder.folder)
