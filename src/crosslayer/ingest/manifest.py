"""``trials.csv``: which prediction file is of which trial."""

from __future__ import annotations

import csv
import re
from dataclasses import dataclass
from io import StringIO
from pathlib import Path
from typing import Literal, get_args

from crosslayer.config import Arm
from crosslayer.data.formats import read_lines
from crosslayer.errors import DataError
from crosslayer.predictions.models import BASELINE, Model
from crosslayer.predictions.records import Stage
from crosslayer.tasks import TASKS, TaskName

NAME = "trials.csv"
COLUMNS = (
    "file",
    "task",
    "language",
    "split",
    "model",
    "layer",
    "seed",
    "arm",
    "encoder",
    "training_items",
    "batch",
)
REQUIRED = ("file", "task", "language", "split", "seed", "encoder")
ALL = ("", "all")
"""What ``training_items`` says where the model was trained on all there are."""
DEPTHS = {
    "bert-base-multilingual-cased": 12,
    "bert-base-multilingual-uncased": 12,
    "xlm-roberta-base": 12,
    "xlm-roberta-large": 24,
}
"""Layers of encoders by the last part of their name; others have at most `DEEPEST`."""
DEEPEST = 48
Evaluated = Literal["dev", "test"]


@dataclass(frozen=True)
class Row:
    """One prediction file.

    Attributes:
        where: ``trials.csv:LINE``, for errors.
        file: below the folder.
        task, language, split: of the items that it predicts.
        model, layer: which model, and the lower layer that it fuses, if any.
        seed: of the training run.
        stage, arm: ``sweep`` and ``none`` where the column ``arm`` is empty; else an arm of intermediate training.
        encoder: name or hub id of the encoder that was trained.
        training_items: how many it was trained on; None for all.
        batch: runs that may be compared have the same word here.
    """

    where: str
    file: Path
    task: TaskName
    language: str
    split: Evaluated
    model: Model
    layer: int | None
    seed: int
    stage: Stage
    arm: Arm
    encoder: str
    training_items: int | None
    batch: str

    @property
    def trial(self) -> tuple[Stage, TaskName, Model, int | None, Arm, int, str]:
        """What one trial has in common."""
        return self.stage, self.task, self.model, self.layer, self.arm, self.seed, self.batch


def read_manifest(folder: Path) -> list[Row]:
    """The rows of ``trials.csv``.

    Raises:
        DataError: it is absent or empty, or a line is wrong, which is named.
    """
    path = folder / NAME
    if not path.is_file():
        raise DataError(
            f"{path} is missing; it names the prediction files, with the columns {', '.join(COLUMNS)}; scores "
            "without items are read with --aggregate"
        )
    table = csv.reader(StringIO("\n".join(read_lines(path))), strict=True)
    try:
        header = [name.strip() for name in next(table, [])]
        _check_header(header, path)
        rows = [_row(cells, header, f"{path}:{table.line_num}") for cells in table if any(cells)]
    except csv.Error as error:
        raise DataError(f"{path}:{table.line_num}: {error}") from None
    if not rows:
        raise DataError(f"{path} names no file; add a line for each")
    seen: dict[object, str] = {}
    for row in rows:
        place = (*row.trial, row.language, row.split)
        if place in seen:
            raise DataError(f"{row.where}: the same trial, language and split as {seen[place]}; one file each")
        seen[place] = row.where
    return rows


def _check_header(header: list[str], path: Path) -> None:
    if unknown := [name for name in header if name not in COLUMNS]:
        raise DataError(f"{path}:1: unknown column {unknown[0]!r:.40}; known are {', '.join(COLUMNS)}")
    lacking = [name for name in REQUIRED if name not in header]
    if lacking or not {"model", "layer"} & set(header):
        raise DataError(f"{path}:1: no column {(lacking or ['model'])[0]}; needed are {', '.join(REQUIRED)}, and "
                        "model or layer")  # fmt: skip
    if len(set(header)) < len(header):
        raise DataError(f"{path}:1: a column appears twice")


def _row(cells: list[str], header: list[str], where: str) -> Row:
    if len(cells) != len(header):
        raise DataError(f"{where}: {len(cells)} cells where the header has {len(header)}")
    cell = dict.fromkeys(COLUMNS, "") | {name: text.strip() for name, text in zip(header, cells, strict=True)}
    file, task = Path(cell["file"]), cell["task"]
    if not cell["file"] or file.is_absolute() or ".." in file.parts:
        raise DataError(f"{where}: file {cell['file']!r:.60} is not a path below the folder")
    if task not in TASKS:
        raise DataError(f"{where}: unknown task {task!r:.40}; known are {', '.join(TASKS)}")
    if not re.fullmatch("[a-z]{2,3}", cell["language"]):
        raise DataError(f"{where}: language {cell['language']!r:.40} is not a code; write one such as de")
    if cell["split"] not in get_args(Evaluated):
        raise DataError(f"{where}: split {cell['split']!r:.40} is neither dev nor test")
    if cell["arm"] not in ("", *get_args(Arm)):
        raise DataError(f"{where}: arm {cell['arm']!r:.40} is none of {', '.join(get_args(Arm))}; leave it empty "
                        "without intermediate training")  # fmt: skip
    if not cell["encoder"]:
        raise DataError(f"{where}: no encoder; write its name, such as bert-base-multilingual-cased")
    layer = _whole(cell["layer"], "layer", where) if cell["layer"] else None
    model = _model(cell["model"], layer, where)
    if cell["arm"] and model != BASELINE:
        raise DataError(f"{where}: arms of intermediate training are compared on the baseline, not on {model}")
    depth = DEPTHS.get(cell["encoder"].rpartition("/")[2].lower(), DEEPEST)
    lower = layer if model.layer is None else model.layer
    if lower is not None and not 1 <= lower < depth:
        raise DataError(
            f"{where}: layer {lower} is none of 1 to {depth - 1}, the lower layers of {cell['encoder']!r:.60}"
        )
    items = None if cell["training_items"] in ALL else _whole(cell["training_items"], "training_items", where)
    return Row(
        where, file, task, cell["language"], cell["split"], model, lower,  # type: ignore[arg-type]
        _whole(cell["seed"], "seed", where), "intermediate" if cell["arm"] else "sweep",
        cell["arm"] or "none", cell["encoder"], items, cell["batch"],  # type: ignore[arg-type]
    )  # fmt: skip


def _model(name: str, layer: int | None, where: str) -> Model:
    """The model of a line: its name, or D_x by its layer alone."""
    if not name:
        return BASELINE if layer is None else Model.fused(layer)
    try:
        model = Model(name)
    except ValueError as error:
        raise DataError(f"{where}: {error}") from None
    if not model.is_compared:
        raise DataError(f"{where}: {model!r:.60} is neither baseline nor layer_X nor a control")
    if layer is not None and model.layer not in (None, layer):
        raise DataError(f"{where}: model {model} has another layer than {layer}")
    return model


def _whole(text: str, column: str, where: str) -> int:
    if not text.isascii() or not text.isdigit() or len(text) > 9:
        raise DataError(f"{where}: {column} {text!r:.40} is not a whole number")
    return int(text)
