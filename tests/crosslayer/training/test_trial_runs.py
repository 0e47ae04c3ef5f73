"""Trials end to end on a tiny profile: equal when repeated, resumed, locked, and failing by name."""

from __future__ import annotations

import errno
import os
import shutil
import signal
from collections.abc import Callable
from dataclasses import replace
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from claimtrack.errors import ClaimError, ResultsError
from claimtrack.seal import newest_hash
from crosslayer.config import Profile, load_profile
from crosslayer.errors import TrialFailure
from crosslayer.predictions.records import TrialRecord, read_record
from crosslayer.predictions.runs import ResultsRun
from crosslayer.sweep import run as sweep
from crosslayer.sweep import store, workers
from crosslayer.sweep.plan import load_inputs, planned_keys, trial_specs
from crosslayer.sweep.processes import exclusive
from crosslayer.sweep.store import fresh_trial, write_manifest
from crosslayer.tasks import TASKS
from crosslayer.training import execution
from crosslayer.training.finetuned import TrialResult, run_finetuned, training_rows
from crosslayer.training.trainable import TrialInputs, build_model, stream
from crosslayer.training.trials import TrialSpec, variants
from made_inputs import changed, prepared
from one_line import said
from repository import ROOT


@pytest.fixture(scope="module")
def tiny() -> Profile:
    return load_profile(ROOT / "profiles" / "tiny.yaml")


