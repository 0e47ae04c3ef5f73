"""Intervals, selections and tests of gains between models trained with the same seeds.

Every score and gain is in points, every variance in points squared. `tables` has the model of a gain and what has
one value a seed, `selection` the three estimands, `power` what a design can find, `layers` the comparisons across
tasks and layers, and `items` the noise of the test items. Where trials are missing that a result needs, functions
raise a ResultsError that names them.

Notation: M models, S seeds, L layers, T tasks, N items, C clusters, R resamples, K counts per item.
"""

from claimtrack.statistics import MAX_SEEDS, MIN_SEEDS, holm
from crosslayer.stats.items import best_guess, bootstrap_scores, item_variance, pure_item_variance
from crosslayer.stats.layers import circular_shift_p, probability_best, slopes, task_by_layer_interaction
from crosslayer.stats.power import exaggeration, power, win_probability
from crosslayer.stats.selection import (
    SelectedGain,
    best_on_test_gain,
    comparable,
    cross_fitted_gain,
    dev_selected_gain,
    max_statistic_p,
    null_best_gain,
    own_against_common,
    permutation_p,
)
from crosslayer.stats.tables import (
    Floats,
    Gain,
    Indices,
    ScoreTable,
    gain,
    gain_of_choices,
    mean_gain,
    minimum_detectable,
    pair_gain,
    residual_variance,
    seed_gain,
)

__all__ = [
    "MAX_SEEDS", "MIN_SEEDS", "Floats", "Gain", "Indices", "ScoreTable", "SelectedGain", "best_guess",
    "best_on_test_gain", "bootstrap_scores", "circular_shift_p", "comparable", "cross_fitted_gain",
    "dev_selected_gain", "exaggeration", "gain", "gain_of_choices", "holm", "item_variance", "max_statistic_p",
    "mean_gain", "minimum_detectable", "null_best_gain", "own_against_common", "pair_gain", "permutation_p",
    "power", "probability_best", "pure_item_variance", "residual_variance", "seed_gain", "slopes",
    "task_by_layer_interaction", "win_probability",
]  # fmt: skip
