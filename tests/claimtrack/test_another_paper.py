"""The example of another paper: its registry keeps the report's words, and its study computes what it says."""

from __future__ import annotations

import importlib
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
from ruamel.yaml import YAML
from sklearn.naive_bayes import GaussianNB

from claimtrack.importer import read_report
from claimtrack.registry import load_registry
from repository import ROOT

EXAMPLE = ROOT / "examples" / "good-probabilities"


def test_the_registry_keeps_the_words_of_the_report() -> None:
    found = read_report(EXAMPLE / "report.txt")
    entries = load_registry(EXAMPLE / "claims" / "registry.yaml").entries.values()
    assert [(e.source_text, e.verified, e.confidence, e.truncated) for e in entries if e.id != "Q01"] == [
        (row.text, row.verified, row.confidence, row.truncated) for row in found.rows
    ]
    assert (found.question, found.gaps) == (list(entries)[-1].source_text, ())


def test_profiles_are_named_as_their_files() -> None:
    for path in (EXAMPLE / "profiles").glob("*.yaml"):
        assert YAML(typ="safe").load(path.read_text(encoding="utf-8"))["profile"] == path.stem


@pytest.fixture
def study(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(str(EXAMPLE / "src"))
    return importlib.import_module("good_probabilities.study")


def test_votes_of_boosted_trees_are_shares_of_their_weights(study: ModuleType) -> None:
    """Independently of `decision_function`: the trees' own predictions, weighted."""
    x, y = study.DATA["cancer"]()
    learner = study.learners(0)["boosted"].set_params(n_estimators=7).fit(x[::2], y[::2])
    used = zip(learner.estimator_weights_, learner.estimators_, strict=False)  # fewer trees where one fits all
    votes = [weight * tree.predict(x) for weight, tree in used]
    assert study.score(learner, x) == pytest.approx(sum(votes) / learner.estimator_weights_.sum())


def test_errors_and_distortion_by_hand(study: ModuleType) -> None:
    scored = study.Scored(np.array([0.2, 0.8]), np.array([0, 1]), np.array([0.1, 0.6, 0.9]), np.array([0, 0, 1]))
    assert scored.error() == pytest.approx(100 * (0.01 + 0.36 + 0.01) / 3)
    assert scored.confidence_minus_accuracy() == pytest.approx(100 * ((0.9 + 0.6 + 0.9) / 3 - 2 / 3))


def test_isotonic_calibration_is_the_share_of_pooled_neighbours(study: ModuleType) -> None:
    calibrate, gold = np.array([0.1, 0.2, 0.3, 0.4, 0.5, 0.6]), np.array([0, 1, 0, 1, 1, 1])
    scored = study.Scored(calibrate, gold, np.array([0.2, 0.25, 0.3, 0.6]), np.array([0, 0, 1, 1]))
    assert scored.probabilities("isotonic") == pytest.approx([0.5, 0.5, 0.5, 1.0])
    assert (np.diff(scored.probabilities("sigmoid")) > 0).all()


def test_predictions_come_back(study: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(study, "learners", lambda seed: {"bayes": GaussianNB()})
    study.write(tmp_path, "cancer", 2)
    found = study.read(tmp_path, "cancer")["bayes"]
    for seed, kept in enumerate(found):
        ((_, fresh),) = study.train("cancer", seed)
        assert kept.test == pytest.approx(fresh.test, abs=1e-6)
        assert kept.calibrate_gold.tolist() == fresh.calibrate_gold.tolist()
    assert len(found) == 2
