"""How much faster two workers of one thread are than one: a sweep of equal trials, from start to end."""

from __future__ import annotations

import tempfile
import time
from pathlib import Path
from typing import Literal

from crosslayer.config import Profile
from crosslayer.sweep.run import run_sweep
from crosslayer.tasks import TaskName

SEEDS = 6
"""Trials of the sweep: an even number, so that two workers can share them."""


def seconds(
    profile: Profile, folder: Path, task: TaskName, workers: int, executor: Literal["local", "ray"]
) -> float:
    """Seconds of a whole sweep, the start of its workers counted in."""
    compute = profile.compute.model_copy(update={"workers": workers, "executor": executor})
    profile = profile.model_copy(update={"compute": compute})
    with tempfile.TemporaryDirectory() as home:
        start = time.perf_counter()
        records = run_sweep(profile, "sweep", task, folder / "encoder", Path(home) / "trials" / "sweep" / task)
        took = time.perf_counter() - start
    assert all(record.outcome in ("ok", "collapsed") for record in records)
    return took
