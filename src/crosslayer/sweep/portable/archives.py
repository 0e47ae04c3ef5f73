"""Archives and tables from other machines, read within bounds: a small file may unpack to any size."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from claimtrack.reading import Malformed, read_arrays
from crosslayer.data.parquet import parse_table

FREE, TIMES = 2**22, 20
"""How much a compressed file may hold: ours unpack to 1.7 times their size, and have 8 values a byte."""


def room(size: int) -> int:
    """Bytes, or values, that a compressed file of so many bytes may hold."""
    return max(FREE, TIMES * size)


def unzip(source: Path | BinaryIO) -> dict[str, bytes]:
    """The members of a zip archive by name; of two with one name the last.

    Raises:
        Malformed: no archive, damaged, compressed in another way than by deflation, or of more than `room`, by its
            own account or in truth.
        FileNotFoundError: there is none.
    """
    try:
        with zipfile.ZipFile(source) as archive:
            assert archive.fp is not None
            members, size = archive.infolist(), archive.fp.seek(0, io.SEEK_END)
            if sum(member.file_size for member in members) > room(size):
                raise Malformed(f"it unpacks to more than {TIMES} times its size")
            return {member.filename: _content(archive, member) for member in members}
    except (FileNotFoundError, Malformed):
        raise
    except Exception as error:  # zipfile and zlib raise many kinds
        raise Malformed(f"{type(error).__name__}: {error}") from None


def _content(archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> bytes:
    """What a member holds, unpacked no further than it says: its checksum then tells of more."""
    if member.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        raise Malformed("it is compressed in a way that cannot be unpacked in steps")
    with archive.open(member) as file:
        content = file.read(member.file_size)
    if len(content) != member.file_size:
        raise Malformed("a member is shorter than it says")
    return content


def unpack_arrays(data: bytes) -> dict[str, np.ndarray[Any, np.dtype[Any]]]:
    """The arrays of an ``.npz`` file; Malformed as `unzip`, or where a member is no array."""
    unzip(io.BytesIO(data))
    return read_arrays(io.BytesIO(data))


def unpack_table(data: bytes) -> pa.Table:
    """The table of a Parquet file, whose values are what their types say.

    Raises:
        Malformed: damaged, with two columns of one name, or of more values or bytes than `room` by its own
            account. Lists and pages that are longer than that account are not noticed.
    """
    try:
        notes = pq.read_metadata(pa.BufferReader(data))
        groups = (notes.row_group(i) for i in range(notes.num_row_groups))  # asking for more of them may abort
        n_bytes = sum(max(group.total_byte_size, 0) for group in groups)
        if max(notes.num_rows * notes.num_columns, n_bytes) > room(len(data)):
            raise Malformed(f"it holds more than {TIMES} values or bytes for each of its own")
        table = parse_table(pa.BufferReader(data))
        table.validate(full=True)
    except Malformed:
        raise
    except Exception as error:  # among them what Arrow's C++ throws, as a RuntimeError
        raise Malformed(type(error).__name__) from None
    if len(set(table.schema.names)) < table.num_columns:
        raise Malformed("it has two columns of one name")
    return table
