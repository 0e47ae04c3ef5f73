"""The file formats that are known, by task. A file has the format that all of its lines follow; none is guessed.

A format is a parser that gives the rows of a file, None for one that is left out, and stops with a ValueError at
the first line it does not know. Exactly one must read the whole file. Where none does, the error names all and the
first difference from the one that came furthest; where two do, both.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property, partial
from io import StringIO
from itertools import groupby, zip_longest
from pathlib import Path

from crosslayer.data.examples import Example, PairExample, Reading, TagExample
from crosslayer.errors import DataError
from crosslayer.tasks import Task, TaskName

SYNONYMS = {"contradictory": "contradiction"}
"""Labels of XNLI-MT as those of XNLI."""


@dataclass
class File:
    """A file to be read.

    Attributes:
        labels: where its labels lie if it has none, as in XTREME's download.
        outside: entity types that count as O.
        at: the line that is being read, counted from 1; 0 if no part of the file follows the format.
    """

    path: Path
    labels: Path
    task: Task
    language: str
    outside: tuple[str, ...] = ()
    at: int = 0

    @cached_property
    def lines(self) -> list[str]:
        """Its lines without their ends."""
        return read_lines(self.path)

    def counted(self, lines: Iterable[str]) -> Iterator[str]:
        """Lines of the file, or of that of its labels, counted while they are read."""
        for self.at, line in enumerate(lines, start=1):
            yield line

    @cached_property
    def prefix(self) -> str | None:
        """What every line starts with, up to a colon, if it looks like a language."""
        starts = {line.partition(":")[0] for line in self.lines if line.strip()}
        start = starts.pop()
        return None if starts or not re.fullmatch("[a-z]{2,3}(-[a-z]+)*", start) else f"{start}:"


@dataclass(frozen=True)
class Table:
    """A pair format with a header line: the columns that hold texts, label, item and language, others ignored.

    A row is left out where its label, or with ``in_texts`` a text, is ``mark``, and ``why`` says what that means.
    ``without`` names a column that another format has.
    """

    first: str
    second: str
    label: str
    item: str | None = None
    language: str | None = None
    without: str | None = None
    mark: str | None = None
    why: str = ""
    in_texts: bool = False

    def __call__(self, file: File, reading: Reading) -> Iterator[Example | None]:
        header = file.lines[0].split("\t")
        wanted = [name for name in (self.first, self.second, self.label, self.item, self.language) if name]
        missing = [name for name in wanted if name not in header]
        file.at = int(len(missing) < len(wanted))
        if missing:
            raise ValueError(f"no column {missing[0]} among {', '.join(header)}")
        if self.without in header:
            raise ValueError(f"a column {self.without}")
        reading.has_ids = self.item is not None
        place = {name: header.index(name) for name in wanted}
        seen: set[str] = set()
        for line in file.counted(file.lines):
            cells = line.split("\t")
            if file.at == 1 or not line:
                continue
            if not max(place.values()) < len(cells) <= len(header):
                raise ValueError(f"{len(cells)} columns where {len(header)} are expected")
            if self.language and cells[place[self.language]] != file.language:
                continue
            first, second, label = (cells[place[name]] for name in (self.first, self.second, self.label))
            if self.mark in (label, *((first, second) if self.in_texts else ())):
                reading.left_out[self.why] += 1
                yield None
                continue
            item = cells[place[self.item]] if self.item else str(file.at - 1)
            if item in seen:
                raise ValueError(f"id {item:.80} appears twice")
            seen.add(item)
            yield PairExample(item, first, second, file.task.known(SYNONYMS.get(label, label)))


def _download_pairs(file: File, reading: Reading) -> Iterator[Example]:
    """As Python's csv module writes them: a text with quotation marks is quoted."""
    for first, second, label in _csv_rows(file, 3):
        yield PairExample(str(file.at), first, second, file.task.known(label))


