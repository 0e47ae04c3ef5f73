"""Trains the trials of one task: baseline, fusion layers and controls."""

from __future__ import annotations

import argparse
from pathlib import Path

from crosslayer.config import Profile
from crosslayer.stages.command import run_stage
from crosslayer.sweep import run_sweep


def sweep(profile: Profile, folder: Path, options: argparse.Namespace) -> None:
    """Write ``trials/sweep/TASK/``."""
    run_sweep(profile, "sweep", options.task, folder / "encoder", folder / "trials" / "sweep" / options.task)


if __name__ == "__main__":
    run_stage("sweep", sweep, ["task"])
