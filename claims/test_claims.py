"""Every claim in every run: sound evidence, values as expected, the verdict that is pinned.

A claim that does not reproduce is a green test with an honest verdict; the table at the end shows it.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from claimtrack.checks import (
    evidence_problems,
    expected_problems,
    is_pinned,
    key_problems,
    pin_command,
    verdict_problems,
)  # fmt: skip
from claimtrack.evidence import Evidence, read_evidence
from claimtrack.registry import Registry
from claimtrack.results import Place, fresh_place, not_due
from claimtrack.seal import SEAL_AGAIN, read_seals, seal_problems, sealed_claims
from claimtrack.settings import load_settings

ROOT = Path(__file__).parent.parent
SEALS = ROOT / "claims" / "seals.json"


def test_fresh_run_exists(registry: Registry) -> None:
    place = fresh_place(load_settings(ROOT / "params.yaml", registry.project.settings), ROOT / "results")
    if not (place.folder / "claims").is_dir():
        pytest.skip(f"no results of profile {place.profile.profile}; run `make repro`")


def test_evidence(place: Place, claim: str, registry: Registry) -> None:
    problems = evidence_problems(place, registry.entry(claim))
    if not problems and place.run is None:
        problems = key_problems(_evidence(place, claim), registry.project.trials(place.folder))
    assert not problems, "; ".join(problems)


def test_expected(place: Place, claim: str, registry: Registry) -> None:
    _skip_unpinned(place, registry)
    problems = expected_problems(registry.entry(claim), _evidence(place, claim), place)
    assert not problems, "; ".join(problems)


def test_verdict(place: Place, claim: str, registry: Registry) -> None:
    _skip_unpinned(place, registry)
    problems = verdict_problems(registry.entry(claim), _evidence(place, claim), place, registry.project)
    assert not problems, "; ".join(problems)


def test_seal(sealed_claim: str, registry: Registry) -> None:
    seals = read_seals(SEALS)
    if not seals:
        pytest.skip(f"no seals; {SEAL_AGAIN}")
    problem = seal_problems(sealed_claims(registry, registry.project.all_rules), seals[-1]).get(sealed_claim)
    assert not problem, problem


def _evidence(place: Place, claim: str) -> Evidence:
    return read_evidence(place.evidence_path(claim))


def _skip_unpinned(place: Place, registry: Registry) -> None:
    """Skip a run under a plan that is not due, one that nobody has pinned, or one of other settings."""
    if withheld := not_due(place, registry.project.trials(place.folder), read_seals(SEALS)):
        pytest.skip(withheld)
    if place.run is not None:
        return
    profile = place.profile.profile
    if not registry.project.shipped(place.profile):
        pytest.skip(f"no pin for this specification: params.yaml differs from profiles/{profile}.yaml")
    if not is_pinned(registry, place):
        pytest.skip(f"profile {profile} is not pinned yet; {pin_command(place)}")
