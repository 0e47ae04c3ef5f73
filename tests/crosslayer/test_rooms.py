"""The order of the rooms: each imports what stands before it, for types too; no circle; what needs no torch."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Collection, Iterator
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

from repository import ROOT

SOURCE = ROOT / "src"
ROOMS = (
    "errors", "tasks", "config", "metrics", "data", "encoders", "windows", "models", "predictions", "training",
    "sweep", "stats", "probes", "ledger", "ingest", "paper", "stages", "cli",
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


def imports_all(package: str, *blocked: str) -> str:
    """Import every module of a package where some others cannot be imported; what went wrong."""
    program = BLOCKED.replace("PACKAGE", package).replace("BLOCK", repr(set(blocked)))
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    return done.stderr


def imported(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def room_of(path: Path) -> str:
    return path.relative_to(SOURCE / "crosslayer").with_suffix("").parts[0]


def test_claimtrack_needs_neither_torch_nor_this_paper() -> None:
    assert imports_all("claimtrack", "torch", "transformers", "crosslayer") == ""


def test_claimtrack_names_nothing_of_this_paper() -> None:
    found = {path.name: set(imported(path)) for path in (SOURCE / "claimtrack").rglob("*.py")}
    assert {name for name, names in found.items() if any(n.startswith("crosslayer") for n in names)} == set()


@pytest.mark.parametrize("room", WITHOUT_TORCH)
def test_nothing_after_the_border_needs_torch(room: str) -> None:
    assert imports_all(f"crosslayer.{room}", "torch", "transformers") == ""


def test_no_module_stands_outside_the_rooms() -> None:
    names = {room_of(path) for path in (SOURCE / "crosslayer").rglob("*.py")}
    assert names <= {*ROOMS, "__init__", "__main__"}


def test_rooms_import_only_what_stands_before_them() -> None:
    wrong = set()
    for path in (SOURCE / "crosslayer").rglob("*.py"):
        room = room_of(path)
        if room not in ROOMS:
            continue
        later = {f"crosslayer.{name}" for name in ROOMS[ROOMS.index(room) + 1 :]}
        wrong |= {
            (path.relative_to(SOURCE).as_posix(), name)
            for name in imported(path)
            if ".".join(name.split(".")[:2]) in later
        }
    assert sorted(wrong) == []


@pytest.mark.parametrize("package", ["claimtrack", "crosslayer"])
def test_no_module_leads_back_to_itself(package: str) -> None:
    modules = {module_of(path): path for path in (SOURCE / package).rglob("*.py")}
    imports = {name: set(targets(path, modules.keys())) for name, path in modules.items()}
    TopologicalSorter(imports).prepare()  # raises a CycleError that names the modules


def module_of(path: Path) -> str:
    return ".".join(path.relative_to(SOURCE).with_suffix("").parts).removesuffix(".__init__")


def targets(path: Path, modules: Collection[str]) -> Iterator[str]:
    """The modules that a file imports; of a package only where the package itself has the name."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom):
            inner = (f"{node.module}.{alias.name}" for alias in node.names)
            yield from (name if name in modules else str(node.module) for name in inner)
        elif isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
