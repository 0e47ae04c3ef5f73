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

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from claimtrack.reading import Malformed, parse_json
from crosslayer.data.formats import located, read_lines
from crosslayer.errors import DataError
from crosslayer.predictions.records import parse_arrays
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
    """What files predict.

    Attributes:
        labels: gold label ids (N,) in the order of the data.
        sizes: the number of words of each sentence, 1 for a pair.
        places: which rows of a file these are, by its number of rows; a file may also have these rows only.
        outside: entity types that count as O.
        items: the name of each pair or sentence.
    """

    labels: Ids
    sizes: tuple[int, ...]
    places: Mapping[int, Sequence[int]] = field(default_factory=dict)
    outside: tuple[str, ...] = ()
    items: tuple[str, ...] = ()


@dataclass(frozen=True)
class Predicted:
    """Label ids (N,), and log-probabilities (N, K) up to a constant, NaN in rows without, or None."""

    labels: Ids
    scores: Floats | None = None


@dataclass(frozen=True)
class Item:
    """What a file says of a pair or sentence.

    Attributes:
        where: file and line, for errors.
        labels: label ids, one a word.
        scores: log-probabilities of each up to a constant, if there are any.
        gold: the gold label ids, if the file repeats them.
    """

    where: str
    labels: Sequence[int]
    scores: Sequence[Sequence[float]] | None = None
    gold: Sequence[int] | None = None


def read_predictions(path: Path, task: Task, gold: Gold) -> Predicted:
    """The predictions of one task, language and split, of the rows that count; the file may have more.

    A DataError where it is absent, of no known format, malformed, or of other items.
    """
    reader = READERS.get(path.suffix.lower())
    if reader is None:
        raise DataError(f"{path}: no known format; known are {', '.join(READERS)}")
    if not path.is_file():
        raise DataError(f"{path} is missing though trials.csv names it")
    ids = {label: index for index, label in enumerate(task.labels)}
    if "O" in ids:
        ids |= {f"{mark}-{kind}": ids["O"] for kind in gold.outside for mark in "BI"}
    items = reader(path, task, ids)
    places = {**gold.places, len(gold.sizes): range(len(gold.sizes))}
    if len(items) not in places:
        counts = " or ".join(map(str, sorted(places, reverse=True)))
        what = "pairs" if task.kind == "pair" else "sentences"
        raise DataError(f"{path}: {len(items)} {what} where the data have {counts}; see docs/ingest.md for which")
    counted = [items[place] for place in places[len(items)]]
    told = iter(gold.labels.tolist())
    for item, size in zip(counted, gold.sizes, strict=True):
        with located(item.where):
            _check(item, [*islice(told, size)], task)
    labels = np.array([label for item in counted for label in item.labels], dtype=np.int8)
    scored = [item.scores for item in counted if item.scores is not None]
    if scored and len(scored) < len(counted):
        raise DataError(
            f"{path}: some lines have probabilities and others have none; write null where there are none"
        )
    return Predicted(labels, np.array([row for rows in scored for row in rows]) if scored else None)


def _check(item: Item, gold: list[int], task: Task) -> None:
    """Check what the file shows of a pair or sentence against the data."""
    if len(item.labels) != len(gold):
        raise ValueError(f"{len(item.labels)} labels where the sentence has {len(gold)} words; {ORDER}")
    if item.gold is not None and list(item.gold) != gold:
        told, expected = (" ".join(task.labels[k] for k in some) for some in (item.gold, gold))
        raise ValueError(
            f"gold label {told:.60} where the data have {expected:.60}; are these other items, or labels in "
            f"another order than {', '.join(task.labels)}?"
        )


def read_labels(path: Path, task: Task, ids: Mapping[str, int]) -> list[Item]:
    """XTREME's prediction format."""
    items: list[Item] = []
    sentence: list[int] = []
    for number, line in enumerate([*read_lines(path), ""], start=1):
        with located(where := f"{path}:{number}"):
            if word := line.strip():
                sentence.append(_label(word, task, ids))
        if sentence and (task.kind == "pair" or not word):
            items.append(Item(where, sentence))
            sentence = []
    return items


