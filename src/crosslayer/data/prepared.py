"""The examples of a profile on disk: what every later stage reads, whatever the source was."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from claimtrack.errors import ResultsError
from crosslayer.data.examples import Corpus, Example, PairExample, Parallel, TagExample
from crosslayer.data.parquet import read_table, write_table


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
    for row in _read(path, *(("split", "language", *kind.__slots__) for kind in (PairExample, TagExample))):
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
    for row in _read(path, ("language", "item", "text", "english")):
        pairs.setdefault(row["language"], []).append((row["item"], row["text"], row["english"]))
    return pairs


def _read(path: Path, *columns: Sequence[str]) -> list[dict[str, Any]]:
    """The rows of a table with one of these sets of columns, texts or lists of texts; none is empty."""
    table = read_table(path)
    right = sorted(table.column_names) in map(sorted, columns)
    if not right or not all(_is_text(table[name], name in ("words", "tags")) for name in table.column_names):
        raise ResultsError(f"{path} has other columns than this version writes; run `dvc repro`")
    rows: list[dict[str, Any]] = table.to_pylist()
    return rows


def _is_text(column: pa.ChunkedArray, in_lists: bool) -> bool:
    """Whether a column holds texts, or lists of texts, and nothing is null."""
    kind, nulls = column.type, column.null_count
    if in_lists and pa.types.is_list(kind):
        kind, nulls = kind.value_type, nulls + pc.list_flatten(column).null_count
        in_lists = False
    return not in_lists and pa.types.is_string(kind) and not nulls
