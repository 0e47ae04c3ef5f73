"""Cross-lingual capability against language structure (C03): slopes over the fusion layer, one a seed.

The accuracy gap is the accuracy on English and German minus that on the other languages, in points; the
similarity is the mean cosine between the languages' fused mean vectors.

Notation: X fusion layers, S seeds, L languages, R resamples.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np

from claimtrack.errors import ResultsError
from claimtrack.evidence import Evidence, Measurement
from crosslayer import stats
from crosslayer.config import Profile
from crosslayer.metrics.classification import share_from_counts
from crosslayer.paper import paper, plots
from crosslayer.paper.parts import (
    Fields,
    gain_fields,
    generator,
    has_values,
    make_evidence,
    mean_part,
    part_or_none,
    select,
    tasks_in,
)
from crosslayer.paper.scores import TaskScores, load_sweep
from crosslayer.predictions.models import BASELINE, Model
from crosslayer.predictions.records import Array
from crosslayer.predictions.runs import Run
from crosslayer.stats import Floats
from crosslayer.tasks import TASKS, TaskName

PAIR_TASKS: tuple[TaskName, ...] = ("xnli", "pawsx")
NEAR = ("en", "de")
Similarity = Callable[[Mapping[str, Array]], float]
"""Mean cosine over every two languages, from the diagnostics of a trial."""


def measure(claim: str, run: Run, profile: Profile) -> Evidence:
    """Both slopes of XNLI and PAWS-X, and the values by layer that they are fitted to."""
    sweep = load_sweep(run, profile, PAIR_TASKS)
    scored = list(sweep.tasks.values())
    parts = [_slope_of_gap(scores) for scores in scored]
    for name, similarity in (("slope_similarity", mean_vectors), ("slope_pair_similarity", parallel_items)):
        parts += [_slope_of_similarity(scores, run, name, similarity) for scores in scored]
    parts += [part for scores in scored for part in _by_layer(scores, run)]
    parts += [part for scores in scored for part in _levels(scores)]
    return make_evidence(claim, run, profile, parts, sweep.missing, sweep.keys)


def mean_vectors(diagnostics: Mapping[str, Array]) -> float:
    """Mean cosine between the fused mean vectors of every two languages."""
    vectors = diagnostics["fused_mean"].astype(np.float64)
    unit = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    return _mean_off_diagonal(unit @ unit.T)


def parallel_items(diagnostics: Mapping[str, Array]) -> float:
    """Mean cosine between the fused vectors of parallel items, over every two languages."""
    return _mean_off_diagonal(diagnostics["pair_similarity"].astype(np.float64))


def complete_layers(scores: TaskScores) -> tuple[list[int], list[int]]:
    """The fusion layers, and the seeds that have all of them.

    Raises:
        ResultsError: fewer than two layers, or no such seed.
    """
    row = scores.grid.row
    seeds = [seed for seed in scores.grid.seeds if all((model, seed) in row for model in scores.layers)]
    layers = [model.layer for model in scores.layers if model.layer is not None]
    if len(layers) < 2 or not seeds:
        raise ResultsError(
            f"{TASKS[scores.task].title}: a slope needs a seed with two or more layers, "
            f"found {len(layers)} layers and {len(seeds)} seeds with all of them"
        )
    return layers, seeds


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
        layers, seeds = complete_layers(scores)
        slopes = stats.slopes(np.array(layers), _gaps(scores, layers, seeds).T)
        gain = stats.seed_gain(slopes, _item_variance_of_slope(scores, layers, seeds))
        return gain_fields(gain, n_items=scores.n_items, note=_seeds_used(scores, seeds))

    return part_or_none("slope_accuracy_gap", make, unit="points a layer", task=scores.task, judged=True)


def _seeds_used(scores: TaskScores, seeds: list[int]) -> str:
    """Which seeds have all layers, where some have not."""
    if len(seeds) == len(scores.grid.seeds):
        return ""
    return f"A slope needs all layers of a seed: of {len(scores.grid.seeds)} seeds {len(seeds)} have them."


def _gaps(scores: TaskScores, layers: list[int], seeds: list[int]) -> Floats:
    """Accuracy gaps (X, S)."""
    rows = [scores.grid.models.index(Model.fused(x)) for x in layers]
    columns = [scores.grid.seeds.index(seed) for seed in seeds]
    return np.asarray(scores.by_language[np.ix_(rows, columns)] @ gap_weights(scores.table.languages))


def _item_variance_of_slope(scores: TaskScores, layers: list[int], seeds: list[int]) -> float:
    """The part of the mean slope's variance that is due to the test items and that no seed removes."""
    rows = [scores.grid.row[Model.fused(x), seed] for x in layers for seed in seeds]
    weights = gap_weights(scores.table.languages) * len(scores.table.languages)
    resampled = stats.bootstrap_scores(
        scores.counts[rows].astype(np.float64), scores.units.language, scores.units.cluster,
        lambda sums: share_from_counts(sums) * weights, generator("slope", scores.task),
    )  # fmt: skip
    slopes = stats.slopes(np.array(layers), resampled.reshape(len(layers), -1).T).reshape(len(seeds), -1)
    return float(stats.pure_item_variance(np.stack([slopes, np.zeros_like(slopes)]))[0, 1])


