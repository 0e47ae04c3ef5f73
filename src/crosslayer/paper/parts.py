"""From statistics to the parts of an evidence file."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from claimtrack.decisions import error_of
from claimtrack.errors import ResultsError
from claimtrack.evidence import Evidence, Interval, Measurement
from claimtrack.project import evidence_of
from claimtrack.wording import counted
from crosslayer import stats
from crosslayer.config import Profile
from crosslayer.predictions.runs import Run
from crosslayer.stats import Floats
from crosslayer.tasks import TASK_NAMES, TaskName

Facts = dict[str, float | int | str | bool]
Fields = dict[str, Any]
"""Of a `Measurement`, by name."""
METRICS = {
    "C01": "sentence_retrieval_v1",
    "C02": "excess_complementarity_v1",
    "C03": "fusion_layer_slope_v1",
    "C05": "dev_selected_gain_v1",
    "C06": "cross_fitted_gain_v3",
    "C07": "task_by_layer_interaction_v4",
    "C08": "layer_correlation_v2",
    "C09": "language_similarity_v3",
    "C13": "weight_distance_v2",
    "Q01": "ece10_equal_mass_debiased_v1",
}
"""The main metric of each measured claim; those of structural claims are all the same."""
NORMAL = 1.959963984540054
"""Half-width of a 95 % interval in standard errors."""
STRUCTURAL = "structural_checks_v1"


def make_evidence(
    claim: str,
    run: Run,
    profile: Profile,
    parts: Sequence[Measurement],
    missing: Iterable[str] = (),
    trials: Iterable[str] = (),
    facts: Facts | None = None,
) -> Evidence:
    """Evidence of a measured claim; its headline is the first judged part that has a value.

    Without any judged value its status is ``missing``, with the notes of the judged parts as reasons.
    """
    found = evidence_of(claim, profile, METRICS[claim], parts, missing=missing, facts=facts, trials=trials)
    return found.model_copy(update={"run": run.name})


def has_values(evidence: Evidence) -> bool:
    """Whether any part has a value, so that there is something to draw."""
    return any(part.estimate is not None for part in evidence.parts)


def select(evidence: Evidence, measure: str, task: str | None = None) -> list[Measurement]:
    """The parts of a measure, of one task or of all."""
    return [part for part in evidence.parts if part.measure == measure and task in (None, part.task)]


def tasks_in(evidence: Evidence) -> list[TaskName]:
    """The tasks that an evidence has parts of, in the usual order."""
    return [task for task in TASK_NAMES if any(part.task == task for part in evidence.parts)]


def gain_fields(found: stats.Gain, **about: Any) -> Fields:
    """What a measurement says of a gain: estimate, interval and what can be detected; ``about``: other fields."""
    return {
        "estimate": found.estimate,
        "interval": found.interval,
        "item_variance": found.counted_item_variance,
        "minimum_detectable": found.minimum_detectable,
        "n_seeds": found.n_seeds,
        "p_value": found.p_value,
        **about,
    }


def gain_part(measure: str, found: stats.Gain, *, unit: str = "points", **about: Any) -> Measurement:
    """A measurement from a gain; ``about``: its other fields."""
    return Measurement(measure=measure, unit=unit, **gain_fields(found, **about))


def gain_of(part: Measurement) -> stats.Gain:
    """The gain that a part was made from; seed and item variance are one, with the degrees of freedom of both."""
    assert part.estimate is not None
    if part.interval is None or part.interval.df is None:
        return stats.Gain(part.estimate, part.n_seeds)
    error, df = error_of(part)
    return stats.Gain(part.estimate, part.n_seeds, error**2, df)


def layers_of_seeds(chosen: Mapping[int, str]) -> str:
    """The layers that seeds were scored with: ``4 at every seed``, or ``4 at 7 seeds, 6 at 2``."""
    counts = Counter(name.replace("layer_", "") for name in chosen.values()).most_common()
    if len(counts) == 1:
        return f"{counts[0][0]} at every seed"
    (first, often), *others = counts
    return ", ".join([f"{first} at {counted(often, 'seed')}", *(f"{name} at {n}" for name, n in others)])


def part_or_none(measure: str, make: Callable[[], Fields], *, unit: str = "points", **about: Any) -> Measurement:
    """A measurement with the fields that ``make`` gives, or without a value and with a note that says why."""
    try:
        found = make()
    except ResultsError as error:
        found = {"estimate": None, "note": str(error)}
    return Measurement(measure=measure, unit=unit, **(about | found))


def mean_part(measure: str, unit: str, values: Floats, **about: Any) -> Measurement:
    """A measurement from one value a seed (S,), with a t interval over seeds; ``about``: its other fields."""
    untested = {"p_value": None, "minimum_detectable": None}
    return gain_part(measure, stats.seed_gain(values), unit=unit, **untested, **about)


def layer_parts(measure: str, load: Callable[[], Floats], unit: str = "points", **about: Any) -> list[Measurement]:
    """A measurement a layer, the embeddings first; none where there is nothing to load."""
    try:
        values = load()
    except ResultsError:
        return []
    return [
        Measurement(measure=measure, layer=layer, estimate=float(value), unit=unit, **about)
        for layer, value in enumerate(values)
    ]


def normal_interval(estimate: float, variance: float) -> Interval:
    """95 % interval of an estimate whose variance a bootstrap of items has given."""
    half = NORMAL * float(np.sqrt(variance))
    return Interval(low=estimate - half, high=estimate + half, method="normal, cluster bootstrap of items")


def generator(*names: str) -> np.random.Generator:
    """Random numbers that depend on the names only."""
    digest = hashlib.sha256(":".join(names).encode()).digest()
    return np.random.default_rng(int.from_bytes(digest[:8], "big"))
