"""From the tables of extracted claims in a literature report to the skeleton of a registry.

A report is UTF-8 text: its title in the first line that is not blank, and tables with the columns Claim and, where
the report has them, Verified, Confidence and Source, in any order and among others, cells parted by tabs or by
``|``. A table goes on behind a blank line or a page break. Words are taken as they are, ``$...$`` included; of
their signs only odd blanks become plain ones.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence, Set
from dataclasses import dataclass, replace
from datetime import datetime
from io import StringIO
from pathlib import Path
from typing import Any, NamedTuple

from ruamel.yaml import YAML

from claimtrack.errors import ClaimError
from claimtrack.settings import read_text

COLUMNS = {
    "claim": "(extracted )?(claim|statement)s?( text)?",
    "verified": r"(verified|verification|supported)\??",
    "confidence": r"confidence( score)?( \([\d%., –-]+\))?",
    "source": r"sources?|cites?|references?",
    "number": r"#|nr?\.?|no\.?|id|number",
}
"""What the header of a column may say, in any case and stress; a number is read where there is one."""
MARKS = {
    **dict.fromkeys("✓ ✔ ✅ ☑ 🗸 yes y true verified supported".split(), True),
    **dict.fromkeys("× ✗ ✘ ✖ ❌ ☒ no n false unverified unsupported".split(), False),
    "not verified": False, "not supported": False,
    **dict.fromkeys(("", "?", "-", "–", "—", "partly", "partially", "unclear"), None),
}  # fmt: skip
"""How a report says that it found a claim verified, did not, or cannot tell."""
ENDS = tuple(".!?。！？．｡؟۔।॥։።")
"""Of a sentence, in the scripts of the world."""
BLANKS = re.compile("[\f\v \xa0\u1680\u2000-\u200a\u202f\u205f\u3000]")
"""What becomes a plain blank: Unicode's category Zs, and what ends a page."""
ODD_BLANKS = re.compile("[\xad\u200b\u2060\ufeff\ufe0e\ufe0f]")
"""Signs without a shape: soft hyphens, joiners of words, and what chooses between a text and a picture sign."""
JOINERS = re.compile("[\u200c-\u200f]")
"""Joiners of letters and marks of direction, which scripts need."""
NARROWEST, SPREAD = 40, 1.15
"""Fewest signs at which a report cuts its claims off, and how much longer formulas may have made them since."""
WHOLE = frozenset({"claim", "verified", "confidence"})
"""Where a report has tables with all of these, its other tables are passed over."""
RULE = re.compile(r"[\s|:+=-]+")
"""A line of dashes and bars in a table."""
MAX_BYTES, MAX_CLAIMS = 2**20, 99
BLANK = ("kind", "title", "primary_source", "measured_as", "reproduced_when", "would_change", "notebook", "metric",
         "rule", "relevance")  # fmt: skip
"""What a report cannot say; `load_registry` names the first that is still empty."""
HEADER = """\
# Made from {name}. Texts and marks are the report's own.
# Empty fields are yours to fill: what the primary source says, how each claim is measured, when it counts as
# reproduced. Loading the registry names the first one that is left.
"""


@dataclass(frozen=True)
class Row:
    """A line of a table: the claim's words, the report's marks and its number, and whether the words break off."""

    text: str
    verified: bool | None
    confidence: float | None
    number: int | None = None
    truncated: bool = False
    source: str = ""
    behind: int = 0
    """The line before it within its table that has no cells; 0 where there is none."""


@dataclass(frozen=True)
class Report:
    """What is read of a report: the date in ISO 8601; the papers that it names, by arXiv number or DOI, then other
    words of its column Source; and what says that there are more or fewer claims than were read, one line each."""

    title: str
    date: str | None
    question: str | None
    cites: tuple[str, ...]
    rows: tuple[Row, ...]
    gaps: tuple[str, ...] = ()


