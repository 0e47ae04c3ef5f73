"""The examples of a profile on disk: what every later stage reads, whatever the source was."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from crosslayer.data.examples import Corpus, Example, PairExample, Parallel, TagExample
from crosslayer.errors import ResultsError


def write_corpus(corpus: Corpus, path: Path) -> None:
    """Write examples as Parquet, by split and language."""
    rows: list[dict[str, Any]] = []
    for (split, language), examples in sorted(corpus.items()):
        for example in examples:
            row = {name: getattr(example, name) for name in example.__slots__}
            rows.append({"split": split, "language": language, **row})
    pq.write_table(pa.Table.from_pylist(rows), path, compression="zstd")


def read_corpus(path: Path) -> Corpus:
    """Read what `write_corpus` wrote.

    Raises:
        ResultsError: absent or damaged.
    """
    corpus: dict[Any, list[Example]] = {}
    for row in _read(path):
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
    pq.write_table(pa.Table.from_pylist(rows), path, compression="zstd")


def read_parallel(path: Path) -> Parallel:
    """Read what `write_parallel` wrote.

    Raises:
        ResultsError: absent or damaged.
    """
    pairs: dict[str, list[tuple[str, str, str]]] = {}
    for row in _read(path):
        pairs.setdefault(row["language"], []).append((row["item"], row["text"], row["english"]))
    return pairs


def _read(path: Path) -> list[dict[str, Any]]:
    try:
        rows: list[dict[str, Any]] = pq.read_table(path).to_pylist()
    except (FileNotFoundError, pa.ArrowInvalid, OSError) as error:
        raise ResultsError(f"{path} cannot be read ({type(error).__name__}); run `dvc repro`") from None
    return rows
