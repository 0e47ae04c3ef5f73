"""How far something long is: a line a step."""

from __future__ import annotations

import itertools
import sys
import time
from collections.abc import Callable


def progress(title: str, total: int) -> Callable[[str], None]:
    """What to call after each of ``total`` steps, with words for it; it writes a line to standard error."""
    start, steps = time.monotonic(), itertools.count(1)

    def advance(text: str) -> None:
        done = next(steps)
        left = (time.monotonic() - start) / done * (total - done)
        print(f"{title} {done}/{total}, {left:.0f} s left: {text}", file=sys.stderr, flush=True)

    return advance
