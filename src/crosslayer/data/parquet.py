"""Parquet files of our own, read with one kind of error for whatever is wrong with them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import pyarrow as pa
import pyarrow.parquet as pq

from claimtrack.errors import ResultsError
from claimtrack.reading import Malformed


def read_table(path: Path, mend: str = "run `dvc repro`", columns: Sequence[str] | None = None) -> pa.Table:
    """The table of a file, as `parse_table` gives it.

    Args:
        path: the file.
        mend: what the reader can do about a wrong one.
        columns: those that are wanted; all by default.

    Raises:
        ResultsError: absent or damaged.
    """
    try:
        with pa.OSFile(str(path)) as file:
            return parse_table(file, columns)
    except FileNotFoundError:
        raise ResultsError(f"{path} is missing; {mend}") from None
    except (Malformed, OSError) as error:
        raise ResultsError(f"{path} is damaged ({error}); {mend}") from None


def parse_table(source: pa.NativeFile, columns: Sequence[str] | None = None) -> pa.Table:
    """A table without pandas' own notes, its pages compared with their checksums.

    Raises:
        Malformed: no table, damaged or without one of ``columns``.
    """
    try:
        with pq.ParquetFile(source, page_checksum_verification=True) as file:
            if lacking := [name for name in columns or () if name not in file.schema_arrow.names]:
                raise Malformed(f"it has no column {lacking[0]:.40}")
            table = file.read(None if columns is None else list(columns))
    except Malformed:
        raise
    except Exception as error:  # among them what Arrow's C++ throws, as a RuntimeError
        raise Malformed(type(error).__name__) from None
    kept = table.schema.metadata or {}
    return table.replace_schema_metadata({name: note for name, note in kept.items() if name != b"pandas"})


def kind(column: pa.ChunkedArray) -> Literal["text", "numbers", "other"]:
    """What a column holds, however wide its type and whether it is a dictionary; nulls are something else."""
    values = column.type.value_type if pa.types.is_dictionary(column.type) else column.type
    if column.null_count:
        return "other"
    if pa.types.is_string(values) or pa.types.is_large_string(values):
        return "text"
    return "numbers" if pa.types.is_integer(values) or pa.types.is_floating(values) else "other"


def write_table(table: pa.Table, path: Path) -> None:
    """Write a table with checksums, by which `read_table` notices changed bytes."""
    pq.write_table(table, path, compression="zstd", write_page_checksum=True)
