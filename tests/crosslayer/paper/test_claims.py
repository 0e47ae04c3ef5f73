"""The eighteen claims: the words of the source report, what the paper says, and what decides each."""

from __future__ import annotations

import re

import pytest

from claimtrack.importer import read_report
from claimtrack.registry import Registry
from crosslayer.paper.plugin import analysis_of
from repository import ROOT

SOURCE_REPORT = ROOT.parent / "shared" / "source-report.txt"


@pytest.mark.skipif(not SOURCE_REPORT.exists(), reason="the source report is not on this machine")
def test_they_are_those_of_the_source_report(registry: Registry) -> None:
    found, source, question = read_report(SOURCE_REPORT), registry.source, registry.entry("Q01")
    assert (found.title, found.date, list(found.cites)) == (source.title, source.date, source.cites)
    assert found.question == question.source_text
    assert (question.source_row, question.verified, question.confidence) == (None, None, None)
    rows = list(registry.entries.values())[:17]
    assert [entry.source_row for entry in rows] == list(range(1, len(found.rows) + 1))
    for row, entry in zip(found.rows, rows, strict=True):
        assert (row.text, row.verified, row.confidence, row.truncated) == (
            entry.source_text, entry.verified, entry.confidence, entry.truncated
        )  # fmt: skip
        assert entry.truncated == (not entry.source_text.endswith("."))


def test_every_claim_has_its_notebook_and_rule(registry: Registry) -> None:
    assert list(registry.entries) == [f"C{row:02d}" for row in range(1, 18)] + ["Q01"]
    beside = {"C08": "transfer", "C09": "families"}  # modules of their own that the notebook of C01 shows
    for claim, entry in registry.entries.items():
        assert analysis_of(claim).__name__ == f"crosslayer.paper.{beside.get(claim, entry.notebook)}"
        assert (entry.rule == "all_checks") == (entry.kind == "structural") == (entry.notebook == "structure")
    notebooks = {path.stem for path in (ROOT / "notebooks").glob("*.py")}
    assert notebooks == {entry.notebook for entry in registry.entries.values()}


def test_only_one_row_is_not_verified_and_the_paper_supports_it(registry: Registry) -> None:
    [unverified] = [entry for entry in registry.entries.values() if entry.verified is False]
    assert (unverified.id, unverified.primary_source.supports) == ("C16", True)
    assert "Figure 2" in unverified.primary_source.cell


def test_only_the_question_is_not_relevant_to_the_paper(registry: Registry) -> None:
    others = {claim: e.relevant_to for claim, e in registry.entries.items() if e.relevant_to != "the paper"}
    assert others == {"Q01": "the source report's question"}


def test_claimed_gains_are_best_layer_minus_baseline_of_table_1(registry: Registry) -> None:
    baseline = {"xnli": 65.40, "pawsx": 81.94, "ner": 62.17, "pos": 70.28}
    best = {"xnli": 66.91, "pawsx": 84.37, "ner": 63.34, "pos": 71.81}
    gains = {task: round(best[task] - baseline[task], 2) for task in best}
    assert registry.entry("C05").claimed.by_task == registry.entry("C06").claimed.by_task == gains
    assert registry.entry("C06").claimed.bounds == (1, 3)
    assert registry.entry("C07").claimed.by_task == {"xnli": 11, "pawsx": 6, "ner": 8, "pos": 10}


def test_every_source_of_literature_can_be_looked_up(registry: Registry) -> None:
    items = [item for entry in registry.entries.values() for item in entry.literature]
    assert {claim for claim, entry in registry.entries.items() if entry.literature} == {
        "C01", "C02", "C05", "C07", "C08", "C09", "Q01"
    }  # fmt: skip
    without = {item.source for item in items if not re.search(r"arXiv \d{4}\.\d{5}|doi 10\.", item.source)}
    assert without == {"a public fine-tuning log on a model hub"}
    abstracts = {re.findall(r"\d{4}\.\d{5}", item.source)[0] for item in items if item.read == "abstract"}
    assert abstracts == {"2508.09091", "2209.15168"}
