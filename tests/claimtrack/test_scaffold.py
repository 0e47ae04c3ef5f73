"""A new project from a literature report: it loads, runs and tests at once, and says what is still blank."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from claimtrack import scaffold
from claimtrack.errors import ClaimError
from claimtrack.registry import load_registry
from repository import ROOT

REPORT = """\
A report on fused layers

July 2, 2026

Research question: Does it help?

| Claim | Verified | Confidence |
|---|---|---|
| It gains "2" points: 'really'. | yes | 0.3 |
| It loses. | no | 0.1 |
"""


@pytest.fixture
def home(tmp_path: Path) -> Path:
    report = tmp_path / "a report.txt"
    report.write_text(REPORT, encoding="utf-8")
    made, found = scaffold.init("new-paper", report, tmp_path)
    assert len(found.rows) == 2
    return made


def run(home: Path, *command: str) -> str:
    paths = os.pathsep.join([str(ROOT / "src"), os.environ.get("PYTHONPATH", "")])
    environment = {
        **os.environ,
        "PYTHONPATH": paths,
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
    }
    done = subprocess.run(command, cwd=home, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_the_registry_loads_with_the_words_of_the_report(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "path", list(sys.path))
    registry = load_registry(home / "claims" / "registry.yaml")
    assert registry.entry("C01").source_text == "It gains \"2\" points: 'really'."
    assert list(registry.entries) == ["C01", "C02", "Q01"]
    assert registry.project.name == "new_paper"
    assert registry.project.settings.model_validate({"profile": "full", "seeds": 3, "claims": []})
    for module in [name for name in sys.modules if name.partition(".")[0] == "new_paper"]:
        del sys.modules[module]


def test_init_tells_what_it_read(tmp_path: Path) -> None:
    (tmp_path / "report.txt").write_text(REPORT, encoding="utf-8")
    told = run(tmp_path, sys.executable, "-m", "claimtrack", "init", "told", "--report", "report.txt")
    assert told == "2 claims and a question in told; next: cd told, make repro, claimtrack todo\n"


def test_what_is_blank_is_listed_in_the_order_of_filling(home: Path) -> None:
    """Not in the copies that a report needs."""
    (home / "paper" / "build").mkdir()
    shutil.copy(home / "paper" / "references.bib", home / "paper" / "build")
    found = list(scaffold.todo(home))
    files = list(dict.fromkeys(line.partition(":")[0] for line in found))
    assert files == ["claims/registry.yaml", "src/new_paper/plugin.py", "paper/deviations.yaml",
                     "paper/prose.yaml", "paper/references.bib"]  # fmt: skip
    assert [line for line in found if "C02 title: the claim in a few words" in line]
    number = int(found[0].split(":")[1].split()[0])
    assert "TODO" in (home / files[0]).read_text().split("\n")[number - 1]
    (home / "paper" / "prose.yaml").write_text("title: x\n")
    assert not [line for line in scaffold.todo(home) if "prose" in line]


@pytest.mark.parametrize(
    ("name", "told"),
    [
        *((name, "is not a name") for name in ("", "../x", "A", "a b", "-x")),
        ("new-paper", "already exists"),
        *((name, "is the name of a Python package") for name in ("test", "json", "claimtrack")),
    ],
)
def test_a_name_that_cannot_be(home: Path, name: str, told: str) -> None:
    before = sorted(home.parent.iterdir())
    with pytest.raises(ClaimError, match=told):
        scaffold.init(name, home / "report.txt", home.parent)
    assert sorted(home.parent.iterdir()) == before


def test_nothing_is_left_of_a_report_that_cannot_be_read(tmp_path: Path) -> None:
    (tmp_path / "report.txt").write_text("no table")
    with pytest.raises(ClaimError, match="no table"):
        scaffold.init("x", tmp_path / "report.txt", tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["report.txt"]


@pytest.mark.slow
def test_a_new_project_runs_and_tests_at_once_with_equal_bytes(home: Path) -> None:
    """Two clones have one dvc.lock; every claim is `not run`, and its tests say how to pin."""
    assert "report: paper/build/report.html" in run(home, "make", "repro")
    tested = run(home, "make", "test")
    assert "Not run: C01" in tested
    assert "failed" not in tested
    lock = (home / "dvc.lock").read_bytes()
    (home / "dvc.lock").unlink()
    for folder in ("results", "paper/build"):
        run(home, "rm", "-r", folder)
    run(home, "make", "repro")
    assert (home / "dvc.lock").read_bytes() == lock
    run(home, "dvc", "status", "-q")