def _download_texts(file: File, reading: Reading) -> Iterator[Example]:
    rows = [(file.at, cells) for cells in _csv_rows(file, 2)]
    labels = [(n, line.strip()) for n, line in enumerate(read_labels(file.path, file.labels), 1) if line.strip()]
    if len(labels) != len(rows):
        raise DataError(f"{file.labels} has {len(labels)} labels for the {len(rows)} rows of {file.path}")
    for (file.at, (first, second)), (number, label) in zip(rows, labels, strict=True):
        with located(f"{file.labels}:{number}"):
            yield PairExample(str(file.at), first, second, file.task.known(label))


def _csv_rows(file: File, columns: int) -> Iterator[list[str]]:
    for line in file.counted(file.lines):
        if line:
            cells = next(csv.reader([line], delimiter="\t", strict=True))
            yield _checked(cells, columns)


Format = Callable[[File, Reading], Iterator[Example | None]]
Split = Callable[[str, File], tuple[str, str] | None]
"""Word and tag of a line, or nothing where it holds none; a ValueError where it is no such line."""


def _by_tab(line: str, file: File, prefixed: bool = False) -> tuple[str, str]:
    """``prefixed`` words start with their language, as in WikiANN; either all do or none."""
    word, tag = _checked(line.split("\t"), 2)
    prefix = file.prefix or f"{file.language}:"
    if word.startswith(prefix) != prefixed:
        raise ValueError(f"the word {'does not start' if prefixed else 'starts'} with {prefix!r}")
    return word.removeprefix(prefix), tag


def _by_space(line: str, file: File) -> tuple[str, str]:
    if "\t" in line:
        raise ValueError("a tab")
    word, tag = _checked(line.split(" "), 2)
    return word, tag


def _by_conllu(line: str, file: File) -> tuple[str, str] | None:
    """Comments, the ranges of multi-word tokens (1-2) and empty nodes (1.1) hold no word of the sentence."""
    if line.startswith("#"):
        return None
    cells = _checked(line.split("\t"), 10)
    number = cells[0].replace("-", "").replace(".", "")
    if not number.isdecimal():
        raise ValueError(f"the id {cells[0]!r:.40}")
    return (cells[1], cells[3]) if cells[0] == number else None


def _checked(cells: list[str], columns: int) -> list[str]:
    if len(cells) != columns:
        raise ValueError(f"{len(cells)} columns where {columns} are expected")
    return cells


def _tagged(split: Split) -> Format:
    def parse(file: File, reading: Reading) -> Iterator[Example | None]:
        sentences = (
            [(cells[0], _tag(cells[1], file, reading)) for line in lines if (cells := split(line, file))]
            for lines in _sentences(file, file.lines)
        )
        for count, sentence in enumerate(filter(None, sentences)):
            words, tags = zip(*sentence, strict=True)
            if split is _by_conllu and {*words} == {"_"}:  # a treebank that may not show its texts
                reading.left_out["no text"] += 1
                yield None
            else:
                yield TagExample(str(count), words, tags)

    return parse


def _download_words(file: File, reading: Reading) -> Iterator[Example]:
    sentences = [[line for line in lines if _checked(line.split(), 1)] for lines in _sentences(file, file.lines)]

    def tag(line: str) -> str:
        with located(f"{file.labels}:{file.at}"):
            return _tag(line.strip(), file, reading)

    tagged = [[*map(tag, lines)] for lines in _sentences(file, read_labels(file.path, file.labels))]
    for count, (words, tags) in enumerate(zip_longest(sentences, tagged, fillvalue=())):
        if len(words) != len(tags):
            raise DataError(
                f"{file.labels}: sentence {count + 1} has {len(tags)} tags, and {len(words)} words in {file.path}"
            )
        yield TagExample(str(count), tuple(words), tuple(tags))


def _sentences(file: File, lines: list[str]) -> Iterator[Iterator[str]]:
    """The lines between blank ones."""
    return (found for is_text, found in groupby(file.counted(lines), lambda line: bool(line.strip())) if is_text)


def _tag(tag: str, file: File, reading: Reading) -> str:
    kind = tag.partition("-")[2]
    if kind in file.outside and "O" in file.task.labels:
        reading.left_out[f"{kind} read as O"] += 1
        return "O"
    return file.task.known(tag)


