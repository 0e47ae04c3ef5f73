"""Notebooks: parameters are checked before anything runs, and a failed run leaves everything as it was."""

from __future__ import annotations

import json
import re
import socket
from pathlib import Path

import jupytext
import pytest

from claimtrack import notebook
from claimtrack.errors import ClaimError
from claimtrack.evidence import read_evidence
from claimtrack.registry import load_registry
from notebook_head import HEAD
from one_line import said
from repository import ROOT
from synthetic_run import make_profile, make_sweep, write_results

SOURCES = sorted((ROOT / "notebooks").glob("*.py"))
STANDARD = dict.fromkeys(("claim", "results", "profile", "output"), str)


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A results folder of two tasks, and its profile beside it."""
    folder = tmp_path_factory.mktemp("results")
    profile = make_profile(tasks=["xnli", "pos"], layers=[1, 2])
    write_results(make_sweep(profile, {("xnli", "layer_2"): 5.0}, n=40), folder / "made-up")
    (folder / "profile.yaml").write_text(json.dumps(profile.model_dump(mode="json")), encoding="utf-8")
    return folder


@pytest.fixture
def execute_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """Fail where anything is executed."""
    monkeypatch.setattr(notebook, "execute", lambda *_: pytest.fail("papermill was started"))


def parameters(results: Path, output: Path, claim: str = "C06") -> dict[str, str]:
    paths = {"results": results / "made-up", "profile": results / "profile.yaml", "output": output}
    return {"claim": claim, **{name: str(path) for name, path in paths.items()}}


def small(folder: Path, cell: str, declared: str = 'output: str = "x"') -> Path:
    """A notebook with one cell."""
    path = folder / "small.py"
    path.write_text(f"{HEAD}{declared}\n\n# %%\n{cell}\n", encoding="utf-8")
    return path


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({"clam": "C05"}, "has no parameter clam; it takes claim, results, profile, output"),
        ({"claim": 5}, "parameter claim is 5, no str"),
        ({"claim": True}, "parameter claim is True, no str"),
        ({"output": ...}, "parameter output is missing"),
    ],
)
def test_wrong_parameters_are_refused_before_papermill_starts(
    execute_nothing: None, tmp_path: Path, change: dict[str, object], complaint: str
) -> None:
    given = {name: value for name, value in (dict.fromkeys(STANDARD, "x") | change).items() if value is not ...}
    source = ROOT / "notebooks" / "gains.py"
    assert complaint in said(ClaimError, notebook.run_notebook, source, given, tmp_path / "C05")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (None, "small.py does not exist"),
        ("# %%\n1\n", "has 0 cells tagged `parameters`"),
        (f"{HEAD}x: int =\n", "the parameters are not Python"),
        (f"{HEAD}x: int = 1\nclaim = 'C05'\n", "has no parameter claim; it takes x; write NAME: str = VALUE"),
    ],
)
def test_a_source_that_does_not_declare_its_parameters_is_one_line(
    execute_nothing: None, tmp_path: Path, content: str | None, told: str
) -> None:
    path = tmp_path / "small.py"
    if content:
        path.write_text(content, encoding="utf-8")
    assert told in said(ClaimError, notebook.run_notebook, path, {"claim": "C05"}, tmp_path / "out")


def test_types_of_parameters(tmp_path: Path) -> None:
    source = small(tmp_path, "1", "a: str = 'x'\nb: int = -1\nc: float = 1.0\nd: bool = True")
    found = notebook.declared_parameters(
        source, jupytext.reads(source.read_text(encoding="utf-8"), fmt="py:percent")
    )
    assert found == {"a": str, "b": int, "c": float, "d": bool}


@pytest.mark.parametrize("source", SOURCES, ids=lambda path: path.stem)
def test_sources_take_the_standard_parameters_and_name_their_kernel(source: Path) -> None:
    found = jupytext.reads(source.read_text(encoding="utf-8"), fmt="py:percent")
    assert notebook.declared_parameters(source, found) == STANDARD
    kernel = found.metadata["kernelspec"]
    assert kernel == {"display_name": "Python 3", "language": "python", "name": "python3"}
    prose = [cell.source for cell in found.cells if cell.cell_type == "markdown"]
    assert prose[0].startswith("# ")
    assert "http" not in "".join(prose)


@pytest.mark.parametrize("source", SOURCES, ids=lambda path: path.stem)
def test_cells_run_one_after_the_other(
    source: Path, results: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The same cells in this process, which is quicker than a kernel for each; and without a network."""
    for name in ("connect", "connect_ex", "sendto"):
        monkeypatch.setattr(socket.socket, name, lambda *address: pytest.fail(f"reaches out to {address}"))
    monkeypatch.setattr(socket, "getaddrinfo", lambda *address: pytest.fail(f"asks for {address}"))
    entries = load_registry(ROOT / "claims" / "registry.yaml").entries.values()
    claim = next(entry.id for entry in entries if entry.notebook == source.stem)
    space: dict[str, object] = {"display": lambda *shown: None}
    for cell in jupytext.reads(source.read_text(encoding="utf-8"), fmt="py:percent").cells:
        if cell.cell_type == "code":
            exec(compile(cell.source, source.name, "exec"), space)
            if "parameters" in cell.metadata.get("tags", []):
                space |= parameters(results, tmp_path / claim, claim)
    assert read_evidence(tmp_path / claim / "evidence.json").claim == claim


