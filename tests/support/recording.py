"""Recording in tests: the claims of a registry as the ledger takes them, and a whole run recorded at once."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from claimtrack.registry import Registry
from crosslayer.config import Profile
from crosslayer.ledger.ledger import Measure, record
from crosslayer.paper.plugin import measures
from crosslayer.predictions.records import TrialRecord
from crosslayer.predictions.runs import ResultsRun

CLAIMS = ("C04", "C05", "Q01")
ARMS = ("none", "english", "multilingual")
SECRET = "/private/corpora/xtreme"


def measured(registry: Registry) -> dict[str, Measure]:
    """What computes the evidence of each claim of a registry."""
    return measures(registry.entries)


def without_scores(records: Iterable[TrialRecord]) -> list[TrialRecord]:
    """Recording fills in the test scores that made-up trials lack."""
    return [record.model_copy(update={"test_score": None}) for record in records]


def record_all(
    name: str, title: str, profile: Profile, registry: Registry, results: Path, ledger: Path, **how: Any
) -> Path:
    """Record everything that lies in the results."""
    trials = ResultsRun(results).trials
    return record(name, title, profile, measured(registry), results, trials, ledger=ledger, **how)
