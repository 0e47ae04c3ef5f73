"""Verdicts: computed from evidence by a table of short rules, never typed by hand.

Common to all rules: they read judged parts by measure; a part without an interval, or with fewer than 3 seeds, is
missing, not failed; where only such parts are left the claim is `inconclusive`. A claim about each of several
tasks is decided task by task first (`claimtrack.decisions`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from itertools import chain
from math import inf
from typing import NamedTuple, get_args

import numpy as np
from pydantic import Field

from claimtrack.decisions import (
    LEVEL,
    Bounded,
    Decision,
    Each,
    decide_difference,
    decide_each,
    is_above_zero,
    is_below_zero,
)
from claimtrack.evidence import Evidence, Interval, Measurement, Strict
from claimtrack.registry import Entry, RelevanceValue, RuleName, Sign, VerdictName
from claimtrack.relevance import Conditions, Setting, relevance_of
from claimtrack.wording import decisions_sentence, sentence, task_title, value
from crosslayer.stats import MIN_SEEDS, holm
from crosslayer.tasks import TASKS

SMALLEST_EFFECT = 0.5
"""Points of accuracy or F1; a gain below it is of no interest."""
SMALLEST_SHARE = 2.0
"""Per cent of errors: half a point where a quarter of the answers are wrong."""
VERDICTS: tuple[VerdictName, ...] = get_args(VerdictName)
ACCURACY_BESIDE = "accuracy_multilingual_minus_english"
"""Said with Q01's answer, since an arm can be better calibrated only by being worse."""


class Judgement(NamedTuple):
    """A verdict, the sentence behind it, and the decision on each task where the claim is about several."""

    verdict: VerdictName
    because: str
    decisions: Mapping[str, Decision] = {}


class Verdict(Strict):
    """What one run says about one claim.

    Attributes:
        claim, profile: of which claim, under which settings.
        run: ``fresh`` or the name of a recorded run.
        verdict: by the claim's rule.
        because: one sentence computed from the numbers.
        decisions: on each task, where the claim is about several; of a question on each target.
        relevance: what kind of evidence it is.
        relevant_to: what it is evidence about.
        relevance_reason: why it is of that kind.
        n_seeds: fewest seeds behind a judged part.
        sealed: whether the rule was sealed before the first trial behind the evidence was trained; ``None`` where
            the evidence rests on no trial.
    """

    claim: str
    profile: str
    run: str
    verdict: VerdictName
    because: str
    decisions: dict[str, Decision] = Field(default_factory=dict)
    relevance: RelevanceValue
    relevant_to: str
    relevance_reason: str
    n_seeds: int
    sealed: bool | None = None


def decide(
    entry: Entry,
    evidence: Evidence | None,
    setting: Setting,
    run: str = "fresh",
    conditions: Conditions | None = None,
    hours_per_seed: Mapping[str, float] | None = None,
) -> Verdict:
    """The verdict on a claim in one run.

    Args:
        entry: the claim.
        evidence: ``None`` where the run has none.
        setting: the profile of the run.
        run: ``fresh`` or the name of a recorded run.
        conditions: of ``entry.relevance``, for settings that are no `Profile` of this project.
        hours_per_seed: by task, what one more seed of it costs, where that was measured.

    Raises:
        ClaimError: a condition of ``entry.relevance`` has no meaning for these settings.
    """
    verdict, because, decisions = judge(entry, evidence, setting)
    relevance = relevance_of(entry, setting, conditions)
    return Verdict(
        claim=entry.id, profile=setting.profile, run=run, verdict=verdict, because=because,
        decisions=_with_hours(decisions, evidence, hours_per_seed or {}),
        relevance=relevance.value, relevant_to=entry.relevant_to, relevance_reason=relevance.reason,
        n_seeds=evidence.n_seeds if evidence else 0,
    )  # fmt: skip


def _with_hours(
    decisions: Mapping[str, Decision], evidence: Evidence | None, hours: Mapping[str, float]
) -> dict[str, Decision]:
    """The same decisions, with what the seeds that are missing would cost."""
    seeds = {part.task: part.n_seeds for part in (evidence.parts if evidence else ()) if part.judged}
    return {
        task: found
        if found.seeds is None or task not in hours
        else found.model_copy(update={"hours": round((found.seeds - seeds.get(task, 0)) * hours[task], 1)})
        for task, found in decisions.items()
    }


