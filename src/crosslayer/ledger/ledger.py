"""Recorded runs: everything that evidence is computed from, small enough for git, free of any text.

``claims/ledger/ENTRY/`` holds ``run.json``, ``profile.yaml``, ``trials.json``, ``predictions-STAGE-TASK.parquet``
(gold ids once, a column of predicted ids a trial), ``diagnostics.npz``, ``probes/``, the evidence computed from
these, and ``hashes.json``. Of the trials whose calibration is asked about (Q01) ``scores-KEY.parquet`` holds the
scores of all labels, of all pairs or a sample of the words, and ``confidences-STAGE-TASK.parquet`` the confidence
of the predicted label, of every word. An entry is complete or absent: it is written under a hidden name and
renamed. `combining.py` adds to one.
"""

from __future__ import annotations

import hashlib
import importlib
import json
import math
import os
import re
import shutil
from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from ruamel.yaml import YAML

from claimtrack.errors import ResultsError
from claimtrack.evidence import Evidence, read_evidence, write_evidence
from claimtrack.plan import counts_only
from claimtrack.reading import Malformed, parse_json
from claimtrack.registry import Entry, Registry
from claimtrack.results import FRESH
from claimtrack.runlog import read_run
from claimtrack.seal import plan_of_profile, read_seals
from crosslayer.config import Profile, load_profile
from crosslayer.data.examples import Split
from crosslayer.data.parquet import kind, read_table
from crosslayer.errors import ConfigError
from crosslayer.metrics import task_score
from crosslayer.predictions.batches import by_batch, chosen_on_dev
from crosslayer.predictions.records import (
    CONFIDENCE_STEPS,
    Array,
    ResultsRun,
    Run,
    Stage,
    TaskTable,
    TrialRecord,
    as_trial,
    confidence_of,
    read_arrays,
    read_records,
    read_structure,
)
from crosslayer.tasks import TASK_NAMES, TASKS, TaskName

if TYPE_CHECKING:
    import pandas as pd

LEDGER = Path("claims/ledger")
TOLERANCE = 1e-9
"""How far a number of a recorded run may move when it is derived again."""
MEND = "restore it from git"
SPLITS: tuple[Split, ...] = ("dev", "test")
STAGES: tuple[Stage, ...] = ("sweep", "intermediate")
PROBES = (
    "retrieval.parquet", "offsets.parquet", "tagging.parquet", "transfer.parquet", "similarity.parquet",
    "identity.parquet", "structure.json",
)  # fmt: skip
IDENTITY = ("language", "item", "position", "gold")
USUAL, AS_USUAL = "usual", -1
"""The id that most trials predict, and what stands for it in the column of a trial: most of a column then, which
takes a third of the room."""
KEYS = "keys"
"""In ``diagnostics.npz``: of the trials whose arrays stand beside."""
HALVED = ("fused_mean", "attention_mean", "attention_variance")
"""Diagnostics of one number a channel: half precision is far below what seeds differ in."""
MAX_SCORED_TAGS: dict[Stage, int] = {"intermediate": 10_000, "sweep": 5_000}
"""Words of a split whose scores are kept at most, spread evenly over the languages; pairs keep all of theirs.
They are most of an entry's bytes, and the question Q01 rests on the arms."""


