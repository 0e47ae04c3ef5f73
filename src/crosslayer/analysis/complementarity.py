"""Whether earlier layers supplement the last one (C02): against equal parameters, and against another seed.

Excess complementarity asks whether D_x mends errors that a mere change of seed would not. For the errors of the
baseline with seed s it takes the trials of every other seed t, of D_x and of the baseline alike, so that neither
shares data order, head or dropout with the trial whose errors are to be mended:

    mean over t != s of (share of errors that D_x, seed t, has right - share that the baseline, seed t, has right)

An error is a wrong label of a pair or a word; shares are taken within a language, then averaged over languages.
Every pair (s, t) shares a seed with others, as s or as t, so that intervals leave a seed out of both parts
(`stats.pair_pseudo_values`); they need three seeds.

Notation: S seeds, N rows, U units, L languages.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from crosslayer import stats
from crosslayer.analysis.parts import (
    gain_part,
    generator,
    has_values,
    make_evidence,
    pair_gain,
    part_or_none,
    select,
    tasks_in,
)  # fmt: skip
from crosslayer.analysis.scores import BASELINE, N_RESAMPLES, Counts, TaskScores, load_sweep
from crosslayer.claims.evidence import Evidence, Part
from crosslayer.config import Profile
from crosslayer.errors import ResultsError
from crosslayer.predictions import Run
from crosslayer.stats import Floats
from crosslayer.tasks import TASKS

Bools = npt.NDArray[np.bool_]
LABELS = {
    "dev_selected_minus_self": "D_x minus self",
    "excess_complementarity": "excess complementarity",
    "excess_complementarity_of_self": "the same of self",
}
SHARES = {
    "errors_mended_by_layer": "errors mended by D_x",
    "errors_mended_by_seed": "errors mended by another seed",
    "right_answers_broken_by_layer": "right answers broken by D_x",
    "right_answers_broken_by_seed": "right answers broken by another seed",
}


def measure(claim: str, run: Run, profile: Profile) -> Evidence:
    """Both measures of every task, then the shares that the second is made of."""
    sweep = load_sweep(run, profile)
    scored = list(sweep.tasks.values())
    parts = [_minus_self(scores) for scores in scored] + [_excess_of_layers(scores) for scores in scored]
    parts += [part for scores in scored for part in _shown(scores)]
    return make_evidence(claim, run, profile, parts, sweep.missing, sweep.keys)


def figures(evidence: Evidence, run: Run, profile: Profile, folder: Path) -> tuple[str, ...]:
    """All measures with their intervals; what is mended beside what is broken."""
    if not has_values(evidence):
        return ()
    drawn = _draw(evidence, folder)
    return (drawn, _draw_shares(evidence, folder)) if select(evidence, next(iter(SHARES))) else (drawn,)


@dataclass(frozen=True, eq=False)
class Mended:
    """Errors of each baseline trial, and what other trials make of them.

    Attributes:
        counts: (S, U, 3) mean number of errors that the model's trials of other seeds mend, the same for the
            baseline's, and errors.
        mended: (2, S, S) points, mean over languages: of the errors with seed s, those that the model with seed t
            mends, and that the baseline with seed t mends.
        broken: (2, S, S) points: what the baseline has right and the model has wrong, or another seed of itself.
    """

    counts: Floats
    mended: Floats
    broken: Floats

    @property
    def excess(self) -> Floats:
        """(S, S) points."""
        return np.asarray(self.mended[0] - self.mended[1])


def mended(scores: TaskScores, chosen: Mapping[int, str]) -> Mended:
    """Errors of the baseline that another seed's model mends.

    Args:
        chosen: the model of each seed; all of them, and the baseline, have a trial.

    Raises:
        ResultsError: fewer than two seeds.
    """
    if len(chosen) < 2:
        raise ResultsError(
            "excess complementarity compares with another seed of the baseline: run 2 seeds or more"
        )
    rows = [[scores.grid.row[chosen[seed], seed], scores.grid.row[BASELINE, seed]] for seed in chosen]
    right = scores.table.predicted[np.array(rows)] == scores.table.gold
    by_all = right.sum(axis=0, dtype=np.int16)
    n_others = len(chosen) - 1
    counts = np.empty((len(chosen), scores.n_items, 3))
    for place, own in enumerate(right):
        counts[place] = _among(scores, ~own[1], by_all - own, n_others)
    return Mended(counts, _shares(scores, ~right[:, 1], right), _shares(scores, right[:, 1], ~right))


def _among(scores: TaskScores, rows: Bools, hits: Counts, n_trials: int) -> Floats:
    """(U, 3): among some rows (N,), mean hits (2, N) a trial of the model and of the baseline, and rows."""
    per_trial = scores.units.sums(hits * rows).T / n_trials
    return np.concatenate([per_trial, scores.units.sums(rows)[:, None]], axis=1)


def _shares(scores: TaskScores, among: Bools, hits: Bools) -> Floats:
    """Points (2, S, S), mean over languages: of the rows ``among`` (S, N) of a seed, those that model and baseline
    of another seed hit, (S, 2, N); 0 where a language has no such row."""
    order = np.argsort(scores.table.language, kind="stable")
    among, hits = among[:, order], hits[..., order]
    begin = np.flatnonzero(np.diff(scores.table.language[order], prepend=-1))
    sums = [np.add.reduceat(hits.transpose(1, 0, 2) & rows, begin, axis=-1, dtype=np.int64) for rows in among]
    total = np.add.reduceat(among, begin, axis=-1, dtype=np.int64)
    rows_of = total[None, :, None]  # (1, S, 1, L)
    hit = np.stack(sums, axis=1)  # (2, S, S, L)
    return np.asarray(np.divide(100 * hit, rows_of, out=np.zeros(hit.shape), where=rows_of > 0).mean(axis=-1))


def _share(sums: Floats, column: int) -> Floats:
    """Points (...,) of the errors that are mended, 0 where there is no error."""
    errors = sums[..., 2]
    return np.divide(100 * sums[..., column], errors, out=np.zeros_like(errors), where=errors > 0)


def _minus_self(scores: TaskScores) -> Part:
    def make() -> Part:
        if "self" not in scores.test.models:
            raise ResultsError(
                f"{TASKS[scores.task].title}: no control `self` was trained to an end; add it to sweep.controls"
            )
        found = stats.dev_selected_gain(scores.dev, scores.test, scores.layers, baseline="self")
        note = f"Over the control of equal parameters; chosen on dev: {found.overall}."
        return gain_part(
            "dev_selected_minus_self", found.gain, task=scores.task, judged=True, n_items=scores.n_items, note=note
        )

    return part_or_none("dev_selected_minus_self", make, task=scores.task, judged=True)


def _excess_of_layers(scores: TaskScores) -> Part:
    def make() -> Part:
        chosen = stats.dev_selected_gain(scores.dev, scores.test, scores.layers).chosen
        return _excess("excess_complementarity", scores, chosen, judged=True)

    return part_or_none(
        "excess_complementarity", make, task=scores.task, judged=True, n_seeds=len(scores.test.seeds)
    )


def _excess(measure: str, scores: TaskScores, chosen: Mapping[int, str], judged: bool = False) -> Part:
    found = mended(scores, chosen)
    rng = generator("mended", scores.task)
    resampled = stats.bootstrap_scores(
        found.counts, scores.units.language, scores.units.cluster,
        lambda sums: _share(sums, 0) - _share(sums, 1), N_RESAMPLES, rng,
    )  # fmt: skip
    gain = pair_gain(found.excess, float(resampled.mean(axis=0).var(ddof=1)))
    return gain_part(measure, gain, task=scores.task, judged=judged, n_items=scores.n_items)


def _shown(scores: TaskScores) -> list[Part]:
    """Errors mended and right answers broken, and the excess of the control `self`: what capacity alone does."""
    try:
        chosen = stats.dev_selected_gain(scores.dev, scores.test, scores.layers).chosen
        found = mended(scores, chosen)
    except ResultsError:
        return []
    shares = dict(zip(SHARES, [*found.mended, *found.broken], strict=True))
    parts = []
    for measure, values in shares.items():
        parts.append(gain_part(measure, pair_gain(values), task=scores.task, n_items=scores.n_items, p_value=None))
    seeds = [seed for seed in chosen if ("self", seed) in scores.grid.row]
    if len(seeds) > 1:
        parts.append(_excess("excess_complementarity_of_self", scores, dict.fromkeys(seeds, "self")))
    return parts


def _draw(evidence: Evidence, folder: Path) -> str:
    from crosslayer.analysis import plots

    rows = [
        plots.Row(f"{TASKS[task].title}, {label}", part)
        for measure, label in LABELS.items()
        for task in tasks_in(evidence)
        for part in select(evidence, measure, task)
    ]
    title = "Gain over the control of equal parameters, and excess complementarity, with 95 % intervals"
    with plots.picture(folder, "complementarity.svg", title, height=plots.forest_height(len(rows))) as (axes,):
        plots.forest(axes, rows, "points")
    return "complementarity.svg"


def _draw_shares(evidence: Evidence, folder: Path) -> str:
    from crosslayer.analysis import plots

    rows = [
        plots.Row(f"{TASKS[task].title}, {label}", part)
        for task in tasks_in(evidence)
        for measure, label in SHARES.items()
        for part in select(evidence, measure, task)
    ]
    title = "Errors of the baseline that are mended, and right answers that are broken, with 95 % intervals"
    with plots.picture(folder, "mended_and_broken.svg", title, height=plots.forest_height(len(rows))) as (axes,):
        plots.forest(axes, rows, "% of the baseline's errors, or of its right answers")
    return "mended_and_broken.svg"
