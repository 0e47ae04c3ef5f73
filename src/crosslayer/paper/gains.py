"""Gains over the matched baseline (C05, C06): chosen on English dev, cross-fitted, and best on test.

CLAIMS: the first two are judged, the third is the paper's way, biased upward, and shown only.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import cache, partial
from pathlib import Path
from typing import Any

import numpy as np

from claimtrack.errors import ResultsError
from claimtrack.evidence import Evidence, Measurement
from claimtrack.registry import load_registry
from claimtrack.rules import SMALLEST_EFFECT
from crosslayer import stats
from crosslayer.config import Profile
from crosslayer.metrics.tagging import xtreme_pos_span_counts_v1
from crosslayer.paper import paper, plots
from crosslayer.paper.parts import (
    Facts,
    Fields,
    gain_fields,
    gain_of,
    gain_part,
    layers_of_seeds,
    make_evidence,
    mean_part,
    part_or_none,
    select,
    tasks_in,
)
from crosslayer.paper.scores import TaskScores, count_spans, load_sweep
from crosslayer.paper.variations import draw_variations, varied_parts
from crosslayer.predictions.models import BASELINE, CONTROLS, Model
from crosslayer.predictions.runs import Run
from crosslayer.tasks import TASKS

N_PERMUTATIONS = 10_000
ESTIMANDS = {
    "cross_fitted_gain": "cross-fitted",
    "dev_selected_gain": "chosen on dev",
    "best_on_test_gain": "best on test",
    "best_on_test_gain_without_effect": "the same without effect",
}


def measure(claim: str, run: Run, profile: Profile) -> Evidence:
    """The gains of every task: chosen on dev for C05, cross-fitted for C06."""
    sweep = load_sweep(run, profile)
    scored = list(sweep.tasks.values())
    judged, shown = (dev_selected, _shown_for_c05) if claim == "C05" else (cross_fitted, _shown_for_c06)
    parts = [judged(scores) for scores in scored] + [part for scores in scored for part in shown(scores)]
    parts += _over_tasks(parts[: len(scored)])
    keys = sweep.keys
    if claim == "C05":
        controlled = load_sweep(run, profile, needs=CONTROLS)
        parts += [part for scores in controlled.tasks.values() for part in _control_gains(scores)]
        parts += varied_parts(run, profile)
        keys = [*keys, *controlled.keys]
    facts: Facts = {"smallest_effect_of_interest": SMALLEST_EFFECT}
    for scores in scored:
        variance, df = stats.residual_variance(scores.test)
        if df:
            facts[f"seed_noise_{scores.task}"] = float(np.sqrt(variance))
    return make_evidence(claim, run, profile, parts, sweep.missing, keys, facts)


def dev_selected(scores: TaskScores) -> Measurement:
    """The test gain of the layer that English dev chooses."""
    return _selected("dev_selected_gain", scores, lambda: scores.chosen_on_dev(scores.test), "on dev")


def cross_fitted(scores: TaskScores) -> Measurement:
    """The gain of the layer that the other seeds' scores on half of the items choose, on the seed held out and the
    other half of the items."""

    def select() -> stats.SelectedGain:
        return stats.cross_fitted_gain(scores.test, scores.layers, scores.halves())

    return _selected("cross_fitted_gain", scores, select, "by other seeds on the other half of the items")


@cache
def claimed_range() -> tuple[float, float]:
    """Points that the paper claims to gain (C06)."""
    return load_registry().entries["C06"].claimed.bounds


def _selected(measure: str, scores: TaskScores, select: Callable[[], stats.SelectedGain], how: str) -> Measurement:
    def make() -> Fields:
        found = select()
        note = f"Layer chosen {scores.among} {how}: {layers_of_seeds(found.chosen)}."
        return gain_fields(found.gain, by_seed=found.by_seed.tolist(), n_items=scores.n_items, note=note)

    return part_or_none(measure, make, task=scores.task, judged=True)


def _shown_for_c05(scores: TaskScores) -> list[Measurement]:
    by_spans = _gains_by_spans(scores) if scores.task == "pos" else []
    return [
        *_model_gains(scores, scores.layers), *_language_gains(scores),
        _score("baseline_score", scores, TASKS[scores.task].metric), *by_spans, *_power(scores), *_beside(scores),
    ]  # fmt: skip


def _shown_for_c06(scores: TaskScores) -> list[Measurement]:
    return [*_best_on_test(scores), dev_selected(scores).model_copy(update={"judged": False})]


def _control_gains(scores: TaskScores) -> list[Measurement]:
    """The gain of every control over the baseline of its batch; of POS by the other rule too."""
    controls = [name for name in CONTROLS if name in scores.test.models]
    parts = _model_gains(scores, controls)
    if controls and scores.task == "pos":
        parts += _model_gains(_by_spans(scores), controls, paper.BY_SPANS)
    return parts


def _model_gains(scores: TaskScores, models: Sequence[Model], rule: str = "") -> list[Measurement]:
    """The gain of each model over the baseline, of layers with p after Holm's correction over the layers; ``rule``
    ends the names of the measures."""
    parts = []
    for model in models:
        measure = ("control_gain" if model.layer is None else "layer_gain") + rule
        make = partial(_model_gain, scores, model)
        parts.append(part_or_none(measure, make, task=scores.task, layer=model.layer, model=model))
    tested = [place for place, part in enumerate(parts) if part.layer is not None and part.p_value is not None]
    corrected = stats.holm(np.array([parts[place].p_value for place in tested]))
    for place, p in zip(tested, corrected.tolist(), strict=True):
        parts[place] = parts[place].model_copy(update={"p_adjusted": p})
    return parts


def _model_gain(scores: TaskScores, model: Model) -> Fields:
    """Of a control with the lower layer that it takes, if any."""
    layers = sorted({record.layer for record in scores.table.records if record.model == model and record.layer})
    note = f"Its lower layer: {', '.join(map(str, layers))}." if layers and model.layer is None else ""
    return gain_fields(stats.gain(scores.test, model), n_items=scores.n_items, note=note)


def _power(scores: TaskScores) -> list[Measurement]:
    """What these seeds find of the smallest claimed gain and of the smallest of interest."""

    def make(effect: float) -> Fields:
        power, seeds = stats.power(scores.test, scores.layers, effect)
        enough = f"{seeds} seeds would find it in 80 %."
        if not seeds:
            enough = f"Even {stats.MAX_SEEDS} seeds would not find it in 80 %: the test items leave more noise."
        note = f"Chance to find a true gain of {effect:g} points of one layer named beforehand. {enough}"
        n_seeds = len(scores.test.seeds)
        return {"estimate": 100 * power, "n_seeds": n_seeds, "n_items": scores.n_items, "note": note}

    return [
        part_or_none(f"power_at_{effect:g}_points", partial(make, effect), unit="%", task=scores.task)
        for effect in (claimed_range()[0], SMALLEST_EFFECT)
    ]


def _beside(scores: TaskScores) -> list[Measurement]:
    """How often D_x wins a pair of runs, and how much a significant estimate of the claimed gain exaggerates."""
    try:
        found = scores.chosen_on_dev(scores.test).gain
    except ResultsError:
        return []
    residual, df = stats.residual_variance(scores.test)
    error, error_df = found.standard_error, found.df
    if not df or not error or not error_df:
        return []
    effect = claimed_range()[0]
    about: dict[str, Any] = {"task": scores.task, "n_seeds": found.n_seeds, "n_items": scores.n_items}
    return [
        Measurement(
            measure="probability_of_winning_a_pair", estimate=100 * stats.win_probability(found, residual),
            unit="%", **about,
            note="Chance that a run of the dev-selected D_x beats a run of the baseline; 50 without effect.",
        ),
        Measurement(
            measure=f"exaggeration_at_{effect:g}_point", estimate=stats.exaggeration(effect, error, error_df),
            unit="times", **about,
            note=f"A significant estimate of a true gain of {effect:g} point is on average this much too large.",
        ),
    ]  # fmt: skip


def _over_tasks(judged: list[Measurement]) -> list[Measurement]:
    """The mean of the tasks' gains, which share no random numbers; the note has the paper's."""
    gains = [part for part in judged if part.estimate is not None]
    if len(gains) < 2:
        return []
    tasks = [task for task in TASKS if task in {part.task for part in gains}]
    reported = np.mean([max(paper.layer_gains(task).values()) for task in tasks])
    names = ", ".join(TASKS[task].title for task in tasks)
    by_f1 = " (POS by F1)" if "pos" in tasks else ""
    note = f"Mean over {names}; never judged. The paper's best layers gain {reported:.2f} there on average{by_f1}."
    return [gain_part(f"mean_{judged[0].measure}", stats.mean_gain([gain_of(part) for part in gains]), note=note)]


def _language_gains(scores: TaskScores) -> list[Measurement]:
    """The dev-selected gain in each language."""

    def make(code: str) -> Fields:
        return gain_fields(scores.chosen_on_dev(scores.language_table(code)).gain)

    measure, n_items = "dev_selected_gain_in_language", np.bincount(scores.units.language).tolist()
    return [
        part_or_none(measure, partial(make, code), task=scores.task, language=code, n_items=n)
        for code, n in zip(scores.table.languages, n_items, strict=True)
    ]


def _by_spans(scores: TaskScores) -> TaskScores:
    """Test scores of POS by the span F1 on bare tags, the rule that XTREME and the paper report."""
    counts = count_spans(scores.table, scores.units, xtreme_pos_span_counts_v1)
    return replace(scores, test=scores.rescored(counts, scores.units, "spans"))


def _gains_by_spans(scores: TaskScores) -> list[Measurement]:
    """The baseline's score of POS and the gains over it by the paper's rule, not judged.

    The layer is chosen as for the judged gain, by token accuracy on English dev.
    """
    rule, spans = paper.BY_SPANS, _by_spans(scores)
    selected = _selected(f"dev_selected_gain{rule}", scores, lambda: spans.chosen_on_dev(spans.test), "on dev")
    baseline = _score(f"baseline_score{rule}", spans, "xtreme_pos_span_f1_v1")
    return [baseline, selected.model_copy(update={"judged": False}), *_model_gains(spans, spans.layers, rule)]


def _score(measure: str, scores: TaskScores, metric: str) -> Measurement:
    """The baseline's score."""
    values = scores.test.scores[scores.test.rows([BASELINE])[0]]
    return mean_part(
        measure, "points", values[np.isfinite(values)], task=scores.task, model=BASELINE,
        n_items=scores.n_items, note=f"{metric}, mean over languages.",
    )  # fmt: skip


