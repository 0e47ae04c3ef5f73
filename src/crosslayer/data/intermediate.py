"""Training data of the intermediate phase: two arms that differ in language only.

NER comes before a sentence task and NLI before a tag task. Both arms have the same number of items, so that they
take the same number of update steps; the multilingual one deals them round-robin over the languages, a language
that has no more drops out. Where the data are parallel, the items are the same in both arms; else the multilingual
arm is given the English one's number of words by exchanging as few sentences as possible for others of the same
language. No text of the target's test sets is trained on.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt

from crosslayer.config import Arm, Profile, SplitSizes
from crosslayer.data.examples import Corpus, Example, Split, TagExample, corpus_of
from crosslayer.data.sources import languages_of, ranked, read_all
from crosslayer.errors import DataError
from crosslayer.tasks import INTERMEDIATE, TaskName

SPARE = 10
"""Sentences of a language that may be exchanged, as a multiple of those it has in the arm."""
Pool = Mapping[str, list[Example]]
"""Candidates by language in drawn order."""
Lengths = npt.NDArray[np.int_]
Mask = npt.NDArray[np.bool_]


def intermediate_corpus(target: TaskName, arm: Arm, profile: Profile) -> Corpus:
    """The examples of an arm, under the split ``train``; a DataError with too few items, or one language only."""
    source, n = INTERMEDIATE[target], profile.intermediate.items
    pool = _pool(target, source, profile)
    if len(pool["en"]) < n:
        raise DataError(f"intermediate.items {n} is more than the {len(pool['en'])} items of {source}; lower it")
    english = pool["en"][:n]
    if arm == "english":
        return {("train", "en"): english}
    if len(pool) < 2:
        raise DataError(f"the multilingual arm of {target} needs {source} data in more than one language")
    languages = sorted(pool)
    if _is_parallel(source, profile):
        dealt = {language: pool[language][:n][i :: len(languages)] for i, language in enumerate(languages)}
    else:
        dealt = _dealt(pool, round_robin({language: len(pool[language]) for language in languages}, n), english)
    return {("train", language): examples for language, examples in dealt.items() if examples}


def round_robin(capacity: Mapping[str, int], n: int) -> dict[str, int]:
    """How many of ``n`` items each language gets, one a round for each that has any left; in the order given."""
    shares = dict.fromkeys(capacity, 0)
    for _ in range(n):
        least = min((name for name in shares if shares[name] < capacity[name]), key=shares.__getitem__)
        shares[least] += 1
    return shares


def normalised(text: str) -> str:
    """What two texts are compared by: letters and digits only, NFKC, without case."""
    return "".join(sign for sign in unicodedata.normalize("NFKC", text).casefold() if sign.isalnum())


def texts_of(example: Example) -> tuple[str, ...]:
    """The two texts of a pair, or the sentence."""
    if isinstance(example, TagExample):
        return ("".join(example.words),)
    return example.first, example.second


def _is_parallel(source: TaskName, profile: Profile) -> bool:
    return source == "xnli" or profile.data.source == "fragment"


def _pool(target: TaskName, source: TaskName, profile: Profile) -> Pool:
    """All candidates, none with a text that is tested on.

    XNLI's training set is English only, so NLI uses its dev set.
    """
    sizes = SplitSizes(train=profile.intermediate.items, dev=1, test=1)
    corpus = corpus_of(read_all(source, profile, sizes))
    split: Split = "dev" if source == "xnli" and profile.data.source != "fragment" else "train"
    pool = {code: corpus[split, code] for code in languages_of(corpus, split)}
    tested = _tested(target, profile)
    clean = {
        code: {row.item for row in rows if tested.isdisjoint(map(normalised, texts_of(row)))}
        for code, rows in pool.items()
    }
    parallel = _is_parallel(source, profile)
    if parallel:
        clean = dict.fromkeys(clean, set.intersection(*clean.values()))
    kept = {code: [row for row in rows if row.item in clean[code]] for code, rows in pool.items()}
    salts = {code: f"intermediate:{'' if parallel else code}" for code in pool}
    return {code: ranked(rows, profile.data.draw_seed, salts[code]) for code, rows in kept.items()}


def _tested(target: TaskName, profile: Profile) -> set[str]:
    """The normalised texts of the target's test sets."""
    readings = read_all(target, profile)
    rows = [row for (split, _), reading in readings.items() if split == "test" for row in reading.examples]
    return {normalised(text) for row in rows for text in texts_of(row)}


def _dealt(pool: Pool, shares: Mapping[str, int], english: Sequence[Example]) -> dict[str, list[Example]]:
    """The shares of the languages, with as many words in all as the English arm has or nearly so."""
    candidates = {code: pool[code][: SPARE * share] for code, share in shares.items()}
    length = {code: _lengths(rows) for code, rows in candidates.items()}
    inside = {code: np.arange(len(rows)) < shares[code] for code, rows in candidates.items()}
    excess = sum(length[code][chosen].sum() for code, chosen in inside.items()) - _lengths(english).sum()
    while excess:
        found = [
            (abs(excess - less), code, less)
            for code in shares
            for less in np.unique(_shortened(length[code], inside[code]))
        ]
        left, code, less = min(found, default=(abs(excess), "", 0))
        if left >= abs(excess):
            break
        ours, theirs = np.flatnonzero(inside[code]), np.flatnonzero(~inside[code])
        i, j = np.argwhere(_shortened(length[code], inside[code]) == less)[0]
        inside[code][ours[i]], inside[code][theirs[j]] = False, True
        excess -= less
    return {code: [rows[i] for i in np.flatnonzero(inside[code])] for code, rows in candidates.items()}


def _lengths(sentences: Sequence[Example]) -> Lengths:
    return np.array([len(row.words) for row in sentences if isinstance(row, TagExample)], dtype=int)


def _shortened(length: Lengths, inside: Mask) -> Lengths:
    """By how many words an arm becomes shorter if one of its sentences is exchanged for one of the others."""
    return np.subtract.outer(length[inside], length[~inside])
