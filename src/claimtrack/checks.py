"""The checks of ``pytest claims/``: each takes what it checks and returns its complaints, one line each.

A claim that fails to reproduce passes them all, if its evidence is sound and its verdict is the pinned one.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from claimtrack.errors import ClaimError
from claimtrack.evidence import Evidence, read_evidence
from claimtrack.pins import CHECKS_MEASURE, PINS, Expected, PinnedRun, Pins, load_pins
from claimtrack.plugin import Plugin, Setting
from claimtrack.registry import REGISTRY, Entry, Registry, load_registry
from claimtrack.results import LEDGER, RESULTS, Place, fresh_place, not_due, places
from claimtrack.seal import SEALS, Seal, read_seals, seal_problems, sealed_claims
from claimtrack.settings import ACTIVE, load_settings
from claimtrack.verdict import judge

RECORDED_TOLERANCE = 1e-9


@dataclass(frozen=True)
class Suite:
    """All checks of a project; ``folder`` is that above ``claims/``."""

    folder: Path

    @cached_property
    def registry(self) -> Registry:
        """Its claims."""
        return load_registry(self.folder / REGISTRY)

    @cached_property
    def fresh(self) -> Place:
        """The present run."""
        settings: Any = load_settings(self.folder / ACTIVE, self.registry.project.settings)
        return fresh_place(settings, self.folder / RESULTS)

    @cached_property
    def places(self) -> list[Place]:
        """The present run, if there is one, and every recorded run."""
        where = self.folder / RESULTS, self.folder / LEDGER
        return places(self.fresh.profile, self.registry.project, *where)

    @cached_property
    def pins(self) -> Pins:
        """What is pinned."""
        return load_pins(self.folder / PINS)

    @cached_property
    def seals(self) -> tuple[Seal, ...]:
        """All seals."""
        return read_seals(self.folder / SEALS)

    def pinned(self, place: Place) -> PinnedRun:
        """What is pinned of a run."""
        return self.pins.of(place.profile.profile, place.run)

    @cached_property
    def broken_seals(self) -> dict[str, str]:
        """By claim, what decides it and is not as sealed."""
        claims = sealed_claims(self.registry, self.registry.project.all_rules)
        return seal_problems(claims, self.seals[-1]) if self.seals else {}

    def unpinned(self, place: Place) -> str:
        """See `unpinned`."""
        return unpinned(place, self.registry.project, self.pinned(place), self.seals, self.folder)

    def evidence(self, place: Place, claim: str) -> list[str]:
        """Whether the evidence is sound, and of the present trials; there need be none while a plan is not due."""
        trials = self.registry.project.trials(place.folder)
        if not_due(place, trials, self.seals):
            return []
        problems = evidence_problems(place, self.registry.entry(claim))
        if problems or place.run is not None:
            return problems
        return key_problems(read_evidence(place.evidence_path(claim)), trials)

    def expected(self, place: Place, claim: str) -> list[str]:
        """See `expected_problems`."""
        evidence = read_evidence(place.evidence_path(claim))
        return expected_problems(self.registry.entry(claim), evidence, place, self.pinned(place))

    def verdict(self, place: Place, claim: str) -> list[str]:
        """See `verdict_problems`."""
        evidence = read_evidence(place.evidence_path(claim))
        entry, plugin = self.registry.entry(claim), self.registry.project
        return verdict_problems(entry, evidence, place, plugin, self.pinned(place))

    def problems(self) -> Iterator[str]:
        """Every complaint, one line each."""
        for place in self.places:
            for claim in place.profile.claims:
                found = self.evidence(place, claim)
                if not found and not self.unpinned(place):
                    found = [*self.expected(place, claim), *self.verdict(place, claim)]
                yield from (f"{place.name}: {line}" for line in found)
        yield from self.broken_seals.values()


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


def expected_problems(entry: Entry, evidence: Evidence, place: Place[Setting], pinned: PinnedRun) -> list[str]:
    """Whether every pinned range has its value inside, and a recorded run no judged value without a range."""
    ranges = pinned.expected(entry.id)
    problems = [problem for item in ranges if (problem := _range_problem(item, evidence))]
    if place.run is not None:
        known = {(item.measure, item.task) for item in ranges}
        new = [key for key in _values(evidence) if key not in known]
        problems += [f"{_label(key)} has no pinned value; {pin_command(place)}" for key in new]
    return [f"{entry.id}: {problem}" for problem in problems]


def verdict_problems(
    entry: Entry, evidence: Evidence | None, place: Place[Setting], plugin: Plugin, pinned: PinnedRun
) -> list[str]:
    """Whether the verdict is pinned, and is the pinned one."""
    claim = pinned.claims.get(entry.id)
    verdict, because, _ = judge(entry, evidence, place.profile, plugin)
    if claim is None:
        return [f"{entry.id}: no verdict is pinned for {_run_label(place)}; {pin_command(place)}"]
    if claim.verdict == verdict:
        return []
    return [f"{entry.id}: verdict is {verdict!r}, pinned is {claim.verdict!r}: {because}"]


def unpinned(
    place: Place[Setting], plugin: Plugin, pinned: PinnedRun, seals: Sequence[Seal], project: Path
) -> str:
    """Why a run is not compared with pins; empty if it is.

    Its sealed plan is not due, nobody has pinned it, or its settings are not those of the file of their name.
    """
    if withheld := not_due(place, plugin.trials(place.folder), seals):
        return withheld
    if place.run is not None:
        return ""
    profile = place.profile.profile
    if not plugin.shipped(place.profile, project):
        return f"no pin for this specification: params.yaml differs from profiles/{profile}.yaml"
    return "" if pinned.claims else f"profile {profile} is not pinned yet; {pin_command(place)}"


def pin_command(place: Place[Setting]) -> str:
    """What to do when a pin is missing."""
    run = "" if place.run is None else f" --run {place.run}"
    return f"run `claimtrack pin{run} --reason TEXT`"


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
        (part.measure, part.subject): part.estimate
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
