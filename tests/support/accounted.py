"""Which numbers in prose nothing accounts for.

People type prose, and numbers in it grow old. ``paper/numbers.yaml`` names, for each, the words that it stands in
and where it comes from: a file that has it, files that can be counted, or a reference.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from pydantic import TypeAdapter

from claimtrack.evidence import Strict
from claimtrack.reading import parse_yaml

NUMBER = re.compile(r"(?<![\w.@/:-])[−+-]?\d[\d,]*(?:\.\d+)?(?![\w.]*\w)(?!-[a-z])")
"""A number by itself; not part of a name such as C05, e5-small or 4-bit."""
_LITERAL = re.compile(r"-?\d+(?:_\d+)*(?:\.\d+)?(?:e-?\d+)?")
_UNREAD = (
    re.compile(r"<!-- benchmarks: \w+ -->.*?<!-- end -->|```.*?```", re.DOTALL),
    re.compile(r"^ *\d+\. |`[^`]*`|\[@[^\]]*\]|\]\([^)]*\)", re.MULTILINE),
    re.compile(r"\s+"),
)
"""Generated tables, code, numbers of lists, citations and addresses are no prose."""


class Account(Strict):
    """Where the numbers of some words come from: one of the three.

    Attributes:
        says: the words, as they stand in the text.
        file: it has each of the numbers, to as many decimals as are said.
        count: a glob that matches as many files.
        source: key of a reference.
    """

    says: str
    file: str = ""
    count: str = ""
    source: str = ""


def load_accounts(path: Path) -> tuple[Account, ...]:
    """Read ``numbers.yaml``."""
    return TypeAdapter(tuple[Account, ...]).validate_python(parse_yaml(path.read_text(encoding="utf-8")))


def unaccounted(
    texts: Mapping[str, str], accounts: Iterable[Account], root: Path, references: Iterable[str]
) -> list[str]:
    """One line for each number that nothing accounts for, and for each account that is wrong.

    Args:
        texts: prose by name.
        accounts: see `Account`.
        root: where the files lie.
        references: keys of references.
    """
    accounts, known = tuple(accounts), set(references)
    lines = [line for account in accounts for line in _wrong(account, root, known)]
    for name, text in texts.items():
        for pattern in _UNREAD:
            text = pattern.sub(" ", text)
        spans = [found.span() for account in accounts for found in re.finditer(re.escape(account.says), text)]
        for found in NUMBER.finditer(text):
            if not any(start <= found.start() < end for start, end in spans):
                around = text[max(0, found.start() - 30) : found.end() + 20].strip()
                lines.append(f"{name}: nothing accounts for {found[0].rstrip(',')} in '{around}'")
    return lines


def _wrong(account: Account, root: Path, references: set[str]) -> Iterator[str]:
    if account.source:
        if account.source not in references:
            yield f"numbers.yaml: no reference {account.source} for '{account.says}'"
        return
    if account.count:
        there = [float(len(list(root.glob(account.count))))]
    else:
        text = (root / account.file).read_text(encoding="utf-8")
        there = [abs(float(number.replace("_", ""))) for number in _LITERAL.findall(text)]
    for said in NUMBER.findall(account.says):
        number = re.sub("[−+,-]", "", said)
        value, places = float(number), len(number.partition(".")[2])
        if not any(value in (round(each, places), round(100 * each, places)) for each in there):
            yield f"numbers.yaml: {account.count or account.file} does not have {number} of '{account.says}'"
