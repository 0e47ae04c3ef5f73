"""Files that are made to do harm: small, and of exponential, endless or absurd content."""

from __future__ import annotations

import io
import json
import struct
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from claimtrack.errors import CrosslayerError, DataError, EncoderError, ResultsError, UserError
from claimtrack.importer import read_report
from claimtrack.reading import FREE, Malformed, parse_json, parse_yaml, unzip
from claimtrack.reading import read_arrays as parse_arrays
from claimtrack.registry import load_registry
from claimtrack.runlog import read_run
from crosslayer.config import load_profile
from crosslayer.data import hub
from crosslayer.data.hubfiles import HubError
from crosslayer.encoders.hub import load_hub
from crosslayer.encoders.packaged import HEADER, parse
from crosslayer.ledger.ledger import verify
from crosslayer.predictions.parquet import parse_table, read_table
from crosslayer.predictions.records import read_arrays, read_manifest, read_structure
from crosslayer.sweep.portable.merge import read_trials
from crosslayer.sweep.portable.run import read_pack
from crosslayer.windows.vocabulary import load_trimmed
from fuzz_targets import KEY, MEBIBYTES, ROOT, SECONDS, address_space, time_limit


@contextmanager
def within_bounds() -> Iterator[None]:
    with time_limit(SECONDS), address_space(MEBIBYTES):
        yield


def refused(read: Callable[..., Any], *given: Any) -> str:
    """The one line that a reader refuses something with, within time and memory."""
    with within_bounds(), pytest.raises((CrosslayerError, Malformed)) as caught:
        read(*given)
    assert str(caught.value).isprintable()
    return str(caught.value)


# YAML and JSON


def bomb(form: str, levels: int = 9) -> str:
    """Each of the levels holds the one below nine times: 9^9 values in 600 bytes."""
    lines = ["a0: &a0 {x: 1}"]
    for i in range(1, levels + 1):
        lines.append(f"a{i}: &a{i} " + form % ", ".join([f"*a{i - 1}"] * 9))
    return "\n".join(lines)


@pytest.mark.parametrize("form", ["[%s]", "{<<: [%s]}"], ids=["lists", "merged"])
@pytest.mark.parametrize("read", [load_profile, load_registry])
def test_aliases_do_not_grow_without_bound(read: Callable[[Path], object], form: str, tmp_path: Path) -> None:
    path = tmp_path / "x.yaml"
    path.write_text(bomb(form), encoding="utf-8")
    assert "more than 100000 values, aliases written out" in refused(read, path)
    path.write_text(bomb(form, levels=3), encoding="utf-8")
    assert "unknown key a0" in refused(read, path)


def test_few_aliases_stay_allowed() -> None:
    assert parse_yaml(bomb("[%s]", levels=2))["a2"] == [[{"x": 1}] * 9] * 9
    assert parse_yaml("a: &a {x: 1}\nb: {<<: *a, y: 2}") == {"a": {"x": 1}, "b": {"x": 1, "y": 2}}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a: " + "[" * 5000 + "]" * 5000, "nested too deeply"),
        ("a: " + "{a: " * 3000 + "}" * 3000, "nested too deeply"),
        ("profile: &a [*a]\nsource: *a", "in itself"),
        ("profile: 0x" + "f" * 5000, "an integer has more than 400 digits"),
        ("profile: " + "9" * 5000, "an integer has more than 400 digits"),
        ("a: 2001-99-99", "month must be in 1..12"),
        ("a: !!bool x", "KeyError"),
        ("a: !!float x", "could not convert"),
        ("a: !!python/name:os.system x", "could not determine a constructor"),
        ("a: !!binary x", "base64"),
        ("a\0b: 1", "special characters are not allowed"),
        ('"a\\nb\\e[2J": 1', "unknown key a b [2J"),
    ],
)
@pytest.mark.parametrize("read", [load_profile, load_registry])
def test_yaml_that_is_made_to_do_harm(
    read: Callable[[Path], object], text: str, message: str, tmp_path: Path
) -> None:
    path = tmp_path / "x.yaml"
    path.write_text(text, encoding="utf-8")
    assert message in refused(read, path)


def deep(opening: str, file: str, folder: Path) -> Path:
    (folder / file).write_text(opening * 100_000, encoding="utf-8")
    return folder / file


