"""This paper's rules on hand-made evidence, and the relevance of a verdict."""

from __future__ import annotations

from typing import Any

import pytest

import made_report
from claimtrack.evidence import Check, Evidence, Interval, Measurement
from claimtrack.judging import decide
from claimtrack.registry import Registry, load_registry
from claimtrack.verdict import Verdict
from crosslayer.config import Profile
from crosslayer.paper import PLUGIN
from repository import ROOT

REGISTRY: Registry = load_registry(ROOT / "claims" / "registry.yaml")
TASKS = ("xnli", "pawsx", "ner", "pos")
MBERT = {"source": "hub", "name": "google-bert/bert-base-multilingual-cased"}

Span = tuple[float, float] | None


def profile(encoder: dict[str, Any] = MBERT, data: str = "hub", **task: Any) -> Profile:
    return made_report.profile("test", data, encoder, **task)


def part(measure: str, task: str | None = None, span: Span = None, **more: Any) -> Measurement:
    """A judged part with 3 seeds; the estimate is the middle of ``span``."""
    interval = None if span is None else Interval(low=span[0], high=span[1], method="test")
    middle = 0.0 if span is None else sum(span) / 2
    values = {"estimate": middle, "unit": "points", "n_seeds": 3, "judged": True, **more}
    return Measurement(measure=measure, task=task, interval=interval, **values)


def judge(claim: str, *parts: Measurement, checks: tuple[Check, ...] = (), **more: Any) -> Verdict:
    evidence = Evidence(
        claim=claim, profile="test", metric="m_v1", parts=parts, checks=checks,
        **{"status": "measured", **more},
    )  # fmt: skip
    return decide(REGISTRY.entry(claim), evidence, profile(), PLUGIN)


def measures_of(claim: str) -> tuple[str, ...]:
    return PLUGIN.rules[REGISTRY.entry(claim).rule].measures


def per_task(measure: str, *spans: Span) -> list[Measurement]:
    return [part(measure, task, span) for task, span in zip(TASKS, spans, strict=False)]


UP, WIDE, SMALL, DOWN = (0.2, 1.4), (-0.4, 0.9), (-0.3, 0.4), (-2.0, -1.0)
"""Shown above 0; undecided; shown below 0.5, also among four; far below 0."""
EXTRA, VAGUE, FEW = (1.0, 5.0), (-3.0, 5.0), (-2.0, 1.0)
"""Per cent of errors: shown above 0; undecided; shown below the smallest share of 2."""


