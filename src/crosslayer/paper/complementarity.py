"""Whether earlier layers supplement the last one (C02): against equal parameters, and against another seed.

Excess complementarity asks whether D_x mends errors that a mere change of seed would not. A trial of seed t is
held against the errors of the baselines of every other seed s, so that the two share neither data order nor head
nor dropout:

    mended[m, t] = mean over s != t of the share of the errors of baseline s that model m, seed t, has right

The excess is the gain of D_x over the baseline in this table of shares, in per cent of errors; its interval comes
from the model of all gains (`crosslayer.stats.tables`). An error is a wrong label of a pair or a word; shares are
taken within a language, then averaged over languages.

Notation: M models, S seeds, N rows, U units, L languages.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import numpy.typing as npt

from claimtrack.errors import ResultsError
from claimtrack.evidence import Evidence, Measurement
from crosslayer import stats
from crosslayer.config import Profile
from crosslayer.metrics.classification import share_from_counts
from crosslayer.paper import plots
from crosslayer.paper.parts import Fields, gain_fields, layers_of_seeds, make_evidence, mean_part, part_or_none
from crosslayer.paper.scores import TaskScores, load_sweep
from crosslayer.predictions.models import BASELINE
from crosslayer.predictions.runs import Run
from crosslayer.stats import Floats, ScoreTable
from crosslayer.tasks import TASKS

Bools = npt.NDArray[np.bool_]
UNIT = "% of errors"
LABELS = {
    "dev_selected_minus_self": "D_x minus self (points)",
    "excess_complementarity": "extra errors fixed, beyond what a new seed fixes (%)",
    "excess_complementarity_of_self": "the same of self (%)",
}
SHARES = {
    "errors_mended_by_layer": "errors mended by D_x",
    "errors_mended_by_seed": "errors mended by another seed",
    "right_answers_broken_by_layer": "right answers broken by D_x",
    "right_answers_broken_by_seed": "right answers broken by another seed",
}


def measure(claim: str, run: Run, profile: Profile) -> Evidence:
    """Both measures of every task, then the shares that the second is made of."""
    sweep = load_sweep(run, profile, needs=["self"])
    scored = list(sweep.tasks.values())
    parts = [_minus_self(scores) for scores in scored] + [_excess_of_layers(scores) for scores in scored]
    parts += [part for scores in scored for part in _shown(scores)]
    return make_evidence(claim, run, profile, parts, sweep.missing, sweep.keys)


def mended(scores: TaskScores) -> ScoreTable:
    """Errors of the baselines of other seeds that each trial has right, in per cent of them.

    Raises:
        ResultsError: fewer than two seeds have a baseline.
    """
    right, others = _right(scores), _other_baselines(scores)
    wrong = ~right[scores.test.models.index(BASELINE)]
    weights = others @ wrong.astype(np.int16)  # (S, N): how many other baselines are wrong
    hits = scores.units.sums(weights * right)
    counts = np.stack([hits, np.broadcast_to(scores.units.sums(weights), hits.shape)], axis=-1).astype(np.float64)
    counts[scores.row < 0] = np.nan
    where = scores.units.language, scores.units.cluster
    variance = stats.item_variance(counts, *where, share_from_counts, scores.generator("mended"))
    return replace(scores.test, scores=_shares(scores, wrong, right, others), item_variance=variance)


def broken(scores: TaskScores) -> Floats:
    """(M, S) per cent of the right answers of the baselines of other seeds that each trial has wrong."""
    right = _right(scores)
    return _shares(scores, right[scores.test.models.index(BASELINE)], ~right, _other_baselines(scores))


def _right(scores: TaskScores) -> Bools:
    """(M, S, N) which rows each trial has right; all False where there is no trial."""
    right = (scores.table.predicted == scores.table.gold)[scores.row]
    return np.asarray(right & (scores.row >= 0)[..., None])


def _other_baselines(scores: TaskScores) -> npt.NDArray[np.int16]:
    """(S, S) 1 where a seed (row) is held against the baseline of another one (column)."""
    there = scores.row[scores.test.models.index(BASELINE)] >= 0
    if there.sum() < 2:
        raise ResultsError(
            "excess complementarity compares with another seed of the baseline: run 2 seeds or more"
        )
    return np.asarray(there & ~np.eye(len(there), dtype=bool)).astype(np.int16)


def _shares(scores: TaskScores, among: Bools, hits: Bools, others: npt.NDArray[np.int16]) -> Floats:
    """(M, S) per cent, mean over languages and other baselines, of the rows ``among`` (S, N) that a trial hits, of
    ``hits`` (M, S, N); NaN where there is no trial, 0 where a language has no such row."""
    n_models, n_seeds = hits.shape[:2]
    total = np.zeros((n_models, n_seeds, n_seeds))
    codes = range(len(scores.table.languages))
    for code in codes:
        here = scores.table.language == code
        rows = among[:, here].astype(np.float32)
        shared = hits[:, :, here].astype(np.float32) @ rows.T  # (M, S, S): trial against baseline
        total += np.divide(100 * shared, rows.sum(axis=1), out=np.zeros(shared.shape), where=rows.any(axis=1))
    shares = (total / len(codes) * others).sum(axis=-1) / others.sum(axis=1)
    return np.where(np.isfinite(scores.test.scores), shares, np.nan)


def _minus_self(scores: TaskScores) -> Measurement:
    def make() -> Fields:
        if "self" not in scores.test.models:
            raise ResultsError(
                f"{TASKS[scores.task].title}: the control `self` was not trained; add it to sweep.controls"
            )
        found = scores.chosen_on_dev(scores.test, baseline="self")
        chosen = f"chosen on dev {scores.among}: {layers_of_seeds(found.chosen)}"
        note = f"Over the control of equal parameters; {chosen}."
        return gain_fields(found.gain, by_seed=found.by_seed.tolist(), n_items=scores.n_items, note=note)

    return part_or_none("dev_selected_minus_self", make, task=scores.task, judged=True)


def _excess_of_layers(scores: TaskScores) -> Measurement:
    def make() -> Fields:
        selected = scores.chosen_on_dev(scores.test)
        gain = stats.gain_of_choices(mended(scores), selected.chosen, spread=selected.spread)
        return gain_fields(gain, n_items=scores.n_items)

    return part_or_none("excess_complementarity", make, unit=UNIT, task=scores.task, judged=True)


def _shown(scores: TaskScores) -> list[Measurement]:
    """Errors mended and right answers broken, and the excess of the control `self`: what capacity alone does."""
    try:
        chosen, table = scores.chosen_on_dev(scores.test).chosen, mended(scores)
        columns = table.columns(list(chosen))
        rows = table.rows([*chosen.values()]), table.rows([BASELINE] * len(chosen))
    except ResultsError:
        return []
    values = [share[row, columns] for share in (table.scores, broken(scores)) for row in rows]
    parts = [
        mean_part(measure, UNIT if "errors" in measure else "% of right answers", found, task=scores.task)
        for measure, found in zip(SHARES, values, strict=True)
    ]
    if "self" in table.models:
        parts.append(
            part_or_none(
                "excess_complementarity_of_self", lambda: gain_fields(stats.gain(table, "self")), unit=UNIT,
                task=scores.task,
            )
        )  # fmt: skip
    return parts


def figures(evidence: Evidence, run: Run, profile: Profile, folder: Path) -> tuple[str, ...]:
    """All measures with their intervals; what is mended beside what is broken."""
    rows = [row for measure, label in LABELS.items() for row in plots.rows_of(evidence, {measure: label})]
    title = "Gain over the control of equal parameters, and extra errors fixed, with 95 % intervals"
    drawn = [plots.forest_picture(folder, "complementarity.svg", title, rows, "points, or % of errors")]
    if shares := plots.rows_of(evidence, SHARES):
        title = "Errors of the baseline that are mended, and right answers that are broken, with 95 % intervals"
        unit = "% of the baseline's errors, or of its right answers"
        drawn.append(plots.forest_picture(folder, "mended_and_broken.svg", title, shares, unit))
    return tuple(drawn)