@dataclass(frozen=True)
class RecordedRun:
    """A ledger entry, read like any other run (`crosslayer.predictions.records.Run`)."""

    folder: Path

    @property
    def name(self) -> str:
        """The entry's name, also while its folder is still hidden."""
        return self.folder.name.lstrip(".")

    @cached_property
    def _records(self) -> tuple[TrialRecord, ...]:
        return read_records(self.folder / "trials.json")

    @cached_property
    def _diagnostics(self) -> dict[str, dict[str, Array]]:
        path = self.folder / "diagnostics.npz"
        try:
            return _taken_apart(read_arrays(path, MEND))
        except (KeyError, TypeError, ValueError):
            raise ResultsError(f"{path} is damaged; {MEND}") from None

    def records(self, stage: Stage, task: TaskName) -> tuple[TrialRecord, ...]:
        """See `Run.records`."""
        return tuple(record for record in self._records if record.stage == stage and record.task == task)

    def table(self, records: Iterable[TrialRecord], split: Split) -> TaskTable:
        """See `Run.table`."""
        records = tuple(records)
        if not records:
            raise ResultsError(f"no finished trial of that kind in {self.name}")
        first, keys = records[0], [record.key for record in records]
        path = self.folder / predictions_file(first.stage, first.task)
        table = _of_split(_read(path, ["split", *IDENTITY, USUAL, *keys]), split)
        usual, found = (np.stack([table[name].to_numpy() for name in names]) for names in ([USUAL], keys))
        names = _strings(table["language"])
        languages = tuple(sorted(set(names), key=lambda code: (code != "en", code)))
        index = {code: i for i, code in enumerate(languages)}
        return TaskTable(
            languages=languages,
            language=np.array([index[code] for code in names], dtype=np.int16),
            item=_strings(table["item"]),
            position=table["position"].to_numpy(),
            gold=table["gold"].to_numpy(),
            records=records,
            predicted=np.where(found == AS_USUAL, usual, found),
        )

    def scores(self, record: TrialRecord, split: Split) -> Array | None:
        """See `Run.scores`."""
        paths = [self.folder / scores_file(trial) for trial in (record, *twins(record, self._records))]
        path = next((path for path in paths if path.exists()), None)
        if path is None:
            return None
        names = [f"score_{k}" for k in range(len(TASKS[record.task].labels))]
        table = _of_split(_read(path, ["split", *names]), split)
        return np.stack([table[name].to_numpy() for name in names], axis=1).astype(np.float32)

    def confidence(self, record: TrialRecord, split: Split) -> Array | None:
        """See `Run.confidence`: of pairs, and in entries without a file of confidences, from the kept scores."""
        path = self.folder / confidences_file(record.stage, record.task)
        if path.exists() and record.key in read_table(path, MEND).column_names:
            table = _read(path, ["split", record.key])
            if table[record.key].type != pa.uint16():
                raise ResultsError(f"{path}: column {record.key} holds no confidences; {MEND}")
            return np.asarray(_of_split(table, split)[record.key].to_numpy() / CONFIDENCE_STEPS)
        scores = self.scores(record, split)
        if scores is None:
            return None
        predicted = self.table([record], split).predicted[0]
        if len(predicted) != len(scores) or not np.isin(predicted, np.arange(scores.shape[1])).all():
            raise ResultsError(f"{self.folder}: scores of {record.key} do not fit its predictions; {MEND}")
        return confidence_of(scores, predicted.astype(np.intp))

    def diagnostics(self, record: TrialRecord) -> dict[str, Array]:
        """See `Run.diagnostics`."""
        return self._diagnostics.get(record.key, {})

    @property
    def trials(self) -> list[TrialRecord]:
        """All trials, by stage and task."""
        return [trial for stage in STAGES for task in TASK_NAMES for trial in self.records(stage, task)]

    def keeps_scores(self, trial: TrialRecord) -> bool:
        """Whether scores of that trial, or of its twin, were kept."""
        return any((self.folder / scores_file(one)).exists() for one in (trial, *twins(trial, self._records)))

    def probe(self, name: str) -> pd.DataFrame | None:
        """See `Run.probe`."""
        path = self.folder / "probes" / f"{name}.parquet"
        return read_table(path, MEND).to_pandas() if path.exists() else None

    def structure(self) -> dict[str, Any] | None:
        """See `Run.structure`."""
        return read_structure(self.folder / "probes" / "structure.json", MEND)


def _read(path: Path, columns: list[str]) -> pa.Table:
    """These columns of a table, with words and numbers where they belong and nothing null."""
    table = read_table(path, MEND, columns)
    for name in columns:
        if kind(table[name]) != ("text" if name in ("split", "language", "item") else "numbers"):
            raise ResultsError(f"{path}: column {name:.40} holds something else than it should; {MEND}")
    return table


