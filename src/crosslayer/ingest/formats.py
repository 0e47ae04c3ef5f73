"""Readers of prediction files as other people's code writes them.

| file | what it holds |
|---|---|
| ``.txt``, ``.tsv``, ``.csv`` | XTREME's prediction format: one label a line, a blank line between sentences |
| ``.jsonl`` with ``label``, ``labels`` | an item or sentence a line; ``probabilities`` or ``logits`` where kept |
| ``.jsonl`` with ``doc_id`` | per-item outputs of lm-evaluation-harness (``samples_*.jsonl``), multiple choice |
| ``.npz``, ``.npy`` | logits and label ids as `Trainer.predict` gives them, ``label_ids.npy`` beside an ``.npy`` |

Every error is one line with the file and, where it has lines, the line.

Notation: N predictions (pairs or words), K labels, S sentences, T sub-words.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from claimtrack.reading import Malformed, parse_json, read_arrays
from crosslayer.data.formats import read_lines
from crosslayer.errors import DataError
from crosslayer.tasks import Task

Ids = npt.NDArray[np.int8]
Floats = npt.NDArray[np.float64]
IGNORED = -100
"""Label id of a position that is no word's first sub-word, as `transformers` has it."""
LEAST = -60_000.0
"""Log-probability that stands for 0, which half precision still holds."""
ORDER = "one label a word, in the order of the data"
TOLERANCE = 0.01
"""How far probabilities may be from adding up to 1: some are printed with two digits."""


@dataclass(frozen=True)
class Gold:
    """What a file predicts: label ids (N,) in the order of the data, and the number of words of each sentence.

    ``chosen`` says for errors which items of the data these are.
    """

    labels: Ids
    sizes: tuple[int, ...]
    chosen: str = ""

    @property
    def starts(self) -> list[int]:
        """The first row of each sentence or pair."""
        return [0, *np.cumsum(self.sizes)[:-1].tolist()] if self.sizes else []


@dataclass(frozen=True)
class Predicted:
    """Label ids (N,), and log-probabilities (N, K) up to a constant, NaN in rows without, or None."""

    labels: Ids
    scores: Floats | None = None


def read_predictions(path: Path, task: Task, gold: Gold) -> Predicted:
    """The predictions of one task, language and split.

    Args:
        path: the file.
        task: which labels there are.
        gold: of the same items, in the same order.

    Raises:
        DataError: the file is absent, of no known format, malformed, or of other items.
    """
    reader = READERS.get(path.suffix.lower())
    if reader is None:
        raise DataError(f"{path}: no known format; known are {', '.join(READERS)}")
    if not path.is_file():
        raise DataError(f"{path} is missing though trials.csv names it")
    found = reader(path, task, gold)
    if len(found.labels) != len(gold.labels):
        what = "pairs" if task.kind == "pair" else f"words; {ORDER}"
        raise DataError(
            f"{path}: {len(found.labels)} predictions where the data have {len(gold.labels)} {what}{gold.chosen}"
        )
    return found


def read_labels(path: Path, task: Task, gold: Gold) -> Predicted:
    """XTREME's prediction format."""
    labels, here, sentence = [], 0, 0
    for number, line in enumerate([*read_lines(path), ""], start=1):
        if word := line.strip():
            labels.append(_label(word, task, f"{path}:{number}"))
            here += 1
        elif task.kind == "tags" and here:
            _check_size(here, sentence, gold, f"{path}:{number}")
            here, sentence = 0, sentence + 1
    return Predicted(np.array(labels, dtype=np.int8))


