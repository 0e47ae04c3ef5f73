"""Work ends with the command that started it."""

from __future__ import annotations

import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from repository import ROOT

CHILD = """
import time
from crosslayer.sweep import processes
processes.SUPERVISORS = ("our-dvc",)  # the tests themselves may run below make
processes.die_with_supervisors()
print("ready", flush=True)
time.sleep(60)
"""
PARENT = """
import subprocess, sys
child = subprocess.Popen([sys.executable, "-c", sys.argv[1]], stdout=subprocess.PIPE, text=True)
child.stdout.readline()
print(child.pid, flush=True)
child.wait()
"""


@pytest.mark.parametrize(("name", "dies"), [("our-dvc", True), ("other", False)])
def test_a_stage_ends_when_its_supervisor_is_killed(tmp_path: Path, name: str, dies: bool) -> None:
    script = tmp_path / name
    script.write_text(PARENT, encoding="utf-8")
    parent = subprocess.Popen([sys.executable, str(script), CHILD], stdout=subprocess.PIPE, text=True)
    assert parent.stdout is not None
    child = psutil.Process(int(parent.stdout.readline()))
    parent.kill()
    parent.wait()
    parent.stdout.close()
    end = time.monotonic() + (10 if dies else 3)
    while child.is_running() and child.status() != psutil.STATUS_ZOMBIE and time.monotonic() < end:
        time.sleep(0.1)
    alive = child.is_running() and child.status() != psutil.STATUS_ZOMBIE
    if alive:
        child.kill()
    assert alive is not dies


STAGE = """
import time
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from crosslayer.stages.command import run_stage
from crosslayer.sweep.processes import end_with_parent

def body(profile, folder):
    with ProcessPoolExecutor(2, mp_context=get_context("spawn"), initializer=end_with_parent) as pool:
        futures = [pool.submit(time.sleep, 60) for _ in range(4)]
        pool.submit(print, "never")
        print("ready", flush=True)

if __name__ == "__main__":
    run_stage("test", body, argv=["tiny"])
"""


@pytest.mark.parametrize(
    ("sent", "code", "told"),
    [
        (signal.SIGTERM, 143, ""),
        (signal.SIGINT, 130, "interrupted; the same command"),
        (signal.SIGKILL, -signal.SIGKILL, ""),  # it cannot tell them
    ],
)
def test_a_stopped_stage_stops_its_workers(sent: signal.Signals, code: int, told: str, tmp_path: Path) -> None:
    (tmp_path / "stage.py").write_text(STAGE, encoding="utf-8")
    shutil.copy(ROOT / "profiles" / "tiny.yaml", tmp_path / "params.yaml")
    stage = subprocess.Popen(
        [sys.executable, "stage.py"], cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert stage.stdout is not None
    assert stage.stdout.readline() == "ready\n"
    workers = psutil.Process(stage.pid).children(recursive=True)
    assert len(workers) >= 2
    time.sleep(0.5)  # until it waits: Python loses a signal that comes just before a thread waits for a lock
    stage.send_signal(sent)
    _, err = stage.communicate(timeout=20)
    assert stage.returncode == code
    if sent != signal.SIGKILL:  # which leaves Python's own tracker of resources with something to say
        assert (err.startswith(told), err.count("\n")) == (True, int(bool(told)))
    assert psutil.wait_procs(workers, timeout=5)[1] == []


WORKER = """
import signal, sys
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
import crosslayer.stages

HANDLER = signal.getsignal(signal.SIGINT)

def handler(): return HANDLER == signal.SIG_IGN

if __name__ == "__main__":
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        print(handler(), pool.submit(handler).result())
"""


def test_workers_leave_the_keyboard_to_the_stage(tmp_path: Path) -> None:
    """From before their slow imports: what the main module says while a worker imports it."""
    (tmp_path / "stage.py").write_text(WORKER, encoding="utf-8")
    ended = subprocess.run([sys.executable, "stage.py"], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert ended.stdout == "False True\n"
