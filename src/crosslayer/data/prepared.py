"""The examples of a profile on disk: what every later stage reads, whatever the source was."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pyarrow as pa

from claimtrack.errors import ResultsError
from crosslayer.data.examples import Corpus, Example, PairExample, Parallel, TagExample
from crosslayer.data.parquet import read_table, write_table

TEXT, TEXTS = pa.string(), pa.list_(pa.string())
KEYS = [("split", TEXT), ("language", TEXT), ("item", TEXT)]
PAIRS = pa.schema([*KEYS, ("first", TEXT), ("second", TEXT), ("label", TEXT)])
TAGS = pa.schema([*KEYS, ("words", TEXTS), ("tags", TEXTS)])
PARALLEL = pa.schema([("language", TEXT), ("item", TEXT), ("text", TEXT), ("english", TEXT)])


def write_corpus(corpus: Corpus, path: Path) -> None:
    """Write examples as Parquet, by split and language."""
    rows: list[dict[str, Any]] = [
        {"split": split, "language": language} | {name: getattr(example, name) for name in example.__slots__}
        for (split, language), examples in sorted(corpus.items())
        for example in examples
    ]
    write_table(pa.Table.from_pylist(rows, TAGS if rows and "words" in rows[0] else PAIRS), path)


def read_corpus(path: Path) -> Corpus:
    """Read what `write_corpus` wrote.

    Raises:
        ResultsError: absent, damaged, or of other columns.
    """
    corpus: dict[Any, list[Example]] = {}
    for row in _read(path, PAIRS, TAGS):
        key = (row.pop("split"), row.pop("language"))
        example: Example
        if "words" in row:
            example = TagExample(row["item"], tuple(row["words"]), tuple(row["tags"]))
        else:
            example = PairExample(**row)
        corpus.setdefault(key, []).append(example)
    return corpus


def write_parallel(parallel: Parallel, path: Path) -> None:
    """Write sentence pairs with English as Parquet; there may be none."""
    rows = [
        {"language": language, "item": pair.item, "text": pair.first, "english": pair.second}
        for language, pairs in sorted(parallel.items())
        for pair in pairs
    ]
    write_table(pa.Table.from_pylist(rows, PARALLEL), path)


def read_parallel(path: Path) -> Parallel:
    """Read what `write_parallel` wrote.

    Raises:
        ResultsError: absent, damaged, or of other columns.
    """
    pairs: dict[str, list[PairExample]] = {}
    for row in _read(path, PARALLEL):
        pairs.setdefault(row["language"], []).append(PairExample(row["item"], row["text"], row["english"]))
    return pairs


def _read(path: Path, *schemas: pa.Schema) -> list[dict[str, Any]]:
    """The rows of a table with one of these schemas."""
    table = read_table(path)
    if not any(table.schema.equals(schema) for schema in schemas):
        raise ResultsError(f"{path} has other columns than this version writes; run `dvc repro`")
    rows: list[dict[str, Any]] = table.to_pylist()
    return rows
