"""False alarms and power of Q01's interval, on made-up arms whose miscalibration is known.

A scenario draws 600 data sets: two targets, two arms, three seeds, one language of 1,500 items that all trials
share. An answer is right with a probability of its confidence less the arm's overconfidence, which varies by
1 point from trial to trial; four of five answers hang on the item, so that trials err on the same ones. A rate of
5 % is then known to 1.8 points at 2 standard errors; the draws are fixed.
"""

from __future__ import annotations

from collections import Counter
from functools import cache

import numpy as np
import pytest

from claimtrack.evidence import Evidence
from claimtrack.registry import load_registry
from claimtrack.verdict import decide
from crosslayer import stats
from crosslayer.metrics.calibration import (
    ece10_equal_mass_debiased_counts_v1,
    ece10_equal_mass_debiased_from_counts_v1,
)  # fmt: skip
from crosslayer.paper import PLUGIN, calibration
from crosslayer.paper.calibrated import Calibrated, Trials
from crosslayer.tasks import TaskName
from synthetic_run import make_profile

N, N_ITEMS, LANGUAGES, SEEDS = 600, 1500, ("de",), (0, 1, 2)
TARGETS: tuple[TaskName, ...] = ("xnli", "pawsx")
ARMS = ("english", "multilingual")
MOST = 0.065
PROFILE = make_profile(targets=TARGETS)
ENTRY = load_registry().entries["Q01"]
OVERCONFIDENCE = {
    "calibrated": (0.0, 0.0), "equally overconfident": (0.05, 0.05), "three points apart": (0.05, 0.02),
}  # fmt: skip
"""Of the English-only and of the multilingual arm."""


def draw(task: TaskName, overconfidence: tuple[float, float], rng: np.random.Generator) -> Trials:
    """The trials of one target."""
    shape = (len(LANGUAGES), N_ITEMS)
    sure, hard = 0.4 + 0.6 * rng.beta(3, 1, shape), rng.random(shape)
    places = [(arm, seed) for arm in ARMS for seed in SEEDS]
    counts = []
    for arm, _ in places:
        confidence = np.clip(sure + 0.02 * rng.standard_normal(shape), 0.34, 1)
        luck = np.where(rng.random(shape) < 0.8, hard, rng.random(shape))
        off = overconfidence[ARMS.index(arm)] + 0.01 * rng.standard_normal()
        right = (luck < confidence - off).astype(np.float64)
        counts.append([
            ece10_equal_mass_debiased_counts_v1(c, y) for c, y in zip(confidence, right, strict=True)
        ])  # fmt: skip
    table = np.array(counts)
    resampled = stats.bootstrap_scores(
        table.reshape(len(places), -1, table.shape[-1]), np.repeat(LANGUAGES, N_ITEMS),
        np.tile(np.arange(N_ITEMS), len(LANGUAGES)), ece10_equal_mass_debiased_from_counts_v1, rng, 60,
    )  # fmt: skip
    errors = ece10_equal_mass_debiased_from_counts_v1(table.sum(axis=2))
    trials = {
        place: Calibrated(
            LANGUAGES, {"ece": by_language}, draws, shape[0] * shape[1], *[(shape[1],) * len(LANGUAGES)] * 2
        )
        for place, by_language, draws in zip(places, errors, resampled, strict=True)
    }
    return Trials(task, trials)


@cache
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
    assert sum(found.values()) == N
    assert (found["improves"] + found["worsens"]) / N <= MOST


def test_three_points_are_found() -> None:
    """Power with three seeds, from half of the targets and one language each."""
    found = verdicts("three points apart")
    assert found["improves"] / N > 0.7
    assert found["worsens"] == 0
