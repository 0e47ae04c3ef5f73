"""Recording in tests: a whole run at once, and how two recorded runs differ."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from crosslayer.config import Profile
from crosslayer.ledger.ledger import record
from crosslayer.paper.plugin import measures
from crosslayer.predictions.runs import ResultsRun

QUICK = ("C04",)
"""The claim that takes no time, for tests of other things."""
CLAIMS = ("C04", "C05", "Q01")
ARMS = ("none", "english", "multilingual")
SECRET = "/private/corpora/xtreme"


def content(folder: Path) -> dict[str, bytes]:
    """Every file below a folder; locks are left out, they hold nothing."""
    files = (path for path in folder.rglob("*") if path.is_file() and not path.name.endswith("lock"))
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in files}


def unequal(one: Path, other: Path) -> set[str]:
    """Files that differ between two folders, or that one of them lacks."""
    contents, others = content(one), content(other)
    return {name for name in contents | others if contents.get(name) != others.get(name)}


def record_all(name: str, profile: Profile, results: Path, ledger: Path, claims: Iterable[str] = QUICK) -> Path:
    """Record everything that lies in the results."""
    trials = ResultsRun(results).trials
    return record(name, "The first piece", profile, measures(claims), results, trials, ledger=ledger)
