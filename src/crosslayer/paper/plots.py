"""Drawing for all notebooks: matplotlib's object interface, SVG, equal bytes for equal numbers.

Colours are Okabe and Ito's, told apart in every form of colour blindness; shapes differ too. Matplotlib is slow to
load, so that callers import this module late.
"""

from __future__ import annotations

import io
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from matplotlib.ticker import MaxNLocator

from claimtrack.evidence import Measurement
from crosslayer.metrics.calibration import ReliabilityBins
from crosslayer.stats import Floats

WIDTH = 7.0
"""Inches; at 700 pixels the 9-point letters are 12 pixels high."""
INK, QUIET, BAND, PAPER = "#1b1b1b", "#767676", "#cfe3f5", "#D55E00"
SERIES = (("#0072B2", "o"), ("#E69F00", "s"), ("#009E73", "^"), ("#CC79A7", "v"))
DASHES = ("-", (0, (4, 1.5)), (0, (1, 1)), (0, (5, 1, 1, 1)))
FOOT = 0.3
"""Height of a bin that holds all items, at the foot of a reliability diagram."""
_UNTURNED = re.compile(r' transform="rotate\(-0 [^"]*\)"')
"""What matplotlib writes at every text that is not turned."""
_TAG = re.compile(r"<[^>]+>(\n *)?")
_HUNDREDTHS = re.compile(r"(\.\d\d)\d+")
ASIDE = 0.06
"""How far the next series stands aside, so that intervals do not cover each other."""
STYLE: dict[Any, Any] = {
    "font.family": "sans-serif", "font.sans-serif": ["DejaVu Sans"], "font.size": 9,
    "axes.titlesize": 9, "axes.labelsize": 9, "legend.fontsize": 8,
    "axes.spines.top": False, "axes.spines.right": False, "legend.frameon": False, "svg.fonttype": "none",
    "svg.hashsalt": "crosslayer", "text.usetex": False, "text.parse_math": False,
}  # fmt: skip


@dataclass(frozen=True)
class Row:
    """A row of a forest: a measured part, and the paper's value where there is one."""

    label: str
    part: Measurement
    reported: float | None = None


@contextmanager
def picture(
    folder: Path,
    name: str,
    title: str,
    *,
    height: float,
    rows: int = 1,
    columns: int = 1,
    share_y: bool = False,
    heights: Sequence[float] | None = None,
) -> Iterator[list[Axes]]:
    """Axes to draw on, row by row; the file is written at the end.

    Args:
        folder, name: where to.
        title: the picture in words, for those who do not see it.
        height: inches.
        rows, columns: of the grid of axes.
        share_y: whether all axes have the same vertical scale.
        heights: of the rows, in relation to each other; all equal if not given.
    """
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(WIDTH, height), layout="constrained")
        grid = figure.subplots(rows, columns, squeeze=False, sharey=share_y, height_ratios=heights)
        yield list(grid.flat)
        drawn = io.StringIO()
        figure.savefig(drawn, format="svg", metadata={"Title": title, "Date": None, "Creator": None})
        (folder / name).write_text(shortened(drawn.getvalue()), encoding="utf-8")


def shortened(svg: str) -> str:
    """A picture of matplotlib's in a quarter fewer bytes, which git keeps for ever: numbers in tags to a hundredth
    of a point, no indentation, no turn by nothing."""
    return _TAG.sub(lambda tag: _HUNDREDTHS.sub(r"\1", _UNTURNED.sub("", tag[0])).rstrip(" "), svg)


def by_layer(axes: Axes, parts: Iterable[Measurement], series: int = 0, label: str | None = None) -> None:
    """Estimates with intervals over layers; parts without a value are left out."""
    shown = sorted((p for p in parts if p.estimate is not None), key=lambda part: part.layer or 0)
    layers = np.array([part.layer for part in shown], dtype=np.float64) + ASIDE * series
    colour, marker = SERIES[series]
    axes.plot(layers, _estimates(shown), color=colour, marker=marker, markersize=4, linewidth=1, label=label)
    _intervals(axes, layers, shown, colour)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))


