"""How well a model's confidence matches its accuracy.

Confidence is the probability of the predicted label ("top label"). Expected calibration errors are in points
(0 to 100), Brier scores in their own unit (0 to 2), negative log-likelihoods in nats.

Bins are closed on the right: ]0.2, 0.3] holds 0.3, and ]0.9, 1] holds 1 (Guo et al. 2017). Bins of equal
width have the edges k / 10; a confidence of 0 falls in the first. Bins of equal mass have as edges the
confidences of rank ceil(k N / 10); equal confidences share a bin, so the order of the items does not matter.

Notation: N items, K labels.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from crosslayer.errors import ResultsError
from crosslayer.metrics.classification import Floats, Ids, require_same_length

N_BINS = 10
_COLUMNS = 3
TEMPERATURES = (0.01, 100.0)
"""Where `fit_temperature` looks."""


def softmax(logits: Floats, temperature: float = 1.0) -> Floats:
    """Probabilities (N, K) in float64 from logits (N, K), which may be max-centred and stored in float16."""
    scaled = _centred(logits) / temperature
    weights = np.exp(scaled)
    return np.asarray(weights / weights.sum(axis=1, keepdims=True))


def top_label(probabilities: Floats, gold: Ids) -> tuple[Floats, Floats]:
    """Confidence (N,) and correctness (N,), 0 or 1, of the most probable label (the first of equals)."""
    require_same_length(probabilities=probabilities, gold=gold)
    return probabilities.max(axis=1), (probabilities.argmax(axis=1) == gold).astype(np.float64)


def ece10_equal_width_v1(confidence: Floats, correct: Floats) -> float:
    """Plug-in ECE over 10 bins of equal width, in points: sum of n_b / N |confidence_b - accuracy_b|.

    Biased upward at small N (a calibrated model reads about 2 points at 1,500 items).

    Args:
        confidence: probability of the predicted label, (N,).
        correct: 1 where the predicted label is right, else 0, (N,).

    Raises:
        ResultsError: lengths differ, no items, or a confidence outside 0 to 1.
    """
    confidence, correct = _checked(confidence, correct)
    return _plug_in(confidence, correct, np.arange(1, N_BINS) / N_BINS)


def ece10_equal_mass_v1(confidence: Floats, correct: Floats) -> float:
    """Plug-in ECE over 10 bins of equal mass, in points; otherwise as `ece10_equal_width_v1`."""
    confidence, correct = _checked(confidence, correct)
    return _plug_in(confidence, correct, _mass_edges(confidence))


def ece10_equal_mass_debiased_v1(confidence: Floats, correct: Floats) -> float:
    """ECE over 10 bins of equal mass without the noise floor of the plug-in, in points; may be below 0.

    In a bin with mean gap x (confidence minus accuracy) of standard error s, the plug-in takes |x|, whose
    mean is 0.8 s where the true gap is 0. Here the sign of the gap comes from one random half of the bin and
    the gap from the other, averaged over all halvings (normal approximation, z = x / s):

        x (2 Phi(z) - 1) - 2 s phi(z)

    Its mean is 0 for a true gap d = 0, |d| for a large one, and |d| (1 - 2 Phi(-|d| / (s sqrt 2))) between:
    gaps below the noise are shrunk (by at most 0.5 s), never invented. Tried and left: plug-in minus the
    bias seen under normal resampling (as Kumar, Liang and Ma, NeurIPS 2019, arXiv 1909.10155, debias l1)
    keeps 2 - sqrt 2 = 59 % of the bias on a calibrated model; the unbiased squared gap (Broecker 2012; Ferro
    and Fricker 2012) is no l1 error. s^2 is the sample variance of the bin's gaps over n_b; in a bin where
    that is 0 the gap stands as it is.

    Args and errors as in `ece10_equal_width_v1`.
    """
    counts = ece10_equal_mass_debiased_counts_v1(confidence, correct)
    return float(ece10_equal_mass_debiased_from_counts_v1(counts.sum(axis=0)))


def ece10_equal_mass_debiased_counts_v1(confidence: Floats, correct: Floats) -> Floats:
    """What each item adds to `ece10_equal_mass_debiased_v1`, (N, 30), so that items can be resampled.

    Three columns for each of the 10 bins: 1, gap, squared gap. Bin edges stay as they are in the whole sample.
    """
    confidence, correct = _checked(confidence, correct)
    gap = confidence - correct
    columns = np.stack([np.ones_like(gap), gap, gap**2], axis=1)
    counts = np.zeros((len(gap), N_BINS, _COLUMNS))
    counts[np.arange(len(gap)), _bins(confidence, _mass_edges(confidence))] = columns
    return counts.reshape(len(gap), -1)


def ece10_equal_mass_debiased_from_counts_v1(counts: Floats) -> Floats:
    """Debiased ECE in points, (...,), from sums (..., 30) of `ece10_equal_mass_debiased_counts_v1`."""
    from scipy.special import erf

    table = counts.reshape(*counts.shape[:-1], N_BINS, _COLUMNS)
    n, gaps, squares = (table[..., column] for column in range(_COLUMNS))
    size = np.maximum(n, 1)
    gap = gaps / size
    variance = np.maximum(squares - gaps * gap, 0) / np.maximum(n - 1, 1)
    error = np.sqrt(variance / size)
    z = np.divide(gap, error, out=np.zeros_like(gap), where=error > 0)
    fair = gap * erf(z / np.sqrt(2)) - 2 * error * np.exp(-(z**2) / 2) / np.sqrt(2 * np.pi)
    shares = n / n.sum(axis=-1, keepdims=True)
    return np.asarray(100 * (shares * np.where(error > 0, fair, np.abs(gap))).sum(axis=-1))


def brier_v1(probabilities: Floats, gold: Ids) -> float:
    """Mean over items of the squared distance of (p_1 .. p_K) from the gold label's unit vector, 0 to 2."""
    require_same_length(probabilities=probabilities, gold=gold)
    return float(((probabilities - _one_hot(gold, probabilities.shape[1])) ** 2).sum(axis=1).mean())


