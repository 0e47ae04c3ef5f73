"""A bar on a terminal, plain lines in a log."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from tqdm import tqdm


@contextmanager
def progress(title: str, total: int) -> Iterator[Callable[[str], None]]:
    """Progress over a known number of steps, written to standard error; gives what is called after each step with
    a text that says which."""
    start, done = time.monotonic(), 0
    with tqdm(total=total, desc=title, file=sys.stderr, disable=None if total else True) as bar:

        def advance(text: str) -> None:
            nonlocal done
            done += 1
            if not bar.disable:
                bar.set_postfix_str(text, refresh=False)
                bar.update()
                return
            left = (time.monotonic() - start) / done * (total - done)
            print(f"{title} {done}/{total}, {left:.0f} s left: {text}", file=sys.stderr, flush=True)

        yield advance
