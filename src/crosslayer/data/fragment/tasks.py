"""The four tasks on drawn meanings: examples by split and language."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from functools import cache
from typing import NamedTuple

from crosslayer.config import SplitSizes
from crosslayer.data.examples import SPLITS, Corpus, Example, PairExample, Parallel, Split, TagExample
from crosslayer.data.fragment.chinese import Chinese
from crosslayer.data.fragment.draw import PATTERNS, Draw
from crosslayer.data.fragment.english import English
from crosslayer.data.fragment.germanic import Dutch, German
from crosslayer.data.fragment.meanings import Clause, inventory
from crosslayer.data.fragment.pairs import RECIPES, inference, paraphrase
from crosslayer.data.fragment.realise import Realiser
from crosslayer.data.fragment.romance import French, Italian, Spanish
from crosslayer.data.fragment.slavic import Polish, Russian
from crosslayer.data.fragment.turkish import Turkish
from crosslayer.errors import ConfigError
from crosslayer.tasks import TaskName

REALISERS: dict[str, type[Realiser]] = {
    "en": English, "de": German, "nl": Dutch, "es": Spanish, "fr": French, "it": Italian, "ru": Russian,
    "pl": Polish, "tr": Turkish, "zh": Chinese,
}  # fmt: skip
LANGUAGES: tuple[str, ...] = tuple(REALISERS)
LIMIT = 10_000
"""Items of one split, also where no size is set: about as many as can be drawn without many repetitions."""
FEWER = "ask for fewer in tasks, intermediate.items or probe.pairs"


class Item(NamedTuple):
    """A meaning of the task: one clause for tags, two with their label for pairs."""

    key: str
    clauses: tuple[Clause, ...]
    label: str


def fragment_corpus(task: TaskName, sizes: SplitSizes, languages: Sequence[str], seed: int) -> Corpus:
    """Examples of ``task``, drawn anew for each seed and equal for equal arguments.

    English has train, dev and test; every other language has test and, for multilingual training, train, both
    parallel to English by item. Test shares no noun, verb, adjective or name with the rest, and no sentence
    stands in two splits.

    Raises:
        ConfigError: a language that the fragment does not have, or more items than it can give.
    """
    realisers = {language: realiser(language) for language in languages}
    taken: set[str] = set()
    items: dict[Split, list[Item]] = {}
    for split in SPLITS:
        size = getattr(sizes, split)
        items[split] = _draw(task, split, LIMIT if size is None else size, f"{task}-{split}-{seed}", taken)
        taken |= {realiser("en").text(clause) for item in items[split] for clause in item.clauses}
    return {
        (split, language): [_example(task, item, words) for item in items[split]]
        for language, words in realisers.items()
        for split in SPLITS
        if language == "en" or split != "dev"
    }


def fragment_parallel(languages: Sequence[str], n: int, seed: int) -> Parallel:
    """The same ``n`` test sentences in each language, with their English, for retrieval; errors as above."""
    texts = {code: realiser(code).text for code in ("en", *languages)}
    clauses = [(item.key, item.clauses[0]) for item in _draw("pos", "test", n, f"parallel-{seed}", set())]
    return {
        code: [PairExample(key, texts[code](clause), texts["en"](clause)) for key, clause in clauses]
        for code in languages
    }


@cache
def realiser(language: str) -> Realiser:
    """The realiser of a language, its lexicon read once; a ConfigError if there is none."""
    if language not in REALISERS:
        raise ConfigError(f"data.languages: the fragment has no {language!r}; use some of {', '.join(LANGUAGES)}")
    return REALISERS[language](language)


def _draw(task: TaskName, split: Split, size: int, seed: str, taken: set[str]) -> list[Item]:
    """Distinct items, none with an English sentence in ``taken``."""
    if size > LIMIT:
        raise ConfigError(f"{size} {split} items of {task} are more than the {LIMIT} of the fragment; {FEWER}")
    draw = Draw(inventory()["test" if split == "test" else "train"], random.Random(seed))
    english = realiser("en")
    items: list[Item] = []
    seen: set[tuple[str, ...]] = set()
    order = list(range(size))
    draw.rng.shuffle(order)
    for number in order:
        label, candidates = _candidates(task, draw, number)
        for clauses in candidates:
            texts = tuple(english.text(clause) for clause in clauses)
            if texts not in seen and taken.isdisjoint(texts):
                break
        else:
            raise ConfigError(f"the fragment has no {size} different {split} items of {task}; {FEWER}")
        seen.add(texts)
        items.append(Item(f"{split}-{len(items)}", clauses, label))
    return items


def _candidates(task: TaskName, draw: Draw, number: int) -> tuple[str, Iterator[tuple[Clause, ...]]]:
    """The label of the item of this number and a hundred tries at it; labels and patterns are equally frequent."""
    tries = range(100)
    if task == "xnli":
        label = tuple(RECIPES)[number % 3]
        recipe = RECIPES[label][number // 3 % len(RECIPES[label])]
        return label, (inference(draw, recipe) for _ in tries)
    if task == "pawsx":
        return str(number % 2), (paraphrase(draw, same=number % 2 == 1) for _ in tries)
    return "", ((PATTERNS[number % len(PATTERNS)](draw),) for _ in tries)


def _example(task: TaskName, item: Item, words: Realiser) -> Example:
    if task in ("xnli", "pawsx"):
        first, second = (words.text(clause) for clause in item.clauses)
        return PairExample(item.key, first, second, item.label)
    tokens = words.sentence(item.clauses[0])
    tags = tuple(token.upos if task == "pos" else token.entity for token in tokens)
    return TagExample(item.key, tuple(token.form for token in tokens), tags)
