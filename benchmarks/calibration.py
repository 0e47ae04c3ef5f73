"""Calibration metrics on a million predictions beside netcal's; each function runs in a process of its own."""

from __future__ import annotations

import timeit
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
from scipy.special import softmax

from benchmarks.measures import peak_megabytes
from crosslayer.metrics import calibration, proper_scores
from crosslayer.metrics.classification import Floats, Ids

N, K = 1_000_000, 3
OF_TOP_LABEL = (
    calibration.ece10_equal_width_v1, calibration.ece10_equal_mass_v1,
    calibration.ece10_equal_mass_debiased_v1, calibration.mce10_equal_width_v1, calibration.aurc_v1,
)  # fmt: skip
OF_ALL_LABELS = (
    calibration.classwise_ece10_equal_width_v1, proper_scores.brier_v1, proper_scores.brier_parts_v1,
)  # fmt: skip


def ours() -> tuple[dict[str, float], float]:
    """Seconds by metric, and megabytes of all of them."""
    probabilities, gold = _predictions()
    seconds = {metric.__name__: _best(_of_labels(metric), probabilities, gold) for metric in OF_TOP_LABEL}
    seconds |= {metric.__name__: _best(metric, probabilities, gold) for metric in OF_ALL_LABELS}
    seconds["nll_v1"] = _best(lambda p, labels: proper_scores.nll_v1(np.log(p), labels), probabilities, gold)
    return seconds, peak_megabytes()


def netcal() -> tuple[dict[str, float], float]:
    """netcal's ECE of equal width alone."""
    warnings.simplefilter("ignore")
    from netcal.metrics.confidence import ECE

    probabilities, gold = _predictions()
    return {"ECE": _best(ECE(10).measure, probabilities, gold)}, peak_megabytes()


def _of_labels(metric: Callable[[Floats, Floats], float]) -> Callable[[Floats, Ids], float]:
    """A metric of the top label from the probabilities of all, as netcal takes them."""
    return lambda probabilities, gold: metric(*calibration.top_label(probabilities, gold))


def _predictions() -> tuple[Floats, Ids]:
    rng = np.random.default_rng(0)
    probabilities = softmax(2 * rng.standard_normal((N, K)), axis=1)
    gold = (rng.random((N, 1)) > probabilities.cumsum(axis=1)).sum(axis=1).clip(max=K - 1)
    return probabilities, gold


def _best(run: Callable[..., Any], *arguments: Any) -> float:
    """Seconds of the fastest of three calls."""
    return min(timeit.repeat(lambda: run(*arguments), number=1, repeat=3))
