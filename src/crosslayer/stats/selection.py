"""The three estimands: the gain of a layer that dev scores, other seeds, or the test scores themselves choose;
and what a task's own layer wins over a common one.

Comparisons of several models use the seeds that have all of them, and leave out a candidate that succeeded at
fewer than three seeds or nearly collapsed (`comparable`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import numpy.typing as npt
from scipy.special import ndtr

from claimtrack.errors import ResultsError
from claimtrack.statistics import MIN_SEEDS
from crosslayer.stats.tables import (
    BASELINE,
    Floats,
    Gain,
    Indices,
    ScoreTable,
    gain_of_choices,
    gains_by_seed,
    item_variance_of,
    known_gain,
    residual_variance,
    welch_df,
)

MIN_SEEDS_OF_TWO_FOLDS = 10
"""From here on two folds of seeds take turns: leaving one seed out costs more the more seeds there are, since
the choices then rest on nearly the same seeds: the variance is 1.9 times that of fixed choices at 5, 3.4 times
at 20."""


@dataclass(frozen=True)
class SelectedGain:
    """A gain of selected models.

    Attributes:
        gain: the gain over the baseline.
        by_seed: (S,) the gain at each seed; their mean is the estimate.
        chosen: seed -> the model that was scored on it; two with a stroke between where halves of the items chose
            differently.
        overall: the model that the selection scores name when all seeds are used, for display.
        spread: how much the choices vary, for another gain of the same choices (`gain_of_choices`).
    """

    gain: Gain
    by_seed: Floats
    chosen: dict[int, str]
    overall: str
    spread: float = 2.0


def dev_selected_gain(
    dev: ScoreTable, test: ScoreTable, candidates: Sequence[str], baseline: str = BASELINE
) -> SelectedGain:
    """Test gain of the candidate that the dev scores choose.

    Each seed is scored with the candidate of best mean dev score over the *other* seeds: a trial that is
    lucky on dev is lucky on test too, and choosing on the same trials would show a gain where there is none
    (1.6 r sd / sqrt(S) for 11 layers and a dev-test correlation r). A single seed chooses for itself.

    Where the choice differs between seeds, seeds choose from each other's noise, as far as dev and test share it:
    the seed variance is then r (1 + k) / S, with k simulated at the correlation of the two residuals.
    """
    names, seeds = complete([dev, test], candidates, baseline)
    scores, n_seeds = dev.cells(names, seeds), len(seeds)
    choices = chosen_by_others(scores, ~np.eye(n_seeds, dtype=bool))
    chosen = {seed: names[choice] for seed, choice in zip(seeds, choices, strict=True)}
    spread = 2.0
    if len(set(chosen.values())) > 1:
        shared = _residual_correlation(scores, test.cells(names, seeds))
        spread = 1 + _fold_variance(len(names), n_seeds, round(shared, 1), two_folds=False)
    found, by_seed = gain_of_choices(test, chosen, baseline, spread), gains_by_seed(test, chosen, baseline)
    return SelectedGain(found, by_seed, chosen, names[int(scores.mean(axis=1).argmax())], spread)


def cross_fitted_gain(
    test: ScoreTable, candidates: Sequence[str], halves: tuple[ScoreTable, ScoreTable]
) -> SelectedGain:
    """Test gain of the candidate chosen by the test scores of other seeds on the other half of the items.

    Below ten seeds all other seeds choose, from then on those of the other fold (`choosing_seeds`). Folds choose
    from each other's scores, so the estimate varies more than a gain of fixed layers; its seed variance is
    r (1 + k) / S, with k from 20,000 simulated tables without layer effects (the worst case).

    The two halves of the items take turns: one chooses, the other is scored. On the same items a layer that is
    lucky on them would be chosen and scored at every seed: no effect at all then shows as a gain of about 0.3
    points at item noise of 0.3. Half of the items has twice the item variance, and the mean of two halves half of
    that.
    """
    names, seeds = complete([test], candidates, BASELINE)
    if len(seeds) < 2:
        raise ResultsError(f"cross-fitting needs 2 seeds with all of {', '.join(names)}: run more seeds")
    columns, base = test.columns(seeds), int(test.rows([BASELINE])[0])
    choices = [chosen_by_others(half.cells(names, seeds), choosing_seeds(len(seeds))) for half in halves]
    gains, items = [], []
    for chosen, scored in zip(choices, halves[::-1], strict=True):
        rows = test.rows(names)[chosen]
        gains.append(scored.scores[rows, columns] - scored.scores[base, columns])
        items.append(item_variance_of(test, np.bincount(rows, minlength=len(test.models)) / len(rows), base))
    residual, df = residual_variance(test)
    n = len(seeds)
    seed_part = (1 + _fold_variance(len(names), n, 1.0, two_folds=True)) * residual / n
    found = known_gain(float(np.mean(gains)), n, seed_part, df, float(np.mean(items)))
    overall = names[int(test.cells(names, seeds).mean(axis=1).argmax())]
    return SelectedGain(found, np.mean(gains, axis=0), _choices(seeds, names, choices), overall)


def own_against_common(
    tables: Mapping[str, ScoreTable], layers: Sequence[str], halves: Mapping[str, tuple[ScoreTable, ScoreTable]]
) -> SelectedGain:
    """Points that each task's own best layer wins over one common layer, mean over tasks.

    Both are chosen by other seeds on the other of the two ``halves`` of the items, as in `cross_fitted_gain` (own:
    best mean of the task; common: best mean over tasks), and compared on what did not choose. The interval takes
    own and common layer as two different trials at every seed and task, so it keeps its width where they happen to
    be the same, and is wider where folds that choose from each other's scores vary more (`_switch_spread`).
    `chosen` has the common layer.
    """
    names, seeds = complete(list(tables.values()), layers)
    check_two_of_each(len(tables), len(names), len(seeds))
    scores = np.stack([table.cells(names, seeds) for table in tables.values()])  # (T, L, S)
    one, two = (np.stack([halves[task][k].cells(names, seeds) for task in tables]) for k in (0, 1))
    column, choosing = np.arange(len(seeds)), choosing_seeds(len(seeds))
    commons, won, items = [], [], []
    for selection, scored in ((one, two), (two, one)):
        common = chosen_by_others(selection.mean(axis=0), choosing)
        commons.append(common)
        for place, table in enumerate(tables.values()):
            own, rows = chosen_by_others(selection[place], choosing), table.rows(names)
            won.append(scored[place][own, column] - scored[place][common, column])
            counts = [np.bincount(rows[choice], minlength=len(table.models)) for choice in (own, common)]
            items.append(item_variance_of(table, (counts[0] - counts[1]) / len(seeds), int(rows[0])))
    residuals, dfs = zip(*(residual_variance(table) for table in tables.values()), strict=True)
    n_tasks, n_seeds = len(tables), len(seeds)
    seed_part = _switch_spread(n_tasks, len(names), n_seeds) * sum(residuals) / (n_tasks**2 * n_seeds)
    df = welch_df(residuals, dfs) if all(dfs) else 0.0
    found = known_gain(float(np.mean(won)), n_seeds, seed_part, df, float(np.mean(items)) / n_tasks)
    overall = names[int(scores.mean(axis=(0, 2)).argmax())]
    return SelectedGain(found, np.mean(won, axis=0), _choices(seeds, names, commons), overall)


def best_on_test_gain(test: ScoreTable, candidates: Sequence[str]) -> SelectedGain:
    """Gain of the candidate with the best mean test score: what papers show, biased upward, never judged."""
    names, seeds = complete([test], candidates, BASELINE)
    best = names[int(test.cells(names, seeds).mean(axis=1).argmax())]
    chosen = dict.fromkeys(seeds, best)
    return SelectedGain(gain_of_choices(test, chosen), gains_by_seed(test, chosen), chosen, best)


def max_statistic_p(
    test: ScoreTable, candidates: Sequence[str], n_permutations: int, rng: np.random.Generator
) -> float:
    """p of the best-on-test gain if all models, baseline included, were alike.

    The models' scores are permuted within each seed; statistic: the largest mean gain over the baseline.
    """
    names, seeds = complete([test], candidates, BASELINE)
    scores = test.cells([BASELINE, *names], seeds)
    shuffled = rng.permuted(np.broadcast_to(scores, (n_permutations, *scores.shape)), axis=1)
    return permutation_p(_best_gain(shuffled), float(_best_gain(scores)))


def permutation_p(null: Floats, observed: float) -> float:
    """One-sided p of an observed statistic among permuted ones: (1 + number at least as large) / (1 + number).

    Differences below 1e-9 count as ties.
    """
    return float((1 + np.sum(null >= observed - 1e-9 * max(1.0, abs(observed)))) / (1 + len(null)))


def null_best_gain(sd: float, n_candidates: int, n_seeds: int) -> float:
    """Mean best-on-test gain, in points, where none of two candidates or more has an effect.

    sd / sqrt(n_seeds) times the expected maximum of n standard normals, which is the integral over x > 0 of
    1 - F(x)^n - F(-x)^n; `sd` is the seed noise of one score.
    """
    x = np.linspace(0, 9, 1801)
    return float(sd / np.sqrt(n_seeds) * np.trapezoid(1 - ndtr(x) ** n_candidates - ndtr(-x) ** n_candidates, x))


def comparable(tables: Sequence[ScoreTable], candidates: Sequence[str]) -> list[str]:
    """The candidates that can be chosen: with scores at enough seeds of every table, and of the pooled kind.

    Enough are three, or as many as the best candidate has: one that succeeded more rarely is left out, rather
    than the seeds at which the others can be compared.
    """
    present = np.stack([np.isfinite(table.scores[table.rows(candidates)]).sum(axis=1) for table in tables])
    enough = np.clip(present.max(axis=1, initial=1, keepdims=True), 1, MIN_SEEDS)
    names = [candidates[row] for row in np.flatnonzero((present >= enough).all(axis=0)).tolist()]
    return [name for name in names if all(t.pooled is None or name in t.pooled for t in tables)]


def complete(tables: Sequence[ScoreTable], candidates: Sequence[str], *others: str) -> tuple[list[str], list[int]]:
    """The comparable candidates, and the seeds at which all of them have scores in every table, `others` too."""
    if not tables:
        return [], []
    names = comparable(tables, candidates)
    seeds = [seed for seed in tables[0].seeds if all(seed in table.seeds for table in tables)]
    whole = [np.isfinite(table.cells([*names, *others], seeds)).all(axis=0) for table in tables]
    seeds = [seeds[column] for column in np.flatnonzero(np.all(whole, axis=0))]
    if not names or not seeds:
        raise ResultsError(f"no seed has all of {', '.join([*candidates, *others])}: run the missing trials")
    return names, seeds


def check_two_of_each(n_tasks: int, n_layers: int, n_seeds: int) -> None:
    if min(n_tasks, n_layers, n_seeds) < 2:
        found = f"{n_tasks} tasks, {n_layers} layers, {n_seeds} seeds"
        raise ResultsError(f"a comparison across tasks needs 2 of each, found {found}: run the missing trials")


def choosing_seeds(n_seeds: int) -> npt.NDArray[np.bool_]:
    """Which seeds choose for which, (S, S): row s has those that choose for seed s, never s itself."""
    if n_seeds < MIN_SEEDS_OF_TWO_FOLDS:
        return ~np.eye(n_seeds, dtype=bool)
    fold = np.arange(n_seeds) % 2
    return np.asarray(fold[:, None] != fold)


def chosen_by_others(selection: Floats, choosing: npt.NDArray[np.bool_]) -> Indices:
    """For each seed the row of scores (..., M, S) with the best mean over its choosing seeds, the first of equals;
    a single seed chooses for itself."""
    if selection.shape[-1] == 1:
        return np.asarray(selection[..., 0].argmax(axis=-1)[..., None])
    return np.asarray((selection @ choosing.T / choosing.sum(axis=1)).argmax(axis=-2))


def _choices(seeds: list[int], names: list[str], choices: Sequence[Indices]) -> dict[int, str]:
    """What was chosen for each seed, by one half or by two, with a stroke between where they differ."""
    pairs = [dict.fromkeys(names[choice] for choice in by_half) for by_half in zip(*choices, strict=True)]
    return {seed: "/".join(pair) for seed, pair in zip(seeds, pairs, strict=True)}


@lru_cache
def _fold_variance(n_candidates: int, n_seeds: int, correlation: float, two_folds: bool) -> float:
    """n_seeds times the variance of the mean held-out score of unit normal scores (1 for fixed choices).

    Args:
        correlation: of the scores that choose with those that are held out.
        two_folds: whether seeds choose as in `choosing_seeds`; else all other seeds do.
    """
    rng = np.random.default_rng(0)
    scores = rng.standard_normal((20_000, n_candidates, n_seeds))
    choosing = scores
    if correlation < 1:
        choosing = correlation * scores + np.sqrt(1 - correlation**2) * rng.standard_normal(scores.shape)
    seeds = choosing_seeds(n_seeds) if two_folds else ~np.eye(n_seeds, dtype=bool)
    choices = chosen_by_others(choosing, seeds)
    held_out = np.take_along_axis(scores, choices[:, None], axis=1)
    return float(n_seeds * held_out.mean(axis=(1, 2)).var())


@lru_cache
def _switch_spread(n_tasks: int, n_layers: int, n_seeds: int) -> float:
    """n_tasks n_seeds times the variance of the mean points won on unit normal scores, at least 2: that of two
    fixed layers. From 20,000 simulated sets of tables without layer effects."""
    scores = np.random.default_rng(0).standard_normal((20_000, n_tasks, n_layers, n_seeds))
    choosing = choosing_seeds(n_seeds)
    own = chosen_by_others(scores, choosing)
    common = chosen_by_others(scores.mean(axis=1), choosing)[:, None]
    of_own = np.take_along_axis(scores, own[:, :, None], axis=2)
    of_common = np.take_along_axis(scores, np.broadcast_to(common, own.shape)[:, :, None], axis=2)
    return max(2.0, float(n_tasks * n_seeds * (of_own - of_common).mean(axis=(1, 2, 3)).var()))


def _residual_correlation(one: Floats, other: Floats) -> float:
    """Correlation, 0 to 1, of the residuals of model + seed of two whole tables (M, S)."""
    residuals = [s - s.mean(axis=0) - s.mean(axis=1, keepdims=True) + s.mean() for s in (one, other)]
    squares = float((residuals[0] ** 2).sum() * (residuals[1] ** 2).sum())
    return float(np.clip((residuals[0] * residuals[1]).sum() / np.sqrt(squares), 0, 1)) if squares else 0.0


def _best_gain(scores: Floats) -> Floats:
    """Largest mean gain of rows 1.. over row 0 of (..., M, S)."""
    means = scores.mean(axis=-1)
    return np.asarray(means[..., 1:].max(axis=-1) - means[..., 0])
