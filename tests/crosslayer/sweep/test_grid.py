"""A grid that outlives its machine: balanced, recorded as it grows, and judged only when it is due."""

from __future__ import annotations

import json
import re
import shutil
from contextlib import nullcontext
from datetime import date
from pathlib import Path

import pytest

from claimtrack.checks import Suite
from claimtrack.errors import ResultsError
from claimtrack.pins import Pins
from claimtrack.registry import load_registry
from claimtrack.results import load_recorded, recorded_place
from claimtrack.seal import JudgedAt, Plan, SealedClaim, add_seal, newest_hash, read_seals
from crosslayer.config import Profile, load_profile
from crosslayer.ledger import ledger
from crosslayer.ledger.ledger import record
from crosslayer.paper.plugin import measures, planned
from crosslayer.stages.claim import claim
from crosslayer.stages.grid import recorded_trials, status, train_grid
from crosslayer.sweep import workers
from crosslayer.sweep.plan import planned_keys
from crosslayer.sweep.store import finished_trials
from crosslayer.training.trials import TrialSpec
from made_inputs import changed, prepared
from repository import ROOT

SEEDS = (0, 1, 2)


@pytest.fixture(scope="module")
def profile() -> Profile:
    """Two models of one task with three seeds, a control with one, and two arms."""
    tiny = load_profile(ROOT / "profiles" / "tiny.yaml").model_copy(update={"claims": ["C05"]})
    sweep = {"layers": [1], "controls": ["shuffled"], "seeds": [*SEEDS], "control_seeds": [0]}
    return changed(tiny, sweep=sweep, intermediate={"arms": ["none", "english"], "items": 16})


