"""What this paper's notebooks draw beside `claimtrack.figures`: values over layers, languages and tasks."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.patches import Rectangle
from matplotlib.ticker import MaxNLocator

from claimtrack.evidence import Evidence, Measurement
from claimtrack.figures import INK, PAPER, SERIES, Row, forest, forest_height, picture, reliability
from crosslayer.paper.parts import select, tasks_in
from crosslayer.stats import Floats
from crosslayer.tasks import TASKS, TaskName

__all__ = ["Row", "forest", "forest_height", "picture", "reliability"]
DASHES = ("-", (0, (4, 1.5)), (0, (1, 1)), (0, (5, 1, 1, 1)))
MINUS = "\N{MINUS SIGN}"
ASIDE = 0.06
"""How far the next series stands aside, so that intervals do not cover each other."""


def rows_of(evidence: Evidence, labels: Mapping[str, str | None]) -> list[Row]:
    """Rows of a forest, task by task: the parts of each measure, labelled so, or by their model."""
    return [
        Row(f"{TASKS[task].title}, {label or part.model}", part)
        for task in tasks_in(evidence)
        for measure, label in labels.items()
        for part in select(evidence, measure, task)
    ]


def forest_picture(
    folder: Path, name: str, title: str, rows: Sequence[Row], unit: str, band: tuple[float, float] | None = None
) -> str:
    """A picture of one forest; its name."""
    with picture(folder, name, title, height=forest_height(len(rows))) as (axes,):
        forest(axes, rows, unit, band)
    return name


def languages_picture(
    folder: Path, name: str, title: str, parts: Mapping[TaskName, Iterable[Measurement]], what: str
) -> str:
    """Estimates of ``what`` in each language, highest first, one row a task; the picture's name."""
    with picture(folder, name, title, height=1.9 * len(parts), rows=len(parts)) as panels:
        for axes, (task, found) in zip(panels, parts.items(), strict=True):
            shown = sorted((p for p in found if p.estimate is not None), key=lambda part: -(part.estimate or 0.0))
            _points(axes, range(len(shown)), shown, linestyle="none")
            axes.set_xticks(range(len(shown)), [part.language or "" for part in shown], fontsize=7)
            zero_line(axes)
            axes.set(title=TASKS[task].title, ylabel=f"{what} (points)")
        panels[-1].set_xlabel(f"language (ISO 639-1), by {what}")
    return name


def by_layer(axes: Axes, parts: Iterable[Measurement], series: int = 0, label: str | None = None) -> None:
    """Estimates with intervals over layers; parts without a value are left out."""
    shown = sorted((p for p in parts if p.estimate is not None), key=lambda part: part.layer or 0)
    _points(axes, [part.layer or 0 for part in shown], shown, series, linewidth=1, label=label)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))


def by_category(
    axes: Axes,
    parts: Sequence[Measurement | None],
    names: Sequence[str],
    series: int,
    label: str,
    joined: bool = True,
) -> None:
    """Estimates with intervals over named places."""
    shown = {place: part for place, part in enumerate(parts) if part is not None}
    _points(axes, [*shown], [*shown.values()], series, linewidth=0.5 if joined else 0, label=label)
    axes.set_xticks(range(len(names)), names)


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


def heat(axes: Axes, values: Floats, rows: Sequence[str], columns: Sequence[str]) -> None:
    """A table of numbers in shades; empty where NaN."""
    axes.imshow(values, cmap="Blues", aspect="auto", vmin=0)
    dark = 0.6 * np.nanmax(values, initial=1e-12)
    for place, value in np.ndenumerate(values):
        _cell(axes, place, "0" if value == 0 else f"{value:.2f}", is_dark=bool(value > dark), fontsize=8)
    _name_cells(axes, rows, columns)


def diverging(axes: Axes, values: Floats, rows: Sequence[str], columns: Sequence[str], places: int = 1) -> None:
    """A table of signed numbers in two colours, white at zero and full at the largest; empty where NaN."""
    limit = float(np.nanmax(np.abs(values), initial=0.1))
    axes.imshow(values, cmap="PuOr_r", aspect="auto", vmin=-limit, vmax=limit)
    for place, value in np.ndenumerate(values):
        text = f"{value:+.{places}f}".replace("-", MINUS)
        shown = text if text.strip(f"0.+{MINUS}") else "0"
        _cell(axes, place, shown, is_dark=bool(abs(value) > 0.7 * limit), fontsize=6.5)
    _name_cells(axes, rows, columns, fontsize=7)


def _name_cells(axes: Axes, rows: Sequence[str], columns: Sequence[str], **look: Any) -> None:
    axes.set_yticks(range(len(rows)), rows, **look)
    axes.set_xticks(range(len(columns)), columns)
    axes.tick_params(length=0)


def _cell(axes: Axes, place: tuple[int, ...], text: str, *, is_dark: bool, fontsize: float) -> None:
    if "nan" not in text:
        ink = "white" if is_dark else INK
        axes.text(place[1], place[0], text, ha="center", va="center", color=ink, fontsize=fontsize)


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


def _points(axes: Axes, x: Sequence[int], parts: Sequence[Measurement], series: int = 0, **look: Any) -> None:
    """Estimates with intervals; series stand a little aside of each other."""
    colour, marker = SERIES[series]
    places = np.array(x, dtype=np.float64) + ASIDE * series
    estimates = np.array([part.estimate for part in parts], dtype=np.float64)
    axes.plot(places, estimates, color=colour, marker=marker, markersize=4, **look)
    for place, part in zip(places, parts, strict=True):
        if part.interval is not None:
            axes.plot([place] * 2, [part.interval.low, part.interval.high], color=colour, linewidth=1)
