"""Trials on Ray: the same bytes as in processes of this machine, also when workers and nodes are lost on the way.

The clusters are Ray's own programs, one a node, started as a user starts them.
"""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from clones import (
    ALONE,
    can_be_alone,
    crosslayer,
    environment,
    family,
    kill,
    make_clone,
    run,
    strangers,
    trials,
    wait_for,
)
from crosslayer.config import ComputeSpec
from crosslayer.errors import ConfigError
from crosslayer.sweep import cluster
from one_line import said
from recording import content

SWEEP = (sys.executable, "-m", "crosslayer.stages.sweep", "tiny", "pos")
TRIALS = 12
EPOCHS = 60
"""So that a trial takes about a second, and a node can be lost in the middle."""
OOM_RETRIES = "RAY_task_oom_retries"  # Ray's own mixture of cases
HEAD = "from __future__ import annotations\n"
DEATH = """
    marker = Path({marker!r})
    if {condition}:
        marker.touch()
        os.kill(os.getpid(), 9)
"""


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A clone with everything before the sweep, and the trials that the local executor makes."""
    pytest.importorskip("ray", reason="the extra ray is not installed")
    folder = make_clone(tmp_path_factory.mktemp("ray"))
    use(folder)
    ended = run(folder, "dvc", "repro", "sweep@tiny-pos")
    assert ended.returncode == 0, ended.stderr
    local = folder.with_name(f"{folder.name}-local")
    shutil.move(home(folder), local)
    return folder, local


@pytest.fixture
def clone(prepared: tuple[Path, Path]) -> Iterator[Path]:
    folder, _ = prepared
    source = folder / "src" / "crosslayer" / "training" / "execution.py"
    before = source.read_bytes()
    yield folder
    source.write_bytes(before)
    shutil.rmtree(home(folder), ignore_errors=True)


def use(folder: Path, *settings: str) -> None:
    changes = [part for setting in (f"tasks.pos.epochs={EPOCHS}", *settings) for part in ("--set", setting)]
    crosslayer(folder, "profile", "use", "tiny", *changes)


def home(folder: Path) -> Path:
    return folder / "results" / "tiny" / "trials" / "sweep" / "pos"


def finished(folder: Path) -> int:
    return sum("/sweep/" in name for name in trials(folder))


@contextmanager
def nodes(folder: Path, count: int) -> Iterator[tuple[str, list[subprocess.Popen[bytes]]]]:
    """A Ray cluster of nodes with one processor each: its address, and the nodes' programs, the head first."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    scratch = tempfile.mkdtemp(prefix="ray", dir="/tmp")  # paths of sockets must be short
    address = f"127.0.0.1:{port}"
    shared = ["--num-cpus=1", "--disable-usage-stats", "--block"]
    first = ["--head", f"--port={port}", f"--temp-dir={scratch}", "--include-dashboard=false"]
    started: list[subprocess.Popen[bytes]] = []
    try:
        for node in range(count):
            command = [str(Path(sys.executable).with_name("ray")), "start", *shared]
            command += first if node == 0 else [f"--address={address}"]
            quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
            started.append(subprocess.Popen(command, env=with_token(folder), **quiet))
            wait_for(lambda: answers(port), 60)
        yield address, started
    finally:
        for process in reversed(started):
            kill(family(process))
            process.wait()
        shutil.rmtree(scratch, ignore_errors=True)


def with_token(folder: Path) -> dict[str, str]:
    """The nodes of a cluster know each other by a token."""
    return {**environment(folder), "RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": 16 * "0123"}


def answers(port: int) -> bool:
    with socket.socket() as knock:
        return knock.connect_ex(("127.0.0.1", port)) == 0


def make_attempts_die(folder: Path, condition: str, marker: Path) -> None:
    """Change the clone's source so that a worker is killed at the beginning of an attempt where that holds."""
    source = folder / "src" / "crosslayer" / "training" / "execution.py"
    text = source.read_text(encoding="utf-8")
    start = "    try:\n        return run(spec)\n"
    assert text.count(start) == 1
    death = DEATH.format(marker=str(marker), condition=condition)
    text = text.replace(start, death + start).replace(HEAD, HEAD + "import os\nfrom pathlib import Path\n")
    source.write_text(text, encoding="utf-8")


