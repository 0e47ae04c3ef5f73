"""Predictions and diagnostics of a trained model.

Notation: N predicted positions over all windows, W windows, K labels, L languages, E width.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from crosslayer.metrics import task_score
from crosslayer.models.classifier import pool
from crosslayer.models.fusion import AIF
from crosslayer.tasks import TASKS, TaskName
from crosslayer.training.trainable import TrainableModel, TrialInputs
from crosslayer.training.trials import TrialSpec
from crosslayer.windows.batching import prediction_batches
from crosslayer.windows.encoded import Array, Encoded

MAX_TOKENS = 2048
"""Padded sub-words of a prediction batch."""
ONE_LABEL = 0.95
"""A pair model that gives one label to this share of English dev items has collapsed."""


def dev_score(module: TrainableModel, inputs: TrialInputs) -> float:
    """The task's score on English dev, points."""
    rows = inputs.encoded.rows("dev", "en")
    logits, _ = _forward_all(module, inputs, rows)
    return score_of(module.spec.task, prediction_frame(inputs.encoded, rows, logits))


def score_of(task: TaskName, predictions: pd.DataFrame) -> float:
    """The task's score of a prediction table, points."""
    gold, predicted, item = (predictions[name].to_numpy() for name in ("gold", "predicted", "item"))
    return task_score(task, gold, predicted, item.astype(str))


def predict(module: TrainableModel, inputs: TrialInputs) -> tuple[pd.DataFrame, Array]:
    """Predict English dev and the test split of every language.

    Returns:
        The prediction table, and the mean-pooled fused vectors of all test windows, (W, E).
    """
    encoded, rows = inputs.encoded, inputs.encoded.predicted_rows()
    logits, vectors = _forward_all(module, inputs, rows)
    return prediction_frame(encoded, rows, logits), vectors[len(encoded.rows("dev", "en")) :]


@torch.inference_mode()
def _forward_all(module: TrainableModel, inputs: TrialInputs, rows: Array) -> tuple[Array, Array]:
    """Logits (N, K) in the order of ``rows``, and pooled fused vectors (len(rows), E)."""
    module = module.for_prediction()
    found: dict[int, tuple[Array, Array]] = {}  # by window
    for batch in prediction_batches(inputs.encoded, rows, MAX_TOKENS, inputs.pad_id):
        moved = batch.to(inputs.device)
        fused, scores = module.forward(moved)
        logits = np.split(scores.float().cpu().numpy(), np.flatnonzero(np.diff(batch.row)) + 1)
        vectors = pool(fused, moved.mask).cpu().numpy()
        found |= zip(batch.windows.tolist(), zip(logits, vectors, strict=True), strict=True)
    ordered = [found[row] for row in rows.tolist()]
    return np.concatenate([logits for logits, _ in ordered]), np.stack([vector for _, vector in ordered])


def prediction_frame(encoded: Encoded, rows: Array, logits: Array) -> pd.DataFrame:
    """The border table of one trial: see `crosslayer.predictions.records.schema`."""
    counts = [len(encoded.labels[row]) for row in rows]
    repeat = np.repeat(rows, counts)
    within = np.concatenate([np.arange(count) for count in counts])
    centred = (logits - logits.max(axis=1, keepdims=True)).astype(np.float16)
    columns: dict[str, Any] = {
        "split": pd.Categorical(encoded.split[repeat]),
        "language": pd.Categorical(encoded.language[repeat]),
        "item": pd.Categorical(encoded.item[repeat]),
        "position": (encoded.start[repeat] + within).astype(np.int32),
        "gold": np.concatenate([encoded.labels[row] for row in rows]).astype(np.int8),
        "predicted": logits.argmax(axis=1).astype(np.int8),
    }
    columns |= {f"score_{k}": centred[:, k] for k in range(logits.shape[1])}
    return pd.DataFrame(columns)


def collapsed(spec: TrialSpec, dev: pd.DataFrame) -> bool:
    """Whether training fell into one answer: a pair model that gives (nearly) one label to all of English
    dev, or a tag model that gives one tag to every token."""
    shares = dev["predicted"].value_counts(normalize=True)
    return bool(shares.iloc[0] >= (ONE_LABEL if TASKS[spec.task].kind == "pair" else 1.0))


def diagnose(module: TrainableModel, inputs: TrialInputs, vectors: Array) -> dict[str, Array]:
    """Fused vectors by language, (L, E), of pairs their mean cosine between languages, (L, L), and the attention
    weights on the common text."""
    encoded = inputs.encoded
    languages = encoded.languages("test")
    counts = [len(encoded.rows("test", language)) for language in languages]
    by_language = np.split(vectors, np.cumsum(counts)[:-1])
    arrays: dict[str, Array] = {
        "languages": np.array(languages),
        "fused_mean": np.stack([part.mean(axis=0) for part in by_language]),
    }
    if TASKS[module.spec.task].kind == "pair":
        unit = [part / np.linalg.norm(part, axis=1, keepdims=True) for part in by_language]
        cosines = [[float((a * b).sum(1).mean()) for b in unit] for a in unit]  # of parallel items
        arrays["pair_similarity"] = np.array(cosines, np.float32)
    attention = next((part for part in module.fusion.modules() if isinstance(part, AIF)), None)
    return arrays if attention is None else arrays | _attention(module, attention, inputs)


@torch.inference_mode()
def _attention(module: TrainableModel, attention: AIF, inputs: TrialInputs) -> dict[str, Array]:
    """Mean and variance over the common text's sub-words of sigmoid(G + L), each (E,)."""
    module, encoded = module.for_prediction(), inputs.encoded
    seen: list[Tensor] = []
    found: list[Tensor] = []
    hook = attention.sigmoid.register_forward_hook(lambda *called: seen.append(called[-1]))
    try:
        for batch in prediction_batches(encoded, encoded.rows("common"), MAX_TOKENS, inputs.pad_id):
            moved = batch.to(inputs.device)
            module.forward(moved)
            found.append(seen.pop()[moved.mask].cpu())
    finally:
        hook.remove()
    tokens = torch.cat(found)
    return {"attention_mean": tokens.mean(0).numpy(), "attention_variance": tokens.var(0, correction=0).numpy()}
