"""From one value a seed, split or simulated data set to a measurement with an interval.

A value may stand for a random seed, a split or a data set: whatever would be drawn anew by somebody who repeats
the study. SciPy computes what it has. Notation: S values, N items.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
from scipy.special import stdtr, stdtrit

from claimtrack.decisions import p_above, p_below
from claimtrack.errors import ResultsError
from claimtrack.evidence import Interval, Measurement
from claimtrack.statistics import Floats, alike

LEVEL = 0.95
FEWEST = 2
"""Values behind an interval; verdicts ask for three."""
MIN_BOOTSTRAP = 20
"""Fewer values give an interval that holds the mean far less often than 95 %: of three normal ones in 74 %."""
MAX_KEPT = 100
"""Of more values than these the evidence keeps none."""
RESAMPLES = 9999
EXACT = 100_000
"""Most arrangements that `permutation_p` enumerates; beyond, it draws `RESAMPLES` of them."""


def mean_of(
    measure: str,
    values: Iterable[float],
    unit: str,
    *,
    method: Literal["t", "bootstrap"] = "t",
    null: float = 0.0,
    shared: float = 0.0,
    item_variance: float = 0.0,
    **about: Any,
) -> Measurement:
    """The mean of one value a seed, judged unless said otherwise.

    The interval is Student's t, df = S - 1, with the squared standard error s^2 (1 / S + ``shared``) +
    ``item_variance``, s^2 the sample variance; or the bootstrap's (bias-corrected and accelerated, Efron 1987),
    which suits skewed values and needs `MIN_BOOTSTRAP` of them. One value has none, nor have equal ones without an
    ``item_variance``: they do not tell what another seed would give.

    Args:
        measure, unit: of the measurement.
        values: one for each seed, all of them finite.
        method: of the interval.
        null: the value that p tests against, two-sided; the bootstrap gives no p.
        shared: what splits have in common, as a share of their variance (`overlap`); no number averages it out.
        item_variance: what the items of one test set leave, in the unit squared (`item_variance_of`).
        about: other fields of `Measurement`, for example ``about={"size": 32}``, ``n_items`` or ``judged=False``.

    Raises:
        ResultsError: no value, or one that is not finite; a negative ``shared`` or ``item_variance``; for the
            bootstrap also too few, or either of these, which it cannot know.
    """
    if min(shared, item_variance) < 0:
        raise ResultsError(f"{measure}: shared {shared:g} or item_variance {item_variance:g} is negative")
    if method == "bootstrap" and (shared or item_variance):
        raise ResultsError(f"{measure}: the bootstrap takes no shared and no item variance; use method='t'")
    sample = _sample(measure, values)
    mean, interval, p, kept = float(sample.mean()), None, None, 0.0
    if len(sample) >= FEWEST and method == "bootstrap":
        interval = _bootstrap(sample)
    elif len(sample) >= FEWEST:
        variance, df = 0.0 if alike(sample) else float(sample.var(ddof=1)), len(sample) - 1
        kept = shared * variance + item_variance
        if error := math.sqrt(variance / len(sample) + kept):
            half = float(stdtrit(df, (1 + LEVEL) / 2)) * error
            interval = Interval(low=mean - half, high=mean + half, level=LEVEL, method="Student's t", df=df)
            p = 2 * float(stdtr(df, -abs(mean - null) / error))
    made: dict[str, Any] = {"judged": True, "p_value": p, "n_seeds": len(sample), "item_variance": kept}
    made["by_seed"] = sample.tolist() if len(sample) <= MAX_KEPT else ()
    return Measurement(measure=measure, unit=unit, estimate=mean, interval=interval, **(made | about))


def difference_of(
    measure: str, ones: Iterable[float], others: Iterable[float], unit: str, **options: Any
) -> Measurement:
    """The mean difference, ones minus others, of values that belong together in pairs (one seed or split).

    Args:
        measure, unit, options: as in `mean_of`, with its errors.
        ones, others: one value a seed, in the same order; a `ResultsError` if their numbers differ.
    """
    one, other = _pairs(measure, ones, others)
    return mean_of(measure, one - other, unit, **options)


def item_variance_of(values: npt.ArrayLike) -> float:
    """``item_variance`` of `mean_of` for seeds that are tested on the same items.

    It is the covariance of the means of two seeds if the items were drawn anew, which no number of seeds averages
    out: the covariance over items of the values of two seeds, mean over all pairs, divided by N; 0 if negative.

    Args:
        values: (S, N), of each item in each seed, in the unit of the measurement: 100 where an answer is right, or
            the difference of two models.

    Raises:
        ResultsError: fewer than two seeds or items, or a value that is not finite.
    """
    sample = np.asarray(values, dtype=np.float64)
    if sample.ndim != 2 or min(sample.shape) < 2 or not np.isfinite(sample).all():
        raise ResultsError(f"item_variance_of needs finite values of 2 seeds and 2 items, not {sample.shape}")
    n_seeds, n_items = sample.shape
    centred = sample - sample.mean(axis=1, keepdims=True)
    total = centred.sum(axis=0)
    of_pairs = float(total @ total - (centred**2).sum()) / (n_seeds * (n_seeds - 1))
    return float(max(of_pairs, 0.0) / (n_items - 1) / n_items)


def overlap(n_train: int, n_test: int) -> float:
    """``shared`` of `mean_of` for random splits or folds of one data set, whose training parts overlap.

    Nadeau and Bengio (2003, Machine Learning 52) take n_test / n_train: the interval of a difference then has the
    squared standard error s^2 (1 / S + n_test / n_train).
    """
    if n_train < 1 or n_test < 1:
        raise ResultsError(f"a split has items to train on and to test on, not {n_train} and {n_test}")
    return n_test / n_train


def in_order(values: Mapping[str, Iterable[float]], unit: str, **options: Any) -> tuple[Measurement, ...]:
    """What an order of several measures says: each minus the next one, paired, as ``ONE_over_NEXT``.

    The rule `claimed_each` reads them where the registry claims ``order: [ONE, NEXT, ...]``.

    Args:
        values: one value a seed for each measure, from the largest to the smallest as claimed.
        unit, options: as in `mean_of`.
    """
    return tuple(
        difference_of(over(one, other), values[one], values[other], unit, **options)
        for one, other in pairwise(values)
    )


def over(one: str, other: str) -> str:
    """The name of a measure: how far one exceeds the other."""
    return f"{one}_over_{other}"


def equivalence_p(part: Measurement, margin: float, null: float = 0.0) -> float:
    """p of two one-sided tests (TOST, Schuirmann 1987): small where the value is shown to lie within the margin.

    A `ResultsError` where the measurement has no interval, or the margin is not above 0.
    """
    if part.interval is None or not margin > 0:
        raise ResultsError(f"{part.measure}: equivalence needs an interval, and a margin above 0 (here {margin})")
    return max(p_below(part, null + margin), p_above(part, null - margin))


def permutation_p(ones: Iterable[float], others: Iterable[float]) -> float:
    """Two-sided p of no difference between pairs, over all ways to exchange the two sides of a pair (2^S).

    Exact up to `EXACT` arrangements. Pairs that differ by nothing leave p at 1; it is never below 2 / 2^S.
    A `ResultsError` where their numbers differ, or one is not finite.
    """
    from scipy.stats import permutation_test

    one, other = _pairs("permutation_p", ones, others)
    if len(one) < FEWEST:
        return 1.0
    n_resamples = math.inf if 2 ** len(one) <= EXACT else RESAMPLES
    found = permutation_test(
        (one, other), lambda x, y: float(np.mean(x - y)), permutation_type="samples", vectorized=False,
        n_resamples=n_resamples, rng=np.random.default_rng(0),
    )  # fmt: skip
    return min(1.0, float(found.pvalue))


@dataclass(frozen=True, eq=False)
class ReliabilityBins:
    """What a reliability diagram draws, one entry a bin that has items.

    Attributes:
        n: items.
        confidence, accuracy: mean probability and share of what happened, 0 to 1.
        low, high: 95 % Wilson interval of the share, as if items were independent.
    """

    n: Floats
    confidence: Floats
    accuracy: Floats
    low: Floats
    high: Floats


def reliability_bins(
    probability: npt.ArrayLike, happened: npt.ArrayLike, n_bins: int = 10, repeats: int = 1
) -> ReliabilityBins:
    """Bins of equal width, closed on the right, for a reliability diagram.

    Args:
        probability: that something happens, (N,); of a confidence, that the label is right.
        happened: 1 where it did, else 0, (N,).
        n_bins: over 0 to 1.
        repeats: how often each item stands in the N, once a trial for example: intervals count it once.
    """
    from scipy.stats import binomtest

    forecast, outcome = np.asarray(probability, dtype=np.float64), np.asarray(happened, dtype=np.float64)
    bins = np.searchsorted(np.arange(1, n_bins) / n_bins, forecast, side="left")
    n = np.bincount(bins, minlength=n_bins)
    used = n > 0
    hits = np.bincount(bins, outcome, n_bins)[used]
    sizes = np.maximum(n[used] / repeats, 1).round().astype(int)
    counted = zip((hits / n[used] * sizes).round().astype(int), sizes, strict=True)
    bounds = [binomtest(int(k), int(size)).proportion_ci(method="wilson") for k, size in counted]
    low, high = np.array(bounds, dtype=np.float64).reshape(-1, 2).T
    confidence = np.bincount(bins, forecast, n_bins)[used] / n[used]
    return ReliabilityBins(n[used].astype(np.float64), confidence, hits / n[used], low, high)


def _pairs(name: str, ones: Iterable[float], others: Iterable[float]) -> tuple[Floats, Floats]:
    one, other = _sample(name, ones), _sample(name, others)
    if len(one) != len(other):
        raise ResultsError(f"{name}: {len(one)} values against {len(other)}; give one pair a seed")
    return one, other


def _sample(name: str, values: Iterable[float]) -> Floats:
    sample = np.asarray(list(values), dtype=np.float64)
    if sample.ndim != 1 or not len(sample):
        raise ResultsError(f"{name} has values of shape {sample.shape}; give one value a seed")
    if len(wrong := np.flatnonzero(~np.isfinite(sample))):
        raise ResultsError(f"{name}: value {wrong[0]} is not finite; leave out what failed")
    return sample


def _bootstrap(sample: Floats) -> Interval | None:
    from scipy.stats import bootstrap

    method = "bootstrap, BCa"
    if len(sample) < MIN_BOOTSTRAP:
        raise ResultsError(f"a bootstrap of {len(sample)} values is too narrow; it needs {MIN_BOOTSTRAP}")
    if alike(sample):
        return None
    found = bootstrap((sample,), np.mean, n_resamples=RESAMPLES, confidence_level=LEVEL, method="BCa",
                      rng=np.random.default_rng(0)).confidence_interval  # fmt: skip
    return Interval(low=float(found.low), high=float(found.high), level=LEVEL, method=method)
