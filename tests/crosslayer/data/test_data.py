"""Examples on their way in: the XTREME reader, drawing, prepared files and the arms of intermediate training."""

import shutil
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crosslayer.config import Profile, SplitSizes, load_profile, parse_profile
from crosslayer.data import prepared
from crosslayer.data.alignment import align
from crosslayer.data.examples import Corpus, PairExample, Reading, TagExample, corpus_of
from crosslayer.data.intermediate import intermediate_corpus, normalised, round_robin, texts_of
from crosslayer.data.languages import CODES, LANGUAGES
from crosslayer.data.sources import cut, draw, languages_of, load_corpus, load_parallel, ranked, read_all
from crosslayer.errors import DataError
from crosslayer.tasks import TASK_NAMES, TASKS, TaskName
from data_files import download, read_corpus, read_parallel, spec, write
from one_line import said
from repository import ROOT

SHARED = ROOT / ".." / "shared" / "data" / "xtreme"


def lines(*rows: str) -> str:
    return "".join(f"{row}\n" for row in rows)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """XTREME's download, twelve items of each language."""
    download(tmp_path, ("de", "sw"), 12)
    return tmp_path


def profile(root: Path | None, items: int = 6, **data: object) -> Profile:
    """Two items of each split; of the fragment without a ``root``."""
    content = load_profile(ROOT / "profiles" / "tiny.yaml").model_dump(mode="json")
    source = {"source": "fragment"} if root is None else spec(root).model_dump()
    few = content["tasks"]["pos"] | {"sizes": {"train": 2, "dev": 2, "test": 2}}
    changes = {"data": source | data, "tasks": dict.fromkeys(TASK_NAMES, few), "claims": []}
    changes |= {"intermediate": {"items": items}, "probe": {"pairs": 2}}
    return parse_profile(content | changes, "test")


# The XTREME reader


def test_joins_the_training_files_that_are_named(root: Path) -> None:
    write(root / "xnli/train-en.other.tsv", "premise\thypothesis\tlabel\na\tb\tneutral\n")
    found = read_corpus("xnli", spec(root, xnli_train=["train-en", "train-en.other"]))["train", "en"]
    assert len(found) == 13
    assert found[0] == PairExample("train-en:1", "en p0", "en h0", "entailment")
    assert found[-1] == PairExample("train-en.other:1", "a", "b", "neutral")


def test_languages_restrict_and_english_stays(root: Path) -> None:
    corpus = read_corpus("ner", spec(root, languages=["sw"]))
    assert languages_of(corpus, "test") == languages_of(corpus, "train") == ["en", "sw"]
    assert list(read_parallel(spec(root, languages=["sw"]))) == ["sw"]
    assert [len(pairs) for pairs in load_parallel(profile(root)).values()] == [2, 2], "as many as probes take"


def test_only_claims_about_sentence_pairs_need_some(root: Path) -> None:
    chosen = profile(root, languages=["en"])
    asking = chosen.model_copy(update={"claims": ["C01", "C05"]})
    assert load_parallel(chosen) == {}
    told = said(DataError, load_parallel, asking)
    assert "no language of data.languages has sentence pairs with English, which C01 needs; add one, or" in told
    shutil.rmtree(root / "tatoeba")
    assert load_parallel(chosen) == {}
    assert f"{root}/tatoeba is missing or empty" in said(DataError, load_parallel, asking)


def test_a_bad_file_is_one_line_that_names_file_and_line(root: Path) -> None:
    (root / "udpos/dev-en.tsv").write_bytes(b"a\tX\n\xff\tX\n")
    assert "udpos/dev-en.tsv:2: not UTF-8" in said(DataError, read_corpus, "pos", spec(root))


def test_a_language_without_a_file(root: Path) -> None:
    told = said(DataError, read_corpus, "xnli", spec(root, languages=["de", "fr"]))
    assert f"{root}/xnli has no test file of fr" in told
    assert "data.languages" in told


def test_parallel_files_that_do_not_fit(root: Path) -> None:
    english, german = (root / f"tatoeba/de-en.{code}" for code in ("en", "de"))
    write(english, "one\n")
    assert f"{german} has 12 lines but {english.name} has 1" in said(DataError, read_parallel, spec(root))


@pytest.mark.skipif(not SHARED.is_dir(), reason="the XTREME files are not beside the repository")
@pytest.mark.parametrize("task", TASK_NAMES)
def test_reads_real_files(task: TaskName) -> None:
    corpus = read_corpus(task, spec(SHARED, xnli_train=["train-en.mnli"]))
    assert set(languages_of(corpus, "test")) == set(TASKS[task].languages) - ({"th"} if task == "ner" else set())
    assert len(languages_of(corpus, "test")) == {"xnli": 15, "pawsx": 7, "ner": 39, "pos": 33}[task]
    expected = {"xnli": (12988, 2490, 5010), "pawsx": (8592, 2000, 2000), "ner": (20000, 2000, 1000)}
    sizes = tuple(len(corpus[split, "en"]) for split in ("train", "dev", "test"))
    assert sizes == expected.get(task, (21787, 2000, 1000))
    assert {row.item for row in corpus["test", "en"]} >= {row.item for row in corpus["test", "de"]}


