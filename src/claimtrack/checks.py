"""The checks of ``pytest claims/``: each takes what it checks and returns its complaints, one line each.

A claim that fails to reproduce passes them all, if its evidence is sound and its verdict is the pinned one.
"""

from __future__ import annotations

from collections.abc import Collection

from claimtrack.errors import ClaimError
from claimtrack.evidence import Evidence, read_evidence
from claimtrack.plugin import Plugin, Setting
from claimtrack.registry import Entry, Expected, Registry
from claimtrack.results import Place
from claimtrack.verdict import judge

RECORDED_TOLERANCE = 1e-9
CHECKS_MEASURE = "checks"
"""The measure under which the share of passed checks is expected."""


def evidence_problems(place: Place[Setting], entry: Entry) -> list[str]:
    """Whether the evidence is there, readable, and that of this claim, run and metric."""
    try:
        evidence = read_evidence(place.evidence_path(entry.id))
    except ClaimError as error:
        return [str(error)]
    expected = (entry.id, place.profile.profile, place.name, entry.metric)
    found = (evidence.claim, evidence.profile, evidence.run, evidence.metric)
    names = ("claim", "profile", "run", "metric")
    return [
        f"{entry.id}: evidence is of {name} {is_!r}, not {should!r}"
        for name, is_, should in zip(names, found, expected, strict=True)
        if is_ != should
    ]


def key_problems(evidence: Evidence, present: Collection[str]) -> list[str]:
    """Whether fresh evidence was computed from trials that the present manifests name."""
    stale = sorted(set(evidence.trials) - set(present))
    if not stale:
        return []
    return [
        f"{evidence.claim}: computed from {len(stale)} trials that no manifest names "
        f"(first {stale[0]}); run `dvc repro`"
    ]


def expected_problems(entry: Entry, evidence: Evidence, place: Place[Setting]) -> list[str]:
    """Whether every pinned range has its value inside, and a recorded run no judged value without a range."""
    ranges = entry.expectations(place.profile.profile, place.run)
    problems = [problem for item in ranges if (problem := _range_problem(item, evidence))]
    if place.run is not None:
        pinned = {(item.measure, item.task) for item in ranges}
        new = [key for key in _values(evidence) if key not in pinned]
        problems += [f"{_label(key)} has no pinned value; {pin_command(place)}" for key in new]
    return [f"{entry.id}: {problem}" for problem in problems]


def verdict_problems(entry: Entry, evidence: Evidence | None, place: Place[Setting], plugin: Plugin) -> list[str]:
    """Whether the verdict is pinned, and is the pinned one."""
    pin = entry.pin(place.profile.profile, place.run)
    verdict, because, _ = judge(entry, evidence, place.profile, plugin)
    if pin is None:
        return [f"{entry.id}: no verdict is pinned for {_run_label(place)}; {pin_command(place)}"]
    if pin.verdict == verdict:
        return []
    return [f"{entry.id}: verdict is {verdict!r}, pinned is {pin.verdict!r}: {because}"]


def is_pinned(registry: Registry, place: Place[Setting]) -> bool:
    """Whether any verdict of the run is pinned."""
    return any(entry.pin(place.profile.profile, place.run) for entry in registry.entries.values())


def pin_command(place: Place[Setting]) -> str:
    """What to do when a pin is missing."""
    run = "" if place.run is None else f" --run {place.run}"
    return f"run `crosslayer claims pin{run} --reason TEXT`"


def _range_problem(item: Expected, evidence: Evidence) -> str | None:
    value = _values(evidence).get((item.measure, item.task))
    if value is None:
        return f"{_label((item.measure, item.task))} was not measured; expected {_bounds(item)}"
    tolerance = RECORDED_TOLERANCE if item.basis == "recorded" else 0.0
    if item.low - tolerance <= value <= item.high + tolerance:
        return None
    label = _label((item.measure, item.task))
    return f"{label} is {value:.12g}, expected {_bounds(item)} ({item.basis}: {item.reason})"


def _values(evidence: Evidence) -> dict[tuple[str, str | None], float]:
    """Judged estimates by measure and task, and the share of passed checks."""
    values: dict[tuple[str, str | None], float] = {
        (part.measure, part.task): part.estimate
        for part in evidence.parts
        if part.judged and part.estimate is not None
    }
    if evidence.checks:
        passed = sum(check.passed for check in evidence.checks)
        values[CHECKS_MEASURE, None] = passed / len(evidence.checks)
    return values


def _bounds(item: Expected) -> str:
    return f"{item.low:.12g}" if item.low == item.high else f"{item.low:g} to {item.high:g}"


def _label(key: tuple[str, str | None]) -> str:
    return " ".join(filter(None, key))


def _run_label(place: Place[Setting]) -> str:
    return f"profile {place.profile.profile}" if place.run is None else f"recorded run {place.run}"
