"""Measures the encoder layer by layer before fine-tuning, and the fusion module as built."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

import pandas as pd
import torch

from claimtrack.files import fresh_folder
from crosslayer.config import Profile
from crosslayer.encoders.base import load_weights
from crosslayer.probes.layers import identity, parallel_vectors, retrieval, similarity, tagging, transfer
from crosslayer.probes.structure import measure_structure
from crosslayer.stages.command import run_stage
from crosslayer.tasks import TaskName
from crosslayer.windows.encoded import Encoded, read_encoded

PAIR_TASKS: tuple[TaskName, ...] = ("xnli", "pawsx")
SPLITS = ("dev", "test")


def probe(profile: Profile, folder: Path) -> None:
    """Write ``probes/*.parquet`` and ``probes/structure.json``."""
    torch.set_num_threads(profile.compute.threads * profile.compute.workers)  # there are no trials beside it
    source = folder / "encoder"
    encoder = load_weights(source)
    tasks = {task: read_encoded(source / f"{task}.parquet") for task in profile.tasks}
    n = profile.probe.sentences
    tables = {}
    if (pairs := source / "parallel.parquet").exists():
        tables["retrieval"], tables["offsets"] = retrieval(encoder, read_encoded(pairs))
    if "pos" in tasks:
        tables["tagging"] = tagging(encoder, tasks["pos"], n)
    tables["transfer"] = pd.concat([transfer(encoder, encoded, n) for encoded in tasks.values()])
    parallel = parallel_task(tasks)
    if parallel is not None:
        vectors = parallel_vectors(encoder, *parallel, profile.probe.pairs)
        tables |= {"similarity": similarity(vectors), "identity": identity(vectors)}
    checks = measure_structure(encoder, next(iter(tasks.values())), profile.fusion)
    with fresh_folder(folder / "probes") as home:
        for name, table in tables.items():
            table.to_parquet(home / f"{name}.parquet", index=False)
        (home / "structure.json").write_text(json.dumps(checks, indent=1) + "\n", encoding="utf-8")


def parallel_task(tasks: Mapping[TaskName, Encoded]) -> tuple[Encoded, str] | None:
    """A sentence task and the split of it that is parallel in most languages: XNLI dev where there is one."""
    there = ((tasks[task], split) for task in PAIR_TASKS if task in tasks for split in SPLITS)
    return next((pair for pair in there if len(pair[0].languages(pair[1])) > 2), None)


if __name__ == "__main__":
    run_stage("probe", probe)
