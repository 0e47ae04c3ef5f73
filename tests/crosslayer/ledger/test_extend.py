"""Recorded runs in pieces: a grid that is recorded piece by piece is the grid recorded at once."""

from __future__ import annotations

import json
import os
import re
import shutil
from collections.abc import Callable, Iterable
from dataclasses import replace
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from claimtrack.errors import ResultsError
from claimtrack.evidence import Evidence, read_evidence
from claimtrack.registry import Registry, load_registry
from claimtrack.report.runs import view_run
from claimtrack.results import load_recorded
from claimtrack.runlog import combined_info
from crosslayer.config import DataSpec, Profile, TargetPhase, TaskSpec
from crosslayer.errors import ConfigError
from crosslayer.ledger import ledger
from crosslayer.ledger.combining import combine, combined, planned_places
from crosslayer.ledger.crate import write_crate
from crosslayer.ledger.ledger import RecordedRun, analysis_of, derive_again, differences, record, verify
from crosslayer.paper import PLUGIN
from crosslayer.paper.sections import PaperSections
from crosslayer.predictions.records import ResultsRun, TrialRecord
from crosslayer.tasks import TASKS
from repository import ROOT
from synthetic_run import (
    LANGUAGES,
    MadeUpRun,
    add_predictions,
    make_items,
    make_profile,
    make_record,
    write_results,
)

CLAIMS = ("C01", "C05", "C07", "C13", "Q01")
Choice = Callable[[TrialRecord], bool]


def make_grid(profile: Profile, n: int = 24) -> MadeUpRun:
    """Every trial that a profile plans, with diagnostics; layer 1 is the best on English dev."""
    rng, run = np.random.default_rng(0), MadeUpRun()
    for task in profile.tasks:
        run.items[task, "dev"] = make_items(task, 3 * n, ("en",), rng)  # enough to be above chance
        run.items[task, "test"] = make_items(task, n, LANGUAGES, rng)
    difficulty = {place: rng.random(len(items.gold)) for place, items in run.items.items()}
    for stage, task, model, layer, arm, seed in planned_places(profile):
        ability = 0.8 + 0.01 * rng.standard_normal() + 0.1 * (layer == 1)
        about = {"version": 2, "threads": 1, "digests": {"encoder": "e", task: f"windows of {task}"}}
        trial = make_record(task, model, seed, stage, arm).model_copy(  # type: ignore[arg-type]
            update={"layer": layer, "dev_score": 100 * ability, "torch": "2.13.0", "specification": about}
        )
        run.trials.append(trial)
        vectors = rng.standard_normal((len(LANGUAGES), 8)).astype(np.float16)
        run.arrays[trial.key] = {
            "fused_mean": vectors, "pair_similarity": np.corrcoef(vectors).astype(np.float32),
            "attention_mean": rng.random(8).astype(np.float16).astype(np.float32),
            "attention_variance": np.full(8, 1 / 128, np.float32),
        }  # fmt: skip
        for split in ("dev", "test"):
            add_predictions(run, trial, split, difficulty[task, split], ability, rng)
            k = len(TASKS[task].labels)
            scores = -3.0 * (np.arange(k) != run.predicted[trial.key, split][:, None])
            run.logits[trial.key, split] = scores.astype(np.float32)
    return run


def write_trials(run: MadeUpRun, folder: Path) -> Path:
    """Write all trials of a run as results, with the manifests of a sweep that has come to its end."""
    write_results(run, folder)
    for trial in run.trials:
        np.savez(ResultsRun(folder).trial_folder(trial) / "diagnostics.npz", **run.arrays[trial.key])  # type: ignore[arg-type]
    (folder / "probes").mkdir()
    pd.DataFrame({"layer": [0, 1]}).to_parquet(folder / "probes" / "similarity.parquet")
    return folder


@pytest.fixture(scope="module")
def registry() -> Registry:
    whole = load_registry(ROOT / "claims" / "registry.yaml")
    return whole.model_copy(update={"entries": {claim: whole.entries[claim] for claim in CLAIMS}})


@pytest.fixture(scope="module")
def structural(registry: Registry) -> Registry:
    """A claim that takes no time, for tests of other things."""
    return registry.model_copy(update={"entries": {"C01": registry.entries["C01"]}})


@pytest.fixture(scope="module")
def profile() -> Profile:
    made = make_profile(("pawsx", "pos"), layers=(1, 2), targets=("pos",))
    return made.model_copy(update={"sweep": made.sweep.model_copy(update={"halves": True})})


@pytest.fixture(scope="module")
def grid(profile: Profile) -> MadeUpRun:
    return make_grid(profile)


