"""A recorded run as somebody else would have it: data files with made-up words, and predictions of its trials."""

from __future__ import annotations

import csv
import json
from collections import defaultdict
from collections.abc import Iterable, Sequence
from itertools import groupby
from operator import itemgetter
from pathlib import Path

import numpy as np
from scipy.special import softmax

from crosslayer.ingest.manifest import COLUMNS
from crosslayer.predictions.records import TrialRecord
from crosslayer.predictions.runs import SPLITS, Run, TaskTable
from crosslayer.tasks import TASKS, TaskName

FOLDERS = {"xnli": "xnli", "pawsx": "pawsx", "ner": "panx", "pos": "udpos"}
HEADERS = {"xnli": "premise\thypothesis\tlabel", "pawsx": "id\tsentence1\tsentence2\tlabel"}


def write_data(run: Run, tasks: Iterable[TaskName], root: Path) -> None:
    """Files of the items that a run predicted, at their numbers; others are filled with one label."""
    for task in tasks:
        folder = root / FOLDERS[task]
        folder.mkdir(parents=True)
        record = next(r for r in run.records("sweep", task) if r.outcome == "ok")
        train = folder / ("train-en.mnli.tsv" if task == "xnli" else "train-en.tsv")
        train.write_text(_file(task, {1: [0]}), encoding="utf-8")
        for split in SPLITS:
            table = run.table([record], split)
            for code, rows in rows_by_language(table).items():
                items: dict[int, list[int]] = defaultdict(list)
                for item, gold in zip(table.item[rows].tolist(), table.gold[rows].tolist(), strict=True):
                    items[int(item)].append(gold)
                (folder / f"{split}-{code}.tsv").write_text(_file(task, items), encoding="utf-8")


def _file(task: TaskName, items: dict[int, list[int]]) -> str:
    labels, most = TASKS[task].labels, max(items)
    if task == "pawsx":
        lines = [f"{n}\tfirst {n}\tsecond {n}\t{labels[gold[0]]}" for n, gold in items.items()]
        return "\n".join([HEADERS[task], *lines]) + "\n"
    if task == "xnli":
        lines = [f"first {n}\tsecond {n}\t{labels[items.get(n, [1])[0]]}" for n in range(1, most + 1)]
        return "\n".join([HEADERS[task], *lines]) + "\n"
    filler = [labels.index("O" if task == "ner" else "X")]
    sentences = ["\n".join(f"w{n}\t{labels[tag]}" for tag in items.get(n, filler)) for n in range(most + 1)]
    return "\n\n".join(sentences) + "\n\n"


def rows_by_language(table: TaskTable) -> dict[str, np.ndarray[tuple[int], np.dtype[np.intp]]]:
    return {code: np.flatnonzero(table.language == i) for i, code in enumerate(table.languages)}


def write_predictions(
    run: Run, records: Sequence[TrialRecord], folder: Path, encoder: str, *, scored: bool = False, dev: bool = True
) -> None:
    """The predictions of some trials with ``trials.csv``: in XTREME's format, or as JSON lines with scores."""
    folder.mkdir(parents=True, exist_ok=True)
    rows = []
    for record in records:
        for split in SPLITS if dev else ("test",):
            table, scores = run.table([record], split), run.scores(record, split) if scored else None
            for code, here in rows_by_language(table).items():
                name = f"{record.key}-{split}-{code}.{'txt' if scores is None else 'jsonl'}"
                predicted = [TASKS[record.task].labels[k] for k in table.predicted[0][here].tolist()]
                if scores is None:
                    content = _labels(predicted, table.item[here].tolist())
                else:
                    p = softmax(scores[here].astype(np.float64), axis=1).tolist()
                    lines = [{"label": k, "probabilities": q} for k, q in zip(predicted, p, strict=True)]
                    content = "".join(json.dumps(line) + "\n" for line in lines)
                (folder / name).write_text(content, encoding="utf-8")
                arm = "" if record.stage == "sweep" else record.arm
                layer = "" if record.layer is None else record.layer
                about = (record.model, layer, record.seed, arm, encoder, "all")
                rows.append((name, record.task, code, split, *about, "-".join(map(str, record.batch[:2]))))
    with (folder / "trials.csv").open("w", encoding="utf-8", newline="") as stream:
        csv.writer(stream, lineterminator="\n").writerows([COLUMNS, *rows])


def _labels(predicted: Sequence[str], items: Sequence[str]) -> str:
    """One label a line; a blank line where a sentence of several words ends."""
    rows = groupby(zip(items, predicted, strict=True), key=itemgetter(0))
    sentences = [[label for _, label in words] for _, words in rows]
    end = "\n\n" if len(sentences) < len(predicted) else "\n"
    return end.join("\n".join(labels) for labels in sentences) + "\n"