def _slope_of_similarity(scores: TaskScores, run: Run, measure: str, similarity: Similarity) -> Measurement:
    def make() -> Fields:
        layers, seeds = complete_layers(scores)
        slopes = stats.slopes(np.array(layers), _similarities(scores, run, similarity, layers, seeds).T)
        return gain_fields(stats.seed_gain(slopes), note=_seeds_used(scores, seeds))

    judged = similarity is mean_vectors
    return part_or_none(measure, make, unit="cosine a layer", task=scores.task, judged=judged)


def _similarities(
    scores: TaskScores, run: Run, similarity: Similarity, layers: list[int], seeds: list[int]
) -> Floats:
    """Similarities (X, S)."""
    if len(scores.table.languages) < 2:
        raise ResultsError(f"{TASKS[scores.task].title}: one language has no similarity to others")
    records = [[scores.table.records[scores.grid.row[Model.fused(x), seed]] for seed in seeds] for x in layers]
    try:
        return np.array([[similarity(run.diagnostics(record)) for record in row] for row in records])
    except KeyError as error:
        raise ResultsError(f"{TASKS[scores.task].title}: no {error} among the diagnostics of its trials") from None


def _by_layer(scores: TaskScores, run: Run) -> list[Measurement]:
    """Gap and similarity of each layer, mean over seeds."""
    try:
        layers, seeds = complete_layers(scores)
        tables = {
            ("accuracy_gap", "points"): _gaps(scores, layers, seeds),
            ("similarity", "cosine"): _similarities(scores, run, mean_vectors, layers, seeds),
        }
    except ResultsError:
        return []
    return [
        mean_part(measure, unit, row, task=scores.task, layer=x, model=Model.fused(x))
        for (measure, unit), table in tables.items()
        for x, row in zip(layers, table, strict=True)
    ]


def _levels(scores: TaskScores) -> list[Measurement]:
    """Accuracy on the near languages and on the rest, of the baseline and each D_x: the paper's Tables 2 and 3."""
    near = np.isin(scores.table.languages, NEAR)
    parts = []
    for model in (BASELINE, *scores.layers):
        cells = scores.by_language[scores.grid.models.index(model)]
        for measure, here in ((paper.ON_NEAR, near), (paper.ON_REST, ~near)):
            if here.any():
                values = cells[np.isfinite(cells[:, 0])][:, here].mean(axis=1)
                parts.append(
                    mean_part(measure, "points", values, task=scores.task, layer=model.layer, model=model)
                )
    return parts


def _mean_off_diagonal(matrix: Floats) -> float:
    size = len(matrix)
    return float((matrix.sum() - np.trace(matrix)) / (size * (size - 1)))


def figures(evidence: Evidence, run: Run, profile: Profile, folder: Path) -> tuple[str, ...]:
    """Gap and similarity by fusion layer, with the paper's."""
    if not has_values(evidence):
        return ()
    tasks = tasks_in(evidence)
    title = "Accuracy gap and similarity of languages by fusion layer, with 95 % intervals, and the paper's values"
    height = 2.3 * len(tasks)
    with plots.picture(folder, "equilibrium.svg", title, height=height, rows=len(tasks), columns=2) as panels:
        for row, task in enumerate(tasks):
            shown = (
                ("accuracy_gap", paper.accuracy_gap, "en, de minus rest (points)"),
                ("similarity", paper.similarity, "similarity (cosine)"),
            )
            for axes, (measure, reported, label) in zip(panels[2 * row : 2 * row + 2], shown, strict=True):
                plots.by_layer(axes, select(evidence, measure, task), label="here")
                plots.paper_points(axes, reported(task))
                axes.set(title=TASKS[task].title, xlabel="fusion layer x of D_x", ylabel=label)
        panels[0].legend()
    return ("equilibrium.svg",)