@pytest.fixture(scope="module")
def written(grid: MadeUpRun, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The whole grid as results; not to be changed."""
    return write_trials(grid, tmp_path_factory.mktemp("whole") / "results")


@pytest.fixture(scope="module")
def at_once(written: Path, profile: Profile, registry: Registry, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The whole grid as one entry; not to be changed."""
    return record("grid", "A grid", profile, registry, written, tmp_path_factory.mktemp("ledger"))


class Pieces:
    """A ledger in a temporary folder, with one entry that grows by results that hold one piece each."""

    def __init__(self, grid: MadeUpRun, written: Path, profile: Profile, registry: Registry, home: Path) -> None:
        self.grid, self.written, self.profile, self.registry = grid, written, profile, registry
        self.results, self.entry = home / "results", home / "ledger" / "grid"

    def rewrite(self, grid: MadeUpRun) -> None:
        """Take the next pieces from a run with other predictions."""
        self.grid, self.written = grid, write_trials(grid, self.results.with_name("rewritten"))

    def lay_out(self, chosen: Choice, **info: Any) -> list[TrialRecord]:
        """Put some trials, and no manifest, in the place of the present results; the trials."""
        shutil.rmtree(self.results, ignore_errors=True)
        trials = [trial for trial in self.grid.trials if chosen(trial)]
        for trial in trials:
            home = ResultsRun(self.results).trial_folder(trial)
            shutil.copytree(ResultsRun(self.written).trial_folder(trial), home)
            (home / "trial.json").write_text(trial.model_dump_json())
        shutil.copytree(self.written / "probes", self.results / "probes")
        (self.results / "run.json").write_text(json.dumps(info))
        return trials

    def start(self, chosen: Choice) -> Path:
        """Record some trials as all that there is."""
        trials = self.lay_out(chosen, revision="one", stages={"sweep-pos": {"seconds": 2.5}})
        for home in self.results.glob("trials/*/*"):
            keys = [trial.key for trial in trials if (home / trial.key).is_dir()]
            (home / "manifest.json").write_text(json.dumps({"keys": keys}))
        record("grid", "The first piece", self.profile, self.registry, self.results, self.entry.parent)
        shutil.rmtree(self.results)
        return self.entry

    def add(self, chosen: Choice, profile: Profile | None = None) -> Path:
        """Extend the entry by some trials."""
        info = {"revision": "two", "machine": {"cores": 64}, "packages": {"torch": "2.13.0"}}
        stages = {"sweep-pos": {"seconds": 2.5}, "sweep-pawsx": {"seconds": 4.0}}
        return self.extend(self.lay_out(chosen, **info, stages=stages), profile)

    def extend(self, finished: list[TrialRecord], profile: Profile | None = None, **how: Any) -> Path:
        """Extend the entry by trials that lie in the results."""
        about = (profile or self.profile, self.registry, self.results, ["grid"], finished, self.entry.parent)
        return combine("grid", "All of it", *about, **how)

    def refuses(self, words: str, change: Callable[[], object], others: Path | None = None) -> None:
        """A change ends in one line, and the entry is as it was; so is the ledger, but for ``others`` in it."""
        before = (self.entry / "hashes.json").read_bytes()
        with pytest.raises((ConfigError, ResultsError), match=words) as caught:
            change()
        assert "\n" not in str(caught.value)
        verify(self.entry)
        assert (self.entry / "hashes.json").read_bytes() == before
        assert self.entry.parent == others or [path.name for path in self.entry.parent.iterdir()] == ["grid"]


@pytest.fixture
def pieces(grid: MadeUpRun, written: Path, profile: Profile, structural: Registry, tmp_path: Path) -> Pieces:
    return Pieces(grid, written, profile, structural, tmp_path)


def is_early(trial: TrialRecord) -> bool:
    """Seed 0, and of seed 1 what a sweep that was stopped has left."""
    return trial.seed == 0 or (trial.seed == 1 and trial.model in ("baseline", "layer_1"))


CUTS: dict[str, list[Choice]] = {
    "task by task": [lambda t: t.task == "pos", lambda t: t.task == "pawsx"],
    "arms first": [lambda t: t.stage == "intermediate", lambda t: t.stage == "sweep"],
    "seed by seed": [lambda t: t.seed == 2, lambda t: t.seed == 0, lambda t: t.seed == 1],
    "a sweep that was stopped": [is_early, lambda t: not is_early(t)],
    "overlapping": [lambda t: t.seed < 2, lambda t: t.seed > 0],
}


@pytest.mark.parametrize("cut", CUTS)
def test_in_pieces_is_as_at_once(cut: str, at_once: Path, pieces: Pieces, registry: Registry) -> None:
    entry = pieces.start(CUTS[cut][0])
    for chosen in CUTS[cut][1:-1]:
        pieces.add(chosen)
    pieces.registry = registry
    pieces.add(CUTS[cut][-1])
    shutil.rmtree(pieces.results)
    derive_again(entry, registry)
    names = {path.relative_to(at_once) for path in at_once.rglob("*") if path.is_file()}
    assert {path.relative_to(entry) for path in entry.rglob("*") if path.is_file()} == names
    unequal = {name.name for name in names if (entry / name).read_bytes() != (at_once / name).read_bytes()}
    assert unequal <= {"run.json", "hashes.json"}, "predictions, scores, evidence and figures are equal bytes"


def evidence_of(entry: Path, claim: str) -> Evidence:
    return read_evidence(entry / "claims" / claim / "evidence.json")


def of_task(entry: Path, claim: str, task: str) -> list[dict[str, Any]]:
    return [part.model_dump(mode="json") for part in evidence_of(entry, claim).parts if part.task == task]


def test_what_rests_on_recorded_trials_stays(pieces: Pieces, registry: Registry) -> None:
    pieces.registry = registry
    entry = pieces.start(lambda t: t.task == "pos")
    before = {claim: of_task(entry, claim, "pos") for claim in ("C05", "Q01")}
    assert min(map(len, before.values())) > 4
    assert "PAWS-X: the sweep has not run" in evidence_of(entry, "C05").missing
    pieces.add(lambda t: t.task == "pawsx")
    assert not list(differences(before, {claim: of_task(entry, claim, "pos") for claim in before}))
    assert not [line for line in evidence_of(entry, "C05").missing if "has not run" in line]


def model_parts(entry: Path) -> dict[str | None, int | None]:
    """Models of PAWS-X that calibration compares with the baseline, and at how many seeds."""
    return {
        part.model: part.n_seeds
        for part in evidence_of(entry, "Q01").parts
        if part.measure == "ece_model_minus_baseline" and part.task == "pawsx"
    }


@pytest.mark.parametrize(("results_are_kept", "n_seeds"), [(False, 2), (True, 3)])
def test_when_english_dev_comes_to_choose_another_layer(
    results_are_kept: bool, n_seeds: int, pieces: Pieces, registry: Registry
) -> None:
    """At seed 0 it chooses layer 2, at all seeds layer 1, whose scores at seed 0 are in no entry."""
    pieces.registry = registry.model_copy(update={"entries": {"Q01": registry.entries["Q01"]}})
    key, dev = "sweep-pawsx-layer_2-none-0", pieces.grid.items["pawsx", "dev"].gold.copy()
    dev[:3] = 1 - dev[:3]  # a little better than layer 1
    pieces.rewrite(replace(pieces.grid, predicted=pieces.grid.predicted | {(key, "dev"): dev}))
    entry = pieces.start(lambda t: t.seed == 0)
    assert model_parts(entry) == {"layer_2": 1}
    old = {path.name: path.read_bytes() for path in entry.glob("scores-*")}
    pieces.add(lambda t: t.seed > 0 or results_are_kept)
    assert model_parts(entry) == {"layer_1": n_seeds}
    assert {name: (entry / name).read_bytes() for name in old} == old, "English dev may change its mind again"
    derive_again(entry, pieces.registry)


def test_reads_like_one_run(pieces: Pieces, at_once: Path) -> None:
    entry = pieces.start(lambda t: t.seed == 1)
    trials = pieces.lay_out(lambda t: t.seed != 1)
    joined = combined("grid", [RecordedRun(entry)], ResultsRun(pieces.results), trials, pieces.profile)
    whole = RecordedRun(at_once)
    assert joined.name == whole.name
    for stage, task in (("sweep", "pawsx"), ("sweep", "pos"), ("intermediate", "pos")):
        records = whole.records(stage, task)  # type: ignore[arg-type]
        assert joined.records(stage, task) == records  # type: ignore[arg-type]
        one, two = joined.table(records[::-1], "test"), whole.table(records[::-1], "test")
        assert one.records == two.records == records[::-1]
        for name in ("languages", "language", "item", "position", "gold", "predicted"):
            np.testing.assert_array_equal(getattr(one, name), getattr(two, name), err_msg=name)
        np.testing.assert_array_equal(joined.scores(records[0], "dev"), whole.scores(records[0], "dev"))
        assert whole.diagnostics(records[0])["attention_mean"].dtype == np.float16
        for name, array in whole.diagnostics(records[0]).items():
            np.testing.assert_array_equal(array, joined.diagnostics(records[0])[name])
    probe = joined.probe("similarity")
    assert probe is not None
    assert probe["layer"].tolist() == [0, 1]
    assert joined.structure() is None


# Entries that hold different tasks


@pytest.fixture
def by_task(pieces: Pieces) -> Path:
    """A ledger with an entry of each task, trained on two machines."""
    for task in ("pos", "pawsx"):
        pieces.start(lambda t, task=task: t.task == task)  # type: ignore[misc]
        os.replace(pieces.entry, pieces.entry.with_name(f"only-{task}"))
    return pieces.entry.parent


def joined(pieces: Pieces, *sources: str, name: str = "grid", profile: Profile | None = None) -> Path:
    place = pieces.entry.parent
    about = (profile or pieces.profile, pieces.registry, pieces.results, sources, None, place)
    return combine(name, "A grid", *about)


def test_joined_tasks_are_as_at_once(pieces: Pieces, by_task: Path, at_once: Path, registry: Registry) -> None:
    pieces.registry = registry
    entry = joined(pieces, "only-pawsx", "only-pos")
    derive_again(entry, registry)
    names = {path.relative_to(at_once) for path in at_once.rglob("*") if path.is_file()}
    assert {path.relative_to(entry) for path in entry.rglob("*") if path.is_file()} == names
    unequal = {name.name for name in names if (entry / name).read_bytes() != (at_once / name).read_bytes()}
    assert unequal <= {"run.json", "hashes.json"}, "predictions, scores, evidence and figures are equal bytes"
    info = json.loads((entry / "run.json").read_text())
    assert info["title"] == "A grid"
    assert [part["title"] for part in info["parts"]] == ["The first piece"] * 2
    assert info["stages"] == {"sweep-pos": {"seconds": 2.5}}, "the same attempt, told in both"
    assert {path.name for path in by_task.iterdir()} == {"grid", "only-pawsx", "only-pos"}


def test_a_joined_entry_can_take_the_place_of_a_source(pieces: Pieces, by_task: Path) -> None:
    entry = joined(pieces, "only-pos", "only-pawsx", name="only-pos")
    verify(entry)
    assert {path.name for path in by_task.iterdir()} == {"only-pawsx", "only-pos"}
    assert {trial["task"] for trial in json.loads((entry / "trials.json").read_text())} == {"pos", "pawsx"}


def in_batch_of_its_own(trial: TrialRecord) -> TrialRecord:
    about = {"precision": "bfloat16", "specification": {**trial.specification, "version": 3}}
    return trial.model_copy(update={"key": f"v3-{trial.key}", **about})


def test_one_task_may_be_trained_twice_and_is_not_compared_across(
    pieces: Pieces, by_task: Path, profile: Profile, registry: Registry
) -> None:
    """Layer 1 and `self` again in another version and precision: every trial is kept, each comparison has one."""
    run = pieces.grid
    chosen = [t for t in run.trials if t.task == "pos" and t.stage == "sweep" and t.model in AGAIN]
    later = replace(run, trials=[in_batch_of_its_own(trial) for trial in chosen])
    for trial in chosen:
        run.arrays[f"v3-{trial.key}"] = run.arrays[trial.key]
        for split in ("dev", "test"):
            for known in (run.predicted, run.logits):
                known[f"v3-{trial.key}", split] = known[trial.key, split]
    pieces.rewrite(later)
    pieces.start(lambda t: True)
    os.replace(pieces.entry, by_task / "again")
    pieces.registry = registry
    entry = joined(pieces, "only-pos", "again")
    kept = RecordedRun(entry)
    keys = [trial.key for trial in kept.records("sweep", "pos")]
    assert sorted(keys) == sorted(trial.key for source in ("only-pos", "again")
                                  for trial in RecordedRun(by_task / source).records("sweep", "pos"))  # fmt: skip
    for source, split in product(("only-pos", "again"), ledger.SPLITS):
        records = RecordedRun(by_task / source).records("sweep", "pos")
        one, two = RecordedRun(by_task / source).table(records, split), kept.table(records, split)
        np.testing.assert_array_equal(one.predicted, two.predicted)
    gains, apart = evidence_of(entry, "C05"), of_task(entry, "C05", "pos")
    told = dict(view_run(load_recorded(entry, registry), PLUGIN, PaperSections()).setting)["trained, POS"]
    assert "; float32. Not compared with them: 9 trials: baseline self; layers 1; seeds 0 1 2; " in told
    line = "POS: 9 trials of version 3, bfloat16 are not compared with 12 of version 2, float32"
    assert line in gains.missing
    alone = analysis_of(registry.entries["C05"]).measure("C05", RecordedRun(by_task / "only-pos"), profile)
    layers = [part.model_dump(mode="json") for part in alone.parts if part.measure == "layer_gain"]
    assert not list(differences(layers, [part for part in apart if part["measure"] == "layer_gain"]))
    derive_again(entry, registry)


AGAIN = ("baseline", "layer_1", "self")


@pytest.mark.parametrize(
    ("sources", "name", "words"),
    [
        (("only-pos", "other"), "grid", "there is no .*other; record it first"),
        (("only-pos",), "only-pawsx", "only-pawsx is there already; .* with --join only-pawsx"),
        (("only-pos", "../x"), "grid", "'../x' is no name for a recorded run"),
    ],
)
def test_what_cannot_be_joined_ends_in_one_line(
    sources: tuple[str, ...], name: str, words: str, pieces: Pieces, by_task: Path
) -> None:
    with pytest.raises(ConfigError, match=words) as caught:
        joined(pieces, *sources, name=name)
    assert "\n" not in str(caught.value)
    assert {path.name for path in by_task.iterdir()} == {"only-pawsx", "only-pos"}


def test_probes_of_other_tasks_are_not_taken_over(pieces: Pieces, by_task: Path) -> None:
    """Transfer scores depend on the sizes of all tasks, also of one that an entry has no trials of."""
    task = pieces.profile.tasks["pawsx"].model_copy(update={"epochs": 9})
    other = pieces.profile.model_copy(update={"tasks": pieces.profile.tasks | {"pawsx": task}})
    shutil.rmtree(pieces.results, ignore_errors=True)
    with pytest.raises(ResultsError, match="the probes of only-pos were measured with other tasks or sizes"):
        joined(pieces, "only-pos", profile=other)
    (pieces.results / "probes").mkdir(parents=True)
    pd.DataFrame({"layer": [7]}).to_parquet(pieces.results / "probes" / "similarity.parquet")
    probe = RecordedRun(joined(pieces, "only-pos", profile=other)).probe("similarity")
    assert probe is not None
    assert probe["layer"].tolist() == [7]


def test_entries_of_other_settings_are_not_joined(pieces: Pieces, by_task: Path) -> None:
    task = pieces.profile.tasks["pos"].model_copy(update={"epochs": 9})
    other = pieces.profile.model_copy(update={"tasks": pieces.profile.tasks | {"pos": task}})
    with pytest.raises(ConfigError, match=r"tasks.pos.epochs is \d in only-pos and 9 in params.yaml"):
        joined(pieces, "only-pos", "only-pawsx", profile=other)
    fewer = pieces.profile.model_copy(update={"sweep": pieces.profile.sweep.model_copy(update={"seeds": [0]})})
    with pytest.raises(ConfigError, match=r"which params\.yaml does not plan"):
        joined(pieces, "only-pos", "only-pawsx", profile=fewer)
    assert {path.name for path in by_task.iterdir()} == {"only-pawsx", "only-pos"}


# What does not belong together


def changed(run: MadeUpRun, chosen: Choice, **values: Any) -> MadeUpRun:
    """A run with other records."""
    return replace(run, trials=[t.model_copy(update=values) if chosen(t) else t for t in run.trials])


def test_equal_trials_are_kept_once(pieces: Pieces) -> None:
    entry = pieces.start(lambda t: t.seed == 0)
    pieces.add(lambda t: t.seed < 2)
    keys = [row["key"] for row in json.loads((entry / "trials.json").read_text())]
    assert sorted(keys) == sorted(trial.key for trial in pieces.grid.trials if trial.seed < 2)


def test_other_predictions_of_one_trial_are_refused(pieces: Pieces) -> None:
    pieces.start(lambda t: t.seed == 0)
    key = "sweep-pawsx-layer_2-none-0"
    pieces.rewrite(
        replace(
            pieces.grid,
            predicted=pieces.grid.predicted | {(key, "dev"): 1 - pieces.grid.predicted[key, "dev"]},
        )
    )
    words = rf"pawsx layer_2 with seed 0 \({key}\) has other predictions"
    pieces.refuses(words, lambda: pieces.add(lambda t: t.seed < 2))


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"specification": {"version": 2, "threads": 2}}, "another threads"),
        ({"outcome": "collapsed"}, "another outcome"),
    ],
)
def test_one_trial_that_was_trained_twice_is_refused(change: dict[str, Any], words: str, pieces: Pieces) -> None:
    bare = {"specification": {"version": 2, "threads": 1}}
    pieces.grid = changed(pieces.grid, lambda t: True, **bare)
    pieces.start(lambda t: t.seed == 0)
    key = "sweep-pos-baseline-none-0"
    pieces.grid = changed(pieces.grid, lambda t: t.key == key, **change)
    finished = pieces.lay_out(lambda t: t.seed < 2)
    if "specification" in change:
        finished = [t.model_copy(update={"key": "other"}) if t.key == key else t for t in finished]
    pieces.refuses(
        f"pos baseline with seed 0 is trial .* with {words}; delete it", lambda: pieces.extend(finished)
    )


