"""A recorded run extended by what has been trained since, so that a grid can be recorded piece by piece.

The entry is written anew from its own compact form and from the present results: no predictions of the recorded
pieces are needed any more, and the pieces may come from different machines. The active profile is the plan of the
whole grid; what of it has not been trained is missing, as in any other run.
"""

from __future__ import annotations

import shutil
from collections.abc import Collection, Container, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from crosslayer.claims.ledger import (
    LEDGER,
    STAGES,
    RecordedRun,
    copy_probes,
    differences,
    entry_folder,
    fresh_entry,
    scores_file,
    twins,
    verify,
    without_paths,
    write_description,
    write_tables,
)
from crosslayer.claims.registry import Registry
from crosslayer.config import Profile, load_profile
from crosslayer.data.examples import Split
from crosslayer.errors import ConfigError, ResultsError
from crosslayer.predictions import Array, ResultsRun, Stage, TaskTable, TrialRecord
from crosslayer.runlog import extended_info, read_run
from crosslayer.tasks import TASK_NAMES, TaskName
from crosslayer.trials import variants, variations

if TYPE_CHECKING:
    import pandas as pd

SAME = ("profile", "encoder", "data", "fusion", "probe")
"""Parts of a profile that are the same in all pieces of an entry."""
TRIED_AGAIN = ("failed", "out_of_memory")
"""Outcomes that a later trial takes the place of."""
Place = tuple[Stage, TaskName, str, int | None, str, int]


@dataclass(frozen=True)
class JoinedRun:
    """A recorded run and later results, read like one run (`crosslayer.predictions.Run`).

    Attributes:
        recorded: the entry; its predictions count where both have a trial.
        results: where the others lie.
        trials: of both, in the order of one sweep over everything.
        finished: keys of the trials that ``results`` has.
        new: keys of those among them that the entry lacks.
        probed: the one of the two whose probes count.
    """

    recorded: RecordedRun
    results: ResultsRun
    trials: tuple[TrialRecord, ...]
    finished: frozenset[str]
    new: frozenset[str]
    probed: RecordedRun | ResultsRun

    @property
    def name(self) -> str:
        """The entry's name."""
        return self.recorded.name

    def records(self, stage: Stage, task: TaskName) -> tuple[TrialRecord, ...]:
        """See `Run.records`."""
        return tuple(trial for trial in self.trials if (trial.stage, trial.task) == (stage, task))

    def table(self, records: Iterable[TrialRecord], split: Split) -> TaskTable:
        """See `Run.table`."""
        records = tuple(records)
        new = [record for record in records if record.key in self.new]
        old = [record for record in records if record.key not in self.new]
        if not (old and new):
            return (self.results if new else self.recorded).table(records, split)
        tables = self.recorded.table(old, split), self.results.table(new, split)
        check_same_items(*tables, self.name)
        rows = {r.key: row for table in tables for r, row in zip(table.records, table.predicted, strict=True)}
        return replace(tables[0], records=records, predicted=np.stack([rows[r.key] for r in records]))

    def scores(self, record: TrialRecord, split: Split) -> Array | None:
        """See `Run.scores`: the results have those of a trial whose scores were not worth keeping once."""
        kept = self.recorded.scores(record, split)
        return self.results.scores(record, split) if kept is None and record.key in self.finished else kept

    def diagnostics(self, record: TrialRecord) -> dict[str, Array]:
        """See `Run.diagnostics`."""
        return (self.results if record.key in self.new else self.recorded).diagnostics(record)

    def probe(self, name: str) -> pd.DataFrame | None:
        """See `Run.probe`."""
        return self.probed.probe(name)

    def structure(self) -> dict[str, Any] | None:
        """See `Run.structure`."""
        return self.probed.structure()


