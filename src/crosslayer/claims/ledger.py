"""Recorded runs: everything that evidence is computed from, small enough for git, free of any text.

``claims/ledger/ENTRY/`` holds ``run.json``, ``profile.yaml``, ``trials.json``, ``predictions-STAGE-TASK.parquet``
(gold ids once, one column of predicted ids a trial), ``scores-KEY.parquet`` for the trials whose calibration is
asked about, ``diagnostics.npz``, ``probes/``, the evidence computed from these, and ``hashes.json``.
"""

from __future__ import annotations

import hashlib
import importlib
import json
import math
import os
import shutil
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from crosslayer.claims.evidence import Evidence, read_evidence, write_evidence
from crosslayer.claims.registry import Entry, Registry
from crosslayer.config import ACTIVE, Profile, load_profile
from crosslayer.data.examples import Split
from crosslayer.errors import ConfigError, ResultsError
from crosslayer.predictions import Array, ResultsRun, Stage, TaskTable, TrialRecord
from crosslayer.runlog import read_run
from crosslayer.tasks import TASK_NAMES, TASKS, TaskName

if TYPE_CHECKING:
    import pandas as pd

LEDGER = Path("claims/ledger")
TOLERANCE = 1e-9
"""How far a number of a recorded run may move when it is derived again."""
STAGES: tuple[Stage, ...] = ("sweep", "intermediate")


@dataclass(frozen=True)
class RecordedRun:
    """A ledger entry, read like any other run (`crosslayer.predictions.Run`)."""

    folder: Path

    @property
    def name(self) -> str:
        """The entry's name."""
        return self.folder.name

    @cached_property
    def _records(self) -> tuple[TrialRecord, ...]:
        rows = json.loads((self.folder / "trials.json").read_text(encoding="utf-8"))
        return tuple(TrialRecord.model_validate(row) for row in rows)

    @cached_property
    def _diagnostics(self) -> dict[str, Array]:
        with np.load(self.folder / "diagnostics.npz", allow_pickle=False) as arrays:
            return {name: arrays[name] for name in arrays.files}

    def records(self, stage: Stage, task: TaskName) -> tuple[TrialRecord, ...]:
        """See `Run.records`."""
        return tuple(record for record in self._records if record.stage == stage and record.task == task)

    def table(self, records: Iterable[TrialRecord], split: Split) -> TaskTable:
        """See `Run.table`."""
        records = tuple(records)
        first = records[0]
        table = pq.read_table(self.folder / predictions_file(first.stage, first.task))
        table = table.filter(pa.compute.equal(table["split"].cast(pa.string()), split))
        names = np.array(table["language"].cast(pa.string()).to_pylist())
        languages = tuple(sorted(set(names), key=lambda code: (code != "en", code)))
        index = {code: i for i, code in enumerate(languages)}
        return TaskTable(
            languages=languages,
            language=np.array([index[code] for code in names], dtype=np.int16),
            item=np.array(table["item"].cast(pa.string()).to_pylist()),
            position=table["position"].to_numpy(),
            gold=table["gold"].to_numpy(),
            records=records,
            predicted=np.stack([table[record.key].to_numpy() for record in records]),
        )

    def scores(self, record: TrialRecord, split: Split) -> Array | None:
        """See `Run.scores`."""
        path = self.folder / f"scores-{record.key}.parquet"
        if not path.exists():
            return None
        table = pq.read_table(path)
        table = table.filter(pa.compute.equal(table["split"].cast(pa.string()), split)).drop_columns(["split"])
        return np.stack([column.to_numpy() for column in table.columns], axis=1).astype(np.float32)

    def diagnostics(self, record: TrialRecord) -> dict[str, Array]:
        """See `Run.diagnostics`."""
        prefix = f"{record.key}/"
        return {n.removeprefix(prefix): a for n, a in self._diagnostics.items() if n.startswith(prefix)}

    def probe(self, name: str) -> pd.DataFrame | None:
        """See `Run.probe`."""
        path = self.folder / "probes" / f"{name}.parquet"
        return pq.read_table(path).to_pandas() if path.exists() else None

    def structure(self) -> dict[str, Any] | None:
        """See `Run.structure`."""
        path = self.folder / "probes" / "structure.json"
        return json.loads(path.read_text(encoding="utf-8")) if path.exists() else None


