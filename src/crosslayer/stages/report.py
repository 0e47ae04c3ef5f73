"""Writes the report of the present run and all recorded ones."""

from __future__ import annotations

import logging
import subprocess
from pathlib import Path

from claimtrack.registry import load_registry
from claimtrack.report.context import build
from claimtrack.report.write import write_report
from claimtrack.results import load_all
from claimtrack.runlog import revision
from crosslayer.config import Profile
from crosslayer.stages.command import run_stage

PAPER = Path("paper")
log = logging.getLogger(__name__)


def report(profile: Profile, folder: Path) -> None:
    """Write ``paper/build/``."""
    registry = load_registry()
    runs = load_all(profile, registry)
    context = build(registry, runs, paper=PAPER, date=_date(), revision=revision()[:8])
    for line in write_report(context, PAPER / "build"):
        log.info(line)


def _date() -> str:
    """The day of the revision, so that it gives the same bytes on every day; empty outside a repository."""
    try:
        shown = subprocess.run(["git", "log", "-1", "--format=%cs"], capture_output=True, text=True, check=False)
    except OSError:
        return ""
    return shown.stdout.strip()


if __name__ == "__main__":
    run_stage("report", report)
