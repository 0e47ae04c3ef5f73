"""A change of what a trial computes must change every trial's key."""

from __future__ import annotations

from claimtrack.settings import read_yaml
from crosslayer.training.trials import TRIAL_VERSION
from trial_sources import FILES, RECORD, hashes, problem


def test_sources_of_trials_are_as_recorded() -> None:
    assert problem(read_yaml(RECORD), TRIAL_VERSION, hashes()) is None


def test_a_changed_source_needs_a_version_or_a_reason() -> None:
    present = hashes()
    changed = present | {FILES[2]: "0" * 64}
    record = {"version": TRIAL_VERSION, "no_effect": [], "sources": present}
    assert f"{FILES[2]} changed" in str(problem(record, TRIAL_VERSION, changed))
    assert "recorded is" in str(problem(record, TRIAL_VERSION + 1, changed))