def read_json_lines(path: Path, task: Task, ids: Mapping[str, int]) -> list[Item]:
    """JSON lines of our own shape, or those of lm-evaluation-harness, told apart by their keys."""
    rows = list(_json_rows(path))
    if rows and "doc_id" in rows[0][1] and "label" not in rows[0][1]:
        return _of_harness(rows, task)
    items = []
    for where, row in rows:
        with located(where):
            items.append(_item(where, row, task, ids))
    return items


def _item(where: str, row: dict[str, Any], task: Task, ids: Mapping[str, int]) -> Item:
    key = "label" if task.kind == "pair" else "labels"
    if key not in row:
        raise ValueError(f"no key {key}, which {task.title} needs")
    names = [row[key]] if task.kind == "pair" else row[key]
    if not isinstance(names, list):
        raise ValueError("labels is not a list of the sentence's tags")
    return Item(where, [_label(name, task, ids) for name in names], _scores_of(row, task, len(names)))


def read_trainer(path: Path, task: Task, ids: Mapping[str, int]) -> list[Item]:
    """Logits (N, K) of pairs or (S, T, K) of sentences, with label ids, `IGNORED` where nothing is predicted."""
    arrays = _arrays(path)
    logits, told = arrays["predictions"], arrays["label_ids"]
    k, n_axes = len(task.labels), 1 if task.kind == "pair" else 2
    if logits.shape != (*told.shape, k) or told.ndim != n_axes:
        raise DataError(
            f"{path}: predictions {logits.shape}, label_ids {told.shape} are not (N, {k}) and (N,) for pairs, "
            f"(S, T, {k}) and (S, T) for sentences"
        )
    if logits.dtype.kind not in "fiu" or not np.isfinite(logits).all():
        raise DataError(f"{path}: predictions hold something else than finite numbers")
    known = (told == IGNORED) | np.isin(told, range(k))
    if told.dtype.kind not in "iu" or not known.all():
        raise DataError(f"{path}: label_ids hold something else than 0 to {k - 1}, and {IGNORED} where none is")
    items = []
    for number, (scores, gold) in enumerate(zip(logits.astype(np.float64), told, strict=True), start=1):
        scores, gold = scores.reshape(-1, k), gold.reshape(-1)
        scores, gold = scores[gold != IGNORED], gold[gold != IGNORED]
        items.append(Item(f"{path}: row {number}", scores.argmax(axis=1).tolist(), scores.tolist(), gold.tolist()))
    return items


READERS: dict[str, Callable[[Path, Task, Mapping[str, int]], list[Item]]] = {
    ".txt": read_labels, ".tsv": read_labels, ".csv": read_labels, ".jsonl": read_json_lines,
    ".npz": read_trainer, ".npy": read_trainer,
}  # fmt: skip
"""By the end of a file's name."""


def _of_harness(rows: list[tuple[str, dict[str, Any]]], task: Task) -> list[Item]:
    """The choice of the largest log-likelihood; choices in the order of the task's labels, items by ``doc_id``."""
    items: dict[int, Item] = {}
    for where, row in rows:
        with located(where):
            doc, choices = row.get("doc_id"), row.get("filtered_resps", row.get("resps"))
            if task.kind == "tags":
                raise ValueError(f"outputs of lm-evaluation-harness are read for pairs, {task.title} has tags")
            if type(doc) is not int or not 0 <= doc < len(rows):
                raise ValueError(f"doc_id {doc!r:.40} is none of 0 to {len(rows) - 1}")
            if doc in items:
                raise ValueError(f"doc_id {doc} appears twice")
            if not isinstance(choices, list) or len(choices) != len(task.labels):
                raise ValueError(f"no log-likelihood of each of the {len(task.labels)} choices")
            scores = [_likelihood(choice) for choice in choices]
            items[doc] = Item(where, [int(np.argmax(scores))], [scores], _target(row, task))
    return [items[doc] for doc in range(len(rows))]


