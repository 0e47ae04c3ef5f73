"""Training data of the intermediate phase: two arms that differ in language only.

NER comes before a sentence task and NLI before a tag task. The multilingual arm has as many items as the
English one, dealt round-robin over the languages; where the data are parallel, they are the same items.
"""

from __future__ import annotations

from crosslayer.config import Arm, Profile, SplitSizes
from crosslayer.data.examples import Corpus, Example, Split
from crosslayer.data.sources import draw, languages_of, read_all
from crosslayer.errors import DataError
from crosslayer.tasks import INTERMEDIATE, TaskName


def intermediate_corpus(target: TaskName, arm: Arm, profile: Profile) -> Corpus:
    """The intermediate training examples of an arm, under the split ``train``.

    Raises:
        DataError: the source has too few items, or no second language.
    """
    source, n = INTERMEDIATE[target], profile.intermediate.items
    pool = _pool(source, profile)
    if arm == "english":
        return {("train", "en"): _first(pool["en"], n, source)}
    languages = sorted(pool)
    if len(languages) < 2:
        raise DataError(f"the multilingual arm of {target} needs {source} data in more than one language")
    shares = [n // len(languages) + (i < n % len(languages)) for i in range(len(languages))]
    dealt: dict[str, list[Example]] = {}
    for i, (language, share) in enumerate(zip(languages, shares, strict=True)):
        examples = _first(pool[language], n, source) if _parallel(pool) else pool[language]
        dealt[language] = examples[i :: len(languages)] if _parallel(pool) else _first(examples, share, source)
    return {("train", language): examples for language, examples in dealt.items()}


def _pool(source: TaskName, profile: Profile) -> dict[str, list[Example]]:
    """Candidates by language in drawn order. XNLI's training set is English only, so NLI uses its dev set."""
    sizes = SplitSizes(train=profile.intermediate.items, dev=1, test=1)
    corpus = read_all(source, profile.data, sizes)
    split: Split = "dev" if source == "xnli" and profile.data.source != "fragment" else "train"
    pool = {code: corpus[split, code] for code in languages_of(corpus, split)}
    shared = set.intersection(*({example.item for example in rows} for rows in pool.values()))
    parallel = split == "dev" or profile.data.source == "fragment"
    if parallel:
        pool = {code: [row for row in rows if row.item in shared] for code, rows in pool.items()}
    return {
        code: draw(
            rows, len(rows), profile.data.draw_seed, f"intermediate:{'' if parallel else code}", shuffle=True
        )
        for code, rows in pool.items()
    }


def _parallel(pool: dict[str, list[Example]]) -> bool:
    """Whether all languages hold the same items in the same order."""
    first, *others = ([example.item for example in rows] for rows in pool.values())
    return all(items == first for items in others)


def _first(examples: list[Example], n: int, source: TaskName) -> list[Example]:
    if len(examples) < n:
        raise DataError(f"intermediate.items {n} is more than the {len(examples)} items of {source}; lower it")
    return examples[:n]