def _best_on_test(scores: TaskScores) -> list[Measurement]:
    """The paper's way with its p-value, and what it gives where no layer has an effect."""
    layers = scores.comparable

    def make() -> Fields:
        found = stats.best_on_test_gain(scores.test, layers)
        p = None
        if found.gain.n_seeds > 1:
            p = stats.max_statistic_p(scores.test, layers, N_PERMUTATIONS, scores.generator("best"))
        note = f"{found.overall}, the best on the test sets {scores.among}: biased upward; p by permutation."
        return {
            "layer": Model(found.overall).layer, "model": found.overall, "estimate": found.gain.estimate,
            "p_value": p, "n_seeds": found.gain.n_seeds, "n_items": scores.n_items, "note": note,
        }  # fmt: skip

    best = part_or_none("best_on_test_gain", make, task=scores.task)
    variance, df = stats.residual_variance(scores.test)
    if best.estimate is None or not df or len(layers) < 2:
        return [best]
    noise = float(np.sqrt(variance))
    without_effect = Measurement(
        measure="best_on_test_gain_without_effect", task=scores.task, unit="points", n_seeds=best.n_seeds,
        estimate=stats.null_best_gain(noise, len(layers), best.n_seeds),
        note=f"Its mean where no layer has an effect, at a seed noise of {noise:.2f} points.",
    )  # fmt: skip
    return [best, without_effect]


