"""Recorded runs of different tasks, joined into one."""

from __future__ import annotations

import json
import os
import shutil
from dataclasses import replace
from itertools import product
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from claimtrack.errors import ResultsError
from claimtrack.registry import Registry
from claimtrack.report.runs import view_run
from claimtrack.results import load_recorded
from crosslayer.config import Profile
from crosslayer.errors import ConfigError
from crosslayer.ledger.differences import differences
from crosslayer.ledger.ledger import derive_again, verify
from crosslayer.paper import PLUGIN
from crosslayer.paper.sections import PaperSections
from crosslayer.predictions.records import TrialRecord
from crosslayer.predictions.runs import SPLITS, RecordedRun
from pieces import Pieces, evidence_of, joined, of_task
from recording import measured


def test_joined_tasks_are_as_at_once(pieces: Pieces, by_task: Path, at_once: Path, registry: Registry) -> None:
    pieces.registry = registry
    entry = joined(pieces, "only-pawsx", "only-pos")
    derive_again(entry, measured(registry))
    names = {path.relative_to(at_once) for path in at_once.rglob("*") if path.is_file()}
    assert {path.relative_to(entry) for path in entry.rglob("*") if path.is_file()} == names
    unequal = {name.name for name in names if (entry / name).read_bytes() != (at_once / name).read_bytes()}
    assert unequal <= {"run.json", "hashes.json"}, "predictions, scores, evidence and figures are equal bytes"
    info = json.loads((entry / "run.json").read_text())
    assert info["title"] == "A grid"
    assert [part["title"] for part in info["parts"]] == ["The first piece"] * 2
    assert info["stages"] == {"sweep-pos": {"seconds": 2.5}}, "the same attempt, told in both"
    assert {path.name for path in by_task.iterdir()} == {"grid", "only-pawsx", "only-pos"}


def test_a_joined_entry_can_take_the_place_of_a_source(pieces: Pieces, by_task: Path) -> None:
    entry = joined(pieces, "only-pos", "only-pawsx", name="only-pos")
    verify(entry)
    assert {path.name for path in by_task.iterdir()} == {"only-pawsx", "only-pos"}
    assert {trial["task"] for trial in json.loads((entry / "trials.json").read_text())} == {"pos", "pawsx"}


def in_batch_of_its_own(trial: TrialRecord) -> TrialRecord:
    about = {"precision": "bfloat16", "specification": {**trial.specification, "version": 3}}
    return trial.model_copy(update={"key": f"v3-{trial.key}", **about})


def test_one_task_may_be_trained_twice_and_is_not_compared_across(
    pieces: Pieces, by_task: Path, profile: Profile, registry: Registry
) -> None:
    """Layer 1 and `self` again in another version and precision: every trial is kept, each comparison has one."""
    run = pieces.grid
    chosen = [t for t in run.trials if t.task == "pos" and t.stage == "sweep" and t.model in AGAIN]
    later = replace(run, trials=[in_batch_of_its_own(trial) for trial in chosen])
    for trial in chosen:
        run.arrays[f"v3-{trial.key}"] = run.arrays[trial.key]
        for split in ("dev", "test"):
            for known in (run.predicted, run.logits):
                known[f"v3-{trial.key}", split] = known[trial.key, split]
    pieces.rewrite(later)
    pieces.start(lambda t: True)
    os.replace(pieces.entry, by_task / "again")
    pieces.registry = registry
    entry = joined(pieces, "only-pos", "again")
    kept = RecordedRun(entry)
    keys = [trial.key for trial in kept.records("sweep", "pos")]
    assert sorted(keys) == sorted(trial.key for source in ("only-pos", "again")
                                  for trial in RecordedRun(by_task / source).records("sweep", "pos"))  # fmt: skip
    for source, split in product(("only-pos", "again"), SPLITS):
        records = RecordedRun(by_task / source).records("sweep", "pos")
        one, two = RecordedRun(by_task / source).table(records, split), kept.table(records, split)
        np.testing.assert_array_equal(one.predicted, two.predicted)
    gains, apart = evidence_of(entry, "C05"), of_task(entry, "C05", "pos")
    told = dict(view_run(load_recorded(entry, registry), PLUGIN, PaperSections()).setting)["trained, POS"]
    assert "; float32. Not compared with them: 9 trials: baseline D_1 self; seeds 0 1 2; " in told
    line = "POS: 9 trials of version 3, bfloat16 are not compared with 12 of version 2, float32"
    assert line in gains.missing
    alone = measured(registry)["C05"](RecordedRun(by_task / "only-pos"), profile)
    layers = [part.model_dump(mode="json") for part in alone.parts if part.measure == "layer_gain"]
    assert not list(differences(layers, [part for part in apart if part["measure"] == "layer_gain"]))
    derive_again(entry, measured(registry))


AGAIN = ("baseline", "layer_1", "self")


@pytest.mark.parametrize(
    ("sources", "name", "words"),
    [
        (("only-pos", "other"), "grid", "there is no .*other; record it first"),
        (("only-pos",), "only-pawsx", "only-pawsx is there already; .* or --join only-pawsx"),
        (("only-pos", "../x"), "grid", "'../x' is no name for a recorded run"),
    ],
)
def test_what_cannot_be_joined_ends_in_one_line(
    sources: tuple[str, ...], name: str, words: str, pieces: Pieces, by_task: Path
) -> None:
    with pytest.raises(ConfigError, match=words) as caught:
        joined(pieces, *sources, name=name)
    assert "\n" not in str(caught.value)
    assert {path.name for path in by_task.iterdir()} == {"only-pawsx", "only-pos"}


def test_probes_of_other_tasks_are_not_taken_over(pieces: Pieces, by_task: Path) -> None:
    """Transfer scores depend on the sizes of all tasks, also of one that an entry has no trials of."""
    task = pieces.profile.tasks["pawsx"].model_copy(update={"epochs": 9})
    other = pieces.profile.model_copy(update={"tasks": pieces.profile.tasks | {"pawsx": task}})
    shutil.rmtree(pieces.results, ignore_errors=True)
    with pytest.raises(ResultsError, match="the probes of only-pos were measured with other tasks or sizes"):
        joined(pieces, "only-pos", profile=other)
    (pieces.results / "probes").mkdir(parents=True)
    pd.DataFrame({"layer": [7]}).to_parquet(pieces.results / "probes" / "similarity.parquet")
    probe = RecordedRun(joined(pieces, "only-pos", profile=other)).probe("similarity")
    assert probe["layer"].tolist() == [7]


def test_entries_of_other_settings_are_not_joined(pieces: Pieces, by_task: Path) -> None:
    task = pieces.profile.tasks["pos"].model_copy(update={"epochs": 9})
    other = pieces.profile.model_copy(update={"tasks": pieces.profile.tasks | {"pos": task}})
    with pytest.raises(ConfigError, match=r"tasks.pos.epochs is \d in only-pos and 9 in params.yaml"):
        joined(pieces, "only-pos", "only-pawsx", profile=other)
    fewer = pieces.profile.model_copy(update={"sweep": pieces.profile.sweep.model_copy(update={"seeds": [0]})})
    with pytest.raises(ConfigError, match=r"which params\.yaml does not plan"):
        joined(pieces, "only-pos", "only-pawsx", profile=fewer)
    assert {path.name for path in by_task.iterdir()} == {"only-pawsx", "only-pos"}
