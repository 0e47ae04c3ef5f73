"""The whole pipeline on the tiny profile, in copies of the repository: what it leaves, what it runs again, and
what a kill costs."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from crosslayer.claims.registry import load_registry
from crosslayer.supervision import INTERVAL

pytestmark = pytest.mark.slow

ROOT = Path(__file__).resolve().parents[1]
NEEDED = (".dvc/config", ".dvc/.gitignore", ".dvcignore", ".gitignore", "dvc.yaml", "params.yaml",
          "claims/registry.yaml", "claims/ledger/README.md", "notebooks/", "paper/", "profiles/",
          "src/")  # fmt: skip
SMALLER = {
    "profile": "smaller",
    "tasks": "{pos: {sizes: {train: 32, dev: 16, test: 16}, mode: frozen, epochs: 1, learning_rate: 0.01}}",
    "sweep": "{layers: [1], seeds: [0]}",
    "intermediate": "{targets: []}",
    "claims": "[C04]",
}  # fmt: skip
"""A second profile for little time, as changes of the tiny one; it has no intermediate training."""


def run(clone: Path, *command: str) -> subprocess.CompletedProcess[str]:
    """Run a program of this environment in a clone."""
    return subprocess.run(
        command, cwd=clone, env=environment(clone), capture_output=True, text=True, check=False, timeout=1800
    )


def environment(clone: Path) -> dict[str, str]:
    """Variables under which a clone's own source is the one imported."""
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    return {**os.environ, "PATH": path, "PYTHONPATH": str(clone / "src"), "OMP_NUM_THREADS": "1"}


def crosslayer(clone: Path, *arguments: str) -> None:
    """Run the command line in a clone, successfully."""
    ended = run(clone, sys.executable, "-m", "crosslayer.cli", *arguments)
    assert ended.returncode == 0, ended.stderr


def repro(clone: Path) -> list[str]:
    """Run the pipeline successfully; the stages that ran."""
    ended = run(clone, "dvc", "repro")
    assert ended.returncode == 0, ended.stdout[-2000:] + ended.stderr[-2000:]
    lines = (ended.stdout + ended.stderr).splitlines()
    return [line.split("'")[1] for line in lines if line.startswith("Running stage")]


def status(clone: Path) -> int:
    """Exit code of ``dvc status -q``: 0 if nothing is to do."""
    return run(clone, "dvc", "status", "-q").returncode


def make_clone(folder: Path) -> Path:
    """Copy what the pipeline needs of the repository, without recorded runs and results."""
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=False)
    if listed.returncode:
        pytest.skip("not a git checkout")
    for name in listed.stdout.decode().split("\0"):
        if name and name.startswith(NEEDED) and (ROOT / name).is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, folder / name)
    subprocess.run(["git", "init", "-q"], cwd=folder, check=True)
    crosslayer(folder, "profile", "use", "tiny")
    return folder


