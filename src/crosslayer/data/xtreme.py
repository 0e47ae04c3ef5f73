"""Reader of a directory of public data files: which file is which, by its name; what is in it, see `formats`."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from crosslayer.config import DataSpec
from crosslayer.data.alignment import align
from crosslayer.data.examples import SPLITS, Key, PairExample, Reading
from crosslayer.data.formats import File, read_file, read_labels, read_lines
from crosslayer.data.languages import CODES
from crosslayer.errors import DataError
from crosslayer.tasks import TASKS, TaskName

FOLDERS: dict[str, tuple[str, ...]] = {
    "xnli": ("xnli", "XNLI-1.0"),
    "pawsx": ("pawsx", "x-final"),
    "ner": ("panx", "wikiann", "masakhaner"),
    "pos": ("udpos", "ud"),
    "tatoeba": ("tatoeba",),
}
"""Names that the folder of a task may have; the first is XTREME's."""
CODE = r"(?P<code>[a-z]{2,3}(-\w+)?)"
SPLIT = "(?P<split>train|dev|test)"
XTREME_NAME = rf"{SPLIT}-{CODE}\.tsv"
NAMES: dict[str, tuple[str, ...]] = {
    "xnli": (
        XTREME_NAME,
        r"(?P<split>train)-(?P<code>en)\.[\w-]+\.tsv",
        r"xnli\.(?P<split>dev|test)\.tsv",
        r"multinli_1\.0_(?P<split>train)\.txt",
        rf"multinli\.(?P<split>train)\.{CODE}\.tsv",
    ),
    "pawsx": (XTREME_NAME, rf"{CODE}/{SPLIT}(_2k)?\.tsv"),
    "ner": (XTREME_NAME, rf"{CODE}[/-]{SPLIT}(\.txt)?"),
    "pos": (XTREME_NAME, rf"{CODE}_\w+-ud-{SPLIT}\.conllu"),
    "tatoeba": (rf"tatoeba\.{CODE}-eng\.eng", rf"{CODE}-en\.en"),
}
"""File names by task, of Tatoeba (all test) the English ones. Several of the last pattern of POS, treebanks
of one language, are read together."""


def read_all(
    name: TaskName, spec: DataSpec, only: Collection[Key] | None = None, refused: list[DataError] | None = None
) -> dict[Key, Reading]:
    """All of a task: English train and dev, test in every language there is, and further train and dev files where
    present (used in intermediate training and in probes).

    Args:
        only: the splits and languages to read, where there are files; English is added where it is needed.
        refused: a list that takes the errors of single files, so that the others can be read.

    Raises:
        DataError: the directory, a language or a split is missing or empty, or a file has no known format.
    """
    folder = task_folder(name, spec)
    needed = {(split, "en") for split in SPLITS}
    if only is not None:
        needed = {(split, "en") for split, _ in only} if TASKS[name].kind == "pair" else set()
        only = {*only, *needed}
    paths = _paths(name, folder, spec, only, refused)
    if absent := " or ".join(f"{split}-en" for split, _ in sorted(needed - paths.keys())):
        with _collected(refused):
            raise DataError(f"{folder} has no {absent} file; every task needs English train, dev and test")
    if only is None and (missing := [code for code in spec.languages or () if ("test", code) not in paths]):
        raise DataError(f"{folder} has no test file of {missing[0]}; drop {missing[0]} from data.languages")
    readings: dict[Key, Reading] = {}
    for (split, code), found in sorted(paths.items(), key=lambda item: (item[0][1] != "en", item[0])):
        with _collected(refused):
            reading = _read((split, code), found, name, spec)
            if TASKS[name].kind == "pair" and split != "train" and (english := readings.get((split, "en"))):
                align(reading, english, str(found[0]))
            readings[split, code] = reading
    return readings


@contextmanager
def _collected(errors: list[DataError] | None) -> Iterator[None]:
    """Put a DataError into a list, or raise it where there is none."""
    try:
        yield
    except DataError as error:
        if errors is None:
            raise
        errors.append(error)


def folders_of(name: str, spec: DataSpec) -> list[Path]:
    """The folders that hold a task (or ``tatoeba``), which should be one; a DataError without ``data.root``."""
    if not (root := _root(spec)).is_dir():
        raise DataError(f"data.root {root} is not a directory; point it to the directory of the data files")
    return [root / folder for folder in FOLDERS[name] if (root / folder).is_dir()]


def _root(spec: DataSpec) -> Path:
    return Path(spec.root or ".").expanduser()


def task_folder(name: str, spec: DataSpec) -> Path:
    """The one folder of `folders_of`; a DataError where it does not exist or is empty, or there are two."""
    found, root = folders_of(name, spec), _root(spec)
    if len(found) > 1:
        raise DataError(f"{found[0]} and {found[1]} both hold {name}; move one of them out of {root}")
    if not found or not any(found[0].iterdir()):
        expected = " or ".join(str(root / folder) for folder in FOLDERS[name])
        raise DataError(f"{expected} is missing or empty; put the files of {name} there")
    return found[0]


def files_in(folder: Path) -> list[Path]:
    """All files below a folder but hidden ones, such as those that an editor leaves."""
    paths = (
        path
        for path in folder.rglob("*")
        if not any(part.startswith(".") for part in path.relative_to(folder).parts)
    )
    return sorted(path for path in paths if path.is_file())


