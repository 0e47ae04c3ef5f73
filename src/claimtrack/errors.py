"""Everything that crosslayer raises on purpose.

CrosslayerError
├── UserError            something the user can mend; shown as one line, exit code 2
│   ├── ConfigError      profile, parameter or command line
│   ├── DataError        a data file: which file, which line
│   ├── EncoderError     encoder files or identifiers
│   ├── ClaimError       registry, evidence, pins, notebook parameters
│   └── ResultsError     trials, predictions, ledger
└── TrialFailure         a trial that ended without a usable result (its ``outcome`` says how)
"""

from __future__ import annotations

import errno
import os
import sys
from typing import NoReturn

MOST_SIGNS = 2000
"""Of one error line."""


class CrosslayerError(Exception):
    """Base of all errors raised on purpose."""


class UserError(CrosslayerError):
    """Wrong input: one line that says what is wrong, where, and what to do.

    What it quotes may come from anybody: signs that a terminal would obey become spaces, and the end is cut off.
    """

    def __init__(self, message: str) -> None:
        super().__init__("".join(sign if sign.isprintable() else " " for sign in message[:MOST_SIGNS]))


class ConfigError(UserError):
    """A profile or an argument is wrong."""


class DataError(UserError):
    """A data file is missing or malformed."""


class EncoderError(UserError):
    """An encoder cannot be loaded or is not the one that was asked for."""


class ClaimError(UserError):
    """The registry, an evidence file, a pin or a notebook parameter is wrong."""


class ResultsError(UserError):
    """Trials, predictions or the ledger are damaged or inconsistent."""


class TrialFailure(CrosslayerError):
    """A trial ended without a usable result.

    Args:
        outcome: the name under which the failure is recorded, for example ``nan_loss``.
        detail: what was seen, for the log.
    """

    def __init__(self, outcome: str, detail: str) -> None:
        super().__init__(outcome, detail)
        self.outcome = outcome
        self.detail = detail

    def __str__(self) -> str:
        return f"{self.outcome}: {self.detail}"


REMEDIES = {
    errno.ENOSPC: "free some space",
    errno.EDQUOT: "free some space",
    errno.EFBIG: "raise the limit on the size of files",
    errno.EROFS: "make it writable",
    errno.EACCES: "correct its permissions",
    errno.EPERM: "correct its permissions",
    errno.EIO: "check the disk",
}
"""What to do about the errors of a file system that are no mistake of the program."""


def fail(error: CrosslayerError | OSError, where: str = "") -> NoReturn:
    """End the program with one line and exit code 2.

    Args:
        error: what was raised; one of the system that `REMEDIES` does not know is raised again.
        where: the file or folder, if the error does not know it.
    """
    line = str(error)
    if isinstance(error, OSError):
        if error.errno not in REMEDIES:
            raise error
        place = error.filename or where or "a file"
        line = f"{place}: {os.strerror(error.errno)}; {REMEDIES[error.errno]} and run the same command again"
    sys.stderr.write(f"error: {line}\n")
    sys.exit(2)
