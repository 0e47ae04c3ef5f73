"""Made-up tables of scores."""

from __future__ import annotations

import numpy as np

from crosslayer import stats

LAYERS = [f"layer_{layer}" for layer in range(1, 12)]
MODELS = ("baseline", *LAYERS)


def table(scores, item_variance=0.0, seeds=None):
    """Rows: baseline, layer_1, ...; one item variance for all pairs."""
    scores = np.asarray(scores, dtype=float)
    size = len(scores)
    variance = np.full((size, size), item_variance) * (1 - np.eye(size))
    return stats.ScoreTable(
        MODELS[:size], tuple(range(scores.shape[1])) if seeds is None else seeds, scores, variance
    )


def noise(rng, models=12, seeds=3, sd=1.0):
    """Scores without any effect but the seeds'."""
    return 60 + 2 * rng.standard_normal(seeds) + sd * rng.standard_normal((models, seeds))