def test_a_trial_that_failed_is_replaced(pieces: Pieces) -> None:
    key, whole = "sweep-pos-layer_1-none-1", pieces.grid
    pieces.grid = changed(whole, lambda t: t.key == key, outcome="out_of_memory")
    entry = pieces.start(lambda t: t.task == "pos")
    assert {t.key: t.outcome for t in RecordedRun(entry).records("sweep", "pos")}[key] == "out_of_memory"
    pieces.grid = whole
    pieces.add(lambda t: t.key == key)
    records = RecordedRun(entry).records("sweep", "pos")
    assert {record.outcome for record in records} == {"ok"}
    predicted = RecordedRun(entry).table([r for r in records if r.key == key], "test").predicted
    np.testing.assert_array_equal(predicted[0], whole.predicted[key, "test"])


@pytest.mark.parametrize("column", ["gold", "item", "language"])
def test_other_items_are_refused(column: str, pieces: Pieces) -> None:
    pieces.start(lambda t: t.seed == 0)
    items = pieces.grid.items["pawsx", "test"]
    values = {"gold": 1 - items.gold, "item": np.char.add(items.item, "x"), "language": items.language[::-1]}
    other = pieces.grid.items | {("pawsx", "test"): replace(items, **{column: values[column]})}
    pieces.rewrite(replace(pieces.grid, items=other))
    words = "pawsx baseline with seed 1 was predicted on other items than in grid"
    pieces.refuses(words, lambda: pieces.add(lambda t: t.seed == 1))