def _target(row: dict[str, Any], task: Task) -> list[int] | None:
    """The gold label as the harness has it: its name or its number, as a text or not."""
    if "target" not in row:
        return None
    names = {name: index for index, label in enumerate(task.labels) for name in (str(index), label)}
    if (name := str(row["target"])) not in names:
        raise ValueError(f"target {name:.40} is none of {', '.join(task.labels)}, nor its number")
    return [names[name]]


def _likelihood(choice: Any) -> float:
    """The log-likelihood of one choice: ``[-3.2, false]``, ``["-3.2", "False"]`` or one such list in a list."""
    while isinstance(choice, list) and choice:
        choice = choice[0]
    return number_of(choice)


def _scores_of(row: dict[str, Any], task: Task, n: int) -> list[Sequence[float]] | None:
    """Log-probabilities of one line, (n, K), NaN for null; None where the line has neither of the keys."""
    key = next((name for name in ("probabilities", "logits") if name in row), None)
    if key is None:
        return None
    values = [row[key]] if task.kind == "pair" else row[key]
    if not isinstance(values, list) or len(values) != n:
        raise ValueError(f"{key} has not one entry for each of {n} labels")
    return [_row_of_scores(value, key, task) for value in values]


def _row_of_scores(value: Any, key: str, task: Task) -> Sequence[float]:
    if value is None:
        return [np.nan] * len(task.labels)
    if isinstance(value, dict):
        value = [value.get(label) for label in task.labels] if set(value) == set(task.labels) else None
    if not isinstance(value, list) or len(value) != len(task.labels):
        raise ValueError(f"{key} are not one number for each of {', '.join(task.labels)}")
    numbers = list(map(number_of, value))
    if key == "logits":
        return numbers
    if min(numbers) < 0 or abs(sum(numbers) - 1) > TOLERANCE:
        raise ValueError(f"probabilities add up to {sum(numbers):.6g}, or one is negative")
    return [float(np.log(number)) if number > 0 else LEAST for number in numbers]


def number_of(value: Any) -> float:
    """A number or its text; a ValueError where it is none that is finite."""
    try:
        number = float(value) if isinstance(value, int | float | str) and not isinstance(value, bool) else np.nan
    except (ValueError, OverflowError):
        number = np.nan
    if not np.isfinite(number):
        raise ValueError(f"{value!r:.40} is not a finite number")
    return number


def _label(name: Any, task: Task, ids: Mapping[str, int]) -> int:
    """The id of a label by its name, or of a pair by its id."""
    if isinstance(name, int) and not isinstance(name, bool) and 0 <= name < len(task.labels):
        return name
    return ids[name] if isinstance(name, str) and name in ids else ids[task.known(name)]


def _json_rows(path: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    for number, line in enumerate(read_lines(path), start=1):
        if line.strip():
            with located(where := f"{path}:{number}"):
                row = parse_json(line)
                if not isinstance(row, dict):
                    raise ValueError("no JSON object")
            yield where, row


def _arrays(path: Path) -> dict[str, npt.NDArray[Any]]:
    """``predictions`` and ``label_ids``; beside an ``.npy`` of logits lies ``label_ids.npy``."""
    try:
        if path.suffix.lower() == ".npz":
            arrays = parse_arrays(path)
        else:
            arrays = {}
            for name, file in (("predictions", path), ("label_ids", path.with_name("label_ids.npy"))):
                with file.open("rb") as stream:
                    arrays[name] = np.lib.format.read_array(stream, allow_pickle=False)
    except (Malformed, OSError, ValueError, EOFError) as error:
        raise DataError(f"{path}: no readable arrays predictions and label_ids ({error})") from None
    if lacking := [name for name in ("predictions", "label_ids") if name not in arrays]:
        raise DataError(
            f"{path}: no array {lacking[0]}; save it as np.savez(FILE, predictions=..., label_ids=...)"
        )
    return arrays
