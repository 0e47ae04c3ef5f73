"""Recorded runs: complete or absent, free of paths and text, and every number derivable again."""

from __future__ import annotations

import argparse
import json
import shutil
from collections.abc import Callable
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from scipy.special import softmax

from claimtrack.errors import ResultsError
from claimtrack.evidence import Evidence, read_evidence
from claimtrack.registry import Registry, load_registry
from claimtrack.results import RunResults, load_all
from crosslayer.config import DataSpec, EncoderSpec, Profile, load_profile
from crosslayer.errors import ConfigError
from crosslayer.ledger import ledger
from crosslayer.ledger.ledger import RecordedRun, derive_again, differences, record, sample, verify
from crosslayer.metrics.calibration import ece10_equal_mass_debiased_v1
from crosslayer.predictions.batches import chosen_on_dev
from crosslayer.predictions.records import Array, ResultsRun, TrialRecord, write_predictions
from crosslayer.stages.verdicts import gains_by_layer, verdicts
from crosslayer.tasks import TASKS
from repository import ROOT
from synthetic_run import (
    MadeUpRun,
    add_predictions,
    make_items,
    make_profile,
    make_record,
    make_sweep,
    write_results,
)

CLAIMS = ("C04", "C05", "Q01")
ARMS = ("none", "english", "multilingual")
SECRET = "/private/corpora/xtreme"


@pytest.fixture(scope="module")
def registry() -> Registry:
    whole = load_registry(ROOT / "claims" / "registry.yaml")
    return whole.model_copy(update={"entries": {claim: whole.entries[claim] for claim in CLAIMS}})


@pytest.fixture(scope="module")
def structural(registry: Registry) -> Registry:
    """The claim that takes no time, for tests of other things."""
    return registry.model_copy(update={"entries": {"C04": registry.entries["C04"]}})


@pytest.fixture(scope="module")
def profile() -> Profile:
    made = make_profile(("pawsx", "pos"), layers=(1, 2), controls=(), targets=("pos",))
    return made.model_copy(update={"data": DataSpec(source="xtreme", root=SECRET)})


