"""Calibration after intermediate training, and of fused and smoothed models."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy.special import softmax
from scipy.stats import ttest_rel

from analysed import PROFILE, TARGETED, arms_run, one, verdict
from claimtrack.evidence import Evidence, Measurement
from claimtrack.judging import decide
from claimtrack.registry import Registry
from crosslayer import stats
from crosslayer.config import IntermediateSpec, Profile
from crosslayer.metrics.calibration import ece10_equal_mass_debiased_v1
from crosslayer.metrics.recalibration import fit_temperature, fit_vector_scaling
from crosslayer.paper import PLUGIN, calibration, calibration_figures
from crosslayer.paper.calibrated import MEASURES, Calibrated, Trials, calibrate
from crosslayer.paper.calibration_figures import shown_languages
from crosslayer.paper.families import steps_apart
from crosslayer.tasks import TASKS, TaskName
from synthetic_run import MadeUpRun, make_profile, make_sweep

CHANGE = "ece_multilingual_minus_english"
KEY = "intermediate-pawsx-baseline-english-0"


def over_languages(evidence: Evidence, measure: str, task: str | None = "pawsx", **about: Any) -> Measurement:
    return one(evidence, measure, task, language=None, **about)


def stay_at_chance(run: MadeUpRun) -> None:
    gold = run.items["pawsx", "dev"].gold
    run.predicted[KEY, "dev"] = np.full_like(gold, np.bincount(gold).argmax())


def lose_dev_scores(run: MadeUpRun) -> None:
    run.logits[KEY, "dev"] = np.full_like(run.logits[KEY, "dev"], np.nan)


@pytest.mark.parametrize(
    ("spoil", "line"),
    [
        (stay_at_chance, "PAWS-X: baseline after english intermediate training stayed at chance with seed 0: "),
        (lose_dev_scores, f"PAWS-X: no confidences of the dev set are kept in {KEY}"),
    ],
)
def test_a_trial_that_cannot_be_compared_is_missing(spoil: Callable[[MadeUpRun], None], line: str) -> None:
    run = arms_run(TARGETED, sharper=1.0)
    spoil(run)
    evidence = calibration.measure("Q01", run, TARGETED)
    assert any(found.startswith(line) for found in evidence.missing)
    assert KEY not in evidence.trials
    assert [part.n_seeds for part in evidence.measured(CHANGE)] == [2]


@pytest.fixture(scope="module")
def overconfident() -> tuple[MadeUpRun, Evidence]:
    """A run whose English-only arm is too sure, and what is measured on it."""
    run = arms_run(TARGETED, sharper=4.0)
    return run, calibration.measure("Q01", run, TARGETED)


def test_an_overconfident_arm_is_found(registry: Registry, overconfident: tuple[MadeUpRun, Evidence]) -> None:
    run, evidence = overconfident
    part = one(evidence, CHANGE)
    by_seed = [
        np.mean([language_ece(run, f"intermediate-pawsx-baseline-{arm}-{seed}", code) for code in ("de", "zh")])
        for seed in range(3)
        for arm in ("multilingual", "english")
    ]
    changes = np.array(by_seed).reshape(3, 2)
    assert part.estimate == pytest.approx((changes[:, 0] - changes[:, 1]).mean())
    bare = ttest_rel(changes[:, 0], changes[:, 1]).confidence_interval()
    assert part.interval.low < bare.low or part.interval.high < 0
    assert verdict(registry, evidence, TARGETED) == "improves"
    assert over_languages(evidence, CHANGE).judged is False
    level = one(evidence, "ece", "pawsx", model="english").estimate
    assert level == pytest.approx(changes[:, 1].mean())
    assert one(evidence, "ece_scaled", "pawsx", model="english").estimate < level / 2


def language_ece(run: MadeUpRun, key: str, code: str) -> float:
    """The primary measure in one language."""
    items = run.items["pawsx", "test"]
    here = items.language == code
    probability = softmax(run.logits[key, "test"][here], axis=1)
    right = (probability.argmax(axis=1) == items.gold[here]).astype(float)
    return ece10_equal_mass_debiased_v1(np.round(probability.max(axis=1) * 65535) / 65535, right)


def test_arms_that_are_alike_show_no_difference(registry: Registry) -> None:
    evidence = calibration.measure("Q01", arms_run(TARGETED, sharper=1.0), TARGETED)
    assert verdict(registry, evidence, TARGETED) in ("practically none", "undecided")
    assert 60 < one(evidence, "accuracy", "pawsx", model="none").estimate < 95


def test_rows_without_kept_scores_are_left_out() -> None:
    run = arms_run(TARGETED, sharper=1.0)
    table = run.table([trial for trial in run.trials if trial.key == KEY], "test")
    run.logits[KEY, "test"][(table.item == "i0") | (table.item == "i7")] = np.nan
    found = calibrate(run, table.records[0], False)
    assert (found.n_items, [*found.by_language.index]) == (2 * 398, ["de", "zh"])


def test_measures_beside_the_primary_one(overconfident: tuple[MadeUpRun, Evidence]) -> None:
    """Every measure has a level by arm; what came second and what is exploratory is labelled so."""
    run, evidence = overconfident
    levels = {name: over_languages(evidence, name, model="english") for name in MEASURES if name != "ece_spans"}
    assert [name for name, part in levels.items() if not part.note] == ["ece", "accuracy", "confidence"]
    assert [name for name, part in levels.items() if part.note == "Secondary."] == [
        "brier", "nll", "ece_scaled", "brier_scaled", "nll_scaled"
    ]  # fmt: skip
    assert {part.note for part in levels.values()} == {"", "Secondary.", "Exploratory."}
    values = {name: part.estimate or 0.0 for name, part in levels.items()}
    assert values["confidence"] > values["accuracy"] + 5, "the arm was made too sure"
    assert max(values[name] for name in ("ece_scaled", "ece_vector_scaled", "ece_isotonic")) < values["ece"] / 2
    assert values["nll_scaled"] < values["nll"]
    assert 0 < values["aurc"] < 100 - values["accuracy"]
    rows = [run.items["pawsx", "test"].language == code for code in ("de", "zh")]
    gold, on_dev = (run.items["pawsx", split].gold for split in ("test", "dev"))
    right = []
    for key in (f"intermediate-pawsx-baseline-english-{seed}" for seed in range(3)):
        dev = run.logits[key, "dev"]
        scaled = fit_vector_scaling(dev, on_dev, fit_temperature(dev, on_dev))(run.logits[key, "test"])
        right += [(scaled.argmax(axis=1) == gold)[here].mean() for here in rows]
    assert values["accuracy_vector_scaled"] == pytest.approx(100 * np.mean(right))
    assert not any(part.judged for part in evidence.parts if part.measure != CHANGE)


def made_target(task: TaskName, changes: dict[int, float]) -> Trials:
    """A target whose error changes by so many points at each seed, in every language and measure."""
    trials = {}
    for seed, change in changes.items():
        for arm, level in (("english", 10.0), ("multilingual", 10.0 + change)):
            by_language = pd.DataFrame(level, index=["de", "zh"], columns=[*MEASURES]).drop(columns="ece_spans")
            trials[arm, seed] = Calibrated(by_language, np.full(300, level), 50, (40, 60), (40, 60))
    return Trials(task, trials)


@pytest.fixture
def measured(monkeypatch: pytest.MonkeyPatch) -> Callable[..., Evidence]:
    """Q01 of made targets."""

    def measure(targets: list[Trials], profile: Profile = PROFILE) -> Evidence:
        monkeypatch.setattr(calibration, "load_targets", lambda run, profile: (targets, [], []))
        return calibration.measure("Q01", MadeUpRun(), profile)

    return measure


def test_a_target_with_too_few_seeds_does_not_undo_the_others(
    registry: Registry, measured: Callable[..., Evidence]
) -> None:
    whole = [made_target(task, {0: -3.0, 1: -3.1, 2: -2.9}) for task in ("xnli", "ner", "pos")]
    few = made_target("pawsx", {0: 5.0, 3: 5.0})
    evidence = measured([*whole, few])
    judged = one(evidence, CHANGE, language=None, judged=True)
    assert (judged.estimate, judged.n_seeds, judged.n_items) == (pytest.approx(-3), 3, 150)
    assert "over XNLI, NER, POS;" in judged.note
    assert "PAWS-X: both arms at 2 of 3 seeds" in evidence.missing
    assert over_languages(evidence, "accuracy_multilingual_minus_english", None).estimate == pytest.approx(-3)
    alone = over_languages(evidence, CHANGE)
    assert (alone.estimate, alone.note) == (pytest.approx(5), "40 to 60 pairs in each language.")
    found = decide(registry.entry("Q01"), evidence, PROFILE, PLUGIN)
    assert found.verdict == "improves"
    assert ", PAWS-X " in found.because
    assert "+5.00 not counted; beside it" in found.because
    assert found.because.count("not counted") == 1
    shown = [part for part in evidence.parts if part.measure == CHANGE and not part.language]
    assert calibration_figures.pooled_in(shown) == "mean of XNLI, NER, POS"
    assert calibration_figures.pooled_in(shown[:-2]) == "all targets"
    assert verdict(registry, measured([few])) == "inconclusive"
    assert "not counted" not in decide(registry.entry("Q01"), measured([few]), PROFILE, PLUGIN).because
    more = made_target("pawsx", {3: -2.9, 4: -3.0, 5: -3.1, 6: -5.0})
    assert verdict(registry, measured([*whole, more])) == "improves", "its seeds are no others' seeds"
    judged = one(measured([*whole, more]), CHANGE, language=None, judged=True)
    assert (judged.estimate, judged.n_seeds) == (pytest.approx((-3 - 3 - 3 - 3.5) / 4), 3)


def test_a_target_misses_the_seeds_of_its_own_plan() -> None:
    settings = {"targets": ["pawsx"], "by_target": {"pawsx": {"seeds": [0, 1, 2, 5]}}}
    profile = TARGETED.model_copy(update={"intermediate": IntermediateSpec.model_validate(settings)})
    missing = calibration.measure("Q01", arms_run(TARGETED, sharper=1.0), profile).missing
    arms = ("none", "english", "multilingual")
    assert [line for line in missing if "seed 5" in line] == [
        f"PAWS-X: baseline after {arm} intermediate training has not run with seed 5" for arm in arms
    ]


def test_phases_that_differ_are_named_beside_their_target(measured: Callable[..., Evidence]) -> None:
    targets = [made_target(task, {0: -3.0, 1: -3.1, 2: -2.9}) for task in ("pawsx", "pos")]

    def notes(**phase: Any) -> list[str]:
        settings = {"targets": ["pawsx", "pos"], "epochs": 3, "by_target": {"pawsx": phase}}
        update = {"intermediate": IntermediateSpec.model_validate(settings)}
        evidence = measured(targets, PROFILE.model_copy(update=update))
        return [over_languages(evidence, CHANGE, task).note for task in ("pawsx", "pos")]

    assert notes() == ["40 to 60 pairs in each language.", "40 to 60 words in each language."]
    assert notes(learning_rate=1e-5) == [
        "40 to 60 pairs in each language, after 3 epochs at a learning rate of 1e-05.",
        "40 to 60 words in each language, after 3 epochs at a learning rate of 0.0001.",
    ]


def test_pictures_show_the_seeds_that_both_arms_have() -> None:
    run = arms_run(TARGETED, sharper=1.0)
    kept = [t for t in run.trials if (t.arm, t.seed) != ("multilingual", 1)]
    assert {(t.arm, t.seed) for t in calibration_figures.paired(kept)} == {
        (arm, seed) for arm in ("none", "english", "multilingual") for seed in (0, 2)
    }
    alone = [t for t in run.trials if t.arm != "english"]
    assert calibration_figures.paired(alone) == alone


def test_distance_from_english_is_in_steps_up_the_tree(overconfident: tuple[MadeUpRun, Evidence]) -> None:
    assert [steps_apart("en", code) for code in ("de", "af", "fr", "hi", "tr", "zh")] == [1, 1, 2, 2, 3, 3]
    run, evidence = overconfident
    keys = [f"intermediate-pawsx-baseline-english-{seed}" for seed in range(3)]
    by_seed = [language_ece(run, key, "zh") - language_ece(run, key, "de") for key in keys]
    found = one(evidence, "ece_per_step_from_english", "pawsx", model="english").estimate
    assert found == pytest.approx(np.mean(by_seed) / 2), "two steps from German to Chinese"
    for measure in ("ece", "accuracy"):
        families = [
            one(evidence, f"{measure}_change_in_family", "pawsx", model=family).estimate or 0.0
            for family in ("Indo-European", "Sino-Tibetan")
        ]
        name = f"{measure}_multilingual_minus_english"
        languages = [one(evidence, name, "pawsx", language=code).estimate or 0.0 for code in ("de", "zh")]
        assert families == pytest.approx(languages)
        assert np.mean(languages) == pytest.approx(over_languages(evidence, name).estimate)


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
                logits[::2, 1 - outside] = 1.0
            run.predicted[trial.key, split] = logits.argmax(axis=1).astype(np.int8)
            run.logits[trial.key, split] = logits - logits.max(axis=1, keepdims=True)
    evidence = calibration.measure("Q01", run, profile)
    spans = {part.measure: part.model for part in evidence.parts if part.measure.startswith("ece_spans")}
    assert spans == {"ece_spans": "none"}
    for measure in ("ece_model_minus_baseline", CHANGE):
        assert over_languages(evidence, measure, "ner").estimate == pytest.approx(0)


def test_fusion_and_smoothing_beside_the_arms() -> None:
    """The layer that the predictions of dev chose, whatever score was recorded while training, and the smoothed
    baseline against the baseline of the same seed."""
    smoothed = "baseline_smoothed_0.1"
    profile = make_profile(tasks=["pawsx"], layers=(2, 8), controls=())
    run = make_sweep(profile, {("pawsx", "layer_8"): 6.0}, n=200, models=[smoothed])
    run.trials = [t.model_copy(update={"dev_score": 99.0 if t.layer == 2 else 50.0}) for t in run.trials]
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
        keys = [[f"sweep-pawsx-{name}-none-{s}" for name in (model, "baseline")] for s in profile.sweep.seeds]
        changes = {
            code: [language_ece(run, a, code) - language_ece(run, b, code) for a, b in keys]
            for code in ("de", "es", "zh")
        }
        part = over_languages(evidence, "ece_model_minus_baseline", model=model)
        by_seed = stats.seed_gain(np.mean(list(changes.values()), axis=0))
        assert (part.estimate, part.n_seeds) == (pytest.approx(by_seed.estimate), len(profile.sweep.seeds))
        assert part.interval != by_seed.interval, "the variance of the items counts too"
        for code, change in changes.items():
            here = one(evidence, "ece_model_minus_baseline", "pawsx", model=model, language=code)
            assert here.estimate == pytest.approx(np.mean(change))
            assert one(evidence, "accuracy_model_minus_baseline", "pawsx", model=model, language=code).n_seeds == 3
        shown = {p.measure for p in evidence.parts if p.model == model and not p.note.startswith("Exploratory")}
        assert not shown, "another question than the one that is answered"
    assert {f"sweep-pawsx-layer_8-none-{seed}" for seed in profile.sweep.seeds} < set(evidence.trials)
    assert not any("layer_2" in key for key in evidence.trials)


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
    assert (
        "PAWS-X: baseline after none intermediate training ended with a NaN loss with seed 0" in evidence.missing
    )
    assert any("scores of its trials were not all kept" in line for line in evidence.missing)
    assert "XNLI is not an intermediate target of the profile made-up" in evidence.missing
