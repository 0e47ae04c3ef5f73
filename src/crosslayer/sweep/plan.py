"""Reads what the encoder stage wrote and puts together what trials of a task share."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch

from claimtrack.errors import ResultsError
from claimtrack.reading import parse_json
from crosslayer.config import ComputeSpec, Profile, SplitSizes, TaskSpec
from crosslayer.errors import ConfigError
from crosslayer.predictions.models import BASELINE
from crosslayer.predictions.records import Stage
from crosslayer.tasks import TaskName
from crosslayer.training.trainable import TrialInputs
from crosslayer.training.trials import TrialSpec, Variant, planned_trials
from crosslayer.windows.encoded import read_encoded
from crosslayer.windows.vocabulary import load_trimmed


def load_inputs(folder: Path, task: TaskName, arms: list[str], device: torch.device) -> TrialInputs:
    """What trials of a task share: read from ``folder``, the output of the encoder stage, for these arms."""
    return TrialInputs(
        encoder=load_trimmed(folder),
        encoded=read_encoded(folder / f"{task}.parquet"),
        intermediate={arm: read_encoded(folder / intermediate_file(task, arm)) for arm in arms if arm != "none"},
        device=device,
    )


def intermediate_file(target: TaskName, arm: str) -> str:
    """Name of the table of windows of an intermediate arm."""
    return f"intermediate-{target}-{arm}.parquet"


def planned_device(spec: ComputeSpec) -> str:
    """The kind of device that trials are meant for, ``cpu`` or ``cuda``, whether or not this machine has it."""
    if spec.device == "auto":
        return "cuda" if torch.cuda.is_available() else "cpu"
    return spec.device


def choose_device(spec: ComputeSpec) -> torch.device:
    """The device that the profile asks for.

    Raises:
        ConfigError: a GPU is asked for and there is none.
    """
    kind = planned_device(spec)
    if kind == "cuda" and not torch.cuda.is_available():
        raise ConfigError(
            "compute.device is cuda, but torch sees no GPU; use auto or cpu, or train elsewhere with "
            "`crosslayer sweep pack`"
        )
    return torch.device(kind)


def choose_precision(spec: ComputeSpec, device: str) -> str:
    """``bfloat16`` where the device computes it natively, else ``float32``, unless the profile fixes it.

    Raises:
        ConfigError: the device is a GPU that this machine lacks, so that its precision must be stated.
    """
    if spec.precision != "auto":
        return spec.precision
    if device == "cuda" and not torch.cuda.is_available():
        raise ConfigError("compute.precision is auto and this machine has no GPU; state bfloat16 or float32")
    return "bfloat16" if has_bfloat16(device) else "float32"


def has_bfloat16(device: str) -> bool:
    """Whether this machine computes bfloat16 natively; if not, a matrix product is a hundred times slower."""
    if device == "cuda":
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    return bool(torch.ops.mkldnn._is_mkldnn_bf16_supported())


def planned_parts(profile: Profile) -> list[tuple[Stage, TaskName]]:
    """Each stage with each task that it trains, in the order of the pipeline."""
    sweeps: list[tuple[Stage, TaskName]] = [("sweep", task) for task in profile.tasks]
    return [*sweeps, *(("intermediate", task) for task in profile.intermediate.targets)]


def planned_specs(profile: Profile, folder: Path) -> dict[str, TrialSpec]:
    """All trials of a profile by key; ``folder`` is the output of the encoder stage."""
    specs = (spec for part in planned_parts(profile) for spec in trial_specs(profile, *part, folder))
    return {spec.key: spec for spec in specs}


def planned_keys(profile: Profile, results: Path) -> set[str]:
    """The keys of all trials that a profile plans, none before its encoder is prepared in ``results/PROFILE``."""
    encoder = results / profile.profile / "encoder"
    if not (encoder / "meta.json").exists():
        return set()
    return set(planned_specs(profile, encoder))


def trial_specs(profile: Profile, stage: Stage, task: TaskName, folder: Path) -> list[TrialSpec]:
    """The trials of a stage and task, seeds in the outer loop so that an interrupted sweep is balanced."""
    device, settings = planned_device(profile.compute), profile.intermediate
    arms = settings.arms if stage == "intermediate" else []
    tables = {arm: intermediate_file(task, arm) for arm in arms if arm != "none"}
    digests = _digests(folder / "meta.json", ["encoder", task, *tables.values()])
    own = {name: digests[name] for name in ("encoder", task)}
    training = profile.tasks[task].model_copy(update={"sizes": SplitSizes()})
    shared: dict[str, Any] = {
        "stage": stage,
        "task": task,
        "precision": choose_precision(profile.compute, device),
        "device_kind": device,
        "threads": profile.compute.threads,
        "micro_batch": profile.compute.micro_batch,
    }
    if stage == "sweep":
        planned = planned_trials(profile, task)
        return [_sweep_spec(seed, variant, training, digests=own, **shared) for seed, variant in planned]
    tuned = training.model_copy(update={"mode": "finetuned"})  # a frozen trunk would keep nothing of the arm
    shared |= {"model": BASELINE, "kind": "none", "fusion": profile.fusion, "training": tuned}
    phases: dict[str, Any] = {
        arm: {"intermediate": settings.phase(task), "digests": own | {name: digests[name]}}
        for arm, name in tables.items()
    }
    return [
        TrialSpec(seed=seed, arm=arm, **phases.get(arm, {"digests": own}), **shared)
        for seed in settings.seeds_of(task)
        for arm in arms
    ]


def _digests(path: Path, names: Sequence[str]) -> dict[str, str]:
    try:
        found = parse_json(path.read_bytes())["digests"]
        return {name: str(found[name]) for name in names}
    except (OSError, ValueError, KeyError, TypeError):
        raise ResultsError(f"{path} is missing or damaged; run `dvc repro`") from None


def _sweep_spec(seed: int, variant: Variant, training: TaskSpec, **shared: Any) -> TrialSpec:
    model = variant.model
    if model.smoothing is not None:
        training = training.model_copy(update={"label_smoothing": model.smoothing})
    return TrialSpec(
        seed=seed, training=training, kind=model.fusion, half=model.half, share=model.share,
        **variant._asdict(), **shared,
    )  # fmt: skip
