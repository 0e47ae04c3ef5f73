"""What is measured of each claim, as the ledger takes it."""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from claimtrack.evidence import Evidence
from crosslayer.config import Profile
from crosslayer.paper.plugin import analysis_of
from crosslayer.predictions.runs import Run

if TYPE_CHECKING:
    from crosslayer.ledger.ledger import Measure


def measures(claims: Iterable[str]) -> dict[str, Measure]:
    """By claim, what computes its evidence.

    Raises:
        ClaimError: nothing measures one of them.
    """
    return {claim: partial(_measure, claim) for claim in claims if analysis_of(claim)}


def _measure(claim: str, run: Run, profile: Profile, figures: Path | None = None) -> Evidence:
    analysis = analysis_of(claim)
    evidence: Evidence = analysis.measure(claim, run, profile)
    if figures is None:
        return evidence
    return evidence.model_copy(update={"figures": analysis.figures(evidence, run, profile, figures)})
