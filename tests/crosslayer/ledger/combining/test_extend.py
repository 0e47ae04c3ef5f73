"""Recorded runs in pieces: a grid that is recorded piece by piece is the grid recorded at once."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from unittest.mock import Mock

import numpy as np
import pytest

from claimtrack.errors import ResultsError
from claimtrack.evidence import Evidence
from claimtrack.registry import load_registry
from claimtrack.report.runs import view_run
from claimtrack.results import load_recorded
from crosslayer.config import Profile
from crosslayer.ledger import ledger
from crosslayer.ledger.differences import differences
from crosslayer.ledger.ledger import derive_again, verify
from crosslayer.paper import PLUGIN
from crosslayer.paper.plugin import measures
from crosslayer.paper.sections import PaperSections
from crosslayer.predictions.records import TrialRecord
from crosslayer.predictions.runs import RecordedRun
from crosslayer.sweep.runlog import combined_info
from one_line import said
from pieces import GRID_CLAIMS, Choice, Pieces, evidence_of, of_task
from recording import unequal
from synthetic_run import MadeUpRun


def is_early(trial: TrialRecord) -> bool:
    """Seed 0, and of seed 1 what a sweep that was stopped has left."""
    return trial.seed == 0 or (trial.seed == 1 and trial.model in ("baseline", "layer_1"))


CUTS: dict[str, list[Choice]] = {
    "task by task": [lambda t: t.task == "pos", lambda t: t.task == "pawsx"],
    "arms first": [lambda t: t.stage == "intermediate", lambda t: t.stage == "sweep"],
    "seed by seed": [lambda t: t.seed == 2, lambda t: t.seed == 0, lambda t: t.seed == 1],
    "a sweep that was stopped": [is_early, lambda t: not is_early(t)],
    "overlapping": [lambda t: t.seed < 2, lambda t: t.seed > 0],
}


@pytest.mark.parametrize("cut", CUTS)
def test_in_pieces_is_as_at_once(cut: str, at_once: Path, pieces: Pieces) -> None:
    entry = pieces.start(CUTS[cut][0])
    for chosen in CUTS[cut][1:-1]:
        pieces.add(chosen)
    pieces.claims = GRID_CLAIMS
    pieces.add(CUTS[cut][-1])
    shutil.rmtree(pieces.results)
    derive_again(entry, measures(GRID_CLAIMS))
    assert unequal(entry, at_once) <= {"run.json", "hashes.json"}, "all that is measured is equal bytes"


def test_what_rests_on_recorded_trials_stays(pieces: Pieces) -> None:
    pieces.claims = GRID_CLAIMS
    entry = pieces.start(lambda t: t.task == "pos")
    before = {claim: of_task(entry, claim, "pos") for claim in ("C05", "Q01")}
    assert min(map(len, before.values())) > 4
    assert "PAWS-X: the sweep has not run" in evidence_of(entry, "C05").missing
    pieces.add(lambda t: t.task == "pawsx")
    assert not list(differences(before, {claim: of_task(entry, claim, "pos") for claim in before}))
    assert not [line for line in evidence_of(entry, "C05").missing if "has not run" in line]


def model_parts(entry: Path) -> dict[str | None, int | None]:
    """Models of PAWS-X that calibration compares with the baseline, and at how many seeds."""
    return {
        part.model: part.n_seeds
        for part in evidence_of(entry, "Q01").parts
        if part.measure == "ece_model_minus_baseline" and part.task == "pawsx"
    }


@pytest.mark.parametrize(("results_are_kept", "n_seeds"), [(False, 2), (True, 3)])
def test_when_english_dev_comes_to_choose_another_layer(
    results_are_kept: bool, n_seeds: int, pieces: Pieces
) -> None:
    """At seed 0 it chooses layer 2, at all seeds layer 1, whose scores at seed 0 are in no entry."""
    pieces.claims = ("Q01",)
    key, dev = "sweep-pawsx-layer_2-none-0", pieces.grid.items["pawsx", "dev"].gold.copy()
    dev[:3] = 1 - dev[:3]  # a little better than layer 1
    pieces.rewrite(replace(pieces.grid, predicted=pieces.grid.predicted | {(key, "dev"): dev}))
    entry = pieces.start(lambda t: t.seed == 0)
    assert model_parts(entry) == {"layer_2": 1}
    old = {path.name: path.read_bytes() for path in entry.glob("scores-*")}
    pieces.add(lambda t: t.seed > 0 or results_are_kept)
    assert model_parts(entry) == {"layer_1": n_seeds}
    assert {name: (entry / name).read_bytes() for name in old} == old, "English dev may change its mind again"
    derive_again(entry, measures(pieces.claims))


def evidence_from(trials: Iterable[TrialRecord], grid: MadeUpRun, profile: Profile) -> dict[str, Evidence]:
    """Evidence of all claims from some of the trials."""
    run = replace(grid, trials=list(trials))
    return {claim: measure(run, profile) for claim, measure in measures(load_registry().entries).items()}


def test_any_part_of_a_grid_gives_evidence(grid: MadeUpRun, profile: Profile) -> None:
    for n in (0, 1, 2, 4, 7, 19, 40):
        assert evidence_from(grid.trials[:n], grid, profile)["C05"].missing
    for share in (0.1, 0.4, 0.7, 0.9):
        rng = np.random.default_rng(0)
        evidence_from((trial for trial in grid.trials if rng.random() < share), grid, profile)
    arms = evidence_from((t for t in grid.trials if t.stage == "intermediate"), grid, profile)
    assert {arms[claim].status for claim in ("C05", "C07", "C13")} == {"missing"}
    assert arms["Q01"].status == "measured"
    layers = evidence_from((t for t in grid.trials if t.model != "baseline"), grid, profile)
    assert {layers[claim].status for claim in ("C05", "C07", "Q01")} == {"missing"}
    assert "POS: no baseline succeeded, so there is no gain to measure" in layers["C07"].missing


def test_nothing_to_extend_or_nothing_new(pieces: Pieces) -> None:
    assert "has no finished trial that is new to grid" in said(ResultsError, pieces.extend, [])
    assert not pieces.entry.parent.exists()
    pieces.start(lambda t: t.seed < 2)
    pieces.refuses("has no finished trial that is new to grid", lambda: pieces.add(lambda t: t.seed == 0))
    pieces.refuses("has no finished trial that is new to grid", lambda: pieces.extend([]))


def test_a_damaged_entry_is_not_extended(pieces: Pieces) -> None:
    entry = pieces.start(lambda t: t.seed == 0)
    (entry / "trials.json").write_text("[]")
    assert "trials.json is not what was recorded" in said(ResultsError, pieces.add, lambda t: t.seed == 1)


@pytest.mark.parametrize("step", ["write_tables", "write_evidence"])
def test_an_interrupted_extension_leaves_the_entry(
    step: str, pieces: Pieces, monkeypatch: pytest.MonkeyPatch
) -> None:
    entry = pieces.start(lambda t: t.seed == 0)
    before = (entry / "hashes.json").read_bytes()
    with monkeypatch.context() as patch:
        patch.setattr(ledger, step, Mock(side_effect=KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            pieces.add(lambda t: t.seed == 1)
    verify(entry)
    assert (entry / "hashes.json").read_bytes() == before
    assert [path.name for path in entry.parent.iterdir()] == ["grid"]
    pieces.add(lambda t: t.seed == 1)
    assert len(RecordedRun(entry).records("sweep", "pos")) == 12


@pytest.mark.parametrize("renames", [0, 1, 2])
def test_a_kill_between_two_renames_loses_nothing(
    renames: int, pieces: Pieces, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What a kill leaves after so many renames: no `finally` runs then, so that it is taken out here."""
    entry = pieces.start(lambda t: t.seed == 0)
    former, place = entry.with_name(".grid.former"), entry.parent
    shutil.copytree(entry, place / ".grid.new")
    for source, target in [(entry, former), (place / ".grid.new", entry)][:renames]:
        os.replace(source, target)
    pieces.add(lambda t: t.seed == 1)
    verify(entry)
    assert {trial.seed for trial in RecordedRun(entry).records("sweep", "pos")} == {0, 1}
    assert [path.name for path in place.iterdir()] == ["grid"]