def read_json_lines(path: Path, task: Task, gold: Gold) -> Predicted:
    """JSON lines of our own shape, or those of lm-evaluation-harness, told apart by their keys."""
    rows = list(_json_rows(path))
    if rows and "doc_id" in rows[0][1] and "label" not in rows[0][1]:
        return _of_harness(rows, task, gold)
    key = "label" if task.kind == "pair" else "labels"
    labels: list[int] = []
    scores: list[Sequence[float]] = []
    for sentence, (where, row) in enumerate(rows):
        if key not in row:
            raise DataError(f"{where}: no key {key}, which {task.title} needs")
        names = [row[key]] if task.kind == "pair" else row[key]
        if not isinstance(names, list):
            raise DataError(f"{where}: labels is no list of the sentence's tags")
        _check_size(len(names), sentence, gold, where)
        labels += [_label(name, task, where) for name in names]
        scores += _scores_of(row, task, len(names), where)
    if scores and len(scores) != len(labels):
        raise DataError(f"{path}: some lines have probabilities and others have none; write null where they lack")
    kept = np.array(scores, dtype=np.float64) if scores else None
    return Predicted(np.array(labels, dtype=np.int8), kept)


def read_trainer(path: Path, task: Task, gold: Gold) -> Predicted:
    """Logits (N, K) of pairs or (S, T, K) of sentences, with label ids, `IGNORED` where nothing is predicted."""
    arrays = _arrays(path)
    logits, ids = arrays["predictions"], arrays["label_ids"]
    if logits.shape[:-1] != ids.shape or logits.shape[-1:] != (len(task.labels),):
        k = len(task.labels)
        raise DataError(
            f"{path}: predictions {logits.shape}, label_ids {ids.shape} are not (N, {k}) and (N,), or (S, T, {k}) "
            "and (S, T)"
        )
    if logits.dtype.kind not in "fiu" or not np.isfinite(logits).all():
        raise DataError(f"{path}: predictions hold something else than finite numbers")
    counted = ids != IGNORED
    if ids.ndim == 2:
        for sentence, n in enumerate(counted.sum(axis=1).tolist()):
            _check_size(n, sentence, gold, f"{path}: row {sentence + 1}")
    scores, told = logits[counted].astype(np.float64), ids[counted]
    if len(told) == len(gold.labels) and (wrong := np.flatnonzero(told != gold.labels)).size:
        raise DataError(
            f"{path}: label_ids differ from the gold labels, first at prediction {wrong[0] + 1}; are they other "
            f"items, or labels in another order than {', '.join(task.labels)}?"
        )
    return Predicted(scores.argmax(axis=1).astype(np.int8), scores)


READERS: dict[str, Callable[[Path, Task, Gold], Predicted]] = {
    ".txt": read_labels, ".tsv": read_labels, ".csv": read_labels, ".jsonl": read_json_lines,
    ".npz": read_trainer, ".npy": read_trainer,
}  # fmt: skip
"""By the end of a file's name."""


def _of_harness(rows: list[tuple[str, dict[str, Any]]], task: Task, gold: Gold) -> Predicted:
    """The choice of the largest log-likelihood; choices in the order of the task's labels, items by ``doc_id``."""
    if task.kind == "tags":
        raise DataError(
            f"{rows[0][0]}: outputs of lm-evaluation-harness are read for pairs, {task.title} has tags"
        )
    scores = np.full((len(gold.labels), len(task.labels)), np.nan)
    for where, row in rows:
        item, choices = row["doc_id"], row.get("filtered_resps", row.get("resps"))
        if type(item) is not int or not 0 <= item < len(scores):
            raise DataError(
                f"{where}: doc_id {item!r:.40} is none of the {len(scores)} items of the data{gold.chosen}"
            )
        if not np.isnan(scores[item, 0]):
            raise DataError(f"{where}: doc_id {item} is there twice")
        if not isinstance(choices, list) or len(choices) != len(task.labels):
            raise DataError(f"{where}: no log-likelihood of each of the {len(task.labels)} choices")
        scores[item] = [_likelihood(choice, where) for choice in choices]
        target = str(row.get("target", gold.labels[item]))
        if target not in (str(gold.labels[item]), task.labels[gold.labels[item]]):
            raise DataError(f"{where}: target {target:.40} where the data have {task.labels[gold.labels[item]]}")
    if (lacking := np.flatnonzero(np.isnan(scores[:, 0]))).size:
        path = rows[0][0].rpartition(":")[0]
        raise DataError(f"{path}: {lacking.size} of {len(scores)} items are missing, first doc_id {lacking[0]}")
    return Predicted(scores.argmax(axis=1).astype(np.int8), scores)


