"""False alarms and power of Q01 from single answers on: made-up arms whose miscalibration is known.

A scenario draws 600 data sets: two targets, two arms, three seeds, one language of 1,500 items that all trials
share. An answer is right with a probability of its confidence less the arm's overconfidence, which varies by
1 point from trial to trial; four of five answers hang on the item, so that trials err on the same ones. A rate of
5 % is then known to 1.8 points at 2 standard errors; the draws are fixed.
"""

from __future__ import annotations

from collections import Counter

import numpy as np
import pandas as pd
import pytest

from claimtrack.evidence import Evidence
from claimtrack.judging import decide
from claimtrack.registry import load_registry
from crosslayer import stats
from crosslayer.metrics.calibration import ece10_equal_mass_debiased_counts_v1 as counts_of
from crosslayer.metrics.calibration import ece10_equal_mass_debiased_from_counts_v1 as from_counts
from crosslayer.paper import PLUGIN, calibration
from crosslayer.paper.calibrated import Calibrated, Trials
from crosslayer.tasks import TaskName
from synthetic_run import make_profile

pytestmark = pytest.mark.slow

N, N_ITEMS = 600, 1500
TARGETS: tuple[TaskName, ...] = ("xnli", "pawsx")
PROFILE = make_profile(targets=TARGETS)
ENTRY = load_registry().entries["Q01"]
OVERCONFIDENCE = {
    "calibrated": {"english": 0.0, "multilingual": 0.0},
    "equally overconfident": {"english": 0.05, "multilingual": 0.05},
    "three points apart": {"english": 0.05, "multilingual": 0.02},
}


def draw(task: TaskName, overconfidence: dict[str, float], rng: np.random.Generator) -> Trials:
    """The trials of one target."""
    sure, hard = 0.4 + 0.6 * rng.beta(3, 1, N_ITEMS), rng.random(N_ITEMS)
    places = [(arm, seed) for arm in overconfidence for seed in range(3)]
    counts = []
    for arm, _ in places:
        confidence = np.clip(sure + 0.02 * rng.standard_normal(N_ITEMS), 0.34, 1)
        luck = np.where(rng.random(N_ITEMS) < 0.8, hard, rng.random(N_ITEMS))
        off = overconfidence[arm] + 0.01 * rng.standard_normal()
        counts.append(counts_of(confidence, (luck < confidence - off).astype(float)))
    table = np.array(counts)
    errors, item = from_counts(table.sum(axis=1)), np.arange(N_ITEMS)
    resampled = stats.bootstrap_scores(table, np.repeat("de", N_ITEMS), item, from_counts, rng, 60)
    return Trials(task, {
        place: Calibrated(pd.DataFrame({"ece": [error]}, index=["de"]), draws, N_ITEMS, (N_ITEMS,), (N_ITEMS,))
        for place, error, draws in zip(places, errors, resampled, strict=True)
    })  # fmt: skip


def verdicts(scenario: str) -> Counter[str]:
    """How often Q01 gets each verdict."""
    rng = np.random.default_rng(sum(map(ord, scenario)))
    found: Counter[str] = Counter()
    for _ in range(N):
        part = calibration.overall([draw(task, OVERCONFIDENCE[scenario], rng) for task in TARGETS])
        evidence = Evidence(claim="Q01", profile=PROFILE.profile, metric="ece", status="measured", parts=(part,))
        found[decide(ENTRY, evidence, PROFILE, PLUGIN).verdict] += 1
    return found


@pytest.mark.parametrize("scenario", ["calibrated", "equally overconfident"])
def test_arms_that_are_alike_are_seldom_told_apart(scenario: str) -> None:
    found = verdicts(scenario)
    assert (found["improves"] + found["worsens"]) / N <= 0.065


def test_three_points_are_found() -> None:
    """Power with three seeds, from half of the targets and one language each."""
    found = verdicts("three points apart")
    assert found["improves"] / N > 0.7
    assert found["worsens"] == 0
