"""A recorded run exported as prediction files and ingested again gives the same numbers and verdicts."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from claimtrack.evidence import Evidence, Measurement, read_evidence
from claimtrack.judging import judge
from claimtrack.registry import load_registry
from crosslayer.config import Profile, load_profile
from crosslayer.errors import DataError
from crosslayer.ingest.manifest import read_manifest
from crosslayer.ingest.run import describe, ingest, load_run
from crosslayer.ledger.differences import differences
from crosslayer.paper import PLUGIN
from crosslayer.paper.conditions import CONDITIONS
from crosslayer.paper.plugin import measures
from crosslayer.predictions.runs import SPLITS, RecordedRun
from crosslayer.tasks import TASK_NAMES, TASKS
from exported import write_data, write_predictions
from one_line import said
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


def part_key(part: Measurement) -> tuple[Any, ...]:
    return part.measure, part.task, part.model, part.language, part.layer


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
    write_predictions(run, trials, home / "files", "multilingual-e5-small")
    claims = measures((*BY_LABELS, *NEEDS_MORE))
    folder, n = ingest(home / "files", "again", "Ingested", profile, claims, home / "ledger")
    assert n == len(trials)
    return folder


def evidence(entry: Path, claim: str) -> Evidence:
    return read_evidence(entry / "claims" / claim / "evidence.json")


@pytest.mark.parametrize("claim", BY_LABELS)
def test_labels_alone_give_the_same_numbers_and_verdicts(claim: str, again: Path, profile: Profile) -> None:
    old, new = ({part_key(p): p for p in evidence(entry, claim).parts} for entry in (ENTRY, again))
    assert new.keys() <= old.keys()
    assert {key for key, part in old.items() if part.judged} <= new.keys()
    for key, part in new.items():
        assert not list(differences(old[key].model_dump(mode="json"), part.model_dump(mode="json")))
    assert verdict(claim, again, profile) == verdict(claim, ENTRY, profile)


def verdict(claim: str, entry: Path, profile: Profile) -> str:
    registered = load_registry(ROOT / "claims" / "registry.yaml").entries
    assert {*BY_LABELS, *NEEDS_MORE} == registered.keys()
    return judge(registered[claim], evidence(entry, claim), profile, PLUGIN).verdict


@pytest.mark.parametrize("claim", NEEDS_MORE)
def test_other_claims_name_what_is_missing(claim: str, again: Path, profile: Profile) -> None:
    found = evidence(again, claim)
    assert verdict(claim, again, profile) == ("inconclusive" if claim == "C03" else "not run")
    assert any(NEEDS_MORE[claim] in line for line in (*found.missing, *(part.note for part in found.parts)))


def test_probabilities_come_back_at_the_stored_precision(profile: Profile, tmp_path: Path) -> None:
    run = RecordedRun(ENTRY)
    arms = [r for r in run.records("intermediate", "pawsx") if r.outcome == "ok" and r.seed == 0]
    write_predictions(run, arms, tmp_path, "multilingual-e5-small", scored=True)
    found = load_run(tmp_path, read_manifest(tmp_path), "again", profile)
    assert len(found.trials) == len(arms) >= 2
    for old, new in zip(arms, found.records("intermediate", "pawsx"), strict=True):
        for split in SPLITS:
            np.testing.assert_array_equal(run.scores(old, split), found.scores(new, split))
            np.testing.assert_array_equal(run.confidence(old, split), found.confidence(new, split))


def described_by(folder: Path, *lines: str) -> Path:
    """A folder whose files predict one pair each."""
    header = "file,task,language,split,model,seed,encoder,training_items"
    (folder / "trials.csv").write_text("\n".join([header, *lines]), encoding="utf-8")
    (folder / "a.txt").write_text("0\n", encoding="utf-8")
    return folder


def test_a_language_without_data_names_its_line(profile: Profile, tmp_path: Path) -> None:
    lines = [
        f"a.txt,pawsx,{code},test,baseline,{seed},mBERT,all" for seed, code in ((0, "en"), (1, "en"), (1, "xx"))
    ]
    files = described_by(tmp_path, *lines)
    told = said(DataError, load_run, files, read_manifest(files), "again", profile)
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
