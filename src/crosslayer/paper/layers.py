"""The encoder before fine-tuning: lower layers are cross-lingual, upper layers carry structure (C01)."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache, partial
from pathlib import Path

import numpy as np

from claimtrack.errors import ResultsError
from claimtrack.evidence import Evidence, Measurement
from crosslayer import stats
from crosslayer.config import Profile
from crosslayer.paper import plots
from crosslayer.paper.conditions import fragment
from crosslayer.paper.parts import Facts, Fields, has_values, make_evidence, normal_interval, part_or_none, select
from crosslayer.paper.probes import LayerScores, halves, identity, retrieval, tagging
from crosslayer.predictions.runs import Run

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
    facts: Facts = {"lower": f"1-{n_layers // 2}", "upper": f"{n_layers // 2 + 1}-{n_layers}"} if n_layers else {}
    return make_evidence(claim, run, profile, parts, facts=facts)


def _contrast(measure: str, load: Callable[[], LayerScores], sign: int, judged: bool = False) -> Measurement:
    """Mean of the lower half minus that of the upper one, times ``sign``."""

    def make() -> Fields:
        scores = load()
        lower, upper = halves(len(scores.values) - 1)
        estimate, variance = scores.contrast(sign * (lower - upper))
        return {
            "estimate": estimate, "interval": normal_interval(estimate, variance), "n_items": scores.n_items,
            "minimum_detectable": stats.minimum_detectable(float(np.sqrt(variance)), np.inf),
            "note": "The encoder before fine-tuning: no seed enters.",
        }  # fmt: skip

    return part_or_none(measure, make, judged=judged)


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
