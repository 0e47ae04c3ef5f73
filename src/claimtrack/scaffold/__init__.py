"""A new project from a literature report: a complete small repository that runs at once, blanks marked TODO."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

from claimtrack.errors import ClaimError
from claimtrack.files import fresh_folder
from claimtrack.importer import Report, read_report, skeleton
from claimtrack.registry import REGISTRY
from claimtrack.settings import read_text

TEMPLATE = Path(__file__).with_name("template")
"""The files of a project; ``dot.`` at the start of a name stands for a dot."""
MARK = "TODO"
FILLED = {
    "kind": "measured  # TODO structural, if checks of what was built decide it",
    "title": "'TODO the claim in a few words'",
    "primary_source": "{supports: null, cell: none, note: 'TODO what the paper says; cell: where'}",
    "measured_as": "'TODO what is measured, on what, and what is repeated'",
    "reproduced_when": "'TODO what has to be seen'",
    "would_change": "'TODO what would refute it, or change the verdict'",
    "notebook": "claim",
    "metric": "todo_v1  # TODO name and version of the main number",
    "rule": "all_checks  # TODO claimed_each and claimed, if measurements decide it",
    "relevance": "[{when: any, value: indirect, reason: 'TODO how the run differs from what the paper did'}]",
}
"""What stands in a field that a report cannot fill: valid, and marked."""
ORDER = ("claims/registry.yaml", "src", "notebooks", "params.yaml", "profiles", "paper")
"""Where one would fill blanks, first things first."""


def init(name: str, report: Path, folder: Path) -> tuple[Path, Report]:
    """Make a project in a new folder below ``folder``; that folder, and what was read of the report.

    A `ClaimError` where the name is none (small letters, digits, ``-`` and ``_``) or taken, or the report cannot
    be read (`claimtrack.importer`).
    """
    if not re.fullmatch("[a-z][a-z0-9_-]{0,60}", name):
        raise ClaimError(f"{name!r:.60} is not a name; use small letters, digits, - and _, a letter first")
    home, module = folder / name, name.replace("-", "_")
    if home.exists() or home.is_symlink():
        raise ClaimError(f"{home} already exists; choose another name")
    if (spec := find_spec(module)) and spec.origin:
        raise ClaimError(f"{name!r:.60} is the name of a Python package already; choose another name")
    found = read_report(report)
    registry = registry_text(found, report.name, module)
    claims = ", ".join(re.findall(r"^  ([CQ]\d\d):$", registry, re.M))
    try:
        with fresh_folder(home) as new:
            for source in sorted(path for path in TEMPLATE.rglob("*") if path.is_file() and path.suffix != ".pyc"):
                parts = [re.sub(r"^dot\.", ".", part) for part in source.relative_to(TEMPLATE).parts]
                path = new / "/".join(parts).replace("new_project", module)
                path.parent.mkdir(parents=True, exist_ok=True)
                text = source.read_text(encoding="utf-8").replace("new_project", module)
                path.write_text(text.replace("CLAIMS", f"[{claims}]"), encoding="utf-8")
            (new / REGISTRY).write_text(registry, encoding="utf-8")
            shutil.copyfile(report, new / "report.txt")
            (new / ".ci" / "run").chmod(0o755)
    except OSError as error:
        raise ClaimError(f"{home} cannot be written: {error.strerror}; choose another place") from None
    return home, found


def registry_text(report: Report, name: str, module: str) -> str:
    """The skeleton of a registry with every blank filled by a marked example, so that it loads."""
    text = skeleton(report, name)
    for field, filled in FILLED.items():
        text = re.sub(rf"^    {field}:$", lambda _, f=field, v=filled: f"    {f}: {v}", text, flags=re.M)  # type: ignore[misc]
    text = re.sub(r"^  (note|date):$", r"  \1: 'TODO \1 of the report'", text, flags=re.M)
    return re.sub(r"^plugin:$", f"plugin: {module}.plugin:PLUGIN", text, count=1, flags=re.M)


def todo(folder: Path) -> Iterator[str]:
    """What is still blank in a project, ``file:line  what``, in the order in which one would fill it."""
    for place in ORDER:
        home = folder / place
        for path in sorted(home.rglob("*")) if home.is_dir() else [home]:
            if path.is_file() and path.suffix in (".yaml", ".py", ".bib") and "build" not in path.parts:
                yield from _marked(path, folder)


def _marked(path: Path, folder: Path) -> Iterator[str]:
    claim = ""
    for number, line in enumerate(read_text(path).split("\n"), 1):
        if found := re.fullmatch(r"  ([CQ]\d\d):\s*", line):
            claim = f"{found[1]} "
        if MARK in line and "source_text:" not in line:
            field, _, what = line.strip(" -#").partition(MARK)
            key = re.sub(r"[^\w ].*", ":", field)
            yield f"{path.relative_to(folder)}:{number}  {claim}{key} {what.strip(chr(39) + ' .,}]')}"
