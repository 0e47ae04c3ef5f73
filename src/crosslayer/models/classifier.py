"""Encoder, fusion and head.

Notation: B windows, T sub-words, E width, P predicted positions, K labels.
"""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor, nn

from crosslayer.models.trunk import Trunk
from crosslayer.windows.batching import Batch
from crosslayer.windows.encoded import Array

Hidden = tuple[Tensor, Tensor]
"""The lower layer and the last one, each (B, T, E)."""


class Head(nn.Module):
    """The ordinary task classifier on top of the fused embeddings.

    A tag task classifies each predicted sub-word: dropout, linear. A sentence task pools first, as BERT does:
    dense, tanh, dropout, linear (Devlin et al. 2019, section 4.1).

    Args:
        pair: whether the task is a sentence task.
        pooling: the first sub-word, or the mean over the real ones.
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
    """Fusion and head; the encoder is outside, so that frozen trials can do without it."""

    def __init__(self, fusion: nn.Module, head: Head) -> None:
        super().__init__()
        self.fusion = fusion
        self.head = head

    def forward(self, hidden: Hidden, batch: Batch) -> tuple[Tensor, Tensor]:
        """Fused embeddings (B, T, E) in float32 and logits (P, K), in bfloat16 where a trial is."""
        fused = self.fusion(*hidden, batch.mask).float()
        return fused, self.head(fused, batch)


class HiddenStates:
    """Hidden states of some layers for all windows of a table.

    Args:
        layers: layer numbers; 0 are the embeddings.
        states: by layer, (tokens + 1, E); the last row is zero and stands for padding.
        offsets: (W,) row of each window's first sub-word.
    """

    def __init__(self, states: dict[int, Tensor], offsets: Array) -> None:
        self.states = states
        self.offsets = torch.from_numpy(offsets)

    def get(self, layer: int, batch: Batch) -> Tensor:
        """The states of one layer for a batch, (B, T, E)."""
        state = self.states[layer]
        step = torch.arange(batch.ids.shape[1], device=batch.ids.device)
        index = self.offsets[torch.from_numpy(batch.windows)].to(batch.ids.device)[:, None] + step
        return state[torch.where(batch.mask, index, len(state) - 1)]


class TrainedEncoder(nn.Module):
    """The encoder as a source of hidden states.

    Args:
        trunk: its layers are trained in place.
        layer: the lower layer to give out; ``None`` gives the last layer twice.
        n_frozen: how many of the lowest layers stay as they are; they run without dropout.
        train_embeddings: whether the embeddings are trained; only if all layers are.
        states: hidden states of the frozen layers for the batches to come, so that they need not run again.
    """

    def __init__(
        self,
        trunk: Trunk,
        layer: int | None,
        n_frozen: int = 0,
        train_embeddings: bool = True,
        states: HiddenStates | None = None,
    ) -> None:
        super().__init__()
        self.trunk, self.layer, self.n_frozen, self.states = trunk, layer, n_frozen, states
        self.train_embeddings = train_embeddings and not n_frozen
        trunk.requires_grad_(True)
        for module in self._frozen():
            module.requires_grad_(False)

    def _frozen(self) -> list[nn.Module]:
        frozen: list[nn.Module] = list(self.trunk.layers[: self.n_frozen])
        return frozen if self.train_embeddings else [self.trunk.embeddings, *frozen]

    def train(self, mode: bool = True) -> TrainedEncoder:
        """Training mode for the trained part only."""
        super().train(mode)
        for module in self._frozen():
            module.eval()
        return self

    def rounded(self, precision: torch.dtype) -> TrainedEncoder:
        """A copy for prediction: see `Trunk.rounded`."""
        trunk = self.trunk.rounded(precision)
        return TrainedEncoder(trunk, self.layer, self.n_frozen, self.train_embeddings, self.states).eval()

    def forward(self, batch: Batch) -> Hidden:
        """Hidden states of the two layers."""
        if self.states is None:
            first, hidden = 0, self.trunk.embed(batch.ids, batch.types)
        else:
            first, hidden = self.n_frozen, self.states.get(self.n_frozen, batch)
        states = [hidden, *self.trunk.run(hidden, batch.mask, first)]
        if self.layer is None:
            return states[-1], states[-1]
        if self.states is not None and self.layer < first:
            return self.states.get(self.layer, batch), states[-1]
        return states[self.layer - first], states[-1]


def frozen_layers(n_layers: int, trainable_layers: int | None) -> int:
    """How many layers stay as they are."""
    return 0 if trainable_layers is None else max(0, n_layers - trainable_layers)
