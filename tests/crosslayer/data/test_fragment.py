"""The built-in fragment: its schema, its splits, its grammar, and that no shortcut solves it."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import cache
from itertools import chain, pairwise, product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from seqeval.metrics.sequence_labeling import get_entities
from sklearn.feature_extraction import DictVectorizer
from sklearn.linear_model import LogisticRegression

from crosslayer.config import SplitSizes
from crosslayer.data.examples import Corpus, PairExample, TagExample
from crosslayer.data.fragment import tasks
from crosslayer.data.fragment.meanings import Clause, Phrase, inventory
from crosslayer.data.fragment.tasks import LANGUAGES, LIMIT, fragment_corpus, fragment_parallel, realiser
from crosslayer.data.intermediate import texts_of
from crosslayer.errors import ConfigError
from crosslayer.tasks import TASKS, UPOS, TaskName
from fragment_pages import PAGES, page
from one_line import said

PAIR_TASKS: tuple[TaskName, ...] = ("xnli", "pawsx")
TAG_TASKS: tuple[TaskName, ...] = ("ner", "pos")
CONTENT = {"NOUN", "VERB", "ADJ", "PROPN"}
FUNCTION = {"did", "not", "was", "were", "by", "the", "a", "an"}

OTHERS = tuple(language for language in LANGUAGES if language != "en")


def sizes(task: TaskName) -> dict[str, int]:
    return {"train": 5000 if task in PAIR_TASKS else 216, "dev": 120, "test": 216}


@cache
def corpus(task: TaskName) -> Corpus:
    return fragment_corpus(task, SplitSizes(**sizes(task)), LANGUAGES, seed=11)


def given_names() -> set[str]:
    return {name for half in inventory().values() for name in (*half.women, *half.given["m"])}


def words_of(text: str) -> list[str]:
    return re.findall(r"[^\s.,]+", text.lower())


def sentences(task: TaskName, split: str, language: str) -> set[str]:
    return {text for example in corpus(task)[split, language] for text in texts_of(example)}


# --- schema, ids, determinism ---------------------------------------------------------------------------


@pytest.mark.parametrize("task", TASKS)
def test_splits_have_their_sizes_and_distinct_items_parallel_to_the_english(task: TaskName) -> None:
    found = {key: len(examples) for key, examples in corpus(task).items()}
    expected = {(split, "en"): size for split, size in sizes(task).items()}
    assert found == expected | {
        (split, code): sizes(task)[split] for split in ("train", "test") for code in OTHERS
    }
    for split, language in product(("train", "test"), OTHERS):
        english, other = corpus(task)[split, "en"], corpus(task)[split, language]
        assert [e.item for e in other] == [e.item for e in english]
        assert len({e.item for e in other}) == len(other)
        assert task in TAG_TASKS or [e.label for e in other] == [e.label for e in english]


@pytest.mark.parametrize("task", PAIR_TASKS)
def test_pairs_are_two_different_sentences_with_a_known_label(task: TaskName) -> None:
    for (_, language), examples in corpus(task).items():
        for example in examples:
            assert example.label in TASKS[task].labels
            assert example.first != example.second
            for text in (example.first, example.second):
                assert re.fullmatch(r"\w[^.。]*\w[.。]", text)
                assert language == "zh" or text[0].isupper()
                assert not re.search(r"\s[,.，。]|\s\s|,,|，，", text)
                assert language != "zh" or " " not in text


@pytest.mark.parametrize("language", LANGUAGES)
def test_bio_is_well_formed_and_the_spans_are_as_many_as_in_english(language: str) -> None:
    counts: Counter[str] = Counter()
    assert {tag for example in corpus("pos")["test", language] for tag in example.tags} <= set(UPOS)
    for example, english in zip(corpus("ner")["test", language], corpus("ner")["test", "en"], strict=True):
        for before, tag in pairwise(("O", *example.tags)):
            assert not tag.startswith("I-") or before[2:] == tag[2:]
        kinds = [Counter(kind for _, kind in spans(e)) for e in (example, english)]
        assert kinds[0] == kinds[1]
        counts += kinds[0]
    assert min(counts[kind] for kind in ("PER", "ORG", "LOC")) > 0.1 * counts.total()


@pytest.mark.parametrize("language", ["en", "de", "es"])
def test_the_spans_are_the_names(language: str) -> None:
    halves = inventory().values()
    names = {name.replace("_", " ") for half in halves for name in (*half.places, *half.organisations)}
    local = names | {realiser(language).names.get(name, name) for name in names}
    for example in corpus("ner")["test", language]:
        for words, kind in spans(example):
            assert words.split()[0] in given_names() if kind == "PER" else words in local


def spans(example: TagExample) -> list[tuple[str, str]]:
    entities = get_entities(list(example.tags))
    return [(" ".join(example.words[start : end + 1]), kind) for kind, start, end in entities]


@settings(max_examples=8)
@given(seed=st.integers(0, 10**6), task=st.sampled_from(tuple(TASKS)))
def test_a_seed_fixes_everything_and_languages_do_not_matter(seed: int, task: TaskName) -> None:
    few = SplitSizes(train=9, dev=5, test=9)
    whole = fragment_corpus(task, few, LANGUAGES, seed)
    assert fragment_corpus(task, few, LANGUAGES, seed) == whole
    assert fragment_corpus(task, few, ("es",), seed)["test", "es"] == whole["test", "es"]
    assert fragment_corpus(task, few, LANGUAGES, seed + 1) != whole


def test_retrieval_sentences_are_parallel() -> None:
    parallel = fragment_parallel(LANGUAGES, 40, seed=3)
    english = [(pair.item, pair.first) for pair in parallel["en"]]
    assert len(set(english)) == 40
    for language in LANGUAGES:
        assert [(pair.item, pair.second) for pair in parallel[language]] == english
    assert all(pair.first != pair.second for pair in parallel["de"])


@pytest.mark.parametrize(
    ("languages", "train", "match"),
    [
        (("en", "xx"), 5, "the fragment has no 'xx'; use some of en, de, nl,"),
        (("en",), LIMIT + 1, f"{LIMIT + 1} train items of pos are more than the {LIMIT} of the fragment"),
    ],
)
def test_what_the_fragment_cannot_give_is_one_line(languages: tuple[str, ...], train: int, match: str) -> None:
    assert match in said(ConfigError, fragment_corpus, "pos", SplitSizes(train=train, dev=1, test=1), languages, 0)


def test_a_fragment_that_repeats_itself_is_exhausted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tasks, "PATTERNS", (lambda draw: Clause("work", Phrase("Oslo", "place")),))
    with pytest.raises(ConfigError, match="the fragment has no 2 different train items of ner"):
        fragment_corpus("ner", SplitSizes(train=2, dev=1, test=1), ("en",), 0)


# --- splits ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("task", TASKS)
def test_no_sentence_stands_in_two_splits(task: TaskName) -> None:
    train, dev, test = (sentences(task, split, "en") for split in ("train", "dev", "test"))
    assert not train & dev
    assert not (train | dev) & test
    for language in OTHERS:
        assert not sentences(task, "train", language) & sentences(task, "test", language)


SHARED = {
    "en": {"had", "wanted"}, "es": {"quiso"}, "pl": {"musiał", "musiała", "mógł", "mogła", "chciał", "chciała"},
    "ru": {"должен", "должна", "мог", "могла", "хотел", "хотела"}, "tr": {"zorundaydı", "istedi"},
    "fr": {"dû", "pu", "voulait"}, "zh": set("位只名家座把条栋在"),
}  # fmt: skip
"""Modals, classifiers and the Chinese *be at*, which have the tag of a content word."""


@pytest.mark.parametrize("language", LANGUAGES)
def test_content_words_of_test_are_new(language: str) -> None:
    train, test = (content_words(split, language) for split in ("train", "test"))
    assert len(test) > 100
    assert train & test <= SHARED.get(language, set())


def content_words(split: str, language: str) -> set[str]:
    return {
        word.lower()
        for example in corpus("pos")[split, language]
        for word, tag in zip(example.words, example.tags, strict=True)
        if tag in CONTENT
    }


def test_the_inventory_is_fully_worded() -> None:
    nouns, verbs, adjectives, adjuncts = (set[str]() for _ in range(4))
    for half in inventory().values():
        nouns |= {*half.people, *half.sites, *half.spots, *half.kinds, *chain(*half.kinds.values())}
        verbs |= {*half.verbs, *half.intransitive, *half.speech}
        adjectives |= {*chain(*chain(*half.states.values())), *chain(*half.attributes.values())}
        adjuncts |= {*half.times, *half.manners}
    for language in LANGUAGES:
        words = realiser(language)
        assert set(words.nouns) == nouns
        assert set(words.verbs) == verbs
        assert set(words.adjuncts) == adjuncts
        assert language == "en" or set(words.adjectives) == adjectives


# --- balance, and labels that follow from the words -----------------------------------------------------


@pytest.mark.parametrize("task", PAIR_TASKS)
@pytest.mark.parametrize("split", ["train", "dev", "test"])
def test_labels_are_balanced_within_two_points(task: TaskName, split: str) -> None:
    labels = TASKS[task].labels
    found = [example.label for example in corpus(task)[split, "en"]]
    assert [100 * found.count(label) / len(found) for label in labels] == pytest.approx(
        [100 / len(labels)] * len(labels), abs=2
    )


@pytest.mark.parametrize("negated", [False, True])
@pytest.mark.parametrize("field", ["first", "second"])
def test_a_hypernym_is_as_frequent_under_every_label(field: str, negated: bool) -> None:
    """Else *did not ... a fruit* would give the label away."""
    kinds = {kind for half in inventory().values() for kind in half.kinds}
    members = {noun for half in inventory().values() for nouns in half.kinds.values() for noun in nouns}
    wide: Counter[str] = Counter()
    all_: Counter[str] = Counter()
    for example in corpus("xnli")["train", "en"]:
        words = set(words_of(getattr(example, field)))
        if ("not" in words) == negated and words & (kinds | members):
            wide[example.label] += bool(words & kinds)
            all_[example.label] += 1
    rates = [wide[label] / all_[label] for label in TASKS["xnli"].labels]
    error = np.sqrt(0.25 * sum(1 / count for count in all_.values()) / 1.5)
    assert max(rates) - min(rates) < 3.5 * error  # about 1 false alarm in 500 for the range of three rates


def test_a_second_reading_of_the_english_gives_the_inference_labels() -> None:
    examples = corpus("xnli")["train", "en"] + corpus("xnli")["test", "en"]
    assert [infer(example) for example in examples] == [example.label for example in examples]


def infer(example: PairExample) -> str:
    """Natural logic on the words that only one of the two sentences has."""
    first, second = core(example.first), core(example.second)
    relation = relate(first - second, second - first)
    one, two = "not" in words_of(example.first), "not" in words_of(example.second)
    if relation == "opposite":
        return "contradiction" if one == two else "entailment"
    if relation == "other" or one != (relation == "narrower"):
        return "neutral"
    return "entailment" if one == two else "contradiction"


def bag(text: str) -> Counter[str]:
    base = {form: forms[0] for forms in realiser("en").verbs.values() for form in forms}
    return Counter(base.get(word, word) for word in words_of(text) if word not in FUNCTION)


@cache
def epithets() -> frozenset[str]:
    """What may be said or left out of somebody without a change of who it is."""
    halves = inventory().values()
    attributes = {word for half in halves for words in half.attributes.values() for word in words}
    return frozenset(attributes | {name.lower() for half in halves for name in half.surnames})


def core(text: str) -> Counter[str]:
    """The words that matter: a restrictive clause says which thing is meant, not more about it."""
    text = re.sub(r" that [A-Z]\w+( [A-Z]\w+)? \w+", "", text)
    return Counter({word: n for word, n in bag(text).items() if word not in epithets()})


def relate(lost: Counter[str], gained: Counter[str]) -> str:
    if not lost or not gained:
        return "wider" if lost else "narrower"
    one, two = " ".join(lost), " ".join(gained)
    for half in inventory().values():
        if one in half.kinds.get(two, ()):
            return "wider"
        if two in half.kinds.get(one, ()):
            return "narrower"
        if any({one, two} == set(pair) for pairs_ in half.states.values() for pair in pairs_):
            return "opposite"
    return "other"


def test_a_second_reading_of_the_english_gives_the_paraphrase_labels() -> None:
    examples = corpus("pawsx")["train", "en"] + corpus("pawsx")["test", "en"]
    for example in examples:
        assert bag(example.first) == bag(example.second)
        assert str(int(facts(example.first) == facts(example.second))) == example.label


def facts(text: str) -> object:
    """Who did it to whom, or what each of two events consists of."""
    if " and " in text:
        return {frozenset(words_of(part)) for part in text.split(" and ")}
    return participants(text)[:: -1 if " by " in text else 1]


def participants(text: str) -> tuple[str, ...]:
    """The names in their order."""
    given = {name.lower() for name in given_names()}
    words = pairwise(["", *words_of(text)])
    return tuple(word for before, word in words if word in participant_words() and before not in given)


@cache
def participant_words() -> frozenset[str]:
    organisations = {name.split("_")[0] for half in inventory().values() for name in half.organisations}
    return frozenset(name.lower() for name in given_names() | organisations)


def test_passives_and_reorderings_are_as_frequent_under_both_paraphrase_labels() -> None:
    examples = corpus("pawsx")["train", "en"]
    for cue in (
        lambda e: " by " in e.first,
        lambda e: " by " in e.second,
        lambda e: (" by " in e.first) != (" by " in e.second),
        lambda e: ("," in e.first) != ("," in e.second),
        lambda e: " and " in e.first,
    ):
        rates = [np.mean([cue(e) for e in examples if e.label == label]) for label in ("0", "1")]
        assert min(rates) > 0.15
        assert abs(rates[0] - rates[1]) < 0.06  # 2.7 standard errors of a difference of two rates of 1,050


def test_the_order_of_the_participants_hints_at_the_paraphrase_label_and_no_more() -> None:
    """Named in the other order, three of ten pairs mean the same: enough for gradient descent to start from."""
    examples = corpus("pawsx")["train", "en"]
    one_event = [e for e in examples if " and " not in e.first]
    other_order = [e for e in one_event if participants(e.first) != participants(e.second)]
    assert 0.45 < len(other_order) / len(one_event) < 0.55
    assert np.mean([e.label == "1" for e in other_order]) == pytest.approx(0.3, abs=0.05)  # 4 standard errors


# --- shortcuts ------------------------------------------------------------------------------------------


Features = Callable[[PairExample], Mapping[str, float]]
HELD_OUT = 1500
"""Of the 5,000 items of a language; a model is fitted on the others."""


def tokens(text: str) -> list[str]:
    """Words, or characters of Chinese, with its apostrophes and hyphens."""
    return re.findall(r"[\u4e00-\u9fff]|[^\s.,。，?？\u4e00-\u9fff]+", text.lower())


def hypothesis_words(example: PairExample) -> Mapping[str, float]:
    return Counter(f"second {word}" for word in tokens(example.second))


def pair_words(example: PairExample) -> Mapping[str, float]:
    return hypothesis_words(example) | Counter(tokens(example.first))


def characters(example: PairExample) -> Mapping[str, float]:
    """Pairs and triples of characters."""
    return {
        f"{place} {text[i : i + n]}": 1.0
        for place, text in (("first", example.first), ("second", example.second))
        for n in (2, 3)
        for i in range(len(text) - n + 1)
    }


def overlap(example: PairExample) -> Mapping[str, float]:
    first, second = set(tokens(example.first)), set(tokens(example.second))
    wholes = {"jaccard": first | second, "first": first, "second": second}
    return {name: 5 * len(first & second) / len(whole) for name, whole in wholes.items()}


def length(example: PairExample) -> Mapping[str, float]:
    sizes = (len(tokens(example.first)), len(tokens(example.second)), len(example.first), len(example.second))
    return {str(i): size / 10 for i, size in enumerate(sizes)}


def shortcut_accuracy(examples: list[PairExample], features: Features) -> float:
    """Points of a linear model on the held-out items."""
    matrix = DictVectorizer().fit_transform([features(example) for example in examples])
    labels = [example.label for example in examples]
    model = LogisticRegression(max_iter=1000, C=0.3, tol=1e-3).fit(matrix[HELD_OUT:], labels[HELD_OUT:])
    return 100 * float(model.score(matrix[:HELD_OUT], labels[:HELD_OUT]))


def limit(task: TaskName) -> float:
    """Chance, two points and two standard errors."""
    chance = 1 / len(TASKS[task].labels)
    return 100 * (chance + 0.02 + 2 * np.sqrt(chance * (1 - chance) / HELD_OUT))


SHORTCUTS: dict[TaskName, tuple[Features, ...]] = {
    "xnli": (hypothesis_words, pair_words, characters, overlap, length),
    "pawsx": (pair_words, characters, overlap, length),
}


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("task", PAIR_TASKS)
def test_no_shortcut_solves_the_pairs(task: TaskName, language: str) -> None:
    examples = corpus(task)["train", language]
    found = {features.__name__: shortcut_accuracy(examples, features) for features in SHORTCUTS[task]}
    assert {name: score for name, score in found.items() if score > limit(task)} == {}


def test_planted_cues_are_found() -> None:
    examples = corpus("xnli")["train", "en"]
    negated = [
        replace(e, second=e.second.replace("not ", "") if e.label == "entailment" else e.second) for e in examples
    ]
    repeated = [replace(e, second=e.first) if e.label == "entailment" and i % 3 == 0 else e
                for i, e in enumerate(examples)]  # fmt: skip
    assert shortcut_accuracy(negated, hypothesis_words) > limit("xnli")
    assert shortcut_accuracy(repeated, overlap) > limit("xnli")


@pytest.mark.parametrize("language", OTHERS)
def test_the_form_of_a_word_does_not_give_its_tag(language: str) -> None:
    """The most frequent tag in training, and NOUN for words that were not there."""
    assert tag_by_form(language, "test") <= 75


def test_a_leaked_split_is_noticed() -> None:
    assert tag_by_form("de", "train") > 90


def tag_by_form(language: str, split: str) -> float:
    """Points of that rule on a split."""
    known: dict[str, Counter[str]] = defaultdict(Counter)
    for example in corpus("pos")["train", language]:
        for word, tag in zip(example.words, example.tags, strict=True):
            known[word.lower()][tag] += 1
    right = [
        (known[word.lower()].most_common(1)[0][0] if word.lower() in known else "NOUN") == tag
        for example in corpus("pos")[split, language]
        for word, tag in zip(example.words, example.tags, strict=True)
    ]
    return 100 * float(np.mean(right))


@pytest.mark.parametrize("language", LANGUAGES)
def test_sentences_are_eight_to_sixteen_words_long(language: str) -> None:
    assert 8 <= np.median([len(example.words) for example in corpus("pos")["test", language]]) <= 16


# --- grammar --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_page_that_was_read(language: str) -> None:
    """`python tests/support/fragment_pages.py` rewrites them."""
    assert page(language) == (PAGES / f"{language}.txt").read_text(encoding="utf-8")