@pytest.mark.parametrize(
    ("claim", "spans", "verdict"),
    [
        ("C05", [[UP, UP, UP, UP]], "reproduced"),
        ("C05", [[UP, UP, UP]], "partly reproduced"),
        ("C05", [[UP, UP, SMALL, SMALL]], "partly reproduced"),
        ("C05", [[SMALL, WIDE, WIDE, WIDE]], "not reproduced"),
        ("C05", [[SMALL]], "not reproduced"),
        ("C05", [[WIDE, WIDE, WIDE, WIDE]], "inconclusive"),
        ("C05", [[(0.0, 0.4)] * 4], "not reproduced"),
        ("C05", [[(0.0, 0.5)] * 4], "inconclusive"),
        ("C05", [[None, None, None, None]], "inconclusive"),
        ("C06", [[(0.2, 1.0)] * 4], "reproduced"),
        ("C06", [[(2.9, 4.0)] * 4], "reproduced"),
        ("C06", [[(0.2, 0.7)] * 4], "not reproduced"),
        ("C06", [[(0.2, 0.99)] * 4], "inconclusive"),
        ("C06", [[(3.4, 4.0)] * 4], "not reproduced"),
        ("C06", [[(0.2, 0.7)]], "not reproduced"),
        ("C06", [[(0.2, 0.7)] + [(0.2, 1.8)] * 3], "partly reproduced"),
        ("C06", [[(0.2, 0.7)] + [(-0.1, 2.2)] * 3], "not reproduced"),
        ("C06", [[(-2, 2)] * 4], "inconclusive"),
        ("C02", [[UP] * 4, [EXTRA] * 4], "reproduced"),
        ("C02", [[UP] * 3, [EXTRA] * 3], "partly reproduced"),
        ("C02", [[UP] * 4, [VAGUE] * 4], "inconclusive"),
        ("C02", [[SMALL] * 4, [EXTRA] * 4], "not reproduced"),
        ("C02", [[UP] * 4, [FEW] * 4], "not reproduced"),
        ("C02", [[SMALL, WIDE, WIDE, WIDE], [VAGUE] * 4], "not reproduced"),
        ("C02", [[UP] * 4, []], "inconclusive"),
        ("C02", [[], [FEW]], "not reproduced"),
        ("C03", [[UP, UP], [DOWN, DOWN]], "reproduced"),
        ("C03", [[UP, UP], [DOWN, WIDE]], "partly reproduced"),
        ("C03", [[UP], [DOWN]], "partly reproduced"),
        ("C03", [[UP, UP], [UP, UP]], "not reproduced"),
        ("C03", [[DOWN, WIDE], [DOWN, WIDE]], "not reproduced"),
        ("C03", [[SMALL, SMALL], [SMALL, SMALL]], "inconclusive"),
    ],
)
def test_claims_about_each_task(claim: str, spans: list[list[Span]], verdict: str) -> None:
    """``spans`` of each measure and task; a part that is not judged changes nothing."""
    measures = measures_of(claim)
    parts = [found for m, of_tasks in zip(measures, spans, strict=True) for found in per_task(m, *of_tasks)]
    shown_only = part(measures[0], "xnli", (2.0, 2.1), judged=False)
    assert judge(claim, *parts, shown_only).verdict == verdict


@pytest.mark.parametrize(("z", "verdict"), [(2.51, "partly reproduced"), (2.48, "inconclusive")])
def test_c06_partly_needs_a_gain_that_lasts_among_four(z: float, verdict: str) -> None:
    """Holm: the smallest p of four is multiplied by 4, and 0.05 / 4 is two-sided 2.498 standard errors."""
    shown = (0.3 * (z - 1.96), 0.3 * (z + 1.96))
    assert judge("C06", *per_task("cross_fitted_gain", shown, (-1, 4), (-1, 4), (-1, 4))).verdict == verdict


def test_a_task_that_passes_both_tests_holds_for_a_sign_and_is_refuted_for_a_size() -> None:
    """0.1 to 0.4 points: above 0, and shown to be below 0.5 (C05) and below 1 (C06)."""
    sign = judge("C05", *per_task("dev_selected_gain", *[(0.1, 0.4)] * 4))
    assert {found.decision for found in sign.decisions.values()} == {"holds"}
    assert {found.note for found in sign.decisions.values()} == {"below the smallest effect of interest"}
    size = judge("C06", *per_task("cross_fitted_gain", *[(0.1, 0.4)] * 4))
    assert {found.decision for found in size.decisions.values()} == {"refuted"}


def test_each_task_is_named_with_its_decision_and_the_seeds_that_would_decide() -> None:
    verdict = judge("C05", *per_task("dev_selected_gain", UP, WIDE, SMALL))
    assert {task: found.decision for task, found in verdict.decisions.items()} == {
        "xnli": "holds", "pawsx": "undecided", "ner": "refuted", "pos": "missing",
    }  # fmt: skip
    needed = verdict.decisions["pawsx"].seeds
    assert needed is not None
    assert needed > 3
    assert verdict.because.endswith(
        f"; holds on XNLI, undecided on PAWS-X ({needed} seeds would decide), refuted on NER, missing on POS."
    )


@pytest.mark.parametrize(
    ("retrieval", "probe", "verdict"),
    [
        (UP, UP, "reproduced"),
        (DOWN, UP, "partly reproduced"),
        (UP, None, "partly reproduced"),
        (SMALL, WIDE, "not reproduced"),
        (WIDE, WIDE, "inconclusive"),
    ],
)
def test_c01_layer_contrast(retrieval: Span, probe: Span, verdict: str) -> None:
    parts = [part("retrieval_lower_minus_upper", span=retrieval, n_seeds=0)]
    if probe:
        parts.append(part("upos_probe_upper_minus_lower", span=probe, n_seeds=0))
    assert judge("C01", *parts).verdict == verdict


