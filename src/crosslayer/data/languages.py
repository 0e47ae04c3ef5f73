"""What is known of a language, in ``languages.yaml``. Any other code works, and its family is unknown."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from claimtrack.reading import parse_yaml


@dataclass(frozen=True)
class Language:
    """A language: family after Glottolog, genus after WALS, script after ISO 15924."""

    name: str
    family: str
    genus: str
    script: str


_ROWS = parse_yaml(Path(__file__).with_name("languages.yaml").read_text(encoding="utf-8"))
LANGUAGES = {code: Language(name, *kind) for code, (name, _, *kind) in _ROWS.items()}
"""By the code used here."""
CODES: dict[str, str] = {other: code for code, (_, others, *_) in _ROWS.items() for other in others.split()}
"""ISO 639-3 codes of data files to the codes used here."""


TATOEBA_CODES = {
    code: CODES[code]
    for code in (
        "afr ara ben bul cmn deu ell est eus fin fra heb hin hun ind ita jav jpn kat kaz kor mal mar nld pes por "
        "rus spa swh tam tel tgl tha tur urd vie"
    ).split()
}
"""Of the Tatoeba sets in XTREME."""


def of_unknown_family(codes: Iterable[str]) -> list[str]:
    """A line for each language whose family is unknown, for evidence that needs one and leaves it out."""
    return [f"{code} is left out, since its family is unknown" for code in sorted(set(codes) - LANGUAGES.keys())]
