"""The checks of ``pytest claims/``: each returns its complaints, one line each.

A claim that fails to reproduce passes them all, if its evidence is sound and its verdict is the pinned one.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from claimtrack.errors import ClaimError
from claimtrack.evidence import Evidence, read_evidence
from claimtrack.judging import judge
from claimtrack.pins import CHECKS_MEASURE, PINS, Key, PinnedRun, Pins, load_pins
from claimtrack.registry import REGISTRY, Registry, load_registry
from claimtrack.results import places
from claimtrack.runs import Place
from claimtrack.seal import SEALS, Seal, not_due, read_seals, seal_problems, sealed_claims
from claimtrack.settings import ACTIVE, load_settings

RECORDED_TOLERANCE = 1e-9


@dataclass(frozen=True)
class Suite:
    """All checks of a project, in the present run (``fresh``), if it has claims, and in every recorded one."""

    folder: Path
    registry: Registry
    pins: Pins
    seals: tuple[Seal, ...]
    fresh: Place
    places: tuple[Place, ...]

    @classmethod
    def of(cls, folder: Path) -> Self:
        """Load the project in a folder; a `ClaimError` where one of its files is wrong."""
        registry = load_registry(folder / REGISTRY)
        settings: Any = load_settings(folder / ACTIVE, registry.project.settings)
        fresh, *recorded = places(settings, registry.project, folder)
        there = [fresh, *recorded] if (fresh.folder / "claims").is_dir() else recorded
        return cls(folder, registry, load_pins(folder / PINS), read_seals(folder / SEALS), fresh, tuple(there))

    def broken_seals(self) -> dict[str, str]:
        """By claim, what decides it and is not as sealed."""
        claims = sealed_claims(self.registry.entries, self.registry.project.all_rules)
        return seal_problems(claims, self.seals[-1]) if self.seals else {}

    def unpinned(self, place: Place) -> str:
        """Why a run is not compared with pins; empty if it is.

        Its sealed plan is not due, nobody has pinned it, or its settings are not those of the file of their name.
        """
        if withheld := self._withheld(place):
            return withheld
        if place.run is not None:
            return ""
        profile = place.profile.profile
        if not self.registry.project.shipped(place.profile, self.folder):
            same = f"params.yaml differs from profiles/{profile}.yaml, or that file is absent"
            return f"no pin for this specification: {same}"
        return "" if self._pinned(place).claims else f"profile {profile} is not pinned yet; {_pin_command(place)}"

    def evidence(self, place: Place, claim: str) -> list[str]:
        """Whether the evidence is there, readable, that of this claim, run and metric, and of the present trials;
        there need be none while a plan is not due."""
        if self._withheld(place):
            return []
        entry = self.registry.entry(claim)
        try:
            evidence = read_evidence(place.evidence_path(claim))
        except ClaimError as error:
            return [str(error)]
        about = {"claim": claim, "profile": place.profile.profile, "run": place.name, "metric": entry.metric}
        if wrong := evidence.differs(**about):
            return [f"{claim}: {line}" for line in wrong]
        stale = sorted(set(evidence.trials) - set(self.registry.project.trials(place.folder)))
        if not stale or place.run is not None:
            return []
        counted = f"{len(stale)} trials that no manifest names (first {stale[0]})"
        return [f"{claim}: computed from {counted}; run `dvc repro`"]

    def expected(self, place: Place, claim: str) -> list[str]:
        """Whether every pinned range has its value inside, and a recorded run no judged value without a range."""
        pinned = self._pinned(place).claims.get(claim)
        ranges = pinned.expected if pinned else {}
        values = _values(read_evidence(place.evidence_path(claim)))
        tolerance = RECORDED_TOLERANCE if pinned and pinned.basis == "recorded" else 0.0
        problems = []
        for key, (low, high) in ranges.items():
            label, bounds = " ".join(filter(None, key)), f"{low:g} to {high:g}" if low != high else f"{low:.12g}"
            if key not in values:
                problems.append(f"{label} was not measured; expected {bounds}")
            elif pinned and not low - tolerance <= values[key] <= high + tolerance:
                why = f"{pinned.basis}: {pinned.reason}"
                problems.append(f"{label} is {values[key]:.12g}, expected {bounds} ({why})")
        if place.run is not None:
            new = [" ".join(filter(None, key)) for key in values if key not in ranges]
            problems += [f"{label} has no pinned value; {_pin_command(place)}" for label in new]
        return [f"{claim}: {problem}" for problem in problems]

    def verdict(self, place: Place, claim: str) -> list[str]:
        """Whether the verdict is pinned, and is the pinned one."""
        evidence, pinned = read_evidence(place.evidence_path(claim)), self._pinned(place).claims.get(claim)
        verdict, because, _ = judge(self.registry.entry(claim), evidence, place.profile, self.registry.project)
        if pinned is None:
            run = f"profile {place.profile.profile}" if place.run is None else f"recorded run {place.run}"
            return [f"{claim}: no verdict is pinned for {run}; {_pin_command(place)}"]
        if pinned.verdict == verdict:
            return []
        return [f"{claim}: verdict is {verdict!r}, pinned is {pinned.verdict!r}: {because}"]

    def problems(self) -> Iterator[str]:
        """Every complaint, one line each."""
        for place in self.places:
            for claim in place.profile.claims:
                found = self.evidence(place, claim)
                if not found and not self.unpinned(place):
                    found = [*self.expected(place, claim), *self.verdict(place, claim)]
                yield from (f"{place.name}: {line}" for line in found)
        yield from self.broken_seals().values()

    def _pinned(self, place: Place) -> PinnedRun:
        return self.pins.of(place.profile.profile, place.run)

    def _withheld(self, place: Place) -> str:
        trials = self.registry.project.trials(place.folder).values()
        return not_due(place.profile.profile, trials, self.seals)


def _pin_command(place: Place) -> str:
    run = "" if place.run is None else f" --run {place.run}"
    return f"run `claimtrack pin{run} --reason TEXT`"


def _values(evidence: Evidence) -> dict[Key, float]:
    """Judged estimates by measure and task, and the share of passed checks."""
    values: dict[Key, float] = {
        (p.measure, p.subject): p.estimate for p in evidence.parts if p.judged and p.estimate is not None
    }
    if evidence.checks:
        values[CHECKS_MEASURE, None] = sum(c.passed for c in evidence.checks) / len(evidence.checks)
    return values
