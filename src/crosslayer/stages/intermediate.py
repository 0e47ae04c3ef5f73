"""Trains the trials of one task: the baseline after each intermediate arm."""

from __future__ import annotations

import argparse
from pathlib import Path

from crosslayer.config import Profile
from crosslayer.stages.command import run_stage
from crosslayer.sweep import run_sweep


def intermediate(profile: Profile, folder: Path, options: argparse.Namespace) -> None:
    """Write ``trials/intermediate/TASK/``."""
    run_sweep(
        profile,
        "intermediate",
        options.task,
        folder / "encoder",
        folder / "trials" / "intermediate" / options.task,
    )


if __name__ == "__main__":
    run_stage("intermediate", intermediate, ["task"])
