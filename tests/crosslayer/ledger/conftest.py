"""A recorded run of two tasks, and a ledger that grows piece by piece."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pandas as pd
import pytest

from crosslayer.config import DataSpec, Profile
from pieces import make_grid, write_trials
from recording import CLAIMS, SECRET, record_all
from synthetic_run import MadeUpRun, make_profile, make_record


@pytest.fixture(scope="module")
def profile() -> Profile:
    made = make_profile(("pawsx", "pos"), layers=(1, 2), controls=(), targets=("pos", "pawsx"))
    return made.model_copy(update={"data": DataSpec(source="xtreme", root=SECRET)})


@pytest.fixture(scope="module")
def grid(profile: Profile) -> MadeUpRun:
    return make_grid(profile)


@pytest.fixture(scope="module")
def written(grid: MadeUpRun, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The whole grid as results; not to be changed."""
    return write_trials(grid, tmp_path_factory.mktemp("whole") / "results")


@pytest.fixture(scope="module")
def results(written: Path, profile: Profile, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same with a failed trial, more probes and a stray file."""
    folder = Path(shutil.copytree(written, tmp_path_factory.mktemp("results") / profile.profile))
    home = folder / "trials" / "sweep" / "pos"
    failed = make_record("pos", "gate", 0).model_copy(update={"outcome": "nan_loss", "detail": "loss nan"})
    (home / failed.key).mkdir()
    (home / failed.key / "trial.json").write_text(failed.model_dump_json())
    keys = json.loads((home / "manifest.json").read_text())["keys"]
    (home / "manifest.json").write_text(json.dumps({"keys": [*keys, failed.key]}))
    pd.DataFrame({"layer": [0, 1]}).to_parquet(folder / "probes" / "offsets.parquet")
    (folder / "probes" / "notes.txt").write_text("a sentence of a corpus")
    check = {"name": "one", "passed": True, "expected": "1", "found": "1"}
    (folder / "probes" / "structure.json").write_text(json.dumps({"C04": [check]}))
    (folder / "run.json").write_text(json.dumps({"revision": "abc", "stages": {"prepare": {"seconds": 1.0}}}))
    return folder


@pytest.fixture(scope="module")
def recorded(results: Path, profile: Profile, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An entry; not to be changed."""
    return record_all("first", profile, results, tmp_path_factory.mktemp("ledger"), CLAIMS)


@pytest.fixture
def entry(recorded: Path, tmp_path: Path) -> Path:
    """A copy of the entry, to be spoiled."""
    return Path(shutil.copytree(recorded, tmp_path / "ledger" / "first"))