@pytest.mark.parametrize(
    ("about", "words"),
    [
        ({"version": 2, "digests": {"encoder": "f"}}, "the digest of encoder"),
        ({"version": 2, "digests": {"pos": "w"}}, "the digest of pos"),
    ],
)
def test_other_inputs_are_refused(about: dict[str, Any], words: str, pieces: Pieces) -> None:
    pieces.start(lambda t: t.seed == 0)
    pieces.grid = changed(pieces.grid, lambda t: t.task == "pos" and t.seed == 1, specification=about)
    pieces.refuses(f"differ in {words}; prepare the data", lambda: pieces.add(lambda t: t.seed == 1))


@pytest.mark.parametrize(("name", "value"), [("precision", "bfloat16"), ("device_kind", "cuda"), ("torch", "9.9")])
@pytest.mark.parametrize("stage", ["sweep", "intermediate"])
def test_pieces_of_different_arithmetic_are_not_compared(
    stage: str, name: str, value: str, pieces: Pieces, registry: Registry
) -> None:
    entry = pieces.start(lambda t: t.seed in (0, 2) and t.task == "pos")
    claim = "C05" if stage == "sweep" else "Q01"
    pieces.registry = registry.model_copy(update={"entries": {claim: registry.entries[claim]}})
    pieces.grid = changed(pieces.grid, lambda t: t.stage == stage, **{name: value})
    pieces.add(lambda t: t.seed == 1 and t.task == "pos" and t.stage == stage)
    found = evidence_of(entry, claim)
    assert {int(key[-1]) for key in found.trials if key.startswith(stage)} == {0, 2}
    assert any(re.match(rf"POS: \d trials of .*{value} are not compared with", line) for line in found.missing)


