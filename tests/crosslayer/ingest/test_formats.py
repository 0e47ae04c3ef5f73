"""Prediction files of other code: each format made by hand, and what is wrong with a file in one line."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from crosslayer.errors import DataError
from crosslayer.ingest.formats import Gold, Predicted, read_predictions
from crosslayer.tasks import TASKS, Task
from one_line import said

XNLI, NER = TASKS["xnli"], TASKS["ner"]
PAIRS = Gold(np.array([0, 1, 2], np.int8), (1, 1, 1))
WORDS = Gold(np.array([0, 1, 2], np.int8), (1, 2))
LOGITS = np.array([[2.0, 0, 0], [0, 0, 3], [0, 1, 0]])
TAG_LOGITS = np.eye(7)[[[0, 3], [1, 2]]]


def read(path: Path, content: str, task: Task = XNLI, gold: Gold = PAIRS) -> Predicted:
    path.write_text(content)
    return read_predictions(path, task, gold)


def jsonl(*rows: dict[str, Any]) -> str:
    return "".join(json.dumps(row) + "\n" for row in rows)


def harness(target: object = 1, doc: int = 1) -> str:
    rows = [{"doc_id": n, "target": n, "filtered_resps": [[f"{-x}", "False"] for x in LOGITS[n]]} for n in (2, 0)]
    return jsonl(
        *rows, {"doc_id": doc, "target": target, "resps": [[[-1.0, False]], [[-2.0, False]], [[-9, True]]]}
    )


def arrays(path: Path, predictions: Any = LOGITS, label_ids: Any = (0, 1, 2)) -> Path:
    np.savez(path, predictions=predictions, label_ids=np.array(label_ids))
    return path


def test_xtreme_has_a_label_a_line(tmp_path: Path) -> None:
    assert read(tmp_path / "de.tsv", "neutral\nentailment\ncontradiction\n").labels.tolist() == [1, 0, 2]
    assert read(tmp_path / "de.tsv", "O\n\nB-PER\nI-PER\n\n", NER, WORDS).labels.tolist() == [0, 1, 2]


def test_json_lines_have_probabilities_where_kept(tmp_path: Path) -> None:
    named = {"entailment": 0.2, "contradiction": 0.0, "neutral": 0.8}
    rows = jsonl({"label": "neutral", "probabilities": named}, {"label": 2, "probabilities": None},
                 {"label": 0, "probabilities": [0.5, 0.25, 0.25]})  # fmt: skip
    found = read(tmp_path / "a.jsonl", rows)
    assert found.labels.tolist() == [1, 2, 0]
    assert found.scores is not None
    np.testing.assert_allclose(np.exp(found.scores[[0, 2]]), [[0.2, 0.8, 0], [0.5, 0.25, 0.25]])
    assert np.isnan(found.scores[1]).all()
    rows = jsonl({"labels": ["O"]}, {"labels": ["B-PER", "I-PER"]})
    assert read(tmp_path / "a.jsonl", rows, NER, WORDS).scores is None


def test_trainers_leave_logits_and_label_ids(tmp_path: Path) -> None:
    assert read_predictions(arrays(tmp_path / "p.npz"), XNLI, PAIRS).labels.tolist() == [0, 2, 1]
    tags = arrays(tmp_path / "t.npz", TAG_LOGITS, [[0, -100], [1, 2]])
    assert read_predictions(tags, NER, WORDS).labels.tolist() == [0, 1, 2]
    np.save(tmp_path / "predictions.npy", LOGITS)
    np.save(tmp_path / "label_ids.npy", np.array([0, 1, 2]))
    assert read_predictions(tmp_path / "predictions.npy", XNLI, PAIRS).labels.tolist() == [0, 2, 1]
    (tmp_path / "p.npz").rename(tmp_path / "named.npy")
    assert "named.npy: no readable arrays" in said(
        DataError, read_predictions, tmp_path / "named.npy", XNLI, PAIRS
    )


def test_the_harness_leaves_likelihoods_of_choices_in_any_order(tmp_path: Path) -> None:
    found = read(tmp_path / "samples_xnli_de.jsonl", harness())
    assert found.labels.tolist() == [1, 0, 0]
    assert found.scores is not None
    assert found.scores[1].tolist() == [-1, -2, -9]


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("a.txt", "neutral\nperhaps\n", r"a.txt:2: unknown label 'perhaps'; known: entailment, neutral"),
        ("a.txt", "neutral\nneutral\n", "a.txt: 2 pairs where the data have 3;"),
        ("a.jsonl", "{}\n", "a.jsonl:1: no key label"),
        ("a.jsonl", "[1]\n", "a.jsonl:1: no JSON object"),
        ("a.jsonl", '{"label": 0, "probabilities": [1, 1, 0]}\n', "a.jsonl:1: probabilities add up to 2"),
        ("a.jsonl", '{"label": 0, "probabilities": [0.5, 0.5]}\n', "not one number for each of"),
        ("a.jsonl", '{"label": 0, "logits": [0, 1, "x"]}\n', "a.jsonl:1: 'x' is not a finite number"),
        ("a.jsonl", f'{{"label": 0, "logits": [0, 1, {10**400}]}}\n', "a.jsonl:1: 10{39} is not a finite number"),
        ("a.jsonl", '{"label": true}\n', "unknown label True"),
        ("a.jsonl", harness(target=2), "a.jsonl:3: gold label contradiction where the data have neutral"),
        ("a.jsonl", harness(doc=2), "a.jsonl:3: doc_id 2 appears twice"),
        ("a.jsonl", harness(doc=3), "a.jsonl:3: doc_id 3 is none of 0 to 2"),
        ("a.jsonl", harness(doc=-1), "a.jsonl:3: doc_id -1 is none of 0 to 2"),
        ("a.jsonl", harness() + "{}\n", "a.jsonl:4: doc_id None is none of 0 to 3"),
        ("a.jsonl", harness(target="yes"), "a.jsonl:3: target yes is none of entailment, neutral"),
        ("a.xml", "", "no known format; known are .txt"),
        ("a.npz", "PK", "no readable arrays"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_one_line(name: str, content: str, words: str, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=words) as caught:
        read(tmp_path / name, content)
    assert str(caught.value).isprintable()


@pytest.mark.parametrize(
    ("name", "content", "line"),
    [("a.txt", "O\nO\n\nO\n", 3), ("a.jsonl", jsonl({"labels": ["O", "O"]}, {"labels": ["O", "O"]}), 1)],
)
def test_sentences_of_other_lengths_are_refused(name: str, content: str, line: int, tmp_path: Path) -> None:
    expected = f"{name}:{line}: 2 labels where the sentence has 1 words; one label a word, in the order of"
    assert expected in said(DataError, read, tmp_path / name, content, NER, WORDS)


def test_entities_that_count_as_o_may_be_predicted(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    words, pairs = (replace(gold, outside=("DATE",)) for gold in (WORDS, PAIRS))
    assert read(path, "B-DATE\n\nB-PER\nI-DATE\n", NER, words).labels.tolist() == [0, 1, 0]
    told = said(DataError, read, path, "B-DATE\nneutral\nneutral\n", XNLI, pairs)
    assert "a.txt:1: unknown label 'B-DATE'" in told


@pytest.mark.parametrize(
    ("about", "words"),
    [
        ({"label_ids": [0, 2, 1]}, "a.npz: row 2: gold label contradiction where the data have neutral; are"),
        ({"label_ids": [0, 1, 3]}, "label_ids hold something else than 0 to 2, and -100 where none is"),
        ({"predictions": LOGITS[:, :2]}, r"are not \(N, 3\)"),
        ({"predictions": np.full((3, 3), np.inf)}, "something else than finite numbers"),
        ({"label_ids": [0, 1]}, r"are not \(N, 3\)"),
    ],
)
def test_arrays_of_other_data_are_refused(about: dict[str, Any], words: str, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=words):
        read_predictions(arrays(tmp_path / "a.npz", **about), XNLI, PAIRS)
