"""Work ends with the command that started it."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from crosslayer.supervision import SUPERVISORS

CHILD = """
import time
from crosslayer import supervision
supervision.SUPERVISORS = ("our-dvc",)  # the tests themselves may run below make
supervision.die_with_supervisors()
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


def test_the_programs_that_users_kill_are_supervisors() -> None:
    assert {"dvc", "make"} <= set(SUPERVISORS)
