"""Executes a notebook source and leaves its evidence, or leaves everything as it was.

Sources are Python files in jupytext's percent format with one cell tagged ``parameters``: assignments with a type.
Papermill only warns of parameters it does not know, so they are checked before it starts.
"""

from __future__ import annotations

import ast
import logging
import re
import warnings
from collections.abc import Mapping
from importlib import import_module
from pathlib import Path
from string import Template
from threading import Thread
from typing import TYPE_CHECKING

from claimtrack.errors import ClaimError, own_place
from claimtrack.files import fresh_folder
from claimtrack.settings import read_text

if TYPE_CHECKING:
    from nbformat import NotebookNode

TYPES: dict[str, type] = {"str": str, "int": int, "float": float, "bool": bool}
DECLARE = "write NAME: str = VALUE"
SECONDS = 600
"""The longest that one cell may take."""
PAGE = Path(__file__).with_name("report") / "templates" / "notebook.html"


def run_notebook(source: Path, parameters: Mapping[str, str | int | float | bool], output: Path) -> None:
    """Execute a notebook and put what it leaves, ``notebook.ipynb`` and ``notebook.html`` into ``output``.

    The parameter ``output`` is pointed at a folder beside ``output``, which takes its place, whatever else lay
    there, when everything has succeeded. The kernel's working directory is the present one. Where the source, a
    parameter or a cell is wrong there is a `ClaimError`, and ``output`` is as it was.
    """
    import jupytext

    notebook = jupytext.reads(read_text(source), fmt="py:percent")
    check_parameters(source, declared_parameters(source, notebook), parameters)
    logging.getLogger("papermill").setLevel(logging.ERROR)
    with fresh_folder(output) as fresh, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        Thread(target=import_module, args=("nbconvert",)).start()  # takes a second, while the kernel works
        executed = execute(source, notebook, {**parameters, "output": str(fresh)})
        if not (fresh / "evidence.json").is_file():
            raise ClaimError(f"{source} left no evidence; end it with `project.keep(evidence, output)`")
        _write(executed, fresh, output, f"{parameters.get('claim', '')} {source.stem}".strip())


def declared_parameters(source: Path, notebook: NotebookNode) -> dict[str, type]:
    """Names and types of a notebook's parameters; a `ClaimError` unless exactly one cell declares them."""
    cells = [cell.source for cell in notebook.cells if "parameters" in cell.metadata.get("tags", [])]
    if len(cells) != 1:
        raise ClaimError(f"{source} has {len(cells)} cells tagged `parameters`; it needs one")
    try:
        statements = ast.parse(cells[0]).body
    except SyntaxError as error:
        raise ClaimError(f"{source}: the parameters are not Python ({error.msg}); {DECLARE}") from None
    declared = {}
    for statement in statements:
        match statement:
            case ast.AnnAssign(target=ast.Name(id=name), annotation=ast.Name(id=kind)) if kind in TYPES:
                declared[name] = TYPES[kind]
    return declared


def check_parameters(source: Path, declared: Mapping[str, type], given: Mapping[str, object]) -> None:
    """A `ClaimError` where a name is unknown or missing, or a value has another type."""
    known = ", ".join(declared)
    if unknown := [name for name in given if name not in declared]:
        raise ClaimError(f"{source} has no parameter {unknown[0]}; it takes {known}; {DECLARE}")
    for name, kind in declared.items():
        if name not in given:
            raise ClaimError(f"{source}: parameter {name} is missing; it takes {known}")
        if type(given[name]) is not kind:
            raise ClaimError(f"{source}: parameter {name} is {given[name]!r}, no {kind.__name__}")


def execute(source: Path, notebook: NotebookNode, parameters: Mapping[str, object]) -> NotebookNode:
    """Run all cells in a kernel of their own; a `ClaimError` where one failed, took too long, or it died."""
    import papermill
    from nbclient.exceptions import CellTimeoutError, DeadKernelError
    from papermill.exceptions import PapermillExecutionError

    try:
        executed: NotebookNode = papermill.execute_notebook(
            notebook, None, parameters=dict(parameters), progress_bar=False, cwd=Path.cwd(),
            execution_timeout=SECONDS, request_save_on_cell_execute=False, kernel_name="python3",
            language="python", extra_arguments=["--log-level=CRITICAL"],
        )  # fmt: skip
    except PapermillExecutionError as error:
        lines = [line.strip() for line in error.evalue.strip().splitlines() if "errors.pydantic.dev" not in line]
        said = ": ".join(lines[1:3] if error.ename == "ValidationError" and lines[1:] else lines[-1:])
        plain = re.sub(r"\x1b\[[0-9;]*m", "", "\n".join(error.traceback))
        frames = [(name, int(line)) for name, line in re.findall(r"^File (.+?):(\d+)", plain, re.M)]
        place = own_place(frames, Path.cwd())
        where = f" ({place})" if place else ""
        raise ClaimError(f"{source}, cell {error.exec_count}: {error.ename}: {said}{where}") from None
    except CellTimeoutError:
        told = f"a cell took more than {SECONDS} seconds; compute what is slow in a stage of its own (dvc.yaml)"
        raise ClaimError(f"{source}: {told}") from None
    except DeadKernelError as error:
        first = str(error).strip().splitlines()[0]
        raise ClaimError(f"{source}: {first}; run it again or give it more memory") from None
    return executed


def _write(notebook: NotebookNode, fresh: Path, output: Path, title: str) -> None:
    """The notebook, and a page of it without any link to another host: nbconvert's plain template has none.

    Times, durations and random cell ids are left out, so that equal runs leave equal bytes; the final folder
    stands for the one that the notebook was executed with.
    """
    import nbformat
    from nbconvert import HTMLExporter

    notebook.metadata.pop("papermill", None)
    for number, cell in enumerate(notebook.cells):
        cell["id"] = f"cell-{number}"
        for name in ("papermill", "execution"):
            cell.metadata.pop(name, None)
    text = nbformat.writes(notebook).replace(str(fresh), str(output))  # type: ignore[no-untyped-call]
    (fresh / "notebook.ipynb").write_text(text, encoding="utf-8")
    exporter = HTMLExporter(template_name="basic")  # type: ignore[no-untyped-call]
    body, _ = exporter.from_notebook_node(nbformat.reads(text, as_version=4))  # type: ignore[no-untyped-call]
    page = Template(PAGE.read_text(encoding="utf-8")).substitute(title=title, body=body)
    (fresh / "notebook.html").write_text(page, encoding="utf-8")
