"""The built-in fragment: its schema, its splits, its grammar, and that no shortcut solves it."""

from __future__ import annotations

import random
import re
import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from functools import cache
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.feature_extraction import DictVectorizer
from sklearn.linear_model import LogisticRegression

from crosslayer.config import SplitSizes
from crosslayer.data.examples import Corpus, PairExample, TagExample
from crosslayer.data.fragment import LANGUAGES, fragment_corpus, fragment_parallel, tasks
from crosslayer.data.fragment.meanings import Clause, Phrase, inventory
from crosslayer.data.fragment.tasks import LIMIT, realiser
from crosslayer.errors import ConfigError
from crosslayer.tasks import TASKS, TaskName

SIZES = SplitSizes(train=240, dev=120, test=240)
PAIR_TASKS: tuple[TaskName, ...] = ("xnli", "pawsx")
TAG_TASKS: tuple[TaskName, ...] = ("ner", "pos")
CONTENT = {"NOUN", "VERB", "ADJ", "PROPN"}
FUNCTION = {"did", "not", "was", "were", "by", "the", "a", "an"}

SNAPSHOT = """\
en Emma Brandt reluctantly chose a saxophone in winter .
   PROPN PROPN ADV VERB DET NOUN ADP NOUN PUNCT
en Marco sold a cello in the forest and the journalist ordered a lily .
   PROPN VERB DET NOUN ADP DET NOUN CCONJ DET NOUN VERB DET NOUN PUNCT
en The nurse filmed Carmen at noon because Helena was satisfied .
   DET NOUN VERB PROPN ADP NOUN SCONJ PROPN AUX ADJ PUNCT
en The station was publicly chosen by Alice .
   DET NOUN AUX ADV VERB ADP PROPN PUNCT
en The theatre that Carmen filmed was accessible .
   DET NOUN PRON PROPN VERB AUX ADJ PUNCT
en The pilot chose three violins in the office .
   DET NOUN VERB NUM NOUN ADP DET NOUN PUNCT
en In October , the musician slept in the office .
   ADP PROPN PUNCT DET NOUN VERB ADP DET NOUN PUNCT
en Marta Torres hastily chose an orchid .
   PROPN PROPN ADV VERB DET NOUN PUNCT
en The experienced nurse danced near the lake on Friday .
   DET ADJ NOUN VERB ADP DET NOUN ADP PROPN PUNCT
en The judge was satisfied .
   DET NOUN AUX ADJ PUNCT
de Emma Brandt wählte im Winter widerwillig ein Saxofon aus .
   PROPN PROPN VERB ADP NOUN ADV DET NOUN ADP PUNCT
de Marco verkaufte im Wald ein Cello und der Journalist bestellte eine Lilie .
   PROPN VERB ADP NOUN DET NOUN CCONJ DET NOUN VERB DET NOUN PUNCT
de Der Pfleger filmte Carmen am Mittag , weil Helena zufrieden war .
   DET NOUN VERB PROPN ADP NOUN PUNCT SCONJ PROPN ADJ AUX PUNCT
de Der Bahnhof wurde von Alice öffentlich ausgewählt .
   DET NOUN AUX ADP PROPN ADV VERB PUNCT
de Das Theater , das Carmen filmte , war zugänglich .
   DET NOUN PUNCT PRON PROPN VERB PUNCT AUX ADJ PUNCT
de Der Pilot wählte im Büro drei Geigen aus .
   DET NOUN VERB ADP NOUN NUM NOUN ADP PUNCT
de Im Oktober schlief der Musiker im Büro .
   ADP NOUN VERB DET NOUN ADP NOUN PUNCT
de Marta Torres wählte hastig eine Orchidee aus .
   PROPN PROPN VERB ADV DET NOUN ADP PUNCT
de Der erfahrene Pfleger tanzte am Freitag am See .
   DET ADJ NOUN VERB ADP NOUN ADP NOUN PUNCT
de Der Richter war zufrieden .
   DET NOUN AUX ADJ PUNCT
es Emma Brandt eligió a regañadientes un saxofón en invierno .
   PROPN PROPN VERB ADP NOUN DET NOUN ADP NOUN PUNCT
es Marco vendió un violonchelo en el bosque y el periodista encargó un lirio .
   PROPN VERB DET NOUN ADP DET NOUN CCONJ DET NOUN VERB DET NOUN PUNCT
es El enfermero filmó a Carmen al mediodía porque Helena estaba satisfecha .
   DET NOUN VERB ADP PROPN ADP NOUN SCONJ PROPN AUX ADJ PUNCT
es La estación fue elegida públicamente por Alice .
   DET NOUN AUX VERB ADV ADP PROPN PUNCT
es El teatro que Carmen filmó era accesible .
   DET NOUN PRON PROPN VERB AUX ADJ PUNCT
es El piloto eligió tres violines en la oficina .
   DET NOUN VERB NUM NOUN ADP DET NOUN PUNCT
es En octubre el músico durmió en la oficina .
   ADP NOUN DET NOUN VERB ADP DET NOUN PUNCT
es Marta Torres eligió apresuradamente una orquídea .
   PROPN PROPN VERB ADV DET NOUN PUNCT
es El enfermero experimentado bailó cerca del lago el viernes .
   DET NOUN ADJ VERB ADV ADP NOUN DET NOUN PUNCT
es El juez estaba satisfecho .
   DET NOUN AUX ADJ PUNCT
"""


