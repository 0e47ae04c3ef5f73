"""The tests of ``pytest claims/``: every claim in every run has sound evidence, values and a verdict as pinned.

A claim that does not reproduce is a green test with an honest verdict; the table at the end shows it. Two files in
``claims/`` make them a project's own::

    # conftest.py
    from claimtrack.pytest_plugin import pytest_generate_tests, pytest_terminal_summary, suite
    # test_claims.py
    from claimtrack.pytest_plugin import test_evidence, test_expected, test_fresh_run, test_seal, test_verdict
"""

from __future__ import annotations

import pytest

from claimtrack.checks import Suite
from claimtrack.errors import UserError
from claimtrack.report.text import visible
from claimtrack.results import load, table
from claimtrack.runs import Place
from claimtrack.seal import SEAL_AGAIN, SEALS

SUITE = pytest.StashKey[Suite]()


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """One test for each run and each claim that its profile measures; and one for the seal of each claim."""
    stash = metafunc.config.stash
    try:
        if SUITE not in stash:
            stash[SUITE] = Suite.of(metafunc.definition.path.parent.parent)
        known = stash[SUITE]
        if "sealed_claim" in metafunc.fixturenames:
            sealed = known.seals[-1].claims if known.seals else {}
            claims = sorted({*known.registry.entries, *sealed}) if known.seals else ["none"]
            metafunc.parametrize("sealed_claim", claims)
        elif "claim" in metafunc.fixturenames:
            cases = [(place, claim) for place in known.places for claim in place.profile.claims]
            names = [f"{place.profile.profile}-{place.name}-{claim}" for place, claim in cases]
            metafunc.parametrize(("place", "claim"), cases, ids=names)
    except UserError as error:
        pytest.fail(str(error), pytrace=False)


@pytest.fixture
def suite(pytestconfig: pytest.Config) -> Suite:
    """The project whose claims are tested."""
    return pytestconfig.stash[SUITE]


def test_fresh_run(suite: Suite) -> None:
    """The profile has results."""
    if suite.fresh not in suite.places:
        pytest.skip(f"no results of profile {suite.fresh.profile.profile}; run `make repro`")


def test_evidence(place: Place, claim: str, suite: Suite) -> None:
    """The evidence is there, sound, and of the present trials."""
    _show(suite.evidence(place, claim))


def test_expected(place: Place, claim: str, suite: Suite) -> None:
    """Every value is where it was pinned to be."""
    _skip(suite.unpinned(place))
    _show(suite.expected(place, claim))


def test_verdict(place: Place, claim: str, suite: Suite) -> None:
    """The verdict is the pinned one."""
    _skip(suite.unpinned(place))
    _show(suite.verdict(place, claim))


def test_seal(sealed_claim: str, suite: Suite) -> None:
    """What decides the claim is as sealed."""
    _skip("" if suite.seals else f"no seals; {SEAL_AGAIN}")
    _show([problem for claim, problem in suite.broken_seals().items() if claim == sealed_claim])


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Print the verdicts of every run."""
    suite = config.stash.get(SUITE, None)
    if suite is None:
        return
    try:
        for place in suite.places:
            results = load(place, suite.registry, suite.folder / SEALS)
            terminalreporter.section(f"verdicts: {results.title} (profile {place.profile.profile})")
            for line in table(results, suite.registry.project.titles):
                terminalreporter.write_line(visible(line))
    except UserError as error:
        terminalreporter.section("verdicts")
        terminalreporter.write_line(str(error))


def _skip(why: str) -> None:
    if why:
        pytest.skip(why)


def _show(problems: list[str]) -> None:
    if problems:
        pytest.fail("; ".join(problems), pytrace=False)
