"""Figures for any paper: equal numbers give equal bytes, and what is drawn is what was measured."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from claimtrack.figures import Row, forest, forest_height, picture, reliability, shortened
from claimtrack.samples import mean_of, reliability_bins


def test_figures_have_equal_bytes_for_equal_numbers(tmp_path: Path) -> None:
    rows = [Row("split <a>", mean_of("gain", [0.1, 0.4, 0.3], "points"), 0.2)]
    bins = reliability_bins(np.linspace(0, 1, 50), np.arange(50) % 2)
    for name in ("one.svg", "two.svg"):
        with picture(tmp_path, name, "A forest & a diagram", height=forest_height(2), columns=2) as axes:
            forest(axes[0], rows, "points", band=(0.0, 0.5), null=0.1)
            reliability(axes[1], bins, 0, "all")
    one, two = ((tmp_path / name).read_text() for name in ("one.svg", "two.svg"))
    assert one == two
    assert "split &lt;a&gt;" in one
    assert "<title>A forest &amp; a diagram</title>" in one


def test_a_picture_is_shortened_in_its_tags_alone() -> None:
    svg = (
        '<g id="a">\n  <path d="M 0.123456 7 \nL 8.5 9.999" style="stroke: #000000"/>\n  <g>\n'
        '    <text x="1.2345" transform="rotate(-0 1.2 3.4)"> 0.12345 of it <tspan>&gt; 1.005</tspan></text>\n'
        "  </g>\n</g>"
    )
    assert shortened(svg) == (
        '<g id="a">\n<path d="M 0.12 7 \nL 8.5 9.99" style="stroke: #000000"/>\n<g>\n'
        '<text x="1.23"> 0.12345 of it <tspan>&gt; 1.005</tspan></text>\n</g>\n</g>'
    )
