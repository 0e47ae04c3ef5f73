"""Scores of the sweep, task by task: from predictions to `stats.ScoreTable`.

The score of a task is the plain mean over its languages, English included, of the task's metric in points.
Only trials that ended well count: one that is missing is NaN in the tables, and named in words.

Notation: R trials, M models, S seeds, N rows, U units (pairs or sentences), L languages, K counts of a unit.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from crosslayer import stats
from crosslayer.analysis.parts import generator
from crosslayer.config import Profile
from crosslayer.data.examples import Split
from crosslayer.metrics.classification import f1_from_counts, share_from_counts
from crosslayer.metrics.tagging import span_counts_v1
from crosslayer.predictions import Outcome, Run, TaskTable, TrialRecord
from crosslayer.stats import Floats, Indices, ScoreTable, Statistic
from crosslayer.tasks import TASK_NAMES, TASKS, TaskName

Counts = npt.NDArray[np.int16]
BASELINE = "baseline"
CONTROLS = ("self", "shuffled", "gate", "average", "concatenation", "scalar_mix")
N_RESAMPLES = 1000
ENDED: dict[Outcome, str] = {
    "collapsed": "collapsed into one answer",
    "nan_loss": "ended with a loss that is no number",
    "out_of_memory": "ran out of memory",
    "failed": "failed",
}


@dataclass(frozen=True, eq=False)
class Units:
    """The pairs or sentences of a table.

    Attributes:
        start: (U,) the row at which each begins; the rows of a unit stand together.
        language: (U,) index into the table's languages.
        cluster: (U,) what is resampled together: the same item in all languages where the test sets are
            parallel, else each unit on its own.
    """

    start: Indices
    language: Indices
    cluster: Indices

    def sums(self, values: npt.NDArray[np.generic]) -> npt.NDArray[np.int32]:
        """Sums (..., U) of values (..., N)."""
        return np.asarray(np.add.reduceat(values, self.start, axis=-1, dtype=np.int32))


@dataclass(frozen=True, eq=False)
class TaskScores:
    """Everything that the claims about gains read of one task.

    Attributes:
        task: which one.
        dev, test: scores of baseline, layers and controls; dev is English, and has no item variance.
        table: the test predictions of the R trials.
        row: (model, seed) -> row of `table`.
        units: of `table`.
        counts: (R, U, K) what each unit adds to the metric, as `statistic` reads it.
        by_language: (M, S, L) test scores, NaN as in `test`.
    """

    task: TaskName
    dev: ScoreTable
    test: ScoreTable
    table: TaskTable
    row: dict[tuple[str, int], int]
    units: Units
    counts: Counts
    by_language: Floats

    @property
    def layers(self) -> tuple[str, ...]:
        """The D_x with a score, by x."""
        return tuple(model for model in self.test.models if model.startswith("layer_"))

    @property
    def n_items(self) -> int:
        """Test pairs or sentences over all languages."""
        return len(self.units.start)

    def language_table(self, code: str) -> ScoreTable:
        """The test scores in one language."""
        place = self.table.languages.index(code)
        here = self.units.language == place
        variance = _item_variance(self, here, generator("items", self.task, code))
        return ScoreTable(self.test.models, self.test.seeds, self.by_language[:, :, place], variance)


@dataclass(frozen=True)
class Sweep:
    """The scores of all tasks that have any, and what is missing, one line each."""

    tasks: dict[TaskName, TaskScores]
    missing: tuple[str, ...]

    @property
    def keys(self) -> list[str]:
        """Of the trials that count."""
        return [record.key for scores in self.tasks.values() for record in scores.table.records]


def load_sweep(run: Run, profile: Profile, tasks: Iterable[TaskName] = TASK_NAMES) -> Sweep:
    """The scores of every task of a run."""
    found: dict[TaskName, TaskScores] = {}
    missing: list[str] = []
    for task in tasks:
        records = [r for r in run.records("sweep", task) if is_compared(r.model)]
        missing += describe_missing(task, records, profile)
        usable = [record for record in records if record.outcome == "ok"]
        if any(record.model == BASELINE for record in usable):
            found[task] = score_task(run, task, usable, profile.data.source == "fragment")
        elif records:
            missing.append(f"{TASKS[task].title}: no baseline ended well, so that nothing has a gain")
    return Sweep(found, tuple(missing))


def score_task(run: Run, task: TaskName, records: list[TrialRecord], parallel: bool) -> TaskScores:
    """Scores of one task.

    Args:
        records: trials that ended well, a baseline among them.
        parallel: whether equal item names mean equal content in all languages; always so for pairs.
    """
    models = ordered_models(records)
    seeds = tuple(sorted({record.seed for record in records}))
    row = {(record.model, record.seed): i for i, record in enumerate(records)}
    dev, _, _, _ = _scored(run, task, records, "dev", parallel)
    test, table, units, counts = _scored(run, task, records, "test", parallel)
    by_language = _cells(test, models, seeds, row)
    variance = np.zeros((len(models), len(models)))
    scores = TaskScores(
        task=task,
        dev=ScoreTable(models, seeds, _cells(dev, models, seeds, row).mean(axis=-1), zeros),
        test=ScoreTable(models, seeds, by_language.mean(axis=-1), zeros),
        table=table,
        row=row,
        units=units,
        counts=counts,
        by_language=by_language,
    )
    zeros += _item_variance(scores, np.ones(len(units.start), dtype=bool), generator("items", task))
    scores.dev.item_variance[:] = 0
    return scores


def find_units(table: TaskTable, parallel: bool) -> Units:
    """The pairs or sentences of a table, whose rows stand together."""
    changed = (table.item[1:] != table.item[:-1]) | (table.language[1:] != table.language[:-1])
    start = np.flatnonzero(np.append(True, changed))
    cluster = np.arange(len(start))
    if parallel:
        _, cluster = np.unique(table.item[start], return_inverse=True)
    return Units(start, np.asarray(table.language[start], dtype=np.intp), cluster)


def statistic_of(task: TaskName) -> Statistic:
    """Points from summed counts, by the task's metric."""
    return f1_from_counts if TASKS[task].metric == "span_f1_v1" else share_from_counts


