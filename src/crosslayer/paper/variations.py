"""Our own choices varied, beside C05: the gain of D_x with other settings, and with fewer training items."""

from __future__ import annotations

from pathlib import Path

from claimtrack.evidence import Evidence, Measurement
from crosslayer import stats
from crosslayer.config import Profile
from crosslayer.paper import plots
from crosslayer.paper.conditions import fragment
from crosslayer.paper.parts import Fields, gain_fields, part_or_none
from crosslayer.paper.scores import TaskScores, score_task, that_learnt
from crosslayer.predictions.batches import best_batch
from crosslayer.predictions.models import BASELINE, Model
from crosslayer.predictions.records import TrialRecord
from crosslayer.predictions.runs import Run
from crosslayer.tasks import TaskName

MEASURE = "gain_with_other_choices"


def varied_parts(run: Run, profile: Profile) -> list[Measurement]:
    """Gains at the control layer: as configured, with each change, and with each share of the training items."""
    parts: list[Measurement] = []
    for task in profile.sweep.variations.tasks:
        records = run.records("sweep", task)
        usable, _ = that_learnt(run, best_batch(records, {r.model for r in records if _is_varied(r)}))
        if any(map(_is_varied, usable)) and any(record.model == BASELINE for record in usable):
            parts += _parts_of(run, profile, task, usable)
    return parts


def _is_varied(record: TrialRecord) -> bool:
    return bool(record.model.changes or record.model.share)


def _parts_of(run: Run, profile: Profile, task: TaskName, usable: list[TrialRecord]) -> list[Measurement]:
    """Trials with fewer training items are scored in a table of their own: their noise is another."""
    as_configured = Model.fused(profile.sweep.control_layer or 0)
    seeds = {record.seed for record in usable if _is_varied(record)}
    settings = [record for record in usable if record.model.changes]
    compared = [r for r in usable if r.model in (BASELINE, as_configured) and r.seed in seeds] + settings
    labels = {as_configured: "as configured", **{r.model: r.model.changes or "" for r in settings}}
    tables = [(compared, BASELINE, labels)]
    for share in profile.sweep.variations.train_shares:
        baseline, fused = (Model.at_share(share, fused=fused) for fused in (False, True))
        fewer = [record for record in usable if record.model in (baseline, fused)]
        tables.append((fewer, baseline, {fused: f"{share:.3g} of the training items"}))
    parts: list[Measurement] = []
    for records, baseline, labels in tables:
        if records:
            scores = score_task(run, task, tuple(record.key for record in records), fragment(profile))
            parts += [_part(scores, model, baseline, label) for model, label in labels.items()]
    return parts


def _part(scores: TaskScores, model: str, baseline: str, label: str) -> Measurement:
    def make() -> Fields:
        return gain_fields(stats.gain(scores.test, model, baseline), n_items=scores.n_items)

    return part_or_none(MEASURE, make, task=scores.task, model=label)


def draw_variations(evidence: Evidence, folder: Path) -> tuple[str, ...]:
    """The gains in one column; nothing where nothing was varied."""
    rows = plots.rows_of(evidence, {MEASURE: None})
    if not any(row.part.estimate is not None for row in rows):
        return ()
    title = "Gain over the baseline with our own choices varied, with 95 % intervals"
    return (plots.forest_picture(folder, "choices.svg", title, rows, "gain (points)"),)
