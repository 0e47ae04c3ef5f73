"""Whether the tasks have different best fusion layers (C07)."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

import numpy as np

from claimtrack.errors import ResultsError
from claimtrack.evidence import Evidence, Measurement
from crosslayer import stats
from crosslayer.config import Profile
from crosslayer.paper import paper, plots
from crosslayer.paper.parts import Facts, Fields, gain_fields, make_evidence, part_or_none, select, tasks_in
from crosslayer.paper.scores import Sweep, TaskScores, load_sweep, stated_layers
from crosslayer.predictions.models import Model
from crosslayer.predictions.runs import Run
from crosslayer.stats.selection import complete
from crosslayer.tasks import TASKS, TaskName

Tasks = Mapping[TaskName, TaskScores]


def measure(claim: str, run: Run, profile: Profile) -> Evidence:
    """The interaction of task and layer, and the points won by layers of one's own."""
    sweep = _with_a_choice(load_sweep(run, profile))
    tasks, layers = sweep.tasks, _common_layers(sweep.tasks)
    parts = [_interaction(tasks), _own_over_common(tasks)]
    parts += [part for scores in tasks.values() for part in _probabilities(scores)]
    facts: Facts = {}
    for task, scores in tasks.items():
        with suppress(ResultsError):
            facts[f"best_layer_{task}"] = stats.best_on_test_gain(scores.test, layers).overall
    if layers:
        facts["layers_compared"] = stated_layers(layers)
        distinct = np.prod(1 - np.arange(len(tasks)) / len(layers))
        facts["chance_that_all_best_layers_differ"] = float(distinct)
    return make_evidence(claim, run, profile, parts, sweep.missing, sweep.keys, facts)


def _with_a_choice(sweep: Sweep) -> Sweep:
    """The tasks with two layers at enough seeds; the others are missing, and do not keep the rest from it."""
    tasks = {task: scores for task, scores in sweep.tasks.items() if len(scores.comparable) > 1}
    lacking = [TASKS[task].title for task in sweep.tasks if task not in tasks]
    lines = [f"{title}: fewer than two layers succeeded with enough seeds to be compared" for title in lacking]
    return Sweep(tasks, (*sweep.missing, *lines))


def _common_layers(tasks: Tasks) -> list[str]:
    """The layers that every task has, at enough seeds."""
    first, *others = [scores.comparable for scores in tasks.values()] or [()]
    return [name for name in first if all(name in other for other in others)]


def _interaction(tasks: Tasks) -> Measurement:
    def make() -> Fields:
        layers = _common_layers(tasks)
        found = stats.task_by_layer_interaction({task: scores.test for task, scores in tasks.items()}, layers)
        note = f"F test, {found.df1:.3g} and {found.df2:.3g} degrees of freedom, {stated_layers(layers)}."
        about = {"n_seeds": found.n_seeds, "n_items": _n_items(tasks), "note": note}
        return {"estimate": found.f, "p_value": found.p, **about}

    return part_or_none("task_by_layer_interaction", make, unit="F", judged=True)


def _own_over_common(tasks: Tasks) -> Measurement:
    def make() -> Fields:
        tables = {str(task): scores.test for task, scores in tasks.items()}
        halves = {str(task): scores.halves() for task, scores in tasks.items()}
        found = stats.own_against_common(tables, _common_layers(tasks), halves)
        note = (
            f"Over one layer for all tasks ({found.overall}), both chosen by other seeds on the other half of "
            "the items."
        )
        return gain_fields(found.gain, by_seed=found.by_seed.tolist(), n_items=_n_items(tasks), note=note)

    return part_or_none("own_over_common", make, judged=True)


def _n_items(tasks: Tasks) -> int:
    return sum(scores.n_items for scores in tasks.values())


def _probabilities(scores: TaskScores) -> list[Measurement]:
    try:
        n_seeds = len(complete([scores.test], scores.layers)[1])
        found = stats.probability_best(scores.test, scores.layers, scores.generator("probability best"))
    except ResultsError:
        return []
    return [
        Measurement(
            measure="probability_best", task=scores.task, layer=Model(model).layer, model=model,
            estimate=value, unit="probability", n_seeds=n_seeds, n_items=scores.n_items,
        )
        for model, value in found.items()
    ]  # fmt: skip


def figures(evidence: Evidence, run: Run, profile: Profile, folder: Path) -> tuple[str, ...]:
    """How probable each layer is to be the best of each task, as a shaded table; the paper's best are marked."""
    parts = select(evidence, "probability_best")
    if not parts:
        return ()
    tasks, layers = tasks_in(evidence), sorted({part.layer for part in parts if part.layer is not None})
    values = np.full((len(tasks), len(layers)), np.nan)
    for row, task in enumerate(tasks):
        for part in select(evidence, "probability_best", task):
            values[row, layers.index(part.layer or 0)] = part.estimate
    title = "Probability of each fusion layer to be the best of its task; framed: the paper's best (POS by F1)"
    with plots.picture(folder, "probability_best.svg", title, height=0.9 + 0.4 * len(tasks)) as (axes,):
        plots.heat(axes, values, [TASKS[task].title for task in tasks], [str(x) for x in layers])
        for row, task in enumerate(tasks):
            if paper.best_layer(task) in layers:
                plots.frame(axes, row, layers.index(paper.best_layer(task)))
        axes.set_xlabel("fusion layer x of D_x (framed: best in the paper)")
    return ("probability_best.svg",)
