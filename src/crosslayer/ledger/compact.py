"""The compact form of a run: small enough for git, free of any text; `crosslayer.predictions.runs` reads it."""

from __future__ import annotations

import json
import shutil
from collections.abc import Collection, Mapping
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from ruamel.yaml import YAML

from crosslayer.config import Profile
from crosslayer.predictions import runs
from crosslayer.predictions.batches import by_batch, chosen_on_dev
from crosslayer.predictions.models import BASELINE
from crosslayer.predictions.records import PREDICTED, STAGES, Array, TrialRecord, write_records
from crosslayer.predictions.runs import Run
from crosslayer.tasks import TASK_NAMES, TASKS

PROBES = (
    "retrieval.parquet", "offsets.parquet", "tagging.parquet", "transfer.parquet", "similarity.parquet",
    "identity.parquet", "structure.json",
)  # fmt: skip
HALVED = ("fused_mean", "attention_mean", "attention_variance")
"""Diagnostics of one number a channel: half precision is far below what seeds differ in."""
MAX_SCORED_WORDS = 5_000
"""Words of a split whose scores are kept after intermediate training, spread evenly over the languages; those of a
sweep have none. They are most of an entry's bytes, and the question Q01 rests on the arms."""


def write_tables(run: Run, trials: list[TrialRecord], folder: Path, also: Collection[str] = ()) -> None:
    """Write what trials left: records, predicted ids, diagnostics, and the scores of those whose calibration is
    asked about now, and of ``also``, by key."""
    write_records(trials, folder / "trials.json")
    usable = [trial for trial in trials if trial.outcome in PREDICTED]
    parts = [[t for t in usable if (t.stage, t.task) == part] for part in product(STAGES, TASK_NAMES)]
    for part in filter(None, parts):
        write_small(_compact(run, part), folder / runs.predictions_file(part[0].stage, part[0].task))
    arrays = _stacked({trial.key: _diagnostics(run, trial) for trial in usable})
    np.savez_compressed(folder / "diagnostics.npz", allow_pickle=False, **arrays)
    asked = {*also, *(trial.key for trial in _scored(run, usable))}
    for part in parts:
        _write_calibration(run, [trial for trial in part if trial.key in asked], folder)


def copy_probes(probes: Path, folder: Path) -> None:
    """Copy the probe tables that exist, and nothing else."""
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
        stacked[f"{place}/{runs.KEYS}"] = np.array(list(group))
    return stacked


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
            names = (BASELINE, chosen_on_dev(run, (trial for trial in batch if trial.outcome == "ok")))
            kept += [trial for trial in batch if trial.model in names or trial.model.smoothing]
    return kept


def _write_calibration(run: Run, trials: list[TrialRecord], folder: Path) -> None:
    """Write the scores of trials of a stage and task, where they are needed, and of words the log-odds of all."""
    log_odds: dict[str, Any] = {}
    sizes: list[int] = []
    for trial in trials:
        if runs.needs_scores(trial):
            _write_scores(run, trial, folder)
        found = [run.confidence(trial, split) for split in runs.SPLITS] if TASKS[trial.task].kind == "tags" else []
        known = [runs.to_log_odds(values) for values in found if values is not None]
        if len(known) == len(runs.SPLITS):
            sizes = [*map(len, known)]
            log_odds[trial.key] = pa.array(np.concatenate(known), pa.int16(), from_pandas=True)
    if log_odds:
        columns = {"split": np.repeat(runs.SPLITS, sizes), **log_odds}
        write_small(columns, folder / runs.log_odds_file(trials[0].stage, trials[0].task))


def _compact(run: Run, trials: list[TrialRecord]) -> dict[str, Array]:
    """Gold ids once, predicted ids of each trial where they are not the usual ones, dev and test."""
    tables = [run.table(trials, split) for split in runs.SPLITS]
    columns = {
        "split": np.repeat(runs.SPLITS, [len(table.gold) for table in tables]),
        "language": np.concatenate([np.array(table.languages)[table.language] for table in tables]),
        **{name: np.concatenate([getattr(table, name) for table in tables]) for name in runs.IDENTITY[1:]},
    }
    predicted = np.concatenate([table.predicted for table in tables], axis=1)
    labels = range(len(TASKS[trials[0].task].labels))
    usual = np.argmax([(predicted == k).sum(axis=0) for k in labels], axis=0).astype(np.int8)
    told = np.where(predicted == usual, np.int8(runs.AS_USUAL), predicted)
    return columns | {runs.USUAL: usual} | {trial.key: row for trial, row in zip(trials, told, strict=True)}


def _write_scores(run: Run, trial: TrialRecord, folder: Path) -> None:
    """The scores of dev and test in the order of the predictions; of words in steps, NaN outside the sample.

    A trial that was recorded before English dev chose its model has none.
    """
    values: list[Array] = []
    for split in runs.SPLITS:
        scores = run.scores(trial, split)
        if scores is None:
            return
        if TASKS[trial.task].kind == "tags":
            table = run.table([trial], split)
            kept = sample(table.language, table.item, MAX_SCORED_WORDS)
            scores = np.where(kept[:, None], runs.in_steps(scores), np.nan)
        values.append(scores.astype(np.float16))
    columns = {f"score_{k}": column for k, column in enumerate(np.concatenate(values).T)}
    splits = np.repeat(runs.SPLITS, [len(scores) for scores in values])
    write_small({"split": splits, **columns}, folder / runs.scores_file(trial))


def write_small(columns: Mapping[str, Array | pa.Array], path: Path) -> None:
    """Write a table in few bytes, since git keeps them for ever: by a dictionary of the values of each column."""
    pq.write_table(pa.table(dict(columns)), path, compression="zstd", compression_level=19)


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
