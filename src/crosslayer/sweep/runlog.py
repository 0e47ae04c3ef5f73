"""Writes ``run.json``: seconds, hardware, versions and revision of a run. No stage depends on it, and no key."""

from __future__ import annotations

import json
import os
import platform
import sys
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any
from uuid import uuid4

import psutil
from filelock import FileLock

from claimtrack.files import write_text
from claimtrack.runlog import parts_of, read_run, revision
from crosslayer import __version__

PACKAGES = ("torch", "transformers", "numpy", "scipy", "scikit-learn", "pandas", "pyarrow", "dvc", "papermill")
TRAINED = ("trained", "trained_seconds")
"""Fields of a stage that trains: how many trials its attempts trained, and their seconds; both add up."""


def note_seconds(folder: Path, stage: str, seconds: float, **extra: Any) -> None:
    """Record what a stage took, and whatever else is given; ``folder`` is ``results/PROFILE``.

    Of several attempts the longest counts: one that finds everything finished takes no time. ``trained``, a number
    of trials, adds up over the attempts. A stage that trains keeps its ``machine``: others may run elsewhere.
    """
    entry = {"seconds": round(seconds, 2), **extra}
    if entry.get("trained"):
        entry = {"trained_seconds": entry["seconds"], "machine": machine(), **entry}
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "run.json"
    with FileLock(folder / ".run.lock"):
        content = {"id": uuid4().hex[:12], **read_run(path)}
        content |= {"revision": revision(), "version": __version__, "machine": machine(), "packages": packages()}
        former = content.setdefault("stages", {}).get(stage, {"seconds": 0.0})
        longest = max(former, entry, key=lambda attempt: float(attempt["seconds"]))
        content["stages"][stage] = {**longest, **_added_up((former, entry), TRAINED)}
        write_text(path, json.dumps(content, indent=1, sort_keys=True) + "\n")


def combined_info(title: str, runs: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    """The ``run.json`` of runs that become one: the parts of all, and the sums over them.

    What is told twice counts once: of one ``run.json``, which grows between two recordings, its longest state; of
    those without an id, a stage that took exactly as long.
    """
    parts: dict[object, Mapping[str, Any]] = {}
    for place, part in enumerate(part for info in runs for part in parts_of(info)):
        same = part.get("id", place)
        parts[same] = max(part, parts.get(same, part), key=_seconds)
    stages: dict[str, list[Mapping[str, Any]]] = {}
    for stage, entry in (pair for part in parts.values() for pair in part.get("stages", {}).items()):
        if entry not in stages.setdefault(stage, []):
            stages[stage].append(entry)
    sums = {stage: _added_up(entries, ("seconds", *TRAINED)) for stage, entries in stages.items()}
    return {"title": title, "parts": list(parts.values()), "stages": sums}


def _seconds(part: Mapping[str, Any]) -> float:
    """What a part of a run has taken in all its attempts."""
    stages = part.get("stages", {}).values()
    return float(sum(entry.get("trained_seconds", entry.get("seconds", 0)) for entry in stages))


def machine() -> dict[str, Any]:
    """Processor, accelerator, cores, memory (GiB) and system, without names of the host or its user."""
    torch = sys.modules.get("torch")  # loaded where anything trains
    return {
        "processor": _processor(),
        "accelerator": torch.cuda.get_device_name() if torch and torch.cuda.is_available() else "none",
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
    """Versions of the installed packages that results may depend on."""
    found = {}
    for name in PACKAGES:
        with suppress(PackageNotFoundError):
            found[name] = version(name)
    return found


def _added_up(entries: Sequence[Mapping[str, Any]], names: Sequence[str]) -> dict[str, float]:
    """The sum of each of the fields that an entry has."""
    there = [name for name in names if any(name in entry for entry in entries)]
    return {name: round(sum(entry.get(name, 0) for entry in entries), 2) for name in there}
