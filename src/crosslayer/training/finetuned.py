"""One trial: train, choose the epoch on English dev, predict."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import torch
from torch import Tensor, nn
from torch.optim import AdamW
from torch.optim.lr_scheduler import LambdaLR

from crosslayer.errors import ConfigError, TrialFailure
from crosslayer.models.classifier import HiddenStates, TrainedEncoder
from crosslayer.models.trunk import Trunk
from crosslayer.tasks import INTERMEDIATE
from crosslayer.training.inference import collapsed, dev_score, diagnose, predict
from crosslayer.training.trainable import Source, TrainableModel, TrialInputs, build_model, stream
from crosslayer.training.trials import TrialSpec
from crosslayer.windows.batching import Batch, micro_batches, training_batches
from crosslayer.windows.encoded import Array, Encoded

KEPT = ("outcome", "dev_history", "best_epoch", "fusion_parameters", "trained_parameters")
"""What a trial's record takes over from its result."""


@dataclass(frozen=True)
class TrialResult:
    """A trained trial: what goes into its folder.

    Attributes:
        dev_history: score on English dev after each epoch, points.
        best_epoch: the epoch kept, from 1.
    """

    predictions: pd.DataFrame
    diagnostics: dict[str, Array]
    outcome: str
    dev_history: tuple[float, ...]
    best_epoch: int
    fusion_parameters: int
    trained_parameters: int


def run_finetuned(spec: TrialSpec, inputs: TrialInputs, states: Mapping[str, HiddenStates]) -> TrialResult:
    """Train encoder, fusion and head; a TrialFailure where the loss becomes NaN.

    Args:
        states: hidden states below the trained layers by arm, ``none`` for the windows of the task itself; for
            arms that are absent, those layers run with every batch.
    """
    trunk = Trunk(inputs.encoder).to(inputs.device)
    if spec.arm != "none":
        _train_intermediate(spec, trunk, inputs, states.get(spec.arm))
    return run_on(spec, inputs, TrainedEncoder(trunk, spec.layer, spec.training, states.get("none")))


def run_on(spec: TrialSpec, inputs: TrialInputs, source: Source | TrainedEncoder) -> TrialResult:
    """Train fusion and head, and the source of hidden states where it is an encoder, then predict."""
    module = build_model(spec, spec.task, inputs, source)
    dev_history, losses = fit(module, inputs, training_rows(spec, inputs.encoded))
    predictions, vectors = predict(module, inputs)
    dev = predictions[predictions["split"] == "dev"]
    return TrialResult(
        predictions=predictions,
        diagnostics=diagnose(module, inputs, vectors) | {"losses": np.array(losses, np.float32)},
        outcome="collapsed" if collapsed(spec, dev) else "ok",
        dev_history=tuple(dev_history),
        best_epoch=int(np.argmax(dev_history)) + 1,
        fusion_parameters=sum(parameter.numel() for parameter in module.fusion.parameters()),
        trained_parameters=sum(parameter.numel() for parameter in module.trained()),
    )


def _train_intermediate(spec: TrialSpec, trunk: Trunk, inputs: TrialInputs, states: HiddenStates | None) -> None:
    """Train ``trunk`` in place on the intermediate task; its head is thrown away (Phang et al. 2020)."""
    encoded = inputs.intermediate[spec.arm]
    training = spec.training.model_copy(update=spec.intermediate)
    phase = spec.model_copy(update={"kind": "none", "layer": None, "training": training})
    source = TrainedEncoder(trunk, None, training, states)
    module = build_model(phase, INTERMEDIATE[spec.task], inputs, source)
    for _ in epochs(module, inputs, encoded, encoded.rows("train"), "intermediate "):
        pass


