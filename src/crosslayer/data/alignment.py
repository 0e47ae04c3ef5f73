"""Parallel test sets: which row of a language is the translation of which English one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from crosslayer.data.examples import Reading, pairs_of
from crosslayer.errors import DataError


def align(reading: Reading, english: Reading, where: str) -> None:
    """Number rows without ids as English does, by their labels: a translation has the label of its source.

    A language may lack rows in one place (PAWS-X test in Korean has 1,999 of 2,000). Rows before and after it
    get the English numbers; those next to it whose labels leave it open on which side they are, are left out.
    ``where`` names the data in errors.

    Raises:
        DataError: the labels do not follow the English ones, with the row where they part, or leave all open.
    """
    if reading.has_ids and english.has_ids:
        return
    pairs, source = pairs_of(reading), pairs_of(english)
    labels, expected = [row.label for row in pairs], [row.label for row in source]
    n, lacking = len(labels), len(expected) - len(labels)
    front, back = _agreement(labels, expected), _agreement(labels[::-1], expected[::-1])
    if lacking < 0 or front + back < n:
        raise DataError(
            f"{where} is not parallel to English: their labels part at row {front + 1}, and {n} rows face "
            f"{len(expected)}; leave its language out of data.languages"
        )
    before = range(n - back if lacking else n)
    after = range(front, n) if lacking else ()
    facing = {index: index for index in before} | {index: index + lacking for index in after}
    if not facing:
        raise DataError(
            f"{where}: the labels of its {n} rows fit more than one place among the {len(expected)} of English; "
            "leave its language out of data.languages"
        )
    aligned = {pairs[i].item: replace(pairs[i], item=source[row].item) for i, row in facing.items()}
    reading.rows = [row and aligned.get(row.item) for row in reading.rows]
    if n > len(facing):
        reading.left_out["labels do not tell beside which English row"] += n - len(facing)


def _agreement(labels: Sequence[str], english: Sequence[str]) -> int:
    """How many labels agree before the first that does not."""
    agrees = (own == other for own, other in zip(labels, english, strict=False))
    return next((i for i, same in enumerate(agrees) if not same), min(len(labels), len(english)))
