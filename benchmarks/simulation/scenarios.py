"""The truths under which each rule is tried, and what it should say there."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from benchmarks.simulation import samples
from benchmarks.simulation.designs import LAYERS
from benchmarks.simulation.samples import Gains, Sampler
from claimtrack.decisions import DecisionName
from claimtrack.entries import VerdictName
from crosslayer.predictions.models import Model
from crosslayer.tasks import TASK_NAMES

Verdicts = tuple[VerdictName, ...]
FOUND: Verdicts = ("reproduced", "partly reproduced")
REFUTED: Verdicts = ("not reproduced",)


class Scenario(NamedTuple):
    """One truth.

    Attributes:
        name: in words.
        truth: as the sampler of the claim takes it.
        right: the verdict that says it; None where no verdict is wanted, or more than one says it.
        wrong: the verdicts that would be false alarms.
        decision: what is right in every task, where that is one thing.
    """

    name: str
    truth: Any
    right: VerdictName | None
    wrong: Verdicts
    decision: DecisionName | None = None


def _everywhere(points: float) -> dict[str, Gains]:
    return {task: dict.fromkeys(LAYERS, points) for task in TASK_NAMES}


NOTHING: dict[str, Gains] = {}
ALL_LAYERS = _everywhere(2.0)
ONE_LAYER: dict[str, Gains] = {task: {Model.fused(8): 2.0} for task in TASK_NAMES}
OWN_LAYERS: dict[str, Gains] = {
    task: {Model.fused(x): 2.0} for task, x in zip(TASK_NAMES, (4, 6, 8, 11), strict=True)
}
TWO_TASKS: dict[str, Gains] = {task: ALL_LAYERS[task] for task in ("xnli", "ner")}
ONE_LAYER_IN_TWO_TASKS: dict[str, Gains] = {task: ONE_LAYER[task] for task in ("xnli", "ner")}
PLATEAU = _everywhere(0.4)
WORSE = _everywhere(-1.0)
MENDS = dict.fromkeys(TASK_NAMES, 4.0)
MENDS_IN_TWO: Mapping[str, float] = {"xnli": 4.0, "ner": 4.0}
CLAIMED_SLOPES = {"slope_accuracy_gap": 0.2, "slope_similarity": -0.001}


def _scaled(factor: float) -> dict[str, float]:
    return {measure: factor * slope for measure, slope in CLAIMED_SLOPES.items()}


GAINS = (
    Scenario("no effect anywhere", NOTHING, "not reproduced", FOUND, "refuted"),
    Scenario("every layer gains 2 points", ALL_LAYERS, "reproduced", REFUTED, "holds"),
    Scenario("one layer gains 2 points, the others 0", ONE_LAYER, "reproduced", REFUTED, "holds"),
    Scenario("another layer in each task gains 2 points", OWN_LAYERS, "reproduced", REFUTED, "holds"),
    Scenario("every layer gains 2 points on XNLI and NER alone", TWO_TASKS, "partly reproduced", ("reproduced",)),
    Scenario("every layer loses 1 point", WORSE, "not reproduced", FOUND, "refuted"),
)
SCENARIOS: dict[str, tuple[Sampler, tuple[Scenario, ...]]] = {
    "C01": (samples.contrasts, (
        Scenario("both contrasts are 0", (0.0, 0.0), "not reproduced", FOUND, "refuted"),
        Scenario("both are 5 points", (5.0, 5.0), "reproduced", REFUTED, "holds"),
        Scenario("the first is 5 points, the second -5", (5.0, -5.0), "partly reproduced", ("reproduced",)),
        Scenario("both are -5 points", (-5.0, -5.0), "not reproduced", FOUND, "refuted"),
    )),
    "C02": (samples.supplements, (
        Scenario("no gain over `self`, no excess", (NOTHING, {}), "not reproduced", FOUND, "refuted"),
        Scenario("2 points over `self`, excess 4 %", (ALL_LAYERS, MENDS), "reproduced", REFUTED, "holds"),
        Scenario("no gain over `self`, excess 4 %", (NOTHING, MENDS), "not reproduced", FOUND, "refuted"),
        Scenario("2 points over `self`, no excess", (ALL_LAYERS, {}), "not reproduced", FOUND, "refuted"),
        Scenario(
            "both on XNLI and NER, neither elsewhere", (TWO_TASKS, MENDS_IN_TWO), "partly reproduced",
            ("reproduced",),
        ),
    )),
    "C03": (samples.slopes, (
        Scenario("level slopes", _scaled(0.0), None, FOUND),
        Scenario("slopes as claimed, 0.2 points and -0.001 a layer", _scaled(1.0), "reproduced", REFUTED, "holds"),
        Scenario("slopes of the other sign", _scaled(-1.0), "not reproduced", FOUND, "refuted"),
    )),
    "C05": (samples.dev_selected, (
        *GAINS,
        Scenario("every layer gains 0.4 points, below the smallest effect", PLATEAU, None, ()),
    )),
    "C06": (samples.cross_fitted, (
        *GAINS,
        Scenario("every layer gains 0.4 points, too little", PLATEAU, "not reproduced", FOUND, "refuted"),
        Scenario("every layer gains 5 points, too much", _everywhere(5.0), "not reproduced", FOUND, "refuted"),
    )),
    "C07": (samples.own_best_layers, (
        Scenario("no effect anywhere", NOTHING, "not reproduced", FOUND),
        Scenario("every layer gains 2 points", ALL_LAYERS, "not reproduced", FOUND),
        Scenario("one layer gains 2 points in every task", ONE_LAYER, "not reproduced", FOUND),
        Scenario("another layer in each task gains 2 points", OWN_LAYERS, "reproduced", REFUTED),
        Scenario(
            "one layer gains 2 points on XNLI and NER alone", ONE_LAYER_IN_TWO_TASKS, "partly reproduced", REFUTED
        ),
        Scenario("every layer gains 0.4 points", PLATEAU, "not reproduced", FOUND),
    )),
    "C08": (samples.correlations, (
        Scenario("features and transfer are unrelated", 0.0, None, (*FOUND, *REFUTED)),
        Scenario("correlated at .99", 0.99, "partly reproduced", REFUTED),
        Scenario("correlated at -.99", -0.99, "not reproduced", FOUND),
    )),
    "C09": (samples.kinship, (
        Scenario("kin are as alike as others", 0.0, None, (*FOUND, *REFUTED)),
        Scenario("one genus adds 3 sds", 3.0, "reproduced", REFUTED),
        Scenario("one genus takes 3 sds away", -3.0, "not reproduced", FOUND),
    )),
    "C13": (samples.modules, (
        Scenario("tasks no further apart than halves", 0.0, None, (*FOUND, *REFUTED)),
        Scenario("tasks 0.15 apart (root mean square)", 0.15**2, "reproduced", REFUTED),
    )),
    "Q01": (samples.calibration, (
        Scenario("no difference", 0.0, "practically none", ("improves", "worsens")),
        Scenario("2 points lower", -2.0, "improves", ("practically none", "worsens")),
        Scenario("2 points higher", 2.0, "worsens", ("practically none", "improves")),
        Scenario("0.9 points higher", 0.9, None, ("improves",)),
        Scenario("1 point higher, the edge of practically none", 1.0, "worsens", ("practically none", "improves")),
    )),
}  # fmt: skip
"""By claim: what draws its measurements, and the truths."""
WITHOUT_SEEDS = ("C01", "C08", "C09")
"""Claims about the encoder before fine-tuning."""
