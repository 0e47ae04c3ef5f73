"""Calibration of trials in the languages other than English.

Notation: N rows with kept scores, K labels, S seeds, L languages, R resamples.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal, NamedTuple

import numpy as np
import numpy.typing as npt

from crosslayer import stats
from crosslayer.analysis.parts import generator
from crosslayer.analysis.scores import Units, find_units
from crosslayer.errors import ResultsError
from crosslayer.metrics.calibration import (
    classwise_ece10_equal_width_v1,
    ece10_equal_mass_debiased_counts_v1,
    ece10_equal_mass_debiased_from_counts_v1,
    ece10_equal_mass_debiased_v1,
    ece10_equal_mass_v1,
    ece10_equal_width_v1,
    mce10_equal_width_v1,
    softmax,
    top_label,
)
from crosslayer.metrics.proper_scores import brier_parts_v1, brier_v1, nll_v1
from crosslayer.metrics.recalibration import VectorScaling, fit_isotonic, fit_temperature, fit_vector_scaling
from crosslayer.metrics.selective import aurc_v1
from crosslayer.metrics.tagging import span_confidence_v1
from crosslayer.predictions import Run, TaskTable, TrialRecord
from crosslayer.stats import Floats
from crosslayer.tasks import TASKS, TaskName

N_RESAMPLES = 300
Ids = npt.NDArray[np.integer[Any]]


class Measure(NamedTuple):
    """Unit of a measure, and what part it has in the answer."""

    unit: str
    role: Literal["primary", "beside", "second", "exploratory"]


MEASURES = {
    "ece": Measure("points", "primary"),
    "accuracy": Measure("points", "beside"),
    "confidence": Measure("points", "beside"),
    "brier": Measure("brier", "second"),
    "nll": Measure("nats", "second"),
    "ece_scaled": Measure("points", "second"),
    "brier_scaled": Measure("brier", "second"),
    "nll_scaled": Measure("nats", "second"),
    "ece_vector_scaled": Measure("points", "exploratory"),
    "accuracy_vector_scaled": Measure("points", "exploratory"),
    "ece_isotonic": Measure("points", "exploratory"),
    "ece_plug_in": Measure("points", "exploratory"),
    "ece_equal_width": Measure("points", "exploratory"),
    "ece_classwise": Measure("points", "exploratory"),
    "ece_spans": Measure("points", "exploratory"),
    "mce": Measure("points", "exploratory"),
    "brier_reliability": Measure("brier", "exploratory"),
    "brier_resolution": Measure("brier", "exploratory"),
    "brier_uncertainty": Measure("brier", "exploratory"),
    "aurc": Measure("points", "exploratory"),
}
"""``scaled`` is after a temperature; mean ``confidence`` is the sharpness; vector scaling alone can change labels,
and so accuracy; ``ece_spans`` is for NER alone."""
PRIMARY = "ece"


@dataclass(frozen=True, eq=False)
class Calibrated:
    """What is measured on one trial.

    Attributes:
        languages: L codes other than English.
        by_language: each measure of `MEASURES` that the task has in each language, (L,).
        resampled: (R,) mean over languages of the primary measure, clusters of items resampled.
        n_items: pairs or sentences.
        n_rows: (L,) pairs, or words whose scores were kept.
    """

    languages: tuple[str, ...]
    by_language: dict[str, Floats]
    resampled: Floats
    n_items: int
    n_rows: tuple[int, ...]


@dataclass(frozen=True, eq=False)
class Trials:
    """The calibrated trials of one task, by a name (an arm, a model) and seed."""

    task: TaskName
    trials: dict[tuple[str, int], Calibrated]

    @property
    def measures(self) -> dict[str, Measure]:
        """Those that this task has."""
        found = next(iter(self.trials.values())).by_language
        return {name: about for name, about in MEASURES.items() if name in found}

    @property
    def languages(self) -> tuple[str, ...]:
        """Codes of the L languages."""
        return next(iter(self.trials.values())).languages

    @property
    def n_items(self) -> int:
        """Pairs or sentences of one trial."""
        return next(iter(self.trials.values())).n_items

    @property
    def rows(self) -> str:
        """How many pairs, or words with kept scores, a language has: ``1,500 pairs``, ``209 to 256 words``."""
        counts = next(iter(self.trials.values())).n_rows
        what = "pairs" if TASKS[self.task].kind == "pair" else "words"
        low, high = min(counts), max(counts)
        return f"{low:,} {what}" if low == high else f"{low:,} to {high:,} {what}"

    def seeds_of(self, *names: str) -> list[int]:
        """Those with a usable trial of every name."""
        found = [{seed for name, seed in self.trials if name == each} for each in names]
        return sorted(set.intersection(*found))

    def by_language(self, name: str, measure: str, seeds: Sequence[int]) -> Floats:
        """A measure (S, L)."""
        return np.array([self.trials[name, seed].by_language[measure] for seed in seeds])

    def level(self, name: str, measure: str, seeds: Sequence[int]) -> Floats:
        """A measure, mean over the languages that have it, by seed; NaN where none has it."""
        found = np.ma.masked_invalid(self.by_language(name, measure, seeds))
        return np.asarray(found.mean(axis=1).filled(np.nan), dtype=np.float64)

    def item_variance(self, name: str, other: str, seeds: Sequence[int]) -> float:
        """Variance due to test items of the mean over seeds of the difference in the primary measure."""
        pairs = [(self.trials[name, seed], self.trials[other, seed]) for seed in seeds]
        return float(np.mean([a.resampled - b.resampled for a, b in pairs], axis=0).var(ddof=1))


def known(values: Floats) -> Floats:
    """Those that are there: a model that predicted no span has no error of its spans."""
    return values[np.isfinite(values)]


@dataclass(frozen=True, eq=False)
class Scored:
    """The rows of one trial in languages other than English whose scores were kept.

    Attributes:
        table: those rows.
        logits: (N, K).
        dev_logits, dev_gold: of English dev, which recalibration is fitted on.
    """

    table: TaskTable
    logits: Floats
    dev_logits: Floats
    dev_gold: Ids


@dataclass(frozen=True, eq=False)
class Recalibration:
    """What was fitted on English dev."""

    temperature: float
    vector: VectorScaling
    isotonic: Callable[[Floats], Floats]


def load_scored(run: Run, record: TrialRecord) -> Scored:
    """The scores of one trial.

    Raises:
        ResultsError: none were kept, or there is no language other than English.
    """
    test, dev = (run.scores(record, split) for split in ("test", "dev"))
    if test is None or dev is None:
        raise ResultsError(f"{TASKS[record.task].title}: no scores were kept of trial {record.key}")
    table, logits = _kept(run.table([record], "test"), test)
    if not len(logits):
        raise ResultsError(f"{TASKS[record.task].title}: no language other than English in trial {record.key}")
    rows = np.isfinite(dev).all(axis=1)
    return Scored(table, logits, dev[rows].astype(np.float64), run.table([record], "dev").gold[rows])


def recalibrate(scored: Scored) -> Recalibration:
    """Fit every map on English dev."""
    confidence, right = top_label(softmax(scored.dev_logits), scored.dev_gold)
    temperature = fit_temperature(scored.dev_logits, scored.dev_gold)
    return Recalibration(
        temperature,
        fit_vector_scaling(scored.dev_logits, scored.dev_gold, temperature),
        fit_isotonic(confidence, right),
    )


def calibrate(run: Run, record: TrialRecord, parallel: bool) -> Calibrated:
    """All measures of one trial; ``parallel`` says that an item is the same in all languages.

    Raises:
        ResultsError: as `load_scored`.
    """
    scored = load_scored(run, record)
    table, logits = scored.table, scored.logits
    fitted = recalibrate(scored)
    codes = np.unique(table.language)
    rows = [table.language == code for code in codes]
    found = [_measures(logits[here], table.gold[here], fitted) for here in rows]
    if record.task == "ner":
        found = [each | {"ece_spans": _spans(table, logits, here)} for each, here in zip(found, rows, strict=True)]
    units = find_units(table, parallel or TASKS[record.task].kind == "pair")
    return Calibrated(
        languages=tuple(table.languages[code] for code in codes),
        by_language={name: np.array([each[name] for each in found]) for name in MEASURES if name in found[0]},
        resampled=_resampled(table, logits, units, generator("calibration", record.task)),
        n_items=len(units.start),
        n_rows=tuple(int(here.sum()) for here in rows),
    )


def _kept(table: TaskTable, logits: npt.NDArray[Any]) -> tuple[TaskTable, Floats]:
    """The rows of languages other than English whose scores were kept."""
    scores = np.asarray(logits, dtype=np.float64)
    kept = np.isfinite(scores).all(axis=1) & (np.array(table.languages)[table.language] != "en")
    arrays = {name: getattr(table, name)[kept] for name in ("language", "item", "position", "gold")}
    return replace(table, predicted=table.predicted[:, kept], **arrays), scores[kept]


def _measures(logits: Floats, gold: Ids, fitted: Recalibration) -> dict[str, float]:
    """All measures of one language but those of spans."""
    probabilities, scaled = softmax(logits), softmax(logits, fitted.temperature)
    confidence, right = top_label(probabilities, gold)
    moved, right_then = top_label(softmax(fitted.vector(logits)), gold)
    brier = brier_parts_v1(probabilities, gold)
    return {
        "ece": ece10_equal_mass_debiased_v1(confidence, right),
        "accuracy": float(100 * right.mean()),
        "confidence": float(100 * confidence.mean()),
        "brier": brier_v1(probabilities, gold),
        "nll": nll_v1(logits, gold),
        "ece_scaled": ece10_equal_mass_debiased_v1(*top_label(scaled, gold)),
        "brier_scaled": brier_v1(scaled, gold),
        "nll_scaled": nll_v1(logits / fitted.temperature, gold),
        "ece_vector_scaled": ece10_equal_mass_debiased_v1(moved, right_then),
        "accuracy_vector_scaled": float(100 * right_then.mean()),
        "ece_isotonic": ece10_equal_mass_debiased_v1(fitted.isotonic(confidence), right),
        "ece_plug_in": ece10_equal_mass_v1(confidence, right),
        "ece_equal_width": ece10_equal_width_v1(confidence, right),
        "ece_classwise": classwise_ece10_equal_width_v1(probabilities, gold),
        "mce": mce10_equal_width_v1(confidence, right),
        "brier_reliability": brier.reliability,
        "brier_resolution": brier.resolution,
        "brier_uncertainty": brier.uncertainty,
        "aurc": aurc_v1(confidence, right),
    }


def _spans(table: TaskTable, logits: Floats, here: npt.NDArray[np.bool_]) -> float:
    """The primary measure over the predicted spans of one language; NaN where none was predicted."""
    probabilities = softmax(logits[here])
    predicted = probabilities.argmax(axis=1)
    item = table.item[here]
    sentence = np.cumsum(np.append(True, item[1:] != item[:-1])) - 1
    chosen = probabilities[np.arange(len(predicted)), predicted]
    found = span_confidence_v1(chosen, table.gold[here], predicted, sentence, TASKS["ner"].labels)
    return ece10_equal_mass_debiased_v1(*found) if len(found[0]) else float("nan")


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
