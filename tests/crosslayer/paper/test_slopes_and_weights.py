"""Slopes over the fusion layers, and learnt weights between and within tasks."""

from __future__ import annotations

import math
from itertools import combinations

import numpy as np
import pytest

from analysed import PROFILE, equilibrium_evidence, half_run, one, verdict
from claimtrack.registry import Registry
from crosslayer.paper import attention, equilibrium
from crosslayer.tasks import TaskName
from synthetic_run import MadeUpRun, make_profile, make_sweep


def test_slopes_are_recovered(registry: Registry) -> None:
    profile = make_profile(tasks=["xnli", "pawsx"], layers=[1, 2, 3, 4])
    run = make_sweep(profile, n=600, noise=0.1)
    rng = np.random.default_rng(3)
    for trial in run.trials:
        items = run.items[trial.task, "test"]
        near = np.isin(items.language, ["en", "de"])
        mend = near & (rng.random(len(near)) < 0.1 * (trial.layer or 0))
        run.predicted[trial.key, "test"] = np.where(mend, items.gold, run.predicted[trial.key, "test"]).astype(
            np.int8
        )
    evidence = equilibrium_evidence(run, profile)
    for task in ("xnli", "pawsx"):
        part = one(evidence, "slope_accuracy_gap", task)
        assert part.estimate == pytest.approx(np.mean([brute_slope(run, task, seed) for seed in range(3)]))
        assert part.estimate == pytest.approx(3.0, abs=0.8)  # 10 % of 30 points of errors a layer
        similarity = one(evidence, "slope_similarity", task)
        assert similarity.estimate == pytest.approx(-0.05, abs=0.002)
        assert part.interval.method == "Student t over seeds, item variance added"
        assert similarity.interval.method == "Student t over seeds"
        assert part.note == similarity.note == ""
        assert one(evidence, "similarity", task, layer=4).estimate == pytest.approx(0.4, abs=0.005)
        for model in ("baseline", "layer_4"):
            near, rest = zip(*(brute_levels(run, task, model, seed) for seed in range(3)), strict=True)
            assert one(evidence, "accuracy_en_de", task, model=model).estimate == pytest.approx(np.mean(near))
            assert one(evidence, "accuracy_rest", task, model=model).estimate == pytest.approx(np.mean(rest))
    assert verdict(registry, evidence, profile) == "reproduced"


def brute_slope(run: MadeUpRun, task: TaskName, seed: int) -> float:
    levels = [brute_levels(run, task, f"layer_{x}", seed) for x in (1, 2, 3, 4)]
    return float(np.polyfit([1, 2, 3, 4], [near - rest for near, rest in levels], 1)[0])


def brute_levels(run: MadeUpRun, task: TaskName, model: str, seed: int) -> tuple[float, float]:
    """Accuracy on English and German, and on the rest."""
    language, right = run.items[task, "test"].language, run.right(task, model, seed)
    share = {code: 100 * right[language == code].mean() for code in set(language)}
    return (share["en"] + share["de"]) / 2, (share["es"] + share["zh"]) / 2


def test_slopes_say_how_many_seeds_they_rest_on() -> None:
    profile = make_profile(tasks=["xnli"])
    run = make_sweep(profile, n=100)
    run.drop(task="xnli", model="layer_2", seed=1)
    evidence = equilibrium_evidence(run, profile)
    for name in ("slope_accuracy_gap", "slope_similarity"):
        note = one(evidence, name, "xnli").note
        assert note == "A slope needs all layers of a seed: of 3 seeds 2 have them."


def test_equilibrium_without_vectors_or_with_one_language_says_so() -> None:
    profile = make_profile(tasks=["xnli"])
    bare = equilibrium.measure("C03", make_sweep(profile, n=50), profile)
    assert (
        one(bare, "slope_similarity", "xnli").note == "XNLI: no 'fused_mean' among the diagnostics of its trials"
    )
    alone = equilibrium.measure("C03", make_sweep(profile, n=50, languages=["en", "de"]), profile)
    assert "English or German, and others, are needed" in one(alone, "slope_accuracy_gap", "xnli").note


