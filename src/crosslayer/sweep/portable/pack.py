"""Packs the unfinished trials of one task for a machine without the project."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import uuid
from pathlib import Path

import numpy as np

import claimtrack
import crosslayer
from claimtrack.seal import newest_hash
from crosslayer.config import Profile
from crosslayer.errors import ConfigError
from crosslayer.predictions.records import Stage
from crosslayer.sweep.plan import intermediate_file, trial_specs
from crosslayer.sweep.portable.blocks import pack_state
from crosslayer.sweep.store import adopt, finished
from crosslayer.tasks import TaskName
from crosslayer.training.trainable import pad_id_of
from crosslayer.training.trials import TrialSpec
from crosslayer.windows.encoded import read_encoded, write_encoded
from crosslayer.windows.vocabulary import load_trimmed, trim_together

MAX_BYTES = 25 * 2**20
"""What a folder may hold: nodes often take little."""


def pack_sweep(profile: Profile, results: Path, stage: Stage, task: TaskName, folder: Path) -> int:
    """Write a new folder that trains there what is not finished here; returns how many trials that are.

    For which device is said by the profile's ``compute``; ``results`` has the output of the encoder stage.

    Raises:
        ClaimError: ``claims/seals.json`` is damaged.
        ConfigError: the folder exists or would be too large, or nothing is left to train.
    """
    if folder.exists():
        raise ConfigError(f"{folder} exists; name a new folder, or remove it first")
    encoder = results / "encoder"
    if not (encoder / "meta.json").exists():
        raise ConfigError(f"{encoder} is missing; run `dvc repro encoder@{profile.profile}` first")
    home = results / "trials" / stage / task
    planned = trial_specs(profile, stage, task, encoder)
    adopt(planned, home)
    specs = [spec for spec in planned if finished(home, spec) is None]
    if not specs:
        raise ConfigError(f"every trial of {stage} {task} is finished; there is nothing to pack")
    temporary = folder.with_name(f".{folder.name}-{uuid.uuid4().hex[:8]}")
    temporary.mkdir(parents=True)
    try:
        _fill(temporary, profile, encoder, specs)
        os.replace(temporary, folder)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
    return len(specs)


def _fill(folder: Path, profile: Profile, encoder: Path, specs: list[TrialSpec]) -> None:
    """Write what the trials need; a ConfigError where that is more than `MAX_BYTES`."""
    task = specs[0].task
    arms = sorted({spec.arm for spec in specs} - {"none"})
    inputs = {f"intermediate-{arm}.parquet": encoder / intermediate_file(task, arm) for arm in arms}
    inputs["windows.parquet"] = encoder / f"{task}.parquet"
    _write_inputs(encoder, inputs, folder, keep_rows=specs[0].training.train_embeddings)
    _copy_packages(folder)
    files = {str(path.relative_to(folder)): path for path in sorted(folder.rglob("*")) if path.is_file()}
    content = {
        "profile": profile.profile,
        "workers": profile.compute.workers,
        "seal": newest_hash(),
        "trials": [{**spec.model_dump(mode="json"), "key": spec.key} for spec in specs],
        "files": {name: hashlib.sha256(path.read_bytes()).hexdigest() for name, path in files.items()},
    }
    (folder / "pack.json").write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
    size = sum(path.stat().st_size for path in files.values())
    if size > MAX_BYTES:
        raise ConfigError(
            f"the folder would hold {size / 2**20:.0f} MiB, more than {MAX_BYTES // 2**20}; lower "
            f"tasks.{task}.sizes, or take an encoder that is published in 4-bit blocks"
        )


def _write_inputs(source: Path, inputs: dict[str, Path], folder: Path, *, keep_rows: bool) -> None:
    """The tables of windows by their new names, and the encoder with no other embedding rows than theirs.

    Where embeddings are trained, all rows stay (``keep_rows``): the gradient's norm is summed over them, and with
    fewer it would round otherwise than at home.
    """
    model = load_trimmed(source)
    tables = {name: read_encoded(path) for name, path in inputs.items()}
    if not keep_rows:
        model, tables = trim_together(model, pad_id_of(model), tables)
    for name, table in tables.items():
        write_encoded(table, folder / name)
    config = model.config.to_dict()
    (folder / "encoder.json").write_text(json.dumps(config, indent=1) + "\n", encoding="utf-8")
    state = {name: np.asarray(tensor.float().numpy()) for name, tensor in model.state_dict().items()}
    np.savez(folder / "encoder.npz", allow_pickle=False, **pack_state(state))


def _copy_packages(folder: Path) -> None:
    """The sources of both packages, without what only the home machine reads."""
    ignored = shutil.ignore_patterns("__pycache__", "*.yaml", "fragment", "report", "stages", "paper", "ledger")
    for package in (claimtrack, crosslayer):
        source = Path(package.__file__ or "").parent
        shutil.copytree(source, folder / source.name, ignore=ignored)
