"""Trials that no manifest names: left by former settings, kept until somebody removes them."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from pathlib import Path

from crosslayer.predictions.records import read_manifest

KEY = re.compile(r"[0-9a-f]{16}")


def leftovers(results: Path, planned: Collection[str]) -> Iterator[Path]:
    """The trials of a profile that do not count; a sweep without manifest is unfinished and left alone.

    Args:
        results: the folder of its results.
        planned: keys that it plans, which the manifest of an unfinished sweep does not have yet.
    """
    for manifest in sorted(results.glob("trials/*/*/manifest.json")):
        named = {*read_manifest(manifest), *planned}
        for path in sorted(manifest.parent.iterdir()):
            if KEY.fullmatch(path.name) and path.name not in named and path.is_dir() and not path.is_symlink():
                yield path
