"""A second project's plugin: three claims about dice, with a rule and a condition of its own."""

from pathlib import Path

import numpy as np
from pydantic import BaseModel, ConfigDict

from claimtrack.evidence import Check, Evidence, Trial
from claimtrack.plugin import Plugin
from claimtrack.project import evidence_of
from claimtrack.rules import Case, Judgement, Rule
from claimtrack.samples import mean_of


class Settings(BaseModel):
    model_config = ConfigDict(extra="forbid")
    profile: str
    rolls: int
    claims: list[str]


def measure(claim: str, run: Path, settings: Settings) -> Evidence:
    faces = Check(name="faces", passed=True, expected="6", found="6")
    if claim == "C02":
        return evidence_of(claim, settings, "roll_v1", checks=[faces])
    rolls = np.random.default_rng(7).integers(1, 7, (3, settings.rolls))
    rolled = mean_of("mean_roll", rolls.mean(axis=1), "pips")
    return evidence_of(claim, settings, "roll_v1", [rolled], trials=dice(run))


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
