"""What each ``when`` of ``claims/registry.yaml`` means for a profile."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from crosslayer.config import Profile
from crosslayer.tasks import TASKS

PAPER_ENCODER = "bert-base-multilingual-cased"


def fragment(profile: Profile) -> bool:
    """The data are the built-in fragment; items of one name have the same content in all languages."""
    return profile.data.source == "fragment"


def random_encoder(profile: Profile) -> bool:
    """The encoder has random weights."""
    return profile.encoder.source == "random"


def similarity_encoder(profile: Profile) -> bool:
    """Trained contrastively to align languages: multilingual E5, packaged or from a hub."""
    return profile.encoder.source == "packaged" or "e5" in _encoder_name(profile)


def other_encoder(profile: Profile) -> bool:
    """Not the paper's."""
    return profile.encoder.source != "hub" or _encoder_name(profile) != PAPER_ENCODER


def frozen_trunk(profile: Profile) -> bool:
    """The encoder stays as it is in at least one task."""
    return any(task.mode == "frozen" or task.trainable_layers == 0 for task in profile.tasks.values())


def reduced(profile: Profile) -> bool:
    """Fewer items, languages, tasks or trained layers than the paper had."""
    tasks = profile.tasks.values()
    return (
        profile.data.languages is not None
        or len(tasks) < len(TASKS)
        or any(task.trainable_layers is not None or not task.train_embeddings for task in tasks)
        or any(size is not None for task in tasks for size in (task.sizes.train, task.sizes.dev, task.sizes.test))
    )


CONDITIONS: Mapping[str, Callable[[Profile], bool]] = {
    condition.__name__: condition
    for condition in (fragment, random_encoder, similarity_encoder, other_encoder, frozen_trunk, reduced)
}


def _encoder_name(profile: Profile) -> str:
    """The last part of the hub id or directory, in lower case."""
    return (profile.encoder.name or "").replace("\\", "/").rstrip("/").rpartition("/")[2].lower()
