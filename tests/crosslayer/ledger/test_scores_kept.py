"""Which scores and confidences a recorded run keeps, and what is measured from them."""

from __future__ import annotations

import shutil
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy.special import softmax

from claimtrack.evidence import Evidence, read_evidence
from crosslayer.config import Profile
from crosslayer.ledger import compact
from crosslayer.ledger.compact import sample
from crosslayer.ledger.differences import differences
from crosslayer.ledger.ledger import derive_again
from crosslayer.metrics.calibration import ece10_equal_mass_debiased_v1
from crosslayer.paper.calibrated import calibrate
from crosslayer.paper.plugin import measures
from crosslayer.predictions.batches import chosen_on_dev
from crosslayer.predictions.records import STAGES, write_predictions
from crosslayer.predictions.runs import SPLITS, RecordedRun, ResultsRun
from crosslayer.tasks import TASKS
from recording import ARMS, QUICK, record_all
from synthetic_run import WORDS, MadeUpRun, make_items, make_record, write_results


def test_scores_are_kept_where_calibration_is_asked_about(recorded: Path, results: Path) -> None:
    fresh, kept = ResultsRun(results), RecordedRun(recorded)
    for task in ("pos", "pawsx"):
        trial = fresh.records("intermediate", task)[0]
        for split in ("dev", "test"):
            scores = fresh.scores(trial, split)
            expected = scores if task == "pawsx" else np.round(64 * scores) / 64
            np.testing.assert_array_equal(kept.scores(trial, split), expected)
    assert all(kept.scores(trial, "test") is None for trial in fresh.records("sweep", "pos"))
    sweep = fresh.records("sweep", "pawsx")
    chosen = chosen_on_dev(fresh, (trial for trial in sweep if trial.outcome == "ok"))
    scored = {trial.model for trial in sweep if kept.scores(trial, "test") is not None}
    assert scored == {"baseline", chosen} < {trial.model for trial in sweep}


def test_a_recorded_run_keeps_the_scores_that_are_read_where_a_layer_stayed_at_chance_once(
    profile: Profile, results: Path, tmp_path: Path
) -> None:
    """Layer 1 is best on dev where it learnt, and not with the seed at which it did not."""
    run = Path(shutil.copytree(results, tmp_path / "results"))
    fresh = ResultsRun(run)
    for trial in fresh.records("sweep", "pawsx"):
        home, at_chance = fresh.trial_folder(trial), (trial.model, trial.seed) == ("layer_1", 0)
        score = 0.0 if at_chance else 75.0 if trial.model == "layer_1" else 60.0
        (home / "trial.json").write_text(trial.model_copy(update={"dev_score": score}).model_dump_json())
        table = pd.read_parquet(home / "predictions.parquet")
        right = abs(table["gold"] - at_chance).astype("int8")
        table["predicted"] = np.where(table["split"] == "dev", right, table["predicted"]).astype("int8")
        write_predictions(table, home / "predictions.parquet", 2)
    folder = record_all("first", profile, run, tmp_path / "ledger", ["Q01"])
    kept = read_evidence(folder / "claims" / "Q01" / "evidence.json")
    found = measures(["Q01"])["Q01"](ResultsRun(run), profile)
    assert kept.model_copy(update={"run": "fresh", "figures": ()}) == found
    assert any(part.measure == "ece_model_minus_baseline" and part.task == "pawsx" for part in found.parts)


@pytest.mark.parametrize(("sizes", "kept"), [((5, 9), 14), ((30, 30), 18), ((3, 90), 12), ((90,), 18)])
def test_sample_is_whole_sentences_up_to_the_share_of_each_language(sizes: tuple[int, ...], kept: int) -> None:
    language = np.repeat(np.arange(len(sizes)), sizes)
    item = np.array([f"s{i // 3}" for size in sizes for i in range(size)])  # three words each
    chosen = sample(language, item, 20)
    assert chosen.sum() == kept
    for code in range(len(sizes)):
        here = language == code
        names, words = np.unique(item[here & chosen], return_counts=True)
        assert words.tolist() == [(item[here] == name).sum() for name in names]
    np.testing.assert_array_equal(chosen, sample(language, item, 20))


def test_sample_keeps_a_sentence_of_every_language() -> None:
    language, item = np.repeat([0, 1], [50, 4]), np.repeat(["long", "a", "b"], [50, 2, 2])
    assert np.bincount(language[sample(language, item, 6)]).tolist() == [50, 2]


