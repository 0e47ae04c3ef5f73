"""The checks of ``pytest claims/`` against spoiled evidence, pinning, and the suite itself as a whole."""

from __future__ import annotations

import json
import math
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from scipy.stats import norm, t

from claimtrack.checks import Suite
from claimtrack.entries import Literature
from claimtrack.errors import ClaimError
from claimtrack.evidence import Evidence, Interval, Measurement
from claimtrack.pins import PINS, PinnedRun, load_pins, pin, prediction_range
from claimtrack.registry import load_registry
from claimtrack.results import load, load_all, load_fresh, load_recorded, places, recorded_place, table
from claimtrack.runs import LEDGER, Place
from claimtrack.seal import add_seal, sealed_claims
from crosslayer.config import load_profile
from crosslayer.paper import PLUGIN
from crosslayer.paper.plugin import is_shipped
from crosslayer.tasks import TaskName
from made_evidence import branches, gain, gains, put
from one_line import Command, refused, said
from repository import ROOT
from synthetic_run import make_record, write_trials

PROFILE = """\
profile: small
encoder: {source: random}
data: {source: fragment}
tasks: {pos: {epochs: 1, learning_rate: 0.001}, ner: {epochs: 1, learning_rate: 0.001}}
fusion: {}
sweep: {layers: [1], seeds: [0, 1, 2]}
intermediate: {}
probe: {}
compute: {}
claims: [C05, C09, C17]
"""
GAIN, HALF = 0.7, 0.6


def two_gains(run: str = "fresh", values: Iterable[float | None] = (GAIN, 1 / 3), **more: Any) -> Evidence:
    parts = [gain(task, value, HALF) for task, value in zip(("pos", "ner"), values, strict=True)]
    return gains(*parts, **{"profile": "small", "run": run, "trials": ("a1", "b2"), **more})


