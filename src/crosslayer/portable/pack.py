"""Packs the unfinished trials of one task for a machine without the project."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import uuid
from pathlib import Path

import numpy as np

import crosslayer
from crosslayer.config import Profile
from crosslayer.encoders.vocabulary import load_trimmed
from crosslayer.errors import ConfigError
from crosslayer.material import intermediate_file, trial_specs
from crosslayer.portable.blocks import pack_state
from crosslayer.predictions import Stage
from crosslayer.tasks import TaskName
from crosslayer.trials import finished

MOST_BYTES = 25 * 2**20
"""What a folder may hold: nodes often take little."""


def pack_sweep(profile: Profile, results: Path, stage: Stage, task: TaskName, folder: Path) -> int:
    """Write a folder that trains there what is not finished here.

    Args:
        profile: the active one; its ``compute`` says for which device.
        results: ``results/PROFILE``, with the output of the encoder stage.
        stage, task: which part of the profile.
        folder: where to; must not exist.

    Returns:
        The number of trials packed.

    Raises:
        ConfigError: the folder exists or would be too large, or nothing is left to train.
    """
    if folder.exists():
        raise ConfigError(f"{folder} exists; name a new folder, or remove it first")
    encoder = results / "encoder"
    if not (encoder / "meta.json").exists():
        raise ConfigError(f"{encoder} is missing; run `dvc repro encoder@{profile.profile}` first")
    home = results / "trials" / stage / task
    specs = [s for s in trial_specs(profile, stage, task, encoder) if finished(home, s) is None]
    if not specs:
        raise ConfigError(f"every trial of {stage} {task} is finished; there is nothing to pack")
    temporary = folder.with_name(f".{folder.name}-{uuid.uuid4().hex[:8]}")
    temporary.mkdir(parents=True)
    try:
        _write_encoder(encoder, temporary)
        shutil.copyfile(encoder / f"{task}.parquet", temporary / "windows.parquet")
        for arm in sorted({spec.arm for spec in specs} - {"none"}):
            shutil.copyfile(encoder / intermediate_file(task, arm), temporary / f"intermediate-{arm}.parquet")
        _copy_package(temporary / "crosslayer")
        files = {str(path.relative_to(temporary)): path for path in sorted(temporary.rglob("*")) if path.is_file()}
        content = {
            "profile": profile.profile,
            "workers": profile.compute.workers,
            "trials": [{**spec.model_dump(mode="json"), "key": spec.key} for spec in specs],
            "files": {name: hashlib.sha256(path.read_bytes()).hexdigest() for name, path in files.items()},
        }
        (temporary / "pack.json").write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
        size = sum(path.stat().st_size for path in files.values())
        if size > MOST_BYTES:
            raise ConfigError(
                f"the folder would hold {size / 2**20:.0f} MiB, more than {MOST_BYTES // 2**20}; lower "
                f"tasks.{task}.sizes, or take an encoder that is published in 4-bit blocks"
            )
        os.replace(temporary, folder)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
    return len(specs)


def _write_encoder(source: Path, folder: Path) -> None:
    model = load_trimmed(source)
    shutil.copyfile(source / "config.json", folder / "encoder.json")
    state = {name: np.asarray(tensor.float().numpy()) for name, tensor in model.state_dict().items()}
    np.savez(folder / "encoder.npz", allow_pickle=False, **pack_state(state))


def _copy_package(target: Path) -> None:
    """The sources of this package, without what only the home machine reads."""
    source = Path(crosslayer.__file__).parent
    ignored = shutil.ignore_patterns("__pycache__", "*.yaml", "fragment", "claims", "report", "stages", "analysis")
    shutil.copytree(source, target, ignore=ignored)