@dataclass(frozen=True)
class BrierParts:
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
    require_same_length(probabilities=probabilities, gold=gold)
    outcome = _one_hot(gold, probabilities.shape[1])
    parts = [_label_parts(p, y) for p, y in zip(probabilities.T, outcome.T, strict=True)]
    return BrierParts(*(float(total) for total in np.sum(parts, axis=0)))


def nll_v1(logits: Floats, gold: Ids) -> float:
    """Mean negative log-likelihood in nats from logits (N, K), by log-sum-exp; divide by a temperature."""
    require_same_length(logits=logits, gold=gold)
    centred = _centred(logits)
    return float(np.mean(np.log(np.exp(centred).sum(axis=1)) - centred[np.arange(len(gold)), gold]))


def fit_temperature(logits: Floats, gold: Ids) -> float:
    """Temperature of least NLL (Guo et al. 2017), within `TEMPERATURES`.

    NLL is convex in 1 / T, so its minimum is where mean(E_p[logit] - gold logit) = 0 (Brent's method). Where
    that has no zero inside (all items right: lower end; logits that point the wrong way: upper end) the end
    itself is given.

    Raises:
        ResultsError: lengths differ or there are no items.
    """
    require_same_length(logits=logits, gold=gold)
    from scipy.optimize import brentq

    centred = _centred(logits)
    gold_mean = centred[np.arange(len(gold)), gold].mean()

    def slope(log_temperature: float) -> float:
        weights = softmax(centred, float(np.exp(log_temperature)))
        return float((weights * centred).sum(axis=1).mean() - gold_mean)

    low, high = np.log(TEMPERATURES)
    if slope(low) <= 0:
        return TEMPERATURES[0]
    if slope(high) >= 0:
        return TEMPERATURES[1]
    return float(np.exp(brentq(slope, low, high, xtol=1e-10)))


def _centred(logits: Floats) -> Floats:
    logits = np.asarray(logits, dtype=np.float64)
    return np.asarray(logits - logits.max(axis=1, keepdims=True))


def _one_hot(gold: Ids, size: int) -> Floats:
    return np.asarray(np.eye(size)[gold])


def _checked(confidence: Floats, correct: Floats) -> tuple[Floats, Floats]:
    confidence = np.asarray(confidence, dtype=np.float64)
    correct = np.asarray(correct, dtype=np.float64)
    require_same_length(confidence=confidence, correct=correct)
    if not (confidence.min() >= 0 and confidence.max() <= 1):
        raise ResultsError(
            f"confidence runs from {confidence.min()} to {confidence.max()}: give probabilities, not logits"
        )
    return confidence, correct


def _mass_edges(values: Floats) -> Floats:
    ranks = np.ceil(np.arange(1, N_BINS) * len(values) / N_BINS).astype(int)
    return np.asarray(np.sort(values)[ranks - 1])


def _bins(values: Floats, edges: Floats) -> Ids:
    return np.asarray(np.searchsorted(edges, values, side="left"))


def _plug_in(confidence: Floats, correct: Floats, edges: Floats) -> float:
    gaps = np.bincount(_bins(confidence, edges), weights=confidence - correct, minlength=N_BINS)
    return float(100 * np.abs(gaps).sum() / len(confidence))


def _label_parts(probability: Floats, outcome: Floats) -> tuple[float, float, float, float]:
    """Reliability, resolution, uncertainty and within-bin part of one label against the rest."""
    bins = _bins(probability, _mass_edges(probability))
    size = np.maximum(np.bincount(bins, minlength=N_BINS), 1)
    forecast = (np.bincount(bins, probability, N_BINS) / size)[bins]
    frequency = (np.bincount(bins, outcome, N_BINS) / size)[bins]
    base = outcome.mean()
    inner = (probability - forecast) ** 2 - 2 * (probability - forecast) * (outcome - frequency)
    reliability, resolution = ((forecast - frequency) ** 2).mean(), ((frequency - base) ** 2).mean()
    return float(reliability), float(resolution), float(base * (1 - base)), float(inner.mean())
