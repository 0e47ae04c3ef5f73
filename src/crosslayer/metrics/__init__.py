"""Metrics; the version is part of a metric's name, and a changed definition is a new name.

Notation: N items.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from crosslayer.metrics.classification import f1_from_counts
from crosslayer.metrics.tagging import span_counts_v1
from crosslayer.tasks import TASKS, TaskName


def task_score(
    task: TaskName, gold: npt.NDArray[Any], predicted: npt.NDArray[Any], item: npt.NDArray[Any]
) -> float:
    """The task's own metric (`crosslayer.tasks.Task.metric`) on one language, in points.

    Args:
        gold, predicted: label ids, (N,).
        item: (N,) the item of each row; the words of a sentence stand together.
    """
    metric = TASKS[task].metric
    if metric == "accuracy_v1":
        return float(100 * np.mean(gold == predicted))
    if metric == "token_accuracy_v1":  # of all words together; a mean rounds differently
        return float(100 * np.sum(gold == predicted) / len(gold))
    sentence = np.cumsum(np.r_[True, item[1:] != item[:-1]]) - 1
    counts = span_counts_v1(gold, predicted, sentence, TASKS[task].labels).sum(axis=0)
    return float(f1_from_counts(counts.astype(float)))
