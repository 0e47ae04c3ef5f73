"""A frozen sweep of all layers and several seeds: ours, single trials that run the encoder, a plain loop."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from crosslayer.config import Profile
from crosslayer.sweep.plan import load_inputs, trial_specs
from crosslayer.tasks import TaskName
from crosslayer.training.execution import make_runner
from crosslayer.training.finetuned import run_finetuned
from crosslayer.training.inference import MAX_TOKENS
from crosslayer.training.trainable import TrialInputs, build_model
from crosslayer.training.trials import TrialSpec
from crosslayer.windows.batching import prediction_batches

TASK: TaskName = "pos"
SINGLE = 2
"""Single trials that are timed; the time of all is estimated from them."""


def ours(profile: Profile, folder: Path) -> float:
    """Seconds of all trials as a sweep runs them in one process, the encoder's one run included."""
    specs, inputs = _load(profile, folder)
    start = time.perf_counter()
    run = make_runner(specs, inputs)
    for spec in specs:
        run(spec)
    return time.perf_counter() - start


def single(profile: Profile, folder: Path) -> float:
    """Seconds of all trials if each runs the frozen encoder with every batch, from `SINGLE` of them."""
    specs, inputs = _load(profile, folder)
    every_time = {"mode": "finetuned", "trainable_layers": 0}
    chosen = [s.model_copy(update={"training": s.training.model_copy(update=every_time)}) for s in specs[:SINGLE]]
    torch.set_num_threads(profile.compute.threads)
    start = time.perf_counter()
    for spec in chosen:
        run_finetuned(spec, inputs, {})
    return (time.perf_counter() - start) / SINGLE * len(specs)


def loop(profile: Profile, folder: Path) -> float:
    """Seconds of a plain loop over cached states, padded batch by batch, with the same modules and steps."""
    specs, inputs = _load(profile, folder)
    torch.set_num_threads(profile.compute.threads)
    start = time.perf_counter()
    states = _cache(inputs, sorted({12} | {spec.layer or 12 for spec in specs}))
    for spec in specs:
        _plain_trial(spec, inputs, states[spec.layer or 12], states[12])
    return time.perf_counter() - start


def _load(profile: Profile, folder: Path) -> tuple[list[TrialSpec], TrialInputs]:
    specs = trial_specs(profile, "sweep", TASK, folder / "encoder")
    layers = [spec for spec in specs if spec.model.startswith("layer_")]
    return layers, load_inputs(folder / "encoder", TASK, [], torch.device("cpu"))


@torch.inference_mode()
def _cache(inputs: TrialInputs, layers: Sequence[int]) -> dict[int, list[Tensor]]:
    encoded = inputs.encoded
    found: dict[int, list[Any]] = {layer: [None] * len(encoded) for layer in layers}
    encoder: Any = inputs.encoder
    encoder.eval()
    for batch in prediction_batches(encoded, np.arange(len(encoded)), MAX_TOKENS, inputs.pad_id):
        output = encoder(
            input_ids=batch.ids, token_type_ids=batch.types, attention_mask=batch.mask.long(),
            output_hidden_states=True,
        )  # fmt: skip
        for place, window in enumerate(batch.windows.tolist()):
            length = int(batch.mask[place].sum())
            for layer, states in found.items():
                states[window] = output.hidden_states[layer][place, :length].clone()
    return found


def _plain_trial(spec: TrialSpec, inputs: TrialInputs, lower: list[Tensor], last: list[Tensor]) -> None:
    """Train with shuffled batches, then predict dev and test."""
    encoded, training = inputs.encoded, spec.training
    classifier = build_model(spec, TASK, inputs, nn.Identity())
    optimiser = torch.optim.AdamW(classifier.parameters(), lr=training.learning_rate)
    train = encoded.rows("train", "en")
    size = training.batch_size
    for _ in range(training.epochs):
        classifier.train()
        order = np.random.default_rng(spec.seed).permutation(train)
        for first in range(0, len(order) - size + 1, size):
            logits, labels = _forward(classifier, encoded, order[first : first + size], lower, last)
            loss = nn.functional.cross_entropy(logits, labels)
            optimiser.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            nn.utils.clip_grad_norm_(classifier.parameters(), training.clip)
            optimiser.step()
        _predict(classifier, encoded, encoded.rows("dev", "en"), lower, last)
    _predict(classifier, encoded, np.concatenate([encoded.rows("dev", "en"), encoded.rows("test")]), lower, last)


@torch.no_grad()
def _predict(classifier: Any, encoded: Any, rows: Any, lower: list[Tensor], last: list[Tensor]) -> None:
    classifier.eval()
    for first in range(0, len(rows), 64):
        _forward(classifier, encoded, rows[first : first + 64], lower, last)


def _forward(
    classifier: Any, encoded: Any, rows: Any, lower: list[Tensor], last: list[Tensor]
) -> tuple[Tensor, Tensor]:
    pad = nn.utils.rnn.pad_sequence
    one, two = (pad([states[row] for row in rows], batch_first=True) for states in (lower, last))
    lengths = torch.tensor([len(last[row]) for row in rows])
    mask = torch.arange(two.shape[1]) < lengths[:, None]
    fused = classifier.fusion(one, two, mask)
    place = np.repeat(np.arange(len(rows)), [len(encoded.firsts[row]) for row in rows])
    firsts = np.concatenate([encoded.firsts[row] for row in rows]).astype(np.int64)
    logits = classifier.head.output(classifier.head.dropout(fused[place, firsts]))
    return logits, torch.from_numpy(np.concatenate([encoded.labels[row] for row in rows]).astype(np.int64))
