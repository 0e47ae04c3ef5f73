"""Records that carry the hash of their own content, and how two of them differ.

A hash is the SHA-256 of canonical JSON: keys sorted, no blanks, ASCII, floats as Python's ``repr`` writes them.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from typing import Annotated, Any, Self

from pydantic import BaseModel, ConfigDict, StringConstraints, model_validator

ABSENT = "absent"
Values = dict[str, Any]
Hash = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]


def digest(values: Any) -> str:
    """SHA-256 of the canonical JSON; a ValueError for NaN and infinity."""
    text = json.dumps(values, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()


class Hashed(BaseModel):
    """Base of seals and plans: unknown keys and NaN are errors, and ``hash`` must fit the rest."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    hash: Hash

    def content(self) -> Values:
        """What the hash is made of."""
        return self.model_dump(mode="json", exclude={"hash"}, exclude_defaults=True)

    @model_validator(mode="after")
    def _unchanged(self) -> Self:
        if digest(self.content()) != self.hash:
            raise ValueError("the hash does not fit the values; restore the file from git")
        return self


def changes(old: Values, new: Values, prefix: str = "") -> Iterator[tuple[str, str, str]]:
    """Values that differ: name, and both sides as text; thresholds go by their own names."""
    for name in sorted({*old, *new}):
        was, now = old.get(name, ABSENT), new.get(name, ABSENT)
        if isinstance(was, dict) and isinstance(now, dict):
            yield from changes(was, now, "" if name == "thresholds" else f"{prefix}{name}.")
        elif _text(was) != _text(now):
            yield f"{prefix}{name}", _text(was), _text(now)


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, sort_keys=True)
