"""Verdicts: computed from evidence by a table of short rules, never typed by hand.

Common to all rules: they read judged parts by measure; a part without an estimate, or with fewer than 3 seeds, is
missing, not failed; where only such parts are left the claim is `inconclusive`. ``not reproduced`` needs intervals
wholly below the smallest effect of interest (0.5 points) or wholly outside the claimed range, in so many tasks
that the missing ones could not make it `reproduced`. Anything else that is not `reproduced` is `inconclusive`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sized
from dataclasses import dataclass
from itertools import chain
from typing import get_args

import numpy as np

from crosslayer.claims.bears import Conditions, Setting, bears_on_paper
from crosslayer.claims.evidence import Evidence, Part, Strict
from crosslayer.claims.registry import BearsValue, Entry, RuleName, Sign, VerdictName
from crosslayer.claims.wording import sentence, task_title, value
from crosslayer.stats import MIN_SEEDS, holm
from crosslayer.tasks import TASKS

SMALLEST_EFFECT = 0.5
"""Points; a gain below it is of no interest."""
LEVEL = 0.05
VERDICTS: tuple[VerdictName, ...] = get_args(VerdictName)
N_TASKS = len(TASKS)
ACCURACY_BESIDE = "accuracy_multilingual_minus_english"
"""Said with Q01's answer, since an arm can be better calibrated only by being worse."""

Judgement = tuple[VerdictName, str]
Judge = Callable[[Entry, Evidence], Judgement]


class Verdict(Strict):
    """What one run says about one claim.

    Attributes:
        claim, profile: of which claim, under which settings.
        run: ``fresh`` or the name of a recorded run.
        verdict: by the claim's rule.
        because: one sentence computed from the numbers.
        bears_on_paper, bears_reason: whether it tells anything about the paper, and why.
        n_seeds: fewest seeds behind a judged part.
    """

    claim: str
    profile: str
    run: str
    verdict: VerdictName
    because: str
    bears_on_paper: BearsValue
    bears_reason: str
    n_seeds: int


def decide(
    entry: Entry,
    evidence: Evidence | None,
    setting: Setting,
    run: str = "fresh",
    conditions: Conditions | None = None,
) -> Verdict:
    """The verdict on a claim in one run.

    Args:
        entry: the claim.
        evidence: ``None`` where the run has none.
        setting: the profile of the run.
        run: ``fresh`` or the name of a recorded run.
        conditions: of ``entry.bears``, for settings that are no `Profile` of this project.

    Raises:
        ClaimError: a condition of ``entry.bears`` has no meaning for these settings.
    """
    verdict, because = judge(entry, evidence, setting)
    value, reason = bears_on_paper(entry, setting, conditions)
    return Verdict(
        claim=entry.id, profile=setting.profile, run=run, verdict=verdict, because=because,
        bears_on_paper=value, bears_reason=reason, n_seeds=evidence.n_seeds if evidence else 0,
    )  # fmt: skip


def judge(entry: Entry, evidence: Evidence | None, setting: Setting) -> Judgement:
    """The verdict and the sentence behind it, without whether it bears on the paper."""
    if entry.id not in setting.claims:
        return "not run", f"The profile {setting.profile} does not measure this claim."
    if evidence is None:
        return "not run", "There is no evidence in this run."
    rule = RULES[entry.rule]
    parts = rule.parts(entry, evidence)
    if evidence.status == "missing" or not (parts or (evidence.checks and rule.is_structural)):
        return "not run", "Nothing to measure it from: " + ("; ".join(evidence.missing) or "no part") + "."
    few = [part for part in parts if _too_few_seeds(part, rule)]
    if not few:
        return rule.judge(entry, evidence)
    rest = tuple(part for part in evidence.parts if part not in few)
    without = evidence.model_copy(update={"parts": rest, "headline": None})
    if rule.parts(entry, without):
        verdict, because = rule.judge(entry, without)
        verdict = "inconclusive" if rule.claimed and verdict == "reproduced" else verdict
        return verdict, f"{because[:-1]}; not counted, with fewer than {MIN_SEEDS} seeds: {sentence(few)}."
    most = max(part.n_seeds for part in few)
    found = f"{most} seed{'' if most == 1 else 's'} at most"
    return "inconclusive", f"{sentence(few)}; {found}, and at least {MIN_SEEDS} are needed."


