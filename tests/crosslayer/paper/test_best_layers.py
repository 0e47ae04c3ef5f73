"""Whether tasks have different best layers; whether layers supplement each other."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import permutations

import numpy as np
import pytest
from scipy.stats import ttest_1samp

from analysed import PROFILE, brute_gain, one, verdict
from claimtrack.judging import decide
from claimtrack.registry import Registry
from crosslayer.paper import PLUGIN, best_layers, complementarity, gains, parts
from crosslayer.tasks import TASK_NAMES, TaskName
from synthetic_run import MadeUpRun, make_profile, make_sweep


def test_different_best_layers_are_found(registry: Registry) -> None:
    best = dict(zip(TASK_NAMES, ("layer_1", "layer_2", "layer_3", "layer_1"), strict=True))
    run = make_sweep(PROFILE, dict.fromkeys(best.items(), 3.0), n=500, noise=0.2)
    evidence = best_layers.measure("C07", run, PROFILE)
    assert verdict(registry, evidence) == "reproduced"
    for task, name in best.items():
        assert evidence.facts[f"best_layer_{task}"] == name
        shares = {part.model: part.estimate or 0.0 for part in parts.select(evidence, "probability_best", task)}
        assert sum(shares.values()) == pytest.approx(1)
        assert shares[name] > 0.9
    won = [brute_gain(run, task, name) - brute_gain(run, task, "layer_1") for task, name in best.items()]
    # scores of halves of the items, averaged: they differ from the whole by the halves' counts of words
    assert one(evidence, "own_over_common").estimate == pytest.approx(np.mean(won), abs=0.005)
    assert evidence.facts["chance_that_all_best_layers_differ"] == 0.0  # 4 tasks, 3 layers


def test_one_best_layer_for_all_is_no_interaction(planted: MadeUpRun, null: MadeUpRun) -> None:
    for run in (planted, null):
        evidence = best_layers.measure("C07", run, PROFILE)
        p = one(evidence, "task_by_layer_interaction").p_value
        assert p > 0.05


def test_a_task_with_one_layer_is_missing(registry: Registry) -> None:
    profile = make_profile(layers=[1, 2, 3, 4])
    best = {("xnli", "layer_1"): 3.0, ("ner", "layer_4"): 3.0, ("pos", "layer_2"): 3.0}
    run = make_sweep(profile, best, n=300, noise=0.2)
    for model, seed in (("layer_1", 0), ("layer_3", 1), ("layer_4", 2)):
        run.end("collapsed", task="pawsx", model=model, seed=seed)
    run.drop(task="xnli", model="layer_4")
    evidence = best_layers.measure("C07", run, profile)
    assert any(line.startswith("PAWS-X: fewer than two layers") for line in evidence.missing)
    left_out = "PAWS-X: layer_1, layer_3, layer_4 succeeded with fewer than 3 seeds and cannot be chosen"
    assert left_out in evidence.missing
    chosen = one(gains.measure("C05", run, profile), "dev_selected_gain", "pawsx")
    assert chosen.note.endswith(": 2 at every seed.")
    best = one(gains.measure("C06", run, profile), "best_on_test_gain", "pawsx")
    assert best.note.startswith("layer_2, the best on the test sets among layer 2 only")
    assert not any(part.task == "pawsx" for part in evidence.parts)
    assert "best_layer_pawsx" not in evidence.facts
    whole = one(evidence, "task_by_layer_interaction")
    assert whole.note.endswith("layers 1, 2, 3 only.")
    compared = {evidence.facts[f"best_layer_{task}"] for task in ("xnli", "ner", "pos")}
    assert compared <= {"layer_1", "layer_2", "layer_3"}, "the best of NER, 4, is not compared"
    assert evidence.facts["chance_that_all_best_layers_differ"] == pytest.approx(2 / 9)
    assert (
        "best on test among layers 1, 2, 3 only: XNLI layer"
        in decide(registry.entry("C07"), evidence, profile, PLUGIN).because
    )
    assert verdict(registry, evidence, profile) == "reproduced"


def brute_share(
    run: MadeUpRun, task: TaskName, model: str, seeds: Sequence[int] = (0, 1, 2), broken: bool = False
) -> float:
    """Per cent of the errors of baselines of other seeds that a model has right, or of right answers wrong."""
    language, shares = run.items[task, "test"].language, []
    for seed, other in permutations(seeds, 2):
        theirs, ours = run.right(task, "baseline", seed), run.right(task, model, other)
        for code in set(language):
            shares.append(100 * np.mean(ours[(theirs == broken) & (language == code)] != broken))
    return float(np.mean(shares))


def test_excess_complementarity_by_hand(planted: MadeUpRun, null: MadeUpRun, registry: Registry) -> None:
    evidence = complementarity.measure("C02", planted, PROFILE)
    for task in ("xnli", "pos"):
        part = one(evidence, "excess_complementarity", task)
        expected, *without = (
            brute_share(planted, task, "layer_2", seeds) - brute_share(planted, task, "baseline", seeds)
            for seeds in ((0, 1, 2), (1, 2), (0, 2), (0, 1))
        )
        assert part.estimate == pytest.approx(expected)
        bare = ttest_1samp(3 * expected - 2 * np.array(without), 0).confidence_interval()  # a jackknife
        assert part.interval.high > bare.high or part.interval.low > bare.low  # items widen, more degrees narrow
        mended, by_seed = (one(evidence, f"errors_mended_by_{name}", task).estimate for name in ("layer", "seed"))
        assert mended - by_seed == pytest.approx(part.estimate)
        broken = one(evidence, "right_answers_broken_by_layer", task).estimate
        assert broken == pytest.approx(brute_share(planted, task, "layer_2", broken=True))
    assert verdict(registry, evidence) == "reproduced"
    assert verdict(registry, complementarity.measure("C02", null, PROFILE)) in ("inconclusive", "not reproduced")
    part = one(evidence, "dev_selected_minus_self", "ner")
    expected = brute_gain(planted, "ner", "layer_2") - brute_gain(planted, "ner", "self")
    assert part.estimate == pytest.approx(expected)


def test_without_the_control_self_that_part_says_so() -> None:
    profile = make_profile(tasks=["xnli"], controls=())
    evidence = complementarity.measure("C02", make_sweep(profile, n=50), profile)
    part = one(evidence, "dev_selected_minus_self", "xnli")
    assert part.estimate is None
    assert "add it to sweep.controls" in part.note
    assert one(evidence, "excess_complementarity", "xnli").estimate is not None
