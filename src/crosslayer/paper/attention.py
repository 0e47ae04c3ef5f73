"""Whether AIF adapts to the task (C13): learnt weights sigmoid(G + L) on one common text.

Two modules are as far apart as the mean square, over channels, of the difference of their mean weights: squares,
since between tasks minus within tasks is then what the tasks' centres differ by, however much their modules
scatter. Within a task stand the modules trained on two halves of its items, between tasks the same halves of
different tasks, all at one layer. Only pairs with different seeds are compared: modules of one task and seed start
from the same weights, modules of different tasks do not, and that alone would set tasks apart. For the same reason
the two halves of a task and seed change tasks together in a permutation.

Notation: T tasks, S seeds, E width, P permutations.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations_with_replacement
from pathlib import Path

import numpy as np

from claimtrack.errors import ResultsError
from claimtrack.evidence import Evidence, Measurement
from crosslayer import stats
from crosslayer.config import Profile
from crosslayer.paper import plots
from crosslayer.paper.parts import Facts, gain_part, generator, make_evidence, select, tasks_in
from crosslayer.paper.scores import describe_failures, never_run, that_learnt
from crosslayer.predictions.batches import best_batch
from crosslayer.predictions.models import HALVES
from crosslayer.predictions.records import TrialRecord
from crosslayer.predictions.runs import Run
from crosslayer.stats import Floats
from crosslayer.tasks import TASK_NAMES, TASKS, TaskName

N_PERMUTATIONS = 9999
UNIT = "weight²"


@dataclass(frozen=True, eq=False)
class Modules:
    """The modules trained on halves.

    Attributes:
        tasks: that have both halves at the same seeds.
        distances: (T, S, T, S) of mean weights on the common text, as `distances` gives them.
        variance: (T,) mean over channels, halves and seeds of the variance over sub-words.
        layer: the lower layer that all of them fuse; several in words where they differ.
        keys: of the trials.
    """

    tasks: tuple[TaskName, ...]
    distances: Floats
    variance: Floats
    layer: str
    keys: tuple[str, ...]


def measure(claim: str, run: Run, profile: Profile) -> Evidence:
    """The distance between tasks minus that within one, and what it is made of."""
    usable: list[TrialRecord] = []
    missing: list[str] = []
    for task in profile.tasks:
        records = best_batch([r for r in run.records("sweep", task) if r.model in HALVES], HALVES)
        learnt, at_chance = that_learnt(run, records)
        usable += learnt
        missing += [*describe_failures(records), *at_chance]
        sweep = profile.sweep.of(task)
        if not records:
            missing.append(f"{TASKS[task].title}: no modules were trained on halves")
        elif sweep.halves:
            there = {(record.model, record.seed) for record in records}
            missing += never_run(TASKS[task].title, HALVES, sweep.seeds, there)
    seeds, few = compared_seeds(usable)
    missing += few
    try:
        modules = load_modules(run, usable, seeds)
    except ResultsError as error:
        part = Measurement(measure="between_minus_within", estimate=None, unit=UNIT, judged=True, note=str(error))
        return make_evidence(claim, run, profile, [part], missing)
    facts: Facts = {"smallest_p": smallest_p(*modules.distances.shape[:2])}
    parts = [_difference(modules), *_shown(modules)]
    return make_evidence(claim, run, profile, parts, missing, modules.keys, facts)


def compared_seeds(records: Sequence[TrialRecord]) -> tuple[dict[TaskName, set[int]], list[str]]:
    """The seeds with both halves of each task that has three, or of all where fewer than two tasks have; the other
    tasks in words."""
    halves = Counter((record.task, record.seed) for record in records)
    both = [pair for pair, n in halves.items() if n == len(HALVES)]
    seeds = {record.task: {seed for task, seed in both if task == record.task} for record in records}
    enough = {task: found for task, found in seeds.items() if len(found) >= stats.MIN_SEEDS}
    if len(enough) < 2:
        return seeds, []
    few = {TASKS[task].title: len(found) for task, found in seeds.items() if task not in enough}
    return enough, [f"{title}: both halves at {n} of {stats.MIN_SEEDS} seeds" for title, n in few.items()]


def load_modules(run: Run, records: Iterable[TrialRecord], compared: Mapping[TaskName, set[int]]) -> Modules:
    """The modules of the tasks that are compared, at the seeds that all of them have.

    Raises:
        ResultsError: fewer than two tasks or seeds.
    """
    tasks = tuple(task for task in TASK_NAMES if task in compared)
    seeds = sorted(set.intersection(*compared.values())) if tasks else []
    if len(tasks) < 2 or len(seeds) < 2:
        raise ResultsError(
            f"modules trained on halves are compared over 2 tasks and 2 seeds or more, found {len(tasks)} and "
            f"{len(seeds)}: set sweep.halves and run more"
        )
    place = {(record.model, record.task, record.seed): record for record in records}
    chosen = [place[half, task, seed] for half in HALVES for task in tasks for seed in seeds]
    found = [run.diagnostics(record) for record in chosen]
    if not all({"attention_mean", "attention_variance"} <= arrays.keys() for arrays in found):
        raise ResultsError("no weights of the fusion modules on the common text were kept")
    shape = (len(HALVES), len(tasks), len(seeds))
    weights = np.array([arrays["attention_mean"] for arrays in found], dtype=np.float64).reshape(*shape, -1)
    variance = np.array([arrays["attention_variance"].mean() for arrays in found]).reshape(shape)
    by_task = variance.mean(axis=(0, 2), dtype=np.float64)
    layer = ", ".join(map(str, sorted({record.layer for record in chosen if record.layer is not None})))
    return Modules(tasks, distances(weights), by_task, layer, tuple(record.key for record in chosen))


def distances(weights: Floats) -> Floats:
    """Squared (T, S, T, S), between first halves and second halves, of weights (2, T, S, E)."""
    first, second = weights
    gap = first[:, :, None, None] - second[None, None]
    return np.asarray((gap**2).mean(axis=-1))


def between_minus_within(distances: Floats) -> Floats:
    """Mean distance between tasks minus that within them, for each two seeds, (S, S).

    Args:
        distances: (T, S, T, S), as `distances` gives them.
    """
    n_tasks = len(distances)
    within, total = np.einsum("tstr->sr", distances), distances.sum(axis=(0, 2))
    return np.asarray((total - within) / (n_tasks * (n_tasks - 1)) - within / n_tasks)


def smallest_p(n_tasks: int, n_seeds: int) -> float:
    """One by the number of different ways to exchange tasks within seeds; a common exchange changes nothing."""
    return float(math.factorial(n_tasks)) ** (1 - n_seeds)


def permutation_p(distances: Floats, rng: np.random.Generator, n: int = N_PERMUTATIONS) -> float:
    """p of between minus within, where the tasks of each seed are exchanged, both halves of a task together."""
    n_tasks, n_seeds = distances.shape[:2]
    task = rng.permuted(np.broadcast_to(np.arange(n_tasks), (n, n_seeds, n_tasks)), axis=-1)
    seed = np.arange(n_seeds)
    own = distances[
        task[:, :, None, :], seed[None, :, None, None], task[:, None, :, :], seed[None, None, :, None]
    ]  # fmt: skip
    other = ~np.eye(n_seeds, dtype=bool)
    within = own.mean(axis=-1)[:, other].mean(axis=-1)
    mean = distances.transpose(1, 3, 0, 2)[other].mean()
    null = (mean - within) * n_tasks / (n_tasks - 1)
    return stats.permutation_p(null, float(between_minus_within(distances)[other].mean()))


def _difference(modules: Modules) -> Measurement:
    p = permutation_p(modules.distances, generator("attention"))
    tasks = ", ".join(TASKS[task].title for task in modules.tasks)
    note = (
        f"Squared distance of mean weights, {tasks}, fusion layer {modules.layer}; p by exchanging tasks "
        f"within seeds, at least {smallest_p(*modules.distances.shape[:2]):.2g}."
    )
    gain = stats.pair_gain(between_minus_within(modules.distances))
    return gain_part("between_minus_within", gain, unit=UNIT, judged=True, p_value=p, note=note)


def _shown(modules: Modules) -> list[Measurement]:
    """Root mean square distances between every two tasks, and the variance of the weights over sub-words."""
    n_seeds = modules.distances.shape[1]
    table = modules.distances.transpose(0, 2, 1, 3)[:, :, ~np.eye(n_seeds, dtype=bool)].mean(axis=-1)
    table = np.sqrt((table + table.T) / 2)
    parts = [
        Measurement(
            measure="distance", task=one, model=other, estimate=table[i, j], unit="weight", n_seeds=n_seeds
        )
        for (i, one), (j, other) in combinations_with_replacement(enumerate(modules.tasks), 2)
    ]
    name = "weight_variance_over_tokens"
    return parts + [
        Measurement(measure=name, task=task, estimate=value, unit=UNIT, n_seeds=n_seeds)
        for task, value in zip(modules.tasks, modules.variance, strict=True)
    ]


def figures(evidence: Evidence, run: Run, profile: Profile, folder: Path) -> tuple[str, ...]:
    """Distances between and within tasks."""
    tasks: list[str | None] = [*tasks_in(evidence)]
    names = [TASKS[task].title for task in tasks_in(evidence)]
    table = np.full((len(tasks), len(tasks)), np.nan)
    for part in select(evidence, "distance"):
        table[tasks.index(part.task), tasks.index(part.model)] = part.estimate
    title = "Distance of the learnt weights between tasks; on the diagonal between two halves of one task"
    with plots.picture(folder, "weight_distance.svg", title, height=1.2 + 0.4 * len(tasks)) as (axes,):
        plots.heat(axes, table, names, names)
        axes.set_xlabel("root mean square difference of weights (0 to 1)")
    return ("weight_distance.svg",)
