"""Scores of the sweep, task by task: from predictions to `stats.ScoreTable`.

The score of a task is the plain mean over its languages, English included, of the task's metric in points.
Only trials that succeeded count: one that is missing is NaN in the tables, and named in words.

Notation: R trials, M models, S seeds, N rows, U units (pairs or sentences), L languages, K counts of a unit.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Container, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt

from claimtrack.errors import ResultsError
from crosslayer import stats
from crosslayer.config import Profile
from crosslayer.metrics.classification import f1_from_counts, share_from_counts
from crosslayer.metrics.tagging import span_counts_v1
from crosslayer.paper.conditions import fragment
from crosslayer.paper.parts import generator
from crosslayer.predictions.batches import best_batch, describe_other_batches
from crosslayer.predictions.models import BASELINE, CONTROLS, SIMPLE, Model
from crosslayer.predictions.records import Outcome, TrialRecord
from crosslayer.predictions.runs import Run, TaskTable
from crosslayer.stats import Floats, Indices, ScoreTable
from crosslayer.tasks import TASK_NAMES, TASKS, TaskName

Counts = npt.NDArray[np.int16]
SpanRule = Callable[..., npt.NDArray[np.int64]]
"""As `crosslayer.metrics.tagging.span_counts_v1`."""
N_LAYERS = 11
"""Lower layers that the paper chooses from."""
KEPT = 0.75
"""A model whose mean score keeps a smaller share of the baseline's distance from chance has nearly collapsed."""
DISTANCE = 10.0
"""Points above chance that a baseline needs for that: nearer to chance, noise alone loses a quarter of the way."""
AT_CHANCE = 0.05
"""How often a model that always names the commonest label may pass for one that learnt something."""
ENDED: dict[Outcome, str] = {
    "collapsed": "collapsed into one answer",
    "nan_loss": "ended with a NaN loss",
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

    def only(self, chosen: npt.NDArray[np.bool_]) -> Units:
        """Some of the units."""
        return Units(self.start[chosen], self.language[chosen], self.cluster[chosen])

    def sums(self, values: npt.NDArray[np.generic]) -> npt.NDArray[np.int32]:
        """Sums (..., U) of values (..., N)."""
        return np.asarray(np.add.reduceat(values, self.start, axis=-1, dtype=np.int32))


@dataclass(frozen=True, eq=False)
class TaskScores:
    """Everything that the claims about gains read of one task.

    Attributes:
        dev, test: scores of baseline, layers and controls; dev is English, has no item variance, and
            is NaN where it was not predicted.
        table: the test predictions of the R trials.
        row: (M, S) which of the R trials stands in a cell of the tables; -1 where there is none.
        units: of `table`.
        counts: (R, U, K) what each unit adds to the metric.
        by_language: (M, S, L) test scores, NaN as in `test`.
    """

    task: TaskName
    dev: ScoreTable
    test: ScoreTable
    table: TaskTable
    row: Indices
    units: Units
    counts: Counts
    by_language: Floats

    @property
    def layers(self) -> tuple[Model, ...]:
        """The D_x with a score, by x."""
        return tuple(model for model in map(Model, self.test.models) if model.layer is not None)

    @property
    def comparable(self) -> tuple[str, ...]:
        """The layers that can be chosen, by x; see `stats.comparable`."""
        return tuple(stats.comparable([self.test], self.layers))

    @property
    def among(self) -> str:
        """What a layer can be chosen from, in words: ``among layers 1-11``, ``among layers 4, 8 only``."""
        return f"among {stated_layers(self.comparable)}"

    @property
    def n_items(self) -> int:
        """Test pairs or sentences over all languages."""
        return len(self.units.start)

    def chosen_on_dev(self, test: ScoreTable, baseline: str = BASELINE) -> stats.SelectedGain:
        """The gain, in a table of this task, of the layer that English dev chooses for each seed.

        Raises:
            ResultsError: English dev was not predicted, or no seed has all models.
        """
        if not np.isfinite(self.dev.scores).any():
            raise ResultsError(f"{TASKS[self.task].title}: no predictions of English dev, which chooses a layer")
        return stats.dev_selected_gain(self.dev, test, self.layers, baseline=baseline)

    def generator(self, name: str) -> np.random.Generator:
        """Random numbers that depend on a name and the task."""
        return generator(name, self.task)

    def halves(self) -> tuple[ScoreTable, ScoreTable]:
        """The test scores on every other cluster of items, and on the rest; without item variance.

        A ResultsError where a language has items in one half only: the halves would be means over other languages.
        """
        first = self.units.cluster % 2 == 0
        for code in np.unique(self.units.language):
            if len(np.unique(first[self.units.language == code])) < 2:
                name = self.table.languages[code]
                raise ResultsError(f"{TASKS[self.task].title}: {name} has too few test items for two halves")
        one, two = (self.rescored(self.counts[:, here], self.units.only(here)) for here in (first, ~first))
        return one, two

    def language_table(self, code: str) -> ScoreTable:
        """The test scores in one language."""
        here = self.units.language == self.table.languages.index(code)
        return self.rescored(self.counts[:, here], self.units.only(here), code)

    def rescored(self, counts: Counts, units: Units, about: str = "") -> ScoreTable:
        """The test scores from other counts, or from those of some units; ``about`` names the random stream of the
        item variance, which is 0 without it."""
        scores = spread(language_scores(counts, units.language), self.row).mean(axis=-1)
        variance = np.zeros_like(self.test.item_variance)
        if about:
            variance = item_variance(self.task, self.row, counts, units, about)
        return replace(self.test, scores=scores, item_variance=variance)


@dataclass(frozen=True)
class Sweep:
    """The scores of all tasks that have any, and what is missing, one line each."""

    tasks: dict[TaskName, TaskScores]
    missing: tuple[str, ...]

    @property
    def keys(self) -> list[str]:
        """Of the trials that count."""
        return [record.key for scores in self.tasks.values() for record in scores.table.records]


def load_sweep(
    run: Run, profile: Profile, tasks: Iterable[TaskName] = TASK_NAMES, needs: Collection[str] = ()
) -> Sweep:
    """The scores of every task of a run, from one batch of trials a task; ``needs`` as in `best_batch`."""
    found: dict[TaskName, TaskScores] = {}
    missing: list[str] = []
    for task in tasks:
        every = [r for r in run.records("sweep", task) if r.model.is_compared]
        records = best_batch(every, needs)
        missing += [*describe_missing(task, every, profile), *describe_other_batches(every, records)]
        usable, at_chance = that_learnt(run, records)
        missing += at_chance
        if any(record.model == BASELINE for record in usable):
            keys = tuple(record.key for record in usable)
            scores = found[task] = score_task(run, task, keys, fragment(profile))
            left = [name for name in scores.layers if name not in scores.comparable]
            low = [name for name in left if name not in (scores.test.pooled or left)]
            few = [name for name in left if name not in low]
            for names, why in ((few, f"with fewer than {stats.MIN_SEEDS} seeds"), (low, "but nearly collapsed")):
                line = f"{TASKS[task].title}: {', '.join(names)} succeeded {why} and cannot be chosen"
                missing += [line] if names else []
        elif records:
            missing.append(f"{TASKS[task].title}: no baseline succeeded, so there is no gain to measure")
    return Sweep(found, tuple(missing))


def that_learnt(run: Run, records: Iterable[TrialRecord]) -> tuple[list[TrialRecord], list[str]]:
    """The trials of a stage and task that succeeded and learnt something, and what is said of the others.

    A fine-tuned model of pairs stayed at chance where it has no more of English dev right than always naming the
    commonest label may have by luck (95 % of a binomial). Users of XTREME report such runs often: they are
    collapsed runs, whether or not they name one label only. A frozen encoder cannot collapse; its head counts.
    """
    usable = [record for record in records if record.outcome == "ok"]
    tuned = [record for record in usable if record.mode == "finetuned" and TASKS[record.task].kind == "pair"]
    table = run.table(tuned, "dev") if tuned else None
    if table is None or not len(table.gold):
        return usable, []
    commonest = np.bincount(table.gold).max() / len(table.gold)
    right = (table.predicted == table.gold).mean(axis=1)
    limit = stats.best_guess(commonest, len(table.gold), 1 - AT_CHANCE)
    low = {record.key: share for record, share in zip(tuned, right.tolist(), strict=True) if share <= limit}
    lines = [
        f"{TASKS[record.task].title}: {record.model}{_after(record)} stayed at chance with {_seeds([record.seed])}"
        f": {100 * low[record.key]:.1f} on English dev, of which {100 * commonest:.1f} have one label"
        for record in tuned
        if record.key in low
    ]
    return [record for record in usable if record.key not in low], lines


@lru_cache(maxsize=4 * len(TASK_NAMES))
def score_task(run: Run, task: TaskName, keys: tuple[str, ...], parallel: bool) -> TaskScores:
    """Scores of one task; the latest are kept, since several claims read them.

    Args:
        keys: of trials of one batch that succeeded, a baseline among them.
        parallel: whether equal item names mean equal content in all languages; always so for pairs.
    """
    by_key = {record.key: record for record in run.records("sweep", task)}
    records = [by_key[key] for key in keys]
    models = tuple(sorted({record.model for record in records}, key=_place))
    seeds = tuple(sorted({record.seed for record in records}))
    row = np.full((len(models), len(seeds)), -1)
    for place, record in enumerate(records):
        row[models.index(record.model), seeds.index(record.seed)] = place
    dev, table = run.table(records, "dev"), run.table(records, "test")
    on_dev = np.full((len(records), 1), np.nan)
    if len(dev.gold):
        dev_units = find_units(dev, parallel)
        on_dev = language_scores(count(dev, dev_units), dev_units.language)
    units = find_units(table, parallel)
    counts = count(table, units)
    by_language = spread(language_scores(counts, units.language), row)
    scores = by_language.mean(axis=-1)
    variance = item_variance(task, row, counts, units, "all languages")
    test = ScoreTable(models, seeds, scores, variance, one_kind(models, scores, chance(task, table.gold)))
    dev_table = replace(test, scores=spread(on_dev, row).mean(axis=-1), item_variance=np.zeros_like(variance))
    return TaskScores(task, dev_table, test, table, row, units, counts, by_language)


def _place(model: Model) -> tuple[bool, bool, int, int, str]:
    """Sorts the baseline first, then the layers by x, the controls in their order, and others by name."""
    return model != BASELINE, model.layer is None, model.layer or 0, [*CONTROLS, model].index(model), model


def spread(values: npt.NDArray[np.generic], row: Indices) -> Floats:
    """Values (R, ...) as cells (M, S, ...), NaN where there is no trial; ``row`` as in `TaskScores`."""
    cells = values[row].astype(np.float64)
    cells[row < 0] = np.nan
    return cells


def one_kind(models: tuple[str, ...], scores: Floats, chance: float) -> tuple[str, ...]:
    """The models whose noise is pooled: neither a simple fusion nor one that nearly collapsed.

    Args:
        models: M names, the baseline first.
        scores: (M, S) points, NaN where there is no trial.
        chance: points that a guess would reach.
    """
    above = np.nanmean(scores, axis=1) - chance
    low = (above < KEPT * above[0]) & (above[0] >= DISTANCE)
    return tuple(name for name, nearly in zip(models, low, strict=True) if not (nearly or name in SIMPLE))


def chance(task: TaskName, gold: npt.NDArray[np.integer[Any]]) -> float:
    """Points of always giving the commonest label; 0 for spans, of which it finds none."""
    if TASKS[task].metric == "span_f1_v1":
        return 0.0
    return float(100 * np.bincount(gold).max() / len(gold))


def stated_layers(names: Sequence[str]) -> str:
    """``layers 1-11``, the paper's choice, or ``layers 4, 8 only``."""
    layers = [Model(name).layer for name in names]
    if layers == list(range(1, N_LAYERS + 1)):
        return f"layers 1-{N_LAYERS}"
    return f"layer{'s' if len(layers) > 1 else ''} {', '.join(map(str, layers))} only"


def find_units(table: TaskTable, parallel: bool) -> Units:
    """The pairs or sentences of a table, whose rows stand together; ``parallel`` as in `score_task`."""
    changed = (table.item[1:] != table.item[:-1]) | (table.language[1:] != table.language[:-1])
    start = np.flatnonzero(np.append(True, changed))
    cluster = np.arange(len(start))
    if parallel or TASKS[table.records[0].task].kind == "pair":
        _, cluster = np.unique(table.item[start], return_inverse=True)
    return Units(start, np.asarray(table.language[start], dtype=np.intp), cluster)


def points_of(counts: Floats) -> Floats:
    """Points (...,) of summed counts (..., K): of right and all, or of spans found, predicted and gold."""
    return f1_from_counts(counts) if counts.shape[-1] == 3 else share_from_counts(counts)


def count(table: TaskTable, units: Units) -> Counts:
    """What each unit adds to the task's metric, (R, U, K): right and all words, or as `count_spans`."""
    if TASKS[table.records[0].task].metric == "span_f1_v1":
        return count_spans(table, units, span_counts_v1)
    right = units.sums(table.predicted == table.gold)
    size = np.diff(np.append(units.start, len(table.gold)))
    return np.stack([right, np.broadcast_to(size, right.shape)], axis=-1).astype(np.int16)


def count_spans(table: TaskTable, units: Units, rule: SpanRule) -> Counts:
    """Spans found, predicted and gold in each sentence, (R, U, 3)."""
    index = np.repeat(np.arange(len(units.start)), np.diff(np.append(units.start, len(table.gold))))
    labels = TASKS[table.records[0].task].labels
    return np.stack([rule(table.gold, row, index, labels) for row in table.predicted]).astype(np.int16)


def item_variance(task: TaskName, row: Indices, counts: Counts, units: Units, about: str) -> Floats:
    """Model-by-item variance (M, M) of all differences of models; ``about`` names the random stream."""
    random = generator("items", task, about)
    return stats.item_variance(spread(counts, row), units.language, units.cluster, points_of, random)


def language_scores(counts: Counts | Floats, language: Indices) -> Floats:
    """Points (R, L) of each trial, or layer, in each language."""
    sums = [counts[:, language == code].sum(axis=1) for code in np.unique(language)]
    return points_of(np.stack(sums, axis=1).astype(np.float64))


def describe_missing(task: TaskName, records: Sequence[TrialRecord], profile: Profile) -> list[str]:
    """What the profile plans and is missing in the run, in words."""
    title = TASKS[task].title
    if task not in profile.tasks:
        return [f"{title} is not a task of the profile {profile.profile}"]
    if not records:
        return [f"{title}: the sweep has not run"]
    sweep = profile.sweep.of(task)
    planned = [BASELINE, *map(Model.fused, sweep.layers), *sweep.controls]
    there = {(record.model, record.seed) for record in records}
    return [*describe_failures(records), *never_run(title, planned, sweep.seeds, there)]


def never_run(
    title: str, names: Iterable[str], seeds: Sequence[int], there: Container[tuple[str, int]]
) -> Iterator[str]:
    """Which planned names have no trial with some planned seeds; one line a name."""
    for name in names:
        lacking = [seed for seed in seeds if (name, seed) not in there]
        if lacking:
            yield f"{title}: {name} has not run with {_seeds(lacking)}"


def describe_failures(records: Sequence[TrialRecord]) -> list[str]:
    """Which trials of a task have no usable result, and how they ended; one line a model and ending."""
    failed = [record for record in records if record.outcome != "ok"]
    endings = {record.outcome for record in failed}
    if len(failed) == len(records) > 1 and len(endings) == 1:
        return [f"{TASKS[records[0].task].title}: all {len(records)} trials {ENDED[failed[0].outcome]}"]
    groups: dict[str, list[int]] = {}
    for record in failed:
        detail = f" ({record.detail})" if record.detail else ""
        line = f"{TASKS[record.task].title}: {record.model}{_after(record)} {ENDED[record.outcome]}{detail}"
        groups.setdefault(line, []).append(record.seed)
    return [f"{line} with {_seeds(seeds)}" for line, seeds in groups.items()]


def _after(record: TrialRecord) -> str:
    return "" if record.stage == "sweep" else f" after {record.arm} intermediate training"


def _seeds(seeds: Sequence[int]) -> str:
    return f"seed{'s' if len(seeds) > 1 else ''} {', '.join(map(str, seeds))}"
