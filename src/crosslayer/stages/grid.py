"""A whole grid: trained seed by seed over all tasks, so that what stands when time is up is balanced.

Trials that a recorded run holds are finished, too: a grid that outlives its machine is recorded as it grows, and
goes on elsewhere.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from functools import partial
from math import isnan, nan
from pathlib import Path

from claimtrack.runlog import hours_of_trials, read_run
from claimtrack.runs import LEDGER
from claimtrack.seal import FINISHED
from crosslayer.config import Profile
from crosslayer.ledger.ledger import withheld
from crosslayer.predictions.records import TrialRecord, read_records
from crosslayer.sweep.plan import planned_parts, trial_specs
from crosslayer.sweep.run import run_sweep
from crosslayer.sweep.runlog import note_seconds
from crosslayer.sweep.store import finished


def train_grid(profile: Profile, results: Path) -> int:
    """Train what is neither finished nor recorded; returns how many trials that were."""
    encoder, recorded = results / "encoder", recorded_trials()
    specs = {part: trial_specs(profile, *part, encoder) for part in planned_parts(profile)}
    trained = 0
    for seed in sorted({spec.seed for part in specs.values() for spec in part}):
        for (stage, task), planned in specs.items():
            keys = {spec.key for spec in planned if spec.seed == seed} - recorded.keys()
            home = results / "trials" / stage / task
            if all(finished(home, spec) for spec in planned if spec.key in keys):
                continue
            ends = [time.monotonic()]
            run_sweep(profile, stage, task, encoder, home, partial(_note, results, f"{stage}-{task}", ends), keys)
            trained += len(ends) - 1
    return trained


def _note(results: Path, stage: str, ends: list[float], _: TrialRecord) -> None:
    """Note what a trial took when it ends, so that nothing is lost with the machine."""
    ends.append(time.monotonic())
    note_seconds(results, stage, ends[-1] - ends[-2], trained=1)


def recorded_trials() -> dict[str, TrialRecord]:
    """The trials of all recorded runs that need not be trained again, by key."""
    records = (record for path in sorted(LEDGER.glob("[!.]*/trials.json")) for record in read_records(path))
    return {record.key: record for record in records if record.outcome in FINISHED}


def status(profile: Profile, results: Path) -> Iterator[str]:
    """A line for each part of a grid, and one for all: ``sweep pos: 45 of 150 trials, 1.8 hours left``.

    The last line is what its sealed plan says while it is not due. None has a score.
    """
    recorded, done = recorded_trials(), list[TrialRecord]()
    here, before = (read_run(home / "run.json") for home in (results, LEDGER / profile.profile))
    hours = hours_of_trials(before) | hours_of_trials(here)
    n_trials, hours_left = 0, 0.0
    for stage, task in planned_parts(profile):
        home = results / "trials" / stage / task
        specs = trial_specs(profile, stage, task, results / "encoder")
        records = [record for spec in specs if (record := recorded.get(spec.key) or finished(home, spec))]
        left = len(specs) - len(records)
        hours_of_part = left * hours.get(f"{stage}-{task}", nan) if left else 0.0
        yield f"{stage} {task}: {len(records)} of {len(specs)} trials{_left(hours_of_part)}"
        done, n_trials, hours_left = done + records, n_trials + len(specs), hours_left + hours_of_part
    yield f"all: {len(done)} of {n_trials} trials{_left(hours_left)}"
    if plan := withheld(profile, done):
        yield plan


def _left(hours: float) -> str:
    """In words; NaN hours where trials are left none of which was timed."""
    if isnan(hours):
        return ", hours left unknown until a trial of each has been timed"
    return f", {hours:.1f} hours left" if hours else ""