def _too_few_seeds(part: Part, rule: Rule) -> bool:
    return part.n_seeds < MIN_SEEDS and not (rule.seedless and part.n_seeds == 0)


def _layer_contrast(entry: Entry, evidence: Evidence) -> Judgement:
    """C01: both contrasts above 0; one of them: partly."""
    contrasts = [_measured(evidence, m) for m in RULES["layer_contrast"].measures]
    shown = sum(bool(parts) and all(map(_above, parts)) for parts in contrasts)
    refuted = all(parts and all(map(_below_smallest, parts)) for parts in contrasts)
    because = f"{sentence(chain(*contrasts))}; {shown} of 2 above 0."
    if shown:
        return "reproduced" if shown == 2 else "partly reproduced", because
    return "not reproduced" if refuted else "inconclusive", because


def _complementarity(entry: Entry, evidence: Evidence) -> Judgement:
    """C02: both measures above 0 in at least 3 of 4 tasks; refuted by one that is small in every task."""
    measures = [_by_task(evidence, m) for m in RULES["complementarity"].measures]
    gains, excess = measures
    both = [task for task in gains if task in excess]
    shown = [task for task in both if _above(gains[task]) and _above(excess[task])]
    counted = f"both above 0 in {_share(shown, both)}" if both else "no task has both"
    because = f"{sentence([*gains.values(), *excess.values()])}; {counted}."
    if len(shown) >= N_TASKS - 1:
        return "reproduced", because
    refuted = any(_in_all(parts, _below_smallest, at_least=2) for parts in measures)
    return "not reproduced" if refuted else "inconclusive", because


def _slopes(entry: Entry, evidence: Evidence) -> Judgement:
    """C03: both slopes of the claimed sign in both tasks; refuted by one of the wrong sign in both."""
    slopes = {m: _by_task(evidence, m) for m in RULES["slopes"].measures}
    signs = entry.claimed.signs
    right = {m: [t for t, part in parts.items() if _has_sign(part, signs[m])] for m, parts in slopes.items()}
    wrong = {m: [t for t, part in parts.items() if _lacks_sign(part, signs[m])] for m, parts in slopes.items()}
    measured = list(chain(*(parts.values() for parts in slopes.values())))
    n_right = sum(map(len, right.values()))
    because = f"{sentence(measured)}; {n_right} of {len(measured)} measured have the claimed sign, of 4 claimed."
    if all(len(tasks) == 2 for tasks in right.values()):
        return "reproduced", because
    return "not reproduced" if any(len(tasks) == 2 for tasks in wrong.values()) else "inconclusive", because


def _gain_above_zero(entry: Entry, evidence: Evidence) -> Judgement:
    """C05: above 0 in all four tasks; in three: partly."""
    gains = _by_task(evidence, "dev_selected_gain")
    shown = [task for task in gains if _above(gains[task])]
    because = f"{sentence(gains.values())}; above 0 in {_share(shown, gains)}."
    if len(shown) >= N_TASKS - 1:
        return "reproduced" if len(shown) == N_TASKS else "partly reproduced", because
    refuted = _in_all(gains, _below_smallest, at_least=2)
    return "not reproduced" if refuted else "inconclusive", because


