"""A bar with an estimate on a terminal, plain lines in a log."""

from __future__ import annotations

import sys
import time
from importlib.util import find_spec
from types import TracebackType
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from rich.progress import Progress as RichProgress


class Progress:
    """Progress over a known number of steps, written to standard error.

    Args:
        title: what is done.
        total: number of steps.
    """

    def __init__(self, title: str, total: int) -> None:
        self.title = title
        self.total = total
        self.done = 0
        self.start = time.monotonic()
        self._bar = _bar() if sys.stderr.isatty() and total and find_spec("rich") else None

    def __enter__(self) -> Self:
        if self._bar:
            self._bar.start()
            self._task = self._bar.add_task(self.title, total=self.total, last="")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._bar:
            self._bar.stop()

    def advance(self, text: str) -> None:
        """One step is finished; ``text`` says which."""
        self.done += 1
        if self._bar:
            self._bar.update(self._task, advance=1, last=text)
            return
        left = (time.monotonic() - self.start) / self.done * (self.total - self.done)
        sys.stderr.write(f"{self.title} {self.done}/{self.total}, {left:.0f} s left: {text}\n")
        sys.stderr.flush()


def _bar() -> RichProgress:
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeElapsedColumn,
        TimeRemainingColumn,
    )

    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
        TextColumn("{task.fields[last]}", style="dim"),
        console=Console(stderr=True),
    )
