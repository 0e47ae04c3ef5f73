"""Dropout that is fast on a CPU, where torch draws random numbers one by one.

``torch.nn.functional.dropout`` takes 7 nanoseconds a number there, a sixth of a training step. Here 64 random bits
decide on four numbers: a number is dropped if its 16 bits, as an integer, are among the lowest
``round(p * 65536)``, so that p is rounded to 1/65536.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

LEVELS = 2**16


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
