"""What does not belong together: other predictions, items, inputs or settings."""

from __future__ import annotations

import re
import shutil
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest

from crosslayer.config import DataSpec, TargetPhase, TaskSpec, load_profile
from crosslayer.ledger.ledger import derive_again
from crosslayer.paper.plugin import measures
from crosslayer.predictions.records import STAGES
from crosslayer.predictions.runs import RecordedRun, ResultsRun
from crosslayer.tasks import TASKS
from pieces import Pieces, changed, evidence_of
from synthetic_run import make_profile


def test_other_predictions_of_one_trial_are_refused(pieces: Pieces) -> None:
    pieces.start(lambda t: t.seed == 0)
    key = "sweep-pawsx-layer_2-none-0"
    other = {(key, "dev"): 1 - pieces.grid.predicted[key, "dev"]}
    pieces.rewrite(replace(pieces.grid, predicted=pieces.grid.predicted | other))
    words = rf"pawsx layer_2 with seed 0 \({key}\) has other predictions"
    pieces.refuses(words, lambda: pieces.add(lambda t: t.seed < 2))


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"specification": {"version": 2, "threads": 2}}, "another threads"),
        ({"outcome": "collapsed"}, "another outcome"),
    ],
)
def test_one_trial_that_was_trained_twice_is_refused(change: dict[str, Any], words: str, pieces: Pieces) -> None:
    bare = {"specification": {"version": 2, "threads": 1}}
    pieces.grid = changed(pieces.grid, lambda t: True, **bare)
    pieces.start(lambda t: t.seed == 0)
    key = "sweep-pos-baseline-none-0"
    pieces.grid = changed(pieces.grid, lambda t: t.key == key, **change)
    finished = pieces.lay_out(lambda t: t.seed < 2)
    if "specification" in change:
        finished = [t.model_copy(update={"key": "other"}) if t.key == key else t for t in finished]
    pieces.refuses(
        f"pos baseline with seed 0 is trial .* with {words}; delete it", lambda: pieces.extend(finished)
    )


@pytest.mark.parametrize("column", ["gold", "item", "language"])
def test_other_items_are_refused(column: str, pieces: Pieces) -> None:
    pieces.start(lambda t: t.seed == 0)
    items = pieces.grid.items["pawsx", "test"]
    values = {"gold": 1 - items.gold, "item": np.char.add(items.item, "x"), "language": items.language[::-1]}
    other = pieces.grid.items | {("pawsx", "test"): replace(items, **{column: values[column]})}
    pieces.rewrite(replace(pieces.grid, items=other))
    words = "trials .*-baseline-none-0 and .*-baseline-none-1 were predicted on different items; prepare"
    pieces.refuses(words, lambda: pieces.add(lambda t: t.seed == 1))


@pytest.mark.parametrize("what", ["encoder", "pos"])
def test_other_inputs_are_refused(what: str, pieces: Pieces) -> None:
    about = {"version": 2, "digests": {what: "other"}}
    pieces.start(lambda t: t.seed == 0)
    pieces.grid = changed(pieces.grid, lambda t: t.task == "pos" and t.seed == 1, specification=about)
    pieces.refuses(f"differ in the digest of {what}; prepare", lambda: pieces.add(lambda t: t.seed == 1))


@pytest.mark.parametrize(("name", "value"), [("precision", "bfloat16"), ("device_kind", "cuda"), ("torch", "9.9")])
@pytest.mark.parametrize("stage", ["sweep", "intermediate"])
def test_pieces_of_different_arithmetic_are_not_compared(
    stage: str, name: str, value: str, pieces: Pieces
) -> None:
    entry = pieces.start(lambda t: t.seed in (0, 2) and t.task == "pos")
    claim = "C05" if stage == "sweep" else "Q01"
    pieces.claims = (claim,)
    pieces.grid = changed(pieces.grid, lambda t: t.stage == stage, **{name: value})
    pieces.add(lambda t: t.seed == 1 and t.task == "pos" and t.stage == stage)
    found = evidence_of(entry, claim)
    assert {int(key[-1]) for key in found.trials if key.startswith(stage)} == {0, 2}
    assert any(re.match(rf"POS: \d trials of .*{value} are not compared with", line) for line in found.missing)


def test_a_plan_may_grow(pieces: Pieces) -> None:
    whole, pieces.profile = pieces.profile, make_profile(("pos",), layers=(1, 2), targets=())
    entry = pieces.start(lambda t: t.task == "pos" and t.stage == "sweep" and "half" not in t.model)
    pieces.profile = whole
    pieces.add(lambda t: t.task == "pawsx" or t.stage == "intermediate" or "half" in t.model)
    kept = RecordedRun(entry)
    assert [len(kept.records("sweep", task)) for task in ("pos", "pawsx")] == [18, 18]
    assert len(kept.records("intermediate", "pos")) == 9
    assert load_profile(entry / "profile.yaml") == pieces.profile