def judge(entry: Entry, evidence: Evidence | None, setting: Setting) -> Judgement:
    """The verdict and the sentence behind it, without its relevance."""
    if entry.id not in setting.claims:
        return Judgement("not run", f"The profile {setting.profile} does not measure this claim.")
    if evidence is None:
        return Judgement("not run", "There is no evidence in this run.")
    rule = RULES[entry.rule]
    parts = rule.parts(entry, evidence)
    if evidence.status == "missing" or not (parts or (evidence.checks and rule.is_structural)):
        return Judgement(
            "not run", "Nothing to measure it from: " + ("; ".join(evidence.missing) or "no part") + "."
        )
    few = [part for part in parts if _too_few_seeds(part, rule)]
    if not few:
        return rule.judge(entry, evidence, rule)
    rest = tuple(part for part in evidence.parts if part not in few)
    without = evidence.model_copy(update={"parts": rest, "headline": None})
    if rule.parts(entry, without):
        verdict, because, decisions = rule.judge(entry, without, rule)
        verdict = "inconclusive" if rule.claimed and verdict == "reproduced" else verdict
        note = f"{because[:-1]}; not counted, with fewer than {MIN_SEEDS} seeds: {sentence(few)}."
        return Judgement(verdict, note, decisions)
    most = max(part.n_seeds for part in few)
    found = f"{most} seed{'' if most == 1 else 's'} at most"
    return Judgement(
        "inconclusive",
        f"{sentence(few)}; cannot be decided at this size: {found}, and at least {MIN_SEEDS} are needed.",
    )


def _too_few_seeds(part: Measurement, rule: Rule) -> bool:
    return part.n_seeds < MIN_SEEDS and not (rule.seedless and part.n_seeds == 0)


# Rules about each of several tasks


def _layer_contrast(entry: Entry, evidence: Evidence, rule: Rule) -> Judgement:
    """C01: both contrasts above 0; one of them: partly."""
    smallest = rule.thresholds["smallest_effect"]
    contrasts = {m: [Bounded(part, smallest) for part in _measured(evidence, m)] for m in rule.measures}
    return _judged_each(contrasts, about_size=False)


def _complementarity(entry: Entry, evidence: Evidence, rule: Rule) -> Judgement:
    """C02: both measures above 0 in every task; refuted in one by either of them."""
    thresholds = (rule.thresholds["smallest_effect"], rule.thresholds["smallest_share"])
    found = [(_by_task(evidence, m), smallest) for m, smallest in zip(rule.measures, thresholds, strict=True)]
    tasks = {
        task: [Bounded(parts[task], smallest) for parts, smallest in found if task in parts]
        for task in map(str, TASKS)
    }
    return _judged_each(tasks, about_size=False, n_parts=len(rule.measures))


def _slopes(entry: Entry, evidence: Evidence, rule: Rule) -> Judgement:
    """C03: both slopes of the claimed sign, in both tasks; refuted by one shown to have the other sign."""
    found = {m: _by_task(evidence, m) for m in rule.measures}
    tasks: dict[str, list[Bounded]] = {"xnli": [], "pawsx": []}
    for task, bounded in tasks.items():
        if all(task in found[m] for m in rule.measures):
            bounded += [Bounded(_towards(found[m][task], entry.claimed.signs[m]), 0.0) for m in rule.measures]
    judged = _judged_each(tasks, about_size=False, n_parts=len(rule.measures))
    shown = sentence([found[m][task] for m in rule.measures for task in tasks if task in found[m]])
    return judged._replace(because=f"{shown}; of the claimed sign: {decisions_sentence(judged.decisions)}.")


def _gain_above_zero(entry: Entry, evidence: Evidence, rule: Rule) -> Judgement:
    """C05: above 0 in all four tasks; refuted in one where it is shown to be below the smallest effect."""
    [measure] = rule.measures
    gains = _by_task(evidence, measure)
    smallest = rule.thresholds["smallest_effect"]
    tasks = {task: [Bounded(gains[task], smallest)] if task in gains else [] for task in map(str, TASKS)}
    return _judged_each(tasks, about_size=False)


