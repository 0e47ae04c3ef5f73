"""The paper's own numbers, to stand beside ours (`paper.yaml` says where each is from)."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

from claimtrack.settings import read_yaml
from crosslayer.tasks import TaskName

BY_SPANS = "_by_pos_span_f1"
"""Ends the names of our measures of POS by the rule that the paper reports."""
ON_NEAR, ON_REST = "accuracy_en_de", "accuracy_rest"
"""Our measures beside its Tables 2 and 3."""


def baseline(task: TaskName) -> float:
    """Score of mBERT alone, in points."""
    return float(_tables()["baseline"][task])


def layer_gains(task: TaskName) -> dict[int, float]:
    """Gain of each D_x over the baseline, in points."""
    tables = _tables()
    return {int(x): round(row[task] - tables["baseline"][task], 2) for x, row in sorted(tables["layers"].items())}


def comparable_gains(task: TaskName) -> dict[int, float]:
    """`layer_gains` of a task that the paper scores as we do; none of POS, which it scores by spans."""
    return {} if task == "pos" else layer_gains(task)


def best_layer(task: TaskName) -> int:
    """The x of the best D_x."""
    gains = layer_gains(task)
    return max(gains, key=gains.__getitem__)


def near_and_rest(task: TaskName) -> dict[str, tuple[float, float]]:
    """Accuracy on English and German, and on the other languages, in points, of the models reported."""
    tables = _tables()
    levels = {"baseline": tables["en_de_and_rest_of_baseline"][task]}
    levels |= {f"layer_{x}": row for x, row in tables["en_de_and_rest"][task].items()}
    return {model: (float(near), float(rest)) for model, (near, rest) in levels.items()}


def accuracy_gap(task: TaskName) -> dict[int, float]:
    """Accuracy on English and German minus that on the rest, in points, for the layers reported."""
    return {int(x): round(near - rest, 2) for x, (near, rest) in _tables()["en_de_and_rest"][task].items()}


def similarity(task: TaskName) -> dict[int, float]:
    """Mean cosine similarity between languages, for the layers reported."""
    return {int(x): float(value) for x, value in _tables()["similarity"][task].items()}


@cache
def _tables() -> Any:
    return read_yaml(Path(__file__).with_name("paper.yaml"))
