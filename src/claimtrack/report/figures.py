"""The pictures of the report: a claim's estimates over all runs against the claimed range, and two modes by layer.

Drawn with matplotlib's object interface, once, and written as SVG for HTML and as PDF for LaTeX with equal bytes
for equal numbers. Callers import this module late: matplotlib is slow to load.
"""

from __future__ import annotations

import io
import math
import re
from collections.abc import Sequence
from typing import Any, Literal

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from claimtrack.report.context import Panel, PlotRow
from claimtrack.report.modes import ModePanel
from claimtrack.report.text import code_point
from crosslayer.paper import plots

WIDTH, ROW, ABOVE, BELOW, RIGHT, CHARACTER = 5.2, 0.24, 0.3, 0.5, 0.15, 0.072
"""Inches: the picture's width, a row, what stands above, below and right of the rows, a character of a label."""
MAX_LABEL = 30
INK, BAND, EXPECTED, REPORTED = "#1b1b1b", "#cfe3f5", "#8a8a8a", "#b3480a"
STYLE: Any = {
    "font.size": 8.5, "axes.titlesize": 8.5, "axes.labelsize": 8, "svg.fonttype": "none",
    "svg.hashsalt": "crosslayer", "pdf.fonttype": 3, "text.usetex": False, "text.parse_math": False,
    "font.family": "sans-serif", "axes.unicode_minus": True,
}  # fmt: skip
CAPTION = (
    "Points with intervals, one row a run and task. Blue band: claimed range. Diamond: value that the paper "
    "reports. Grey bar: range expected in that run."
)


def draw(panels: Sequence[Panel], file_format: Literal["svg", "pdf"]) -> bytes:
    """The picture of a claim as the bytes of a file."""
    with mpl.rc_context(STYLE):
        height = sum(_height(panel) for panel in panels)
        left = CHARACTER * max(len(_label(row)) for panel in panels for row in panel.rows) + 0.15
        figure, top = Figure(figsize=(WIDTH, height)), height
        for panel in panels:
            top -= _height(panel)
            inches = (left, top + BELOW, WIDTH - left - RIGHT, ROW * len(panel.rows))
            _draw_panel(figure.add_axes(_shares(inches, height)), panel)
        return _saved(figure, file_format)


def _saved(figure: Figure, file_format: Literal["svg", "pdf"]) -> bytes:
    buffer = io.BytesIO()
    dates = {"Date": None} if file_format == "svg" else {"CreationDate": None}
    figure.savefig(buffer, format=file_format, metadata=dates)
    return buffer.getvalue()


def draw_modes(panels: Sequence[ModePanel], file_format: Literal["svg", "pdf"]) -> bytes:
    """Gains by layer with a frozen and with a fine-tuned trunk, one panel a task, as the bytes of a file."""
    columns = min(2, len(panels))
    rows = -(-len(panels) // columns)
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(1.4 * WIDTH, 2.6 * rows), layout="constrained")
        axes = list(figure.subplots(rows, columns, squeeze=False).flat)
        for place, panel in zip(axes, panels, strict=False):
            for series, curve in enumerate(panel.curves):
                plots.by_layer(place, curve.gains, series, _plain(curve.label))
            plots.zero_line(place)
            place.set(title=panel.task, xlabel="fusion layer x of D_x", ylabel="gain (points)")
        plots.legend_above(axes[0])
        plots.hide_rest(axes, len(panels))
        return _saved(figure, file_format)


def describe(panels: Sequence[Panel]) -> str:
    """The picture in words, for those who do not see it; the table below it has every number."""
    measures = "; ".join(f"{panel.measure} in {panel.unit}, {len(panel.rows)} rows" for panel in panels)
    return f"Estimates with intervals against the claimed range: {measures}. The table has the numbers."


def _height(panel: Panel) -> float:
    return ABOVE + ROW * len(panel.rows) + BELOW


def _shares(inches: tuple[float, float, float, float], height: float) -> tuple[float, float, float, float]:
    """Left, bottom, width and height as shares of the picture."""
    left, bottom, wide, high = inches
    return left / WIDTH, bottom / height, wide / WIDTH, high / height


def _draw_panel(axes: Axes, panel: Panel) -> None:
    low, high = _limits(panel)
    axes.set_xlim(low, high)
    axes.set_ylim(len(panel.rows) - 0.5, -0.5)
    if panel.claimed:
        axes.axvspan(max(low, panel.claimed[0]), min(high, panel.claimed[1]), color=BAND, linewidth=0, zorder=0)
    if low < 0 < high:
        axes.axvline(0, color=INK, linewidth=0.6, linestyle=(0, (2, 2)), zorder=1)
    for place, row in enumerate(panel.rows):
        _draw_row(axes, place, row)
    axes.set_yticks(range(len(panel.rows)), [_label(row) for row in panel.rows])
    axes.tick_params(axis="y", length=0)
    axes.spines[["top", "right", "left"]].set_visible(False)
    axes.set_title(_plain(panel.measure), loc="left")
    axes.set_xlabel(_plain(panel.unit))


def _draw_row(axes: Axes, place: int, row: PlotRow) -> None:
    if row.expected:
        axes.plot(row.expected, (place + 0.3, place + 0.3), color=EXPECTED, linewidth=2, solid_capstyle="butt")
    if row.interval:
        axes.plot(row.interval, (place, place), color=INK, linewidth=1.2, marker="|", markersize=5)
    axes.plot([row.estimate], [place], color=INK, marker="o", markersize=4.5)
    if row.reported is not None:
        axes.plot([row.reported], [place], color=REPORTED, marker="D", markersize=4.5, fillstyle="none")


def _limits(panel: Panel) -> tuple[float, float]:
    """The range that shows zero and everything drawn, with a margin."""
    values = [0.0, *(panel.claimed or ())]
    for row in panel.rows:
        values += [row.estimate, *(row.interval or ()), *(row.expected or ())]
        values += [] if row.reported is None else [row.reported]
    finite = [value for value in values if math.isfinite(value)]
    margin = 0.06 * (max(finite) - min(finite)) or 1.0
    return min(finite) - margin, max(finite) + margin


def _label(row: PlotRow) -> str:
    text = _plain(": ".join(filter(None, (row.run, row.subject))))
    return text if len(text) <= MAX_LABEL else text[: MAX_LABEL - 1] + "…"


def _plain(text: str) -> str:
    """Text in letters that the font has."""
    return re.sub(r"[^ -~\u00a1-\u024f]", lambda match: code_point(match[0]), text)
