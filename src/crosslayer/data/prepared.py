"""The examples of a profile on disk: what every later stage reads, whatever the source was."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pyarrow as pa

from crosslayer.data.examples import Corpus, Example, PairExample, Parallel, TagExample
from crosslayer.data.parquet import read_table, write_table

PARALLEL = pa.schema([(name, pa.string()) for name in ("language", "item", "text", "english")])


def write_corpus(corpus: Corpus, path: Path) -> None:
    """Write examples as Parquet, by split and language."""
    rows = [
        {"split": split, "language": language} | {name: getattr(example, name) for name in example.__slots__}
        for (split, language), examples in sorted(corpus.items())
        for example in examples
    ]
    write_table(pa.Table.from_pylist(rows), path)


def read_corpus(path: Path) -> Corpus:
    """Read what `write_corpus` wrote; errors as `read_table`."""
    corpus: dict[Any, list[Example]] = {}
    for row in read_table(path).to_pylist():
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
    """Read what `write_parallel` wrote; errors as `read_table`."""
    pairs: dict[str, list[PairExample]] = {}
    for row in read_table(path).to_pylist():
        pairs.setdefault(row["language"], []).append(PairExample(row["item"], row["text"], row["english"]))
    return pairs
