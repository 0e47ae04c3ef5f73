"""Recorded runs of different tasks joined into one, so that a claim about all tasks rests on all of them.

Tasks of one run need not have been trained on one machine or in one precision: gains are differences within one.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from crosslayer.claims.extension import (
    check_planned,
    check_same_inputs,
    check_settings,
    choose_probes,
    place_of,
    planned_places,
    recorded_trials,
)
from crosslayer.claims.ledger import (
    LEDGER,
    RecordedRun,
    copy_probes,
    entry_folder,
    fresh_entry,
    verify,
    without_paths,
    write_description,
    write_tables,
)
from crosslayer.claims.registry import Registry
from crosslayer.config import Profile, load_profile
from crosslayer.data.examples import Split
from crosslayer.errors import ConfigError
from crosslayer.predictions import Array, ResultsRun, Stage, TaskTable, TrialRecord
from crosslayer.runlog import joined_info, read_run
from crosslayer.tasks import TASKS, TaskName

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class TogetherRun:
    """Recorded runs that have no task in common, read like one run (`crosslayer.predictions.Run`).

    Attributes:
        name: of the entry that they become.
        part: the run of each task.
        probed: the one whose probes count.
    """

    name: str
    part: dict[TaskName, RecordedRun]
    probed: RecordedRun | ResultsRun

    def records(self, stage: Stage, task: TaskName) -> tuple[TrialRecord, ...]:
        """See `Run.records`."""
        return self.part[task].records(stage, task) if task in self.part else ()

    def table(self, records: Iterable[TrialRecord], split: Split) -> TaskTable:
        """See `Run.table`."""
        records = tuple(records)
        return (self._of(records[0]) if records else next(iter(self.part.values()))).table(records, split)

    def scores(self, record: TrialRecord, split: Split) -> Array | None:
        """See `Run.scores`."""
        return self._of(record).scores(record, split)

    def diagnostics(self, record: TrialRecord) -> dict[str, Array]:
        """See `Run.diagnostics`."""
        return self._of(record).diagnostics(record)

    def probe(self, name: str) -> pd.DataFrame | None:
        """See `Run.probe`."""
        return self.probed.probe(name)

    def structure(self) -> dict[str, Any] | None:
        """See `Run.structure`."""
        return self.probed.structure()

    def _of(self, record: TrialRecord) -> RecordedRun:
        return self.part[record.task]


def join_entries(
    name: str,
    title: str,
    profile: Profile,
    registry: Registry,
    results: Path,
    sources: Sequence[str],
    ledger: Path = LEDGER,
    *,
    scored: bool = True,
) -> Path:
    """Write an entry from others that hold different tasks; they stay, but the one that has its name.

    Args:
        name: of the entry: new, or one of ``sources``.
        title: one line for readers, of the whole.
        profile: the active profile, which plans everything recorded.
        registry: whose claims are computed.
        results: ``results/PROFILE``, whose probes count where those of the entries were measured with other tasks.
        sources: names of entries; the probes of the first that has some count otherwise.
        ledger: where entries lie.
        scored: keep their scores.

    Raises:
        ConfigError: an entry is absent, or there already, or was made with other settings or beyond the profile's
            plan, or two hold the same task.
        ResultsError: one is damaged, or they had different inputs.
    """
    final = entry_folder(name, ledger)
    if final.exists() and name not in sources:
        raise ConfigError(f"{final} is there already; choose another name, or join it too with --join {name}")
    folders = [entry_folder(source, ledger) for source in sources]
    for folder in folders:
        if not folder.exists():
            raise ConfigError(f"there is no {folder} to join")
        verify(folder)
    runs = [RecordedRun(folder) for folder in folders]
    part = by_task(runs)
    trials = planned_trials(dict.fromkeys(part.values()), profile)
    run = TogetherRun(name, part, probes_of(runs, ResultsRun(results), profile))
    info = joined_info(title, [read_run(folder / "run.json") for folder in folders])
    with fresh_entry(final, registry) as folder:
        write_tables(run, trials, folder, scored=False)
        for path in (path for source in folders for path in source.glob("scores-*.parquet") if scored):
            shutil.copyfile(path, folder / path.name)
        copy_probes(run.probed.folder / "probes", folder)
        write_description(info, profile, folder)
    return final


def by_task(sources: Iterable[RecordedRun]) -> dict[TaskName, RecordedRun]:
    """Which recorded run holds the trials of each task.

    Raises:
        ConfigError: two hold those of one task.
    """
    part: dict[TaskName, RecordedRun] = {}
    for source in sources:
        for task in {trial.task for trial in recorded_trials(source)}:
            if task in part:
                raise ConfigError(
                    f"{part[task].name} and {source.name} both hold trials of {TASKS[task].title}, which need one "
                    "setting; join only one of them"
                )
            part[task] = source
    return part


def planned_trials(sources: Iterable[RecordedRun], profile: Profile) -> list[TrialRecord]:
    """The trials of several recorded runs in the order of a sweep, after checking that they belong together.

    Raises:
        ConfigError, ResultsError: see `join_entries`.
    """
    order = {place: i for i, place in enumerate(planned_places(profile))}
    trials: list[TrialRecord] = []
    for source in sources:
        own = recorded_trials(source)
        check_settings(load_profile(source.folder / "profile.yaml"), without_paths(profile), own, source.name)
        check_planned(own, order, source.name)
        trials += own
    check_same_inputs(trials)
    return sorted(trials, key=lambda trial: order[place_of(trial)])


def probes_of(sources: Sequence[RecordedRun], results: ResultsRun, profile: Profile) -> RecordedRun | ResultsRun:
    """Whose probes count: see `choose_probes`, which names the errors."""
    probed = next((run for run in sources if any((run.folder / "probes").glob("*"))), sources[0])
    return choose_probes(probed, results, load_profile(probed.folder / "profile.yaml"), profile)
