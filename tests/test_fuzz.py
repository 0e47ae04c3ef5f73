"""Damaged files of every kind: each reader takes them, or says in one line what is wrong, and never falls over.

A valid file is changed at random places (bytes flipped, cut out, doubled; numbers, signs and words swapped) and
read. Only errors of the project may come, each of them one line, within `SECONDS`. The encoder's weights are not
among the files: they are read only if their SHA-256 is right.
"""

from __future__ import annotations

import json
import random
import shutil
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from crosslayer.claims.evidence import Evidence, Interval, Part, read_evidence, write_evidence
from crosslayer.claims.importer import read_report
from crosslayer.claims.ledger import verify
from crosslayer.claims.registry import load_registry
from crosslayer.claims.results import load_recorded
from crosslayer.config import load_profile
from crosslayer.data.examples import Corpus, PairExample, TagExample
from crosslayer.data.prepared import read_corpus, write_corpus
from crosslayer.data.xtreme import read_examples
from crosslayer.errors import CrosslayerError
from crosslayer.predictions import read_manifest, read_predictions, read_record, write_predictions
from crosslayer.tasks import TASKS

ROOT = Path(__file__).parents[1]
EXAMPLE = ROOT / "examples" / "another-paper"
ENTRY = ROOT / "claims" / "ledger" / "xtreme-small-pilot"
SECONDS = 5.0
"""For one file of a few kB."""
WORDS = (
    b"\x00", b"\xff\xfe", b"\t", b"\n", b"\r", b"'", b'"', b"{", b"[", b"]", b":", b"- ", b"&a *a", b"|",
    b"!!python/name:os", b"null", b"true", b"NaN", b"-1", b"1e999", b"9" * 400, b"../..", b"<script>",
    b"\xe2\x80\xae", b"O", b"B-PER",
)  # fmt: skip
Reader = Callable[[Path], object]


def corpus(kind: str) -> Corpus:
    if kind == "tags":
        return {("train", "en"): [TagExample(str(i), ("a", "b"), ("O", "B-PER")) for i in range(9)]}
    return {("train", "en"): [PairExample(str(i), "a b", "c", "neutral") for i in range(9)]}


def write_text(path: Path, text: str) -> None:
    path.write_text(text, encoding="utf-8")


def write_frame(path: Path) -> None:
    n = 20
    scores = np.log(np.random.default_rng(0).dirichlet(np.ones(3), n)).astype(np.float32)
    scores -= scores.max(axis=1, keepdims=True)
    frame = pd.DataFrame(
        {
            "split": ["test"] * n, "language": ["en"] * n, "item": [str(i) for i in range(n)],
            "position": np.zeros(n, np.int16), "gold": np.zeros(n, np.int16),
            "predicted": scores.argmax(axis=1).astype(np.int16),
            **{f"score_{k}": scores[:, k] for k in range(3)},
        }
    )  # fmt: skip
    write_predictions(frame, path, 3)


def write_some_evidence(path: Path) -> None:
    bounds = Interval(low=-1.0, high=2.0, method="made up")
    part = Part(measure="dev_selected_gain", task="ner", estimate=0.5, interval=bounds, unit="points", n_seeds=3)
    evidence = Evidence(claim="C05", profile="p", metric="m_v1", status="measured", headline=0, parts=(part,))
    write_evidence(evidence, path.parent)


def write_record(path: Path) -> None:
    write_text(path, json.dumps(json.loads((ENTRY / "trials.json").read_text(encoding="utf-8"))[0]))


def copied(source: Path) -> Callable[[Path], object]:
    return lambda path: shutil.copyfile(source, path)


FILES: dict[str, tuple[str, Callable[[Path], object], Reader, int]] = {
    "XNLI": (
        "test-en.tsv",
        lambda path: write_text(path, "premise\thypothesis\tlabel\n" + "a b\tc\tneutral\n" * 20),
        lambda path: read_examples(path, TASKS["xnli"]),
        22_000,
    ),
    "PAWS-X": (
        "test-en.tsv",
        lambda path: write_text(path, "id\tsentence1\tsentence2\tlabel\n"
                                + "".join(f"{i}\ta\tb\t{i % 2}\n" for i in range(20))),
        lambda path: read_examples(path, TASKS["pawsx"]),
        22_000,
    ),
    "NER": (
        "test-en.tsv",
        lambda path: write_text(path, "a\tO\nb\tB-PER\n\n" * 20),
        lambda path: read_examples(path, TASKS["ner"]),
        22_000,
    ),
    "report": ("report.txt", copied(EXAMPLE / "report.txt"), read_report, 20_000),
    "trial": ("trial.json", write_record, read_record, 6_000),
    "evidence": ("evidence.json", write_some_evidence, read_evidence, 6_000),
    "manifest": (
        "manifest.json", lambda path: write_text(path, json.dumps({"keys": ["0" * 16] * 5})), read_manifest, 6_000
    ),
    "predictions": ("predictions.parquet", write_frame, read_predictions, 2_000),
    "pairs": ("xnli.parquet", lambda path: write_corpus(corpus("pairs"), path), read_corpus, 1_500),
    "tags": ("ner.parquet", lambda path: write_corpus(corpus("tags"), path), read_corpus, 1_500),
    "profile": ("params.yaml", copied(ROOT / "profiles" / "tiny.yaml"), load_profile, 800),
    "registry": ("registry.yaml", copied(EXAMPLE / "registry.yaml"), load_registry, 400),
}  # fmt: skip
"""Name, a valid file, its reader, and how many damaged ones the long test reads: 110,200 in all."""


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


@contextmanager
def time_limit(seconds: float) -> Iterator[None]:
    def stop(*_: object) -> None:
        raise TimeoutError(f"took more than {seconds} s")

    before = signal.signal(signal.SIGALRM, stop)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def read_damaged(name: str, folder: Path, count: int, seed: int) -> int:
    """Read so many damaged files; how many of them were refused."""
    file, write, read, _ = FILES[name]
    path = folder / file
    write(path)
    valid, rng, refused = path.read_bytes(), random.Random(f"{name} {seed}"), 0
    read(path)
    for number in range(count):
        path.write_bytes(damaged(valid, rng))
        try:
            with time_limit(SECONDS):
                read(path)
        except CrosslayerError as error:
            refused += 1
            message = str(error)
            assert "\n" not in message, f"{name} {number}: {message!r}"
            assert len(message) < 2000, f"{name} {number}: {message[:200]!r}..."
        except Exception as error:
            keep = folder / f"damaged-{number}-{file}"
            keep.write_bytes(path.read_bytes())
            raise AssertionError(f"{name} {number} ({keep}): {type(error).__name__}: {error}") from error
    return refused


@pytest.mark.parametrize("name", FILES)
def test_a_damaged_file_is_read_or_refused(name: str, tmp_path: Path) -> None:
    count = min(300, FILES[name][3] // 8)
    assert read_damaged(name, tmp_path, count, seed=0) > count // 10


@pytest.mark.slow
@pytest.mark.parametrize("name", FILES)
def test_many_damaged_files_are_read_or_refused(name: str, tmp_path: Path) -> None:
    assert read_damaged(name, tmp_path, FILES[name][3], seed=1) > 0


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
        with pytest.raises(CrosslayerError):
            verify(entry)
        path.write_bytes(valid)
    verify(entry)
