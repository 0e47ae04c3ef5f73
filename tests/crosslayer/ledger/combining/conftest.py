"""A grid of two tasks, and a ledger with one entry that grows piece by piece."""

from __future__ import annotations

from pathlib import Path

import pytest

from crosslayer.config import Profile
from pieces import GRID_CLAIMS, Pieces
from recording import record_all
from synthetic_run import MadeUpRun, make_profile


@pytest.fixture(scope="module")
def profile() -> Profile:
    made = make_profile(("pawsx", "pos"), layers=(1, 2), targets=("pos",))
    return made.model_copy(update={"sweep": made.sweep.model_copy(update={"halves": True})})


@pytest.fixture(scope="module")
def at_once(written: Path, profile: Profile, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The whole grid as one entry; not to be changed."""
    return record_all("grid", profile, written, tmp_path_factory.mktemp("ledger"), GRID_CLAIMS)


@pytest.fixture
def pieces(grid: MadeUpRun, written: Path, profile: Profile, tmp_path: Path) -> Pieces:
    return Pieces(grid, written, profile, tmp_path)


@pytest.fixture
def by_task(pieces: Pieces) -> Path:
    """A ledger with an entry of each task, trained on two machines."""
    for task in ("pos", "pawsx"):
        pieces.start(lambda t, task=task: t.task == task, f"only-{task}")  # type: ignore[misc]
    return pieces.entry.parent
