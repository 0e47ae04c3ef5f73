"""A BERT encoder computed with fewer operations than `transformers` takes, for training and prediction.

One product gives query, key and value of a layer; attention is written out; the states between the layers have the
precision of the products; the random numbers of dropout come from `crosslayer.models.dropout`. In float32 the
states are those of `transformers.BertModel` up to rounding (a test holds it).

Notation: B windows, T sub-words, E width, H heads, D = E / H.
"""

from __future__ import annotations

from collections.abc import Iterator
from copy import deepcopy
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from crosslayer.models.dropout import drop

if TYPE_CHECKING:  # takes 5 seconds, that a process which only plans trials does not need
    from transformers import BertConfig, BertModel
    from transformers.models.bert.modeling_bert import BertLayer


class Trunk(nn.Module):
    """Embeddings and layers of an encoder, with a copy of its weights."""

    def __init__(self, model: BertModel) -> None:
        super().__init__()
        embeddings: Any = deepcopy(model.embeddings)
        embeddings.dropout = nn.Identity()
        self.embeddings: nn.Module = embeddings
        self.dropout = float(model.config.hidden_dropout_prob)
        layers: Any = model.encoder.layer
        self.layers = nn.ModuleList(Layer(layer, model.config) for layer in layers)

    def embed(self, ids: Tensor, types: Tensor) -> Tensor:
        """States of layer 0, (B, T, E), for ``ids`` and ``types`` (B, T)."""
        embedded: Tensor = self.embeddings(input_ids=ids, token_type_ids=types)
        return drop(embedded, self.dropout) if self.embeddings.training else embedded

    def run(self, hidden: Tensor, mask: Tensor, first: int = 0) -> Iterator[Tensor]:
        """States of layers ``first`` + 1 to the last from those of layer ``first`` (0: the embeddings), (B, T, E)
        each; ``mask`` is true at real sub-words, (B, T)."""
        device = hidden.device.type
        if torch.is_autocast_enabled(device):
            hidden = hidden.to(torch.get_autocast_dtype(device))
        hide = hidden.new_zeros(mask.shape).masked_fill_(~mask, -torch.inf)
        for layer in self.layers[first:]:
            hidden = layer(hidden, hide)
            yield hidden

    def rounded(self, precision: torch.dtype) -> Trunk:
        """A copy for prediction whose layers hold their weights in ``precision``, so that no batch casts them."""
        copied = deepcopy(self, {id(self.embeddings): self.embeddings})
        copied.layers.to(precision)
        return copied


class Layer(nn.Module):
    """One layer of BERT (Devlin et al. 2019): attention and feed-forward, each with residual and normalisation."""

    def __init__(self, layer: BertLayer, config: BertConfig) -> None:
        super().__init__()
        attention = layer.attention.self
        self.projection = _side_by_side([attention.query, attention.key, attention.value])
        self.attended = deepcopy(layer.attention.output.dense)
        self.attended_norm = deepcopy(layer.attention.output.LayerNorm)
        self.inner = deepcopy(layer.intermediate.dense)
        self.activation = layer.intermediate.intermediate_act_fn
        self.outer = deepcopy(layer.output.dense)
        self.outer_norm = deepcopy(layer.output.LayerNorm)
        self.heads = int(config.num_attention_heads)
        self.attention_dropout = float(config.attention_probs_dropout_prob)
        self.dropout = float(config.hidden_dropout_prob)

    def forward(self, hidden: Tensor, hide: Tensor) -> Tensor:
        """(B, T, E) -> (B, T, E); ``hide`` (B, T) is added to the scores of each key: 0, or -inf at padding."""
        attended = self.attended(self.attend(self.projection(hidden), hide))
        hidden = self.attended_norm(hidden + self.drop(attended, self.dropout)).to(hidden.dtype)
        outer = self.outer(self.activation(self.inner(hidden)))
        result: Tensor = self.outer_norm(hidden + self.drop(outer, self.dropout)).to(hidden.dtype)
        return result

    def attend(self, projected: Tensor, hide: Tensor) -> Tensor:
        """softmax(QKᵀ / √D + hide) V, (B, T, E), for queries, keys and values side by side (B, T, 3E)."""
        n_windows, length, width = projected.shape
        size = width // (3 * self.heads)
        split = projected.view(n_windows, length, 3, self.heads, size).permute(2, 0, 3, 1, 4)
        query, key, value = split.reshape(3, n_windows * self.heads, length, size)  # (B * H, T, D) each
        added = hide.repeat_interleave(self.heads, dim=0).unsqueeze(1)  # (B * H, 1, T)
        scores = torch.baddbmm(added, query, key.transpose(1, 2), alpha=size**-0.5)  # (B * H, T, T)
        wide = torch.promote_types(scores.dtype, torch.float32)  # in which torch's is also faster on a CPU
        weights = scores.softmax(dim=-1, dtype=wide).to(value.dtype)
        found: Tensor = self.drop(weights, self.attention_dropout) @ value
        return found.view(n_windows, self.heads, length, size).transpose(1, 2).reshape(n_windows, length, -1)

    def drop(self, x: Tensor, p: float) -> Tensor:
        """Dropout in training mode."""
        return drop(x, p) if self.training else x


def _side_by_side(maps: list[nn.Linear]) -> nn.Linear:
    """Linear maps of one input as one map, their outputs side by side."""
    with torch.no_grad():
        joined = deepcopy(maps[0])
        joined.weight = nn.Parameter(torch.cat([part.weight for part in maps]))
        joined.bias = nn.Parameter(torch.cat([part.bias for part in maps]))
    joined.out_features = len(joined.weight)
    return joined
