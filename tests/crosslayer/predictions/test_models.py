"""The names of models: each is read and printed in one way, and keys of recorded trials hold them."""

from __future__ import annotations

import json
import pickle

import pytest

from crosslayer.predictions.models import BASELINE, CONTROLS, HALVES, Model
from crosslayer.predictions.records import read_records
from crosslayer.training.trials import TrialSpec
from repository import ROOT


@pytest.mark.parametrize(
    ("model", "name", "about"),
    [
        (BASELINE, "baseline", {"fusion": "none"}),
        (Model.fused(8), "layer_8", {"layer": 8, "fusion": "dlfa"}),
        (HALVES[1], "half_2", {"half": 2, "fusion": "dlfa"}),
        (Model.at_share(0.125, fused=False), "baseline_at_0.125", {"share": 0.125, "fusion": "none"}),
        (Model.at_share(1e-5, fused=True), "dlfa_at_1e-05", {"share": 1e-5, "fusion": "dlfa"}),
        (Model.smoothed(0.1), "baseline_smoothed_0.1", {"smoothing": 0.1, "fusion": "none"}),
        (Model.varied({"kernel": 3, "form": "gate"}), "varied:kernel=3,form=gate",
         {"changes": "kernel=3,form=gate", "fusion": "dlfa"}),
        (Model("gate"), "gate", {"fusion": "dlfa"}),
        (Model("scalar_mix"), "scalar_mix", {"fusion": "scalar_mix"}),
    ],
)  # fmt: skip
def test_a_name_says_what_a_model_is(model: Model, name: str, about: dict[str, object]) -> None:
    assert str(model) == name
    assert Model(name) == model
    assert pickle.loads(pickle.dumps(model)) == model
    nothing = dict.fromkeys(("layer", "half", "share", "smoothing", "changes"))
    assert {key: getattr(model, key) for key in nothing | about} == nothing | about


@pytest.mark.parametrize(
    "name", ["", "layer_", "layer_x", "half_3", "baseline_at_", "varied:", "Self", "layer_8\n"]
)
def test_other_names_are_refused(name: str) -> None:
    with pytest.raises(ValueError, match="names no model"):
        Model(name)


def test_tables_of_gains_hold_baseline_layers_and_controls() -> None:
    assert all(model.is_compared for model in (BASELINE, Model.fused(1), *CONTROLS))
    others = (*HALVES, Model.smoothed(0.1), Model.at_share(0.5, fused=True), Model.varied({"kernel": 3}))
    assert not any(model.is_compared for model in others)


@pytest.mark.parametrize("entry", [path.name for path in sorted((ROOT / "claims/ledger").glob("[a-z]*/"))])
def test_keys_of_recorded_trials_are_those_of_their_specification(entry: str) -> None:
    for trial in read_records(ROOT / "claims/ledger" / entry / "trials.json"):
        spec = TrialSpec.model_validate(trial.specification)
        assert json.loads(json.dumps(spec.content())) == trial.specification
        assert spec.key == trial.key
