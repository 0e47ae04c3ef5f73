"""What is measured besides trials; each runs in a process of its own."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import torch

from benchmarks.contenders import peak_megabytes
from claimtrack.registry import load_registry
from crosslayer.ledger.ledger import derive_again


def derive(entry: Path) -> tuple[float, float]:
    """Seconds and megabytes of deriving one entry of the ledger."""
    registry = load_registry()
    start = time.perf_counter()
    derive_again(entry, registry)
    return time.perf_counter() - start, peak_megabytes()


def clock(threads: int) -> Callable[[], float]:
    """Seconds that pass; of one thread on a CPU those that it computes, which other programs do not lengthen."""
    return time.process_time if threads == 1 and not torch.cuda.is_available() else time.perf_counter


def matmul_rate(threads: int, width: int = 384, precision: str = "float32") -> float:
    """FLOP/s of products of a feed-forward layer's shape, (4096, E) by (E, 4E), best of 30."""
    torch.set_num_threads(threads)
    device, dtype = "cuda" if torch.cuda.is_available() else "cpu", getattr(torch, precision)
    left = torch.randn(4096, width, device=device, dtype=dtype)
    right = torch.randn(width, 4 * width, device=device, dtype=dtype)
    best, now = float("inf"), clock(threads)
    for _ in range(30):
        start = now()
        left @ right
        if device == "cuda":
            torch.cuda.synchronize()
        best = min(best, now() - start)
    return 2 * 4096 * width * 4 * width / best
