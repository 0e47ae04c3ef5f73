"""A grid of trials that is recorded piece by piece."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from claimtrack.errors import ResultsError
from claimtrack.evidence import Evidence, read_evidence
from crosslayer.config import Profile
from crosslayer.errors import ConfigError
from crosslayer.ledger.combining import planned_places
from crosslayer.ledger.ledger import record, verify
from crosslayer.paper.plugin import measures
from crosslayer.predictions.records import TrialRecord
from crosslayer.predictions.runs import ResultsRun
from crosslayer.tasks import TASKS
from recording import QUICK, record_all
from synthetic_run import LANGUAGES, MadeUpRun, add_predictions, make_items, make_record, write_results

Choice = Callable[[TrialRecord], bool]
GRID_CLAIMS = ("C01", "C05", "C07", "C13", "Q01")


def make_grid(profile: Profile, n: int = 24) -> MadeUpRun:
    """Every trial that a profile plans, with diagnostics; layer 1 is the best on English dev."""
    rng, run = np.random.default_rng(0), MadeUpRun()
    for task in profile.tasks:
        run.items[task, "dev"] = make_items(task, 3 * n, ("en",), rng)  # enough to be above chance
        run.items[task, "test"] = make_items(task, n, LANGUAGES, rng)
    difficulty = {place: rng.random(len(items.gold)) for place, items in run.items.items()}
    for stage, task, model, layer, arm, seed in planned_places(profile):
        ability = 0.8 + 0.01 * rng.standard_normal() + 0.1 * (layer == 1)
        about = {"version": 2, "threads": 1, "digests": {"encoder": "e", task: f"windows of {task}"}}
        trial = make_record(task, model, seed, stage, arm).model_copy(  # type: ignore[arg-type]
            update={"layer": layer, "dev_score": 100 * ability, "torch": "2.13.0", "specification": about}
        )
        run.trials.append(trial)
        vectors = rng.standard_normal((len(LANGUAGES), 8)).astype(np.float16)
        run.arrays[trial.key] = {
            "fused_mean": vectors, "pair_similarity": np.corrcoef(vectors).astype(np.float32),
            "attention_mean": rng.random(8).astype(np.float16).astype(np.float32),
            "attention_variance": np.full(8, 1 / 128, np.float32),
        }  # fmt: skip
        for split in ("dev", "test"):
            add_predictions(run, trial, split, difficulty[task, split], ability, rng)
            k = len(TASKS[task].labels)
            scores = -3.0 * (np.arange(k) != run.predicted[trial.key, split][:, None])
            run.logits[trial.key, split] = scores.astype(np.float32)
    return run


def write_trials(run: MadeUpRun, folder: Path) -> Path:
    """Write all trials of a run as results, with the manifests of a sweep that has come to its end."""
    write_results(run, folder)
    for trial in run.trials:
        np.savez(ResultsRun(folder).trial_folder(trial) / "diagnostics.npz", **run.arrays[trial.key])  # type: ignore[arg-type]
    (folder / "probes").mkdir()
    pd.DataFrame({"layer": [0, 1]}).to_parquet(folder / "probes" / "similarity.parquet")
    return folder


class Pieces:
    """A ledger in a temporary folder, with one entry that grows by results that hold one piece each."""

    def __init__(self, grid: MadeUpRun, written: Path, profile: Profile, home: Path) -> None:
        self.grid, self.written, self.profile = grid, written, profile
        self.claims: tuple[str, ...] = QUICK
        self.results, self.entry = home / "results", home / "ledger" / "grid"

    def rewrite(self, grid: MadeUpRun) -> None:
        """Take the next pieces from a run with other predictions."""
        self.grid, self.written = grid, write_trials(grid, self.results.with_name("rewritten"))

    def lay_out(self, chosen: Choice, **info: Any) -> list[TrialRecord]:
        """Put some trials, and no manifest, in the place of the present results; the trials."""
        shutil.rmtree(self.results, ignore_errors=True)
        trials = [trial for trial in self.grid.trials if chosen(trial)]
        for trial in trials:
            home = ResultsRun(self.results).trial_folder(trial)
            shutil.copytree(ResultsRun(self.written).trial_folder(trial), home)
            (home / "trial.json").write_text(trial.model_dump_json())
        shutil.copytree(self.written / "probes", self.results / "probes")
        (self.results / "run.json").write_text(json.dumps(info))
        return trials

    def start(self, chosen: Choice, name: str = "grid") -> Path:
        """Record some trials as all that there is."""
        trials = self.lay_out(chosen, id="first", revision="one", stages={"sweep-pos": {"seconds": 2.5}})
        for home in self.results.glob("trials/*/*"):
            keys = [trial.key for trial in trials if (home / trial.key).is_dir()]
            (home / "manifest.json").write_text(json.dumps({"keys": keys}))
        record_all(name, self.profile, self.results, self.entry.parent, self.claims)
        shutil.rmtree(self.results)
        return self.entry.with_name(name)

    def add(self, chosen: Choice, profile: Profile | None = None) -> Path:
        """Extend the entry by some trials."""
        info = {"revision": "two", "machine": {"cores": 64}, "packages": {"torch": "2.13.0"}}
        stages = {"sweep-pos": {"seconds": 2.5}, "sweep-pawsx": {"seconds": 4.0}}
        return self.extend(self.lay_out(chosen, **info, stages=stages), profile)

    def extend(self, finished: list[TrialRecord], profile: Profile | None = None, **how: Any) -> Path:
        """Extend the entry by trials that lie in the results."""
        about = (profile or self.profile, measures(self.claims), self.results, finished, ["grid"])
        return record("grid", "All of it", *about, self.entry.parent, **how)

    def refuses(self, words: str, change: Callable[[], object]) -> None:
        """A change ends in one line, and the entry is as it was; so is the ledger."""
        before = (self.entry / "hashes.json").read_bytes()
        with pytest.raises((ConfigError, ResultsError), match=words) as caught:
            change()
        assert "\n" not in str(caught.value)
        verify(self.entry)
        assert (self.entry / "hashes.json").read_bytes() == before
        assert [path.name for path in self.entry.parent.iterdir()] == ["grid"]


def evidence_of(entry: Path, claim: str) -> Evidence:
    return read_evidence(entry / "claims" / claim / "evidence.json")


def of_task(entry: Path, claim: str, task: str) -> list[dict[str, Any]]:
    return [part.model_dump(mode="json") for part in evidence_of(entry, claim).parts if part.task == task]


def joined(pieces: Pieces, *sources: str, name: str = "grid") -> Path:
    about = (pieces.profile, measures(pieces.claims), pieces.results, None, sources)
    return record(name, "A grid", *about, pieces.entry.parent)


def changed(run: MadeUpRun, chosen: Choice, **values: Any) -> MadeUpRun:
    """A run with other records."""
    return replace(run, trials=[t.model_copy(update=values) if chosen(t) else t for t in run.trials])
