"""Encoder and head.

Notation: B windows, T sub-words, E width, P predicted positions, K labels.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from crosslayer.config import TaskSpec
from crosslayer.models.trunk import Trunk
from crosslayer.tasks import Task
from crosslayer.windows.batching import Batch
from crosslayer.windows.encoded import Array

Hidden = tuple[Tensor, Tensor]
"""The lower layer and the last one, each (B, T, E)."""


class Head(nn.Module):
    """The ordinary task classifier on top of the fused embeddings.

    A tag task classifies each predicted sub-word: dropout, linear. A sentence task pools first, the first sub-word
    or the mean over the real ones, as BERT does: dense, tanh, dropout, linear (Devlin et al. 2019, section 4.1).
    """

    def __init__(self, width: int, task: Task, training: TaskSpec) -> None:
        super().__init__()
        pair = task.kind == "pair"
        self.pooling = training.pooling if pair else None
        self.dense = nn.Linear(width, width) if pair else None
        self.dropout = nn.Dropout(training.dropout)
        self.output = nn.Linear(width, len(task.labels))

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
        settings: how many of the highest layers are trained, and whether the embeddings are if all layers are.
            What stays as it is runs without dropout.
        states: hidden states of the frozen layers for the batches to come, so that they need not run again.
    """

    def __init__(
        self, trunk: Trunk, layer: int | None, settings: TaskSpec, states: HiddenStates | None = None
    ) -> None:
        super().__init__()
        self.trunk, self.layer, self.settings, self.states = trunk, layer, settings, states
        self.n_frozen = frozen_layers(len(trunk.layers), settings.trainable_layers)
        self.train_embeddings = settings.train_embeddings and not self.n_frozen
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
        return TrainedEncoder(self.trunk.rounded(precision), self.layer, self.settings, self.states).eval()

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