@pytest.mark.parametrize(
    ("p_a", "p_b", "b", "verdict"),
    [
        (0.01, 0.01, (0.2, 0.8), "reproduced"),
        (0.01, 0.01, (-0.8, -0.2), "partly reproduced"),
        (0.01, 0.2, (-0.2, 0.8), "partly reproduced"),
        (0.05, 0.01, (0.2, 0.8), "inconclusive"),
        (0.2, 0.2, (-0.2, 0.29), "not reproduced"),
        (0.2, 0.2, (-0.2, 0.3), "inconclusive"),
        (None, 0.2, (-0.2, 0.2), "inconclusive"),
    ],
)
def test_c07_different_layers(p_a: float | None, p_b: float, b: Span, verdict: str) -> None:
    parts = [
        part("task_by_layer_interaction", unit="F", estimate=1.2, p_value=p_a),
        part("own_over_common", span=b, p_value=p_b),
    ]
    assert judge("C07", *parts).verdict == verdict


@pytest.mark.parametrize(
    ("claim", "level", "best"),
    [("C08", 0.05, "partly reproduced"), ("C09", 0.025, "reproduced"), ("C13", 0.05, "reproduced")],
)
def test_claims_with_a_permutation_test(claim: str, level: float, best: str) -> None:
    measures = measures_of(claim)

    def verdict(sign: float, p: float, span: Span = None) -> str:
        parts = [part(m, estimate=sign * 0.3, span=span, p_value=p, unit="r") for m in measures]
        return judge(claim, *parts).verdict

    assert verdict(+1, level * 0.9, (0.1, 0.5)) == best
    assert verdict(+1, level, (0.1, 0.5)) == "inconclusive"
    assert verdict(-1, level * 0.9) == "inconclusive"
    assert verdict(-1, 0.9, (-0.5, -0.1)) == "not reproduced"
    assert verdict(-1, 0.9, (-0.5, 0.1)) == "inconclusive"
    if len(measures) == 2:
        alone = part(measures[1], estimate=0.3, p_value=0.0, unit="r")
        assert judge(claim, alone).verdict == "inconclusive"
        against = part(measures[0], span=(-0.5, -0.1), p_value=0.9, unit="r")
        assert judge(claim, against, alone).verdict == "not reproduced"


@pytest.mark.parametrize(
    ("claim", "floor", "fact"), [("C09", 0.0143, "smallest_p_genus"), ("C13", 0.25, "smallest_p")]
)
def test_a_permutation_that_cannot_reach_its_level_decides_nothing(claim: str, floor: float, fact: str) -> None:
    parts = [part(m, span=(0.1, 0.5), p_value=0.001, unit="r") for m in measures_of(claim)]
    found = judge(claim, *parts, facts={fact: floor})
    assert found.verdict == "inconclusive"
    assert found.because.endswith(f"cannot be decided at this size: p is at least {floor:.2g}.")
    assert judge(claim, *parts, facts={fact: 0.001}).verdict == "reproduced"


def test_c08_needs_every_target() -> None:
    parts = [
        part(f"correlation_{kind}", task, span=(0.6, 0.95), p_value=0.01, unit="r")
        for kind in ("semantic", "structural")
        for task in ("ner", "xnli", "pawsx")
    ]
    assert judge("C08", *parts).verdict == "partly reproduced"
    wide = Interval(low=-0.1, high=0.95, method="test")
    for weak in ({"p_value": 0.2}, {"interval": wide}, {"interval": None}):
        assert judge("C08", parts[0].model_copy(update=weak), *parts[1:]).verdict == "inconclusive", weak


