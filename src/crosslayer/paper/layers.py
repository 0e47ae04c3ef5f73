"""What the probe tables say of the encoder's layers before fine-tuning; C01: lower layers are cross-lingual, upper
layers carry structure.

A ResultsError says which table the probe stage has not left.

Notation: X layers, the embeddings (0) included; C clusters of items; R resamples.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache, cached_property, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from claimtrack.errors import ResultsError
from claimtrack.evidence import Evidence, Measurement
from crosslayer import stats
from crosslayer.config import Profile
from crosslayer.paper import plots
from crosslayer.paper.conditions import fragment
from crosslayer.paper.parts import generator, has_values, make_evidence, normal_interval, part_or_none, select
from crosslayer.paper.scores import language_scores, points_of
from crosslayer.predictions.runs import Run
from crosslayer.stats import Floats, Indices

if TYPE_CHECKING:
    import pandas as pd

N_RESAMPLES = 1000
CURVES = {
    "retrieval_plain": "retrieval, plain",
    "retrieval_centred": "retrieval, centred",
    "upos_probe": "UPOS probe",
    "language_identity": "language identity (control)",
}


def measure(claim: str, run: Run, profile: Profile) -> Evidence:
    """Both contrasts of the lower and the upper half, then each probe by layer."""
    of_retrieval = partial(retrieval, run, fragment(profile))
    both, plain, centred = (cache(partial(of_retrieval, form)) for form in (None, False, True))
    upos, language = cache(partial(tagging, run)), cache(partial(identity, run))
    parts = [
        _contrast("retrieval_lower_minus_upper", both, 1, judged=True),
        _contrast("upos_probe_upper_minus_lower", upos, -1, judged=True),
        _contrast("retrieval_plain_lower_minus_upper", plain, 1),
        _contrast("retrieval_centred_lower_minus_upper", centred, 1),
    ]
    for name, load in zip(CURVES, (plain, centred, upos, language), strict=True):
        parts += _curve(name, load)
    n_layers = max((part.layer or 0 for part in parts), default=0)
    facts = {"lower": f"1-{n_layers // 2}", "upper": f"{n_layers // 2 + 1}-{n_layers}"}
    return make_evidence(claim, run, profile, parts, facts={**facts} if n_layers else None)


def _contrast(measure: str, load: Callable[[], LayerScores], sign: int, judged: bool = False) -> Measurement:
    """Mean of the lower half minus that of the upper one, times ``sign``."""

    def make() -> dict[str, Any]:
        scores = load()
        lower, upper = halves(len(scores.values) - 1)
        weights = sign * (lower - upper)
        estimate, variance = float(scores.values @ weights), float(np.var(weights @ scores.resampled, ddof=1))
        return {
            "estimate": estimate, "interval": normal_interval(estimate, variance), "n_items": scores.n_items,
            "minimum_detectable": stats.minimum_detectable(float(np.sqrt(variance)), np.inf),
            "note": "The encoder before fine-tuning: no seed enters.",
        }  # fmt: skip

    return part_or_none(measure, make, judged=judged)


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


def _curve(measure: str, load: Callable[[], LayerScores]) -> list[Measurement]:
    try:
        scores = load()
    except ResultsError:
        return []
    variances = scores.resampled.var(axis=1, ddof=1)
    return [
        Measurement(
            measure=measure, layer=layer, estimate=float(value), unit="points", n_items=scores.n_items,
            interval=normal_interval(float(value), float(variance)),
        )
        for layer, (value, variance) in enumerate(zip(scores.values, variances, strict=True))
    ]  # fmt: skip


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
        return stats.bootstrap_scores(self.counts, self.language, self.cluster, points_of, rng, N_RESAMPLES)

    @property
    def n_items(self) -> int:
        """Clusters."""
        return len(np.unique(self.cluster))


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


def figures(evidence: Evidence, run: Run, profile: Profile, folder: Path) -> tuple[str, ...]:
    """The probes by layer."""
    if not has_values(evidence):
        return ()
    title = "Sentence retrieval, English UPOS and language identity by layer before fine-tuning, 95 % intervals"
    with plots.picture(folder, "probes_by_layer.svg", title, height=3) as (axes,):
        for series, (name, label) in enumerate(CURVES.items()):
            if curve := select(evidence, name):
                plots.by_layer(axes, curve, series, label)
        axes.set(xlabel="layer (0: embeddings)", ylabel="right (%)")
        axes.legend()
    return ("probes_by_layer.svg",)