@cache
def corpus(task: TaskName) -> Corpus:
    return fragment_corpus(task, SIZES, LANGUAGES, seed=7)


@cache
def train_pairs(task: TaskName) -> Corpus:
    return fragment_corpus(task, SplitSizes(train=2100, dev=1, test=1), LANGUAGES, seed=11)


def pairs(task: TaskName, split: str, language: str) -> list[PairExample]:
    return [e for e in corpus(task)[split, language] if isinstance(e, PairExample)]


def tagged(task: TaskName, split: str, language: str) -> list[TagExample]:
    return [e for e in corpus(task)[split, language] if isinstance(e, TagExample)]


def words_of(text: str) -> list[str]:
    return re.findall(r"[^\s.,]+", text.lower())


def sentences(task: TaskName, split: str, language: str) -> set[str]:
    if task in TAG_TASKS:
        return {" ".join(example.words) for example in tagged(task, split, language)}
    return {text for example in pairs(task, split, language) for text in (example.first, example.second)}


# --- schema, ids, determinism ---------------------------------------------------------------------------


@pytest.mark.parametrize("task", TASKS)
def test_splits_languages_and_sizes(task: TaskName) -> None:
    found = {key: len(examples) for key, examples in corpus(task).items()}
    expected = {(split, "en"): getattr(SIZES, split) for split in ("train", "dev", "test")}
    expected |= {(split, code): 240 for split in ("train", "test") for code in ("de", "es")}
    assert found == expected


@pytest.mark.parametrize("task", TASKS)
def test_items_are_distinct_and_parallel(task: TaskName) -> None:
    for split in ("train", "test"):
        english = [example.item for example in corpus(task)[split, "en"]]
        assert len(set(english)) == len(english)
        for language in ("de", "es"):
            assert [e.item for e in corpus(task)[split, language]] == english


@pytest.mark.parametrize("task", PAIR_TASKS)
def test_parallel_pairs_have_the_label_of_the_english(task: TaskName) -> None:
    english = [example.label for example in pairs(task, "test", "en")]
    for language in ("de", "es"):
        assert [example.label for example in pairs(task, "test", language)] == english


@pytest.mark.parametrize("task", PAIR_TASKS)
def test_pairs_are_two_different_sentences_with_a_known_label(task: TaskName) -> None:
    for (_, _), examples in corpus(task).items():
        for example in examples:
            assert isinstance(example, PairExample)
            assert example.label in TASKS[task].labels
            assert example.first != example.second
            for text in (example.first, example.second):
                assert re.fullmatch(r"\w[^.]*\w\.", text)
                assert text[0].isupper()
                assert not re.search(r"\s[,.]|\s\s|,,", text)


@pytest.mark.parametrize("task", TAG_TASKS)
def test_each_word_has_one_known_tag(task: TaskName) -> None:
    for examples in corpus(task).values():
        for example in examples:
            assert isinstance(example, TagExample)
            assert len(example.words) == len(example.tags)
            assert set(example.tags) <= set(TASKS[task].labels)
            assert all(example.words)
            assert example.words[-1] == "."
            assert example.words[0][0].isupper()


