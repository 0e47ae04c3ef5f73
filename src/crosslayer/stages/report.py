"""Writes the report of the present run and all recorded ones."""

from __future__ import annotations

import argparse
import logging
from pathlib import Path

from claimtrack.registry import load_registry
from claimtrack.report.context import build
from claimtrack.report.write import write_report
from claimtrack.results import load_all
from crosslayer.config import Profile
from crosslayer.stages.command import run_stage

PAPER = Path("paper")
log = logging.getLogger(__name__)


def report(profile: Profile, folder: Path, options: argparse.Namespace) -> None:
    """Write ``paper/build/``."""
    registry = load_registry()
    runs = load_all(profile, registry, folder.parent)
    written = write_report(build(registry, runs, paper=PAPER), PAPER / "build")
    for line in (f"report: {written.html}", f"report: {written.tex}", *written.notes):
        log.info(line)


if __name__ == "__main__":
    run_stage("report", report)
