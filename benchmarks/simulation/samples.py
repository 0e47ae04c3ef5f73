"""Measurements with a known truth, and the parts that a rule reads of them.

Each function draws D data sets for one claim and yields them one by one. The statistics are those of the analysis;
only the scores are made up. A score table has one noise of model x seed, a part of which the two halves of the
items do not share, and one of model x item, which all seeds share.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cache
from types import MappingProxyType
from typing import Any, NamedTuple

import numpy as np

from benchmarks.simulation.designs import DEV_CORRELATION, ITEM_SHARE, LAYERS, Design, Measured, TaskDesign
from claimtrack.evidence import Measurement
from crosslayer import stats
from crosslayer.paper import attention, families, layers, parts
from crosslayer.paper.transfer import correlation_interval
from crosslayer.predictions.models import Model
from crosslayer.stats import Floats, ScoreTable
from crosslayer.tasks import TASKS, TaskName

Gains = Mapping[str, float]
"""Points that a model gains over the baseline; none for models that are not named."""
N_PERMUTATIONS = 499
N_LAYERS = 13
"""Hidden states of the encoder, embeddings included."""
SMOOTHNESS = 0.97
"""Correlation of neighbouring layers: a trend."""
N_CHANNELS = 32
"""Independent ones of a module's weights."""
CORRELATED: Mapping[str, tuple[TaskName, ...]] = {
    "correlation_semantic": ("ner", "pos"), "correlation_structural": ("ner",),
}  # fmt: skip
"""Targets of C08 whose frozen probe is above chance."""
NOT_IN_TATOEBA = ("en", "ms", "my", "yo")
"""Of the languages of NER: C09 compares offsets from English over those of XTREME's Tatoeba sets."""


class Sample(NamedTuple):
    """One data set: the judged parts; the true value of each, NaN where it is the mean over data sets; facts."""

    parts: Sequence[Measurement]
    true: Sequence[float | None]
    facts: Mapping[str, float] = MappingProxyType({})


Sampler = Callable[[Any, Design, np.random.Generator, int], Iterator[Sample]]
"""From a truth, a design, random numbers and D."""


class Tables(NamedTuple):
    """Scores of one task."""

    dev: ScoreTable
    test: ScoreTable
    halves: tuple[ScoreTable, ScoreTable]


def score_tables(
    gains: Gains, models: tuple[str, ...], noise: Measured, rng: np.random.Generator, n: int
) -> Iterator[Tables]:
    """Scores of D data sets of one task: dev, test, and test on two halves of the items."""
    shape, seeds = (n, len(models), noise.seeds), tuple(range(noise.seeds))
    truth = np.array([gains.get(model, 0.0) for model in models])[:, None]
    trial = rng.standard_normal(shape)
    own = DEV_CORRELATION * trial + np.sqrt(1 - DEV_CORRELATION**2) * rng.standard_normal(shape)
    dev = truth + noise.run * own
    # the mean of two halves has half of their variance
    rest = noise.run * np.sqrt(2 * ITEM_SHARE) * rng.standard_normal((2, *shape))
    items = noise.items * rng.standard_normal((2, n, len(models), 1))
    halves = truth + noise.run * np.sqrt(1 - ITEM_SHARE) * trial + rest + items
    variance = noise.items**2 * (1 - np.eye(len(models)))

    def table(scores: Floats) -> ScoreTable:
        return ScoreTable(models, seeds, scores, variance)

    for on_dev, one, two in zip(dev, *halves, strict=True):
        yield Tables(table(on_dev), table((one + two) / 2), (table(one), table(two)))


def dev_selected(truth: Mapping[str, Gains], design: Design, rng: np.random.Generator, n: int) -> Iterator[Sample]:
    """C05."""
    for tables in _sweeps(truth, design.tasks, rng, n):
        found = {task: stats.dev_selected_gain(t.dev, t.test, _layers(t.test)) for task, t in tables.items()}
        yield _selected("dev_selected_gain", found, truth)


def cross_fitted(truth: Mapping[str, Gains], design: Design, rng: np.random.Generator, n: int) -> Iterator[Sample]:
    """C06."""
    for tables in _sweeps(truth, design.tasks, rng, n):
        found = {task: stats.cross_fitted_gain(t.test, _layers(t.test), t.halves) for task, t in tables.items()}
        yield _selected("cross_fitted_gain", found, truth)


