"""The order of the rooms: each imports what stands before it, for types too; no circle; what needs no torch."""

from __future__ import annotations

import subprocess
import sys
from graphlib import TopologicalSorter

import pytest

from import_graph import MODULES, imports

ROOMS = (
    "claimtrack", "crosslayer", "errors", "tasks", "config", "metrics", "data", "encoders", "windows", "models",
    "predictions", "training", "sweep", "stats", "probes", "ledger", "ingest", "paper", "stages", "cli",
    "__main__",
)  # fmt: skip
WITHOUT_TORCH = ("predictions", "metrics", "stats", "ledger", "ingest", "paper")
BLOCKED = """
import importlib, pkgutil, sys

class Blocked:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in BLOCK:
            raise ImportError(f"{name} is blocked")

sys.meta_path.insert(0, Blocked())
import PACKAGE
for module in pkgutil.walk_packages(PACKAGE.__path__, "PACKAGE."):
    if not module.name.endswith("__main__"):
        importlib.import_module(module.name)
"""
"""Imports every module of a package where some others cannot be imported."""


@pytest.mark.parametrize("package", ["claimtrack", *(f"crosslayer.{room}" for room in WITHOUT_TORCH)])
def test_nothing_after_the_border_needs_torch(package: str) -> None:
    """And claimtrack needs nothing of this paper, metrics and statistics nothing that is slow to load."""
    slow = {"scipy.stats", "sklearn"}
    more = {"claimtrack": {"crosslayer"}, "crosslayer.metrics": slow, "crosslayer.stats": slow}
    blocked = {"torch", "transformers", *more.get(package, ())}
    program = BLOCKED.replace("PACKAGE", package).replace("BLOCK", repr(blocked))
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert done.stderr == ""


def test_rooms_import_only_what_stands_before_them() -> None:
    """Every module stands in one, claimtrack in the first."""
    rooms = {name: ROOMS.index(name.removeprefix("crosslayer.").partition(".")[0]) for name in MODULES}
    wrong = [
        f"{name} imports {other}"
        for name in MODULES
        for other in imports(name, for_types=True)
        if rooms[other] > rooms[name]
    ]
    assert sorted(wrong) == []


def test_no_module_leads_back_to_itself() -> None:
    imported = {name: imports(name, for_types=True) for name in MODULES}
    TopologicalSorter(imported).prepare()  # raises a CycleError that names the modules