# The profile of an extended run


def test_a_plan_may_grow(pieces: Pieces) -> None:
    whole, pieces.profile = pieces.profile, make_profile(("pos",), layers=(1, 2), targets=())
    entry = pieces.start(lambda t: t.task == "pos" and t.stage == "sweep" and "half" not in t.model)
    pieces.profile = whole
    pieces.add(lambda t: t.task == "pawsx" or t.stage == "intermediate" or "half" in t.model)
    kept = RecordedRun(entry)
    assert [len(kept.records("sweep", task)) for task in ("pos", "pawsx")] == [18, 18]
    assert len(kept.records("intermediate", "pos")) == 9
    assert ledger.load_profile(entry / "profile.yaml") == pieces.profile


@pytest.mark.parametrize(
    ("section", "change", "words"),
    [
        ("sweep", {"seeds": [0, 2]}, "grid holds pawsx baseline with seed 1, which params.yaml does not plan"),
        ("sweep", {"layers": [1]}, "grid holds pawsx layer_2 with seed 0, which"),
        ("sweep", {"halves": False}, "grid holds pawsx half_1 with seed 0, which"),
        ("sweep", {"control_layer": 2}, "grid holds pawsx half_1 with seed 0, which"),
        ("intermediate", {"targets": []}, "grid holds pos baseline with seed 0 in intermediate arm none"),
        (
            "intermediate",
            {"items": 99},
            "intermediate.items is 200 in grid and 99 in params.yaml; set it as it was",
        ),
        (
            "intermediate",
            {"by_target": {"pos": TargetPhase(epochs=7)}},
            "intermediate.by_target.pos.epochs is 1 in grid and 7 in params.yaml; set it as it was",
        ),
        ("fusion", {"kernel": 3}, "fusion.kernel is 1 in grid and 3 in params.yaml"),
        ("data", {"draw_seed": 9}, "data.draw_seed is 0 in grid and 9"),
        ("encoder", {"seed": 5}, "encoder.seed is 0 in grid and 5"),
        ("probe", {"pairs": 5}, "probe.pairs is 200 in grid and 5"),
    ],
)
def test_other_settings_are_refused(section: str, change: dict[str, Any], words: str, pieces: Pieces) -> None:
    pieces.start(lambda t: t.seed < 2)
    part = getattr(pieces.profile, section).model_copy(update=change)
    other = pieces.profile.model_copy(update={section: part})
    pieces.refuses(words, lambda: pieces.add(lambda t: t.seed == 2, profile=other))