def count(task: TaskName, table: TaskTable, units: Units) -> Counts:
    """What each unit adds to the metric, (R, U, K): right and all words, or spans found, predicted and gold."""
    if TASKS[task].metric == "span_f1_v1":
        index = unit_of_row(units, len(table.gold))
        labels = TASKS[task].labels
        spans = [span_counts_v1(table.gold, predicted, index, labels) for predicted in table.predicted]
        return np.stack(spans).astype(np.int16)
    right = units.sums(table.predicted == table.gold)
    size = np.diff(np.append(units.start, len(table.gold)))
    return np.stack([right, np.broadcast_to(size, right.shape)], axis=-1).astype(np.int16)


def unit_of_row(units: Units, n_rows: int) -> Indices:
    """(N,) the unit that each row belongs to."""
    return np.repeat(np.arange(len(units.start)), np.diff(np.append(units.start, n_rows)))


def language_scores(task: TaskName, counts: Counts, language: Indices) -> Floats:
    """Points (R, L) of each trial in each language."""
    sums = [counts[:, language == code].sum(axis=1) for code in range(int(language.max()) + 1)]
    return statistic_of(task)(np.stack(sums, axis=1).astype(np.float64))


def is_compared(model: str) -> bool:
    """Whether a model belongs into the tables of gains: modules trained on half of the items do not."""
    return model == BASELINE or model.startswith("layer_") or model in CONTROLS


def ordered_models(records: Iterable[TrialRecord]) -> tuple[str, ...]:
    """Names of models: the baseline, the layers by x, then the controls."""
    layers = {record.layer or 0: record.model for record in records if record.model.startswith("layer_")}
    names = {record.model for record in records}
    return tuple(m for m in (BASELINE, *(layers[x] for x in sorted(layers)), *CONTROLS) if m in names)


def describe_missing(task: TaskName, records: Iterable[TrialRecord], profile: Profile) -> list[str]:
    """What the profile plans and the run lacks, in words."""
    title = TASKS[task].title
    if task not in profile.tasks:
        return [f"{title} is no task of the profile {profile.profile}"]
    records = list(records)
    if not records:
        return [f"{title}: the sweep has not run"]
    planned = [BASELINE, *(f"layer_{x}" for x in profile.sweep.layers), *profile.sweep.controls]
    there = {(record.model, record.seed) for record in records}
    lines = [describe_failure(record) for record in records if record.outcome != "ok"]
    for model in planned:
        lacking = [str(seed) for seed in profile.sweep.seeds if (model, seed) not in there]
        if lacking:
            lines.append(f"{title}: {model} has not run with seed {', '.join(lacking)}")
    return lines


def describe_failure(record: TrialRecord) -> str:
    """How a trial ended that has no usable result."""
    detail = f" ({record.detail})" if record.detail else ""
    arm = "" if record.stage == "sweep" else f" after {record.arm} intermediate training"
    return f"{TASKS[record.task].title}: {record.model}{arm}, seed {record.seed}, {ENDED[record.outcome]}{detail}"


def _scored(
    run: Run, task: TaskName, records: list[TrialRecord], split: Split, parallel: bool
) -> tuple[Floats, TaskTable, Units, Counts]:
    table = run.table(records, split)
    units = find_units(table, parallel or TASKS[task].kind == "pair")
    counts = count(task, table, units)
    return language_scores(task, counts, units.language), table, units, counts


def _cells(
    values: Floats, models: tuple[str, ...], seeds: tuple[int, ...], row: dict[tuple[str, int], int]
) -> Floats:
    """Values (R, L) put into cells (M, S, L), NaN where there is no trial."""
    cells = np.full((len(models), len(seeds), values.shape[1]), np.nan)
    for (model, seed), i in row.items():
        cells[models.index(model), seeds.index(seed)] = values[i]
    return cells


def _item_variance(scores: TaskScores, chosen: npt.NDArray[np.bool_], rng: np.random.Generator) -> Floats:
    """Item variance of all differences of models on the chosen units.

    A share is linear in what seeds count, so that their mean is resampled instead of each of them.
    """
    models, seeds = scores.test.models, scores.test.seeds
    counts = np.full((len(models), len(seeds), int(chosen.sum()), scores.counts.shape[-1]), np.nan, np.float32)
    for (model, seed), i in scores.row.items():
        counts[models.index(model), seeds.index(seed)] = scores.counts[i, chosen]
    statistic = statistic_of(scores.task)
    if statistic is share_from_counts:
        counts = np.nanmean(counts, axis=1, keepdims=True)
    units = scores.units
    return stats.item_variance(
        counts.astype(np.float64), units.language[chosen], units.cluster[chosen], statistic, N_RESAMPLES, rng
    )