@pytest.fixture(scope="module")
def encoder(tiny: Profile, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The output of the encoder stage."""
    return prepared(tiny, tmp_path_factory.mktemp("results") / "tiny") / "encoder"


@pytest.fixture(scope="module")
def inputs(encoder: Path) -> TrialInputs:
    return load_inputs(encoder, "pos", ["english"], torch.device("cpu"))


SpecOf = Callable[..., TrialSpec]
Plan = Callable[..., list[TrialSpec]]
Train = Callable[..., list[TrialRecord]]


@pytest.fixture
def plan(tiny: Profile, encoder: Path) -> Plan:
    """The trials of POS under a profile with some changes."""
    return lambda stage="sweep", **changes: trial_specs(changed(tiny, **changes), stage, "pos", encoder)


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return tmp_path / "trials" / "sweep" / "pos"


@pytest.fixture
def train(tiny: Profile, encoder: Path, home: Path) -> Train:
    """Train these trials."""
    return lambda tell=None, **changes: sweep.run_sweep(
        changed(tiny, **changes), "sweep", "pos", encoder, home, tell
    )


@pytest.fixture
def spec_of(plan: Plan) -> SpecOf:
    """A fine-tuned trial of a model, with other training settings."""

    def find(model: str, **training: object) -> TrialSpec:
        spec = next(s for s in plan() if s.model == model)
        settings = {"mode": "finetuned", "learning_rate": 1e-3, **training}
        return spec.model_copy(update={"training": spec.training.model_copy(update=settings)})

    return find


def test_a_repeated_trial_is_bit_equal(spec_of: SpecOf, inputs: TrialInputs) -> None:
    spec = spec_of("layer_1")
    torch.set_num_threads(1)
    first, second = (run_finetuned(spec, inputs, {}).predictions for _ in range(2))
    assert first.equals(second)
    other = run_finetuned(spec.model_copy(update={"seed": 7}), inputs, {}).predictions
    assert not first.equals(other)


def test_predictions_hold_every_word_once_with_its_gold_label_and_give_the_dev_score(
    spec_of: SpecOf, inputs: TrialInputs, tmp_path: Path
) -> None:
    """While training, dev is scored on other batches, which in bfloat16 rounds otherwise: here by 12 points."""
    spec = spec_of("baseline", epochs=1)
    result = run_finetuned(spec, inputs, {})
    frame = result.predictions
    rows = inputs.encoded.predicted_rows()
    assert frame["gold"].tolist() == np.concatenate(inputs.encoded.labels[rows]).tolist()
    assert not frame.duplicated(["split", "language", "item", "position"]).any()
    scores = frame[[f"score_{k}" for k in range(len(TASKS["pos"].labels))]].to_numpy()
    assert (scores.max(axis=1) == 0).all()
    assert (scores.argmax(axis=1) == frame["predicted"]).all()
    rounded = replace(result, dev_history=(result.dev_history[0] + 12,))
    dev = frame[frame["split"] == "dev"]
    score = 100 * (dev["gold"] == dev["predicted"]).mean()
    assert store.keep(spec, rounded, tmp_path, "2.13.0").dev_score == pytest.approx(score)


def test_models_of_a_seed_share_head_and_streams(spec_of: SpecOf, inputs: TrialInputs) -> None:
    baseline, fused = (spec_of(model) for model in ("baseline", "layer_2"))
    heads = [build_model(spec, "pos", inputs, torch.nn.Identity()).head.state_dict() for spec in (baseline, fused)]
    assert all(torch.equal(heads[0][name], heads[1][name]) for name in heads[0])
    for purpose in ("order", "dropout", "fusion"):
        assert stream(baseline, purpose) == stream(fused, purpose)
    assert len({stream(baseline, purpose) for purpose in ("order", "dropout", "fusion", "head:pos")}) == 4


def test_halves_and_shares_of_the_training_items(spec_of: SpecOf, inputs: TrialInputs) -> None:
    def rows(**part: float) -> set[int]:
        spec = spec_of("layer_1", batch_size=8).model_copy(update=part)
        return set(training_rows(spec, inputs.encoded).tolist())

    whole = rows()
    assert not rows(half=1) & rows(half=2)
    assert rows(half=1) | rows(half=2) == whole
    assert rows(share=0.5) < rows(share=0.9) <= whole
    error = np.sqrt(len(whole) / 4)
    assert len(rows(share=0.5)) == pytest.approx(len(whole) / 2, abs=4 * error)


def test_variations_share_the_seeds_and_change_one_thing(plan: Plan) -> None:
    plain = {spec.key for spec in plan()}
    varied = {"tasks": ["pos"], "seeds": [0, 1], "fusion": [{"reduction": 2}], "train_shares": [0.5]}
    specs = plan(sweep={"variations": varied})
    assert plain <= {spec.key for spec in specs}, "what was trained before stays valid"
    more = [spec for spec in specs if spec.key not in plain]
    assert [(spec.seed, spec.model) for spec in more] == [
        (seed, model) for seed in (0, 1) for model in ("varied:reduction=2", "baseline_at_0.5", "dlfa_at_0.5")
    ]
    by_model = {spec.model: spec.content() for spec in specs if spec.seed == 0}
    for model, varied_too in (("varied:reduction=2", "fusion"), ("dlfa_at_0.5", "share")):
        one, other = by_model["layer_1"], by_model[model]
        assert {name for name in other if one.get(name) != other[name]} == {"model", varied_too}
    assert not [spec for spec in plan("intermediate", sweep={"variations": varied}) if spec.share]


def test_a_diverging_loss_is_a_named_outcome(spec_of: SpecOf, inputs: TrialInputs) -> None:
    spec = spec_of("baseline", learning_rate=1e30, clip=1e30)
    with pytest.raises(TrialFailure) as caught:
        run_finetuned(spec, inputs, {})
    assert caught.value.outcome == "nan_loss"


def test_the_intermediate_phase_changes_the_encoder(plan: Plan, inputs: TrialInputs) -> None:
    specs = {s.arm: s for s in plan("intermediate") if s.seed == 0}
    none, english = (run_finetuned(specs[arm], inputs, {}) for arm in ("none", "english"))
    assert not none.predictions.equals(english.predictions)
    assert none.trained_parameters == english.trained_parameters


def test_a_target_may_have_a_phase_of_its_own(tiny: Profile, plan: Plan) -> None:
    """Both arms take it; what others have changes no key, so that what is recorded of this target stays."""

    def planned(**own: Any) -> list[TrialSpec]:
        settings = {"epochs": 2, "learning_rate": 1e-3, "targets": ["pos", "ner"], "by_target": own}
        return plan("intermediate", intermediate=settings, tasks={"ner": tiny.tasks["pos"].model_dump()})

    usual, other, gentler = planned(), planned(ner={"epochs": 9}), planned(pos={"learning_rate": 1e-5})
    assert usual == other
    for spec, former in zip(gentler, usual, strict=True):
        assert spec.intermediate == ({} if spec.arm == "none" else {"epochs": 2, "learning_rate": 1e-5})
        assert (spec.key == former.key) == (spec.arm == "none")
    own = planned(pos={"seeds": [7]}, ner={"seeds": [8]})
    assert [(spec.seed, spec.arm) for spec in own] == [(7, arm) for arm in ("none", "english", "multilingual")]


def assert_alike(one: TrialResult, other: TrialResult) -> None:
    assert one.trained_parameters == other.trained_parameters
    scores = [run.predictions.filter(like="score_").to_numpy(np.float64) for run in (one, other)]
    np.testing.assert_allclose(*scores, atol=0.02)  # the table keeps half precision, the loss went through Adam


@pytest.mark.parametrize("model", ["baseline", "layer_1", "layer_2"])
def test_states_kept_from_the_layers_below_change_nothing(
    spec_of: SpecOf, inputs: TrialInputs, model: str
) -> None:
    """Two of three layers frozen: the lower layer is below the trained one or the input of it."""
    torch.set_num_threads(1)
    spec = spec_of(model, trainable_layers=1, train_embeddings=False)
    states = execution.shared_states([spec], inputs)
    assert set(states) == {"none", "english"}
    run = run_finetuned(spec, inputs, {})
    kept = run_finetuned(spec, inputs, states)
    assert_alike(run, kept)
    assert (run.predictions["predicted"] == kept.predictions["predicted"]).mean() > 0.99


def test_too_many_states_are_not_kept(
    spec_of: SpecOf, inputs: TrialInputs, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whichever trials of a sweep are left: a stopped one goes on as it began."""
    specs = [spec_of(name, trainable_layers=2, train_embeddings=False) for name in ("layer_1", "layer_2")]
    kept = inputs.encoder.config.num_hidden_layers - 2 + 1
    size = int(inputs.encoded.lengths().sum()) * kept * 32 * (2 if specs[0].precision == "bfloat16" else 4)
    for left in (specs, specs[:1]):
        monkeypatch.setattr(execution, "MAX_BYTES", size)
        assert set(execution.shared_states(left, inputs)) == {"none", "english"}
        monkeypatch.setattr(execution, "MAX_BYTES", size - 1)
        assert set(execution.shared_states(left, inputs)) == {"english"}
    monkeypatch.setattr(execution, "MAX_BYTES", 0)
    assert execution.shared_states(specs, inputs) == {}
    assert execution.shared_states([spec_of("layer_1")], inputs) == {}


def test_a_fine_tuned_trial_without_a_trained_layer_is_a_frozen_one(spec_of: SpecOf, inputs: TrialInputs) -> None:
    """The frozen path has no encoder at all; here the encoder runs, but nothing of it is trained."""
    torch.set_num_threads(1)
    frozen = spec_of("layer_2", mode="frozen", train_embeddings=False)
    tuned = spec_of("layer_2", trainable_layers=0, train_embeddings=False)
    one = execution.make_runner([frozen], inputs)(frozen)
    two = run_finetuned(tuned, inputs, {})
    assert_alike(one, two)


def test_a_sweep_goes_on_where_it_stopped(
    train: Train, home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    original, calls = workers.run_and_keep, list[str]()

    def noted(spec: TrialSpec, *rest: Any) -> TrialRecord:
        if len(calls) == 3 and not (home / "feedfeedfeedfeed").exists():
            raise KeyboardInterrupt
        calls.append(spec.key)
        return original(spec, *rest)

    monkeypatch.setattr(workers, "run_and_keep", noted)
    with pytest.raises(KeyboardInterrupt):
        train()
    assert not (home / "manifest.json").exists()
    (home / ".0123-left").mkdir()
    (home / "feedfeedfeedfeed").mkdir()
    told: list[TrialRecord] = []
    records = train(told.append)
    assert [record.key for record in told] == calls[3:]
    assert sorted(calls) == sorted(record.key for record in records)
    assert not list(home.glob(".*-*"))
    run = ResultsRun(tmp_path)
    assert [record.key for record in run.records("sweep", "pos")] == [record.key for record in records]
    assert run.table(records, "test").predicted.shape[0] == len(records)
    train(told.append)
    assert len(told) == len(records) - 3


@pytest.fixture
def sealed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """The hash of the newest seal of a working directory that has seals."""
    (tmp_path / "here" / "claims").mkdir(parents=True)
    shutil.copy(ROOT / "tests" / "golden" / "seals.json", tmp_path / "here" / "claims")
    monkeypatch.chdir(tmp_path / "here")
    return newest_hash()


@pytest.mark.parametrize("workers", [1, 2])
def test_trials_name_the_seal_under_which_they_were_trained(
    workers: int, sealed: str, train: Train, plan: Plan, home: Path
) -> None:
    changes = {"sweep": {"layers": [], "controls": [], "seeds": [0]}, "compute": {"workers": workers}}
    (record,) = train(**changes)
    assert len(sealed) == 64
    assert record.seal == read_record(home / record.key / "trial.json").seal == sealed
    assert record.key == plan(**changes)[0].key
    assert "seal" not in record.specification
    Path("claims/seals.json").unlink()
    assert train(**changes) == [record], "a finished trial keeps its seal"
    (record,) = train(**changes | {"sweep": {"layers": [], "controls": [], "seeds": [1]}})
    assert record.seal == ""


def test_trials_of_a_cluster_and_failures_name_their_seal(
    sealed: str, train: Train, monkeypatch: pytest.MonkeyPatch
) -> None:
    failure = TrialFailure("failed", "lost")
    monkeypatch.setattr(sweep, "run_on_ray", lambda specs, *_: [(spec, failure, "2.0") for spec in specs])
    assert {record.seal for record in train(compute={"executor": "ray"})} == {sealed}


def test_a_damaged_file_of_seals_trains_nothing(sealed: str, train: Train, home: Path) -> None:
    Path("claims/seals.json").write_text("[{}]", encoding="utf-8")
    assert "seals" in said(ClaimError, train)
    assert not home.exists()


START = workers.start_worker


def _start_spoilt(*about: Any) -> None:
    """A worker that notes each trial that it begins; it is killed in the one whose key stands in a file, as often
    as the file says, and without a file its disk is full."""
    START(*about)
    run: workers.Runner = workers.worker["run"]
    doom = about[3].parent / "doom"

    def spoilt(spec: TrialSpec) -> TrialResult:
        with doom.with_name("begun").open("a") as begun:
            begun.write(f"{spec.key}\n")
        if not doom.exists():
            raise OSError(errno.ENOSPC, "full")
        key, times = doom.read_text().split()
        if spec.key == key and int(times):
            doom.write_text(f"{key} {int(times) - 1}")
            _die()
        return run(spec)

    workers.worker["run"] = spoilt


def _die(*_: object) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


@pytest.mark.slow
@pytest.mark.parametrize("times", [1, 2])
def test_a_dying_worker_costs_its_own_trial_at_most(
    train: Train, plan: Plan, home: Path, monkeypatch: pytest.MonkeyPatch, times: int
) -> None:
    """Killed once, a trial is run again; killed twice, it is `failed`, and all others are there all the same."""
    keys = [spec.key for spec in plan()]
    home.mkdir(parents=True)
    home.with_name("doom").write_text(f"{keys[1]} {times}")
    monkeypatch.setattr(workers, "start_worker", _start_spoilt)
    records = train(compute={"workers": 2})
    outcomes = {record.key: record.outcome for record in records}
    assert list(outcomes) == keys
    assert {record.torch for record in records} == {torch.__version__.split("+")[0]}, (
        "of one batch: it can give way"
    )
    assert outcomes.pop(keys[1]) == ("ok" if times == 1 else "failed")
    assert set(outcomes.values()) == {"ok"}
    begun = home.with_name("begun").read_text().split()
    assert begun.count(keys[1]) == 2
    again = [key for key in outcomes if begun.count(key) > 1]
    assert len(again) <= 1, "only what ran beside it is run again"
    assert not list(home.glob(".*"))


def test_workers_that_die_before_they_train_end_in_one_line(train: Train, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(workers, "start_worker", _die)
    told = said(ResultsError, lambda: train(compute={"workers": 2}))
    assert "die before they train; lower compute.workers" in told


def test_an_error_of_the_disk_ends_a_sweep_before_the_other_trials(
    train: Train, plan: Plan, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(workers, "start_worker", _start_spoilt)
    with pytest.raises(OSError, match="full"):
        train(compute={"workers": 2})
    assert len(home.with_name("begun").read_text().split()) < len(plan())


def test_a_task_has_its_own_part_of_a_sweep(tiny: Profile, plan: Plan) -> None:
    def planned(**own: Any) -> set[tuple[str, int]]:
        found = plan(sweep={"controls": ["self", "shuffled", "gate"], "halves": True, **own})
        pairs = [(str(spec.model), spec.seed) for spec in found]
        assert len(set(pairs)) == len(pairs)
        return set(pairs)

    whole, part = planned(), {"layers": [1], "controls": [], "halves": False, "seeds": [1]}
    assert planned(by_task={"ner": part}) == whole
    assert planned(by_task={"pos": part}) == {("baseline", 1), ("layer_1", 1)}
    assert whole - planned(by_task={"pos": {"halves": False}}) == {*product(("half_1", "half_2"), (0, 1, 2))}
    assert whole - planned(control_seeds=[2]) == {*product(("shuffled", "gate"), (0, 1))}
    assert 7 in changed(tiny, sweep={"by_task": {"ner": {"layers": [7]}}}).sweep.lower_layers


def test_the_baseline_of_the_sweep_is_the_arm_without_intermediate_phase(
    tiny: Profile, encoder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    trained: list[TrialSpec] = []
    original = workers.run_and_keep
    monkeypatch.setattr(workers, "run_and_keep", lambda spec, *rest: trained.append(spec) or original(spec, *rest))
    pos = tiny.tasks["pos"].model_dump() | {"mode": "finetuned", "epochs": 1}
    tuned = changed(tiny, tasks={"pos": pos}, sweep={"layers": [], "controls": []})
    both, alone = ResultsRun(tmp_path / "both"), ResultsRun(tmp_path / "alone")
    homes = {run: run.folder / "trials" / "intermediate" / "pos" for run in (both, alone)}
    sweep.run_sweep(tuned, "sweep", "pos", encoder, both.folder / "trials" / "sweep" / "pos")
    trained.clear()
    arms = sweep.run_sweep(tuned, "intermediate", "pos", encoder, homes[both])
    seeds = set(tuned.sweep.seeds) & set(tuned.intermediate.seeds)
    assert seeds
    assert not [spec for spec in trained if spec.arm == "none" and spec.seed in seeds]
    assert sweep.run_sweep(tuned, "intermediate", "pos", encoder, homes[alone]) == arms
    assert {record.stage for record in arms} == {"intermediate"}
    for record in arms:
        for name in ("trial.json", "predictions.parquet", "diagnostics.npz"):
            one, two = (run.trial_folder(record) / name for run in (both, alone))
            assert one.read_bytes() == two.read_bytes()


def test_results_of_other_settings_are_not_current(
    tiny: Profile, encoder: Path, home: Path, tmp_path: Path
) -> None:
    shutil.copytree(encoder, tmp_path / "encoder")
    one = changed(tiny, sweep={"seeds": [0], "layers": [1]})
    home.mkdir(parents=True)
    write_manifest(home, trial_specs(one, "sweep", "pos", encoder))
    store.check_current(one, tmp_path)
    changes: list[dict[str, Any]] = [{"seeds": [0, 1]}, {"seeds": [1]}, {"layers": []}]
    for change in changes:
        assert "counts other trials than" in said(
            ResultsError, store.check_current, changed(one, sweep=change), tmp_path
        )
    told = said(ResultsError, store.check_current, one.model_copy(update={"tasks": {}}), tmp_path)
    assert told == f"params.yaml plans no sweep of pos; remove {home}/manifest.json"


def test_finished_trials_of_a_sweep_that_was_stopped(
    tiny: Profile, encoder: Path, plan: Plan, train: Train, home: Path, tmp_path: Path
) -> None:
    """Without a manifest: what is planned and finished, in the order of the plan; no failure that
    is tried again."""
    shutil.copytree(encoder, tmp_path / "encoder")
    specs = plan()
    (ok,), nan, failed = train(sweep={"layers": [], "controls": [], "seeds": [0]}), specs[1], specs[2]
    (home / "manifest.json").unlink()
    unplanned = specs[0].model_copy(update={"seed": 77})
    for spec, outcome in ((nan, "nan_loss"), (failed, "failed"), (unplanned, "nan_loss")):
        with fresh_trial(home, spec.record(outcome=outcome)):
            (home / ".half").mkdir(exist_ok=True)
    planned = planned_keys(tiny, tmp_path)
    assert planned == {spec.key for spec in (*specs, *plan("intermediate"))}
    assert planned_keys(tiny, tmp_path / "absent") == set(), "before the encoder is prepared"
    found = store.finished_trials(tiny, tmp_path)
    assert [record.key for record in found] == [ok.key, nan.key] == [spec.key for spec in specs[:2]]
    (home / ok.key / "predictions.parquet").write_bytes(b"damaged")
    assert [record.key for record in store.finished_trials(tiny, tmp_path)] == [nan.key]
    assert store.finished_trials(tiny.model_copy(update={"tasks": {}}), tmp_path) == []


def test_two_sweeps_in_one_place_end_in_one_line(train: Train, home: Path) -> None:
    with exclusive(home):
        assert "is being written by another process" in said(ResultsError, train)


def test_emulated_bfloat16_is_warned_of(
    spec_of: SpecOf,
    tiny: Profile,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setattr(workers, "prepare_runner", lambda *_: None)
    monkeypatch.setattr(workers, "run_and_keep", lambda spec, *_: spec)
    spec = spec_of("baseline").model_copy(update={"precision": "bfloat16"})
    for native, warned in ((True, 0), (False, 1)):
        monkeypatch.setattr(workers, "has_bfloat16", lambda device, native=native: native)
        assert [*workers.train_here([spec], tiny.compute, tmp_path, tmp_path, "")] == [spec]
        assert caplog.text.count("emulates bfloat16") == warned


def test_controls_take_the_lower_layer_of_their_task(tiny: Profile) -> None:
    layers: dict[str, Any] = {"control_layer": 1, "control_layers": {"ner": 2}}
    profile = changed(tiny, sweep={"controls": ["self", "average"], "halves": True, **layers})
    for task, layer in (("pos", 1), ("ner", 2)):
        found = {variant.model: variant.layer for variant in variants(profile, task)}
        expected = {"self": None, "average": layer, "half_1": 1, "half_2": 1}
        assert {name: found[name] for name in expected} == expected
    assert 2 in profile.sweep.lower_layers
