"""Copies of the repository in which the whole pipeline runs on the tiny profile, with nothing to reach outside.

Every program that is started in a clone is guarded (`hub_guard`): an attempt to reach another host fails and is
written down. `ALONE` starts one in a network namespace of its own, where there is nothing but 127.0.0.1, also for
programs that the guard does not see.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

import psutil
import pytest

from repository import ROOT, TESTS

NEEDED = (".dvc/config", ".dvc/.gitignore", ".dvcignore", ".gitignore", "dvc.yaml", "params.yaml",
          "claims/registry.yaml", "claims/pins.yaml", "claims/seals.json", "claims/ledger/README.md", "notebooks/",
          "paper/", "profiles/", "src/", "requirements.lock", "benchmarks/recorded/")  # fmt: skip
AWKWARD = "100% für #1, mein Ordner"
"""A folder's name with what shells, make, URLs and format strings treat apart."""
LOOPBACK_UP = """
import fcntl, os, socket, struct, sys
with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
    fcntl.ioctl(any_socket, 0x8914, struct.pack("16sh14x", b"lo", 1))  # SIOCSIFFLAGS, IFF_UP
os.execvp(sys.argv[1], sys.argv[1:])
"""
ALONE = ("unshare", "--net", "--map-root-user", sys.executable, "-c", LOOPBACK_UP)
"""Before a command: it runs without any network but the loopback."""


class Undisturbed(NamedTuple):
    """A clone in which the pipeline has run, and how many seconds that took."""

    folder: Path
    seconds: float


def can_be_alone() -> bool:
    """Whether this machine lets us make a network namespace."""
    try:
        return subprocess.run([*ALONE, "true"], capture_output=True, check=False).returncode == 0
    except FileNotFoundError:
        return False


def environment(clone: Path) -> dict[str, str]:
    """Variables under which a clone's own source is imported, and nothing outside can be reached."""
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    python = os.pathsep.join([str(clone / "src"), str(TESTS / "support" / "hub_guard")])
    own = {"PATH": path, "PYTHONPATH": python, "OMP_NUM_THREADS": "1", "HUB_GUARD_LOG": str(strangers(clone))}
    return {**os.environ, **own}


def strangers(clone: Path) -> Path:
    """Where attempts to reach other hosts are written down."""
    return clone.with_name(f"{clone.name}-strangers.txt")


def run(clone: Path, *command: str, variables: dict[str, str] | None = None) -> subprocess.CompletedProcess[str]:
    env = variables or environment(clone)
    return subprocess.run(command, cwd=clone, env=env, capture_output=True, text=True, check=False, timeout=1800)


def crosslayer(clone: Path, *arguments: str) -> None:
    """Run the command line, successfully."""
    ended = run(clone, sys.executable, "-m", "crosslayer", *arguments)
    assert ended.returncode == 0, ended.stderr


def repro(clone: Path, *before: str) -> list[str]:
    """Run the pipeline successfully, ``before`` being put before its command; the stages that ran."""
    ended = run(clone, *before, "dvc", "repro")
    assert ended.returncode == 0, ended.stdout[-2000:] + ended.stderr[-2000:]
    return stages_run(ended.stdout + ended.stderr)


def stages_run(log: str) -> list[str]:
    return [line.split("'")[1] for line in log.splitlines() if line.startswith("Running stage")]


def status(clone: Path) -> int:
    """Exit code of ``dvc status -q``: 0 if nothing is to do."""
    return run(clone, "dvc", "status", "-q").returncode


def tracked(*paths: str) -> list[str]:
    """The files below some paths of the repository, by default all, that git has and that are there."""
    listed = subprocess.run(["git", "ls-files", "-z", "--", *paths], cwd=ROOT, capture_output=True, check=False)
    if listed.returncode:
        pytest.skip("not a git checkout")
    return [name for name in listed.stdout.decode().split("\0") if (ROOT / name).is_file()]


def make_clone(folder: Path) -> Path:
    """Copy what the pipeline needs of the repository, without recorded runs and results."""
    for name in tracked(*NEEDED):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(ROOT / name, folder / name)
    subprocess.run(["git", "init", "-q"], cwd=folder, check=True)
    crosslayer(folder, "profile", "use", "tiny")
    return folder


def evidence(clone: Path) -> dict[str, bytes]:
    """The bytes of all evidence that is in place; what a killed notebook left is hidden."""
    return {path.parent.name: path.read_bytes() for path in clone.glob("results/tiny/claims/[!.]*/evidence.json")}


def trials(clone: Path) -> dict[str, int]:
    """When each finished trial was written, in nanoseconds."""
    found = clone.glob("results/tiny/trials/*/*/[!.]*/trial.json")
    return {str(path.parent.relative_to(clone)): path.stat().st_mtime_ns for path in found}


def family(process: subprocess.Popen[Any]) -> list[psutil.Process]:
    """A program and all that it has started, as far as they are there."""
    with suppress(psutil.NoSuchProcess):
        own = psutil.Process(process.pid)
        return [own, *own.children(recursive=True)]
    return []


def kill(processes: Iterable[psutil.Process]) -> None:
    for process in processes:
        with suppress(psutil.NoSuchProcess):
            process.kill()


def wait_for(condition: Callable[[], bool], seconds: float) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.005)
