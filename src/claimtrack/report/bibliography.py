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
    """Read a BibTeX file, sorted by author.

    Raises:
        ClaimError: the file is absent or no BibTeX.
    """
    from pybtex.database import parse_string
    from pybtex.exceptions import PybtexError
    from pybtex.style.formatting.plain import Style

    try:
        database = parse_string(read_text(path), "bibtex")
        formatted = list(Style().format_entries(database.entries.values()))
    except PybtexError as error:
        raise ClaimError(f"{path}: {' '.join(str(error).split())}; mend that entry") from None
    entries = database.entries
    return tuple(
        Reference(item.key, _label(entries[item.key]), _text(item), _address(entries[item.key]))
        for item in formatted
    )


def _text(item: Any) -> str:
    """The formatted entry without the addresses, which stand beside it as a link."""
    text = str(item.text.render_as("text"))
    return re.sub(r"\s*(URL: \S+?|doi:\S+?)[,.]?(?=\s|$)", "", text)


def _label(entry: Any) -> str:
    """``K 2020``, ``Jiang and Liu 2022`` or ``Chen et al. 2022``."""
    persons = entry.persons.get("author") or entry.persons.get("editor") or ()
    names = [" ".join([*person.prelast_names, *person.last_names]) for person in persons]
    names = names or [entry.fields.get("organization") or entry.fields.get("title") or entry.key]
    first = names[0] if len(names) != 2 else " and ".join(names)
    return f"{_plain(first)}{' et al.' if len(names) > 2 else ''} {entry.fields.get('year', '')}".rstrip()


def _plain(name: str) -> str:
    """A name without its LaTeX accents."""
    from pybtex.richtext import Text

    return str(Text.from_latex(name))


def _address(entry: Any) -> str:
    """Its ``url``, or the one its DOI resolves to, where it has one; only https."""
    doi = entry.fields.get("doi")
    url = entry.fields.get("url") or (f"https://doi.org/{doi}" if doi else "")
    return url if url.startswith("https://") else ""