def test_results_that_grow_between_two_recordings_are_counted_once() -> None:
    early, late = {"sweep-pos": {"seconds": 1.0}}, {"sweep-pos": {"seconds": 3.5}, "probe": {"seconds": 0.25}}
    once = combined_info("a", [{"id": "x", "stages": early}])
    grown = combined_info("b", [once, {"id": "x", "title": "b", "stages": late}])
    assert grown == {"title": "b", "stages": late, "parts": [{"id": "x", "title": "b", "stages": late}]}
    assert combined_info("b", [grown, once]) == grown, "in any order"
    assert combined_info("b", [grown, {"stages": late}])["stages"] == late, "as recorded before runs had ids"
    other = combined_info("c", [grown, {"id": "y", "title": "c", "stages": early}])
    assert other["stages"] == {"sweep-pos": {"seconds": 4.5}, "probe": {"seconds": 0.25}}
    assert [part["title"] for part in other["parts"]] == ["b", "c"]
    assert combined_info("b", [{"title": "a"}, {"title": "b"}])["parts"] == [{"title": "a"}, {"title": "b"}]


def test_the_report_tells_of_all_pieces(pieces: Pieces) -> None:
    entry = pieces.start(lambda t: t.task == "pos")
    pieces.add(lambda t: t.task == "pawsx")
    view = view_run(load_recorded(entry, load_registry()), PLUGIN, PaperSections())
    assert (view.title, view.revision) == ("All of it", "one, two")
    assert [name for name, _ in view.cost] == ["sweep-pawsx", "sweep-pos", "all that is recorded"]
    trained = {(table.title, table.stage): table.trials for table in view.trials}
    assert {trial.seed for trial in trained["PAWS-X", "sweep"]} == {0, 1, 2}
    assert {trial.arm for trial in trained["POS", "intermediate"]} == {"none", "english", "multilingual"}
    facts = dict(view.facts)
    assert facts["part 1"].startswith("The first piece; revision ")
    assert "; revision two; " in facts["part 2"]
    assert "cores 64" in facts["part 2"]