def predictions_file(stage: Stage, task: TaskName) -> str:
    """Where the predicted ids of a stage and task lie."""
    return f"predictions-{stage}-{task}.parquet"


def record(
    name: str, title: str, profile: Profile, registry: Registry, results: Path, ledger: Path = LEDGER
) -> Path:
    """Record the present run of a profile.

    Args:
        name: of the entry, as a folder name.
        title: one line for readers.
        profile: the active profile.
        registry: whose claims are computed.
        results: ``results/PROFILE``.
        ledger: where entries lie.

    Raises:
        ConfigError: the name is no folder name, or there already.
        ResultsError: there is nothing to record.
    """
    if not name.replace("-", "").isalnum() or name != name.lower():
        raise ConfigError(f"{name!r} is no name for a recorded run; use lower-case letters, digits and -")
    final = ledger / name
    if final.exists():
        raise ConfigError(f"{final} is there already; choose another name")
    run = ResultsRun(results)
    trials = [r for stage in STAGES for task in TASK_NAMES for r in run.records(stage, task)]
    if not trials:
        raise ResultsError(f"{results} has no trials to record; run `dvc repro` first")
    temporary = ledger / f".{name}"
    shutil.rmtree(temporary, ignore_errors=True)
    temporary.mkdir(parents=True)
    _write_tables(run, trials, temporary)
    _write_description(title, profile, results, temporary)
    os.replace(temporary, final)
    _write_evidence(final, registry)
    return final


def _write_tables(run: ResultsRun, trials: list[TrialRecord], folder: Path) -> None:
    rows = [json.loads(trial.model_dump_json()) for trial in trials]
    (folder / "trials.json").write_text(json.dumps(rows, indent=1) + "\n", encoding="utf-8")
    usable = [trial for trial in trials if trial.outcome in ("ok", "collapsed")]
    for stage in STAGES:
        for task in TASK_NAMES:
            part = [trial for trial in usable if (trial.stage, trial.task) == (stage, task)]
            if part:
                pq.write_table(_compact(run, part), folder / predictions_file(stage, task), compression="zstd")
    arrays = {f"{t.key}/{name}": array for t in usable for name, array in run.diagnostics(t).items()}
    np.savez_compressed(folder / "diagnostics.npz", allow_pickle=False, **arrays)
    for trial in usable:
        if TASKS[trial.task].kind == "pair" and trial.model == "baseline":
            _write_scores(run, trial, folder)
    shutil.copytree(run.folder / "probes", folder / "probes")


def _compact(run: ResultsRun, trials: list[TrialRecord]) -> pa.Table:
    """Gold ids once, predicted ids of each trial, dev and test."""
    columns: dict[str, list[Any]] = {}
    for split in ("dev", "test"):
        table = run.table(trials, split)
        columns.setdefault("split", []).append(np.full(len(table.gold), split))
        columns.setdefault("language", []).append(np.array(table.languages)[table.language])
        for name in ("item", "position", "gold"):
            columns.setdefault(name, []).append(getattr(table, name))
        for trial, predicted in zip(trials, table.predicted, strict=True):
            columns.setdefault(trial.key, []).append(predicted)
    joined = {name: pa.array(np.concatenate(parts)) for name, parts in columns.items()}
    for name in ("split", "language", "item"):
        joined[name] = joined[name].dictionary_encode()
    return pa.table(joined)


def _write_scores(run: ResultsRun, trial: TrialRecord, folder: Path) -> None:
    splits = {split: run.scores(trial, split) for split in ("dev", "test")}
    values = np.concatenate([scores for scores in splits.values() if scores is not None]).astype(np.float16)
    names = np.concatenate([np.full(len(s), split) for split, s in splits.items() if s is not None])
    columns = {f"score_{k}": values[:, k] for k in range(values.shape[1])}
    table = pa.table({"split": pa.array(names).dictionary_encode(), **columns})
    pq.write_table(table, folder / f"scores-{trial.key}.parquet", compression="zstd")


