"""Examples as sub-words: windows of at most ``max_length``, ready for batches.

A *window* is one row of encoder input. A pair makes one window (the longer text is cut from its end until both
fit). A sentence makes one window or several: it is split between words, never truncated, and its predictions
are put together again by word position.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pyarrow as pa

from claimtrack.errors import ResultsError
from crosslayer.data.examples import Corpus, PairExample, TagExample
from crosslayer.data.parquet import read_table, write_table
from crosslayer.encoders import Tokenizer
from crosslayer.tasks import TASKS, TaskName, english_first

Array = np.ndarray[Any, np.dtype[Any]]

TEXT = ("split", "language", "item")
RAGGED = {"ids": np.int32, "types": np.int8, "firsts": np.int16, "labels": np.int8}
"""Columns of one array a window, and the type of its numbers."""
_FEW_NAMES = pa.dictionary(pa.int32(), pa.string())
_KINDS = {"split": _FEW_NAMES, "language": _FEW_NAMES, "item": pa.string(), "start": pa.int32()}
_KINDS |= {name: pa.list_(pa.from_numpy_dtype(kind)) for name, kind in RAGGED.items()}
SCHEMA = pa.schema([pa.field(name, kind, nullable=False) for name, kind in _KINDS.items()])


@dataclass(frozen=True)
class Encoded:
    """The windows of one task, W in all.

    Attributes:
        task: whose label ids ``labels`` are.
        split, language, item: (W,) str. Besides the usual splits there is ``common``: an English text without
            labels, the same for all tasks.
        start: (W,) index of the window's first word in its sentence; 0 for pairs.
        ids, types: W arrays of sub-word ids and token types, special tokens included.
        firsts: W arrays of the positions that are predicted: each word's first sub-word, or 0 for a pair.
        labels: W arrays of label ids, one for each of ``firsts``.
    """

    task: TaskName | Literal[""]
    split: Array
    language: Array
    item: Array
    start: Array
    ids: Array
    types: Array
    firsts: Array
    labels: Array

    def __len__(self) -> int:
        return len(self.ids)

    def lengths(self) -> Array:
        """(W,) sub-words of each window."""
        return np.fromiter((len(ids) for ids in self.ids), dtype=np.int64, count=len(self))

    def rows(self, split: str, language: str | None = None) -> Array:
        """Indices of the windows of a split, in order."""
        chosen = self.split == split
        if language is not None:
            chosen = chosen & (self.language == language)
        return np.flatnonzero(chosen)

    def languages(self, split: str) -> list[str]:
        """Languages of a split, English first, then sorted."""
        return list(english_first(self.language[self.split == split]))

    def predicted_rows(self) -> Array:
        """Indices of the windows that a trial predicts: English dev, then the test split of each language."""
        test = [self.rows("test", language) for language in self.languages("test")]
        return np.concatenate([self.rows("dev", "en"), *test])

    def digest(self) -> str:
        """SHA-256 of all windows: the data part of a trial's key."""
        digest = hashlib.sha256(self.task.encode())
        for name in TEXT:
            digest.update("\0".join(getattr(self, name).tolist()).encode())
        digest.update(self.start.astype("<i4").tobytes())
        for column in (getattr(self, name) for name in RAGGED):
            digest.update(np.array([len(row) for row in column], "<i4").tobytes())
            digest.update(np.concatenate(column).astype("<i4").tobytes() if len(column) else b"")
        return digest.hexdigest()


def encode(task: TaskName, corpus: Corpus, tokenizer: Tokenizer, max_length: int) -> Encoded:
    """Turn a task's examples into windows, in the order English first, then by language."""
    order = sorted(corpus, key=lambda key: (key[0], key[1] != "en", key[1]))
    rows: list[tuple[str, str, str, int, list[int], list[int], list[int], list[int]]] = []
    label_id = {label: i for i, label in enumerate(TASKS[task].labels)}
    for split, language in order:
        for example in corpus[split, language]:
            if isinstance(example, PairExample):
                ids, types = _encode_pair(example, tokenizer, max_length)
                rows.append((split, language, example.item, 0, ids, types, [0], [label_id[example.label]]))
            else:
                for start, ids, types, firsts in _windows(example, tokenizer, max_length):
                    tags = example.tags[start : start + len(firsts)]
                    labels = [label_id[tag] for tag in tags]
                    rows.append((split, language, example.item, start, ids, types, firsts, labels))
    return _columns(task, rows)


