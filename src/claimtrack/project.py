"""The project in the present folder: what its pipeline, its notebooks and the command line do with it.

A project has ``claims/registry.yaml``, whose plugin measures, and ``params.yaml`` with the settings of the present
run. `claimtrack.scaffold` makes one.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from claimtrack.errors import ClaimError
from claimtrack.evidence import Check, Evidence, Measurement, write_evidence
from claimtrack.registry import Registry, load_registry
from claimtrack.runs import RESULTS, Setting
from claimtrack.settings import ACTIVE, load_settings


def present() -> tuple[Registry, Any]:
    """The registry, and the settings of the present run."""
    registry = load_registry()
    return registry, load_settings(ACTIVE, registry.project.settings)


def measure(claim: str) -> Evidence:
    """What the plugin measures for a claim in the present run; a `ClaimError` where it is of another one."""
    registry, settings = present()
    entry = registry.entry(claim)
    evidence = registry.project.measure(entry.id, RESULTS / settings.profile, settings)
    if wrong := evidence.differs(claim=entry.id, profile=settings.profile, metric=entry.metric):
        raise ClaimError(f"{claim}: {wrong[0]}; correct the plugin's `measure` or the registry")
    return evidence


def evidence_of(
    claim: str,
    settings: Setting,
    metric: str,
    parts: Iterable[Measurement] = (),
    checks: Iterable[Check] = (),
    missing: Iterable[str] = (),
    facts: Mapping[str, float | int | str | bool] | None = None,
    trials: Iterable[str] = (),
) -> Evidence:
    """Evidence of a claim; its headline is the first judged measurement with a value.

    Args:
        claim, metric: as in the registry.
        settings: of the run.
        parts, checks, facts: what was measured.
        missing: what was absent or failed, one line each, for readers. Without a value or a check the claim is
            `not run`. What a rule shall count as missing is a judged measurement whose ``estimate`` is ``None``;
            its note is added here.
        trials: keys of the trials of `claimtrack.plugin.Plugin` that it was computed from.
    """
    parts, checks = tuple(parts), tuple(checks)
    judged = [place for place, part in enumerate(parts) if part.judged and part.estimate is not None]
    notes = [part.note for part in parts if part.judged and part.estimate is None and part.note]
    return Evidence(
        claim=claim, profile=settings.profile, metric=metric, parts=parts, checks=checks,
        status="measured" if judged or checks else "missing", headline=judged[0] if judged else None,
        missing=tuple(dict.fromkeys([*missing, *notes])), facts=dict(facts or {}),
        trials=tuple(sorted(set(trials))),
    )  # fmt: skip


def keep(evidence: Evidence, output: str, *figures: str) -> None:
    """Leave the evidence of a notebook in its folder; ``figures`` are names of files there."""
    folder = Path(output)
    folder.mkdir(parents=True, exist_ok=True)
    write_evidence(evidence.model_copy(update={"figures": figures}), folder)
