"""What a directory of data files holds, before anything is trained on it."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from crosslayer.config import DataSpec
from crosslayer.data.examples import SPLITS, Example, Key, PairExample, Reading, TagExample, corpus_of
from crosslayer.data.intermediate import normalised, texts_of
from crosslayer.data.sources import languages_of
from crosslayer.data.xtreme import CODE, NAMES, files_in, folders_of, read_all, read_pairs, task_folder
from crosslayer.errors import DataError
from crosslayer.tasks import TASK_NAMES, TASKS

REFUSED = "  refused: "
"""How a line begins that says why a task cannot be used."""


def check_data(root: Path) -> Iterator[str]:
    """Lines about each task, split and language in a directory such as ``data.root``; DataError if it has none."""
    spec = DataSpec(source="xtreme", root=str(root))
    names = (*TASK_NAMES, "tatoeba")
    there = [name for name in names if any(any(folder.iterdir()) for folder in folders_of(name, spec))]
    if not there:
        task_folder(TASK_NAMES[0], spec)
    for name in there:
        yield TASKS[name].title if name in TASKS else "Tatoeba"
        refused: list[DataError] = []
        try:
            if unread := _unread(name, task_folder(name, spec)):
                yield f"  not read: {', '.join(unread)} (the language is not a code such as de)"
            if name == "tatoeba":
                found = read_pairs(spec, refused).items()
                yield from ("  ".join([f"  {language:3}", *_facts(reading)]) for language, reading in found)
            else:
                with_all = _with_all_training(name, spec)
                yield from _task(read_all(name, with_all, refused=refused))  # type: ignore[arg-type]
        except DataError as error:
            refused.append(error)
        yield from (f"{REFUSED}{error}" for error in refused)


def _unread(name: str, folder: Path) -> list[str]:
    """Files that would be read if what stands in place of the language code were one."""
    paths = (path.relative_to(folder).as_posix() for path in files_in(folder))
    loose = [pattern.replace(CODE, r"[\w-]+") for pattern in NAMES[name]]

    def fits(path: str, patterns: Iterable[str]) -> bool:
        return any(re.fullmatch(f"(?:.*/)?{pattern}", path) for pattern in patterns)

    return [path for path in paths if fits(path, loose) and not fits(path, NAMES[name])]


def _with_all_training(name: str, spec: DataSpec) -> DataSpec:
    """XNLI may have several training files: here all count."""
    files = files_in(task_folder(name, spec))
    stems = [path.stem for path in files if re.fullmatch(r"train-en(\.[\w-]+)?\.tsv", path.name)]
    return spec.model_copy(update={"xnli_train": stems}) if name == "xnli" and len(stems) > 1 else spec


def _task(readings: Mapping[Key, Reading]) -> Iterator[str]:
    corpus = corpus_of(readings)
    training = set(map(_content, corpus.get(("train", "en"), ())))
    for split in SPLITS:
        codes = languages_of(corpus, split)
        for code in codes:
            facts = list(_facts(readings[split, code]))
            if training and split != "train":
                shared = sum(_content(row) in training for row in corpus[split, code])
                facts.append(f"{shared} also in training")
            yield "  ".join([f"  {split:5} {code:3}", *facts])
        if len(codes) > 1 and isinstance(corpus[split, codes[0]][0], PairExample):
            items = set.intersection(*({row.item for row in corpus[split, code]} for code in codes))
            yield f"  {split:5} parallel: {len(items)} items in all {len(codes)} languages"


def _facts(reading: Reading) -> Iterator[str]:
    rows, labels = reading.examples, Counter[str]()
    lengths, unit = [], "characters"
    for row in rows:
        if isinstance(row, TagExample):
            labels.update(row.tags)
            lengths.append(len(row.words))
            unit = "words"
        else:
            labels.update([row.label] if row.label else [])
            lengths += map(len, texts_of(row))
    yield f"{len(rows)} items ({reading.format})"
    yield from [" ".join(f"{label} {count}" for label, count in sorted(labels.items()))] if labels else []
    yield f"{min(lengths, default=0)} to {max(lengths, default=0)} {unit}"
    doubled = len(rows) - len(set(map(_content, rows)))
    yield f"{doubled} duplicate{'' if doubled == 1 else 's'}"
    yield from (f"{count} left out or changed: {reason}" for reason, count in reading.left_out.items())


def _content(row: Example) -> tuple[str, ...]:
    return tuple(map(normalised, texts_of(row)))
