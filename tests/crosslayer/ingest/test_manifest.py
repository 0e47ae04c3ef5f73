"""``trials.csv``: what it says, and the line that is wrong."""

from __future__ import annotations

from pathlib import Path

import pytest

from claimtrack.errors import UserError
from crosslayer.ingest.manifest import read_manifest

HEADER = "file,task,language,split,model,layer,seed,arm,encoder,training_items"
LINE = "a.txt,pos,de,test,,8,3,,bert-base-multilingual-cased,all"


def write(folder: Path, *lines: str) -> Path:
    (folder / "trials.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return folder


def test_a_layer_alone_is_a_fused_model(tmp_path: Path) -> None:
    [row, arm] = read_manifest(write(tmp_path, HEADER, LINE, "b.txt,xnli,en,dev,,,0,english,mBERT,1000"))
    assert (row.model, row.layer, row.seed, row.stage, row.training_items) == ("layer_8", 8, 3, "sweep", None)
    assert (arm.model, arm.stage, arm.arm, arm.training_items) == ("baseline", "intermediate", "english", 1000)


@pytest.mark.parametrize(
    ("lines", "words"),
    [
        ((), "trials.csv:1: a column appears twice, or none is model or layer; known are file, task"),
        ((HEADER,), "names no file"),
        ((HEADER + ",colour", LINE + ",red"), "trials.csv:2: unknown key colour; "),
        ((HEADER, LINE + ",x"), "trials.csv:2: 11 cells where the header has 10"),
        ((HEADER, LINE, LINE), "trials.csv:3: the same trial, language and split as .*trials.csv:2"),
        ((HEADER.replace("task", "split"), LINE), "trials.csv:1: a column appears twice"),
        ((HEADER, LINE.replace(",3,", ",,")), "trials.csv:2: key seed is missing"),
        ((HEADER, LINE.replace("pos", "qa")), "trials.csv:2: task: .* 'xnli', 'pawsx', 'ner' or 'pos' .*'qa'"),
        ((HEADER, LINE.replace("test", "train")), "split: Input should be 'dev' or 'test' .*'train'"),
        ((HEADER, LINE.replace(",3,", ",three,")), "seed: Input should be a valid integer.*'three'"),
        ((HEADER, LINE.replace("a.txt", "../a.txt")), "is not a path below the folder"),
        ((HEADER, LINE.replace(",,8", ",layer_4,8")), "model layer_4 has another layer than 8"),
        ((HEADER, LINE.replace(",,8", ",layer_0,")), "trials.csv:2: layer 0 is none of 1 to 11"),
        ((HEADER, LINE.replace(",,8", ",self,12")), "2: layer 12 is none of 1 to 11, the lower layers"),
        ((HEADER, LINE.replace(",,8", ",layer_48,").replace("bert-base-multi", "my")), "none of 1 to 47"),
        ((HEADER, LINE.replace(",,8", ",large,")), "'large' names no model"),
        ((HEADER, LINE.replace(",,8", ",half_1,8")), "'half_1' is neither baseline nor layer_X nor a control"),
        ((HEADER, LINE.replace("3,,", "3,english,")), "arms of intermediate training are compared on the base"),
        ((HEADER, LINE.replace(",de,", ",German,")), "language: .*'German'"),
        ((HEADER, LINE.replace(",8,", ",,")), "trials.csv:2: model and layer are empty; name the model"),
    ],
)
def test_a_wrong_line_is_named(lines: tuple[str, ...], words: str, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=words):
        read_manifest(write(tmp_path, *lines))
