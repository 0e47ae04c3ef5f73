"""Reads the data source and writes the examples that the profile asks for."""

from __future__ import annotations

from pathlib import Path

from claimtrack.files import fresh_folder
from crosslayer.config import Profile
from crosslayer.data.examples import Corpus
from crosslayer.data.intermediate import intermediate_corpus
from crosslayer.data.prepared import write_corpus
from crosslayer.data.sources import load_corpus, load_parallel
from crosslayer.stages.command import run_stage


def prepare(profile: Profile, folder: Path) -> None:
    """Write ``data/TASK.parquet``, the intermediate arms and the parallel sentences."""
    corpora = {task: load_corpus(task, profile) for task in profile.tasks}
    parallel: Corpus = {("test", language): [*pairs] for language, pairs in load_parallel(profile).items()}
    arms = {
        f"intermediate-{target}-{arm}": intermediate_corpus(target, arm, profile)
        for target in profile.intermediate.targets
        for arm in profile.intermediate.arms
        if arm != "none"
    }
    with fresh_folder(folder / "data") as home:
        for name, corpus in (corpora | arms | {"parallel": parallel}).items():
            write_corpus(corpus, home / f"{name}.parquet")


if __name__ == "__main__":
    run_stage("prepare", prepare)
