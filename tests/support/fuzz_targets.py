"""Every reader of files that somebody else may have written: a valid file, how it is read, how often it is tried.

`test_fuzz.py` changes its bytes, `test_fuzz_structure.py` its values. Imports stay in the functions, so that each
target loads only what it needs.
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
from claimtrack.reading import Malformed
from repository import ROOT

EXAMPLE = ROOT / "examples" / "good-probabilities"
SECOND = ROOT / "tests" / "claimtrack" / "second_plugin"
ENTRY = ROOT / "claims" / "ledger" / "xtreme-frozen"
SECONDS, MEBIBYTES = 5, 512
"""For one file of a few kB: time, and address space beyond what the process has before."""
MOST_SIGNS = 2000
"""Of an error's one line."""


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
    make: Callable[[Path], object]
    read: Callable[[Path], object]
    changed: int = 3000


# Making


def write(path: Path, content: str | bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content if isinstance(content, bytes) else content.encode())


def texts(files: dict[str, str]) -> Callable[[Path], object]:
    """Files by name."""
    return lambda folder: [write(folder / file, content) for file, content in files.items()]


def copied(*sources: Path) -> Callable[[Path], object]:
    return lambda folder: [shutil.copyfile(source, folder / source.name) for source in sources]


def make_bert(folder: Path) -> None:
    from small_encoders import write_bert

    write_bert(folder)


CARD = """\
---
configs:
- config_name: tatoeba.deu
  data_files:
  - split: validation
    path: tatoeba.deu/validation-*
dataset_info:
- config_name: tatoeba.deu
  features:
  - name: source_sentence
    dtype: string
  - name: target_sentence
    dtype: string
  splits:
  - name: validation
    num_bytes: 99
    num_examples: 9
---
"""


def make_hub(folder: Path) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    write(folder / "README.md", CARD)
    path = folder / "tatoeba.deu" / "validation-00000-of-00001.parquet"
    path.parent.mkdir()
    pq.write_table(pa.table({"source_sentence": ["Haus"] * 9, "target_sentence": ["house"] * 9}), path)


# Reading


def examples(task: str) -> Callable[[Path], object]:
    def read(folder: Path) -> object:
        from crosslayer.data.formats import File, read_file
        from crosslayer.tasks import TASKS

        return read_file(File(folder / "test-en.tsv", folder / "labels", TASKS[task], "en", ("DATE",)))  # type: ignore[index]

    return read


def predictions(task: str, file: str) -> Callable[[Path], object]:
    """Predictions of six pairs, or sentences of two words."""

    def read(folder: Path) -> object:
        from crosslayer.ingest.formats import Gold, read_predictions
        from crosslayer.tasks import TASKS

        size = 1 if task == "xnli" else 2
        gold = Gold(np.zeros(6 * size, np.int8), (size,) * 6, {9: [0, 1, 2, 5, 6, 8]}, outside=("DATE",))
        return read_predictions(folder / file, TASKS[task], gold)  # type: ignore[index]

    return read


def data_spec(source: str, root: Path) -> Any:
    from crosslayer.config import DataSpec

    pins = {"google/xtreme": "a" * 40}
    return DataSpec(source=source, root=str(root), languages=["de"], revisions=pins)  # type: ignore[arg-type]


def read_tatoeba(folder: Path) -> object:
    from crosslayer.data.xtreme import read_parallel

    return read_parallel(data_spec("xtreme", folder))


def read_hub(folder: Path) -> object:
    """As if the hub's cache held this folder."""
    from crosslayer.data import hub

    hub.card_features.cache_clear()
    with mock.patch.object(hub, "fetch", return_value=folder):
        return hub.read_parallel(data_spec("hub", folder))


def reader(module: str, name: str, file: str = "") -> Callable[[Path], object]:
    """A function of the project that takes the path of the file, or of the folder."""

    def read(folder: Path) -> object:
        from importlib import import_module

        return getattr(import_module(module), name)(folder / file)

    return read


def read_bert(folder: Path) -> object:
    from crosslayer.encoders.hub import load_hub

    return load_hub(str(folder), None).tokenizer.encode_text("the cat sat.")


