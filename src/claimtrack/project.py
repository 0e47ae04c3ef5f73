"""The project in the present folder: what its pipeline, its notebooks and the command line do with it.

A project has ``claims/registry.yaml``, whose plugin measures, and ``params.yaml`` with the settings of the present
run. `claimtrack.scaffold` makes one.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from claimtrack.evidence import Check, Evidence, Measurement, write_evidence
from claimtrack.registry import Registry, load_registry
from claimtrack.runs import RESULTS, Setting
from claimtrack.settings import ACTIVE, load_settings


def present() -> tuple[Registry, Any]:
    """The registry, and the settings of the present run."""
    registry = load_registry()
    return registry, load_settings(ACTIVE, registry.project.settings)


def measure(claim: str) -> Evidence:
    """What the plugin measures for a claim in the present run."""
    registry, settings = present()
    return registry.project.measure(registry.entry(claim).id, RESULTS / settings.profile, settings)


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
