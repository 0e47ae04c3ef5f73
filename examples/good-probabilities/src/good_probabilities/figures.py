"""The figures of the notebook: estimates with intervals, and reliability before and after calibration."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from claimtrack.evidence import Evidence
from claimtrack.figures import Row, forest, forest_height, picture, reliability
from claimtrack.samples import reliability_bins
from good_probabilities import study

SHOWN = {"C01": "boosted", "C02": "bayes", "C03": "boosted", "C04": "bayes"}
"""The learner whose reliability a claim is about."""


def draw(evidence: Evidence, run: Path, folder: Path) -> tuple[str, ...]:
    """Draw what the evidence has; the names of the files."""
    names = []
    judged = [part for part in evidence.parts if part.judged]
    if judged:
        rows = [Row(f"{part.measure.replace('_', ' ')}, {part.subject}", part) for part in judged]
        height = forest_height(len(rows))
        with picture(folder, "judged.svg", "Judged values with intervals", height=height) as axes:
            forest(axes[0], rows, judged[0].unit)
        names.append("judged.svg")
    if learner := SHOWN.get(evidence.claim):
        _draw_reliability(learner, run, folder)
        names.append("reliability.svg")
    return tuple(names)


def _draw_reliability(learner: str, run: Path, folder: Path) -> None:
    paths = sorted((run / "predictions").glob("*.npz"))
    title = f"What happened against what {learner} predicted, before and after calibration"
    with picture(folder, "reliability.svg", title, height=2.2, columns=len(paths)) as axes:
        for place, path in zip(axes, paths, strict=True):
            splits = study.read(run, path.stem)[learner]
            gold = np.concatenate([one.gold for one in splits])
            for series, (method, label) in enumerate(study.METHODS.items()):
                predicted = np.concatenate([one.probabilities(method) for one in splits])
                reliability(place, reliability_bins(predicted, gold), series, label)
            place.set(title=path.stem, xlabel="probability")
        axes[0].set_ylabel("share that happened")
        axes[0].legend(fontsize=6)