def own_best_layers(
    truth: Mapping[str, Gains], design: Design, rng: np.random.Generator, n: int
) -> Iterator[Sample]:
    """C07, of the tasks that have two layers; without a part where they have fewer than two in common."""
    tasks = {task: about for task, about in design.tasks.items() if len(about.layers) > 1}
    common = [name for name in LAYERS if all(name in about.layers for about in tasks.values())]
    for tables in _sweeps(truth, tasks, rng, n):
        if len(tables) < 2 or len(common) < 2:
            yield Sample([], [])
            continue
        test, halves = {task: t.test for task, t in tables.items()}, {task: t.halves for task, t in tables.items()}
        differ = stats.task_by_layer_interaction(test, common)
        part = Measurement(
            measure="task_by_layer_interaction", estimate=differ.f, p_value=differ.p, unit="F",
            n_seeds=differ.n_seeds, judged=True,
        )  # fmt: skip
        own = stats.own_against_common(test, common, halves).gain
        yield Sample([part, parts.gain_part("own_over_common", own, judged=True)], [None, np.nan])


def supplements(
    truth: tuple[Mapping[str, Gains], Mapping[str, float]], design: Design, rng: np.random.Generator, n: int
) -> Iterator[Sample]:
    """C02: gains over `self`, and by task the per cent of errors that every layer mends beyond another seed.

    A table of shares is drawn apart from that of scores, so that the choice on dev is no luck of the shares.
    """
    gains, excess = truth
    shares = {
        task: score_tables(dict.fromkeys(about.layers, excess.get(task, 0.0)), about.models, about.shares, rng, n)
        for task, about in design.tasks.items()
        if about.shares
    }
    for tables in _sweeps(gains, design.tasks, rng, n):
        found, true = [], []
        for task, t in tables.items():
            if "self" in t.test.models:
                over = stats.dev_selected_gain(t.dev, t.test, _layers(t.test), baseline="self")
                found.append(parts.gain_part("dev_selected_minus_self", over.gain, task=task, judged=True))
                true.append(_mean_gain(over, gains.get(task, {})))
        for task, drawn in shares.items():
            share = next(drawn).test
            selected = stats.dev_selected_gain(tables[task].dev, tables[task].test, _layers(share))
            chosen = {seed: name for seed, name in selected.chosen.items() if seed in share.seeds}
            gain = stats.gain_of_choices(share, chosen, spread=selected.spread)
            about: dict[str, Any] = {"unit": "% of errors", "task": task, "judged": True}
            found.append(parts.gain_part("excess_complementarity", gain, **about))
            true.append(excess.get(task, 0.0))
        yield Sample(found, true)


def slopes(truth: Mapping[str, float], design: Design, rng: np.random.Generator, n: int) -> Iterator[Sample]:
    """C03: slopes by measure."""
    drawn = {
        key: truth[key[0]]
        + noise.run * rng.standard_normal((n, noise.seeds))
        + noise.items * rng.standard_normal((n, 1))
        for key, noise in design.slopes.items()
    }
    for place in range(n):
        found = [
            parts.gain_part(
                measure, stats.seed_gain(drawn[measure, task][place], noise.items**2), unit="a layer",
                task=task, judged=True,
            )
            for (measure, task), noise in design.slopes.items()
        ]  # fmt: skip
        yield Sample(found, [truth[measure] for measure, _ in design.slopes])


def calibration(truth: float, design: Design, rng: np.random.Generator, n: int) -> Iterator[Sample]:
    """Q01: points that the calibration error is higher after multilingual training, in every target."""
    arms = ("none", "english", "multilingual")
    drawn = [score_tables({"multilingual": truth}, arms, noise, rng, n) for noise in design.targets.values()]
    measure = "ece_multilingual_minus_english"
    for tables in zip(*drawn, strict=True):
        changes = [stats.gain(t.test, "multilingual", "english") for t in tables]
        overall = parts.gain_part(measure, stats.mean_gain(changes), judged=True)
        targets = [
            parts.gain_part(measure, change, task=task)
            for task, change in zip(design.targets, changes, strict=True)
        ]
        yield Sample([overall, *targets], [truth] * (1 + len(targets)))


def contrasts(truth: tuple[float, float], design: Design, rng: np.random.Generator, n: int) -> Iterator[Sample]:
    """C01: points by which retrieval is better in the lower and tagging in the upper half of the layers.

    The variance comes from resamples, so that it is known as a chi-squared of as many degrees of freedom.
    """
    sds = np.array([*design.contrasts.values()])
    df = layers.N_RESAMPLES - 1
    estimates = truth + sds * rng.standard_normal((n, len(sds)))
    variances = sds**2 * rng.chisquare(df, size=(n, len(sds))) / df
    for values, noise in zip(estimates.tolist(), variances.tolist(), strict=True):
        found = [
            Measurement(
                measure=measure, estimate=value, unit="points", interval=parts.normal_interval(value, variance),
                judged=True,
            )
            for measure, value, variance in zip(design.contrasts, values, noise, strict=True)
        ]  # fmt: skip
        yield Sample(found, truth)


