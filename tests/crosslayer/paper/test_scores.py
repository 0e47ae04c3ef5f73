"""Scores of a sweep, task by task: from predictions to tables."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from analysed import PROFILE, one, task_score
from claimtrack.errors import ResultsError
from crosslayer.paper import complementarity, gains, scores
from crosslayer.tasks import TASK_NAMES, TaskName
from synthetic_run import MadeUpRun, make_profile, make_sweep


@pytest.mark.parametrize("task", TASK_NAMES)
def test_scores_agree_with_other_code(planted: MadeUpRun, task: TaskName) -> None:
    found = scores.load_sweep(planted, PROFILE).tasks[task]
    assert found.test.models == ("baseline", "layer_1", "layer_2", "layer_3", "self")
    for row, model in enumerate(found.test.models):
        expected = task_score(planted, task, f"sweep-{task}-{model}-none-1")
        assert found.test.scores[row, 1] == pytest.approx(expected, abs=1e-9)


@pytest.mark.parametrize(
    ("task", "source", "together"), [("xnli", "hub", True), ("pos", "hub", False), ("pos", "fragment", True)]
)
def test_clusters_join_languages_where_items_are_parallel(
    planted: MadeUpRun, task: TaskName, source: str, together: bool
) -> None:
    found = scores.load_sweep(planted, make_profile(tasks=[task], source=source)).tasks[task]
    clusters = len(set(found.units.cluster.tolist()))
    assert clusters == (500 if together else 2000)
    assert found.n_items == 2000


def test_what_failed_or_never_ran_is_named() -> None:
    run = make_sweep(make_profile(tasks=["xnli", "pos"]), n=20)
    run.end("collapsed", task="xnli", model="layer_1", seed=1)
    run.end("nan_loss", task="xnli", model="self")
    run.end("out_of_memory", task="pos")
    run.drop(task="xnli", model="layer_3", seed=2)
    found = scores.load_sweep(run, make_profile(tasks=["xnli", "pos", "pawsx"]))
    assert list(found.tasks) == ["xnli"]
    assert set(found.missing) == {
        "XNLI: layer_1 collapsed into one answer with seed 1",
        "XNLI: self ended with a NaN loss with seeds 0, 1, 2",
        "XNLI: layer_3 has not run with seed 2",
        "XNLI: layer_1, layer_3 succeeded with fewer than 3 seeds and cannot be chosen",
        "POS: all 15 trials ran out of memory",
        "POS: no baseline succeeded, so there is no gain to measure",
        "PAWS-X: the sweep has not run",
        "NER is not a task of the profile made-up",
    }
    table = found.tasks["xnli"].test
    assert "self" not in table.models
    assert np.argwhere(np.isnan(table.scores)).tolist() == [[1, 1], [3, 2]]
    assert not any("layer_1-none-1" in key or "-self-" in key for key in found.keys)


@pytest.mark.parametrize(
    ("name", "value", "told"),
    [
        ("device_kind", "cuda", "cuda"), ("precision", "bfloat16", "bfloat16"), ("torch", "9.9.9", "torch 9.9.9"),
        ("specification", {"version": 3}, "version 3"),
    ],
)  # fmt: skip
def test_trials_of_different_batches_are_not_compared(name: str, value: Any, told: str) -> None:
    run = make_sweep(make_profile(tasks=["xnli"]), n=20)
    run.trials = [t.model_copy(update={"torch": "2.13.0", "specification": {"version": 2}}) for t in run.trials]
    run.trials[7] = run.trials[7].model_copy(update={name: value})
    found = scores.load_sweep(run, make_profile(tasks=["xnli"]))
    assert run.trials[7].key not in found.keys
    assert len(found.keys) == len(run.trials) - 1
    assert any(line.startswith(f"XNLI: 1 trials of {told} are not compared with 14 of ") for line in found.missing)


@pytest.fixture
def two_batches() -> MadeUpRun:
    """Layers 1 to 3 without controls in one batch, layer 2 with two of them in another; each has a baseline."""
    run = make_sweep(make_profile(tasks=["pos"], layers=(1, 2, 3), controls=()), n=60)
    other = make_sweep(make_profile(tasks=["pos"], layers=(2,), controls=("self", "gate")), n=60)
    for trial in other.trials:
        later = trial.model_copy(update={"key": f"later-{trial.key}", "precision": "bfloat16"})
        run.trials.append(later)
        for split in ("dev", "test"):
            run.predicted[later.key, split] = other.predicted[trial.key, split]
    return run


def test_gains_of_layers_and_of_controls_come_from_their_own_batches(two_batches: MadeUpRun) -> None:
    profile = make_profile(tasks=["pos"], controls=("self", "gate"))
    evidence = gains.measure("C05", two_batches, profile)
    layers = [part.model for part in evidence.parts if part.measure == "layer_gain"]
    controls = [part for part in evidence.parts if part.measure == "control_gain"]
    assert layers == ["layer_1", "layer_2", "layer_3"]
    assert [part.model for part in controls] == ["self", "gate"]
    only = replace(two_batches, trials=[t for t in two_batches.trials if t.precision == "bfloat16"])
    alone = gains.measure("C05", only, profile)
    assert controls == [part for part in alone.parts if part.measure == "control_gain"]
    assert {t.key for t in two_batches.trials} == set(evidence.trials)
    restricted = one(complementarity.measure("C02", two_batches, profile), "dev_selected_minus_self", "pos")
    assert restricted.note.endswith("chosen on dev among layer 2 only: 2 at every seed.")
    assert restricted.estimate is not None


def test_a_language_in_one_half_of_the_items_alone_gives_no_halves(two_batches: MadeUpRun) -> None:
    found = scores.load_sweep(two_batches, make_profile(tasks=["pos"])).tasks["pos"]
    one, two = found.halves()
    assert one.scores.shape == two.scores.shape
    lone = replace(found, units=replace(found.units, cluster=np.zeros_like(found.units.cluster)))
    with pytest.raises(ResultsError, match="has too few test items for two halves"):
        lone.halves()
    assert gains.cross_fitted(lone).estimate is None


@pytest.mark.parametrize(
    ("chance", "pooled"),
    [(33.0, ("baseline", "layer_1", "self")), (56.0, ("baseline", "layer_1", "layer_2", "self"))],
)
def test_a_layer_that_nearly_collapsed_and_simple_fusions_keep_their_noise_apart(
    chance: float, pooled: tuple[str, ...]
) -> None:
    """Layer 2 keeps 15 of 27 points above a chance of 33; 4 points above chance are too few to tell."""
    models = ("baseline", "layer_1", "layer_2", "self", "gate")
    means = np.array([60.0, 59.0, 48.0, 61.0, 60.0])
    table = means[:, None] + np.array([0.0, 0.3, -0.3])
    assert scores.one_kind(models, table, chance) == pooled


def test_a_layer_that_nearly_collapsed_is_named_so() -> None:
    profile = make_profile(tasks=["xnli"])
    found = scores.load_sweep(make_sweep(profile, {("xnli", "layer_2"): -12.0}, n=400), profile)
    assert "XNLI: layer_2 succeeded but nearly collapsed and cannot be chosen" in found.missing
