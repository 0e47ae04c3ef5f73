"""What crosslayer raises on purpose, beside `claimtrack.errors`.

UserError
├── ConfigError      profile, parameter or command line
├── DataError        a data file: which file, which line
└── EncoderError     encoder files or identifiers
ClaimtrackError
└── TrialFailure     a trial that ended without a usable result (its ``outcome`` says how)
"""

from __future__ import annotations

from claimtrack.errors import ClaimtrackError, UserError


class ConfigError(UserError):
    """A profile or an argument is wrong."""


class DataError(UserError):
    """A data file is missing or malformed."""


class EncoderError(UserError):
    """An encoder cannot be loaded or is not the one that was asked for."""


class TrialFailure(ClaimtrackError):
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
