"""How well a model's confidence matches its accuracy, and the risk of answering only where it is high.

Errors and risks are in points (0 to 100).

Confidence is the probability of the predicted label ("top label"), or of each label in turn (class-wise).

Bins are closed on the right: ]0.2, 0.3] holds 0.3, and ]0.9, 1] holds 1 (Guo et al. 2017). Bins of equal
width have the edges k / 10; a confidence of 0 falls in the first. Bins of equal mass have as edges the
confidences of rank ceil(k N / 10); equal confidences share a bin, so the order of the items does not matter.

Arguments: ``confidence``, the probability of the predicted label (N,), and ``correct``, 1 where it is right, else
0, (N,); or ``probabilities`` (N, K) and ``gold``, label ids (N,).

Notation: N items, K labels, G distinct confidences.
"""

from __future__ import annotations

import numpy as np
from scipy.special import erf

from crosslayer.metrics.classification import Floats, Ids

N_BINS = 10
WIDTH_EDGES = np.arange(1, N_BINS) / N_BINS


def top_label(probabilities: Floats, gold: Ids) -> tuple[Floats, Floats]:
    """Confidence (N,) and correctness (N,), 0 or 1, of the most probable label (the first of equals)."""
    return probabilities.max(axis=1), (probabilities.argmax(axis=1) == gold).astype(np.float64)


def ece10_equal_width_v1(confidence: Floats, correct: Floats) -> float:
    """Plug-in ECE over 10 bins of equal width, in points: sum of n_b / N |confidence_b - accuracy_b|.

    Biased upward at small N (a calibrated model reads about 2 points at 1,500 items).
    """
    return _plug_in(_bin_sums(confidence, correct, WIDTH_EDGES))


def ece10_equal_mass_v1(confidence: Floats, correct: Floats) -> float:
    """Plug-in ECE over 10 bins of equal mass, in points."""
    return _plug_in(_bin_sums(confidence, correct, mass_edges(confidence)))


def mce10_equal_width_v1(confidence: Floats, correct: Floats) -> float:
    """Maximum calibration error (Guo et al. 2017): the largest |confidence_b - accuracy_b| of a bin with items.

    A thin bin counts as much as a full one: read it with care.
    """
    n, gaps, _ = _bin_sums(confidence, correct, WIDTH_EDGES).T
    return float(100 * np.max(np.abs(gaps) / np.maximum(n, 1)))


def classwise_ece10_equal_width_v1(probabilities: Floats, gold: Ids) -> float:
    """Class-wise ECE (Kull et al. 2019): plug-in ECE of each label's probability, mean over the K labels."""
    return float(np.mean([ece10_equal_width_v1(p, gold == label) for label, p in enumerate(probabilities.T)]))


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
    """
    sums = _bin_sums(confidence, correct, mass_edges(confidence))
    return float(ece10_equal_mass_debiased_from_counts_v1(sums.ravel()))


def ece10_equal_mass_debiased_counts_v1(confidence: Floats, correct: Floats) -> Floats:
    """What each item adds to `ece10_equal_mass_debiased_v1`, (N, 30), so that items can be resampled.

    Three columns for each of the 10 bins: 1, gap, squared gap. Bin edges stay as they are in the whole sample.
    """
    gap = confidence - correct
    columns = np.stack([np.ones_like(gap), gap, gap**2], axis=1)
    counts = np.zeros((len(gap), N_BINS, 3))
    counts[np.arange(len(gap)), np.searchsorted(mass_edges(confidence), confidence)] = columns
    return counts.reshape(len(gap), -1)


def ece10_equal_mass_debiased_from_counts_v1(counts: Floats) -> Floats:
    """Debiased ECE in points, (...,), from sums (..., 30) of `ece10_equal_mass_debiased_counts_v1`."""
    n, gaps, squares = np.moveaxis(counts.reshape(*counts.shape[:-1], N_BINS, 3), -1, 0)
    size = np.maximum(n, 1)
    gap = gaps / size
    variance = np.maximum(squares - gaps * gap, 0) / np.maximum(n - 1, 1)
    error = np.sqrt(variance / size)
    z = np.divide(gap, error, out=np.zeros_like(gap), where=error > 0)
    fair = gap * erf(z / np.sqrt(2)) - 2 * error * np.exp(-(z**2) / 2) / np.sqrt(2 * np.pi)
    shares = n / n.sum(axis=-1, keepdims=True)
    return np.asarray(100 * (shares * np.where(error > 0, fair, np.abs(gap))).sum(axis=-1))


def risk_coverage(confidence: Floats, correct: Floats) -> tuple[Floats, Floats]:
    """Coverage (G,) in 0 to 1 and risk (G,) in points of answering the items at or above each confidence."""
    size, errors = _groups(confidence, correct)
    answered = size.cumsum()
    return answered / answered[-1], 100 * errors.cumsum() / answered


def aurc_v1(confidence: Floats, correct: Floats) -> float:
    """Area under the risk-coverage curve (Geifman and El-Yaniv 2017), points: mean risk over coverages 1/N .. 1.

    Equal confidences count as the mean over all their orders.
    """
    size, errors = _groups(confidence, correct)
    before, wrong_before = size.cumsum() - size, errors.cumsum() - errors
    rank = np.arange(1, size.sum() + 1)
    wrong = np.repeat(wrong_before, size) + (rank - np.repeat(before, size)) * np.repeat(errors / size, size)
    return float(100 * np.mean(wrong / rank))


def mass_edges(values: Floats) -> Floats:
    """Inner edges (9,) of 10 bins of equal mass of values (N,): those of rank ceil(k N / 10)."""
    ranks = np.ceil(np.arange(1, N_BINS) * len(values) / N_BINS).astype(int) - 1
    return np.asarray(np.partition(values, np.unique(ranks))[ranks])


def _bin_sums(confidence: Floats, correct: Floats, edges: Floats) -> Floats:
    """Items, sum of gaps and sum of squared gaps of each bin, (10, 3)."""
    gap = confidence - correct
    bins = np.searchsorted(edges, confidence)
    return np.stack([np.bincount(bins, weights, N_BINS) for weights in (None, gap, gap * gap)], axis=1)


def _plug_in(sums: Floats) -> float:
    return float(100 * np.abs(sums[:, 1]).sum() / sums[:, 0].sum())


def _groups(confidence: Floats, correct: Floats) -> tuple[Ids, Floats]:
    """Items and errors at each distinct confidence, from the highest down."""
    _, group, size = np.unique(-confidence, return_inverse=True, return_counts=True)
    return size, np.asarray(np.bincount(group, weights=1 - correct), dtype=np.float64)