def test_a_run_leaves_evidence_figures_and_a_page_without_outside_links(
    results: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    files = []
    for name in ("first", "second"):
        output = tmp_path / name / "C06"
        output.mkdir(parents=True)
        (output / "stale.svg").write_text("<svg/>", encoding="utf-8")
        notebook.run_notebook(ROOT / "notebooks" / "gains.py", parameters(results, output), output)
        assert {path.name for path in output.iterdir()} == {
            "evidence.json", "estimands.svg", "notebook.html", "notebook.ipynb",
        }  # fmt: skip
        assert [path.name for path in output.parent.iterdir()] == ["C06"]
        files.append([(output / kept).read_bytes() for kept in ("evidence.json", "estimands.svg")])
    assert files[0] == files[1]
    page = (output / "notebook.html").read_text(encoding="utf-8")
    assert re.findall(r"""(?:src|href|url)\s*[=(]\s*["']?(?:https?:)?//[^"'>)]*""", page) == []
    assert "<script" not in page
    assert "@import" not in page
    assert "<h1" in page
    assert re.search(r'<img alt="Three gains for each task[^"]*" src="data:image/svg', page)
    assert "cross fitted gain" in page
    executed = (output / "notebook.ipynb").read_text(encoding="utf-8")
    assert ".C06.new" not in executed
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize(
    ("cell", "told"),
    [
        ("1", " left no evidence; end it with `project.keep(evidence, output)`"),
        (
            'import pathlib\npathlib.Path(output, "evidence.json").write_text("new")\n\n'
            '# %%\nraise ValueError("first\\nlast")',
            ", cell 4: ValueError: last",
        ),
    ],
)
def test_a_failing_cell_leaves_the_former_evidence(tmp_path: Path, cell: str, told: str) -> None:
    output = tmp_path / "C06"
    output.mkdir()
    (output / "evidence.json").write_text("former", encoding="utf-8")
    source = small(tmp_path, cell)
    assert said(ClaimError, notebook.run_notebook, source, {"output": str(output)}, output) == f"{source}{told}"
    assert (output / "evidence.json").read_text(encoding="utf-8") == "former"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["C06", "small.py"]


def test_a_failure_names_file_and_line_of_the_projects_code(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "mine.py").write_text("def ratio():\n    return 1 / 0\n", encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    source = small(tmp_path, "import mine\nmine.ratio()")
    with pytest.raises(ClaimError, match=r"ZeroDivisionError: division by zero \(mine\.py:2\)$"):
        notebook.run_notebook(source, {"output": str(tmp_path / "out")}, tmp_path / "out")


@pytest.mark.parametrize(
    ("cell", "seconds", "told"),
    [
        (
            'from claimtrack.samples import mean_of\nmean_of("x", [1.0], "points", data="digits")',
            60,
            "cell 3: ValidationError: data: Extra inputs are not permitted",
        ),
        (
            'from claimtrack.evidence import Interval\nInterval(low=1, high=0, method="x")',
            60,
            "cell 3: ValidationError: Value error, interval low 1.0 lies above high 0.0",
        ),
        ("import time\ntime.sleep(60)", 1, "took more than 1 seconds; compute what is slow in a stage of its own"),
    ],
)
def test_what_a_plugin_does_wrong_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, cell: str, seconds: int, told: str
) -> None:
    monkeypatch.setattr(notebook, "SECONDS", seconds)
    source = small(tmp_path, cell)
    assert told in said(ClaimError, notebook.run_notebook, source, {"output": "x"}, tmp_path / "out")
