"""Runs: the trials of a profile's present results or of a recorded run, read in one way.

A recorded run, ``claims/ledger/ENTRY/``, holds ``trials.json``, ``predictions-STAGE-TASK.parquet`` (gold ids once,
a column of predicted ids a trial), ``diagnostics.npz`` and ``probes/``. Of the trials whose calibration is asked
about, ``scores-KEY.parquet`` holds the scores of all labels, of all pairs or, after intermediate training, of a
sample of the words; ``log-odds-STAGE-TASK.parquet`` holds the log-odds of the predicted label, of every word.

Notation: N predictions, K labels, R trials.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pydantic import TypeAdapter
from scipy.special import expit, logit, softmax

from claimtrack.errors import ResultsError
from crosslayer.config import Profile
from crosslayer.data.examples import Split
from crosslayer.data.parquet import column_names, read_table
from crosslayer.predictions.records import (
    STAGES,
    Array,
    Stage,
    TrialRecord,
    read_arrays,
    read_content,
    read_manifest,
    read_record,
    read_records,
)
from crosslayer.tasks import TASK_NAMES, TASKS, TaskName, english_first

if TYPE_CHECKING:
    import pandas as pd

SPLITS: tuple[Split, ...] = ("dev", "test")
"""The splits that trials predict."""
IDENTITY = ("language", "item", "position", "gold")
STEPS, MAX_LOG_ODDS = 64, 16
"""Scores of words, and the log-odds of their confidences, are measured in steps of 1/64, in present results too: a
recorded run has no room for more."""
PAIR_STEPS = 65_535
"""Confidences of pairs have steps of 1/65,535."""
USUAL, AS_USUAL = "usual", -1
"""The id that most trials predict, and what stands for it in the column of a trial: most of a column then, which
takes a third of the space."""
KEYS = "keys"
"""In ``diagnostics.npz``: trial keys, one per stacked row."""


def needs_scores(trial: TrialRecord) -> bool:
    """Whether the scores of all labels are measured, not only confidences: of pairs, and of words after
    intermediate training, which Q01 asks about."""
    return TASKS[trial.task].kind == "pair" or trial.stage == "intermediate"


def in_steps(scores: Array) -> Array:
    """Scores of words (N, K) to the nearest step."""
    return np.asarray(np.round(scores * STEPS) / STEPS)


def to_log_odds(confidence: Array) -> Array:
    """Log-odds of confidences (N,) in whole steps, at most `MAX_LOG_ODDS` either way; NaN stays."""
    return np.asarray(np.round(np.clip(logit(confidence), -MAX_LOG_ODDS, MAX_LOG_ODDS) * STEPS))


def from_log_odds(steps: Array) -> Array:
    """Confidences (N,) of such log-odds."""
    return np.asarray(expit(steps / STEPS))


@dataclass(frozen=True)
class TaskTable:
    """Predictions of several trials of one task and split, on the same items in the same order.

    Dev is English alone, and empty where somebody else's runs have no predictions of it.

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


def task_table(
    records: tuple[TrialRecord, ...], codes: Array, item: Array, position: Array, gold: Array, predicted: Array
) -> TaskTable:
    """A table from columns; ``codes`` are (N,) language codes, the rest is as in `TaskTable`."""
    languages = english_first(codes.tolist())
    index = {code: i for i, code in enumerate(languages)}
    language = np.array([index[code] for code in codes.tolist()], dtype=np.int16)
    return TaskTable(languages, language, item, position, gold, records, predicted)


class Run:
    """What analysis reads: the present results of a profile, a recorded run, or trials held otherwise.

    What is here answers for a run of which nothing but predictions and their scores is known.

    Attributes:
        name: ``fresh``, or the name of the recorded run.
        trials: those that count, failed ones included.
    """

    name: str
    trials: Sequence[TrialRecord]

    def records(self, stage: Stage, task: TaskName) -> tuple[TrialRecord, ...]:
        """The trials of a stage and task; empty if the stage has not run."""
        return tuple(trial for trial in self.trials if (trial.stage, trial.task) == (stage, task))

    def table(self, records: Iterable[TrialRecord], split: Split) -> TaskTable:
        """Predicted ids of trials of one task; a ResultsError without any, or where two have different items."""
        raise NotImplementedError

    def scores(self, record: TrialRecord, split: Split) -> Array | None:
        """(N, K) max-centred logits in the order of `table`, NaN in rows outside a kept sample; or ``None`` where
        none were kept."""
        raise NotImplementedError

    def confidence(self, record: TrialRecord, split: Split) -> Array | None:
        """(N,) probability of the predicted labels in the order of `table`; ``None`` and NaN as in `scores`.

        It is rounded, so that fresh and recorded runs measure the same on every machine: bins are cut between
        distinct confidences, and processors differ in the last bit.
        """
        scores = self.scores(record, split)
        if scores is None:
            return None
        predicted = self.table([record], split).predicted[0]
        probability = softmax(np.asarray(scores, dtype=np.float64), axis=1)[np.arange(len(predicted)), predicted]
        if TASKS[record.task].kind == "tags":
            return from_log_odds(to_log_odds(probability))
        return np.asarray(np.round(probability * PAIR_STEPS) / PAIR_STEPS)

    def diagnostics(self, record: TrialRecord) -> Mapping[str, Array]:
        """Arrays by name (`crosslayer.training.inference.diagnose` says which)."""
        return {}

    def probe(self, name: str) -> pd.DataFrame | None:
        """A probe table by name, or ``None`` if probes have not run."""
        return None

    def structure(self) -> dict[str, Any] | None:
        """The structural measurements, or ``None`` if they have not run."""
        return None