def _gain_in_range(entry: Entry, evidence: Evidence, rule: Rule) -> Judgement:
    """C06: above 0 and overlapping the claimed range in all four tasks; refuted where shown to be outside."""
    [measure] = rule.measures
    gains, (low, high) = _by_task(evidence, measure), entry.claimed.bounds
    tasks = {task: [Bounded(gains[task], low, high)] if task in gains else [] for task in map(str, TASKS)}
    judged = _judged_each(tasks, about_size=True)
    return judged._replace(because=f"{judged.because[:-1]}; claimed: {low:g} to {high:g}.")


def _judged_each(tasks: Mapping[str, list[Bounded]], about_size: bool, n_parts: int = 1) -> Judgement:
    each: Each = decide_each(tasks, about_size, n_parts)
    by_measure: dict[str, list[Measurement]] = {}
    for bounded in chain(*tasks.values()):
        by_measure.setdefault(bounded.part.measure, []).append(bounded.part)
    shown = sentence(chain(*by_measure.values()))
    return Judgement(each.verdict, f"{shown}; {decisions_sentence(each.decisions)}.", each.decisions)


def _towards(part: Measurement, sign: Sign) -> Measurement:
    """The part, turned round where a negative value is claimed, so that above 0 is as claimed."""
    if sign == "+" or part.estimate is None or part.interval is None:
        return part
    turned = Interval(**part.interval.model_dump() | {"low": -part.interval.high, "high": -part.interval.low})
    return part.model_copy(update={"estimate": -part.estimate, "interval": turned})


# Other rules


def _different_layers(entry: Entry, evidence: Evidence, rule: Rule) -> Judgement:
    """C07: (a) interaction and (b) points won by own layers, p < 0.05; (a) alone: partly."""
    a, b = (_measured(evidence, m) for m in rule.measures)
    differ, pays = _significant(a), bool(b) and all(map(is_above_zero, b))
    best = {task: evidence.facts[f"best_layer_{task}"] for task in TASKS if f"best_layer_{task}" in evidence.facts}
    named = ", ".join(f"{task_title(task)} {str(layer).replace('_', ' ')}" for task, layer in best.items())
    among = evidence.facts.get("layers_compared", "")
    compared = f"; best on test among {among}: {named}" if named else ""
    because = f"{sentence([*a, *b])}{compared}."
    if differ:
        return Judgement("reproduced" if pays else "partly reproduced", because)
    smallest = rule.thresholds["smallest_advantage"]
    small = bool(a and b) and all(part.interval is not None and part.interval.high < smallest for part in b)
    return Judgement("not reproduced" if small and _has_p(a) else "inconclusive", because)


def _correlations(entry: Entry, evidence: Evidence, rule: Rule) -> Judgement:
    """C08: both correlations positive, p < 0.05 and the interval above 0, in every target: at most partly.

    Either alone is not enough: of series with a trend, which layers have, one in nine is aligned by chance.
    """
    both = [_measured(evidence, m) for m in rule.measures]
    because = f"{sentence(chain(*both))}; correlation over neighbouring layers shows no cause."
    if all(_significant(parts) and all(map(is_above_zero, parts)) for parts in both):
        return Judgement("partly reproduced", because)
    refuted = any(parts and all(map(is_below_zero, parts)) for parts in both)
    return Judgement("not reproduced" if refuted else "inconclusive", because)


def _families(entry: Entry, evidence: Evidence, rule: Rule) -> Judgement:
    """C09: difference positive for one genus and for one family, permutation p < 0.05 after Holm over the two."""
    both = [_measured(evidence, m) for m in rule.measures]
    because = f"{sentence(chain(*both))}."
    parts = list(chain(*both))
    if not all(both) or not _has_p(parts):
        return Judgement("inconclusive", because)
    floor = max(float(evidence.facts.get(f"smallest_p_{kind}", 0)) for kind in ("genus", "family"))
    if floor >= rule.thresholds["largest_floor"]:
        return Judgement(
            "inconclusive", f"{because[:-1]}; cannot be decided at this size: p is at least {floor:.2g}."
        )
    adjusted = holm(np.array([part.p_value for part in parts]))
    if (adjusted < LEVEL).all() and all(part.estimate is not None and part.estimate > 0 for part in parts):
        return Judgement("reproduced", because)
    refuted = any(all(map(is_below_zero, parts)) for parts in both)
    return Judgement("not reproduced" if refuted else "inconclusive", because)


