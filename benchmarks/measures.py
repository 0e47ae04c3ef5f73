"""What is measured besides trials; each runs in a process of its own."""

from __future__ import annotations

import time
from pathlib import Path

import torch

from benchmarks.contenders import peak_megabytes
from crosslayer.claims.ledger import derive_again
from crosslayer.claims.registry import load_registry


def derive(entry: Path) -> tuple[float, float]:
    """Seconds and megabytes of deriving one entry of the ledger."""
    registry = load_registry()
    start = time.perf_counter()
    derive_again(entry, registry)
    return time.perf_counter() - start, peak_megabytes()


def matmul_rate(threads: int) -> float:
    """FLOP/s of float32 products of a feed-forward layer's shape, (4096, 384) by (384, 1536), best of 30."""
    torch.set_num_threads(threads)
    device = "cuda" if torch.cuda.is_available() else "cpu"
    left, right = torch.randn(4096, 384, device=device), torch.randn(384, 1536, device=device)
    best = float("inf")
    for _ in range(30):
        start = time.perf_counter()
        left @ right
        if device == "cuda":
            torch.cuda.synchronize()
        best = min(best, time.perf_counter() - start)
    return 2 * 4096 * 384 * 1536 / best
