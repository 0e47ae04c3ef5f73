"""Trials that no manifest names: left by former settings, kept until somebody removes them."""

from __future__ import annotations

import re
import shutil
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path

from crosslayer.predictions.records import read_manifest
from crosslayer.sweep.locking import exclusive

KEY = re.compile(r"[0-9a-f]{16}")


@dataclass(frozen=True)
class Leftover:
    """A trial's folder and the bytes in it."""

    folder: Path
    size: int


def leftovers(results: Path, planned: Collection[str] = ()) -> Iterator[Leftover]:
    """The trials of all profiles that do not count; a sweep without manifest is unfinished and left alone.

    Args:
        results: the folder of all profiles' results.
        planned: keys that the active profile plans, which the manifest of an unfinished sweep does not have yet.
    """
    for manifest in sorted(results.glob("*/trials/*/*/manifest.json")):
        named = {*read_manifest(manifest), *planned}
        for folder in sorted(manifest.parent.iterdir()):
            if (
                folder.is_dir()
                and not folder.is_symlink()
                and KEY.fullmatch(folder.name)
                and folder.name not in named
            ):
                yield Leftover(folder, sum(path.stat().st_size for path in folder.rglob("*") if path.is_file()))


def remove(found: list[Leftover]) -> None:
    """Remove them, one sweep at a time and never beside a running one.

    Raises:
        ResultsError: a sweep works there.
    """
    for home in dict.fromkeys(leftover.folder.parent for leftover in found):
        with exclusive(home):
            for leftover in found:
                if leftover.folder.parent == home:
                    shutil.rmtree(leftover.folder)
            (home / ".lock").unlink()
