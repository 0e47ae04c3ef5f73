"""``trials.csv``: which prediction file is of which trial."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from claimtrack.settings import validated
from crosslayer.config import Arm
from crosslayer.data.formats import read_csv
from crosslayer.errors import DataError
from crosslayer.predictions.models import BASELINE, Model
from crosslayer.predictions.records import Stage
from crosslayer.tasks import TaskName

NAME = "trials.csv"
DEPTHS = {
    "bert-base-multilingual-cased": 12,
    "bert-base-multilingual-uncased": 12,
    "xlm-roberta-base": 12,
    "xlm-roberta-large": 24,
}
"""Layers of encoders by the last part of their name; others have at most `DEEPEST`."""
DEEPEST = 48
Number = Annotated[int, Field(ge=0, lt=10**9)]


def _below(file: Path) -> Path:
    if file.is_absolute() or ".." in file.parts:
        raise ValueError("it is not a path below the folder")
    return file


class Row(BaseModel):
    """One prediction file: a line of ``trials.csv``, its columns in this order.

    Attributes:
        file: below the folder.
        task, language, split: of the items that it predicts.
        model, layer: which model, and the lower layer that it fuses, if any; a layer alone means D_x.
        seed: of the training run.
        arm: of intermediate training; None for a model of the sweep.
        encoder: name or hub id of the encoder that was trained.
        training_items: how many it was trained on; None for all.
        batch: runs that may be compared have the same word here.
        where: ``trials.csv:LINE``, for errors.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    file: Annotated[Path, AfterValidator(_below)]
    task: TaskName
    language: Annotated[str, Field(pattern=r"^[a-z]{2,3}(-\w+)?$")]
    split: Literal["dev", "test"]
    model: Model
    layer: Number | None = None
    seed: Number
    arm: Arm | None = None
    encoder: str
    training_items: Annotated[Number | None, BeforeValidator(lambda text: None if text == "all" else text)] = None
    batch: str = ""
    where: str

    @model_validator(mode="before")
    @classmethod
    def _with_model_and_layer(cls, cells: dict[str, Any]) -> dict[str, Any]:
        if not {"model", "layer", "arm"} & cells.keys():
            raise ValueError("model and layer are empty; name the model, the baseline too")
        named = {"model": f"layer_{cells['layer']}" if "layer" in cells else BASELINE, **cells}
        alone = re.fullmatch("layer_([0-9]+)", named["model"])
        return {"layer": alone[1], **named} if alone else named

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        depth = DEPTHS.get(self.encoder.rpartition("/")[2].lower(), DEEPEST)
        if not self.model.is_compared:
            raise ValueError(f"{self.model!r:.60} is neither baseline nor layer_X nor a control")
        if self.model.layer not in (None, self.layer):
            raise ValueError(f"model {self.model} has another layer than {self.layer}")
        if self.layer is not None and not 1 <= self.layer < depth:
            raise ValueError(f"layer {self.layer} is none of 1 to {depth - 1}, the lower layers of {self.encoder}")
        if self.arm and self.model != BASELINE:
            raise ValueError(f"arms of intermediate training are compared on the baseline, not on {self.model}")
        return self

    @property
    def stage(self) -> Stage:
        """Where its trials stand among those of this project."""
        return "intermediate" if self.arm else "sweep"

    @property
    def trial(self) -> tuple[Stage, TaskName, Model, int | None, Arm, int, str]:
        """What one trial has in common."""
        return self.stage, self.task, self.model, self.layer, self.arm or "none", self.seed, self.batch


COLUMNS = tuple(name for name in Row.model_fields if name != "where")


def read_manifest(folder: Path) -> list[Row]:
    """The rows of ``trials.csv``; a UserError where it is absent or empty, or a line is wrong, which is named."""
    path = folder / NAME
    if not path.is_file():
        raise DataError(
            f"{path} is missing; it names the prediction files, with the columns {', '.join(COLUMNS)}; scores "
            "without items are read with --aggregate"
        )
    lines = read_csv(path)
    header = [name.strip() for name in next(lines, ("", []))[1]]
    if len(set(header)) < len(header) or not {"model", "layer"} & set(header):
        raise DataError(
            f"{path}:1: a column appears twice, or none is model or layer; known are {', '.join(COLUMNS)}"
        )
    rows: dict[object, Row] = {}
    for where, cells in lines:
        filled = {name: cell.strip() for name, cell in zip(header, cells, strict=True) if cell.strip()}
        row = validated(filled | {"where": where}, Row, where)
        place = (*row.trial, row.language, row.split)
        if place in rows:
            raise DataError(f"{where}: the same trial, language and split as {rows[place].where}; one file each")
        rows[place] = row
    if not rows:
        raise DataError(f"{path} names no file; add a line for each")
    return [*rows.values()]
