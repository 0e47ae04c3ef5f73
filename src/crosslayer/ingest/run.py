"""A recorded run from prediction files of somebody else's code and ``trials.csv``.

Gold labels and the order of items are those of the active profile's data. What a claim needs beyond predicted
labels (dev predictions, scores, vectors) is missing unless the files hold it, and its evidence says so.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, get_args

import numpy as np

from claimtrack.runs import LEDGER
from crosslayer.config import Control, EncoderSpec, Profile, parse_profile
from crosslayer.data.examples import Split, TagExample, corpus_of
from crosslayer.data.sources import read_all, sample
from crosslayer.errors import ConfigError, DataError
from crosslayer.ingest.formats import LEAST, Gold, Predicted, read_predictions
from crosslayer.ingest.manifest import Row, read_manifest
from crosslayer.ledger.compact import write_description, write_tables
from crosslayer.ledger.ledger import Measures, entry_folder, fresh_entry
from crosslayer.predictions.records import Array, TrialRecord
from crosslayer.predictions.runs import SPLITS, Run, TaskTable, side_by_side, task_table
from crosslayer.tasks import TASK_NAMES, TASKS, TaskName, english_first

UNKNOWN = "unknown"


class IngestedRun(Run):
    """Trials from files, in the order of ``trials.csv``.

    Attributes:
        tables: by trial and split.
        logits: those that the files hold, by trial and split.
    """

    def __init__(self, name: str) -> None:
        self.name = name
        self.trials: list[TrialRecord] = []
        self.tables: dict[tuple[str, Split], TaskTable] = {}
        self.logits: dict[tuple[str, Split], Array] = {}

    def add(self, trial: TrialRecord, split: Split, rows: Mapping[str, tuple[Gold, Predicted]]) -> None:
        """Add a trial's predictions of a split, by language; nothing for a split that was not predicted."""
        golds, predictions = [gold for gold, _ in rows.values()], [predicted for _, predicted in rows.values()]
        none, sizes = np.zeros(0, np.int8), [size for gold in golds for size in gold.sizes]
        codes = np.repeat(np.array([*rows], dtype=object), [len(gold.labels) for gold in golds])
        item = np.repeat(np.array([item for gold in golds for item in gold.items], dtype=object), sizes)
        position = np.array([place for size in sizes for place in range(size)], dtype=np.int32)
        gold = np.concatenate([none, *(gold.labels for gold in golds)])
        labels = np.concatenate([none, *(predicted.labels for predicted in predictions)])
        self.tables[trial.key, split] = task_table((trial,), codes, item, position, gold, labels[None])
        kept = [predicted.scores for predicted in predictions if predicted.scores is not None]
        if kept and len(kept) == len(predictions):
            scores = np.concatenate(kept)
            centred = np.maximum(scores - scores.max(axis=1, keepdims=True), LEAST)
            self.logits[trial.key, split] = centred.astype(np.float16).astype(np.float32)

    def table(self, records: Iterable[TrialRecord], split: Split) -> TaskTable:
        return side_by_side([self.tables[record.key, split] for record in records], self.name)

    def scores(self, record: TrialRecord, split: Split) -> Array | None:
        return self.logits.get((record.key, split))


def ingest(
    source: Path, name: str, title: str, profile: Profile, measures: Measures, ledger: Path = LEDGER
) -> tuple[Path, int]:
    """Record the predictions of a folder with ``trials.csv``; nothing is written where anything is wrong.

    Of the active profile the data and their sizes count. Returns the entry, and the number of trials.

    Raises:
        ConfigError: the name is no folder name, or there already.
        DataError: the manifest, a prediction file or the data are absent or wrong.
    """
    final = entry_folder(name, ledger)
    if final.exists():
        raise ConfigError(f"{final} already exists; choose another name")
    rows = read_manifest(source)
    described = describe(rows, name, profile)
    run = load_run(source, rows, name, profile)
    with fresh_entry(final, measures) as folder:
        write_tables(run, run.trials, folder)
        write_description({"title": title, "ingested": len(rows)}, described, folder)
    return final, len(run.trials)


def load_run(source: Path, rows: Sequence[Row], name: str, profile: Profile) -> IngestedRun:
    """Read the test and English dev files of a manifest, which alone chooses and calibrates; a DataError names the
    file, or the line of the manifest, that is wrong."""
    rows = [row for row in rows if row.split == "test" or row.language == "en"]
    gold = _load_gold(rows, profile)
    trials: dict[tuple[object, ...], list[Row]] = {}
    for row in rows:
        if (row.task, row.split, row.language) not in gold:
            raise DataError(f"{row.where}: the data of {row.task} have no {row.split} items in {row.language}")
        trials.setdefault(row.trial, []).append(row)
    _check_languages(trials)
    run = IngestedRun(name)
    for own in trials.values():
        digest, found = hashlib.sha256(repr(own[0].trial).encode()), {}
        for row in own:
            expected = gold[row.task, row.split, row.language]
            found[row] = expected, read_predictions(source / row.file, TASKS[row.task], expected)
            digest.update((source / row.file).read_bytes())
        record = _record(own[0], digest.hexdigest()[:16])
        run.trials.append(record)
        for split in SPLITS:
            of_split = {row.language: found[row] for row in own if row.split == split}
            run.add(record, split, {code: of_split[code] for code in english_first(of_split)})
    return run


