"""The settings of this replication: a profile of its own, and what `when` in registry.yaml means for it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from pydantic import Field

from claimtrack.plugin import Condition
from claimtrack.settings import load_settings
from crosslayer.config import Section, Slug

ENOUGH = 1000
"""Simulated test sets from which on a run counts in full."""


class Setting(Section):
    """A profile.

    Attributes:
        profile: its name.
        repeats: simulated test sets.
        claims: ids of the claims that it measures.
    """

    profile: Slug
    repeats: Annotated[int, Field(ge=3)]
    claims: list[str]


CONDITIONS: dict[str, Condition] = {"reduced": lambda setting: setting.repeats < ENOUGH}


def load_setting(path: Path) -> Setting:
    """Read and check a profile.

    Raises:
        ConfigError: one line naming the file and the key.
    """
    return load_settings(path, Setting)
