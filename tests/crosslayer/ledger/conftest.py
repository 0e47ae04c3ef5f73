"""A recorded run of two tasks, and a ledger that grows piece by piece."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from claimtrack.registry import Registry, load_registry
from crosslayer.config import DataSpec, Profile
from crosslayer.predictions.runs import ResultsRun
from recording import ARMS, CLAIMS, SECRET, record_all
from repository import ROOT
from synthetic_run import MadeUpRun, add_predictions, make_profile, make_record, make_sweep, write_results


@pytest.fixture(scope="module")
def claims() -> tuple[str, ...]:
    return CLAIMS


@pytest.fixture(scope="module")
def registry(claims: tuple[str, ...]) -> Registry:
    whole = load_registry(ROOT / "claims" / "registry.yaml")
    return whole.model_copy(update={"entries": {claim: whole.entries[claim] for claim in claims}})


@pytest.fixture(scope="module")
def structural() -> Registry:
    """The claim that takes no time, for tests of other things."""
    whole = load_registry(ROOT / "claims" / "registry.yaml")
    return whole.model_copy(update={"entries": {"C04": whole.entries["C04"]}})


@pytest.fixture(scope="module")
def profile() -> Profile:
    made = make_profile(("pawsx", "pos"), layers=(1, 2), controls=(), targets=("pos",))
    return made.model_copy(update={"data": DataSpec(source="xtreme", root=SECRET)})


@pytest.fixture(scope="module")
def results(profile: Profile, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A fresh run with a sweep, an intermediate stage, a failed trial, probes and a stray file."""
    run = make_sweep(profile, {("pawsx", "layer_1"): 5.0}, n=30)
    _add_intermediate(run, profile)
    folder = tmp_path_factory.mktemp("results") / profile.profile
    write_results(run, folder)
    for i, trial in enumerate(run.trials):
        arrays = {"fused_mean": np.full((2, 3), i, dtype=np.float32), "languages": np.array(["en", "de"])}
        np.savez(ResultsRun(folder).trial_folder(trial) / "diagnostics.npz", allow_pickle=False, **arrays)
    _add_failed_trial(folder / "trials" / "sweep" / "pos")
    (folder / "probes").mkdir()
    for name in ("similarity", "offsets"):
        pd.DataFrame({"layer": [0, 1]}).to_parquet(folder / "probes" / f"{name}.parquet")
    (folder / "probes" / "notes.txt").write_text("a sentence of a corpus")
    check = {"name": "one", "passed": True, "expected": "1", "found": "1"}
    (folder / "probes" / "structure.json").write_text(json.dumps({"C04": [check]}))
    (folder / "run.json").write_text(json.dumps({"revision": "abc", "stages": {"prepare": {"seconds": 1.0}}}))
    return folder


def _add_intermediate(run: MadeUpRun, profile: Profile) -> None:
    rng = np.random.default_rng(1)
    wanted = [("pos", arm, seed) for arm in ARMS for seed in profile.intermediate.seeds]
    for task, arm, seed in [*wanted, ("pawsx", "none", 0)]:
        trial = make_record(task, "baseline", seed, "intermediate", arm)  # type: ignore[arg-type]
        run.trials.append(trial)
        for split in ("dev", "test"):
            difficulty = rng.random(len(run.items[task, split].gold))  # type: ignore[index]
            add_predictions(run, trial, split, difficulty, 0.7, rng)


def _add_failed_trial(home: Path) -> None:
    failed = make_record("pos", "gate", 0).model_copy(update={"outcome": "nan_loss", "detail": "loss nan"})
    (home / failed.key).mkdir()
    (home / failed.key / "trial.json").write_text(failed.model_dump_json())
    keys = json.loads((home / "manifest.json").read_text())["keys"]
    (home / "manifest.json").write_text(json.dumps({"keys": [*keys, failed.key]}))


@pytest.fixture(scope="module")
def recorded(
    results: Path, profile: Profile, registry: Registry, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """An entry; not to be changed."""
    return record_all("first", "A title", profile, registry, results, tmp_path_factory.mktemp("ledger"))


@pytest.fixture
def entry(recorded: Path, tmp_path: Path) -> Path:
    """A copy of the entry, to be spoiled."""
    return Path(shutil.copytree(recorded, tmp_path / "ledger" / "first"))
