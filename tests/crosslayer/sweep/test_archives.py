"""Archives, tables and packs from other machines: small ones of endless or absurd content."""

from __future__ import annotations

import io
import json
import struct
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from crosslayer.sweep.portable.archives import FREE, unpack_arrays, unpack_table, unzip
from crosslayer.sweep.portable.merge import read_trials
from crosslayer.sweep.portable.run import read_pack
from fuzz_targets import KEY, address_space, refused


def zipped(**members: bytes) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return file.getvalue()


N = 2**26 + 7
"""Bytes that deflation makes 65 kB of."""


def test_an_archive_unpacks_to_twenty_times_its_size_or_four_mebibytes(tmp_path: Path) -> None:
    assert unzip(io.BytesIO(zipped(a=bytes(FREE)))) == {"a": bytes(FREE)}
    assert "more than 20 times" in refused(unzip, io.BytesIO(zipped(a=bytes(FREE), b=b"x")))
    noise = np.random.default_rng(0).bytes(FREE // 8)
    assert len(unzip(io.BytesIO(zipped(a=noise, b=bytes(FREE))))) == 2
    (tmp_path / "part-1.zip").write_bytes(zipped(**{f"{KEY}/result.json": bytes(N)}))
    assert "(it unpacks to more than 20 times its size); copy it again" in refused(list, read_trials(tmp_path))


def test_an_archive_that_lies_about_its_size_is_unpacked_no_further() -> None:
    """Both places that name the size say 10 bytes; in truth there are 64 MiB."""
    lying = zipped(a=bytes(N)).replace(struct.pack("<I", N), struct.pack("<I", 10))
    with address_space(32):
        assert "Bad CRC-32" in refused(unzip, io.BytesIO(lying))


def test_members_that_lie_over_one_another_count_each(tmp_path: Path) -> None:
    """The directory names one member a thousand times: a bomb without any compression inside of another."""
    data = zipped(a=bytes(FREE // 100))
    start = struct.unpack("<I", data[-6:-2])[0]
    entry, end = data[start:-22], bytearray(data[-22:])
    struct.pack_into("<HHI", end, 8, 1000, 1000, len(entry) * 1000)
    assert "more than 20 times" in refused(unzip, io.BytesIO(data[:start] + entry * 1000 + bytes(end)))


@pytest.mark.parametrize("way", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_other_compression_is_refused(way: int) -> None:
    """Python unpacks these without a limit."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", way) as archive:
        archive.writestr("a", b"x")
    assert "cannot be unpacked in steps" in refused(unzip, file)


def npy(header: str, content: bytes = b"") -> bytes:
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header.encode() + content


@pytest.mark.parametrize(
    "content",
    [
        b"raw", npy("{'descr': '<f8', 'fortran_order': False, 'shape': (1000000000000,)}"),
        npy("{'descr': '|O', 'fortran_order': False, 'shape': (1,)}", b"\x80\x04N."), npy("-" * 5000 + "1"),
        npy("{'descr': '<f8', 'fortran_order': False, 'shape': (-1,)}"),
    ],
)  # fmt: skip
def test_an_array_that_is_none_is_refused(content: bytes) -> None:
    refused(unpack_arrays, zipped(**{"a.npy": content}))


@pytest.mark.parametrize("column", [np.zeros(10 * FREE, np.int8), ["x" * FREE, "x" * FREE]], ids=["rows", "bytes"])
def test_a_table_of_more_than_its_size_allows_is_refused(column: Any) -> None:
    """Runs of one value take next to nothing, however long they are."""
    file = io.BytesIO()
    pq.write_table(pa.table({"x": column}), file, compression="zstd")
    assert len(file.getvalue()) < 200_000
    assert "more than 20 values or bytes for each of its own" in refused(unpack_table, file.getvalue())


def test_two_columns_of_one_name_are_refused() -> None:
    file = io.BytesIO()
    pq.write_table(pa.Table.from_arrays([pa.array([1]), pa.array([2])], names=["x", "x"]), file)
    assert "two columns of one name" in refused(unpack_table, file.getvalue())


@pytest.mark.parametrize(
    "pack",
    [[], {"files": {}}, {"files": [], "trials": [3]}, {"files": 3, "trials": []},
     {"files": {}, "trials": {"a": 1}}, {"files": {"a" * 300: ""}, "trials": []},
     {"files": {"\0": ""}, "trials": []}],
)  # fmt: skip
def test_a_pack_of_another_shape_is_refused(pack: Any, tmp_path: Path) -> None:
    (tmp_path / "pack.json").write_text(json.dumps(pack), encoding="utf-8")
    refused(read_pack, tmp_path)