def _task_distance(entry: Entry, evidence: Evidence, rule: Rule) -> Judgement:
    """C13: the distance between tasks exceeds that within a task, permutation p < 0.05."""
    parts = _measured(evidence, *rule.measures)
    because = f"{sentence(parts)}."
    floor = float(evidence.facts.get("smallest_p", 0))
    if floor >= LEVEL:
        return Judgement(
            "inconclusive", f"{because[:-1]}; cannot be decided at this size: p is at least {floor:.2g}."
        )
    if _significant(parts) and all(part.estimate is not None and part.estimate > 0 for part in parts):
        return Judgement("reproduced", because)
    return Judgement("not reproduced" if all(map(is_below_zero, parts)) else "inconclusive", because)


def _calibration_sign(entry: Entry, evidence: Evidence, rule: Rule) -> Judgement:
    """Q01: whether the ECE difference is practically none, or its sign, overall; each target beside it."""
    [measure] = rule.measures
    margin = rule.thresholds["smallest_difference"]
    part = _measured(evidence, measure)[0]
    answer = decide_difference(part, margin)
    because = f"{sentence([part])}; below 0 is better calibrated, within {margin:g} either way is practically none"
    if answer.seeds:
        because += f"; {answer.seeds} seeds would decide"
    targets = [p for p in evidence.parts if p.measure == measure and p.task and not (p.language or p.judged)]
    shown = [p for p in targets if p.estimate is not None]
    decisions = {str(p.task): decide_difference(p, margin) for p in shown if p.interval is not None}
    if shown:
        because += "; by target: " + ", ".join(
            f"{value(p)} {decisions[str(p.task)].decision if str(p.task) in decisions else 'not counted'}"
            for p in shown
        )
    named = (p for p in evidence.parts if p.measure == ACCURACY_BESIDE and not (p.language or p.task))
    beside = [p for p in named if p.estimate is not None]
    if beside:
        because += f"; beside it, {sentence(beside, capital=False)}"
    verdict: VerdictName = answer.decision  # type: ignore[assignment]  # a difference has these four alone
    return Judgement(verdict, f"{because}.", decisions)


def _all_checks(entry: Entry, evidence: Evidence, rule: Rule) -> Judgement:
    """Structural claims: every check passes."""
    failed = [check for check in evidence.checks if not check.passed]
    n = len(evidence.checks)
    if not failed:
        return Judgement("reproduced", f"{n} of {n} checks pass.")
    first = failed[0]
    found = f"{first.name}: expected {first.expected}, found {first.found}"
    return Judgement("not reproduced", f"{n - len(failed)} of {n} checks pass; {found}.")


def _as_claimed(entry: Entry, evidence: Evidence, rule: Rule) -> Judgement:
    """Any paper: every interval lies inside the claimed range of its measure; refuted by one wholly outside.

    All have to hold, so that several measures need no correction for `reproduced`; each can refute, so name few.
    """
    claimed = [part for part in evidence.parts if part.judged and _is_claimed(part, entry)]
    held = [part for part in claimed if _holds(part, entry)]
    because = f"{sentence(claimed)}; {_claimed_range(entry)}{len(held)} of {len(claimed)} as claimed."
    named = {part.measure for part in claimed} >= set(entry.claimed.signs)
    if named and len(held) == len(claimed):
        return Judgement("reproduced", because)
    refuted = any(_fails(part, entry) for part in claimed)
    return Judgement("not reproduced" if refuted else "inconclusive", because)


@dataclass(frozen=True)
class Rule:
    """How a verdict is reached.

    Attributes:
        judge: the rule itself.
        measures: the measures it reads.
        thresholds: its own numbers, beside `decisions.LEVEL` and `MIN_SEEDS`.
        claimed: whether it reads, instead of ``measures``, every measure for which the registry claims something.
        seedless: whether no seed need enter (the encoder before fine-tuning); ``n_seeds`` 0 is then fine.
    """

    judge: Callable[[Entry, Evidence, Rule], Judgement]
    measures: tuple[str, ...] = ()
    thresholds: Mapping[str, float] = field(default_factory=dict)
    claimed: bool = False
    seedless: bool = False

    @property
    def decided_by(self) -> dict[str, float]:
        """Every number that the rule compares with, by name; a seal holds them."""
        common = {} if self.is_structural else {"level": LEVEL, "min_seeds": MIN_SEEDS}
        return {**common, **self.thresholds}

    @property
    def is_structural(self) -> bool:
        """Whether it reads checks instead of parts."""
        return not (self.measures or self.claimed)

    def parts(self, entry: Entry, evidence: Evidence) -> list[Measurement]:
        """The parts with a value that it reads."""
        if self.claimed:
            valued = [part for part in evidence.parts if part.judged and part.estimate is not None]
            return [part for part in valued if _is_claimed(part, entry)]
        return _measured(evidence, *self.measures)


