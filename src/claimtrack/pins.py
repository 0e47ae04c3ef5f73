"""Pins: what a run gives now, written down so that ``pytest claims/`` sees when it changes.

``claims/pins.yaml`` is written by ``claimtrack pin`` alone. It holds the verdicts and expected ranges of each
pinned run, and its history: which run was pinned why, and which verdicts changed.

A recorded run is pinned to its values. A fresh run is pinned to prediction intervals: with estimate m and
half-width h of its own interval, a new run with as many seeds differs from m by sqrt(2) times the noise that h
stands for. To hold for all judged measurements of the run at once, h is widened from its own level to 95 % over
all of them (Bonferroni): by t(1 - 0.05 / 2n) / t(1/2 + level/2) for n of them, at the degrees of freedom of the
interval.
"""

from __future__ import annotations

import math
from datetime import UTC, date, datetime
from io import StringIO
from pathlib import Path
from typing import Any, Literal

from pydantic import Field
from ruamel.yaml import YAML
from scipy.special import stdtrit

from claimtrack.entries import Line, VerdictName
from claimtrack.errors import ClaimError
from claimtrack.evidence import Evidence, Measurement, Strict
from claimtrack.files import write_text
from claimtrack.rules import SMALLEST_EFFECT
from claimtrack.runs import RunResults
from claimtrack.settings import read_yaml, validated
from claimtrack.wording import counted

PINS = Path("claims/pins.yaml")
CHECKS_MEASURE = "checks"
"""The measure under which the share of passed checks is expected."""
FLOOR_POINTS = SMALLEST_EFFECT
"""No range of points is narrower to either side: the smallest effect of interest."""
FLOOR_SHARE = 0.05
"""The same for other units, as a share of the estimate."""
HEADER = "# Written by `claimtrack pin --reason TEXT`, and read by `pytest claims/`. Do not edit.\n"
Basis = Literal["paper", "literature", "pilot", "recorded"]
Bounds = float | tuple[float, float]
"""A range; one number where both ends are equal."""
Key = tuple[str, str | None]
"""A measure and the task, as in `Measurement.subject`."""


class PinnedClaim(Strict):
    """What one claim gives in one run.

    Attributes:
        verdict: what it gave when it was pinned.
        basis, reason: where the ranges come from, and why they are as wide as they are.
        ranges: of each measure, or of each task of it, in the unit of the measurement.
    """

    verdict: VerdictName
    basis: Basis | None = None
    reason: str = ""
    ranges: dict[Line, Bounds | dict[Line, Bounds]] = Field(default_factory=dict)

    @property
    def expected(self) -> dict[Key, tuple[float, float]]:
        """Low and high end by measure and task; ``None`` where a measure has no tasks."""
        found: dict[Key, tuple[float, float]] = {}
        for measure, value in self.ranges.items():
            for task, bounds in value.items() if isinstance(value, dict) else [(None, value)]:
                found[measure, task] = bounds if isinstance(bounds, tuple) else (bounds, bounds)
        return found


class PinnedRun(Strict):
    """A run as it was pinned.

    Attributes:
        profile, run: which one; ``run`` is ``None`` for a present run of the profile.
        claims: by id.
    """

    profile: Line
    run: Line | None = None
    claims: dict[str, PinnedClaim] = Field(default_factory=dict)


class Pinning(Strict):
    """A line of the history.

    Attributes:
        day: UTC; ``None`` in lines older than this field.
        profile, run: what was pinned.
        reason: why that is what it should give.
        changes: the verdicts that were new.
    """

    day: date | None = None
    profile: Line | None = None
    run: Line | None = None
    reason: Line
    changes: list[Line] = Field(default_factory=list)


class Pins(Strict):
    """The file: every pinned run, and its history, the newest first."""

    runs: list[PinnedRun] = Field(default_factory=list)
    history: list[Pinning] = Field(default_factory=list)

    def of(self, profile: str, run: str | None) -> PinnedRun:
        """What is pinned of a run; without claims if nothing is."""
        found = (item for item in self.runs if (item.profile, item.run) == (profile, run))
        return next(found, PinnedRun(profile=profile, run=run))


def load_pins(path: Path = PINS) -> Pins:
    """Read the file of pins; no pins where there is none, a `ClaimError` where it is damaged."""
    if not path.exists():
        return Pins()
    try:
        return validated(read_yaml(path), Pins, str(path))
    except ClaimError as error:
        raise ClaimError(f"{error}; restore it from git") from None


