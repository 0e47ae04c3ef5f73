"""What one process needs to run many trials of one task; states of frozen layers are computed once for all."""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable, Iterable, Sequence

import numpy as np
import torch

from crosslayer.errors import TrialFailure
from crosslayer.models.classifier import HiddenStates, frozen_layers
from crosslayer.models.trunk import Trunk
from crosslayer.training.finetuned import TrialResult, run_finetuned, run_on
from crosslayer.training.inference import MAX_TOKENS
from crosslayer.training.trainable import TrialInputs
from crosslayer.training.trials import TrialSpec
from crosslayer.windows.batching import prediction_batches
from crosslayer.windows.encoded import Encoded

Runner = Callable[[TrialSpec], TrialResult]
MAX_BYTES = 4 * 2**30
"""The most that cached states of a table of windows may take where some layers are trained; above it the frozen
layers run every time."""


def own_device(device: torch.device) -> torch.device:
    """The device of this worker process: those of a pool take the GPUs of a machine in turn.

    The name of a process ends in its number among its parent's children, from 1.
    """
    if device.type != "cuda":
        return device
    number = int(multiprocessing.current_process().name.rpartition("-")[2])
    return torch.device("cuda", (number - 1) % torch.cuda.device_count())


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
    return (
        f"{seen}; one normalisation group of {computed} sequences does not fit, and a smaller fusion.bn_group "
        "would change the result: shorten data.max_length, compute in bfloat16 or use a larger GPU"
    )


def make_runner(specs: Sequence[TrialSpec], inputs: TrialInputs) -> Runner:
    """What runs each of ``specs``, which are of one task, stage and mode; states that none of them changes are
    computed once."""
    torch.set_num_threads(specs[0].threads)
    states, last = shared_states(specs, inputs), int(inputs.encoder.config.num_hidden_layers)

    def run(spec: TrialSpec) -> TrialResult:
        if spec.training.mode == "finetuned":
            return run_finetuned(spec, inputs, states)
        cached, lower = states["none"], last if spec.layer is None else spec.layer
        return run_on(spec, inputs, lambda batch: (cached.get(lower, batch), cached.get(last, batch)))

    return run


def shared_states(specs: Sequence[TrialSpec], inputs: TrialInputs) -> dict[str, HiddenStates]:
    """Hidden states that no trial changes, by arm: of a frozen trunk, or of the layers below the trained ones."""
    spec, config = specs[0], inputs.encoder.config
    n_layers = int(config.num_hidden_layers)
    lower = {spec.layer for spec in specs if spec.layer is not None}
    if spec.training.mode == "frozen":
        return {"none": cache_states(spec, inputs, inputs.encoded, {n_layers, *lower})}
    top = frozen_layers(n_layers, spec.training.trainable_layers)
    below = {top, *(layer for layer in lower if layer < top)}
    size = int(config.hidden_size) * getattr(torch, spec.precision).itemsize
    # All layers that could be kept count, so that the rest of a stopped sweep is computed as it began.
    tables = {arm: (table, {top}, 1) for arm, table in inputs.intermediate.items()}
    tables["none"] = inputs.encoded, below, top + 1
    return {
        arm: cache_states(spec, inputs, table, layers)
        for arm, (table, layers, most) in tables.items()
        if top and int(table.lengths().sum()) * most * size <= MAX_BYTES
    }


@torch.inference_mode()
def cache_states(spec: TrialSpec, inputs: TrialInputs, encoded: Encoded, layers: Iterable[int]) -> HiddenStates:
    """Run the encoder once over all windows and keep the states of ``layers``, in the precision of a trial."""
    lengths = encoded.lengths()
    offsets = np.cumsum(lengths) - lengths
    width = int(inputs.encoder.config.hidden_size)
    precision = getattr(torch, spec.precision)
    size, device = (int(lengths.sum()) + 1, width), inputs.device
    states = {layer: torch.zeros(size, dtype=precision, device=device) for layer in sorted(set(layers))}
    trunk = Trunk(inputs.encoder).to(device).eval().rounded(precision)
    for batch in prediction_batches(encoded, np.arange(len(encoded)), MAX_TOKENS, inputs.pad_id):
        moved = batch.to(inputs.device)
        embedded = trunk.embed(moved.ids, moved.types).to(precision)
        parts = [np.arange(offsets[window], offsets[window] + lengths[window]) for window in batch.windows]
        rows = torch.from_numpy(np.concatenate(parts)).to(device)
        for layer, hidden in enumerate([embedded, *trunk.run(embedded, moved.mask)]):
            if layer in states:
                states[layer][rows] = hidden[moved.mask]
    return HiddenStates(states, offsets)


def attempt(spec: TrialSpec, run: Runner) -> TrialResult | TrialFailure:
    """Run one trial; a failure that has a name is given back."""
    try:
        return run(spec)
    except TrialFailure as failure:
        return failure
    except torch.OutOfMemoryError as error:
        return TrialFailure("out_of_memory", memory_advice(spec, error))
