"""Trains the trials of one task: the baseline after each intermediate arm."""

from __future__ import annotations

import argparse
from pathlib import Path

from crosslayer.config import Profile
from crosslayer.predictions.records import TrialRecord
from crosslayer.stages.command import run_stage
from crosslayer.sweep.run import run_sweep


def intermediate(profile: Profile, folder: Path, options: argparse.Namespace) -> dict[str, int]:
    """Write ``trials/intermediate/TASK/``; returns how many trials were trained."""
    home, trained = folder / "trials" / "intermediate" / options.task, list[TrialRecord]()
    run_sweep(profile, "intermediate", options.task, folder / "encoder", home, trained.append)
    return {"trained": len(trained)}


if __name__ == "__main__":
    run_stage("intermediate", intermediate, ["task"])
