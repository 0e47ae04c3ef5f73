"""Many trials: what is finished is kept, the rest is trained, and a manifest says which ones count."""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection, Iterator
from pathlib import Path

from claimtrack.seal import newest_hash
from crosslayer.config import ComputeSpec, Profile
from crosslayer.predictions.records import Stage, TrialRecord
from crosslayer.sweep.cluster import run_on_ray
from crosslayer.sweep.plan import trial_specs
from crosslayer.sweep.processes import exclusive
from crosslayer.sweep.progress import progress
from crosslayer.sweep.store import adopt, finished, keep, sweep_leftovers, write_manifest
from crosslayer.sweep.workers import train_here
from crosslayer.tasks import TaskName
from crosslayer.training.trials import TrialSpec

log = logging.getLogger(__name__)


def run_sweep(
    profile: Profile,
    stage: Stage,
    task: TaskName,
    encoder: Path,
    home: Path,
    tell: Callable[[TrialRecord], object] | None = None,
    keys: Collection[str] | None = None,
) -> list[TrialRecord]:
    """Train every trial of a stage and task that is not finished yet; the records of all in the order of the plan.

    Args:
        encoder: the output folder of the encoder stage.
        home: the folder of the trials, which no other process may use; one folder a key, and ``manifest.json``.
        tell: is called with the record of each trial that had to be trained, as it ends.
        keys: of the trials to train; ``None`` trains all, and writes the manifest.
    """
    seal = newest_hash()
    with exclusive(home):
        sweep_leftovers(home)
        specs = [s for s in trial_specs(profile, stage, task, encoder) if keys is None or s.key in keys]
        adopt(specs, home)
        done = {spec.key: record for spec in specs if (record := finished(home, spec))}
        todo = [spec for spec in specs if spec.key not in done]
        title = f"{stage} {task}"
        if done:
            log.info("%s: %d of %d trials are finished already", title, len(done), len(specs))
        with progress(title, len(todo)) as advance:
            for record in _train(todo, profile.compute, encoder, home, seal) if todo else ():
                done[record.key] = record
                if tell:
                    tell(record)
                advance(summary(record))
        if keys is None:
            write_manifest(home, specs)
        (home / ".lock").unlink()
        return [done[spec.key] for spec in specs]


def _train(
    specs: list[TrialSpec], compute: ComputeSpec, encoder: Path, home: Path, seal: str
) -> Iterator[TrialRecord]:
    """Train trials and store each as it ends."""
    if compute.executor == "local":
        return train_here(specs, compute, encoder, home, seal)
    ended = run_on_ray(specs, compute, encoder)
    return (keep(spec, result, home, version, seal) for spec, result, version in ended)


def summary(record: TrialRecord) -> str:
    """A line about a trial that has ended, without its score."""
    arm = "" if record.stage == "sweep" else f" after {record.arm}"
    detail = f" ({record.detail})" if record.detail else ""
    return f"{record.model} seed {record.seed}{arm}: {record.outcome}{detail}"
