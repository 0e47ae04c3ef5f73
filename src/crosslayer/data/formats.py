"""The file formats that are known, by task. A file has the format that all of its lines follow; none is guessed.

A format is a parser that gives the rows of a file, None for one that is left out, and stops at the first line it
does not know. Exactly one must read the whole file. Where none does, the error names all and the first difference
from the one that came furthest; where two do, both.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from crosslayer.data.examples import Example, PairExample, Reading, TagExample
from crosslayer.errors import DataError
from crosslayer.tasks import Task, TaskName

SYNONYMS = {"contradictory": "contradiction"}
"""Labels of XNLI-MT as those of XNLI."""


class Misfit(Exception):
    """The first line that does not follow a format, counted from 1, and why; 0 if no part of it does."""

    def __init__(self, line: int, reason: str) -> None:
        super().__init__(reason)
        self.line = line


@dataclass(frozen=True)
class File:
    """A file to be read.

    Attributes:
        path: where it lies.
        labels: where its labels lie if it has none, as in XTREME's download.
        task, language: what it holds.
        outside: entity types that count as O.
    """

    path: Path
    labels: Path
    task: Task
    language: str
    outside: tuple[str, ...] = ()

    @cached_property
    def lines(self) -> list[str]:
        """Its lines without their ends."""
        return read_lines(self.path)

    @cached_property
    def prefix(self) -> str | None:
        """What every line starts with, up to a colon, if it looks like a language."""
        starts = {line.partition(":")[0] for line in self.lines if line.strip()}
        start = starts.pop()
        return None if starts or not re.fullmatch("[a-z]{2,3}(-[a-z]+)*", start) else f"{start}:"


@dataclass(frozen=True)
class Table:
    """A pair format with a header line: the columns that hold texts, label, item and language, others ignored.

    A row is left out where its label or a text is a key of ``left_out``. ``without`` names a column that another
    format has.
    """

    first: str
    second: str
    label: str
    item: str | None = None
    language: str | None = None
    without: str | None = None
    left_out: tuple[tuple[str, str], ...] = ()

    def __call__(self, file: File, reading: Reading) -> Iterator[Example | None]:
        lines = file.lines
        header = lines[0].split("\t")
        wanted = [name for name in (self.first, self.second, self.label, self.item, self.language) if name]
        if missing := [name for name in wanted if name not in header]:
            is_header = len(missing) < len(wanted)
            raise Misfit(int(is_header), f"no column {missing[0]} among {', '.join(header)}")
        if self.without in header:
            raise Misfit(1, f"a column {self.without}")
        reading.has_ids = self.item is not None
        place = {name: header.index(name) for name in wanted}
        seen: set[str] = set()
        for number, line in enumerate(lines[1:], start=2):
            cells = line.split("\t")
            if not line:
                continue
            if not max(place.values()) < len(cells) <= len(header):
                raise Misfit(number, f"{len(cells)} columns where {len(header)} are expected")
            if self.language and cells[place[self.language]] != file.language:
                continue
            first, second, label = (cells[place[name]] for name in (self.first, self.second, self.label))
            if reason := next((why for mark, why in self.left_out if mark in (first, second, label)), ""):
                reading.left_out[reason] += 1
                yield None
                continue
            item = cells[place[self.item]] if self.item else str(number - 1)
            if item in seen:
                raise Misfit(number, f"id {item:.80} is there twice")
            seen.add(item)
            yield PairExample(item, first, second, _known(SYNONYMS.get(label, label), file.task, number))


def _download_pairs(file: File, reading: Reading) -> Iterator[Example]:
    """As Python's csv module writes them: a text with quotation marks is quoted."""
    for number, (first, second, label) in _csv_rows(file, 3):
        yield PairExample(str(number), first, second, _known(label, file.task, number))


def _download_texts(file: File, reading: Reading) -> Iterator[Example]:
    rows = list(_csv_rows(file, 2))
    labels = [label.strip() for label in read_labels(file.path, file.labels) if label.strip()]
    if len(labels) != len(rows):
        raise DataError(f"{file.labels} has {len(labels)} labels for the {len(rows)} rows of {file.path}")
    for (number, (first, second)), label in zip(rows, labels, strict=True):
        yield PairExample(str(number), first, second, _known(label, file.task, number))