def _write_description(title: str, profile: Profile, results: Path, folder: Path) -> None:
    text = ACTIVE.read_text(encoding="utf-8")
    if profile.data.root is not None:
        text = text.replace(profile.data.root, "DIR")
    (folder / "profile.yaml").write_text(text, encoding="utf-8")
    info = {"title": title, **read_run(results / "run.json")}
    (folder / "run.json").write_text(json.dumps(info, indent=1, sort_keys=True) + "\n", encoding="utf-8")


def _write_evidence(folder: Path, registry: Registry) -> None:
    """Compute all evidence and figures from the compact form, and seal the entry."""
    profile = load_profile(folder / "profile.yaml")
    run = RecordedRun(folder)
    for entry in registry.entries.values():
        home = folder / "claims" / entry.id
        home.mkdir(parents=True, exist_ok=True)
        analysis = analysis_of(entry)
        evidence: Evidence = analysis.measure(entry.id, run, profile)
        figures = analysis.figures(evidence, run, profile, home)
        write_evidence(evidence.model_copy(update={"figures": figures}), home)
    hashes = {str(path.relative_to(folder)): _sha256(path) for path in _files(folder)}
    (folder / "hashes.json").write_text(json.dumps(hashes, indent=1, sort_keys=True) + "\n", encoding="utf-8")


def analysis_of(entry: Entry) -> Any:
    """The analysis module behind a claim's notebook."""
    return importlib.import_module(f"crosslayer.analysis.{entry.notebook}")


def derive_again(folder: Path, registry: Registry) -> None:
    """Check an entry's files, then compute its evidence with today's code.

    Raises:
        ResultsError: a file changed, or a number moved by more than 1e-9.
    """
    verify(folder)
    profile = load_profile(folder / "profile.yaml")
    run = RecordedRun(folder)
    for entry in registry.entries.values():
        recorded = read_evidence(folder / "claims" / entry.id / "evidence.json")
        evidence: Evidence = analysis_of(entry).measure(entry.id, run, profile)
        new, old = (e.model_copy(update={"figures": ()}).model_dump(mode="json") for e in (evidence, recorded))
        for where, was, now in differences(old, new):
            raise ResultsError(
                f"{folder}: {entry.id} {where} was recorded as {was} and is {now} with today's code; "
                "restore the code or record the run anew"
            )


def verify(folder: Path) -> None:
    """Check every file of an entry against its hash.

    Raises:
        ResultsError: naming the first file that is missing, changed or not listed.
    """
    try:
        hashes: dict[str, str] = json.loads((folder / "hashes.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        raise ResultsError(f"{folder}/hashes.json is missing or damaged; restore it from git") from None
    present = {str(path.relative_to(folder)) for path in _files(folder)}
    for name in sorted(present | set(hashes)):
        if name not in present:
            raise ResultsError(f"{folder / name} is missing; restore it from git")
        if name not in hashes or _sha256(folder / name) != hashes[name]:
            raise ResultsError(f"{folder / name} is not what was recorded; restore it from git")


def differences(old: Any, new: Any, where: str = "") -> Iterator[tuple[str, Any, Any]]:
    """Places where two JSON values differ by more than the tolerance: (place, old, new)."""
    if isinstance(old, dict) and isinstance(new, dict) and old.keys() == new.keys():
        for key in old:
            yield from differences(old[key], new[key], f"{where}.{key}".lstrip("."))
    elif isinstance(old, list) and isinstance(new, list) and len(old) == len(new):
        for i, (a, b) in enumerate(zip(old, new, strict=True)):
            yield from differences(a, b, f"{where}[{i}]")
    elif isinstance(old, float) and isinstance(new, float):
        if not math.isclose(old, new, rel_tol=TOLERANCE, abs_tol=TOLERANCE):
            yield where, old, new
    elif old != new:
        yield where, old, new


def _files(folder: Path) -> list[Path]:
    return sorted(p for p in folder.rglob("*") if p.is_file() and p.name != "hashes.json")


def _sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()
