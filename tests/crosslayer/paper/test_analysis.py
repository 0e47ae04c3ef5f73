"""Evidence from made-up runs whose effects are known, against independent computations."""

from __future__ import annotations

import importlib
import json
import math
import re
import warnings
import xml.etree.ElementTree as ET
from collections.abc import Sequence
from dataclasses import replace
from itertools import combinations, permutations
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binom, norm, pearsonr, ttest_1samp, ttest_rel
from scipy.stats import t as student
from seqeval.metrics import f1_score

from claimtrack.decisions import LEVEL
from claimtrack.errors import ResultsError
from claimtrack.evidence import Evidence, Interval, Measurement, read_evidence, write_evidence
from claimtrack.registry import Registry, load_registry
from claimtrack.verdict import decide
from crosslayer import stats
from crosslayer.config import IntermediateSpec, Profile, VariationSpec
from crosslayer.data.languages import LANGUAGES
from crosslayer.metrics.calibration import ece10_equal_mass_debiased_v1, softmax
from crosslayer.metrics.classification import share_from_counts
from crosslayer.metrics.recalibration import fit_vector_scaling
from crosslayer.paper import (
    PLUGIN,
    attention,
    best_layers,
    calibration,
    complementarity,
    equilibrium,
    families,
    gains,
    layer_contrast,
    paper,
    parts,
    scores,
    show,
    structure,
    transfer,  # fmt: skip
)
from crosslayer.paper.calibrated import MEASURES, Calibrated
from crosslayer.paper.probes import halves
from crosslayer.paper.reliability import shown_languages
from crosslayer.predictions.records import Array
from crosslayer.tasks import TASK_NAMES, TASKS, TaskName
from repository import ROOT
from synthetic_run import MadeUpRun, make_items, make_profile, make_record, make_sweep

PROFILE = make_profile()


@pytest.fixture(scope="module")
def registry() -> Registry:
    return load_registry(ROOT / "claims" / "registry.yaml")


@pytest.fixture(scope="module")
def planted() -> MadeUpRun:
    """Layer 2 is right 2 points more often, in all tasks."""
    return make_sweep(PROFILE, {(task, "layer_2"): 2.0 for task in TASK_NAMES}, n=500, noise=0.2)


@pytest.fixture(scope="module")
def null() -> MadeUpRun:
    return make_sweep(PROFILE, n=500, noise=0.2, seed=2)


def one(evidence: Evidence, measure: str, task: str | None = None, **about: object) -> Measurement:
    found = [
        part
        for part in evidence.parts
        if (part.measure, part.task) == (measure, task) and all(getattr(part, k) == v for k, v in about.items())
    ]
    assert len(found) == 1, [(part.measure, part.task) for part in evidence.parts]
    return found[0]


def verdict(registry: Registry, evidence: Evidence, profile: Profile = PROFILE) -> str:
    return decide(registry.entry(evidence.claim), evidence, profile, PLUGIN).verdict


def task_score(run: MadeUpRun, task: TaskName, key: str) -> float:
    """Mean over languages, by other code: seqeval on tag names, or the share of equal labels."""
    items, predicted = run.items[task, "test"], run.predicted[key, "test"]
    found = []
    for code in sorted(set(items.language)):
        here = items.language == code
        if task == "ner":
            names = np.array(TASKS["ner"].labels)
            gold, guess = (names[ids[here]].reshape(-1, 4).tolist() for ids in (items.gold, predicted))
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                found.append(100 * float(f1_score(gold, guess)))
        else:
            found.append(float(100 * np.mean(items.gold[here] == predicted[here])))
    return float(np.mean(found))


def brute_gain(run: MadeUpRun, task: TaskName, model: str, seeds: tuple[int, ...] = (0, 1, 2)) -> float:
    pairs = [(f"sweep-{task}-{model}-none-{s}", f"sweep-{task}-baseline-none-{s}") for s in seeds]
    return float(np.mean([task_score(run, task, a) - task_score(run, task, b) for a, b in pairs]))


# Scores


@pytest.mark.parametrize("task", TASK_NAMES)
def test_scores_agree_with_other_code(planted: MadeUpRun, task: TaskName) -> None:
    found = scores.load_sweep(planted, PROFILE).tasks[task]
    assert found.test.models == ("baseline", "layer_1", "layer_2", "layer_3", "self")
    for row, model in enumerate(found.test.models):
        expected = task_score(planted, task, f"sweep-{task}-{model}-none-1")
        assert found.test.scores[row, 1] == pytest.approx(expected, abs=1e-9)


def test_items_that_are_hard_for_every_model_alike_add_no_item_variance(planted: MadeUpRun) -> None:
    """All made-up trials share the difficulties: what differs by item differs by run, and shrinks with seeds."""
    found = scores.load_sweep(planted, PROFILE).tasks["xnli"]
    cells = found.grid.spread(found.counts)
    rng = parts.generator("items", "xnli", "all languages")
    where = found.units.language, found.units.cluster
    assert found.test.item_variance == pytest.approx(stats.item_variance(cells, *where, share_from_counts, rng))
    one_run = stats.bootstrap_scores(
        np.stack([cells[0, 0], cells[1, 0]]), *where, share_from_counts, np.random.default_rng(0)
    )
    assert found.test.item_variance[0, 1] < 0.3 * np.var(one_run[0] - one_run[1])


@pytest.mark.parametrize(
    ("task", "source", "together"), [("xnli", "hub", True), ("pos", "hub", False), ("pos", "fragment", True)]
)
def test_clusters_join_languages_where_items_are_parallel(
    planted: MadeUpRun, task: TaskName, source: str, together: bool
) -> None:
    found = scores.load_sweep(planted, make_profile(tasks=[task], source=source)).tasks[task]
    clusters = len(set(found.units.cluster.tolist()))
    assert clusters == (500 if together else 2000)
    assert found.n_items == 2000


def test_what_failed_or_never_ran_is_named() -> None:
    run = make_sweep(make_profile(tasks=["xnli", "pos"]), n=20)
    run.end("collapsed", task="xnli", model="layer_1", seed=1)
    run.end("nan_loss", task="xnli", model="self")
    run.end("out_of_memory", task="pos")
    run.drop(task="xnli", model="layer_3", seed=2)
    found = scores.load_sweep(run, make_profile(tasks=["xnli", "pos", "pawsx"]))
    assert list(found.tasks) == ["xnli"]
    assert set(found.missing) == {
        "XNLI: layer_1 collapsed into one answer with seed 1",
        "XNLI: self ended with a loss that is no number with seeds 0, 1, 2",
        "XNLI: layer_3 has not run with seed 2",
        "XNLI: layer_1, layer_3 ended well with fewer than 3 seeds and cannot be chosen",
        "POS: all 15 trials ran out of memory",
        "POS: no baseline ended well, so that nothing has a gain",
        "PAWS-X: the sweep has not run",
        "NER is no task of the profile made-up",
    }
    table = found.tasks["xnli"].test
    assert "self" not in table.models
    assert np.argwhere(np.isnan(table.scores)).tolist() == [[1, 1], [3, 2]]
    assert not any("layer_1-none-1" in key or "-self-" in key for key in found.keys)


@pytest.mark.parametrize(
    ("name", "value", "told"),
    [
        ("device_kind", "cuda", "cuda"), ("precision", "bfloat16", "bfloat16"), ("torch", "9.9.9", "torch 9.9.9"),
        ("specification", {"version": 3}, "version 3"),
    ],
)  # fmt: skip
def test_trials_of_different_batches_are_not_compared(name: str, value: Any, told: str) -> None:
    run = make_sweep(make_profile(tasks=["xnli"]), n=20)
    run.trials = [t.model_copy(update={"torch": "2.13.0", "specification": {"version": 2}}) for t in run.trials]
    run.trials[7] = run.trials[7].model_copy(update={name: value})
    found = scores.load_sweep(run, make_profile(tasks=["xnli"]))
    assert run.trials[7].key not in found.keys
    assert len(found.keys) == len(run.trials) - 1
    assert any(line.startswith(f"XNLI: 1 trials of {told} are not compared with 14 of ") for line in found.missing)


@pytest.fixture
def two_batches() -> MadeUpRun:
    """Layers 1 to 3 without controls in one batch, layer 2 with two of them in another; each has a baseline."""
    run = make_sweep(make_profile(tasks=["pos"], layers=(1, 2, 3), controls=()), n=60)
    other = make_sweep(make_profile(tasks=["pos"], layers=(2,), controls=("self", "gate")), n=60)
    for trial in other.trials:
        later = trial.model_copy(update={"key": f"later-{trial.key}", "precision": "bfloat16"})
        run.trials.append(later)
        for split in ("dev", "test"):
            run.predicted[later.key, split] = other.predicted[trial.key, split]
    return run


def test_an_analysis_takes_the_batch_that_has_what_it_asks_for(two_batches: MadeUpRun) -> None:
    profile = make_profile(tasks=["pos"], controls=("self", "gate"))
    largest, other, controlled = (
        scores.load_sweep(two_batches, profile, needs=needs).tasks["pos"] for needs in ((), ("absent",), ("self",))
    )
    assert largest.layers == ("layer_1", "layer_2", "layer_3") == other.layers
    assert controlled.layers == ("layer_2",)
    assert "gate" in controlled.test.models
    assert controlled.among == "among layer 2 only"


def test_gains_of_layers_and_of_controls_come_from_their_own_batches(two_batches: MadeUpRun) -> None:
    profile = make_profile(tasks=["pos"], controls=("self", "gate"))
    evidence = gains.measure("C05", two_batches, profile)
    layers = [part.model for part in evidence.parts if part.measure == "layer_gain"]
    controls = [part for part in evidence.parts if part.measure == "control_gain"]
    assert layers == ["layer_1", "layer_2", "layer_3"]
    assert [part.model for part in controls] == ["self", "gate"]
    only = replace(two_batches, trials=[t for t in two_batches.trials if t.precision == "bfloat16"])
    alone = gains.measure("C05", only, profile)
    assert controls == [part for part in alone.parts if part.measure == "control_gain"]
    assert {t.key for t in two_batches.trials} == set(evidence.trials)
    restricted = one(complementarity.measure("C02", two_batches, profile), "dev_selected_minus_self", "pos")
    assert restricted.note.endswith("chosen on dev among layer 2 only: layer_2.")
    assert restricted.estimate is not None


# Gains


