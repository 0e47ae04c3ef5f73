"""Every reader of files that somebody else may have written: a valid file, how it is read, how often it is tried.

`test_fuzz.py` changes its bytes, `test_fuzz_structure.py` its values.
"""

from __future__ import annotations

import json
import resource
import shutil
import signal
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
import pytest

from claimtrack.errors import ClaimtrackError
from claimtrack.importer import read_report
from claimtrack.reading import Malformed
from claimtrack.registry import load_registry
from crosslayer.config import DataSpec, load_profile
from crosslayer.data import hub
from crosslayer.data.xtreme import read_pairs
from crosslayer.ingest.aggregates import read_aggregates
from crosslayer.ingest.formats import Gold, read_predictions
from crosslayer.ingest.manifest import read_manifest
from crosslayer.tasks import TASKS, TaskName
from data_files import FILES, read_data, spec, write
from repository import ROOT

EXAMPLE = ROOT / "examples" / "good-probabilities"
SECOND = ROOT / "tests" / "claimtrack" / "second_plugin"
SECONDS, MEBIBYTES = 5, 512
"""For one file of a few kB: time, and address space beyond what the process has before."""
MOST_SIGNS = 2000
"""Of an error's one line."""
Folder = Callable[[Path], object]


@dataclass(frozen=True)
class Target:
    """One file of a reader.

    Attributes:
        file: its name below a folder.
        make: writes the valid file there, and whatever must lie beside it.
        read: reads the folder.
        changed: how many changed files the long test reads.
    """

    file: str
    make: Folder
    read: Folder
    changed: int = 3000


# Making


def texts(files: dict[str, str]) -> Folder:
    """Files by name."""
    return lambda folder: [write(folder / file, content) for file, content in files.items()]


def copied(*sources: Path) -> Folder:
    return lambda folder: [shutil.copyfile(source, folder / source.name) for source in sources]


def make_bert(folder: Path) -> None:
    from small_encoders import write_bert

    write_bert(folder)


def make_hub(folder: Path) -> None:
    from hub_contents import files_of, tatoeba

    for name, content in files_of({"tatoeba.deu": {"validation": [tatoeba("de", 9)]}}).items():
        write(folder / name, content)


def make_trainer(folder: Path) -> None:
    np.savez(folder / "p.npz", predictions=np.eye(3)[[0, 1, 2] * 2], label_ids=np.zeros(6, int))


# Reading


def predictions(task: TaskName, file: str) -> Folder:
    """Predictions of six pairs, or sentences of two words."""
    size = 1 if task == "xnli" else 2
    gold = Gold(np.zeros(6 * size, np.int8), (size,) * 6, {9: [0, 1, 2, 5, 6, 8]}, ("DATE",))
    return lambda folder: read_predictions(folder / file, TASKS[task], gold)


def read_hub(folder: Path) -> object:
    """As if the hub's cache held this folder."""
    pinned = DataSpec(source="hub", languages=["de"], revisions={"google/xtreme": "a" * 40})
    hub.card_features.cache_clear()
    with mock.patch.object(hub, "fetch", return_value=folder):
        return hub.read_parallel(pinned)


def read_bert(folder: Path) -> object:
    from crosslayer.encoders.hub import load_hub

    return load_hub(str(folder), None).tokenizer.encode_text("the cat sat.")


def data_targets() -> Iterator[tuple[str, Target]]:
    """The files of all formats, and of their labels where these lie apart."""
    for name, (task, content, labels, _) in FILES.items():
        make = texts({"data.tsv": content} | ({"labels.tsv": labels} if labels else {}))
        for file in ("data.tsv", "labels.tsv")[: 1 + bool(labels)]:
            yield f"{name}: {file}", Target(file, make, lambda folder, task=task: read_data(folder, task), 1500)  # type: ignore[misc]


HAUS, HOUSE = "Haus\n" * 9, "house\n" * 9
TATOEBA = {"tatoeba/tatoeba.deu-eng.deu": HAUS, "tatoeba/tatoeba.deu-eng.eng": HOUSE}
OF_XTREME = {
    "tatoeba/de-en.de": HAUS,
    "tatoeba/de-en.en": HOUSE,
    "labels/tatoeba/test-de.tsv": "".join(f"{n}\n" for n in range(9)),
}

