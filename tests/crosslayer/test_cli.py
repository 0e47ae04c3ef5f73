"""The command line and the stages: what is set, and one line with exit code 2 for every wrong input."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from claimtrack.registry import load_registry
from claimtrack.settings import read_yaml
from crosslayer.config import load_profile
from crosslayer.stages.cleaning import leftovers
from crosslayer.sweep.processes import exclusive
from made_evidence import gain, gains, put
from one_line import Command, one_line, refused
from repository import ROOT

pytestmark = pytest.mark.usefixtures("place")
XTREME = ("--set", "data.source=xtreme", "--set", "data.languages=null")


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working directory with the shipped profiles and the registry."""
    shutil.copytree(ROOT / "profiles", tmp_path / "profiles")
    (tmp_path / "claims" / "ledger").mkdir(parents=True)
    shutil.copy(ROOT / "claims" / "registry.yaml", tmp_path / "claims")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def stage(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Run a stage as DVC does."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "src"), "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-m", f"crosslayer.stages.{arguments[0]}", *arguments[1:]]
    return subprocess.run(command, capture_output=True, text=True, env=environment, check=False)


def done(program: Command, *arguments: str) -> str:
    """What a command prints that succeeds."""
    code, out, err = program(*arguments)
    assert code == 0, err
    return out


def test_profiles_are_listed_with_their_purpose(crosslayer: Command) -> None:
    listed = re.findall(r"^  (\S+) +(.*)$", done(crosslayer, "profile", "list"), re.M)
    assert [name for name, _ in listed] == sorted(path.stem for path in (ROOT / "profiles").glob("*.yaml"))
    assert all(len(purpose) > 20 for _, purpose in listed)
    crosslayer("profile", "use", "tiny")
    assert re.findall(r"^\* (\w+)", done(crosslayer, "profile", "list"), re.M) == ["tiny"]


@pytest.mark.parametrize("name", ["offline", "tiny", "paper"])
def test_a_profile_is_used_as_it_is(name: str, crosslayer: Command, place: Path) -> None:
    done(crosslayer, "profile", "use", name)
    assert load_profile() == load_profile(place / "profiles" / f"{name}.yaml")
    assert _comments(place / "params.yaml") == _comments(place / "profiles" / f"{name}.yaml")


def _comments(path: Path) -> list[str]:
    lines = path.read_text(encoding="utf-8").splitlines()
    return [line.partition("#")[2] for line in lines if "#" in line]


def test_keys_are_set_with_their_type(crosslayer: Command, place: Path) -> None:
    changes = {
        "tasks.pos.epochs": "7", "sweep.seeds": "[4, 5]", "tasks.pos.learning_rate": "2.5e-4",
        "sweep.halves": "true", "data.languages": "null", "data.root": "some/folder", "fusion.form": "gate",
    }  # fmt: skip
    options = [word for key, value in changes.items() for word in ("--set", f"{key}={value}")]
    done(crosslayer, "profile", "use", "tiny", *options)
    found = load_profile()
    pos, data = found.tasks["pos"], found.data
    assert (pos.epochs, pos.learning_rate, found.sweep.seeds, found.sweep.halves) == (7, 2.5e-4, [4, 5], True)
    assert (data.languages, data.root, found.fusion.form) == (None, "some/folder", "gate")
    rest = load_profile(place / "profiles" / "tiny.yaml")
    assert (found.probe, found.encoder) == (rest.probe, rest.encoder)
    assert _comments(place / "params.yaml") == _comments(place / "profiles" / "tiny.yaml")


@pytest.mark.parametrize(
    "root", ["/data/my #1 folder", "~/x y", "a: b", "[x]/y", "100%", "é, ü", "a=b", "'quoted #1'"]
)
def test_texts_are_set_whole_or_refused(root: str, crosslayer: Command, place: Path) -> None:
    code, _, told = crosslayer("profile", "use", "tiny", *XTREME, "--set", f"data.root={root}")
    if code:
        assert "data.root: Input should be a valid string" in one_line(told) or "is not YAML" in told
        assert root in ("a: b", "[x]/y"), "YAML of another type; a quoted text is none"
    else:
        assert load_profile().data.root == root.strip("'")


@pytest.mark.parametrize("change", ["tasks.pos.epochs=5 # five", "data.root=&a", "data.languages=[de] #, es"])
def test_values_that_yaml_would_cut_are_refused(change: str, crosslayer: Command, place: Path) -> None:
    told = refused(crosslayer, "profile", "use", "tiny", "--set", change)
    assert "YAML would read only a part of the value; quote it" in told
    assert not (place / "params.yaml").exists()


def test_a_data_folder_is_seen_from_where_it_is_typed(
    crosslayer: Command, place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (place / "deep").mkdir()
    monkeypatch.chdir(place / "deep")
    done(crosslayer, "profile", "use", "tiny", *XTREME, "--set", "data.root=../data")
    assert load_profile(place / "params.yaml").data.root == f"{place}/deep/../data"


def test_a_profile_that_has_another_name_than_its_file_is_refused(crosslayer: Command, place: Path) -> None:
    shutil.copy(place / "profiles" / "tiny.yaml", place / "profiles" / "mine.yaml")
    assert "says `profile: tiny`" in refused(crosslayer, "profile", "use", "mine")


def test_any_folder_of_the_project_will_do(
    crosslayer: Command, place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (place / "paper" / "deep").mkdir(parents=True)
    monkeypatch.chdir(place / "paper" / "deep")
    done(crosslayer, "profile", "use", "tiny")
    assert (place / "params.yaml").is_file()
    monkeypatch.chdir(place.parent)
    assert "neither this folder nor one above it" in refused(crosslayer, "profile", "use", "tiny")


def test_a_name_that_is_too_long_is_one_line(crosslayer: Command) -> None:
    assert "choose a shorter name" in refused(crosslayer, "data", "check", "x" * 5000)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (
            ("nowhere",),
            "unknown profile nowhere; known: broken, empty, offline, paper, tiny, xtreme-frozen, xtreme-pilot,",
        ),
        (("../params",), "unknown profile ../params"),
        (("broken",), "is not YAML"),
        (("empty", "--set", "a=1"), "profiles/empty.yaml holds no mapping of keys"),
        (("tiny", "--set", "fusion.bn_groop=8"), "unknown key fusion.bn_groop; did you mean bn_group"),
        (("tiny", "--set", "sweep.halves=yes"), "sweep.halves: "),
        (("tiny", "--set", "sweep.layers.0=3"), "sweep.layers: "),
        (("tiny", "--set", "tasks.xnli.epochs=3"), "tasks.xnli.learning_rate is missing"),
        (("tiny", "--set", "epochs"), "--set epochs is not KEY=VALUE"),
        (("tiny", "--set", "=3"), "--set =3 is not KEY=VALUE"),
        (("tiny", "--set", "data.root=[a"), "--set data.root=[a: the value is not YAML"),
        (("tiny", "--set", "data.root=!!python/object:os.x {}"), "the value is not YAML"),
        (("xtreme-small",), "data.root is missing"),
    ],
)
def test_wrong_choices_change_nothing(
    arguments: tuple[str, ...], words: str, crosslayer: Command, place: Path
) -> None:
    (place / "profiles" / "broken.yaml").write_text("a: [\n")
    (place / "profiles" / "empty.yaml").touch()
    (place / "params.yaml").write_bytes(b"as it was\n")
    assert words in refused(crosslayer, "profile", "use", *arguments)
    assert (place / "params.yaml").read_bytes() == b"as it was\n"
    assert not list(place.glob(".*")), "nothing half-written"


def test_without_an_active_profile(crosslayer: Command, claimtrack: Command) -> None:
    for program, command in (
        (claimtrack, ("list",)), (claimtrack, ("show", "C05")), (crosslayer, ("record", "one", "--title", "t")),
    ):  # fmt: skip
        assert "params.yaml does not exist" in refused(program, *command)


def test_claims_of_a_run_that_has_not_run(crosslayer: Command, claimtrack: Command) -> None:
    crosslayer("profile", "use", "tiny")
    registry = read_yaml(ROOT / "claims" / "registry.yaml")["entries"]
    assert done(claimtrack, "list").splitlines()[1:] == [f"  Not run: {', '.join(registry)}."]
    assert "\nfresh: not run." in done(claimtrack, "show", "C05")


def test_a_claim_is_shown_with_the_decision_on_each_task(
    crosslayer: Command, claimtrack: Command, place: Path
) -> None:
    """XNLI is between 0 and the smallest effect, NER shown to be below it; the other tasks were not measured."""
    crosslayer("profile", "use", "tiny")
    put(place / "results" / "tiny", gains(gain("xnli", 1.0, 1.1), gain("ner", -1.0, 0.1), profile="tiny"))
    lines = done(claimtrack, "show", "C05").partition("\nfresh: ")[2].splitlines()
    assert lines[0].startswith("not reproduced. ")
    assert re.fullmatch(r"  XNLI: undecided; \d+ seeds would decide", lines[1])
    assert lines[2:5] == ["  PAWS-X: missing", "  NER: refuted", "  POS: missing"]
    assert lines[5].startswith("  No evidence about the paper. ")


@pytest.mark.parametrize("claim", ["C99", "c05", "", "C05\nC06"])
def test_unknown_claims_are_not_shown(claim: str, crosslayer: Command, claimtrack: Command) -> None:
    crosslayer("profile", "use", "tiny")
    assert f"unknown claim {claim!r}" in refused(claimtrack, "show", claim)


def test_nothing_to_record_or_pin(crosslayer: Command, claimtrack: Command, place: Path) -> None:
    crosslayer("profile", "use", "tiny")
    record = ("record", "one", "--title", "A title")
    assert "has no trials to record" in refused(crosslayer, *record)
    assert "has no finished trial that is new to one" in refused(crosslayer, *record, "--extend")
    for more in (["sweep/pos"], ["sweep/pos/x", "--extend"], ["ner", "--extend"]):
        told = refused(crosslayer, *record, "--replace", *more)
        assert f"--replace {more[0]!r} goes with --extend and is one of sweep/" in told
    assert "none" in refused(claimtrack, "pin", "--run", "none", "--reason", "because")
    assert not list((place / "claims" / "ledger").iterdir())


def test_verdicts_for_other_programs(crosslayer: Command, claimtrack: Command) -> None:
    crosslayer("profile", "use", "tiny")
    for form, start in (("json", "["), ("csv", "claim,run,"), ("jsonld", "{")):
        out = done(claimtrack, "export", "--format", form)
        assert (out.startswith(start), out.endswith("\n")) == (True, True)
    told = refused(claimtrack, "export", "--format", "xml")
    assert "unknown format 'xml'; use one of json, csv, jsonld" in told
    assert "source" in json.loads(done(claimtrack, "schema"))["properties"]


def test_a_run_differs_from_itself_in_nothing(crosslayer: Command, claimtrack: Command) -> None:
    crosslayer("profile", "use", "tiny")
    assert done(claimtrack, "diff", "fresh", "fresh") == "0 claims with differences, 18 without\n"
    told = refused(claimtrack, "diff", "fresh", "no such\nrun")
    assert "there is no run 'no such\\nrun'; there are fresh" in told


def test_claims_are_imported_into_a_new_file_only(claimtrack: Command, place: Path) -> None:
    (place / "report.txt").write_text(
        "A title\n\nClaim\tVerified\tConfidence\nIt holds.\t✓\t0.5\n", encoding="utf-8"
    )
    started = ("import", "report.txt")
    told = done(claimtrack, *started, "--output", "new.yaml")
    assert told == "1 claim in new.yaml; fill the empty fields\n"
    written = (place / "new.yaml").read_text(encoding="utf-8")
    assert done(claimtrack, *started) == written
    for output, told in (("new.yaml", "already exists"), ("absent/new.yaml", "cannot be written")):
        assert f"{output} {told}" in refused(claimtrack, *started, "--output", output)
    assert (place / "new.yaml").read_text(encoding="utf-8") == written
    assert not (place / "absent").exists()


def test_a_terminal_gets_no_control_characters_of_claims(
    crosslayer: Command, claimtrack: Command, place: Path
) -> None:
    crosslayer("profile", "use", "tiny")
    path = place / "claims" / "registry.yaml"
    title = load_registry(path).entries["C05"].title
    put(place / "results" / "tiny", gains(profile="tiny", status="missing", headline=None, missing=("a\x9bline",)))
    text = path.read_text(encoding="utf-8").replace(f"'{title}'", f'"{title}\\e[2J\\a"', 1)
    text = text.replace("'Keung et al. 2020, arXiv 2004.15001'", r'"Keung\e[2J"', 1)
    text = re.sub(r"measured_as: >-\n( {6}.*\n)+", r'measured_as: "over\\rwritten"' + "\n", text)
    path.write_text(text, encoding="utf-8")
    out = done(claimtrack, "show", "C05")
    assert f"C05  {title}[U+001B][2J[U+0007]\n" in out
    assert all(f"{line}\n" in out for line in ("Measured as: over[U+000D]written", "Keung[U+001B][2J"))
    assert "a[U+009B]line" in out
    assert not {"\x1b", "\a", "\r", "\x9b"} & set(out)


def test_only_trials_that_do_not_count_are_removed(crosslayer: Command, place: Path) -> None:
    done(crosslayer, "profile", "use", "tiny")
    home = place / "results" / "tiny" / "trials" / "sweep" / "pos"
    counted, former, unfinished = (home / f"{digit * 16}" for digit in "abc")
    for folder in (counted, former, home / "own-notes", home.parent / "ner" / unfinished.name):
        folder.mkdir(parents=True)
        (folder / "record.json").write_text("x" * 1000, encoding="utf-8")
    (home / ("d" * 16)).symlink_to(place / "profiles", target_is_directory=True)
    (home / "manifest.json").write_text(json.dumps({"keys": [counted.name]}), encoding="utf-8")
    other = place / "results" / "offline" / "trials" / "sweep" / "pos"  # of a profile that is not active
    (other / former.name).mkdir(parents=True)
    (other / "manifest.json").write_text(json.dumps({"keys": []}), encoding="utf-8")
    before = set(place.rglob("*"))
    assert list(leftovers(place / "results" / "tiny", {former.name})) == [], "its sweep is unfinished"
    line, total = done(crosslayer, "clean").splitlines()
    assert line.endswith(f"  {former.relative_to(place)}")
    assert total.startswith("1 trials, 0.0 MB; remove them with")
    assert set(place.rglob("*")) == before, "nothing is removed before one says so"
    with exclusive(home):
        code, _, err = crosslayer("clean", "--remove")
    assert (code, "another" in one_line(err), former.exists()) == (2, True, True)
    done(crosslayer, "clean", "--remove")
    assert before - set(place.rglob("*")) == {former, former / "record.json"}
    assert done(crosslayer, "clean").startswith("0 trials")
    (home / "manifest.json").write_text("{", encoding="utf-8")
    assert "manifest.json is damaged" in refused(crosslayer, "clean", "--remove")


def test_only_a_recorded_run_becomes_a_crate(crosslayer: Command, place: Path) -> None:
    for name in ("none", "..", "a/b"):
        assert "there is no recorded run" in refused(crosslayer, "crate", name, "out")
    shutil.copytree(ROOT / "claims" / "ledger" / "xtreme-frozen", place / "claims" / "ledger" / "one")
    assert "files and ro-crate-metadata.json in out" in done(crosslayer, "crate", "one", "out")
    assert (place / "out" / "ro-crate-metadata.json").is_file()


@pytest.mark.parametrize(
    ("changes", "started", "words"),
    [
        ((), ("prepare", "offline"), "has the profile tiny, not offline"),
        ((*XTREME, "--set", "data.root=absent"), ("prepare", "tiny"), "data.root absent is not a directory"),
        ((*XTREME, "--set", "data.root=claims"), ("prepare", "tiny"),
         "claims/udpos or claims/ud is missing or empty"),
        (("--set", "sweep.layers=[1, 3]"), ("encoder", "tiny"),
         "layer 3 cannot be the lower layer of a fusion; it must be 1..2"),
        ((), ("claim", "tiny", "C99"), "unknown claim 'C99'; the registry has C01, C02, C03, "),
    ],
    ids=["another profile", "no data", "no data of a task", "a layer that the encoder lacks", "an unknown claim"],
)  # fmt: skip
def test_a_stage_that_cannot_run_is_one_line(
    changes: tuple[str, ...], started: tuple[str, ...], words: str, crosslayer: Command, place: Path
) -> None:
    done(crosslayer, "profile", "use", "tiny", *changes)
    ended = stage(*started)
    assert ended.returncode == 2
    assert words in one_line(ended.stderr)
    assert not (place / "results").exists()


def test_a_refused_task_is_told_by_the_exit_code(crosslayer: Command, place: Path) -> None:
    (place / "data" / "panx").mkdir(parents=True)
    (place / "data" / "panx" / "test-de.tsv").write_text("Ada B-PER\n", encoding="utf-8")
    code, out, _ = crosslayer("data", "check", "data")
    assert code == 2
    assert "  refused: " in out


def test_doctor_and_ingest_work_from_a_folder_of_the_project(
    crosslayer: Command, place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (place / "params.yaml").write_text("profile: tiny\n", encoding="utf-8")
    (place / "below").mkdir()
    monkeypatch.chdir(place / "below")
    assert "no   active profile" in done(crosslayer, "doctor")
    shutil.copy(place / "profiles" / "tiny.yaml", place / "params.yaml")
    monkeypatch.chdir(place / "below")
    told = refused(crosslayer, "ingest", "files", "--name", "mine")
    path = place / "below" / "files" / "trials.csv"
    assert f"{path} is missing; it names the prediction files, with the columns file, task, language" in told