def _gain_in_range(entry: Entry, evidence: Evidence) -> Judgement:
    """C06: above 0 and overlapping the claimed range in all four; in some: partly; outside in all: not.

    In some means after Holm's correction: of four tasks without any gain, one in ten sets has a task above 0.
    """
    low, high = entry.claimed.bounds
    gains = _by_task(evidence, "cross_fitted_gain")
    shown = [task for task, part in gains.items() if _above(part) and _overlaps(part, low, high)]
    adjusted = dict(zip(gains, holm(np.array([_p(part) for part in gains.values()])), strict=True))
    lasting = [task for task in shown if adjusted[task] < LEVEL]
    because = (
        f"{sentence(gains.values())}; above 0 and overlapping [{low:g}, {high:g}] in {_share(shown, gains)}, "
        f"after Holm's correction in {len(lasting)}."
    )
    if len(shown) == N_TASKS or lasting:
        return "reproduced" if len(shown) == N_TASKS else "partly reproduced", because
    outside = _in_all(gains, lambda part: _outside(part, low, high), at_least=N_TASKS)
    return "not reproduced" if outside else "inconclusive", because


def _different_layers(entry: Entry, evidence: Evidence) -> Judgement:
    """C07: (a) interaction and (b) points won by own layers, p < 0.05; (a) alone: partly."""
    a, b = (_measured(evidence, m) for m in RULES["different_layers"].measures)
    differ, pays = _significant(a, 0.05), _significant(b, 0.05) and _positive(b)
    best = {task: evidence.facts[f"best_layer_{task}"] for task in TASKS if f"best_layer_{task}" in evidence.facts}
    named = ", ".join(f"{task_title(task)} {str(layer).replace('_', ' ')}" for task, layer in best.items())
    compared = f"; best on test, in {len(best)} of {N_TASKS} tasks: {named}" if named else ""
    because = f"{sentence([*a, *b])}{compared}."
    if differ:
        return "reproduced" if pays else "partly reproduced", because
    small = bool(a and b) and all(part.interval is not None and part.interval.high < 0.3 for part in b)
    return "not reproduced" if small and _has_p(a) else "inconclusive", because


def _correlations(entry: Entry, evidence: Evidence) -> Judgement:
    """C08: both correlations positive, p < 0.05 and the interval above 0, in every target: at most partly.

    Either alone is not enough: of series with a trend, which layers have, one in nine is aligned by chance.
    """
    both = [_measured(evidence, m) for m in RULES["correlations"].measures]
    because = f"{sentence(chain(*both))}; correlation over neighbouring layers shows no cause."
    if all(_significant(parts, 0.05) and all(map(_above, parts)) for parts in both):
        return "partly reproduced", because
    refuted = any(parts and all(_lacks_sign(part, "+") for part in parts) for parts in both)
    return "not reproduced" if refuted else "inconclusive", because


def _families(entry: Entry, evidence: Evidence) -> Judgement:
    """C09: difference positive for one genus and for one family, permutation p < 0.01."""
    both = [_measured(evidence, m) for m in RULES["families"].measures]
    because = f"{sentence(chain(*both))}."
    if all(_significant(parts, 0.01) and _positive(parts) for parts in both):
        return "reproduced", because
    refuted = any(parts and all(_lacks_sign(part, "+") for part in parts) for parts in both)
    return "not reproduced" if refuted else "inconclusive", because


def _task_distance(entry: Entry, evidence: Evidence) -> Judgement:
    """C13: the distance between tasks exceeds that within a task, permutation p < 0.05."""
    parts = _measured(evidence, "between_minus_within")
    because = f"{sentence(parts)}."
    if _significant(parts, 0.05) and _positive(parts):
        return "reproduced", because
    refuted = all(_lacks_sign(part, "+") for part in parts)
    return "not reproduced" if refuted else "inconclusive", because


