"""The whole pipeline on the tiny profile, in copies of the repository: what it leaves, what it runs again, what it
reaches, and what a kill costs."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

from claimtrack.registry import load_registry
from clones import ALONE, ROOT, can_be_alone, crosslayer, evidence, repro, run, status, strangers

pytestmark = pytest.mark.slow

SMALLER = {
    "profile": "smaller",
    "tasks": "{pos: {sizes: {train: 32, dev: 16, test: 16}, mode: frozen, epochs: 1, learning_rate: 0.01}}",
    "sweep": "{layers: [1], seeds: [0]}",
    "intermediate": "{targets: []}",
    "claims": "[C04]",
}  # fmt: skip
"""A second profile for little time, as changes of the tiny one; it has no intermediate training."""


REACH_OUT = """
import socket
def connect(): socket.create_connection(("192.0.2.1", 80), 5)
def resolve(): socket.getaddrinfo("example.org", 80)
for call in (connect, resolve):
    try:
        call()
    except OSError as error:
        print(type(error).__name__)
"""


def test_nothing_leaves_127_0_0_1(clone: Path, tmp_path: Path) -> None:
    """Neither while the pipeline ran, notebooks and DVC included, nor in the tests before this one."""
    assert not strangers(clone).exists(), strangers(clone).read_text(encoding="utf-8")
    elsewhere = tmp_path / "clone"
    elsewhere.mkdir()
    assert run(elsewhere, sys.executable, "-c", REACH_OUT).stdout == "OSError\nOSError\n"
    assert strangers(elsewhere).read_text(encoding="utf-8") == "192.0.2.1\nexample.org\n"


@pytest.mark.skipif(not can_be_alone(), reason="no rights to make a network namespace")
def test_the_namespace_holds_what_the_guard_does_not_see(tmp_path: Path) -> None:
    ended = subprocess.run(
        [*ALONE, sys.executable, "-I", "-c", REACH_OUT], capture_output=True, text=True, check=False
    )
    assert ended.stdout == "OSError\ngaierror\n"


def test_every_claim_of_the_profile_is_measured_and_every_claim_in_the_report(clone: Path) -> None:
    assert set(evidence(clone)) == {"C04", "C05", "Q01"}
    claims = load_registry(ROOT / "claims" / "registry.yaml").entries
    for name in ("report.html", "report.tex"):
        text = (clone / "paper" / "build" / name).read_text(encoding="utf-8")
        assert [claim for claim in claims if claim not in text] == []


@pytest.mark.parametrize("year", [1990, 2037])
def test_nothing_runs_twice_and_clocks_decide_nothing(clone: Path, year: int) -> None:
    """As if everything had been written long ago, or by a clock that was set back since."""
    moment = time.mktime((year, 1, 1, 0, 0, 0, 0, 1, -1))
    kept = {path: path.stat() for path in clone.rglob("*") if path.is_file() and ".git" not in path.parts}
    for path in kept:
        os.utime(path, (moment, moment))
    try:
        assert status(clone) == 0
        assert repro(clone) == []
    finally:
        for path, stat in kept.items():
            if path.exists():
                os.utime(path, ns=(stat.st_atime_ns, stat.st_mtime_ns))


@pytest.mark.parametrize(
    "name", ["src/crosslayer/training/finetuned.py", "notebooks/gains.py", "paper/prose.yaml"]
)
def test_a_changed_source_is_noticed(clone: Path, name: str) -> None:
    before = (clone / name).read_bytes()
    (clone / name).write_bytes(before + b"\n# a comment\n")
    try:
        assert status(clone) == 1
    finally:
        (clone / name).write_bytes(before)
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
    assert evidence(clone) == before


def test_recording_changes_no_evidence_and_runs_nothing_else(clone: Path) -> None:
    before = evidence(clone)
    crosslayer(clone, "record", "kept", "--title", "A run to keep")
    entry = clone / "claims" / "ledger" / "kept"
    try:
        assert set(repro(clone)) == {"verdicts@tiny", "report@tiny"}
        for claim, content in before.items():
            kept = (entry / "claims" / claim / "evidence.json").read_text(encoding="utf-8")
            assert kept.replace(' "run": "kept",\n', "") == content.decode()
        assert not [
            path for path in entry.rglob("*") if path.is_file() and str(clone).encode() in path.read_bytes()
        ]
    finally:
        shutil.rmtree(entry)
    assert set(repro(clone)) <= {"verdicts@tiny", "report@tiny"}
