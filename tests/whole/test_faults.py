"""What goes wrong on machines: full and read-only disks, damaged results; and what nobody should be able to do."""

from __future__ import annotations

import os
import re
import resource
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import sklearn.linear_model  # noqa: F401  warns where it is first imported without room for a semaphore

from claimtrack import notebook
from claimtrack.errors import ClaimError, ClaimtrackError, ResultsError
from claimtrack.files import fresh_folder, write_text
from claimtrack.registry import load_registry
from crosslayer.config import Profile, load_profile
from crosslayer.data.xtreme import read_all
from crosslayer.errors import DataError
from crosslayer.predictions.records import read_manifest
from crosslayer.stages.command import Body, run_stage
from crosslayer.stages.encoder import encode_all
from crosslayer.stages.prepare import prepare
from crosslayer.stages.probe import probe
from crosslayer.stages.verdicts import verdicts
from crosslayer.sweep import run as sweep
from made_inputs import changed, prepared
from notebook_head import HEAD
from one_line import Command, said
from recording import content
from repository import ROOT, TESTS

SOURCES = sorted(path for folder in ("src", "notebooks", "examples") for path in (ROOT / folder).rglob("*.py"))


@pytest.fixture(scope="module")
def tiny() -> Profile:
    """Three trials, so that little is trained."""
    few = {"layers": [1], "controls": [], "seeds": [0]}
    return changed(load_profile(ROOT / "profiles" / "tiny.yaml"), sweep=few)


def train(profile: Profile, results: Path) -> None:
    sweep.run_sweep(profile, "sweep", "pos", results / "encoder", results / "trials" / "sweep" / "pos")


