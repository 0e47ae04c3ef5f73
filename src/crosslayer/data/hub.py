"""Reader of the hub data sets: ``google/xtreme`` for the four tasks and Tatoeba, MultiNLI for training XNLI.

Read are English train, dev and test, every language's test split, and what intermediate training takes besides:
NER train and XNLI dev. ``data.revisions`` pins each data set; no code of a data set is ever run. Parquet files are
taken from the hub's cache, each one checked against its hash (see `crosslayer.data.hubfiles`), and the card of a
data set tells which they are and what their class labels are called.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from claimtrack.errors import DataError
from crosslayer.config import DataSpec
from crosslayer.data import hubfiles as hub
from crosslayer.data.examples import SPLITS, Corpus, Example, PairExample, Parallel, Split, TagExample
from crosslayer.data.xtreme import TATOEBA_CODES
from crosslayer.tasks import LANGUAGES, TASKS, Task, TaskName

if TYPE_CHECKING:
    from datasets import Dataset, Features

CARD = "README.md"
PATTERN = re.compile(r"(?!/)(?!.*(\.\.|\*\*))[\w*./=-]{1,200}")
"""Files of a data set by their paths; leads out of no folder."""
XTREME = "google/xtreme"
MULTI_NLI = "nyu-mll/multi_nli"
HUB_SPLIT: dict[Split, str] = {"train": "train", "dev": "validation", "test": "test"}
COLUMNS: dict[TaskName, tuple[str, ...]] = {
    "xnli": ("language", "sentence1", "sentence2", "gold_label"),
    "pawsx": ("sentence1", "sentence2", "label"),
    "ner": ("tokens", "ner_tags"),
    "pos": ("tokens", "pos_tags"),
}
FOREIGN: dict[TaskName, tuple[Split, ...]] = {
    "xnli": ("dev", "test"), "pawsx": ("test",), "ner": ("train", "test"), "pos": ("test",),
}  # fmt: skip
"""The splits that are read in other languages than English."""


@dataclass(frozen=True)
class Table:
    """One split of a hub data set.

    Attributes:
        where: its name in errors.
        ids: its ``id`` column, where it has one.
        rows: the columns that were asked for, class labels by name.
    """

    where: str
    ids: list[Any] | None
    rows: list[tuple[Any, ...]]


def read_corpus(name: TaskName, spec: DataSpec) -> Corpus:
    """The examples of a task; an item has one name in all languages of a parallel test set.

    Raises:
        DataError: no revision is pinned, the hub does not answer, or a row is not what it should be.
    """
    languages = _languages(name, spec)
    corpus = _read_xnli(languages, spec) if name == "xnli" else _read_by_language(name, languages, spec)
    for (split, language), examples in corpus.items():
        if not examples:
            raise DataError(f"{XTREME} {name} {split} of {language} has no row; check data.revisions")
        if len({example.item for example in examples}) < len(examples):
            raise DataError(f"{XTREME} {name} {split} of {language} has an id twice; check data.revisions")
    return corpus


def read_parallel(spec: DataSpec) -> Parallel:
    """Sentence pairs with English from the ``tatoeba`` configurations.

    Raises:
        DataError: as `read_corpus`.
    """
    pairs: dict[str, list[tuple[str, str, str]]] = {}
    for language, config in _tatoeba(spec).items():
        table = _load(spec, XTREME, config, "dev", ("source_sentence", "target_sentence"))
        pairs[language] = [
            (str(i), _text(text, table, i).strip(), _text(en, table, i).strip())
            for i, (text, en) in enumerate(table.rows)
        ]
    return pairs


def splits_read(tasks: Iterable[TaskName], spec: DataSpec) -> dict[str, list[tuple[str | None, Split]]]:
    """The (configuration, split) pairs that `read_corpus` and `read_parallel` read, by data set."""
    pairs: list[tuple[str | None, Split]] = [(config, "dev") for config in _tatoeba(spec).values()]
    for name in tasks:
        if name == "xnli":
            pairs += [("XNLI", split) for split in FOREIGN[name]]
        else:
            pairs += [(_config(name, code), split) for split, code in _parts(name, _languages(name, spec))]
    return {XTREME: pairs} | ({MULTI_NLI: [(None, "train")]} if "xnli" in tasks else {})


def is_cached(name: str, config: str | None, split: Split, revision: str) -> bool:
    """Whether the files of a split are in the cache and intact. Nothing is sent."""
    try:
        if hub.find("dataset", name, revision, [CARD]) is None:
            return False
        pattern, _ = _described(name, config, HUB_SPLIT[split], revision)
    except hub.HubError:
        return False
    return hub.find("dataset", name, revision, [pattern]) is not None


def _languages(name: TaskName, spec: DataSpec) -> list[str]:
    known = TASKS[name].languages
    absent = [code for code in spec.languages or () if code not in known]
    if absent:
        raise DataError(f"{XTREME} has no {name} in {absent[0]}; drop {absent[0]} from data.languages")
    return ["en", *(code for code in known if code != "en" and (spec.languages is None or code in spec.languages))]


def _tatoeba(spec: DataSpec) -> dict[str, str]:
    """Configuration by language."""
    chosen = spec.languages
    return {code: f"tatoeba.{own}" for own, code in TATOEBA_CODES.items() if chosen is None or code in chosen}


def _read_by_language(
    name: TaskName, languages: list[str], spec: DataSpec
) -> dict[tuple[Split, str], list[Example]]:
    task = TASKS[name]
    corpus: dict[tuple[Split, str], list[Example]] = {}
    for split, language in _parts(name, languages):
        table = _load(spec, XTREME, _config(name, language), split, COLUMNS[name])
        if task.kind == "tags":
            corpus[split, language] = list(_tagged(table, task))
        else:
            pairs = list(_pairs(table, task))
            corpus[split, language] = [*pairs] if table.ids else _align(pairs, corpus, split, table.where)
    return corpus


def _parts(name: TaskName, languages: list[str]) -> list[tuple[Split, str]]:
    return [(split, code) for split in SPLITS for code in (languages if split in FOREIGN[name] else ["en"])]


def _config(name: TaskName, language: str) -> str:
    prefix = {"pawsx": "PAWS-X", "ner": "PAN-X", "pos": "udpos"}[name]
    return f"{prefix}.{LANGUAGES[language].name if name == 'pos' else language}"


def _read_xnli(languages: list[str], spec: DataSpec) -> dict[tuple[Split, str], list[Example]]:
    """Dev and test, each one table with all languages, and MultiNLI without its pairs that lack a gold label."""
    task = TASKS["xnli"]
    train = _load(spec, MULTI_NLI, None, "train", ("premise", "hypothesis", "label"))
    corpus: dict[tuple[Split, str], list[Example]] = {("train", "en"): list(_pairs(train, task, unlabelled="-1"))}
    for split in FOREIGN["xnli"]:
        table = _load(spec, XTREME, "XNLI", split, COLUMNS["xnli"])
        found: dict[str, list[PairExample]] = {language: [] for language in languages}
        for row, (language, first, second, label) in enumerate(table.rows):
            if language in found:
                item = str(len(found[language]))
                found[language].append(_pair(item, first, second, label, task, table, row))
        for language in languages:
            corpus[split, language] = _align(found[language], corpus, split, f"{table.where} {language}")
    return corpus


def _load(spec: DataSpec, name: str, config: str | None, split: Split, columns: Sequence[str]) -> Table:
    """One split as rows.

    Raises:
        DataError: not pinned, not loaded, or without one of ``columns``.
    """
    revision = pinned(spec, name)
    where = " ".join(filter(None, (name, config, HUB_SPLIT[split])))
    try:
        dataset = open_split(name, config, HUB_SPLIT[split], revision)
    except hub.HubError as error:
        raise DataError(
            f"cannot load {where} at {revision}: {error}; check the network and data.revisions, or read files "
            "with data.source xtreme and data.root"
        ) from None
    missing = [column for column in columns if column not in dataset.column_names]
    if missing:
        raise DataError(f"{where} has no column {missing[0]}, only {', '.join(dataset.column_names)}")
    try:
        decoded = [_decoded(dataset[column][:], dataset.features[column]) for column in columns]
        ids = dataset["id"][:] if "id" in dataset.column_names else None
    except (TypeError, ValueError):  # no label ids, or no UTF-8
        raise DataError(f"{where}: a column holds other values than its type; check data.revisions") from None
    return Table(where, ids, list(zip(*decoded, strict=True)))


def pinned(spec: DataSpec, name: str) -> str:
    """The commit of a data set.

    Raises:
        DataError: ``data.revisions`` has none, or a branch or tag, which may move.
    """
    revision = spec.revisions.get(name)
    if revision is None or not hub.is_commit(revision):
        fault = "has no" if revision is None else f"has no commit but {revision!r} for"
        raise DataError(
            f"data.revisions {fault} {name}; pin the 40-digit commit shown at "
            f"{hub.endpoint()}/datasets/{name}/commits/main"
        )
    return revision


def open_split(name: str, config: str | None, split: str, revision: str) -> Dataset:
    """One split of a data set, in memory, with the features that the card states.

    Raises:
        HubError: the files cannot be had, are not complete, or are no Parquet files.
    """
    from datasets import Dataset, disable_progress_bars

    pattern, features = _described(name, config, split, revision)
    folder = hub.fetch("dataset", name, revision, [pattern])
    files = sorted(folder.glob(pattern))
    if not files or not files[-1].stem.endswith(f"of-{len(files):05}"):
        raise hub.HubError(f"{len(files)} files match {pattern}, which are not all there are")
    disable_progress_bars()
    try:
        with TemporaryDirectory() as folder_of_arrow:
            return Dataset.from_parquet(
                [str(file) for file in files], features=features, cache_dir=folder_of_arrow, keep_in_memory=True
            )
    except Exception as error:  # Arrow's errors, wrapped or not
        raise hub.HubError(f"{pattern} cannot be read ({type(error.__cause__ or error).__name__})") from None


def _described(name: str, config: str | None, split: str, revision: str) -> tuple[str, Features | None]:
    """The path pattern of a split's files, and the features of the configuration where the card has them."""
    paths, features = _card(name, revision)
    config = config or "default"
    if (config, split) not in paths:
        raise hub.HubError(f"its card names no files of {config} {split}")
    return paths[config, split], features.get(config)


