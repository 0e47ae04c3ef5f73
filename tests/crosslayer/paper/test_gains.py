"""Gains: chosen on English dev, cross-fitted, best on test."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
from scipy.stats import binom
from statsmodels.stats.multitest import multipletests

from analysed import PROFILE, brute_gain, equilibrium_evidence, one, verdict
from claimtrack.registry import Registry
from crosslayer import stats
from crosslayer.config import VariationSpec
from crosslayer.metrics.tagging import xtreme_pos_span_counts_v1
from crosslayer.paper import best_layers, complementarity, gains, paper, parts, scores
from crosslayer.tasks import TASK_NAMES, TASKS
from synthetic_run import MadeUpRun, make_profile, make_sweep


def test_planted_gain_is_recovered(planted: MadeUpRun, registry: Registry) -> None:
    evidence = gains.measure("C05", planted, PROFILE)
    for task in TASK_NAMES:
        part = one(evidence, "dev_selected_gain", task)
        assert part.estimate == pytest.approx(brute_gain(planted, task, "layer_2"), abs=1e-9)
        assert part.interval.low > 0
        if task in ("xnli", "pawsx", "pos"):
            assert part.interval.low < 2.0 < part.interval.high
        assert part.n_seeds == 3
        assert part.note == "Layer chosen among layers 1, 2, 3 only on dev: 2 at every seed."
        layers = [one(evidence, "layer_gain", task, layer=x) for x in (1, 2, 3)]
        assert layers[1].estimate == pytest.approx(part.estimate)
        corrected = multipletests([layer.p_value for layer in layers], method="holm")[1]
        assert [layer.p_adjusted for layer in layers] == pytest.approx(corrected)
        assert one(evidence, "control_gain", task, model="self").p_adjusted is None
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


def test_best_on_test_is_shown_beside_what_it_gives_without_effect(null: MadeUpRun, planted: MadeUpRun) -> None:
    evidence = gains.measure("C06", null, PROFILE)
    for task in TASK_NAMES:
        part = one(evidence, "best_on_test_gain", task)
        brute = [brute_gain(null, task, model) for model in ("layer_1", "layer_2", "layer_3")]
        assert part.estimate == pytest.approx(max(brute))
        assert not part.judged
        assert part.interval is None
        assert part.p_value > 0.05
        chance = one(evidence, "best_on_test_gain_without_effect", task).estimate
        assert 0 < chance < 1
    real = one(gains.measure("C06", planted, PROFILE), "best_on_test_gain", "pos")
    assert real.layer == 2
    assert real.p_value < 0.05


def test_gain_in_a_language_is_that_of_its_rows_alone(planted: MadeUpRun) -> None:
    evidence = gains.measure("C05", planted, PROFILE)
    here = planted.items["pawsx", "test"].language == "zh"
    fused, baseline = (
        100 * np.mean([planted.right("pawsx", model, seed)[here] for seed in range(3)])
        for model in ("layer_2", "baseline")
    )
    part = one(evidence, "dev_selected_gain_in_language", "pawsx", language="zh")
    assert part.estimate == pytest.approx(fused - baseline)
    assert part.n_items == 500


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
        expected = brute_gain(run, "pos", model) - brute_gain(run, "pos", baseline)
        assert part.estimate == pytest.approx(expected)
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


def test_a_gain_tells_what_each_seed_gained_without_the_seed_of_a_collapsed_layer() -> None:
    profile = make_profile(tasks=["pawsx"], seeds=[4, 5, 6, 7])
    run = make_sweep(profile, {("pawsx", "layer_2"): 5.0}, n=300)
    run.end("collapsed", key="sweep-pawsx-layer_1-none-4")
    part = one(gains.measure("C05", run, profile), "dev_selected_gain", "pawsx")
    assert part.by_seed == pytest.approx([brute_gain(run, "pawsx", "layer_2", (seed,)) for seed in (5, 6, 7)])
    for claim, measure in (("C05", "dev_selected_gain"), ("C06", "cross_fitted_gain")):
        part = one(gains.measure(claim, run, profile), measure, "pawsx")
        assert np.mean(part.by_seed) == pytest.approx(part.estimate)


def test_an_empty_run_has_no_gains(registry: Registry) -> None:
    nothing = gains.measure("C05", MadeUpRun(), PROFILE)
    assert (nothing.status, verdict(registry, nothing)) == ("missing", "not run")


def test_the_layers_of_seeds_are_counted() -> None:
    assert parts.layers_of_seeds({3: "layer_6", 4: "layer_4", 5: "layer_6"}) == "6 at 2 seeds, 4 at 1"
    assert parts.layers_of_seeds({3: "layer_6", 4: "layer_4/layer_6"}) == "6 at 1 seed, 4/6 at 1"


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


def test_pos_span_f1_by_the_rule_of_the_literature(planted: MadeUpRun) -> None:
    evidence = gains.measure("C05", planted, PROFILE)
    base, layer, control = (
        np.mean([brute_span_f1(planted, model, seed) for seed in range(3)])
        for model in ("baseline", "layer_2", "self")
    )
    assert one(evidence, f"baseline_score{paper.BY_SPANS}", "pos").estimate == pytest.approx(base)
    gain = one(evidence, f"layer_gain{paper.BY_SPANS}", "pos", layer=2)
    assert gain.estimate == pytest.approx(layer - base)
    assert gain.interval is not None
    assert gain.p_adjusted is not None
    assert one(evidence, f"control_gain{paper.BY_SPANS}", "pos").estimate == pytest.approx(control - base)
    chosen, judged = (one(evidence, f"dev_selected_gain{rule}", "pos") for rule in (paper.BY_SPANS, ""))
    assert chosen.note == judged.note, "the layer is chosen by token accuracy"
    assert chosen.estimate == pytest.approx(gain.estimate)
    assert chosen.estimate != pytest.approx(judged.estimate)
    by_spans = {(part.task, part.judged) for part in evidence.parts if part.measure.endswith(paper.BY_SPANS)}
    assert by_spans == {("pos", False)}


def brute_span_f1(run: MadeUpRun, model: str, seed: int) -> float:
    """Mean over languages of the F1 of spans in sentences of four words."""
    items, predicted = run.items["pos", "test"], run.predicted[f"sweep-pos-{model}-none-{seed}", "test"]
    by_language = []
    for code in sorted(set(items.language)):
        here = items.language == code
        sentence = np.arange(here.sum()) // 4
        counts = xtreme_pos_span_counts_v1(items.gold[here], predicted[here], sentence, TASKS["pos"].labels)
        found, guessed, gold = counts.sum(axis=0)
        by_language.append(200 * found / (guessed + gold))
    return float(np.mean(by_language))