@pytest.mark.parametrize("opening", ["[", '{"a":'])
def test_json_of_any_depth_is_refused(opening: str, tmp_path: Path) -> None:
    refused(read_manifest, deep(opening, "manifest.json", tmp_path))
    refused(read_structure, deep(opening, "structure.json", tmp_path))
    refused(verify, deep(opening, "hashes.json", tmp_path).parent)
    refused(read_pack, deep(opening, "pack.json", tmp_path).parent)
    refused(load_trimmed, deep(opening, "config.json", tmp_path).parent)
    assert "cannot be read" in refused(load_hub, str(tmp_path), None)
    assert read_run(deep(opening, "run.json", tmp_path)) == {}


@pytest.mark.parametrize(
    ("data", "message"),
    [(b"[" * 100_000, "nested too deeply"), (b"9" * 5000, "limit"), (b"\xff", "utf-8"), (b"{", "property name")],
)
def test_json_that_cannot_be_read_is_one_kind_of_error(data: bytes, message: str) -> None:
    assert message in refused(parse_json, data)


@pytest.mark.parametrize("content", ['[["a", 1]]', "[[1, 2]]", "3", "null"])
def test_a_list_of_hashes_is_a_mapping(content: str, tmp_path: Path) -> None:
    """Pairs in a list would pass for one, and numbers cannot be sorted among names."""
    (tmp_path / "hashes.json").write_text(content, encoding="utf-8")
    assert "hashes.json is missing or damaged" in refused(verify, tmp_path)


@pytest.mark.parametrize("content", ["[]", '{"stages": 3}', "3"])
def test_a_log_of_another_shape_counts_as_none(content: str, tmp_path: Path) -> None:
    (tmp_path / "run.json").write_text(content, encoding="utf-8")
    assert read_run(tmp_path / "run.json") == {}


@pytest.mark.parametrize(
    "pack",
    [[], {"files": {}}, {"files": [], "trials": [3]}, {"files": 3, "trials": []},
     {"files": {}, "trials": {"a": 1}}, {"files": {"a" * 300: ""}, "trials": []},
     {"files": {"\0": ""}, "trials": []}],
)  # fmt: skip
def test_a_pack_of_another_shape_is_refused(pack: Any, tmp_path: Path) -> None:
    (tmp_path / "pack.json").write_text(json.dumps(pack), encoding="utf-8")
    refused(read_pack, tmp_path)


def test_an_error_line_is_no_message_to_the_terminal() -> None:
    assert str(UserError("a\nb\x1b[2J\u202ec" + "x" * 9000)) == "a b [2J c" + "x" * 1991


def test_a_report_of_questions_without_end_is_read_in_time(tmp_path: Path) -> None:
    """A search from each of 50,000 beginnings to the end would take minutes."""
    table = "Claim\tVerified\tConfidence\nx.\tyes\t0.1\n"
    path = tmp_path / "report.txt"
    path.write_text("Research question: " * 50_000 + "\n" + table, encoding="utf-8")
    with within_bounds():
        assert read_report(path).question is None
    path.write_text("1 May 20\n" * 100_000 + table, encoding="utf-8")
    with within_bounds():
        assert read_report(path).date is None


