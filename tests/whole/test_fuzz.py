"""Damaged files of every kind: each reader takes them, or says in one line what is wrong, and never falls over.

A valid file (`fuzz_targets`) is changed at random places (bytes flipped, cut out, doubled; numbers, signs and
words swapped). Only errors of the project may come, each of them one line, within `SECONDS` and `MEBIBYTES`. Files
that are well-formed but hold anything are in `test_fuzz_structure.py`; our own are hashed or have checksums.
"""

from __future__ import annotations

import itertools
import random
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any
from unittest.mock import Mock

import pytest

from crosslayer.errors import DataError
from fuzz_targets import MEBIBYTES, SECONDS, TARGETS, Target, address_space, is_refused, memory, time_limit

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


@pytest.mark.parametrize("name", TARGETS)
@pytest.mark.parametrize("share", [0.1, pytest.param(1, marks=pytest.mark.slow)])
def test_a_damaged_file_is_read_or_refused(name: str, share: float, tmp_path: Path) -> None:
    """One that makes a reader fall over stays in the folder of the test."""
    target, rng, refused = TARGETS[name], random.Random(f"{name} {share}"), 0
    count = int(share * target.changed)
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
                    shutil.copyfile(path, tmp_path / path.name)
                    where = f"{name} {number} ({tmp_path / path.name})"
                    raise AssertionError(f"{where}: {type(error).__name__}: {error}") from error
    assert refused > count // 10


two_lines = DataError("")
two_lines.args = ("a\nb",)


@pytest.mark.parametrize(
    ("read", "noticed"),
    [(Mock(side_effect=KeyError("x")), KeyError), (Mock(side_effect=two_lines), AssertionError),
     (lambda _: bytes(2**30), MemoryError), (lambda _: sum(1 for _ in itertools.count()), TimeoutError)],
)  # fmt: skip
def test_a_reader_that_falls_over_is_noticed(read: Callable[[Path], Any], noticed: Any, tmp_path: Path) -> None:
    with pytest.raises(noticed), time_limit(0.5), address_space(MEBIBYTES):
        is_refused(Target("x", lambda _: None, read), tmp_path)
