"""Which runs the claim tests see, and the table of verdicts that they end with."""

from __future__ import annotations

from pathlib import Path

import pytest

from claimtrack.errors import UserError
from claimtrack.registry import Registry, load_registry
from claimtrack.results import Place, load, places, table
from claimtrack.settings import load_settings

ROOT = Path(__file__).parent.parent
REGISTRY, SEALS = (ROOT / "claims" / name for name in ("registry.yaml", "seals.json"))


def all_places() -> list[Place]:
    """The present run, if there is one, and every recorded run."""
    plugin = load_registry(REGISTRY).project
    settings = load_settings(ROOT / "params.yaml", plugin.settings)
    return places(settings, plugin, ROOT / "results", ROOT / "claims" / "ledger")


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """One test for each run and each claim that its profile measures; and one for the seal of each claim."""
    if not {"claim", "sealed_claim"} & set(metafunc.fixturenames):
        return
    try:
        if "sealed_claim" in metafunc.fixturenames:
            metafunc.parametrize("sealed_claim", load_registry(REGISTRY).entries if SEALS.exists() else ["none"])
            return
        cases = [(place, claim) for place in all_places() for claim in place.profile.claims]
    except UserError as error:
        pytest.fail(str(error), pytrace=False)
    names = [f"{place.profile.profile}-{place.name}-{claim}" for place, claim in cases]
    metafunc.parametrize(("place", "claim"), cases, ids=names)


@pytest.fixture(scope="session")
def registry() -> Registry:
    return load_registry(REGISTRY)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print the verdicts of every run."""
    try:
        registry = load_registry(REGISTRY)
        for place in all_places():
            results = load(place, registry, seals=SEALS)
            terminalreporter.section(f"verdicts: {results.title} (profile {place.profile.profile})")
            for line in table(results, registry.project.titles):
                terminalreporter.write_line(line)
    except UserError as error:
        terminalreporter.section("verdicts")
        terminalreporter.write_line(str(error))
