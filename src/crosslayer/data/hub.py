"""Reader of the hub data sets: ``google/xtreme`` for the four tasks and Tatoeba, MultiNLI for training XNLI.

English train, dev and test are read, test in every language, and for intermediate training NER train and XNLI dev.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from claimtrack.errors import ResultsError
from crosslayer.config import DataSpec
from crosslayer.data.alignment import align
from crosslayer.data.examples import SPLITS, Example, Key, PairExample, Parallel, Reading, Split, TagExample
from crosslayer.data.formats import located
from crosslayer.data.hubfiles import HubError, fetch, is_commit
from crosslayer.data.languages import LANGUAGES, TATOEBA_CODES
from crosslayer.data.parquet import read_table
from crosslayer.errors import DataError
from crosslayer.tasks import TASKS, Task, TaskName

if TYPE_CHECKING:
    from datasets import Features

XTREME, MULTI_NLI = "google/xtreme", "nyu-mll/multi_nli"
HUB_SPLIT: dict[Split, str] = {"train": "train", "dev": "validation", "test": "test"}
FOREIGN: dict[TaskName, tuple[Split, ...]] = {
    "xnli": ("dev", "test"), "pawsx": ("test",), "ner": ("train", "test"), "pos": ("test",),
}  # fmt: skip
"""The splits that are read in other languages than English."""
CONFIG: dict[TaskName, str] = {"xnli": "XNLI", "pawsx": "PAWS-X", "ner": "PAN-X", "pos": "udpos"}
COLUMNS: dict[str, tuple[str, ...]] = {
    "default": ("premise", "hypothesis", "label"),
    "XNLI": ("sentence1", "sentence2", "gold_label", "language"),
    "PAWS-X": ("sentence1", "sentence2", "label"),
    "PAN-X": ("tokens", "ner_tags"),
    "udpos": ("tokens", "pos_tags"),
    "tatoeba": ("source_sentence", "target_sentence"),
}
ADVICE = "check the network and data.revisions, or read files with data.source xtreme and data.root"
Source = tuple[str, str, Split]
"""Data set, configuration and split."""


def read_all(name: TaskName, spec: DataSpec, only: Collection[Key] | None = None) -> dict[Key, Reading]:
    """The examples of a task; an item has one name in all languages of a parallel test set.

    ``only`` names the splits and languages to read; English is read beside them where it is needed.

    Raises:
        DataError: no revision is pinned, the hub does not answer, or a row is not what it should be.
    """
    is_pair, readings = TASKS[name].kind == "pair", dict[Key, Reading]()
    if only is not None and is_pair:
        only = {*only, *((split, "en") for split, _ in only)}
    for source, languages in _sources(name, spec).items():
        split = source[2]
        wanted = [code for code in languages if only is None or (split, code) in only]
        rows = _rows(spec, source) if wanted else []
        for language in wanted:
            where, reading = f"{' '.join(source)} {language}", Reading(XTREME)
            own = [row for row in rows if len(row) < 4 or row[3] == language]
            for number, row in enumerate(own):
                with located(f"{where} row {number}"):
                    reading.rows.append(_example(TASKS[name], str(number), row))
            if not reading.examples:
                raise DataError(f"{where} has no row; check data.revisions")
            if is_pair and language != "en":
                align(reading, readings[split, "en"], where)
            readings[split, language] = reading
    return readings


def read_parallel(spec: DataSpec) -> Parallel:
    """Sentence pairs with English, none with a blank side, from ``tatoeba``; errors as `read_all`."""
    pairs = {}
    for own, language in TATOEBA_CODES.items():
        if spec.languages is None or language in spec.languages:
            source: Source = (XTREME, f"tatoeba.{own}", "dev")
            with located(" ".join(source)):
                texts = [tuple(_text(text).strip() for text in row) for row in _rows(spec, source)]
            pairs[language] = [PairExample(str(number), *both) for number, both in enumerate(texts) if all(both)]
    return pairs


def pinned(spec: DataSpec, name: str) -> str:
    """The commit of a data set; a DataError where ``data.revisions`` has none, or a branch or tag."""
    revision = spec.revisions.get(name)
    if revision is None or not is_commit(revision):
        raise DataError(f"data.revisions has no commit of {name} but {revision!r}; pin one by its 40 digits")
    return revision


def _sources(name: TaskName, spec: DataSpec) -> dict[Source, list[str]]:
    """What is read for a task, with the languages in each; English before the others of its split."""
    known = TASKS[name].languages
    if absent := [code for code in spec.languages or () if code not in known]:
        raise DataError(f"{XTREME} has no {name} in {absent[0]}; drop {absent[0]} from data.languages")
    languages = sorted({"en", *(known if spec.languages is None else spec.languages)}, key=("en", *known).index)
    if name == "xnli":
        mixed: dict[Source, list[str]] = {(XTREME, "XNLI", split): languages for split in FOREIGN[name]}
        return {(MULTI_NLI, "default", "train"): ["en"], **mixed}
    return {
        (XTREME, f"{CONFIG[name]}.{LANGUAGES[code].name if name == 'pos' else code}", split): [code]
        for split in SPLITS
        for code in (languages if split in FOREIGN[name] else ["en"])
    }


def _example(task: Task, item: str, row: Sequence[Any]) -> Example | None:
    """A row as an example; a ValueError where it is none."""
    if task.kind == "pair":
        first, second, label = row[:3]
        if label == "-1":  # MultiNLI has some
            return None
        return PairExample(item, _text(first), _text(second), task.known(label))
    words, tags = row
    if not isinstance(words, list) or not isinstance(tags, list):
        raise ValueError("no lists of words and tags")
    if len(words) != len(tags):
        raise ValueError(f"{len(words)} words but {len(tags)} tags")
    return TagExample(item, tuple(map(_text, words)), tuple(map(task.known, tags)))


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise ValueError(f"{value!r:.40} is not text")
    return value


def _rows(spec: DataSpec, source: Source) -> list[tuple[Any, ...]]:
    """The values of a split's columns, class labels by name; a DataError where they cannot be had."""
    name, config, split = source
    revision, columns = pinned(spec, name), COLUMNS[config.partition(".")[0]]
    pattern = f"{'data' if config == 'default' else config}/{HUB_SPLIT[split]}-*.parquet"
    try:
        folder = fetch("dataset", name, revision, ["README.md", pattern])
        features = card_features(folder)[config]
        table = pa.concat_tables(read_table(path, ADVICE, columns) for path in sorted(folder.glob(pattern)))
        return list(zip(*(_decoded(table[name].to_pylist(), features[name]) for name in columns), strict=True))
    except ResultsError as error:
        reason = str(error)
    except HubError as error:
        reason = f"{error}; {ADVICE}"
    except Exception as error:  # a card is YAML by hand
        reason = f"{pattern} cannot be read ({type(error).__name__}); {ADVICE}"
    raise DataError(f"cannot load {' '.join(source)} at {revision}: {reason}")


@lru_cache
def card_features(folder: Path) -> dict[str, Features]:
    """Features by configuration, from the card."""
    from datasets.info import DatasetInfosDict

    return {name: info.features for name, info in DatasetInfosDict.from_directory(str(folder)).items()}


def _decoded(values: list[Any], feature: Any) -> list[Any]:
    """Class labels, alone or in lists, by their names; an id without a name becomes its digits."""
    names = dict(enumerate(getattr(getattr(feature, "feature", feature), "names", None) or ()))
    if not names:
        return values
    if hasattr(feature, "feature"):
        return [[names.get(value, str(value)) for value in row] for row in values]
    return [names.get(value, str(value)) for value in values]
