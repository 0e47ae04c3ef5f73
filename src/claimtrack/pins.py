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
from collections.abc import Iterable, Mapping
from datetime import UTC, date, datetime
from io import StringIO
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from pydantic import Field, ValidationError, model_validator

from claimtrack.errors import ClaimError
from claimtrack.evidence import Evidence, Interval, Measurement, Strict
from claimtrack.files import write_text
from claimtrack.reading import Malformed, parse_yaml
from claimtrack.registry import Line, VerdictName, read_text
from claimtrack.rules import SMALLEST_EFFECT
from claimtrack.settings import describe

if TYPE_CHECKING:
    from claimtrack.plugin import Setting
    from claimtrack.results import RunResults

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


class Expected(Strict):
    """The range that one measure should fall into.

    Attributes:
        measure, task: names of the `Measurement`; ``checks`` is the share of checks passed.
        low, high: the range, in the unit of the measurement.
        basis, reason: where the range comes from, and why it is as wide as it is.
    """

    measure: Line
    task: Line | None = None
    low: float
    high: float
    basis: Basis
    reason: Line

    @model_validator(mode="after")
    def _ordered(self) -> Expected:
        if self.low > self.high:
            raise ValueError(f"expected low {self.low} lies above high {self.high}")
        return self


class PinnedClaim(Strict):
    """What one claim gives in one run.

    Attributes:
        verdict: what it gave when it was pinned.
        basis, reason: of the ranges, as in `Expected`.
        ranges: of each measure, or of each task of it.
    """

    verdict: VerdictName
    basis: Basis | None = None
    reason: str = ""
    ranges: dict[Line, Bounds | dict[Line, Bounds]] = Field(default_factory=dict)

    @property
    def expected(self) -> tuple[Expected, ...]:
        """The ranges, one record each."""
        found = []
        for measure, value in self.ranges.items():
            for task, bounds in (value if isinstance(value, Mapping) else {None: value}).items():
                low, high = bounds if isinstance(bounds, tuple) else (bounds, bounds)
                found.append(
                    Expected(
                        measure=measure,
                        task=task,
                        low=low,
                        high=high,
                        basis=self.basis or "pilot",
                        reason=self.reason,
                    )
                )
        return tuple(found)

    @model_validator(mode="after")
    def _ranges_have_a_reason(self) -> PinnedClaim:
        if self.ranges and not (self.basis and self.reason):
            raise ValueError("ranges need a basis and a reason")
        assert self.expected is not None
        return self


class PinnedRun(Strict):
    """A run as it was pinned.

    Attributes:
        profile, run: which one; ``run`` is ``None`` for a present run of the profile.
        claims: by id.
    """

    profile: Line
    run: Line | None = None
    claims: dict[str, PinnedClaim] = Field(default_factory=dict)

    def expected(self, claim: str) -> tuple[Expected, ...]:
        """The expected ranges of a claim."""
        return self.claims[claim].expected if claim in self.claims else ()


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
    """Read the file of pins; no pins where there is none.

    Raises:
        ClaimError: one line with the file and what is wrong.
    """
    if not path.exists():
        return Pins()
    try:
        return Pins.model_validate(parse_yaml(read_text(path)))
    except Malformed as error:
        raise ClaimError(f"{path}: {error}; restore it from git") from None
    except ValidationError as error:
        raise ClaimError(f"{path}: {describe(error, Pins)}; restore it from git") from None


def pin(results: RunResults[Setting], reason: str, path: Path = PINS) -> tuple[str, ...]:
    """Write down what a run gives, and a line of history.

    Returns:
        One line for each verdict that is new or changed.

    Raises:
        ClaimError: no reason, no evidence, or two judged measurements of one name.
    """
    reason = " ".join(reason.split())
    if not reason.isprintable() or not reason:
        raise ClaimError("a pin needs a reason in plain words; add --reason TEXT")
    if not results.evidence:
        raise ClaimError(f"{results.folder} has no evidence to pin; run `make repro` first")
    pins, profile = load_pins(path), results.profile.profile
    old = pins.of(profile, results.run)
    claims = {claim: _pinned(claim, results) for claim in results.verdicts if claim in results.profile.claims}
    new = PinnedRun(profile=profile, run=results.run, claims=claims)
    changes = tuple(_changes(old, new))
    today = datetime.now(UTC).date()
    event = Pinning(day=today, profile=profile, run=results.run, reason=reason, changes=list(changes))
    at = next((i for i, run in enumerate(pins.runs) if run == old), len(pins.runs))
    runs = [*pins.runs[:at], new, *pins.runs[at + 1 :]]
    write_pins(Pins(runs=runs, history=[event, *pins.history]), path)
    return changes


