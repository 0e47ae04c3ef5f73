"""Maps fitted on one set of predictions (English dev here) that make the probabilities of others better.

Notation: N items, K labels.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy.special import log_softmax, softmax

from crosslayer.metrics.classification import Floats, Ids

TEMPERATURES = (0.01, 100.0)
"""Where `fit_temperature` looks."""
DECIMALS = 6
"""Of the parameters of `fit_vector_scaling`: what processors differ in when they add and exponentiate is below."""


def fit_temperature(logits: Floats, gold: Ids) -> float:
    """Temperature of least NLL (Guo et al. 2017), within `TEMPERATURES`.

    NLL is convex in 1 / T, so its minimum is where mean(E_p[logit] - gold logit) = 0 (Brent's method). Where
    that has no zero inside (all items right: lower end; logits that point the wrong way: upper end) the end
    itself is given.
    """
    from scipy.optimize import brentq

    gold_mean = logits[np.arange(len(gold)), gold].mean()

    def slope(log_temperature: float) -> float:
        weights = softmax(logits / np.exp(log_temperature), axis=1)
        return float((weights * logits).sum(axis=1).mean() - gold_mean)

    low, high = np.log(TEMPERATURES)
    if slope(low) <= 0:
        return TEMPERATURES[0]
    if slope(high) >= 0:
        return TEMPERATURES[1]
    return float(np.exp(brentq(slope, low, high, xtol=1e-10)))


@dataclass(frozen=True, eq=False)
class VectorScaling:
    """A weight and a bias for each label's log-probability, both (K,)."""

    weight: Floats
    bias: Floats

    def __call__(self, logits: Floats) -> Floats:
        """Rescaled logits (N, K)."""
        return np.asarray(log_softmax(logits, axis=1) * self.weight + self.bias)


def fit_vector_scaling(logits: Floats, gold: Ids, temperature: float) -> VectorScaling:
    """Vector scaling of least NLL (Guo et al. 2017), with a standard normal prior around a fitted temperature.

    On log-probabilities instead of logits: with a weight for each label the result would else depend on what was
    added to all logits of an item. Unlike a temperature it can change the predicted label. The prior makes the
    optimum unique and finite, also for a label that never occurs in the fitted set; Newton's method in a trust
    region then finds it to more than `DECIMALS`, on any processor.
    """
    from scipy.optimize import minimize

    log_p = log_softmax(logits, axis=1)
    n, k = log_p.shape
    target = np.eye(k)[gold]
    prior = np.concatenate([np.full(k, 1 / temperature), np.zeros(k)])

    def scaled(parameters: Floats) -> Floats:
        return np.asarray(log_softmax(log_p * parameters[:k] + parameters[k:], axis=1))

    def loss(parameters: Floats) -> tuple[float, Floats]:
        found = scaled(parameters)
        slope, away = np.exp(found) - target, parameters - prior
        gradient = np.concatenate([(slope * log_p).sum(0), slope.sum(0)]) + away
        return float(-found[np.arange(n), gold].sum() + away @ away / 2) / n, gradient / n

    def curvature(parameters: Floats) -> Floats:
        p = np.exp(scaled(parameters))
        both = np.concatenate([p * log_p, p], axis=1)
        squares, cross, sizes = (np.diag((p * log_p**power).sum(0)) for power in (2, 1, 0))
        return np.asarray((np.eye(2 * k) - both.T @ both + np.block([[squares, cross], [cross, sizes]])) / n)

    found = minimize(loss, prior, jac=True, hess=curvature, method="trust-exact", options={"gtol": 1e-11})
    return VectorScaling(*np.round(found.x, DECIMALS).reshape(2, k))


def fit_isotonic(confidence: Floats, correct: Floats) -> Callable[[Floats], Floats]:
    """Isotonic regression of correctness on confidence (Zadrozny and Elkan 2002), by scikit-learn.

    Maps confidences (M,) to recalibrated ones. Top label only: the predicted label stays, its probability changes.
    Outside the fitted range the nearest value holds.
    """
    from sklearn.isotonic import IsotonicRegression

    fitted = IsotonicRegression(y_min=0, y_max=1, out_of_bounds="clip").fit(confidence, correct)
    return lambda values: np.asarray(fitted.predict(values), dtype=np.float64)
