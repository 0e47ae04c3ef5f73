"""The border: tables that trials leave and everything after reads. Nothing from here on imports torch.

Notation: N predictions, K labels, R trials, E width, T tokens.

A results folder holds ``trials/STAGE/TASK/manifest.json`` (the keys that count) and
``trials/STAGE/TASK/KEY/{trial.json, predictions.parquet, diagnostics.npz}``. A recorded run holds the same
facts in compact form (`crosslayer.ledger.ledger`); both open as a `Run`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, NamedTuple, Protocol

import numpy as np
import pyarrow as pa
from pydantic import BaseModel, ConfigDict, StringConstraints, TypeAdapter, ValidationError
from scipy.special import softmax

from claimtrack.errors import ResultsError
from claimtrack.evidence import Trial
from claimtrack.reading import Malformed, parse_json
from claimtrack.reading import read_arrays as read_npz
from crosslayer.config import Arm
from crosslayer.data.examples import Split
from crosslayer.data.parquet import read_table, write_table
from crosslayer.predictions.models import Model
from crosslayer.tasks import TaskName

if TYPE_CHECKING:
    import pandas as pd

Stage = Literal["sweep", "intermediate"]
Outcome = Literal["ok", "collapsed", "nan_loss", "out_of_memory", "failed"]
Array = np.ndarray[Any, np.dtype[Any]]
_KEY = r"^[a-zA-Z0-9_][a-zA-Z0-9_:.,=-]{0,99}$"
Key = Annotated[str, StringConstraints(pattern=_KEY)]
"""A content key. Files are named by it, so it leads out of no folder and is no longer than a name may be."""
CONFIDENCE_STEPS = 65_535
"""Confidences are multiples of 1/65,535, which two bytes hold: 0 and 1 are exact, and others are off by less than
0.001 points."""


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


def as_trial(record: TrialRecord, file: Path | None = None) -> Trial:
    """A trial's record as claimtrack knows it."""
    return Trial(
        key=record.key, subject=record.task, model=record.model, seed=record.seed, arm=record.arm,
        stage=record.stage, outcome=record.outcome, seal=record.seal, score=record.test_score, unit="points",
        file=file,
    )  # fmt: skip


@dataclass(frozen=True)
class TaskTable:
    """Predictions of several trials of one task and split, on the same items in the same order.

    Attributes:
        languages: names, English first, then sorted.
        language: (N,) index into ``languages``.
        item: (N,) item names; the same name in two languages is the same content where data are parallel.
        position: (N,) word index in a sentence; 0 for pairs.
        gold: (N,) label ids.
        records: the R trials.
        predicted: (R, N) label ids.
    """

    languages: tuple[str, ...]
    language: Array
    item: Array
    position: Array
    gold: Array
    records: tuple[TrialRecord, ...]
    predicted: Array


class Run(Protocol):
    """What analysis reads: the present results of a profile, or a recorded run."""

    @property
    def name(self) -> str:
        """``fresh``, or the name of the recorded run."""
        ...

    def records(self, stage: Stage, task: TaskName) -> tuple[TrialRecord, ...]:
        """The trials that count, failed ones included; empty if the stage has not run."""
        ...

    def table(self, records: Iterable[TrialRecord], split: Split) -> TaskTable:
        """Predicted ids of trials of one task."""
        ...

    def scores(self, record: TrialRecord, split: Split) -> Array | None:
        """(N, K) max-centred logits in the order of `table`, NaN in rows outside a kept sample; or ``None`` where
        none were kept."""
        ...

    def confidence(self, record: TrialRecord, split: Split) -> Array | None:
        """(N,) `confidence_of` the predicted labels in the order of `table`, or ``None``; NaN as in `scores`."""
        ...

    def diagnostics(self, record: TrialRecord) -> dict[str, Array]:
        """Arrays by name (`crosslayer.training.finetuned` says which)."""
        ...

    def probe(self, name: str) -> pd.DataFrame | None:
        """A probe table by name, or ``None`` if probes have not run."""
        ...

    def structure(self) -> dict[str, Any] | None:
        """The structural measurements, or ``None`` if they have not run."""
        ...


def confidence_of(scores: Array, predicted: Array) -> Array:
    """Probability (N,) of the predicted labels, rounded so that a fresh and a recorded run measure the same.

    Args:
        scores: (N, K) logits; a row of NaN gives NaN.
        predicted: (N,) label ids.
    """
    probability = softmax(np.asarray(scores, dtype=np.float64), axis=1)[np.arange(len(predicted)), predicted]
    return np.asarray(np.round(probability * CONFIDENCE_STEPS) / CONFIDENCE_STEPS)