RULES: dict[RuleName, Rule] = {
    "layer_contrast": Rule(
        _layer_contrast, ("retrieval_lower_minus_upper", "upos_probe_upper_minus_lower"),
        {"smallest_effect": SMALLEST_EFFECT}, seedless=True,
    ),
    "complementarity": Rule(
        _complementarity, ("dev_selected_minus_self", "excess_complementarity"),
        {"smallest_effect": SMALLEST_EFFECT, "smallest_share": SMALLEST_SHARE},
    ),
    "slopes": Rule(_slopes, ("slope_accuracy_gap", "slope_similarity")),
    "gain_above_zero": Rule(_gain_above_zero, ("dev_selected_gain",), {"smallest_effect": SMALLEST_EFFECT}),
    "gain_in_range": Rule(_gain_in_range, ("cross_fitted_gain",)),
    "different_layers": Rule(
        _different_layers, ("task_by_layer_interaction", "own_over_common"), {"smallest_advantage": 0.3}
    ),
    "correlations": Rule(_correlations, ("correlation_semantic", "correlation_structural"), seedless=True),
    "families": Rule(
        _families, ("genus_similarity_difference", "family_similarity_difference"), {"largest_floor": 0.01},
        seedless=True,
    ),
    "task_distance": Rule(_task_distance, ("between_minus_within",)),
    "calibration_sign": Rule(
        _calibration_sign, ("ece_multilingual_minus_english",), {"smallest_difference": 1.0}
    ),
    "all_checks": Rule(_all_checks),
    "as_claimed": Rule(_as_claimed, claimed=True),
}  # fmt: skip


def _measured(evidence: Evidence, *measures: str) -> list[Measurement]:
    return [part for measure in measures for part in evidence.judged(measure) if part.estimate is not None]


def _by_task(evidence: Evidence, measure: str) -> dict[str, Measurement]:
    """The parts that can be tested, by task."""
    parts = _measured(evidence, measure)
    return {part.task: part for part in parts if part.task is not None and part.interval is not None}


def _has_p(parts: Iterable[Measurement]) -> bool:
    parts = list(parts)
    return bool(parts) and all(part.p_value is not None for part in parts)


def _significant(parts: Iterable[Measurement]) -> bool:
    parts = list(parts)
    return bool(parts) and all(part.p_value is not None and part.p_value < LEVEL for part in parts)


def _has_sign(part: Measurement, sign: Sign) -> bool:
    """Whether the interval lies wholly on that side of 0."""
    return is_above_zero(part) if sign == "+" else is_below_zero(part)


def _is_claimed(part: Measurement, entry: Entry) -> bool:
    return entry.claimed.has_range(part.measure, part.unit)


def _holds(part: Measurement, entry: Entry) -> bool:
    """Whether the interval lies wholly inside what is claimed of the measure: a sign, else a range."""
    if sign := entry.claimed.signs.get(part.measure):
        return _has_sign(part, sign)
    low, high = entry.claimed.bounds
    return part.interval is not None and low <= part.interval.low and part.interval.high <= high


def _fails(part: Measurement, entry: Entry) -> bool:
    """Whether it lies wholly outside."""
    if sign := entry.claimed.signs.get(part.measure):
        return is_below_zero(part) if sign == "+" else is_above_zero(part)
    return _outside(part, *entry.claimed.bounds)


def _claimed_range(entry: Entry) -> str:
    low, high = entry.claimed.bounds
    if (low, high) == (-inf, inf):
        return ""
    if np.isinf(low) or np.isinf(high):
        return f"claimed: {f'at most {high:g}' if np.isinf(low) else f'at least {low:g}'}; "
    return f"claimed: {low:g} to {high:g}; "


def _outside(part: Measurement, low: float, high: float) -> bool:
    return part.interval is not None and not (part.interval.low <= high and part.interval.high >= low)