def test_words_outside_the_sample_have_no_scores(
    results: Path, profile: Profile, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(compact, "MAX_SCORED_WORDS", 40)
    folder = record_all("small", profile, results, tmp_path)
    kept, fresh = RecordedRun(folder), ResultsRun(results)
    trials = fresh.records("intermediate", "pos")
    masks = [np.isfinite(kept.scores(trial, "test")).all(axis=1) for trial in trials]
    assert masks[0].sum() == 32, "whole sentences, at most 10 words of each of four languages"
    assert all(np.array_equal(masks[0], mask) for mask in masks)
    steps = 64 * kept.scores(trials[0], "test")[masks[0]]
    np.testing.assert_array_equal(steps, np.round(64 * fresh.scores(trials[0], "test")[masks[0]]))
    assert len(masks[0]) > 300
    for trial, split in product(trials, SPLITS):
        np.testing.assert_array_equal(kept.confidence(trial, split), fresh.confidence(trial, split))
    assert np.isfinite(kept.scores(fresh.records("intermediate", "pawsx")[0], "test")).all()
    derive_again(folder, measures(QUICK))


ALL_ROWS = ("ece", "accuracy", "confidence", "ece_plug_in", "ece_equal_width", "ece_isotonic", "mce", "aurc")


def test_the_primary_measure_of_words_rests_on_every_word(
    profile: Profile, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However few scores are kept: recorded and fresh agree, and are what a formula over all words gives."""
    run = calibrated_run(profile, n=450)
    write_results(run, tmp_path / "results")
    for trial in run.trials:
        np.savez(ResultsRun(tmp_path / "results").trial_folder(trial) / "diagnostics.npz")
    monkeypatch.setattr(compact, "MAX_SCORED_WORDS", 800)
    folder = record_all("first", profile, tmp_path / "results", tmp_path / "ledger", ["Q01"])
    kept = read_evidence(folder / "claims" / "Q01" / "evidence.json")
    fresh = measures(["Q01"])["Q01"](ResultsRun(tmp_path / "results"), profile)

    def of_all_rows(evidence: Evidence) -> list[dict[str, Any]]:
        parts = [part for part in evidence.parts if part.measure.removesuffix(CHANGED) in ALL_ROWS]
        return [part.model_dump(mode="json") for part in parts]

    assert len(of_all_rows(kept)) > 40
    assert not list(differences(of_all_rows(fresh), of_all_rows(kept)))
    [level] = [p for p in kept.parts if (p.measure, p.model, p.language) == ("ece", "english", None)]
    errors = []
    for seed, code in product(profile.intermediate.seeds, ("de", "es", "zh")):
        key, items = f"intermediate-pos-baseline-english-{seed}", run.items["pos", "test"]
        here = items.language == code
        stored = run.logits[key, "test"][here].astype(np.float16).astype(np.float64)
        p = softmax(stored, axis=1)[np.arange(here.sum()), run.predicted[key, "test"][here]]
        p = 1 / (1 + np.exp(-np.round(64 * np.log(p / (1 - p))) / 64))
        right = (run.predicted[key, "test"] == items.gold)[here].astype(float)
        errors.append(ece10_equal_mass_debiased_v1(p, right))
    assert level.estimate == pytest.approx(np.mean(errors), abs=1e-9)
    assert here.sum() == 450 * 4
    [brier] = [p for p in kept.parts if (p.measure, p.model, p.language) == ("brier", "english", None)]
    assert brier.note == "Secondary. From a sample of 200 words in each language."
    [of_fresh] = [p for p in fresh.parts if (p.measure, p.model, p.language) == ("brier", "english", None)]
    assert of_fresh.note == "Secondary."
    binned = ("ece_scaled", "ece_vector_scaled", "ece_classwise", "brier_reliability", "brier_resolution")
    assert {p.measure for p in fresh.parts} - {p.measure for p in kept.parts} == {
        name + change for name in binned for change in ("", CHANGED)
    }, "they need 1,500 words of each language"
    derive_again(folder, measures(["Q01"]))


def test_words_of_a_sweep_are_measured_by_their_confidence_alone(profile: Profile) -> None:
    run = calibrated_run(profile, n=50)
    arm = run.trials[0]
    found = [set(calibrate(run, arm.model_copy(update={"stage": stage}), False).by_language) for stage in STAGES]
    of_sweep, of_arm = (found[STAGES.index(stage)] for stage in ("sweep", "intermediate"))
    assert of_sweep == {*ALL_ROWS} < of_arm
    assert "brier" in of_arm


CHANGED = "_multilingual_minus_english"


def calibrated_run(profile: Profile, n: int) -> MadeUpRun:
    """Arms of POS whose confidences are spread."""
    run, rng = MadeUpRun(), np.random.default_rng(3)
    for split, languages in (("dev", ("en",)), ("test", ("en", "de", "es", "zh"))):
        run.items["pos", split] = make_items("pos", n, languages, rng)
    for arm, seed in product(ARMS, profile.intermediate.seeds):
        trial = make_record("pos", "baseline", seed, "intermediate", arm)  # type: ignore[arg-type]
        run.trials.append(trial)
        for split in SPLITS:
            gold = run.items["pos", split].gold
            logits = rng.normal(size=(len(gold), len(TASKS["pos"].labels)))
            logits[np.arange(len(gold)), gold] += 4
            run.predicted[trial.key, split] = logits.argmax(axis=1).astype(np.int8)
            run.logits[trial.key, split] = (logits - logits.max(axis=1, keepdims=True)).astype(np.float32)
    return run


def test_words_whose_confidence_was_not_kept_are_not_measured(profile: Profile) -> None:
    """As in entries from before confidences were kept; 1,500 words a language, or all of them, are enough."""

    def found(n: int, kept: int) -> Evidence:
        run = calibrated_run(profile, n)
        for logits in run.logits.values():  # the words of each language stand together
            logits[np.arange(len(logits)) % (n * WORDS) >= kept] = np.nan
        return measures(["Q01"])["Q01"](run, profile)

    for kept, told in ((209, "209"), (1499, "1,499")):
        refused = found(n=450, kept=kept)
        line = f"POS: confidences of {told} words a language were kept, 1,500 are needed; record the run again"
        assert refused.missing.count(line) == 1
        assert refused.status == "missing"
    assert {found(n, kept).status for n, kept in ((450, 1500), (450, 1800), (50, 200))} == {"measured"}
