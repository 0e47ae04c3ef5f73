"""The verdict rules of this paper's claims; claimtrack's own are in `claimtrack.rules`."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import chain
from math import inf
from typing import TYPE_CHECKING

import numpy as np

from claimtrack.decisions import LEVEL, Target, decide_difference, is_above_zero, is_below_zero
from claimtrack.evidence import Interval, Measurement
from claimtrack.rules import SMALLEST_EFFECT, Case, Judgement, Rule, has_p, significant
from claimtrack.statistics import holm
from claimtrack.wording import decisions_sentence, title, value
from crosslayer.tasks import TASK_NAMES, TASKS

if TYPE_CHECKING:
    from claimtrack.entries import Claimed, Sign, VerdictName

SMALLEST_SHARE = 2.0
"""Per cent of errors: half a point where a quarter of the answers are wrong."""
SLOPES = ("slope_accuracy_gap", "slope_similarity")
ACCURACY_BESIDE = "accuracy_multilingual_minus_english"
"""Said with Q01's answer, since an arm can be better calibrated only by being worse."""


# Rules about each of several tasks


def layer_contrast(case: Case) -> Judgement:
    """C01: both contrasts above 0; one of them: partly."""
    smallest = case.rule.thresholds["smallest_effect"]
    contrasts = {m: [Target(part, (smallest, inf)) for part in case.measured(m)] for m in case.rule.measures}
    return case.judged_each(contrasts, about_size=False)


def above_zero(case: Case) -> Judgement:
    """C02, C05: every measure above 0 in all four tasks; refuted in one where one of them is shown to be below its
    smallest effect, in the order of the thresholds."""
    return case.judged_each(_by_task(case, *case.rule.thresholds.values()), False, len(case.rule.measures))


def gain_in_range(case: Case) -> Judgement:
    """C06: above 0 and overlapping the claimed range in all four tasks; refuted where shown to be outside."""
    low, high = case.entry.claimed.bounds
    judged = case.judged_each(_by_task(case, low, high=high), about_size=True)
    return judged._replace(because=f"{judged.because[:-1]}; claimed: {low:g} to {high:g}.")


def _by_task(case: Case, *lows: float, high: float = inf) -> dict[str, list[Target]]:
    """What was measured of each task, refuted below ``lows``, one a measure, and above ``high``."""
    found = [(case.by_task(m), (low, high)) for m, low in zip(case.rule.measures, lows, strict=True)]
    return {
        str(task): [Target(parts[task], outside) for parts, outside in found if task in parts] for task in TASKS
    }


def slopes(case: Case) -> Judgement:
    """C03: both slopes of the claimed sign, in both tasks; refuted by one shown to have the other sign."""
    measures, signs = case.rule.measures, case.entry.claimed.signs
    found = {m: case.by_task(m) for m in measures}
    tasks: dict[str, list[Target]] = {"xnli": [], "pawsx": []}
    for task, bounded in tasks.items():
        if all(task in found[m] for m in measures):
            bounded += [Target(_towards(found[m][task], signs[m]), (0.0, inf)) for m in measures]
    judged = case.judged_each(tasks, about_size=False, n_parts=len(measures))
    shown = case.sentence([found[m][task] for m in measures for task in tasks if task in found[m]])
    decided = decisions_sentence(judged.decisions, case.titles)
    return judged._replace(because=f"{shown}; of the claimed sign: {decided}.")


def _towards(part: Measurement, sign: Sign) -> Measurement:
    """The measurement, turned round where a negative value is claimed, so that above 0 is as claimed."""
    if sign == "+" or part.estimate is None or part.interval is None:
        return part
    turned = Interval(**part.interval.model_dump() | {"low": -part.interval.high, "high": -part.interval.low})
    return part.model_copy(update={"estimate": -part.estimate, "interval": turned})


# Other rules


def different_layers(case: Case) -> Judgement:
    """C07: (a) interaction and (b) points won by own layers, p < 0.05; (a) alone: partly."""
    facts = case.evidence.facts
    a, b = (case.measured(m) for m in case.rule.measures)
    differ, pays = significant(a), bool(b) and all(map(is_above_zero, b))
    best = {task: facts[f"best_layer_{task}"] for task in TASK_NAMES if f"best_layer_{task}" in facts}
    named = ", ".join(f"{title(task, case.titles)} {str(x).replace('_', ' ')}" for task, x in best.items())
    compared = f"; best on test among {facts.get('layers_compared', '')}: {named}" if named else ""
    because = f"{case.sentence([*a, *b])}{compared}."
    if differ:
        return Judgement("reproduced" if pays else "partly reproduced", because)
    smallest = case.rule.thresholds["smallest_advantage"]
    small = bool(a and b) and all(part.interval is not None and part.interval.high < smallest for part in b)
    return Judgement("not reproduced" if small and has_p(a) else "inconclusive", because)


