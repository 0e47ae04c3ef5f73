"""What kind of evidence a verdict is: conditions on the profile, values in the registry."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

from typing_extensions import TypeVar  # comes with pydantic; typing's own has no default before Python 3.13

from claimtrack.errors import ClaimError
from claimtrack.registry import Condition, Entry, Relevance
from crosslayer.config import Profile, TaskSpec

PAPER_ENCODER = "bert-base-multilingual-cased"


class Setting(Protocol):
    """All that claims need of a profile, so that the replication of another paper can have one of its own."""

    @property
    def profile(self) -> str:
        """Its name."""
        ...

    @property
    def claims(self) -> Sequence[str]:
        """The ids of the claims that it measures."""
        ...


SettingT = TypeVar("SettingT", bound=Setting, default=Profile, covariant=True)
Conditions = Mapping[Condition, Callable[[Any], bool]]
"""What each condition of the registry means for the settings at hand."""


def relevance_of(entry: Entry, setting: Setting, conditions: Conditions | None = None) -> Relevance:
    """The first of ``entry.relevance`` whose condition holds; `CONDITIONS` by default.

    Raises:
        ClaimError: the entry asks for a condition that has no meaning for these settings.
    """
    known: Conditions = CONDITIONS if conditions is None else conditions
    for relevance in entry.relevance:
        if relevance.when not in known:
            raise ClaimError(f"{entry.id}: no condition {relevance.when} is known here, only {', '.join(known)}")
        if known[relevance.when](setting):
            return relevance
    raise ClaimError(f"{entry.id}: no condition of relevance holds for the profile {setting.profile}")


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
    cut = profile.data.languages is not None or len(profile.tasks) < 4
    return cut or any(_is_partial(task) for task in profile.tasks.values())


CONDITIONS: dict[Condition, Callable[[Profile], bool]] = {
    "fragment": _is_fragment,
    "random_encoder": _is_random,
    "similarity_encoder": _is_similarity_encoder,
    "other_encoder": _is_other_encoder,
    "frozen_trunk": _has_frozen_trunk,
    "reduced": _is_reduced,
    "any": lambda profile: True,
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