def _paths(
    name: str, folder: Path, spec: DataSpec, only: Collection[Key] | None, refused: list[DataError] | None
) -> dict[Key, list[Path]]:
    """The files to read, by split and language; XNLI may have several English training files to choose from."""
    found: dict[Key, list[Path]] = {}
    for path in files_in(folder):
        for pattern in NAMES[name]:
            if match := re.fullmatch(f"(?:.*/)?{pattern}", path.relative_to(folder).as_posix()):
                with _collected(refused):
                    for code in _codes(path, match):
                        if spec.languages is None or code in {"en", *spec.languages}:
                            split: Any = match.groupdict().get("split", "test")
                            found.setdefault((split, code), []).append(path)
                break
    if only is not None:
        found = {key: paths for key, paths in found.items() if key in only}
    elif name == "xnli" and spec.xnli_train is not None:
        there = {path.stem: path for path in found.get(("train", "en"), [])}
        if absent := [stem for stem in spec.xnli_train if stem not in there]:
            having = ", ".join(there) or "no training file"
            raise DataError(f"data.xnli_train names {absent[0]!r:.60}, but {folder} has {having}")
        found["train", "en"] = [there[stem] for stem in spec.xnli_train]
    for (split, code), paths in list(found.items()):
        chosen = (name, split, code) == ("xnli", "train", "en")
        if len(paths) > 1 and not (chosen and spec.xnli_train) and {path.suffix for path in paths} != {".conllu"}:
            advice = "choose with data.xnli_train" if chosen else "remove one"
            del found[split, code]
            with _collected(refused):
                raise DataError(f"{paths[0]} and {paths[1]} both hold {split} of {code}; {advice}")
    return found


def _codes(path: Path, match: re.Match[str]) -> list[str]:
    """The languages in a file: of its name, those of its column ``language``, or English."""
    if code := match.groupdict().get("code"):
        return [CODES.get(code, code)]
    header, *rows = [line.split("\t") for line in read_lines(path) if line] or [[]]
    if "language" not in header:
        return ["en"]
    place = header.index("language")
    return sorted({row[place] for row in rows if place < len(row)})


def _read(key: Key, paths: list[Path], name: TaskName, spec: DataSpec) -> Reading:
    """The content of one or several files; with several, items carry the name of theirs."""
    labels, outside = _labels(name, key, spec), tuple(spec.ner_outside)
    readings = [read_file(File(path, labels, TASKS[name], key[1], outside)) for path in paths]
    if not any(reading.examples for reading in readings):
        raise DataError(f"{paths[0]} holds no example of {key[1]}; remove the file or restore it")
    if len(readings) == 1:
        return readings[0]
    names = [path.name for path in paths]
    if twice := next((path for path in paths if names.count(path.name) > 1), None):
        raise DataError(f"{twice} is there twice, in another folder too; remove one")
    together = Reading(" and ".join(dict.fromkeys(reading.format for reading in readings)))
    for path, reading in zip(paths, readings, strict=True):
        together.rows += [row and replace(row, item=f"{path.stem}:{row.item}") for row in reading.rows]
        together.left_out += reading.left_out
    return together


def _labels(name: str, key: Key, spec: DataSpec) -> Path:
    """Where the labels lie of files that have none."""
    return _root(spec) / "labels" / FOLDERS[name][0] / f"{key[0]}-{key[1]}.tsv"


def read_pairs(spec: DataSpec, refused: list[DataError] | None = None) -> dict[str, Reading]:
    """Sentence pairs with English by language, from the ``tatoeba`` folder; those with a blank side are left out.

    A DataError where the folder is missing or two parallel files differ; ``refused`` as for `read_all`.
    """
    found: dict[str, Reading] = {}
    for key, (path,) in _paths("tatoeba", task_folder("tatoeba", spec), spec, None, refused).items():
        with _collected(refused):
            found[key[1]] = _read_pairs(path, _labels("tatoeba", key, spec))
    return found


def _read_pairs(path: Path, labels: Path) -> Reading:
    """The pairs of an English file and the file beside it."""
    foreign = path.with_suffix("." + path.stem.removeprefix("tatoeba.").rpartition("-")[0])
    if not foreign.exists():
        raise DataError(f"{foreign} is missing beside {path.name}")
    texts, english = _without_end(read_lines(foreign)), _without_end(read_lines(path))
    if len(texts) != len(english):
        raise DataError(f"{foreign} has {len(texts)} lines but {path.name} has {len(english)}")
    if is_download := path.suffix == ".en":
        english = _in_order(english, path, labels)
    reading = Reading("XTREME's download" if is_download else "Tatoeba")
    for number, both in enumerate(zip(texts, english, strict=True)):
        is_whole = all(map(str.strip, both))
        reading.rows.append(PairExample(str(number), *both) if is_whole else None)
    if blank := reading.rows.count(None):
        reading.left_out["a side is blank"] = blank
    return reading


def _without_end(lines: list[str]) -> list[str]:
    """Lines without blank ones at the end."""
    while lines and not lines[-1].strip():
        lines = lines[:-1]
    return lines


def _in_order(english: list[str], path: Path, labels: Path) -> list[str]:
    """XTREME sorts the English sentences; its labels count, from 0, where the translation of each line is."""
    places = [line.strip() for line in _without_end(read_labels(path, labels))]
    if sorted(places) != sorted(str(place) for place in range(len(english))):
        raise DataError(f"{labels} does not name each of the {len(english)} lines of {path} once, counted from 0")
    return [english[int(place)] for place in places]
