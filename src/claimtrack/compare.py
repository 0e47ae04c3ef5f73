"""Two runs side by side: which verdicts and values moved, and by how much against their intervals."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from math import hypot

from claimtrack.evidence import Evidence, Measurement
from claimtrack.plugin import Setting
from claimtrack.results import RunResults
from claimtrack.wording import Titles, name


@dataclass(frozen=True)
class Moved:
    """A judged value in two runs.

    Attributes:
        about: measure and task, in words.
        one, two: the values; ``None`` where a run has none.
        ratio: their distance in half-widths of an interval of the difference (root of the sum of both squared);
            above 1 the runs differ by more than their noise. ``None`` without two intervals.
    """

    about: str
    unit: str
    one: float | None
    two: float | None
    ratio: float | None


@dataclass(frozen=True)
class Compared:
    """One claim in two runs."""

    claim: str
    verdicts: tuple[str, str]
    values: tuple[Moved, ...]


def compare(one: RunResults[Setting], two: RunResults[Setting], titles: Titles) -> Iterator[Compared]:
    """The claims whose verdict or any judged value differs, in the order of the registry."""
    for claim in one.verdicts:
        verdicts = (one.verdicts[claim].verdict, two.verdicts[claim].verdict)
        values = tuple(_moved(one.evidence.get(claim), two.evidence.get(claim), titles))
        if values or verdicts[0] != verdicts[1]:
            yield Compared(claim, verdicts, values)


def _moved(one: Evidence | None, two: Evidence | None, titles: Titles) -> Iterator[Moved]:
    first, second = (
        {(p.measure, p.subject, p.layer, p.model): p for p in (found.parts if found else ()) if p.judged}
        for found in (one, two)
    )
    for key, known in (second | first).items():
        a, b = first.get(key), second.get(key)
        before, after = (part.estimate if part else None for part in (a, b))
        if before != after:
            yield Moved(name(known, titles), known.unit, before, after, _ratio(a, b))


def _ratio(a: Measurement | None, b: Measurement | None) -> float | None:
    if not (a and b and a.interval and b.interval) or a.estimate is None or b.estimate is None:
        return None
    width = hypot(*((bounds.high - bounds.low) / 2 for bounds in (a.interval, b.interval)))
    return abs(a.estimate - b.estimate) / width if width else None
