"""Claims of another paper: the rule and the settings that are not this paper's, and the example that uses them."""

from __future__ import annotations

import importlib
from dataclasses import dataclass, replace
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from pydantic import BaseModel
from ruamel.yaml import YAML
from sklearn.naive_bayes import GaussianNB

from claimtrack.evidence import Evidence, Interval, Measurement
from claimtrack.importer import read_report
from claimtrack.plugin import Plugin
from claimtrack.registry import Claimed, Entry, load_registry
from claimtrack.rules import COMMON
from claimtrack.verdict import decide, judge
from repository import ROOT

EXAMPLE = ROOT / "examples" / "good-probabilities"
Span = tuple[float, float] | None


@dataclass(frozen=True)
class Small:
    """Settings that have nothing but what claims need."""

    profile: str = "small"
    claims: tuple[str, ...] = ("C01",)


PLUGIN = Plugin("small", BaseModel, lambda claim, folder, settings: evidence())


def entry(claimed: dict[str, Any], when: str = "any", **changes: Any) -> Entry:
    relevance = [
        {"when": when, "value": "none", "reason": "A reason."}, {"when": "any", "value": "direct", "reason": "R."}
    ]  # fmt: skip
    content = {
        "id": "C01", "source_text": "A claim.", "kind": "measured", "title": "A title", "measured_as": "So.",
        "primary_source": {"supports": None, "cell": "none"}, "reproduced_when": "Then.", "would_change": "That.",
        "notebook": "one", "metric": "size_v1", "rule": "as_claimed", "claimed": claimed, "relevance": relevance,
        **changes,
    }  # fmt: skip
    return Entry.model_validate(content)


def part(span: Span, measure: str = "size", unit: str = "m", **more: Any) -> Measurement:
    interval = None if span is None else Interval(low=span[0], high=span[1], method="test")
    estimate = None if span is None else sum(span) / 2
    values = {"estimate": estimate, "n_seeds": 3, "judged": True, **more}
    return Measurement(measure=measure, unit=unit, interval=interval, **values)


def evidence(*parts: Measurement) -> Evidence:
    return Evidence(claim="C01", profile="small", metric="size_v1", status="measured", parts=parts)


RANGE = {"low": 1.0, "high": 3.0, "unit": "m"}


@pytest.mark.parametrize(
    ("spans", "verdict"),
    [
        ([(1, 3)], "reproduced"),
        ([(1.5, 2)], "reproduced"),
        ([(0.9, 2)], "inconclusive"),
        ([(2, 3.1)], "inconclusive"),
        ([(0, 4)], "inconclusive"),
        ([(3.1, 4)], "not reproduced"),
        ([(0, 0.9)], "not reproduced"),
        ([(1, 2), (1.1, 2.9)], "reproduced"),
        ([(1, 2), (0, 2)], "inconclusive"),
        ([(1, 2), (4, 5)], "not reproduced"),
        ([(1, 2), None], "inconclusive"),
        ([None], "not run"),
    ],
)
def test_intervals_lie_inside_or_outside_the_claimed_range(spans: list[Span], verdict: str) -> None:
    parts = [part(span, note=str(i)) for i, span in enumerate(spans)]
    assert judge(entry(RANGE), evidence(*parts), Small(), PLUGIN)[0] == verdict


@pytest.mark.parametrize(
    ("one", "two", "verdict"),
    [
        ((0.1, 1), (-2, -1), "reproduced"),
        ((0.1, 1), (-2, 1), "inconclusive"),
        ((0.0, 1), (-2, -1), "inconclusive"),
        ((0.1, 1), (0.5, 1), "not reproduced"),
        ((0.1, 1), None, "inconclusive"),
    ],
)
def test_every_claimed_sign_has_to_be_measured(one: Span, two: Span, verdict: str) -> None:
    claimed = entry({"signs": {"up": "+", "down": "-"}})
    parts = [part(one, "up"), *([] if two is None else [part(two, "down", unit="kg")])]
    assert judge(claimed, evidence(*parts), Small(), PLUGIN)[0] == verdict


def test_only_judged_parts_of_which_something_is_claimed_are_read() -> None:
    others = (part((9, 10), judged=False), part((9, 10), unit="kg"))
    assert judge(entry(RANGE), evidence(part((1, 2)), *others), Small(), PLUGIN)[0] == "reproduced"
    assert judge(entry(RANGE), evidence(*others), Small(), PLUGIN)[0] == "not run"


def test_three_seeds_are_needed_here_too() -> None:
    for n_seeds, verdict in ((0, "inconclusive"), (2, "inconclusive"), (3, "reproduced")):
        assert judge(entry(RANGE), evidence(part((1, 2), n_seeds=n_seeds)), Small(), PLUGIN)[0] == verdict


@pytest.mark.parametrize(
    ("claimed", "words"),
    [
        (RANGE, "Size (m): +1.5 [+1, +2]; claimed: 1 to 3; 1 of 1 as claimed."),
        ({"low": 1.0, "unit": "m"}, "Size (m): +1.5 [+1, +2]; claimed: at least 1; 1 of 1 as claimed."),
        ({"high": 3.0, "unit": "m"}, "Size (m): +1.5 [+1, +2]; claimed: at most 3; 1 of 1 as claimed."),
        ({"signs": {"size": "+"}}, "Size (m): +1.5 [+1, +2]; 1 of 1 as claimed."),
    ],
)
def test_the_sentence_names_what_is_claimed(claimed: dict[str, Any], words: str) -> None:
    assert judge(entry(claimed), evidence(part((1, 2))), Small(), PLUGIN)[1] == words


def test_something_must_be_claimed() -> None:
    lacks = COMMON["as_claimed"].lacks
    assert lacks(Claimed(unit="m")) == "claimed.signs, claimed.low or claimed.high"
    assert (lacks(Claimed(low=1.0)), lacks(Claimed(signs={"size": "+"}))) == ("", "")
    assert not Claimed().has_range("size", "")


def test_settings_of_another_paper_bring_their_own_conditions() -> None:
    one = entry(RANGE, when="reduced")
    for holds, value in ((True, "none"), (False, "direct")):
        plugin = replace(PLUGIN, conditions={"reduced": lambda setting, holds=holds: holds})
        assert decide(one, None, Small(), plugin).relevance == value


# The example


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