def make_trainer(folder: Path) -> None:
    np.savez(folder / "p.npz", predictions=np.eye(3)[[0, 1, 2] * 2], label_ids=np.zeros(6, int))


DATA = {
    "XNLI": ("xnli", "premise\thypothesis\tlabel\n" + "a b\tc\tneutral\n" * 20),
    "PAWS-X": ("pawsx", "id\tsentence1\tsentence2\tlabel\n" + "".join(f"{i}\ta\tb\t{i % 2}\n" for i in range(20))),
    "NER": ("ner", "a\tO\nb\tB-PER\n\n" * 20),
    "POS": ("pos", "a\tNOUN\nb\tX\n\n" * 20),
    "XNLI 1.0": ("xnli", "language\tgold_label\tsentence1\tsentence2\tpairID\n"
                 + "".join(f"{code}\tneutral\ta\tb\t{i}\n" for i in range(9) for code in ("en", "de"))),
    "MultiNLI 1.0": ("xnli", "gold_label\tsentence1\tsentence2\n" + "neutral\ta\tb\n-\ta\tb\n" * 9),
    "XTREME's pairs": ("xnli", 'a\t"b ""c"""\tneutral\r\n' * 9),
    "WikiANN": ("ner", "en:a\tO\nen:b\tB-PER\n\n" * 9),
    "MasakhaNER": ("ner", "a O\nb B-DATE\n\n" * 9),
    "CoNLL-U": ("pos", "# text = a\n1-2\tab" + "\t_" * 8 + "\n1\ta\ta\tNOUN" + "\t_" * 6 + "\n\n"),
}  # fmt: skip
"""Task and content of a data file of each format."""
LABELS = {"pairs": ("pawsx", "0\n1\n" * 9, "a\tb\r\n" * 18), "words": ("ner", "O\n\n" * 9, "a\n\n" * 9)}
"""Task, labels and texts of data whose labels lie in a file of their own."""
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


def text(file: str, content: str, read: Callable[[Path], object], **size: int) -> Target:
    return Target(file, texts({file: content}), read, **size)


TARGETS: dict[str, Target] = {
    **{name: text("test-en.tsv", content, examples(task)) for name, (task, content) in DATA.items()},
    **{
        f"labels of {kind}": Target("labels", texts({"labels": labels, "test-en.tsv": words}), examples(task))
        for kind, (task, labels, words) in LABELS.items()
    },
    "Tatoeba of XTREME": Target("labels/tatoeba/test-de.tsv", texts(OF_XTREME), read_tatoeba),
    "Tatoeba": Target("tatoeba/tatoeba.deu-eng.deu", texts(TATOEBA), read_tatoeba),
    "predicted tags": text("p.txt", "O\nB-DATE\n\n" * 9, predictions("ner", "p.txt")),
    "predictions with scores": text("p.jsonl", SCORED, predictions("xnli", "p.jsonl")),
    "samples of the harness": text("p.jsonl", SAMPLES, predictions("xnli", "p.jsonl")),
    "predictions of a Trainer": Target("p.npz", make_trainer, predictions("xnli", "p.npz"), 1000),
    "manifest": text("trials.csv", MANIFEST, reader("crosslayer.ingest.manifest", "read_manifest")),
    "scores as JSON": text("r.json", AGGREGATES,
                           reader("crosslayer.ingest.aggregates", "read_aggregates", "r.json")),
    "scores as CSV": text("r.csv", "model,de,fr\n" + "mBERT,66.5,67\nD_8,,68\n" * 3,
                          reader("crosslayer.ingest.aggregates", "read_aggregates", "r.csv")),
    "report": Target("report.txt", copied(EXAMPLE / "report.txt"),
                     reader("claimtrack.importer", "read_report", "report.txt")),
    "profile": Target("tiny.yaml", copied(ROOT / "profiles" / "tiny.yaml"),
                      reader("crosslayer.config", "load_profile", "tiny.yaml"), 800),
    "registry": Target("registry.yaml", copied(SECOND / "registry.yaml", SECOND / "dice.py"),
                       reader("claimtrack.registry", "load_registry", "registry.yaml"), 400),
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
