"""What all stages share: arguments, one-line errors, and timing."""

from __future__ import annotations

import argparse
import gc
import logging
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from claimtrack.errors import in_one_line
from claimtrack.runs import RESULTS
from claimtrack.settings import ACTIVE
from crosslayer.config import Profile, load_profile
from crosslayer.errors import ConfigError
from crosslayer.sweep.processes import end_on_signals
from crosslayer.sweep.runlog import timed

Body = Callable[[Profile, Path, argparse.Namespace], Mapping[str, Any] | None]


def run_stage(name: str, body: Body, arguments: Sequence[str] = (), argv: Sequence[str] | None = None) -> None:
    """Run the body of a stage as a program.

    Args:
        name: of the stage, for the run log.
        body: called with the profile, its results folder and the arguments; returns what the run log records
            beside the seconds.
        arguments: names of positional arguments.
        argv: the command line; that of the process by default.

    Exits with 2 and one line on an error of the user's or the file system's, with 130 on an interrupt.
    """
    gc.freeze()
    gc.enable()
    parser = argparse.ArgumentParser(prog=f"crosslayer.stages.{name}")
    parser.add_argument("profile", help="the active profile's name, as a check against params.yaml")
    for argument in arguments:
        parser.add_argument(argument)
    options = parser.parse_args(argv)
    logging.basicConfig(level=logging.INFO, format="%(message)s", stream=sys.stderr)
    end_on_signals()
    label = "-".join([name, *(getattr(options, argument) for argument in arguments)])
    folder = RESULTS / options.profile
    with in_one_line(str(folder)):
        profile = load_profile()
        if options.profile != profile.profile:
            raise ConfigError(
                f"{ACTIVE} has the profile {profile.profile}, not {options.profile}; run `dvc repro`"
            )
        with timed(folder, label) as noted:
            noted.update(body(profile, folder, options) or {})
