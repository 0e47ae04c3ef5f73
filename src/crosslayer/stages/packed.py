"""Part of a grid for a machine without network or hub: packed into a folder, trained there, merged here.

A packed folder is a small project: ``params.yaml`` with one task, ``claims/seals.json``, the packages, and of
``results/PROFILE/encoder/`` what the trials of the task read. ``sweep train`` runs in it as it does at home.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterable
from pathlib import Path

import numpy as np

import claimtrack
import crosslayer
from claimtrack.errors import ResultsError
from claimtrack.files import fresh_folder
from claimtrack.runlog import hours_of_trials, read_run
from claimtrack.runs import LEDGER, RESULTS
from claimtrack.seal import SEALS
from claimtrack.settings import ACTIVE
from crosslayer.config import Profile, parse_profile
from crosslayer.encoders.base import load_weights
from crosslayer.errors import ConfigError, TrialFailure
from crosslayer.ledger.compact import without_paths
from crosslayer.predictions.records import PREDICTED, TrialRecord, read_arrays, read_predictions, write_records
from crosslayer.stages.grid import recorded_trials
from crosslayer.sweep.plan import (
    choose_precision,
    intermediate_file,
    planned_device,
    planned_parts,
    planned_specs,
    trial_specs,
)
from crosslayer.sweep.processes import exclusive
from crosslayer.sweep.runlog import note_seconds
from crosslayer.sweep.store import adopt, finished, finished_trials, keep
from crosslayer.tasks import TASKS, TaskName
from crosslayer.training.finetuned import KEPT, TrialResult
from crosslayer.training.inference import prediction_frame
from crosslayer.training.trainable import pad_id_of
from crosslayer.training.trials import TrialSpec
from crosslayer.windows.encoded import read_encoded, write_encoded
from crosslayer.windows.vocabulary import save_encoder, trim_together


def pack(profile: Profile, results: Path, task: TaskName, folder: Path) -> int:
    """Write a new folder that trains what is left of a task; returns how many trials that are.

    The profile's ``compute`` says for which device. ``results`` has the output of the encoder stage.

    Raises:
        ConfigError: the folder exists, the encoder stage has not run, or nothing is left to train.
    """
    if folder.exists():
        raise ConfigError(f"{folder} exists; name a new folder, or remove it first")
    encoder, small = results / "encoder", _only(profile, task)
    if not (encoder / "meta.json").exists():
        raise ConfigError(f"{encoder} is missing; run `dvc repro encoder@{profile.profile}` first")
    planned = planned_specs(small, encoder)
    for spec in planned.values():
        adopt([spec], results / "trials" / spec.stage / task)
    done = recorded_trials() | {record.key: record for record in finished_trials(small, results)}
    left = planned.keys() - done.keys()
    if not left:
        raise ConfigError(f"every trial of {task} is finished; there is nothing to pack")
    with fresh_folder(folder) as home:
        _fill(home, small, task, encoder, done.values())
    return len(left)


def _only(profile: Profile, task: TaskName) -> Profile:
    """The profile of one task, for the device that is planned here, without paths of this machine.

    Keys of trials stay: they cover nothing of other tasks, and the device and precision that ``auto`` stands for.
    """
    device = planned_device(profile.compute)
    precision = choose_precision(profile.compute, device)
    content = without_paths(profile).model_dump()
    content["compute"] |= {"device": device, "precision": precision, "executor": "local", "address": None}
    content["tasks"] = {task: content["tasks"][task]}
    phases, varied = content["intermediate"], content["sweep"]["variations"]
    phases["targets"] = [target for target in phases["targets"] if target == task]
    phases["by_target"] = {target: own for target, own in phases["by_target"].items() if target == task}
    varied["tasks"] = [target for target in varied["tasks"] if target == task]
    return parse_profile(content, f"the profile of {task}")


def _fill(folder: Path, profile: Profile, task: TaskName, encoder: Path, done: Iterable[TrialRecord]) -> None:
    settings = json.dumps(profile.model_dump(mode="json"), indent=1)  # JSON is YAML
    (folder / ACTIVE).write_text(settings + "\n", encoding="utf-8")
    for package in (claimtrack, crosslayer):
        source = Path(package.__file__ or "").parent
        shutil.copytree(source, folder / source.name, ignore=shutil.ignore_patterns("__pycache__"))
    (folder / LEDGER / "home").mkdir(parents=True)
    write_records(done, folder / LEDGER / "home" / "trials.json")
    if SEALS.exists():
        shutil.copy(SEALS, folder / SEALS)
    arms = [arm for arm in profile.intermediate.arms if arm != "none"] if profile.intermediate.targets else []
    names = [f"{task}.parquet", *(intermediate_file(task, arm) for arm in arms)]
    model, tables = load_weights(encoder), {name: read_encoded(encoder / name) for name in names}
    if not profile.tasks[task].train_embeddings:
        # Where rows are trained, all stay: the gradient's norm is summed over them, and fewer round otherwise.
        model, tables = trim_together(model, pad_id_of(model), tables)
    home = folder / RESULTS / profile.profile / "encoder"
    save_encoder(model, home, json.loads((encoder / "meta.json").read_bytes()))
    for name, table in tables.items():
        write_encoded(table, home / name)


def merge(profile: Profile, results: Path, folder: Path) -> tuple[int, int]:
    """Copy the trials of a packed folder that has run to where they belong here.

    Returns:
        How many trials were merged, and how many were here already and stay.

    Raises:
        ResultsError: no finished trial, one that the profile does not plan, or predictions on other items; what
            was merged before stays.
    """
    there = folder / RESULTS / profile.profile
    info = read_run(there / "run.json")
    hours = hours_of_trials(info)
    merged = known = 0
    for stage, task in planned_parts(profile):
        name, part = f"{stage}-{task}", Path("trials") / stage / task
        keys = sorted(path.parent.name for path in (there / part).glob("[!.]*/trial.json"))
        specs = {spec.key: spec for spec in trial_specs(profile, stage, task, results / "encoder")}
        if strange := set(keys) - specs.keys():
            raise ResultsError(
                f"{folder}: trial {min(strange)} is none of the profile {profile.profile}; activate its profile"
            )
        if keys:
            with exclusive(results / part):
                adopt([*specs.values()], results / part)  # as there: they cost nothing
        for spec in map(specs.__getitem__, keys):
            if finished(results / part, spec):
                known += 1
            elif record := finished(there / part, spec):
                result = _read(record, spec, there / part / spec.key, results / "encoder")
                with exclusive(results / part):
                    keep(spec, result, results / part, record.torch, record.seal)
                machine = info.get("stages", {}).get(name, {}).get("machine", {})
                note_seconds(results, name, 3600 * hours.get(name, 0.0), trained=1, machine=machine)
                merged += 1
    if not merged + known:
        raise ResultsError(f"{folder} holds no finished trial of {profile.profile}; train there first")
    return merged, known


def _read(record: TrialRecord, spec: TrialSpec, folder: Path, encoder: Path) -> TrialResult | TrialFailure:
    """What came of a trial, which must be the planned one, with the items and gold labels of the windows here."""
    if record.specification != spec.content():
        raise ResultsError(f"{folder}: trial.json is of another trial than its key; copy the folder again")
    if record.outcome not in PREDICTED:
        return TrialFailure(record.outcome, record.detail)
    frame = read_predictions(folder / "predictions.parquet")
    encoded = read_encoded(encoder / f"{spec.task}.parquet")
    rows = encoded.predicted_rows()
    n_rows = sum(len(encoded.labels[row]) for row in rows)
    expected = prediction_frame(encoded, rows, np.zeros((n_rows, 1), np.float32))
    for name in ("split", "language", "item", "position", "gold"):
        if not np.array_equal(frame[name].astype(str).to_numpy(), expected[name].astype(str).to_numpy()):
            raise ResultsError(
                f"{folder}: {name} differs from the windows here; the sweep was packed from other data"
            )
    n_labels = len(TASKS[spec.task].labels)
    if not frame["predicted"].between(0, n_labels - 1).all():
        raise ResultsError(f"{folder}: predicted must be 0 to {n_labels - 1}; copy the folder again")
    kept = {name: getattr(record, name) for name in KEPT}
    return TrialResult(frame, read_arrays(folder / "diagnostics.npz"), **kept)