def _csv_rows(file: File, columns: int) -> Iterator[tuple[int, list[str]]]:
    for number, line in enumerate(file.lines, start=1):
        if line:
            try:
                cells = next(csv.reader([line], delimiter="\t", strict=True))
            except csv.Error as error:
                raise Misfit(number, str(error)) from None
            if len(cells) != columns:
                raise Misfit(number, f"{len(cells)} columns where {columns} are expected")
            yield number, cells


Split = Callable[[str, File], tuple[str, str] | None]
"""Word and tag of a line, or nothing where it holds none; a ValueError where it is no such line."""


def _by_tab(line: str, file: File) -> tuple[str, str]:
    word, tag = _cells(line, "\t", 2)
    if word.startswith(file.prefix or f"{file.language}:"):
        raise ValueError(f"the word starts with {word.partition(':')[0]}: as all words do in WikiANN")
    return word, tag


def _by_prefix(line: str, file: File) -> tuple[str, str]:
    word, tag = _cells(line, "\t", 2)
    if not word.startswith(prefix := file.prefix or f"{file.language}:"):
        raise ValueError(f"the word does not start with {prefix} as others do")
    return word.removeprefix(prefix), tag


def _by_space(line: str, file: File) -> tuple[str, str]:
    if "\t" in line:
        raise ValueError("a tab")
    word, tag = _cells(line, " ", 2)
    return word, tag


def _by_conllu(line: str, file: File) -> tuple[str, str] | None:
    """Comments, the ranges of multi-word tokens (1-2) and empty nodes (1.1) hold no word of the sentence."""
    if line.startswith("#"):
        return None
    cells = _cells(line, "\t", 10)
    number = cells[0].replace("-", "").replace(".", "")
    if not number.isdecimal():
        raise ValueError(f"the id {cells[0]!r:.40}")
    return (cells[1], cells[3]) if cells[0] == number else None


def _cells(line: str, separator: str, columns: int) -> list[str]:
    cells = line.split(separator)
    if len(cells) != columns:
        raise ValueError(f"{len(cells)} columns where {columns} are expected")
    return cells


def _tagged(split: Split) -> Callable[[File, Reading], Iterator[Example]]:
    def parse(file: File, reading: Reading) -> Iterator[Example]:
        count = 0
        for sentence in _sentences(file.lines):
            words, tags = [], []
            for number, line in sentence:
                try:
                    cells = split(line, file)
                except ValueError as error:
                    raise Misfit(number, str(error)) from None
                if cells:
                    words.append(cells[0])
                    tags.append(_tag(cells[1], file, reading, number))
            if words:
                yield TagExample(str(count), tuple(words), tuple(tags))
                count += 1

    return parse


def _download_words(file: File, reading: Reading) -> Iterator[Example]:
    sentences = list(_sentences(file.lines))
    for number, line in (row for sentence in sentences for row in sentence):
        if len(line.split()) != 1:
            raise Misfit(number, "more than one column")
    labels = list(_sentences(read_labels(file.path, file.labels)))
    for count in range(max(len(sentences), len(labels))):
        sizes = [len(part[count]) if count < len(part) else 0 for part in (sentences, labels)]
        if sizes[0] != sizes[1]:
            raise DataError(
                f"{file.labels}: sentence {count + 1} has {sizes[1]} tags, and {sizes[0]} words in {file.path}"
            )
        tags = [_tag(line.strip(), file, reading, number) for number, line in labels[count]]
        yield TagExample(str(count), tuple(line for _, line in sentences[count]), tuple(tags))


def _sentences(lines: list[str]) -> Iterator[list[tuple[int, str]]]:
    """The numbered lines between blank ones."""
    sentence: list[tuple[int, str]] = []
    for number, line in enumerate([*lines, ""], start=1):
        if line.strip():
            sentence.append((number, line))
        elif sentence:
            yield sentence
            sentence = []