def test_trials_of_a_stage_and_task_can_take_the_place_of_recorded_ones(pieces: Pieces) -> None:
    """After a phase with other settings, which is refused otherwise; nothing is left of the former ones."""
    entry = pieces.start(lambda t: True)
    sweep = (entry / "predictions-sweep-pos.parquet").read_bytes()
    own = {"by_target": {"pos": TargetPhase(epochs=7)}}
    profile = pieces.profile.model_copy(
        update={"intermediate": pieces.profile.intermediate.model_copy(update=own)}
    )
    pieces.refuses("by_target.pos.epochs is 1 in grid and 7", lambda: pieces.add(lambda t: True, profile))
    trials = pieces.lay_out(lambda t: t.stage == "intermediate" and t.seed < 2)
    for i, trial in enumerate(trials):
        home, key = ResultsRun(pieces.results).trial_folder(trial), f"again-{i}"
        trials[i] = trial.model_copy(update={"key": key})
        shutil.move(home, home.with_name(key))
        (home.with_name(key) / "trial.json").write_text(trials[i].model_dump_json())
    pieces.refuses(
        "no finished trial of intermediate/pawsx to replace",
        lambda: pieces.extend(trials, profile, replaced=[("intermediate", "pawsx")]),
    )
    pieces.extend(trials, profile, replaced=[("intermediate", "pos")])
    kept = RecordedRun(entry)
    assert [trial.key for trial in kept.records("intermediate", "pos")] == [trial.key for trial in trials]
    assert (entry / "predictions-sweep-pos.parquet").read_bytes() == sweep
    scored = {path.stem.removeprefix("scores-") for path in entry.glob("scores-*")}
    assert scored <= {
        trial.key for stage in ledger.STAGES for task in TASKS for trial in kept.records(stage, task)
    }
    assert {trial.key for trial in trials} <= scored
    assert ledger.load_profile(entry / "profile.yaml").intermediate.phase("pos")["epochs"] == 7
    derive_again(entry, pieces.registry)


def test_a_task_may_be_set_otherwise_until_it_is_recorded(pieces: Pieces) -> None:
    """The probes are measured with its sizes, so that the former ones go with the former settings."""
    entry = pieces.start(lambda t: t.task == "pos")
    tasks = pieces.profile.tasks | {"pawsx": TaskSpec(epochs=9, learning_rate=0.1)}
    other = pieces.profile.model_copy(update={"tasks": tasks})
    finished = pieces.lay_out(lambda t: t.task == "pawsx")
    shutil.rmtree(pieces.results / "probes")
    words = "probes of grid were measured with other tasks or sizes .* run `dvc repro probe@made-up` first"
    pieces.refuses(words, lambda: pieces.extend(finished, other))
    (pieces.results / "probes").mkdir()
    pd.DataFrame({"layer": [7]}).to_parquet(pieces.results / "probes" / "similarity.parquet")
    pieces.extend(finished, other)
    probe = RecordedRun(entry).probe("similarity")
    assert probe is not None
    assert probe["layer"].tolist() == [7]
    pieces.refuses("tasks.pawsx.epochs is 9 in grid and 1 in params.yaml", lambda: pieces.add(lambda t: True))


