"""What kind of evidence a verdict is: conditions on the settings, values in the registry."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from claimtrack.plugin import Condition, Setting
    from claimtrack.registry import Entry, Relevance


def relevance_of(entry: Entry, setting: Setting, conditions: Mapping[str, Condition]) -> Relevance:
    """The first of ``entry.relevance`` whose condition holds; the last one is for ``any``."""
    return next(relevance for relevance in entry.relevance if conditions[relevance.when](setting))
