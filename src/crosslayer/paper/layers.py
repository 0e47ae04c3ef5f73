"""The encoder before fine-tuning, layer by layer: the claims C01, C08 and C09, each in a module of its own."""

from __future__ import annotations

from pathlib import Path

from claimtrack.evidence import Evidence
from crosslayer.config import Profile
from crosslayer.paper import families, layer_contrast, transfer
from crosslayer.predictions.runs import Run

MEASURES = {"C01": layer_contrast.measure, "C08": transfer.measure, "C09": families.measure}
FIGURES = {"C01": layer_contrast.figures, "C08": transfer.figures, "C09": families.figures}


def measure(claim: str, run: Run, profile: Profile) -> Evidence:
    """What the probes say about one of the claims."""
    return MEASURES[claim](claim, run, profile)


def figures(evidence: Evidence, run: Run, profile: Profile, folder: Path) -> tuple[str, ...]:
    """The pictures of that claim."""
    return FIGURES[evidence.claim](evidence, run, profile, folder)
