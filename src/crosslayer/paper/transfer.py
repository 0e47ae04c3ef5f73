"""Semantic and structural features against zero-shot transfer, over the layers of the frozen encoder (C08).

A target whose frozen probe is at chance at every layer is left out: there is no transfer to correlate with.
Layers are neighbours and no sample. The p-value is by circular shift; the interval takes for the number of
layers the effective one of Bretherton et al. (1999, J. Climate 12), n (1 - a b) / (1 + a b) and n at most, with a
and b the autocorrelations of the two series at lag 1, and needs more than 3 of them and 8 layers.

Notation: X layers.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache, partial
from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from claimtrack.errors import ResultsError
from claimtrack.evidence import Evidence, Interval, Measurement
from crosslayer import stats
from crosslayer.config import Profile
from crosslayer.paper import plots
from crosslayer.paper.conditions import fragment
from crosslayer.paper.layers import retrieval, tagging
from crosslayer.paper.parts import NORMAL, Fields, layer_parts, make_evidence, part_or_none, select, tasks_in
from crosslayer.predictions.records import PREDICTED
from crosslayer.predictions.runs import Run
from crosslayer.stats import Floats
from crosslayer.tasks import TASKS, TaskName

if TYPE_CHECKING:
    import pandas as pd

TARGETS: tuple[TaskName, ...] = ("ner", "xnli", "pawsx", "pos")
NOT_CIRCULAR = TARGETS[:-1]
"""Targets of the structural score: a UPOS probe says nothing new about POS."""
FEATURES = {"semantic_score": "retrieval (%)", "structural_score": "UPOS probe (%)"}
ALMOST_ONE = 1 - 1e-12
MIN_LAYERS = 8
"""Fewer give no autocorrelation to speak of."""


def measure(claim: str, run: Run, profile: Profile) -> Evidence:
    """Correlations of each target, and the series that they are between."""
    semantic = cache(lambda: retrieval(run, fragment(profile)).values)
    structural = cache(lambda: tagging(run).values)
    parts = [_correlation("correlation_semantic", run, task, semantic) for task in TARGETS]
    parts += [_correlation("correlation_structural", run, task, structural) for task in NOT_CIRCULAR]
    parts += layer_parts("semantic_score", semantic) + layer_parts("structural_score", structural)
    for task in TARGETS:
        parts += layer_parts("transfer_score", partial(transfer_scores, run, task), task=task)
    return make_evidence(claim, run, profile, parts)


def transfer_scores(run: Run, task: TaskName) -> Floats:
    """Zero-shot transfer from each layer: points (X,), mean over the languages other than English.

    Raises:
        ResultsError: the probe has not run on that task.
    """
    return np.asarray(_transfer(run, task).groupby("layer")["score"].mean(), dtype=np.float64)


def check_above_chance(run: Run, task: TaskName) -> None:
    """Check that the best layer transfers better than guessing does.

    For pairs, better than the upper 95 % binomial limit of the best of as many independent layers that guess.

    Raises:
        ResultsError: it does not, the probe has not run on that task, or nothing tells its gold labels.
    """
    scores = transfer_scores(run, task)
    chance = limit = chance_of(run, task)
    if TASKS[task].kind == "pair":  # languages have translations of the same items, which count once
        n_items = int(_transfer(run, task)["n_items"].min())
        limit = 100 * stats.best_guess(chance / 100, n_items, 0.95 ** (1 / len(scores)))
    best = int(scores.argmax())
    if scores[best] <= limit:
        raise ResultsError(
            f"{TASKS[task].title} is left out, since its frozen probe is at chance at every layer: at best "
            f"{scores[best]:.1f} (layer {best}); guessing gives {chance:.1f}, the best of {len(scores)} guesses "
            f"up to {limit:.1f}"
        )


def correlation_interval(x: Floats, y: Floats) -> Interval | None:
    """Fisher's 95 % interval of a correlation of two smooth series (X,); the module docstring has the formula."""
    if len(x) < MIN_LAYERS:
        return None
    product = _autocorrelation(x) * _autocorrelation(y)
    effective = len(x) * min(1.0, (1 - product) / (1 + product))
    if effective <= 3:
        return None
    centre = np.arctanh(np.clip(np.corrcoef(x, y)[0, 1], -ALMOST_ONE, ALMOST_ONE))
    low, high = np.tanh(centre + np.array([-1, 1]) * NORMAL / np.sqrt(effective - 3))
    return Interval(low=float(low), high=float(high), method=f"Fisher z, {effective:.1f} effective layers")


