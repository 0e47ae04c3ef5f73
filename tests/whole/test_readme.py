"""What the README and the pages tell a reader to type and to open: commands, paths, links; and pages made anew."""

from __future__ import annotations

import json
import re
import shlex
import shutil
import sys
from collections.abc import Iterator
from itertools import groupby
from pathlib import Path
from typing import Any

import pytest
import typer

from benchmarks.__main__ import BENCHMARKS
from claimtrack import cli as claims_cli
from claimtrack.settings import read_yaml
from crosslayer import cli
from docs import generate
from repository import ROOT

PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md")), *sorted((ROOT / "examples").rglob("*.md"))]
TEXT = "\n".join(path.read_text(encoding="utf-8") for path in PAGES)
LINKED = [*PAGES, ROOT / "CONTRIBUTING.md", ROOT / "CHANGELOG.md", ROOT / "claims" / "ledger" / "README.md"]
READ_ONLY = ("profile", "doctor", "clean")
"""Commands that are really run, in a folder of their own: cheap, and they write nothing but params.yaml there."""
PLACEHOLDERS = {
    "URL": "https://example.org/x.git",
    "DIR": "dir",
    "NAME": "name",
    "TEXT": "text",
    "REPORT.txt": "r.txt",
}
PROGRAMS = {"claimtrack": claims_cli.app, "crosslayer": cli.app}
FENCE = re.compile(r"^```sh\n(.*?)^```", re.MULTILINE | re.DOTALL)
PATH = re.compile(r"`([\w.][\w./*-]*)`")


def commands(text: str) -> list[list[str]]:
    """The words of every command in the ``sh`` blocks of a page."""
    lines = [line for block in FENCE.findall(text) for line in block.splitlines()]
    words = [shlex.split(line, comments=True) for line in lines]
    return [
        list(part) for line in words for both, part in groupby(line, key=lambda word: word == "&&") if not both
    ]


def cases(*programs: str) -> list[Any]:
    """The commands of all pages that start one of these programs, each once."""
    found = dict.fromkeys(tuple(command) for command in commands(TEXT) if command[0] in programs)
    return [pytest.param(command, id=" ".join(command)) for command in found]


def test_no_program_is_left_out() -> None:
    known = {*PROGRAMS, *"make dvc pytest python git cd . xdg-open export ray srun pip".split()}
    assert {command[0] for command in commands(TEXT)} <= known


@pytest.mark.parametrize("command", cases("ray", "srun"))
def test_commands_of_ray_are_known_to_it(command: tuple[str, ...]) -> None:
    scripts = pytest.importorskip("ray.scripts.scripts", reason="the extra ray is not installed")
    name, *rest = command[command.index("ray") + 1 :]
    scripts.cli.commands[name].make_context(name, rest)


def parse(words: tuple[str, ...]) -> str:
    """The full name of the command, whose arguments and options are checked; an error where one is wrong."""
    command: Any = typer.main.get_command(PROGRAMS[words[0]])
    names, rest = [], [PLACEHOLDERS.get(word, word) for word in words[1:]]
    while hasattr(command, "commands"):
        command = command.commands[rest[0]]
        names.append(rest.pop(0))
    command.make_context(names[-1], rest)
    return " ".join(names)