def gains_by_language(scores: TaskScores) -> stats.Floats:
    """Mean gain over the baselines of the same seeds, (layers, languages) in points; NaN without such a seed."""
    rows = scores.test.rows([BASELINE, *scores.layers])
    gains = np.ma.masked_invalid(scores.by_language[rows[1:]] - scores.by_language[rows[0]])
    return np.asarray(gains.mean(axis=1).filled(np.nan), dtype=np.float64)


def figures(evidence: Evidence, run: Run, profile: Profile, folder: Path) -> tuple[str, ...]:
    """Gains of each layer, of each language and, with several layers, of each in each; or the three estimands."""
    if evidence.claim == "C06":
        return (_draw_estimands(evidence, folder),)
    title = "Dev-selected gain in each language, with 95 % intervals"
    parts = {task: select(evidence, "dev_selected_gain_in_language", task) for task in tasks_in(evidence)}
    by_language = plots.languages_picture(folder, "gain_by_language.svg", title, parts, "gain")
    drawn = (_draw_layers(evidence, folder), by_language, *draw_variations(evidence, folder))
    heat = [scores for scores in load_sweep(run, profile).tasks.values() if len(scores.layers) > 1]
    return (*drawn, _draw_languages_by_layer(heat, folder)) if heat else drawn


def _draw_layers(evidence: Evidence, folder: Path) -> str:
    """The gain of each layer, one panel a task, with the paper's."""
    tasks = tasks_in(evidence)
    title = "Gain over the baseline by fusion layer, with 95 % intervals, and the paper's, but for POS (span F1)"
    rows = (len(tasks) + 1) // 2
    with plots.picture(folder, "gain_by_layer.svg", title, height=2.4 * rows, rows=rows, columns=2) as panels:
        for axes, task in zip(panels, tasks, strict=False):
            plots.by_layer(axes, select(evidence, "layer_gain", task), label="here")
            plots.paper_points(axes, paper.comparable_gains(task))
            plots.zero_line(axes)
            axes.set(title=TASKS[task].title, xlabel="fusion layer x of D_x", ylabel="gain (points)")
        panels[0].legend()
        plots.hide_rest(panels, len(tasks))
    return "gain_by_layer.svg"


