"""A recorded run exported as prediction files and ingested again gives the same numbers and verdicts."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterable, Sequence
from itertools import groupby
from operator import itemgetter
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.special import softmax

from claimtrack.judging import judge
from claimtrack.registry import load_registry
from crosslayer.config import Profile, load_profile
from crosslayer.errors import DataError
from crosslayer.ingest.manifest import COLUMNS, read_manifest
from crosslayer.ingest.run import describe, ingest, load_run
from crosslayer.ledger.differences import differences
from crosslayer.paper import PLUGIN
from crosslayer.paper.conditions import CONDITIONS
from crosslayer.paper.plugin import measures
from crosslayer.predictions.records import TrialRecord
from crosslayer.predictions.runs import SPLITS, RecordedRun, Run, TaskTable
from crosslayer.tasks import TASK_NAMES, TASKS, TaskName
from one_line import said
from pieces import evidence_of
from repository import ROOT

ENTRY = ROOT / "claims" / "ledger" / "xtreme-pilot"
BY_LABELS = ("C02", "C05", "C06", "C07")
NEEDS_MORE = {
    "C01": "the probe stage has left no retrieval table", "C03": "fused_mean",
    "C08": "the probe stage has left no transfer scores", "C09": "the probe stage has left no offsets table",
    **{claim: f"the probe stage has left no checks of {claim}" for claim in
       ("C04", "C10", "C11", "C12", "C14", "C15", "C16", "C17")},
    "C13": "no modules were trained on halves",
    "Q01": "XNLI is not an intermediate target of the profile",
}  # fmt: skip


FOLDERS = {"xnli": "xnli", "pawsx": "pawsx", "ner": "panx", "pos": "udpos"}
HEADERS = {"xnli": "premise\thypothesis\tlabel", "pawsx": "id\tsentence1\tsentence2\tlabel"}


def write_data(run: Run, tasks: Iterable[TaskName], root: Path) -> None:
    """Files of the items that a run predicted, at their numbers; others are filled with one label."""
    for task in tasks:
        folder = root / FOLDERS[task]
        folder.mkdir(parents=True)
        record = next(r for r in run.records("sweep", task) if r.outcome == "ok")
        train = folder / ("train-en.mnli.tsv" if task == "xnli" else "train-en.tsv")
        train.write_text(_file(task, {1: [0]}, ["1"]), encoding="utf-8")
        for split in SPLITS:
            table = run.table([record], split)
            for code, rows in rows_by_language(table).items():
                items = by_item(table.item[rows], table.gold[rows])
                content = _file(task, {int(item): gold for item, gold in items.items()}, list(items))
                (folder / f"{split}-{code}.tsv").write_text(content, encoding="utf-8")


def _file(task: TaskName, items: dict[int, list[int]], ids: Sequence[str]) -> str:
    labels, most = TASKS[task].labels, max(items)
    if task == "pawsx":
        lines = [f"{item}\tfirst {item}\tsecond {item}\t{labels[items[int(item)][0]]}" for item in ids]
        return "\n".join([HEADERS[task], *lines]) + "\n"
    if task == "xnli":
        lines = [f"first {n}\tsecond {n}\t{labels[items.get(n, [1])[0]]}" for n in range(1, max(most, 1) + 1)]
        return "\n".join([HEADERS[task], *lines]) + "\n"
    filler = [labels.index("O" if task == "ner" else "X")]
    sentences = ["\n".join(f"w{n}\t{labels[tag]}" for tag in items.get(n, filler)) for n in range(most + 1)]
    return "\n\n".join(sentences) + "\n\n"


def rows_by_language(table: TaskTable) -> dict[str, np.ndarray[tuple[int], np.dtype[np.intp]]]:
    """The rows of each language."""
    return {code: np.flatnonzero(table.language == i) for i, code in enumerate(table.languages)}


def write_predictions(run: Run, records: Sequence[TrialRecord], folder: Path, *, scored: bool = False) -> None:
    """The predictions of some trials with ``trials.csv``: in XTREME's format, or as JSON lines with scores."""
    folder.mkdir(parents=True, exist_ok=True)
    rows = []
    for record in records:
        for split in SPLITS:
            table, scores = run.table([record], split), run.scores(record, split) if scored else None
            for code, here in rows_by_language(table).items():
                name = f"{record.key}-{split}-{code}.{'txt' if scores is None else 'jsonl'}"
                predicted = [TASKS[record.task].labels[k] for k in table.predicted[0][here].tolist()]
                if scores is None:
                    end = "\n" if TASKS[record.task].kind == "pair" else "\n\n"
                    content = end.join(map("\n".join, by_item(table.item[here], predicted).values())) + "\n"
                else:
                    p = softmax(scores[here].astype(np.float64), axis=1).tolist()
                    lines = [{"label": k, "probabilities": q} for k, q in zip(predicted, p, strict=True)]
                    content = "".join(json.dumps(line) + "\n" for line in lines)
                (folder / name).write_text(content, encoding="utf-8")
                arm = "" if record.stage == "sweep" else record.arm
                layer = "" if record.layer is None else record.layer
                about = (record.model, layer, record.seed, arm, "multilingual-e5-small", "all")
                rows.append((name, record.task, code, split, *about, "-".join(map(str, record.batch[:2]))))
    with (folder / "trials.csv").open("w", encoding="utf-8", newline="") as stream:
        csv.writer(stream, lineterminator="\n").writerows([COLUMNS, *rows])


