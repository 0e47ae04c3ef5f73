"""Recorded runs of different tasks, joined into one."""

from __future__ import annotations

import json
from dataclasses import replace
from itertools import product
from pathlib import Path

import numpy as np
import pytest

from crosslayer.errors import ConfigError
from crosslayer.ledger.ledger import derive_again, verify
from crosslayer.paper.plugin import measures
from crosslayer.predictions.runs import SPLITS, RecordedRun
from one_line import said
from pieces import GRID_CLAIMS, Pieces, changed, evidence_of, joined
from recording import unequal


def test_joined_tasks_are_as_at_once(pieces: Pieces, by_task: Path, at_once: Path) -> None:
    pieces.claims = GRID_CLAIMS
    entry = joined(pieces, "only-pawsx", "only-pos")
    derive_again(entry, measures(GRID_CLAIMS))
    assert unequal(entry, at_once) <= {"run.json", "hashes.json"}, "all that is measured is equal bytes"
    info = json.loads((entry / "run.json").read_text())
    assert info["title"] == "A grid"
    assert [part["title"] for part in info["parts"]] == ["The first piece"], "one run, recorded twice"
    assert info["stages"] == {"sweep-pos": {"seconds": 2.5}}
    assert {path.name for path in by_task.iterdir()} == {"grid", "only-pawsx", "only-pos"}


def test_a_joined_entry_can_take_the_place_of_a_source(pieces: Pieces, by_task: Path) -> None:
    entry = joined(pieces, "only-pos", "only-pawsx", name="only-pos")
    verify(entry)
    assert {path.name for path in by_task.iterdir()} == {"only-pawsx", "only-pos"}
    assert {trial["task"] for trial in json.loads((entry / "trials.json").read_text())} == {"pos", "pawsx"}


def test_one_task_may_be_trained_twice_and_is_not_compared_across(pieces: Pieces, by_task: Path) -> None:
    """Some models again in another version and precision: every trial is kept, each comparison has one."""
    run, again, chosen = pieces.grid, [], ("baseline", "layer_1", "self")
    for trial in (t for t in run.trials if (t.task, t.stage) == ("pos", "sweep") and t.model in chosen):
        about = {"precision": "bfloat16", "specification": {**trial.specification, "version": 3}}
        again.append(trial.model_copy(update={"key": f"v3-{trial.key}", **about}))
        run.arrays[again[-1].key] = run.arrays[trial.key]
        for split, known in product(SPLITS, (run.predicted, run.logits)):
            known[again[-1].key, split] = known[trial.key, split]
    pieces.rewrite(replace(run, trials=again))
    pieces.start(lambda t: True, "again")
    pieces.claims = GRID_CLAIMS
    entry = joined(pieces, "only-pos", "again")
    keys = {trial.key for source in ("only-pos", "again") for trial in RecordedRun(by_task / source).trials}
    assert {trial.key for trial in RecordedRun(entry).trials} == keys
    line = "POS: 9 trials of version 3, bfloat16 are not compared with 12 of version 2, float32"
    assert line in evidence_of(entry, "C05").missing
    derive_again(entry, measures(GRID_CLAIMS))


@pytest.mark.parametrize("order", [("whole", "broken"), ("broken", "whole")])
def test_a_trial_that_failed_gives_way_in_any_order(order: tuple[str, str], pieces: Pieces) -> None:
    key, whole = "sweep-pos-layer_1-none-1", pieces.grid
    pieces.start(lambda t: t.task == "pos", "whole")
    pieces.grid = changed(whole, lambda t: t.key == key, outcome="out_of_memory")
    pieces.start(lambda t: t.task == "pos", "broken")
    run = RecordedRun(joined(pieces, *order))
    assert {trial.outcome for trial in run.trials} == {"ok"}
    predicted = run.table([trial for trial in run.trials if trial.key == key], "test").predicted
    np.testing.assert_array_equal(predicted[0], whole.predicted[key, "test"])


@pytest.mark.parametrize(
    ("sources", "name", "words"),
    [
        (("only-pos", "other"), "grid", "other; record it first"),
        (("only-pos",), "only-pawsx", "or add to it with --extend or --join only-pawsx"),
        (("only-pos", "../x"), "grid", "'../x' is not a name for a recorded run"),
    ],
)
def test_what_cannot_be_joined_ends_in_one_line(
    sources: tuple[str, ...], name: str, words: str, pieces: Pieces, by_task: Path
) -> None:
    assert words in said(ConfigError, lambda: joined(pieces, *sources, name=name))
    assert {path.name for path in by_task.iterdir()} == {"only-pawsx", "only-pos"}