def extend(
    name: str,
    title: str,
    profile: Profile,
    registry: Registry,
    results: Path,
    finished: Sequence[TrialRecord],
    ledger: Path = LEDGER,
    *,
    scored: bool = True,
    replaced: Collection[tuple[Stage, TaskName]] = (),
) -> Path:
    """Write an entry anew from what it holds and the trials that have been finished since.

    Args:
        name: of the entry.
        title: one line for readers, of the whole.
        profile: the active profile, which plans everything recorded and everything new.
        registry: whose claims are computed.
        results: ``results/PROFILE``.
        finished: the trials of ``results`` that count (`crosslayer.sweep.finished_trials`).
        ledger: where entries lie.
        scored: keep scores of what is new too.
        replaced: of which the recorded trials give way to those of ``results``, so that settings may differ.

    Raises:
        ConfigError: there is no such entry, or the profile has other settings or plans less than it holds.
        ResultsError: the entry is damaged, nothing is new, or the trials do not belong together.
    """
    final = entry_folder(name, ledger)
    if not final.exists():
        raise ConfigError(f"there is no {final} to extend; record it first, without --extend")
    verify(final)
    run = join(RecordedRun(final), ResultsRun(results), finished, profile, replaced)
    there = {scores_file(trial): trial for trial in run.trials if (final / scores_file(trial)).exists()}
    info = extended_info(title, read_run(final / "run.json"), read_run(results / "run.json"))
    with fresh_entry(final, registry) as folder:
        write_tables(run, list(run.trials), folder, scored=scored)
        for name, trial in there.items():  # also of a D_x that English dev chooses no longer
            if not any(scores_file(twin) in there for twin in twins(trial, run.trials)):
                shutil.copyfile(final / name, folder / name)
        copy_probes(run.probed.folder / "probes", folder)
        write_description(info, profile, folder)
    return final


def join(
    recorded: RecordedRun,
    results: ResultsRun,
    finished: Sequence[TrialRecord],
    profile: Profile,
    replaced: Collection[tuple[Stage, TaskName]] = (),
) -> JoinedRun:
    """A recorded run and later trials as one, after checking that they belong together.

    Raises:
        ConfigError, ResultsError: see `extend`.
    """
    name = recorded.name
    former = [trial for trial in recorded_trials(recorded) if (trial.stage, trial.task) not in replaced]
    for stage, task in replaced:
        if not any((trial.stage, trial.task) == (stage, task) for trial in finished):
            raise ResultsError(
                f"{results.folder} has no finished trial of {stage}/{task} to replace; run `dvc repro`"
            )
    settings = load_profile(recorded.folder / "profile.yaml")
    check_settings(settings, without_paths(profile), former, name)
    order = {place: i for i, place in enumerate(planned_places(profile))}
    check_planned(former, order, name)
    later = {place_of(trial): trial for trial in finished}
    check_repeated(former, later, recorded, results)
    kept = [t for t in former if t.outcome not in TRIED_AGAIN or place_of(t) not in later]
    new = [trial for trial in finished if trial.key not in {t.key for t in kept}]
    if not new:
        raise ResultsError(f"{results.folder} has no finished trial that {name} lacks; run `dvc repro` first")
    trials = sorted([*kept, *new], key=lambda trial: order[place_of(trial)])
    check_same_inputs(trials)
    return JoinedRun(
        recorded, results, tuple(trials), frozenset(t.key for t in finished), frozenset(t.key for t in new),
        choose_probes(recorded, results, settings, profile),
    )  # fmt: skip


def recorded_trials(run: RecordedRun) -> list[TrialRecord]:
    """All trials of an entry, by stage and task."""
    return [trial for stage in STAGES for task in TASK_NAMES for trial in run.records(stage, task)]


def planned_places(profile: Profile) -> Iterator[Place]:
    """All trials that a profile plans, by what a sweep calls them, in its order."""
    sweep, arms = profile.sweep, profile.intermediate
    for task in (task for task in TASK_NAMES if task in profile.tasks):
        planned = [(seed, found) for seed in sweep.of(task).seeds for found in variants(profile, task)]
        planned += [(seed, found) for seed in sweep.variations.seeds for found in variations(profile, task)]
        yield from (("sweep", task, found.model, found.layer, "none", seed) for seed, found in planned)
    for task in (task for task in TASK_NAMES if task in arms.targets):
        pairs = product(arms.seeds_of(task), arms.arms)
        yield from (("intermediate", task, "baseline", None, arm, seed) for seed, arm in pairs)


def check_settings(old: Profile, new: Profile, trials: Iterable[TrialRecord], name: str) -> None:
    """Check that what recorded trials depend on is set now as it was then.

    Raises:
        ConfigError: naming the first key that differs.
    """
    trials = list(trials)
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