def describe(rows: Sequence[Row], name: str, profile: Profile) -> Profile:
    """The profile of what was ingested: data as active, models, seeds and training items as the manifest says.

    A UserError with two encoders, different training items of a task, or a task that the active profile lacks.
    """
    if len(names := dict.fromkeys(row.encoder for row in rows)) > 1:
        raise DataError(
            f"{rows[0].where}: {' and '.join(names)} are two encoders; ingest each from its own folder"
        )
    tasks = [task for task in TASK_NAMES if any(row.task == task for row in rows)]
    content = profile.model_dump(mode="json")
    for task in tasks:
        if task not in profile.tasks:
            raise ConfigError(f"trials.csv has {task}, which the profile {profile.profile} does not have")
        sizes = {row.training_items for row in rows if row.task == task}
        if len(sizes) > 1:
            raise DataError(f"{task} was trained on {' and '.join(map(str, sizes))} items; models of one task are "
                            "compared on the same items")  # fmt: skip
        own = content["tasks"][task]
        own["sizes"]["train"] = next(iter(sizes), None)
        own |= {"trainable_layers": None, "train_embeddings": True, "mode": "finetuned"}
    tested = {row.language for row in rows if row.split == "test"}
    known = {code for task in tasks for code in TASKS[task].languages}
    languages = profile.data.languages or (None if tested >= known else sorted(tested))
    return parse_profile(
        content
        | {
            "profile": name,
            "encoder": EncoderSpec(source="hub", name=next(iter(names))).model_dump(),
            "data": content["data"] | {"languages": languages},
            "tasks": {task: content["tasks"][task] for task in tasks},
            "sweep": _sweep(rows, tasks),
            "intermediate": _intermediate(rows),
        },
        "trials.csv",
    )


def _sweep(rows: Sequence[Row], tasks: Iterable[TaskName]) -> dict[str, Any]:
    """The plan that the manifest amounts to, task by task."""
    swept = [row for row in rows if row.stage == "sweep"]

    def of(some: Sequence[Row]) -> dict[str, Any]:
        names = {row.model for row in some}
        return {
            "layers": sorted(model.layer for model in names if model.layer is not None),
            "controls": [control for control in get_args(Control) if control in names],
            "seeds": sorted({row.seed for row in some}) or [0],
        }

    by_task = {task: of([row for row in swept if row.task == task]) for task in tasks}
    layers = [row.layer for row in swept if row.layer is not None and row.model.layer is None]
    return {**of(swept), "control_layer": layers[0] if layers else 1, "by_task": by_task}


def _intermediate(rows: Sequence[Row]) -> dict[str, Any]:
    arms = [row for row in rows if row.stage == "intermediate"]
    targets = [task for task in TASK_NAMES if any(row.task == task for row in arms)]
    seeds = {task: sorted({row.seed for row in arms if row.task == task}) for task in targets}
    return {
        "targets": targets,
        "arms": [arm for arm in ("none", "english", "multilingual") if any(row.arm == arm for row in arms)],
        "by_target": {task: {"seeds": found} for task, found in seeds.items()},
    }


def _load_gold(rows: Sequence[Row], profile: Profile) -> dict[tuple[TaskName, str, str], Gold]:
    """What the manifest's files predict, by task, split and language."""
    found: dict[tuple[TaskName, str, str], Gold] = {}
    for task in dict.fromkeys(row.task for row in rows):
        index = {label: i for i, label in enumerate(TASKS[task].labels)}
        readings = read_all(task, profile, only={(row.split, row.language) for row in rows if row.task == task})
        for key, examples in sample(task, corpus_of(readings), profile).items():
            tagged = [e.tags if isinstance(e, TagExample) else (e.label,) for e in examples]
            found[task, *key] = Gold(
                np.array([index[tag] for tags in tagged for tag in tags], dtype=np.int8),
                tuple(map(len, tagged)), readings[key].places(examples), tuple(profile.data.ner_outside),
                tuple(example.item for example in examples),
            )  # fmt: skip
    return found


def _check_languages(trials: Mapping[tuple[object, ...], Sequence[Row]]) -> None:
    """Check that all trials of a stage and task predict the same languages of each split."""
    first: dict[tuple[str, str, str], tuple[Row, set[str]]] = {}
    for own in trials.values():
        for split in SPLITS:
            here = {row.language for row in own if row.split == split}
            other, languages = first.setdefault((own[0].stage, own[0].task, split), (own[0], here))
            for code in english_first(here ^ languages):
                lacking, having = (own[0], other) if code in languages else (other, own[0])
                raise DataError(
                    f"{lacking.where}: {lacking.task} {lacking.model}, seed {lacking.seed}, has no {split} file "
                    f"of {code}, which {having.model} with seed {having.seed} has ({having.where})"
                )
            if split == "test" and "en" not in here:
                raise DataError(f"{own[0].where}: {own[0].task} {own[0].model} has no test file of en")


def _record(row: Row, key: str) -> TrialRecord:
    return TrialRecord(
        key=key, stage=row.stage, task=row.task, model=row.model, layer=row.layer, arm=row.arm or "none",
        seed=row.seed, mode="finetuned", outcome="ok", precision=row.batch or UNKNOWN, device_kind=UNKNOWN,
        threads=0,
        specification={"ingested": True, "encoder": row.encoder, "training_items": row.training_items},
    )  # fmt: skip