def _calibration_sign(entry: Entry, evidence: Evidence) -> Judgement:
    """Q01: the sign of the ECE difference, overall and by target; a negative one is an improvement."""
    [measure] = RULES["calibration_sign"].measures
    part = _measured(evidence, measure)[0]
    because = f"{sentence([part])}; below 0 is better calibrated"
    targets = [p for p in evidence.parts if p.measure == measure and p.task and not (p.language or p.judged)]
    few = ", not counted" if part.n_seeds >= MIN_SEEDS else ""
    shown = [
        f"{value(p)} {_change_of_calibration(p)}{few if p.n_seeds < MIN_SEEDS else ''}"
        for p in targets
        if p.estimate is not None
    ]
    if shown:
        because += "; by target: " + ", ".join(shown)
    named = (p for p in evidence.parts if p.measure == ACCURACY_BESIDE and not (p.language or p.task))
    beside = [p for p in named if p.estimate is not None]
    if beside:
        because += f"; beside it, {sentence(beside, capital=False)}"
    return _change_of_calibration(part), f"{because}."


def _change_of_calibration(part: Part) -> VerdictName:
    if part.n_seeds < MIN_SEEDS:
        return "inconclusive"
    if _has_sign(part, "-"):
        return "improves"
    return "worsens" if _has_sign(part, "+") else "no difference shown"


def _all_checks(entry: Entry, evidence: Evidence) -> Judgement:
    """Structural claims: every check passes."""
    failed = [check for check in evidence.checks if not check.passed]
    n = len(evidence.checks)
    if not failed:
        return "reproduced", f"{n} of {n} checks pass."
    first = failed[0]
    found = f"{first.name}: expected {first.expected}, found {first.found}"
    return "not reproduced", f"{n - len(failed)} of {n} checks pass; {found}."


def _as_claimed(entry: Entry, evidence: Evidence) -> Judgement:
    """Any paper: every interval lies inside the claimed range of its measure; refuted by one wholly outside.

    All have to hold, so that several measures need no correction for `reproduced`; each can refute, so name few.
    """
    claimed = [part for part in evidence.parts if part.judged and _is_claimed(part, entry)]
    held = [part for part in claimed if _holds(part, entry)]
    because = f"{sentence(claimed)}; {_claimed_range(entry)}{len(held)} of {len(claimed)} as claimed."
    named = {part.measure for part in claimed} >= set(entry.claimed.signs)
    if named and len(held) == len(claimed):
        return "reproduced", because
    return "not reproduced" if any(_fails(part, entry) for part in claimed) else "inconclusive", because


@dataclass(frozen=True)
class Rule:
    """How a verdict is reached.

    Attributes:
        judge: the rule itself.
        measures: the measures it reads.
        claimed: whether it reads, instead of ``measures``, every measure for which the registry claims something.
        seedless: whether no seed need enter (the encoder before fine-tuning); ``n_seeds`` 0 is then fine.
    """

    judge: Judge
    measures: tuple[str, ...] = ()
    claimed: bool = False
    seedless: bool = False

    @property
    def is_structural(self) -> bool:
        """Whether it reads checks instead of parts."""
        return not (self.measures or self.claimed)

    def parts(self, entry: Entry, evidence: Evidence) -> list[Part]:
        """The parts with a value that it reads."""
        if self.claimed:
            valued = [part for part in evidence.parts if part.judged and part.estimate is not None]
            return [part for part in valued if _is_claimed(part, entry)]
        return [part for measure in self.measures for part in _measured(evidence, measure)]


RULES: dict[RuleName, Rule] = {
    "layer_contrast": Rule(
        _layer_contrast, ("retrieval_lower_minus_upper", "upos_probe_upper_minus_lower"), seedless=True
    ),
    "complementarity": Rule(_complementarity, ("dev_selected_minus_self", "excess_complementarity")),
    "slopes": Rule(_slopes, ("slope_accuracy_gap", "slope_similarity")),
    "gain_above_zero": Rule(_gain_above_zero, ("dev_selected_gain",)),
    "gain_in_range": Rule(_gain_in_range, ("cross_fitted_gain",)),
    "different_layers": Rule(_different_layers, ("task_by_layer_interaction", "own_over_common")),
    "correlations": Rule(_correlations, ("correlation_semantic", "correlation_structural"), seedless=True),
    "families": Rule(_families, ("genus_similarity_difference", "family_similarity_difference"), seedless=True),
    "task_distance": Rule(_task_distance, ("between_minus_within",)),
    "calibration_sign": Rule(_calibration_sign, ("ece_multilingual_minus_english",)),
    "all_checks": Rule(_all_checks),
    "as_claimed": Rule(_as_claimed, claimed=True),
}