@pytest.fixture(scope="module")
def trained(tiny: Profile, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A results folder with data, encoder and a sweep."""
    folder = prepared(tiny, tmp_path_factory.mktemp("results") / "tiny")
    train(tiny, folder)
    return folder


@pytest.fixture
def place(trained: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project's folder as working directory, with a copy of these results."""
    shutil.copytree(trained, tmp_path / "results" / "tiny")
    shutil.copytree(ROOT / "claims", tmp_path / "claims", ignore=shutil.ignore_patterns("ledger", "*.py"))
    shutil.copyfile(ROOT / "profiles" / "tiny.yaml", tmp_path / "params.yaml")
    monkeypatch.chdir(tmp_path)
    return tmp_path


# Full and read-only disks


@contextmanager
def room_for(n_bytes: int) -> Iterator[None]:
    """Files can grow to this size only: as on a full disk, writing fails midway."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (n_bytes, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


STAGES: dict[str, Body] = {
    "prepare": prepare, "encoder": encode_all, "sweep": train, "probe": probe, "verdicts": verdicts,
}  # fmt: skip


@pytest.mark.parametrize("name", STAGES)
def test_a_file_that_cannot_be_written_is_one_line_and_leaves_nothing_half_written(
    name: str, place: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    results = place / "results" / "tiny"
    for made in ("probes/structure.json", "verdicts.json"):
        (results / made).parent.mkdir(exist_ok=True)
        (results / made).write_text("former", encoding="utf-8")
    if name == "sweep":
        shutil.rmtree(results / "trials")
    before = content(results)
    for n_bytes in (0, 700):
        with room_for(n_bytes), pytest.raises(SystemExit) as ended:
            run_stage("test", STAGES[name], argv=["tiny"])
        assert ended.value.code == 2
        assert re.fullmatch(r"error: .*(File too large|cannot be written).*\n", capsys.readouterr().err)
        after = content(results)
        assert {path: after[path] for path in after if name != "sweep" or "/." not in path} == before


@pytest.mark.parametrize(
    ("mount", "told"),
    [
        ("mount -t tmpfs -o size=8k tmpfs results", "No space left on device; free some space"),
        (
            "mkdir results/tiny && mount --bind results results && mount -o remount,bind,ro results",
            "Read-only file system; make it writable",
        ),
    ],
    ids=["full", "read-only"],
)
def test_a_disk_that_takes_nothing(mount: str, told: str, tmp_path: Path) -> None:
    """A small file system, and one mounted for reading, in a namespace that goes with the process."""
    (tmp_path / "results").mkdir()
    shutil.copyfile(ROOT / "profiles" / "tiny.yaml", tmp_path / "params.yaml")
    stage = f"{sys.executable} -m crosslayer.stages.prepare tiny; echo $?; find results -type f -size +0"
    unshare = shutil.which("unshare") or "false"
    ended = subprocess.run(
        [unshare, "--mount", "--map-root-user", "sh", "-c", f"{mount} && {{ {stage}; }}"],
        env={**os.environ, "PYTHONPATH": str(ROOT / "src")},
        cwd=tmp_path, capture_output=True, text=True, check=False,
    )  # fmt: skip
    if not ended.stdout:
        pytest.skip("no rights to mount; the test before limits the size of files instead")
    assert ended.stdout == "2\n", "no file is left"
    assert told in ended.stderr
    assert ended.stderr.count("\n") == 1


def test_the_command_line_says_it_in_one_line_too(place: Path, crosslayer: Command) -> None:
    shutil.copytree(ROOT / "profiles", place / "profiles")
    before = (place / "params.yaml").read_bytes()
    with room_for(100):
        code, _, err = crosslayer("profile", "use", "offline")
    assert code == 2
    assert re.fullmatch(r"error: .*: File too large; .* and run the same command again\n", err)
    assert (place / "params.yaml").read_bytes() == before
    assert not list(place.glob(".params*"))


def test_a_folder_is_replaced_whole_or_not(tmp_path: Path) -> None:
    home = tmp_path / "home"
    for text in ("one", "two"):
        with fresh_folder(home) as fresh:
            (fresh / text).write_text(text, encoding="utf-8")
    with pytest.raises(UnicodeEncodeError), fresh_folder(home) as fresh:
        (fresh / "three").write_text("\ud800", encoding="utf-8")
    with pytest.raises(FileNotFoundError), fresh_folder(home) as fresh:
        fresh.rmdir()  # so that the second rename fails
    assert content(tmp_path) == {"home/two": b"two"}
    write_text(home / "two", "three")
    with pytest.raises(UnicodeEncodeError):
        write_text(home / "two", "\ud800")
    assert content(tmp_path) == {"home/two": b"three"}


# Damaged results


@pytest.mark.parametrize("name", ["trial.json", "predictions.parquet", "diagnostics.npz"])
@pytest.mark.parametrize("how", ["cut", "changed", "gone"])
def test_a_damaged_trial_is_trained_again_and_no_other(
    name: str, how: str, tiny: Profile, place: Path, caplog: pytest.LogCaptureFixture
) -> None:
    home = place / "results" / "tiny" / "trials" / "sweep" / "pos"
    before = content(home)
    path = home / read_manifest(home / "manifest.json")[0] / name
    data = bytearray(path.read_bytes())
    if how == "gone":
        path.unlink()
    else:
        middle = len(data) // 2 if name != "trial.json" else data.index(b'"outcome"') + 2
        data[middle] ^= 0xFF
        path.write_bytes(data[: len(data) // 2] if how == "cut" else data)
    times = {trial: trial.stat().st_mtime_ns for trial in home.glob("*/trial.json")}
    train(tiny, place / "results" / "tiny")
    assert content(home) == before, "the same trial again, bit for bit"
    assert {trial.parent for trial in times if trial.stat().st_mtime_ns != times[trial]} <= {path.parent}
    assert "\n" not in "".join(record.message for record in caplog.records if record.levelname == "WARNING")


@pytest.mark.parametrize("damage", ["{", "[]", '{"digests": 3}', None])
def test_a_damaged_description_of_the_encoder(damage: str | None, tiny: Profile, place: Path) -> None:
    meta = place / "results" / "tiny" / "encoder" / "meta.json"
    meta.unlink()
    if damage is not None:
        meta.write_text(damage, encoding="utf-8")
    with pytest.raises(ResultsError, match=r"meta\.json is missing or damaged; run `dvc repro`"):
        train(tiny, place / "results" / "tiny")


# What nobody can do


CODE = re.compile(
    r"^ *(?:import|from) (?:pickle|cloudpickle|dill|joblib|marshal|shelve|yaml)\b"
    r"|(?<![\w.])(?:eval|exec|os\.system|torch\.load|pd\.read_pickle|shutil\.unpack_archive)\(|\.extractall\("
    r"|(?:trust_remote_code|allow_pickle|shell)=(?!False)|\btyp=(?!\"safe\")|np\.load\((?!.*allow_pickle=False)",
    re.MULTILINE,
)
"""What could run or load code that was handed to it; PyYAML too, since ruamel.yaml reads ours safely."""
CLOCKS = re.compile(r"\btime\.time\b|\b(?:datetime|date)\.(?:now|today|utcnow)\b|\bgetmtime\b|\.st_mtime\b")


def found_in_sources(pattern: re.Pattern[str]) -> set[tuple[str, str]]:
    return {(path.name, hit) for path in SOURCES for hit in pattern.findall(path.read_text(encoding="utf-8"))}


def test_no_source_loads_anything_that_could_be_code() -> None:
    assert found_in_sources(CODE) == set()


def test_no_clock_and_no_time_of_a_file_decides_anything() -> None:
    """Durations are on a clock that nobody sets back. Dates are those of a crate's publication, of a seal and of a
    pin, and the day from which a sealed plan is judged."""
    dated = ("crate.py", "ledger.py", "pins.py", "results.py", "seal.py")
    assert found_in_sources(CLOCKS) <= {(name, "datetime.now") for name in dated}


def test_a_profile_reads_texts_below_its_root_only(tiny: Profile, tmp_path: Path) -> None:
    for split in ("train-en.mnli", "dev-en", "test-en"):
        path = tmp_path / "root" / "xnli" / f"{split}.tsv"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("premise\thypothesis\tlabel\na\tb\tneutral\n", encoding="utf-8")
    (tmp_path / "secret.tsv").write_text("a\tb\tneutral\n", encoding="utf-8")
    update = {"source": "xtreme", "root": str(tmp_path / "root"), "languages": []}
    spec = tiny.data.model_copy(update=update)
    assert len(read_all("xnli", spec)["train", "en"].examples) == 1
    for stem in ("../../secret", str(tmp_path / "secret"), "../xnli/train-en.mnli"):
        with pytest.raises(DataError, match=r"data\.xnli_train names"):
            read_all("xnli", spec.model_copy(update={"xnli_train": [stem]}))


@pytest.mark.parametrize("name", ["../x", "/etc/x", "..", "C05/../../x", ""])
def test_names_that_become_paths_are_checked(name: str, tmp_path: Path) -> None:
    """The profile's, which names the results folder; a claim's, which names its folder; a notebook's."""
    profile = (ROOT / "profiles" / "tiny.yaml").read_text(encoding="utf-8")
    registry = (ROOT / "examples" / "good-probabilities" / "claims" / "registry.yaml").read_text(encoding="utf-8")
    path = tmp_path / "file.yaml"
    for read, text, old, new in (
        (load_profile, profile, "profile: tiny", f'profile: "{name}"'),
        (load_registry, registry, "  C01:", f'  "{name}":'),
        (load_registry, registry, "notebook: claim", f'notebook: "{name}"'),
    ):
        assert old in text
        path.write_text(text.replace(old, new, 1), encoding="utf-8")
        said(ClaimtrackError, read, path)


def test_a_notebook_that_reaches_out_is_caught(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Kernels are guarded like every process below it; those of the pipeline never try (`test_tiny`)."""
    log = tmp_path / "strangers.txt"
    monkeypatch.setenv("HUB_GUARD_LOG", str(log))
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(ROOT / "src"), str(TESTS / "support" / "hub_guard")]))
    source = tmp_path / "small.py"
    reach = "import urllib.request\nurllib.request.urlopen('http://192.0.2.1/')"
    source.write_text(f'{HEAD}output: str = "x"\n\n# %%\n{reach}\n', encoding="utf-8")
    with pytest.raises(ClaimError, match=r"192\.0\.2\.1 is not to be reached in a test"):
        notebook.run_notebook(source, {"output": "x"}, tmp_path / "out")
    assert log.read_text(encoding="utf-8") == "192.0.2.1\n"


# The pages


def named_tests(text: str) -> list[tuple[str, str]]:
    """The tests that a page names: ``file::function``."""
    return re.findall(r"`(test_\w+\.py)::(test_\w+)`", text)


@pytest.mark.parametrize("page", ["faults.md", "security.md"])
def test_the_tests_that_the_pages_name_exist(page: str) -> None:
    for name, function in named_tests((ROOT / "docs" / page).read_text(encoding="utf-8")):
        sources = [path.read_text(encoding="utf-8") for path in TESTS.rglob(name)]
        assert any(f"def {function}(" in source for source in sources), (name, function)


def test_every_fault_has_a_test() -> None:
    rows = re.findall(r"^\| (?!fault|---)(.+)\|$", (ROOT / "docs" / "faults.md").read_text("utf-8"), re.MULTILINE)
    assert len(rows) >= 20
    assert not [row for row in rows if not named_tests(row)]