def by_name(axes: Axes, parts: Iterable[Measurement]) -> None:
    """Estimates with intervals, one language a place, highest first."""
    shown = sorted((p for p in parts if p.estimate is not None), key=lambda part: -(part.estimate or 0.0))
    colour, marker = SERIES[0]
    axes.plot(_estimates(shown), color=colour, marker=marker, markersize=4, linestyle="none")
    _intervals(axes, np.arange(len(shown), dtype=np.float64), shown, colour)
    axes.set_xticks(range(len(shown)), [part.language or "" for part in shown], fontsize=7)


def by_category(
    axes: Axes,
    parts: Sequence[Measurement | None],
    names: Sequence[str],
    series: int,
    label: str,
    joined: bool = True,
) -> None:
    """Estimates with intervals over named places; series stand a little aside of each other."""
    shown = [(place, part) for place, part in enumerate(parts) if part is not None]
    colour, marker = SERIES[series]
    places = np.array([place + ASIDE * series for place, _ in shown])
    found = [part for _, part in shown]
    width = 0.5 if joined else 0
    axes.plot(places, _estimates(found), color=colour, marker=marker, markersize=4, linewidth=width, label=label)
    _intervals(axes, places, found, colour)
    axes.set_xticks(range(len(names)), names)


def reliability(axes: Axes, bins: ReliabilityBins, series: int, label: str) -> None:
    """Accuracy over confidence with intervals, the bins' shares of the items as steps at the foot."""
    colour, marker = SERIES[series]
    axes.plot([0, 1], [0, 1], color=QUIET, linewidth=0.6, linestyle=(0, (2, 2)))
    axes.plot(
        bins.confidence, bins.accuracy, color=colour, marker=marker, markersize=2.5, linewidth=0.8, label=label
    )
    axes.vlines(bins.confidence, bins.low, bins.high, color=colour, linewidth=0.8)
    shares = FOOT * bins.n / bins.n.sum()
    axes.vlines(bins.confidence + 0.02 * series, 0, shares, color=colour, linewidth=2.5, alpha=0.45)
    axes.set(xlim=(0, 1.02), ylim=(0, 1.02), xticks=(0, 0.5, 1), yticks=(0, 0.5, 1))
    axes.tick_params(labelsize=7)


def curve(axes: Axes, x: Floats, y: Floats, series: int, label: str) -> None:
    """A line without marks; series differ in colour and in dashes."""
    axes.plot(x, y, color=SERIES[series][0], linestyle=DASHES[series], linewidth=1.2, label=label)


def layer_scatter(axes: Axes, across: Iterable[Measurement], up: Iterable[Measurement]) -> None:
    """One point a layer, joined in order, the layer written beside it."""
    x = {part.layer: part.estimate for part in across if part.estimate is not None}
    y = {part.layer: part.estimate for part in up if part.estimate is not None}
    layers = [layer for layer in x if layer in y]
    colour, marker = SERIES[0]
    points = np.array([(x[n], y[n]) for n in layers], dtype=np.float64).reshape(-1, 2)
    axes.plot(*points.T, color=colour, marker=marker, markersize=4, linewidth=0.5)
    for layer in layers:
        axes.annotate(str(layer), (x[layer], y[layer]), xytext=(3, 3), textcoords="offset points", fontsize=7)


def paper_points(axes: Axes, values: Mapping[int, float]) -> None:
    """The paper's values over layers."""
    axes.plot(
        list(values), list(values.values()),
        color=PAPER, marker="D", markersize=4, fillstyle="none", linestyle="none", label="paper (mBERT)",
    )  # fmt: skip


def forest(axes: Axes, rows: Sequence[Row], unit: str, band: tuple[float, float] | None = None) -> None:
    """One row a part: estimate, interval, the paper's value; ``band`` is the claimed range."""
    if band is not None:
        axes.axvspan(*band, color=BAND, linewidth=0, zorder=0)
    axes.axvline(0, color=INK, linewidth=0.6, linestyle=(0, (2, 2)))
    for place, row in enumerate(rows):
        _forest_row(axes, place, row)
    axes.set_yticks(range(len(rows)), [row.label for row in rows])
    axes.set_ylim(len(rows) - 0.5, -0.5)
    axes.tick_params(axis="y", length=0)
    axes.set_xlabel(unit)


