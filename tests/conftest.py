"""What several files of tests share: one undisturbed run of the whole pipeline."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from clones import ALONE, Undisturbed, can_be_alone, make_clone, repro


@pytest.fixture(scope="session")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> Undisturbed:
    """The run; in a network namespace of its own where that can be had."""
    folder = make_clone(tmp_path_factory.mktemp("clone"))
    start = time.monotonic()
    assert "report@tiny" in repro(folder, *(ALONE if can_be_alone() else ()))
    return Undisturbed(folder, time.monotonic() - start)


@pytest.fixture
def clone(undisturbed: Undisturbed) -> Path:
    """A clone in which the pipeline has run; tests leave it as it was."""
    return undisturbed.folder
