"""The metrics by name and version: a changed definition is a new name."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

from crosslayer.metrics.calibration import (
    classwise_ece10_equal_width_v1,
    ece10_equal_mass_debiased_v1,
    ece10_equal_mass_v1,
    ece10_equal_width_debiased_v1,
    ece10_equal_width_v1,
    mce10_equal_width_v1,
    reliability_bins_v1,
    smooth_ece_v1,
)
from crosslayer.metrics.classification import accuracy_v1, f1_from_counts
from crosslayer.metrics.proper_scores import brier_parts_v1, brier_v1, nll_v1
from crosslayer.metrics.selective import aurc_v1
from crosslayer.metrics.tagging import (
    span_confidence_v1,
    span_counts_v1,
    span_f1_v1,
    token_accuracy_v1,
    token_counts_v1,
    xtreme_pos_span_counts_v1,
    xtreme_pos_span_f1_v1,
)
from crosslayer.tasks import TASKS, TaskName

METRICS: dict[str, Callable[..., Any]] = {
    metric.__name__: metric
    for metric in (
        accuracy_v1,
        token_accuracy_v1,
        token_counts_v1,
        span_f1_v1,
        span_counts_v1,
        xtreme_pos_span_f1_v1,
        xtreme_pos_span_counts_v1,
        ece10_equal_width_v1,
        ece10_equal_mass_v1,
        ece10_equal_mass_debiased_v1,
        ece10_equal_width_debiased_v1,
        mce10_equal_width_v1,
        classwise_ece10_equal_width_v1,
        smooth_ece_v1,
        reliability_bins_v1,
        span_confidence_v1,
        brier_v1,
        brier_parts_v1,
        nll_v1,
        aurc_v1,
    )
}
"""Name with version -> function; each one's docstring gives its arguments and unit."""


def task_score(
    task: TaskName, gold: npt.NDArray[Any], predicted: npt.NDArray[Any], item: npt.NDArray[Any]
) -> float:
    """The task's own metric on one language, in points.

    Args:
        task: names the metric (`crosslayer.tasks.Task.metric`).
        gold, predicted: label ids, (N,).
        item: (N,) the item of each row; the words of a sentence stand together.
    """
    metric = TASKS[task].metric
    if metric == "accuracy_v1":
        return accuracy_v1(gold, predicted)
    sentence = np.cumsum(np.r_[True, item[1:] != item[:-1]]) - 1
    if metric == "token_accuracy_v1":
        return token_accuracy_v1(gold, predicted, sentence)
    counts = span_counts_v1(gold, predicted, sentence, TASKS[task].labels).sum(axis=0)
    return float(f1_from_counts(counts.astype(float)))
