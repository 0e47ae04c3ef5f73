"""Parquet files of our own, read with one kind of error for whatever is wrong with them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from claimtrack.errors import ResultsError


@contextmanager
def _readable(path: Path, mend: str) -> Iterator[None]:
    try:
        yield
    except FileNotFoundError:
        raise ResultsError(f"{path} is missing; {mend}") from None
    except Exception as error:  # among them what Arrow's C++ throws, as a RuntimeError
        raise ResultsError(f"{path} is damaged ({type(error).__name__}); {mend}") from None


def column_names(path: Path, mend: str) -> list[str]:
    """The names of the columns of a file, which alone are read; errors as in `read_table`."""
    with _readable(path, mend):
        return list(pq.read_schema(path).names)


def read_table(path: Path, mend: str = "run `dvc repro`", columns: Sequence[str] | None = None) -> pa.Table:
    """The table of a file without pandas' own notes, its pages compared with their checksums.

    A ResultsError where it is absent, damaged or without one of ``columns`` (all by default); ``mend`` is what the
    user can do about that.
    """
    with _readable(path, mend), pq.ParquetFile(path, page_checksum_verification=True) as file:
        lacking = [name for name in columns or () if name not in file.schema_arrow.names]
        table = None if lacking else file.read(None if columns is None else list(columns))
    if table is None:
        raise ResultsError(f"{path} is damaged (it has no column {lacking[0]:.40}); {mend}")
    kept = table.schema.metadata or {}
    return table.replace_schema_metadata({name: note for name, note in kept.items() if name != b"pandas"})


def write_table(table: pa.Table, path: Path) -> None:
    """Write a table with checksums, by which `read_table` notices changed bytes."""
    pq.write_table(table, path, compression="zstd", write_page_checksum=True)
