"""What this paper offers claimtrack. Everything slow is imported where it is used."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from functools import partial
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING

from claimtrack.errors import ClaimError
from claimtrack.evidence import Evidence, Trial
from claimtrack.plugin import Plugin
from claimtrack.seal import Planned, model_name
from claimtrack.sections import Sections
from claimtrack.settings import read_yaml
from crosslayer.config import PROFILES, Profile, parse_profile
from crosslayer.paper.conditions import CONDITIONS
from crosslayer.paper.rules import RULES
from crosslayer.tasks import TASKS

if TYPE_CHECKING:
    from crosslayer.ledger.ledger import Measure
    from crosslayer.predictions.runs import Run

GRID = {"encoder", "tasks", "sweep", "intermediate", "fusion", "data"}
"""The parts of a profile that decide its trials; the directory of the data is left out."""
ANALYSES = {
    "C01": "layers", "C02": "complementarity", "C03": "equilibrium", "C05": "gains", "C06": "gains",
    "C07": "best_layers", "C08": "transfer", "C09": "families", "C13": "attention", "Q01": "calibration",
    **dict.fromkeys(("C04", "C10", "C11", "C12", "C14", "C15", "C16", "C17"), "structure"),
}  # fmt: skip
"""Modules beside this one."""
TITLES = {
    **{str(task): found.title for task, found in TASKS.items()},
    "ece": "ECE", "nll": "NLL", "upos": "UPOS", "english": "English",
    "dev selected": "dev-selected", "cross fitted": "cross-fitted",
    "retrieval lower minus upper": "retrieval, lower minus upper layers",
    "UPOS probe upper minus lower": "UPOS probe, upper minus lower layers",
    "own over common": "gain from task-specific layers",
    "excess complementarity": "extra errors fixed, beyond what a new seed fixes",
    "errors mended by seed": "errors another seed fixes",
    "best on test gain without effect": "best on test, expected by chance",
    "dev-selected minus self": "gain over the control of equal capacity",
    "power at 1 points": "chance to detect a gain of 1 point",
    "power at 0.5 points": "chance to detect a gain of 0.5 points",
}  # fmt: skip


def measure(claim: str, folder: Path, profile: Profile) -> Evidence:
    """The evidence of a claim from a run, present or recorded."""
    from crosslayer.predictions.runs import open_run

    return _measured(analysis_of(claim), claim, open_run(folder), profile)


def measures(claims: Iterable[str]) -> dict[str, Measure]:
    """By claim, what computes its evidence and draws its figures, as the ledger takes it.

    Raises:
        ClaimError: nothing measures one of them.
    """
    return {claim: partial(_measured, analysis_of(claim), claim) for claim in claims}


def _measured(
    analysis: ModuleType, claim: str, run: Run, profile: Profile, figures: Path | None = None
) -> Evidence:
    from crosslayer.paper.parts import has_values

    evidence: Evidence = analysis.measure(claim, run, profile)
    if figures is None or not has_values(evidence):
        return evidence
    return evidence.model_copy(update={"figures": analysis.figures(evidence, run, profile, figures)})


def analysis_of(claim: str) -> ModuleType:
    """The module that measures a claim (``measure``) and draws its figures (``figures``).

    Raises:
        ClaimError: nothing measures it.
    """
    if claim not in ANALYSES:
        raise ClaimError(f"nothing measures {claim!r:.20}; measured are {', '.join(sorted(ANALYSES))}")
    return import_module(f"crosslayer.paper.{ANALYSES[claim]}")


def trials(folder: Path) -> dict[str, Trial]:
    """The trials of a run that count, as claimtrack knows them, by key."""
    from crosslayer.predictions.records import as_trial
    from crosslayer.predictions.runs import open_run, records_of

    run = open_run(folder)
    return {record.key: as_trial(record, run.predictions_path(record)) for record in records_of(folder)}


def planned(profile: Profile) -> Planned:
    """The trials that a profile plans."""
    from crosslayer.ledger.combining import planned_places
    from crosslayer.ledger.compact import without_paths

    profile = without_paths(profile)
    grid = profile.model_dump(mode="json", include=GRID)
    grid["data"].pop("root")
    seeds: dict[str, list[int]] = defaultdict(list)
    for stage, task, model, _, arm, seed in planned_places(profile):
        seeds[model_name(stage, task, model, arm)].append(seed)
    return Planned(profile=profile.profile, grid=grid, seeds=seeds)


def is_shipped(profile: Profile, project: Path) -> bool:
    """Whether a profile specifies what the file of its name does; where data lie and on what may differ."""
    path = project / PROFILES / f"{profile.profile}.yaml"
    if not path.exists():
        return False
    content = read_yaml(path)
    if profile.data.root is not None:
        content["data"]["root"] = profile.data.root
    shipped = parse_profile(content, str(path))
    return shipped.model_dump(exclude={"compute"}) == profile.model_dump(exclude={"compute"})


def sections() -> Sections:
    """What this paper adds to the report."""
    from crosslayer.paper.sections import PaperSections

    return PaperSections()


PLUGIN = Plugin(
    name="crosslayer", settings=Profile, measure=measure, conditions=CONDITIONS, rules=RULES, trials=trials,
    planned=planned, shipped=is_shipped, titles=TITLES, sections=sections,
)  # fmt: skip
