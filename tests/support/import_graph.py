"""What our modules import of one another, and what dvc.yaml lacks of the sources that a stage reads.

python tests/support/import_graph.py    what is missing there
"""

from __future__ import annotations

import ast
from collections.abc import Iterable

from claimtrack.settings import read_yaml
from repository import ROOT

SOURCE = ROOT / "src"
MODULES = {
    ".".join(path.relative_to(SOURCE).with_suffix("").parts).removesuffix(".__init__"): path
    for path in sorted(SOURCE.rglob("*.py"))
}
"""By name, claimtrack's and crosslayer's."""
DYNAMIC = dict.fromkeys(
    ("crosslayer.stages.claim", "crosslayer.stages.verdicts", "claimtrack"), "crosslayer.paper"
)
"""Packages that a program imports by name at run time."""


class _AtRunTime(ast.NodeTransformer):
    def visit_If(self, node: ast.If) -> ast.AST | None:
        return None if "TYPE_CHECKING" in ast.unparse(node.test) else self.generic_visit(node)


def imports(module: str, *, for_types: bool) -> set[str]:
    """The modules of ours that one imports, inside functions too; those for types only are asked for."""
    tree = ast.parse(MODULES[module].read_text(encoding="utf-8"))
    found: set[str] = set()
    for node in ast.walk(tree if for_types else _AtRunTime().visit(tree)):
        if isinstance(node, ast.Import):
            found.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            inner = (f"{node.module}.{alias.name}" for alias in node.names)
            found.update(name if name in MODULES else str(node.module) for name in inner)
    return found & MODULES.keys()


def missing(command: str, deps: Iterable[str]) -> list[str]:
    """The modules that ``python -m PROGRAM`` imports, directly or not, and that lie in no dependency."""
    found: set[str] = set()
    program = command.split()[2]
    todo = {program, f"{program}.__main__"} & MODULES.keys()
    todo |= {name for name in MODULES if program in DYNAMIC and name.startswith(f"{DYNAMIC[program]}.")}
    while todo:
        module = todo.pop()
        found.add(module)
        package = module.rpartition(".")[0]
        todo |= ({package} if package else set()) | imports(module, for_types=False)
        todo -= found
    covered = {ROOT / dep for dep in deps}
    paths = [MODULES[module] for module in sorted(found)]
    return [str(path.relative_to(ROOT)) for path in paths if covered.isdisjoint({path, *path.parents})]


if __name__ == "__main__":
    for name, stage in read_yaml(ROOT / "dvc.yaml")["stages"].items():
        print(f"{name}: {', '.join(missing(stage['cmd'], stage['deps'])) or 'complete'}")
