"""Many trials: what is finished is kept, the rest is trained, and a manifest says which ones count."""

from __future__ import annotations

import logging
import multiprocessing
import shutil
import time
from collections.abc import Callable, Collection, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, cast

import numpy as np
import torch

from claimtrack.errors import ResultsError
from claimtrack.progress import Progress
from claimtrack.seal import newest_hash
from crosslayer.config import ComputeSpec, Profile
from crosslayer.errors import TrialFailure
from crosslayer.metrics import task_score
from crosslayer.predictions.records import Stage, TrialRecord, read_manifest, write_predictions
from crosslayer.sweep.cluster import run_on_ray
from crosslayer.sweep.material import choose_device, load_material, planned_parts, planned_specs, trial_specs
from crosslayer.sweep.processes import die_with_supervisors, exclusive
from crosslayer.tasks import TASKS, TaskName
from crosslayer.training.execution import attempt, make_runner, own_device
from crosslayer.training.finetuned import Finished
from crosslayer.training.trials import TrialSpec, finished, sweep_leftovers, write_manifest, write_trial

if TYPE_CHECKING:
    import pandas as pd

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
    """Train every trial of a stage and task that is not finished yet.

    Args:
        profile: what to train.
        stage, task: which part of it.
        encoder: the output folder of the encoder stage.
        home: the folder of the trials; one folder a key, and ``manifest.json``.
        tell: is called with the record of each trial that had to be trained, as it ends.
        keys: of the trials to train; ``None`` trains all, and writes the manifest.

    Returns:
        The records of these trials in the order of the profile.

    Raises:
        ClaimError: ``claims/seals.json`` is damaged.
        ResultsError: another process works in ``home``.
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
        with Progress(title, len(todo)) as progress:
            for record in _execute(todo, profile.compute, encoder, home, seal):
                done[record.key] = record
                if tell:
                    tell(record)
                progress.advance(_summary(record))
        if keys is None:
            write_manifest(home, specs)
        (home / ".lock").unlink()
        return [done[spec.key] for spec in specs]


def adopt(specs: Sequence[TrialSpec], home: Path) -> None:
    """Take over from the other stage what is the same trial there: the baseline without an intermediate phase."""
    for spec in specs:
        other: Stage = "sweep" if spec.stage == "intermediate" else "intermediate"
        twin, there = spec.model_copy(update={"stage": other}), home.parent.parent / other / spec.task
        if spec.kind != "none" or spec.arm != "none" or finished(home, spec):
            continue
        if record := finished(there, twin):
            own = {"key": spec.key, "stage": spec.stage, "specification": spec.content()}
            source = there / twin.key
            write_trial(home, record.model_copy(update=own), partial(_copy_arrays, source))


def _copy_arrays(source: Path, folder: Path) -> None:
    for path in source.iterdir():
        if path.name != "trial.json":
            shutil.copyfile(path, folder / path.name)


def planned_keys(profile: Profile, results: Path) -> set[str]:
    """The keys of all trials that a profile plans; none before its encoder is prepared.

    Args:
        profile: the active one.
        results: the folder of all profiles' results.
    """
    encoder = results / profile.profile / "encoder"
    if not (encoder / "meta.json").exists():
        return set()
    return set(planned_specs(profile, encoder))


def check_current(profile: Profile, results: Path) -> None:
    """Check that the trials that count are those that the profile plans.

    Raises:
        ResultsError: the settings changed after the sweep.
    """
    for path in sorted((results / "trials").glob("*/*/manifest.json")):
        stage, task = cast(tuple[Stage, TaskName], path.parts[-3:-1])
        tasks = profile.tasks if stage == "sweep" else profile.intermediate.targets
        planned = trial_specs(profile, stage, task, results / "encoder") if task in tasks else []
        if read_manifest(path) != [spec.key for spec in planned]:
            raise ResultsError(f"{path} counts other trials than params.yaml plans; run `dvc repro` first")


def finished_trials(profile: Profile, results: Path) -> list[TrialRecord]:
    """The trials that the profile plans and that are finished, also of a sweep that has not come to its end.

    Raises:
        ResultsError: the windows of a task that has trials are not there any more.
    """
    found: list[TrialRecord] = []
    for stage, task in planned_parts(profile):
        home = results / "trials" / stage / task
        if home.is_dir():
            specs = trial_specs(profile, stage, task, results / "encoder")
            found += [record for spec in specs if (record := finished(home, spec))]
    return found


def _summary(record: TrialRecord) -> str:
    arm = "" if record.stage == "sweep" else f" after {record.arm}"
    detail = f" ({record.detail})" if record.detail else ""
    return f"{record.model} seed {record.seed}{arm}: {record.outcome}{detail}"


def _execute(
    specs: list[TrialSpec], compute: ComputeSpec, encoder: Path, home: Path, seal: str
) -> Iterator[TrialRecord]:
    """Run trials in this process, in several, or on a cluster."""
    if not specs:
        return
    if compute.executor == "ray":
        for spec, result, version in run_on_ray(specs, compute, encoder):
            yield keep(spec, result, home, version, seal)
        return
    device = choose_device(compute)
    if compute.workers == 1:
        run = prepare_runner(specs, encoder, device)
        for spec in specs:
            yield run_and_keep(spec, run, home, seal)
        return
    waiting = {spec.key: spec for spec in specs}
    while waiting:
        for record in _in_processes(list(waiting.values()), compute.workers, encoder, device, home, seal):
            del waiting[record.key]
            yield record
        if waiting:
            log.warning("a worker process died; what it was doing is tried again alone")
            for record in _after_a_death(list(waiting.values()), encoder, device, home, seal):
                del waiting[record.key]
                yield record


def _in_processes(
    specs: list[TrialSpec], workers: int, encoder: Path, device: torch.device, home: Path, seal: str
) -> Iterator[TrialRecord]:
    """Run trials in a pool, as far as it gets: the death of one worker ends them all."""
    with ProcessPoolExecutor(
        workers,
        mp_context=multiprocessing.get_context("spawn"),
        initializer=_start_worker,
        initargs=(specs, encoder, str(device), home, seal),
    ) as pool:
        try:
            for future in as_completed([pool.submit(_run_in_worker, spec) for spec in specs]):
                yield future.result()
        except BrokenProcessPool:
            return
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)  # what has not begun need not be trained first
            raise


def _after_a_death(
    specs: list[TrialSpec], encoder: Path, device: torch.device, home: Path, seal: str
) -> Iterator[TrialRecord]:
    """The records of what ran when a worker died, each tried again in a process of its own: which of them it was
    shows there, and what only lacked memory beside another may have enough alone.

    Raises:
        ResultsError: nothing ran, so that no trial can be told to be the cause.
    """
    running = [spec for spec in specs if _mark(home, spec).exists()]
    if not running:
        raise ResultsError("the worker processes die before they train; lower compute.workers")
    sweep_leftovers(home)
    for spec in running:
        alone = _in_processes([spec], 1, encoder, device, home, seal)
        if record := finished(home, spec) or next(alone, None):
            yield record
        else:
            detail = "its worker process died twice, perhaps for lack of memory"
            record = spec.record(outcome="failed", detail=detail, seal=seal)
            sweep_leftovers(home)
            write_trial(home, record, lambda folder: None)
            yield record


def _mark(home: Path, spec: TrialSpec) -> Path:
    """A folder that is there while a worker runs a trial."""
    return home / f".{spec.key}-running"


Runner = Callable[[TrialSpec], Finished]
_worker: dict[str, object] = {}


def _start_worker(specs: list[TrialSpec], encoder: Path, device: str, home: Path, seal: str) -> None:
    die_with_supervisors()
    _worker["run"] = prepare_runner(specs, encoder, own_device(device))
    _worker.update(home=home, seal=seal)


def _run_in_worker(spec: TrialSpec) -> TrialRecord:
    run, home = cast(Runner, _worker["run"]), cast(Path, _worker["home"])
    mark = _mark(home, spec)
    mark.mkdir(exist_ok=True)
    record = run_and_keep(spec, run, home, cast(str, _worker["seal"]))
    mark.rmdir()
    return record


def prepare_runner(specs: list[TrialSpec], encoder: Path, device: torch.device) -> Runner:
    """Load what the trials share, and make what runs them."""
    torch.set_num_threads(specs[0].threads)
    arms: list[str] = sorted({spec.arm for spec in specs})
    return make_runner(specs, load_material(encoder, specs[0].task, arms, device))


def run_and_keep(spec: TrialSpec, run: Runner, home: Path, seal: str = "") -> TrialRecord:
    """Run one trial and write its folder; a failure is written too, under its name."""
    start = time.monotonic()
    result = attempt(spec, run)
    log.debug("%s took %.1f s", spec.key, time.monotonic() - start)
    return keep(spec, result, home, torch.__version__, seal)


def keep(
    spec: TrialSpec, result: Finished | TrialFailure, home: Path, version: str, seal: str = ""
) -> TrialRecord:
    """Write the folder of a trial that was trained with this version of torch under this seal, or failed."""
    version = version.split("+")[0]
    if isinstance(result, Finished) and not scores_are_finite(result.predictions):
        result = TrialFailure("nan_loss", "scores are not finite")
    if isinstance(result, TrialFailure):
        record = spec.record(outcome=result.outcome, detail=result.detail, torch=version, seal=seal)
        write_trial(home, record, lambda folder: None)
        return record
    record = _record(spec, result, version, seal)
    n_labels = len(TASKS[spec.task].labels)

    def fill(folder: Path) -> None:
        write_predictions(result.predictions, folder / "predictions.parquet", n_labels)
        np.savez_compressed(folder / "diagnostics.npz", allow_pickle=False, **result.diagnostics)

    write_trial(home, record, fill)
    return record


def scores_are_finite(predictions: pd.DataFrame) -> bool:
    """Whether no score is NaN or beyond half precision, as after a last step that diverged."""
    return bool(np.isfinite(predictions.filter(like="score_").to_numpy()).all())


def _record(spec: TrialSpec, result: Finished, version: str, seal: str) -> TrialRecord:
    scores: dict[str, list[float]] = {"dev": [], "test": []}
    for (split, _), part in result.predictions.groupby(["split", "language"], observed=True):
        gold, predicted, item = (part[name].to_numpy() for name in ("gold", "predicted", "item"))
        scores[str(split)].append(task_score(spec.task, gold, predicted, item.astype(str)))
    fitted = result.fitted
    return spec.record(
        outcome=result.outcome,
        dev_score=scores["dev"][0],
        test_score=float(np.mean(scores["test"])),
        dev_history=fitted.dev_history,
        best_epoch=fitted.best_epoch,
        fusion_parameters=result.fusion_parameters,
        trained_parameters=result.trained_parameters,
        torch=version,
        seal=seal,
    )
