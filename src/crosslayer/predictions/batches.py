"""Batches of trials: which trials of a task are compared, and which D_x English dev chooses among them."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence

import numpy as np

from crosslayer.metrics import task_score
from crosslayer.predictions.models import Model
from crosslayer.predictions.records import Batch, TrialRecord
from crosslayer.predictions.runs import Run
from crosslayer.tasks import TASKS


def by_batch(records: Iterable[TrialRecord]) -> dict[Batch, list[TrialRecord]]:
    """Trials by what makes them comparable."""
    batches: dict[Batch, list[TrialRecord]] = {}
    for record in records:
        batches.setdefault(record.batch, []).append(record)
    return batches


def best_batch(records: Iterable[TrialRecord], needs: Collection[str] = ()) -> list[TrialRecord]:
    """The one batch of a stage and task that an analysis reads.

    It is the batch with the most of the models in ``needs``; of equals the one with the most D_x, then with the
    most trials, then the newest version. A model counts if one of its trials succeeded.
    """

    def rank(batch: Sequence[TrialRecord]) -> tuple[int, int, int, int]:
        models = {record.model for record in batch if record.outcome == "ok"}
        layers = [model for model in models if model.layer is not None]
        return len(models & {*needs}), len(layers), len(batch), batch[0].batch.version

    return max(by_batch(records).values(), key=rank, default=[])


def describe_other_batches(records: Iterable[TrialRecord], compared: Sequence[TrialRecord]) -> list[str]:
    """Which trials of a stage and task are left out because they belong to another batch, one line a batch."""
    return [
        f"{TASKS[compared[0].task].title}: {len(others)} trials of {_differing(batch, compared[0].batch)} are not "
        f"compared with {len(compared)} of {_differing(compared[0].batch, batch)}"
        for batch, others in by_batch(records).items()
        if batch != compared[0].batch
    ]


def _differing(batch: Batch, other: Batch) -> str:
    """``version 3, bfloat16``: what of a batch another does not share."""
    words = (f"version {batch.version}", batch.precision, batch.device_kind, f"torch {batch.torch or 'unknown'}")
    return ", ".join(word for word, one, two in zip(words, batch, other, strict=True) if one != two)


def chosen_on_dev(run: Run, records: Iterable[TrialRecord]) -> Model | None:
    """The D_x with the best mean English dev score over seeds (the lowest layer of equals); None without any,
    or without predictions of English dev.

    The score is that of the predictions. `TrialRecord.dev_score` is measured while training, on batches of English
    dev alone: in bfloat16 a batch of another shape rounds otherwise, and the two differ by up to 0.4 points.
    """
    layers = [record for record in records if record.model.layer]
    if not layers:
        return None
    table = run.table(layers, "dev")
    if not len(table.gold):
        return None
    scores: dict[int, list[float]] = {}
    for record, predicted in zip(layers, table.predicted, strict=True):
        score = task_score(record.task, table.gold, predicted, table.item)
        scores.setdefault(record.model.layer or 0, []).append(score)
    means = {layer: float(np.mean(values)) for layer, values in sorted(scores.items())}
    return Model.fused(max(means, key=means.__getitem__))