def _likelihood(choice: Any, where: str) -> float:
    """The log-likelihood of one choice: ``[-3.2, false]``, ``["-3.2", "False"]`` or one such list in a list."""
    while isinstance(choice, list) and choice:
        choice = choice[0]
    return _number(choice, where)


def _scores_of(row: dict[str, Any], task: Task, n: int, where: str) -> list[Sequence[float]]:
    """Log-probabilities of one line, (n, K), NaN for null; nothing where the line has neither of the keys."""
    key = next((name for name in ("probabilities", "logits") if name in row), None)
    if key is None:
        return []
    values = [row[key]] if task.kind == "pair" else row[key]
    if not isinstance(values, list) or len(values) != n:
        raise DataError(f"{where}: {key} has not one entry for each of {n} labels")
    return [_row_of_scores(value, key, task, where) for value in values]


def _row_of_scores(value: Any, key: str, task: Task, where: str) -> Sequence[float]:
    if value is None:
        return [np.nan] * len(task.labels)
    if isinstance(value, dict):
        value = [value.get(label) for label in task.labels] if set(value) == set(task.labels) else None
    if not isinstance(value, list) or len(value) != len(task.labels):
        raise DataError(f"{where}: {key} are not one number for each of {', '.join(task.labels)}")
    numbers = [_number(number, where) for number in value]
    if key == "logits":
        return numbers
    if min(numbers) < 0 or abs(sum(numbers) - 1) > TOLERANCE:
        raise DataError(f"{where}: probabilities add up to {sum(numbers):.6g}, or one is negative")
    return [float(np.log(number)) if number > 0 else LEAST for number in numbers]


def _number(value: Any, where: str) -> float:
    try:
        number = float(value) if isinstance(value, int | float | str) and not isinstance(value, bool) else np.nan
    except ValueError:
        number = np.nan
    if not np.isfinite(number):
        raise DataError(f"{where}: {value!r:.40} is no finite number")
    return number


def _label(name: Any, task: Task, where: str) -> int:
    """The id of a label by its name, or of a pair by its id."""
    if isinstance(name, str) and name in task.labels:
        return task.labels.index(name)
    if isinstance(name, int) and not isinstance(name, bool) and 0 <= name < len(task.labels):
        return name
    raise DataError(f"{where}: unknown label {name!r:.40}; known: {', '.join(task.labels)}")


def _check_size(n: int, sentence: int, gold: Gold, where: str) -> None:
    """Check that a sentence has as many tags as words."""
    if sentence >= len(gold.sizes):
        raise DataError(f"{where}: more sentences or items than the {len(gold.sizes)} of the data{gold.chosen}")
    if n != gold.sizes[sentence]:
        raise DataError(
            f"{where}: {n} labels where sentence {sentence + 1} has {gold.sizes[sentence]} words; {ORDER}"
        )


def _json_rows(path: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    for number, line in enumerate(read_lines(path), start=1):
        if not line.strip():
            continue
        try:
            row = parse_json(line.encode())
        except Malformed:
            row = None
        if not isinstance(row, dict):
            raise DataError(f"{path}:{number}: no JSON object")
        yield f"{path}:{number}", row


def _arrays(path: Path) -> dict[str, npt.NDArray[Any]]:
    """``predictions`` and ``label_ids``; beside an ``.npy`` of logits lies ``label_ids.npy``."""
    try:
        if path.suffix.lower() == ".npz":
            arrays = read_arrays(path)
        else:
            names = {"predictions": path, "label_ids": path.with_name("label_ids.npy")}
            arrays = {name: np.load(file, allow_pickle=False) for name, file in names.items()}
    except (Malformed, OSError, ValueError, EOFError) as error:
        raise DataError(f"{path}: no readable arrays predictions and label_ids ({error})") from None
    if lacking := [name for name in ("predictions", "label_ids") if name not in arrays]:
        raise DataError(
            f"{path}: no array {lacking[0]}; save it as np.savez(FILE, predictions=..., label_ids=...)"
        )
    return arrays
