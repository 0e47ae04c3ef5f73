"""Seals: what breaks one and what does not, seals of long ago, and plans that show counts until they are due."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest

from claimtrack.entries import Entry
from claimtrack.errors import ClaimError
from claimtrack.evidence import Trial
from claimtrack.export import to_json
from claimtrack.registry import load_registry
from claimtrack.results import load, table
from claimtrack.rules import Rule
from claimtrack.runs import Place
from claimtrack.seal import (
    JudgedAt,
    Plan,
    Seal,
    add_seal,
    counts_only,
    newest_hash,
    read_seals,
    seal_problems,
    sealed_before,
    sealed_claims,
)  # fmt: skip
from crosslayer.config import Profile, load_profile
from crosslayer.paper.plugin import planned
from crosslayer.predictions.records import TrialRecord, as_trial, write_records
from made_evidence import branches, gain, gains, put
from one_line import Command, refused, said
from repository import ROOT
from synthetic_run import make_profile, make_record, write_trials

GOLDEN = ROOT / "tests" / "golden" / "seals.json"
REGISTRY = load_registry(ROOT / "claims" / "registry.yaml")
RULES = REGISTRY.project.all_rules
NOW = sealed_claims(REGISTRY.entries, RULES)
SEAL = Seal.made(date=datetime(2026, 11, 29, tzinfo=UTC), commit="0" * 40, reason="made up", claims=NOW)
TODAY = date(2026, 12, 1)


def sha256(values: Any) -> str:
    """The hash as the documentation defines it, apart from the code."""
    text = json.dumps(values, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode("ascii")).hexdigest()


def changed_entry(claim: str, **changes: Any) -> dict[str, Entry]:
    """The entries of the registry, one of them changed."""
    return REGISTRY.entries | {claim: REGISTRY.entries[claim].model_copy(update=changes)}


def problems(entries: Mapping[str, Entry] = REGISTRY.entries, rules: Mapping[str, Rule] = RULES) -> dict[str, str]:
    """What a check says where the seal holds the rules as they are."""
    return seal_problems(sealed_claims(entries, rules), SEAL)


# --- old seals ---


def test_old_seals_are_read_and_have_their_hashes() -> None:
    first, second = read_seals(GOLDEN)
    assert [first.hash, second.hash] == [
        "d32e33487771ec936fb2f1c38411dd2e8fcdeffced367e0387df360013d058f7",
        "470f5bc6dacefb8d5856934cd5be649fd79e5fe3a4b2caeb5e824a761bbbce43",
    ]
    for content, seal in zip(json.loads(GOLDEN.read_text(encoding="utf-8")), (first, second), strict=True):
        hashes = {claim: sealed["hash"] for claim, sealed in content["claims"].items()}
        assert hashes == {claim: sha256(sealed["values"]) for claim, sealed in content["claims"].items()}
        sealed = {"claims": hashes}
        if plan := content.get("plan"):
            sealed["plan"] = sha256({name: value for name, value in plan.items() if name != "hash"})
        assert seal.hash == sha256(sealed)
    assert newest_hash(GOLDEN) == second.hash


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ('"smallest_effect": 0.5', '"smallest_effect": 0.3', "claims.C05: the hash does not fit the values"),
        ('"sweep/pos/baseline/none": [\n     10', '"sweep/pos/baseline/none": [\n     9', "plan: the hash"),
        ('"commit"', '"comit"', "unknown key 0.comit; did you mean commit?"),
        ("[", "{", "is damaged"),
        ("[", "[" * 5000, "is damaged"),
        ("0.5", "NaN", "claims.C05: Out of range float values"),
    ],
)
def test_seals_edited_by_hand_are_one_line(old: str, new: str, told: str, tmp_path: Path) -> None:
    text = GOLDEN.read_text(encoding="utf-8")
    assert old in text
    path = tmp_path / "seals.json"
    path.write_text(text.replace(old, new, 1), encoding="utf-8")
    line = said(ClaimError, read_seals, path)
    assert line.startswith(str(path))
    assert told in line


# --- what breaks a seal ---


@pytest.mark.parametrize(
    ("changed", "told"),
    [
        ({"rule": "gain_in_range"}, "rule was gain_above_zero when sealed on 2026-11-29, is gain_in_range"),
        ({"metric": "dev_selected_gain_v2"},
         "metric was dev_selected_gain_v1 when sealed on 2026-11-29, is dev_selected_gain_v2"),
        ({"claimed": REGISTRY.entry("C05").claimed.model_copy(update={"low": 0.25})},
         "claimed.low was 0.0 when sealed on 2026-11-29, is 0.25"),
        ({"claimed": REGISTRY.entry("C05").claimed.model_copy(update={"low": None})},
         "claimed.low was 0.0 when sealed on 2026-11-29, is absent"),
    ],
)  # fmt: skip
def test_a_changed_entry_breaks_its_own_seal(changed: dict[str, Any], told: str) -> None:
    found = problems(changed_entry("C05", **changed))
    assert list(found) == ["C05"]
    assert told in found["C05"]
    assert found["C05"].endswith("; run `claimtrack seal --reason TEXT`")


def test_a_changed_rule_breaks_the_seals_of_its_claims() -> None:
    rule = RULES["gain_above_zero"]
    for changed, told in (
        ({"thresholds": {"smallest_effect": 0.3}}, "smallest_effect was 0.5 when sealed on 2026-11-29, is 0.3"),
        (
            {"measures": ("best_on_test_gain",)},
            'measures was ["dev_selected_gain"] when sealed on 2026-11-29, is ',
        ),
    ):
        found = problems(rules={**RULES, "gain_above_zero": replace(rule, **changed)})
        assert list(found) == ["C05"]
        assert told in found["C05"]


def test_a_claim_that_comes_or_goes_is_named() -> None:
    rest = {claim: entry for claim, entry in REGISTRY.entries.items() if claim != "C17"}
    found = problems({**rest, "C18": REGISTRY.entry("C17")})
    assert list(found) == ["C17", "C18"]
    assert "sealed on 2026-11-29, now absent" in found["C17"]
    assert "C18: not in the seal of 2026-11-29" in found["C18"]


def test_texts_names_and_literature_break_nothing() -> None:
    """Every field of an entry that is text, and everything about the rule's function."""
    texts = dict.fromkeys(
        ("source_text", "title", "reported", "measured_as", "reproduced_when", "would_change", "notebook"), "other"
    )
    source = REGISTRY.entry("C05").primary_source.model_copy(update={"supports": False, "note": "other"})
    status = {"verified": False, "confidence": 0.0, "primary_source": source, "pins": [], "expected": []}
    assert problems(changed_entry("C05", **texts, **status)) == {}

    def renamed(*_: Any) -> Any:
        """Another docstring."""

    rules = {name: replace(rule, judge=renamed) for name, rule in RULES.items()}
    assert problems(rules=rules) == {}