def test_planted_gain_is_recovered(planted: MadeUpRun, registry: Registry) -> None:
    evidence = gains.measure("C05", planted, PROFILE)
    for task in TASK_NAMES:
        part = one(evidence, "dev_selected_gain", task)
        assert part.estimate == pytest.approx(brute_gain(planted, task, "layer_2"), abs=1e-9)
        assert part.interval is not None
        assert part.interval.low > 0
        if task in ("xnli", "pawsx", "pos"):
            assert part.interval.low < 2.0 < part.interval.high
        assert part.n_seeds == 3
        assert part.note == "Layer chosen among layers 1, 2, 3 only on dev, seed by seed: 2, 2, 2."
        assert one(evidence, "layer_gain", task, layer=2).estimate == pytest.approx(part.estimate)
    assert verdict(registry, evidence) == "reproduced"
    assert evidence.missing == ()
    assert len(evidence.trials) == 60
    assert evidence.headline == 0
    crossed = gains.measure("C06", planted, PROFILE)
    for task in TASK_NAMES:
        assert one(crossed, "cross_fitted_gain", task).estimate == pytest.approx(
            brute_gain(planted, task, "layer_2"),
            abs=0.4,  # halves of the items, weighted alike
        )


def test_no_gain_is_shown_where_there_is_none(null: MadeUpRun, registry: Registry) -> None:
    """A 95 % interval leaves out 0 once in 20; of four tasks two do in 1 of 70 draws."""
    evidence = gains.measure("C05", null, PROFILE)
    intervals = [one(evidence, "dev_selected_gain", task).interval for task in TASK_NAMES]
    assert sum(found is not None and not found.low < 0 < found.high for found in intervals) <= 1
    assert verdict(registry, evidence) in ("not reproduced", "inconclusive")


def test_best_on_test_is_shown_beside_what_it_gives_without_effect(null: MadeUpRun, planted: MadeUpRun) -> None:
    evidence = gains.measure("C06", null, PROFILE)
    for task in TASK_NAMES:
        part = one(evidence, "best_on_test_gain", task)
        brute = [brute_gain(null, task, model) for model in ("layer_1", "layer_2", "layer_3")]
        assert part.estimate == pytest.approx(max(brute))
        assert not part.judged
        assert part.interval is None
        assert part.p_value is not None
        assert part.p_value > 0.05
        chance = one(evidence, "best_on_test_gain_without_effect", task).estimate
        assert chance is not None
        assert 0 < chance < 1
    real = one(gains.measure("C06", planted, PROFILE), "best_on_test_gain", "pos")
    assert real.layer == 2
    assert real.p_value is not None
    assert real.p_value < 0.05


def test_gain_in_a_language_is_that_of_its_rows_alone(planted: MadeUpRun) -> None:
    evidence = gains.measure("C05", planted, PROFILE)
    items = planted.items["pawsx", "test"]
    here = items.language == "zh"
    right = {
        model: [
            np.mean((planted.predicted[f"sweep-pawsx-{model}-none-{s}", "test"] == items.gold)[here])
            for s in range(3)
        ]
        for model in ("layer_2", "baseline")
    }
    part = one(evidence, "dev_selected_gain_in_language", "pawsx", language="zh")
    assert part.estimate == pytest.approx(100 * float(np.mean(right["layer_2"]) - np.mean(right["baseline"])))
    assert part.n_items == 500
    everywhere = [p.estimate for p in parts.select(evidence, "dev_selected_gain_in_language", "pawsx")]
    assert one(evidence, "dev_selected_gain_languages_resampled", "pawsx").estimate == pytest.approx(
        np.mean(everywhere)
    )


def test_seed_noise_is_what_models_and_seeds_leave(planted: MadeUpRun) -> None:
    """The root of the mean square of a table of models and seeds less the means of both."""
    facts = gains.measure("C05", planted, PROFILE).facts
    for task, found in scores.load_sweep(planted, PROFILE).tasks.items():
        table = found.test.scores
        rest = table - table.mean(axis=0) - table.mean(axis=1, keepdims=True) + table.mean()
        n_models, n_seeds = table.shape
        noise = np.sqrt((rest**2).sum() / ((n_models - 1) * (n_seeds - 1)))
        assert facts[f"seed_noise_{task}"] == pytest.approx(noise)


def test_p_values_of_layers_are_corrected_for_their_number(planted: MadeUpRun) -> None:
    evidence = gains.measure("C05", planted, PROFILE)
    for task in TASK_NAMES:
        raw = [one(evidence, "layer_gain", task, layer=x).p_value for x in (1, 2, 3)]
        found = [one(evidence, "layer_gain", task, layer=x).p_adjusted for x in (1, 2, 3)]
        ordered = sorted(p for p in raw if p is not None)
        by_hand = [max(min(1.0, (3 - place) * ordered[place]) for place in range(ordered.index(p) + 1))
                   for p in raw if p is not None]  # fmt: skip
        assert found == pytest.approx(by_hand)
        assert one(evidence, "control_gain", task, model="self").p_adjusted is None


def test_gains_by_language_are_differences_of_scores(planted: MadeUpRun) -> None:
    found = scores.load_sweep(planted, PROFILE).tasks["pos"]
    drawn = gains.gains_by_language(found)
    tables = [found.language_table(code) for code in found.table.languages]
    for layer, name in enumerate(found.layers):
        assert drawn[layer] == pytest.approx([stats.gain(table, name).estimate for table in tables])


def test_other_choices_are_shown_beside_the_gain_and_judge_nothing(tmp_path: Path) -> None:
    varied = {"tasks": ["pos"], "seeds": [0, 1, 2], "fusion": [{"reduction": 16}], "train_shares": [0.25]}
    sweep = PROFILE.sweep.model_copy(update={"variations": VariationSpec.model_validate(varied)})
    profile = PROFILE.model_copy(update={"sweep": sweep})
    models = ("varied:reduction=16", "baseline_at_0.25", "dlfa_at_0.25")
    gained = {("pos", "layer_1"): 2.0, ("pos", models[0]): 4.0, ("pos", models[2]): 6.0}
    run = make_sweep(profile, gained, n=500, noise=0.2, models=models)
    evidence = gains.measure("C05", run, profile)
    found = {part.model: part for part in evidence.parts if part.measure == "gain_with_other_choices"}
    assert list(found) == ["as configured", "reduction=16", "0.25 of the training items"]
    pairs = [("layer_1", "baseline"), (models[0], "baseline"), (models[2], models[1])]
    for part, (model, baseline) in zip(found.values(), pairs, strict=True):
        scores_of = [
            np.mean([task_score(run, "pos", f"sweep-pos-{name}-none-{seed}") for seed in range(3)])
            for name in (model, baseline)
        ]
        assert part.estimate == pytest.approx(scores_of[0] - scores_of[1])
        assert not part.judged
    assert {part.model for part in evidence.parts if part.measure == "control_gain"} == {"self"}
    assert "choices.svg" in gains.figures(evidence, run, profile, tmp_path)
    assert gains.measure("C05", run, PROFILE).parts == tuple(p for p in evidence.parts if p not in found.values())


def test_one_layer_is_drawn_at_its_number_and_in_no_heat_map(tmp_path: Path) -> None:
    profile = make_profile(tasks=["pos"], layers=[8])
    run = make_sweep(profile, n=100)
    names = gains.figures(gains.measure("C05", run, profile), run, profile, tmp_path)
    assert names == ("gain_by_layer.svg", "gain_by_language.svg")
    drawn = (tmp_path / "gain_by_layer.svg").read_text(encoding="utf-8")
    axis = drawn[drawn.index('id="matplotlib.axis_1"') : drawn.index('id="matplotlib.axis_2"')]
    assert re.findall(r">([\d.]+)</text>", axis) == ["8"]


def test_one_seed_gives_estimates_without_intervals(registry: Registry) -> None:
    profile = make_profile(seeds=[7])
    run = make_sweep(profile, {(task, "layer_2"): 5.0 for task in TASK_NAMES}, n=200)
    evidence = gains.measure("C05", run, profile)
    for task in TASK_NAMES:
        part = one(evidence, "dev_selected_gain", task)
        assert part.estimate == pytest.approx(brute_gain(run, task, "layer_2", (7,)))
        assert (part.interval, part.minimum_detectable, part.n_seeds) == (None, None, 1)
    assert verdict(registry, evidence, profile) == "inconclusive"
    assert verdict(registry, complementarity.measure("C02", run, profile), profile) == "inconclusive"
    assert verdict(registry, equilibrium_evidence(run, profile), profile) == "inconclusive"
    crossed = gains.measure("C06", run, profile)
    assert crossed.status == "missing"
    assert any("needs 2 seeds" in line for line in crossed.missing)
    assert best_layers.measure("C07", run, profile).status == "missing"


def test_a_collapsed_trial_never_enters(planted: MadeUpRun) -> None:
    run = make_sweep(PROFILE, {("xnli", "layer_2"): 2.0}, n=300)
    key = "sweep-xnli-layer_2-none-0"
    run.predicted[key, "test"] = np.zeros_like(run.predicted[key, "test"])
    run.end("collapsed", key=key)
    evidence = gains.measure("C05", run, PROFILE)
    assert "XNLI: layer_2 collapsed into one answer with seed 0" in evidence.missing
    assert key not in evidence.trials
    part = one(evidence, "layer_gain", "xnli", layer=2)
    assert part.estimate == pytest.approx(brute_gain(run, "xnli", "layer_2", (1, 2)))
    chosen = one(evidence, "dev_selected_gain", "xnli")
    assert (part.n_seeds, chosen.n_seeds) == (2, 3), "the others are compared at all seeds, without layer 2"
    assert "layer_2" not in chosen.note


def test_a_trial_that_stayed_at_chance_never_enters_and_a_frozen_one_does() -> None:
    run = make_sweep(PROFILE, {("pawsx", "layer_2"): 2.0}, n=300)
    key = "sweep-pawsx-layer_2-none-0"
    gold = run.items["pawsx", "dev"].gold
    often, limit = np.bincount(gold).max(), binom.isf(0.05, len(gold), np.bincount(gold).max() / len(gold))
    for hits, is_in in ((int(limit), False), (int(limit) + 1, True)):
        right = np.arange(len(gold)) < hits
        run.predicted[key, "dev"] = np.where(right, gold, 1 - gold).astype(np.int8)
        evidence = gains.measure("C05", run, PROFILE)
        assert (key in evidence.trials) == is_in
        line = (
            f"PAWS-X: layer_2 stayed at chance with seed 0: {100 * hits / len(gold):.1f} on English dev, of which "
            f"{100 * often / len(gold):.1f} have one label"
        )
        assert (line in evidence.missing) != is_in
    run.predicted[key, "dev"] = np.full_like(gold, np.bincount(gold).argmax())
    assert key not in gains.measure("C05", run, PROFILE).trials
    run.trials = [trial.model_copy(update={"mode": "frozen"}) for trial in run.trials]
    assert key in gains.measure("C05", run, PROFILE).trials


def test_a_missing_task_is_missing_and_not_failed(registry: Registry) -> None:
    profile = make_profile(tasks=["xnli", "pawsx", "pos"])
    run = make_sweep(profile, {(task, "layer_2"): 4.0 for task in TASK_NAMES}, n=400)
    evidence = gains.measure("C05", run, profile)
    assert evidence.missing == ("NER is no task of the profile made-up",)
    assert verdict(registry, evidence, profile) == "partly reproduced"
    nothing = gains.measure("C05", MadeUpRun(), profile)
    assert nothing.status == "missing"
    assert "XNLI: the sweep has not run" in nothing.missing
    assert verdict(registry, nothing, profile) == "not run"


