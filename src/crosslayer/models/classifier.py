"""Encoder, fusion and head.

Notation: B windows, T sub-words, E width, P predicted positions, K labels.
"""

from __future__ import annotations

from collections.abc import Iterator
from copy import copy
from typing import Literal, Protocol

import torch
from torch import Tensor, nn
from transformers import BertModel

from crosslayer.models.dropout import use_fast_dropout
from crosslayer.windows.batching import Batch

Hidden = tuple[Tensor, Tensor]
"""The lower layer and the last one, each (B, T, E)."""


class Head(nn.Module):
    """The ordinary task classifier on top of the fused embeddings.

    A tag task classifies each predicted sub-word: dropout, linear. A sentence task pools first, as BERT does:
    dense, tanh, dropout, linear (Devlin et al. 2019, section 4.1).

    Args:
        width: E.
        n_labels: K.
        pair: whether the task is a sentence task.
        pooling: the first sub-word, or the mean over the real ones.
        dropout: probability.
    """

    def __init__(
        self, width: int, n_labels: int, *, pair: bool, pooling: Literal["first", "mean"], dropout: float
    ) -> None:
        super().__init__()
        self.pooling = pooling if pair else None
        self.dense = nn.Linear(width, width) if pair else None
        self.dropout = nn.Dropout(dropout)
        self.output = nn.Linear(width, n_labels)

    def forward(self, fused: Tensor, batch: Batch) -> Tensor:
        """Logits (P, K) at the predicted positions."""
        chosen = pool(fused, batch.mask) if self.pooling == "mean" else fused[batch.row, batch.position]
        if self.dense is not None:
            chosen = torch.tanh(self.dense(chosen))
        logits: Tensor = self.output(self.dropout(chosen))
        return logits


def pool(fused: Tensor, mask: Tensor) -> Tensor:
    """Mean over the real sub-words, (B, E)."""
    weight = mask.to(fused.dtype).unsqueeze(-1)
    return (fused * weight).sum(1) / weight.sum(1)


class Classifier(nn.Module):
    """Fusion and head; the encoder is outside, so that frozen trials can do without it.

    Args:
        fusion: called with the lower layer, the last layer and the mask.
        head: the task classifier.
    """

    def __init__(self, fusion: nn.Module, head: Head) -> None:
        super().__init__()
        self.fusion = fusion
        self.head = head

    def forward(self, hidden: Hidden, batch: Batch) -> tuple[Tensor, Tensor]:
        """Fused embeddings (B, T, E) in float32 and logits (P, K), in bfloat16 where a trial is."""
        fused = self.fusion(*hidden, batch.mask).float()
        return fused, self.head(fused, batch)


class States(Protocol):
    """Hidden states that were computed before."""

    def get(self, layer: int, batch: Batch) -> Tensor:
        """The states of one layer for a batch, (B, T, E)."""


class Given(nn.Module):
    """Stands for the embeddings of a trunk whose lower layers need not run: gives out what was put into it."""

    states: Tensor

    def forward(self, **inputs: object) -> Tensor:
        """The states, (B, T, E)."""
        return self.states


class TrainedEncoder(nn.Module):
    """The encoder as a source of hidden states.

    Args:
        model: the encoder; its layers are trained in place.
        layer: the lower layer to give out; ``None`` gives the last layer twice.
        trainable_layers: how many of the top layers are trained (``None``: all); the layers below stay as
            they are and run without dropout.
        train_embeddings: whether the embeddings are trained; only if all layers are.
        states: hidden states of the frozen layers for the batches to come, so that they need not run again.
    """

    def __init__(
        self,
        model: BertModel,
        layer: int | None,
        trainable_layers: int | None,
        train_embeddings: bool,
        states: States | None = None,
    ) -> None:
        super().__init__()
        use_fast_dropout(model)
        self.layer = layer
        self.states = states
        self.n_frozen = frozen_layers(len(model.encoder.layer), trainable_layers)
        frozen: list[nn.Module] = list(model.encoder.layer[: self.n_frozen])
        if self.n_frozen or not train_embeddings:
            frozen.append(model.embeddings)
        for module in frozen:
            module.requires_grad_(False)
        self._frozen = frozen
        self._given = Given()
        self.model = model if states is None else _upper(model, self.n_frozen, self._given)

    def train(self, mode: bool = True) -> TrainedEncoder:
        """Training mode for the trained part only."""
        super().train(mode)
        for module in self._frozen:
            module.eval()
        return self

    def trained_parameters(self) -> Iterator[nn.Parameter]:
        """The parameters that are trained."""
        return (parameter for parameter in self.parameters() if parameter.requires_grad)

    def forward(self, batch: Batch) -> Hidden:
        """Hidden states of the two layers."""
        below = 0
        if self.states is not None:
            below = self.n_frozen
            self._given.states = self.states.get(below, batch)
        inside = self.layer is not None and self.layer >= below
        output = self.model(
            input_ids=batch.ids,
            token_type_ids=batch.types,
            attention_mask=batch.mask.long(),
            output_hidden_states=inside,
        )
        last = output.last_hidden_state
        if self.layer is None:
            return last, last
        if self.states is not None and not inside:
            return self.states.get(self.layer, batch), last
        return output.hidden_states[self.layer - below], last


def frozen_layers(n_layers: int, trainable_layers: int | None) -> int:
    """How many layers stay as they are."""
    return 0 if trainable_layers is None else max(0, n_layers - trainable_layers)


def _upper(model: BertModel, n_frozen: int, given: Given) -> BertModel:
    """The same model without its ``n_frozen`` lower layers and embeddings; the other modules are shared."""
    upper = copy(model)
    upper._modules = dict(model._modules)
    upper.encoder = copy(model.encoder)
    upper.encoder._modules = dict(model.encoder._modules)
    upper.encoder.layer = nn.ModuleList(model.encoder.layer[n_frozen:])
    upper._modules["embeddings"] = given
    return upper
