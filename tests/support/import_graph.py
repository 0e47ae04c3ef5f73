"""Which rooms of the source each DVC stage reads, from the import graph; rewrites the lists in dvc.yaml.

python tests/support/import_graph.py
"""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

from repository import ROOT

SOURCE = ROOT / "src"
PIPELINE = ROOT / "dvc.yaml"
EXTRA = {
    "claim": ["notebooks"],
    "report": ["benchmarks/recorded/paper.json",
               *(f"paper/{name}" for name in ("deviations.yaml", "equations.tex.j2", "prose.yaml",
                                              "references.bib"))],
}  # fmt: skip
"""What a stage reads besides modules and the outputs of other stages."""
DYNAMIC = {"claim": "crosslayer.paper"}
"""Packages that a stage imports by name at run time."""


def source_files(stage: str) -> list[str]:
    """The rooms that the stage's program imports, directly or not, and what else it reads, below the repository.

    A room stands for its files: trials are keyed by their content, so a stage that runs once too often costs
    seconds, and DVC reads and writes the whole lock file after every stage.
    """
    starts = [f"crosslayer.stages.{stage}"]
    if stage in DYNAMIC:
        folder = SOURCE.joinpath(*DYNAMIC[stage].split("."))
        starts += [f"{DYNAMIC[stage]}.{path.stem}" for path in sorted(folder.glob("*.py"))]
    rooms = {room(path) for path in closure(starts)}
    return [*sorted(rooms), *EXTRA.get(stage, []), *(["requirements.lock"] if stage != "report" else [])]


def room(path: Path) -> str:
    """``src/claimtrack``, or the folder (or loose module) of ``src/crosslayer`` that a module lies in."""
    parts = path.relative_to(ROOT).parts
    return "/".join(parts[:2] if parts[1] == "claimtrack" else parts[:3])


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


def listed(stage: dict[str, Any]) -> list[str]:
    """The source files that a stage of dvc.yaml names."""
    return [dep for dep in stage.get("deps", []) if not is_output(dep)]


def is_output(dep: str) -> bool:
    """Whether a dependency is an output of another stage, or the claims' own data."""
    return dep.startswith(("results/", "claims/"))


def rewrite() -> None:
    """Put the present lists into dvc.yaml."""
    yaml = YAML()
    yaml.width = 200
    yaml.indent(mapping=2, sequence=4, offset=2)
    content = yaml.load(PIPELINE.read_text(encoding="utf-8"))
    for name, stage in content["stages"].items():
        stage["deps"] = [dep for dep in stage.get("deps", []) if is_output(dep)] + source_files(name)
    with PIPELINE.open("w", encoding="utf-8") as stream:
        yaml.dump(content, stream)


if __name__ == "__main__":
    rewrite()