def test_evidence_is_the_same_twice(planted: MadeUpRun, tmp_path: Path) -> None:
    files = []
    for name in ("first", "second"):
        scores.score_task.cache_clear()
        (tmp_path / name).mkdir()
        files.append(write_evidence(gains.measure("C06", planted, PROFILE), tmp_path / name).read_bytes())
    assert files[0] == files[1]


def test_pos_span_f1_by_the_rule_of_the_literature(planted: MadeUpRun) -> None:
    evidence = gains.measure("C05", planted, PROFILE)
    baseline = np.array([brute_span_f1(planted, "baseline", seed) for seed in range(3)])
    level = one(evidence, "baseline_score_by_pos_span_f1", "pos")
    assert level.estimate == pytest.approx(baseline.mean())
    by_model = {model: [brute_span_f1(planted, model, seed) for seed in range(3)] for model in ("layer_2", "self")}
    gain = one(evidence, "layer_gain_by_pos_span_f1", "pos", layer=2)
    assert gain.estimate == pytest.approx(float(np.mean(by_model["layer_2"] - baseline)))
    assert gain.interval is not None
    assert gain.p_adjusted is not None
    control = one(evidence, "control_gain_by_pos_span_f1", "pos")
    assert control.estimate == pytest.approx(float(np.mean(by_model["self"] - baseline)))
    chosen, judged = (one(evidence, f"dev_selected_gain{rule}", "pos") for rule in (paper.BY_SPANS, ""))
    assert chosen.note == judged.note, "the layer is chosen by token accuracy"
    assert chosen.note.endswith("seed by seed: 2, 2, 2.")
    assert chosen.estimate == pytest.approx(gain.estimate)
    assert chosen.estimate != pytest.approx(judged.estimate)
    assert not any(part.judged for part in evidence.parts if part.measure.endswith(paper.BY_SPANS))
    others = {part.task for part in evidence.parts if part.measure.endswith(paper.BY_SPANS)}
    assert others == {"pos"}


def brute_span_f1(run: MadeUpRun, model: str, seed: int) -> float:
    """Mean over languages of the F1 of runs of equal tags."""
    items = run.items["pos", "test"]
    tags = np.array(TASKS["pos"].labels)
    predicted = run.predicted[f"sweep-pos-{model}-none-{seed}", "test"]
    by_language = []
    for code in sorted(set(items.language)):
        here = items.language == code
        spans = [
            {s for i, row in enumerate(tags[ids[here]].reshape(-1, 4)) for s in tag_runs(i, row.tolist())}
            for ids in (items.gold, predicted)
        ]
        by_language.append(200 * len(spans[0] & spans[1]) / (len(spans[0]) + len(spans[1])))
    return float(np.mean(by_language))


def tag_runs(sentence: int, tags: list[str]) -> list[tuple[int, int, int, str]]:
    """Runs of equal tags; those that begin with S never merge."""
    runs: list[tuple[int, int, int, str]] = []
    for i, tag in enumerate(tags):
        if runs and runs[-1][3] == tag and not tag.startswith("S"):
            runs[-1] = (sentence, runs[-1][1], i, tag)
        else:
            runs.append((sentence, i, i, tag))
    return runs


# Best layers


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
        assert p is not None
        assert p > 0.05


def test_a_task_with_one_layer_is_missing_and_every_two_tasks_are_compared(registry: Registry) -> None:
    profile = make_profile(layers=[1, 2, 3, 4])
    best = {("xnli", "layer_1"): 3.0, ("ner", "layer_4"): 3.0, ("pos", "layer_2"): 3.0}
    run = make_sweep(profile, best, n=300, noise=0.2)
    for model, seed in (("layer_1", 0), ("layer_3", 1), ("layer_4", 2)):
        run.end("collapsed", task="pawsx", model=model, seed=seed)
    run.drop(task="xnli", model="layer_4")
    evidence = best_layers.measure("C07", run, profile)
    assert any(line.startswith("PAWS-X: fewer than two layers") for line in evidence.missing)
    left_out = "PAWS-X: layer_1, layer_3, layer_4 ended well with fewer than 3 seeds and cannot be chosen"
    assert left_out in evidence.missing
    chosen = one(gains.measure("C05", run, profile), "dev_selected_gain", "pawsx")
    assert chosen.note.endswith("seed by seed: 2, 2, 2.")
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
    pairs = {part.model: part for part in evidence.parts if part.measure == "interaction_of_two_tasks"}
    assert set(pairs) == {"XNLI and NER", "XNLI and POS", "NER and POS"}
    assert not any(part.judged for part in pairs.values())
    assert pairs["NER and POS"].note.endswith("layers 1, 2, 3, 4 only."), "what XNLI lacks does not matter there"
    run.drop(task="xnli")
    run.drop(task="pawsx")
    of_two = best_layers.measure("C07", run, profile)
    assert one(of_two, "task_by_layer_interaction").p_value == pytest.approx(pairs["NER and POS"].p_value)
    assert not any(part.measure == "interaction_of_two_tasks" for part in of_two.parts)


# Complementarity


def brute_excess(run: MadeUpRun, task: TaskName, model: str, seeds: Sequence[int] = (0, 1, 2)) -> float:
    items = run.items[task, "test"]
    right = {
        (m, s): run.predicted[f"sweep-{task}-{m}-none-{s}", "test"] == items.gold
        for m in (model, "baseline")
        for s in seeds
    }
    shares = []
    for seed, other in permutations(seeds, 2):
        for code in sorted(set(items.language)):
            errors = ~right["baseline", seed] & (items.language == code)
            shares.append(100 * (right[model, other][errors].mean() - right["baseline", other][errors].mean()))
    return float(np.mean(shares))


@pytest.mark.parametrize("task", ["xnli", "pos"])
def test_excess_complementarity_by_hand(planted: MadeUpRun, task: TaskName) -> None:
    evidence = complementarity.measure("C02", planted, PROFILE)
    part = one(evidence, "excess_complementarity", task)
    expected = brute_excess(planted, task, "layer_2")
    assert part.estimate == pytest.approx(expected)
    without = [brute_excess(planted, task, "layer_2", pair) for pair in ((1, 2), (0, 2), (0, 1))]
    pseudo = 3 * expected - 2 * np.array(without)
    assert part.interval is not None
    bare = ttest_1samp(pseudo, 0).confidence_interval()
    assert part.interval.high > bare.high or part.interval.low > bare.low  # items widen, more degrees narrow
    mended, by_seed = (one(evidence, f"errors_mended_by_{name}", task).estimate for name in ("layer", "seed"))
    assert mended is not None
    assert by_seed is not None
    assert mended - by_seed == pytest.approx(part.estimate)
    broken = one(evidence, "right_answers_broken_by_layer", task).estimate
    assert broken == pytest.approx(brute_broken(planted, task, "layer_2"))


def brute_broken(run: MadeUpRun, task: TaskName, model: str) -> float:
    """Points of the baseline's right answers that the model of another seed has wrong."""
    items = run.items[task, "test"]
    values = []
    for seed, other in permutations(range(3), 2):
        right, theirs = (
            run.predicted[f"sweep-{task}-{m}-none-{s}", "test"] == items.gold
            for m, s in (("baseline", seed), (model, other))
        )
        here = [right & (items.language == code) for code in sorted(set(items.language))]
        values.append(np.mean([100 * np.mean(~theirs[rows]) for rows in here]))
    return float(np.mean(values))


def test_complementarity_verdicts(planted: MadeUpRun, null: MadeUpRun, registry: Registry) -> None:
    evidence = complementarity.measure("C02", planted, PROFILE)
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


# Equilibrium


def equilibrium_evidence(run: MadeUpRun, profile: Profile, fall: float = 0.05) -> Evidence:
    """C03 on vectors whose cosine between every two languages is 0.6 - fall x, with some noise."""
    rng = np.random.default_rng(5)
    n = len(set(run.items["xnli", "test"].language))
    for trial in run.trials:
        cosine = 0.6 - fall * (trial.layer or 0) + 0.001 * rng.standard_normal()
        matrix = np.full((n, n), cosine) + (1 - cosine) * np.eye(n)
        vectors = np.linalg.cholesky(matrix) * rng.uniform(0.5, 2, (n, 1))
        run.arrays[trial.key] = {"fused_mean": vectors, "pair_similarity": matrix}
    return equilibrium.measure("C03", run, profile)


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
        assert part.interval is not None
        assert similarity.interval is not None
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
    items = run.items[task, "test"]
    right = run.predicted[f"sweep-{task}-{model}-none-{seed}", "test"] == items.gold
    share = {code: 100 * right[items.language == code].mean() for code in set(items.language)}
    return (share["en"] + share["de"]) / 2, (share["es"] + share["zh"]) / 2


def test_slopes_of_the_other_sign_are_not_reproduced(registry: Registry) -> None:
    profile = make_profile(tasks=["xnli", "pawsx"])
    evidence = equilibrium_evidence(make_sweep(profile, n=100), profile, fall=-0.05)
    assert verdict(registry, evidence, profile) == "not reproduced"


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


# Attention


def half_run(profile: Profile, apart: float, alike: float = 0.0) -> MadeUpRun:
    """Modules on halves: tasks lie ``apart``, and modules of one task and seed share ``alike`` of their start."""
    rng = np.random.default_rng(2)
    run = MadeUpRun()
    for task in profile.tasks:
        run.items[task, "dev"] = make_items(task, 50, ("en",), np.random.default_rng(0))
        centre = rng.standard_normal(64)
        for seed in profile.sweep.seeds:
            start = rng.standard_normal(64)
            for half in ("half_1", "half_2"):
                record = make_record(task, half, seed).model_copy(update={"layer": 3})
                run.trials.append(record)
                run.predicted[record.key, "dev"] = run.items[task, "dev"].gold
                mean = 0.5 + 0.1 * (apart * centre + alike * start + 0.1 * rng.standard_normal(64))
                run.arrays[record.key] = {"attention_mean": mean, "attention_variance": np.full(64, 0.01)}
    return run


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
    assert p is not None
    assert p > 0.05
    assert verdict(registry, evidence) == "inconclusive"


def test_a_task_without_both_halves_is_left_out_of_the_comparison(registry: Registry) -> None:
    """It took seeds from all tasks, or left none."""
    run = half_run(PROFILE, apart=0.3)
    run.drop(task="pawsx", model="half_2", seed=1)
    evidence = attention.measure("C13", run, PROFILE)
    part = one(evidence, "between_minus_within")
    assert part.n_seeds == 3
    assert "XNLI, NER, POS, fusion layer 3;" in part.note
    assert "PAWS-X: both halves at 2 of 3 seeds" in evidence.missing
    assert verdict(registry, evidence) == "reproduced"
    two = half_run(make_profile(tasks=["xnli", "pos"], seeds=[0, 1]), apart=0.3)
    assert attention.compared_tasks(two.trials) == (["xnli", "pos"], [])


