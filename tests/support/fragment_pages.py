"""The pages of tagged sentences that were read for their grammar; rewrites the files in tests/fragment.

python tests/support/fragment_pages.py
"""

from __future__ import annotations

import random

from crosslayer.data.fragment import LANGUAGES
from crosslayer.data.fragment.draw import PATTERNS, Draw
from crosslayer.data.fragment.meanings import inventory
from crosslayer.data.fragment.tasks import realiser
from repository import TESTS

PAGES = TESTS / "fragment"


def page(language: str) -> str:
    """Thirty sentences from each half of the inventory, each with the tags of its words."""
    words = realiser(language)
    lines = []
    for name, half in inventory().items():
        draw = Draw(half, random.Random(f"page-{name}"))
        for i in range(30):
            clause = PATTERNS[i % len(PATTERNS)](draw)
            lines.append(f"{words.text(clause)}    {' '.join(token.upos for token in words.sentence(clause))}")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    for language in LANGUAGES:
        (PAGES / f"{language}.txt").write_text(page(language), encoding="utf-8")
