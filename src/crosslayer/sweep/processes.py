"""Long work that must not outlive the command that started it, nor run twice in one place."""

from __future__ import annotations

import multiprocessing
import os
import signal
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import NoReturn

import psutil
from filelock import FileLock, Timeout

from claimtrack.errors import ResultsError

SUPERVISORS = ("dvc", "make")
"""Programs whose death ends the work below them."""
INTERVAL = 1.0
"""Seconds between two looks."""


@contextmanager
def exclusive(folder: Path) -> Iterator[None]:
    """Hold a folder for this process alone, or end in a ResultsError; the lock goes with the process, however it
    ends."""
    folder.mkdir(parents=True, exist_ok=True)
    try:
        with FileLock(folder / ".lock", timeout=0):
            yield
    except Timeout:
        raise ResultsError(f"{folder} is being written by another process; wait for it or stop it") from None


def die_with_supervisors() -> None:
    """End this process within about a second after any ``dvc`` or ``make`` above it has gone.

    A killed ``dvc repro`` cannot tell its stage to stop, and a stage that goes on would train beside the next
    attempt. A shell that closes is no reason to stop: only the supervisors are watched, and what lies between.
    """
    chain = psutil.Process().parents()
    last = max((i for i, process in enumerate(chain) if _supervises(process)), default=None)
    if last is not None:
        _end_after_any(chain[: last + 1])


def end_with_parent() -> None:
    """End this process, one of a pool's workers, when the process that started it has gone, however that ended."""
    parent = multiprocessing.parent_process()
    assert parent is not None
    _end_after_any([psutil.Process(parent.pid)])


def _end_after_any(processes: list[psutil.Process]) -> None:
    def watch() -> None:
        while all(map(_alive, processes)):
            time.sleep(INTERVAL)
        os._exit(1)

    threading.Thread(target=watch, daemon=True, name="watch").start()


def end(code: int) -> NoReturn:
    """End this process and all that it started, at once: a pool of workers would first finish what it has begun.

    Nothing is lost: a trial's folder is there when it is whole, and only then.
    """
    for process in psutil.Process().children(recursive=True):
        with suppress(psutil.NoSuchProcess):
            process.kill()
    os._exit(code)


def end_on_signals() -> None:
    """End this process and all that it started on SIGTERM, and on SIGINT with a line for the user.

    An exception in its place would first wait for the workers of a pool, or come in the middle of an import.
    """
    signal.signal(signal.SIGTERM, lambda *_: end(143))
    signal.signal(signal.SIGINT, _interrupted)


def _interrupted(*_: object) -> None:
    sys.stderr.write("interrupted; the same command goes on where it stopped\n")
    sys.stderr.flush()
    end(130)


def _alive(process: psutil.Process) -> bool:
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def _supervises(process: psutil.Process) -> bool:
    try:
        words = {Path(word).name for word in process.cmdline()[:3]}
    except psutil.Error:
        return False
    return bool(words & set(SUPERVISORS))
