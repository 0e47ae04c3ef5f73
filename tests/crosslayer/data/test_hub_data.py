"""The hub reader on data sets with the real columns and features, without a network."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from datasets import ClassLabel, Dataset, Features, Sequence, Value

from crosslayer.config import DataSpec, load_profile
from crosslayer.data import hub
from crosslayer.data.examples import Corpus, PairExample, TagExample, corpus_of
from crosslayer.data.hubfiles import HubError
from crosslayer.data.languages import LANGUAGES
from crosslayer.data.sources import languages_of
from crosslayer.errors import DataError
from crosslayer.tasks import TASKS, TaskName
from repository import ROOT

NER = ["O", "B-PER", "I-PER", "B-ORG", "I-ORG", "B-LOC", "I-LOC"]
UPOS = "ADJ ADP ADV AUX CCONJ DET INTJ NOUN NUM PART PRON PROPN PUNCT SCONJ SYM VERB X".split()
NLI = ["entailment", "neutral", "contradiction"]
REVISIONS = {"google/xtreme": "a" * 40, "nyu-mll/multi_nli": "b" * 40}
TEXT = Value("string")


def table(features: dict[str, Any], **columns: list[Any]) -> Dataset:
    return Dataset.from_dict(columns, features=Features(features))


def multi_nli(labels: list[int]) -> Dataset:
    texts = {"premise": [f"p{i}" for i in range(len(labels))], "hypothesis": [f"h{i}" for i in range(len(labels))]}
    features = {"premise": TEXT, "hypothesis": TEXT, "label": ClassLabel(names=NLI), "genre": TEXT}
    return table(features, **texts, label=labels, genre=["fiction"] * len(labels))


def xnli(rows: list[tuple[str, str]]) -> Dataset:
    """One table of all languages; a sentence carries its language and its number in the table."""
    codes, labels = ([row[i] for row in rows] for i in (0, 1))
    features = dict.fromkeys(["language", "sentence1", "sentence2", "gold_label"], TEXT)
    first, second = ([f"{code} {letter}{i}" for i, code in enumerate(codes)] for letter in "ph")
    return table(features, language=codes, sentence1=first, sentence2=second, gold_label=labels)


def paws(language: str, labels: str) -> Dataset:
    features = dict.fromkeys(["sentence1", "sentence2", "label"], TEXT)
    first, second = ([f"{language} {letter}{i}" for i in range(len(labels))] for letter in "ab")
    return table(features, sentence1=first, sentence2=second, label=list(labels))


def tagged(column: str, names: list[str], tokens: list[list[str]], tags: list[list[int]]) -> Dataset:
    features = {"tokens": Sequence(TEXT), column: Sequence(ClassLabel(names=names))}
    return table(features, tokens=tokens, **{column: tags})


def tatoeba(pairs: list[tuple[str, str]]) -> Dataset:
    features = dict.fromkeys(["source_sentence", "target_sentence", "source_lang", "target_lang"], TEXT)
    n = len(pairs)
    texts = {"source_sentence": [own for own, _ in pairs], "target_sentence": [english for _, english in pairs]}
    return table(features, **texts, source_lang=["x"] * n, target_lang=["eng"] * n)


class Hub:
    """Stands in for `load_split`; a wrong pin is an error."""

    def __init__(self) -> None:
        self.tables: dict[hub.Source, Dataset] = {}
        self.asked: list[hub.Source] = []

    def __call__(self, source: hub.Source, revision: str) -> Dataset:
        assert revision == REVISIONS[source[0]]
        self.asked.append(source)
        if source not in self.tables:
            raise HubError("https://hub cannot be reached")
        return self.tables[source]

    def put(self, config: str, **splits: Dataset) -> None:
        for split, rows in splits.items():
            self.tables["nyu-mll/multi_nli" if config == "default" else "google/xtreme", config, split] = rows  # type: ignore[index]


@pytest.fixture
def fake(monkeypatch: pytest.MonkeyPatch) -> Hub:
    """A hub with a few rows of each task in English and German, and more languages where a test needs them."""
    stand_in = Hub()
    monkeypatch.setattr(hub, "load_split", stand_in)
    ner = tagged("ner_tags", NER, [["Ada", "Byron"], ["in", "Rome"]], [[1, 2], [0, 5]])
    pos = tagged("pos_tags", UPOS, [["Go", "!"]], [[15, 12]])
    stand_in.put("default", train=multi_nli([2, -1, 0]))
    rows = [("de", NLI[0]), ("en", NLI[0]), ("de", NLI[2]), ("en", NLI[2]), ("fr", NLI[0])]
    stand_in.put("XNLI", dev=xnli(rows), test=xnli(rows[:2]))
    for code in ("en", "de"):
        stand_in.put(f"PAWS-X.{code}", train=paws(code, "01"), dev=paws(code, "1"), test=paws(code, "0110"))
        stand_in.put(f"PAN-X.{code}", train=ner, dev=ner, test=ner)
        stand_in.put(f"udpos.{LANGUAGES[code].name}", train=pos, dev=pos, test=pos)
    stand_in.put("tatoeba.deu", dev=tatoeba([("eins\n", "one\n"), ("zwei\n", "two\n")]))
    return stand_in


def read_corpus(name: TaskName, data: DataSpec) -> Corpus:
    return corpus_of(hub.read_all(name, data))


def spec(*languages: str, revisions: dict[str, str] = REVISIONS) -> DataSpec:
    return DataSpec(source="hub", languages=list(languages), revisions=revisions)


def message(call: Callable[[], object]) -> str:
    with pytest.raises(DataError) as caught:
        call()
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_nli_is_told_apart_by_language_and_trained_on_multi_nli(fake: Hub) -> None:
    corpus = read_corpus("xnli", spec("de"))
    assert corpus == {
        ("train", "en"): [
            PairExample("0", "p0", "h0", "contradiction"),
            PairExample("2", "p2", "h2", "entailment"),
        ],
        ("dev", "en"): [
            PairExample("0", "en p1", "en h1", "entailment"),
            PairExample("1", "en p3", "en h3", "contradiction"),
        ],
        ("dev", "de"): [
            PairExample("0", "de p0", "de h0", "entailment"),
            PairExample("1", "de p2", "de h2", "contradiction"),
        ],
        ("test", "en"): [PairExample("0", "en p1", "en h1", "entailment")],
        ("test", "de"): [PairExample("0", "de p0", "de h0", "entailment")],
    }
    assert len(fake.asked) == 3


def test_paraphrases_are_numbered_by_row(fake: Hub) -> None:
    corpus = read_corpus("pawsx", spec("de"))
    assert {key: len(rows) for key, rows in corpus.items()} == {
        ("train", "en"): 2, ("dev", "en"): 1, ("test", "en"): 4, ("test", "de"): 4,
    }  # fmt: skip
    assert corpus["test", "de"][2] == PairExample("2", "de a2", "de b2", "1")


@pytest.mark.parametrize(
    ("english", "german", "items"),
    [
        ("010011", "01011", ["0", "1", "4", "5"]),  # row 2 or 3 is lacking: which, the labels do not tell
        ("010101", "01101", ["0", "1", "3", "4", "5"]),  # row 2 is lacking
        ("0110", "110", ["1", "2", "3"]),  # the first row is lacking
        ("0110", "011", ["0", "1", "2"]),  # the last row is lacking
        ("01100101", "011", ["0", "1"]),  # rows 2 to 6 or 3 to 7 are lacking
    ],
)
def test_a_language_that_lacks_rows_keeps_the_english_numbers(
    fake: Hub, english: str, german: str, items: list[str]
) -> None:
    fake.put("PAWS-X.en", test=paws("en", english))
    fake.put("PAWS-X.de", test=paws("de", german))
    rows = read_corpus("pawsx", spec("de"))["test", "de"]
    assert [row.item for row in rows] == items
    for row in rows:
        assert isinstance(row, PairExample)
        assert english[int(row.item)] == row.label == german[int(row.first.removeprefix("de a"))]


def test_only_what_is_asked_for_is_read(fake: Hub) -> None:
    fake.put("PAWS-X.de", test=paws("de", "010"))
    found = hub.read_all("pawsx", spec("de"), {("test", "de")})
    assert fake.asked == [("google/xtreme", "PAWS-X.en", "test"), ("google/xtreme", "PAWS-X.de", "test")]
    german = found["test", "de"]
    assert (german.n_rows, german.row_of) == (3, {"0": 0, "3": 2}), "the labels leave open which row 1 faces"
    assert sum(german.left_out.values()) == 1
    assert hub.read_all("ner", spec("de"), {("test", "de")}).keys() == {("test", "de")}


@pytest.mark.parametrize(("german", "row"), [("0111", 3), ("01100", 4), ("000", 1)])
def test_labels_that_do_not_follow_english_are_an_error(fake: Hub, german: str, row: int) -> None:
    fake.put("PAWS-X.de", test=paws("de", german))
    told = message(lambda: read_corpus("pawsx", spec("de")))
    assert "google/xtreme PAWS-X.de test de is not parallel to English" in told
    assert f"their labels part at row {row + 1}" in told


def test_tags_are_read_by_the_names_of_the_feature(fake: Hub) -> None:
    ner = read_corpus("ner", spec("de"))
    assert set(ner) == {("train", "en"), ("train", "de"), ("dev", "en"), ("test", "en"), ("test", "de")}
    assert ner["test", "de"] == [
        TagExample("0", ("Ada", "Byron"), ("B-PER", "I-PER")),
        TagExample("1", ("in", "Rome"), ("O", "B-LOC")),
    ]
    shuffled = ["VERB", "PUNCT", *(tag for tag in UPOS if tag not in ("VERB", "PUNCT"))]
    fake.put("udpos.German", test=tagged("pos_tags", shuffled, [["Los", "!"]], [[0, 1]]))
    pos = read_corpus("pos", spec("de"))
    assert set(pos) == {("train", "en"), ("dev", "en"), ("test", "en"), ("test", "de")}
    assert pos["test", "de"] == [TagExample("0", ("Los", "!"), ("VERB", "PUNCT"))]
    assert pos["test", "en"] == [TagExample("0", ("Go", "!"), ("VERB", "PUNCT"))]


@pytest.mark.parametrize("task", ["ner", "pos"])
def test_without_a_choice_all_languages_are_read(fake: Hub, task: TaskName) -> None:
    chosen = DataSpec(source="hub", revisions=REVISIONS)
    tables = {"ner": ("PAN-X.en", "train"), "pos": ("udpos.English", "test")}
    any_table = fake.tables["google/xtreme", *tables[task]]
    names = {"ner": [f"PAN-X.{code}" for code in TASKS["ner"].languages]}
    names["pos"] = [f"udpos.{LANGUAGES[code].name}" for code in TASKS["pos"].languages]
    for name in names[task]:
        fake.put(name, train=any_table, test=any_table)
    assert sorted(languages_of(read_corpus(task, chosen), "test")) == sorted(TASKS[task].languages)


def test_parallel_sentences(fake: Hub) -> None:
    fake.put("tatoeba.deu", dev=tatoeba([("eins\n", "one\n"), ("zwei\n", "two\n"), ("\n", "three\n")]))
    assert hub.read_parallel(spec("de", "pl")) == {"de": [("0", "eins", "one"), ("1", "zwei", "two")]}
    assert fake.asked == [("google/xtreme", "tatoeba.deu", "dev")]


@pytest.mark.parametrize(
    ("task", "config", "rows", "expected"),
    [
        ("pawsx", "PAWS-X.de", paws("de", "02"), "google/xtreme PAWS-X.de test de row 1: unknown label '2'"),
        (
            "xnli",
            "XNLI",
            xnli([("en", NLI[0]), ("de", "-")]),
            "google/xtreme XNLI test de row 0: unknown label '-'",
        ),
        (
            "ner",
            "PAN-X.de",
            tagged("ner_tags", ["O", "B-MISC"], [["a"], ["b"]], [[0], [1]]),
            "google/xtreme PAN-X.de test de row 1: unknown tag 'B-MISC'",
        ),
        (
            "pos",
            "udpos.German",
            tagged("pos_tags", UPOS, [["a", "b"]], [[0]]),
            "google/xtreme udpos.German test de row 0: 2 words but 1 tags",
        ),
        (
            "pos",
            "udpos.German",
            tagged("upos", UPOS, [["a"]], [[0]]),
            "Column 'pos_tags' doesn't exist.; its columns are tokens, upos",
        ),
        ("pos", "udpos.German", tagged("pos_tags", UPOS, [], []), "google/xtreme udpos.German test de has no row"),
        ("xnli", "XNLI", xnli([("en", NLI[0])]), "google/xtreme XNLI test de has no row"),
    ],
)
def test_a_bad_row_is_one_line_that_names_it(
    fake: Hub, task: TaskName, config: str, rows: Dataset, expected: str
) -> None:
    fake.put(config, test=rows)
    assert expected in message(lambda: read_corpus(task, spec("de")))


def test_a_class_without_a_name_is_an_error(fake: Hub) -> None:
    numbers = {"premise": TEXT, "hypothesis": TEXT, "label": Value("int64")}
    fake.put("default", train=table(numbers, premise=["a"], hypothesis=["b"], label=[1]))
    told = message(lambda: read_corpus("xnli", spec("de")))
    assert "nyu-mll/multi_nli default train en row 0: unknown label 1" in told


@pytest.mark.parametrize("name", ["google/xtreme", "nyu-mll/multi_nli"])
def test_a_data_set_without_a_pin_is_never_asked_for(fake: Hub, name: str) -> None:
    pins = {other: pin for other, pin in REVISIONS.items() if other != name}
    told = message(lambda: read_corpus("xnli", spec("de", revisions=pins)))
    assert f"data.revisions has no commit of {name} but None; pin" in told
    assert name not in {path for path, _, _ in fake.asked}


@pytest.mark.parametrize("revision", ["main", "v1.0", "A" * 40, "a" * 39])
def test_a_pin_is_a_whole_commit(fake: Hub, revision: str) -> None:
    pins = REVISIONS | {"google/xtreme": revision}
    told = message(lambda: hub.read_parallel(spec("de", revisions=pins)))
    assert f"data.revisions has no commit of google/xtreme but {revision!r}; pin one by its 40 digits" in told
    assert fake.asked == []


@pytest.mark.parametrize("task", TASKS)
def test_what_is_read_is_known_beforehand(fake: Hub, task: TaskName) -> None:
    read_corpus(task, spec("de"))
    hub.read_parallel(spec("de"))
    expected = hub.files([task], spec("de"))
    read = {name: ["README.md"] for name, _, _ in fake.asked}
    for name, config, split in fake.asked:
        folder = "data" if config == "default" else config
        read[name].append(f"{folder}/{split.replace('dev', 'validation')}-*.parquet")
    assert expected == read


def test_the_papers_profile_pins_all_that_it_reads() -> None:
    profile = load_profile(ROOT / "profiles" / "paper.yaml")
    for name in hub.files(profile.tasks, profile.data):
        assert hub.pinned(profile.data, name)


CARD = "---\ndataset_info:\n- config_name: XNLI\n  features: [{name: language, dtype: string}]\n---\n"


@pytest.mark.parametrize(
    ("files", "card", "words"),
    [
        ({}, CARD, "XNLI/test-*.parquet cannot be read"),
        (
            {"test-00000-of-00001.parquet": b"no Parquet"},
            CARD,
            "XNLI/test-*.parquet cannot be read (ArrowInvalid)",
        ),
        ({}, CARD.replace("XNLI", "XNLI: ["), "XNLI/test-*.parquet cannot be read"),
        ({}, CARD.replace("dtype: string", "dtype: 3"), "XNLI/test-*.parquet cannot be read"),
    ],
)
def test_what_a_repository_may_lack(
    files: dict[str, bytes], card: str, words: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "XNLI").mkdir()
    (tmp_path / "README.md").write_text(card)
    for name, content in files.items():
        (tmp_path / "XNLI" / name).write_bytes(content)
    monkeypatch.setattr(hub, "fetch", lambda *_: tmp_path)
    told = message(lambda: read_corpus("xnli", spec("de", revisions=REVISIONS | {"nyu-mll/multi_nli": "a" * 40})))
    assert told.startswith("cannot load nyu-mll/multi_nli default train")
    with pytest.raises(HubError) as caught:
        hub.load_split(("google/xtreme", "XNLI", "test"), "a" * 40)
    assert words in str(caught.value)


@pytest.mark.parametrize("texts", [[None], [3], [["a"]]])
def test_rows_are_texts(texts: list[Any], fake: Hub) -> None:
    rows = Dataset.from_dict({"source_sentence": texts, "target_sentence": ["x"]})
    fake.put("tatoeba.deu", dev=rows)
    assert "is no text" in message(lambda: hub.read_parallel(spec("de")))


def test_a_hub_that_does_not_answer(fake: Hub) -> None:
    fake.tables.clear()
    for call in (lambda: read_corpus("ner", spec("de")), lambda: hub.read_parallel(spec("de"))):
        told = message(call)
        assert f"at {'a' * 40}: https://hub cannot be reached; " in told
        assert all(way in told for way in ("network", "data.revisions", "data.root"))


def test_a_language_that_the_task_does_not_have(fake: Hub) -> None:
    told = message(lambda: read_corpus("pawsx", spec("de", "sw")))
    assert "no pawsx in sw; drop sw from data.languages" in told
    assert fake.asked == []
