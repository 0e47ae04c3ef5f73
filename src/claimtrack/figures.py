"""Figures of notebooks for any paper: matplotlib's object interface, SVG, equal bytes for equal numbers.

Colours are Okabe and Ito's, told apart in every form of colour blindness; shapes differ too. Matplotlib is slow to
load, so that callers import this module late.
"""

from __future__ import annotations

import io
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from claimtrack.evidence import Measurement
from claimtrack.samples import ReliabilityBins

WIDTH = 7.0
"""Inches; at 700 pixels the 9-point letters are 12 pixels high."""
INK, QUIET, BAND, PAPER = "#1b1b1b", "#767676", "#cfe3f5", "#D55E00"
SERIES = (("#0072B2", "o"), ("#E69F00", "s"), ("#009E73", "^"), ("#CC79A7", "v"))
FOOT = 0.3
"""Height of a bin that holds all items, at the foot of a reliability diagram."""
_UNTURNED = re.compile(r' transform="rotate\(-0 [^"]*\)"')
"""What matplotlib writes at every text that is not turned."""
_TAG = re.compile(r"<[^>]+>(\n *)?")
_HUNDREDTHS = re.compile(r"(\.\d\d)\d+")
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


def forest(
    axes: Axes, rows: Sequence[Row], unit: str, band: tuple[float, float] | None = None, null: float = 0.0
) -> None:
    """One row a part: estimate, interval, the paper's value; ``band`` is the claimed range, a line at ``null``."""
    if band is not None:
        axes.axvspan(*band, color=BAND, linewidth=0, zorder=0)
    axes.axvline(null, color=INK, linewidth=0.6, linestyle=(0, (2, 2)))
    for place, row in enumerate(rows):
        part, colour = row.part, SERIES[0][0] if row.part.judged else QUIET
        if part.interval is not None:
            ends = [part.interval.low, part.interval.high]
            axes.plot(ends, [place, place], color=colour, marker="|", markersize=6)
        if part.estimate is None:
            axes.text(null, place, " not measured", va="center", color=QUIET, fontsize=8)
        else:
            axes.plot([part.estimate], [place], color=colour, marker="o", markersize=5)
        if row.reported is not None:
            axes.plot([row.reported], [place], color=PAPER, marker="D", markersize=5, fillstyle="none")
    axes.set_yticks(range(len(rows)), [row.label for row in rows])
    axes.set_ylim(len(rows) - 0.5, -0.5)
    axes.tick_params(axis="y", length=0)
    axes.set_xlabel(unit)


def forest_height(n_rows: int) -> float:
    """Inches that a forest of so many rows needs."""
    return 0.8 + 0.26 * n_rows


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