# Archives


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
def test_an_array_that_is_none_is_refused(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "diagnostics.npz"
    path.write_bytes(zipped(**{"a.npy": content}))
    assert f"{path} is damaged" in refused(read_arrays, path)


def test_arrays_come_back(tmp_path: Path) -> None:
    np.savez_compressed(tmp_path / "x.npz", a=np.arange(6).reshape(2, 3), b=np.array("é"))
    found = parse_arrays(tmp_path / "x.npz")
    assert {name: array.tolist() for name, array in found.items()} == {"a": [[0, 1, 2], [3, 4, 5]], "b": "é"}
    with pytest.raises(ResultsError, match=r"gone\.npz is damaged"):
        read_arrays(tmp_path / "gone.npz")


# Tables


@pytest.mark.parametrize("column", [np.zeros(10 * FREE, np.int8), ["x" * FREE, "x" * FREE]], ids=["rows", "bytes"])
def test_a_table_of_more_than_its_size_allows_is_refused(column: Any, tmp_path: Path) -> None:
    """Runs of one value take next to nothing, however long they are."""
    pq.write_table(pa.table({"x": column}), tmp_path / "x.parquet", compression="zstd")
    assert (tmp_path / "x.parquet").stat().st_size < 200_000
    assert "more than 20 values or bytes for each of its own" in refused(read_table, tmp_path / "x.parquet")


def test_two_columns_of_one_name_are_refused(tmp_path: Path) -> None:
    table = pa.Table.from_arrays([pa.array([1]), pa.array([2])], names=["x", "x"])
    pq.write_table(table, tmp_path / "x.parquet")
    assert "two columns of one name" in refused(read_table, tmp_path / "x.parquet")
    assert "no column y" in refused(parse_table, pa.OSFile(str(tmp_path / "x.parquet")), ["y"])


def test_what_arrow_throws_from_within_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Found by libFuzzer: of a damaged description of a column an exception of C++ comes through as it is."""

    def throw(*_: object, **__: object) -> None:
        raise RuntimeError("Definition level histogram size mismatch, size: 2, expected: 1")

    pq.write_table(pa.table({"x": [1]}), tmp_path / "x.parquet")
    assert read_table(tmp_path / "x.parquet")["x"].to_pylist() == [1]
    monkeypatch.setattr(pq, "ParquetFile", throw)
    assert "damaged (RuntimeError)" in refused(read_table, tmp_path / "x.parquet")


# Encoders


def load_folder(folder: Path) -> object:
    return load_hub(str(folder), None)


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [("vocab_size", 10**8, "asks for"), ("hidden_size", 2**20, "asks for"),
     ("num_hidden_layers", 10**7, "asks for"),
     ("intermediate_size", 10**9, "asks for"),
     ("max_position_embeddings", 10**10, "asks for"),
     ("hidden_size", -1, "must be positive"), ("num_hidden_layers", "3", ""), ("vocab_size", None, ""),
     ("num_attention_heads", 0, ""), ("hidden_act", "none", ""), ("id2label", 3, "")],
)  # fmt: skip
@pytest.mark.parametrize("read", [load_trimmed, load_folder])
def test_a_configuration_asks_for_no_more_weights_than_there_are(
    read: Callable[[Path], object], key: str, value: Any, message: str, tmp_path: Path
) -> None:
    from small_encoders import write_bert

    write_bert(tmp_path)
    path = tmp_path / "config.json"
    path.write_text(json.dumps(json.loads(path.read_text(encoding="utf-8")) | {key: value}), encoding="utf-8")
    assert message in refused(read, tmp_path)


@pytest.mark.parametrize("field", HEADER.names[2:])
@pytest.mark.parametrize("value", [-1, -(2**31), 2**31 - 1])
def test_an_encoder_file_that_counts_absurdly_is_refused(field: str, value: int) -> None:
    from crosslayer.encoders.packaged import as_encoder
    from small_encoders import small_file

    data = bytearray(small_file(np.random.default_rng(0))[0])
    kind, offset = HEADER.fields[field][:2]
    data[offset : offset + kind.itemsize] = np.array(value).astype(kind).tobytes()
    if field != "eps":
        refused(lambda: as_encoder(parse(bytes(data))))


@pytest.mark.parametrize("cut", range(0, 4000, 61))
def test_an_encoder_file_that_is_cut_is_refused(cut: int) -> None:
    from small_encoders import small_file

    data = small_file(np.random.default_rng(0))[0]
    with within_bounds(), pytest.raises(EncoderError, match="damaged"):
        parse(data[:cut])


# The hub


@pytest.mark.parametrize("pattern", ["../../*", "/etc/*", "a/../../*", "**", "", "a" * 300])
def test_a_card_names_files_of_its_own_data_set_only(
    pattern: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What a pattern finds is deleted where it is damaged."""
    files = {"config_name": "a", "data_files": [{"split": "train", "path": pattern}]}
    (tmp_path / "README.md").write_text(f"---\n{json.dumps({'configs': [files]})}\n---\n", encoding="utf-8")
    monkeypatch.setattr(hub.hub, "fetch", lambda *_: tmp_path)
    hub._card.cache_clear()
    with pytest.raises(HubError, match=r"its README\.md is not as expected"):
        hub._card("x", "0" * 40)


@pytest.mark.parametrize(
    ("texts", "message"), [([None], "is no text"), ([3], "is no text"), ([["a"]], "is no text")]
)
def test_rows_of_the_hub_are_texts(texts: list[Any], message: str, monkeypatch: pytest.MonkeyPatch) -> None:
    from datasets import Dataset

    from fuzz_targets import data_spec

    rows = Dataset.from_dict({"source_sentence": texts, "target_sentence": ["x"]})
    monkeypatch.setattr(hub, "open_split", lambda *_: rows)
    with pytest.raises(DataError, match=message):
        hub.read_parallel(data_spec("hub", ROOT))