def schema(n_labels: int) -> pa.Schema:
    """The columns of ``predictions.parquet``: every column is required and free of nulls."""
    fields = [
        pa.field("split", pa.dictionary(pa.int32(), pa.string()), nullable=False),
        pa.field("language", pa.dictionary(pa.int32(), pa.string()), nullable=False),
        pa.field("item", pa.dictionary(pa.int32(), pa.string()), nullable=False),
        pa.field("position", pa.int32(), nullable=False),
        pa.field("gold", pa.int8(), nullable=False),
        pa.field("predicted", pa.int8(), nullable=False),
    ]
    fields += [pa.field(f"score_{label}", pa.float16(), nullable=False) for label in range(n_labels)]
    return pa.schema(fields)


def write_predictions(frame: pd.DataFrame, path: Path, n_labels: int) -> None:
    """Check and write one trial's predictions.

    Raises:
        ResultsError: a column is missing, a label id out of range, or a row there twice.
    """
    check_predictions(frame, n_labels, str(path))
    table = pa.Table.from_pandas(frame, schema=schema(n_labels), preserve_index=False)
    write_table(table, path)


def check_predictions(frame: pd.DataFrame, n_labels: int, where: str) -> None:
    """Check the values of a prediction table (pandera), naming the first wrong one."""
    import pandera.pandas as pandera

    label = pandera.Check.in_range(0, n_labels - 1)
    text = pandera.Check(lambda s: s.astype(str).str.len() > 0, error="is empty")
    scores = [f"score_{k}" for k in range(n_labels)]
    finite = pandera.Check(lambda s: np.isfinite(s), error="is not finite")
    table = pandera.DataFrameSchema(
        {
            "split": pandera.Column(checks=pandera.Check.isin(["dev", "test"])),
            "language": pandera.Column(checks=text),
            "item": pandera.Column(checks=text),
            "position": pandera.Column(int, pandera.Check.ge(0), coerce=True),
            "gold": pandera.Column(int, label, coerce=True),
            "predicted": pandera.Column(int, label, coerce=True),
            **{name: pandera.Column(checks=finite) for name in scores},
        },
        strict=True,
        unique=["split", "language", "item", "position"],
    )
    try:
        table.validate(frame.astype(dict.fromkeys(scores, np.float32)))  # pandas cannot index float16
    except (pandera.errors.SchemaError, pandera.errors.SchemaErrors) as error:
        raise ResultsError(f"{where}: {' '.join(str(error).split())[:300]}; delete that trial and rerun") from None


def read_predictions(path: Path) -> pd.DataFrame:
    """Read one trial's predictions; the file's own columns are checked, not every value again.

    Raises:
        ResultsError: absent, damaged, or of other columns.
    """
    table = read_table(path, "run `dvc repro` to train that trial again")
    n_labels = sum(name.startswith("score_") for name in table.column_names)
    if not table.schema.equals(schema(n_labels)):
        raise ResultsError(f"{path} has other columns than this version writes; run `dvc repro`")
    frame: pd.DataFrame = table.to_pandas()
    return frame


def read_arrays(path: Path, mend: str = "run `dvc repro`") -> dict[str, Array]:
    """The arrays of a ``diagnostics.npz``.

    Args:
        path: the file.
        mend: what the reader can do about a wrong one.

    Raises:
        ResultsError: absent or damaged.
    """
    try:
        return read_npz(path)
    except (Malformed, OSError) as error:
        raise ResultsError(f"{path} is damaged ({error}); {mend}") from None


def read_structure(path: Path, mend: str = "run `dvc repro`") -> dict[str, Any] | None:
    """The structural measurements, ``None`` if there are none; arguments and errors as `read_arrays`."""
    if not path.exists():
        return None
    try:
        content = parse_json(path.read_bytes())
    except Malformed:
        content = None
    if not isinstance(content, dict):
        raise ResultsError(f"{path} is damaged; {mend}")
    return content


