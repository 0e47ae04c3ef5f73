"""The worked examples of the docs, followed literally: files are written, commands run, outputs compared with the
page."""

from __future__ import annotations

import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from clones import make_clone, run
from repository import ROOT

PAGE = ROOT / "docs" / "another-paper.md"
BLOCK = re.compile(r"^```(console|\w+ ([\w./]+))\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def steps(text: str) -> Iterator[tuple[str, str]]:
    """``("> FILE", content)`` and ``("COMMAND", output)``, in the order of the page."""
    for kind, name, body in BLOCK.findall(text):
        if kind != "console":
            yield f"> {name}", body
            continue
        for command in re.split(r"^\$ ", body, flags=re.MULTILINE)[1:]:
            line, _, output = command.partition("\n")
            yield line, output


@pytest.mark.slow
def test_the_tutorial_gives_what_it_says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", str(ROOT / "src"))
    here, done = tmp_path, []
    for line, expected in steps(PAGE.read_text(encoding="utf-8")):
        if line.startswith("> "):
            (here / line[2:]).write_text(expected, encoding="utf-8")
        elif line.startswith("cd "):
            here = here / line[3:]
        else:
            command = re.sub(r"^claimtrack", f"{sys.executable} -m claimtrack", line)
            ran = subprocess.run(command, shell=True, cwd=here, capture_output=True, text=True, check=False)
            assert ran.stdout == expected, f"{line}: {ran.stdout}{ran.stderr}"
            done.append(line)
    assert len(done) > 8


@pytest.mark.slow
def test_predictions_of_other_code_give_what_the_page_says(tmp_path: Path) -> None:
    clone = make_clone(tmp_path)
    shutil.copytree(ROOT / "docs", clone / "docs")
    page = (ROOT / "docs" / "ingest.md").read_text(encoding="utf-8")
    commands = re.findall(r"```sh\n(.*?)```", page, re.DOTALL)[0].splitlines()
    ended = [run(clone, *shlex.split(command)) for command in commands]
    assert [each.returncode for each in ended] == [0] * 6, [each.stderr for each in ended]
    *_, listed, shown, why = (each.stdout for each in ended)
    example = listed.partition("example: Made-up predictions\n")[2]
    verdicts = re.findall(r"^  ([CQ]\d\d) +(.+?)  +(.+?)  ", example, re.MULTILINE)
    said = re.search(r"under `example` that (C\d\d) is `(.+?)`.*The relevance is `(.+?)`", page.replace("\n", " "))
    assert said
    assert verdicts == [said.groups()]
    claims = ["C05", *re.findall(r"[CQ]\d\d", example.partition("Not run: ")[2])]
    assert sorted(claims) == [*(f"C{number:02}" for number in range(1, 18)), "Q01"]
    assert "example: partly reproduced." in shown
    assert "The data are the built-in fragment" in shown
    assert why.count("claims/ledger/example/predictions-sweep-pos.parquet") == 9, "three models, three seeds"


@pytest.mark.slow
def test_the_example_gives_its_pinned_verdicts_and_report(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Minutes: everything is trained anew, in a folder whose name has a blank."""

    left = shutil.ignore_patterns("results", "__pycache__", "build", "tmp", "cache", "dvc.lock")
    home = shutil.copytree(ROOT / "examples" / "good-probabilities", tmp_path / "a copy", ignore=left)
    monkeypatch.setenv("PYTHONPATH", str(ROOT / "src"))
    monkeypatch.setenv("PATH", f"{Path(sys.executable).parent}:/usr/bin:/bin")
    for command in ("make repro", "make test", f"{sys.executable} -m claimtrack check"):
        ran = subprocess.run(command, shell=True, cwd=home, capture_output=True, text=True, check=False)
        assert ran.returncode == 0, ran.stdout[-3000:] + ran.stderr[-3000:]
    page = (home / "paper" / "build" / "report.html").read_text(encoding="utf-8")
    assert "Boosted trees push probabilities away from 0 and 1" in page
    assert "partly reproduced" in page
