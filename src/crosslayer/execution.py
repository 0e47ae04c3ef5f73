"""What one process needs to run many trials of one task."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import torch

from crosslayer.errors import TrialFailure
from crosslayer.frozen import MOST_BYTES, HiddenStates, cache_states, run_frozen, states_bytes
from crosslayer.model import frozen_layers
from crosslayer.training import Finished, run_finetuned

if TYPE_CHECKING:
    from crosslayer.trainee import Material
    from crosslayer.trials import TrialSpec


def make_runner(specs: Sequence[TrialSpec], material: Material) -> Callable[[TrialSpec], Finished]:
    """What runs each of ``specs``, the hidden states that none of them changes computed once.

    All trials are of one task and stage, and so of one mode.
    """
    torch.set_num_threads(specs[0].threads)
    states = shared_states(specs, material)

    def run(spec: TrialSpec) -> Finished:
        if spec.training.mode == "frozen":
            return run_frozen(spec, material, states["none"])
        return run_finetuned(spec, material, states)

    return run


def shared_states(specs: Sequence[TrialSpec], material: Material) -> dict[str, HiddenStates]:
    """Hidden states that no trial changes, by arm: of a frozen trunk, or of the layers below the trained ones."""
    n_layers = int(material.encoder.config.num_hidden_layers)
    lower = {spec.layer for spec in specs if spec.layer is not None}
    if specs[0].training.mode == "frozen":
        return {"none": cache_states(material, material.encoded, {n_layers, *lower})}
    top = frozen_layers(n_layers, specs[0].training.trainable_layers)
    below = {top, *(layer for layer in lower if layer < top)}
    tables = {"none": material.encoded, **material.intermediate}
    if not top or states_bytes(material, tables.values(), len(below)) > MOST_BYTES:
        return {}
    cached = {"none": cache_states(material, material.encoded, below)}
    return cached | {arm: cache_states(material, table, [top]) for arm, table in material.intermediate.items()}


def attempt(spec: TrialSpec, run: Callable[[TrialSpec], Finished]) -> Finished | TrialFailure:
    """Run one trial; a failure that has a name is given back."""
    try:
        return run(spec)
    except TrialFailure as failure:
        return failure
    except torch.OutOfMemoryError as error:
        return TrialFailure("out_of_memory", str(error).splitlines()[0])