def read_report(path: Path) -> Report:
    """Read a report; a `ClaimError` where there is no text, title or table, or a line of a table is none."""
    if path.is_file() and path.stat().st_size > MAX_BYTES:
        raise ClaimError(f"{path} has more than {MAX_BYTES} bytes; give the text of one report")
    text = ODD_BLANKS.sub("", read_text(path))
    lines = [BLANKS.sub(" ", line).strip(" \r") for line in text.split("\n")]
    title = next((line.strip("#* ") for line in lines if line.strip("#*- ")), None)
    if title is None:
        raise ClaimError(f"{path} is empty")
    for needed in (WHOLE, {"claim"}):
        start = next((number for number, line in enumerate(lines) if _header(line, needed)), None)
        if start is not None:
            break
    else:
        raise ClaimError(f"{path} has no table with a column Claim and others, parted by tabs or |")
    rows = tuple(_rows(lines, start, path, needed))
    if not 0 < len(rows) <= MAX_CLAIMS:
        raise ClaimError(f"{path}, line {start + 1}: the table has {len(rows)} claims; 1 to {MAX_CLAIMS} fit")
    before = [line.replace("*", "") for line in lines[:start]]
    date, question, gaps = _date(before), _question(before), tuple(_gaps(before, rows))
    return Report(title, date, question, _cites(text, rows), _cut_off(rows), gaps)


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
    yaml = YAML()
    yaml.width = 4096
    out = StringIO()
    yaml.dump({"plugin": None, "source": source, "entries": entries}, out)
    printable = "".join(sign if sign.isprintable() else " " for sign in name)
    return HEADER.format(name=printable) + out.getvalue()


class _Header(NamedTuple):
    """Where the columns of a table stand, how many there are, and whether bars part its cells, or else tabs."""

    columns: dict[str, int]
    width: int
    bars: bool


def _header(line: str, needed: Set[str]) -> _Header | None:
    for bars in (False, True):
        cells = [cell.strip("*_`: ").lower() for cell in _cells(line, bars)]
        places = {name: [i for i, cell in enumerate(cells) if re.fullmatch(form, cell)]
                  for name, form in COLUMNS.items()}  # fmt: skip
        columns = {name: found[0] for name, found in places.items() if found}
        if len(cells) > 1 and needed <= columns.keys():
            return _Header(columns, len(cells), bars)
    return None


def _rows(lines: Sequence[str], start: int, path: Path, needed: Set[str]) -> Iterator[Row]:
    """The claims of all tables. Behind a blank line only what has the form of a claim goes on with the table, and
    the header of another one, which a line of dashes follows, ends it."""
    header, apart, behind = None, False, 0
    for number, line in enumerate(lines[start:], start + 1):
        if found := _header(line, needed):
            header, apart, behind = found, False, 0
        elif header is None or RULE.fullmatch(line):
            continue
        elif not line or len(_cells(line, header.bars)) == 1:
            apart, behind = True, number if line else behind
        elif apart and number < len(lines) and RULE.fullmatch(lines[number]) and "|" in lines[number]:
            header = None
        else:
            try:
                yield replace(_row(header, line, f"{path}, line {number}"), behind=behind)
            except ClaimError:
                if not apart:
                    raise
                header = None
            apart, behind = False, 0


def _cells(line: str, bars: bool) -> list[str]:
    if not bars:
        return [cell.strip() for cell in line.split("\t")]
    parted = re.split(r"(?<!\\)\|", re.sub(r"^\||(?<!\\)\|$", "", line))
    return [cell.replace(r"\|", "|").strip() for cell in parted]


def _row(header: _Header, line: str, where: str) -> Row:
    cells = _cells(line, header.bars)
    found = {name: cells[place] for name, place in header.columns.items() if place < len(cells)}
    empty = sum(not found.get(name, "-") for name in ("claim", "confidence"))
    if len(cells) != header.width or empty:
        needed = f"the header has {header.width} columns: fill in claim and confidence"
        raise ClaimError(f"{where}: {len(cells)} cells, {empty} empty; {needed}")
    mark = found.get("verified", "").strip("*_`[] ").lower()
    if mark not in MARKS:
        known = " ".join(filter(None, MARKS))
        raise ClaimError(f"{where}: {found['verified']!r:.40} is not a mark; use one of {known}")
    if not JOINERS.sub("", found["claim"]).isprintable():
        raise ClaimError(f"{where}: the claim holds a control character; remove it")
    digits = re.sub(r"\D", "", found.get("number", ""))
    confidence = _confidence(found["confidence"], where) if "confidence" in found else None
    number = int(digits) if re.fullmatch("[0-9]{1,6}", digits) else None
    return Row(found["claim"], MARKS[mark], confidence, number, source=found.get("source", ""))


