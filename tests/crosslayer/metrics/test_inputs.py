"""What metrics refuse: wrong shapes, label ids and numbers, in one line that names them."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from claimtrack.errors import ResultsError
from crosslayer.metrics import calibration, proper_scores, tagging
from crosslayer.metrics.classification import accuracy_v1
from crosslayer.metrics.recalibration import fit_isotonic, fit_temperature, fit_vector_scaling
from crosslayer.metrics.selective import aurc_v1

GOLD = np.array([0, 1, 2, 1])
P = np.array([[0.7, 0.2, 0.1], [0.1, 0.8, 0.1], [0.2, 0.2, 0.6], [0.5, 0.3, 0.2]])
LOGITS = np.log(P)
SURE, RIGHT = np.array([0.9, 0.8, 0.6, 1.0]), np.array([1, 0, 1, 1])

OF_PROBABILITIES = [proper_scores.brier_v1, proper_scores.brier_parts_v1,
                    calibration.classwise_ece10_equal_width_v1, calibration.top_label]  # fmt: skip
OF_LOGITS = [proper_scores.nll_v1, fit_temperature, fit_vector_scaling]
OF_CONFIDENCE = [
    *(getattr(calibration, f"ece10_equal_{bins}_v1") for bins in ("width", "mass", "width_debiased")),
    calibration.ece10_equal_mass_debiased_v1,
    calibration.mce10_equal_width_v1, calibration.reliability_bins_v1, aurc_v1, fit_isotonic,
]  # fmt: skip


def refused(metric: Callable[..., Any], *arguments: Any, told: str) -> None:
    with pytest.raises(ResultsError, match=re.escape(told)):
        metric(*arguments)


@pytest.mark.parametrize("metric", OF_PROBABILITIES + OF_LOGITS)
def test_gold_labels_are_ids_of_the_columns(metric: Callable[..., Any]) -> None:
    scores = LOGITS if metric in OF_LOGITS else P
    metric(scores, GOLD.tolist())
    for bad in (-1, -100, 3):
        refused(metric, scores, [0, 1, 2, bad], told=f"gold (4,): {bad} at 3; give label ids from 0 to 2")
    refused(metric, scores, GOLD[:, None], told="gold has the shape (4, 1): give label ids from 0 to 2, (N,)")
    refused(metric, scores, GOLD[:3], told="lengths differ ({'scores': 4, 'gold': 3})")
    refused(metric, scores[:, 0], GOLD, told="has the shape (4,)")
    refused(metric, scores[:0], GOLD[:0], told="is empty")


@pytest.mark.parametrize("metric", OF_PROBABILITIES)
def test_probabilities_are_no_logits_and_add_up(metric: Callable[..., Any]) -> None:
    refused(metric, LOGITS, GOLD, told="at (0, 0); give probabilities from 0 to 1, not logits")
    refused(metric, np.where(P == 0.7, np.nan, P), GOLD, told="probabilities (4, 3): nan at (0, 0)")
    told = "sums of probabilities (4,): 0.75 at 0; give rows that add up to 1"
    refused(metric, np.full((4, 3), 0.25), GOLD, told=told)
    metric(P.astype(np.float16), GOLD)


@pytest.mark.parametrize("metric", OF_LOGITS)
@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_logits_are_finite(metric: Callable[..., Any], bad: float) -> None:
    refused(metric, np.where(P == 0.6, bad, LOGITS), GOLD, told=f"logits (4, 3): {bad} at (2, 2)")


@pytest.mark.parametrize("metric", OF_CONFIDENCE)
def test_confidence_is_a_probability_of_something_right_or_wrong(metric: Callable[..., Any]) -> None:
    refused(metric, [0.9, np.nan, 0.6, 1.0], RIGHT, told="confidence (4,): nan at 1; give probabilities")
    refused(metric, [0.9, 1.01, 0.6, 1.0], RIGHT, told="confidence (4,): 1.01 at 1")
    refused(metric, SURE, [0, 1, 2, 2], told="correct (4,): 2.0 at 2; give 1 where the label is right, else 0")
    refused(metric, SURE, RIGHT[:, None], told="correct has the shape (4, 1)")
    refused(metric, ["a"], [1], told="confidence is no array of numbers")
    metric(SURE + np.array([0, 0, 0, 1e-7]), RIGHT)


def test_labels_of_items_are_flat_ids() -> None:
    assert accuracy_v1([0, 1, 2, 1], [0, 1, 2, 0]) == 75.0
    refused(accuracy_v1, GOLD, GOLD[:, None], told="predicted has the shape (4, 1)")
    refused(accuracy_v1, [0, -100], [0, 1], told="gold (2,): -100 at 1")
    refused(accuracy_v1, ["a"], ["a"], told="gold (1,) holds <U1: give label ids from 0")


def test_no_word_has_a_predicted_label_of_probability_0() -> None:
    words = (np.array([1, 1, 0]), np.array([1, 1, 1]), np.array([0, 0, 1]), ["O", "B-X"])
    refused(tagging.span_confidence_v1, np.array([0.5, 0.0, 0.5]), *words, told="probability is 0 at 1")
