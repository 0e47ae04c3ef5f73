"""Parallel test sets: which row of a language is the translation of which English one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from crosslayer.data.examples import PairExample
from crosslayer.errors import DataError


def align(
    pairs: Sequence[PairExample], english: Sequence[PairExample], where: str
) -> list[tuple[int, PairExample]]:
    """Number rows without ids as English does, by their labels: a translation has the label of its source.

    A language may lack rows in one place (PAWS-X test in Korean has 1,999 of 2,000). Rows before and after it
    get the English numbers; those next to it whose labels leave it open on which side they are, are left out.

    Args:
        pairs: the rows of a language.
        english: the English rows, in order.
        where: the name of the data in errors.

    Returns:
        Each row that is kept, with the English item, after its index in ``pairs``.

    Raises:
        DataError: the labels do not follow the English ones; with the row where they part.
    """
    labels, expected = [row.label for row in pairs], [row.label for row in english]
    n, lacking = len(labels), len(expected) - len(labels)
    front, back = _agreement(labels, expected), _agreement(labels[::-1], expected[::-1])
    if lacking < 0 or front + back < n:
        raise DataError(
            f"{where} is not parallel to English: their labels part at row {front + 1}, and {n} rows face "
            f"{len(expected)}; leave its language out of data.languages"
        )
    numbered = list(enumerate(pairs))
    before = zip(numbered[: n - back if lacking else n], english, strict=False)
    after = zip(numbered[front:], english[front + lacking :], strict=True) if lacking else ()
    return [(index, replace(row, item=other.item)) for (index, row), other in [*before, *after]]


def _agreement(labels: Sequence[str], english: Sequence[str]) -> int:
    """How many labels agree before the first that does not."""
    agrees = (own == other for own, other in zip(labels, english, strict=False))
    return next((i for i, same in enumerate(agrees) if not same), min(len(labels), len(english)))
