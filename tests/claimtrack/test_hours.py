"""What another seed costs: from trials that were trained and their seconds, to the hours of a decision."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from claimtrack.evidence import Evidence
from claimtrack.registry import load_registry
from claimtrack.results import hours_per_seed, load_recorded
from claimtrack.runlog import read_run
from crosslayer.predictions.records import as_trial, write_records
from crosslayer.stages import command
from crosslayer.stages.command import run_stage
from crosslayer.sweep.runlog import combined_info, note_seconds
from made_evidence import gain, gains, put
from synthetic_run import make_profile, make_record

PROFILE = json.dumps(make_profile(("pos",)).model_dump(mode="json"))
RECORDS = [
    *(make_record("pos", model, seed) for model in ("baseline", "layer_1", "layer_2") for seed in (0, 1)),
    make_record("pos", "baseline", 2),
    *(make_record("ner", "baseline", seed, "intermediate") for seed in (0, 1)),
]
TRIALS = {record.key: as_trial(record) for record in RECORDS}


def evidence(*keys: str) -> Evidence:
    """A gain of 0.7 points whose interval needs more than three seeds to decide."""
    return gains(gain("pos", 0.7, 1.0), run="entry", trials=keys or tuple(sorted(TRIALS)))


def stages_of(folder: Path) -> Any:
    return read_run(folder / "run.json")["stages"]


def test_attempts_that_trained_add_up_and_the_longest_attempt_stays(tmp_path: Path) -> None:
    note_seconds(tmp_path, "sweep-pos", 500.0)  # of an older version, which did not count
    note_seconds(tmp_path, "sweep-pos", 90.0, trained=6)
    note_seconds(tmp_path, "sweep-pos", 2.0, trained=0)
    note_seconds(tmp_path, "sweep-pos", 30.5, trained=2)
    assert stages_of(tmp_path) == {"sweep-pos": {"seconds": 500.0, "trained": 8, "trained_seconds": 120.5}}
    note_seconds(tmp_path, "probe", 3.0)
    assert stages_of(tmp_path)["probe"] == {"seconds": 3.0}


def test_a_stage_records_what_its_body_returns(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "params.yaml").write_text(PROFILE, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(command, "end_on_signals", lambda: None)
    run_stage("sweep", lambda *_: {"trained": 4}, ["made-up", "pos"])
    run_stage("prepare", lambda _, folder: folder.mkdir(parents=True, exist_ok=True), ["made-up"])
    found = stages_of(tmp_path / "results" / "made-up")
    assert found["sweep-pos"]["trained"] == 4
    assert found["sweep-pos"]["trained_seconds"] == found["sweep-pos"]["seconds"]
    assert set(found["prepare"]) == {"seconds"}


def test_runs_that_become_one_add_up_what_they_trained() -> None:
    old = {"title": "a", "stages": {"sweep-pos": {"seconds": 4.0}}}
    new = {"title": "b", "stages": {"sweep-pos": {"seconds": 9.0, "trained": 3, "trained_seconds": 9.0}}}
    joined = combined_info("c", [old, new])
    assert joined["stages"] == {"sweep-pos": {"seconds": 13.0, "trained": 3, "trained_seconds": 9.0}}


def test_another_seed_costs_its_trials_at_the_measured_time_of_one() -> None:
    """Three trials a seed of 8 trials in two hours; the third seed is incomplete and does not count."""
    counted = {"seconds": 5000.0, "trained": 8, "trained_seconds": 7200.0}
    info = {"stages": {"sweep-pos": counted, "intermediate-ner": {"seconds": 99.0, "trained": 0}}}
    assert hours_per_seed(evidence(), TRIALS, info) == {"pos": pytest.approx(3 * 2 / 8)}
    assert hours_per_seed(evidence("sweep-pos-baseline-none-0"), TRIALS, info) == {"pos": pytest.approx(2 / 8)}
    assert hours_per_seed(evidence(), TRIALS, {"stages": {"sweep-pos": {"seconds": 5000.0}}}) == {}
    assert hours_per_seed(None, TRIALS, info) == hours_per_seed(evidence(), TRIALS, {}) == {}


def test_a_task_of_two_stages_costs_both_or_is_not_known() -> None:
    more = as_trial(make_record("pos", "baseline", 0, "intermediate"))
    both = {**TRIALS, more.key: more}
    found = evidence(*sorted(both))
    sweep = {"seconds": 1.0, "trained": 1, "trained_seconds": 3600.0}
    assert hours_per_seed(found, both, {"stages": {"sweep-pos": sweep}}) == {}
    info = {"stages": {"sweep-pos": sweep, "intermediate-pos": {**sweep, "trained": 2}}}
    assert hours_per_seed(found, both, info) == {"pos": pytest.approx(3 * 1 + 1 / 2)}


def recorded(folder: Path, entry: dict[str, Any]) -> Any:
    """The decision on POS of a recorded run whose sweep took so long."""
    put(folder, evidence())
    (folder / "profile.yaml").write_text(PROFILE, encoding="utf-8")
    write_records(RECORDS, folder / "trials.json")
    (folder / "run.json").write_text(json.dumps({"stages": {"sweep-pos": entry}}), encoding="utf-8")
    return load_recorded(folder, load_registry()).verdicts["C05"].decisions["pos"]


def test_an_undecided_task_says_what_the_missing_seeds_cost(tmp_path: Path) -> None:
    folder = tmp_path / "entry"
    decision = recorded(folder, {"seconds": 9.0, "trained": 8, "trained_seconds": 7200.0})
    assert decision.decision == "undecided"
    assert decision.seeds > 3
    assert decision.hours == pytest.approx((decision.seeds - 3) * 0.75, abs=0.051), "rounded to tenths"
    assert recorded(folder, {"seconds": 9.0}).hours is None, "an older run did not count its trials"
