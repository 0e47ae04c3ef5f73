"""What this replication offers claimtrack: its settings, and `measure`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from claimtrack.evidence import Evidence
from claimtrack.plugin import Plugin


class Settings(BaseModel):
    """A file of profiles/, or params.yaml.

    Attributes:
        profile: its name.
        splits: random splits of each data set.
        data: names of data sets.
        claims: ids of the claims that are measured.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    profile: str
    splits: Annotated[int, Field(ge=1)]
    data: Annotated[list[Literal["cancer", "low", "eight", "synthetic"]], Field(min_length=1)]
    claims: list[str]


def measure(claim: str, run: Path, settings: Settings) -> Evidence:
    """The evidence of a claim, from the predictions in the folder of the run."""
    from good_probabilities.claims import measure

    return measure(claim, run, settings)


PLUGIN = Plugin(
    name="good_probabilities",
    settings=Settings,
    measure=measure,
    conditions={"few_splits": lambda settings: settings.splits < 10},
    titles={"platt": "Platt"},
)