@pytest.mark.slow
def test_a_cluster_of_this_machine_gives_the_same_bytes_and_needs_no_network(
    prepared: tuple[Path, Path], clone: Path
) -> None:
    use(clone, "compute.executor=ray", "compute.workers=2")
    ended = run(clone, *(ALONE if can_be_alone() else ()), *SWEEP)
    assert ended.returncode == 0, ended.stderr
    assert content(home(clone)) == content(prepared[1])
    assert not strangers(clone).exists()
    assert ended.stderr.splitlines()[-1].startswith(f"sweep pos {TRIALS}/{TRIALS}")


@pytest.mark.slow
def test_a_node_that_is_lost_costs_nothing(prepared: tuple[Path, Path], clone: Path) -> None:
    with nodes(clone, 2) as (address, programs):
        use(clone, "compute.executor=ray", f"compute.address={address}")
        program = subprocess.Popen(SWEEP, cwd=clone, env=with_token(clone), stderr=subprocess.PIPE, text=True)
        wait_for(lambda: finished(clone) >= 3 or program.poll() is not None, 200)
        assert 3 <= finished(clone) < TRIALS
        kill(family(programs[1]))
        _, errors = program.communicate(timeout=400)
    assert program.returncode == 0, errors
    assert content(home(clone)) == content(prepared[1])
    told = [line for line in errors.splitlines() if line.startswith("sweep pos ")]
    assert len(told) == TRIALS, "each trial was kept once"


@pytest.mark.slow
def test_lost_workers(prepared: tuple[Path, Path], clone: Path, tmp_path: Path) -> None:
    """A trial whose worker is killed once is tried again; one that always dies has failed, and no other."""
    use(clone, "compute.executor=ray", "compute.workers=2")
    condition = 'spec.model == "self" or spec.model == "layer_1" and not marker.exists()'
    make_attempts_die(clone, condition, tmp_path / "died")
    ended = run(clone, *SWEEP, variables=with_token(clone))
    assert ended.returncode == 0, ended.stderr
    assert (tmp_path / "died").exists()
    assert ended.stderr.count(": failed") == 3
    kept = content(home(clone))
    failed = {name for name, content in kept.items() if b'"failed"' in content}
    assert len(failed) == 3
    for name in failed:
        assert b"its worker was lost 4 times" in kept.pop(name)
    assert kept.items() <= content(prepared[1]).items()
    assert len(kept) == 3 * (TRIALS - 3) + 1, "three files a trial, and the manifest"


@pytest.mark.slow
def test_a_cluster_without_room_or_of_strangers_is_one_line(clone: Path) -> None:
    """Ray would wait for ever."""
    with nodes(clone, 1) as (address, _):
        use(clone, "compute.executor=ray", f"compute.address={address}", "compute.threads=2")
        ended = run(clone, *SWEEP, variables=with_token(clone))
        stranger = run(clone, *SWEEP, variables={**with_token(clone), "RAY_AUTH_TOKEN": 64 * "f"})
    assert ended.returncode == stranger.returncode == 2
    assert "it wants a token: set RAY_AUTH_MODE=token" in stranger.stderr.splitlines()[-1]
    assert ended.stderr.splitlines()[-1].startswith("error: no node of the Ray cluster has the 2 processors")


def test_a_cluster_that_does_not_answer_is_one_line() -> None:
    """At once: Ray itself takes minutes, and is not even asked here."""
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        compute = ComputeSpec(executor="ray", address=f"127.0.0.1:{closed.getsockname()[1]}")
        message = said(ConfigError, cluster.connected(None, compute).__enter__)
    assert message.startswith(f"no Ray cluster at {compute.address} (")
    assert message.endswith("run this on one of its nodes, and check compute.address")


def test_without_ray_it_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    assert "ray, which is not installed; run pip install" in said(ConfigError, cluster.import_ray)


def test_statistics_are_off_and_retries_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """They are, before Ray is imported; what the user set stays."""
    monkeypatch.delenv("RAY_USAGE_STATS_ENABLED", raising=False)
    monkeypatch.setenv(OOM_RETRIES, "7")
    monkeypatch.setitem(sys.modules, "ray", sys)
    assert cluster.import_ray() is sys
    assert os.environ["RAY_USAGE_STATS_ENABLED"] == "0"
    assert os.environ[OOM_RETRIES] == "7"
    monkeypatch.delenv("RAY_USAGE_STATS_ENABLED")
