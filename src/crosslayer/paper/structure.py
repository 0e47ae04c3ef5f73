"""The structural claims (C04, C10-C12, C14-C17): what the checks on the built module found."""

from __future__ import annotations

from claimtrack.evidence import Check, Evidence
from claimtrack.project import evidence_of
from crosslayer.config import Profile
from crosslayer.paper.parts import STRUCTURAL
from crosslayer.predictions.runs import Run


def measure(claim: str, run: Run, profile: Profile) -> Evidence:
    """The checks of a claim as evidence; ``missing`` where the probe stage left none."""
    checks = [Check.model_validate(row) for row in (run.structure() or {}).get(claim, [])]
    missing = () if checks else (f"the probe stage has left no checks of {claim}",)
    found = evidence_of(claim, profile, STRUCTURAL, checks=checks, missing=missing)
    return found.model_copy(update={"run": run.name})
