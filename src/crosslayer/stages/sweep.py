"""Trains the trials of one task: baseline, fusion layers and controls."""

from __future__ import annotations

from pathlib import Path

from crosslayer.config import Profile
from crosslayer.predictions.records import Stage, TrialRecord
from crosslayer.stages.command import run_stage
from crosslayer.sweep.run import run_sweep
from crosslayer.tasks import TaskName


def train(stage: Stage) -> None:
    """Run the stage, which writes ``trials/STAGE/TASK/`` and notes how many trials were trained."""

    def body(profile: Profile, folder: Path, task: TaskName) -> dict[str, int]:
        home, trained = folder / "trials" / stage / task, list[TrialRecord]()
        run_sweep(profile, stage, task, folder / "encoder", home, trained.append)
        return {"trained": len(trained)}

    run_stage(stage, body)


if __name__ == "__main__":
    train("sweep")
