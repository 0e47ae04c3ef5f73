"""Trains trials on this machine, in one process or several; a worker that dies costs its own trial at most."""

from __future__ import annotations

import logging
import multiprocessing
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from itertools import chain
from pathlib import Path
from typing import Any

import torch

from claimtrack.errors import ResultsError
from crosslayer.config import ComputeSpec
from crosslayer.errors import TrialFailure
from crosslayer.predictions.records import TrialRecord
from crosslayer.sweep.plan import choose_device, has_bfloat16, load_inputs
from crosslayer.sweep.processes import end_with_parent
from crosslayer.sweep.store import finished, keep, sweep_leftovers
from crosslayer.training.execution import Runner, attempt, make_runner, own_device
from crosslayer.training.trials import TrialSpec

log = logging.getLogger(__name__)

worker: dict[str, Any] = {}
"""What a worker process trains with: ``run``, ``home`` and ``seal``."""


def train_here(
    specs: list[TrialSpec], compute: ComputeSpec, encoder: Path, home: Path, seal: str
) -> Iterator[TrialRecord]:
    """Train trials in this process or in several, and store each as it ends."""
    device = choose_device(compute)
    if specs[0].precision == "bfloat16" and not has_bfloat16(device.type):
        log.warning("this processor emulates bfloat16 and is far slower; set compute.precision to float32")
    if compute.workers == 1:
        run = prepare_runner(specs, encoder, device)
        for spec in specs:
            yield run_and_keep(spec, run, home, seal)
        return
    waiting, about = {spec.key: spec for spec in specs}, (encoder, device, home, seal)
    while waiting:
        first = _in_processes(list(waiting.values()), compute.workers, *about)
        for record in chain(first, _after_a_death(waiting.values(), *about)):
            del waiting[record.key]
            yield record


def _in_processes(
    specs: list[TrialSpec], workers: int, encoder: Path, device: torch.device, home: Path, seal: str
) -> Iterator[TrialRecord]:
    """Run trials in a pool, until the death of a worker ends the pool."""
    with ProcessPoolExecutor(
        workers,
        mp_context=multiprocessing.get_context("spawn"),
        initializer=start_worker,
        initargs=(specs, encoder, device, home, seal),
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
    waiting: Iterable[TrialSpec], encoder: Path, device: torch.device, home: Path, seal: str
) -> Iterator[TrialRecord]:
    """The records of what ran when a worker died, each tried again in a process of its own: which of them it was
    shows there, and what only lacked memory beside another may have enough alone."""
    left = list(waiting)
    running = [spec for spec in left if _mark(home, spec).exists()]
    if left and not running:
        raise ResultsError("the worker processes die before they train; lower compute.workers")
    sweep_leftovers(home)
    for spec in running:
        log.warning("a worker process died; trial %s is tried again alone", spec.key)
        alone = _in_processes([spec], 1, encoder, device, home, seal)
        if not (record := finished(home, spec) or next(alone, None)):
            sweep_leftovers(home)
            failure = TrialFailure("failed", "its worker process died twice, perhaps for lack of memory")
            record = keep(spec, failure, home, torch.__version__, seal)
        yield record


def _mark(home: Path, spec: TrialSpec) -> Path:
    """A folder that is there while a worker runs a trial."""
    return home / f".{spec.key}-running"


def start_worker(specs: list[TrialSpec], encoder: Path, device: torch.device, home: Path, seal: str) -> None:
    end_with_parent()
    worker.update(run=prepare_runner(specs, encoder, own_device(device)), home=home, seal=seal)


def _run_in_worker(spec: TrialSpec) -> TrialRecord:
    mark = _mark(worker["home"], spec)
    mark.mkdir(exist_ok=True)
    record = run_and_keep(spec, worker["run"], worker["home"], worker["seal"])
    mark.rmdir()
    return record


def prepare_runner(specs: Sequence[TrialSpec], encoder: Path, device: torch.device) -> Runner:
    """Load what the trials share, and make what runs them."""
    arms = sorted({spec.arm for spec in specs} - {"none"})
    return make_runner(specs, load_inputs(encoder, specs[0].task, arms, device))


def run_and_keep(spec: TrialSpec, run: Runner, home: Path, seal: str = "") -> TrialRecord:
    """Run one trial and write its folder; a failure is written too, under its name."""
    return keep(spec, attempt(spec, run), home, torch.__version__, seal)
