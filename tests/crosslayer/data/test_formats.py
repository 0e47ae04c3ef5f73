"""Known file formats: each read as its publishers mean it, and what is none of them or two of them refused."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterable
from functools import partial
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from crosslayer.cli import changed
from crosslayer.data import xtreme
from crosslayer.data.examples import SPLITS, PairExample, Reading, TagExample
from crosslayer.data.formats import FORMATS
from crosslayer.data.sources import languages_of
from crosslayer.errors import DataError
from crosslayer.stages.checking import check_data
from crosslayer.tasks import TASKS, TaskName
from data_files import FILES, NLI, TAGGED, download, read_corpus, read_data, read_parallel, spec, write
from one_line import said
from repository import ROOT


def read(folder: Path, task: TaskName, text: str, labels: str | None = None) -> Reading:
    """A file as the one format that it has."""
    write(folder / "data.tsv", text)
    if labels is not None:
        write(folder / "labels.tsv", labels)
    return read_data(folder, task)


@pytest.mark.parametrize("name", FILES)
def test_a_file_is_read_as_the_format_it_has(name: str, tmp_path: Path) -> None:
    task, text, labels, expected = FILES[name]
    reading = read(tmp_path, task, text, labels)
    assert reading.examples == expected
    assert read(tmp_path, task, "\ufeff" + text, labels).examples == expected, "a byte order mark is no text"


def test_every_known_format_is_tried_above(tmp_path: Path) -> None:
    found = {(task, read(tmp_path, task, text, labels).format) for task, text, labels, _ in FILES.values()}
    assert found == {(task, name) for task, formats in FORMATS.items() for name in formats}


@pytest.mark.parametrize(
    ("name", "left_out", "rows"),
    [("XNLI 1.0", {"no gold label": 1}, [0, 1, None]), ("MultiNLI 1.0", {"no gold label": 1}, [0, None, 1]),
     ("PAWS-X", {"not translated": 1}, [0, None, 1]), ("CoNLL-U", {}, [0, 1]),
     ("MasakhaNER with tabs and dates", {"DATE read as O": 1}, [0, 1])],
)  # fmt: skip
def test_what_is_left_out_or_changed_is_counted(
    name: str, left_out: dict[str, int], rows: list[int | None], tmp_path: Path
) -> None:
    task, text, labels, expected = FILES[name]
    reading = read(tmp_path, task, text, labels)
    assert reading.left_out == left_out
    assert reading.rows == [None if row is None else expected[row] for row in rows]


def test_a_text_may_be_the_mark_of_a_missing_label(tmp_path: Path) -> None:
    text = "sentence1\tsentence2\tgold_label\n-\tb\tneutral\n"
    assert read(tmp_path, "xnli", text, None).examples == [PairExample("1", "-", "b", "neutral")]


REFUSED: dict[str, tuple[TaskName, str, str | None, str]] = {
    "unknown header": ("xnli", "text_a\ttext_b\tlabel\na\tb\tneutral\n", None,
                       "data.tsv:1: no column premise among text_a, text_b, label; the nearest format is col"),
    "two formats": ("xnli", "premise\thypothesis\tlabel\tsentence1\tsentence2\tgold_label\n"
                    "a\tb\tneutral\ta\tb\tneutral\n", None,
                    "can be read as columns premise, hypothesis, label and as MultiNLI 1.0"),
    "a short row": ("xnli", "premise\thypothesis\tlabel\na\tb\tneutral\na\tneutral\n", None,
                    "data.tsv:3: 2 columns where 3 are expected; the nearest format is columns premise"),
    "a long row": ("xnli", "premise\thypothesis\tlabel\na\tb\tneutral\tc\n", None, ":2: 4 columns where 3"),
    "an unknown label": ("xnli", "a\tb\tneutral\nc\td\tmaybe\n", None,
                         ":2: unknown label 'maybe'; known: entailment, neutral, contradiction; the nearest "
                         "format is XTREME's download, of those known: columns premise, hypothesis, label; XNLI"),
    "an open quotation": ("pawsx", 'a\tb\t0\n"c\td\t1\n', None, "data.tsv:2: "),
    "an id twice": ("pawsx", "id\tsentence1\tsentence2\tlabel\n1\ta\tb\t0\n1\tc\td\t1\n", None,
                    ":3: id 1 appears twice"),
    "too few labels": ("xnli", "a\tb\nc\td\n", "neutral\n", "labels.tsv has 1 labels for the 2 rows of"),
    "an unknown label of a test": ("xnli", "a\tb\nc\td\n", "neutral\n\nmaybe\n",
                                   "labels.tsv:3: unknown label 'maybe'"),
    "an unknown tag of a test": ("ner", "Ada\nruht\n", "B-PER\nB-MISC\n", "labels.tsv:2: unknown tag 'B-MISC'"),
    "labels of another sentence": ("ner", "Ada\n\nin\nUlm\n", "O\n\nO\n",
                                   "labels.tsv: sentence 2 has 1 tags, and 2 words"),
    "a prefix in some lines": ("ner", "de:Ada\tB-PER\nruht\tO\n", None,
                               ":2: the word does not start with 'de:'; the nearest format is WikiANN"),
    "a prefix further down": ("ner", "Ada\tB-PER\nde:ruht\tO\n", None, ":2: the word starts with 'de:'; the"),
    "an unknown tag": ("ner", "Ada\tB-MISC\n", None, ":1: unknown tag 'B-MISC'; known: O, B-PER"),
    "tabs and spaces": ("ner", "Ada B-PER\nruht\tO\n", None, ":2: a tab; the nearest format is MasakhaNER"),
    "a treebank's word without tag": ("pos", "1\ta\ta\tNOUN" + "\t_" * 6 + "\n2\tb\tb" + "\t_" * 7 + "\n", None,
                                      ":2: unknown tag '_'"),
    "three columns of tags": ("pos", "a\tb\tNOUN\n", None, ":1: 3 columns where 2 are expected"),
    "nothing": ("pos", " \n\n", None, "data.tsv holds no example"),
    "only a header": ("xnli", "premise\thypothesis\tlabel\n", None, "holds no example of de"),
}  # fmt: skip


@pytest.mark.parametrize("name", REFUSED)
def test_what_has_no_known_format_or_two_is_refused(name: str, tmp_path: Path) -> None:
    task, text, labels, expected = REFUSED[name]
    assert expected in said(DataError, read, tmp_path, task, text, labels)


# Folders as they are published


def test_the_download_of_xtreme_is_read(tmp_path: Path) -> None:
    download(tmp_path)
    corpora = {task: read_corpus(task, spec(tmp_path)) for task in TASKS}
    expected = {
        "xnli": PairExample("5", "es p4", "es h4", "neutral"),
        "pawsx": PairExample("5", "es a4", "es b4", "0"),
        "ner": TagExample("4", ("es4", "ruht"), ("B-PER", "O")),
        "pos": TagExample("4", ("es4", "ruht"), ("NOUN", "VERB")),
    }
    for task, corpus in corpora.items():
        everywhere, in_training = ["en", "de", "es"], ["en", "de", "es"] if task == "ner" else ["en"]
        assert [languages_of(corpus, split) for split in SPLITS] == [in_training, everywhere, everywhere]
        assert corpus["test", "es"][4] == corpus["dev", "es"][4] == expected[task]
    pairs = [PairExample(str(i), f"satz {i}", f"sentence {i}") for i in range(24)]
    assert read_parallel(spec(tmp_path)) == {"de": pairs, "es": pairs}, "sorted English is put in order"


@pytest.mark.parametrize(
    ("task", "name"),
    [("xnli", "xnli"), ("pawsx", "pawsx"), ("ner", "panx"), ("pos", "udpos"), ("tatoeba", "tatoeba")],
)
def test_tests_without_labels_say_where_they_belong(task: str, name: str, tmp_path: Path) -> None:
    download(tmp_path)
    (tmp_path / f"labels/{name}/test-de.tsv").unlink()

    call = read_parallel if task == "tatoeba" else partial(xtreme.read_all, task)
    assert f"put them into {tmp_path}/labels/{name}/test-de.tsv, one a line" in said(
        DataError, call, spec(tmp_path)
    )


def test_xnli_and_multi_nli_as_published(tmp_path: Path) -> None:
    heads = [FILES[name][1].partition("\n")[0] + "\n" for name in ("XNLI 1.0", "MultiNLI 1.0")]
    rows = "".join(
        f"{code}\t{NLI[i % 3]}\t\t\t\t\t{code} p{i}\t{code} h{i}\t1\t{i + 1}\tletters\t\t\n"
        for code in ("ar", "en", "de") for i in range(4)
    )  # fmt: skip
    for split in ("dev", "test"):
        write(tmp_path / f"XNLI-1.0/xnli.{split}.tsv", heads[0] + rows)
    write(tmp_path / "XNLI-1.0/multinli_1.0/multinli_1.0_train.txt", heads[1] + "neutral\t\t\ta\tb\t1\t1n\tx\t\n")
    corpus = read_corpus("xnli", spec(tmp_path))
    assert set(corpus) == {
        ("train", "en"),
        *((split, code) for split in ("dev", "test") for code in ("ar", "en", "de")),
    }
    assert corpus["test", "ar"][3] == PairExample("4", "ar p3", "ar h3", "entailment")
    assert set(read_corpus("xnli", spec(tmp_path, languages=["de"]))) == {
        ("train", "en"), *((split, code) for split in ("dev", "test") for code in ("en", "de"))
    }  # fmt: skip


def test_an_empty_file_is_told_of(tmp_path: Path) -> None:
    write(tmp_path / "XNLI-1.0/xnli.test.tsv", "")
    [told] = [line for line in check_data(tmp_path) if "xnli.test.tsv" in line]
    assert told.startswith(f"  refused: {tmp_path}/XNLI-1.0/xnli.test.tsv")


def test_pawsx_as_published(tmp_path: Path) -> None:
    head = "id\tsentence1\tsentence2\tlabel\n"
    for code in ("en", "ja"):
        for name in ("train", "dev_2k", "test_2k") if code == "en" else ("translated_train", "dev_2k", "test_2k"):
            gap = "NS\tb\t0\n" if code == "ja" else "a\tb\t0\n"
            write(tmp_path / f"x-final/{code}/{name}.tsv", f"{head}1\t{gap}2\tc\td\t1\n")
    readings = xtreme.read_all("pawsx", spec(tmp_path))
    assert [row.item for row in readings["test", "ja"].examples] == ["2"]
    assert readings["test", "ja"].left_out == {"not translated": 1}
    assert ("train", "ja") not in readings


@pytest.mark.parametrize(
    "name", ["wikiann/{code}/{split}", "panx/{code}-{split}", "masakhaner/{code}/{split}.txt"]
)
def test_entities_as_published(name: str, tmp_path: Path) -> None:
    for code in ("en", "hau"):
        for split in ("train", "dev", "test"):
            write(tmp_path / name.format(code=code, split=split), "Ada B-PER\nruht O\n\n")
    corpus = read_corpus("ner", spec(tmp_path))
    assert {code for _, code in corpus} == {"en", "ha"}, "under the code that is used here"
    assert corpus["test", "ha"] == [TAGGED[0]]


def test_treebanks_of_one_language_are_read_together(tmp_path: Path) -> None:
    for treebank in ("gsd", "hdt"):
        for split in ("train", "dev", "test"):
            write(
                tmp_path / f"ud/UD_English-{treebank.upper()}/en_{treebank}-ud-{split}.conllu", FILES["CoNLL-U"][1]
            )
    found = read_corpus("pos", spec(tmp_path))["test", "en"]
    assert [row.item for row in found] == [f"en_{bank}-ud-test:{i}" for bank in ("gsd", "hdt") for i in (0, 1)]
    write(tmp_path / "ud/old/en_gsd-ud-test.conllu", FILES["CoNLL-U"][1])
    told = said(DataError, read_corpus, "pos", spec(tmp_path))
    assert "en_gsd-ud-test.conllu is there twice, in another folder too" in told


def test_sentences_of_a_treebank_without_its_texts_are_left_out(tmp_path: Path) -> None:
    hidden = "".join(f"{i}\t_\t_\tNOUN" + "\t_" * 6 + "\n" for i in (1, 2)) + "\n"
    for split in ("train", "dev", "test"):
        write(tmp_path / f"ud/en_esl-ud-{split}.conllu", hidden + FILES["CoNLL-U"][1])
        write(tmp_path / f"ud/en_pronouns-ud-{split}.conllu", hidden)
    reading = xtreme.read_all("pos", spec(tmp_path))["test", "en"]
    assert (reading.rows[0], reading.left_out) == (None, {"no text": 2})
    assert [row.item for row in reading.examples] == ["en_esl-ud-test:1", "en_esl-ud-test:2"]


def test_hidden_files_are_not_read(tmp_path: Path) -> None:
    download(tmp_path)
    write(tmp_path / "xnli/.ipynb_checkpoints/test-de-checkpoint.tsv", "a\tb\tneutral\n")
    assert "de-checkpoint" not in {code for _, code in read_corpus("xnli", spec(tmp_path))}


def test_two_files_of_one_split_are_refused(tmp_path: Path) -> None:
    download(tmp_path)
    write(tmp_path / "xnli/train-en.more.tsv", "a\tb\tneutral\n" * 3)
    told = said(DataError, read_corpus, "xnli", spec(tmp_path))
    assert "both hold train of en; choose with data.xnli_train" in told
    assert len(read_corpus("xnli", spec(tmp_path, xnli_train=["train-en.more"]))["train", "en"]) == 3
    told = said(DataError, read_corpus, "xnli", spec(tmp_path, xnli_train=["../x"]))
    assert "names '../x', but" in told
    write(tmp_path / "panx/de/test", "a\tO\n")
    assert "both hold test of de; remove one" in said(DataError, read_corpus, "ner", spec(tmp_path))
    (tmp_path / "ud").mkdir()
    assert "both hold pos" in said(DataError, read_corpus, "pos", spec(tmp_path))


def test_a_file_that_is_there_is_never_denied(tmp_path: Path) -> None:
    """Languages that no table knows."""
    download(tmp_path, ("de", "tlh", "gsw"))
    assert ("test", "tlh") in read_corpus("ner", spec(tmp_path))
    assert set(read_corpus("pos", spec(tmp_path, languages=["tlh"]))) == {
        ("train", "en"), ("dev", "en"), ("test", "en"), ("dev", "tlh"), ("test", "tlh")
    }  # fmt: skip
    assert "gsw" in read_parallel(spec(tmp_path))


def run_tiny(place: Path, tasks: Iterable[TaskName], *changes: str) -> None:
    """The tiny profile on files below ``data``, from these to trained models and probes."""
    training = (
        "{sizes: {train: 48, dev: 24, test: 24}, mode: frozen, epochs: 1, learning_rate: 0.01, batch_size: 16}"
    )
    settings = [f"tasks.{name}={training}" for name in tasks]
    settings += ["data.source=xtreme", f"data.root={place / 'data'}", "intermediate.targets=[]", "sweep.seeds=[0]"]
    text = changed(ROOT / "profiles" / "tiny.yaml", [*changes, *settings])
    (place / "params.yaml").write_text(text, encoding="utf-8")
    own = os.environ | {"PYTHONPATH": str(ROOT / "src")}
    for stage in ("prepare", "encoder", *(f"sweep {name}" for name in tasks), "probe"):
        name, *arguments = stage.split()
        command = [sys.executable, "-m", f"crosslayer.stages.{name}", "tiny", *arguments]
        ended = subprocess.run(command, cwd=place, env=own, capture_output=True, text=True, timeout=300)
        assert ended.returncode == 0, ended.stderr


@pytest.mark.slow
def test_the_four_tasks_run_from_the_download_of_xtreme(tmp_path: Path) -> None:
    download(tmp_path / "data", n=48)
    run_tiny(tmp_path, TASKS)
    trials = [
        json.loads(path.read_text(encoding="utf-8"))
        for path in tmp_path.glob("results/tiny/trials/*/*/*/trial.json")
    ]
    assert {trial["task"] for trial in trials} == set(TASKS)
    assert {trial["outcome"] for trial in trials} <= {"ok", "collapsed"}
    offsets = pq.read_table(tmp_path / "results" / "tiny" / "probes" / "retrieval.parquet").to_pandas()
    assert set(offsets["language"].astype(str)) == {"de", "es"}


@pytest.mark.slow
def test_one_task_runs_without_the_data_of_others(tmp_path: Path) -> None:
    for code in ("en", "hau"):
        for split in ("train", "dev", "test"):
            text = "".join(f"Ada{i} B-PER\nruht O\n\n" for i in range(48))
            write(tmp_path / f"data/masakhaner/{code}/{split}.txt", text)
    run_tiny(tmp_path, ["ner"], "tasks={}", "claims=[C04, C05]", "data.languages=[ha]")
    probes = tmp_path / "results" / "tiny" / "probes"
    assert {path.name for path in probes.iterdir()} == {"transfer.parquet", "structure.json"}


# Parallel sets


@pytest.fixture
def parallel(tmp_path: Path) -> Path:
    download(tmp_path)
    return tmp_path


def test_pairs_stay_pairs_beside_a_blank_line(tmp_path: Path) -> None:
    write(tmp_path / "tatoeba/tatoeba.deu-eng.deu", "eins\n\ndrei\n")
    write(tmp_path / "tatoeba/tatoeba.deu-eng.eng", "one\ntwo\nthree\n\n")
    found = xtreme.read_pairs(spec(tmp_path))["de"]
    assert found.examples == [PairExample("0", "eins", "one"), PairExample("2", "drei", "three")]
    assert found.left_out == {"a side is blank": 1}
    write(tmp_path / "tatoeba/de-en.en", "one\n")
    write(tmp_path / "tatoeba/de-en.de", "eins\n")
    write(tmp_path / "labels/tatoeba/test-de.tsv", "0\n")
    assert "both hold test of de; remove one" in said(DataError, xtreme.read_pairs, spec(tmp_path))


# What `crosslayer data check` says


def test_check_tells_what_is_there(parallel: Path) -> None:
    write(parallel / "panx/test-de.tsv", "Ada B-PER\n\nAda B-PER\n\n2021 B-DATE\n")
    lines = list(check_data(parallel))
    assert "  test  en   24 items (XTREME's download without labels)  contradiction 8 entailment 8 neutral 8  " \
        "5 to 6 characters  0 duplicates  24 also in training" in lines  # fmt: skip
    assert "  test  parallel: 24 items in all 3 languages" in lines
    assert "  test  de   3 items (MasakhaNER (word SPACE tag))  B-PER 2 O 1  1 to 1 words  1 duplicate  " \
        "1 left out or changed: DATE read as O  0 also in training" in lines  # fmt: skip
    assert "  de   24 items (XTREME's download)  6 to 11 characters  0 duplicates" in lines


def test_check_shows_the_other_files_beside_bad_ones(parallel: Path) -> None:
    pawsx = parallel / "pawsx"
    write(pawsx / "dev-es.tsv", "a\tb\t2\n")
    write(pawsx / "test-de.tsv", "a\tb\n" * 22)
    write(parallel / "labels/pawsx/test-de.tsv", "1\n" * 22)
    write(parallel / "panx/de/test", "Ada O\n")
    (parallel / "udpos/train-en.tsv").unlink()
    (parallel / "tatoeba/es-en.es").unlink()
    lines = list(check_data(parallel))
    starts = [line.split(" items ")[0].split(" pairs ")[0] for line in lines]
    assert {"  dev   de   24", "  test  es   24", "  train en   24"} <= set(starts[starts.index("PAWS-X") :])
    assert "  dev   parallel: 24 items in all 2 languages" in lines
    assert "  test  parallel: 24 items in all 2 languages" in lines
    assert starts.count("  test  es   24") == starts.count("  test  en   24") == len(TASKS)
    assert starts[-2] == "  de   24", "Tatoeba"
    found = [line.removeprefix("  refused: ").split(";")[0] for line in lines if line.startswith("  refused: ")]
    assert found == [
        f"{pawsx}/dev-es.tsv:1: unknown label '2'",
        f"{pawsx}/test-de.tsv is not parallel to English: their labels part at row 1, and 22 rows face 24",
        f"{parallel}/panx/de/test and {parallel}/panx/test-de.tsv both hold test of de",
        f"{parallel}/udpos has no train-en file",
        f"{parallel}/tatoeba/es-en.es is missing beside es-en.en",
    ]


def test_check_asks_for_no_task_that_has_no_folder(tmp_path: Path) -> None:
    for split in ("train", "dev", "test"):
        write(tmp_path / f"masakhaner/en/{split}.txt", "Ada B-PER\n\n")
    write(tmp_path / "masakhaner/hau/test.txt", "Ada B-PER\nruht O\n\n")
    lines = list(check_data(tmp_path))
    assert lines[0] == "NER"
    assert not [line for line in lines if "refused" in line or "Tatoeba" in line]
    for split in ("train", "dev", "test"):
        (tmp_path / f"masakhaner/en/{split}.txt").unlink()
    assert [line.split(";")[0] for line in check_data(tmp_path)] == [
        "NER",
        "  test  ha   1 items (MasakhaNER (word SPACE tag))  B-PER 1 O 1  2 to 2 words  0 duplicates",
        f"  refused: {tmp_path}/masakhaner has no dev-en or test-en or train-en file",
    ]


def test_check_names_files_whose_language_is_no_code(parallel: Path) -> None:
    for name in ("test-german.tsv", "test-QQ.tsv", "README.md"):
        write(parallel / "panx" / name, "Ada B-PER\n")
    [line] = [line for line in check_data(parallel) if line.startswith("  not read: ")]
    assert line == "  not read: test-QQ.tsv, test-german.tsv (the language is not a code such as de)"


def test_check_of_an_empty_directory(tmp_path: Path) -> None:
    assert "xnli" in said(DataError, lambda: list(check_data(tmp_path)))