def _tag(tag: str, file: File, reading: Reading, number: int) -> str:
    kind = tag.partition("-")[2]
    if kind in file.outside:
        reading.left_out[f"{kind} read as O"] += 1
        return "O"
    return _known(tag, file.task, number)


def _known(label: str, task: Task, number: int) -> str:
    if label not in task.labels:
        kind = "tag" if task.kind == "tags" else "label"
        raise Misfit(number, f"unknown {kind} {label!r:.80}; known: {', '.join(task.labels)}")
    return label


UNLABELLED = "XTREME's download without labels"
NO_LABEL, NOT_TRANSLATED = (("-", "no gold label"),), (("NS", "not translated"),)
Format = Callable[[File, Reading], Iterator[Example | None]]
FORMATS: dict[TaskName, dict[str, Format]] = {
    "xnli": {
        "columns premise, hypothesis, label": Table("premise", "hypothesis", "label"),
        "XNLI 1.0": Table("sentence1", "sentence2", "gold_label", "pairID", "language", left_out=NO_LABEL),
        "MultiNLI 1.0": Table("sentence1", "sentence2", "gold_label", without="language", left_out=NO_LABEL),
        "XNLI-MT 1.0": Table("premise", "hypo", "label"),
        "XTREME's download": _download_pairs,
        UNLABELLED: _download_texts,
    },
    "pawsx": {
        "PAWS-X": Table("sentence1", "sentence2", "label", "id", left_out=NOT_TRANSLATED),
        "XTREME's download": _download_pairs,
        UNLABELLED: _download_texts,
    },
    "ner": {
        "word TAB tag": _tagged(_by_tab),
        "WikiANN (LANGUAGE:word TAB tag)": _tagged(_by_prefix),
        "MasakhaNER (word SPACE tag)": _tagged(_by_space),
        UNLABELLED: _download_words,
    },
    "pos": {
        "word TAB tag": _tagged(_by_tab),
        "CoNLL-U": _tagged(_by_conllu),
        UNLABELLED: _download_words,
    },
}  # fmt: skip


def read_file(file: File) -> Reading:
    """The examples of a file.

    Raises:
        DataError: naming the file and line, where it has no known format or two, or holds no example.
    """
    if not any(map(str.strip, file.lines)):
        raise DataError(f"{file.path} holds no example; remove the file or restore it")
    known, fitting, misfits = FORMATS[file.task.name], list[Reading](), dict[str, Misfit]()
    for name, parse in known.items():
        reading = Reading(name)
        try:
            fitting.append(reading.add(parse(file, reading)))
        except Misfit as misfit:
            misfits[name] = misfit
    if not fitting:
        name = max(misfits, key=lambda name: misfits[name].line)
        place = f"{file.path}:{misfits[name].line or 1}"
        raise DataError(
            f"{place}: {misfits[name]}; the nearest format is {name}, of those known: {'; '.join(known)}"
        )
    if len(fitting) > 1:
        both = " and as ".join(reading.format for reading in fitting)
        raise DataError(f"{file.path} can be read as {both}; keep the columns of one of them")
    if not fitting[0].examples:
        raise DataError(f"{file.path} holds no example of {file.language}; remove the file or restore it")
    return fitting[0]


def read_labels(path: Path, labels: Path) -> list[str]:
    """The lines of a file of labels; a DataError says where it should be."""
    if not labels.is_file():
        raise DataError(
            f"{path} has no labels, since XTREME keeps those of its tests apart; put them into {labels}, one a "
            "line, in the order of the data"
        )
    return read_lines(labels)


def read_lines(path: Path) -> list[str]:
    """The lines of a UTF-8 file, without their ends.

    Raises:
        DataError: not UTF-8 (naming the line) or not readable.
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        raise DataError(f"{path} cannot be read ({error.strerror}); restore it or change the profile") from None
    try:
        return content.decode("utf-8-sig").replace("\r\n", "\n").split("\n")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise DataError(f"{path}:{line}: not UTF-8 (byte {error.start}); save the file as UTF-8") from None
