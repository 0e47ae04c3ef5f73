"""``run.json``: seconds, hardware, versions and revision of a run. No stage depends on it, and no key."""

from __future__ import annotations

import fcntl
import json
import os
import platform
import subprocess
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path
from typing import Any

import psutil

from crosslayer import __version__
from crosslayer.files import write_text
from crosslayer.reading import Malformed, parse_json

PACKAGES = ("torch", "transformers", "numpy", "scipy", "scikit-learn", "pandas", "pyarrow", "dvc", "papermill")


@contextmanager
def timed(folder: Path, stage: str) -> Iterator[dict[str, Any]]:
    """Record the seconds of a stage, and whatever the caller puts into the dictionary it is given.

    Of several attempts the longest counts: one that finds everything finished takes no time.

    Args:
        folder: ``results/PROFILE``.
        stage: the stage's name.
    """
    extra: dict[str, Any] = {}
    start = time.monotonic()
    yield extra
    note_seconds(folder, stage, time.monotonic() - start, **extra)


def note_seconds(folder: Path, stage: str, seconds: float, **extra: Any) -> None:
    """Record what a stage took, unless a former attempt took longer."""
    entry = {"seconds": round(seconds, 2), **extra}
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "run.json"
    with (folder / ".run.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        content = read_run(path)
        content |= {"revision": revision(), "version": __version__, "machine": machine(), "packages": packages()}
        former = content.setdefault("stages", {}).get(stage, entry)
        content["stages"][stage] = max(former, entry, key=lambda attempt: float(attempt["seconds"]))
        write_text(path, json.dumps(content, indent=1, sort_keys=True) + "\n")


def read_run(path: Path) -> dict[str, Any]:
    """The content of a ``run.json``; empty if there is none or it is damaged, since nothing rests on it."""
    try:
        content = parse_json(path.read_bytes())
    except (OSError, Malformed):
        return {}
    return content if isinstance(content, dict) and isinstance(content.get("stages", {}), dict) else {}


def parts_of(info: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The parts that a ``run.json`` tells of, each with its own revision, hardware, versions and seconds."""
    return list(info.get("parts") or [info])


def extended_info(title: str, former: Mapping[str, Any], present: Mapping[str, Any]) -> dict[str, Any]:
    """The ``run.json`` of a recorded run that is extended: the parts as they are, and the seconds of all.

    A stage of the present results that took exactly as long in a former part is the same attempt, told again.

    Args:
        title: of the whole, and of the part that is new.
        former: of the recorded run.
        present: of the results.
    """
    parts = parts_of(former)
    known = [(stage, entry) for part in parts for stage, entry in part.get("stages", {}).items()]
    own = {item[0]: item[1] for item in present.get("stages", {}).items() if item not in known}
    return _whole(title, [*parts, {**present, "title": title, "stages": own}])


def joined_info(title: str, runs: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    """The ``run.json`` of recorded runs that become one: the parts of all, and their seconds."""
    return _whole(title, [part for info in runs for part in parts_of(info)])


def _whole(title: str, parts: list[dict[str, Any]]) -> dict[str, Any]:
    seconds: dict[str, float] = {}
    for stage, entry in (item for part in parts for item in part.get("stages", {}).items()):
        seconds[stage] = seconds.get(stage, 0.0) + float(entry["seconds"])
    return {"title": title, "parts": parts, "stages": {s: {"seconds": round(t, 2)} for s, t in seconds.items()}}


def revision() -> str:
    """The git revision of the working directory, with ``+`` if it has changes; empty outside a repository."""
    try:
        head = subprocess.run(["git", "rev-parse", "HEAD"], capture_output=True, text=True, check=True)
        changes = subprocess.run(
            ["git", "status", "--porcelain", "--untracked-files=no"], capture_output=True, text=True, check=True
        )
    except (OSError, subprocess.CalledProcessError):
        return ""
    return head.stdout.strip() + ("+" if changes.stdout.strip() else "")


def machine() -> dict[str, Any]:
    """Processor, cores, memory (GiB) and system, without names of the host or its user."""
    return {
        "processor": _processor(),
        "cores": os.cpu_count(),
        "memory_gib": round(psutil.virtual_memory().total / 2**30, 1),
        "system": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
    }


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor()
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), "")


def packages() -> dict[str, str]:
    """Versions of the packages that results may depend on."""
    return {name: version(name) for name in PACKAGES}