def write_pins(pins: Pins, path: Path) -> None:
    """Write the file of pins, each record of numbers on one line."""
    from ruamel.yaml import YAML

    yaml = YAML(typ="safe", pure=True)
    yaml.default_flow_style, yaml.width, yaml.allow_unicode = None, 4096, True
    yaml.sort_base_mapping_type_on_output = False  # type: ignore[assignment]
    text = StringIO()
    yaml.dump(pins.model_dump(mode="json", exclude_defaults=True), text)
    write_text(path, HEADER + text.getvalue())


def prediction_range(part: Measurement, n_parts: int) -> tuple[float, float]:
    """Where the estimate of a new run should fall; see the module's docstring. Needs estimate and interval."""
    if part.estimate is None or part.interval is None:
        raise ValueError(f"{part.measure} has no interval")
    floor = FLOOR_POINTS if part.unit == "points" else FLOOR_SHARE * abs(part.estimate)
    factor = _widening(part.interval, n_parts)
    below = max(factor * (part.estimate - part.interval.low), floor)
    above = max(factor * (part.interval.high - part.estimate), floor)
    return part.estimate - below, part.estimate + above


def _widening(interval: Interval, n_parts: int) -> float:
    from scipy.stats import t

    df = math.inf if interval.df is None else interval.df
    wide, own = t.ppf([1 - 0.05 / (2 * n_parts), 0.5 + interval.level / 2], df)
    return float(math.sqrt(2) * wide / own)


def _pinned(claim: str, results: RunResults[Setting]) -> PinnedClaim:
    """A claim as it is now."""
    verdict, evidence = results.verdicts[claim].verdict, results.evidence.get(claim)
    ranges = _ranges(evidence, results) if evidence else {}
    if not ranges:
        return PinnedClaim(verdict=verdict)
    basis: Basis = "recorded"
    reason = "the recorded value, to 1e-9"
    if list(ranges) == [CHECKS_MEASURE]:
        basis, reason = "paper", "every check of the definition passes"
    elif results.run is None and evidence:
        basis, n = "pilot", evidence.n_seeds
        seeds = f" of {n} seed{'s' if n > 1 else ''}" if n else ""
        reason = (
            f"prediction interval for a new run{seeds}, 95 % over all {_n_ranged(results)} parts of the run; "
            f"at least {FLOOR_POINTS} points or {100 * FLOOR_SHARE:g} % to either side"
        )
    return PinnedClaim(verdict=verdict, basis=basis, reason=reason, ranges=ranges)


def _ranges(evidence: Evidence, results: RunResults[Setting]) -> dict[str, Any]:
    """``{measure: {task: (low, high)}}``; no level of tasks without a task."""
    ranges: dict[str, Any] = {}
    for part in evidence.parts:
        if not part.judged or part.estimate is None or (results.run is None and part.interval is None):
            continue
        bounds: Bounds = round(part.estimate, 12)
        if results.run is None:
            low, high = prediction_range(part, _n_ranged(results))
            bounds = float(f"{low:.4g}"), float(f"{high:.4g}")
        inner = ranges if part.subject is None else ranges.setdefault(part.measure, {})
        name = part.subject or part.measure
        if name in inner:
            raise ClaimError(f"{evidence.claim} has two judged parts {' '.join(part.names[:1])}; judge one")
        inner[name] = bounds
    if evidence.checks:
        ranges[CHECKS_MEASURE] = 1.0
    return ranges


def _n_ranged(results: RunResults[Setting]) -> int:
    """How many measurements of a fresh run get a prediction interval."""
    parts = [part for evidence in results.evidence.values() for part in evidence.parts]
    return sum(part.judged and part.estimate is not None and part.interval is not None for part in parts)


def _changes(old: PinnedRun, new: PinnedRun) -> Iterable[str]:
    """``C05: inconclusive -> reproduced`` for every verdict that was not pinned so."""
    for claim, now in new.claims.items():
        was = old.claims.get(claim)
        if was is None or was.verdict != now.verdict:
            yield f"{claim}: {was.verdict if was else 'no pin'} -> {now.verdict}"