def test_equal_numbers_are_equal_however_they_are_written() -> None:
    rule = RULES["calibration_sign"]
    assert rule.thresholds == {"smallest_difference": 1.0}
    changed = replace(rule, thresholds={"smallest_difference": 1})
    assert problems(rules={**RULES, "calibration_sign": changed}) == {}


# --- the command ---


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working directory with registry and profiles."""
    (tmp_path / "claims" / "ledger").mkdir(parents=True)
    shutil.copy(ROOT / "claims" / "registry.yaml", tmp_path / "claims")
    shutil.copy(ROOT / "profiles" / "tiny.yaml", tmp_path / "params.yaml")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_sealing_writes_what_changed_and_refuses_what_has_not(claimtrack: Command, place: Path) -> None:
    path = place / "claims" / "seals.json"
    assert "claims/seals.json does not exist" in refused(claimtrack, "seal", "--check")
    code, out, _ = claimtrack("seal", "--reason", "the first rules")
    assert (code, out.splitlines()) == (0, [f"{claim}: sealed for the first time" for claim in REGISTRY.entries])
    first = path.read_bytes()
    assert claimtrack("seal", "--check") == (0, "", "")
    assert "nothing has changed" in refused(claimtrack, "seal", "--reason", "again")
    assert path.read_bytes() == first

    registry = place / "claims" / "registry.yaml"
    text = registry.read_text(encoding="utf-8")
    registry.write_text(text.replace("claimed: {low: 1, high: 3", "claimed: {low: 1, high: 2"), encoding="utf-8")
    code, out, _ = claimtrack("seal", "--check")
    assert (code, out.count("\n")) == (1, 1)
    assert out.startswith("C06: claimed.high was 3.0 when sealed on 20")
    told = "C06: claimed.high was 3.0 when last sealed, is 2.0\n"
    assert claimtrack("seal", "--reason", "as the abstract has it")[:2] == (0, told)
    assert claimtrack("seal", "--check")[0] == 0
    content = json.loads(path.read_text(encoding="utf-8"))
    assert content[0] == json.loads(first)[0], "what was sealed before stays"
    assert [seal["reason"] for seal in content] == ["the first rules", "as the abstract has it"]


def test_wrong_options_and_files_are_one_line_and_seal_nothing(claimtrack: Command, place: Path) -> None:
    path = place / "claims" / "seals.json"
    for options in (
        ["--reason", " "], [], ["--check", "--reason", "r"], ["--reason", "r", "--plan"],
        ["--reason", "r", "--judged-at-seeds", "3"], ["--check", "--plan", "--judged-at-seeds", "3"],
        ["--reason", "r", "--plan", "--or-date", "soon"], ["--reason", "r", "--plan", "--at-least-seeds", "3"],
        ["--reason", "r", "--plan", "--judged-at-seeds", "3", "--at-least-seeds", "2"],
        ["--reason", "r", "--plan", "--judged-at-seeds", "9"],
    ):  # fmt: skip
        refused(claimtrack, "seal", *options)
    for day in ("2020-01-01", f"{datetime.now(UTC):%Y-%m-%d}"):
        _, _, told = claimtrack("seal", "--reason", "r", "--plan", "--or-date", day)
        assert f"{day} has come" in told, "the plan would be judged at its first seeds"
    assert not path.exists()
    path.write_text("[{}]", encoding="utf-8")
    for command in (["seal", "--reason", "r"], ["seal", "--check"], ["list"]):
        refused(claimtrack, *command)
    assert path.read_text(encoding="utf-8") == "[{}]"


def test_a_plan_is_the_active_profile_without_paths(claimtrack: Command, place: Path) -> None:
    options = ["--plan", "--judged-at-seeds", "2", "--or-date", "2099-12-20", "--at-least-seeds", "1"]
    code, out, _ = claimtrack("seal", "--reason", "a plan", *options)
    profile = load_profile(place / "params.yaml")
    n_trials = sum(map(len, planned(profile).seeds.values()))
    assert (code, out.splitlines()[-1]) == (
        0, f"plan of tiny: {n_trials} trials, judged at 2 seeds or on 2099-12-20 with at least 1"
    )  # fmt: skip
    [seal] = read_seals()
    assert seal.plan is not None
    assert set(seal.plan.grid) == {"encoder", "tasks", "sweep", "intermediate", "fusion", "data"}
    assert "root" not in seal.plan.grid["data"]
    assert claimtrack("seal", "--reason", "a plan", *options)[0] == 2, "it is sealed already"
    assert claimtrack("seal", "--check")[0] == 0
    changed = (place / "params.yaml").read_text(encoding="utf-8").replace("seeds: [0, 1, 2]", "seeds: [0, 1]")
    (place / "params.yaml").write_text(changed, encoding="utf-8")
    code, out, _ = claimtrack("seal", "--check")
    assert code == 1
    assert out.startswith("plan of tiny: ")
    assert "sweep.seeds was [0, 1, 2] when sealed, is [0, 1]" in out


def test_a_claim_is_shown_with_its_seal(claimtrack: Command, place: Path) -> None:
    write_run(place / "results" / "tiny", records_of(0, 1, 2))
    assert "  Rule not sealed before the first trial." in claimtrack("show", "C05")[1].splitlines()
    claimtrack("seal", "--reason", "now")
    for path in (place / "results").rglob("trial.json"):
        path.write_text(path.read_text(encoding="utf-8").replace('"seal":""', f'"seal":"{newest_hash()}"'))
    assert "  Rule sealed before the first trial." in claimtrack("show", "C05")[1].splitlines()
    assert not any(line.startswith("  Rule ") for line in claimtrack("show", "C17")[1].splitlines())


# --- sealed before the first trial ---


def test_a_rule_is_sealed_before_trials_that_all_name_a_seal_of_it() -> None:
    entry, rule, seals = REGISTRY.entry("C05"), RULES["gain_above_zero"], [*read_seals(GOLDEN), SEAL]
    for named, expected in (
        ([SEAL.hash] * 2, True),
        ([SEAL.hash, seals[1].hash], False),
        ([SEAL.hash, ""], False),
        ([SEAL.hash, "f" * 64], False),
        ([], None),
    ):
        assert sealed_before(entry, rule, named, seals) is expected
    assert sealed_before(entry, replace(rule, thresholds={"smallest_effect": 0.1}), [SEAL.hash], seals) is False


def made_profile() -> Profile:
    made = make_profile(("pos",), layers=(1,), controls=())
    return made.model_copy(update={"claims": ["C05", "C17"]})


def write_run(folder: Path, records: Iterable[TrialRecord], run: str = "fresh") -> None:
    """Trials, and evidence of C05 that rests on them and of C17 that rests on none."""
    records = list(records)
    if run == "fresh":
        write_trials(records, folder)
    else:
        folder.mkdir(parents=True)
        write_records(records, folder / "trials.json")
    keys = tuple(sorted(record.key for record in records))
    put(folder, gains(gain("pos", 1.0), run=run, trials=keys), branches(run=run))


def records_of(*seeds: int, seal: str = "") -> list[TrialRecord]:
    pairs = [(model, seed) for seed in seeds for model in ("baseline", "layer_1")]
    return [make_record("pos", model, seed).model_copy(update={"seal": seal}) for model, seed in pairs]


def trials_of(*seeds: int) -> list[Trial]:
    return [as_trial(record) for record in records_of(*seeds)]


def test_a_trial_without_a_record_is_not_shown_to_be_sealed(tmp_path: Path) -> None:
    seals = tmp_path / "seals.json"
    add_seal(NOW, "now", "0" * 40, seals)
    write_run(tmp_path / "run", records_of(0, 1, 2, seal=newest_hash(seals)))
    next((tmp_path / "run" / "trials").rglob("trial.json")).unlink()
    results = load(Place("fresh", made_profile(), tmp_path / "run"), REGISTRY, seals=seals)
    assert results.verdicts["C05"].sealed is False


# --- plans ---


def plan_for(profile: Profile, **when: Any) -> Plan:
    return Plan.made(**dict(planned(profile)), judged_at=JudgedAt(**when))


@pytest.mark.parametrize(
    ("seeds", "day", "due"), [(3, 1, True), (2, 1, False), (2, 19, False), (2, 20, True), (1, 21, False)]
)
def test_a_plan_is_due_at_its_seeds_or_on_its_day_with_enough(seeds: int, day: int, due: bool) -> None:
    plan = plan_for(made_profile(), seeds=3, day=date(2026, 12, 20), at_least=2)
    assert (counts_only(plan, trials_of(*range(seeds)), TODAY.replace(day=day)) == "") is due


def test_seeds_count_where_every_model_has_them() -> None:
    """Two models by three seeds; a trial that failed is not finished, one that collapsed is."""
    plan = plan_for(made_profile(), seeds=2)
    assert plan.seeds == {"sweep/pos/baseline/none": [0, 1, 2], "sweep/pos/layer_1/none": [0, 1, 2]}
    done = trials_of(0, 1)
    told = "sealed plan: {} of 6 trials; judged at 2 seeds"
    assert counts_only(plan, done[:3], TODAY) == told.format(3)
    assert counts_only(plan, done, TODAY) == ""
    for outcome, n in (("failed", 3), ("out_of_memory", 3), ("collapsed", None), ("nan_loss", None)):
        ended = [*done[:3], replace(done[3], outcome=outcome)]
        assert counts_only(plan, ended, TODAY) == (told.format(n) if n else "")
    strange = [*done[:3], *map(as_trial, (make_record("pos", "layer_1", 7), make_record("ner", "layer_1", 1)))]
    assert counts_only(plan, strange, TODAY) == told.format(3), "what is not planned does not count"


def test_a_model_with_fewer_planned_seeds_holds_nothing_up_once_it_has_them() -> None:
    plan = plan_for(made_profile(), seeds=3)
    plan = plan.model_copy(update={"seeds": plan.seeds | {"sweep/pos/gate/none": [0, 1]}})
    done, gates = trials_of(0, 1, 2), [as_trial(make_record("pos", "gate", seed)) for seed in (0, 1)]
    assert counts_only(plan, [*done, gates[0]], TODAY)
    assert counts_only(plan, [*done, *gates], TODAY) == ""


@pytest.mark.parametrize("run", ["fresh", "one"])
def test_until_a_plan_is_due_only_counts_are_shown(run: str, tmp_path: Path) -> None:
    profile, seals = made_profile(), tmp_path / "seals.json"
    add_seal(NOW, "a plan", "0" * 40, seals, plan_for(profile, seeds=3))
    seal = newest_hash(seals)
    write_run(tmp_path / "early", records_of(0, 1, seal=seal), run)
    early = load(Place(run, profile, tmp_path / "early"), REGISTRY, seals=seals)
    told = "sealed plan: 4 of 6 trials; judged at 3 seeds"
    assert early.evidence == {}
    assert {verdict.verdict for verdict in early.verdicts.values()} == {"not run"}
    assert early.verdicts["C05"].because == f"{told}."
    assert early.title.endswith(told)
    shown = "\n".join(table(early, {})) + to_json(REGISTRY, [early])
    assert "1.0" not in shown.replace("dev_selected", "")
    write_run(tmp_path / "due", records_of(0, 1, 2, seal=seal), run)
    due = load(Place(run, profile, tmp_path / "due"), REGISTRY, seals=seals)
    assert (due.verdicts["C05"].sealed, due.verdicts["C17"].verdict) == (True, "reproduced")
    assert "sealed plan" not in due.title


def test_a_later_seal_of_rules_keeps_the_plan_and_other_profiles_are_free(tmp_path: Path) -> None:
    profile, seals = made_profile(), tmp_path / "seals.json"
    add_seal(NOW, "a plan", "0" * 40, seals, plan_for(profile, seeds=3))
    add_seal({claim: NOW[claim] for claim in NOW if claim != "C16"}, "one less", "0" * 40, seals)
    write_run(tmp_path / "run", records_of(0, 1))
    assert load(Place("fresh", profile, tmp_path / "run"), REGISTRY, seals=seals).evidence == {}
    other = profile.model_copy(update={"profile": "other"})
    assert load(Place("fresh", other, tmp_path / "run"), REGISTRY, seals=seals).evidence
