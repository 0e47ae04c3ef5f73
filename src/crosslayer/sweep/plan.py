"""Reads what the encoder stage wrote and puts together what trials of a task share."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import torch

from claimtrack.errors import ResultsError
from claimtrack.reading import parse_json
from crosslayer.config import ComputeSpec, Profile, SplitSizes
from crosslayer.encoders.base import load_weights
from crosslayer.errors import ConfigError
from crosslayer.predictions.records import Stage
from crosslayer.tasks import TaskName
from crosslayer.training.trainable import TrialInputs
from crosslayer.training.trials import TrialSpec, Variant, planned_trials
from crosslayer.windows.encoded import read_encoded


def load_inputs(folder: Path, task: TaskName, arms: Iterable[str], device: torch.device) -> TrialInputs:
    """What trials of a task share: read from ``folder``, the output of the encoder stage, for these arms."""
    return TrialInputs(
        encoder=load_weights(folder),
        encoded=read_encoded(folder / f"{task}.parquet"),
        intermediate={arm: read_encoded(folder / intermediate_file(task, arm)) for arm in arms},
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
    """The device that the profile asks for; a ConfigError for a GPU where there is none."""
    kind = planned_device(spec)
    if kind == "cuda" and not torch.cuda.is_available():
        raise ConfigError(
            "compute.device is cuda, but torch sees no GPU; use auto or cpu, or train elsewhere with "
            "`crosslayer sweep pack`"
        )
    return torch.device(kind)


def choose_precision(spec: ComputeSpec, device: str) -> str:
    """``bfloat16`` where the device computes it natively, else ``float32``, unless the profile fixes it; a
    ConfigError where it must, since the device is a GPU that this machine lacks."""
    if spec.precision != "auto":
        return spec.precision
    if device == "cuda" and not torch.cuda.is_available():
        raise ConfigError("compute.precision is auto and this machine has no GPU; state bfloat16 or float32")
    return "bfloat16" if has_bfloat16(device) else "float32"


def has_bfloat16(device: str) -> bool:
    """Whether this machine computes bfloat16 natively; if not, a matrix product is a hundred times slower."""
    if device == "cuda":
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    there = torch.backends.mkldnn.is_available()  # type: ignore[no-untyped-call]
    return bool(there and torch.ops.mkldnn._is_mkldnn_bf16_supported())


def planned_parts(profile: Profile) -> list[tuple[Stage, TaskName]]:
    """Each stage with each task that it trains, in the order of the pipeline."""
    sweeps: list[tuple[Stage, TaskName]] = [("sweep", task) for task in profile.tasks]
    return [*sweeps, *(("intermediate", task) for task in profile.intermediate.targets)]


def planned_specs(profile: Profile, folder: Path) -> dict[str, TrialSpec]:
    """All trials of a profile by key; ``folder`` is the output of the encoder stage."""
    specs = (spec for part in planned_parts(profile) for spec in trial_specs(profile, *part, folder))
    return {spec.key: spec for spec in specs}


def planned_keys(profile: Profile, results: Path) -> set[str]:
    """The keys of all trials that a profile plans, none before its encoder is prepared in ``results``."""
    encoder = results / "encoder"
    if not (encoder / "meta.json").exists():
        return set()
    return set(planned_specs(profile, encoder))


def trial_specs(profile: Profile, stage: Stage, task: TaskName, folder: Path) -> list[TrialSpec]:
    """The trials of a stage and task in the order of the plan; ``folder`` is the output of the encoder stage."""
    compute, arms, tables = profile.compute, profile.intermediate, dict[str, str]()
    training = profile.tasks[task].model_copy(update={"sizes": SplitSizes()})
    if stage == "intermediate":
        # a frozen trunk would keep nothing of the arm
        training = training.model_copy(update={"mode": "finetuned"})
        tables = {arm: intermediate_file(task, arm) for arm in arms.arms if arm != "none"}
    digests = _digests(folder / "meta.json", ["encoder", task, *tables.values()])
    device = planned_device(compute)
    arithmetic: dict[str, Any] = {
        "precision": choose_precision(compute, device),
        "device_kind": device,
        "threads": compute.threads,
        "micro_batch": compute.micro_batch,
    }

    def spec(seed: int, variant: Variant) -> TrialSpec:
        model, table = variant.model, tables.get(variant.arm)
        smoothing = {} if model.smoothing is None else {"label_smoothing": model.smoothing}
        return TrialSpec(
            stage=stage,
            task=task,
            seed=seed,
            kind=model.fusion,
            half=model.half,
            share=model.share,
            training=training.model_copy(update=smoothing),
            intermediate=arms.phase(task) if table else {},
            digests={name: digests[name] for name in ("encoder", task, table) if name},
            **variant._asdict(),
            **arithmetic,
        )

    return [spec(seed, variant) for seed, variant in planned_trials(profile, stage, task)]


def _digests(path: Path, names: Sequence[str]) -> dict[str, str]:
    try:
        found = parse_json(path.read_bytes())["digests"]
        return {name: str(found[name]) for name in names}
    except (OSError, ValueError, KeyError, TypeError):
        raise ResultsError(f"{path} is missing or damaged; run `dvc repro`") from None
