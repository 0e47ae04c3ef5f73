"""False alarms of the verdict rules, on made-up score tables whose truth is known.

A scenario draws 2,000 data sets of four tasks, with item noise of 0.3 and dev noise correlated with test noise
at 0.5, in two designs: 12 models and `self`, five seeds and seed noise of 1 point in every task; and each task
with the layers, the seeds and the seed noise of the recorded run. A rate of 5 % is then known to 1 point at 2
standard errors, so that 6.5 % is passed by a true rate of 5 % in all but 1 of 500 runs.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest
from scipy.special import ndtri

from crosslayer import stats
from crosslayer.analysis import families, probes
from crosslayer.analysis.parts import gain_part, normal_interval, seed_gain
from crosslayer.analysis.transfer import correlation_interval
from crosslayer.claims.evidence import Evidence, Interval, Part, read_evidence
from crosslayer.claims.registry import load_registry
from crosslayer.claims.verdict import decide
from crosslayer.tasks import LANGUAGES, TASK_NAMES, TASKS, TaskName
from synthetic_run import make_profile

N = 2000
ITEM_NOISE, DEV_CORRELATION = 0.3, 0.5
MOST = 0.065
PROFILE = make_profile()
RECORDED = Path(__file__).resolve().parents[1] / "claims" / "ledger" / "xtreme-small"
ENTRIES = load_registry().entries
Truth = dict[str, dict[str, float]]
"""By task, the points that a model gains over the baseline."""

NOTHING: Truth = {task: {} for task in TASK_NAMES}
ONE_LAYER: Truth = {task: {"layer_8": 2.0} for task in TASK_NAMES}
OWN_LAYERS: Truth = dict(zip(TASK_NAMES, ({f"layer_{x}": 2.0} for x in (4, 6, 8, 11)), strict=True))
PLATEAU: Truth = {task: {f"layer_{x}": 0.4 for x in range(1, 12)} for task in TASK_NAMES}
"""Every layer gains, but less than the smallest effect of interest."""


class Design(NamedTuple):
    """What was trained of a task, and its seed noise in points."""

    layers: tuple[str, ...]
    seeds: tuple[int, ...]
    noise: float

    @property
    def models(self) -> tuple[str, ...]:
        return ("baseline", *self.layers, "self")


PLANNED = dict.fromkeys(TASK_NAMES, Design(tuple(f"layer_{x}" for x in range(1, 12)), tuple(range(5)), 1.0))


@cache
def recorded() -> dict[TaskName, Design]:
    """The layers that can be chosen, the seeds and the noise of `xtreme-small`."""
    found = read_evidence(RECORDED / "claims" / "C05" / "evidence.json")
    designs = {}
    for task in TASK_NAMES:
        gains = [part for part in found.parts if (part.measure, part.task) == ("layer_gain", task)]
        layers = tuple(str(part.model) for part in gains if part.n_seeds >= stats.MIN_SEEDS)
        if layers:
            seeds = tuple(range(max(part.n_seeds for part in gains)))
            designs[task] = Design(layers, seeds, float(found.facts[f"seed_noise_{task}"]))
    return designs


Tables = tuple[stats.ScoreTable, stats.ScoreTable, tuple[stats.ScoreTable, stats.ScoreTable]]
Drawn = dict[TaskName, Tables]


def draw(truth: dict[str, float], design: Design, rng: np.random.Generator) -> Tables:
    """Dev and test scores of one task, and test scores on two halves of the items."""
    models, seeds = design.models, design.seeds
    shape = (len(models), len(seeds))
    means = 60 + np.array([truth.get(model, 0.0) for model in models])[:, None] + rng.normal(size=len(seeds))
    noise = rng.normal(size=shape)
    other = DEV_CORRELATION * noise + np.sqrt(1 - DEV_CORRELATION**2) * rng.normal(size=shape)
    items = np.sqrt(2) * ITEM_NOISE * rng.normal(size=(2, len(models), 1))
    variance = 2 * ITEM_NOISE**2 * (1 - np.eye(len(models)))
    dev = stats.ScoreTable(models, seeds, means + design.noise * other, np.zeros_like(variance))
    scores = means + design.noise * noise
    one, two = (stats.ScoreTable(models, seeds, scores + half, np.zeros_like(variance)) for half in items)
    return dev, stats.ScoreTable(models, seeds, scores + items.mean(axis=0), variance), (one, two)


def layers_of(table: stats.ScoreTable) -> list[str]:
    return [model for model in table.models if model.startswith("layer_")]


def over_self(tables: Drawn) -> list[Part]:
    """C02; the excess share of mended errors is no function of scores: here it always speaks for the claim."""
    parts = []
    for task, (dev, test, _) in tables.items():
        gain = stats.dev_selected_gain(dev, test, layers_of(test), baseline="self").gain
        parts.append(gain_part("dev_selected_minus_self", gain, task=task, judged=True))
        excess = Interval(low=1.0, high=2.0, method="planted")
        parts.append(
            Part(
                measure="excess_complementarity", task=task, estimate=1.5, unit="points", n_seeds=5,
                interval=excess, judged=True,
            )
        )  # fmt: skip
    return parts


def chosen_on_dev(tables: Drawn) -> list[Part]:
    """C05."""
    gains = {
        task: stats.dev_selected_gain(dev, test, layers_of(test)).gain for task, (dev, test, _) in tables.items()
    }
    return [gain_part("dev_selected_gain", gain, task=task, judged=True) for task, gain in gains.items()]


def cross_fitted(tables: Drawn) -> list[Part]:
    """C06."""
    gains = {
        task: stats.cross_fitted_gain(test, layers_of(test), halves=halves).gain
        for task, (_, test, halves) in tables.items()
    }
    return [gain_part("cross_fitted_gain", gain, task=task, judged=True) for task, gain in gains.items()]


def best_by_task(tables: Drawn) -> list[Part]:
    """C07, of the tasks that have two layers."""
    tables = {task: found for task, found in tables.items() if len(layers_of(found[1])) > 1}
    test = {task: found[1] for task, found in tables.items()}
    layers = [name for name in PLANNED["pos"].layers if all(name in table.models for table in test.values())]
    interaction = stats.task_by_layer_interaction(test, layers)
    own = stats.own_against_common(test, layers, halves={task: found[2] for task, found in tables.items()}).gain
    differ = Part(
        measure="task_by_layer_interaction", estimate=interaction.f, p_value=interaction.p, unit="F",
        n_seeds=own.n_seeds, judged=True,
    )  # fmt: skip
    return [differ, gain_part("own_over_common", own, judged=True)]


PARTS: dict[str, Callable[[Drawn], list[Part]]] = {
    "C02": over_self, "C05": chosen_on_dev, "C06": cross_fitted, "C07": best_by_task,
}  # fmt: skip


def evidence(claim: str, parts: list[Part]) -> Evidence:
    return Evidence(claim=claim, profile=PROFILE.profile, metric="points", status="measured", parts=tuple(parts))


@cache
def verdicts(scenario: str, claim: str, design: str = "planned") -> Counter[str]:
    """How often a claim gets each verdict."""
    designs = recorded() if design == "recorded" else PLANNED
    truth = {"nothing": NOTHING, "one layer": ONE_LAYER, "own layers": OWN_LAYERS, "plateau": PLATEAU}[scenario]
    rng = np.random.default_rng(sum(map(ord, scenario)))
    measure = PARTS[claim]
    return Counter(
        decide(
            ENTRIES[claim],
            evidence(claim, measure({task: draw(truth[task], found, rng) for task, found in designs.items()})),
            PROFILE,
        ).verdict
        for _ in range(N)
    )


def rate(scenario: str, claim: str, *names: str, design: str = "planned") -> float:
    return sum(verdicts(scenario, claim, design)[name] for name in names) / N


@pytest.mark.parametrize("claim", ["C02", "C05", "C06", "C07"])
@pytest.mark.parametrize("design", ["planned", "recorded"])
def test_nothing_is_reproduced_where_there_is_nothing(claim: str, design: str) -> None:
    assert rate("nothing", claim, "reproduced", "partly reproduced", design=design) <= MOST


@pytest.mark.parametrize("claim", ["C05", "C06"])
def test_a_real_gain_is_not_called_refuted_in_what_was_recorded(claim: str) -> None:
    assert rate("one layer", claim, "not reproduced", design="recorded") <= MOST


def test_level_slopes_are_not_called_an_equilibrium() -> None:
    """C03: four slopes of nothing, over three seeds."""
    rng = np.random.default_rng(3)
    found = Counter(decide(ENTRIES["C03"], evidence("C03", level_slopes(rng)), PROFILE).verdict for _ in range(N))
    assert found["reproduced"] / N <= MOST
    assert found["not reproduced"] / N <= MOST


def level_slopes(rng: np.random.Generator) -> list[Part]:
    return [
        gain_part(measure, seed_gain(rng.normal(size=3), 0.1), unit="a layer", task=task, judged=True)
        for measure in ("slope_accuracy_gap", "slope_similarity")
        for task in ("xnli", "pawsx")
    ]


@pytest.mark.parametrize("claim", ["C02", "C05", "C06"])
def test_a_real_gain_is_not_called_refuted(claim: str) -> None:
    assert rate("one layer", claim, "not reproduced") <= MOST
    assert rate("own layers", claim, "not reproduced") <= MOST


def test_one_best_layer_for_all_is_not_called_different() -> None:
    assert rate("one layer", "C07", "reproduced", "partly reproduced") <= MOST


def test_different_best_layers_are_not_called_one() -> None:
    assert rate("own layers", "C07", "not reproduced") <= MOST
    assert rate("own layers", "C07", "reproduced", "partly reproduced") > 0.9


def test_gains_below_the_claimed_range_are_not_called_a_reproduction_in_all() -> None:
    """0.4 points everywhere: above 0, and outside 1 to 3."""
    assert rate("plateau", "C06", "reproduced") <= MOST


def test_a_gain_of_two_points_is_found() -> None:
    assert rate("one layer", "C05", "reproduced", "partly reproduced") > 0.5


# Probes of the encoder before fine-tuning: no seeds, twelve layers and the embeddings


def contrasts(truth: float, rng: np.random.Generator) -> list[Part]:
    """C01: two probes of 100 items, right in half of them in the one half of the layers, and more in the other."""
    lower, upper = probes.halves(12)
    parts = []
    for measure, better, worse in (
        ("retrieval_lower_minus_upper", lower, upper), ("upos_probe_upper_minus_lower", upper, lower),
    ):  # fmt: skip
        share = 0.5 + truth / 100 * (better > 0)
        easy = rng.normal(size=100)  # an item is easy or hard for every layer
        hits = (easy + rng.normal(size=(13, 100)) < np.sqrt(2) * ndtri(share)[:, None]).astype(float)
        counts = np.stack([hits, np.ones_like(hits)], axis=-1)
        scores = probes.LayerScores(counts, np.zeros(100, np.intp), np.arange(100), f"{measure} {rng.random()}")
        estimate, variance = scores.contrast(better - worse)
        interval = normal_interval(estimate, variance)
        parts.append(Part(measure=measure, estimate=estimate, unit="points", interval=interval, judged=True))
    return parts


def correlations(share: float, rng: np.random.Generator) -> list[Part]:
    """C08 at its worst: both features are one smooth series, and so are the targets, ``share`` of it the other."""
    feature, own = (smooth(rng) for _ in range(2))
    target = share * feature + np.sqrt(1 - share**2) * own
    interval, p = correlation_interval(feature, target), stats.circular_shift_p(feature, target)
    estimate = float(np.corrcoef(feature, target)[0, 1])
    return [
        Part(
            measure=measure, task=task, estimate=estimate, unit="correlation", interval=interval, p_value=p,
            judged=True,
        )
        for measure in ("correlation_semantic", "correlation_structural")
        for task in ("ner", "xnli", "pawsx")
    ]  # fmt: skip


def smooth(rng: np.random.Generator) -> stats.Floats:
    """Thirteen neighbours, correlated at 0.97: a trend."""
    steps = rng.normal(size=13)
    for place in range(1, 13):
        steps[place] = 0.97 * steps[place - 1] + np.sqrt(1 - 0.97**2) * steps[place]
    return steps


def of_kin(like: float, rng: np.random.Generator) -> list[Part]:
    """C09: similarities of languages, more alike in one script, and by ``like`` in one genus.

    Of thirty languages of NER; among XNLI's no p is below 0.01.
    """
    codes = TASKS["ner"].languages[:30]
    script, genus, family = (
        np.unique([getattr(LANGUAGES[code], kind) for code in codes], return_inverse=True)[1]
        for kind in ("script", "genus", "family")
    )
    noise = rng.normal(size=(len(codes), len(codes)))
    matrix = (noise + noise.T) / np.sqrt(2)
    matrix += (script[:, None] == script) + like * (genus[:, None] == genus)
    parts = []
    for kind, labels in (("genus", genus), ("family", family)):
        null = families.same_label_difference(matrix, families.permuted_within(labels, script, 199, rng))
        observed = float(families.same_label_difference(matrix, labels))
        beyond = observed - null.mean()
        low, high = beyond - np.quantile(null - null.mean(), [0.975, 0.025])
        parts.append(
            Part(
                measure=f"{kind}_similarity_difference", estimate=beyond, unit="cosine", judged=True,
                interval=Interval(low=float(low), high=float(high), method="permutation"),
                p_value=stats.permutation_p(null, observed, "greater"),
            )
        )  # fmt: skip
    return parts


def found(claim: str, make: Callable[[float, np.random.Generator], list[Part]], truth: float) -> Counter[str]:
    rng = np.random.default_rng(int(10 * truth))
    return Counter(decide(ENTRIES[claim], evidence(claim, make(truth, rng)), PROFILE).verdict for _ in range(N))


@pytest.mark.parametrize(
    ("claim", "make", "effect"), [("C01", contrasts, 5.0), ("C08", correlations, 0.9), ("C09", of_kin, 3.0)]
)
def test_probes_of_nothing_reproduce_nothing_and_an_effect_is_not_refuted(
    claim: str,
    make: Callable[[float, np.random.Generator], list[Part]],
    effect: float,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(probes, "N_RESAMPLES", 100)
    nothing, something = found(claim, make, 0.0), found(claim, make, effect)
    assert (nothing["reproduced"] + nothing["partly reproduced"]) / N <= MOST
    assert something["not reproduced"] / N <= MOST
    assert (something["reproduced"] + something["partly reproduced"]) / N > 0.5, "it can be found at all"
