"""Encoder, fusion and head.

Notation: B windows, T sub-words, E width, P predicted positions, K labels.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

import torch
from torch import Tensor, nn
from transformers import BertModel

from crosslayer.data.batching import Batch

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
        """Fused embeddings (B, T, E) and logits (P, K), both float32."""
        fused = self.fusion(*hidden, batch.mask).float()
        return fused, self.head(fused, batch)


class TrainedEncoder(nn.Module):
    """The encoder as a source of hidden states.

    Args:
        model: the encoder.
        layer: the lower layer to give out; ``None`` gives the last layer twice.
        trainable_layers: how many of the top layers are trained (``None``: all); the layers below stay as
            they are and run without dropout.
        train_embeddings: whether the embeddings are trained; only if all layers are.
    """

    def __init__(
        self, model: BertModel, layer: int | None, trainable_layers: int | None, train_embeddings: bool
    ) -> None:
        super().__init__()
        self.model = model
        self.layer = layer
        n_layers = len(model.encoder.layer)
        n_frozen = 0 if trainable_layers is None else max(0, n_layers - trainable_layers)
        self._frozen: list[nn.Module] = list(model.encoder.layer[:n_frozen])
        if n_frozen or not train_embeddings:
            self._frozen.append(model.embeddings)
        for module in self._frozen:
            module.requires_grad_(False)

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
        output = self.model(
            input_ids=batch.ids,
            token_type_ids=batch.types,
            attention_mask=batch.mask.long(),
            output_hidden_states=self.layer is not None,
        )
        last = output.last_hidden_state
        return (output.hidden_states[self.layer] if self.layer is not None else last), last