@pytest.mark.parametrize(
    ("span", "verdict"),
    [
        ((-2, -0.1), "improves"),
        ((0.1, 2), "worsens"),
        ((-1, 1), "practically none"),
        ((-0.9, -0.1), "practically none"),
        ((-2, 2), "undecided"),
    ],
)
def test_q01_reads_equivalence_first_and_then_the_sign(span: Span, verdict: str) -> None:
    measure = "ece_multilingual_minus_english"
    targets = [
        part(measure, "xnli", (-9, -8), judged=False),
        part(measure, "ner", (-1, 1), judged=False),
        part(measure, "pos", judged=False, estimate=8.5, n_seeds=2),
        part(measure, "xnli", (-9, -8), judged=False, language="de"),
        part(measure, "pawsx", judged=False, estimate=None),
    ]
    found = judge("Q01", *targets, part(measure, span=span))
    assert found.verdict == verdict
    assert {task: answer.decision for task, answer in found.decisions.items()} == {
        "xnli": "improves", "ner": "practically none",
    }  # fmt: skip
    assert found.because.endswith(
        "; by target: XNLI −8.50 [−9.00, −8.00] improves, NER 0.00 [−1.00, +1.00] practically none, "
        "POS +8.50 not counted."
    )
    assert ("seeds would decide" in judge("Q01", part(measure, span=span)).because) == (verdict == "undecided")
    assert judge("Q01", targets[0]).verdict == "not run"
    accuracy = part("accuracy_multilingual_minus_english", span=(-2, -1), judged=False)
    of_one = accuracy.model_copy(update={"task": "ner"})
    in_one = accuracy.model_copy(update={"language": "de"})
    beside = judge("Q01", part(measure, span=span), accuracy, of_one, in_one)
    assert beside.verdict == verdict, "accuracy is said, and decides nothing"
    assert "; beside it, accuracy multilingual minus English (points): −1.50 [−2.00, −1.00]." in beside.because


def test_structural_claims_need_every_check() -> None:
    good = Check(name="branches", passed=True, expected="2", found="2")
    bad = Check(name="widths", passed=False, expected="768", found="767")
    assert judge("C17", checks=(good, good)).because == "2 of 2 checks pass."
    failed = judge("C17", checks=(good, bad))
    assert failed.verdict == "not reproduced"
    assert failed.because == "1 of 2 checks pass; widths: expected 768, found 767."


@pytest.mark.parametrize("n_seeds", [0, 1, 2])
def test_a_part_with_fewer_than_three_seeds_is_missing_and_such_parts_alone_are_inconclusive(n_seeds: int) -> None:
    gains = per_task("dev_selected_gain", UP, UP, UP)
    few = part("dev_selected_gain", "pos", UP, n_seeds=n_seeds)
    verdict = judge("C05", *gains, few)
    assert (verdict.verdict, verdict.n_seeds) == (judge("C05", *gains).verdict, n_seeds)
    assert verdict.because.endswith(
        "holds on XNLI, PAWS-X, NER, missing on POS; not counted, with fewer than 3 seeds: "
        "Dev-selected gain (points): POS +0.80 [+0.20, +1.40]."
    )
    alone = judge("C05", few)
    assert alone.verdict == "inconclusive"
    assert "at most, and at least 3 are needed" in alone.because


def test_an_encoder_before_fine_tuning_needs_no_seeds_but_three_where_there_are_any() -> None:
    def verdict(n_seeds: int) -> str:
        return judge("C01", *(part(m, span=UP, n_seeds=n_seeds) for m in measures_of("C01"))).verdict

    assert [verdict(n) for n in range(4)] == ["reproduced", "inconclusive", "inconclusive", "reproduced"]


def test_a_missing_task_is_missing_and_not_failed() -> None:
    collapsed = part("dev_selected_gain", "pos", estimate=None, n_seeds=0)
    gains = per_task("dev_selected_gain", UP, UP, UP)
    assert judge("C05", *gains, collapsed).verdict == "partly reproduced"
    assert judge("C05", collapsed).verdict == "not run"
    verdict = judge("C05", collapsed, missing=("pos: 3 trials collapsed",))
    assert verdict.because == "Nothing to measure it from: pos: 3 trials collapsed."


