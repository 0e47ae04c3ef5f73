"""A bar on a terminal, plain lines in a log."""

from __future__ import annotations

import sys
import time
from typing import Self

from tqdm import tqdm


class Progress:
    """Progress over a known number of steps, written to standard error.

    Args:
        title: what is done.
        total: number of steps.
    """

    def __init__(self, title: str, total: int) -> None:
        self.title, self.total, self.done = title, total, 0
        self.start = time.monotonic()
        self._bar = tqdm(total=total, desc=title, file=sys.stderr, disable=None if total else True)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._bar.close()

    def advance(self, text: str) -> None:
        """One step is finished; ``text`` says which."""
        self.done += 1
        if not self._bar.disable:
            self._bar.set_postfix_str(text, refresh=False)
            self._bar.update()
            return
        left = (time.monotonic() - self.start) / self.done * (self.total - self.done)
        print(f"{self.title} {self.done}/{self.total}, {left:.0f} s left: {text}", file=sys.stderr, flush=True)
