"""Scores without items become literature, whatever program wrote them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from ruamel.yaml import YAML

from claimtrack.errors import UserError
from crosslayer.ingest.aggregates import as_literature, read_aggregates

TRAINER = {"epoch": 3.0, "eval_accuracy": 0.6512, "eval_runtime": 12.5, "eval_samples_per_second": 99.0}
HARNESS = {"results": {"xnli_de": {"acc,none": 0.48, "acc_stderr,none": 0.01, "alias": "xnli_de"}}, "config": {}}
TABLE = "model,de,fr\nmBERT,66.5,67.1\n\nD_8,,68\n"


@pytest.mark.parametrize(
    ("name", "content", "expected"),
    [
        ("all_results.json", json.dumps(TRAINER), [("all_results: eval accuracy", 0.6512)]),
        ("results.json", json.dumps(HARNESS), [("results: xnli_de acc", 0.48)]),
        ("t.csv", TABLE, [("t: mBERT, de", 66.5), ("t: mBERT, fr", 67.1), ("t: D_8, fr", 68.0)]),
    ],
)
def test_scores_are_read_with_their_names(
    name: str, content: str, expected: list[tuple[str, float]], tmp_path: Path
) -> None:
    (tmp_path / name).write_text(content, encoding="utf-8")
    assert read_aggregates(tmp_path) == read_aggregates(tmp_path / name) == expected


def test_they_are_context_and_no_verdict() -> None:
    [record] = YAML(typ="safe").load(as_literature([("results: xnli_de acc", 0.48)], "mBERT", "Doe (2024)"))
    assert (record["direction"], record["number"]) == ("context", "0.48")
    assert record["finding"] == "results: xnli_de acc"


@pytest.mark.parametrize(
    ("finding", "model", "words"),
    [("two\nlines", "mBERT", "finding"), ("acc", "", "model")],
)
def test_a_name_that_is_no_line_of_text_is_refused(finding: str, model: str, words: str) -> None:
    with pytest.raises(UserError, match=f"cannot be told as literature: {words}: "):
        as_literature([(finding, 0.48)], model, "Doe (2024)")


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("a.json", "{", "a.json:1: no JSON"),
        ("a.json", '{"epoch": 3}', "a.json holds no score"),
        ("a.csv", "model,de\nmBERT,good\n", "a.csv:2: 'good' is not a finite number"),
        ("a.csv", "model,de\nmBERT,1e9\n", "a.csv:2: '1e9' is no score"),
        ("a.csv", "model,de\nmBERT\n", "a.csv:2: 1 cells where the header has 2"),
        ("a.txt", "", "has no .json or .csv file"),
    ],
)
def test_what_is_wrong_is_named(name: str, content: str, words: str, tmp_path: Path) -> None:
    (tmp_path / name).write_text(content, encoding="utf-8")
    with pytest.raises(UserError, match=words):
        read_aggregates(tmp_path)


def test_an_absent_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"results\.json does not exist"):
        read_aggregates(tmp_path / "results.json")