def test_a_half_that_stayed_at_chance_is_left_out() -> None:
    run = half_run(PROFILE, apart=0.3)
    key = next(t.key for t in run.trials if (t.task, t.model, t.seed) == ("xnli", "half_1", 2))
    gold = run.items["xnli", "dev"].gold
    run.predicted[key, "dev"] = np.full_like(gold, np.bincount(gold).argmax())
    evidence = attention.measure("C13", run, PROFILE)
    assert any(line.startswith("XNLI: half_1 stayed at chance with seed 2") for line in evidence.missing)
    assert "XNLI: both halves at 2 of 3 seeds" in evidence.missing
    assert key not in evidence.trials


def test_permutation_p_of_attention_is_that_of_all_permutations() -> None:
    """Two tasks and four seeds: 2^4 ways to exchange tasks, both halves together, counted one by one."""
    run = half_run(make_profile(tasks=["xnli", "pos"], seeds=[0, 1, 2, 3]), apart=0.05)
    distances = attention.load_modules(run, run.trials).distances
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


def test_tasks_of_one_centre_are_rarely_told_apart_whatever_they_share_and_scatter() -> None:
    """Three seeds of four tasks, halves that share their start, one task scattering thrice: p below 0.05 in at
    most 8 % of 300 (false alarm of this test: 1 %)."""
    rng = np.random.default_rng(7)
    scatter = np.array([3.0, 1.0, 1.0, 1.0])[:, None, None]
    found, mean = [], []
    for _ in range(300):
        start = rng.standard_normal((4, 3, 16))
        first, second = (scatter * (start + 0.4 * rng.standard_normal((4, 3, 16))) for _ in range(2))
        gaps = ((first[:, :, None, None] - second[None, None]) ** 2).mean(axis=-1)
        mean.append(attention.between_minus_within(gaps)[~np.eye(3, dtype=bool)].mean())
        found.append(attention.permutation_p(gaps, rng, 199) < 0.05)
    assert np.mean(found) <= 0.08
    assert abs(np.mean(mean)) < 4 * np.std(mean) / np.sqrt(300)


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


# Layers of the encoder


