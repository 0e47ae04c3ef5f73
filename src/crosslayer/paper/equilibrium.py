"""Cross-lingual capability against language structure (C03): slopes over the fusion layer, one a seed.

The accuracy gap is the accuracy on English and German minus that on the other languages, in points; the
similarity is the mean cosine between the languages' fused mean vectors.

Notation: X fusion layers, S seeds, L languages, R resamples.
"""

from __future__ import annotations

from itertools import product
from pathlib import Path

import numpy as np

from claimtrack.errors import ResultsError
from claimtrack.evidence import Evidence, Measurement
from crosslayer import stats
from crosslayer.config import Profile
from crosslayer.metrics.classification import share_from_counts
from crosslayer.paper import paper, plots
from crosslayer.paper.parts import Fields, gain_fields, make_evidence, mean_part, part_or_none, select, tasks_in
from crosslayer.paper.scores import TaskScores, language_scores, load_sweep
from crosslayer.predictions.models import BASELINE, Model
from crosslayer.predictions.runs import Run
from crosslayer.stats import Floats, Indices
from crosslayer.tasks import TASKS, TaskName

PAIR_TASKS: tuple[TaskName, ...] = ("xnli", "pawsx")
NEAR = ("en", "de")
JUDGED = "slope_similarity"
SIMILARITIES = {JUDGED: "fused_mean", "slope_pair_similarity": "pair_similarity"}
"""Diagnostics of a trial that each slope is fitted to: vectors (L, E), cosines of parallel items (L, L)."""


def measure(claim: str, run: Run, profile: Profile) -> Evidence:
    """Both slopes of XNLI and PAWS-X, and the values by layer that they are fitted to."""
    sweep = load_sweep(run, profile, PAIR_TASKS)
    scored = list(sweep.tasks.values())
    parts = [_slope_of_gap(scores) for scores in scored]
    parts += [_slope_of_similarity(scores, run, name) for name in SIMILARITIES for scores in scored]
    parts += [part for scores in scored for part in _by_layer(scores, run)]
    parts += [part for scores in scored for part in _levels(scores)]
    return make_evidence(claim, run, profile, parts, sweep.missing, sweep.keys)


def complete_layers(scores: TaskScores) -> tuple[Indices, Indices]:
    """The fusion layers (X,), and their rows of the R trials at the seeds that have all of them, (X, S).

    Raises:
        ResultsError: fewer than two layers, or no such seed.
    """
    rows = scores.row[scores.test.rows(scores.layers)]
    rows = rows[:, (rows >= 0).all(axis=0)]
    n_layers, n_seeds = rows.shape
    if n_layers < 2 or not n_seeds:
        raise ResultsError(
            f"{TASKS[scores.task].title}: a slope needs a seed with two or more layers, "
            f"found {n_layers} layers and {n_seeds} seeds with all of them"
        )
    return np.array([model.layer for model in scores.layers]), rows


def gap_weights(languages: tuple[str, ...]) -> Floats:
    """Weights (L,) of the languages whose sum is the mean of the near ones minus that of the rest.

    Raises:
        ResultsError: one of the two groups is empty.
    """
    near = np.isin(languages, NEAR)
    if near.all() or not near.any():
        raise ResultsError(f"languages {', '.join(languages)}: English or German, and others, are needed")
    return np.asarray(np.where(near, 1 / near.sum(), -1 / (~near).sum()))


def _slope_of_gap(scores: TaskScores) -> Measurement:
    def make() -> Fields:
        layers, rows = complete_layers(scores)
        items = _item_variance_of_slope(scores, layers, rows)
        gain = stats.seed_gain(stats.slopes(layers, _gaps(scores, rows).T), items)
        return gain_fields(gain, n_items=scores.n_items, note=_seeds_used(scores, rows))

    return part_or_none("slope_accuracy_gap", make, unit="points a layer", task=scores.task, judged=True)


def _seeds_used(scores: TaskScores, rows: Indices) -> str:
    """Which seeds have all layers, where some have not."""
    n_seeds, n_whole = len(scores.test.seeds), rows.shape[1]
    if n_whole == n_seeds:
        return ""
    return f"A slope needs all layers of a seed: of {n_seeds} seeds {n_whole} have them."


def _gaps(scores: TaskScores, rows: Indices) -> Floats:
    """Points (X, S)."""
    by_language = language_scores(scores.counts, scores.units.language)
    return np.asarray(by_language[rows] @ gap_weights(scores.table.languages))


