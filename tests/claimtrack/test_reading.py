"""Files with one error for whatever is wrong with them, and reports that would take for ever."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from claimtrack.errors import ResultsError, UserError
from claimtrack.importer import read_report
from claimtrack.reading import parse_json
from claimtrack.registry import load_registry
from crosslayer.config import load_profile
from crosslayer.data.parquet import read_table, write_table
from crosslayer.predictions.records import read_arrays
from fuzz_targets import refused, within_bounds

# YAML and JSON


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a: " + "[" * 3000 + "]" * 3000, "maximum recursion depth"),
        ("a: " + "{a: " * 3000 + "}" * 3000, "maximum recursion depth"),
        ("a: 2001-99-99", "month must be in 1..12"),
        ("a: !!bool x", "KeyError"),
        ("a: !!float x", "could not convert"),
        ("a: !!python/name:os.system x", "could not determine a constructor"),
        ("a: !!binary x", "base64"),
        ("a: 1\nb: [", "line 2"),
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


@pytest.mark.parametrize(("read", "key"), [(load_profile, "profile"), (load_registry, "plugin")])
def test_an_error_quotes_little_of_a_value_that_aliases_blow_up(
    read: Callable[[Path], object], key: str, tmp_path: Path
) -> None:
    lists = ", ".join(f"&a{n} [{', '.join([f'*a{n - 1}' if n else 'x'] * 9)}]" for n in range(9))
    (tmp_path / "x.yaml").write_text(f"{key}: [{lists}]", encoding="utf-8")
    assert len(refused(read, tmp_path / "x.yaml")) < 250


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"[" * 100_000, "maximum recursion depth"),
        (b"9" * 5000, "limit"),
        (b"\xff", "utf-8"),
        (b"{", "property name"),
    ],
)
def test_json_that_cannot_be_read_is_one_kind_of_error(data: bytes, message: str) -> None:
    assert message in refused(parse_json, data)


def test_an_error_line_is_no_message_to_the_terminal() -> None:
    assert str(UserError("a\nb\x1b[2J\u202ec" + "x" * 9000)) == "a b [2J c" + "x" * 1991


def test_a_report_of_questions_without_end_is_read_in_time(tmp_path: Path) -> None:
    """A search from each of 50,000 beginnings to the end would take minutes."""
    table = "Claim\tVerified\tConfidence\nx.\tyes\t0.1\n"
    path = tmp_path / "report.txt"
    path.write_text("Research question: " * 50_000 + "\n" + table, encoding="utf-8")
    with within_bounds():
        assert read_report(path).question is None
    path.write_text("1 May 20\n" * 20_000 + table, encoding="utf-8")
    with within_bounds():
        assert read_report(path).date is None


# Arrays and tables of our own


def test_arrays_come_back(tmp_path: Path) -> None:
    np.savez_compressed(tmp_path / "x.npz", a=np.arange(6).reshape(2, 3), b=np.array("é"))
    found = read_arrays(tmp_path / "x.npz")
    assert {name: array.tolist() for name, array in found.items()} == {"a": [[0, 1, 2], [3, 4, 5]], "b": "é"}
    with pytest.raises(ResultsError, match=r"gone\.npz is damaged"):
        read_arrays(tmp_path / "gone.npz")
    (tmp_path / "x.npz").write_bytes(b"raw")
    with pytest.raises(ResultsError, match=r"x\.npz is damaged"):
        read_arrays(tmp_path / "x.npz")


def test_pickled_arrays_are_refused(tmp_path: Path) -> None:
    np.savez(tmp_path / "x.npz", a=np.array([{}], dtype=object))
    with pytest.raises(ResultsError, match=r"x\.npz is damaged .*allow_pickle"):
        read_arrays(tmp_path / "x.npz")


def test_a_table_of_our_own_that_is_damaged_is_one_kind_of_error(tmp_path: Path) -> None:
    path = tmp_path / "x.parquet"
    write_table(pa.table({"x": [1]}), path)
    assert read_table(path)["x"].to_pylist() == [1]
    with pytest.raises(ResultsError, match="no column y"):
        read_table(path, columns=["y"])
    path.write_bytes(path.read_bytes()[:30])
    with pytest.raises(ResultsError, match=r"is damaged .*; run `dvc repro`"):
        read_table(path)