@pytest.fixture(scope="module")
def results(profile: Profile, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A fresh run with a sweep, an intermediate stage, a failed trial, probes and a stray file."""
    run = make_sweep(profile, {("pawsx", "layer_1"): 5.0}, n=30)
    _add_intermediate(run, profile)
    folder = tmp_path_factory.mktemp("results") / profile.profile
    write_results(run, folder)
    for i, trial in enumerate(run.trials):
        arrays = {"fused_mean": np.full((2, 3), i, dtype=np.float32), "languages": np.array(["en", "de"])}
        np.savez(ResultsRun(folder).trial_folder(trial) / "diagnostics.npz", allow_pickle=False, **arrays)
    _add_failed_trial(folder / "trials" / "sweep" / "pos")
    (folder / "probes").mkdir()
    for name in ("similarity", "offsets"):
        pd.DataFrame({"layer": [0, 1]}).to_parquet(folder / "probes" / f"{name}.parquet")
    (folder / "probes" / "notes.txt").write_text("a sentence of a corpus")
    check = {"name": "one", "passed": True, "expected": "1", "found": "1"}
    (folder / "probes" / "structure.json").write_text(json.dumps({"C04": [check]}))
    (folder / "run.json").write_text(json.dumps({"revision": "abc", "stages": {"prepare": {"seconds": 1.0}}}))
    return folder


def _add_intermediate(run: MadeUpRun, profile: Profile) -> None:
    rng = np.random.default_rng(1)
    wanted = [("pos", arm, seed) for arm in ARMS for seed in profile.intermediate.seeds]
    for task, arm, seed in [*wanted, ("pawsx", "none", 0)]:
        trial = make_record(task, "baseline", seed, "intermediate", arm)  # type: ignore[arg-type]
        run.trials.append(trial)
        for split in ("dev", "test"):
            difficulty = rng.random(len(run.items[task, split].gold))  # type: ignore[index]
            add_predictions(run, trial, split, difficulty, 0.7, rng)


def _add_failed_trial(home: Path) -> None:
    failed = make_record("pos", "gate", 0).model_copy(update={"outcome": "nan_loss", "detail": "loss nan"})
    (home / failed.key).mkdir()
    (home / failed.key / "trial.json").write_text(failed.model_dump_json())
    keys = json.loads((home / "manifest.json").read_text())["keys"]
    (home / "manifest.json").write_text(json.dumps({"keys": [*keys, failed.key]}))


@pytest.fixture(scope="module")
def recorded(
    results: Path, profile: Profile, registry: Registry, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """An entry; not to be changed."""
    return record("first", "A title", profile, registry, results, tmp_path_factory.mktemp("ledger"))


@pytest.fixture
def entry(recorded: Path, tmp_path: Path) -> Path:
    """A copy of the entry, to be spoiled."""
    return Path(shutil.copytree(recorded, tmp_path / "ledger" / "first"))


def test_an_entry_is_derived_again(recorded: Path, registry: Registry) -> None:
    derive_again(recorded, registry)


def test_evidence_is_what_the_fresh_run_gives(
    recorded: Path, results: Path, profile: Profile, registry: Registry
) -> None:
    for claim in CLAIMS:
        kept = read_evidence(recorded / "claims" / claim / "evidence.json")
        analysis = ledger.analysis_of(registry.entries[claim])
        fresh = analysis.measure(claim, ResultsRun(results), profile)
        assert kept.status == "measured"
        assert kept.run == "first"
        assert kept.model_copy(update={"run": "fresh", "figures": ()}) == fresh
        assert all((recorded / "claims" / claim / name).exists() for name in kept.figures)


@pytest.mark.parametrize("split", ["dev", "test"])
@pytest.mark.parametrize(("stage", "task"), [("sweep", "pawsx"), ("sweep", "pos"), ("intermediate", "pos")])
def test_reads_like_the_fresh_run(recorded: Path, results: Path, stage: Any, task: Any, split: Any) -> None:
    fresh, kept = ResultsRun(results), RecordedRun(recorded)
    assert kept.records(stage, task) == fresh.records(stage, task)
    usable = [trial for trial in fresh.records(stage, task) if trial.outcome == "ok"][::-1]
    assert len(usable) >= 9
    one, other = fresh.table(usable, split), kept.table(usable, split)
    assert one.languages == other.languages
    assert one.records == other.records
    for name in ("language", "item", "position", "gold", "predicted"):
        np.testing.assert_array_equal(getattr(one, name), getattr(other, name), err_msg=name)
    arrays = fresh.diagnostics(usable[0])
    if task == "pos":
        del arrays["fused_mean"]  # no claim asks for that of words
    assert kept.diagnostics(usable[0]).keys() == arrays.keys()
    for name, array in arrays.items():
        np.testing.assert_array_equal(array, kept.diagnostics(usable[0])[name])


def test_scores_are_kept_where_calibration_is_asked_about(recorded: Path, results: Path) -> None:
    fresh, kept = ResultsRun(results), RecordedRun(recorded)
    for task in ("pos", "pawsx"):
        trial = fresh.records("intermediate", task)[0]
        for split in ("dev", "test"):
            np.testing.assert_array_equal(kept.scores(trial, split), fresh.scores(trial, split))
    sweep = fresh.records("sweep", "pawsx")
    chosen = chosen_on_dev(fresh, (trial for trial in sweep if trial.outcome == "ok"))
    scored = {trial.model for trial in sweep if kept.scores(trial, "test") is not None}
    assert scored == {"baseline", chosen} < {trial.model for trial in sweep}


def test_after_a_correction_the_evidence_is_computed_again(
    entry: Path, recorded: Path, registry: Registry, monkeypatch: pytest.MonkeyPatch
) -> None:
    analysis = ledger.analysis_of(registry.entries["C05"])
    monkeypatch.setattr(analysis, "measure", lambda *about, f=analysis.measure: f(*about).model_copy(
        update={"metric": "corrected_v2"}))  # fmt: skip
    with pytest.raises(ResultsError, match=r"metric was recorded as .*`crosslayer record first --again`"):
        derive_again(entry, registry)
    assert ledger.record_again("first", registry, entry.parent) == entry
    derive_again(entry, registry)
    unequal = {p.relative_to(entry) for p in entry.rglob("*") if p.is_file()
               and p.read_bytes() != (recorded / p.relative_to(entry)).read_bytes()}  # fmt: skip
    assert unequal == {Path("claims/C05/evidence.json"), Path("hashes.json")}
    assert [path.name for path in entry.parent.iterdir()] == ["first"]


def test_scores_can_be_left_out_afterwards(entry: Path, structural: Registry) -> None:
    assert list(entry.glob("scores-*.parquet"))
    assert list(entry.glob("confidences-*.parquet"))
    ledger.record_again("first", structural, entry.parent, scored=False)
    assert not [*entry.glob("scores-*.parquet"), *entry.glob("confidences-*.parquet")]
    derive_again(entry, structural)


def test_scores_of_the_arm_without_a_phase_are_those_of_the_baseline(
    profile: Profile, structural: Registry, results: Path, tmp_path: Path
) -> None:
    """Where one specification says so, for pairs; of words the two stages keep samples of their own."""

    def kept(task: Any, seed: int) -> tuple[bool, bool]:
        """Whether the arm's scores have a file, and whether they are read as the baseline's."""
        run = ResultsRun(shutil.copytree(results, tmp_path / f"{task}-{seed}"))
        pair = [
            next(trial for trial in run.records(stage, task) if trial.key == f"{stage}-{task}-baseline-none-0")
            for stage in ledger.STAGES
        ]
        for trial, number in zip(pair, (0, seed), strict=True):
            same = trial.model_copy(update={"specification": {"stage": trial.stage, "seed": number}})
            (run.trial_folder(trial) / "trial.json").write_text(same.model_dump_json())
        source, home = map(run.trial_folder, pair)
        shutil.copyfile(source / "predictions.parquet", home / "predictions.parquet")
        folder = record(f"{task}-{seed}", "A title", profile, structural, run.folder, tmp_path / "ledger")
        again = RecordedRun(folder)
        of_baseline, of_arm = (again.scores(again.records(t.stage, task)[0], "test") for t in pair)
        assert of_baseline is not None
        assert of_arm is not None
        alike = np.array_equal(of_baseline, of_arm, equal_nan=True)
        return (folder / f"scores-{pair[1].key}.parquet").exists(), alike

    assert kept("pawsx", seed=0) == (False, True)
    assert kept("pawsx", seed=1) == (True, True)
    assert kept("pos", seed=0) == (True, True)


def test_a_recorded_run_keeps_the_scores_that_are_read_where_a_layer_stayed_at_chance_once(
    profile: Profile, registry: Registry, results: Path, tmp_path: Path
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
    only = registry.model_copy(update={"entries": {"Q01": registry.entries["Q01"]}})
    folder = record("first", "A title", profile, only, run, tmp_path / "ledger")
    kept = read_evidence(folder / "claims" / "Q01" / "evidence.json")
    found = ledger.analysis_of(registry.entries["Q01"]).measure("Q01", ResultsRun(run), profile)
    assert kept.model_copy(update={"run": "fresh", "figures": ()}) == found
    assert any(part.measure == "ece_model_minus_baseline" and part.task == "pawsx" for part in found.parts)


def test_only_a_whole_entry_is_computed_again(entry: Path, registry: Registry) -> None:
    with pytest.raises(ConfigError, match=r"there is no .*none; record it first, without --again"):
        ledger.record_again("none", registry, entry.parent)
    (entry / "diagnostics.npz").write_bytes(b"other")
    with pytest.raises(ResultsError, match=r"diagnostics.npz is not what was recorded"):
        ledger.record_again("first", registry, entry.parent)


def test_scores_can_be_left_out(
    recorded: Path, results: Path, profile: Profile, structural: Registry, tmp_path: Path
) -> None:
    folder = record("first", "A title", profile, structural, results, tmp_path, scored=False)
    names, all_names = ({path.name for path in home.iterdir()} for home in (folder, recorded))
    calibration = [*recorded.glob("scores-*.parquet"), *recorded.glob("confidences-*.parquet")]
    assert all_names - names == {path.name for path in calibration} != set()
    trial = ResultsRun(results).records("intermediate", "pos")[0]
    assert RecordedRun(folder).scores(trial, "test") is None
    assert RecordedRun(folder).confidence(trial, "test") is None
    derive_again(folder, structural)


def test_probes(recorded: Path, results: Path) -> None:
    fresh, kept = ResultsRun(results), RecordedRun(recorded)
    one, other = fresh.probe("similarity"), kept.probe("similarity")
    assert one is not None
    assert other is not None
    pd.testing.assert_frame_equal(one, other)
    assert kept.structure() == fresh.structure()
    assert kept.probe("offsets") is not None
    assert kept.probe("retrieval") is None


def test_no_table_of_no_trials(recorded: Path) -> None:
    with pytest.raises(ResultsError, match="no finished trial"):
        RecordedRun(recorded).table([], "test")


def test_without_probes(results: Path, profile: Profile, structural: Registry, tmp_path: Path) -> None:
    bare = Path(shutil.copytree(results, tmp_path / "bare"))
    shutil.rmtree(bare / "probes")
    folder = record("bare", "Without probes", profile, structural, bare, tmp_path / "ledger")
    assert RecordedRun(folder).structure() is None
    assert read_evidence(folder / "claims" / "C04" / "evidence.json").status == "missing"


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
    results: Path, profile: Profile, structural: Registry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(ledger.MAX_SCORED_TAGS, "intermediate", 40)
    folder = record("small", "Sampled", profile, structural, results, tmp_path)
    kept, fresh = RecordedRun(folder), ResultsRun(results)
    trials = fresh.records("intermediate", "pos")
    masks = [np.isfinite(_scores(kept, trial)).all(axis=1) for trial in trials]
    assert masks[0].sum() == 32, "whole sentences, at most 20 words of each of two languages"
    assert all(np.array_equal(masks[0], mask) for mask in masks)
    np.testing.assert_array_equal(_scores(kept, trials[0])[masks[0]], _scores(fresh, trials[0])[masks[0]])
    assert len(masks[0]) > 400
    for trial, split in product(trials, ledger.SPLITS):
        np.testing.assert_array_equal(kept.confidence(trial, split), fresh.confidence(trial, split))
    assert np.isfinite(_scores(kept, fresh.records("intermediate", "pawsx")[0])).all()
    derive_again(folder, structural)


ALL_ROWS = ("ece", "accuracy", "confidence", "ece_plug_in", "ece_equal_width", "ece_isotonic", "mce", "aurc")


def test_the_primary_measure_of_words_rests_on_every_word(
    profile: Profile, registry: Registry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However few scores are kept: recorded and fresh agree, and are what a formula over all words gives."""
    run = calibrated_run(profile, n=450)
    write_results(run, tmp_path / "results")
    for trial in run.trials:
        np.savez(ResultsRun(tmp_path / "results").trial_folder(trial) / "diagnostics.npz")
    monkeypatch.setitem(ledger.MAX_SCORED_TAGS, "intermediate", 800)
    only = registry.model_copy(update={"entries": {"Q01": registry.entries["Q01"]}})
    folder = record("first", "A title", profile, only, tmp_path / "results", tmp_path / "ledger")
    kept = read_evidence(folder / "claims" / "Q01" / "evidence.json")
    fresh = ledger.analysis_of(only.entries["Q01"]).measure("Q01", ResultsRun(tmp_path / "results"), profile)

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
        p = np.round(softmax(stored, axis=1).max(axis=1) * 65535) / 65535
        right = (run.predicted[key, "test"] == items.gold)[here].astype(float)
        errors.append(ece10_equal_mass_debiased_v1(p, right))
    assert level.estimate == pytest.approx(np.mean(errors), abs=1e-9)
    assert here.sum() == 450 * 4
    [brier] = [p for p in kept.parts if (p.measure, p.model, p.language) == ("brier", "english", None)]
    assert brier.note == "Secondary. From a sample of 200 words in each language."
    [of_fresh] = [p for p in fresh.parts if (p.measure, p.model, p.language) == ("brier", "english", None)]
    assert of_fresh.note == "Secondary."
    derive_again(folder, only)


CHANGED = "_multilingual_minus_english"


def calibrated_run(profile: Profile, n: int) -> MadeUpRun:
    """Arms of POS whose confidences are spread."""
    run, rng = MadeUpRun(), np.random.default_rng(3)
    for split, languages in (("dev", ("en",)), ("test", ("en", "de", "es", "zh"))):
        run.items["pos", split] = make_items("pos", n, languages, rng)
    for arm, seed in product(ARMS, profile.intermediate.seeds):
        trial = make_record("pos", "baseline", seed, "intermediate", arm)  # type: ignore[arg-type]
        run.trials.append(trial)
        for split in ledger.SPLITS:
            gold = run.items["pos", split].gold
            logits = rng.normal(size=(len(gold), len(TASKS["pos"].labels)))
            logits[np.arange(len(gold)), gold] += 4
            run.predicted[trial.key, split] = logits.argmax(axis=1).astype(np.int8)
            run.logits[trial.key, split] = (logits - logits.max(axis=1, keepdims=True)).astype(np.float32)
    return run


def test_words_whose_confidence_was_not_kept_are_not_measured(profile: Profile, registry: Registry) -> None:
    """As in entries from before confidences were kept; 1,500 words a language, or all of them, are enough."""

    def measured(n: int, kept: int) -> Evidence:
        run = calibrated_run(profile, n)
        for (_, split), logits in run.logits.items():
            logits[places_in_language(run.items["pos", split].language) >= kept] = np.nan
        evidence: Evidence = ledger.analysis_of(registry.entries["Q01"]).measure("Q01", run, profile)
        return evidence

    for kept, told in ((209, "209"), (1499, "1,499")):
        refused = measured(n=450, kept=kept)
        line = f"POS: confidences of {told} words a language were kept, 1,500 are needed; record the run anew"
        assert refused.missing.count(line) == 1
        assert refused.status == "missing"
    assert {measured(n, kept).status for n, kept in ((450, 1500), (450, 1800), (50, 200))} == {"measured"}


def places_in_language(language: Array) -> Array:
    """0, 1, 2 ... within each language, whose rows stand together."""
    _, start, count = np.unique(language, return_index=True, return_counts=True)
    return np.arange(len(language)) - np.repeat(np.sort(start), count[np.argsort(start)])


def _scores(run: RecordedRun | ResultsRun, trial: TrialRecord) -> Any:
    found = run.scores(trial, "test")
    assert found is not None
    return found


def test_the_same_results_give_the_same_bytes(
    recorded: Path, results: Path, profile: Profile, registry: Registry, tmp_path: Path
) -> None:
    again = record("first", "A title", profile, registry, results, tmp_path)
    assert (again / "hashes.json").read_bytes() == (recorded / "hashes.json").read_bytes()
    verify(again)


def test_no_path_and_no_text_enters(recorded: Path, results: Path) -> None:
    for path in (path for path in recorded.rglob("*") if path.is_file()):
        content = path.read_bytes()
        assert not any(word in content for word in (SECRET.encode(), str(results).encode(), b"a sentence of"))
    for path in recorded.glob("*.parquet"):
        strings = {field.name for field in pq.read_schema(path) if pa.types.is_dictionary(field.type)}
        assert strings <= {"split", "language", "item"}
        assert all(name.startswith("score_") for name in pq.read_schema(path).names[1:]) == (
            "scores-" in path.name
        )
        assert ("confidences-" in path.name) == (pa.uint16() in pq.read_schema(path).types)
    assert not (recorded / "probes" / "notes.txt").exists()


def test_the_profile_keeps_everything_but_the_path(recorded: Path, profile: Profile) -> None:
    kept = load_profile(recorded / "profile.yaml")
    assert kept.data.root == "DIR"
    assert kept.model_copy(update={"data": profile.data}) == profile


@pytest.mark.parametrize("root", ["data", "a", "tasks", ": {", "C:\\corpora \"x\" 'y'", "long " * 60])
def test_any_name_of_a_directory(root: str, profile: Profile, tmp_path: Path) -> None:
    moved = profile.model_copy(update={"data": profile.data.model_copy(update={"root": root})})
    ledger.write_description({"title": "t"}, moved, tmp_path)
    kept = load_profile(tmp_path / "profile.yaml")
    assert kept.model_copy(update={"data": moved.data}) == moved


def test_an_encoder_from_a_directory_keeps_its_name_only(profile: Profile, tmp_path: Path) -> None:
    folder = tmp_path / "multilingual-e5-small"
    folder.mkdir()
    for name, kept in ((str(folder), folder.name), ("some-owner/some-model", "some-owner/some-model")):
        moved = profile.model_copy(update={"encoder": EncoderSpec(source="hub", name=name)})
        assert ledger.without_paths(moved).encoder.name == kept


def test_a_small_run_is_a_small_entry(recorded: Path) -> None:
    assert sum(path.stat().st_size for path in recorded.rglob("*") if path.is_file()) < 1_000_000


def test_the_recorded_runs_are_under_40_mb() -> None:
    """Git keeps every byte for ever."""
    assert (
        sum(path.stat().st_size for path in (ROOT / "claims" / "ledger").rglob("*") if path.is_file()) < 40_000_000
    )


@pytest.mark.parametrize("wrong", ["keys gone", "a key less", "one number", "no place"])
def test_diagnostics_that_belong_to_no_trial_are_damage(entry: Path, wrong: str) -> None:
    run, path = RecordedRun(entry), entry / "diagnostics.npz"
    record = run.records("sweep", "pos")[0]
    arrays = dict(np.load(path))
    name = next(name for name in arrays if not name.endswith("/keys"))
    keys = f"{name.split('/')[0]}/keys"
    match wrong:
        case "keys gone":
            del arrays[keys]
        case "a key less":
            arrays[keys] = arrays[keys][1:]
        case "one number":
            arrays[name] = np.array(1.0)
        case "no place":
            arrays[name.replace("/", "")] = arrays.pop(name)
    np.savez(path, allow_pickle=False, **arrays)
    with pytest.raises(ResultsError, match=r"^[^\n]*diagnostics.npz is damaged; restore it from git$"):
        run.diagnostics(record)


@pytest.mark.parametrize(
    "name",
    ["run.json", "profile.yaml", "trials.json", "diagnostics.npz", "predictions-sweep-pos.parquet",
     "probes/structure.json", "claims/C05/evidence.json", "claims/C05/gain_by_layer.svg"],
)  # fmt: skip
def test_a_changed_byte_is_named(entry: Path, name: str, registry: Registry) -> None:
    content = bytearray((entry / name).read_bytes())
    content[len(content) // 2] ^= 1
    (entry / name).write_bytes(content)
    with pytest.raises(ResultsError, match=rf"^[^\n]*{name} is not what was recorded[^\n]*$"):
        derive_again(entry, registry)


def test_every_file_is_hashed(entry: Path) -> None:
    for path in sorted(path for path in entry.rglob("*") if path.is_file() and path.name != "hashes.json"):
        original = path.read_bytes()
        path.write_bytes(original + b" ")
        with pytest.raises(ResultsError, match=path.name):
            verify(entry)
        path.write_bytes(original)
    verify(entry)


def test_a_missing_file_is_named(entry: Path) -> None:
    (entry / "predictions-sweep-pawsx.parquet").unlink()
    with pytest.raises(ResultsError, match=r"predictions-sweep-pawsx\.parquet is missing"):
        verify(entry)


@pytest.mark.parametrize("name", ["more.txt", "claims/C05/hashes.json"])
def test_an_extra_file_is_named(entry: Path, name: str) -> None:
    (entry / name).write_text("{}")
    with pytest.raises(ResultsError, match=f"{name} was not recorded"):
        verify(entry)


@pytest.mark.parametrize("content", [None, "", "[1]", "3", '{"a": '])
def test_damaged_hashes(entry: Path, content: str | None) -> None:
    (entry / "hashes.json").unlink()
    if content is not None:
        (entry / "hashes.json").write_text(content)
    with pytest.raises(ResultsError, match=r"hashes\.json is missing or damaged"):
        verify(entry)


def _reseal(folder: Path, spoil: Callable[[dict[str, Any]], None]) -> None:
    """Spoil C05's evidence and its hash, as if both had been recorded so."""
    path = folder / "claims" / "C05" / "evidence.json"
    content = json.loads(path.read_text())
    spoil(content)
    path.write_text(json.dumps(content))
    hashes = json.loads((folder / "hashes.json").read_text())
    hashes["claims/C05/evidence.json"] = ledger._sha256(path)
    (folder / "hashes.json").write_text(json.dumps(hashes))


def _move(content: dict[str, Any], by: float) -> None:
    content["parts"][0]["estimate"] += by


def test_a_moved_number_is_named_with_its_claim_and_place(entry: Path, registry: Registry) -> None:
    _reseal(entry, lambda content: _move(content, 1e-6))
    with pytest.raises(ResultsError, match=r"^[^\n]*C05 parts\[0\]\.estimate was recorded as [^\n]*$"):
        derive_again(entry, registry)


def test_rounding_is_no_movement(entry: Path, registry: Registry) -> None:
    _reseal(entry, lambda content: _move(content, 1e-11))
    derive_again(entry, registry)


def test_parts_that_went_are_named_shortly(entry: Path, registry: Registry) -> None:
    _reseal(entry, lambda content: content["parts"].pop())
    with pytest.raises(ResultsError, match=r"C05 parts \(length\) was recorded as") as caught:
        derive_again(entry, registry)
    assert len(str(caught.value)) < 300 + len(str(entry))


def test_differences() -> None:
    assert not list(differences({"a": [1.0, None, "x"]}, {"a": [1.0 + 1e-12, None, "x"]}))
    assert list(differences({"a": [1.0]}, {"a": [1.1]})) == [("a[0]", 1.0, 1.1)]
    assert list(differences({"a": {"b": None}}, {"a": {"b": 0.0}})) == [("a.b", None, 0.0)]
    assert list(differences({"a": {}}, {"a": {"b": 1}})) == [("a", {}, {"b": 1})]
    assert list(differences([1], [1, 2])) == [(" (length)", 1, 2)]


@pytest.mark.parametrize(
    "name", ["", "-", "-a", "Upper", "a b", "a/b", "..", ".a", "fresh", "é", "²", "a_b", "a\n"]
)
def test_bad_names(name: str, results: Path, profile: Profile, registry: Registry, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="is no name for a recorded run"):
        record(name, "t", profile, registry, results, tmp_path)
    assert not list(tmp_path.iterdir())


def test_an_existing_name_is_refused_and_nothing_lost(
    entry: Path, results: Path, profile: Profile, registry: Registry
) -> None:
    with pytest.raises(ConfigError, match="first is there already"):
        record("first", "Other", profile, registry, results, entry.parent)
    verify(entry)
    assert [path.name for path in entry.parent.iterdir()] == ["first"]


def test_nothing_to_record(profile: Profile, registry: Registry, tmp_path: Path) -> None:
    with pytest.raises(ResultsError, match="has no trials to record"):
        record("none", "t", profile, registry, tmp_path / "results", tmp_path / "ledger")
    assert not (tmp_path / "ledger").exists()


@pytest.mark.parametrize("step", ["write_tables", "write_description", "_write_evidence", "_put_in_place"])
def test_an_interrupted_record_leaves_nothing(
    step: str,
    results: Path,
    profile: Profile,
    structural: Registry,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def interrupt(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(ledger, step, interrupt)
    with pytest.raises(KeyboardInterrupt):
        record("half", "t", profile, structural, results, tmp_path)
    assert not list(tmp_path.iterdir())


def test_what_a_killed_record_left_is_no_run(
    results: Path, profile: Profile, structural: Registry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    home = tmp_path / "claims" / "ledger"
    (home / ".half" / "claims").mkdir(parents=True)
    (home / ".half" / "left.txt").write_text("half")
    shutil.copy(ROOT / "claims" / "registry.yaml", tmp_path / "claims")
    (tmp_path / "results" / "made-up").mkdir(parents=True)
    assert [run.name for run in load_all(profile, structural)] == ["fresh"]
    verdicts(profile, Path("results/made-up"), argparse.Namespace())
    assert {row["verdict"] for row in json.loads(Path("results/made-up/verdicts.json").read_text())} == {"not run"}
    folder = record("half", "t", profile, structural, results, home)
    assert not (folder / "left.txt").exists()
    assert [run.name for run in load_all(profile, structural)] == ["fresh", "half"]


def test_a_damaged_entry_stops_the_verdicts(
    entry: Path, profile: Profile, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (entry / "run.json").unlink()
    monkeypatch.setattr("crosslayer.stages.verdicts.LEDGER", entry.parent)
    monkeypatch.setattr("crosslayer.stages.verdicts.load_registry", lambda: None)
    with pytest.raises(ResultsError, match=r"first/run\.json is missing"):
        verdicts(profile, Path("results/made-up"), argparse.Namespace())


def test_a_claim_that_came_after_the_recording_is_left_out(entry: Path) -> None:
    registry = load_registry(ROOT / "claims" / "registry.yaml")
    recorded = {path.name for path in (entry / "claims").iterdir()}
    assert set(registry.entries) - recorded
    derive_again(entry, registry)


def test_layers_of_the_plot_are_in_order(recorded: Path, profile: Profile) -> None:
    evidence = read_evidence(recorded / "claims" / "C05" / "evidence.json")
    part = next(part for part in evidence.parts if part.measure == "layer_gain")
    parts = tuple(part.model_copy(update={"layer": x, "estimate": float(x)}) for x in (10, 2, 1))
    found = {"C05": evidence.model_copy(update={"headline": None, "parts": parts})}
    lines = gains_by_layer(RunResults("fresh", "", profile, recorded, found, {}, {})).splitlines()
    assert lines == ["task,layer,gain", *(f"{part.task},{x},{x:.4f}" for x in (1, 2, 10))]