@pytest.fixture(scope="module")
def clone(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A clone in which the pipeline has run; tests leave it as it was."""
    folder = make_clone(tmp_path_factory.mktemp("clone"))
    assert "report@tiny" in repro(folder)
    return folder


@contextmanager
def changed(path: Path, more: str) -> Iterator[None]:
    """A file with something appended, for a while."""
    original = path.read_bytes()
    path.write_bytes(original + more.encode())
    try:
        yield
    finally:
        path.write_bytes(original)


def evidence(clone: Path) -> dict[str, bytes]:
    """The bytes of all evidence files."""
    return {path.parent.name: path.read_bytes() for path in clone.glob("results/tiny/claims/*/evidence.json")}


def test_the_report_names_every_claim(clone: Path) -> None:
    for name in ("report.html", "report.tex"):
        text = (clone / "paper" / "build" / name).read_text(encoding="utf-8")
        claims = load_registry(ROOT / "claims" / "registry.yaml").entries
        assert not [claim for claim in claims if claim not in text]


def test_evidence_of_every_claim_of_the_profile(clone: Path) -> None:
    assert set(evidence(clone)) == {"C04", "C05", "Q01"}


def test_nothing_runs_twice(clone: Path) -> None:
    assert status(clone) == 0
    assert repro(clone) == []


@pytest.mark.parametrize("name", ["src/crosslayer/training.py", "notebooks/gains.py", "paper/style.css"])
def test_a_changed_source_is_noticed(clone: Path, name: str) -> None:
    with changed(clone / name, "\n# a comment\n"):
        assert status(clone) == 1
    assert status(clone) == 0


def test_another_profile_and_back_runs_nothing(clone: Path) -> None:
    before = evidence(clone)
    options = [word for key, value in SMALLER.items() for word in ("--set", f"{key}={value}")]
    crosslayer(clone, "profile", "use", "tiny", *options)
    assert "sweep@smaller-pos" in repro(clone)
    assert status(clone) == 0
    crosslayer(clone, "profile", "use", "tiny")
    assert repro(clone) == []
    assert status(clone) == 0
    assert "tiny" in (clone / "paper" / "build" / "report.html").read_text(encoding="utf-8")
    assert evidence(clone) == before


def test_a_recorded_run_holds_no_text_and_no_path(clone: Path) -> None:
    before = evidence(clone)
    crosslayer(clone, "record", "kept", "--title", "A run to keep")
    entry = clone / "claims" / "ledger" / "kept"
    try:
        assert set(repro(clone)) == {"verdicts@tiny", "report@tiny"}
        for claim, content in before.items():
            kept = (entry / "claims" / claim / "evidence.json").read_text(encoding="utf-8")
            assert kept.replace('"run": "kept"', '"run": "fresh"') == content.decode()
        texts = _sentences(clone)
        assert len(texts) > 100
        for path in (path for path in entry.rglob("*") if path.is_file()):
            words = " ".join(_strings(path)) if path.suffix == ".parquet" else path.read_bytes().decode("latin-1")
            assert str(clone) not in words
            assert not [text for text in texts if text in words], path
    finally:
        shutil.rmtree(entry)
    assert set(repro(clone)) <= {"verdicts@tiny", "report@tiny"}


def _sentences(clone: Path) -> set[str]:
    """Every text of the examples."""
    found = {text for path in clone.glob("results/tiny/data/*.parquet") for text in _strings(path)}
    return {text for text in found if len(text) > 12 and " " in text}


def _strings(path: Path) -> set[str]:
    """All strings of a table, also in lists."""
    found: set[str] = set()
    for column in pq.read_table(path).columns:
        kind = column.type
        if pa.types.is_list(kind) or pa.types.is_large_list(kind):
            if pa.types.is_string(kind.value_type) or pa.types.is_large_string(kind.value_type):
                found |= {" ".join(words) for words in column.to_pylist() if words is not None}
        elif pa.types.is_dictionary(kind) or pa.types.is_string(kind) or pa.types.is_large_string(kind):
            found |= {text for text in column.to_pylist() if isinstance(text, str)}
    return found


def test_a_killed_run_goes_on_where_it_stopped(clone: Path, tmp_path: Path) -> None:
    """A second clone is killed in the sweep; what it has then is also what an undisturbed one has."""
    other = make_clone(tmp_path)
    home = other / "results" / "tiny" / "trials" / "sweep" / "pos"
    with (tmp_path / "log").open("w") as log:
        dvc = subprocess.Popen(["dvc", "repro"], cwd=other, env=environment(other), stdout=log, stderr=log)
        wait_for(lambda: len(trials(home)) >= 1, 900)
        family = psutil.Process(dvc.pid).children(recursive=True)
        for process in family:
            process.suspend()  # trials take a twentieth of a second, noticing dvc's death a second
        os.kill(dvc.pid, signal.SIGKILL)
        dvc.wait()
        time.sleep(1.5 * INTERVAL)
        for process in family:
            process.resume()
    assert family
    wait_for(lambda: not any(alive(process) for process in family), 15)
    finished = trials(home)
    assert 1 <= len(finished) < 12
    time.sleep(3)
    assert trials(home) == finished
    assert "sweep@tiny-pos" in repro(other)
    after = trials(home)
    assert len(after) == 12
    assert {key: after[key] for key in finished} == finished
    assert evidence(other) == evidence(clone)
    assert status(other) == 0


def trials(home: Path) -> dict[str, int]:
    """When each finished trial was written, in nanoseconds."""
    return {path.parent.name: path.stat().st_mtime_ns for path in home.glob("[!.]*/trial.json")}


def alive(process: psutil.Process) -> bool:
    """Whether a process still works."""
    try:
        return bool(process.is_running() and process.status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False


def wait_for(condition: Callable[[], bool], seconds: float) -> None:
    """Wait until a condition holds."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.005)