@pytest.mark.parametrize(
    ("section", "change", "words"),
    [
        ("sweep", {"seeds": [0, 2]}, "grid holds pawsx baseline with seed 1, which params.yaml does not plan"),
        ("sweep", {"layers": [1]}, "grid holds pawsx layer_2 with seed 0, which"),
        ("sweep", {"control_layer": 2}, "grid holds pawsx half_1 with seed 0, which"),
        ("intermediate", {"targets": []}, "grid holds pos baseline with seed 0 in intermediate arm none"),
        ("intermediate", {"items": 99}, "intermediate.items is 200 in grid and 99 in params.yaml; set it"),
        ("intermediate", {"by_target": {"pos": TargetPhase(epochs=7)}}, "by_target.pos.epochs is 1 in grid and 7"),
        ("fusion", {"kernel": 3}, "fusion.kernel is 1 in grid and 3 in params.yaml"),
        ("data", {"draw_seed": 9}, "data.draw_seed is 0 in grid and 9"),
        ("encoder", {"seed": 5}, "encoder.seed is 0 in grid and 5"),
        ("probe", {"pairs": 5}, "probe.pairs is 200 in grid and 5"),
    ],
)
def test_other_settings_are_refused(section: str, change: dict[str, Any], words: str, pieces: Pieces) -> None:
    pieces.start(lambda t: t.seed < 2)
    part = getattr(pieces.profile, section).model_copy(update=change)
    other = pieces.profile.model_copy(update={section: part})
    pieces.refuses(words, lambda: pieces.add(lambda t: t.seed == 2, profile=other))


def test_trials_of_a_stage_and_task_can_take_the_place_of_recorded_ones(pieces: Pieces) -> None:
    """After a phase with other settings, which is refused otherwise; nothing is left of the former ones."""
    entry = pieces.start(lambda t: True)
    sweep = (entry / "predictions-sweep-pos.parquet").read_bytes()
    own = {"by_target": {"pos": TargetPhase(epochs=7)}}
    profile = pieces.profile.model_copy(
        update={"intermediate": pieces.profile.intermediate.model_copy(update=own)}
    )
    pieces.refuses("by_target.pos.epochs is 1 in grid and 7", lambda: pieces.add(lambda t: True, profile))
    trials = pieces.lay_out(lambda t: t.stage == "intermediate" and t.seed < 2)
    for i, trial in enumerate(trials):
        home, key = ResultsRun(pieces.results).trial_folder(trial), f"again-{i}"
        trials[i] = trial.model_copy(update={"key": key})
        shutil.move(home, home.with_name(key))
        (home.with_name(key) / "trial.json").write_text(trials[i].model_dump_json())
    pieces.refuses(
        "no finished trial of intermediate/pawsx to replace",
        lambda: pieces.extend(trials, profile, replaced=[("intermediate", "pawsx")]),
    )
    pieces.extend(trials, profile, replaced=[("intermediate", "pos")])
    kept = RecordedRun(entry)
    assert [trial.key for trial in kept.records("intermediate", "pos")] == [trial.key for trial in trials]
    assert (entry / "predictions-sweep-pos.parquet").read_bytes() == sweep
    scored = {path.stem.removeprefix("scores-") for path in entry.glob("scores-*")}
    assert scored <= {trial.key for stage in STAGES for task in TASKS for trial in kept.records(stage, task)}
    assert {trial.key for trial in trials} <= scored
    assert load_profile(entry / "profile.yaml").intermediate.phase("pos")["epochs"] == 7
    derive_again(entry, measures(pieces.claims))


def test_a_task_may_be_set_otherwise_until_it_is_recorded(pieces: Pieces) -> None:
    """The probes are measured with its sizes, so that the former ones go with the former settings."""
    entry = pieces.start(lambda t: t.task == "pos")
    tasks = pieces.profile.tasks | {"pawsx": TaskSpec(epochs=9, learning_rate=0.1)}
    other = pieces.profile.model_copy(update={"tasks": tasks})
    finished = pieces.lay_out(lambda t: t.task == "pawsx")
    shutil.rmtree(pieces.results / "probes")
    words = "probes of grid were measured with other tasks or sizes .* run `dvc repro probe@made-up` first"
    pieces.refuses(words, lambda: pieces.extend(finished, other))
    (pieces.results / "probes").mkdir()
    pd.DataFrame({"layer": [7]}).to_parquet(pieces.results / "probes" / "similarity.parquet")
    pieces.extend(finished, other)
    probe = RecordedRun(entry).probe("similarity")
    assert probe["layer"].tolist() == [7]
    pieces.refuses("tasks.pawsx.epochs is 9 in grid and 1 in params.yaml", lambda: pieces.add(lambda t: True))


def test_the_paths_of_two_machines_may_differ(pieces: Pieces) -> None:
    homes = [
        pieces.profile.model_copy(update={"data": DataSpec(source="xtreme", root=root)}) for root in ("/a", "/b/c")
    ]
    pieces.profile = homes[0]
    entry = pieces.start(lambda t: t.seed == 0)
    pieces.add(lambda t: t.seed == 1, profile=homes[1])
    assert load_profile(entry / "profile.yaml").data.root == "DIR"
