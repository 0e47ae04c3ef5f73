"""Predictions of data files as published, which have more rows than those that count."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from crosslayer.config import DataSpec, Profile, SplitSizes, load_profile
from crosslayer.errors import DataError
from crosslayer.ingest.manifest import read_manifest
from crosslayer.ingest.run import IngestedRun, load_run
from data_files import write
from one_line import said
from repository import ROOT

PAWS = "id\tsentence1\tsentence2\tlabel\n"


def profile(root: Path, size: int | None = None) -> Profile:
    """Whole test sets below ``root``, or a number of items drawn from them."""
    paper = load_profile(ROOT / "profiles" / "paper.yaml")
    tasks = {name: task.model_copy(update={"sizes": SplitSizes(test=size)}) for name, task in paper.tasks.items()}
    return paper.model_copy(update={"data": DataSpec(source="xtreme", root=str(root)), "tasks": tasks})


def predictions(folder: Path, task: str, labels: dict[str, Sequence[str]]) -> Path:
    """Test predictions of one trial, a text a pair or sentence."""
    rows = ["file,task,language,split,model,seed,encoder"]
    for code, items in labels.items():
        write(folder / f"{code}.txt", ("\n\n" if task in ("ner", "pos") else "\n").join(items) + "\n")
        rows.append(f"{code}.txt,{task},{code},test,baseline,0,mBERT")
    write(folder / "trials.csv", "\n".join(rows))
    return folder


def ingested(folder: Path, profile: Profile) -> IngestedRun:
    return load_run(folder, read_manifest(folder), "mine", profile)


def answers(run: IngestedRun) -> dict[tuple[str, str], tuple[int, int]]:
    """Gold and predicted label id by language and item, of a sentence those of its first word."""
    table = run.table(run.trials, "test")
    return {
        (table.languages[table.language[row]], str(table.item[row])):
        (int(table.gold[row]), int(table.predicted[0][row]))
        for row in (table.position == 0).nonzero()[0]
    }  # fmt: skip


def test_of_dev_predictions_only_the_english_ones_count(tmp_path: Path) -> None:
    """They choose a layer and a temperature; others would make the transfer no longer zero-shot."""
    rows = ["file,task,language,split,model,seed,encoder"]
    for split, code in (("dev", "en"), ("dev", "de"), ("test", "en"), ("test", "de")):
        write(tmp_path / f"xnli/{split}-{code}.tsv", "a\tb\tneutral\nc\td\tentailment\n")
        write(tmp_path / f"{split}-{code}.txt", "neutral\nneutral\n")
        rows.append(f"{split}-{code}.txt,xnli,{code},{split},baseline,0,mBERT")
    write(tmp_path / "trials.csv", "\n".join(rows))
    run = ingested(tmp_path, profile(tmp_path))
    assert [run.table(run.trials, split).languages for split in ("dev", "test")] == [("en",), ("en", "de")]


@pytest.fixture
def pawsx(tmp_path: Path) -> Path:
    """Five pairs as published; item 2 is not translated into German, item 4 is missing in Korean."""
    english = [f"{i}\ta{i}\tb{i}\t{i % 2}" for i in range(1, 6)]
    german = [line.replace("a2", "NS") for line in english]
    for code, rows in {"en": english, "de": german, "ko": [*english[:3], english[4]]}.items():
        write(tmp_path / f"x-final/{code}/test_2k.tsv", PAWS + "\n".join(rows) + "\n")
    return tmp_path


COUNTED = {"en": "101", "de": "010", "ko": "001"}
"""Made predictions of items 1, 3 and 5."""


@pytest.mark.parametrize(
    "files",
    [
        {"en": "1x0x1", "de": "0x1x0", "ko": "0x01"},
        {"en": "101", "de": "010", "ko": "001"},
        {"en": "1x0x1", "de": "010", "ko": "0x01"},
        {"en": "1x0x1", "de": "01x0", "ko": "0x01"},
    ],
    ids=["all rows", "those that count", "mixed", "without what is not translated"],
)
@pytest.mark.parametrize("other", "01")
def test_pairs_are_chosen_by_their_rows(files: dict[str, str], other: str, pawsx: Path) -> None:
    folder = predictions(pawsx / "mine", "pawsx", {code: row.replace("x", other) for code, row in files.items()})
    gold = dict(zip("135", (1, 1, 1), strict=True))
    assert answers(ingested(folder, profile(pawsx))) == {
        (code, item): (gold[item], int(label))
        for code, row in COUNTED.items() for item, label in zip("135", row, strict=True)
    }  # fmt: skip


def test_other_numbers_of_rows_are_refused_with_those_that_fit(pawsx: Path) -> None:
    folder = predictions(pawsx / "mine", "pawsx", {"en": "10101", "de": "01", "ko": "001"})
    assert f"{folder}/de.txt: 2 pairs where the data have 5 or 4 or 3;" in said(
        DataError, ingested, folder, profile(pawsx)
    )


def test_only_the_languages_of_the_manifest_share_their_pairs(pawsx: Path) -> None:
    folder = predictions(pawsx / "mine", "pawsx", {"en": "10101", "ko": "1001"})
    write(pawsx / "x-final/de/test_2k.tsv", "no table")
    assert {item for _, item in answers(ingested(folder, profile(pawsx)))} == {"1", "2", "3", "5"}


def test_training_files_are_not_asked_for(tmp_path: Path) -> None:
    for name in ("train-en.mnli", "train-en.lingnli", "test-en"):
        write(tmp_path / f"xnli/{name}.tsv", "premise\thypothesis\tlabel\na\tb\tneutral\n")
    folder = predictions(tmp_path / "mine", "xnli", {"en": ["contradiction"]})
    assert answers(ingested(folder, profile(tmp_path))) == {("en", "1"): (1, 2)}


def test_rows_whose_labels_leave_their_place_open_are_passed_over(tmp_path: Path) -> None:
    """German lost one of the two neighbours with the same label."""
    gold = ["0", "1", "1", "0"]
    for code, rows in {"en": gold, "de": ["0", "1", "0"]}.items():
        write(tmp_path / f"pawsx/test-{code}.tsv", "".join(f"a\tb\t{label}\n" for label in rows))
    folder = predictions(tmp_path / "mine", "pawsx", {"en": "0110", "de": "101"})
    assert answers(ingested(folder, profile(tmp_path))) == {
        ("en", "1"): (0, 0), ("en", "4"): (0, 0), ("de", "1"): (0, 1), ("de", "4"): (0, 1)
    }  # fmt: skip


def test_sentences_are_drawn_from_predictions_of_all(tmp_path: Path) -> None:
    """Files of MasakhaNER's layout with tests only: nothing that is not predicted is asked for."""
    text = "".join(f"Ada{i} {tag}\nruht O\n\n" for i, tag in enumerate(["B-PER", "O", "B-ORG", "B-DATE"]))
    for code in ("en", "hau"):
        write(tmp_path / f"masakhaner/{code}/test.txt", text)
    tags = ["B-ORG\nO", "O\nO", "B-LOC\nO", "B-DATE\nO"]
    folder = predictions(tmp_path / "mine", "ner", {"en": tags, "ha": tags})
    whole = answers(ingested(folder, profile(tmp_path)))
    assert [whole["ha", item] for item in "0123"] == [(1, 3), (0, 0), (3, 5), (0, 0)]
    drawn = answers(ingested(folder, profile(tmp_path, size=2)))
    assert sorted(code for code, _ in drawn) == ["en", "en", "ha", "ha"]
    assert drawn.items() <= whole.items()