@pytest.mark.skipif(not SHARED.is_dir(), reason="the XTREME files are not beside the repository")
def test_reads_real_parallel_files() -> None:
    parallel = read_parallel(spec(SHARED))
    assert len(parallel) == 36
    assert max(map(len, parallel.values())) == 1000


# Languages

XTREME_R = (
    "af ar az bg bn de el en es et eu fa fi fr gu he hi ht hu id it ja jv ka kk ko lt ml mr ms my nl pa pl pt qu "
    "ro ru sw ta te th tl tr uk ur vi wo yo zh"
)
MASAKHANER = "am bbj bm ee fon ha ig lg luo mos ny pcm rw sn sw tn tw wo xh yo zu"


def test_the_languages_of_both_benchmarks_are_known() -> None:
    assert LANGUAGES.keys() == {*XTREME_R.split(), *MASAKHANER.split()}
    assert set(CODES.values()) == LANGUAGES.keys()
    assert {language.script for language in LANGUAGES.values()} <= set(
        "Arab Beng Cyrl Deva Ethi Geor Grek Gujr Guru Hani Hebr Jpan Kore Latn Mlym Mymr Taml Telu Thai".split()
    )


def test_languages_of_one_genus_are_of_one_family() -> None:
    """Creoles and pidgins are a genus in WALS only; here all have a lexifier of one family."""
    pairs = {(language.genus, language.family) for language in LANGUAGES.values()}
    assert len(pairs) == len({genus for genus, _ in pairs})


# Drawing

ITEMS = st.lists(st.text("abcdef", min_size=1, max_size=4), min_size=1, max_size=30, unique=True)
SEEDS = st.integers(0, 5)
FEW = settings(max_examples=40)


def pairs(items: list[str], language: str = "en") -> list[PairExample]:
    return [PairExample(item, f"{language} {item}", "x", "0") for item in items]


@FEW
@given(items=ITEMS, small=st.integers(0, 12), more=st.integers(0, 12), seed=SEEDS)
def test_draws_are_nested_in_their_size(items: list[str], small: int, more: int, seed: int) -> None:
    rows = pairs(items)
    few, many = draw(rows, small, seed, "test"), draw(rows, small + more, seed, "test")
    assert set(few) <= set(many) <= set(rows)
    assert (len(few), len(many)) == (min(small, len(rows)), min(small + more, len(rows)))
    assert few == [row for row in rows if row in few]


@FEW
@given(items=ITEMS, n=st.integers(0, 30), seed=SEEDS, data=st.data())
def test_draws_do_not_depend_on_the_order_of_the_file(
    items: list[str], n: int, seed: int, data: st.DataObject
) -> None:
    own, other = pairs(items), pairs(data.draw(st.permutations(items)))
    assert set(draw(own, n, seed, "s")) == set(draw(other, n, seed, "s"))
    assert ranked(own, seed, "s") == ranked(other, seed, "s")


def test_another_seed_or_split_draws_others() -> None:
    rows = pairs([str(i) for i in range(60)])
    first = draw(rows, 20, 0, "test")
    assert first == draw(rows, 20, 0, "test")
    assert first != draw(rows, 20, 1, "test")
    assert first != draw(rows, 20, 0, "dev")
    assert draw(rows, None, 0, "test") == rows
    assert set(ranked(rows, 0, "test")) == set(rows)
    assert ranked(rows, 0, "test") != rows


@FEW
@given(english=ITEMS, german=ITEMS, n=st.integers(1, 30), seed=SEEDS)
def test_joint_cuts_take_the_same_items_in_all_languages(
    english: list[str], german: list[str], n: int, seed: int
) -> None:
    german = [*german, english[0]] if english[0] not in german else german
    corpus: Corpus = {
        ("train", "en"): pairs(english),
        ("dev", "en"): pairs(english),
        ("test", "en"): pairs(english),
        ("test", "de"): pairs(german, "de"),
    }
    drawn = cut(corpus, SplitSizes(test=n), seed, joint=True)
    ordered = [row.item for row in drawn["test", "en"]]
    assert ordered == [row.item for row in drawn["test", "de"]], "in one order too"
    items = set(ordered)
    assert len(items) == min(n, len(set(english) & set(german)))
    assert drawn["train", "en"] == drawn["dev", "en"] == pairs(english)


