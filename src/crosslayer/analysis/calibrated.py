"""Calibration of one trial in the languages other than English.

Notation: N rows with kept scores, K labels, L languages, R resamples.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from crosslayer import stats
from crosslayer.analysis.parts import generator
from crosslayer.analysis.scores import Units, find_units
from crosslayer.errors import ResultsError
from crosslayer.metrics.calibration import (
    brier_v1,
    ece10_equal_mass_debiased_counts_v1,
    ece10_equal_mass_debiased_from_counts_v1,
    ece10_equal_mass_debiased_v1,
    fit_temperature,
    nll_v1,
    softmax,
    top_label,
)  # fmt: skip
from crosslayer.predictions import Run, TaskTable, TrialRecord
from crosslayer.stats import Floats
from crosslayer.tasks import TASKS

N_RESAMPLES = 300
UNITS = {"ece": "points", "ece_scaled": "points", "brier": "brier", "nll": "nats", "accuracy": "points"}


@dataclass(frozen=True, eq=False)
class Calibrated:
    """What is measured on one trial.

    Attributes:
        languages: L codes other than English.
        by_language: each measure of `UNITS` in each language, (L,).
        resampled: (R,) mean over languages of the primary measure, clusters of items resampled.
        n_items: pairs or sentences.
    """

    languages: tuple[str, ...]
    by_language: dict[str, Floats]
    resampled: Floats
    n_items: int


def calibrate(run: Run, record: TrialRecord, parallel: bool) -> Calibrated:
    """All measures of one trial.

    Raises:
        ResultsError: no scores were kept, or there is no language other than English.
    """
    test, dev = (run.scores(record, split) for split in ("test", "dev"))
    if test is None or dev is None:
        raise ResultsError(f"{TASKS[record.task].title}: no scores were kept of trial {record.key}")
    table, logits = _kept(run.table([record], "test"), test)
    if not len(logits):
        raise ResultsError(f"{TASKS[record.task].title}: no language other than English in trial {record.key}")
    dev_kept = np.isfinite(dev).all(axis=1)
    temperature = fit_temperature(dev[dev_kept], run.table([record], "dev").gold[dev_kept])
    codes = np.unique(table.language)
    rows = [table.language == code for code in codes]
    found = [_measures(logits[here], table.gold[here], temperature) for here in rows]
    units = find_units(table, parallel or TASKS[record.task].kind == "pair")
    return Calibrated(
        languages=tuple(table.languages[code] for code in codes),
        by_language={name: np.array([each[name] for each in found]) for name in UNITS},
        resampled=_resampled(table, logits, units, generator("calibration", record.task)),
        n_items=len(units.start),
    )


def _kept(table: TaskTable, logits: npt.NDArray[Any]) -> tuple[TaskTable, Floats]:
    """The rows of languages other than English whose scores were kept."""
    scores = np.asarray(logits, dtype=np.float64)
    kept = np.isfinite(scores).all(axis=1) & (np.array(table.languages)[table.language] != "en")
    arrays = {name: getattr(table, name)[kept] for name in ("language", "item", "position", "gold")}
    return replace(table, predicted=table.predicted[:, kept], **arrays), scores[kept]


def _measures(logits: Floats, gold: npt.NDArray[np.integer[Any]], temperature: float) -> dict[str, float]:
    """All measures of one language."""
    probabilities = softmax(logits)
    confidence, right = top_label(probabilities, gold)
    scaled, _ = top_label(softmax(logits, temperature), gold)
    return {
        "ece": ece10_equal_mass_debiased_v1(confidence, right),
        "ece_scaled": ece10_equal_mass_debiased_v1(scaled, right),
        "brier": brier_v1(probabilities, gold),
        "nll": nll_v1(logits, gold),
        "accuracy": float(100 * right.mean()),
    }


def _resampled(table: TaskTable, logits: Floats, units: Units, rng: np.random.Generator) -> Floats:
    """(R,) the primary measure, mean over languages, under resampling of clusters."""
    confidence, right = top_label(softmax(logits), table.gold)
    size = np.diff(np.append(units.start, len(logits)))
    counts: Floats | None = None
    for code in np.unique(table.language):
        here, rows = units.language == code, table.language == code
        by_row = ece10_equal_mass_debiased_counts_v1(confidence[rows], right[rows])
        counts = np.zeros((len(units.start), by_row.shape[1])) if counts is None else counts
        counts[here] = np.add.reduceat(by_row, np.cumsum(size[here]) - size[here], axis=0)
    assert counts is not None
    statistic = ece10_equal_mass_debiased_from_counts_v1
    draws = stats.bootstrap_scores(counts[None], units.language, units.cluster, statistic, N_RESAMPLES, rng)
    return np.asarray(draws[0])