def check_planned(trials: Iterable[TrialRecord], planned: Container[Place], name: str) -> None:
    """Check that the active profile plans what is recorded.

    Raises:
        ConfigError: naming the first trial that it does not plan.
    """
    for trial in trials:
        if place_of(trial) not in planned:
            raise ConfigError(
                f"{name} holds {_words(trial)}, which params.yaml does not plan; let sweep and intermediate plan "
                "all that is recorded and all that is new (what they plan need not have been trained)"
            )


def check_repeated(
    former: Iterable[TrialRecord],
    later: Mapping[Place, TrialRecord],
    recorded: RecordedRun,
    results: ResultsRun,
) -> None:
    """Check that trials which are recorded and in the results too are the same in both.

    Raises:
        ResultsError: naming the first that was trained otherwise or has other predictions.
    """
    repeated: dict[tuple[Stage, TaskName], list[TrialRecord]] = {}
    for old in former:
        new = later.get(place_of(old))
        if new is None or old.outcome in TRIED_AGAIN:
            continue
        if (old.key, old.outcome) != (new.key, new.outcome):
            where, _, _ = next(differences(old.specification, new.specification), ("outcome", "", ""))
            raise ResultsError(
                f"{_words(new)} is trial {new.key} in {results.folder} and {old.key} in {recorded.name}, with "
                f"another {where}; delete it in the results, or record under another name"
            )
        if old.outcome != "nan_loss":
            repeated.setdefault((old.stage, old.task), []).append(old)
    splits: tuple[Split, ...] = ("dev", "test")
    for records, split in product(repeated.values(), splits):
        one, two = recorded.table(records, split), results.table(records, split)
        check_same_items(one, two, recorded.name)
        for i in np.flatnonzero((one.predicted != two.predicted).any(axis=1)):
            raise ResultsError(
                f"{_words(records[i])} ({records[i].key}) has other predictions in {results.folder} than in "
                f"{recorded.name}; delete it in the results, or record under another name"
            )


def check_same_items(old: TaskTable, new: TaskTable, name: str) -> None:
    """Check that two tables have the same rows in the same order.

    Raises:
        ResultsError: they do not.
    """
    columns = ("languages", "language", "item", "position", "gold")
    if not all(np.array_equal(getattr(old, column), getattr(new, column)) for column in columns):
        raise ResultsError(
            f"{_words(new.records[0])} was predicted on other items than in {name}; prepare the data from the "
            "same files, or record under another name"
        )


def check_same_inputs(trials: Iterable[TrialRecord]) -> None:
    """Check that all trials had one encoder, one table of windows a task and arm, and those of a task one version
    of what they do: only they are compared with each other.

    Raises:
        ResultsError: naming two that differ.
    """
    first: dict[tuple[str, str], tuple[object, TrialRecord]] = {}
    for trial in trials:
        inputs: dict[tuple[str, str], object] = {("version", trial.task): trial.specification.get("version")}
        for name, digest in trial.specification.get("digests", {}).items():
            inputs[f"the digest of {name}", ""] = digest
        for place, value in inputs.items():
            expected, other = first.setdefault(place, (value, trial))
            if value != expected:
                raise ResultsError(
                    f"{_words(trial)} ({trial.key}) and {_words(other)} ({other.key}) differ in {place[0]}; "
                    "prepare the data from the same files, or record under another name"
                )


def choose_probes(
    recorded: RecordedRun, results: ResultsRun, old: Profile, new: Profile
) -> RecordedRun | ResultsRun:
    """Whose probes count: the recorded ones while the tasks are what they were, so that nothing moves.

    Raises:
        ResultsError: they are not, and the results have no probes.
    """
    there, here = (any((run.folder / "probes").glob("*")) for run in (recorded, results))
    same = old.tasks == new.tasks
    if there and not same and not here:
        raise ResultsError(
            f"the probes of {recorded.name} were measured with other tasks or sizes than params.yaml has, and "
            f"{results.folder} has none; run `dvc repro probe@{new.profile}` first"
        )
    return recorded if (there and same) or not here else results


def place_of(trial: TrialRecord) -> Place:
    """What a sweep calls a trial."""
    return trial.stage, trial.task, trial.model, trial.layer, trial.arm, trial.seed


def _words(trial: TrialRecord) -> str:
    after = "" if trial.stage == "sweep" else f" in intermediate arm {trial.arm}"
    return f"{trial.task} {trial.model} with seed {trial.seed}{after}"