def correlations(case: Case) -> Judgement:
    """C08: both correlations positive, p < 0.05 and the interval above 0, in every target: at most partly.

    Either alone is not enough: of series with a trend, which layers have, one in eight is aligned by chance.
    """
    both = [case.measured(m) for m in case.rule.measures]
    because = f"{case.sentence(chain(*both))}; correlation over neighbouring layers shows no cause."
    if all(significant(parts) and all(map(is_above_zero, parts)) for parts in both):
        return Judgement("partly reproduced", because)
    refuted = any(parts and all(map(is_below_zero, parts)) for parts in both)
    return Judgement("not reproduced" if refuted else "inconclusive", because)


def permutation(case: Case) -> Judgement:
    """C09, C13: every difference positive, permutation p < 0.05 after Holm over the measures.

    Nothing is decided where the smallest p that the design can give, a fact of the evidence, is too large.
    """
    by_measure = [case.measured(m) for m in case.rule.measures]
    parts = list(chain(*by_measure))
    because = f"{case.sentence(parts)}."
    if not all(by_measure) or not has_p(parts):
        return Judgement("inconclusive", because)
    facts = case.evidence.facts
    floor = max((float(facts[name]) for name in facts if name.startswith("smallest_p")), default=0.0)
    if floor >= case.rule.thresholds.get("largest_floor", LEVEL):
        told = f"{because[:-1]}; cannot be decided at this size: p is at least {floor:.2g}."
        return Judgement("inconclusive", told)
    adjusted = holm(np.array([part.p_value for part in parts]))
    if (adjusted < LEVEL).all() and all(part.estimate is not None and part.estimate > 0 for part in parts):
        return Judgement("reproduced", because)
    refuted = any(all(map(is_below_zero, parts)) for parts in by_measure)
    return Judgement("not reproduced" if refuted else "inconclusive", because)


def calibration_sign(case: Case) -> Judgement:
    """Q01: whether the ECE difference is practically none, or its sign, overall; each target beside it."""
    [measure] = case.rule.measures
    margin, parts = case.rule.thresholds["smallest_difference"], case.evidence.parts
    part = case.measured()[0]
    answer = decide_difference(part, margin)
    told = [
        case.sentence([part]),
        f"below 0 is better calibrated, within {margin:g} either way is practically none",
    ]
    if answer.seeds:
        told.append(f"{answer.seeds} seeds would decide")
    shown = [
        p for p in parts
        if p.measure == measure and p.task and not (p.language or p.judged) and p.estimate is not None
    ]  # fmt: skip
    decisions = {str(p.task): decide_difference(p, margin) for p in shown if p.interval is not None}
    if shown:
        names = {task: found.decision for task, found in decisions.items()}
        targets = (f"{value(p, case.titles)} {names.get(str(p.task), 'not counted')}" for p in shown)
        told.append(f"by target: {', '.join(targets)}")
    named = (p for p in parts if p.measure == ACCURACY_BESIDE and not (p.language or p.task))
    if beside := [p for p in named if p.estimate is not None]:
        told.append(f"beside it, {case.sentence(beside, capital=False)}")
    verdict: VerdictName = answer.decision  # type: ignore[assignment]  # a difference has these four alone
    return Judgement(verdict, f"{'; '.join(told)}.", decisions)


def _without_signs(claimed: Claimed) -> str:
    return "" if set(SLOPES) <= set(claimed.signs) else f"claimed.signs of {' and '.join(SLOPES)}"


def _without_range(claimed: Claimed) -> str:
    return "claimed.low and claimed.high" if None in (claimed.low, claimed.high) else ""


RULES: Mapping[str, Rule] = {
    "layer_contrast": Rule(
        layer_contrast, ("retrieval_lower_minus_upper", "upos_probe_upper_minus_lower"),
        {"smallest_effect": SMALLEST_EFFECT}, seedless=True,
    ),
    "complementarity": Rule(
        above_zero, ("dev_selected_minus_self", "excess_complementarity"),
        {"smallest_effect": SMALLEST_EFFECT, "smallest_share": SMALLEST_SHARE},
    ),
    "slopes": Rule(slopes, SLOPES, lacks=_without_signs),
    "gain_above_zero": Rule(above_zero, ("dev_selected_gain",), {"smallest_effect": SMALLEST_EFFECT}),
    "gain_in_range": Rule(gain_in_range, ("cross_fitted_gain",), lacks=_without_range),
    "different_layers": Rule(
        different_layers, ("task_by_layer_interaction", "own_over_common"), {"smallest_advantage": 0.3}
    ),
    "correlations": Rule(correlations, ("correlation_semantic", "correlation_structural"), seedless=True),
    "families": Rule(
        permutation, ("genus_similarity_difference", "family_similarity_difference"), {"largest_floor": 0.01},
        seedless=True,
    ),
    "task_distance": Rule(permutation, ("between_minus_within",)),
    "calibration_sign": Rule(calibration_sign, ("ece_multilingual_minus_english",), {"smallest_difference": 1.0}),
}  # fmt: skip
