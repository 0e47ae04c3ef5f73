"""The paper's own numbers, to stand beside ours (`paper.yaml` says where each is from)."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

from claimtrack.settings import read_yaml

BY_SPANS = "_by_pos_span_f1"
"""Ends the names of our measures of POS by the rule that the paper reports."""
ON_NEAR, ON_REST = "accuracy_en_de", "accuracy_rest"
"""Our measures beside its Tables 2 and 3."""


def baseline(task: str) -> float:
    """Score of mBERT alone, in points."""
    return float(_tables()["baseline"][task])


def layer_gains(task: str) -> dict[int, float]:
    """Gain of each D_x over the baseline, in points."""
    return {x: round(row[task] - baseline(task), 2) for x, row in sorted(_tables()["layers"].items())}


def comparable_gains(task: str) -> dict[int, float]:
    """`layer_gains` of a task that the paper scores as we do; none of POS, which it scores by spans."""
    return {} if task == "pos" else layer_gains(task)


def best_layer(task: str) -> int:
    """The x of the best D_x."""
    gains = layer_gains(task)
    return max(gains, key=gains.__getitem__)


def near_and_rest(task: str) -> dict[str, list[float]]:
    """Accuracy on English and German, and on the other languages, in points, of the models reported."""
    layers = {f"layer_{x}": row for x, row in _tables()["en_de_and_rest"][task].items()}
    return {"baseline": _tables()["en_de_and_rest_of_baseline"][task], **layers}


def accuracy_gap(task: str) -> dict[int, float]:
    """Accuracy on English and German minus that on the rest, in points, for the layers reported."""
    return {x: round(near - rest, 2) for x, (near, rest) in _tables()["en_de_and_rest"][task].items()}


def similarity(task: str) -> dict[int, float]:
    """Mean cosine similarity between languages, for the layers reported."""
    return dict(_tables()["similarity"][task])


@cache
def _tables() -> Any:
    return read_yaml(Path(__file__).with_name("paper.yaml"))
