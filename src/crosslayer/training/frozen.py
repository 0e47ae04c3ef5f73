"""Frozen layers: their hidden states are computed once for a task and shared by all its trials."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

import numpy as np
import torch

from crosslayer.models.classifier import Hidden, HiddenStates
from crosslayer.models.trunk import Trunk
from crosslayer.training.finetuned import TrialResult, run_on
from crosslayer.training.inference import MAX_TOKENS
from crosslayer.training.trainable import TrialInputs
from crosslayer.windows.batching import Batch, prediction_batches
from crosslayer.windows.encoded import Encoded

if TYPE_CHECKING:
    from crosslayer.training.trials import TrialSpec

MAX_BYTES = 4 * 2**30
"""The most that cached states of a fine-tuned sweep may take; above it the frozen layers run every time."""


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


def states_bytes(spec: TrialSpec, inputs: TrialInputs, tables: Iterable[Encoded], n_layers: int) -> int:
    """What caching ``n_layers`` layers of all these windows takes, in the precision of a trial."""
    tokens = sum(int(table.lengths().sum()) for table in tables)
    precision: torch.dtype = getattr(torch, spec.precision)
    return tokens * n_layers * int(inputs.encoder.config.hidden_size) * precision.itemsize


def run_frozen(spec: TrialSpec, inputs: TrialInputs, states: HiddenStates) -> TrialResult:
    """Train fusion and head on cached states."""
    last = int(inputs.encoder.config.num_hidden_layers)
    lower = spec.layer if spec.layer is not None else last

    def source(batch: Batch) -> Hidden:
        return states.get(lower, batch), states.get(last, batch)

    return run_on(spec, inputs, source)