class FolderRun(Run):
    """A run in a folder, with its probes and structure."""

    mend: ClassVar[str]

    def __init__(self, folder: Path, name: str) -> None:
        self.folder, self.name = folder, name

    def probe(self, name: str) -> pd.DataFrame | None:
        path = self.folder / "probes" / f"{name}.parquet"
        return read_table(path, self.mend).to_pandas() if path.exists() else None

    def structure(self) -> dict[str, Any] | None:
        path = self.folder / "probes" / "structure.json"
        return (read_content(path, TypeAdapter(dict[str, Any]), self.mend) or None) if path.exists() else None

    def scores(self, record: TrialRecord, split: Split) -> Array | None:
        path = self.scores_path(record)
        if path is None:
            return None
        names = [f"score_{k}" for k in range(len(TASKS[record.task].labels))]
        return np.stack(self.columns(path, names, split), axis=1).astype(np.float32)

    def keeps_confidence(self, record: TrialRecord) -> bool:
        """Whether `confidence` has an answer."""
        return self.scores_path(record) is not None

    def scores_path(self, record: TrialRecord) -> Path | None:
        """Where the scores of that trial lie; ``None`` if they were not kept."""
        raise NotImplementedError

    def columns(self, path: Path, names: Sequence[str], split: Split) -> list[Array]:
        """Columns (N,) of a file, of the rows of a split, text as str."""
        table = read_table(path, self.mend, ["split", *names])
        table = table.filter(pc.equal(table["split"].cast(pa.string()), split))
        found = (table[name] for name in names)
        plain = (column.cast(pa.string()) if pa.types.is_dictionary(column.type) else column for column in found)
        return [np.asarray(column.to_numpy()) for column in plain]


class ResultsRun(FolderRun):
    """The present results of a profile, ``results/PROFILE``."""

    mend = "run `dvc repro`"

    def __init__(self, folder: Path) -> None:
        super().__init__(folder, "fresh")

    @cached_property
    def trials(self) -> tuple[TrialRecord, ...]:  # type: ignore[override]
        """Only keys of the manifests count."""
        homes = [self.folder / "trials" / stage / task for stage in STAGES for task in TASK_NAMES]
        manifests = [path for home in homes if (path := home / "manifest.json").exists()]
        return tuple(
            read_record(path.parent / key / "trial.json") for path in manifests for key in read_manifest(path)
        )

    def table(self, records: Iterable[TrialRecord], split: Split) -> TaskTable:
        return side_by_side([self._table(record, split) for record in records], str(self.folder))

    def _table(self, record: TrialRecord, split: Split) -> TaskTable:
        path, names = self.predictions_path(record), [*IDENTITY, "predicted"]
        codes, item, position, gold, predicted = self.columns(path, names, split)
        return task_table((record,), codes, item, position, gold, predicted[None])

    def diagnostics(self, record: TrialRecord) -> Mapping[str, Array]:
        return read_arrays(self.trial_folder(record) / "diagnostics.npz")

    def trial_folder(self, record: TrialRecord) -> Path:
        return self.folder / "trials" / record.stage / record.task / record.key

    def predictions_path(self, record: TrialRecord) -> Path:
        return self.trial_folder(record) / "predictions.parquet"

    scores_path = predictions_path


def side_by_side(tables: Sequence[TaskTable], where: str) -> TaskTable:
    """Tables of the same items as one.

    Raises:
        ResultsError: there is none in ``where``, or two were predicted on different items or gold labels.
    """
    if not tables:
        raise ResultsError(f"no finished trial of that kind in {where}")
    first, columns = tables[0], ("languages", *IDENTITY)
    for other in tables[1:]:
        if not all(np.array_equal(getattr(first, name), getattr(other, name)) for name in columns):
            raise ResultsError(
                f"trials {first.records[0].key} and {other.records[0].key} were predicted on different items; "
                "prepare the data from the same files"
            )
    records = tuple(record for table in tables for record in table.records)
    return replace(first, records=records, predicted=np.concatenate([table.predicted for table in tables]))