def test_bio_is_well_formed_and_spans_are_the_names() -> None:
    names = {
        name.replace("_", " ")
        for half in inventory().values()
        for group in (half.places, half.organisations, half.given["f"], half.given["m"])
        for name in group
    }
    for language in LANGUAGES:
        local = names | {realiser(language).names.get(name, name) for name in names}
        counts: Counter[str] = Counter()
        for example in tagged("ner", "test", language):
            for before, tag in pairwise(("O", *example.tags)):
                assert not tag.startswith("I-") or before[2:] == tag[2:]
            for words, kind in spans(example):
                counts[kind] += 1
                assert (words.split()[0] if kind == "PER" else words) in local
        assert min(counts[kind] for kind in ("PER", "ORG", "LOC")) > 0.1 * counts.total()


def spans(example: TagExample) -> list[tuple[str, str]]:
    found: list[tuple[str, str]] = []
    for word, tag in zip(example.words, example.tags, strict=True):
        if tag.startswith("B-"):
            found.append((word, tag[2:]))
        elif tag.startswith("I-"):
            found[-1] = (f"{found[-1][0]} {word}", tag[2:])
    return found


@settings(max_examples=8, deadline=None)
@given(seed=st.integers(0, 10**6), task=st.sampled_from(tuple(TASKS)))
def test_a_seed_fixes_everything_and_languages_do_not_matter(seed: int, task: TaskName) -> None:
    sizes = SplitSizes(train=9, dev=5, test=9)
    whole = fragment_corpus(task, sizes, LANGUAGES, seed)
    assert fragment_corpus(task, sizes, LANGUAGES, seed) == whole
    assert fragment_corpus(task, sizes, ("es",), seed)["test", "es"] == whole["test", "es"]
    assert fragment_corpus(task, sizes, LANGUAGES, seed + 1) != whole


def test_retrieval_sentences_are_parallel() -> None:
    parallel = fragment_parallel(LANGUAGES, 40, seed=3)
    english = [(item, text) for item, text, _ in parallel["en"]]
    assert len(set(english)) == 40
    for language in LANGUAGES:
        assert [(item, text) for item, _, text in parallel[language]] == english
    assert all(text != other for _, text, other in parallel["de"])


def test_importing_and_drawing_leaves_torch_alone() -> None:
    code = (
        "import sys, crosslayer.data.fragment as f; f.fragment_parallel(['de'], 3, 0);"
        "assert 'torch' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.parametrize(
    ("languages", "train", "match"),
    [
        (("en", "xx"), 5, "the fragment has no 'xx'; use some of en, de, es"),
        (("en",), LIMIT + 1, f"tasks.pos.sizes.train is {LIMIT + 1}; the fragment gives {LIMIT} at most"),
    ],
)
def test_what_the_fragment_cannot_give_is_one_line(languages: tuple[str, ...], train: int, match: str) -> None:
    with pytest.raises(ConfigError, match=match) as caught:
        fragment_corpus("pos", SplitSizes(train=train, dev=1, test=1), languages, 0)
    assert "\n" not in str(caught.value)


def test_a_fragment_that_repeats_itself_is_exhausted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tasks, "PATTERNS", (lambda draw: Clause("work", Phrase("Oslo", "place")),))
    with pytest.raises(ConfigError, match=r"tasks\.ner\.sizes\.train: the fragment gives no 2 items"):
        fragment_corpus("ner", SplitSizes(train=2, dev=1, test=1), ("en",), 0)


# --- splits ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("task", TASKS)
def test_no_sentence_stands_in_two_splits(task: TaskName) -> None:
    train, dev, test = (sentences(task, split, "en") for split in ("train", "dev", "test"))
    assert not train & dev
    assert not (train | dev) & test
    for language in ("de", "es"):
        assert not sentences(task, "train", language) & sentences(task, "test", language)


@pytest.mark.parametrize("language", LANGUAGES)
def test_content_words_of_test_are_new(language: str) -> None:
    train, test = (content_words(split, language) for split in ("train", "test"))
    assert len(test) > 100
    assert not train & test