def _of_split(table: pa.Table, split: Split) -> pa.Table:
    return table.filter(pc.equal(table["split"].cast(pa.string()), split))


def _strings(column: pa.ChunkedArray) -> Array:
    return np.asarray(column.cast(pa.string()).to_numpy())


def scores_file(trial: TrialRecord) -> str:
    """Name of the scores of one trial."""
    return f"scores-{trial.key}.parquet"


def predictions_file(stage: Stage, task: TaskName) -> str:
    """Where the predicted ids of a stage and task lie."""
    return f"predictions-{stage}-{task}.parquet"


def confidences_file(stage: Stage, task: TaskName) -> str:
    """Where the confidences of a stage and task of words lie."""
    return f"confidences-{stage}-{task}.parquet"


def record(
    name: str,
    title: str,
    profile: Profile,
    registry: Registry,
    results: Path,
    ledger: Path = LEDGER,
    *,
    scored: bool = True,
) -> Path:
    """Record the present run of a profile.

    Args:
        name: of the entry, as a folder name.
        title: one line for readers.
        profile: the active profile.
        registry: whose claims are computed.
        results: ``results/PROFILE``.
        ledger: where entries lie.
        scored: keep scores too, most of an entry's bytes; without them nothing of calibration is measured.

    Raises:
        ConfigError: the name is no folder name, or there already.
        ResultsError: there is nothing to record.
    """
    final = entry_folder(name, ledger)
    if final.exists():
        raise ConfigError(f"{final} is there already; choose another name, or add to it with --extend")
    run = ResultsRun(results)
    trials = [r for stage in STAGES for task in TASK_NAMES for r in run.records(stage, task)]
    if not trials:
        raise ResultsError(f"{results} has no trials to record; run `dvc repro` first")
    with fresh_entry(final, registry) as folder:
        write_tables(run, told(run, trials, profile), folder, scored=scored)
        copy_probes(results / "probes", folder)
        write_description({"title": title, **read_run(results / "run.json")}, profile, folder)
    return final


def record_again(name: str, registry: Registry, ledger: Path = LEDGER, *, scored: bool = True) -> Path:
    """Compute the evidence of an entry with today's code, in place of what it has: for after a correction.

    Args:
        name: of the entry.
        registry: whose claims are computed.
        ledger: where entries lie.
        scored: keep its scores.

    Raises:
        ConfigError: there is no such entry.
        ResultsError: it is damaged.
    """
    final = entry_folder(name, ledger)
    if not final.exists():
        raise ConfigError(f"there is no {final}; record it first, without --again")
    verify(final)
    left = ("claims", "hashes.json", *(() if scored else ("scores-*.parquet", "confidences-*.parquet")))
    with fresh_entry(final, registry) as folder:
        shutil.copytree(final, folder, dirs_exist_ok=True, ignore=shutil.ignore_patterns(*left))
    return final


def entry_folder(name: str, ledger: Path) -> Path:
    """Where the entry of that name lies, or will; one that an interruption left aside is put back.

    Raises:
        ConfigError: the name is no folder name.
    """
    if not re.fullmatch(r"[a-z0-9][a-z0-9-]*", name) or name == FRESH:
        raise ConfigError(f"{name!r} is no name for a recorded run; use lower-case letters, digits and -")
    final = ledger / name
    if _aside(final).exists() and not final.exists():
        os.replace(_aside(final), final)
    return final


@contextmanager
def fresh_entry(final: Path, registry: Registry) -> Iterator[Path]:
    """A hidden folder to fill; it gets its evidence, and takes the place of a former entry only when it is whole.

    Args:
        final: the entry's folder in the end.
        registry: whose claims are computed.
    """
    temporary = final.with_name(f".{final.name}")
    shutil.rmtree(temporary, ignore_errors=True)
    temporary.mkdir(parents=True)
    try:
        yield temporary
        _write_evidence(temporary, registry)
        _put_in_place(temporary, final)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def _aside(final: Path) -> Path:
    """Where a former entry waits while the new one takes its place."""
    return final.with_name(f".{final.name}.former")


