"""Which runs the claim tests see, and the table of verdicts that they end with."""

from __future__ import annotations

from pathlib import Path

import pytest

from crosslayer.claims.registry import Registry, load_registry
from crosslayer.claims.results import Place, load, places, table
from crosslayer.config import load_profile
from crosslayer.errors import UserError

ROOT = Path(__file__).parent.parent


def all_places() -> list[Place]:
    """The present run, if there is one, and every recorded run."""
    return places(load_profile(ROOT / "params.yaml"), ROOT / "results", ROOT / "claims" / "ledger")


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """One test for each run and each claim that its profile measures."""
    if "claim" not in metafunc.fixturenames:
        return
    try:
        cases = [(place, claim) for place in all_places() for claim in place.profile.claims]
    except UserError as error:
        pytest.fail(str(error), pytrace=False)
    names = [f"{place.profile.profile}-{place.name}-{claim}" for place, claim in cases]
    metafunc.parametrize(("place", "claim"), cases, ids=names)


@pytest.fixture(scope="session")
def registry() -> Registry:
    return load_registry(ROOT / "claims" / "registry.yaml")


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print the verdicts of every run."""
    try:
        registry = load_registry(ROOT / "claims" / "registry.yaml")
        for place in all_places():
            results = load(place, registry)
            terminalreporter.section(f"verdicts: {results.title} (profile {place.profile.profile})")
            for line in table(results):
                terminalreporter.write_line(line)
    except UserError as error:
        terminalreporter.section("verdicts")
        terminalreporter.write_line(str(error))