def heat(
    axes: Axes,
    values: np.ndarray[tuple[int, int], np.dtype[np.float64]],
    rows: Sequence[str],
    columns: Sequence[str],
) -> None:
    """A table of numbers in shades; empty where NaN."""
    axes.imshow(values, cmap="Blues", aspect="auto", vmin=0)
    dark = 0.6 * np.nanmax(values, initial=1e-12)
    for (row, column), value in np.ndenumerate(values):
        if np.isfinite(value):
            ink = "white" if value > dark else INK
            axes.text(
                column, row, "0" if value == 0 else f"{value:.2f}", ha="center", va="center", color=ink, fontsize=8
            )
    axes.set_yticks(range(len(rows)), rows)
    axes.set_xticks(range(len(columns)), columns)
    axes.tick_params(length=0)


def diverging(axes: Axes, values: Floats, rows: Sequence[str], columns: Sequence[str], places: int = 1) -> None:
    """A table of signed numbers in two colours, white at zero and full at the largest; empty where NaN."""
    limit = float(np.nanmax(np.abs(values), initial=0.1))
    axes.imshow(values, cmap="PuOr_r", aspect="auto", vmin=-limit, vmax=limit)
    for (row, column), value in np.ndenumerate(values):
        if np.isfinite(value):
            ink = "white" if abs(value) > 0.7 * limit else INK
            text = f"{value:+.{places}f}".replace("-", "\N{MINUS SIGN}")
            axes.text(
                column,
                row,
                text if text.strip("0.+\N{MINUS SIGN}") else "0",
                ha="center",
                va="center",
                color=ink,
                fontsize=6.5,
            )
    axes.set_yticks(range(len(rows)), rows, fontsize=7)
    axes.set_xticks(range(len(columns)), columns)
    axes.tick_params(length=0)


def frame(axes: Axes, row: int, column: int) -> None:
    """Mark a cell of `heat`."""
    axes.add_patch(Rectangle((column - 0.47, row - 0.47), 0.94, 0.94, fill=False, edgecolor=PAPER, linewidth=1.6))


def zero_line(axes: Axes) -> None:
    """A line at no effect."""
    axes.axhline(0, color=INK, linewidth=0.6, linestyle=(0, (2, 2)))


def legend_above(axes: Axes) -> None:
    """The names of an axes' series in one line above all axes of the picture."""
    handles, labels = axes.get_legend_handles_labels()
    figure = axes.get_figure(root=True)
    assert figure is not None
    figure.legend(handles, labels, loc="outside upper center", ncols=len(labels))


def hide_rest(panels: Sequence[Axes], used: int) -> None:
    """Leave the panels empty that have nothing to show."""
    for axes in panels[used:]:
        axes.set_axis_off()


def forest_height(n_rows: int) -> float:
    """Inches that a forest of so many rows needs."""
    return 0.8 + 0.26 * n_rows


def _estimates(parts: Sequence[Measurement]) -> Floats:
    return np.array([part.estimate for part in parts], dtype=np.float64)


def _intervals(axes: Axes, places: Floats, parts: Sequence[Measurement], colour: str) -> None:
    for place, part in zip(places, parts, strict=True):
        if part.interval is not None:
            axes.plot([place] * 2, [part.interval.low, part.interval.high], color=colour, linewidth=1)


def _forest_row(axes: Axes, place: int, row: Row) -> None:
    part, colour = row.part, SERIES[0][0] if row.part.judged else QUIET
    if part.interval is not None:
        axes.plot([part.interval.low, part.interval.high], [place, place], color=colour, marker="|", markersize=6)
    if part.estimate is None:
        axes.text(0, place, " not measured", va="center", color=QUIET, fontsize=8)
    else:
        axes.plot([part.estimate], [place], color=colour, marker="o", markersize=5)
    if row.reported is not None:
        axes.plot([row.reported], [place], color=PAPER, marker="D", markersize=5, fillstyle="none")
