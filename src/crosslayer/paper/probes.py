"""Scores of the encoder's layers before fine-tuning, from the probe tables.

A ResultsError says which table the probe stage has not left.

Notation: X layers, the embeddings (0) included; C clusters of items; R resamples.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from claimtrack.errors import ResultsError
from crosslayer.paper.parts import generator
from crosslayer.paper.scores import language_scores, points_of
from crosslayer.predictions.runs import Run
from crosslayer.stats import Floats, Indices, bootstrap_scores

if TYPE_CHECKING:
    import pandas as pd

N_RESAMPLES = 1000


@dataclass(frozen=True, eq=False)
class LayerScores:
    """One score a layer.

    Attributes:
        counts: (X, N, 2) hits and tries.
        language: (N,) index of the language; the score is the plain mean over languages.
        cluster: (N,) what is resampled together.
        name: of the random stream.
    """

    counts: Floats
    language: Indices
    cluster: Indices
    name: str

    @cached_property
    def values(self) -> Floats:
        """Points (X,)."""
        return np.asarray(language_scores(self.counts, self.language).mean(axis=1))

    @cached_property
    def resampled(self) -> Floats:
        """Points (X, R), clusters of items resampled."""
        rng = generator("probe", self.name)
        return bootstrap_scores(self.counts, self.language, self.cluster, points_of, rng, N_RESAMPLES)

    @property
    def n_items(self) -> int:
        """Clusters."""
        return len(np.unique(self.cluster))

    def contrast(self, weights: Floats) -> tuple[float, float]:
        """A weighted sum over layers (X,), and its variance due to the items."""
        return float(self.values @ weights), float(np.var(weights @ self.resampled, ddof=1))


def retrieval(run: Run, parallel: bool, centred: bool | None = None) -> LayerScores:
    """Sentence retrieval by layer, mean over languages, directions and forms (plain, centred).

    Args:
        parallel: whether equal item names mean equal content in all languages.
        centred: one of the two forms only.
    """
    frame = _probe(run, "retrieval")
    if centred is not None:
        frame = frame[frame["centred"] == centred]
    language, item = _codes(frame, "language"), _codes(frame, "item")
    return _layer_scores(frame, language, item if parallel else language * (item.max() + 1) + item, "retrieval")


def tagging(run: Run) -> LayerScores:
    """The linear probe for English UPOS by layer: share of right words, sentences resampled."""
    frame = _probe(run, "tagging")
    return _layer_scores(frame, np.zeros(len(frame), dtype=np.intp), _codes(frame, "sentence"), "tagging")


def identity(run: Run) -> LayerScores:
    """The linear probe for a sentence's language by layer: share of right sentences, items resampled jointly."""
    frame = _probe(run, "identity")
    return _layer_scores(frame, _codes(frame, "language"), _codes(frame, "item"), "identity")


def halves(n_layers: int) -> tuple[Floats, Floats]:
    """Weights (X,) of the mean of the lower and of the upper layers; the embeddings are in neither.

    Raises:
        ResultsError: fewer than two layers.
    """
    if n_layers < 2:
        raise ResultsError(f"an encoder of {n_layers} layers has no lower and upper half")
    layer = np.arange(n_layers + 1)
    lower, upper = (layer >= 1) & (layer <= n_layers // 2), layer > n_layers // 2
    return lower / lower.sum(), upper / upper.sum()


def _probe(run: Run, name: str) -> pd.DataFrame:
    frame = run.probe(name)
    if frame is None or not len(frame):
        raise ResultsError(f"the probe stage has left no {name} table")
    return frame


def _codes(frame: pd.DataFrame, column: str) -> Indices:
    return np.unique(frame[column].to_numpy(), return_inverse=True)[1]


def _layer_scores(frame: pd.DataFrame, language: Indices, cluster: Indices, name: str) -> LayerScores:
    hits = frame.filter(regex="^layer_").to_numpy(dtype=np.float64).T
    return LayerScores(np.stack([hits, np.ones_like(hits)], axis=-1), language, cluster, name)
