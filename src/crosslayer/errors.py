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


class CrosslayerError(Exception):
    """Base of all errors raised on purpose."""


class UserError(CrosslayerError):
    """Wrong input: one line that says what is wrong, where, and what to do."""


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
        super().__init__(f"{outcome}: {detail}")
        self.outcome = outcome
        self.detail = detail
