"""Files and folders that are there whole or as they were: written under another name, then renamed."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def fresh_folder(home: Path) -> Iterator[Path]:
    """An empty folder that takes the place of ``home`` at the end; after an error ``home`` is as it was."""
    fresh, former = home.with_name(f".{home.name}.new"), _aside(home)
    put_back(home)
    for left in (fresh, former):
        shutil.rmtree(left, ignore_errors=True)
    fresh.mkdir(parents=True)
    try:
        yield fresh
        if home.exists():
            os.replace(home, former)
        os.replace(fresh, home)
    finally:
        put_back(home)
        for left in (fresh, former):
            shutil.rmtree(left, ignore_errors=True)


def put_back(home: Path) -> None:
    """Put a folder back that an error or a kill left aside, between the two renames of `fresh_folder`."""
    if _aside(home).exists() and not home.exists():
        os.replace(_aside(home), home)


def _aside(home: Path) -> Path:
    """Where a former folder waits while the new one takes its place."""
    return home.with_name(f".{home.name}.former")


def write_text(path: Path, text: str) -> None:
    """Write a file in UTF-8; after an error a former one is as it was."""
    fresh = path.with_name(f".{path.name}.new")
    try:
        fresh.write_text(text, encoding="utf-8")
        os.replace(fresh, path)
    finally:
        fresh.unlink(missing_ok=True)
