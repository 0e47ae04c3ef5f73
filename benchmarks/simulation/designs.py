"""How much is measured, and how noisy it is: the planned grid, or what a recorded run has."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np

from claimtrack.decisions import error_of
from claimtrack.evidence import Measurement, read_evidence
from crosslayer.paper.parts import select
from crosslayer.predictions.models import Model
from crosslayer.stats import MIN_SEEDS
from crosslayer.tasks import TASK_NAMES, TASKS

PLANNED_SEEDS = 10
LAYERS = tuple(Model.fused(x) for x in range(1, 12))
PAIR_LAYERS = tuple(Model.fused(x) for x in (4, 6, 8, 11))
"""What the sealed plan of `xtreme-small` trains of XNLI and PAWS-X; tags have all layers."""
PAIR_PHASES = 0.6
"""Share of the seeds with which the sealed plan trains the intermediate phases of pairs: 6 of 10."""
DEV_CORRELATION = 0.5
"""Of the noise of one trial on English dev with that on the test sets, but for the item noise of the latter."""
ITEM_SHARE = 0.12
"""Share of the residual variance that is item noise of single runs, alike in XNLI, PAWS-X and NER: two halves of
the items do not have it in common."""


class Measured(NamedTuple):
    """A number of seeds, the sd of one trial (model x seed), and the pure item sd of a difference of models."""

    seeds: int
    run: float
    items: float = 0.0


@dataclass(frozen=True)
class TaskDesign:
    """What is trained of one task.

    Attributes:
        layers: the fused models.
        scores: in points.
        shares: of mended errors, in per cent of errors; None where they are not measured.
        has_self: whether the control `self` is trained.
    """

    layers: tuple[str, ...]
    scores: Measured
    shares: Measured | None
    has_self: bool

    @property
    def models(self) -> tuple[str, ...]:
        """The models of one kind, the baseline first."""
        return ("baseline", *self.layers, *(["self"] if self.has_self else []))


@dataclass(frozen=True)
class Design:
    """What is measured for all claims.

    Attributes:
        name: for readers.
        tasks: the sweep.
        contrasts: of C01, by measure; the sd is due to the items, since no seed enters.
        slopes: of C03, by measure and task; the sd is that of one seed's slope.
        targets: of Q01; the sd is that of one arm's calibration error.
        halves: seeds of C13, and by task the sd of one module's weights.
    """

    name: str
    tasks: Mapping[str, TaskDesign]
    contrasts: Mapping[str, float]
    slopes: Mapping[tuple[str, str], Measured]
    targets: Mapping[str, Measured]
    halves: tuple[int, Mapping[str, float]]


SCORES = {"xnli": (0.71, 0.07), "pawsx": (0.99, 0.26), "ner": (0.69, 0.05), "pos": (0.58, 0.02)}
"""Points: sd of a trial, pure item sd of a difference; of `xtreme-pilot`, as it was when the plan was sealed."""
SHARES = {"xnli": (1.00, 0.11), "pawsx": (3.43, 0.37), "ner": (0.99, 0.08), "pos": (0.66, 0.05)}
"""Per cent of errors, of the same run."""
ERRORS = {"xnli": (1.99, 0.26), "pawsx": (1.39, 0.22), "ner": (0.68, 0.10), "pos": (0.41, 0.0)}
"""Points of calibration error, of the same run."""
CONTRASTS = {"retrieval_lower_minus_upper": 0.26, "upos_probe_upper_minus_lower": 0.31}
"""Points, of the same run."""
SLOPES = {"slope_accuracy_gap": 0.168, "slope_similarity": 0.00126}
"""A layer, of XNLI in the same run; PAWS-X is 1.4 times as noisy."""
WEIGHTS = {"ner": 0.18, "pos": 0.07}
"""Root mean square over channels, of the same run."""


def planned(seeds: int = PLANNED_SEEDS) -> Design:
    """The sealed plan, or one with more seeds, with the noise that `xtreme-pilot` had then."""
    phases = {task: round(seeds * PAIR_PHASES) if TASKS[task].kind == "pair" else seeds for task in TASK_NAMES}
    layers = {task: PAIR_LAYERS if TASKS[task].kind == "pair" else LAYERS for task in TASK_NAMES}
    return Design(
        "planned",
        {
            task: TaskDesign(layers[task], Measured(seeds, *SCORES[task]), Measured(seeds, *SHARES[task]), True)
            for task in TASK_NAMES
        },
        CONTRASTS,
        {
            (measure, task): Measured(seeds, sd * factor)
            for measure, sd in SLOPES.items()
            for task, factor in (("xnli", 1.0), ("pawsx", 1.4))
        },
        {task: Measured(phases[task], *ERRORS[task]) for task in TASK_NAMES},
        (seeds, WEIGHTS),
    )


def recorded(folder: Path) -> Design:
    """What the evidence of a recorded run says of its design; a measure without noise of its own is left out.

    Args:
        folder: ``claims`` of a ledger entry.
    """
    gains, shares, contrasts, slopes, errors, weights = (
        read_evidence(folder / claim / "evidence.json") for claim in ("C05", "C02", "C01", "C03", "Q01", "C13")
    )
    tasks: dict[str, TaskDesign] = {}
    for task in TASK_NAMES:
        noise = gains.facts.get(f"seed_noise_{task}")
        layers = [p for p in select(gains, "layer_gain", task) if p.n_seeds >= MIN_SEEDS]
        if noise is None or not layers:
            continue
        items = float(np.sqrt(np.mean([part.item_variance for part in layers])))
        scores = Measured(max(part.n_seeds for part in layers), float(noise), items)
        excess = [measured(p) for p in select(shares, "excess_complementarity", task) if p.interval]
        has_self = any(part.interval for part in select(shares, "dev_selected_minus_self", task))
        models = tuple(str(part.model) for part in layers)
        tasks[task] = TaskDesign(models, scores, excess[0] if excess else None, has_self)
    judged = [part for part in slopes.parts if part.judged and part.interval]
    changes = [p for p in select(errors, "ece_multilingual_minus_english") if p.task and not p.language]
    within = [part for part in select(weights, "distance") if part.task == part.model]
    return Design(
        folder.parent.name,
        tasks,
        {part.measure: error_of(part)[0] for part in contrasts.parts if part.judged and part.interval},
        {(part.measure, str(part.task)): measured(part, runs=1) for part in judged},
        {str(part.task): measured(part) for part in changes if part.interval},
        (
            max((part.n_seeds for part in weights.parts if part.judged), default=0),
            {str(part.task): (part.estimate or 0.0) / np.sqrt(2) for part in within},
        ),
    )


def measured(part: Measurement, runs: int = 2) -> Measured:
    """The noise behind a part: of a difference of two runs at each seed, or of one value a seed."""
    error, _ = error_of(part)
    variance = max(error**2 - part.item_variance, 0.0) * part.n_seeds / runs
    return Measured(part.n_seeds, float(np.sqrt(variance)), float(np.sqrt(part.item_variance)))
