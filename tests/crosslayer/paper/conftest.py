"""Runs with planted effects, and without any."""

from __future__ import annotations

import pytest

from analysed import PROFILE
from crosslayer.tasks import TASK_NAMES
from synthetic_run import MadeUpRun, make_sweep


@pytest.fixture(scope="module")
def planted() -> MadeUpRun:
    """Layer 2 is right 2 points more often, in all tasks."""
    return make_sweep(PROFILE, {(task, "layer_2"): 2.0 for task in TASK_NAMES}, n=500, noise=0.2)


@pytest.fixture(scope="module")
def null() -> MadeUpRun:
    return make_sweep(PROFILE, n=500, noise=0.2, seed=2)
