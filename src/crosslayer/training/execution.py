"""What one process needs to run many trials of one task."""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import torch

from crosslayer.errors import TrialFailure
from crosslayer.models.classifier import HiddenStates, frozen_layers
from crosslayer.training.finetuned import TrialResult, run_finetuned
from crosslayer.training.frozen import MAX_BYTES, cache_states, run_frozen, states_bytes

if TYPE_CHECKING:
    from crosslayer.training.trainable import TrialInputs
    from crosslayer.training.trials import TrialSpec


def own_device(kind: str) -> torch.device:
    """The device of this process: the worker processes of a pool take the GPUs of a machine in turn.

    The name of a process ends in its number among its parent's children, from 1; the main one has no number.
    """
    if kind != "cuda":
        return torch.device(kind)
    number = multiprocessing.current_process().name.rpartition("-")[2]
    return torch.device("cuda", (int(number) - 1) % torch.cuda.device_count() if number.isdecimal() else 0)


def memory_advice(spec: TrialSpec, error: torch.OutOfMemoryError) -> str:
    """What was wanted of a GPU whose memory did not suffice, and what to do, in one line."""
    seen = ". ".join(str(error).partition("\n")[0].split(". ")[:2]).rstrip(".")  # what follows is torch's advice
    group, batch = spec.fusion.bn_group, spec.training.batch_size
    computed = spec.micro_batch or batch
    smaller = [size for size in range(group, computed, group) if batch % size == 0]
    if smaller:
        return (
            f"{seen}; lower compute.micro_batch to {smaller[-1]}, now {computed} sequences are computed together"
        )
    rounded = ", set compute.precision to bfloat16" if spec.precision == "float32" else ""
    return (
        f"{seen}; one normalisation group of {computed} sequences does not fit, and a smaller fusion.bn_group "
        f"would change the result: shorten data.max_length{rounded} or use a larger GPU"
    )


def make_runner(specs: Sequence[TrialSpec], inputs: TrialInputs) -> Callable[[TrialSpec], TrialResult]:
    """What runs each of ``specs``, the hidden states that none of them changes computed once.

    All trials are of one task and stage, and so of one mode.
    """
    torch.set_num_threads(specs[0].threads)
    states = shared_states(specs, inputs)

    def run(spec: TrialSpec) -> TrialResult:
        if spec.training.mode == "frozen":
            return run_frozen(spec, inputs, states["none"])
        return run_finetuned(spec, inputs, states)

    return run


def shared_states(specs: Sequence[TrialSpec], inputs: TrialInputs) -> dict[str, HiddenStates]:
    """Hidden states that no trial changes, by arm: of a frozen trunk, or of the layers below the trained ones."""
    n_layers = int(inputs.encoder.config.num_hidden_layers)
    lower = {spec.layer for spec in specs if spec.layer is not None}
    if specs[0].training.mode == "frozen":
        return {"none": cache_states(specs[0], inputs, inputs.encoded, {n_layers, *lower})}
    top = frozen_layers(n_layers, specs[0].training.trainable_layers)
    below = {top, *(layer for layer in lower if layer < top)}
    tables = {"none": inputs.encoded, **inputs.intermediate}
    if not top or states_bytes(specs[0], inputs, tables.values(), len(below)) > MAX_BYTES:
        return {}
    cached = {"none": cache_states(specs[0], inputs, inputs.encoded, below)}
    return cached | {
        arm: cache_states(specs[0], inputs, table, [top]) for arm, table in inputs.intermediate.items()
    }


def attempt(spec: TrialSpec, run: Callable[[TrialSpec], TrialResult]) -> TrialResult | TrialFailure:
    """Run one trial; a failure that has a name is given back."""
    try:
        return run(spec)
    except TrialFailure as failure:
        return failure
    except torch.OutOfMemoryError as error:
        return TrialFailure("out_of_memory", memory_advice(spec, error))