@lru_cache
def _card(name: str, revision: str) -> tuple[dict[tuple[str, str], str], dict[str, Features]]:
    """Of the README.md: path pattern by (configuration, split), and features by configuration."""
    from datasets.info import DatasetInfosDict
    from huggingface_hub import DatasetCard

    path = hub.fetch("dataset", name, revision, [CARD]) / CARD
    try:
        data = DatasetCard.load(path).data
        files = {
            (config["config_name"], entry["split"]): str(entry["path"])
            for config in data.get("configs") or []
            for entry in config["data_files"]
        }
        for pattern in files.values():
            if not PATTERN.fullmatch(pattern):  # damaged files that match are deleted
                raise ValueError(pattern)
        return files, {key: info.features for key, info in DatasetInfosDict.from_dataset_card_data(data).items()}
    except Exception as error:  # a card is YAML by hand
        raise hub.HubError(f"its {CARD} is not as expected ({type(error).__name__})") from None


def _decoded(values: list[Any], feature: Any) -> list[Any]:
    """Class labels, alone or in lists, by their names; an id without a name becomes its digits."""
    names = getattr(getattr(feature, "feature", feature), "names", None)
    if names is None:
        return values
    name_of = dict(enumerate(names))
    if hasattr(feature, "feature"):
        return [[name_of.get(value, str(value)) for value in row] for row in values]
    return [name_of.get(value, str(value)) for value in values]


