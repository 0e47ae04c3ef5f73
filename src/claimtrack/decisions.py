"""Tests of measured parts, and the decision on each of the tasks that a claim is about.

A part has an estimate and an interval, so that it can be tested against any value, with the standard error and
degrees of freedom of the interval. Where that is skewed, each side has its own. `decide_each` is the logic of a
claim about each of k tasks: the claim needs all of them, so one counterexample refutes it, and a reader wants to
know which.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import inf
from typing import Literal, NamedTuple

import numpy as np
from scipy.special import stdtr, stdtrit

from claimtrack.evidence import Interval, Measurement, Strict
from claimtrack.statistics import fewest, holm

LEVEL = 0.05
_NORMAL = 1e6
"""Degrees of freedom of a normal interval."""

DecisionName = Literal[
    "holds", "refuted", "undecided", "missing", "improves", "worsens", "practically none",
]  # fmt: skip


class Decision(Strict):
    """What is decided about one task.

    Attributes:
        decision: holds, refuted, undecided or missing; of a question improves, worsens, practically none.
        note: what a reader has to know beside it.
        seeds: of an undecided task, the seeds that would decide it in 80 % of runs, were the effect what is
            estimated now; None where no number of them up to 1,000 would.
        hours: what the seeds that are missing would cost, at the measured time of a seed; None if not recorded.
    """

    decision: DecisionName
    note: str = ""
    seeds: int | None = None
    hours: float | None = None


class Target(NamedTuple):
    """A measurement with an interval, the range outside of which it is refuted, and that in which it is claimed to
    lie: as the 95 % interval shows, or for equality two one-sided tests at 5 %."""

    part: Measurement
    outside: tuple[float, float]
    inside: tuple[float, float] = (0.0, inf)
    equal: bool = False


class Each(NamedTuple):
    """The decisions on the tasks of a claim, and its verdict."""

    verdict: Literal["reproduced", "partly reproduced", "not reproduced", "inconclusive"]
    decisions: dict[str, Decision]


def decide_each(tasks: Mapping[str, Sequence[Target]], about_size: bool, n_parts: int = 1) -> Each:
    """Decide on each task, then on the claim that it holds in all of them.

    A task *holds* where every part of it lies above 0 (95 % interval) and, of a size, overlaps its range. It is
    *refuted* where any part is shown to lie outside the range (one-sided tests at 5 %, Holm's correction over all
    tests of the claim). The claim is reproduced if all tasks hold, unadjusted; otherwise a task holds only after
    Holm's correction over the tasks. A task without parts is missing, not failed.

    Args:
        tasks: the parts of each task, claimed to lie above 0.
        about_size: whether a task that passes both tests is refuted (a claim about a size), or holds with the note
            that the effect is below the smallest of interest (a claim about a sign).
        n_parts: how many parts a task needs to hold; fewer can only refute it.
    """
    p, shown = {}, {}
    for task, parts in tasks.items():
        whole = len(parts) == n_parts
        p[task] = max(p_of_zero(target.part) for target in parts) if whole else 1.0
        shown[task] = whole and all(_holds(target, about_size) for target in parts)
    return _decided(tasks, p, shown, about_size=about_size, n_parts=n_parts)


def decide_targets(targets: Mapping[str, Target], n_missing: int = 0) -> Each:
    """Decide on each measurement of which something is claimed, then on the claim that all of it holds.

    A measurement *holds* where its interval lies inside the claimed range, and is *refuted* where one-sided tests
    at 5 %, Holm's correction over all tests of the claim, show it to lie outside. The claim is reproduced if all
    hold, unadjusted; otherwise one holds only after Holm's correction over the measurements.

    Args:
        targets: by name.
        n_missing: of what else the claim needs.
    """
    p = {name: _p_holds(target) for name, target in targets.items()}
    shown = {name: one < LEVEL for name, one in p.items()}
    missing = {f"missing {i}": 1.0 for i in range(n_missing)}  # counts in Holm's correction, as in `decide_each`
    tasks = {name: [target] for name, target in targets.items()}
    return _decided(tasks, p | missing, shown, complete=not n_missing)


def _decided(
    tasks: Mapping[str, Sequence[Target]],
    p: Mapping[str, float],
    shown: Mapping[str, bool],
    *,
    complete: bool = True,
    about_size: bool = False,
    n_parts: int = 1,
) -> Each:
    """The decisions, and the verdict: reproduced if all hold, partly if some do, else refuted by any.

    ``shown``: whether each holds by itself; ``p``: of each, for Holm's correction over them.
    """
    tests = [(name, one) for name, targets in tasks.items() for target in targets for one in _p_outside(target)]
    adjusted = holm(np.array([one for _, one in tests]))
    refuted = {name for (name, _), one in zip(tests, adjusted, strict=True) if one < LEVEL}
    holds = {name: one and not (about_size and name in refuted) for name, one in shown.items()}
    if not (all_hold := complete and all(holds.values())):
        lasting = dict(zip(p, holm(np.array(list(p.values()))) < LEVEL, strict=True))
        holds = {name: one and bool(lasting[name]) for name, one in holds.items()}
    decisions = {}
    for name, targets in tasks.items():
        if holds[name]:
            note = "below the smallest effect of interest" if name in refuted else ""
            decisions[name] = Decision(decision="holds", note=note)
        elif name in refuted or not targets:
            decisions[name] = Decision(decision="refuted" if targets else "missing")
        else:
            lacks = len(targets) < n_parts  # so it can only be refuted, by any of its parts
            tried = [target._replace(inside=(inf, inf)) if lacks else target for target in targets]
            needed = [_seeds(target, len(p), len(tests)) for target in tried]
            known = [seeds for seeds in needed if seeds is not None]
            if lacks:
                seeds, note = min(known, default=None), "a part of it is missing"
            else:
                seeds, note = max(known) if len(known) == len(needed) else None, ""
            decisions[name] = Decision(decision="undecided", seeds=seeds, note=note)
    found = {decision.decision for decision in decisions.values()}
    if all_hold:
        return Each("reproduced", decisions)
    if "holds" in found:
        return Each("partly reproduced", decisions)
    return Each("not reproduced" if "refuted" in found else "inconclusive", decisions)


def _holds(target: Target, about_size: bool) -> bool:
    interval, (low, high) = target.part.interval, target.outside
    assert interval is not None
    overlaps = interval.low <= high and interval.high >= low
    return interval.low > 0 and (overlaps or not about_size)


def _p_holds(target: Target) -> float:
    """p of the value lying outside the claimed range: at most 0.05 where the interval lies inside."""
    (low, high), sides = target.inside, 1 if target.equal else 2
    return min(1.0, sides * max(p_above(target.part, low), p_below(target.part, high)))


def _p_outside(target: Target) -> list[float]:
    """p of the tests that can refute: one against each end that the range has."""
    low, high = target.outside
    below = [] if low == -inf else [p_below(target.part, low)]
    return below if high == inf else [*below, p_above(target.part, high)]


def _seeds(target: Target, n_targets: int, n_tests: int) -> int | None:
    """Fewest seeds, more than there are, that decide in 80 % of runs, were the true value what is estimated now.

    Levels are corrected for all measurements and tests (Bonferroni). Seeds shrink the variance but for the items'
    part, and add degrees of freedom. None where `MAX_SEEDS` are too few or no seed enters.
    """
    part, (low, high), (least, most) = target.part, target.inside, target.outside
    if part.n_seeds < 2:
        return None
    estimate, n_seeds, sides = _estimate(part), part.n_seeds, 1 if target.equal else 2
    error, df = error_of(part)
    seeds = max(error**2 - part.item_variance, 0.0)

    def decided(n: int) -> float:
        n_error, n_df = np.sqrt(seeds * n_seeds / n + part.item_variance), df * (n - 1) / (n_seeds - 1)
        inside = float(stdtrit(n_df, 1 - LEVEL / sides / n_targets)) * n_error
        outside = float(stdtrit(n_df, 1 - LEVEL / max(n_tests, 1))) * n_error  # none where nothing can refute
        regions = [(-inf, least - outside), (low + inside, high - inside), (most + outside, inf)]
        if not n_error:
            return float(any(start < estimate < end for start, end in regions))
        return sum(
            float(stdtr(n_df, (end - estimate) / n_error) - stdtr(n_df, (start - estimate) / n_error))
            for start, end in _union(regions)
        )

    needed = fewest(decided)
    return None if needed is None else max(needed, n_seeds + 1)


def _union(ranges: Sequence[tuple[float, float]]) -> list[tuple[float, float]]:
    """The same numbers in ranges that do not overlap; an empty range, whose end lies before its start, is none."""
    merged: list[tuple[float, float]] = []
    for low, high in sorted(pair for pair in ranges if pair[0] < pair[1]):
        if merged and low <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(high, merged[-1][1]))
        else:
            merged.append((low, high))
    return merged


def decide_difference(part: Measurement, margin: float) -> Decision:
    """Whether a difference is practically none, or which sign it has; below 0 improves.

    Equivalence is read first: practically none where both one-sided tests show it to lie within +- margin
    (the 90 % interval inside), else improves or worsens where the 95 % interval excludes 0.
    """
    if max(p_below(part, margin), p_above(part, -margin)) < LEVEL:
        sign = {True: "below 0", False: "above 0"}.get(_estimate(part) < 0) if p_of_zero(part) < LEVEL else None
        return Decision(decision="practically none", note=f"{sign}, within {margin:g}" if sign else "")
    if p_of_zero(part) < LEVEL:
        return Decision(decision="improves" if _estimate(part) < 0 else "worsens")
    return Decision(decision="undecided", seeds=_seeds(Target(part, (0.0, 0.0), (-margin, margin), True), 1, 2))


def error_of(part: Measurement) -> tuple[float, float]:
    """Standard error and degrees of freedom of a part, from its interval."""
    assert part.interval is not None
    reach, df = _reach(part.interval)
    return (part.interval.high - part.interval.low) / 2 / reach, df


def _reach(interval: Interval) -> tuple[float, float]:
    """Half of an interval in standard errors, and its degrees of freedom."""
    df = _NORMAL if interval.df is None else interval.df
    return float(stdtrit(df, (1 + interval.level) / 2)), df


def p_below(part: Measurement, bound: float) -> float:
    """One-sided p of the true value being at least ``bound``: small where it is shown to lie below.

    It is 2.5 % where ``bound`` is the upper end of a 95 % interval, however skewed that is.
    """
    assert part.interval is not None
    return _one_sided(part.interval, _estimate(part) - bound, part.interval.high - _estimate(part))


def p_above(part: Measurement, bound: float) -> float:
    """One-sided p of the true value being at most ``bound``: small where it is shown to lie above."""
    assert part.interval is not None
    return _one_sided(part.interval, bound - _estimate(part), _estimate(part) - part.interval.low)


def _one_sided(interval: Interval, distance: float, half: float) -> float:
    """From the distance of the bound, and the half of the interval on its side."""
    reach, df = _reach(interval)
    return float(stdtr(df, distance * reach / half)) if half > 0 else float(distance >= 0)


def p_of_zero(part: Measurement) -> float:
    """Two-sided p of 0."""
    return min(1.0, 2 * min(p_below(part, 0), p_above(part, 0)))


def is_above_zero(part: Measurement) -> bool:
    """Whether the 95 % interval lies above 0."""
    return part.interval is not None and part.interval.low > 0


def is_below_zero(part: Measurement) -> bool:
    """Whether the 95 % interval lies below 0."""
    return part.interval is not None and part.interval.high < 0


def _estimate(part: Measurement) -> float:
    assert part.estimate is not None
    return part.estimate
