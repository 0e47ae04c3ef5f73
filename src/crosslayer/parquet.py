"""Parquet files of our own, read with one kind of error for whatever is wrong with them."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from crosslayer.errors import ResultsError


def read_table(path: Path, mend: str = "run `dvc repro`") -> pa.Table:
    """A table whose names and values have been checked to be what their types say, without pandas' own notes.

    Args:
        path: the file.
        mend: what the reader can do about a wrong one.

    Raises:
        ResultsError: absent or damaged.
    """
    try:
        table = pq.read_table(path, page_checksum_verification=True)
        table.validate(full=True)
        _ = table.schema.names  # decodes them
    except FileNotFoundError:
        raise ResultsError(f"{path} is missing; {mend}") from None
    except (pa.ArrowException, OSError, ValueError) as error:
        raise ResultsError(f"{path} is damaged ({type(error).__name__}); {mend}") from None
    notes = table.schema.metadata or {}
    return table.replace_schema_metadata({name: note for name, note in notes.items() if name != b"pandas"})


def write_table(table: pa.Table, path: Path) -> None:
    """Write a table with checksums, by which `read_table` notices changed bytes."""
    pq.write_table(table, path, compression="zstd", write_page_checksum=True)