def _draw_languages_by_layer(tasks: list[TaskScores], folder: Path) -> str:
    """The gain of each layer in each language, one panel a task; languages by their mean gain."""
    name, title = "gain_by_language_and_layer.svg", "Gain over the baseline by language and fusion layer"
    height = sum(0.7 + 0.2 * len(scores.table.languages) for scores in tasks)
    heights = [len(scores.table.languages) + 3 for scores in tasks]
    with plots.picture(folder, name, title, height=height, rows=len(tasks), heights=heights) as panels:
        for axes, scores in zip(panels, tasks, strict=True):
            found = gains_by_language(scores).T
            order = np.argsort(-np.nan_to_num(found).mean(axis=1), kind="stable")
            languages = [scores.table.languages[place] for place in order]
            plots.diverging(axes, found[order], languages, [str(model.layer) for model in scores.layers])
            label = "fusion layer x of D_x; cells: gain (points), colours by the largest of the task"
            axes.set(title=TASKS[scores.task].title, xlabel=label)
    return name


def _draw_estimands(evidence: Evidence, folder: Path) -> str:
    """Cross-fitted, dev-selected and best-on-test gain, and what the last gives without any effect."""
    rows = plots.rows_of(evidence, ESTIMANDS)
    for place, row in enumerate(rows):
        if row.part.measure == "best_on_test_gain":
            reported = paper.comparable_gains(str(row.part.task)).values()
            rows[place] = replace(row, reported=max(reported, default=None))
    title = "Three gains for each task, the claimed range, and the paper's best on test, but for POS (span F1)"
    unit = "gain (points); band: claimed range, diamonds: the paper"
    return plots.forest_picture(folder, "estimands.svg", title, rows, unit, claimed_range())
