"""The examples of a profile on disk: what every later stage reads, whatever the source was."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa

from crosslayer.data.examples import Corpus, Example, PairExample, Parallel, TagExample
from crosslayer.errors import ResultsError
from crosslayer.parquet import read_table, write_table


def write_corpus(corpus: Corpus, path: Path) -> None:
    """Write examples as Parquet, by split and language."""
    rows: list[dict[str, Any]] = []
    for (split, language), examples in sorted(corpus.items()):
        for example in examples:
            row = {name: getattr(example, name) for name in example.__slots__}
            rows.append({"split": split, "language": language, **row})
    write_table(pa.Table.from_pylist(rows), path)


def read_corpus(path: Path) -> Corpus:
    """Read what `write_corpus` wrote.

    Raises:
        ResultsError: absent, damaged, or of other columns.
    """
    corpus: dict[Any, list[Example]] = {}
    for row in _read(path, PairExample.__slots__, TagExample.__slots__):
        key = (row.pop("split"), row.pop("language"))
        example: Example
        if "words" in row:
            example = TagExample(row["item"], tuple(row["words"]), tuple(row["tags"]))
        else:
            example = PairExample(**row)
        corpus.setdefault(key, []).append(example)
    return corpus


def write_parallel(parallel: Parallel, path: Path) -> None:
    """Write sentence pairs with English as Parquet."""
    rows = [
        {"language": language, "item": item, "text": text, "english": english}
        for language, pairs in sorted(parallel.items())
        for item, text, english in pairs
    ]
    write_table(pa.Table.from_pylist(rows), path)


def read_parallel(path: Path) -> Parallel:
    """Read what `write_parallel` wrote.

    Raises:
        ResultsError: absent, damaged, or of other columns.
    """
    pairs: dict[str, list[tuple[str, str, str]]] = {}
    for row in _read(path, ("item", "text", "english")):
        pairs.setdefault(row["language"], []).append((row["item"], row["text"], row["english"]))
    return pairs


def _read(path: Path, *columns: Sequence[str]) -> list[dict[str, Any]]:
    """The rows of a table with one of these sets of columns besides ``split`` and ``language``; none is empty."""
    table = read_table(path)
    own = set(table.column_names) - {"split", "language"}
    if own not in map(set, columns) or any(column.null_count for column in table.columns):
        raise ResultsError(f"{path} has other columns than this version writes; run `dvc repro`")
    rows: list[dict[str, Any]] = table.to_pylist()
    return rows
