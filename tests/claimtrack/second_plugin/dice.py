"""A second project's plugin: three claims about dice, with a rule and a condition of its own."""

from pathlib import Path

import numpy as np
from pydantic import BaseModel, ConfigDict

from claimtrack.evidence import Check, Evidence, Interval, Measurement, Trial
from claimtrack.plugin import Plugin
from claimtrack.rules import Case, Judgement, Rule


class Settings(BaseModel):
    model_config = ConfigDict(extra="forbid")
    profile: str
    rolls: int
    claims: list[str]


def rolls(settings: Settings) -> np.ndarray:
    return np.random.default_rng(7).integers(1, 7, (3, settings.rolls))


def measure(claim: str, run: Path, settings: Settings) -> Evidence:
    means, trials = rolls(settings).mean(axis=1), tuple(sorted(dice(run)))
    half = 4.30 * means.std(ddof=1) / np.sqrt(3)
    interval = Interval(low=means.mean() - half, high=means.mean() + half, method="t", df=2)
    mean = Measurement(
        measure="mean_roll", estimate=means.mean(), interval=interval, unit="pips", n_seeds=3, judged=True
    )
    faces = Check(name="faces", passed=True, expected="6", found="6")
    more = {"checks": (faces,)} if claim == "C02" else {"parts": (mean,), "headline": 0, "trials": trials}
    return Evidence(claim=claim, profile=settings.profile, metric="roll_v1", status="measured", **more)


def dice(run: Path) -> dict[str, Trial]:
    return {f"die-{seed}": Trial(key=f"die-{seed}", subject="d6", model="die", seed=seed) for seed in range(3)}


def above_three(case: Case) -> Judgement:
    [mean] = case.measured()
    return Judgement("reproduced" if mean.estimate > 3 else "not reproduced", f"{case.sentence([mean])}.")


PLUGIN = Plugin(
    name="dice", settings=Settings, measure=measure, trials=dice, titles={"d6": "D6", "roll": "throw"},
    rules={"above_three": Rule(above_three, ("mean_roll",), {"smallest": 3.0})},
    conditions={"few_rolls": lambda settings: settings.rolls < 100},
)  # fmt: skip
