"""Three sources, one shape out; and the drawing of smaller samples."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Sequence
from typing import TypeVar

from crosslayer.config import DataSpec, Profile, SplitSizes
from crosslayer.data import hub, xtreme
from crosslayer.data.examples import Corpus, Example, Key, Parallel, Reading, Split, corpus_of, pairs_of
from crosslayer.data.fragment.tasks import LANGUAGES, fragment_corpus, fragment_parallel
from crosslayer.errors import DataError
from crosslayer.tasks import TASKS, TaskName, english_first

Row = TypeVar("Row", bound=Example)
FROM_PAIRS = ("C01", "C08", "C09")
"""Claims that are measured from sentence pairs with English."""


def load_corpus(name: TaskName, profile: Profile) -> Corpus:
    """The examples that the trials of a task use, cut to the profile's sizes: English train, dev, test.

    A DataError where a source is missing, malformed or empty.
    """
    return sample(name, corpus_of(read_all(name, profile)), profile)


def sample(name: TaskName, corpus: Corpus, profile: Profile) -> Corpus:
    """Of all examples of a task those that its trials use; see `cut`."""
    used = {key: rows for key, rows in corpus.items() if key[0] != "train" or key[1] == "en"}
    joint = TASKS[name].kind == "pair"
    return cut(used, profile.tasks[name].sizes, profile.data.draw_seed, joint=joint)


def read_all(
    name: TaskName, profile: Profile, sizes: SplitSizes | None = None, only: Collection[Key] | None = None
) -> dict[Key, Reading]:
    """All that the profile's source has of a task, or ``only`` some splits and languages.

    The fragment makes as much as ``sizes`` asks for, by default those of the profile.
    """
    spec = profile.data
    if spec.source == "fragment":
        languages = ["en", *_foreign_fragment_languages(spec)]
        if only is not None and TASKS[name].kind == "pair":  # whose items are drawn beside the English ones
            only = {*only, *((split, "en") for split, _ in only)}
        made = fragment_corpus(name, sizes or profile.tasks[name].sizes, languages, spec.draw_seed)
        return {key: Reading("the fragment", [*rows]) for key, rows in made.items() if key in (only or made)}
    if spec.source == "hub":
        return hub.read_all(name, spec, only)
    return xtreme.read_all(name, spec, only)


def load_parallel(profile: Profile) -> Parallel:
    """Sentences with their English counterparts for retrieval, ``probe.pairs`` a language at most.

    A DataError as `load_corpus`; or where there are none, and a claim of the profile is measured from them.
    """
    spec, n = profile.data, profile.probe.pairs
    asking = [claim for claim in FROM_PAIRS if claim in profile.claims]
    if spec.source == "fragment":
        pairs = fragment_parallel(_foreign_fragment_languages(spec), n, spec.draw_seed)
    elif spec.source == "hub":
        pairs = hub.read_parallel(spec)
    else:
        found = xtreme.read_pairs(spec) if asking or xtreme.folders_of("tatoeba", spec) else {}
        pairs = {language: pairs_of(reading) for language, reading in found.items()}
    if asking and not pairs:
        raise DataError(
            f"no language of data.languages has sentence pairs with English, which {asking[0]} needs; add one, or "
            f"leave {' and '.join(asking)} out of claims"
        )
    return {language: draw(rows, n, spec.draw_seed, language) for language, rows in pairs.items()}


def _foreign_fragment_languages(spec: DataSpec) -> list[str]:
    return [code for code in (LANGUAGES if spec.languages is None else spec.languages) if code != "en"]


def cut(corpus: Corpus, sizes: SplitSizes, seed: int, *, joint: bool) -> Corpus:
    """Draw smaller splits, the same items whatever the file order; a size of ``None`` keeps all.

    ``joint`` draws the same dev and test items in all languages (parallel sets), from those that all of them have,
    in the order of the English ones.
    A DataError where a split of a language has no item, or none that all languages share.
    """
    drawn: dict[Key, list[Example]] = {}
    for (split, language), examples in corpus.items():
        salt = f"{split}:{language}"
        if joint and split != "train":
            salt = split
            others = [{row.item for row in rows} for (part, _), rows in corpus.items() if part == split]
            shared = set.intersection(*others)
            place = {row.item: i for i, row in enumerate(corpus[split, "en"])}
            examples = sorted((row for row in examples if row.item in shared), key=lambda row: place[row.item])
        if not examples:
            raise DataError(f"the {split} split of {language} is empty; check the source or the languages")
        drawn[split, language] = draw(examples, getattr(sizes, split), seed, salt)
    return drawn


def ranked(rows: Sequence[Row], seed: int, salt: str) -> list[Row]:
    """Rows in an order that is random and free of that of the file: by a hash of seed, ``salt`` and item."""
    return sorted(rows, key=lambda row: hashlib.sha256(f"{seed}:{salt}:{row.item}".encode()).digest())


def draw(rows: Sequence[Row], n: int | None, seed: int, salt: str) -> list[Row]:
    """The first ``n`` of `ranked`, or all, in the order of the file; nested in ``n``."""
    chosen = {row.item for row in ranked(rows, seed, salt)[:n]}
    return [row for row in rows if row.item in chosen]


def languages_of(corpus: Corpus, split: Split) -> list[str]:
    """The languages of a split, English first, then sorted."""
    return list(english_first(language for part, language in corpus if part == split))
