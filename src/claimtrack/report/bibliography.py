"""The references, read once with pybtex: plain text and addresses for HTML; LaTeX reads the file itself."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from claimtrack.errors import ClaimError
from claimtrack.settings import read_text


@dataclass(frozen=True)
class Reference:
    """One entry: the key, ``Chen et al. 2022``, the formatted text and an https address or nothing."""

    key: str
    label: str
    text: str
    address: str


def load_references(path: Path) -> tuple[Reference, ...]:
    """Read a BibTeX file, sorted by author; a `ClaimError` where it is absent or no BibTeX."""
    from pybtex.database import parse_string
    from pybtex.exceptions import PybtexError
    from pybtex.style.formatting.plain import Style

    try:
        database, style = parse_string(read_text(path), "bibtex"), Style()
        for key, entry in database.entries.items():
            if not hasattr(style, f"get_{entry.type}_template"):
                raise ClaimError(f"{path}: {key} is a @{entry.type}, which cannot be set here; use @misc")
        formatted = list(style.format_entries(database.entries.values()))
    except PybtexError as error:
        raise ClaimError(f"{path}: {' '.join(str(error).split())}; correct that entry") from None
    return tuple(_reference(item, database.entries[item.key]) for item in formatted)


def _reference(item: Any, entry: Any) -> Reference:
    """From an entry and its formatted text; the addresses in it stand beside it as a link, only https ones."""
    from pybtex.richtext import Text

    persons = entry.persons.get("author") or entry.persons.get("editor") or ()
    names = [" ".join([*person.prelast_names, *person.last_names]) for person in persons]
    names = names or [entry.fields.get("organization") or entry.fields.get("title") or entry.key]
    first = names[0] if len(names) != 2 else " and ".join(names)
    label = f"{Text.from_latex(first)}{' et al.' if len(names) > 2 else ''} {entry.fields.get('year', '')}"
    text = re.sub(r"\s*(URL: \S+?|doi:\S+?)[,.]?(?=\s|$)", "", str(item.text.render_as("text")))
    doi = entry.fields.get("doi")
    url = entry.fields.get("url") or (f"https://doi.org/{doi}" if doi else "")
    return Reference(item.key, label.rstrip(), text, url if url.startswith("https://") else "")
