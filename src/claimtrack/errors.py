"""Everything that claimtrack raises on purpose; a project's own errors are `UserError` too.

ClaimtrackError
└── UserError            something the user can mend; shown as one line, exit code 2
    ├── ClaimError       registry, settings, evidence, pins, notebook parameters
    └── ResultsError     measured values, trials, recorded runs
"""

from __future__ import annotations

import errno
import os
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from io import TextIOWrapper
from pathlib import Path

MAX_CHARACTERS = 2000
"""Of one error line."""


class ClaimtrackError(Exception):
    """Base of all errors raised on purpose."""


class UserError(ClaimtrackError):
    """Wrong input: one line that says what is wrong, where, and what to do.

    What it quotes may come from anybody: control characters become spaces, and the end is cut off.
    """

    def __init__(self, message: str) -> None:
        super().__init__("".join(sign if sign.isprintable() else " " for sign in message[:MAX_CHARACTERS]))


class ClaimError(UserError):
    """The registry, the settings, an evidence file, a pin or a notebook parameter is wrong."""


class ResultsError(UserError):
    """Measured values, trials or recorded runs are damaged or inconsistent."""


REMEDIES = {
    errno.ENOSPC: "free some space",
    errno.EDQUOT: "free some space",
    errno.EFBIG: "raise the limit on the size of files",
    errno.EROFS: "make it writable",
    errno.EACCES: "correct its permissions",
    errno.EPERM: "correct its permissions",
    errno.EIO: "check the disk",
    errno.ENAMETOOLONG: "choose a shorter name",
}
"""What to do about the errors of a file system that are no mistake of the program."""


@contextmanager
def in_one_line(where: str = "") -> Iterator[None]:
    """End the program on an error with one line and exit code 2.

    Letters that the terminal's encoding does not have are printed as escapes. An error of the system that
    `REMEDIES` does not know is raised again.

    Args:
        where: the file or folder, if an error of the system does not know it.
    """
    if isinstance(sys.stdout, TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")
    try:
        yield
    except (ClaimtrackError, OSError) as error:
        line = str(error)
        if isinstance(error, OSError):
            if error.errno not in REMEDIES:
                raise
            place = error.filename or where or "a file"
            line = f"{place}: {os.strerror(error.errno)}; {REMEDIES[error.errno]} and run the same command again"
        sys.stderr.write(f"error: {line}\n")
        sys.exit(2)


def own_place(frames: Iterable[tuple[str, int]], project: Path) -> str:
    """``FILE:LINE`` of the last frame in the project's own code, where claimtrack does not count; else empty."""
    for name, line in reversed(list(frames)):
        path = Path(name).expanduser().resolve()
        inside = path.is_file() and path.is_relative_to(project) and "site-packages" not in path.parts
        if inside and not path.is_relative_to(Path(__file__).resolve().parent):
            return f"{path.relative_to(project)}:{line}"
    return ""
