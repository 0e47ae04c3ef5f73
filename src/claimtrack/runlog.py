"""``run.json``: seconds, hardware, versions and revision of a run. Projects write it; no verdict rests on it."""

from __future__ import annotations

import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError

from claimtrack.reading import Malformed, parse_json


class _Stage(BaseModel):
    model_config = ConfigDict(strict=True, allow_inf_nan=False)

    seconds: float
    trained: float = 0
    trained_seconds: float = 0
    machine: dict[str, Any] = {}


class _Info(BaseModel):
    stages: dict[str, _Stage] = {}
    machine: dict[str, Any] = {}
    parts: list[_Info] | None = None


def read_run(path: Path) -> dict[str, Any]:
    """The content of a ``run.json``; empty if there is none or it is damaged, since nothing rests on it."""
    try:
        content: dict[str, Any] = parse_json(path.read_bytes())
        _Info.model_validate(content)
    except (OSError, Malformed, ValidationError):
        return {}
    return content


def hours_of_trials(info: Mapping[str, Any]) -> dict[str, float]:
    """Hours of a trial by stage, where a ``run.json`` tells how many it trained in which time."""
    stages = info.get("stages", {}).items()
    timed = {stage: entry for stage, entry in stages if entry.get("trained") and "trained_seconds" in entry}
    return {stage: entry["trained_seconds"] / entry["trained"] / 3600 for stage, entry in timed.items()}


def parts_of(info: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The parts that a ``run.json`` tells of, each with its own revision, hardware, versions and seconds."""
    return list(info.get("parts") or [info])


def revision() -> str:
    """The git revision of the working directory, with ``+`` if it has changes; empty outside a repository.

    Settings and DVC's lock change with every run, and the run keeps both.
    """
    head = _git("rev-parse HEAD")
    changed = _git("status --porcelain --untracked-files=no -- . :!params.yaml :!dvc.lock")
    return head and head + ("+" if changed else "")


def day_of_revision() -> str:
    """The day of that revision, so that a report of it has the same bytes on every day; empty as above."""
    return _git("log -1 --format=%cs")


def _git(command: str) -> str:
    try:
        done = subprocess.run(["git", *command.split()], capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        return ""
    return done.stdout.strip()