def _item_variance_of_slope(scores: TaskScores, layers: Indices, rows: Indices) -> float:
    """The part of the mean slope's variance that is due to the test items and that no seed removes."""
    weights = gap_weights(scores.table.languages) * len(scores.table.languages)
    resampled = stats.bootstrap_scores(
        scores.counts[rows.ravel()].astype(np.float64), scores.units.language, scores.units.cluster,
        lambda sums: share_from_counts(sums) * weights, scores.generator("slope"),
    )  # fmt: skip
    slopes = stats.slopes(layers, resampled.reshape(len(layers), -1).T).reshape(rows.shape[1], -1)
    return float(stats.pure_item_variance(np.stack([slopes, np.zeros_like(slopes)]))[0, 1])


def _slope_of_similarity(scores: TaskScores, run: Run, measure: str) -> Measurement:
    def make() -> Fields:
        layers, rows = complete_layers(scores)
        slopes = stats.slopes(layers, _similarities(scores, run, SIMILARITIES[measure], rows).T)
        return gain_fields(stats.seed_gain(slopes), note=_seeds_used(scores, rows))

    return part_or_none(measure, make, unit="cosine a layer", task=scores.task, judged=measure == JUDGED)


def _similarities(scores: TaskScores, run: Run, name: str, rows: Indices) -> Floats:
    """Mean cosine (X, S) over every two languages, by one of the diagnostics."""
    size = len(scores.table.languages)
    if size < 2:
        raise ResultsError(f"{TASKS[scores.task].title}: one language has no similarity to others")
    found = []
    for row in rows.ravel():
        arrays = run.diagnostics(scores.table.records[row])
        if name not in arrays:
            raise ResultsError(f"{TASKS[scores.task].title}: no {name!r} among the diagnostics of its trials")
        cosines = arrays[name].astype(np.float64)
        if name == SIMILARITIES[JUDGED]:
            unit = cosines / np.linalg.norm(cosines, axis=1, keepdims=True)
            cosines = unit @ unit.T
        found.append((cosines.sum() - np.trace(cosines)) / (size * (size - 1)))
    return np.array(found).reshape(rows.shape)


def _by_layer(scores: TaskScores, run: Run) -> list[Measurement]:
    """Gap and similarity of each layer, mean over seeds."""
    try:
        layers, rows = complete_layers(scores)
        tables = {
            ("accuracy_gap", "points"): _gaps(scores, rows),
            ("similarity", "cosine"): _similarities(scores, run, SIMILARITIES[JUDGED], rows),
        }
    except ResultsError:
        return []
    return [
        mean_part(measure, unit, values, task=scores.task, layer=x, model=Model.fused(x))
        for (measure, unit), table in tables.items()
        for x, values in zip(layers.tolist(), table, strict=True)
    ]


def _levels(scores: TaskScores) -> list[Measurement]:
    """Accuracy on the near languages and on the rest, of the baseline and each D_x: the paper's Tables 2 and 3."""
    near = np.isin(scores.table.languages, NEAR)
    parts = []
    for model in (BASELINE, *scores.layers):
        cells = scores.by_language[scores.test.models.index(model)]
        about = {"task": scores.task, "layer": model.layer, "model": model}
        for measure, here in ((paper.ON_NEAR, near), (paper.ON_REST, ~near)):
            if here.any():
                values = cells[np.isfinite(cells[:, 0])][:, here].mean(axis=1)
                parts.append(mean_part(measure, "points", values, **about))
    return parts


def figures(evidence: Evidence, run: Run, profile: Profile, folder: Path) -> tuple[str, ...]:
    """Gap and similarity by fusion layer, with the paper's."""
    tasks = tasks_in(evidence)
    title = "Accuracy gap and similarity of languages by fusion layer, with 95 % intervals, and the paper's values"
    shown = (
        ("accuracy_gap", paper.accuracy_gap, "en, de minus rest (points)"),
        ("similarity", paper.similarity, "similarity (cosine)"),
    )
    height = 2.3 * len(tasks)
    with plots.picture(folder, "equilibrium.svg", title, height=height, rows=len(tasks), columns=2) as panels:
        for axes, (task, (measure, reported, label)) in zip(panels, product(tasks, shown), strict=True):
            plots.by_layer(axes, select(evidence, measure, task), label="here")
            plots.paper_points(axes, reported(task))
            axes.set(title=TASKS[task].title, xlabel="fusion layer x of D_x", ylabel=label)
        panels[0].legend()
    return ("equilibrium.svg",)
