"""Scores of probabilities that are best, in the mean, for the true ones: Brier and negative log-likelihood.

Brier scores are in their own unit (0 to 2), negative log-likelihoods in nats. Notation: N items, K labels.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from scipy.special import log_softmax

from crosslayer.metrics.calibration import N_BINS, mass_edges
from crosslayer.metrics.classification import Floats, Ids


def brier_v1(probabilities: Floats, gold: Ids) -> float:
    """Mean over items of the squared distance of (p_1 .. p_K) from the gold label's unit vector, 0 to 2."""
    return float(((probabilities - np.eye(probabilities.shape[1])[gold]) ** 2).sum(axis=1).mean())


class BrierParts(NamedTuple):
    """The Brier score as reliability - resolution + uncertainty + within_bin, all in its own unit.

    Attributes:
        reliability: squared gap of probability and frequency; 0 is best.
        resolution: variance of the bins' frequencies; high is good.
        uncertainty: sum over labels of f (1 - f), a property of the data.
        within_bin: what binning hides (Stephenson, Coelho and Jolliffe 2008): variance of the probabilities
            inside the bins less twice their covariance with the outcome.
    """

    reliability: float
    resolution: float
    uncertainty: float
    within_bin: float


def brier_parts_v1(probabilities: Floats, gold: Ids) -> BrierParts:
    """Parts of the Brier score (Murphy 1973), each label against the rest in 10 bins of equal mass, summed.

    The parts are plug-in values; they add up to `brier_v1` exactly.
    """
    outcome = np.eye(probabilities.shape[1])[gold]
    parts = [_label_parts(p, y) for p, y in zip(probabilities.T, outcome.T, strict=True)]
    return BrierParts(*np.sum(parts, axis=0).tolist())


def nll_v1(logits: Floats, gold: Ids) -> float:
    """Mean negative log-likelihood in nats from logits (N, K)."""
    return float(-np.mean(log_softmax(logits, axis=1)[np.arange(len(gold)), gold]))


def _label_parts(probability: Floats, outcome: Floats) -> Floats:
    """`BrierParts` of one label against the rest."""
    bins = np.searchsorted(mass_edges(probability), probability)
    columns = (None, probability, outcome, probability**2, probability * outcome)
    n, p, y, pp, py = (np.bincount(bins, column, N_BINS) for column in columns)
    share, size = n / len(bins), np.maximum(n, 1)
    forecast, frequency, base = p / size, y / size, outcome.mean()
    variance, covariance = pp / size - forecast**2, py / size - forecast * frequency
    reliability, resolution = share @ (forecast - frequency) ** 2, share @ (frequency - base) ** 2
    return np.array([reliability, resolution, base * (1 - base), share @ (variance - 2 * covariance)])