def _measured(evidence: Evidence, measure: str) -> list[Part]:
    return [part for part in evidence.judged(measure) if part.estimate is not None]


def _share(shown: Sized, measured: Sized) -> str:
    """``2 of 4 tasks``; ``0 of the 2 tasks measured, of 4 claimed`` where some are missing."""
    n = len(measured)
    if n == N_TASKS:
        return f"{len(shown)} of {n} tasks"
    return f"{len(shown)} of the {n} task{'' if n == 1 else 's'} measured, of {N_TASKS} claimed"


def _by_task(evidence: Evidence, measure: str) -> dict[str, Part]:
    return {part.task: part for part in _measured(evidence, measure) if part.task is not None}


def _in_all(parts: Mapping[str, Part], holds: Callable[[Part], bool], at_least: int) -> bool:
    return len(parts) >= at_least and all(map(holds, parts.values()))


def _above(part: Part) -> bool:
    return _has_sign(part, "+")


def _below_smallest(part: Part) -> bool:
    return part.interval is not None and part.interval.high < SMALLEST_EFFECT and not _above(part)


def _has_sign(part: Part, sign: Sign) -> bool:
    """Whether the interval lies wholly on that side of 0."""
    if part.interval is None:
        return False
    return part.interval.low > 0 if sign == "+" else part.interval.high < 0


def _lacks_sign(part: Part, sign: Sign) -> bool:
    return _has_sign(part, "-" if sign == "+" else "+")


def _is_claimed(part: Part, entry: Entry) -> bool:
    return entry.claimed.has_range(part.measure, part.unit)


def _holds(part: Part, entry: Entry) -> bool:
    """Whether the interval lies wholly inside what is claimed of the measure: a sign, else a range."""
    if sign := entry.claimed.signs.get(part.measure):
        return _has_sign(part, sign)
    low, high = entry.claimed.bounds
    return part.interval is not None and low <= part.interval.low and part.interval.high <= high


def _fails(part: Part, entry: Entry) -> bool:
    """Whether it lies wholly outside."""
    if sign := entry.claimed.signs.get(part.measure):
        return _lacks_sign(part, sign)
    return _outside(part, *entry.claimed.bounds)


def _claimed_range(entry: Entry) -> str:
    low, high = entry.claimed.bounds
    if (low, high) == (-np.inf, np.inf):
        return ""
    if np.isinf(low) or np.isinf(high):
        return f"claimed: {f'at most {high:g}' if np.isinf(low) else f'at least {low:g}'}; "
    return f"claimed: {low:g} to {high:g}; "


def _overlaps(part: Part, low: float, high: float) -> bool:
    return part.interval is not None and part.interval.low <= high and part.interval.high >= low


def _outside(part: Part, low: float, high: float) -> bool:
    return part.interval is not None and not _overlaps(part, low, high)


def _p(part: Part) -> float:
    return 1.0 if part.p_value is None else part.p_value


def _has_p(parts: list[Part]) -> bool:
    return bool(parts) and all(part.p_value is not None for part in parts)


def _significant(parts: list[Part], level: float) -> bool:
    return bool(parts) and all(part.p_value is not None and part.p_value < level for part in parts)


def _positive(parts: list[Part]) -> bool:
    return all(part.estimate is not None and part.estimate > 0 for part in parts)