ROWS = [f"{n}.txt,pos,{code},test,layer_{n},0,mBERT,all\n" for n in (1, 2) for code in ("en", "de")]
MANIFEST = "".join(["file,task,language,split,model,seed,encoder,training_items\n", *ROWS])
SCORED = "".join(json.dumps({"label": n % 3, "probabilities": [0.2, 0.5, 0.3]}) + "\n" for n in range(6))
CHOICES = [["-1.5", "False"], ["-2", "True"], [-9, False]]
SAMPLES = "".join(json.dumps({"doc_id": n, "target": "0", "filtered_resps": CHOICES}) + "\n" for n in range(6))
AGGREGATES = json.dumps({"results": {"xnli_de": {"acc,none": 0.4, "acc_stderr,none": 0.1}}, "epoch": 3})


def text(file: str, content: str, read: Folder) -> Target:
    return Target(file, texts({file: content}), read)


TARGETS: dict[str, Target] = {
    **dict(data_targets()),
    "Tatoeba of XTREME": Target("labels/tatoeba/test-de.tsv", texts(OF_XTREME), lambda f: read_pairs(spec(f))),
    "Tatoeba": Target("tatoeba/tatoeba.deu-eng.deu", texts(TATOEBA), lambda f: read_pairs(spec(f))),
    "predicted tags": text("p.txt", "O\nB-DATE\n\n" * 9, predictions("ner", "p.txt")),
    "predictions with scores": text("p.jsonl", SCORED, predictions("xnli", "p.jsonl")),
    "samples of the harness": text("p.jsonl", SAMPLES, predictions("xnli", "p.jsonl")),
    "predictions of a Trainer": Target("p.npz", make_trainer, predictions("xnli", "p.npz"), 1000),
    "manifest": text("trials.csv", MANIFEST, read_manifest),
    "scores as JSON": text("r.json", AGGREGATES, read_aggregates),
    "scores as CSV": text("r.csv", "model,de,fr\n" + "mBERT,66.5,67\nD_8,,68\n" * 3, read_aggregates),
    "report": Target("report.txt", copied(EXAMPLE / "report.txt"), lambda f: read_report(f / "report.txt")),
    "profile": Target("tiny.yaml", copied(ROOT / "profiles" / "tiny.yaml"),
                      lambda f: load_profile(f / "tiny.yaml"), 800),
    "registry": Target("registry.yaml", copied(SECOND / "registry.yaml", SECOND / "dice.py"),
                       lambda f: load_registry(f / "registry.yaml"), 400),
    "hub config": Target("config.json", make_bert, read_bert, 200),
    "hub tokeniser": Target("tokenizer.json", make_bert, read_bert, 200),
    "hub weights": Target("model.safetensors", make_bert, read_bert, 200),
    "hub card": Target("README.md", make_hub, read_hub, 300),
    "hub table": Target("tatoeba.deu/validation-00000-of-00001.parquet", make_hub, read_hub, 200),
}  # fmt: skip


# Trying


@contextmanager
def memory() -> Iterator[Path]:
    """A folder in memory where there is one: a disk takes longer than a reader."""
    shared = Path("/dev/shm")
    with tempfile.TemporaryDirectory(dir=shared if shared.is_dir() else None) as folder:
        yield Path(folder)


@contextmanager
def time_limit(seconds: float) -> Iterator[None]:
    """Of the processor's time, so that other work of the machine does not count."""

    def stop(*_: object) -> None:
        raise TimeoutError(f"took more than {seconds} s")

    before = signal.signal(signal.SIGPROF, stop)
    signal.setitimer(signal.ITIMER_PROF, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.signal(signal.SIGPROF, before)


@contextmanager
def within_bounds() -> Iterator[None]:
    with time_limit(SECONDS), address_space(MEBIBYTES):
        yield


def refused(read: Callable[..., Any], *given: Any) -> str:
    """The one line that a reader refuses something with, within time and memory."""
    with within_bounds(), pytest.raises((ClaimtrackError, Malformed)) as caught:
        read(*given)
    assert str(caught.value).isprintable()
    return str(caught.value)


@contextmanager
def address_space(mebibytes: int) -> Iterator[None]:
    """No more of it than this process has now and so much more; where the system counts it (Linux)."""
    counted = Path("/proc/self/statm")
    before = resource.getrlimit(resource.RLIMIT_AS)
    if counted.exists():
        now = int(counted.read_text(encoding="utf-8").split()[0]) * resource.getpagesize()
        resource.setrlimit(resource.RLIMIT_AS, (now + mebibytes * 2**20, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_AS, before)


def is_refused(target: Target, folder: Path) -> bool:
    """Read a folder; whether it was refused. Any error but ours, or one of several lines, is a failure."""
    try:
        target.read(folder)
    except ClaimtrackError as error:
        message = str(error)
        assert message.isprintable(), repr(message)
        assert len(message) <= MOST_SIGNS, message[:200]
        return True
    return False