@pytest.mark.parametrize("words", cases(*PROGRAMS))
def test_commands_exist_with_their_options(words: tuple[str, ...]) -> None:
    parse(words)


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with the active profile and all others."""
    shutil.copytree(ROOT / "profiles", tmp_path / "profiles")
    shutil.copy(ROOT / "params.yaml", tmp_path)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize(
    "words", [case for case in cases("crosslayer") if " ".join(case.values[0][1:]).startswith(READ_ONLY)]
)
def test_cheap_commands_run(
    words: tuple[str, ...], place: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """As they stand; where a comment promises an error, that error."""
    monkeypatch.setattr(sys, "argv", ["crosslayer", *(PLACEHOLDERS.get(word, word) for word in words[1:])])
    with pytest.raises(SystemExit) as ended:
        cli.main()
    promised = re.search(rf"^{re.escape(' '.join(words))} +# (error: .*)$", TEXT, re.MULTILINE)
    out, err = capsys.readouterr()
    assert (ended.value.code or 0, err.strip()) == ((2, promised[1]) if promised else (0, ""))
    assert out or promised


@pytest.mark.parametrize("words", cases("make"))
def test_make_targets_exist(words: tuple[str, ...]) -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    assert len(words) == 2
    assert re.search(rf"^{re.escape(words[1])}:", makefile, re.MULTILINE)


@pytest.mark.parametrize("words", cases("dvc"))
def test_dvc_commands_exist_with_their_options(words: tuple[str, ...]) -> None:
    from dvc.cli.parser import get_main_parser

    options = get_main_parser().parse_args([PLACEHOLDERS.get(word, word) for word in words[1:]])
    stages = read_yaml(ROOT / "dvc.yaml")["stages"]
    assert {target.partition("@")[0] for target in getattr(options, "targets", None) or ()} <= set(stages)


@pytest.mark.parametrize("words", cases("python", "pytest", "cd", ".", "xdg-open", "git"))
def test_files_that_are_run_or_opened_exist(words: tuple[str, ...]) -> None:
    """In the repository or in the example; the environment and the report are made."""
    made = (".venv/bin/activate", "paper/build/report.html")
    for word in words[1:]:
        if re.fullmatch(r"[\w./-]*[./][\w./-]*", word) and word not in made:
            assert (ROOT / word).exists() or (ROOT / "examples" / "good-probabilities" / word).exists()


# Links and paths


def anchors(path: Path) -> set[str]:
    """The anchors that GitHub gives to the headings of a page."""
    text = re.sub(r"^```.*?^```", "", path.read_text(encoding="utf-8"), flags=re.MULTILINE | re.DOTALL)
    heads = re.findall(r"^#+ (.+)$", text, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", head.lower()).replace(" ", "-") for head in heads}


def broken_links(path: Path) -> Iterator[str]:
    """The relative links of a page that lead nowhere."""
    for link in re.findall(r"\]\(([^)\s]+)\)", path.read_text(encoding="utf-8")):
        if re.match(r"https?://", link):
            continue
        name, _, anchor = link.partition("#")
        target = path.parent / name if name else path
        if not target.exists() or (anchor and anchor not in anchors(target)):
            yield link


@pytest.mark.parametrize("path", LINKED, ids=lambda path: str(path.relative_to(ROOT)))
def test_links_lead_somewhere(path: Path) -> None:
    assert list(broken_links(path)) == []


def named_paths(text: str) -> set[str]:
    """What is set as code in tables and looks like a path."""
    rows = [line for line in text.splitlines() if line.startswith("|")]
    names = {name for row in rows for name in PATH.findall(row)}
    return {name for name in names if "/" in name or re.search(r"\.(py|ya?ml|md|txt|j2)$", name)}


@pytest.mark.parametrize("path", PAGES, ids=lambda path: str(path.relative_to(ROOT)))
def test_paths_in_tables_exist(path: Path) -> None:
    """Below the repository or beside the page; what stages make aside."""
    outputs = ("results/", "paper/build/", "trials/", "predictions.parquet")
    for name in named_paths(path.read_text(encoding="utf-8")):
        if path.name != "schemas.md" and not name.startswith(outputs):
            assert (ROOT / name).exists() or (path.parent / name).exists(), name


def test_the_contributing_table_names_what_there_is() -> None:
    text = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    for name in named_paths(text) - {"run.py"}:
        bases = (ROOT, ROOT / "src" / "claimtrack", ROOT / "src" / "crosslayer")
        assert any((base / name).exists() for base in bases), name


# Pages made from the code


def test_pages_are_as_the_code_makes_them() -> None:
    """`python docs/generate.py` writes them."""
    pages = generate.pages()
    wanted = {"scale.md", "speed.md", "verdicts.md", "cli.md", "measure.md", "schemas.md", "answer.svg"}
    assert {path.name for path in pages} == wanted
    for path, text in pages.items():
        assert path.read_text(encoding="utf-8") == text, path


def test_a_stale_output_is_made_anew() -> None:
    page = (
        "x\n\n```python\nn = 2\nprint(n)\n```\n\n```text\n1\n```\n\n```python\nprint(n + 1)\n```\n\n```text\n```\n"
    )
    made = generate.with_outputs(page)
    assert made == page.replace("text\n1\n", "text\n2\n").replace("text\n```", "text\n3\n```")


def test_every_recorded_benchmark_is_quoted() -> None:
    quoted = {
        match["name"]
        for path, text in generate.pages().items()
        for match in generate.FIGURES.finditer(text)
        if path.name in ("scale.md", "speed.md", "verdicts.md")
    }
    assert quoted == {path.stem for path in (ROOT / "benchmarks" / "recorded").glob("*.json")} == set(BENCHMARKS)


def test_a_stale_figure_is_made_anew() -> None:
    page = "<!-- benchmarks: paper -->\n| 1 |\n<!-- end -->\nrest"
    made = generate.with_figures(page)
    recorded = json.loads((ROOT / "benchmarks" / "recorded" / "paper.json").read_text(encoding="utf-8"))
    assert re.fullmatch(r"<!-- benchmarks: paper -->\n.*<!-- end -->\nrest", made, re.DOTALL)
    assert "| 1 |" not in made
    for sheet in recorded["sheets"]:
        for row in sheet["rows"]:
            assert " | ".join(row) in made
    assert generate.with_figures(made) == made


def test_every_field_is_in_the_reference() -> None:
    page = generate.schemas_page()
    for name, fields in {
        "TaskSpec": "epochs", "Entry": "rule", "PinnedClaim": "ranges", "Measurement": "estimate",
        "TrialRecord": "outcome",
    }.items():  # fmt: skip
        section = page.partition(f"### {name}\n")[2].partition("\n### ")[0]
        assert f"| `{fields}` |" in section
    assert "| `epochs` | whole number, at least 1 | required |" in page


def test_the_files_of_recorded_runs_are_those_described() -> None:
    patterns = {name: re.compile(re.sub(r"[A-Z]{2,}", "[^/]+", re.escape(name))) for name in generate.LEDGER}
    used = set()
    for entry in sorted(path for path in (ROOT / "claims" / "ledger").iterdir() if path.is_dir()):
        for path in sorted(path for path in entry.rglob("*") if path.is_file()):
            name = path.relative_to(entry).as_posix()
            fitting = {key for key, pattern in patterns.items() if pattern.fullmatch(name)}
            assert fitting, name
            used |= fitting
    calibration = {"scores-KEY.parquet", "confidences-STAGE-TASK.parquet"}
    assert used >= set(patterns) - calibration, "older entries keep neither"