def _correlation(measure: str, run: Run, task: TaskName, feature: Callable[[], Floats]) -> Measurement:
    def make() -> Fields:
        check_above_chance(run, task)
        x, y = feature(), transfer_scores(run, task)
        if len(x) != len(y) or np.ptp(x) == 0 or np.ptp(y) == 0:
            raise ResultsError(f"{TASKS[task].title}: {len(x)} and {len(y)} layers have no correlation")
        return {
            "estimate": float(np.corrcoef(x, y)[0, 1]),
            "interval": correlation_interval(x, y),
            "p_value": stats.circular_shift_p(x, y),
            "note": f"{len(x)} layers, embeddings included; p by circular shift, at least {1 / (2 * len(x)):.2g}.",
        }

    return part_or_none(measure, make, unit="correlation", task=task, judged=True)


def _transfer(run: Run, task: TaskName) -> pd.DataFrame:
    """Rows of the languages other than English."""
    frame = run.probe("transfer")
    if frame is not None:
        frame = frame[(frame["task"].astype(str) == task) & (frame["language"].astype(str) != "en")]
    if frame is None or not len(frame):
        raise ResultsError(f"{TASKS[task].title}: the probe stage has left no transfer scores")
    return frame


def chance_of(run: Run, task: TaskName) -> float:
    """Points of guessing the commonest gold label, mean over languages; without any entity the F1 of NER is 0.

    The sweep, which has predicted the same items, tells it where the table is older than its column ``commonest``.

    Raises:
        ResultsError: neither the probe nor the sweep tells the gold labels.
    """
    if task == "ner":
        return 0.0
    frame = _transfer(run, task)
    if "commonest" in frame:
        return float(frame["commonest"].mean())
    trials = [trial for trial in run.records("sweep", task) if trial.outcome in PREDICTED]
    if not trials:
        raise ResultsError(f"{TASKS[task].title}: no gold labels to tell chance from; run the probe stage again")
    table = run.table(trials[:1], "test")
    foreign = [table.gold[table.language == i] for i, code in enumerate(table.languages) if code != "en"]
    return float(np.mean([100 * np.bincount(gold).max() / len(gold) for gold in foreign]))


def _autocorrelation(x: Floats) -> float:
    centred = x - x.mean()
    return float(centred[1:] @ centred[:-1] / (centred @ centred))


def figures(evidence: Evidence, run: Run, profile: Profile, folder: Path) -> tuple[str, ...]:
    """Transfer against each feature, one point a layer."""
    tasks = [task for task in tasks_in(evidence) if select(evidence, "transfer_score", task)]
    if not tasks:
        return ()
    title = "Zero-shot transfer from each frozen layer against its semantic and its structural score"
    rows, columns = len(tasks), len(FEATURES)
    with plots.picture(folder, "transfer.svg", title, height=2.3 * rows, rows=rows, columns=columns) as panels:
        for axes, (task, feature) in zip(panels, product(tasks, FEATURES), strict=True):
            plots.layer_scatter(axes, select(evidence, feature), select(evidence, "transfer_score", task))
            axes.set(title=TASKS[task].title, xlabel=FEATURES[feature], ylabel="transfer (points)")
    return ("transfer.svg",)
