"""What is measured besides trials; each runs in a process of its own."""

from __future__ import annotations

import math
import resource
import time
from collections.abc import Callable
from pathlib import Path

import torch
from torch import nn

from claimtrack.registry import load_registry
from crosslayer.ledger.ledger import derive_again
from crosslayer.paper.plugin import measures


def derive(entry: Path) -> tuple[float, float]:
    """Seconds and megabytes of deriving one entry of the ledger."""
    measured = measures(load_registry().entries)
    start = time.perf_counter()
    derive_again(entry, measured)
    return time.perf_counter() - start, peak_megabytes()


def peak_megabytes() -> float:
    """The most memory that this process had, or on a GPU torch."""
    if torch.cuda.is_available():
        return torch.cuda.max_memory_allocated() / 2**20
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**10


def clock(threads: int) -> Callable[[], float]:
    """Seconds that pass; of one thread on a CPU those that it computes, which other programs do not lengthen."""
    return time.process_time if threads == 1 and not torch.cuda.is_available() else time.perf_counter


SUBWORDS = (720, 1024, 2048)
"""Of a training batch of sentence pairs, between, and of a prediction batch."""
Rates = dict[tuple[int, int, int], float]
"""FLOP/s by (M, K, N)."""


def matmul_rates(threads: int, width: int = 384, precision: str = "float32") -> Rates:
    """FLOP/s of products (M, K) by (K, N) at the shapes that occur in a layer, best of 30: query, key and value
    together, output, both of the feed-forward block."""
    torch.set_num_threads(threads)
    shapes = ((width, 3 * width), (width, width), (width, 4 * width), (4 * width, width))
    dtype = getattr(torch, precision)
    return {(m, k, n): _rate(m, k, n, threads, dtype) for m in SUBWORDS for k, n in shapes}


def matmul_rate(threads: int, width: int = 384, precision: str = "float32") -> float:
    """FLOP/s of all products of a layer together, over the batches of `SUBWORDS`."""
    rates = matmul_rates(threads, width, precision)
    flops = {shape: float(math.prod(shape)) for shape in rates}
    return sum(flops.values()) / sum(flops[shape] / rate for shape, rate in rates.items())


def _rate(m: int, k: int, n: int, threads: int, dtype: torch.dtype) -> float:
    device = "cuda" if torch.cuda.is_available() else "cpu"
    left, right = (torch.randn(rows, k, device=device, dtype=dtype) for rows in (m, n))
    best, now = float("inf"), clock(threads)
    for _ in range(30):
        start = now()
        nn.functional.linear(left, right)
        if device == "cuda":
            torch.cuda.synchronize()
        best = min(best, now() - start)
    return 2 * m * k * n / best
