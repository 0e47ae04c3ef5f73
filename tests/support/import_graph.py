"""Which sources each DVC stage reads, from the import graph, against the dependencies in dvc.yaml.

python tests/support/import_graph.py    what is missing there
"""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator
from pathlib import Path

from claimtrack.settings import read_yaml
from repository import ROOT

SOURCE = ROOT / "src"
DYNAMIC = {"claim": "crosslayer.paper"}
"""Packages that a stage imports by name at run time."""


def missing(stage: str, deps: Iterable[str]) -> list[str]:
    """The modules that the stage's program imports, directly or not, and that lie in none of its dependencies."""
    starts = [f"crosslayer.stages.{stage}"]
    if stage in DYNAMIC:
        folder = SOURCE.joinpath(*DYNAMIC[stage].split("."))
        starts += [f"{DYNAMIC[stage]}.{path.stem}" for path in sorted(folder.glob("*.py"))]
    covered = {ROOT / dep for dep in deps}
    return sorted(
        str(path.relative_to(ROOT)) for path in closure(starts) if covered.isdisjoint({path, *path.parents})
    )


def closure(starts: Iterable[str]) -> set[Path]:
    """All modules of the packages reached from ``starts``, with the packages they lie in."""
    found: set[Path] = set()
    todo = list(starts)
    while todo:
        parts = todo.pop().split(".")
        for length in range(1, len(parts) + 1):
            path = module_file(parts[:length])
            if path is not None and path not in found:
                found.add(path)
                todo += imported(path)
    return found


def module_file(parts: list[str]) -> Path | None:
    """The file of a module of our packages."""
    if parts[0] not in {"claimtrack", "crosslayer"}:
        return None
    base = SOURCE.joinpath(*parts)
    candidates = (base.with_suffix(".py"), base / "__init__.py")
    return next((path for path in candidates if path.exists()), None)


def imported(path: Path) -> Iterator[str]:
    """Names that a file imports at run time, inside functions too; imports for types only are left out."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    typing_only = {
        id(inner)
        for node in ast.walk(tree)
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test)
        for inner in ast.walk(node)
    }
    for node in ast.walk(tree):
        if id(node) in typing_only:
            continue
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


if __name__ == "__main__":
    for name, stage in read_yaml(ROOT / "dvc.yaml")["stages"].items():
        print(f"{name}: {', '.join(missing(name, stage['deps'])) or 'complete'}")