def by_item(items: Iterable[Any], values: Iterable[Any]) -> dict[str, list[Any]]:
    """The values of each pair or sentence; those of a sentence stand together."""
    rows = groupby(zip(items, values, strict=True), key=itemgetter(0))
    return {item: [value for _, value in found] for item, found in rows}


@pytest.fixture(scope="module")
def profile(tmp_path_factory: pytest.TempPathFactory) -> Profile:
    """The settings of the recorded run, on files with its labels and made-up words."""
    root = tmp_path_factory.mktemp("data")
    write_data(RecordedRun(ENTRY), TASK_NAMES, root)
    found = load_profile(ENTRY / "profile.yaml")
    return found.model_copy(update={"data": found.data.model_copy(update={"root": str(root)})})


@pytest.fixture(scope="module")
def again(profile: Profile, tmp_path_factory: pytest.TempPathFactory) -> Path:
    run, home = RecordedRun(ENTRY), tmp_path_factory.mktemp("again")
    swept = [record for task in TASK_NAMES for record in run.records("sweep", task)]
    trials = [record for record in swept if record.outcome == "ok" and record.model.is_compared]
    write_predictions(run, trials, home / "files")
    claims = measures((*BY_LABELS, *NEEDS_MORE))
    folder, n = ingest(home / "files", "again", "Ingested", profile, claims, home / "ledger")
    assert n == len(trials)
    return folder


@pytest.mark.parametrize("claim", BY_LABELS)
def test_labels_alone_give_the_same_numbers_and_verdicts(claim: str, again: Path, profile: Profile) -> None:
    old, new = (
        {(p.measure, p.task, p.model, p.language, p.layer): p for p in evidence_of(entry, claim).parts}
        for entry in (ENTRY, again)
    )
    assert new.keys() <= old.keys()
    assert {key for key, part in old.items() if part.judged} <= new.keys()
    for key, part in new.items():
        assert not list(differences(old[key].model_dump(mode="json"), part.model_dump(mode="json")))
    assert verdict(claim, again, profile) == verdict(claim, ENTRY, profile)


def verdict(claim: str, entry: Path, profile: Profile) -> str:
    registered = load_registry(ROOT / "claims" / "registry.yaml").entries
    assert {*BY_LABELS, *NEEDS_MORE} == registered.keys()
    return judge(registered[claim], evidence_of(entry, claim), profile, PLUGIN).verdict


@pytest.mark.parametrize("claim", NEEDS_MORE)
def test_other_claims_name_what_is_missing(claim: str, again: Path, profile: Profile) -> None:
    found = evidence_of(again, claim)
    assert verdict(claim, again, profile) == ("inconclusive" if claim == "C03" else "not run")
    assert any(NEEDS_MORE[claim] in line for line in (*found.missing, *(part.note for part in found.parts)))


def test_probabilities_come_back_at_the_stored_precision(profile: Profile, tmp_path: Path) -> None:
    run = RecordedRun(ENTRY)
    arms = [r for r in run.records("intermediate", "pawsx") if r.outcome == "ok" and r.seed == 0]
    write_predictions(run, arms, tmp_path, scored=True)
    found = load_run(tmp_path, read_manifest(tmp_path), "again", profile)
    assert len(found.trials) == len(arms) >= 2
    for old, new in zip(arms, found.records("intermediate", "pawsx"), strict=True):
        for split in SPLITS:
            np.testing.assert_array_equal(run.scores(old, split), found.scores(new, split))
            np.testing.assert_array_equal(run.confidence(old, split), found.confidence(new, split))


def test_a_language_without_data_names_its_line(profile: Profile, tmp_path: Path) -> None:
    lines = ["file,task,language,split,model,seed,encoder,training_items"]
    lines += [f"a.txt,pawsx,{code},test,baseline,{n},mBERT,all" for n, code in ((0, "en"), (1, "en"), (1, "xx"))]
    (tmp_path / "trials.csv").write_text("\n".join(lines), encoding="utf-8")
    told = said(DataError, load_run, tmp_path, read_manifest(tmp_path), "again", profile)
    assert told.endswith("trials.csv:4: the data of pawsx have no test items in xx")


@pytest.mark.parametrize(
    ("encoder", "items", "condition", "holds"),
    [
        ("bert-base-multilingual-cased", "all", "other_encoder", False),
        ("google-bert/bert-base-multilingual-cased", "all", "reduced", False),
        ("bert-base-multilingual-cased", "1000", "reduced", True),
        ("xlm-roberta-base", "all", "other_encoder", True),
    ],
)
def test_relevance_follows_from_the_manifest(
    encoder: str, items: str, condition: str, holds: bool, tmp_path: Path
) -> None:
    paper = load_profile(ROOT / "profiles" / "paper.yaml")
    lines = ["file,task,language,split,model,seed,encoder,training_items"]
    for task in TASK_NAMES:
        lines += [
            f"{task}-{code}.txt,{task},{code},test,baseline,0,{encoder},{items}" for code in TASKS[task].languages
        ]
    (tmp_path / "trials.csv").write_text("\n".join(lines), encoding="utf-8")
    assert CONDITIONS[condition](describe(read_manifest(tmp_path), "mine", paper)) is holds
