"""Loads runs that have claims: the present one of a profile (``fresh``) and the recorded ones of the ledger."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from claimtrack.errors import ClaimError
from claimtrack.evidence import Evidence, Trial, read_evidence
from claimtrack.judging import decide
from claimtrack.plugin import Plugin
from claimtrack.registry import Registry
from claimtrack.runlog import hours_of_trials, read_run
from claimtrack.runs import FRESH, LEDGER, RESULTS, Place, RunResults, Setting
from claimtrack.seal import SEALS, not_due, read_seals, sealed_before
from claimtrack.settings import load_settings
from claimtrack.wording import EVIDENCE, Titles, key_number, relevance_note


def load_all(profile: Setting, registry: Registry) -> list[RunResults]:
    """The fresh run of the profile, then the recorded ones by name."""
    return [load(place, registry) for place in places(profile, registry.project)]


def load_fresh(profile: Setting, registry: Registry) -> RunResults:
    """The present results of a profile; all verdicts are `not run` where there are none."""
    return load(Place(FRESH, profile, RESULTS / profile.profile), registry)


def load_recorded(folder: Path, registry: Registry) -> RunResults:
    """A recorded run of the ledger."""
    return load(recorded_place(folder, registry.project), registry)


def load(place: Place, registry: Registry, seals: Path = SEALS) -> RunResults:
    """Read the evidence of a run and decide on every claim; nothing of either while a sealed plan is not due.

    Raises:
        ClaimError, ResultsError: a file is absent or damaged.
    """
    plugin = registry.project
    trials, sealed, info = plugin.trials(place.folder), read_seals(seals), read_run(place.folder / "run.json")
    withheld = not_due(place.profile.profile, trials.values(), sealed)
    paths = {claim: place.evidence_path(claim) for claim in registry.entries if claim in place.profile.claims}
    evidence = {c: read_evidence(path) for c, path in paths.items() if path.exists() and not withheld}
    verdicts = {}
    for claim, entry in registry.entries.items():
        found = evidence.get(claim)
        verdict = decide(entry, found, place.profile, plugin, place.name, hours_per_seed(found, trials, info))
        named = [trials[key].seal if key in trials else "" for key in (found.trials if found else ())]
        update: dict[str, Any] = {"sealed": sealed_before(entry, plugin.all_rules[entry.rule], named, sealed)}
        if withheld and claim in paths:
            update = {"because": f"{withheld}."}
        verdicts[claim] = verdict.model_copy(update=update)
    title = f"present run of {place.profile.profile}" if place.run is None else str(info.get("title", place.name))
    title = f"{title}; {withheld}" if withheld else title
    return RunResults(place.name, place.profile, place.folder, title, evidence, verdicts, info, withheld)


def hours_per_seed(
    evidence: Evidence | None, trials: Mapping[str, Trial], info: Mapping[str, Any]
) -> dict[str, float]:
    """By task, what one more seed of the trials behind the evidence costs at the measured time of a trial.

    A task is absent where its stage did not record how many trials it trained. The seed with the most trials
    counts, since others may be incomplete.
    """
    records = [trials[key] for key in (evidence.trials if evidence else ()) if key in trials]
    needed: dict[str, Counter[str]] = defaultdict(Counter)
    for (task, stage, _), n in Counter((record.subject, record.stage, record.seed) for record in records).items():
        needed[task][f"{stage}-{task}"] = max(n, needed[task][f"{stage}-{task}"])
    hours = hours_of_trials(info)
    known = {task: by_stage for task, by_stage in needed.items() if by_stage.keys() <= hours.keys()}
    return {task: sum(n * hours[stage] for stage, n in by_stage.items()) for task, by_stage in known.items()}


def places(profile: Setting, plugin: Plugin, project: Path = Path()) -> list[Place]:
    """The fresh run of a project, then the recorded runs by name."""
    folders = sorted(path for path in (project / LEDGER).glob("[!.]*") if path.is_dir())
    fresh = Place(FRESH, profile, project / RESULTS / profile.profile)
    return [fresh, *(recorded_place(folder, plugin) for folder in folders)]


def recorded_place(folder: Path, plugin: Plugin) -> Place:
    """Where a recorded run lies; a `ClaimError` where it has no profile, or the name of the present run."""
    if folder.name == FRESH:
        raise ClaimError(f"{folder}: {FRESH} is the present run; give the recorded one another name")
    return Place(folder.name, load_settings(folder / "profile.yaml", plugin.settings), folder)


def table(results: RunResults, titles: Titles) -> list[str]:
    """The verdicts of a run as lines of text: a header, a line for each claim that ran, what they are relevant to,
    and the ids of the others."""
    rows = [("claim", "verdict", "relevance", "key numbers")]
    ran = {claim: verdict for claim, verdict in results.verdicts.items() if verdict.ran}
    for claim, verdict in ran.items():
        number = key_number(results.evidence.get(claim), titles)
        rows.append((claim, verdict.verdict, EVIDENCE[verdict.counts_as], number))
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    cells = ([cell.ljust(width) for cell, width in zip(row, widths, strict=True)] for row in rows)
    note = relevance_note({claim: verdict.relevant_to for claim, verdict in ran.items()})
    lines = [*("  ".join(row).rstrip() for row in cells), f"Relevance {note}."] if ran else []
    others = ", ".join(claim for claim in results.verdicts if claim not in ran)
    return [*lines, f"Not run: {others}."] if others else lines