class RecordedRun(FolderRun):
    """A recorded run (an entry of the ledger); its files are checked by their hashes (`crosslayer.ledger`)."""

    mend = "restore it from git"

    def __init__(self, folder: Path) -> None:
        super().__init__(folder, folder.name.lstrip(".").removesuffix(".new"))  # also while hidden

    @cached_property
    def trials(self) -> tuple[TrialRecord, ...]:  # type: ignore[override]
        return read_records(self.folder / "trials.json")

    @cached_property
    def _diagnostics(self) -> dict[str, dict[str, Array]]:
        """The arrays of each trial by name."""
        stacked = read_arrays(self.folder / "diagnostics.npz", self.mend)
        trials: dict[str, dict[str, Array]] = {}
        for label, arrays in stacked.items():
            place, name = label.split("/")
            if name != KEYS:
                for key, array in zip(stacked[f"{place}/{KEYS}"], arrays, strict=True):
                    trials.setdefault(str(key), {})[name] = array
        return trials

    def table(self, records: Iterable[TrialRecord], split: Split) -> TaskTable:
        records = tuple(records)
        if not records:
            raise ResultsError(f"no finished trial of that kind in {self.name}")
        path, names = self.predictions_path(records[0]), [*IDENTITY, USUAL, *(record.key for record in records)]
        codes, item, position, gold, usual, *told = self.columns(path, names, split)
        predicted = np.stack(told)
        return task_table(records, codes, item, position, gold, np.where(predicted == AS_USUAL, usual, predicted))

    def confidence(self, record: TrialRecord, split: Split) -> Array | None:
        """Of words from their log-odds, if there; else from the kept scores."""
        if not self._keeps_log_odds(record):
            return super().confidence(record, split)
        return from_log_odds(self.columns(self._log_odds_path(record), [record.key], split)[0])

    def keeps_confidence(self, record: TrialRecord) -> bool:
        return self._keeps_log_odds(record) or super().keeps_confidence(record)

    def _keeps_log_odds(self, record: TrialRecord) -> bool:
        path = self._log_odds_path(record)
        return path.exists() and record.key in column_names(path, self.mend)

    def _log_odds_path(self, record: TrialRecord) -> Path:
        return self.folder / log_odds_file(record.stage, record.task)

    def diagnostics(self, record: TrialRecord) -> Mapping[str, Array]:
        return self._diagnostics.get(record.key, {})

    def predictions_path(self, record: TrialRecord) -> Path:
        """Where the predictions of that trial lie, beside those of its stage and task."""
        return self.folder / predictions_file(record.stage, record.task)

    def scores_path(self, record: TrialRecord) -> Path | None:
        path = self.folder / scores_file(record)
        return path if path.exists() else None


def open_run(folder: Path) -> RecordedRun | ResultsRun:
    """A recorded run where the folder has a ``trials.json``, else the present results of a profile."""
    return RecordedRun(folder) if (folder / "trials.json").exists() else ResultsRun(folder)


def records_of(folder: Path) -> list[TrialRecord]:
    """The trials of a run that count; of a present run those that its manifests name, if present."""
    if (folder / "trials.json").exists():
        return list(read_records(folder / "trials.json"))
    manifests = sorted(folder.glob("trials/*/*/manifest.json"))
    paths = [path.parent / key / "trial.json" for path in manifests for key in read_manifest(path)]
    return [read_record(path) for path in paths if path.exists()]


def check_planned(profile: Profile, folder: Path) -> None:
    """A ResultsError for trials of a task that params.yaml names no more: DVC leaves outputs of such a stage."""
    planned = {"sweep": profile.tasks, "intermediate": profile.intermediate.targets}
    for path in sorted(folder.glob("trials/*/*/manifest.json")):
        stage, task = path.parts[-3:-1]
        if task not in planned[stage]:
            raise ResultsError(f"params.yaml plans no {stage} of {task}; remove {path}")


def scores_file(trial: TrialRecord) -> str:
    return f"scores-{trial.key}.parquet"


def predictions_file(stage: Stage, task: TaskName) -> str:
    return f"predictions-{stage}-{task}.parquet"


def log_odds_file(stage: Stage, task: TaskName) -> str:
    """Where the log-odds of the words of a stage and task lie."""
    return f"log-odds-{stage}-{task}.parquet"