def test_the_paths_of_two_machines_may_differ(pieces: Pieces) -> None:
    homes = [
        pieces.profile.model_copy(update={"data": DataSpec(source="xtreme", root=root)}) for root in ("/a", "/b/c")
    ]
    pieces.profile = homes[0]
    entry = pieces.start(lambda t: t.seed == 0)
    pieces.add(lambda t: t.seed == 1, profile=homes[1])
    assert ledger.load_profile(entry / "profile.yaml").data.root == "DIR"


# The command, and what may interrupt it


def test_nothing_to_extend_or_nothing_new(pieces: Pieces) -> None:
    with pytest.raises(ResultsError, match="has no finished trial that grid lacks"):
        pieces.extend([])
    assert not pieces.entry.parent.exists()
    pieces.start(lambda t: t.seed < 2)
    pieces.refuses("has no finished trial that grid lacks", lambda: pieces.add(lambda t: t.seed == 0))
    pieces.refuses("has no finished trial that grid lacks", lambda: pieces.extend([]))


def test_a_damaged_entry_is_not_extended(pieces: Pieces) -> None:
    entry = pieces.start(lambda t: t.seed == 0)
    (entry / "trials.json").write_text("[]")
    with pytest.raises(ResultsError, match=r"trials\.json is not what was recorded"):
        pieces.add(lambda t: t.seed == 1)