def content_words(split: str, language: str) -> set[str]:
    return {
        word.lower()
        for example in tagged("pos", split, language)
        for word, tag in zip(example.words, example.tags, strict=True)
        if tag in CONTENT
    }


def test_the_inventory_is_as_large_as_promised_and_fully_worded() -> None:
    nouns, verbs, adjectives, adjuncts, people, places, organisations = (set[str]() for _ in range(7))
    for half in inventory().values():
        nouns |= {*half.people, *half.sites, *half.spots, *half.kinds, *sum(half.kinds.values(), ())}
        verbs |= {*half.verbs, *half.intransitive, *half.speech}
        adjectives |= {
            *sum((p for ps in half.states.values() for p in ps), ()),
            *sum(half.attributes.values(), ()),
        }
        adjuncts |= {*half.times, *half.manners}
        people |= {*half.given["f"], *half.given["m"], *half.surnames}
        places |= {*half.places}
        organisations |= {*half.organisations}
    assert (len(nouns) >= 60, len(verbs) >= 24, len(adjectives) >= 20, len(adjuncts) >= 12) == (True,) * 4
    assert min(len(people), len(places), len(organisations)) >= 30
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
    counts = Counter(example.label for example in pairs(task, split, "en"))
    shares = [100 * counts[label] / counts.total() for label in TASKS[task].labels]
    assert max(abs(share - 100 / len(shares)) for share in shares) <= 2


@pytest.mark.parametrize("language", LANGUAGES)
def test_negation_is_as_frequent_under_every_label(language: str) -> None:
    markers = {"en": {"not"}, "de": {"nicht", "kein", "keine", "keinen"}, "es": {"no"}}[language]
    for field in ("first", "second"):
        negated: Counter[str] = Counter()
        for example in pairs("xnli", "train", language):
            negated[example.label] += bool(markers & set(words_of(getattr(example, field))))
        assert max(negated.values()) - min(negated.values()) <= 2
        assert min(negated.values()) == pytest.approx(40, abs=2)


def test_a_second_reading_of_the_english_gives_the_inference_labels() -> None:
    examples = pairs("xnli", "train", "en") + pairs("xnli", "test", "en")
    assert [infer(example) for example in examples] == [example.label for example in examples]


def test_the_second_reading_notices_shuffled_labels() -> None:
    examples = pairs("xnli", "test", "en")
    labels = [example.label for example in examples]
    random.Random(0).shuffle(labels)
    agreement = np.mean([infer(e) == label for e, label in zip(examples, labels, strict=True)])
    assert agreement < 0.5


def infer(example: PairExample) -> str:
    """Natural logic on the words that only one of the two sentences has."""
    first, second = bag(example.first), bag(example.second)
    relation = relate(first - second, second - first)
    polarity = ("not" in words_of(example.first), "not" in words_of(example.second))
    if relation == "opposite":
        return "contradiction" if polarity[0] == polarity[1] else "entailment"
    follows = {
        ("wider", (False, False)): "entailment", ("wider", (False, True)): "contradiction",
        ("narrower", (True, True)): "entailment", ("narrower", (True, False)): "contradiction",
    }  # fmt: skip
    return follows.get((relation, polarity), "neutral")


def bag(text: str) -> Counter[str]:
    base = {form: forms[0] for forms in realiser("en").verbs.values() for form in forms}
    return Counter(base.get(word, word) for word in words_of(text) if word not in FUNCTION)


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
    examples = pairs("pawsx", "train", "en") + pairs("pawsx", "test", "en")
    for example in examples:
        assert bag(example.first) == bag(example.second)
        assert str(int(facts(example.first) == facts(example.second))) == example.label


def facts(text: str) -> object:
    """Who did it to whom, or what each of two events consists of."""
    if " and " in text:
        return {frozenset(words_of(part)) for part in text.split(" and ")}
    participants = [word for word in words_of(text) if word in participant_words()]
    return tuple(participants if " by " not in text else reversed(participants))


@cache
def participant_words() -> frozenset[str]:
    return frozenset(
        name.split("_")[0].lower()
        for half in inventory().values()
        for name in (*half.given["f"], *half.given["m"], *half.organisations)
    )


