"""Recorded runs: complete or absent, free of paths and text, and every number derivable again."""

from __future__ import annotations

import hashlib
import json
import shutil
from contextlib import nullcontext
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from unittest.mock import Mock

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from claimtrack.errors import ResultsError
from claimtrack.evidence import read_evidence
from claimtrack.registry import load_registry
from claimtrack.results import load_all
from crosslayer.config import EncoderSpec, Profile
from crosslayer.errors import ConfigError
from crosslayer.ledger import ledger
from crosslayer.ledger.compact import without_paths
from crosslayer.ledger.differences import differences
from crosslayer.ledger.ledger import derive_again, recompute, verify
from crosslayer.paper.plugin import analysis_of, measures
from crosslayer.predictions.runs import RecordedRun, ResultsRun
from crosslayer.stages.verdicts import verdicts
from one_line import said
from recording import CLAIMS, SECRET, record_all, unequal
from repository import ROOT


def test_evidence_is_what_the_fresh_run_gives(recorded: Path, results: Path, profile: Profile) -> None:
    for claim in CLAIMS:
        kept = read_evidence(recorded / "claims" / claim / "evidence.json")
        fresh = measures(CLAIMS)[claim](ResultsRun(results), profile)
        assert kept.status == "measured"
        assert kept.run == "first"
        assert kept.model_copy(update={"run": "fresh", "figures": ()}) == fresh
        assert all((recorded / "claims" / claim / name).exists() for name in kept.figures)


@pytest.mark.parametrize("split", ["dev", "test"])
@pytest.mark.parametrize(("stage", "task"), [("sweep", "pawsx"), ("sweep", "pos"), ("intermediate", "pos")])
def test_reads_like_the_fresh_run(recorded: Path, results: Path, stage: Any, task: Any, split: Any) -> None:
    fresh, kept = ResultsRun(results), RecordedRun(recorded)
    bare = [trial.model_copy(update={"test_score": None}) for trial in kept.records(stage, task)]
    assert bare == [*fresh.records(stage, task)], "recording fills in the test scores that made-up trials lack"
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