def training_rows(spec: TrialSpec, encoded: Encoded) -> Array:
    """English training windows, or those of one half or of a share of the items; a ConfigError for less than a
    batch."""
    rows = encoded.rows("train", "en")
    if spec.half is not None:
        parity = [hashlib.sha256(encoded.item[row].encode()).digest()[0] % 2 for row in rows]
        rows = rows[np.array(parity) == spec.half - 1]
    if spec.share is not None:
        order = [hashlib.sha256(f"share:{encoded.item[row]}".encode()).digest()[:8] for row in rows]
        place = np.array([int.from_bytes(digest, "big") / 2**64 for digest in order])
        rows = rows[place < spec.share]
    if len(rows) < spec.training.batch_size:
        raise ConfigError(
            f"{spec.task} has {len(rows)} training windows, fewer than tasks.{spec.task}.batch_size "
            f"{spec.training.batch_size}; raise sizes.train or lower the batch size"
        )
    return rows


def fit(module: TrainableModel, inputs: TrialInputs, rows: Array) -> tuple[list[float], list[float]]:
    """Train for all epochs and keep the one that is best on English dev (the earliest of equals); gives English
    dev scores (points) and mean losses by epoch."""
    dev: list[float] = []
    losses: list[float] = []
    best: dict[str, Tensor] = {}
    for loss in epochs(module, inputs, inputs.encoded, rows):
        losses.append(loss)
        dev.append(dev_score(module, inputs))
        if module.spec.training.epochs > 1 and dev[-1] > max(dev[:-1], default=-math.inf):
            best = {name: value.detach().clone() for name, value in module.state_dict().items()}
    if best:
        module.load_state_dict(best)
    return dev, losses


def epochs(
    module: TrainableModel, inputs: TrialInputs, encoded: Encoded, rows: Array, phase: str = ""
) -> Iterator[float]:
    """Train on windows epoch by epoch, giving out each one's mean loss; a TrialFailure where one is not finite.

    AdamW, linear decay to 0 without warm-up, gradients clipped to norm ``clip`` (XTREME's settings). ``phase``
    names the random streams for data order and dropout.
    """
    training = module.spec.training
    steps = training.epochs * (len(rows) // training.batch_size)
    optimiser = build_optimiser(module)
    decay = LambdaLR(optimiser, lambda step: 1 - step / steps)
    order = np.random.default_rng(stream(module.spec, f"{phase}order"))
    torch.manual_seed(stream(module.spec, f"{phase}dropout"))
    for _ in range(training.epochs):
        batches = training_batches(encoded, rows, training.batch_size, order, inputs.pad_id)
        module.train(True)
        losses = [_step(module, batch.to(inputs.device), optimiser, decay) for batch in batches]
        yield float(torch.stack(losses).mean())


def _step(module: TrainableModel, batch: Batch, optimiser: AdamW, decay: LambdaLR) -> Tensor:
    """One optimiser step; returns the loss.

    Micro-batches count by their labels, so that the gradients they add up to are those of the batch's mean loss.
    """
    training = module.spec.training
    optimiser.zero_grad(set_to_none=True)
    losses: list[Tensor] = []
    for part in micro_batches(batch, module.spec.micro_batch):
        _, logits = module.forward(part)
        loss = nn.functional.cross_entropy(logits, part.labels, label_smoothing=training.label_smoothing)
        if not torch.isfinite(loss):
            raise TrialFailure("nan_loss", f"loss {loss.item()} at learning rate {decay.get_last_lr()[0]:.3g}")
        loss = loss * (len(part.labels) / len(batch.labels))
        loss.backward()  # type: ignore[no-untyped-call]
        losses.append(loss.detach())
    nn.utils.clip_grad_norm_(module.trained(), training.clip)
    optimiser.step()
    decay.step()
    return torch.stack(losses).sum()


def build_optimiser(module: TrainableModel) -> AdamW:
    """AdamW; the fusion module may have a learning rate of its own."""
    training, fusion = module.spec.training, list(module.fusion.parameters())
    ids = {id(parameter) for parameter in fusion}
    groups: list[dict[str, Any]] = [{"params": [p for p in module.trained() if id(p) not in ids]}]
    if fusion:
        groups.append({"params": fusion, "lr": module.spec.fusion.learning_rate or training.learning_rate})
    return AdamW(groups, lr=training.learning_rate, weight_decay=training.weight_decay, fused=True)
