"""Calibration of trials in the languages other than English.

Most measures need the confidence of the predicted label alone and rest on every row. Those that need the scores of
all labels rest on the rows whose scores a recorded run keeps: all pairs, and of words a sample or none. Errors by
bins need many rows.

Notation: N rows, K labels, S seeds, L languages, R resamples.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, NamedTuple, get_args

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy.special import softmax

from claimtrack.errors import ResultsError
from claimtrack.evidence import Measurement
from crosslayer import stats
from crosslayer.config import Arm
from crosslayer.data.examples import Split
from crosslayer.metrics import calibration, recalibration
from crosslayer.metrics.proper_scores import brier_parts_v1, brier_v1, nll_v1
from crosslayer.metrics.tagging import span_confidence_v1
from crosslayer.paper.parts import generator, mean_part
from crosslayer.paper.scores import Units, find_units
from crosslayer.predictions.records import TrialRecord
from crosslayer.predictions.runs import Run, TaskTable, in_steps, needs_scores
from crosslayer.stats import Floats
from crosslayer.tasks import TASKS, TaskName

N_RESAMPLES = 300
MIN_WORDS = 1500
"""Of a language at least, or all that were scored where that is fewer: the debiased error shrinks at small sizes
(a gap of 5 points reads 1.5 at 250 words)."""
SECOND, EXPLORATORY = "Secondary.", "Exploratory."


class Measure(NamedTuple):
    """Its unit, a note where the answer does not rest on it, and whether it needs the scores of all labels, and of
    `MIN_WORDS`."""

    unit: str
    note: str = ""
    needs_scores: bool = False
    needs_many: bool = False


MEASURES = {
    "ece": Measure("points"),
    "accuracy": Measure("points"),
    "confidence": Measure("points"),
    "brier": Measure("brier", SECOND, needs_scores=True),
    "nll": Measure("nats", SECOND, needs_scores=True),
    "ece_scaled": Measure("points", SECOND, needs_scores=True, needs_many=True),
    "brier_scaled": Measure("brier", SECOND, needs_scores=True),
    "nll_scaled": Measure("nats", SECOND, needs_scores=True),
    "ece_vector_scaled": Measure("points", EXPLORATORY, needs_scores=True, needs_many=True),
    "accuracy_vector_scaled": Measure("points", EXPLORATORY, needs_scores=True),
    "ece_isotonic": Measure("points", EXPLORATORY),
    "ece_plug_in": Measure("points", EXPLORATORY),
    "ece_equal_width": Measure("points", EXPLORATORY),
    "ece_classwise": Measure("points", EXPLORATORY, needs_scores=True, needs_many=True),
    "ece_spans": Measure("points", EXPLORATORY),
    "mce": Measure("points", EXPLORATORY),
    "brier_reliability": Measure("brier", EXPLORATORY, needs_scores=True, needs_many=True),
    "brier_resolution": Measure("brier", EXPLORATORY, needs_scores=True, needs_many=True),
    "aurc": Measure("points", EXPLORATORY),
}
"""``scaled`` is after a temperature; mean ``confidence`` is the sharpness; vector scaling alone can change labels,
and so accuracy; ``ece_spans`` is for NER alone."""
PRIMARY = "ece"
SAMPLED = "From a sample of"
"""Begins what is said of a measure that does not rest on all words."""
BESIDE = {"ece": "ECE (points)", "accuracy": "accuracy (points)"}
"""Shown side by side wherever the primary measure is, since an arm can be better calibrated by being worse."""
ARMS: tuple[Arm, ...] = get_args(Arm)
COMPARED: tuple[Arm, Arm] = ("multilingual", "english")
CHANGE, OF_MODELS = "{}_multilingual_minus_english", "{}_model_minus_baseline"
"""Names of the measures of a change, by arm and by model."""


@dataclass(frozen=True, eq=False)
class Calibrated:
    """What is measured on one trial.

    Attributes:
        by_language: a row for each of the L languages other than English, a column for each measure that the task
            has; NaN where there is nothing to measure.
        resampled: (R,) mean over languages of the primary measure, clusters of items resampled.
        n_items: pairs or sentences.
        n_rows: (L,) pairs or words.
        n_scored: (L,) those among them whose scores of all labels were kept.
    """

    by_language: pd.DataFrame
    resampled: Floats
    n_items: int
    n_rows: tuple[int, ...]
    n_scored: tuple[int, ...]


@dataclass(frozen=True, eq=False)
class Trials:
    """The calibrated trials of one task, by a name (an arm, a model) and seed."""

    task: TaskName
    trials: dict[tuple[str, int], Calibrated]

    @property
    def first(self) -> Calibrated:
        """Any of them: what is not measured is the same in all."""
        return next(iter(self.trials.values()))

    @property
    def measures(self) -> dict[str, Measure]:
        """Those that this task has."""
        found = [trial.by_language for trial in self.trials.values()]
        return {name: about for name, about in MEASURES.items() if all(name in columns for columns in found)}

    def told(self, counts: tuple[int, ...]) -> str:
        """How many there are of each language: ``1,500 pairs in each language``, ``489 to 3,781 words in ..``."""
        what = "pairs" if TASKS[self.task].kind == "pair" else "words"
        low, high = min(counts), max(counts)
        return f"{low:,}{'' if low == high else f' to {high:,}'} {what} in each language"

    def sample(self, measure: str) -> str:
        """How many words a measure rests on, where these are not all."""
        sampled = MEASURES[measure].needs_scores and self.first.n_scored != self.first.n_rows
        return f"{SAMPLED} {self.told(self.first.n_scored)}." if sampled else ""

    def note(self, measure: str) -> str:
        """What part a measure has in the answer, and what it rests on where that is a sample."""
        return f"{MEASURES[measure].note} {self.sample(measure)}".strip()

    def seeds_of(self, *names: str) -> list[int]:
        """Those with a usable trial of every name."""
        found = [{seed for name, seed in self.trials if name == each} for each in names]
        return sorted(set.intersection(*found))

    def levels(self, measure: str, name: str) -> Floats:
        """A measure, mean over languages, at the seeds of a name that have it in all: no span, no error of it."""
        columns = [self.trials[name, seed].by_language[measure] for seed in self.seeds_of(name)]
        values = np.array([column.mean(skipna=False) for column in columns])
        return np.asarray(values[np.isfinite(values)])

    def by_language(self, measure: str, *names: str) -> Floats:
        """A measure (S, L) of a name, or the difference of two, at the seeds that have all of them."""
        seeds = self.seeds_of(*names)
        values = [np.array([self.trials[name, seed].by_language[measure] for seed in seeds]) for name in names]
        return values[0] if len(names) == 1 else values[0] - values[1]

    def language_parts(self, measure: str, of: str, *names: str, **about: Any) -> list[Measurement]:
        """`by_language`, in points, as a measurement a language under the name ``measure``."""
        return [
            mean_part(measure, "points", column, task=self.task, language=code, **about)
            for code, column in zip(self.first.by_language.index, self.by_language(of, *names).T, strict=True)
        ]

    def table(self, measure: str) -> stats.ScoreTable:
        """A measure as scores of names and seeds, mean over languages; the primary one with its item variance."""
        names = tuple(dict.fromkeys(name for name, _ in self.trials))
        seeds = tuple(sorted({seed for _, seed in self.trials}))
        scores = np.full((len(names), len(seeds)), np.nan)
        draws = np.full((*scores.shape, len(self.first.resampled)), np.nan)
        for (name, seed), found in self.trials.items():
            cell = names.index(name), seeds.index(seed)
            scores[cell] = found.by_language[measure].mean(skipna=False)
            draws[cell] = found.resampled
        items = stats.pure_item_variance(draws) if measure == PRIMARY else np.zeros((len(names), len(names)))
        return stats.ScoreTable(names, seeds, scores, items)


@dataclass(frozen=True, eq=False)
class Scored:
    """Answers of one trial.

    Attributes:
        table: their N rows.
        confidence, right: (N,) of the predicted label; 1 where it is the gold one, else 0.
        logits: (N, K), NaN in rows whose scores of all labels were not kept.
    """

    table: TaskTable
    confidence: Floats
    right: Floats
    logits: Floats

    @property
    def scored(self) -> npt.NDArray[np.bool_]:
        """(N,) where the scores of all labels were kept."""
        return np.asarray(np.isfinite(self.logits).all(axis=1))

    def only(self, chosen: npt.NDArray[np.bool_]) -> Scored:
        """Some of the rows (N,)."""
        arrays = {name: getattr(self.table, name)[chosen] for name in ("language", "item", "position", "gold")}
        table = replace(self.table, predicted=self.table.predicted[:, chosen], **arrays)
        return Scored(table, self.confidence[chosen], self.right[chosen], self.logits[chosen])


def load_scored(run: Run, record: TrialRecord, split: Split = "test") -> Scored:
    """The answers of one trial whose confidence was kept: on the test sets those in languages other than English.

    Raises:
        ResultsError: no confidences were kept, or those of too few words, or there is no language other than
            English.
    """
    title = TASKS[record.task].title
    confidence, scores = run.confidence(record, split), run.scores(record, split) if needs_scores(record) else None
    if confidence is None:
        raise ResultsError(f"{title}: the scores of its trials were not all kept")
    table = run.table([record], split)
    if scores is None:
        scores = np.full((len(confidence), len(TASKS[record.task].labels)), np.nan)
    logits = in_steps(scores) if TASKS[record.task].kind == "tags" else scores
    right = (table.predicted[0] == table.gold).astype(np.float64)
    kept = np.isfinite(confidence)
    if not kept.any():
        raise ResultsError(f"{title}: no confidences of the {split} set are kept in {record.key}")
    if split == "test":
        abroad = np.array(table.languages)[table.language] != "en"
        kept &= abroad
        if not kept.any():
            raise ResultsError(f"{title}: no language other than English in trial {record.key}")
        n_kept, n_all = (
            np.bincount(table.language[rows], minlength=len(table.languages)) for rows in (kept, abroad)
        )
        lacking = n_kept < np.minimum(n_all, MIN_WORDS)
        if TASKS[record.task].kind == "tags" and lacking.any():
            raise ResultsError(
                f"{title}: confidences of {n_kept[lacking].min():,} words a language were kept, {MIN_WORDS:,} are "
                "needed; record the run again"
            )
    return Scored(table, confidence, right, np.asarray(logits, dtype=np.float64)).only(kept)


def calibrate(run: Run, record: TrialRecord, parallel: bool) -> Calibrated:
    """All measures of one trial, recalibrated on English dev; ``parallel`` says that an item is the same in all
    languages.

    Raises:
        ResultsError: as `load_scored`.
    """
    scored, dev = load_scored(run, record), load_scored(run, record, "dev")
    table, codes = scored.table, np.unique(scored.table.language)
    in_language = [scored.only(table.language == code) for code in codes]
    found = pd.DataFrame(map(_of_confidences(dev), in_language))
    if all(one.scored.any() for one in (dev, *in_language)):
        found = found.join(pd.DataFrame(map(_of_scores(dev), in_language)))
    many = all(one.scored.sum() >= min(MIN_WORDS, len(one.right)) for one in in_language)
    units = find_units(table, parallel)
    return Calibrated(
        by_language=found.set_axis([table.languages[code] for code in codes])[
            [name for name, about in MEASURES.items() if name in found and (many or not about.needs_many)]
        ],
        resampled=_resampled(scored, units, generator("calibration", record.task)),
        n_items=len(units.start),
        n_rows=tuple(len(one.right) for one in in_language),
        n_scored=tuple(int(one.scored.sum()) for one in in_language),
    )


def _of_confidences(dev: Scored) -> Callable[[Scored], dict[str, float]]:
    """What gives the measures of one language that rest on all its rows."""
    isotonic, ece = recalibration.fit_isotonic(dev.confidence, dev.right), calibration.ece10_equal_mass_debiased_v1

    def measure(scored: Scored) -> dict[str, float]:
        confidence, right = scored.confidence, scored.right
        found = {
            "ece": ece(confidence, right),
            "accuracy": float(100 * right.mean()),
            "confidence": float(100 * confidence.mean()),
            "ece_isotonic": ece(isotonic(confidence), right),
            "ece_plug_in": calibration.ece10_equal_mass_v1(confidence, right),
            "ece_equal_width": calibration.ece10_equal_width_v1(confidence, right),
            "mce": calibration.mce10_equal_width_v1(confidence, right),
            "aurc": calibration.aurc_v1(confidence, right),
        }
        return found | ({"ece_spans": _spans(scored)} if scored.table.records[0].task == "ner" else {})

    return measure


def _of_scores(dev: Scored) -> Callable[[Scored], dict[str, float]]:
    """What gives the measures of one language that rest on the rows whose scores of all labels were kept."""
    dev, ece = dev.only(dev.scored), calibration.ece10_equal_mass_debiased_v1
    temperature = recalibration.fit_temperature(dev.logits, dev.table.gold)
    vector = recalibration.fit_vector_scaling(dev.logits, dev.table.gold, temperature)

    def measure(scored: Scored) -> dict[str, float]:
        scored = scored.only(scored.scored)
        logits, gold, predicted = scored.logits, scored.table.gold, scored.table.predicted[0]
        probabilities, scaled = softmax(logits, axis=1), softmax(logits / temperature, axis=1)
        moved, right_then = calibration.top_label(softmax(vector(logits), axis=1), gold)
        brier = brier_parts_v1(probabilities, gold)
        return {
            "brier": brier_v1(probabilities, gold),
            "nll": nll_v1(logits, gold),
            "ece_scaled": ece(scaled[np.arange(len(gold)), predicted], scored.right),
            "brier_scaled": brier_v1(scaled, gold),
            "nll_scaled": nll_v1(logits / temperature, gold),
            "ece_vector_scaled": ece(moved, right_then),
            "accuracy_vector_scaled": float(100 * right_then.mean()),
            "ece_classwise": calibration.classwise_ece10_equal_width_v1(probabilities, gold),
            "brier_reliability": brier.reliability,
            "brier_resolution": brier.resolution,
        }

    return measure


def _spans(scored: Scored) -> float:
    """The primary measure over the predicted spans of one language; NaN where none was predicted."""
    table = scored.table
    found = span_confidence_v1(scored.confidence, table.gold, table.predicted[0], table.item, TASKS["ner"].labels)
    return calibration.ece10_equal_mass_debiased_v1(*found) if len(found[0]) else float("nan")


def _resampled(scored: Scored, units: Units, rng: np.random.Generator) -> Floats:
    """(R,) the primary measure, mean over languages, under resampling of clusters."""
    language = scored.table.language
    by_row = np.empty((len(language), 3 * calibration.N_BINS))
    for code in np.unique(language):
        rows = language == code
        by_row[rows] = calibration.ece10_equal_mass_debiased_counts_v1(scored.confidence[rows], scored.right[rows])
    counts = np.add.reduceat(by_row, units.start, axis=0)
    statistic = calibration.ece10_equal_mass_debiased_from_counts_v1
    draws = stats.bootstrap_scores(counts[None], units.language, units.cluster, statistic, rng, N_RESAMPLES)
    return np.asarray(draws[0])