def _put_in_place(fresh: Path, final: Path) -> None:
    """Rename, the former folder out of the way first; it is removed last, and put back after an error."""
    former = _aside(final)
    shutil.rmtree(former, ignore_errors=True)
    try:
        if final.exists():
            os.replace(final, former)
        os.replace(fresh, final)
    finally:
        if former.exists() and not final.exists():
            os.replace(former, final)
    shutil.rmtree(former, ignore_errors=True)


def write_tables(
    run: Run, trials: list[TrialRecord], folder: Path, *, scored: bool, also: Collection[str] = ()
) -> None:
    """Write what trials left: records, predicted ids, diagnostics, and, if asked for, the scores of some.

    Args:
        also: keys of more trials to score than those whose calibration is asked about now.
    """
    rows = ",\n".join(json.dumps(json.loads(trial.model_dump_json())) for trial in trials)
    (folder / "trials.json").write_text(f"[\n{rows}\n]\n", encoding="utf-8")
    usable = [trial for trial in trials if trial.outcome in ("ok", "collapsed")]
    for stage in STAGES:
        for task in TASK_NAMES:
            part = [trial for trial in usable if (trial.stage, trial.task) == (stage, task)]
            if part:
                write_small(_compact(run, part), folder / predictions_file(stage, task))
    arrays = _stacked({trial.key: _diagnostics(run, trial) for trial in usable})
    np.savez_compressed(folder / "diagnostics.npz", allow_pickle=False, **arrays)
    if scored:
        asked = {trial.key for trial in _scored(run, usable)}
        _write_calibration(run, [trial for trial in usable if trial.key in asked or trial.key in also], folder)


def told(run: Run, trials: Iterable[TrialRecord], profile: Profile) -> list[TrialRecord]:
    """The records of trials with their test scores; without any while a sealed plan of the profile is not due."""
    trials = list(trials)
    if withheld(profile, trials):
        return [trial.model_copy(update={"test_score": None}) for trial in trials]
    return [trial if trial.test_score is not None else _scored_anew(run, trial) for trial in trials]


def withheld(profile: Profile, trials: Iterable[TrialRecord]) -> str:
    """What the sealed plan of a profile says in place of scores while it is not due; else empty."""
    plan = plan_of_profile(profile.profile, read_seals())
    return counts_only(plan, map(as_trial, trials), datetime.now(UTC).date()) if plan else ""


def _scored_anew(run: Run, trial: TrialRecord) -> TrialRecord:
    if trial.outcome not in ("ok", "collapsed"):
        return trial
    table = run.table([trial], "test")
    rows = [table.language == code for code in range(len(table.languages))]
    scores = [task_score(trial.task, table.gold[r], table.predicted[0][r], table.item[r]) for r in rows]
    return trial.model_copy(update={"test_score": float(np.mean(scores))})


def copy_probes(probes: Path, folder: Path) -> None:
    """Copy what the probe stage left, as far as it is there, and nothing else."""
    (folder / "probes").mkdir()
    for name in PROBES:
        if (probes / name).exists():
            shutil.copyfile(probes / name, folder / "probes" / name)


def _stacked(trials: Mapping[str, Mapping[str, Array]]) -> dict[str, Array]:
    """Arrays of one name, shape and kind as one, ``N/NAME``, beside the keys of their trials, ``N/keys``: an array
    more in an archive is some 250 bytes, in all a third of a recorded run's diagnostics."""
    groups: dict[tuple[Any, ...], dict[str, Array]] = {}
    for key, arrays in trials.items():
        for name, array in arrays.items():
            groups.setdefault((name, array.shape, array.dtype.str), {})[key] = array
    stacked = {}
    for place, ((name, *_), group) in enumerate(groups.items()):
        stacked[f"{place}/{name}"] = np.stack(list(group.values()))
        stacked[f"{place}/{KEYS}"] = np.array(list(group))
    return stacked


