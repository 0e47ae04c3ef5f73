"""The border tables: what is refused, and what comes back."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from claimtrack.errors import ResultsError
from crosslayer.predictions.records import TrialRecord, read_manifest, read_predictions, write_predictions
from crosslayer.predictions.runs import TaskTable, side_by_side, task_table
from synthetic_run import make_record

N_LABELS = 3


def frame() -> pd.DataFrame:
    """Four rows of a pair task, two in English and two in German."""
    scores = np.array([[0, -1, -2], [-1, 0, -2], [-2, -1, 0], [0, -3, -1]], dtype=np.float16)
    columns: dict[str, Any] = {
        "split": pd.Categorical(["test"] * 4),
        "language": pd.Categorical(["de", "de", "en", "en"]),
        "item": pd.Categorical(["1", "2", "1", "2"]),
        "position": np.zeros(4, np.int32),
        "gold": np.array([0, 1, 0, 1], np.int8),
        "predicted": np.array([0, 1, 2, 0], np.int8),
        **{f"score_{k}": scores[:, k] for k in range(N_LABELS)},
    }
    return pd.DataFrame(columns)


def test_a_table_comes_back_as_it_was(tmp_path: Path) -> None:
    write_predictions(frame(), tmp_path / "p.parquet", N_LABELS)
    back = read_predictions(tmp_path / "p.parquet")
    for name in frame():
        assert back[name].tolist() == frame()[name].tolist()


def test_a_table_of_other_columns_is_refused(tmp_path: Path) -> None:
    frame().to_parquet(tmp_path / "other.parquet")
    with pytest.raises(ResultsError, match="other columns"):
        read_predictions(tmp_path / "other.parquet")


def test_tables_stand_side_by_side_only_on_equal_items() -> None:
    one, two = (make_record("pawsx", "baseline", 0).model_copy(update={"key": key}) for key in ("one", "two"))
    codes, item = np.array(["de", "de", "en", "en"]), np.array(["1", "2", "1", "2"])

    def table(trial: TrialRecord, predicted: list[int], gold: tuple[int, ...] = (0, 1, 0, 1)) -> TaskTable:
        return task_table((trial,), codes, item, np.zeros(4), np.array(gold), np.array([predicted]))

    both = side_by_side([table(one, [0, 1, 2, 0]), table(two, [1, 1, 1, 1])], "here")
    assert both.languages == ("en", "de")
    assert both.language.tolist() == [1, 1, 0, 0]
    assert both.records == (one, two)
    assert both.predicted.tolist() == [[0, 1, 2, 0], [1, 1, 1, 1]]
    with pytest.raises(ResultsError, match="trials one and two were predicted on different items"):
        side_by_side([table(one, [0, 1, 2, 0]), table(two, [0, 1, 2, 0], (0, 0, 0, 0))], "here")


@pytest.mark.parametrize("key", ["", ".", "../../x", "a/b", "a\\b", "0" * 300, "\u540d" * 90, "a\n"])
def test_a_key_that_can_name_no_folder_is_refused(tmp_path: Path, key: str) -> None:
    """Found by damaged files: a key of 300 digits went through to the file system, which fell over."""
    (tmp_path / "manifest.json").write_text(json.dumps({"keys": [key]}), encoding="utf-8")
    with pytest.raises(ResultsError, match="damaged"):
        read_manifest(tmp_path / "manifest.json")
    record = make_record("pawsx", "baseline", 0).model_dump()
    with pytest.raises(ValueError, match="key\n"):
        TrialRecord.model_validate(record | {"key": key})


@pytest.mark.parametrize("text", ["", "[]", '{"key": []}', "{"])
def test_a_damaged_manifest_is_named(tmp_path: Path, text: str) -> None:
    path = tmp_path / "manifest.json"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(ResultsError, match="manifest"):
        read_manifest(path)