UNLABELLED, NO_LABEL = "XTREME's download without labels", "no gold label"
FORMATS: dict[TaskName, dict[str, Format]] = {
    "xnli": {
        "columns premise, hypothesis, label": Table("premise", "hypothesis", "label"),
        "XNLI 1.0": Table("sentence1", "sentence2", "gold_label", "pairID", "language", mark="-", why=NO_LABEL),
        "MultiNLI 1.0": Table("sentence1", "sentence2", "gold_label", without="language", mark="-", why=NO_LABEL),
        "XNLI-MT 1.0": Table("premise", "hypo", "label"),
        "XTREME's download": _download_pairs,
        UNLABELLED: _download_texts,
    },
    "pawsx": {
        "PAWS-X": Table("sentence1", "sentence2", "label", "id", mark="NS", why="not translated", in_texts=True),
        "XTREME's download": _download_pairs,
        UNLABELLED: _download_texts,
    },
    "ner": {
        "word TAB tag": _tagged(_by_tab),
        "WikiANN (LANGUAGE:word TAB tag)": _tagged(partial(_by_tab, prefixed=True)),
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
    """The examples of a file; a DataError, with its line, where it has no known format, two, or no row."""
    if not any(map(str.strip, file.lines)):
        raise DataError(f"{file.path} holds no example; remove the file or restore it")
    known, fitting, misfits = FORMATS[file.task.name], list[Reading](), list[tuple[int, str, str]]()
    for name, parse in known.items():
        reading, file.at = Reading(name), 0
        try:
            reading.rows.extend(parse(file, reading))
            fitting.append(reading)
        except (ValueError, csv.Error) as error:
            misfits.append((file.at, name, str(error)))
    if not fitting:
        line, name, reason = max(misfits, key=lambda misfit: misfit[0])
        raise DataError(
            f"{file.path}:{line or 1}: {reason}; the nearest format is {name}, of those known: {'; '.join(known)}"
        )
    if len(fitting) > 1:
        both = " and as ".join(reading.format for reading in fitting)
        raise DataError(f"{file.path} can be read as {both}; keep the columns of one of them")
    if not fitting[0].rows:
        raise DataError(f"{file.path} holds no example of {file.language}; remove the file or restore it")
    return fitting[0]


@contextmanager
def located(where: str) -> Iterator[None]:
    """A ValueError as a DataError that says where."""
    try:
        yield
    except ValueError as error:
        raise DataError(f"{where}: {error}") from None


def read_labels(path: Path, labels: Path) -> list[str]:
    """The lines of a file of labels; a DataError says where it should be."""
    if not labels.is_file():
        raise DataError(
            f"{path} has no labels, since XTREME keeps those of its tests apart; put them into {labels}, one a "
            "line, in the order of the data"
        )
    return read_lines(labels)


def read_lines(path: Path) -> list[str]:
    """The lines of a UTF-8 file, without their ends; a DataError where it is not UTF-8 or cannot be read."""
    try:
        content = path.read_bytes()
    except OSError as error:
        raise DataError(f"{path} cannot be read ({error.strerror}); restore it or change the profile") from None
    try:
        return content.decode("utf-8-sig").replace("\r\n", "\n").split("\n")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise DataError(f"{path}:{line}: not UTF-8 (byte {error.start}); save the file as UTF-8") from None


def read_csv(path: Path) -> Iterator[tuple[str, list[str]]]:
    """The rows of a CSV file but blank ones, with file and line for errors.

    A DataError as `read_lines`, or where a line is no CSV or not as long as the first.
    """
    table, width = csv.reader(StringIO("\n".join(read_lines(path))), strict=True), 0
    try:
        for cells in filter(any, table):
            width = width or len(cells)
            if len(cells) != width:
                raise DataError(f"{path}:{table.line_num}: {len(cells)} cells where the header has {width}")
            yield f"{path}:{table.line_num}", cells
    except csv.Error as error:
        raise DataError(f"{path}:{table.line_num}: {error}") from None