def test_a_cut_of_nothing_is_an_error() -> None:
    empty: Corpus = {("dev", "en"): []}
    assert "dev split of en is empty" in said(DataError, lambda: cut(empty, SplitSizes(), 0, joint=False))
    unlike: Corpus = {("dev", "en"): pairs(["1"]), ("test", "en"): pairs(["1"]), ("test", "de"): pairs(["2"])}
    assert "test split of en is empty" in said(DataError, lambda: cut(unlike, SplitSizes(), 0, joint=True))


def test_a_trial_is_tested_on_the_same_pairs_but_other_sentences_in_each_language(root: Path) -> None:
    xnli, ner = (load_corpus(task, profile(root)) for task in ("xnli", "ner"))
    assert languages_of(ner, "train") == ["en"], "though there is more"
    assert languages_of(ner, "test") == ["en", "de", "sw"]
    assert {len(rows) for corpus in (xnli, ner) for rows in corpus.values()} <= {1, 2}
    drawn = [
        {tuple(row.item for row in corpus["test", code]) for code in ("en", "de", "sw")} for corpus in (xnli, ner)
    ]
    assert len(drawn[0]) == 1 < len(drawn[1])


def test_english_comes_first() -> None:
    corpus: Corpus = {("test", code): [] for code in ("zh", "ar", "en", "de")} | {("dev", "fr"): []}
    assert languages_of(corpus, "test") == ["en", "ar", "de", "zh"]
    assert languages_of(corpus, "train") == []


def test_the_fragment_keeps_to_the_languages_of_the_profile() -> None:
    chosen = profile(None, languages=["de"])
    assert languages_of(load_corpus("xnli", chosen), "test") == ["en", "de"]
    assert list(load_parallel(chosen)) == ["de"]


# Parallel sets without ids


def reading(labels: str, language: str = "en") -> Reading:
    return Reading("x", [PairExample(str(i), f"{language}{i}", "x", label) for i, label in enumerate(labels)])


@pytest.mark.parametrize(
    ("english", "german", "items"),
    [
        ("010011", "01011", "0145"),  # row 2 or 3 is lacking: which, the labels do not tell
        ("010101", "01101", "01345"),  # row 2 is lacking
        ("0110", "110", "123"),  # the first row is lacking
        ("0110", "011", "012"),  # the last row is lacking
        ("01100101", "011", "01"),  # rows 2 to 6 or 3 to 7 are lacking
    ],
)
def test_a_language_that_lacks_rows_keeps_the_english_numbers(english: str, german: str, items: str) -> None:
    align(own := reading(german, "de"), reading(english), "data")
    assert "".join(row.item for row in own.examples) == items
    for row in own.examples:
        assert english[int(row.item)] == row.label == german[int(row.first.removeprefix("de"))]


@pytest.mark.parametrize(
    ("english", "german", "expected"),
    [
        ("0110", "0111", "data is not parallel to English: their labels part at row 4, and 4 rows face 4"),
        ("0110", "01100", "their labels part at row 5, and 5 rows face 4"),
        ("0110", "000", "their labels part at row 2, and 3 rows face 4"),
        (
            "0000",
            "0",
            "data: the labels of its 1 rows fit more than one place among the 4 of English; leave",
        ),
    ],
)
def test_labels_that_do_not_follow_english_are_an_error(english: str, german: str, expected: str) -> None:
    assert expected in said(DataError, align, reading(german), reading(english), "data")


# Prepared files


def test_prepared_examples_come_back(root: Path, tmp_path: Path) -> None:
    parallel: Corpus = {("test", code): [*pairs] for code, pairs in read_parallel(spec(root)).items()}
    for corpus in (*(read_corpus(task, spec(root)) for task in TASK_NAMES), parallel, {}):
        prepared.write_corpus(corpus, tmp_path / "corpus.parquet")
        assert prepared.read_corpus(tmp_path / "corpus.parquet") == corpus


# Intermediate training


def arms(target: TaskName, chosen: Profile) -> tuple[list[str], dict[str, list[str]]]:
    """The items of the English arm, and those of the multilingual one by language."""
    english = intermediate_corpus(target, "english", chosen)
    mixed = intermediate_corpus(target, "multilingual", chosen)
    assert list(english) == [("train", "en")]
    assert {split for split, _ in mixed} == {"train"}
    by_language = {language: [row.item for row in rows] for (_, language), rows in mixed.items()}
    return [row.item for row in english["train", "en"]], by_language


@pytest.mark.parametrize("items", [3, 7, 12])
@pytest.mark.parametrize("target", ["ner", "pos", "xnli"])
def test_parallel_arms_hold_the_same_items(root: Path, target: TaskName, items: int) -> None:
    """Pairs of files, and sentences of the fragment."""
    chosen = profile(None, items, languages=["de", "es"]) if target == "xnli" else profile(root, items)
    english, mixed = arms(target, chosen)
    assert len(set(english)) == items
    assert sorted(english) == sorted(item for part in mixed.values() for item in part)
    assert set(mixed) == {"en", "de", "es" if target == "xnli" else "sw"}
    assert max(map(len, mixed.values())) - min(map(len, mixed.values())) <= 1
    for (_, language), rows in intermediate_corpus(target, "multilingual", chosen).items():
        assert target == "xnli" or {texts_of(row)[0].split()[0] for row in rows} == {language}


