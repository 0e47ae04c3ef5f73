"""The project in the present folder: what its pipeline, its notebooks and the command line do with it.

A project has ``claims/registry.yaml``, whose plugin measures, and ``params.yaml`` with the settings of the present
run. `claimtrack.scaffold` makes one.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from claimtrack.entries import Entry
from claimtrack.errors import ClaimError
from claimtrack.evidence import Check, Evidence, Measurement, write_evidence
from claimtrack.registry import Registry, load_registry
from claimtrack.results import load_fresh
from claimtrack.runs import RESULTS, Setting
from claimtrack.settings import ACTIVE, load_settings


def present() -> tuple[Registry, Any]:
    """The registry, and the settings of the present run."""
    registry = load_registry()
    return registry, load_settings(ACTIVE, registry.project.settings)


def measure(claim: str) -> Evidence:
    """What the plugin measures for a claim; a `ClaimError` if it is evidence of another claim, run or metric."""
    registry, settings = present()
    entry = registry.entry(claim)
    found = registry.project.measure(entry.id, RESULTS / settings.profile, settings)
    expected = (entry.id, settings.profile, entry.metric)
    if (found.claim, found.profile, found.metric) != expected and found.status == "measured":
        given = f"{found.claim}, {found.profile}, {found.metric}"
        raise ClaimError(f"measure gave evidence of {given}; the registry asks for {', '.join(expected)}")
    return found


def evidence_of(
    claim: str,
    settings: Setting,
    metric: str,
    parts: Iterable[Measurement] = (),
    checks: Iterable[Check] = (),
    missing: Iterable[str] = (),
    facts: Mapping[str, float | int | str | bool] | None = None,
) -> Evidence:
    """Evidence of a claim; its headline is the first judged measurement with a value.

    Args:
        claim, metric: as in the registry.
        settings: of the run.
        parts, checks, facts: what was measured.
        missing: what was absent or failed, one line each. Without a value or a check the claim is `not run`.
    """
    parts, checks = tuple(parts), tuple(checks)
    judged = [place for place, part in enumerate(parts) if part.judged and part.estimate is not None]
    return Evidence(
        claim=claim, profile=settings.profile, metric=metric, parts=parts, checks=checks,
        status="measured" if judged or checks else "missing", headline=judged[0] if judged else None,
        missing=tuple(missing), facts=dict(facts or {}),
    )  # fmt: skip


def keep(evidence: Evidence, output: str, *figures: str) -> None:
    """Leave the evidence of a notebook in its folder; ``figures`` are names of files there."""
    folder = Path(output)
    folder.mkdir(parents=True, exist_ok=True)
    write_evidence(evidence.model_copy(update={"figures": figures}), folder)


def unknown_names(registry: Registry, settings: Setting) -> Iterator[str]:
    """What the registry names and the evidence of the present run does not have, one line each."""
    for claim, evidence in load_fresh(settings, registry).evidence.items():
        if evidence.status == "measured":
            yield from (f"{claim}: {problem}" for problem in _unknown(registry.entry(claim), evidence))


def _unknown(entry: Entry, evidence: Evidence) -> Iterator[str]:
    units = {part.measure: part.unit for part in evidence.parts if part.judged}
    known = ", ".join(units) or "no judged measurement"
    for measure, unit in entry.claimed.named_measures().items():
        if measure not in units:
            yield f"claimed names {measure}, the evidence has {known}"
        elif unit and unit != units[measure]:
            yield f"claimed gives {measure} in {unit}, the evidence in {units[measure]}"
    about = {part.subject for part in evidence.parts} | {part.task for part in evidence.parts}
    for task in (*entry.claimed.by_task, *entry.claimed.other_metric):
        if task not in about:
            yield f"claimed names {task}, which no measurement is about"