def test_passives_and_reorderings_are_as_frequent_under_both_paraphrase_labels() -> None:
    examples = [e for e in train_pairs("pawsx")["train", "en"] if isinstance(e, PairExample)]
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


# --- shortcuts ------------------------------------------------------------------------------------------


Features = Callable[[PairExample], dict[str, float]]


def hypothesis_words(example: PairExample) -> dict[str, float]:
    return {word: float(count) for word, count in Counter(words_of(example.second)).items()}


def pair_words(example: PairExample) -> dict[str, float]:
    second = {f"second {word}": count for word, count in hypothesis_words(example).items()}
    return {**second, **{word: float(count) for word, count in Counter(words_of(example.first)).items()}}


def overlap_and_length(example: PairExample) -> dict[str, float]:
    first, second = set(words_of(example.first)), set(words_of(example.second))
    shared = len(first & second)
    return {
        "jaccard": shared / len(first | second), "first": shared / len(first), "second": shared / len(second),
        "words": len(words_of(example.first)) / 10, "more": len(words_of(example.second)) / 10,
    }  # fmt: skip


def shortcut_accuracy(examples: list[PairExample], features: Features) -> float:
    """Points of a linear model on 600 held-out examples after 1,500."""
    matrix = DictVectorizer().fit_transform([features(example) for example in examples])
    labels = [example.label for example in examples]
    model = LogisticRegression(max_iter=300).fit(matrix[:1500], labels[:1500])
    return 100 * float(model.score(matrix[1500:], labels[1500:]))


def limit(task: TaskName) -> float:
    """Chance, two points and two standard errors of 600 items."""
    chance = TASKS[task].chance / 100
    return 100 * (chance + 0.02 + 2 * np.sqrt(chance * (1 - chance) / 600))


CASES = [
    *(("xnli", features, language) for features in (hypothesis_words, pair_words) for language in LANGUAGES),
    *(("pawsx", features, language) for features in (pair_words, overlap_and_length) for language in LANGUAGES),
]


@pytest.mark.parametrize(("task", "features", "language"), CASES)
def test_no_shortcut_solves_the_pairs(task: TaskName, features: Features, language: str) -> None:
    examples = [e for e in train_pairs(task)["train", language] if isinstance(e, PairExample)]
    assert shortcut_accuracy(examples, features) <= limit(task)


def test_overlap_and_length_say_little_about_inference() -> None:
    examples = [e for e in train_pairs("xnli")["train", "en"] if isinstance(e, PairExample)]
    assert shortcut_accuracy(examples, overlap_and_length) <= TASKS["xnli"].chance + 8


def test_a_planted_cue_is_found() -> None:
    examples = [e for e in train_pairs("xnli")["train", "en"] if isinstance(e, PairExample)]
    planted = [
        replace(e, second=e.second.replace("not ", "") if e.label == "entailment" else e.second) for e in examples
    ]
    assert shortcut_accuracy(planted, hypothesis_words) > limit("xnli")


# --- grammar --------------------------------------------------------------------------------------------