def _taken_apart(stacked: Mapping[str, Array]) -> dict[str, dict[str, Array]]:
    """The arrays of each trial by name; the inverse of `_stacked`."""
    trials: dict[str, dict[str, Array]] = {}
    for label, arrays in stacked.items():
        place, name = label.split("/")
        if name != KEYS:
            for key, array in zip(stacked[f"{place}/{KEYS}"], arrays, strict=True):
                trials.setdefault(str(key), {})[name] = array
    return trials


def _diagnostics(run: Run, trial: TrialRecord) -> dict[str, Array]:
    """What a trial left, its long parts in half precision; vectors by language of pairs only: no claim asks for
    those of words."""
    arrays = dict(run.diagnostics(trial))
    if TASKS[trial.task].kind != "pair":
        arrays.pop("fused_mean", None)
    return {name: array.astype(np.float16) if name in HALVED else array for name, array in arrays.items()}


def _scored(run: Run, trials: list[TrialRecord]) -> list[TrialRecord]:
    """The trials whose calibration is asked about: all arms; of each batch of a sweep the baseline, smoothed ones,
    and the D_x that English dev chose."""
    kept = [trial for trial in trials if trial.stage == "intermediate"]
    for task in TASK_NAMES:
        for batch in by_batch(t for t in trials if (t.stage, t.task) == ("sweep", task)).values():
            names = ("baseline", chosen_on_dev(run, (trial for trial in batch if trial.outcome == "ok")))
            kept += [trial for trial in batch if trial.model in names or trial.model.smoothing]
    return kept


def _write_calibration(run: Run, trials: list[TrialRecord], folder: Path) -> None:
    """Write the scores of trials, those of twins once, and of words the confidences of all."""
    for trial in trials:  # a sweep stands before the arms, whose twins it holds
        if not any((folder / scores_file(twin)).exists() for twin in twins(trial, trials)):
            _write_scores(run, trial, folder)
    for stage, task in product(STAGES, TASK_NAMES):
        if TASKS[task].kind == "tags":
            _write_confidences(run, [t for t in trials if (t.stage, t.task) == (stage, task)], folder)


def _write_confidences(run: Run, trials: list[TrialRecord], folder: Path) -> None:
    """One column a trial of which those of all rows are known, dev and test in the order of the predictions."""
    columns: dict[str, Array] = {}
    splits: list[str] = []
    for trial in trials:
        found = {split: run.confidence(trial, split) for split in SPLITS}
        known = [values for values in found.values() if values is not None and np.isfinite(values).all()]
        if len(known) == len(SPLITS):
            splits = [split for split, values in zip(SPLITS, known, strict=True) for _ in values]
            columns[trial.key] = np.round(np.concatenate(known) * CONFIDENCE_STEPS).astype(np.uint16)
    if columns:
        table = pa.table({"split": pa.array(splits).dictionary_encode(), **columns})
        write_small(table, folder / confidences_file(trials[0].stage, trials[0].task))


def twins(trial: TrialRecord, trials: Iterable[TrialRecord]) -> list[TrialRecord]:
    """Of an arm of pairs without a phase the baseline of the sweep, which is the same trial
    (`crosslayer.sweep.local.adopt`): their scores are kept once. Of words the two stages keep other samples."""
    if (trial.stage, trial.arm) != ("intermediate", "none") or TASKS[trial.task].kind != "pair":
        return []
    content = trial.specification | {"stage": "sweep"}
    return [other for other in trials if other.specification == content]


