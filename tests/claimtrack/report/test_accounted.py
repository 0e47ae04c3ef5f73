"""Every number in the prose of report and README comes from evidence or a named file."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from accounted import Account, load_accounts, unaccounted
from claimtrack.reading import parse_yaml
from claimtrack.registry import load_registry
from claimtrack.report.bibliography import load_references
from claimtrack.results import load_recorded
from crosslayer.paper.sections import PaperSections
from repository import ROOT

PAPER = ROOT / "paper"


def strings(value: Any) -> Iterator[str]:
    """The texts of nested lists and mappings."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict | list):
        for inner in value.values() if isinstance(value, dict) else value:
            yield from strings(inner)


def texts() -> dict[str, str]:
    """What people typed: README, prose, deviations, and the report's own sections."""
    registry = load_registry(ROOT / "claims" / "registry.yaml")
    folders = sorted(path.parent for path in (ROOT / "claims" / "ledger").glob("*/profile.yaml"))
    sections = PaperSections().sections([load_recorded(folder, registry) for folder in folders])
    found = {section.title: "\n".join(section.text) for section in sections}
    found["README.md"] = (ROOT / "README.md").read_text(encoding="utf-8")
    for name in ("prose.yaml", "deviations.yaml"):
        found[name] = "\n".join(strings(parse_yaml((PAPER / name).read_text(encoding="utf-8"))))
    return found


def check(of: dict[str, str], accounts: tuple[Account, ...] | None = None) -> list[str]:
    keys = [reference.key for reference in load_references(PAPER / "references.bib")]
    return unaccounted(of, accounts or load_accounts(PAPER / "numbers.yaml"), ROOT, keys)


def test_every_number_in_prose_is_accounted_for() -> None:
    assert check(texts()) == []


@pytest.mark.parametrize("name", ["README.md", "deviations.yaml"])
def test_a_spoilt_number_is_found(name: str) -> None:
    """The same check is red as soon as one number of a text is another one."""
    spoilt = texts()
    before, after = {"README.md": ("1 to 3 points", "1 to 4 points"), "deviations.yaml": ("768", "769")}[name]
    spoilt[name] = spoilt[name].replace(before, after)
    (line, *_) = check(spoilt)
    assert line.startswith(f"{name}: nothing accounts for ")


def test_an_account_must_hold(tmp_path: Path) -> None:
    """To as many decimals as are said; per cent of a share."""
    (tmp_path / "sizes.txt").write_text("n = 1234, share 0.1234", encoding="utf-8")
    right = [Account(says=text, file="sizes.txt") for text in ("1,234 items", "12.3 %")]
    wrong = [Account(says="0.13", file="sizes.txt"), Account(says="99", source="nobody1999")]
    counted = [Account(says=text, count="*.txt") for text in ("1 file", "3 files")]
    found = unaccounted({}, (*right, *wrong, *counted), tmp_path, ["chen2022"])
    problems = ("does not have 0.13", "no reference nobody1999", "does not have 3")
    assert all(problem in line for problem, line in zip(problems, found, strict=True))