def _confidence(cell: str, where: str) -> float:
    """From ``0.3``, ``.3``, ``0,3`` or ``30 %``."""
    text = cell.strip("*_` ")
    try:
        value = float(re.sub(r"^(\d*),(\d+)", r"\1.\2", text.rstrip("% ")))
    except ValueError:
        value = -1.0
    value = value / 100 if text.endswith("%") else value
    if not 0 <= value <= 1:
        raise ClaimError(f"{where}: {cell!r:.40} is not a confidence from 0 to 1")
    return value


def _cut_off(rows: tuple[Row, ...]) -> tuple[Row, ...]:
    """Marks the claims that break off: at an ellipsis, or without the end of a sentence, all at one width.

    A single one is at the width only as the longest claim. Where claims of many lengths lack a full stop, that is
    how the report writes.
    """
    unended = [row for row in rows if not row.text.rstrip("\"'”’»)]*_ ").endswith(ENDS)]
    lengths = [len(row.text) for row in unended]
    at_width = min(lengths, default=0) >= max(NARROWEST, max(lengths, default=0) / SPREAD)
    if len(lengths) == 1:
        at_width = at_width and lengths[0] == max(len(row.text) for row in rows)
    return tuple(
        replace(row, truncated=row.text.endswith(("…", "...")) or (at_width and row in unended)) for row in rows
    )


def _gaps(before: Sequence[str], rows: Sequence[Row]) -> Iterator[str]:
    """What the report says of the number of its claims that does not fit what was read."""
    stated = re.search(r"(\d{1,6}) claims (?:were )?extracted|extracted (\d{1,6}) claims", " ".join(before), re.I)
    if stated and (n := int(stated[1] or stated[2])) != len(rows):
        yield f"the report speaks of {n} claims, its tables have {len(rows)}"
    if unclear := sum(row.verified is None for row in rows):
        yield f"claims without a clear mark, which are `verified: null`: {unclear}"
    if passed := [row.behind for row in rows if row.behind]:
        yield f"claims behind a line without cells, which was passed over: {len(passed)}, first line {passed[0]}"
    numbers = [row.number for row in rows if row.number is not None]
    last = min(max(numbers, default=0), 2 * MAX_CLAIMS)  # of rows that may be numbered by anything
    missing = sorted(set(range(1, last + 1)) - set(numbers))[:MAX_CLAIMS]
    if missing:
        yield f"numbers missing in the tables of claims: {', '.join(map(str, missing))}"


def _date(lines: Sequence[str]) -> str | None:
    """The first line that is a date, written as 2026-07-02, July 2, 2026, 2 July 2026 or with a short month."""
    for line in lines:
        if stated := re.match(r"(date|published):?\s+", line.strip(), re.I):
            line = re.split(r"(?<=\d)\.\s", line.strip()[stated.end() :], maxsplit=1)[0]
        told = line.replace(".", "").strip()
        for pattern in ("%Y-%m-%d", "%B %d, %Y", "%d %B %Y", "%b %d, %Y", "%d %b %Y"):
            try:
                return datetime.strptime(told, pattern).date().isoformat()
            except ValueError:
                continue
    return None


def _question(lines: Sequence[str]) -> str | None:
    """What follows the words, up to a question mark; None where a sentence ends before it."""
    _, *after = re.split(r"research question\s*:\s*", " ".join(lines), maxsplit=1, flags=re.I)
    question, mark, _ = "".join(after).partition("?")
    if re.search(r"[.!]\s+[A-Z]", question):
        return None
    return f"{question}?".strip() if mark and question and question.isprintable() else None


def _cites(text: str, rows: Sequence[Row]) -> tuple[str, ...]:
    """arXiv numbers with version, then DOIs, then sources that have neither; each once, in order."""
    numbers = re.findall(r"arxiv(?:\.org/(?:abs|pdf)/|: ?)(\d{4}\.\d{4,5}(?:v\d+)?)", text, re.ASCII | re.I)
    dois = re.findall(r"\b10\.\d{4,9}/[^\s|\"<>]*[^\s|\"<>.,;)\]]", text, re.ASCII)
    known = [*(f"arXiv {number}" for number in numbers), *(f"doi {doi}" for doi in dois)]
    others = [row.source for row in rows if not any(word in row.source for word in (*numbers, *dois))]
    return tuple(dict.fromkeys([*known, *filter(None, others)]))