def test_without_evidence_it_was_not_run() -> None:
    verdicts = [decide(entry, None, profile(), PLUGIN, "first") for entry in REGISTRY.entries.values()]
    assert {verdict.verdict for verdict in verdicts} == {"not run"}
    assert {verdict.run for verdict in verdicts} == {"first"}
    assert judge("C05", status="missing", missing=("no trials",)).verdict == "not run"


def test_because_is_computed_from_the_numbers() -> None:
    verdict = judge("C05", part("dev_selected_gain", "xnli", (0.126, 1.4)))
    assert verdict.because.startswith("Dev-selected gain (points): XNLI +0.76 [+0.13, +1.40]; undecided on XNLI (")
    slope = part("slope_similarity", "pawsx", (-0.0021, -0.0011), unit="cosine a layer", p_value=0.0123)
    assert judge("C03", slope).because.startswith(
        "Slope similarity (cosine a layer): PAWS-X −0.0016 [−0.0021, −0.0011] p = 0.012; "
    )
    sure = part("slope_similarity", "pawsx", (-0.0021, -0.0011), unit="cosine a layer", p_value=0.0002)
    assert "] p < 0.001; " in judge("C03", sure).because


E5 = {"source": "packaged"}
E5_HUB = {"source": "hub", "name": "intfloat/multilingual-e5-small"}
XLMR = {"source": "hub", "name": "FacebookAI/xlm-roberta-base"}
MBERT_FOLDER = {"source": "hub", "name": "models/bert-base-multilingual-cased/"}
TRAINED = "C02 C05 C06 C07 C13 Q01".split()
ENCODER = "C01 C08 C09".split()
MODULE = "C04 C10 C12 C14 C15 C16 C17".split()


def relevance(profile: Profile, claims: list[str]) -> set[str]:
    verdicts = [decide(REGISTRY.entry(claim), None, profile, PLUGIN) for claim in claims]
    assert all(verdict.relevance_reason for verdict in verdicts)
    return {verdict.relevance for verdict in verdicts}


@pytest.mark.parametrize(
    ("profile", "trained", "c03", "encoder", "hidden_states"),
    [
        (profile(), "direct", "direct", "direct", "direct"),
        (profile(MBERT_FOLDER, "xtreme"), "direct", "direct", "direct", "direct"),
        (profile(sizes={"train": 100}), "indirect", "indirect", "indirect", "direct"),
        (profile(trainable_layers=4), "indirect", "indirect", "indirect", "direct"),
        (profile(mode="frozen"), "none", "none", "direct", "direct"),
        (profile(trainable_layers=0), "none", "none", "indirect", "direct"),
        (profile(XLMR), "indirect", "indirect", "indirect", "indirect"),
        (profile(E5, "xtreme"), "indirect", "indirect", "none", "indirect"),
        (profile(E5_HUB), "indirect", "indirect", "none", "indirect"),
        (profile(E5, "xtreme", mode="frozen"), "none", "none", "none", "indirect"),
        (profile(E5, "fragment"), "none", "none", "none", "indirect"),
        (profile(MBERT, "fragment"), "none", "none", "none", "direct"),
        (profile({"source": "random"}, "xtreme"), "none", "none", "none", "none"),
    ],
)  # fmt: skip
def test_relevance_follows_from_encoder_data_and_training(
    profile: Profile, trained: str, c03: str, encoder: str, hidden_states: str
) -> None:
    assert relevance(profile, TRAINED) == {trained}
    assert relevance(profile, ["C03"]) == {c03}
    assert relevance(profile, ENCODER) == {encoder}
    assert relevance(profile, ["C11"]) == {hidden_states}
    assert relevance(profile, MODULE) == {"direct"}


def test_the_similarity_half_of_c03_is_named_where_the_encoder_was_trained_for_it() -> None:
    verdict = decide(REGISTRY.entry("C03"), None, profile(E5, "xtreme"), PLUGIN)
    assert "similarity slopes are no evidence" in verdict.relevance_reason
