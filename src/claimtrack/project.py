"""The project in the present folder: what its pipeline, its notebooks and the command line do with it.

A project has ``claims/registry.yaml``, whose plugin measures, and ``params.yaml`` with the settings of the present
run. `claimtrack.scaffold` makes one.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from claimtrack.errors import ClaimError
from claimtrack.evidence import Check, Evidence, Measurement, write_evidence
from claimtrack.files import write_text
from claimtrack.plugin import Setting
from claimtrack.registry import Entry, Registry, load_registry
from claimtrack.results import RESULTS, load_all, load_fresh
from claimtrack.settings import ACTIVE, load_settings

NOTEBOOKS, PAPER = Path("notebooks"), Path("paper")


def present() -> tuple[Registry, Any]:
    """The registry, and the settings of the present run.

    Raises:
        ClaimError: one of them is absent or wrong.
    """
    registry = load_registry()
    return registry, load_settings(ACTIVE, registry.project.settings)


def measure(claim: str) -> Evidence:
    """What the plugin measures for a claim.

    Raises:
        ClaimError: the evidence is of another claim or run, or of another metric than the registry names.
    """
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


def run_claim(claim: str) -> Path:
    """Execute the notebook of a claim; the folder with evidence, figures and the executed notebook."""
    from claimtrack.notebook import run_notebook

    registry, settings = present()
    entry = registry.entry(claim)
    folder: Path = RESULTS / settings.profile / "claims" / entry.id
    parameters = {"claim": entry.id, "output": str(folder), **entry.parameters}
    run_notebook(NOTEBOOKS / f"{entry.notebook}.py", parameters, folder)
    return folder


def decide_all() -> Path:
    """Decide every claim of the present run into ``verdicts.json``."""
    registry, settings = present()
    decided = load_fresh(settings, registry).verdicts.values()
    path: Path = RESULTS / settings.profile / "verdicts.json"
    write_text(path, json.dumps([verdict.model_dump(mode="json") for verdict in decided], indent=1) + "\n")
    return path


def write_reports() -> list[str]:
    """Write the HTML and LaTeX report; lines that say where they are, and what they lack."""
    from claimtrack.report.context import build
    from claimtrack.report.write import write_report

    registry, settings = present()
    context = build(registry, load_all(settings, registry), paper=PAPER)
    written = write_report(context, PAPER / "build")
    return [f"report: {written.html}", f"report: {written.tex}", *written.notes]


def unknown_names() -> Iterator[str]:
    """What the registry names and the evidence of the present run does not have, one line each."""
    registry, settings = present()
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
    if entry.metric != evidence.metric:
        yield f"the metric is {entry.metric}, that of the evidence {evidence.metric}"
