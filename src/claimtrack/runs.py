"""Runs: where one lies, under which settings, what it measured and what follows from it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from claimtrack.evidence import Evidence
from claimtrack.verdict import Verdict

FRESH = "fresh"
RESULTS = Path("results")
LEDGER = Path("claims/ledger")


class Setting(Protocol):
    """What claimtrack needs of a project's settings: their name, and the ids of the claims that they measure."""

    @property
    def profile(self) -> str: ...

    @property
    def claims(self) -> Sequence[str]: ...


@dataclass(frozen=True)
class Place:
    """Where a run lies: ``name`` is ``fresh`` or that of the recorded run, ``profile`` its settings (a `Setting`),
    ``folder`` holds ``claims/ID/``."""

    name: str
    profile: Any
    folder: Path

    @property
    def run(self) -> str | None:
        """The ``run`` of its pins: ``None`` for a fresh run."""
        return None if self.name == FRESH else self.name

    def evidence_path(self, claim: str) -> Path:
        """Where the evidence of a claim lies."""
        return self.folder / "claims" / claim / "evidence.json"


@dataclass(frozen=True)
class RunResults(Place):
    """A run with what it measured and what follows from it, by claim id: verdicts are there of every claim.

    ``info`` is its ``run.json`` (revision, hardware, versions, seconds); empty if absent. ``withheld`` is what it
    waits for where its sealed plan is not due, else empty.
    """

    title: str
    evidence: dict[str, Evidence]
    verdicts: dict[str, Verdict]
    info: dict[str, Any]
    withheld: str = ""