def test_tasks_that_lie_apart_are_told_apart(registry: Registry) -> None:
    run = half_run(PROFILE, apart=0.3)
    evidence = attention.measure("C13", run, PROFILE)
    part = one(evidence, "between_minus_within")
    mean = {(t.task, t.model, t.seed): run.arrays[t.key]["attention_mean"] for t in run.trials}
    distances: dict[bool, list[float]] = {True: [], False: []}
    for first, second in combinations(mean, 2):
        if first[2] != second[2] and first[1] != second[1]:
            gap = float(np.mean((mean[first] - mean[second]) ** 2))
            distances[first[0] == second[0]].append(gap)
    assert part.estimate == pytest.approx(np.mean(distances[False]) - np.mean(distances[True]))
    assert part.p_value == pytest.approx(1 / math.factorial(4) ** 2, abs=0.001)
    assert "XNLI, PAWS-X, NER, POS, fusion layer 3;" in part.note
    assert part.note.endswith("at least 0.0017.")
    assert verdict(registry, evidence) == "reproduced"
    assert one(evidence, "weight_variance_over_tokens", "ner").estimate == pytest.approx(0.01)


def test_a_shared_start_does_not_tell_tasks_apart(registry: Registry) -> None:
    evidence = attention.measure("C13", half_run(PROFILE, apart=0.0, alike=1.0), PROFILE)
    p = one(evidence, "between_minus_within").p_value
    assert p > 0.05
    assert verdict(registry, evidence) == "inconclusive"


def test_a_task_without_both_halves_is_left_out_of_the_comparison(registry: Registry) -> None:
    """It took seeds from all tasks, or left none. A half that stayed at chance is none."""
    run = half_run(PROFILE, apart=0.3)
    run.drop(task="pawsx", model="half_2", seed=1)
    key = next(t.key for t in run.trials if (t.task, t.model, t.seed) == ("xnli", "half_1", 2))
    gold = run.items["xnli", "dev"].gold
    run.predicted[key, "dev"] = np.full_like(gold, np.bincount(gold).argmax())
    evidence = attention.measure("C13", run, PROFILE)
    part = one(evidence, "between_minus_within")
    assert part.n_seeds == 3
    assert "distance of mean weights, NER, POS, fusion layer 3;" in part.note
    assert any(line.startswith("XNLI: half_1 stayed at chance with seed 2") for line in evidence.missing)
    assert {f"{task}: both halves at 2 of 3 seeds" for task in ("XNLI", "PAWS-X")} <= {*evidence.missing}
    assert key not in evidence.trials
    assert verdict(registry, evidence) == "inconclusive", "two tasks at three seeds are too few"
    two = half_run(make_profile(tasks=["xnli", "pos"], seeds=[0, 1]), apart=0.3)
    assert attention.compared_seeds(two.trials) == ({"xnli": {0, 1}, "pos": {0, 1}}, [])


def test_permutation_p_of_attention_is_that_of_all_permutations() -> None:
    """Two tasks and four seeds: 2^4 ways to exchange tasks, both halves together, counted one by one."""
    run = half_run(make_profile(tasks=["xnli", "pos"], seeds=[0, 1, 2, 3]), apart=0.05)
    distances = attention.load_modules(run, run.trials, attention.compared_seeds(run.trials)[0]).distances
    other = ~np.eye(4, dtype=bool)
    observed = attention.between_minus_within(distances)[other].mean()
    larger = 0
    for code in range(16):
        swap = [(code >> k) & 1 for k in range(4)]
        exchanged = np.empty_like(distances)
        for t, s, u, r in np.ndindex(distances.shape):
            exchanged[t, s, u, r] = distances[t ^ swap[s], s, u ^ swap[r], r]
        larger += attention.between_minus_within(exchanged)[other].mean() >= observed - 1e-12
    found = attention.permutation_p(distances, np.random.default_rng(0))
    assert found == pytest.approx(larger / 16, abs=0.02)
    assert found >= attention.smallest_p(2, 4) == 1 / 8
    assert attention.smallest_p(2, 5) > 0.05 > attention.smallest_p(2, 6), "two tasks need six seeds"
    assert attention.smallest_p(3, 2) > 0.05 > attention.smallest_p(3, 3), "three tasks need three"


def test_attention_names_what_is_missing() -> None:
    run = half_run(make_profile(tasks=["xnli", "pos"]), apart=1.0)
    run.end("collapsed", task="xnli", model="half_1", seed=0)
    run.end("failed", task="xnli", model="half_2", seed=1)
    evidence = attention.measure("C13", run, make_profile(tasks=["xnli", "pos", "ner"]))
    assert evidence.status == "missing"
    assert evidence.missing[:3] == (
        "XNLI: half_1 collapsed into one answer with seed 0",
        "XNLI: half_2 failed with seed 1",
        "NER: no modules were trained on halves",
    )
    assert "found 2 and 1" in evidence.missing[3]
