"""The trials of a stage and task on disk: a folder a key, complete or absent, and a manifest of what counts."""

from __future__ import annotations

import json
import logging
import shutil
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, cast

import numpy as np

from claimtrack.errors import ResultsError
from claimtrack.files import fresh_folder, write_text
from claimtrack.seal import FINISHED
from crosslayer.config import Profile
from crosslayer.errors import TrialFailure
from crosslayer.predictions.records import (
    PREDICTED,
    Stage,
    TrialRecord,
    read_arrays,
    read_manifest,
    read_predictions,
    read_record,
    write_predictions,
)
from crosslayer.predictions.runs import check_planned
from crosslayer.sweep.plan import planned_parts, trial_specs
from crosslayer.tasks import TASKS, TaskName
from crosslayer.training.finetuned import KEPT, TrialResult
from crosslayer.training.inference import score_of
from crosslayer.training.trials import TrialSpec

log = logging.getLogger(__name__)


def keep(
    spec: TrialSpec, result: TrialResult | TrialFailure, home: Path, version: str, seal: str = ""
) -> TrialRecord:
    """Write the folder of a trial that was trained with this version of torch under this seal, or failed."""
    if isinstance(result, TrialResult):
        scores = result.predictions.filter(like="score_").to_numpy()
        if not np.isfinite(scores).all():  # as after a last step that diverged
            result = TrialFailure("nan_loss", "scores are not finite")
    about: dict[str, Any] = {"torch": version.split("+")[0], "seal": seal}
    if isinstance(result, TrialFailure):
        record = spec.record(outcome=result.outcome, detail=result.detail, **about)
    else:
        record = spec.record(**_scores(spec.task, result), **about)
    with fresh_trial(home, record) as folder:
        if isinstance(result, TrialResult):
            write_predictions(result.predictions, folder / "predictions.parquet", len(TASKS[spec.task].labels))
            np.savez_compressed(folder / "diagnostics.npz", allow_pickle=False, **result.diagnostics)
    return record


def _scores(task: TaskName, result: TrialResult) -> dict[str, Any]:
    """What the record of a trial says about its result."""
    scores: dict[str, list[float]] = {"dev": [], "test": []}
    for (split, _), part in result.predictions.groupby(["split", "language"], observed=True):
        scores[str(split)].append(score_of(task, part))
    kept = {name: getattr(result, name) for name in KEPT}
    return {"dev_score": scores["dev"][0], "test_score": float(np.mean(scores["test"])), **kept}


@contextmanager
def fresh_trial(home: Path, record: TrialRecord) -> Iterator[Path]:
    """A trial's folder to fill, which is written in one step; a former one of the same key is replaced."""
    with fresh_folder(home / record.key) as folder:
        yield folder
        (folder / "trial.json").write_text(record.model_dump_json(indent=1) + "\n", encoding="utf-8")


def finished(home: Path, spec: TrialSpec) -> TrialRecord | None:
    """The record of that trial if its folder is there and usable; a damaged one is trained again."""
    folder = home / spec.key
    if not (folder / "trial.json").exists():
        return None
    try:
        record = read_record(folder / "trial.json")
        if record.outcome in PREDICTED:
            read_predictions(folder / "predictions.parquet")
            read_arrays(folder / "diagnostics.npz")
    except ResultsError as error:
        log.warning("%s", error)
        return None
    return record if record.outcome in FINISHED else None


def finished_trials(profile: Profile, results: Path) -> list[TrialRecord]:
    """The trials that the profile plans and that are finished, also of a sweep that has not come to its end."""
    found: list[TrialRecord] = []
    for stage, task in planned_parts(profile):
        home = results / "trials" / stage / task
        if home.is_dir():
            specs = trial_specs(profile, stage, task, results / "encoder")
            found += [record for spec in specs if (record := finished(home, spec))]
    return found


def adopt(specs: Sequence[TrialSpec], home: Path) -> None:
    """Take over from the other stage what is the same trial there: the baseline without an intermediate phase."""
    for spec in specs:
        other: Stage = "sweep" if spec.stage == "intermediate" else "intermediate"
        twin, there = spec.model_copy(update={"stage": other}), home.parent.parent / other / spec.task
        if spec.kind != "none" or spec.arm != "none" or finished(home, spec):
            continue
        if record := finished(there, twin):
            own = {"key": spec.key, "stage": spec.stage, "specification": spec.content()}
            with fresh_trial(home, record.model_copy(update=own)) as folder:
                shutil.copytree(there / twin.key, folder, dirs_exist_ok=True)


def write_manifest(home: Path, specs: Iterable[TrialSpec]) -> None:
    """Name the keys that count; everything after the sweep reads only those."""
    keys = [spec.key for spec in specs]
    write_text(home / "manifest.json", json.dumps({"keys": keys}, indent=1) + "\n")


def check_current(profile: Profile, results: Path) -> None:
    """Check that the trials that count are those that the profile plans; a ResultsError where settings changed."""
    check_planned(profile, results)
    for path in sorted((results / "trials").glob("*/*/manifest.json")):
        stage, task = cast(tuple[Stage, TaskName], path.parts[-3:-1])
        planned = trial_specs(profile, stage, task, results / "encoder")
        if read_manifest(path) != [spec.key for spec in planned]:
            raise ResultsError(f"{path} counts other trials than params.yaml plans; run `dvc repro` first")


def sweep_leftovers(home: Path) -> None:
    """Remove the temporary folders of an interrupted run."""
    for path in home.glob(".*"):
        if path.is_dir():
            shutil.rmtree(path)
