"""The examples of a profile on disk: what every later stage reads, whatever the source was."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pyarrow as pa

from crosslayer.data.examples import Corpus, Example, PairExample, TagExample
from crosslayer.data.parquet import read_table, write_table


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
