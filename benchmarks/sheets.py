"""A table of figures: printed, and kept in ``benchmarks/recorded/`` for the pages that quote it."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from rich.box import MARKDOWN
from rich.console import Console
from rich.table import Table

from claimtrack.files import write_text
from claimtrack.runlog import revision
from crosslayer.sweep.runlog import machine, packages

RECORDED = Path(__file__).resolve().parent / "recorded"


@dataclass(frozen=True)
class Sheet:
    """One table, ready to print, and a note below it."""

    title: str
    head: Sequence[str]
    rows: Sequence[Sequence[str]]
    note: str = ""

    def show(self) -> None:
        """Print it as Markdown, one line a row."""
        table = Table(*self.head, title=self.title, title_justify="left", box=MARKDOWN)
        for row in self.rows:
            table.add_row(*row)
        Console(width=1000).print(table, *([self.note] if self.note else []), sep="\n")


def save(name: str, sheets: Iterable[Sheet]) -> None:
    """Keep the tables of one benchmark with the machine, versions and revision that they come from."""
    content = {
        "revision": revision(), "machine": machine(), "packages": packages(), "sheets": list(map(asdict, sheets)),
    }  # fmt: skip
    RECORDED.mkdir(exist_ok=True)
    write_text(RECORDED / f"{name}.json", json.dumps(content, indent=1, ensure_ascii=False) + "\n")
