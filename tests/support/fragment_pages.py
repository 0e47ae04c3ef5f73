"""The pages of tagged sentences that were read for their grammar; rewrites the files in tests/fragment.

python tests/support/fragment_pages.py
"""

from __future__ import annotations

import random
from hashlib import sha256

from crosslayer.data.fragment.draw import PATTERNS, Draw
from crosslayer.data.fragment.meanings import Clause, inventory
from crosslayer.data.fragment.realise import Realiser
from crosslayer.data.fragment.tasks import LANGUAGES, realiser
from repository import TESTS

PAGES = TESTS / "fragment"
"""Sentences of each language with their tags, read by somebody who had not written the grammar."""


def page(language: str) -> str:
    """A sentence of each pattern from each half with its tags, and a hash of the words of many more."""
    words = realiser(language)
    draws = [Draw(half, random.Random(f"page-{name}")) for name, half in inventory().items()]
    lines = [line(words, pattern(draw)) for draw in draws for pattern in PATTERNS]
    clauses = [pattern(draw) for draw in draws for pattern in 40 * PATTERNS]
    more = [(words.text(clause), [tuple(token) for token in words.sentence(clause)]) for clause in clauses]
    return "\n".join([*lines, f"SHA-256 of {len(more)} more: {sha256(repr(more).encode()).hexdigest()}"]) + "\n"


def line(words: Realiser, clause: Clause) -> str:
    """A sentence and its tags."""
    return f"{words.text(clause)}    {' '.join(token.upos for token in words.sentence(clause))}"


if __name__ == "__main__":
    for language in LANGUAGES:
        (PAGES / f"{language}.txt").write_text(page(language), encoding="utf-8")
