"""Pictures as SVG, written by hand: one row of an interval figure, and the whole figure.

The same marks everywhere: a dot is the estimate, a bar its interval, small circles the values of single seeds, a
diamond what the paper reports, a band what is claimed. Colours are ``currentColor`` and classes that the page, or
the style of a file of its own, decides on; nothing is told by colour alone.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from markupsafe import Markup

from claimtrack.report import numbers
from claimtrack.report.text import visible

WIDTH, HEIGHT, EDGE = 360, 24, 8
"""Of a row, in pixels, and what stays free at both ends."""
STYLE = Path(__file__).with_name("templates") / "figure.css"


@dataclass(frozen=True)
class Mark:
    """What is drawn in a row, in the unit of its axis."""

    estimate: float
    interval: tuple[float, float] | None = None
    seeds: Sequence[float] = ()
    reported: float | None = None
    claimed: tuple[float, float] | None = None


@dataclass(frozen=True)
class Axis:
    """A horizontal axis; a claimed range without an end goes to its end."""

    low: float
    high: float
    ticks: tuple[float, ...]
    unit: str

    def x(self, value: float) -> float:
        """The place of a value in a row."""
        share = (min(max(value, self.low), self.high) - self.low) / (self.high - self.low)
        return round(EDGE + share * (WIDTH - 2 * EDGE), 1)


@dataclass(frozen=True)
class Row:
    """A row of the whole figure: what it is about, what is drawn, and what is said of it.

    Attributes:
        words, beside: the decision on the claim, and on its size.
        value: the estimate with its interval.
        link: the anchor of its trials.
    """

    label: str
    small: str
    mark: Mark | None
    estimate: str
    words: str
    beside: str
    value: str
    link: str


def axis_of(marks: Iterable[Mark], unit: str) -> Axis:
    """The axis that shows 0, every estimate and interval, what is claimed and what is reported, in round steps."""
    values = [0.0]
    for mark in marks:
        values += [mark.estimate, *(mark.interval or ()), *(mark.claimed or ()), *mark.seeds]
        values += [] if mark.reported is None else [mark.reported]
    finite = [value for value in values if math.isfinite(value)]
    low, high = min(finite), max(finite)
    step = _step(high - low)
    first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    ticks = tuple(place * step for place in range(first, max(last, first + 1) + 1))
    return Axis(ticks[0], ticks[-1], ticks, unit)


def strip(mark: Mark, axis: Axis, title: str) -> Markup:
    """One row as an SVG element; ``title`` says in words what it shows."""
    return _strip(title, _row(mark, axis))


def scale(axis: Axis) -> Markup:
    """The axis with its numbers, as the SVG element of a head or foot."""
    return _strip(f"axis: {axis.unit}", _ticks(axis, 4))


def _strip(title: str, drawn: str) -> Markup:
    return Markup('<svg class="strip" role="img" aria-label="{}" viewBox="0 0 {} {}">{}</svg>').format(
        visible(title), WIDTH, HEIGHT, Markup(drawn)
    )


def whole(rows: Sequence[Row], axis: Axis, head: str, note: str) -> str:
    """The figure as a file of its own, with its words and its colours; ``head`` stands above the words."""
    left, right, top, step = 210, 300, 40, 38
    width, height = left + WIDTH + right, top + step * len(rows) + 72
    x = left + WIDTH + 14
    body = [_text(x, 20, head, "soft")]
    for place, row in enumerate(rows):
        y = top + step * place
        drawn = "" if row.mark is None else f'<g transform="translate({left} {y})">{_row(row.mark, axis)}</g>'
        body += [drawn, _text(8, y + 11, row.label), _text(8, y + 25, row.small, "soft")]
        body += [_text(x, y + 11, f"{row.estimate} {row.words}"), _text(x, y + 25, row.beside, "soft")]
    foot = top + step * len(rows)
    body.append(f'<g transform="translate({left} {foot})">{_ticks(axis, 0)}</g>')
    body += [_text(8, foot + 42, axis.unit, "soft"), _text(8, foot + 62, note, "soft")]
    title = f"{axis.unit}: {'; '.join(f'{row.label} {row.value}, {row.words}' for row in rows)}"
    style = STYLE.read_text(encoding="utf-8")
    inner = "\n".join((f"<title>{_escaped(title)}</title>", f"<style>{style}</style>", *body))
    return f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}">\n{inner}\n</svg>\n'


def _row(mark: Mark, axis: Axis) -> str:
    middle, x = HEIGHT / 2, axis.x
    parts = []
    if mark.claimed:
        low, high = map(x, mark.claimed)
        parts.append(f'<rect class="band" x="{low}" y="0" width="{round(high - low, 1)}" height="{HEIGHT}"/>')
    parts.append(f'<path class="zero" d="M{x(0)} 0V{HEIGHT}"/>')
    if mark.seeds:
        left = (round(x(value) - 2.5, 1) for value in mark.seeds)
        circles = "".join(f"M{at} {middle + 7}a2.5 2.5 0 1 0 5 0a2.5 2.5 0 1 0 -5 0" for at in left)
        parts.append(f'<path class="seed" d="{circles}"/>')
    if mark.interval:
        line = f"M{x(mark.interval[0])} {middle}H{x(mark.interval[1])}"
        line += "".join(f"M{x(end)} {middle - 5}V{middle + 5}" for end in mark.interval)
        parts.append(f'<path fill="none" stroke="currentColor" stroke-width="1.6" d="{line}"/>')
    parts.append(f'<circle fill="currentColor" cx="{x(mark.estimate)}" cy="{middle}" r="4.5"/>')
    if mark.reported is not None:
        parts.append(f'<path class="paper" d="M{x(mark.reported)} {middle - 6}l6 6l-6 6l-6 -6z"/>')
    return "".join(parts)


def _ticks(axis: Axis, y: int) -> str:
    step = axis.ticks[1] - axis.ticks[0]
    places = max(0, -math.floor(math.log10(step) + 1e-9))
    marks = "".join(f"M{axis.x(tick)} {y}v5" for tick in axis.ticks)
    texts = "".join(
        f'<text class="soft" text-anchor="middle" x="{axis.x(t)}" y="{y + 18}">{numbers.number(t, places)}</text>'
        for t in axis.ticks
    )
    line = f"M{EDGE} {y}H{WIDTH - EDGE}"
    return f'<path fill="none" stroke="currentColor" d="{line}{marks}"/>{texts}'


def _text(x: float, y: float, text: str, kind: str = "") -> str:
    shown = f' class="{kind}"' if kind else ""
    return f'<text{shown} x="{x}" y="{y}">{_escaped(text)}</text>' if text else ""


def _escaped(text: str) -> str:
    return str(Markup.escape(visible(text)))


def _step(span: float) -> float:
    """A round step of which the span has two to five, so that numbers of six digits have room."""
    span = span or 1.0
    power = 10.0 ** math.floor(math.log10(span / 4))
    return next(power * m for m in (1, 2, 5, 10) if span / (power * m) <= 5)
