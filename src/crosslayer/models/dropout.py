"""Dropout of the trunk on a CPU, where torch draws its random numbers one by one.

``torch.nn.functional.dropout`` takes 7 nanoseconds a number there, a sixth of a whole training step, and attention
with dropout takes a slow path of its own. Here 64 random bits decide on four numbers: a number is dropped if its
16 bits, as an integer, are among the lowest ``round(p * 65536)``; p is so rounded to 1/65536.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from transformers import AttentionInterface, AttentionMaskInterface, BertModel
from transformers.integrations.sdpa_attention import sdpa_attention_forward
from transformers.masking_utils import sdpa_mask

ATTENTION = "crosslayer"
LEVELS = 2**16


class Dropout(nn.Dropout):
    """`torch.nn.Dropout` with `drop`."""

    def forward(self, x: Tensor) -> Tensor:
        """Any shape."""
        return drop(x, self.p) if self.training else x


def drop(x: Tensor, p: float) -> Tensor:
    """x, each number either zero, with probability p, or divided by 1 - p; of any shape and floating type."""
    if x.device.type != "cpu":
        return nn.functional.dropout(x, p)
    dropped = round(p * LEVELS)
    if dropped == 0:
        return x
    bits = torch.empty(-(-x.numel() // 4), dtype=torch.int64).random_(-(2**63), None)
    kept = bits.view(torch.int16)[: x.numel()].view(x.shape) >= dropped - LEVELS // 2
    return x * kept.to(x.dtype).mul_(LEVELS / (LEVELS - dropped))


def attend(
    module: nn.Module,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attention_mask: Tensor | None,
    dropout: float = 0.0,
    scaling: float | None = None,
    **options: Any,
) -> tuple[Tensor, Tensor | None]:
    """softmax(query keyᵀ · scaling) value, as `transformers` calls it.

    Args:
        query, key, value: (B, heads, T, E / heads).
        attention_mask: true where a sub-word may look, (B, 1, T or 1, T).
        dropout: probability, of the attention weights.
        scaling: of the products; the root of 1 / (E / heads) if ``None``.

    Returns:
        (B, T, heads, E / heads), and ``None`` for the weights.
    """
    if not dropout or query.device.type != "cpu":
        return sdpa_attention_forward(
            module, query, key, value, attention_mask, dropout=dropout, scaling=scaling, **options
        )
    products = (query * (scaling or query.shape[-1] ** -0.5)) @ key.transpose(2, 3)
    if attention_mask is not None:
        hidden = ~attention_mask[:, :, :1]  # an encoder shows a sub-word to all or to none
        products = products + products.new_zeros(hidden.shape).masked_fill_(hidden, -torch.inf)
    weights = drop(products.softmax(dim=-1), dropout)
    return (weights @ value).transpose(1, 2), None


AttentionInterface.register(ATTENTION, attend)
AttentionMaskInterface.register(ATTENTION, sdpa_mask)


def use_fast_dropout(model: BertModel) -> None:
    """Let every layer of ``model`` draw as above; what it computes in evaluation mode stays the same."""
    model.set_attn_implementation(ATTENTION)
    for module in model.modules():
        for name, child in module.named_children():
            if type(child) is nn.Dropout:
                setattr(module, name, Dropout(child.p).train(child.training))
