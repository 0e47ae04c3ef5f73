"""What the README and the pages tell a reader to type and to open: commands, paths, links; and pages made anew."""

from __future__ import annotations

import re
import shlex
import shutil
from pathlib import Path
from typing import Any

import pytest
import typer

from benchmarks.__main__ import BENCHMARKS
from claimtrack import cli as claims_cli
from claimtrack.settings import read_yaml
from crosslayer import cli
from docs import generate
from one_line import Command
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
FENCE = re.compile(r"^ *```sh\n(.*?)^ *```", re.MULTILINE | re.DOTALL)
PATH = re.compile(r"`([\w.][\w./*-]*)`")
FILE = re.compile(r"/|\.(?:py|ya?ml|md|txt|j2)$")


def commands(text: str) -> list[list[str]]:
    """The words of every command in the ``sh`` blocks of a page."""
    parts = [part for block in FENCE.findall(text) for part in re.split(r"&&|\n", block)]
    return [words for part in parts if (words := shlex.split(part, comments=True))]


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


@pytest.mark.parametrize("words", cases(*PROGRAMS))
def test_commands_exist_with_their_options(words: tuple[str, ...]) -> None:
    command: Any = typer.main.get_command(PROGRAMS[words[0]])
    name, *rest = (PLACEHOLDERS.get(word, word) for word in words)
    while hasattr(command, "commands"):
        name, *rest = rest
        command = command.commands[name]
    command.make_context(name, rest)


@pytest.mark.parametrize("words", [case for case in cases("crosslayer") if case.values[0][1] in READ_ONLY])
def test_cheap_commands_run(
    words: tuple[str, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, crosslayer: Command
) -> None:
    """As they stand, in a folder with all profiles; where a comment promises an error, that error."""
    shutil.copytree(ROOT / "profiles", tmp_path / "profiles")
    shutil.copy(ROOT / "params.yaml", tmp_path)
    monkeypatch.chdir(tmp_path)
    promised = re.search(rf"^{re.escape(' '.join(words))} +# (error: .*)$", TEXT, re.MULTILINE)
    code, out, err = crosslayer(*(PLACEHOLDERS.get(word, word) for word in words[1:]))
    assert (code, err.strip()) == ((2, promised[1]) if promised else (0, ""))
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


@pytest.mark.parametrize("path", LINKED, ids=lambda path: str(path.relative_to(ROOT)))
def test_links_lead_somewhere(path: Path) -> None:
    for link in re.findall(r"\]\((?!https?://)([^)\s]+)\)", path.read_text(encoding="utf-8")):
        name, _, anchor = link.partition("#")
        target = path.parent / name if name else path
        assert target.exists(), link
        assert not anchor or anchor in anchors(target), link


@pytest.mark.parametrize("path", [*PAGES, ROOT / "CONTRIBUTING.md"], ids=lambda path: str(path.relative_to(ROOT)))
def test_paths_in_tables_exist(path: Path) -> None:
    """Below the repository or a package, or beside the page; what stages make aside."""
    made = ("results/", "paper/build/", "trials/", "predictions.parquet", "run.py")
    bases = (ROOT, path.parent, ROOT / "src" / "claimtrack", ROOT / "src" / "crosslayer")
    rows = re.findall(r"^\|.*", path.read_text(encoding="utf-8"), re.MULTILINE)
    for name in (name for row in rows for name in PATH.findall(row)):
        if path.name != "schemas.md" and FILE.search(name) and not name.startswith(made):
            assert any((base / name).exists() for base in bases), name


# Pages made from the code


def test_pages_are_as_the_code_makes_them() -> None:
    """`python docs/generate.py` writes them."""
    pages = generate.pages()
    wanted = {"scale.md", "speed.md", "verdicts.md", "cli.md", "measure.md", "schemas.md", "answer.svg"}
    assert {path.name for path in pages} == wanted
    for path, text in pages.items():
        assert path.read_text(encoding="utf-8") == text, path


def test_stale_outputs_and_figures_are_made_anew() -> None:
    page = (
        "x\n\n```python\nn = 2\nprint(n)\n```\n\n```text\n1\n```\n\n```python\nprint(n + 1)\n```\n\n```text\n```\n"
    )
    made = generate.with_outputs(page)
    assert made == page.replace("text\n1\n", "text\n2\n").replace("text\n```", "text\n3\n```")
    made = generate.with_figures("<!-- benchmarks: paper -->\n| 1 |\n<!-- end -->\nrest")
    assert re.fullmatch(r"<!-- benchmarks: paper -->\n.*mBERT.*<!-- end -->\nrest", made, re.DOTALL)
    assert "| 1 |" not in made


def test_every_recorded_benchmark_is_quoted() -> None:
    quoted = re.findall(r"<!-- benchmarks: (\w+) -->", TEXT)
    recorded = [path.stem for path in (ROOT / "benchmarks" / "recorded").glob("*.json")]
    assert sorted(quoted) == sorted(recorded) == sorted(BENCHMARKS)


def test_the_files_of_recorded_runs_are_those_described() -> None:
    patterns = {name: re.sub(r"[A-Z]{2,}", "[^/]+", re.escape(name)) for name in generate.LEDGER}
    ledger = ROOT / "claims" / "ledger"
    kept = {path.relative_to(ledger).as_posix() for path in ledger.glob("*/**/*") if path.is_file()}
    fitting = {name: [key for key in patterns if re.fullmatch(f"[^/]+/{patterns[key]}", name)] for name in kept}
    assert [name for name in kept if not fitting[name]] == []
    calibration = {"scores-KEY.parquet", "log-odds-STAGE-TASK.parquet"}  # older entries keep neither
    assert {key for keys in fitting.values() for key in keys} >= patterns.keys() - calibration
