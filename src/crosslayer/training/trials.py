"""A trial: what is trained, under which content key, and where it is kept.

One trial is one model of one task with one seed. Its folder is complete or absent: it is written under a
temporary name and renamed.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from typing import Any, NamedTuple

from pydantic import BaseModel, ConfigDict

from crosslayer.config import Arm, FusionKind, FusionSpec, Profile, TaskSpec
from crosslayer.predictions.models import BASELINE, CONTROLS, HALVES, Model
from crosslayer.predictions.records import Stage, TrialRecord
from crosslayer.tasks import TaskName

TRIAL_VERSION = 4
"""Part of every key. Raise it when a change of the sources changes what a trial computes."""


class TrialSpec(BaseModel):
    """Everything that decides a trial's predictions.

    Attributes:
        stage, task, model, arm, seed: which trial.
        kind, fusion, layer: the fusion module and its lower layer.
        half: 1 or 2 trains on that half of the training items only.
        share: trains on that share of them; absent from the key where it is all.
        micro_batch: windows of a batch that are computed at a time; absent from the key where they are all.
        training: hyper-parameters, sizes left out (the data digest covers them).
        intermediate: epochs and learning rate of the intermediate phase of an arm.
        digests: of the encoder and of every table of windows that the trial reads.
        precision, device_kind, threads: what the arithmetic depends on.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    version: int = TRIAL_VERSION
    stage: Stage
    task: TaskName
    model: Model
    arm: Arm = "none"
    seed: int
    kind: FusionKind
    fusion: FusionSpec
    layer: int | None = None
    half: int | None = None
    share: float | None = None
    micro_batch: int | None = None
    training: TaskSpec
    intermediate: dict[str, float | int] = {}
    digests: dict[str, str]
    precision: str
    device_kind: str
    threads: int

    @property
    def key(self) -> str:
        """The content key: 16 hexadecimal digits of a SHA-256."""
        text = json.dumps(self.content(), sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:16]

    def content(self) -> dict[str, Any]:
        """What the key is made of."""
        absent = {name for name in ("share", "micro_batch") if getattr(self, name) is None}
        return self.model_dump(mode="json", exclude=absent)

    def record(self, **result: Any) -> TrialRecord:
        """The record of this trial with its result."""
        own = ("stage", "task", "model", "layer", "arm", "seed", "precision", "device_kind", "threads")
        shared: dict[str, Any] = {name: getattr(self, name) for name in own}
        mode, content = self.training.mode, self.content()
        return TrialRecord(key=self.key, mode=mode, specification=content, **shared, **result)


class Variant(NamedTuple):
    """A model of a sweep: the settings of its fusion module, its lower layer where it has one, its arm."""

    model: Model
    fusion: FusionSpec
    layer: int | None = None
    arm: Arm = "none"


def planned_trials(profile: Profile, stage: Stage, task: TaskName) -> Iterator[tuple[int, Variant]]:
    """The trials of a stage and task: seeds in the outer loop, so that an interrupted one is balanced."""
    sweep, arms = profile.sweep.of(task), profile.intermediate
    if stage == "intermediate":
        baselines = [Variant(BASELINE, profile.fusion, arm=arm) for arm in arms.arms]
        yield from ((seed, baseline) for seed in arms.seeds_of(task) for baseline in baselines)
        return
    for seed in sweep.seeds:
        fewer = sweep.control_seeds is not None and seed not in sweep.control_seeds
        left_out = {*CONTROLS} - {"self"} if fewer else set()
        yield from ((seed, found) for found in variants(profile, task) if found.model not in left_out)
    for seed in sweep.variations.seeds:
        yield from ((seed, found) for found in variations(profile, task))


def variants(profile: Profile, task: TaskName) -> Iterator[Variant]:
    """The models that a sweep compares on a task, the baseline first."""
    fusion, sweep = profile.fusion, profile.sweep.of(task)
    control_layer = sweep.control_layers.get(task, sweep.control_layer)
    yield Variant(BASELINE, fusion)
    for layer in sweep.layers:
        yield Variant(Model.fused(layer), fusion, layer)
    for control in sweep.controls:
        form = fusion.model_copy(update={"form": "gate"}) if control == "gate" else fusion
        yield Variant(Model(control), form, None if control == "self" else control_layer)
    for half in HALVES if sweep.halves else ():
        yield Variant(half, fusion, sweep.control_layer)


def variations(profile: Profile, task: TaskName) -> Iterator[Variant]:
    """Our own choices varied on a task: settings of D_x, fewer training items, label smoothing."""
    fusion, layer, varied = profile.fusion, profile.sweep.control_layer, profile.sweep.variations
    if task not in varied.tasks:
        return
    for changes in varied.fusion:
        yield Variant(Model.varied(changes), profile.varied_fusion(changes), layer)
    for share in varied.train_shares:
        yield Variant(Model.at_share(share, fused=False), fusion)
        yield Variant(Model.at_share(share, fused=True), fusion, layer)
    for value in varied.label_smoothing:
        yield Variant(Model.smoothed(value), fusion)