@pytest.fixture(scope="module")
def untrained(profile: Profile, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return prepared(profile, tmp_path_factory.mktemp("prepared") / "tiny")


class Grid:
    """A working directory with a sealed plan, and a machine's results that may be lost."""

    def __init__(self, profile: Profile, untrained: Path) -> None:
        self.profile, self.untrained, whole = profile, untrained, load_registry(ROOT / "claims" / "registry.yaml")
        self.registry = whole.model_copy(update={"entries": {"C05": whole.entries["C05"]}})
        self.results, self.entry = Path("results/tiny"), Path("claims/ledger/grid")
        self.trained: list[TrialSpec] = []
        self.limit: int | None = None
        plan = Plan.made(**dict(planned(profile)), judged_at=JudgedAt(seeds=3, day=date(9999, 1, 1)))
        Path("claims").mkdir()
        shutil.copy(ROOT / "claims" / "registry.yaml", "claims")
        add_seal({"C05": SealedClaim.made(values={})}, "a plan", "0" * 40, plan=plan)
        self.new_machine()

    def new_machine(self) -> None:
        shutil.rmtree(self.results, ignore_errors=True)
        shutil.copytree(self.untrained, self.results)

    def train(self, n_trials: int | None = None) -> list[TrialSpec]:
        """What the command trains, or has trained when it is interrupted in the trial after that many."""
        self.trained.clear()
        self.limit = n_trials
        with pytest.raises(KeyboardInterrupt) if n_trials else nullcontext():
            assert train_grid(self.profile, self.results) == len(self.trained)
        return list(self.trained)

    def record(self) -> None:
        """Add what is finished to the entry."""
        finished = finished_trials(self.profile, self.results)
        about = (self.profile, measures(["C05"]), self.results, finished, ["grid"])
        record("grid", "A grid", *about)

    def planned(self) -> set[str]:
        return planned_keys(self.profile, self.results)

    def counts(self) -> tuple[dict[str, str], str]:
        lines = list(status(self.profile, self.results))
        parts = dict(re.match(r"(.*): (.*) trials", line).groups() for line in lines[:2])  # type: ignore[union-attr]
        return parts, "".join(lines[3:])


@pytest.fixture
def grid(profile: Profile, untrained: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Grid:
    monkeypatch.chdir(tmp_path)
    made, original = Grid(profile, untrained), workers.run_and_keep

    def noted(spec: TrialSpec, *rest: object) -> object:
        if len(made.trained) == made.limit:
            raise KeyboardInterrupt
        result = original(spec, *rest)  # type: ignore[arg-type]
        made.trained.append(spec)
        return result

    monkeypatch.setattr(workers, "run_and_keep", noted)
    return made


def test_one_seed_of_everything_comes_before_the_next(grid: Grid) -> None:
    trained = grid.train()
    assert [spec.seed for spec in trained] == sorted(spec.seed for spec in trained)
    first = [(spec.stage, spec.model) for spec in trained if spec.seed == 0]
    assert first[:3] == [("sweep", "baseline"), ("sweep", "layer_1"), ("sweep", "shuffled")]
    assert {stage for stage, _ in first[3:]} == {"intermediate"}
    assert [spec.seed for spec in trained if spec.model == "shuffled"] == [0], "a control may have fewer seeds"
    assert {spec.key for spec in trained} == grid.planned()
    assert grid.train() == []


def test_a_machine_that_is_lost_takes_no_recorded_trial_with_it(grid: Grid) -> None:
    first = grid.train(4)
    grid.record()
    grid.new_machine()
    shutil.copytree(grid.entry, grid.entry.with_name(".grid-unfinished"))
    (grid.entry.with_name(".grid-unfinished") / "trials.json").write_text("half a")
    assert recorded_trials().keys() == {spec.key for spec in first}
    second = grid.train(3)
    grid.record()
    grid.new_machine()
    third = grid.train()
    grid.record()
    keys = [spec.key for spec in (*first, *second, *third)]
    assert len(keys) == len(set(keys))
    assert set(keys) == grid.planned() == recorded_trials().keys()
    assert {trial.seal for trial in recorded_trials().values()} == {newest_hash()}


def test_until_the_plan_is_due_no_score_is_told(
    grid: Grid, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    grid.train(4)
    grid.record()
    told = "sealed plan: 4 of 13 trials; judged at 3 seeds or on 9999-01-01 with at least 1"
    assert grid.counts() == ({"sweep pos": "3 of 7", "intermediate pos": "1 of 6"}, told)
    assert not list(grid.entry.glob("claims/*/*"))
    place = recorded_place(grid.entry, grid.registry.project)
    suite = Suite(Path(), grid.registry, Pins(), read_seals(), place, (place,))
    assert suite.evidence(place, "C05") == [], "pytest claims/ asks for none either"
    early = load_recorded(grid.entry, grid.registry)
    assert (early.evidence, early.verdicts["C05"].verdict, early.title) == ({}, "not run", f"A grid; {told}")
    assert {trial["test_score"] for trial in json.loads((grid.entry / "trials.json").read_text())} == {None}
    with pytest.raises(
        ResultsError, match=r"sealed plan: 0 of 13 .*; claims are measured then, `crosslayer sweep"
    ):
        claim(grid.profile, grid.results, "C05")
    assert not (grid.results / "claims").exists()
    lines = [line for line in capfd.readouterr().err.splitlines() if "seed" in line]
    assert len(lines) == 4
    assert {line.rpartition(": ")[2] for line in lines} == {"ok"}
    grid.train()
    with monkeypatch.context() as still:
        still.setattr(ledger, "withheld", lambda *_: told)
        grid.record()
    assert {trial["test_score"] for trial in json.loads((grid.entry / "trials.json").read_text())} == {None}
    ledger.recompute("grid", measures(["C05"]))
    assert grid.counts() == ({"sweep pos": "7 of 7", "intermediate pos": "6 of 6"}, "")
    assert load_recorded(grid.entry, grid.registry).evidence.keys() == {"C05"}
    scores = {trial.key: trial.test_score for trial in finished_trials(grid.profile, grid.results)}
    for trial in json.loads((grid.entry / "trials.json").read_text()):
        assert trial["test_score"] == pytest.approx(scores[trial["key"]])


def test_hours_left_are_those_of_the_trials_that_were_timed(grid: Grid) -> None:
    total = list(status(grid.profile, grid.results))[2]
    assert total == "all: 0 of 13 trials, hours left unknown until a trial of each has been timed"
    grid.train()
    path = grid.results / "run.json"
    info = json.loads(path.read_text())
    assert {stage: entry["trained"] for stage, entry in info["stages"].items()} == {
        "sweep-pos": 7, "intermediate-pos": 6,
    }  # fmt: skip
    info["stages"]["sweep-pos"] |= {"trained": 2, "trained_seconds": 10_800.0}
    path.write_text(json.dumps(info))
    shutil.rmtree(next((grid.results / "trials" / "sweep" / "pos").glob("*/trial.json")).parent)
    assert list(status(grid.profile, grid.results))[:3] == [
        "sweep pos: 6 of 7 trials, 1.5 hours left",
        "intermediate pos: 6 of 6 trials",
        "all: 12 of 13 trials, 1.5 hours left",
    ]