def _compact(run: Run, trials: list[TrialRecord]) -> pa.Table:
    """Gold ids once, predicted ids of each trial where they are not the usual ones, dev and test."""
    columns: dict[str, list[Any]] = {}
    for split in SPLITS:
        table = run.table(trials, split)
        columns.setdefault("split", []).append(np.full(len(table.gold), split))
        columns.setdefault("language", []).append(np.array(table.languages)[table.language])
        for name in IDENTITY[1:]:
            columns.setdefault(name, []).append(getattr(table, name))
        labels = range(len(TASKS[trials[0].task].labels))
        usual = np.argmax([(table.predicted == k).sum(axis=0) for k in labels], axis=0).astype(np.int8)
        columns.setdefault(USUAL, []).append(usual)
        for trial, predicted in zip(trials, table.predicted, strict=True):
            columns.setdefault(trial.key, []).append(np.where(predicted == usual, np.int8(AS_USUAL), predicted))
    joined = {name: pa.array(np.concatenate(parts)) for name, parts in columns.items()}
    for name in ("split", "language", "item"):
        joined[name] = joined[name].dictionary_encode()
    return pa.table(joined)


def _write_scores(run: Run, trial: TrialRecord, folder: Path) -> None:
    """The scores of dev and test in the order of the predictions; NaN in words outside the sample.

    A trial that was recorded before English dev chose its model has none.
    """
    splits: list[str] = []
    values: list[Array] = []
    for split in SPLITS:
        scores = run.scores(trial, split)
        if scores is None:
            return
        if TASKS[trial.task].kind == "tags":
            table = run.table([trial], split)
            kept = sample(table.language, table.item, MAX_SCORED_TAGS[trial.stage])
            scores = np.where(kept[:, None], scores, np.nan)
        values.append(scores.astype(np.float16))
        splits += [split] * len(scores)
    joined = np.concatenate(values)
    columns = {f"score_{k}": joined[:, k] for k in range(joined.shape[1])}
    table = pa.table({"split": pa.array(splits).dictionary_encode(), **columns})
    write_small(table, folder / scores_file(trial))


def write_small(table: pa.Table, path: Path) -> None:
    """Write a table in as few bytes as Parquet can: git keeps them for ever. The two bytes of a score or a
    confidence are kept apart, since the first of them repeats."""
    apart = [field.name for field in table.schema if field.type in (pa.float16(), pa.uint16())]
    others = [name for name in table.column_names if name not in apart]
    encoding = dict.fromkeys(apart, "BYTE_STREAM_SPLIT")
    pq.write_table(
        table, path, compression="zstd", compression_level=19, use_dictionary=others, column_encoding=encoding
    )


def sample(language: Array, item: Array, size: int) -> Array:
    """Which rows (N,) are kept: all, or whole sentences of each language up to its share of ``size`` words.

    Sentences are drawn without regard to the trial; one of each language is kept however long it is.
    """
    kept = np.ones(len(language), dtype=bool)
    codes = np.unique(language)
    share = size // max(len(codes), 1)
    rng = np.random.default_rng(0)
    for code in codes if len(language) > size else ():
        rows = np.flatnonzero(language == code)
        _, sentence, words = np.unique(item[rows], return_inverse=True, return_counts=True)
        order = rng.permutation(len(words))
        drawn = order[: max(1, int((words[order].cumsum() <= share).sum()))]
        kept[rows[~np.isin(sentence, drawn)]] = False
    return kept


def write_description(info: dict[str, Any], profile: Profile, folder: Path) -> None:
    """Write ``profile.yaml``, without paths, and ``run.json``."""
    with (folder / "profile.yaml").open("w", encoding="utf-8") as stream:
        yaml: Any = YAML(typ="safe")
        yaml.default_flow_style, yaml.sort_base_mapping_type_on_output = False, False
        yaml.dump(without_paths(profile).model_dump(mode="json"), stream)
    (folder / "run.json").write_text(json.dumps(info, indent=1, sort_keys=True) + "\n", encoding="utf-8")


def without_paths(profile: Profile) -> Profile:
    """The profile without directories of this machine; an encoder from a directory keeps its last part."""
    data, encoder = profile.data, profile.encoder
    if data.root is not None:
        data = data.model_copy(update={"root": "DIR"})
    if encoder.name is not None and Path(encoder.name).expanduser().is_dir():
        encoder = encoder.model_copy(update={"name": Path(encoder.name).expanduser().resolve().name})
    return profile.model_copy(update={"data": data, "encoder": encoder})


