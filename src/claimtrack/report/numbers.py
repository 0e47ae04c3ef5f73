"""Numbers as text, the same in every output: sign, unit, and decimals that the interval decides."""

from __future__ import annotations

import math

from claimtrack.evidence import Interval, Measurement

MINUS = "\N{MINUS SIGN}"
NO_VALUE = "\N{EN DASH}"
_WITHOUT_INTERVAL = {"points": 2, "%": 1, "F": 2, "count": 0, "parameters": 0, "items": 0, "seconds": 0}


def decimals(interval: Interval | None, unit: str, value: float | None = None) -> int:
    """Decimals that show two significant digits of the interval's half width, between 0 and 4.

    Without an interval they are the unit's, or, of a value below 0.1 in another one, show two digits of it.
    """
    half = (interval.high - interval.low) / 2 if interval else 0.0
    if not half > 0:
        small = unit not in _WITHOUT_INTERVAL and value and abs(value) < 0.1
        return 1 - math.floor(math.log10(abs(value))) if small and value else _WITHOUT_INTERVAL.get(unit, 3)
    return min(4, max(0, 1 - math.floor(math.log10(half))))


def number(value: float | None, places: int, signed: bool = False) -> str:
    """A value with fixed decimals, a true minus and thousands apart; never a signed zero."""
    if value is None:
        return NO_VALUE
    text = f"{abs(value):,.{places}f}"
    if value and places >= 4 and not text.strip("0.,"):
        text = f"{abs(value):.1e}"  # of a unit in which everything is small
    if not text.strip("0.,"):
        return text
    return (MINUS if value < 0 else "+" if signed else "") + text


def p_value(value: float | None) -> str:
    """A p-value to two significant digits, never below the 0.001 that permutations resolve."""
    if value is None:
        return NO_VALUE
    if value < 0.001:
        return "< 0.001"
    return f"{value:.3f}" if value < 0.1 else f"{value:.2f}"


def p_values(part: Measurement) -> str:
    """``0.013``, or ``0.013 (Holm 0.14)`` where a correction over layers was made."""
    if part.p_adjusted is None:
        return p_value(part.p_value)
    return f"{p_value(part.p_value)} (Holm {p_value(part.p_adjusted)})"


def estimate(part: Measurement, signed: bool) -> str:
    """``+0.91 points``, or a dash where the part has no value."""
    if part.estimate is None:
        return NO_VALUE
    places = decimals(part.interval, part.unit, part.estimate)
    return f"{number(part.estimate, places, signed)} {part.unit}".strip()


def interval(part: Measurement, signed: bool) -> str:
    """``95 % −0.20 to +2.02``, or a dash."""
    if part.interval is None:
        return NO_VALUE
    places = decimals(part.interval, part.unit)
    low, high = (number(value, places, signed) for value in (part.interval.low, part.interval.high))
    return f"{100 * part.interval.level:g} % {low} to {high}"


def seconds(value: float) -> str:
    """``41 s``, ``12 min`` or ``3.4 h``."""
    if value < 90:
        return f"{value:.0f} s"
    return f"{value / 60:.0f} min" if value < 5400 else f"{value / 3600:.1f} h"
