"""The structural claims (C04, C10-C12, C14-C17): what the checks on the built module found."""

from __future__ import annotations

from pathlib import Path

from claimtrack.evidence import Check, Evidence
from crosslayer.config import Profile
from crosslayer.paper.parts import STRUCTURAL
from crosslayer.predictions.runs import Run


def measure(claim: str, run: Run, profile: Profile) -> Evidence:
    """The checks of a claim as evidence; ``missing`` where the probe stage left none."""
    found = (run.structure() or {}).get(claim, [])
    checks = [
        Check(name=row["name"], passed=row["passed"], expected=str(row["expected"]), found=str(row["found"]))
        for row in found
    ]
    return Evidence(
        claim=claim,
        profile=profile.profile,
        run=run.name,
        metric=STRUCTURAL,
        status="measured" if checks else "missing",
        checks=tuple(checks),
        missing=() if checks else (f"the probe stage has left no checks of {claim}",),
    )


def figures(evidence: Evidence, run: Run, profile: Profile, folder: Path) -> tuple[str, ...]:
    """None: a table of checks says it all."""
    return ()