@pytest.mark.parametrize("step", ["_compact", "_write_evidence", "_put_in_place"])
def test_an_interrupted_extension_leaves_the_entry(
    step: str, pieces: Pieces, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    entry = pieces.start(lambda t: t.seed == 0)
    before = (entry / "hashes.json").read_bytes()
    with monkeypatch.context() as patch:
        patch.setattr(ledger, step, interrupt)
        with pytest.raises(KeyboardInterrupt):
            pieces.add(lambda t: t.seed == 1)
    verify(entry)
    assert (entry / "hashes.json").read_bytes() == before
    assert [path.name for path in entry.parent.iterdir()] == ["grid"]
    pieces.add(lambda t: t.seed == 1)
    assert len(RecordedRun(entry).records("sweep", "pos")) == 12


@pytest.mark.parametrize("renames", [0, 1, 2])
def test_a_kill_between_two_renames_loses_nothing(
    renames: int, pieces: Pieces, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What a kill leaves after so many renames: no `finally` runs then, so that it is taken out here."""
    entry = pieces.start(lambda t: t.seed == 0)
    former, place = entry.with_name(".grid.former"), entry.parent
    shutil.copytree(entry, place / ".grid")
    for source, target in [(entry, former), (place / ".grid", entry)][:renames]:
        os.replace(source, target)
    pieces.add(lambda t: t.seed == 1)
    verify(entry)
    assert {trial.seed for trial in RecordedRun(entry).records("sweep", "pos")} == {0, 1}
    assert [path.name for path in place.iterdir()] == ["grid"]


def test_an_error_while_renaming_puts_the_former_entry_back(
    pieces: Pieces, monkeypatch: pytest.MonkeyPatch
) -> None:
    entry = pieces.start(lambda t: t.seed == 0)
    rename = os.replace

    def fail_at_the_second(source: Path, target: Path) -> None:
        if source.name == ".grid":
            raise PermissionError(13, "no", str(target))
        rename(source, target)

    with monkeypatch.context() as patch:
        patch.setattr(os, "replace", fail_at_the_second)
        with pytest.raises(PermissionError):
            pieces.add(lambda t: t.seed == 1)
    verify(entry)
    assert [path.name for path in entry.parent.iterdir()] == ["grid"]


# What is said of the pieces


def test_seconds_add_up_and_pieces_keep_their_machines(pieces: Pieces) -> None:
    entry = pieces.start(lambda t: t.task == "pos")
    pieces.add(lambda t: t.task == "pawsx")
    info = json.loads((entry / "run.json").read_text())
    assert info["title"] == "All of it"
    assert info["stages"] == {"sweep-pos": {"seconds": 2.5}, "sweep-pawsx": {"seconds": 4.0}}
    assert [part["revision"] for part in info["parts"]] == ["one", "two"]
    assert [list(part["stages"]) for part in info["parts"]] == [["sweep-pos"], ["sweep-pawsx"]]
    assert info["parts"][1]["machine"] == {"cores": 64}


def test_an_attempt_is_counted_once_however_often_it_is_told() -> None:
    one, longer = {"sweep-pos": {"seconds": 1.0}}, {"sweep-pos": {"seconds": 3.5}, "probe": {"seconds": 0.25}}
    twice = combined_info("b", [{"title": "a", "stages": one}, {"title": "b", "stages": one}])
    assert twice["stages"] == one
    third = combined_info("c", [twice, {"title": "c", "stages": longer}])
    assert third["stages"] == {"sweep-pos": {"seconds": 4.5}, "probe": {"seconds": 0.25}}
    assert [part["title"] for part in third["parts"]] == ["a", "b", "c"]
    assert combined_info("b", [{"title": "a"}, {"title": "b"}]) == {
        "title": "b", "stages": {}, "parts": [{"title": "a", "stages": {}}, {"title": "b", "stages": {}}]
    }  # fmt: skip


def test_runs_count_the_trials_that_stayed_at_chance() -> None:
    """In the recorded run, as its evidence names them."""
    recorded = load_recorded(
        ROOT / "claims" / "ledger" / "xtreme-pilot", load_registry(ROOT / "claims" / "registry.yaml")
    )
    missing = recorded.evidence["C05"].missing
    counted = {
        title: sum(line.startswith(f"{title}: ") and "stayed at chance" in line for line in missing)
        for title in ("PAWS-X", "POS")
    }
    setting = dict(view_run(recorded, PLUGIN, PaperSections()).setting)
    assert counted["PAWS-X"] > 0
    assert setting["trained, PAWS-X"].endswith(f"; {counted['PAWS-X']} stayed at chance")
    assert "at chance" not in setting["trained, POS"]


def test_report_and_crate_tell_of_all_pieces(pieces: Pieces, monkeypatch: pytest.MonkeyPatch) -> None:
    entry = pieces.start(lambda t: t.task == "pos")
    pieces.add(lambda t: t.task == "pawsx")
    view = view_run(load_recorded(entry, pieces.registry), PLUGIN, PaperSections())
    assert (view.title, view.revision) == ("All of it", "one, two")
    assert [name for name, _ in view.cost] == ["sweep-pawsx", "sweep-pos", "all that is recorded"]
    setting = dict(view.setting)
    trials = [trial for trial in RecordedRun(entry).records("sweep", "pawsx") if trial.outcome == "ok"]
    assert setting["trained, PAWS-X"].startswith(f"{len(trials)} trials: baseline ")
    layers = sorted({trial.layer for trial in trials if trial.model.startswith("layer_") and trial.layer})
    assert f"; layers {' '.join(map(str, layers))}; seeds 0 1 2; " in setting["trained, PAWS-X"]
    assert "arms none english multilingual; seeds" in setting["trained, POS after an intermediate task"]
    assert "seeds" not in setting, "what was planned is not what was trained"
    words = pd.read_parquet(entry / "predictions-sweep-pos.parquet").query("split == 'test'")
    codes = words["language"].unique().tolist()
    others = " ".join(sorted({*codes} - {"en"}))
    assert setting["tested, POS"] == f"{len(words):,} words in {len(codes)} languages: en {others}"
    assert " pairs in " in setting["tested, PAWS-X"]
    facts = dict(view.facts)
    assert facts["part 1.title"] == "The first piece"
    assert (facts["part 2.machine.cores"], facts["part 2.revision"]) == ("64", "two")
    monkeypatch.chdir(ROOT)
    write_crate(entry, pieces.registry, entry.parent / "crate")
    content = json.loads((entry.parent / "crate" / "ro-crate-metadata.json").read_text(encoding="utf-8"))
    graph = {entity["@id"]: entity for entity in content["@graph"]}
    assert graph["#crosslayer"]["softwareVersion"].endswith("revision one, two")
    assert graph["#run"]["description"] == 'On {} and {"cores": 64}'
    assert "pkg:pypi/torch@2.13.0" in graph


# A grid that is not whole


def measured(trials: Iterable[TrialRecord], grid: MadeUpRun, profile: Profile) -> dict[str, Evidence]:
    """Evidence of all claims from some of the trials."""
    run, whole = replace(grid, trials=list(trials)), load_registry(ROOT / "claims" / "registry.yaml")
    return {claim: analysis_of(entry).measure(claim, run, profile) for claim, entry in whole.entries.items()}


@pytest.mark.parametrize("n", [0, 1, 2, 4, 7, 19, 40])
def test_a_sweep_stopped_anywhere_gives_evidence(n: int, grid: MadeUpRun, profile: Profile) -> None:
    found = measured(grid.trials[:n], grid, profile)
    assert found["C05"].missing


@pytest.mark.parametrize("seed", range(4))
def test_any_part_of_a_grid_gives_evidence(seed: int, grid: MadeUpRun, profile: Profile) -> None:
    rng = np.random.default_rng(seed)
    measured((trial for trial in grid.trials if rng.random() < (0.1, 0.4, 0.7, 0.9)[seed]), grid, profile)


def test_arms_without_a_sweep_and_layers_without_a_baseline(grid: MadeUpRun, profile: Profile) -> None:
    arms = measured((t for t in grid.trials if t.stage == "intermediate"), grid, profile)
    assert {arms[claim].status for claim in ("C05", "C07", "C13")} == {"missing"}
    assert arms["Q01"].status == "measured"
    layers = measured((t for t in grid.trials if t.model != "baseline"), grid, profile)
    assert {layers[claim].status for claim in ("C05", "C07", "Q01")} == {"missing"}
    assert "POS: no baseline ended well, so that nothing has a gain" in layers["C07"].missing


def test_gaps_are_named(grid: MadeUpRun, profile: Profile) -> None:
    gaps = {
        "C05": {
            "PAWS-X: layer_2 has not run with seeds 1, 2",
            "PAWS-X: layer_2 ended well with fewer than 3 seeds and cannot be chosen",
        },
        "C13": {"PAWS-X: half_2 has not run with seed 0"},
        "Q01": {"POS: baseline after english intermediate training has not run with seed 1"},
    }
    keys = {
        "sweep-pawsx-layer_2-none-1", "sweep-pawsx-layer_2-none-2", "sweep-pawsx-half_2-none-0",
        "intermediate-pos-baseline-english-1",
    }  # fmt: skip
    whole = measured(grid.trials, grid, profile)
    found = measured((trial for trial in grid.trials if trial.key not in keys), grid, profile)
    for claim, lines in gaps.items():
        assert set(found[claim].missing) - set(whole[claim].missing) == lines