DOCTOR = Phrase("doctor", human=True, adjective="young")
STUDENT = Phrase("student", human=True, adjective="famous")
INES = Phrase("Ines Keller", "person", human=True)
SCHOOL = Phrase("school", adjective="old")
APPLE = Phrase("apple", definite=False)
STUDENTS = Phrase("student", human=True, count=3, adjective="tall")
GRAMMAR = [
    (
        Clause("buy", DOCTOR, APPLE, time="monday", place=Phrase("market"), negated=True, front=True),
        "On Monday, the young doctor did not buy an apple at the market.",
        "Am Montag kaufte der junge Arzt auf dem Markt keinen Apfel.",
        "El lunes el médico joven no compró ninguna manzana en el mercado.",
    ),
    (
        Clause("invite", INES, STUDENT, time="morning", negated=True),
        "Ines Keller did not invite the famous student in the morning.",
        "Ines Keller lud den berühmten Studenten am Morgen nicht ein.",
        "Ines Keller no invitó al estudiante famoso por la mañana.",
    ),
    (
        Clause("say", DOCTOR, link=("that", Clause("invite", STUDENTS, INES, place=Phrase("river")))),
        "The young doctor said that three tall students invited Ines Keller near the river.",
        "Der junge Arzt sagte, dass drei große Studenten Ines Keller am Fluss einluden.",
        "El médico joven dijo que tres estudiantes altos invitaron a Ines Keller junto al río.",
    ),
    (
        Clause("paint", STUDENTS, SCHOOL, passive=True, negated=True, place=Phrase("Rome", "place")),
        "The old school was not painted by three tall students in Rome.",
        "Die alte Schule wurde von drei großen Studenten nicht in Rom angestrichen.",
        "La escuela antigua no fue pintada por tres estudiantes altos en Roma.",
    ),
    (
        Clause("photograph", STUDENT, replace(DOCTOR, count=2), passive=True, time="march"),
        "Two young doctors were photographed by the famous student in March.",
        "Zwei junge Ärzte wurden im März vom berühmten Studenten fotografiert.",
        "Dos médicos jóvenes fueron fotografiados por el estudiante famoso en marzo.",
    ),
    (
        Clause("closed", replace(SCHOOL, relative=Clause("paint", INES, SCHOOL)), state=True, negated=True),
        "The old school that Ines Keller painted was not closed.",
        "Die alte Schule, die Ines Keller anstrich, war nicht geschlossen.",
        "La escuela antigua que Ines Keller pintó no estaba cerrada.",
    ),
    (
        Clause(
            "sing",
            replace(STUDENT, relative=Clause("invite", STUDENT, Phrase("Nokia", "organisation"))),
            link=("because", Clause("ill", INES, state=True)),
        ),
        "The famous student who invited Nokia sang because Ines Keller was ill.",
        "Der berühmte Student, der Nokia einlud, sang, weil Ines Keller krank war.",
        "El estudiante famoso que invitó a Nokia cantó porque Ines Keller estaba enferma.",
    ),
    (
        Clause("sleep", DOCTOR, place=Phrase("lake"), link=("and", Clause("sell", INES, replace(APPLE, count=5)))),
        "The young doctor slept near the lake and Ines Keller sold five apples.",
        "Der junge Arzt schlief am See und Ines Keller verkaufte fünf Äpfel.",
        "El médico joven durmió cerca del lago e Ines Keller vendió cinco manzanas.",
    ),
    (
        Clause("praise", INES, Phrase("Sony", "organisation"), passive=True, manner="reluctantly"),
        "Sony was reluctantly praised by Ines Keller.",
        "Sony wurde von Ines Keller widerwillig gelobt.",
        "Sony fue elogiada a regañadientes por Ines Keller.",
    ),
    (
        Clause("visit", DOCTOR, Phrase("Spain", "place"), time="yesterday", manner="secretly"),
        "The young doctor secretly visited Spain yesterday.",
        "Der junge Arzt besuchte gestern heimlich Spanien.",
        "El médico joven visitó secretamente España ayer.",
    ),
    (
        Clause("visit", DOCTOR, Phrase("Spain", "place"), time="yesterday", negated=True),
        "The young doctor did not visit Spain yesterday.",
        "Der junge Arzt besuchte Spanien gestern nicht.",
        "El médico joven no visitó España ayer.",
    ),
    (
        Clause("renovate", DOCTOR, Phrase("hotel", adjective="expensive"), time="noon", manner="hastily"),
        "The young doctor hastily renovated the expensive hotel at noon.",
        "Der junge Arzt renovierte das teure Hotel am Mittag hastig.",
        "El médico joven renovó apresuradamente el hotel caro al mediodía.",
    ),
]


@pytest.mark.parametrize(("clause", "en", "de", "es"), GRAMMAR)
def test_grammar(clause: Clause, en: str, de: str, es: str) -> None:
    assert [realiser(language).text(clause) for language in ("en", "de", "es")] == [en, de, es]


def test_snapshot_of_tagged_sentences() -> None:
    drawn = fragment_corpus("pos", SplitSizes(train=1, dev=1, test=10), LANGUAGES, 7)
    lines = [
        line
        for language in LANGUAGES
        for example in drawn["test", language]
        for line in (f"{language} {' '.join(example.words)}", f"   {' '.join(example.tags)}")
    ]
    assert lines == SNAPSHOT.splitlines()
