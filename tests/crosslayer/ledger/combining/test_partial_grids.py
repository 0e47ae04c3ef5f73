"""Evidence from a grid that is not whole."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

import numpy as np
import pytest

from claimtrack.evidence import Evidence
from claimtrack.registry import load_registry
from crosslayer.config import Profile
from crosslayer.predictions.records import TrialRecord
from recording import measured
from repository import ROOT
from synthetic_run import MadeUpRun


def evidence_from(trials: Iterable[TrialRecord], grid: MadeUpRun, profile: Profile) -> dict[str, Evidence]:
    """Evidence of all claims from some of the trials."""
    run, whole = replace(grid, trials=list(trials)), load_registry(ROOT / "claims" / "registry.yaml")
    return {claim: measure(run, profile) for claim, measure in measured(whole).items()}


@pytest.mark.parametrize("n", [0, 1, 2, 4, 7, 19, 40])
def test_a_sweep_stopped_anywhere_gives_evidence(n: int, grid: MadeUpRun, profile: Profile) -> None:
    found = evidence_from(grid.trials[:n], grid, profile)
    assert found["C05"].missing


@pytest.mark.parametrize("seed", range(4))
def test_any_part_of_a_grid_gives_evidence(seed: int, grid: MadeUpRun, profile: Profile) -> None:
    rng = np.random.default_rng(seed)
    evidence_from((trial for trial in grid.trials if rng.random() < (0.1, 0.4, 0.7, 0.9)[seed]), grid, profile)


def test_arms_without_a_sweep_and_layers_without_a_baseline(grid: MadeUpRun, profile: Profile) -> None:
    arms = evidence_from((t for t in grid.trials if t.stage == "intermediate"), grid, profile)
    assert {arms[claim].status for claim in ("C05", "C07", "C13")} == {"missing"}
    assert arms["Q01"].status == "measured"
    layers = evidence_from((t for t in grid.trials if t.model != "baseline"), grid, profile)
    assert {layers[claim].status for claim in ("C05", "C07", "Q01")} == {"missing"}
    assert "POS: no baseline succeeded, so there is no gain to measure" in layers["C07"].missing


def test_gaps_are_named(grid: MadeUpRun, profile: Profile) -> None:
    gaps = {
        "C05": {
            "PAWS-X: layer_2 has not run with seeds 1, 2",
            "PAWS-X: layer_2 succeeded with fewer than 3 seeds and cannot be chosen",
        },
        "C13": {"PAWS-X: half_2 has not run with seed 0"},
        "Q01": {"POS: baseline after english intermediate training has not run with seed 1"},
    }
    keys = {
        "sweep-pawsx-layer_2-none-1", "sweep-pawsx-layer_2-none-2", "sweep-pawsx-half_2-none-0",
        "intermediate-pos-baseline-english-1",
    }  # fmt: skip
    whole = evidence_from(grid.trials, grid, profile)
    found = evidence_from((trial for trial in grid.trials if trial.key not in keys), grid, profile)
    for claim, lines in gaps.items():
        assert set(found[claim].missing) - set(whole[claim].missing) == lines
