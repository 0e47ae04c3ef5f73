"""What a first `make repro` takes after installation: seconds, memory and disk of `dvc repro` in a fresh clone.

The stages say themselves how long they worked (``run.json``); what is left of the whole is DVC, which reads and
writes its lock around each, and starting Python.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from time import perf_counter

import psutil

ROOT = Path(__file__).resolve().parents[1]
STAGES = "crosslayer.stages."
SECONDS = 1.0
"""Between two looks at the memory, each of which takes some hundredths of a second."""


@dataclass
class Usage:
    """What processes took.

    Attributes:
        seconds: of all, from start to end.
        megabytes: a stage, with its task or claim where it has one -> the most memory of its processes together,
            what they share counted once.
    """

    seconds: float = 0.0
    megabytes: dict[str, float] = field(default_factory=dict)


def run(command: list[str], folder: Path, environment: Mapping[str, str]) -> Usage:
    """Run a command and look on.

    Raises:
        subprocess.CalledProcessError: it failed.
    """
    usage, start = Usage(), perf_counter()
    with psutil.Popen(command, cwd=folder, env=os.environ | environment, stdout=subprocess.DEVNULL) as process:
        while True:
            with suppress(psutil.TimeoutExpired):
                process.wait(SECONDS)
                break
            for stage, megabytes in _stages(process):
                usage.megabytes[stage] = max(megabytes, usage.megabytes.get(stage, 0.0))
    usage.seconds = perf_counter() - start
    if process.returncode:
        raise subprocess.CalledProcessError(process.returncode, command)
    return usage


def _stages(process: psutil.Process) -> Iterator[tuple[str, float]]:
    """The stages that run below a process, each with the megabytes of all its processes."""
    with suppress(psutil.NoSuchProcess):
        for child in process.children(recursive=True):
            with suppress(psutil.NoSuchProcess):
                words = child.cmdline()
                named = [i for i, word in enumerate(words) if word.startswith(STAGES)]
                if "-m" in words and named:
                    name, task = words[named[0]].removeprefix(STAGES), words[named[0] + 2 :]
                    yield "-".join([name, *task]), sum(map(_megabytes, [child, *child.children(recursive=True)]))


def _megabytes(process: psutil.Process) -> float:
    """Its share of memory, pages divided by how many have them; where the system does not say, all resident."""
    with suppress(psutil.Error):
        found = process.memory_full_info()
        return float(getattr(found, "pss", found.rss)) / 2**20
    return 0.0


def first_run(scratch: Path, profile: str) -> tuple[Usage, dict[str, float], dict[str, int]]:
    """The active profile in a clone: usage, seconds of its stages, and the bytes of what is there afterwards."""
    clone = scratch / "clone"
    subprocess.run(["git", "clone", "--quiet", str(ROOT), str(clone)], check=True)
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    environment = {"PATH": path, "PYTHONPATH": str(clone / "src"), "DVC_NO_ANALYTICS": "1"}
    usage = run([sys.executable, "-m", "dvc", "repro", "--quiet"], clone, environment)
    folders = {
        "environment": Path(sys.prefix),
        "results": clone / "results",
        "DVC's cache": clone / ".dvc" / "cache",
    }
    stages = json.loads((clone / "results" / profile / "run.json").read_text(encoding="utf-8"))["stages"]
    seconds = {stage: told["seconds"] for stage, told in stages.items()}
    return usage, seconds, {name: size(folder) for name, folder in folders.items()}


def size(folder: Path) -> int:
    """Bytes that a folder takes on the disk."""
    found = subprocess.run(["du", "-sk", str(folder)], stdout=subprocess.PIPE, text=True, check=True)
    return 1024 * int(found.stdout.split()[0])
