"""What each ``when`` of ``claims/registry.yaml`` means for a profile."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from crosslayer.config import Profile, TaskSpec
from crosslayer.tasks import TASKS

PAPER_ENCODER = "bert-base-multilingual-cased"


def _is_fragment(profile: Profile) -> bool:
    return profile.data.source == "fragment"


def _is_random(profile: Profile) -> bool:
    return profile.encoder.source == "random"


def _is_similarity_encoder(profile: Profile) -> bool:
    """Trained contrastively to align languages: multilingual E5, packaged or from a hub."""
    return profile.encoder.source == "packaged" or "e5" in _encoder_name(profile)


def _is_other_encoder(profile: Profile) -> bool:
    return profile.encoder.source != "hub" or _encoder_name(profile) != PAPER_ENCODER


def _has_frozen_trunk(profile: Profile) -> bool:
    return any(_is_frozen(task) for task in profile.tasks.values())


def _is_reduced(profile: Profile) -> bool:
    """Fewer items, languages, tasks or trained layers than the paper had."""
    cut = profile.data.languages is not None or len(profile.tasks) < len(TASKS)
    return cut or any(_is_partial(task) for task in profile.tasks.values())


CONDITIONS: Mapping[str, Callable[[Profile], bool]] = {
    "fragment": _is_fragment,
    "random_encoder": _is_random,
    "similarity_encoder": _is_similarity_encoder,
    "other_encoder": _is_other_encoder,
    "frozen_trunk": _has_frozen_trunk,
    "reduced": _is_reduced,
}


def _encoder_name(profile: Profile) -> str:
    """The last part of the hub id or directory, in lower case."""
    return (profile.encoder.name or "").replace("\\", "/").rstrip("/").rpartition("/")[2].lower()


def _is_frozen(task: TaskSpec) -> bool:
    return task.mode == "frozen" or task.trainable_layers == 0


def _is_partial(task: TaskSpec) -> bool:
    sizes = task.sizes
    cut = any(size is not None for size in (sizes.train, sizes.dev, sizes.test))
    return cut or task.trainable_layers is not None or not task.train_embeddings
