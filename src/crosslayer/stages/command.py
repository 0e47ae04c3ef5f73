"""What all stages share: arguments, one-line errors, and timing."""

from __future__ import annotations

import gc
import logging
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from claimtrack.errors import in_one_line
from claimtrack.runs import RESULTS
from claimtrack.settings import ACTIVE
from crosslayer.config import load_profile
from crosslayer.errors import ConfigError
from crosslayer.sweep.processes import end_on_signals
from crosslayer.sweep.runlog import note_seconds

Body = Callable[..., Mapping[str, Any] | None]


def run_stage(name: str, body: Body, argv: Sequence[str] | None = None) -> None:
    """Run the body of a stage as a program.

    Args:
        name: of the stage, for the run log.
        body: called with the profile, its results folder and the further arguments; returns what the run log
            records beside the seconds.
        argv: the name of the active profile, as a check against params.yaml, and further arguments; the command
            line by default.

    Exits with 2 and one line on an error of the user's or the file system's, with 130 on an interrupt.
    """
    gc.freeze()
    gc.enable()
    asked, *arguments = sys.argv[1:] if argv is None else argv
    logging.basicConfig(level=logging.INFO, format="%(message)s", stream=sys.stderr)
    end_on_signals()
    folder = RESULTS / asked
    with in_one_line(str(folder)):
        profile = load_profile()
        if asked != profile.profile:
            raise ConfigError(f"{ACTIVE} has the profile {profile.profile}, not {asked}; run `dvc repro`")
        start = time.monotonic()
        noted = body(profile, folder, *arguments) or {}
        note_seconds(folder, "-".join([name, *arguments]), time.monotonic() - start, **noted)
