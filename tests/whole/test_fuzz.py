"""Damaged files of every kind: each reader takes them, or says in one line what is wrong, and never falls over.

A valid file (`fuzz_targets`) is changed at random places (bytes flipped, cut out, doubled; numbers, signs and
words swapped), and by libFuzzer, which is led by the lines that a change reaches. Only errors of the project may
come, each of them one line, within `SECONDS` and `MEBIBYTES`. Files that are well-formed but hold anything are in
`test_fuzz_structure.py`. Files of our own are hashed or have checksums instead.
"""

from __future__ import annotations

import itertools
import os
import random
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path

import pytest

from claimtrack.errors import ClaimtrackError
from claimtrack.registry import load_registry
from claimtrack.results import load_recorded
from crosslayer.errors import DataError
from crosslayer.ledger.ledger import verify
from fuzz_targets import ENTRY, MEBIBYTES, SECONDS, TARGETS, Target, address_space, is_refused, memory, time_limit
from repository import TESTS

WORDS = (
    b"\x00", b"\xff\xfe", b"\t", b"\n", b"\r", b"'", b'"', b"{", b"[", b"]", b":", b"- ", b"&a *a", b"|",
    b"!!python/name:os", b"null", b"true", b"NaN", b"-1", b"1e999", b"9" * 400, b"../..", b"<script>",
    b"\xe2\x80\xae", b"O", b"B-PER", b"\xff\xff\xff\x7f",
)  # fmt: skip


def damaged(valid: bytes, rng: random.Random) -> bytes:
    """One to four changes."""
    data = bytearray(valid)
    for _ in range(rng.randint(1, 4)):
        at, to = sorted((rng.randrange(len(data) + 1), rng.randrange(len(data) + 1)))
        to = min(to, at + rng.choice((1, 4, 40)))
        change = rng.randrange(6)
        if change == 0 and at < len(data):
            data[at] = rng.randrange(256)
        elif change == 1:
            del data[at:to]
        elif change == 2:
            data[at:at] = data[at:to] * rng.choice((1, 2, 50))
        elif change == 3:
            data[at:to] = rng.choice(WORDS)
        elif change == 4:
            data[at:at] = rng.choice(WORDS)
        elif rng.random() < 0.1:
            del data[at:]
    return bytes(data)


def read_damaged(name: str, count: int, seed: int, keep: Path) -> int:
    """Read so many damaged files; how many were refused. One that made a reader fall over stays in ``keep``."""
    target, rng, refused = TARGETS[name], random.Random(f"{name} {seed}"), 0
    with memory() as folder:
        target.make(folder)
        path = folder / target.file
        valid = path.read_bytes()
        assert not is_refused(target, folder)
        with address_space(MEBIBYTES):
            for number in range(count):
                path.write_bytes(damaged(valid, rng))
                try:
                    with time_limit(SECONDS):
                        refused += is_refused(target, folder)
                except Exception as error:
                    shutil.copyfile(path, keep / path.name)
                    where = f"{name} {number} ({keep / path.name})"
                    raise AssertionError(f"{where}: {type(error).__name__}: {error}") from error
    return refused


@pytest.mark.parametrize("name", TARGETS)
def test_a_damaged_file_is_read_or_refused(name: str, tmp_path: Path) -> None:
    count = min(300, TARGETS[name].changed // 8)
    assert read_damaged(name, count, seed=0, keep=tmp_path) > count // 10


@pytest.mark.slow
@pytest.mark.parametrize("name", TARGETS)
def test_many_damaged_files_are_read_or_refused(name: str, tmp_path: Path) -> None:
    assert read_damaged(name, TARGETS[name].changed, seed=1, keep=tmp_path) > 0


@pytest.mark.slow
@pytest.mark.skipif(
    find_spec("atheris") is None, reason="atheris is not here; its wheel is for Python 3.11 on Linux"
)
@pytest.mark.parametrize("name", TARGETS)
def test_files_led_by_coverage_are_read_or_refused(name: str, tmp_path: Path) -> None:
    runs, driver = TARGETS[name].led, TESTS / "support" / "fuzz_coverage.py"
    with memory() as folder:
        command = [sys.executable, str(driver), name, str(runs)]
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, errors="replace", timeout=300)
        for found in folder.glob("*-*"):  # crash-HASH, timeout-HASH, oom-HASH
            shutil.copy(found, tmp_path)
    told = [line for line in done.stderr.splitlines() if not line.startswith("#")]
    assert done.returncode == 0, f"{tmp_path}: " + "\n".join(told[-40:])
    units = re.search(r"number_of_executed_units: (\d+)", done.stderr)
    assert units is not None
    assert int(units[1]) >= runs  # libFuzzer may end a few units late, never early


def raise_a_key_error(_: Path) -> None:
    raise KeyError("x")


def say_two_lines(_: Path) -> None:
    error = DataError("x")
    error.args = ("a\nb",)
    raise error


def take_a_gibibyte(_: Path) -> bytes:
    return bytes(2**30)


def count_to_the_end_of_days(_: Path) -> None:
    for _number in itertools.count():
        pass


@pytest.mark.parametrize(
    ("read", "noticed"),
    [(raise_a_key_error, KeyError), (say_two_lines, AssertionError), (take_a_gibibyte, MemoryError),
     (count_to_the_end_of_days, TimeoutError)],
)  # fmt: skip
def test_a_reader_that_falls_over_is_noticed(
    read: Callable[[Path], object], noticed: type[BaseException], tmp_path: Path
) -> None:
    if noticed is MemoryError and not os.path.exists("/proc/self/statm"):
        pytest.skip("this system does not count address space")
    with pytest.raises(noticed), time_limit(0.5), address_space(MEBIBYTES):
        is_refused(Target("x", lambda _: None, read, 0, 0), tmp_path)


def test_any_changed_byte_of_a_recorded_run_is_noticed(tmp_path: Path) -> None:
    """Its files are hashed; a reader never sees the change."""
    entry, rng = shutil.copytree(ENTRY, tmp_path / "entry"), random.Random(0)
    registry = load_registry()
    verify(entry)
    load_recorded(entry, registry)
    for path in sorted(path for path in entry.rglob("*") if path.is_file()):
        valid = path.read_bytes()
        changed = damaged(valid, rng)
        if changed == valid:
            continue
        path.write_bytes(changed)
        with pytest.raises(ClaimtrackError):
            verify(entry)
        path.write_bytes(valid)
    verify(entry)