def write_run(folder: Path, run: str) -> None:
    """A run of three claims, one of them with nothing to measure."""
    nothing = {"claim": "C09", "metric": "language_similarity_v3", "status": "missing", "missing": ("no pairs",)}
    about = {"profile": "small", "run": run}
    put(folder, two_gains(run), branches(**about), Evidence(**about, **nothing))


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project with registry, profile, a fresh run and one recorded run, nothing pinned; tests run in it."""
    (tmp_path / "profiles").mkdir()
    for path in ("params.yaml", "profiles/small.yaml"):
        (tmp_path / path).write_text(PROFILE, encoding="utf-8")
    write_run(tmp_path / "results" / "small", "fresh")
    keys: dict[str, TaskName] = {"a1": "pos", "b2": "ner", "c3": "ner"}
    records = [make_record(task, "baseline", 0).model_copy(update={"key": key}) for key, task in keys.items()]
    write_trials(records, tmp_path / "results" / "small")
    entry = tmp_path / "claims" / "ledger" / "first"
    write_run(entry, "first")
    (entry / "profile.yaml").write_text(PROFILE, encoding="utf-8")
    (entry / "run.json").write_text('{"title": "The first run", "revision": "abc"}', encoding="utf-8")
    text = (ROOT / "claims" / "registry.yaml").read_text(encoding="utf-8")
    head, *entries = re.split(r"^(?=  [CQ]\d\d:$)", text, flags=re.MULTILINE)
    three = "".join(entry for entry in entries if entry[2:5] in ("C05", "C09", "C17"))  # for speed
    (tmp_path / "claims" / "registry.yaml").write_text(f"{head}{three.rstrip()}\n", encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def fresh(root: Path) -> Place:
    return places(load_profile(), PLUGIN)[0]


@pytest.fixture
def recorded(root: Path) -> Place:
    return recorded_place(LEDGER / "first", PLUGIN)


def pin_place(place: Place, reason: str = "a first look") -> tuple[str, ...]:
    return pin(load(place, load_registry()), reason)


def pinned(place: Place) -> PinnedRun:
    return load_pins().of(place.profile.profile, place.run)


# --- sound evidence passes, spoiled evidence fails ---


def test_missing_damaged_or_foreign_evidence(root: Path, fresh: Place) -> None:
    path = fresh.evidence_path("C05")
    sound = path.read_text(encoding="utf-8")

    def problems_with(text: str) -> list[str]:
        path.write_text(text, encoding="utf-8")
        return Suite.of(Path()).evidence(fresh, "C05")

    assert problems_with(sound) == []
    assert "parts.0.estimate" in problems_with(sound.replace('"estimate": 0.7', '"estimate": NaN'))[0]
    assert "Invalid JSON" in problems_with(sound[:100])[0]
    assert problems_with(sound.replace("{", '{"run": "first",', 1)) == [
        "C05: evidence is of run 'first', not 'fresh'"
    ]
    other = sound.replace('"C05"', '"C06"').replace("gain_v1", "gain_v2")
    assert [problem.split(" of ")[1].split()[0] for problem in problems_with(other)] == ["claim", "metric"]
    path.unlink()
    assert "does not exist; run `dvc repro`" in Suite.of(Path()).evidence(fresh, "C05")[0]


def test_evidence_from_trials_that_are_no_longer_named(root: Path, fresh: Place) -> None:
    assert PLUGIN.trials(fresh.folder).keys() == {"a1", "b2", "c3"}
    put(fresh.folder, two_gains(trials=("a1", "c3")))
    assert Suite.of(Path()).evidence(fresh, "C05") == []
    put(fresh.folder, two_gains(trials=("a1", "old", "zzz")))
    (problem,) = Suite.of(Path()).evidence(fresh, "C05")
    assert problem == "C05: computed from 2 trials that no manifest names (first old); run `dvc repro`"


def test_a_value_out_of_its_range(root: Path, fresh: Place, recorded: Place) -> None:
    pin_place(fresh)
    pin_place(recorded)
    low, high = prediction_range(two_gains().parts[0], 2)

    def problems(place: Place, value: float | None) -> list[str]:
        put(place.folder, two_gains(place.name, (value, 1 / 3)))
        return Suite.of(Path()).expected(place, "C05")

    assert problems(fresh, low + 0.01) == problems(fresh, high - 0.01) == []
    assert re.match(r"C05: dev_selected_gain pos is 5, expected .* \(pilot: ", problems(fresh, 5.0)[0])
    assert problems(fresh, low - 0.01)
    assert problems(recorded, GAIN + 0.9e-9) == []
    assert problems(recorded, GAIN + 2e-9)
    assert problems(recorded, None) == ["C05: dev_selected_gain pos was not measured; expected 0.7"]


def test_a_verdict_is_the_pinned_one(root: Path, fresh: Place) -> None:
    assert "is not pinned yet; run `claimtrack pin --reason TEXT`" in Suite.of(Path()).unpinned(fresh)
    pin_place(fresh)
    assert (Suite.of(Path()).unpinned(fresh), Suite.of(Path()).verdict(fresh, "C05")) == ("", [])
    put(fresh.folder, two_gains(values=(-0.2, -0.2)))
    (problem,) = Suite.of(Path()).verdict(fresh, "C05")
    assert problem.startswith("C05: verdict is 'not reproduced', pinned is 'inconclusive': ")


def test_a_recorded_value_without_a_pin_and_a_failed_check(root: Path, fresh: Place, recorded: Place) -> None:
    pin_place(recorded)
    pin_place(fresh)
    extra = Measurement(measure="new", estimate=1.0, unit="points", n_seeds=3, judged=True)
    put(recorded.folder, two_gains("first", parts=(*two_gains().parts, extra)))
    put(fresh.folder, branches("3", profile="small"))
    (problem,) = Suite.of(Path()).expected(recorded, "C05")
    assert problem == "C05: new has no pinned value; run `claimtrack pin --run first --reason TEXT`"
    (problem,) = Suite.of(Path()).expected(fresh, "C17")
    assert problem.startswith("C17: checks is 0, expected 1 (paper: ")
    pin_place(fresh)
    assert Suite.of(Path()).expected(fresh, "C17") == [], "a check that fails can be what is expected"


def test_only_the_shipped_specification_has_pins(root: Path) -> None:
    params = root / "params.yaml"

    def shipped(text: str) -> bool:
        params.write_text(text, encoding="utf-8")
        return is_shipped(load_profile(params), root)

    assert shipped(PROFILE)
    assert shipped(PROFILE.replace("compute: {}", "compute: {threads: 4}"))
    assert not shipped(PROFILE.replace("seeds: [0, 1, 2]", "seeds: [0, 1]"))
    assert not shipped(PROFILE.replace("profile: small", "profile: mine"))
    shipped_text = PROFILE.replace("source: fragment", "source: xtreme, root: null")
    (root / "profiles" / "small.yaml").write_text(shipped_text, encoding="utf-8")
    assert shipped(shipped_text.replace("root: null", "root: anywhere"))


# --- reading runs ---


def test_runs_are_the_fresh_one_then_the_recorded_ones_by_name(root: Path, fresh: Place) -> None:
    shutil.copytree(root / "claims/ledger/first", root / "claims/ledger/a-second")
    registry = load_registry()
    runs = load_all(fresh.profile, registry)
    assert [run.name for run in runs] == ["fresh", "a-second", "first"]
    assert [run.title for run in runs] == ["present run of small", "The first run", "The first run"]
    verdicts = {claim: found.verdict for claim, found in runs[0].verdicts.items()}
    assert verdicts == {"C05": "inconclusive", "C09": "not run", "C17": "reproduced"}
    assert runs[2].info["revision"] == "abc"
    assert [place.name for place in Suite.of(Path()).places] == ["fresh", "a-second", "first"]
    shutil.rmtree(root / "results")
    assert [place.name for place in Suite.of(Path()).places] == ["a-second", "first"]
    assert {verdict.verdict for verdict in load_fresh(fresh.profile, registry).verdicts.values()} == {"not run"}


def test_leftover_evidence_of_a_claim_that_the_profile_left_out_does_not_count(root: Path) -> None:
    path = root / "params.yaml"
    path.write_text(PROFILE.replace("C05, ", ""), encoding="utf-8")
    results = load_fresh(load_profile(path), load_registry())
    assert "C05" not in results.evidence


def test_a_recorded_run_needs_its_profile_and_no_log(root: Path) -> None:
    registry, folder = load_registry(), root / "claims" / "ledger" / "first"
    stages = ("[]", '{"s": 3}', '{"s": {"trained": 1}}', '{"s": {"seconds": 1, "trained": [1]}}')
    for damaged in ("{", "[]", '{"parts": [3]}', *(f'{{"stages": {each}}}' for each in stages)):
        (folder / "run.json").write_text(damaged, encoding="utf-8")
        assert load_recorded(folder, registry).title == "first"
    (folder / "profile.yaml").unlink()
    assert "profile.yaml does not exist" in said(ClaimError, load_recorded, folder, registry)


def test_the_table_has_a_line_for_each_claim_that_ran(root: Path, fresh: Place) -> None:
    found = load(fresh, load_registry(ROOT / "claims" / "registry.yaml"))
    lines = table(found, PLUGIN.titles)
    assert len(lines) == 5
    assert re.split(r"\s{2,}", lines[0]) == ["claim", "verdict", "relevance", "key numbers"]
    shown = {line.split()[0]: re.split(r"\s{2,}", line) for line in lines}
    assert shown["C05"] == [
        "C05", "inconclusive", "no evidence", "dev_selected_gain (points) POS +0.70 [+0.10, +1.30]",
    ]  # fmt: skip
    assert shown["C17"] == ["C17", "reproduced", "direct evidence", "1 of 1 checks"]
    assert lines[-2] == "Relevance to the paper."
    others = [claim for claim in found.verdicts if claim not in shown]
    assert lines[-1] == f"Not run: {', '.join(others)}."
    none = {claim: verdict for claim, verdict in found.verdicts.items() if claim in others}
    assert table(replace(found, verdicts=none), PLUGIN.titles) == lines[-1:]


def test_no_verdict_reads_what_others_report() -> None:
    registry = load_registry(ROOT / "claims" / "registry.yaml")
    other = Literature(
        direction="contradicts", finding="Something else", number="-99", unit="points", model="another",
        source="nobody", independent=False, read="abstract",
    )  # fmt: skip
    folders = [path for path in (ROOT / "claims" / "ledger").iterdir() if path.is_dir()]
    assert {folder.name for folder in folders} >= {"xtreme-frozen", "xtreme-pilot"}
    for literature in ([], [other]):
        update = {"literature": literature}
        entries = {claim: entry.model_copy(update=update) for claim, entry in registry.entries.items()}
        changed = registry.model_copy(update={"entries": entries})
        for folder in folders:
            assert load_recorded(folder, changed).verdicts == load_recorded(folder, registry).verdicts


# --- pinning ---


def test_a_prediction_range_is_the_noise_of_two_runs_over_all_parts() -> None:
    part = two_gains().parts[0]
    half = HALF / norm.ppf(0.975) * math.sqrt(2) * norm.ppf(1 - 0.05 / 2 / 7)
    assert prediction_range(part, 7) == pytest.approx((GAIN - half, GAIN + half))
    assert prediction_range(part, 1) == pytest.approx((GAIN - HALF * 2**0.5, GAIN + HALF * 2**0.5))
    few = part.model_copy(update={"interval": Interval(low=GAIN - HALF, high=GAIN + HALF, method="t", df=3.4)})
    half = HALF / t.ppf(0.975, 3.4) * math.sqrt(2) * t.ppf(1 - 0.05 / 2 / 7, 3.4)
    assert prediction_range(few, 7) == pytest.approx((GAIN - half, GAIN + half)), "t where the interval is one"
    narrow = part.model_copy(update={"interval": Interval(low=0.69, high=0.7, method="t")})
    assert prediction_range(narrow, 1) == pytest.approx((0.2, 1.2))
    other_unit = narrow.model_copy(update={"unit": "cosine a layer"})
    assert prediction_range(other_unit, 1) == pytest.approx((0.7 - 0.035, 0.7 + 0.035))


def test_pins_are_written_with_their_history_and_nothing_else_is(
    root: Path, fresh: Place, recorded: Place
) -> None:
    before = {path: path.read_bytes() for path in root.rglob("*") if path.is_file()}
    assert pin_place(fresh) == (
        "C05: no pin -> inconclusive", "C09: no pin -> not run", "C17: no pin -> reproduced",
    )  # fmt: skip
    pin_place(recorded, "of 100 % interest: {x} # 'quoted' \"twice\"")
    after = {path: path.read_bytes() for path in root.rglob("*") if path.is_file()}
    assert after.pop(root / PINS)
    assert after == before
    now = pinned(fresh).claims["C05"]
    assert (now.verdict, now.basis) == ("inconclusive", "pilot")
    assert "new run of 3 seeds, 95 % over all 2 parts" in now.reason
    low, _ = pinned(recorded).claims["C05"].expected["dev_selected_gain", "ner"]
    assert low == pytest.approx(1 / 3, abs=1e-12)
    put(fresh.folder, two_gains(values=(-0.2, -0.2)))
    assert pin_place(fresh, " a better\nencoder ") == ("C05: inconclusive -> not reproduced",)
    assert pin_place(fresh, "again") == ()
    pins = load_pins()
    assert [(line.run, line.reason, len(line.changes)) for line in pins.history] == [
        (None, "again", 0),
        (None, "a better encoder", 1),
        ("first", "of 100 % interest: {x} # 'quoted' \"twice\"", 3),
        (None, "a first look", 3),
    ]
    assert [run.run for run in pins.runs] == [None, "first"]


def test_settings_of_no_file_are_not_pinned(root: Path, claimtrack: Command) -> None:
    """The pins of the file that has their name stay."""
    changed = PROFILE.replace("seeds: [0, 1, 2]", "seeds: [0, 1, 2, 3]")
    (root / "params.yaml").write_text(changed, encoding="utf-8")
    assert "params.yaml differs from profiles/small.yaml" in refused(claimtrack, "pin", "--reason", "more seeds")
    assert not PINS.exists()


def test_what_cannot_be_pinned_is_one_line_and_writes_nothing(root: Path, fresh: Place) -> None:
    for reason in ("", "  \n\t ", "bell\x07"):
        assert "needs a reason" in said(ClaimError, pin_place, fresh, reason)
    whole = two_gains().parts[0].model_copy(update={"task": None})
    put(fresh.folder, two_gains(parts=(*two_gains().parts, whole)))
    assert "C05 judges dev_selected_gain with and without a task" in said(ClaimError, pin_place, fresh)
    shutil.rmtree(fresh.folder)
    assert "has no evidence to pin; run `make repro` first" in said(ClaimError, pin_place, fresh)
    assert not PINS.exists()


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("verdict: inconclusive", "verdict: refuted", "(got 'refuted'); restore it from git"),
        ("basis: pilot", "basi: pilot", "unknown key runs.0.claims.C05.basi"),
        ("runs:", "runs: [", "expected the node content"),
    ],
)
def test_pins_edited_by_hand_are_one_line(root: Path, fresh: Place, old: str, new: str, message: str) -> None:
    pin_place(fresh)
    PINS.write_text(PINS.read_text(encoding="utf-8").replace(old, new, 1), encoding="utf-8")
    assert message in said(ClaimError, load_pins)


# --- the suite as a whole ---


def run_suite(root: Path) -> tuple[dict[str, int], str]:
    """Outcomes by name, and the output, of ``pytest claims/`` in that project."""
    for name in ("conftest.py", "test_claims.py"):
        shutil.copy(ROOT / "claims" / name, root / "claims" / name)
    (root / "pytest.ini").write_text("[pytest]\naddopts = -ra\nfilterwarnings = error\n", encoding="utf-8")
    command = [sys.executable, "-m", "pytest", "claims", "-p", "no:cacheprovider", "-p", "no:xdist"]
    environment = {**os.environ, "PYTHONDONTWRITEBYTECODE": "1"}
    done = subprocess.run(command, cwd=root, env=environment, capture_output=True, text=True, check=False)
    counts = re.findall(r"(\d+) (passed|failed|skipped|error)", done.stdout.splitlines()[-1])
    return {name: int(count) for count, name in counts}, done.stdout


def test_the_suite_is_green_on_pinned_runs_and_prints_every_verdict(
    root: Path, fresh: Place, recorded: Place
) -> None:
    pin_place(fresh)
    pin_place(recorded)
    counts, output = run_suite(root)
    assert counts == {"passed": 1 + 2 * 3 * 3, "skipped": 1}
    assert "no seals; run `claimtrack seal --reason TEXT`" in output
    assert len(re.findall(r"^[CQ]\d\d  ", output, re.MULTILINE)) == 2 * 2
    assert output.count("\nNot run: C09.\n") == 2
    assert "verdicts: The first run (profile small)" in output
    shutil.rmtree(root / "results")
    counts, output = run_suite(root)
    assert counts == {"passed": 9, "skipped": 2}
    assert "no results of profile small; run `make repro`" in output


def test_the_suite_is_red_where_a_sealed_claim_is_gone(root: Path) -> None:
    whole = load_registry(ROOT / "claims" / "registry.yaml")
    add_seal(sealed_claims(whole.entries, PLUGIN.all_rules), "all of them", "abc")
    _, output = run_suite(root)
    assert output.count("FAILED claims/test_claims.py::test_seal[") == len(whole.entries) - 3
    assert re.search(r"C06: sealed on .*, now absent", output)


def test_the_suite_is_red_where_evidence_is_spoiled(root: Path, recorded: Place, fresh: Place) -> None:
    path = recorded.evidence_path("C05")
    path.write_text(json.dumps({"claim": "C05"}), encoding="utf-8")
    (fresh.folder / "trials/sweep/pos/manifest.json").unlink()
    changed = PROFILE.replace("seeds: [0, 1, 2]", "seeds: [0, 1, 2, 3]")
    (root / "params.yaml").write_text(changed, encoding="utf-8")
    counts, output = run_suite(root)
    failed = re.findall(r"^FAILED claims/test_claims.py::(\S+)", output, re.MULTILINE)
    assert sorted(failed) == [
        "test_evidence[small-first-C05]", "test_evidence[small-fresh-C05]", "test_expected[small-first-C05]",
        "test_expected[small-first-C17]", "test_verdict[small-first-C05]", "test_verdict[small-first-C09]",
        "test_verdict[small-first-C17]",
    ]  # fmt: skip
    assert counts == {"failed": 7, "passed": 1 + 4 + 1, "skipped": 6 + 1}
    assert "evidence.json: key profile is missing" in output
    assert "C09: no verdict is pinned for recorded run first; run `claimtrack pin --run first" in output
    assert "no pin for this specification: params.yaml differs from profiles/small.yaml" in output
