"""Executes the notebook of one claim and leaves its evidence."""

from __future__ import annotations

from pathlib import Path

from claimtrack.errors import ResultsError
from claimtrack.notebook import run_notebook
from claimtrack.registry import load_registry
from claimtrack.seal import not_due, read_seals
from claimtrack.settings import ACTIVE
from crosslayer.config import Profile
from crosslayer.predictions.runs import check_planned
from crosslayer.stages.command import run_stage

NOTEBOOKS = Path("notebooks")


def claim(profile: Profile, folder: Path, claim_id: str) -> None:
    """Write ``claims/ID/`` with evidence, figures and the executed notebook."""
    registry = load_registry()
    entry = registry.entry(claim_id)
    check_planned(profile, folder)
    if told := not_due(profile.profile, registry.project.trials(folder).values(), read_seals()):
        raise ResultsError(f"{told}; claims are measured then, `crosslayer sweep train` trains the rest")
    parameters = {
        "claim": entry.id,
        "results": str(folder),
        "profile": str(ACTIVE),
        "output": str(folder / "claims" / entry.id),
    }
    run_notebook(NOTEBOOKS / f"{entry.notebook}.py", parameters, folder / "claims" / entry.id)


if __name__ == "__main__":
    run_stage("claim", claim)