def correlations(truth: float, design: Design, rng: np.random.Generator, n: int) -> Iterator[Sample]:
    """C08 at its worst: both features are one smooth series over the layers, of which every target shares a part
    such that their correlation is ``truth``."""
    for _ in range(n):
        feature, own = _smooth(rng), _smooth(rng)
        target = truth * feature + np.sqrt(1 - truth**2) * own
        about: dict[str, Any] = {
            "estimate": float(np.corrcoef(feature, target)[0, 1]), "unit": "correlation", "judged": True,
            "interval": correlation_interval(feature, target), "p_value": stats.circular_shift_p(feature, target),
        }  # fmt: skip
        found = [Measurement(measure=m, task=task, **about) for m, tasks in CORRELATED.items() for task in tasks]
        yield Sample(found, [None] * len(found))


def kinship(truth: float, design: Design, rng: np.random.Generator, n: int) -> Iterator[Sample]:
    """C09: how much more alike languages of one genus are, in sds of a pair's similarity; one script adds 1.

    Tested as in `families`, with fewer permutations.
    """
    labels = {kind: kin_labels(kind) for kind in (*families.KINDS, "script")}
    size, kinds = len(labels["script"]), families.KINDS
    same = {kind: found[:, None] == found for kind, found in labels.items()}
    floors = {f"smallest_p_{kind}": 1 / families.n_groupings(labels[kind], labels["script"]) for kind in kinds}
    for _ in range(n):
        noise = rng.standard_normal((size, size))
        matrix = (noise + noise.T) / np.sqrt(2) + same["script"] + truth * same["genus"]
        found = []
        for kind in kinds:
            null = families.kin_difference(matrix, _labellings(kind))
            observed = float(families.kin_difference(matrix, labels[kind]))
            test = families.PermutationTest(observed, null, stats.permutation_p(null, observed), 0.0, 0)
            measure = f"{kind}_similarity_difference"
            found.append(Measurement(measure=measure, unit="cosine", judged=True, **test.fields))
        yield Sample(found, [None, None], floors)


def modules(truth: float, design: Design, rng: np.random.Generator, n: int) -> Iterator[Sample]:
    """C13: mean square distance between the centres of two tasks, in the unit of a weight."""
    n_seeds, scatter = design.halves
    if n_seeds < 2 or len(scatter) < 2:
        yield from (Sample([], []) for _ in range(n))
        return
    centres = np.sqrt(truth / 2) * np.linalg.qr(np.ones((len(scatter), 1)), mode="complete")[0]
    shape = (2, len(scatter), n_seeds, N_CHANNELS)
    sd = np.array([*scatter.values()])[:, None, None]
    shift = np.zeros(shape[1:])
    shift[..., : len(scatter)] = np.sqrt(N_CHANNELS) * centres[:, None]
    floor = attention.smallest_p(len(scatter), n_seeds)
    for _ in range(n):
        weights = shift + sd * rng.standard_normal(shape)
        distances = attention.distances(weights)
        part = parts.gain_part(
            "between_minus_within", stats.pair_gain(attention.between_minus_within(distances)),
            unit=attention.UNIT, judged=True, p_value=attention.permutation_p(distances, rng, N_PERMUTATIONS),
        )  # fmt: skip
        yield Sample([part], [truth], {"smallest_p": floor})


def _sweeps(
    truth: Mapping[str, Gains], tasks: Mapping[str, TaskDesign], rng: np.random.Generator, n: int
) -> Iterator[dict[str, Tables]]:
    drawn = {
        task: score_tables(truth.get(task, {}), about.models, about.scores, rng, n)
        for task, about in tasks.items()
    }
    for _ in range(n):
        yield {task: next(tables) for task, tables in drawn.items()}


def _layers(table: ScoreTable) -> list[str]:
    return [model for model in table.models if Model(model).layer is not None]


def _selected(measure: str, found: Mapping[str, stats.SelectedGain], truth: Mapping[str, Gains]) -> Sample:
    return Sample(
        [parts.gain_part(measure, each.gain, task=task, judged=True) for task, each in found.items()],
        [_mean_gain(each, truth.get(task, {})) for task, each in found.items()],
    )


def _mean_gain(found: stats.SelectedGain, gains: Gains) -> float:
    """True gain of what was chosen, mean over seeds and halves."""
    by_seed = [[gains.get(name, 0.0) for name in names.split("/")] for names in found.chosen.values()]
    return float(np.mean([np.mean(halves) for halves in by_seed]))


def _smooth(rng: np.random.Generator) -> Floats:
    steps = rng.standard_normal(N_LAYERS)
    for place in range(1, N_LAYERS):
        steps[place] = SMOOTHNESS * steps[place - 1] + np.sqrt(1 - SMOOTHNESS**2) * steps[place]
    return steps


def kin_labels(kind: str) -> families.Labels:
    """Numbers (L,) of the genus, family or script of each language."""
    return families.numbers([code for code in TASKS["ner"].languages if code not in NOT_IN_TATOEBA], kind)


@cache
def _labellings(kind: str) -> families.Labels:
    rng = np.random.default_rng(0)
    return families.permuted_within(kin_labels(kind), kin_labels("script"), N_PERMUTATIONS, rng)
