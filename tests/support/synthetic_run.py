"""A made-up run with planted effects: the border's protocol in memory, or written as a results folder."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from crosslayer.config import Arm, Profile, parse_profile
from crosslayer.predictions.records import Array, Outcome, Stage, TrialRecord, write_predictions
from crosslayer.predictions.runs import Run, TaskTable, task_table
from crosslayer.tasks import TASKS, TaskName

LANGUAGES = ("en", "de", "es", "zh")
BASE = 0.7
"""Share of items that a baseline has right."""
WORDS = 4
"""Words of a sentence."""


def make_profile(
    tasks: Sequence[TaskName] = ("xnli", "pawsx", "ner", "pos"),
    layers: Sequence[int] = (1, 2, 3),
    seeds: Sequence[int] = (0, 1, 2),
    controls: Sequence[str] = ("self",),
    targets: Sequence[TaskName] = (),
    source: str = "hub",
) -> Profile:
    """A profile of the real kind, on hub data unless told."""
    content = {
        "profile": "made-up",
        "encoder": {"source": "random"},
        "data": {"source": source},
        "tasks": {task: {"epochs": 1, "learning_rate": 1e-3} for task in tasks},
        "fusion": {"bn_group": 8},
        "sweep": {"layers": list(layers), "seeds": list(seeds), "controls": list(controls), "control_layer": 1},
        "intermediate": {"targets": list(targets), "seeds": list(seeds)},
        "probe": {},
        "compute": {},
        "claims": ["C01", "C02", "C03", "C05", "C06", "C07", "C08", "C09", "C13", "Q01"],
    }
    return parse_profile(content, "made-up")


@dataclass(frozen=True)
class Items:
    """Rows of one task and split, without predictions."""

    language: Array
    item: Array
    position: Array
    gold: Array


@dataclass(eq=False)
class MadeUpRun(Run):
    """Trials in memory; `crosslayer.predictions.runs.Run` says what the methods give."""

    name: str = "fresh"
    items: dict[tuple[TaskName, str], Items] = field(default_factory=dict)
    trials: list[TrialRecord] = field(default_factory=list)
    predicted: dict[tuple[str, str], Array] = field(default_factory=dict)
    logits: dict[tuple[str, str], Array] = field(default_factory=dict)
    arrays: dict[str, dict[str, Array]] = field(default_factory=dict)
    probes: dict[str, pd.DataFrame] = field(default_factory=dict)
    checks: dict[str, Any] | None = None

    def table(self, records: Iterable[TrialRecord], split: str) -> TaskTable:
        records = tuple(records)
        items = self.items[records[0].task, split]
        predicted = np.stack([self.predicted[record.key, split] for record in records])
        return task_table(records, items.language, items.item, items.position, items.gold, predicted)

    def scores(self, record: TrialRecord, split: str) -> Array | None:
        return self.logits.get((record.key, split))

    def diagnostics(self, record: TrialRecord) -> dict[str, Array]:
        return self.arrays.get(record.key, {})

    def probe(self, name: str) -> pd.DataFrame | None:
        return self.probes.get(name)

    def structure(self) -> dict[str, Any] | None:
        return self.checks

    def right(self, task: TaskName, model: str, seed: int) -> Array:
        """(N,) which test rows a trial of the sweep has right."""
        predicted = self.predicted[f"sweep-{task}-{model}-none-{seed}", "test"]
        return np.asarray(predicted == self.items[task, "test"].gold)

    def drop(self, **about: object) -> None:
        """Forget the trials that have all these values."""
        self.trials = [trial for trial in self.trials if not _has(trial, about)]

    def end(self, outcome: Outcome, **about: object) -> None:
        """Let the trials that have all these values end otherwise."""
        ended = {"outcome": outcome}
        self.trials = [t.model_copy(update=ended) if _has(t, about) else t for t in self.trials]


def _has(trial: TrialRecord, about: Mapping[str, object]) -> bool:
    return all(getattr(trial, name) == value for name, value in about.items())


def make_record(task: TaskName, model: str, seed: int, stage: Stage = "sweep", arm: Arm = "none") -> TrialRecord:
    """A record of a trial that succeeded."""
    layer = int(model.removeprefix("layer_")) if model.startswith("layer_") else None
    return TrialRecord(
        key=f"{stage}-{task}-{model}-{arm}-{seed}", stage=stage, task=task, model=model, layer=layer, arm=arm,
        seed=seed, mode="finetuned", outcome="ok", precision="float32", device_kind="cpu", threads=1,
    )  # fmt: skip


def make_items(task: TaskName, n: int, languages: Sequence[str], rng: np.random.Generator) -> Items:
    """``n`` pairs or sentences a language; pairs are parallel, and have the same gold labels."""
    pair = TASKS[task].kind == "pair"
    width = 1 if pair else WORDS
    shape = (n,) if pair else (len(languages) * n * width,)
    gold = rng.integers(len(TASKS[task].labels), size=shape)
    return Items(
        language=np.repeat(languages, n * width),
        item=np.tile(np.repeat([f"i{k}" for k in range(n)], width), len(languages)),
        position=np.tile(np.arange(width), len(languages) * n).astype(np.int32),
        gold=(np.tile(gold, len(languages)) if pair else gold).astype(np.int8),
    )


def make_sweep(
    profile: Profile,
    effects: Mapping[tuple[TaskName, str], float] | None = None,
    *,
    n: int = 400,
    noise: float = 0.3,
    languages: Sequence[str] = LANGUAGES,
    seed: int = 0,
    models: Sequence[str] = (),
) -> MadeUpRun:
    """Baseline, layers and controls of every task.

    An item is right where its difficulty, which all trials share in part, lies below the trial's ability.

    Args:
        effects: points that a model adds to the share of right words or pairs.
        n: pairs or sentences a language.
        noise: standard deviation of a trial's ability, in points.
        models: more models than the profile's.
    """
    rng = np.random.default_rng(seed)
    run = MadeUpRun()
    names = ["baseline", *(f"layer_{x}" for x in profile.sweep.layers), *profile.sweep.controls, *models]
    for task in profile.tasks:
        run.items[task, "dev"] = make_items(task, n, ("en",), rng)
        run.items[task, "test"] = make_items(task, n, languages, rng)
        difficulty = {split: rng.random(len(run.items[task, split].gold)) for split in ("dev", "test")}
        for model in names:
            for trial_seed in profile.sweep.seeds:
                ability = BASE + ((effects or {}).get((task, model), 0.0) + noise * rng.standard_normal()) / 100
                record = make_record(task, model, trial_seed).model_copy(update={"dev_score": 100 * ability})
                run.trials.append(record)
                for split in ("dev", "test"):
                    add_predictions(run, record, split, difficulty[split], ability, rng)
    return run


def add_predictions(
    run: MadeUpRun, record: TrialRecord, split: str, difficulty: Array, ability: float, rng: np.random.Generator
) -> None:
    """Predict the gold label where the difficulty is low, else the next label."""
    items = run.items[record.task, split]
    mixed = np.where(rng.random(len(difficulty)) < 0.9, difficulty, rng.random(len(difficulty)))
    right = mixed < ability
    wrong = (items.gold + 1) % len(TASKS[record.task].labels)
    run.predicted[record.key, split] = np.where(right, items.gold, wrong).astype(np.int8)


def write_results(run: MadeUpRun, folder: Path) -> None:
    """Write a run as ``results/PROFILE``; scores that it lacks are made up from the predictions."""
    write_trials(run.trials, folder)
    for record in run.trials:
        frames = [_frame(run, record, split) for split in ("dev", "test")]
        path = folder / "trials" / record.stage / record.task / record.key / "predictions.parquet"
        write_predictions(pd.concat(frames, ignore_index=True), path, len(TASKS[record.task].labels))


def write_trials(records: Iterable[TrialRecord], folder: Path) -> None:
    """The records of trials as ``results/PROFILE`` has them, and the manifests that name them; no predictions."""
    homes: dict[Path, list[str]] = {}
    for record in records:
        home = folder / "trials" / record.stage / record.task
        homes.setdefault(home, []).append(record.key)
        (home / record.key).mkdir(parents=True)
        (home / record.key / "trial.json").write_text(record.model_dump_json(), encoding="utf-8")
    for home, keys in homes.items():
        (home / "manifest.json").write_text(json.dumps({"keys": keys}), encoding="utf-8")


def _frame(run: MadeUpRun, record: TrialRecord, split: str) -> pd.DataFrame:
    items, predicted = run.items[record.task, split], run.predicted[record.key, split]
    made = -3.0 * (np.arange(len(TASKS[record.task].labels)) != predicted[:, None])
    logits = run.logits.get((record.key, split), made)
    return pd.DataFrame(
        {"split": split, "language": items.language, "item": items.item, "position": items.position}
        | {"gold": items.gold, "predicted": predicted}
        | {f"score_{k}": column.astype(np.float16) for k, column in enumerate(logits.T)}
    ).astype({"split": "category", "language": "category", "item": "category"})
