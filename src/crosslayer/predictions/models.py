"""What a trial trains beside its task, seed and arm: one type, one way to print it and one to read it."""

from __future__ import annotations

import re
from typing import Any, get_args

from pydantic import GetCoreSchemaHandler
from pydantic_core import CoreSchema, core_schema

from crosslayer.config import Control, FusionKind

_NUMBER = r"[0-9]+(?:\.[0-9]+)?(?:e-[0-9]+)?"
_NAME = re.compile(
    rf"(?:baseline|dlfa)_at_(?P<share>{_NUMBER})|baseline_smoothed_(?P<smoothing>{_NUMBER})|baseline"
    rf"|layer_(?P<layer>0|[1-9][0-9]*)|half_(?P<half>[12])|varied:(?P<changes>.+)|{'|'.join(get_args(Control))}"
)
_PARTS = {"layer": int, "half": int, "share": float, "smoothing": float, "changes": str}


class Model(str):
    """A model by its name, which files, trial keys and evidence hold; `Model(name)` reads it.

    ``baseline``, ``layer_8`` (D_8), a control such as ``self``, ``half_1`` (D_x on half of the training items),
    ``baseline_at_0.5`` and ``dlfa_at_0.5`` (on a share of them), ``baseline_smoothed_0.1`` (label smoothing), and
    ``varied:kernel=3`` (D_x with other settings). The lower layer of all but D_x stands in the trial's record.

    Raises:
        ValueError: the name is none of these.
    """

    layer: int | None
    """The x of D_x."""
    half: int | None
    """1 or 2 for a model trained on half of the items."""
    share: float | None
    """Of the training items, where it is a part of them."""
    smoothing: float | None
    """Label smoothing, where it differs from the task's."""
    changes: str | None
    """The settings that differ, ``kernel=3,reduction=16``."""

    def __new__(cls, name: str) -> Model:
        found = _NAME.fullmatch(name)
        if not found:
            raise ValueError(f"{name!r:.60} names no model; known are baseline, layer_X and controls such as self")
        model = super().__new__(cls, name)
        for part, kind in _PARTS.items():
            setattr(model, part, None if found[part] is None else kind(found[part]))
        return model

    @classmethod
    def fused(cls, layer: int) -> Model:
        return cls(f"layer_{layer}")

    @classmethod
    def at_share(cls, share: float, *, fused: bool) -> Model:
        """D_x, or the baseline, trained on a share of the items."""
        return cls(f"{'dlfa' if fused else 'baseline'}_at_{share:g}")

    @classmethod
    def smoothed(cls, smoothing: float) -> Model:
        return cls(f"baseline_smoothed_{smoothing:g}")

    @classmethod
    def varied(cls, changes: dict[str, Any]) -> Model:
        """D_x with other settings of the fusion module."""
        return cls("varied:" + ",".join(f"{key}={value}" for key, value in changes.items()))

    @property
    def is_compared(self) -> bool:
        """Whether it stands in the tables of gains: the baseline, a D_x or a control."""
        return self == BASELINE or self.layer is not None or self in CONTROLS

    @property
    def fusion(self) -> FusionKind:
        """The fusion module that it is built with."""
        if self.startswith("baseline"):
            return "none"
        return str(self) if self in CONTROLS and self != "gate" else "dlfa"  # type: ignore[return-value]

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        """In a record it is a string."""
        return core_schema.no_info_after_validator_function(cls, core_schema.str_schema())


BASELINE = Model("baseline")
SIMPLE = tuple(map(Model, ("gate", "average", "concatenation", "scalar_mix")))
"""Fusions with another seed pattern than D_x and the baseline (on POS F = 16 between the two kinds)."""
CONTROLS = (Model("self"), Model("shuffled"), *SIMPLE)
HALVES = (Model("half_1"), Model("half_2"))
