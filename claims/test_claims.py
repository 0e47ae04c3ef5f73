"""Every claim in every run: sound evidence, values as expected, the verdict that is pinned.

A claim that does not reproduce is a green test with an honest verdict; the table at the end shows it.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from crosslayer.claims.checks import (
    evidence_problems,
    expected_problems,
    is_shipped,
    key_problems,
    present_keys,
    verdict_problems,
)  # fmt: skip
from crosslayer.claims.evidence import Evidence, read_evidence
from crosslayer.claims.registry import Registry
from crosslayer.claims.results import Place, fresh_place
from crosslayer.config import load_profile

ROOT = Path(__file__).parent.parent


def test_fresh_run_exists() -> None:
    place = fresh_place(load_profile(ROOT / "params.yaml"), ROOT / "results")
    if not (place.folder / "claims").is_dir():
        pytest.skip(f"no results of profile {place.profile.profile}; run `make repro`")


def test_evidence(place: Place, claim: str, registry: Registry) -> None:
    problems = evidence_problems(place, registry.entry(claim))
    if not problems and place.run is None:
        problems = key_problems(_evidence(place, claim), present_keys(place.folder))
    assert not problems, "; ".join(problems)


def test_expected(place: Place, claim: str, registry: Registry) -> None:
    _skip_unpinned(place)
    problems = expected_problems(registry.entry(claim), _evidence(place, claim), place)
    assert not problems, "; ".join(problems)


def test_verdict(place: Place, claim: str, registry: Registry) -> None:
    _skip_unpinned(place)
    problems = verdict_problems(registry.entry(claim), _evidence(place, claim), place)
    assert not problems, "; ".join(problems)


def _evidence(place: Place, claim: str) -> Evidence:
    return read_evidence(place.evidence_path(claim))


def _skip_unpinned(place: Place) -> None:
    if place.run is None and not is_shipped(place.profile, ROOT / "profiles"):
        pytest.skip(
            f"no pin for this specification: params.yaml differs from profiles/{place.profile.profile}.yaml"
        )
