"""A trial's key is the hash of its specification, and stays what it was when the trial was recorded."""

from __future__ import annotations

import json
from typing import Any

import pytest

from crosslayer.training.trials import TRIAL_VERSION, TrialSpec
from repository import ROOT

GOLDEN: list[dict[str, Any]] = json.loads((ROOT / "tests" / "fixtures" / "keys.json").read_text(encoding="utf-8"))
"""Of each kind of trial that was recorded one, and the same with the present version."""


@pytest.mark.parametrize("recorded", GOLDEN, ids=[trial["key"] for trial in GOLDEN])
def test_keys_stay_as_recorded(recorded: dict[str, Any]) -> None:
    spec = TrialSpec.model_validate(recorded["specification"])
    assert spec.key == recorded["key"]
    assert spec.content() == recorded["specification"]


def test_trials_of_all_versions_and_kinds_are_held() -> None:
    specifications = [trial["specification"] for trial in GOLDEN]
    assert {found["version"] for found in specifications} == {2, 3, TRIAL_VERSION}
    assert {found["kind"] for found in specifications} >= {"none", "dlfa", "self", "shuffled", "scalar_mix"}
    assert {found["arm"] for found in specifications} == {"none", "english", "multilingual"}
    assert any("share" in found for found in specifications)
    assert any("micro_batch" in found for found in specifications)