def test_arms_that_are_not_parallel_match_in_words(root: Path) -> None:
    """The other languages' sentences are a word longer; with enough to choose from, the totals are equal."""
    for language, extra in (("en", 0), ("de", 1), ("sw", 1)):
        sentences = [[f"{language}:{i}-{w}\tO" for w in range(2 + i % 6 + extra)] for i in range(40)]
        write(root / f"panx/train-{language}.tsv", lines(*(line for words in sentences for line in (*words, ""))))
    english, mixed = (intermediate_corpus("xnli", arm, profile(root, 9)) for arm in ("english", "multilingual"))
    rows = [[row for part in arm.values() for row in part] for arm in (english, mixed)]
    assert [len(part) for part in rows] == [9, 9]
    words = [sum(len(row.words) for row in part if isinstance(row, TagExample)) for part in rows]
    assert words[0] == words[1] > 0
    assert {language: len(part) for (_, language), part in mixed.items()} == {"de": 3, "en": 3, "sw": 3}


def test_a_language_with_few_sentences_gives_all_it_has(root: Path) -> None:
    write(root / "panx/train-sw.tsv", "sw:once\tO\n\nsw:twice\tO\n")
    _, mixed = arms("xnli", profile(root, 12))
    assert {language: len(part) for language, part in mixed.items()} == {"de": 5, "en": 5, "sw": 2}


@given(st.lists(st.integers(0, 20), min_size=1, max_size=6), st.integers(0, 40))
def test_round_robin_deals_all_and_stays_even(sizes: list[int], n: int) -> None:
    capacity = {str(i): size for i, size in enumerate(sizes)}
    n = min(n, sum(sizes))
    shares = round_robin(capacity, n)
    assert sum(shares.values()) == n
    assert all(shares[name] <= capacity[name] for name in capacity)
    open_ones = [shares[name] for name in capacity if shares[name] < capacity[name]]
    assert not open_ones or max(shares.values()) <= min(open_ones) + 1


@pytest.mark.parametrize(("target", "test_file"), [("pos", "udpos/test-de.tsv"), ("xnli", "xnli/test-de.tsv")])
def test_no_text_of_the_targets_test_sets_is_trained_on(root: Path, target: TaskName, test_file: str) -> None:
    """A training text planted in a test set, written otherwise: neither arm has it, in no language."""
    chosen = profile(root, 4)
    victim = intermediate_corpus(target, "english", chosen)["train", "en"][0]
    text = texts_of(victim)[0]
    written = f"{text.upper()} !"
    for path in (root / test_file).parent.glob("test-*" if target == "xnli" else Path(test_file).name):
        rows = [f"{word}\tNOUN" for word in written.split()] if target == "pos" else [f"{written}\tx\tneutral"]
        write(path, lines(*rows))  # pairs are parallel, so that all languages get one
    tested = corpus_of(read_all(target, chosen, SplitSizes()))
    held_out = {normalised(t) for (s, _), rows in tested.items() if s == "test" for r in rows for t in texts_of(r)}
    assert normalised(text) in held_out
    for arm in ("english", "multilingual"):
        rows = [row for part in intermediate_corpus(target, arm, chosen).values() for row in part]
        assert len(rows) == 4
        assert victim.item not in {row.item for row in rows}
        assert not held_out & {normalised(t) for row in rows for t in texts_of(row)}


def test_texts_are_compared_without_case_width_space_and_marks() -> None:
    assert normalised("\uff21 b-\u00c7,\u3000\u6f22 1!") == normalised("ABc\u0327\u6f221") == "ab\u00e7\u6f221"


def test_smaller_arms_are_nested_and_the_seed_says_which_items(root: Path) -> None:
    few = set(arms("ner", profile(root, 4))[0])
    assert few < set(arms("ner", profile(root, 9))[0])
    assert few != set(arms("ner", profile(root, 4, draw_seed=1))[0])


def test_too_many_items_or_too_few_languages(root: Path) -> None:
    many = profile(root, 13)
    told = said(DataError, intermediate_corpus, "ner", "english", many)
    assert "intermediate.items 13 is more than the 12 items of xnli" in told
    assert "12 items of xnli" in said(DataError, intermediate_corpus, "pos", "multilingual", many)
    alone = profile(root, languages=["en"])
    assert "more than one language" in said(DataError, intermediate_corpus, "xnli", "multilingual", alone)
