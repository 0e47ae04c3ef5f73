"""Two runs side by side: which verdicts and values moved, and by how much against their intervals."""

from __future__ import annotations

from collections.abc import Iterator
from math import hypot, isclose

from claimtrack.evidence import Evidence, Measurement
from claimtrack.runs import RunResults
from claimtrack.wording import Titles, counted, number, title


def differences(one: RunResults, two: RunResults, titles: Titles) -> Iterator[str]:
    """Lines of text: the claims whose verdict or any judged value differs, in the order of the registry.

    Values lie so many half-widths of an interval of the difference (root of the sum of both squared) apart; above
    1 the runs differ by more than their noise.
    """
    n = 0
    for claim, verdict in one.verdicts.items():
        before, after = verdict.verdict, two.verdicts[claim].verdict
        moved = list(_moved(one.evidence.get(claim), two.evidence.get(claim), titles))
        if moved or before != after:
            n += 1
            yield f"{claim}  {before}" + ("" if before == after else f" -> {after}")
            yield from moved
    yield f"{counted(n, 'claim')} with differences, {len(one.verdicts) - n} without"


def _moved(one: Evidence | None, two: Evidence | None, titles: Titles) -> Iterator[str]:
    first, second = (
        {(p.measure, p.subject, p.layer, p.model): p for p in (found.parts if found else ()) if p.judged}
        for found in (one, two)
    )
    for key, known in (first | second).items():
        a, b = first.get(key), second.get(key)
        values = [part.estimate if part else None for part in (a, b)]
        if not _equal(*values):
            before, after = ("-" if value is None else number(value, known.unit) for value in values)
            named = " ".join(filter(None, (known.measure, title(known.subject, titles))))
            yield f"  {named}: {before} -> {after} {known.unit}{_distance(a, b)}"


def _equal(one: float | None, other: float | None) -> bool:
    """Whether two values are the same, whatever the order in which a processor has added."""
    return one == other if one is None or other is None else isclose(one, other, rel_tol=1e-9, abs_tol=1e-9)


def _distance(a: Measurement | None, b: Measurement | None) -> str:
    if not (a and b and a.interval and b.interval) or a.estimate is None or b.estimate is None:
        return ""
    width = hypot(*((bounds.high - bounds.low) / 2 for bounds in (a.interval, b.interval)))
    return f", {abs(a.estimate - b.estimate) / width:.1f} half-widths apart" if width else ""