def probe_run(n_layers: int = 12, rise: float = 0.05) -> MadeUpRun:
    """Retrieval falls and the UPOS probe rises by layer; transfer follows retrieval."""
    rng = np.random.default_rng(4)
    layers = range(n_layers + 1)
    hit = {f"layer_{x}": 0.9 - rise * x for x in layers}
    frames = []
    for language in ("de", "es", "zh"):
        for item in range(200):
            luck = rng.random()
            for direction in ("to_english", "from_english"):
                for centred in (False, True):
                    row = {"language": language, "item": f"{item}", "direction": direction, "centred": centred}
                    frames.append(row | {name: luck < share + 0.02 * centred for name, share in hit.items()})
    words = rng.random(1000)
    tagging = {f"layer_{x}": words < 0.5 + rise * x / 2 for x in layers}
    target = [
        {"task": task, "language": code, "layer": x, "score": 60 - x + rng.standard_normal() / 10,
         "n_items": 1000, "commonest": 50.0}
        for task in ("xnli", "ner", "pawsx", "pos")
        for code in ("en", "de", "zh")
        for x in layers
    ]  # fmt: skip
    run = MadeUpRun()
    run.probes["retrieval"] = pd.DataFrame(frames)
    run.probes["tagging"] = pd.DataFrame({"sentence": np.arange(1000) // 10, **tagging})
    run.probes["transfer"] = pd.DataFrame(target)
    told = {"language": ["de", "es", "zh"] * 50, "item": np.repeat(np.arange(50), 3)}
    run.probes["identity"] = pd.DataFrame(told | {f"layer_{x}": np.arange(150) % 3 != 0 for x in layers})
    return run


def test_layer_contrasts(registry: Registry) -> None:
    run = probe_run()
    evidence = layer_contrast.measure("C01", run, PROFILE)
    columns = [f"layer_{x}" for x in range(1, 13)]
    means = run.probes["retrieval"].groupby("language")[columns].mean().mean().to_numpy()
    part = one(evidence, "retrieval_lower_minus_upper")
    assert part.estimate == pytest.approx(100 * (means[:6].mean() - means[6:].mean()))
    assert part.n_items == 600
    assert part.interval is not None
    error = (part.interval.high - part.interval.low) / 2 / norm.ppf(0.975)
    assert part.minimum_detectable == pytest.approx((norm.ppf(0.975) + norm.ppf(0.8)) * error)
    words = run.probes["tagging"][columns].mean().to_numpy()
    assert one(evidence, "upos_probe_upper_minus_lower").estimate == pytest.approx(
        100 * (words[6:].mean() - words[:6].mean())
    )
    assert one(evidence, "language_identity", layer=7).estimate == pytest.approx(100 * 2 / 3)
    assert verdict(registry, evidence) == "reproduced"
    assert evidence.n_seeds == 0
    assert evidence.facts == {"lower": "1-6", "upper": "7-12"}


def test_interval_of_a_layer_contrast_is_that_of_its_clusters() -> None:
    run = probe_run()
    part = one(layer_contrast.measure("C01", run, PROFILE), "upos_probe_upper_minus_lower")
    lower, upper = halves(12)
    table = run.probes["tagging"]
    per_word = table[[f"layer_{x}" for x in range(13)]].to_numpy(float) @ (upper - lower)
    by_sentence = pd.Series(per_word).groupby(table["sentence"]).mean()
    error = 100 * by_sentence.std() / np.sqrt(len(by_sentence))
    assert part.interval is not None
    assert (part.interval.high - part.interval.low) / (2 * 1.96) == pytest.approx(error, rel=0.1)


@pytest.mark.parametrize(
    ("n", "lower", "upper"), [(12, range(1, 7), range(7, 13)), (3, [1], [2, 3]), (2, [1], [2])]
)
def test_halves(n: int, lower: list[int], upper: list[int]) -> None:
    found = halves(n)
    for weights, members in zip(found, (lower, upper), strict=True):
        assert np.flatnonzero(weights).tolist() == list(members)
        assert weights.sum() == pytest.approx(1)
    with pytest.raises(ResultsError, match="no lower and upper half"):
        halves(1)


def test_missing_probes_are_named(registry: Registry) -> None:
    for claim, module in (("C01", layer_contrast), ("C08", transfer), ("C09", families)):
        evidence = module.measure(claim, MadeUpRun(), PROFILE)
        assert evidence.status == "missing"
        assert any("the probe stage has left no" in line for line in evidence.missing)
        assert verdict(registry, evidence) == "not run"


def test_correlations_over_layers() -> None:
    run = probe_run()
    evidence = transfer.measure("C08", run, PROFILE)
    columns = [f"layer_{x}" for x in range(13)]
    semantic = run.probes["retrieval"].groupby("language")[columns].mean().mean().to_numpy()
    for task in ("xnli", "ner", "pawsx", "pos"):
        table = run.probes["transfer"]
        there = table[(table["task"] == task) & (table["language"] != "en")]
        target = there.groupby("layer")["score"].mean().to_numpy()
        part = one(evidence, "correlation_semantic", task)
        assert part.estimate == pytest.approx(pearsonr(semantic, target).statistic)
        assert part.p_value == pytest.approx(1 / 26)
    assert not parts.select(evidence, "correlation_structural", "pos")
    structural = one(evidence, "correlation_structural", "ner")
    assert structural.estimate is not None
    assert structural.estimate < -0.9
    assert structural.p_value is not None
    assert structural.p_value > 0.5


def test_correlation_interval_counts_layers_that_are_worth_one() -> None:
    rng = np.random.default_rng(0)
    rough, other = rng.standard_normal((2, 200))
    found = transfer.correlation_interval(rough, other)
    assert found is not None
    plain = pearsonr(rough, other).confidence_interval()
    assert (found.low, found.high) == pytest.approx((plain.low, plain.high), abs=0.03)
    smooth = np.cumsum(rough)
    wide = transfer.correlation_interval(smooth, np.cumsum(other))
    assert wide is None or wide.high - wide.low > 2 * (found.high - found.low)
    assert transfer.correlation_interval(np.arange(7.0), np.arange(7.0)) is None


def test_as_many_layers_count_as_there_are_and_no_more() -> None:
    """A rising and a turning series have autocorrelations of unlike sign: the formula gives 41 layers."""
    rising, turning = np.arange(13.0), (-1.0) ** np.arange(13) + np.arange(13) / 9
    found = transfer.correlation_interval(rising, turning)
    assert found is not None
    assert found.method == "Fisher z, 13.0 effective layers"
    plain = pearsonr(rising, turning).confidence_interval()
    assert (found.low, found.high) == pytest.approx((plain.low, plain.high))


def at_chance(run: MadeUpRun, *tasks: TaskName) -> None:
    """Let the frozen probe guess on these tasks, a point above or below the commonest label."""
    table = run.probes["transfer"]
    here = table["task"].isin(tasks)
    table.loc[here, "score"] = 50 + np.random.default_rng(0).uniform(-1, 1, here.sum())


def test_targets_at_chance_are_left_out_and_named_with_their_scores() -> None:
    run = probe_run()
    at_chance(run, "xnli", "pawsx")
    table = run.probes["transfer"]
    english = (table["task"] == "xnli") & (table["language"] == "en")
    table.loc[english, "score"] = 90.0
    best = table[(table["task"] == "xnli") & ~english].groupby("layer")["score"].mean()
    evidence = transfer.measure("C08", run, PROFILE)
    for measure, left in (("correlation_semantic", ["ner", "pos"]), ("correlation_structural", ["ner"])):
        measured = [part.task for part in evidence.judged(measure) if part.estimate is not None]
        assert measured == left
    assert len(evidence.missing) == 2, "each once, though two correlations miss it"
    assert (
        f"XNLI is left out, since its frozen probe is at chance at every layer: at best {best.max():.1f} "
        f"(layer {best.idxmax()}); guessing gives 50.0"
    ) in evidence.missing[0]
    assert evidence.missing[1].startswith("PAWS-X is left out")


def test_the_best_of_some_layers_that_guess_exceeds_the_limit_in_one_of_twenty() -> None:
    limit = transfer.best_by_chance(35.6, 1500, 13)
    right = round(limit * 15)
    assert limit == pytest.approx(100 * right / 1500)
    assert binom.cdf(right, 1500, 0.356) ** 13 >= 0.95 > binom.cdf(right - 1, 1500, 0.356) ** 13
    assert transfer.best_by_chance(35.6, 1500, 1) == pytest.approx(100 * binom.ppf(0.95, 1500, 0.356) / 1500)


@pytest.mark.parametrize("task", ["xnli", "pos"])
def test_chance_of_a_table_without_gold_labels_is_that_of_the_sweep(task: TaskName) -> None:
    run = probe_run()
    recorded = run.probes["transfer"].pop("commonest")
    with pytest.raises(ResultsError, match=f"{TASKS[task].title}: no gold labels to tell chance from"):
        transfer.check_above_chance(run, task)
    trials = make_sweep(PROFILE, n=200)
    run.trials, run.items, run.predicted = trials.trials, trials.items, trials.predicted
    items = run.items[task, "test"]
    shares = [
        max(np.mean(items.gold[items.language == code] == k) for k in range(len(TASKS[task].labels)))
        for code in sorted(set(items.language) - {"en"})
    ]
    assert transfer._chance(run, task) == pytest.approx(100 * np.mean(shares))
    run.probes["transfer"]["commonest"] = recorded
    assert transfer._chance(run, task) == 50.0


def test_entities_are_at_chance_only_without_any_and_words_at_the_commonest_tag() -> None:
    run = probe_run()
    table = run.probes["transfer"]
    for task, best in (("ner", 0.1), ("pos", 50.1)):
        table.loc[table["task"] == task, "score"] = best
        transfer.check_above_chance(run, task)  # type: ignore[arg-type]
        table.loc[table["task"] == task, "score"] = best - 0.1
        with pytest.raises(ResultsError, match="at chance at every layer"):
            transfer.check_above_chance(run, task)  # type: ignore[arg-type]


def test_the_smallest_p_of_thirteen_layers_lies_below_the_level() -> None:
    series = np.arange(13.0) ** 2
    assert stats.circular_shift_p(series, series) == pytest.approx(1 / (2 * 13))
    assert LEVEL > 1 / (2 * 13)


def similarity_frame(languages: list[str], kin: float, script: float = 0.0) -> pd.DataFrame:
    """Similarity 0.2, more for one genus (``kin``) and for one script."""
    rows = []
    rng = np.random.default_rng(1)
    for layer in range(4):
        for a, b in combinations(languages, 2):
            first, second = LANGUAGES[a], LANGUAGES[b]
            value = 0.2 + kin * (first.genus == second.genus) + script * (first.script == second.script)
            value += 0.02 * rng.standard_normal()
            rows.append({"layer": layer, "first": a, "second": b, "cosine": value, "cka": 0.5})
    return pd.DataFrame(rows)


def test_kinship_is_found_and_script_is_not_taken_for_it() -> None:
    languages = list(TASKS["ner"].languages)
    run = MadeUpRun()
    run.probes["offsets"] = similarity_frame(languages, kin=0.3, script=0.3)
    evidence = families.measure("C09", run, PROFILE)
    assert one(evidence, "genus_similarity_difference").p_value == pytest.approx(1e-4)
    assert evidence.facts["smallest_p_genus"] == evidence.facts["smallest_p_family"] == pytest.approx(1e-4)
    assert evidence.facts["languages"] == " ".join(languages)
    run.probes["offsets"] = similarity_frame(languages, kin=0.0, script=0.3)
    part = one(families.measure("C09", run, PROFILE), "genus_similarity_difference")
    assert part.estimate == pytest.approx(0, abs=0.02), "what scripts give is taken off"
    assert "beyond the +0." in part.note
    assert part.p_value is not None
    assert part.p_value > 0.05


def test_parallel_languages_stand_beside_and_are_not_judged() -> None:
    """The fifteen languages of XNLI: 420 labellings and 70 groupings by family, so that p is at least 1/70."""
    run = MadeUpRun()
    run.probes["offsets"] = similarity_frame(list(TASKS["ner"].languages), kin=0.0)
    run.probes["similarity"] = similarity_frame(list(TASKS["xnli"].languages), kin=0.3)
    evidence = families.measure("C09", run, PROFILE)
    assert [part.measure for part in evidence.parts if part.judged] == [
        "genus_similarity_difference", "family_similarity_difference",
    ]  # fmt: skip
    for kind, smallest in (("genus", 1 / 210), ("family", 1 / 70)):
        beside = one(evidence, f"{kind}_similarity_difference_of_parallel_languages")
        assert beside.p_value == pytest.approx(smallest)
        assert f"p at least {smallest:.2g}." in beside.note
        assert one(evidence, f"{kind}_cka_difference_of_parallel_languages").unit == "CKA"


def test_languages_without_offsets_are_not_judged_by_others(registry: Registry) -> None:
    run = MadeUpRun()
    run.probes["similarity"] = similarity_frame(list(TASKS["xnli"].languages), kin=0.3)
    evidence = families.measure("C09", run, PROFILE)
    assert verdict(registry, evidence) == "not run"
    assert evidence.missing == ("the probe stage has left no offsets table",)
    assert evidence.facts == {}


def test_difference_of_kin_by_hand() -> None:
    languages = ["en", "de", "es", "fr", "ru"]
    frame = similarity_frame(languages, kin=0.3)
    matrix = families.similarity_matrix(frame, "cosine", languages)
    genus = np.array([0, 0, 1, 1, 2])
    above = frame[frame["layer"] > 0].groupby(["first", "second"])["cosine"].mean()
    same = [above[pair] for pair in (("en", "de"), ("es", "fr"))]
    others = [value for pair, value in above.items() if pair not in (("en", "de"), ("es", "fr"))]
    assert families.same_label_difference(matrix, genus) == pytest.approx(np.mean(same) - np.mean(others))


@st.composite
def labelled(draw: st.DrawFn) -> tuple[Array, Array, Array]:
    """Similarities (L, L) of 3 to 6 languages, their labels, and strata; some pairs of one label, some not."""
    n = draw(st.integers(3, 6))
    numbers = st.lists(st.integers(0, 3), min_size=n, max_size=n)
    labels = draw(numbers.filter(lambda names: 1 < len(set(names)) < n))
    values = draw(st.lists(st.sampled_from([-0.5, 0.0, 0.1, 0.25, 0.7]), min_size=n * n, max_size=n * n))
    matrix = np.triu(np.reshape(values, (n, n)), 1)
    return matrix + matrix.T, np.array(labels), np.array(draw(numbers))


def by_brute_force(matrix: Array, labels: Array, strata: Array) -> tuple[float, float, int, int]:
    """p, the smallest p, labellings and groupings, from every order of all languages that keeps to strata."""
    differences: dict[tuple[int, ...], float] = {}
    groupings = set()
    for order in permutations(range(len(labels))):
        if any(strata[a] != strata[b] for a, b in enumerate(order)):
            continue
        names = tuple(int(labels[place]) for place in order)
        kin, others = [], []
        for i, j in combinations(range(len(names)), 2):
            (kin if names[i] == names[j] else others).append(matrix[i, j])
        differences[names] = float(np.mean(kin) - np.mean(others))
        groupings.add(frozenset(frozenset(np.flatnonzero(np.array(names) == k).tolist()) for k in set(names)))
    found = np.array(list(differences.values()))
    p, smallest = (
        float(np.mean(found > value - 1e-9)) for value in (differences[tuple(labels.tolist())], found.max())
    )
    return p, smallest, len(differences), len(groupings)


@given(labelled())
def test_p_of_kinship_is_exact_where_labellings_are_few(drawn: tuple[Array, Array, Array]) -> None:
    matrix, labels, strata = drawn
    test = families.permutation_test(matrix, labels, strata, np.random.default_rng(0))
    p, smallest, n_labellings, n_groupings = by_brute_force(matrix, labels, strata)
    assert (test.p_value, test.smallest_p) == pytest.approx((p, smallest))
    assert len(test.null) == families.n_labellings(labels, strata) == n_labellings
    assert families.n_groupings(labels, strata) == n_groupings
    assert smallest >= 1 / n_groupings - 1e-12


@given(labelled(), st.integers(0, 99))
def test_p_of_kinship_is_never_below_its_smallest_value(drawn: tuple[Array, Array, Array], seed: int) -> None:
    """Not by chance either: with 19 draws all may miss the largest difference that few groupings repeat."""
    with pytest.MonkeyPatch.context() as patch:
        for most in (0, families.MAX_LABELLINGS):
            patch.setattr(families, "MAX_LABELLINGS", most)
            patch.setattr(families, "N_PERMUTATIONS", 19)
            test = families.permutation_test(*drawn, np.random.default_rng(seed))
            assert test.smallest_p <= test.p_value <= 1
            assert test.smallest_p >= 1 / families.n_groupings(*drawn[1:]) - 1e-12


def test_a_language_alone_has_no_kin(registry: Registry) -> None:
    run = MadeUpRun()
    run.probes["offsets"] = similarity_frame(["de"], kin=0.1).reindex(
        columns=["layer", "first", "second", "cosine"]
    )
    assert verdict(registry, families.measure("C09", run, PROFILE)) == "not run"


def test_labellings_and_groupings_of_the_languages_of_xnli() -> None:
    languages = sorted(TASKS["xnli"].languages)
    family, genus, script = (families._numbers(languages, kind) for kind in ("family", "genus", "script"))
    assert (families.n_labellings(family, script), families.n_groupings(family, script)) == (420, 70)
    assert (families.n_labellings(genus, script), families.n_groupings(genus, script)) == (2520, 210)
    rows = families.all_labellings(genus, script)
    assert len(np.unique(rows, axis=0)) == len(rows) == 2520
    drawn = families.permuted_within(genus, script, 1000, np.random.default_rng(0))
    assert {tuple(row) for row in drawn.tolist()} <= {tuple(row) for row in rows.tolist()}


def test_labels_are_permuted_within_their_script_only() -> None:
    labels, strata = np.arange(6), np.array([0, 0, 0, 1, 1, 2])
    permuted = families.permuted_within(labels, strata, 500, np.random.default_rng(0))
    assert {tuple(row[:3]) for row in permuted.tolist()} == set(permutations((0, 1, 2)))
    assert {tuple(row[3:5]) for row in permuted.tolist()} == {(3, 4), (4, 3)}
    assert set(permuted[:, 5].tolist()) == {5}


def test_languages_of_one_family_only_have_no_difference() -> None:
    run = MadeUpRun()
    run.probes["offsets"] = similarity_frame(["en", "de", "es"], kin=0.1)
    evidence = families.measure("C09", run, PROFILE)
    assert one(evidence, "genus_similarity_difference").estimate is not None
    assert "all pairs or none are of one family" in one(evidence, "family_similarity_difference").note
    assert evidence.facts == {"languages": "de en es", "smallest_p_genus": 1 / 3}


# Calibration


def arms_run(profile: Profile, sharper: float, n: int = 400, seeds: tuple[int, ...] = (0, 1, 2)) -> MadeUpRun:
    """Two labels of known probability; the English-only arm's logits are ``sharper`` times too large."""
    rng = np.random.default_rng(6)
    run = MadeUpRun()
    for task in profile.intermediate.targets:
        for split, languages in (("dev", ("en",)), ("test", ("en", "de", "zh"))):
            items = make_items("pawsx", n, languages, rng)
            logit = rng.normal(1.5, 1.0, len(items.gold))
            run.items[task, split] = items
            for arm in ("none", "english", "multilingual"):
                for seed in seeds:
                    record = make_record(task, "baseline", seed, "intermediate", arm)
                    noisy = logit + 0.3 * rng.standard_normal(len(logit))
                    right = rng.random(len(logit)) < 1 / (1 + np.exp(-logit))
                    chosen = np.where(right, items.gold, 1 - items.gold)
                    scale = sharper if arm == "english" else 1.0
                    logits = np.zeros((len(logit), 2))
                    logits[np.arange(len(logit)), chosen] = noisy * scale
                    run.predicted[record.key, split] = logits.argmax(axis=1).astype(np.int8)
                    run.logits[record.key, split] = logits - logits.max(axis=1, keepdims=True)
                    if split == "test":
                        run.trials.append(record)
    return run


TARGETED = make_profile(tasks=["pawsx"], targets=["pawsx"])


def test_an_arm_that_stayed_at_chance_is_missing() -> None:
    run = arms_run(TARGETED, sharper=1.0)
    key = "intermediate-pawsx-baseline-english-0"
    gold = run.items["pawsx", "dev"].gold
    run.predicted[key, "dev"] = np.full_like(gold, np.bincount(gold).argmax())
    evidence = calibration.measure("Q01", run, TARGETED)
    line = "PAWS-X: baseline after english intermediate training stayed at chance with seed 0: "
    assert any(found.startswith(line) for found in evidence.missing)
    assert key not in evidence.trials
    judged = evidence.judged("ece_multilingual_minus_english")
    assert [part.n_seeds for part in judged] == [2]


def test_an_overconfident_arm_is_found(registry: Registry) -> None:
    run = arms_run(TARGETED, sharper=4.0)
    evidence = calibration.measure("Q01", run, TARGETED)
    part = one(evidence, "ece_multilingual_minus_english")
    by_seed = [
        np.mean([language_ece(run, arm, seed, code) for code in ("de", "zh")])
        for seed in range(3)
        for arm in ("multilingual", "english")
    ]
    changes = np.array(by_seed).reshape(3, 2)
    assert part.estimate == pytest.approx((changes[:, 0] - changes[:, 1]).mean())
    bare = ttest_rel(changes[:, 0], changes[:, 1]).confidence_interval()
    assert part.interval is not None
    assert part.interval.low < bare.low or part.interval.high < 0
    assert verdict(registry, evidence, TARGETED) == "improves"
    assert one(evidence, "ece_multilingual_minus_english", "pawsx", language=None).judged is False
    level = one(evidence, "ece", "pawsx", model="english").estimate
    scaled = one(evidence, "ece_scaled", "pawsx", model="english").estimate
    assert level == pytest.approx(changes[:, 1].mean())
    assert scaled is not None
    assert level is not None
    assert scaled < level / 2


def top_label_ece(logits: Array, gold: Array) -> float:
    """The primary measure, of confidences as two bytes hold them."""
    probability = softmax(logits)
    right = (probability.argmax(axis=1) == gold).astype(float)
    return ece10_equal_mass_debiased_v1(np.round(probability.max(axis=1) * 65535) / 65535, right)


def language_ece(run: MadeUpRun, arm: str, seed: int, code: str) -> float:
    key = f"intermediate-pawsx-baseline-{arm}-{seed}"
    items = run.items["pawsx", "test"]
    here = items.language == code
    return top_label_ece(run.logits[key, "test"][here], items.gold[here])


def test_arms_that_are_alike_show_no_difference(registry: Registry) -> None:
    evidence = calibration.measure("Q01", arms_run(TARGETED, sharper=1.0), TARGETED)
    assert verdict(registry, evidence, TARGETED) in ("practically none", "undecided")
    accuracy = one(evidence, "accuracy", "pawsx", model="none").estimate
    assert accuracy is not None
    assert 60 < accuracy < 95


def test_rows_without_kept_scores_are_left_out() -> None:
    run = arms_run(TARGETED, sharper=1.0)
    key = "intermediate-pawsx-baseline-english-0"
    table = run.table([trial for trial in run.trials if trial.key == key], "test")
    logits = run.logits[key, "test"].copy()
    logits[(table.item == "i0") | (table.item == "i7")] = np.nan
    run.logits[key, "test"] = logits
    from crosslayer.paper.calibrated import calibrate

    found = calibrate(run, table.records[0], False)
    assert found.n_items == 2 * 398
    assert found.languages == ("de", "zh")


def test_measures_beside_the_primary_one() -> None:
    """Every measure has a level by arm; what came second and what is exploratory is labelled so."""
    run = arms_run(TARGETED, sharper=4.0)
    evidence = calibration.measure("Q01", run, TARGETED)
    for name, about in MEASURES.items():
        if name == "ece_spans":
            continue
        level = one(evidence, name, "pawsx", model="english", language=None)
        assert level.unit == about.unit
        expected = {"second": "Secondary.", "exploratory": "Exploratory."}.get(about.role, "")
        assert level.note == expected
    values = {
        name: one(evidence, name, "pawsx", model="english", language=None).estimate or 0.0 for name in MEASURES
        if name != "ece_spans"
    }  # fmt: skip
    assert values["confidence"] > values["accuracy"] + 5, "the arm was made too sure"
    assert max(values[name] for name in ("ece_scaled", "ece_vector_scaled", "ece_isotonic")) < values["ece"] / 2
    assert values["nll_scaled"] < values["nll"]
    assert 0 < values["aurc"] < 100 - values["accuracy"]
    rows = [run.items["pawsx", "test"].language == code for code in ("de", "zh")]
    gold = run.items["pawsx", "test"].gold
    shares = [gold[here].mean() for here in rows]
    assert values["brier_uncertainty"] == pytest.approx(np.mean([2 * f * (1 - f) for f in shares]))
    right = []
    for key in (f"intermediate-pawsx-baseline-english-{seed}" for seed in range(3)):
        scaled = fit_vector_scaling(run.logits[key, "dev"], run.items["pawsx", "dev"].gold)(
            run.logits[key, "test"]
        )
        right += [(scaled.argmax(axis=1) == gold)[here].mean() for here in rows]
    assert values["accuracy_vector_scaled"] == pytest.approx(100 * np.mean(right))
    assert not any(part.judged for part in evidence.parts if part.measure != "ece_multilingual_minus_english")


def made_target(task: TaskName, changes: dict[int, float]) -> calibration.Target:
    """A target whose error changes by so many points at each seed, in every language and measure."""
    trials = {}
    for seed, change in changes.items():
        for arm, level in (("english", 10.0), ("multilingual", 10.0 + change)):
            by_language = {name: np.full(2, level) for name in MEASURES if name != "ece_spans"}
            trials[arm, seed] = Calibrated(("de", "zh"), by_language, np.full(300, level), 50, (40, 60), (40, 60))
    return calibration.Target(task, trials)


def test_a_target_with_too_few_seeds_does_not_undo_the_others(
    registry: Registry, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = [made_target(task, {0: -3.0, 1: -3.1, 2: -2.9}) for task in ("xnli", "ner", "pos")]
    few = made_target("pawsx", {0: 5.0, 3: 5.0})
    profile = make_profile(tasks=["pawsx"], targets=["pawsx"])
    monkeypatch.setattr(calibration, "model_parts", lambda run, profile: ([], []))

    def measured(targets: list[calibration.Target]) -> Evidence:
        monkeypatch.setattr(calibration, "load_targets", lambda run, profile: (targets, [], []))
        return calibration.measure("Q01", MadeUpRun(), profile)

    evidence = measured([*whole, few])
    judged = one(evidence, "ece_multilingual_minus_english", language=None, judged=True)
    assert (judged.estimate, judged.n_seeds, judged.n_items) == (pytest.approx(-3), 3, 150)
    assert "over XNLI, NER, POS;" in judged.note
    assert "PAWS-X: both arms at 2 of 3 seeds" in evidence.missing
    assert one(
        evidence, "accuracy_multilingual_minus_english", language=None, task=None
    ).estimate == pytest.approx(-3)
    assert one(evidence, "ece_multilingual_minus_english", "pawsx", language=None).estimate == pytest.approx(5)
    assert (
        one(evidence, "ece_multilingual_minus_english", "pawsx", language=None).note
        == "40 to 60 pairs in each language."
    )
    found = decide(registry.entry("Q01"), evidence, PROFILE, PLUGIN)
    assert found.verdict == "improves"
    assert ", PAWS-X " in found.because
    assert "+5.00 not counted; beside it" in found.because
    assert found.because.count("not counted") == 1
    shown = [
        part for part in evidence.parts if part.measure == "ece_multilingual_minus_english" and not part.language
    ]
    assert calibration._pooled_in(shown) == "mean of XNLI, NER, POS"
    assert calibration._pooled_in(shown[:-2]) == "all targets"
    assert verdict(registry, measured([few])) == "inconclusive"
    assert "not counted" not in decide(registry.entry("Q01"), measured([few]), PROFILE, PLUGIN).because
    more = made_target("pawsx", {3: -2.9, 4: -3.0, 5: -3.1, 6: -5.0})
    assert verdict(registry, measured([*whole, more])) == "improves", "its seeds are no others' seeds"
    judged = one(measured([*whole, more]), "ece_multilingual_minus_english", language=None, judged=True)
    assert (judged.estimate, judged.n_seeds) == (pytest.approx((-3 - 3 - 3 - 3.5) / 4), 3)


def test_targets_are_not_paired_by_seed() -> None:
    """Seeds of different targets share no random numbers: a relabelling within one target changes nothing."""
    values = [(-1.0, 0.5, 1.5), (2.0, -1.0, 0.3), (0.1, 0.9, -0.4)]
    intervals = {
        calibration.overall(
            [
                made_target(task, dict(enumerate(found)))
                for task, found in zip(("xnli", "ner", "pos"), (values[0], order, values[2]), strict=True)
            ]
        ).interval
        for order in permutations(values[1])
    }
    low, high = ({round(getattr(found, end), 9) for found in intervals if found} for end in ("low", "high"))
    assert len(low) == len(high) == 1
    means, variances = np.mean(values, axis=1), np.var(values, axis=1, ddof=1) / 3
    error = np.sqrt(variances.sum()) / 3
    df = variances.sum() ** 2 / (variances**2 / 2).sum()
    half = student.ppf(0.975, df) * error
    assert (low.pop(), high.pop()) == pytest.approx((means.mean() - half, means.mean() + half))


def test_a_target_misses_the_seeds_of_its_own_plan() -> None:
    settings = {"targets": ["pawsx"], "by_target": {"pawsx": {"seeds": [0, 1, 2, 5]}}}
    profile = TARGETED.model_copy(update={"intermediate": IntermediateSpec.model_validate(settings)})
    missing = calibration.measure("Q01", arms_run(TARGETED, sharper=1.0), profile).missing
    arms = ("none", "english", "multilingual")
    assert [line for line in missing if "seed 5" in line] == [
        f"PAWS-X: baseline after {arm} intermediate training has not run with seed 5" for arm in arms
    ]


def test_phases_that_differ_are_named_beside_their_target(monkeypatch: pytest.MonkeyPatch) -> None:
    targets = [made_target(task, {0: -3.0, 1: -3.1, 2: -2.9}) for task in ("pawsx", "pos")]
    monkeypatch.setattr(calibration, "load_targets", lambda run, profile: (targets, [], []))
    monkeypatch.setattr(calibration, "model_parts", lambda run, profile: ([], []))

    def notes(**phase: Any) -> list[str]:
        settings = {"targets": ["pawsx", "pos"], "epochs": 3, "by_target": {"pawsx": phase}}
        profile = make_profile(tasks=["pawsx", "pos"])
        profile = profile.model_copy(update={"intermediate": IntermediateSpec.model_validate(settings)})
        evidence = calibration.measure("Q01", MadeUpRun(), profile)
        return [one(evidence, "ece_multilingual_minus_english", t, language=None).note for t in ("pawsx", "pos")]

    assert notes() == ["40 to 60 pairs in each language.", "40 to 60 words in each language."]
    assert notes(learning_rate=1e-5) == [
        "40 to 60 pairs in each language, after 3 epochs at a learning rate of 1e-05.",
        "40 to 60 words in each language, after 3 epochs at a learning rate of 0.0001.",
    ]


def test_accuracy_stands_beside_the_answer_of_one_target_too(registry: Registry) -> None:
    evidence = calibration.measure("Q01", arms_run(TARGETED, sharper=4.0), TARGETED)
    overall, own = (
        one(evidence, "accuracy_multilingual_minus_english", task=task, language=None) for task in (None, "pawsx")
    )
    assert overall.estimate == own.estimate
    because = decide(registry.entry("Q01"), evidence, TARGETED, PLUGIN).because
    assert "beside it, accuracy" in because


def test_pictures_show_the_seeds_that_both_arms_have() -> None:
    run = arms_run(TARGETED, sharper=1.0)
    kept = [t for t in run.trials if (t.arm, t.seed) != ("multilingual", 1)]
    assert {(t.arm, t.seed) for t in calibration._paired(kept)} == {
        (arm, seed) for arm in ("none", "english", "multilingual") for seed in (0, 2)
    }
    alone = [t for t in run.trials if t.arm != "english"]
    assert calibration._paired(alone) == alone


def test_distance_from_english_is_in_steps_up_the_tree() -> None:
    assert [calibration.steps_from_english(code) for code in ("de", "af", "fr", "hi", "tr", "zh")] == [
        1, 1, 2, 2, 3, 3
    ]  # fmt: skip
    run = arms_run(TARGETED, sharper=4.0)
    evidence = calibration.measure("Q01", run, TARGETED)
    by_seed = [language_ece(run, "english", s, "zh") - language_ece(run, "english", s, "de") for s in range(3)]
    found = one(evidence, "ece_per_step_from_english", "pawsx", model="english").estimate
    assert found == pytest.approx(np.mean(by_seed) / 2), "two steps from German to Chinese"
    change = {
        family: one(evidence, "ece_change_in_family", "pawsx", model=family).estimate
        for family in ("Indo-European", "Sino-Tibetan")
    }
    overall = one(evidence, "ece_multilingual_minus_english", "pawsx", language=None).estimate
    assert np.mean(list(change.values())) == pytest.approx(overall)
    accuracy = one(evidence, "accuracy_multilingual_minus_english", "pawsx", language=None).estimate
    for measure, key in (
        ("accuracy_change_in_family", "model"),
        ("accuracy_multilingual_minus_english", "language"),
    ):
        parts = [
            p.estimate for p in evidence.parts if p.measure == measure and getattr(p, key) and p.task == "pawsx"
        ]
        assert len(parts) == 2
        assert np.mean(parts) == pytest.approx(accuracy)


def test_spans_of_ner_have_an_error_of_their_own() -> None:
    profile = make_profile(tasks=["ner"], targets=["ner"])
    run = arms_run(profile, sharper=1.0, n=30)
    evidence = calibration.measure("Q01", run, profile)
    part = one(evidence, "ece_spans", "ner", model="english")
    assert part.estimate is not None
    assert 0 <= part.estimate <= 100


def test_models_that_predict_no_span_have_no_error_of_spans() -> None:
    outside = TASKS["ner"].labels.index("O")
    profile = make_profile(tasks=["ner"], targets=["ner"], layers=(2,), controls=())
    run = arms_run(profile, sharper=1.0, n=30)
    sweep = make_sweep(profile, n=30)
    run.trials += sweep.trials
    run.items |= {("ner", split): sweep.items["ner", split] for split in ("dev", "test")}
    for trial in run.trials:
        for split in ("dev", "test"):
            n = len(run.items["ner", split].gold)
            logits = np.full((n, len(TASKS["ner"].labels)), -3.0)
            logits[:, outside] = 0.0
            if trial.arm == "none" and trial.stage == "intermediate":
                logits[: n // 2, 1 - outside] = 1.0
            run.predicted[trial.key, split] = logits.argmax(axis=1).astype(np.int8)
            run.logits[trial.key, split] = logits - logits.max(axis=1, keepdims=True)
    evidence = calibration.measure("Q01", run, profile)
    spans = {part.measure: part.model for part in evidence.parts if part.measure.startswith("ece_spans")}
    assert spans == {"ece_spans": "none"}
    assert one(evidence, "ece_model_minus_baseline", "ner", language=None).estimate == pytest.approx(0)
    assert one(evidence, "ece_multilingual_minus_english", "ner", language=None).estimate == pytest.approx(0)


def test_fusion_and_smoothing_beside_the_arms() -> None:
    """The layer that dev chose and the smoothed baseline against the baseline of the same seed."""
    smoothed = "baseline_smoothed_0.1"
    profile = make_profile(tasks=["pawsx"], layers=(2, 8), controls=())
    run = make_sweep(profile, {("pawsx", "layer_8"): 6.0}, n=200, models=[smoothed])
    for record in run.trials:
        sure = 4.0 if record.model == smoothed else 1.5
        for split in ("dev", "test"):
            chosen = run.predicted[record.key, split]
            run.logits[record.key, split] = -sure * (np.arange(2) != chosen[:, None])
    evidence = calibration.measure("Q01", run, profile)
    assert evidence.status == "missing"
    of_accuracy = [part for part in evidence.parts if part.measure == "accuracy_model_minus_baseline"]
    found = {part.model: part for part in of_accuracy if part.language is None}
    assert set(found) == {"layer_8", smoothed}
    assert (found["layer_8"].estimate or 0) > 3
    for model in found:
        part = one(evidence, "ece_model_minus_baseline", "pawsx", model=model, language=None)
        changes = {
            code: [
                sweep_ece(run, model, seed, code) - sweep_ece(run, "baseline", seed, code)
                for seed in profile.sweep.seeds
            ]
            for code in ("de", "es", "zh")
        }
        assert part.estimate == pytest.approx(np.mean(list(changes.values())))
        assert part.n_seeds == len(profile.sweep.seeds)
        by_seed = stats.seed_gain(np.mean(list(changes.values()), axis=0))
        assert part.estimate == pytest.approx(by_seed.estimate)
        assert part.interval != parts.interval(by_seed.interval), "the variance of the items counts too"
        for code, change in changes.items():
            here = one(evidence, "ece_model_minus_baseline", "pawsx", model=model, language=code)
            assert here.estimate == pytest.approx(np.mean(change))
            assert one(evidence, "accuracy_model_minus_baseline", "pawsx", model=model, language=code).n_seeds == 3
        shown = {p.measure for p in evidence.parts if p.model == model and not p.note.startswith("Exploratory")}
        assert not shown, "another question than the one that is answered"
    assert {f"sweep-pawsx-layer_8-none-{seed}" for seed in profile.sweep.seeds} < set(evidence.trials)
    assert not any("layer_2" in key for key in evidence.trials)


def test_the_compared_layer_is_chosen_by_the_dev_predictions() -> None:
    """The score that was recorded while training may differ from theirs, and does not choose."""
    profile = make_profile(tasks=["pawsx"], layers=(2, 8), controls=())
    run = make_sweep(profile, {("pawsx", "layer_8"): 6.0}, n=200)
    run.trials = [t.model_copy(update={"dev_score": 99.0 if t.layer == 2 else 50.0}) for t in run.trials]
    for place, predicted in run.predicted.items():
        run.logits[place] = -1.5 * (np.arange(2) != predicted[:, None])
    evidence = calibration.measure("Q01", run, profile)
    compared = {part.model for part in evidence.parts if part.measure == "ece_model_minus_baseline"}
    assert compared == {"layer_8"}


def sweep_ece(run: MadeUpRun, model: str, seed: int, code: str) -> float:
    key = f"sweep-pawsx-{model}-none-{seed}"
    items = run.items["pawsx", "test"]
    here = items.language == code
    return top_label_ece(run.logits[key, "test"][here], items.gold[here])


def test_at_most_twenty_languages_are_drawn() -> None:
    names = [f"l{i}" for i in range(33)]
    errors = list(np.random.default_rng(0).permutation(33).astype(float))
    shown = shown_languages(names, errors)
    ranks = [errors[names.index(name)] for name in shown]
    assert len(shown) == 20
    assert ranks == sorted(ranks)
    assert (ranks[0], ranks[-1]) == (0, 32)
    assert shown_languages(["b", "a"], [2.0, 1.0]) == ["a", "b"]


def test_trials_without_scores_are_named() -> None:
    run = arms_run(TARGETED, sharper=1.0)
    run.logits.clear()
    run.end("nan_loss", arm="none", seed=0)
    evidence = calibration.measure("Q01", run, TARGETED)
    assert evidence.status == "missing"
    assert "PAWS-X: baseline after none intermediate training ended with a loss that is no number with seed 0" in (
        evidence.missing
    )
    assert any("no scores were kept of trial" in line for line in evidence.missing)
    assert "XNLI is no intermediate target of the profile made-up" in evidence.missing


def test_resampled_ece_has_the_spread_of_repeated_samples() -> None:
    """The bootstrap's standard error of the mean over languages against that over 60 new test sets."""
    from crosslayer.paper.calibrated import calibrate

    found = []
    for draw in range(60):
        run = arms_run_of_one(np.random.default_rng(draw))
        found.append(calibrate(run, run.trials[0], False))
    spread = np.std([one_.by_language["ece"].mean() for one_ in found], ddof=1)
    bootstrap = np.mean([one_.resampled.std(ddof=1) for one_ in found])
    assert bootstrap == pytest.approx(spread, rel=0.35)


def arms_run_of_one(rng: np.random.Generator) -> MadeUpRun:
    run = MadeUpRun()
    record = make_record("pawsx", "baseline", 0, "intermediate", "english")
    run.trials = [record]
    for split, languages in (("dev", ("en",)), ("test", ("en", "de"))):
        items = make_items("pawsx", 300, languages, rng)
        run.items["pawsx", split] = items
        logit = rng.normal(1.0, 1.0, len(items.gold))
        right = rng.random(len(logit)) < 1 / (1 + np.exp(-logit))
        logits = np.zeros((len(logit), 2))
        logits[np.arange(len(logit)), np.where(right, items.gold, 1 - items.gold)] = 2 * logit
        run.logits[record.key, split] = logits
        run.predicted[record.key, split] = logits.argmax(axis=1).astype(np.int8)
    return run


# Structure, tables, figures, the paper's numbers


def test_structural_checks(registry: Registry) -> None:
    run = MadeUpRun(checks={"C17": [{"name": "branches", "passed": False, "expected": 2, "found": 3}]})
    evidence = structure.measure("C17", run, PROFILE)
    assert (evidence.checks[0].expected, evidence.checks[0].found) == ("2", "3")
    profile = PROFILE.model_copy(update={"claims": ["C15", "C17"]})
    assert verdict(registry, evidence, profile) == "not reproduced"
    assert list(show.checks(evidence).loc["branches"]) == ["no", "2", "3"]
    assert verdict(registry, structure.measure("C15", run, profile), profile) == "not run"


def test_a_picture_is_shortened_in_its_tags_alone() -> None:
    from crosslayer.paper import plots

    svg = (
        '<g id="a">\n  <path d="M 0.123456 7 \nL 8.5 9.999" style="stroke: #000000"/>\n  <g>\n'
        '    <text x="1.2345" transform="rotate(-0 1.2 3.4)"> 0.12345 of it <tspan>&gt; 1.005</tspan></text>\n'
        "  </g>\n</g>"
    )
    assert plots.shortened(svg) == (
        '<g id="a">\n<path d="M 0.12 7 \nL 8.5 9.99" style="stroke: #000000"/>\n<g>\n'
        '<text x="1.23"> 0.12345 of it <tspan>&gt; 1.005</tspan></text>\n</g>\n</g>'
    )


def test_evidence_is_kept_without_defaults_and_read_whole(tmp_path: Path) -> None:
    parts = (
        Measurement(measure="gain", estimate=None, unit="points", judged=True),
        Measurement(
            measure="gain",
            estimate=0.0,
            unit="points",
            layer=0,
            interval=Interval(low=-1, high=1, level=0.9, method="t"),
        ),
    )
    evidence = Evidence(claim="C05", profile="p", metric="m_v1", status="measured", headline=0, parts=parts)
    path = write_evidence(evidence, tmp_path)
    assert read_evidence(path) == evidence
    assert json.loads(path.read_text(encoding="utf-8")) == {
        "schema_version": 1, "claim": "C05", "profile": "p", "metric": "m_v1", "status": "measured", "headline": 0,
        "parts": [
            {"measure": "gain", "estimate": None, "unit": "points", "judged": True},
            {"measure": "gain", "estimate": 0.0, "unit": "points", "layer": 0,
             "interval": {"low": -1.0, "high": 1.0, "level": 0.9, "method": "t"}},
        ],
    }  # fmt: skip


def test_figures_name_one_font_and_turn_only_what_is_turned(tmp_path: Path) -> None:
    """What matplotlib writes beyond that is a third of a figure, and recorded runs keep their figures."""
    from crosslayer.paper import plots

    with plots.picture(tmp_path, "a.svg", "a title", height=2) as (axes,):
        plots.heat(axes, np.ones((2, 2)), ["a", "b"], ["c", "d"])
        axes.set_ylabel("turned")
    drawn = (tmp_path / "a.svg").read_text(encoding="utf-8")
    assert drawn.count("<text") == 9
    assert drawn.count("rotate(") == 1
    assert "Arial" not in drawn


def test_metrics_are_those_of_the_registry(registry: Registry) -> None:
    found = {claim: entry.metric for claim, entry in registry.entries.items() if entry.notebook != "structure"}
    assert found == parts.METRICS
    assert {e.metric for e in registry.entries.values() if e.notebook == "structure"} == {parts.STRUCTURAL}


def test_every_notebook_of_the_registry_has_its_analysis(registry: Registry) -> None:
    for entry in registry.entries.values():
        module = importlib.import_module(f"crosslayer.paper.{entry.notebook}")
        assert callable(module.measure)
        assert callable(module.figures)
        assert (ROOT / "notebooks" / f"{entry.notebook}.py").exists()


def test_the_papers_numbers() -> None:
    """Means over 11 layers and best layers as stated in the paper's discussion of its own table."""
    means = {task: float(np.mean(list(paper.layer_gains(task).values()))) for task in TASK_NAMES}
    assert means == pytest.approx({"xnli": 0.91, "pawsx": 1.42, "ner": 0.03, "pos": 1.10}, abs=0.006)
    best = {task: (paper.best_layer(task), max(paper.layer_gains(task).values())) for task in TASK_NAMES}
    assert best == {"xnli": (11, 1.51), "pawsx": (6, 2.43), "ner": (8, 1.17), "pos": (10, 1.53)}
    assert sum(gain > 0 for gain in paper.layer_gains("ner").values()) == 6
    assert paper.accuracy_gap("xnli") == {11: 12.03, 8: 11.77}
    assert paper.similarity("pawsx") == {10: 0.8548, 6: 0.9461}


@pytest.fixture(scope="module")
def all_evidence(planted: MadeUpRun) -> dict[str, tuple[Evidence, MadeUpRun]]:
    probes = probe_run()
    probes.probes["similarity"] = similarity_frame(list(TASKS["xnli"].languages), kin=0.2)
    probes.probes["offsets"] = similarity_frame(list(TASKS["ner"].languages), kin=0.2)
    arms = arms_run(TARGETED, sharper=2.0, n=100)
    apart = half_run(PROFILE, apart=0.3)
    return {
        "C01": (layer_contrast.measure("C01", probes, PROFILE), probes),
        "C02": (complementarity.measure("C02", planted, PROFILE), planted),
        "C03": (equilibrium_evidence(planted, PROFILE), planted),
        "C05": (gains.measure("C05", planted, PROFILE), planted),
        "C06": (gains.measure("C06", planted, PROFILE), planted),
        "C07": (best_layers.measure("C07", planted, PROFILE), planted),
        "C08": (transfer.measure("C08", probes, PROFILE), probes),
        "C09": (families.measure("C09", probes, PROFILE), probes),
        "C13": (attention.measure("C13", apart, PROFILE), apart),
        "Q01": (calibration.measure("Q01", arms, TARGETED), arms),
    }


@pytest.mark.parametrize("claim", sorted(parts.METRICS))
def test_figures_are_readable(
    all_evidence: dict[str, tuple[Evidence, MadeUpRun]], registry: Registry, claim: str, tmp_path: Path
) -> None:
    evidence, run = all_evidence[claim]
    draw = importlib.import_module(f"crosslayer.paper.{registry.entry(claim).notebook}").figures
    names = draw(evidence, run, PROFILE, tmp_path)
    assert names
    for name in names:
        picture = ET.fromstring((tmp_path / name).read_bytes())
        words = {element.text for element in picture.iter() if element.tag.endswith("}text")}
        assert any(
            word and any(unit in word for unit in ("points", "cosine", "layer", "weights", "accuracy", "%"))
            for word in words
        )
        assert picture.find("{http://www.w3.org/2000/svg}title") is not None
    if claim == "C05":
        text = (tmp_path / "gain_by_layer.svg").read_text(encoding="utf-8")
        assert "paper (mBERT)" in text
        assert 3 * 11 <= text.lower().count("#d55e00") < 4 * 11, "the paper scores POS by another metric"
    assert draw(make_missing(evidence), run, PROFILE, tmp_path) == ()


def test_equal_evidence_gives_equal_pictures(
    all_evidence: dict[str, tuple[Evidence, MadeUpRun]], tmp_path: Path
) -> None:
    evidence, run = all_evidence["C06"]
    drawn = []
    for name in ("first", "second"):
        (tmp_path / name).mkdir()
        (figure,) = gains.figures(evidence, run, PROFILE, tmp_path / name)
        drawn.append((tmp_path / name / figure).read_bytes())
    assert drawn[0] == drawn[1]
    assert b"dc:date" not in drawn[0]


def make_missing(evidence: Evidence) -> Evidence:
    return evidence.model_copy(update={"status": "missing", "parts": (), "headline": None})


def test_tables_show_every_part_once(all_evidence: dict[str, tuple[Evidence, MadeUpRun]]) -> None:
    for evidence, _ in all_evidence.values():
        judged, shown = show.judged(evidence), show.shown(evidence)
        by_language = [part for part in evidence.parts if part.language]
        assert len(judged) + len(shown) + len(by_language) == len(evidence.parts)
        assert not judged.isna().to_numpy().any()
    table = show.judged(all_evidence["C05"][0])
    assert table.loc[0, "task"] == "xnli"
    assert table.loc[0, "seeds"] == 3
    summary = show.summary(all_evidence["C05"][0])
    assert summary.loc["trials", "value"] == "60"


def test_keep_writes_evidence_that_names_its_figures(
    all_evidence: dict[str, tuple[Evidence, MadeUpRun]], tmp_path: Path
) -> None:
    evidence, run = all_evidence["C06"]
    images = show.keep(evidence, gains.figures, show.Source(run, PROFILE), str(tmp_path / "C06"))
    kept = read_evidence(tmp_path / "C06" / "evidence.json")
    assert kept.figures == ("estimands.svg",)
    assert kept == evidence.model_copy(update={"figures": kept.figures})
    assert len(images) == 1
    assert 'alt="Three gains for each task' in images[0].data


def test_all_numbers_are_json(all_evidence: dict[str, tuple[Evidence, MadeUpRun]]) -> None:
    for evidence, _ in all_evidence.values():
        json.loads(json.dumps(evidence.model_dump(mode="json"), allow_nan=False))


@pytest.mark.parametrize(
    ("chance", "pooled"),
    [(33.0, ("baseline", "layer_1", "self")), (56.0, ("baseline", "layer_1", "layer_2", "self"))],
)
def test_a_layer_that_nearly_collapsed_and_simple_fusions_keep_their_noise_apart(
    chance: float, pooled: tuple[str, ...]
) -> None:
    """Layer 2 keeps 15 of 27 points above a chance of 33; 4 points above chance are too few to tell."""
    models = ("baseline", "layer_1", "layer_2", "self", "gate")
    means = np.array([60.0, 59.0, 48.0, 61.0, 60.0])
    table = means[:, None] + np.array([0.0, 0.3, -0.3])
    assert scores.one_kind(models, table, chance) == pooled