def _write_evidence(folder: Path, registry: Registry) -> None:
    """Compute all evidence and figures from the compact form, unless a sealed plan is not due; seal the entry."""
    profile, run = load_profile(folder / "profile.yaml"), RecordedRun(folder)
    for entry in () if withheld(profile, run.trials) else registry.entries.values():
        home = folder / "claims" / entry.id
        home.mkdir(parents=True, exist_ok=True)
        analysis = analysis_of(entry)
        evidence: Evidence = analysis.measure(entry.id, run, profile)
        figures = analysis.figures(evidence, run, profile, home)
        write_evidence(evidence.model_copy(update={"figures": figures}), home)
    hashes = {name: _sha256(folder / name) for name in _files(folder)}
    (folder / "hashes.json").write_text(json.dumps(hashes, indent=1, sort_keys=True) + "\n", encoding="utf-8")


def analysis_of(entry: Entry) -> Any:
    """The analysis module behind a claim's notebook."""
    return importlib.import_module(f"crosslayer.paper.{entry.notebook}")


def derive_again(folder: Path, registry: Registry) -> None:
    """Check an entry's files, then compute its evidence with today's code.

    A claim that came into the registry after the run was recorded is left out.

    Raises:
        ResultsError: a file changed, or a number moved by more than 1e-9.
    """
    verify(folder)
    profile = load_profile(folder / "profile.yaml")
    run = RecordedRun(folder)
    for entry in registry.entries.values():
        path = folder / "claims" / entry.id / "evidence.json"
        if not path.exists():
            continue
        recorded = read_evidence(path)
        evidence: Evidence = analysis_of(entry).measure(entry.id, run, profile)
        new, old = (e.model_copy(update={"figures": ()}).model_dump(mode="json") for e in (evidence, recorded))
        for where, was, now in differences(old, new):
            raise ResultsError(
                f"{folder}: {entry.id} {where} was recorded as {was!r:.80} and is {now!r:.80} with today's code; "
                f"restore the code or, after a correction, run `crosslayer record {folder.name} --again`"
            )


def verify(folder: Path) -> None:
    """Check every file of an entry against its hash.

    Raises:
        ResultsError: naming the first file that is missing, changed or not listed.
    """
    try:
        hashes = parse_json((folder / "hashes.json").read_bytes())
    except (OSError, Malformed):
        hashes = None
    if not isinstance(hashes, dict):
        raise ResultsError(f"{folder}/hashes.json is missing or damaged; {MEND}")
    present = _files(folder)
    for name in sorted({*present, *hashes}):
        if name not in present:
            raise ResultsError(f"{folder / name} is missing; restore it from git")
        if name not in hashes:
            raise ResultsError(f"{folder / name} was not recorded; remove it")
        if _sha256(folder / name) != hashes[name]:
            raise ResultsError(f"{folder / name} is not what was recorded; restore it from git")


def differences(old: Any, new: Any, where: str = "") -> Iterator[tuple[str, Any, Any]]:
    """Places where two JSON values differ by more than the tolerance: (place, old, new)."""
    if isinstance(old, dict) and isinstance(new, dict) and old.keys() == new.keys():
        for key in old:
            yield from differences(old[key], new[key], f"{where}.{key}".lstrip("."))
    elif isinstance(old, list) and isinstance(new, list):
        if len(old) != len(new):
            yield f"{where} (length)", len(old), len(new)
            return
        for i, (a, b) in enumerate(zip(old, new, strict=True)):
            yield from differences(a, b, f"{where}[{i}]")
    elif isinstance(old, float) and isinstance(new, float):
        if not math.isclose(old, new, rel_tol=TOLERANCE, abs_tol=TOLERANCE):
            yield where, old, new
    elif old != new:
        yield where, old, new


def _files(folder: Path) -> list[str]:
    """Names of all files below the folder, without the list of hashes."""
    names = (path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())
    return sorted(name for name in names if name != "hashes.json")


def _sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()
