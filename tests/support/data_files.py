"""Directories of data files as a user has them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from crosslayer.config import DataSpec
from crosslayer.data import xtreme
from crosslayer.data.examples import Corpus, corpus_of
from crosslayer.tasks import TaskName


def write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(text.encode())


def spec(root: Path, **changes: Any) -> DataSpec:
    return DataSpec(source="xtreme", root=str(root)).model_copy(update=changes)


def read_corpus(name: TaskName, data: DataSpec) -> Corpus:
    return corpus_of(xtreme.read_all(name, data))
