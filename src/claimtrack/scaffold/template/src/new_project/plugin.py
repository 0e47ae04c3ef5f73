"""What this replication offers claimtrack: its settings, and `measure`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from claimtrack.evidence import Evidence
from claimtrack.plugin import Plugin


class Settings(BaseModel):
    """A file of profiles/, or params.yaml.

    Attributes:
        profile: its name.
        seeds: how often each measurement is repeated.
        claims: ids of the claims that are measured.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    profile: str
    seeds: Annotated[int, Field(ge=1)]
    claims: list[str]


def measure(claim: str, run: Path, settings: Settings) -> Evidence:
    """The evidence of a claim.

    Args:
        claim: its id in claims/registry.yaml.
        run: the folder of the run; files of earlier stages lie there.
        settings: of the run.
    """
    # TODO measure each claim: one value a seed, then samples.mean_of and project.evidence_of of claimtrack
    missing = ("it is not measured yet",)
    return Evidence(claim=claim, profile=settings.profile, metric="todo_v1", status="missing", missing=missing)


PLUGIN = Plugin(name="new_project", settings=Settings, measure=measure)