def _pairs(table: Table, task: Task, unlabelled: str | None = None) -> Iterator[PairExample]:
    for row, (first, second, label) in enumerate(table.rows):
        if label != unlabelled:
            item = str(row if table.ids is None else table.ids[row])
            yield _pair(item, first, second, label, task, table, row)


def _pair(item: str, first: Any, second: Any, label: Any, task: Task, table: Table, row: int) -> PairExample:
    texts = _text(first, table, row), _text(second, table, row)
    return PairExample(item, *texts, _known(label, task, table, row))


def _text(value: Any, table: Table, row: int) -> str:
    if not isinstance(value, str):
        raise DataError(f"{table.where} row {row}: {value!r:.40} is no text")
    return value


def _tagged(table: Table, task: Task) -> Iterator[TagExample]:
    for row, (words, tags) in enumerate(table.rows):
        if not isinstance(words, list) or not isinstance(tags, list):
            raise DataError(f"{table.where} row {row} holds no lists of words and tags")
        if len(words) != len(tags):
            raise DataError(f"{table.where} row {row}: {len(words)} words but {len(tags)} tags")
        yield TagExample(
            str(row),
            tuple(_text(word, table, row) for word in words),
            tuple(_known(tag, task, table, row) for tag in tags),
        )


def _known(label: Any, task: Task, table: Table, row: int) -> str:
    if str(label) not in task.labels:
        kind = "tag" if task.kind == "tags" else "label"
        raise DataError(f"{table.where} row {row}: unknown {kind} {label!r}; known: {', '.join(task.labels)}")
    return str(label)


def _align(pairs: list[PairExample], corpus: Corpus, split: Split, where: str) -> list[Example]:
    """Number the rows as English does, which tells whether they are parallel: translations share their label.

    A language may lack rows in one place (PAWS-X test in Korean has 1,999 of 2,000). Rows before and after it
    keep the English numbers; those next to it whose labels leave it open on which side they are, are left out.

    Raises:
        DataError: the labels do not follow the English ones.
    """
    english = [row.label for row in corpus.get((split, "en"), pairs) if isinstance(row, PairExample)]
    labels = [row.label for row in pairs]
    n, lacking = len(labels), len(english) - len(labels)
    front, back = _agreement(labels, english), _agreement(labels[::-1], english[::-1])
    if lacking < 0 or front + back < n:
        raise DataError(f"{where} row {front}: not parallel to English; leave its language out or use data.root")
    if not lacking:
        return [*pairs]
    after = [replace(row, item=str(i + lacking)) for i, row in enumerate(pairs) if i >= front]
    return [*pairs[: n - back], *after]


def _agreement(labels: Sequence[str], english: Sequence[str]) -> int:
    """How many labels agree before the first that does not."""
    agrees = (own == other for own, other in zip(labels, english, strict=False))
    return next((i for i, same in enumerate(agrees) if not same), min(len(labels), len(english)))