def test_after_a_correction_the_evidence_is_computed_again(
    entry: Path, recorded: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    analysis = analysis_of("C05")
    monkeypatch.setattr(analysis, "measure", lambda *about, f=analysis.measure: f(*about).model_copy(
        update={"metric": "corrected_v2"}))  # fmt: skip
    told = said(ResultsError, derive_again, entry, measures(CLAIMS))
    assert "metric was recorded as" in told
    assert "`crosslayer recompute first`" in told
    assert recompute("first", measures(CLAIMS), entry.parent) == entry
    derive_again(entry, measures(CLAIMS))
    assert unequal(entry, recorded) == {"claims/C05/evidence.json", "hashes.json"}
    assert [path.name for path in entry.parent.iterdir()] == ["first"]


def test_only_a_whole_entry_is_computed_again(entry: Path) -> None:
    told = said(ConfigError, recompute, "none", measures(CLAIMS), entry.parent)
    assert told == f"there is no {entry.with_name('none')}; record it first"
    (entry / "diagnostics.npz").write_bytes(b"other")
    told = said(ResultsError, recompute, "first", measures(CLAIMS), entry.parent)
    assert "diagnostics.npz is not what was recorded" in told


def test_probes(recorded: Path, results: Path, profile: Profile, tmp_path: Path) -> None:
    fresh, kept = ResultsRun(results), RecordedRun(recorded)
    pd.testing.assert_frame_equal(fresh.probe("similarity"), kept.probe("similarity"))
    assert kept.structure() == fresh.structure()
    assert kept.probe("retrieval") is None
    bare = Path(shutil.copytree(results, tmp_path / "bare", ignore=shutil.ignore_patterns("probes")))
    folder = record_all("bare", profile, bare, tmp_path / "ledger")
    assert RecordedRun(folder).structure() is None
    assert read_evidence(folder / "claims" / "C04" / "evidence.json").status == "missing"


def test_the_same_results_give_the_same_bytes(
    recorded: Path, results: Path, profile: Profile, tmp_path: Path
) -> None:
    assert not unequal(record_all("first", profile, results, tmp_path, CLAIMS), recorded)


def test_no_path_and_no_text_enters(recorded: Path, results: Path) -> None:
    for path in (path for path in recorded.rglob("*") if path.is_file()):
        content = path.read_bytes()
        assert not any(word in content for word in (SECRET.encode(), str(results).encode(), b"a sentence of"))

    def number(kind: pa.DataType) -> bool:
        return pa.types.is_integer(kind) or pa.types.is_floating(kind)

    for path in recorded.glob("*.parquet"):
        schema = pq.read_schema(path)
        assert {field.name for field in schema if not number(field.type)} <= {"split", "language", "item"}
        assert all(name.startswith("score_") for name in schema.names[1:]) == ("scores-" in path.name)
        assert ("log-odds-" in path.name) == (pa.int16() in schema.types)
    assert not (recorded / "probes" / "notes.txt").exists()


def test_an_encoder_from_a_directory_keeps_its_name_only(profile: Profile, tmp_path: Path) -> None:
    folder = tmp_path / "multilingual-e5-small"
    folder.mkdir()
    for name, kept in ((str(folder), folder.name), ("some-owner/some-model", "some-owner/some-model")):
        moved = profile.model_copy(update={"encoder": EncoderSpec(source="hub", name=name)})
        assert without_paths(moved).encoder.name == kept


def test_the_recorded_runs_are_under_40_mb() -> None:
    """Git keeps every byte for ever."""
    files = (path for path in (ROOT / "claims" / "ledger").rglob("*") if path.is_file())
    assert sum(path.stat().st_size for path in files) < 40_000_000


def test_every_file_is_hashed(entry: Path) -> None:
    for path in sorted(path for path in entry.rglob("*") if path.is_file() and path.name != "hashes.json"):
        original = path.read_bytes()
        path.write_bytes(original + b" ")
        assert f"{path.name} is not what was recorded" in said(ResultsError, verify, entry)
        path.unlink()
        assert f"{path.name} is missing" in said(ResultsError, verify, entry)
        path.write_bytes(original)
    (entry / "claims" / "C05" / "hashes.json").write_text("{}")
    assert "claims/C05/hashes.json was not recorded" in said(ResultsError, verify, entry)


@pytest.mark.parametrize("content", [None, "", "[1]", "3", '{"a": '])
def test_damaged_hashes(entry: Path, content: str | None) -> None:
    (entry / "hashes.json").unlink()
    if content is not None:
        (entry / "hashes.json").write_text(content)
    assert "hashes.json is missing or damaged" in said(ResultsError, verify, entry)


@pytest.mark.parametrize(
    ("by", "told"), [(1e-11, None), (1e-6, r"^[^\n]*C05 parts\[0\]\.estimate was recorded as")]
)
def test_a_moved_number_is_named_with_its_claim_and_place(by: float, told: str | None, entry: Path) -> None:
    """As if another number had been recorded; one that differs by rounding has not moved."""
    path = entry / "claims" / "C05" / "evidence.json"
    content = json.loads(path.read_text())
    content["parts"][0]["estimate"] += by
    path.write_text(json.dumps(content))
    hashes = json.loads((entry / "hashes.json").read_text())
    hashes["claims/C05/evidence.json"] = hashlib.sha256(path.read_bytes()).hexdigest()
    (entry / "hashes.json").write_text(json.dumps(hashes))
    with pytest.raises(ResultsError, match=told) if told else nullcontext():
        derive_again(entry, measures(CLAIMS))


def test_differences() -> None:
    assert not list(differences({"a": [1.0, None, "x"]}, {"a": [1.0 + 1e-12, None, "x"]}))
    assert list(differences({"a": [1.0]}, {"a": [1.1]})) == [("a[0]", 1.0, 1.1)]
    assert list(differences({"a": {"b": None}}, {"a": {"b": 0.0}})) == [("a.b", None, 0.0)]
    assert list(differences({"a": {}}, {"a": {"b": 1}})) == [("a", {}, {"b": 1})]
    assert list(differences({"a": [1]}, {"a": [1, 2]})) == [("a", [1], [1, 2])]


@pytest.mark.parametrize("name", ["", "-a", "Upper", "a b", "a/b", "..", ".a", "fresh", "²", "a_b", "a\n"])
def test_bad_names(name: str, results: Path, profile: Profile, tmp_path: Path) -> None:
    assert "is not a name for a recorded run" in said(ConfigError, record_all, name, profile, results, tmp_path)
    assert not list(tmp_path.iterdir())


def test_an_existing_name_is_refused_and_nothing_lost(entry: Path, results: Path, profile: Profile) -> None:
    assert "first already exists" in said(ConfigError, record_all, "first", profile, results, entry.parent)
    verify(entry)
    assert [path.name for path in entry.parent.iterdir()] == ["first"]


@pytest.mark.parametrize("step", ["write_tables", "write_evidence"])
def test_an_interrupted_record_leaves_nothing(
    step: str, results: Path, profile: Profile, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ledger, step, Mock(side_effect=KeyboardInterrupt))
    with pytest.raises(KeyboardInterrupt):
        record_all("half", profile, results, tmp_path)
    assert not list(tmp_path.iterdir())


def test_what_a_killed_record_left_is_no_run(
    results: Path, profile: Profile, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    home = tmp_path / "claims" / "ledger"
    (home / ".half.new" / "claims").mkdir(parents=True)
    (home / ".half.new" / "left.txt").write_text("half")
    shutil.copy(ROOT / "claims" / "registry.yaml", tmp_path / "claims")
    (tmp_path / "results" / "made-up").mkdir(parents=True)
    assert [run.name for run in load_all(profile, load_registry())] == ["fresh"]
    verdicts(profile, Path("results/made-up"))
    assert {row["verdict"] for row in json.loads(Path("results/made-up/verdicts.json").read_text())} == {"not run"}
    folder = record_all("half", profile, results, home)
    assert not (folder / "left.txt").exists()
    assert [run.name for run in load_all(profile, load_registry())] == ["fresh", "half"]


def test_a_damaged_entry_stops_the_verdicts(
    entry: Path, profile: Profile, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (entry / "run.json").unlink()
    monkeypatch.setattr("crosslayer.stages.verdicts.LEDGER", entry.parent)
    monkeypatch.setattr("crosslayer.stages.verdicts.load_registry", lambda: SimpleNamespace(entries={}))
    told = said(ResultsError, verdicts, profile, Path("results/made-up"))
    assert "first/run.json is missing" in told


def test_a_claim_that_came_after_the_recording_is_left_out(entry: Path) -> None:
    assert load_registry().entries.keys() - {path.name for path in (entry / "claims").iterdir()}
    derive_again(entry, measures(load_registry().entries))
