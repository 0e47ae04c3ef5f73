"""The rule for any paper: a sign, a range, equality or an order, measure by measure."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel, ValidationError
from scipy import stats

from claimtrack import rules
from claimtrack.entries import Claimed, ClaimedMeasure, Entry
from claimtrack.errors import ClaimError
from claimtrack.evidence import Evidence, Measurement, read_evidence, write_evidence
from claimtrack.judging import judge, unclaimed
from claimtrack.plugin import Plugin
from claimtrack.project import evidence_of
from claimtrack.rules import Judgement
from claimtrack.samples import in_order, mean_of
from claimtrack.settings import check_settings

ANY = {"when": "any", "value": "direct", "reason": "made up"}
AROUND = [-0.2, -0.1, 0.0, 0.1, 0.2]


class Settings(BaseModel):
    profile: str = "full"
    claims: list[str] = ["C01"]


PLUGIN = Plugin(name="made_up", settings=Settings, measure=lambda claim, run, settings: evidence([]))


def entry(claimed: dict[str, Any], **more: Any) -> Entry:
    texts = dict.fromkeys(("source_text", "title", "measured_as", "reproduced_when", "would_change"), "text")
    return Entry.model_validate({
        "id": "C01", "kind": "measured", "primary_source": {"supports": None, "cell": "none"}, "notebook": "claim",
        "metric": "made_up_v1", "rule": "claimed_each", "claimed": claimed,
        "relevance": [ANY], **texts, **more,
    })  # fmt: skip


def evidence(parts: list[Measurement]) -> Evidence:
    return evidence_of("C01", Settings(), "made_up_v1", parts)


def part(centre: float, measure: str = "x", unit: str = "points", **about: Any) -> Measurement:
    """A measurement with standard error 0.0707 and 4 degrees of freedom."""
    return mean_of(measure, [centre + value for value in AROUND], unit, **about)


def judged(claimed: dict[str, Any], *parts: Measurement) -> Judgement:
    return judge(entry(claimed), evidence(list(parts)), Settings(), PLUGIN)


@pytest.mark.parametrize(
    ("claimed", "value", "verdict"),
    [
        ({"sign": "+"}, 0.3, "reproduced"),
        ({"sign": "+"}, 0.05, "inconclusive"),
        ({"sign": "+"}, -0.3, "not reproduced"),
        ({"sign": "-"}, -0.3, "reproduced"),
        ({"sign": "+", "null": 1.0}, 1.3, "reproduced"),
        ({"sign": "+", "null": 1.0}, 0.7, "not reproduced"),
        ({"sign": "+", "smallest": 0.5}, 0.05, "not reproduced"),
        ({"low": 1.0, "high": 2.0}, 1.5, "reproduced"),
        ({"low": 1.0, "high": 2.0}, 1.1, "inconclusive"),
        ({"low": 1.0, "high": 2.0}, 2.3, "not reproduced"),
        ({"high": 2.0}, -5.0, "reproduced"),
        ({"within": 0.5}, 0.1, "reproduced"),
        ({"within": 0.5, "null": 3.0}, 3.1, "reproduced"),
        ({"within": 0.5}, 0.5, "inconclusive"),
        ({"within": 0.5}, 0.9, "not reproduced"),
    ],
)
def test_one_measure(claimed: dict[str, Any], value: float, verdict: str) -> None:
    assert judged({"each": {"x": {"unit": "points", **claimed}}}, part(value)).verdict == verdict


def test_equality_is_two_one_sided_tests_and_a_sign_the_95_percent_interval() -> None:
    """At the edge: the 90 % interval counts for equality, the 95 % interval for the rest."""
    error, centre = part(0.0).interval.high / stats.t.ppf(0.975, 4), 0.4  # type: ignore[union-attr]
    edge = {level: centre + error * stats.t.ppf(1 - (1 - level) / 2, 4) for level in (0.90, 0.95)}
    for claimed, level in (({"within": 0.0}, 0.90), ({"high": 0.0}, 0.95)):
        (name,) = claimed
        for shift, verdict in ((1e-6, "reproduced"), (-1e-6, "inconclusive")):
            found = judged({"each": {"x": {"unit": "points", name: edge[level] + shift}}}, part(centre))
            assert found.verdict == verdict


def test_measures_and_subjects_hold_in_part_after_holm() -> None:
    claimed = {"each": {"x": {"sign": "+", "unit": "points"}, "y": {"within": 0.5, "unit": "s"}}}
    parts = [part(0.9, about={"data": "a"}), part(-0.9, about={"data": "b", "size": 32}), part(0.0, "y", "s")]
    found = judged(claimed, *parts)
    assert {name: one.decision for name, one in found.decisions.items()} == {
        "x data a": "holds", "x data b, size 32": "refuted", "y": "holds",
    }  # fmt: skip
    assert found.verdict == "partly reproduced"
    assert "claimed: x above 0, y within 0.5 of 0" in found.because
    assert "data b, size 32 −0.90" in found.because
    weak = judged(claimed, part(0.2, about={"data": "a"}), part(0.21, about={"data": "b"}), part(0.6, "y", "s"))
    assert weak.verdict == "inconclusive", "0.2 holds by itself (p = 0.047), not among three"
    assert weak.decisions["x data a"].seeds is not None


def test_what_the_evidence_lacks_is_named() -> None:
    claimed = {"each": {"x": {"sign": "+", "unit": "points"}, "gian": {"sign": "+", "unit": "points"}}}
    found = judged(claimed, part(0.9))
    assert (found.verdict, found.decisions["gian"].decision) == ("partly reproduced", "missing")
    assert "missing on gian (not in the evidence)" in found.because
    other = judged({"each": {"x": {"sign": "+", "unit": "%"}}}, part(0.9))
    assert other.verdict == "inconclusive"
    assert "measured in points, claimed in %" in other.because
    nothing = judged({"each": {"gian": {"sign": "+", "unit": "points"}}}, part(0.9))
    assert nothing.because == "Nothing to measure it from: claimed names gian, the evidence has x."
    claim_x = entry({"each": {"x": {"sign": "+", "unit": "points"}}})
    [told] = unclaimed(claim_x, evidence([part(0.9), part(0.9, "y")]))
    assert told.startswith("y is judged and nothing is claimed of it")


def test_the_name_of_a_profile_leads_out_of_no_folder() -> None:
    assert check_settings({"profile": "a-1.b"}, Settings, "params.yaml").profile == "a-1.b"
    with pytest.raises(ClaimError, match="may hold letters, digits"):
        check_settings({"profile": "../x"}, Settings, "params.yaml")


def test_what_is_missing_counts_in_holms_correction() -> None:
    claimed = {"each": {name: {"sign": "+", "unit": "points"} for name in ("x", "y")}}
    weak = part(0.2)  # p = 0.047
    assert judged(claimed, weak, part(0.9, "y")).verdict == "reproduced"
    assert judged(claimed, weak).verdict == "inconclusive"


def test_a_smallest_effect_is_named_beside_the_claim() -> None:
    claimed = {"each": {"x": {"sign": "-", "unit": "points", "smallest": 0.5}}}
    assert "claimed: x below 0, refuted above -0.5; refuted on x" in judged(claimed, part(0.9)).because


def test_a_part_without_a_value_keeps_a_claim_from_being_reproduced() -> None:
    lost = Measurement(measure="x", task="b", estimate=None, unit="points", judged=True, note="collapsed")
    found = judged({"each": {"x": {"sign": "+", "unit": "points"}}}, part(0.9, task="a"), lost)
    assert found.verdict == "partly reproduced"
    assert "missing on b (collapsed)" in found.because


def test_an_order_is_a_sign_of_every_step() -> None:
    values = {"a": [3.0, 3.1, 3.3, 3.2], "b": [2.0, 2.2, 2.1, 2.3], "c": [2.1, 2.0, 2.2, 2.2]}
    found = judged({"order": ["a", "b", "c"], "unit": "points"}, *in_order(values, "points"))
    assert found.verdict == "partly reproduced"
    assert found.decisions["a_over_b"].decision == "holds"
    assert found.decisions["b_over_c"].decision == "undecided"


@pytest.mark.parametrize(
    ("claimed", "told"),
    [
        ({"sign": "+", "low": 0.0}, "claim one of sign, low or high, and within"),
        ({}, "claim one of sign"),
        ({"low": 2.0, "high": 1.0}, "low 2.0 lies above high 1.0"),
        ({"within": 0.0}, "greater than 0"),
    ],
)
def test_a_claim_is_of_one_kind(claimed: dict[str, Any], told: str) -> None:
    with pytest.raises(ValidationError, match=told):
        ClaimedMeasure.model_validate({"unit": "points", **claimed})


def test_free_dimensions_are_kept_and_absent_ones_change_no_byte(tmp_path: Path) -> None:
    about = {"data": "digits", "size": 32, "share": 0.5}
    path = write_evidence(evidence([part(0.1, about=about), part(0.2, "y")]), tmp_path)
    one, other = json.loads(path.read_text())["parts"]
    assert one["about"] == about
    assert "about" not in other
    assert [p.subject for p in read_evidence(path).parts] == ["data digits, share 0.5, size 32", None]


def test_no_claim_is_reproduced_while_a_part_has_too_few_seeds() -> None:
    claimed = {"each": {"x": {"sign": "+", "unit": "points"}}}
    few = mean_of("x", [0.9, 0.8], "points", about={"data": "b"})
    found = judged(claimed, part(0.9, about={"data": "a"}), few)
    assert (found.verdict, found.decisions["data a"].decision) == ("partly reproduced", "holds")
    assert "missing on data b (2 seeds, at least 3 are needed)" in found.because
    assert judged(claimed, few).verdict == "inconclusive"


@pytest.mark.parametrize("values", [[0.1] * 3, [0.1] * 9, [71.3 - 70.4, 68.4 - 67.5, 70.1 - 69.2]], ids=str)
def test_seeds_that_all_gave_one_value_decide_nothing(values: list[float]) -> None:
    found = judged({"each": {"x": {"within": 1.0, "unit": "points"}}}, mean_of("x", values, "points"))
    assert found.verdict == "inconclusive"
    assert "missing on x (all seeds gave one value)" in found.because


def test_why_nothing_was_measured_is_told() -> None:
    lost = Measurement(measure="x", estimate=None, unit="points", judged=True, note="all runs failed")
    found = judged({"each": {"x": {"sign": "+", "unit": "points"}}}, lost, part(0.9, "y"))
    assert (found.verdict, found.because) == ("not run", "Nothing to measure it from: all runs failed.")


def test_something_must_be_claimed() -> None:
    assert rules.COMMON["claimed_each"].lacks(Claimed()) == "claimed.each or claimed.order"
    of_measures = entry({"each": {"x": {"sign": "+", "unit": "points"}}}).claimed
    assert rules.COMMON["all_checks"].lacks(of_measures) == "checks; claimed_each reads measures"
    assert rules.COMMON["all_checks"].lacks(Claimed()) == ""
