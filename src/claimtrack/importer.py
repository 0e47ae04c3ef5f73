"""From the table of extracted claims in a literature report to the skeleton of a registry.

A report is UTF-8 text: its title in the first line that is not blank, and a table with the columns Claim, Verified
and Confidence, cells parted by tabs or by ``|``. Texts are taken as they are, ``$...$`` included.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime
from io import StringIO
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

from claimtrack.errors import ClaimError
from claimtrack.registry import Entry, read_text

COLUMNS = ("claim", "verified", "confidence")
MARKS = {"✓": True, "✔": True, "yes": True, "true": True, "×": False, "✗": False, "✘": False, "no": False,
         "false": False}  # fmt: skip
"""How a report says that it found a claim verified, or did not."""
MAX_BYTES, MAX_CLAIMS = 2**20, 99
BLANK = ("kind", "title", "primary_source", "measured_as", "reproduced_when", "would_change", "notebook", "metric",
         "rule", "relevance")  # fmt: skip
"""What a report cannot say; `load_registry` names the first that is still empty."""
HEADER = """\
# Made from {name} by `crosslayer claims import`. Texts and marks are the report's own.
# Empty fields are yours to fill: what the primary source says, how each claim is measured, when it counts as
# reproduced. Loading the registry names the first one that is left.
"""


@dataclass(frozen=True)
class Row:
    """A line of the table: the claim's words, and the report's marks."""

    text: str
    verified: bool
    confidence: float

    @property
    def truncated(self) -> bool:
        """Whether the words break off: no sentence ends there."""
        return not self.text.endswith((".", "!", "?", "…"))


@dataclass(frozen=True)
class Report:
    """What is read of a report; ``date`` is ISO 8601, ``question`` its research question, either may be absent."""

    title: str
    date: str | None
    question: str | None
    cites: tuple[str, ...]
    rows: tuple[Row, ...]


def read_report(path: Path) -> Report:
    """Read a report.

    Raises:
        ClaimError: no text, no title, no table, or a line of the table that is none.
    """
    if path.is_file() and path.stat().st_size > MAX_BYTES:
        raise ClaimError(f"{path} has more than {MAX_BYTES} bytes; give the text of one report")
    lines = [line.strip("\ufeff\r\n ") for line in read_text(path).split("\n")]
    title = next((line for line in lines if line), None)
    if title is None:
        raise ClaimError(f"{path} is empty")
    start = next((i for i, line in enumerate(lines) if tuple(map(str.lower, _cells(line))) == COLUMNS), None)
    if start is None:
        raise ClaimError(
            f"{path} has no table with the columns Claim, Verified and Confidence, parted by tabs or |"
        )
    rows = []
    for number in range(start + 1, len(lines)):
        if not lines[number]:
            break
        if not re.fullmatch(r"[\s|:-]+", lines[number]):
            rows.append(_row(_cells(lines[number]), f"{path}, line {number + 1}"))
    if not 0 < len(rows) <= MAX_CLAIMS:
        raise ClaimError(
            f"{path}, line {start + 1}: the table has {len(rows)} claims; 1 to {MAX_CLAIMS} can be read"
        )
    return Report(title, _date(lines[:start]), _question(lines[:start]), _cites(lines[start:]), tuple(rows))


def skeleton(report: Report, name: str) -> str:
    """The text of a registry with the report's words and marks; ``name`` is the report's file name."""
    source = {"title": report.title, "date": report.date, "note": None, "cites": list(report.cites)}
    entries: dict[str, dict[str, Any]] = {
        f"C{number:02d}": {
            "source_text": row.text,
            "source_row": number,
            "verified": row.verified,
            "confidence": row.confidence,
            **({"truncated": True} if row.truncated else {}),
            **dict.fromkeys(BLANK),
        }
        for number, row in enumerate(report.rows, 1)
    }
    if report.question:
        entries["Q01"] = {"source_text": report.question, **dict.fromkeys(BLANK), "kind": "question"}
    assert set(BLANK) <= set(Entry.model_fields)
    yaml = YAML()
    yaml.width, yaml.allow_unicode = 4096, True
    yaml.representer.add_representer(
        type(None), lambda made, _: made.represent_scalar("tag:yaml.org,2002:null", "")
    )
    out = StringIO()
    yaml.dump({"source": source, "entries": entries}, out)
    printable = "".join(sign if sign.isprintable() else " " for sign in name)
    return HEADER.format(name=printable) + out.getvalue()


def _cells(line: str) -> list[str]:
    parted = line.strip("|").split("|") if "|" in line and "\t" not in line else line.split("\t")
    return [cell.strip() for cell in parted]


def _row(cells: list[str], where: str) -> Row:
    if len(cells) != len(COLUMNS) or not all(cells):
        raise ClaimError(f"{where}: {len(cells)} cells, {cells.count('')} empty; give text, mark and confidence")
    text, mark, confidence = cells
    if mark.lower() not in MARKS:
        raise ClaimError(f"{where}: {mark!r:.40} is no mark; use one of {' '.join(MARKS)}")
    try:
        value = float(confidence)
    except ValueError:
        value = -1.0
    if not 0 <= value <= 1:
        raise ClaimError(f"{where}: {confidence!r:.40} is no confidence from 0 to 1")
    if not text.isprintable():
        raise ClaimError(f"{where}: the claim holds a control character; remove it")
    return Row(text, MARKS[mark.lower()], value)


def _date(lines: list[str]) -> str | None:
    """The first line that is a date, written as 2026-07-02, July 2, 2026 or 2 July 2026."""
    for line in filter(re.compile(r"[\w, -]*\d{4}[\w, -]*").fullmatch, lines):
        for pattern in ("%Y-%m-%d", "%B %d, %Y", "%d %B %Y"):
            try:
                return datetime.strptime(line, pattern).date().isoformat()
            except ValueError:
                continue
    return None


def _question(lines: list[str]) -> str | None:
    _, _, after = " ".join(lines).partition("Research question: ")
    question, mark, _ = after.partition("?")
    return f"{question}?".strip() if mark and question and question.isprintable() else None


def _cites(lines: list[str]) -> tuple[str, ...]:
    """arXiv numbers with version, in order."""
    found = re.findall(r"arxiv\.org/abs/(\d{4}\.\d{4,5}(?:v\d+)?)", "\n".join(lines), re.ASCII)
    return tuple(dict.fromkeys(f"arXiv {number}" for number in found))
