"""The border: what a trial leaves, and everything after reads. Nothing from here on imports torch.

A results folder holds ``trials/STAGE/TASK/manifest.json`` (the keys that count) and
``trials/STAGE/TASK/KEY/{trial.json, predictions.parquet, diagnostics.npz}``; `runs` opens it.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, NamedTuple, TypeVar, get_args

import numpy as np
import pyarrow as pa
from pydantic import BaseModel, ConfigDict, StringConstraints, TypeAdapter, ValidationError

from claimtrack.errors import ResultsError
from claimtrack.evidence import Trial
from claimtrack.reading import Malformed
from crosslayer.config import Arm
from crosslayer.data.parquet import read_table, write_table
from crosslayer.predictions.models import Model
from crosslayer.tasks import TaskName

if TYPE_CHECKING:
    import pandas as pd

Stage = Literal["sweep", "intermediate"]
STAGES: tuple[Stage, ...] = get_args(Stage)
Outcome = Literal["ok", "collapsed", "nan_loss", "out_of_memory", "failed"]
PREDICTED: tuple[Outcome, ...] = ("ok", "collapsed")
"""Outcomes that leave predictions."""
Array = np.ndarray[Any, np.dtype[Any]]
T = TypeVar("T")
Key = Annotated[str, StringConstraints(pattern=r"^[a-zA-Z0-9_][a-zA-Z0-9_:.,=-]{0,99}$")]
"""A content key. Files are named by it, so it leads out of no folder and is no longer than a name may be."""


class Batch(NamedTuple):
    """What results depend on beside the specification of a trial: only trials that share it are compared.

    Attributes:
        version: of what a trial does (`crosslayer.training.trials.TRIAL_VERSION`); 0 if unknown.
        precision, device_kind, torch: as in `TrialRecord`.
    """

    version: int
    precision: str
    device_kind: str
    torch: str


class TrialRecord(BaseModel):
    """``trial.json``: what was trained, and how it ended. Free of seconds and hardware names.

    Attributes:
        key: the content key, also the folder's name.
        model: which one.
        layer: the lower layer x, where the model has one.
        arm: of intermediate training; ``none`` in the sweep.
        outcome: ``ok``, or the name of what went wrong; only ``ok`` has scores that count.
        dev_score, test_score: points, of the predictions; English dev, and the plain mean over languages. In older
            records ``dev_score`` is the best of ``dev_history``, in bfloat16 up to 0.4 points off.
        dev_history: English dev score after each epoch.
        best_epoch: the epoch (from 1) that the predictions come from.
        fusion_parameters, trained_parameters: counts.
        precision, device_kind, threads, torch: what results depend on; ``torch`` is its version, empty in records
            older than this field.
        seal: hash of the newest seal of ``claims/seals.json`` when the trial was trained; empty without one.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    key: Key
    stage: Stage
    task: TaskName
    model: Model
    layer: int | None
    arm: Arm
    seed: int
    mode: Literal["finetuned", "frozen"]
    outcome: Outcome
    detail: str = ""
    dev_score: float | None = None
    test_score: float | None = None
    dev_history: tuple[float, ...] = ()
    best_epoch: int | None = None
    fusion_parameters: int = 0
    trained_parameters: int = 0
    precision: str
    device_kind: str
    threads: int
    torch: str = ""
    specification: dict[str, Any] = {}
    seal: str = ""

    @property
    def batch(self) -> Batch:
        """The trials that this one may be compared with."""
        version = self.specification.get("version")
        known = version if isinstance(version, int) else 0
        return Batch(known, self.precision, self.device_kind, self.torch)


class _Manifest(BaseModel):
    keys: list[Key]


def as_trial(record: TrialRecord, file: Path | None = None) -> Trial:
    """A trial's record as claimtrack knows it."""
    return Trial(
        key=record.key, subject=record.task, model=record.model, seed=record.seed, arm=record.arm,
        stage=record.stage, outcome=record.outcome, seal=record.seal, score=record.test_score, unit="points",
        file=file,
    )  # fmt: skip


def schema(n_labels: int) -> pa.Schema:
    """The columns of ``predictions.parquet``: every column is required and free of nulls."""
    types = dict.fromkeys(("split", "language", "item"), pa.dictionary(pa.int32(), pa.string()))
    types |= {"position": pa.int32(), "gold": pa.int8(), "predicted": pa.int8()}
    types |= {f"score_{label}": pa.float16() for label in range(n_labels)}
    return pa.schema([pa.field(name, kind, nullable=False) for name, kind in types.items()])


def write_predictions(frame: pd.DataFrame, path: Path, n_labels: int) -> None:
    """Write one trial's predictions."""
    write_table(pa.Table.from_pandas(frame, schema=schema(n_labels), preserve_index=False), path)


def read_predictions(path: Path) -> pd.DataFrame:
    """One trial's predictions; a ResultsError where they are absent, damaged or of other columns."""
    table = read_table(path, "run `dvc repro` to train that trial again")
    n_labels = sum(name.startswith("score_") for name in table.column_names)
    if not table.schema.equals(schema(n_labels)):
        raise ResultsError(f"{path} has other columns than this version writes; run `dvc repro`")
    frame: pd.DataFrame = table.to_pandas()
    return frame


def read_arrays(path: Path, mend: str = "run `dvc repro`") -> dict[str, Array]:
    """The arrays of a ``diagnostics.npz``; ``mend`` is what the reader can do about an absent or damaged one."""
    try:
        return parse_arrays(path)
    except (Malformed, OSError) as error:
        raise ResultsError(f"{path} is damaged ({error}); {mend}") from None


def parse_arrays(path: Path) -> dict[str, Array]:
    """The arrays of an ``.npz`` file by name, without pickled ones; `Malformed` if damaged or a member is none."""
    data = BytesIO(path.read_bytes())  # np.load leaks a damaged file
    try:
        with np.load(data, allow_pickle=False) as archive:
            arrays = dict(archive.items())
    except Exception as error:  # zipfile, zlib and NumPy raise many kinds
        raise Malformed(f"{type(error).__name__}: {error}") from None
    if other := [name for name, array in arrays.items() if not isinstance(array, np.ndarray)]:
        raise Malformed(f"{other[0]} is not an array")
    return arrays


def read_manifest(path: Path) -> list[str]:
    """The trial keys that count; errors as in `read_content`."""
    return read_content(path, TypeAdapter(_Manifest)).keys


def read_record(path: Path) -> TrialRecord:
    """One trial's record; errors as in `read_content`."""
    return read_content(path, TypeAdapter(TrialRecord))


def write_records(trials: Iterable[TrialRecord], path: Path) -> None:
    """Write ``trials.json`` of a recorded run, one line a trial."""
    rows = ",\n".join(json.dumps(json.loads(trial.model_dump_json())) for trial in trials)
    path.write_text(f"[\n{rows}\n]\n", encoding="utf-8")


def read_records(path: Path) -> tuple[TrialRecord, ...]:
    """The records of a recorded run (``trials.json``); errors as in `read_content`."""
    return read_content(path, TypeAdapter(tuple[TrialRecord, ...]), "restore it from git")


def read_content(path: Path, content: TypeAdapter[T], mend: str = "run `dvc repro`") -> T:
    """A JSON file of our own; a ResultsError where it is absent or damaged."""
    try:
        return content.validate_json(path.read_bytes())
    except (OSError, ValidationError) as error:
        state = "missing" if isinstance(error, FileNotFoundError) else "damaged"
        raise ResultsError(f"{path} is {state}; {mend}") from None