def pin(results: RunResults, reason: str, path: Path = PINS) -> tuple[str, ...]:
    """Write down what a run gives, and a line of history; a line for each verdict that is new or changed.

    A `ClaimError` where there is no reason, no evidence, or a measure is judged with and without a task.
    """
    reason = " ".join(reason.split())
    if not reason.isprintable() or not reason:
        raise ClaimError("a pin needs a reason in plain words; add --reason TEXT")
    if not results.evidence:
        raise ClaimError(f"{results.folder} has no evidence to pin; run `make repro` first")
    pins, profile = load_pins(path), results.profile.profile
    old = pins.of(profile, results.run)
    judged = [part for evidence in results.evidence.values() for part in evidence.parts if part.judged]
    n_ranged = sum(part.estimate is not None and part.interval is not None for part in judged)
    claims = {c: _pinned(c, results, n_ranged) for c in results.verdicts if c in results.profile.claims}
    new = PinnedRun(profile=profile, run=results.run, claims=claims)
    changes = [
        f"{claim}: {old.claims[claim].verdict if claim in old.claims else 'no pin'} -> {now.verdict}"
        for claim, now in claims.items()
        if claim not in old.claims or old.claims[claim].verdict != now.verdict
    ]
    today = datetime.now(UTC).date()
    event = Pinning(day=today, profile=profile, run=results.run, reason=reason, changes=changes)
    runs = [new if run == old else run for run in pins.runs] + ([] if old in pins.runs else [new])
    _write(Pins(runs=runs, history=[event, *pins.history]), path)
    return tuple(changes)


def _write(pins: Pins, path: Path) -> None:
    """Each record of numbers on one line."""
    yaml = YAML(typ="safe", pure=True)
    yaml.default_flow_style, yaml.width = None, 4096
    yaml.sort_base_mapping_type_on_output = False  # type: ignore[assignment]
    text = StringIO()
    yaml.dump(pins.model_dump(mode="json", exclude_defaults=True), text)
    write_text(path, HEADER + text.getvalue())


def prediction_range(part: Measurement, n_parts: int) -> tuple[float, float]:
    """Where the estimate of a new run should fall; see the module's docstring. Needs estimate and interval."""
    interval, estimate = part.interval, part.estimate
    assert interval is not None
    assert estimate is not None
    df = math.inf if interval.df is None else interval.df
    wide, own = stdtrit(df, [1 - 0.05 / (2 * n_parts), 0.5 + interval.level / 2])
    factor = float(math.sqrt(2) * wide / own)
    floor = FLOOR_POINTS if part.unit == "points" else FLOOR_SHARE * abs(estimate)
    below = max(factor * (estimate - interval.low), floor)
    return estimate - below, estimate + max(factor * (interval.high - estimate), floor)


def _pinned(claim: str, results: RunResults, n_ranged: int) -> PinnedClaim:
    verdict, evidence = results.verdicts[claim].verdict, results.evidence.get(claim)
    ranges = _ranges(evidence, None if results.run else n_ranged) if evidence else {}
    if not ranges or evidence is None:
        return PinnedClaim(verdict=verdict)
    basis: Basis = "recorded"
    reason = "the recorded value, to 1e-9"
    if ranges == {CHECKS_MEASURE: 1.0}:
        basis, reason = "paper", "every check of the definition passes"
    elif [*ranges] == [CHECKS_MEASURE]:
        reason = "the share of checks that pass"
    elif results.run is None:
        basis, n = "pilot", evidence.n_seeds
        seeds = f" of {counted(n, 'seed')}" if n else ""
        reason = (
            f"prediction interval for a new run{seeds}, 95 % over all {n_ranged} parts of the run; "
            f"at least {FLOOR_POINTS} points or {100 * FLOOR_SHARE:g} % to either side"
        )
    return PinnedClaim(verdict=verdict, basis=basis, reason=reason, ranges=ranges)


def _ranges(evidence: Evidence, n_ranged: int | None) -> dict[str, Any]:
    """``{measure: {task: (low, high)}}``, or ``{measure: (low, high)}`` without a task; values where ``n_ranged``,
    the number of prediction intervals, is ``None``."""
    ranges: dict[str, Any] = {}
    without = {part.measure for part in evidence.parts if part.judged and part.subject is None}
    for part in evidence.parts:
        if not part.judged or part.estimate is None or (n_ranged is not None and part.interval is None):
            continue
        bounds: Bounds = round(part.estimate, 12)
        if n_ranged is not None:
            low, high = prediction_range(part, n_ranged)
            bounds = float(f"{low:.4g}"), float(f"{high:.4g}")
        if part.subject is None:
            ranges[part.measure] = bounds
        elif part.measure in without:
            raise ClaimError(f"{evidence.claim} judges {part.measure} with and without a task; judge one of them")
        else:
            ranges.setdefault(part.measure, {})[part.subject] = bounds
    if evidence.checks:
        ranges[CHECKS_MEASURE] = sum(check.passed for check in evidence.checks) / len(evidence.checks)
    return ranges
