"""Made-up evidence: gains of C05 by task, and a structural check of C17."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from claimtrack.evidence import Check, Evidence, Interval, Measurement, write_evidence


def gain(task: str, estimate: float | None, half: float = 0.6, **more: Any) -> Measurement:
    """A judged gain in points, with the interval ``estimate`` +- ``half`` where there is a value."""
    value = {"measure": "dev_selected_gain", "unit": "points", "judged": True, "n_seeds": 3, "estimate": estimate}
    if estimate is not None:
        value["interval"] = Interval(low=estimate - half, high=estimate + half, method="t")
    return Measurement(**{**value, "task": task, **more})


def gains(*parts: Measurement, **more: Any) -> Evidence:
    """The evidence of C05."""
    record = {"claim": "C05", "metric": "dev_selected_gain_v1", "parts": parts, "headline": 0}
    return Evidence(**{"profile": "made-up", "status": "measured", **record, **more})


def branches(found: str = "2", **more: Any) -> Evidence:
    """The evidence of C17, whose check passes with two branches."""
    record = {"claim": "C17", "metric": "structural_checks_v1"}
    checks = (Check(name="branches", passed=found == "2", expected="2", found=found),)
    return Evidence(**{"profile": "made-up", "status": "measured", **record, "checks": checks, **more})


def put(run: Path, *records: Evidence) -> None:
    """Write evidence where a run keeps it."""
    for record in records:
        folder = run / "claims" / record.claim
        folder.mkdir(parents=True, exist_ok=True)
        write_evidence(record, folder)