def encode_texts(texts: list[tuple[str, str, str]], tokenizer: Tokenizer, max_length: int, split: str) -> Encoded:
    """Texts (language, item, text) as windows of a split without labels, cut at ``max_length``."""
    rows: list[Any] = []
    for language, item, text in texts:
        pieces = tokenizer.encode_text(text)[: max_length - tokenizer.n_special_single]
        ids, types = tokenizer.wrap(pieces, None)
        rows.append((split, language, item, 0, ids, types, [], []))
    return _columns("", rows)


def concatenate(parts: list[Encoded]) -> Encoded:
    """Windows one after the other; the task is that of the first."""
    columns = {name: np.concatenate([getattr(part, name) for part in parts]) for name in SCHEMA.names}
    return Encoded(parts[0].task, **columns)


def _encode_pair(example: PairExample, tokenizer: Tokenizer, max_length: int) -> tuple[list[int], list[int]]:
    first, second = tokenizer.encode_text(example.first), tokenizer.encode_text(example.second)
    room = max_length - tokenizer.n_special_pair
    while len(first) + len(second) > room:
        (first if len(first) >= len(second) else second).pop()
    return tokenizer.wrap(first, second)


def _windows(
    example: TagExample, tokenizer: Tokenizer, max_length: int
) -> Iterator[tuple[int, list[int], list[int], list[int]]]:
    """Split a sentence between words into windows of at most ``max_length`` sub-words."""
    room = max_length - tokenizer.n_special_single
    pieces = [tokenizer.encode_word(word)[:room] for word in example.words]
    start = 0
    while start < len(pieces):
        end, used = start, 0
        while end < len(pieces) and used + len(pieces[end]) <= room:
            used += len(pieces[end])
            end += 1
        lengths = [len(piece) for piece in pieces[start:end]]
        firsts = (tokenizer.prefix_length + np.cumsum([0, *lengths[:-1]])).tolist()
        ids, types = tokenizer.wrap([i for piece in pieces[start:end] for i in piece], None)
        yield start, ids, types, firsts
        start = end


def _columns(task: TaskName | Literal[""], rows: list[Any]) -> Encoded:
    columns: dict[str, Any] = dict(zip(SCHEMA.names, zip(*rows, strict=True), strict=True))
    columns |= {name: np.array(columns[name], dtype=object) for name in TEXT}
    columns |= {name: ragged([np.asarray(row, kind) for row in columns[name]]) for name, kind in RAGGED.items()}
    return Encoded(task, **columns | {"start": np.array(columns["start"], np.int32)})


def ragged(rows: Sequence[Array]) -> Array:
    """Arrays of any lengths as one column."""
    column = np.empty(len(rows), dtype=object)
    column[:] = rows
    return column


def write_encoded(encoded: Encoded, path: Path) -> None:
    columns = {name: list(getattr(encoded, name)) for name in SCHEMA.names}
    schema = SCHEMA.with_metadata({"task": encoded.task})
    write_table(pa.table(columns, schema=schema), path)


def read_encoded(path: Path) -> Encoded:
    """Read what `write_encoded` wrote; a ResultsError where it is absent, damaged or of another shape."""
    table = read_table(path)
    if not table.schema.equals(SCHEMA):
        raise ResultsError(f"{path} has other columns than this version writes; run `dvc repro`")
    task: Any = table.schema.metadata[b"task"].decode()
    text = {name: np.array(table[name].to_pylist(), dtype=object) for name in TEXT}
    return Encoded(
        task, start=table["start"].to_numpy(), **text, **{name: _split_list(table[name]) for name in RAGGED}
    )


def _split_list(column: pa.ChunkedArray) -> Array:
    """A list column as one array per row, without a Python object per value."""
    whole = pa.concat_arrays(column.chunks)
    return ragged(np.split(whole.values.to_numpy(), whole.offsets.to_numpy()[1:-1]))