@dataclass(frozen=True)
class ResultsRun:
    """The present results of a profile.

    Args:
        folder: ``results/PROFILE``.
        name: how the run is called in evidence.
    """

    folder: Path
    name: str = "fresh"

    def records(self, stage: Stage, task: TaskName) -> tuple[TrialRecord, ...]:
        """See `Run.records`; only keys of the manifest count."""
        home = self.folder / "trials" / stage / task
        if not (home / "manifest.json").exists():
            return ()
        keys = read_manifest(home / "manifest.json")
        return tuple(read_record(home / key / "trial.json") for key in keys)

    def table(self, records: Iterable[TrialRecord], split: Split) -> TaskTable:
        """See `Run.table`."""
        records = tuple(records)
        frames = [self._frame(record, split) for record in records]
        if not frames:
            raise ResultsError(f"no finished trial of that kind in {self.folder}")
        return make_table(records, frames)

    def scores(self, record: TrialRecord, split: Split) -> Array | None:
        """See `Run.scores`."""
        return _scores(self._frame(record, split))

    def confidence(self, record: TrialRecord, split: Split) -> Array | None:
        """See `Run.confidence`."""
        frame = self._frame(record, split)
        return confidence_of(_scores(frame), frame["predicted"].to_numpy())

    def diagnostics(self, record: TrialRecord) -> dict[str, Array]:
        """See `Run.diagnostics`."""
        return read_arrays(self.trial_folder(record) / "diagnostics.npz")

    def probe(self, name: str) -> pd.DataFrame | None:
        """See `Run.probe`."""
        path = self.folder / "probes" / f"{name}.parquet"
        return read_table(path).to_pandas() if path.exists() else None

    def structure(self) -> dict[str, Any] | None:
        """See `Run.structure`."""
        return read_structure(self.folder / "probes" / "structure.json")

    def trial_folder(self, record: TrialRecord) -> Path:
        """Where that trial lies."""
        return self.folder / "trials" / record.stage / record.task / record.key

    def _frame(self, record: TrialRecord, split: Split) -> pd.DataFrame:
        frame = read_predictions(self.trial_folder(record) / "predictions.parquet")
        return frame[frame["split"] == split].reset_index(drop=True)


def _scores(frame: pd.DataFrame) -> Array:
    return frame[[name for name in frame.columns if name.startswith("score_")]].to_numpy(np.float32)


def make_table(records: tuple[TrialRecord, ...], frames: list[pd.DataFrame]) -> TaskTable:
    """Put prediction tables of the same items side by side.

    Raises:
        ResultsError: two trials were predicted on different items or gold labels.
    """
    first = frames[0]
    identity = ["language", "item", "position", "gold"]
    for record, frame in zip(records, frames, strict=True):
        same = len(frame) == len(first) and all(
            np.array_equal(frame[name].to_numpy(), first[name].to_numpy()) for name in identity
        )
        if not same:
            raise ResultsError(f"trials {records[0].key} and {record.key} were predicted on different items")
    names = first["language"].astype(str).to_numpy()
    languages = tuple(sorted(set(names), key=lambda code: (code != "en", code)))
    index = {code: i for i, code in enumerate(languages)}
    return TaskTable(
        languages=languages,
        language=np.array([index[code] for code in names], dtype=np.int16),
        item=first["item"].astype(str).to_numpy(),
        position=first["position"].to_numpy(),
        gold=first["gold"].to_numpy(),
        records=records,
        predicted=np.stack([frame["predicted"].to_numpy() for frame in frames]),
    )


def read_manifest(path: Path) -> list[str]:
    """The trial keys that count.

    Raises:
        ResultsError: the manifest is damaged.
    """
    try:
        keys = [str(key) for key in parse_json(path.read_bytes())["keys"]]
    except (Malformed, KeyError, TypeError):
        keys = [""]
    if not all(re.fullmatch(_KEY, key) for key in keys):
        raise ResultsError(f"{path} is damaged; run `dvc repro` to write it anew")
    return keys


def read_record(path: Path) -> TrialRecord:
    """One trial's record.

    Raises:
        ResultsError: absent or damaged.
    """
    try:
        return TrialRecord.model_validate_json(path.read_bytes())
    except FileNotFoundError:
        raise ResultsError(f"{path} is missing though the manifest names it; run `dvc repro`") from None
    except ValidationError as error:
        raise ResultsError(f"{path} is damaged ({error.error_count()} errors); run `dvc repro`") from None


def read_records(path: Path) -> tuple[TrialRecord, ...]:
    """The records of a recorded run (``trials.json``).

    Raises:
        ResultsError: absent or damaged.
    """
    try:
        return TypeAdapter(tuple[TrialRecord, ...]).validate_json(path.read_bytes())
    except (OSError, ValidationError):
        raise ResultsError(f"{path} is missing or damaged; restore it from git") from None
