"""Runs: where one lies, under which settings, what it measured and what follows from it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, Protocol

from typing_extensions import TypeVar  # comes with pydantic; typing's own has no default before Python 3.13

from claimtrack.evidence import Evidence
from claimtrack.verdict import Verdict

FRESH = "fresh"
RESULTS = Path("results")
LEDGER = Path("claims/ledger")


class Setting(Protocol):
    """What claimtrack needs of a project's settings."""

    @property
    def profile(self) -> str:
        """Their name."""
        ...

    @property
    def claims(self) -> Sequence[str]:
        """The ids of the claims that they measure."""
        ...


SettingT = TypeVar("SettingT", bound=Setting, default=Any, covariant=True)


@dataclass(frozen=True)
class Place(Generic[SettingT]):
    """Where a run lies.

    Attributes:
        name: ``fresh`` or the name of the recorded run.
        profile: its settings.
        folder: holds ``claims/ID/evidence.json``; of a fresh run also ``trials/``.
    """

    name: str
    profile: SettingT
    folder: Path

    @property
    def run(self) -> str | None:
        """The ``run`` of its pins: ``None`` for a fresh run."""
        return None if self.name == FRESH else self.name

    def evidence_path(self, claim: str) -> Path:
        """Where the evidence of a claim lies."""
        return self.folder / "claims" / claim / "evidence.json"


@dataclass(frozen=True)
class RunResults(Place[SettingT]):
    """A run with what it measured and what follows from it.

    Attributes:
        title: for readers.
        evidence: by claim id, of the claims that have any.
        verdicts: of every claim of the registry, in its order.
        info: ``run.json`` (revision, hardware, versions, seconds); empty if absent.
    """

    title: str
    evidence: dict[str, Evidence]
    verdicts: dict[str, Verdict]
    info: dict[str, Any]
