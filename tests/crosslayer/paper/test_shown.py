"""Structure, tables and figures, and the paper's own numbers."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from pathlib import Path

import numpy as np
import pytest

from analysed import (
    PROFILE,
    TARGETED,
    arms_run,
    equilibrium_evidence,
    half_run,
    probe_run,
    similarity_frame,
    verdict,
)
from claimtrack.evidence import Evidence, read_evidence
from claimtrack.registry import Registry
from crosslayer.paper import attention, calibration, gains, paper, parts, show, structure
from crosslayer.paper.plugin import analysis_of
from crosslayer.tasks import TASK_NAMES, TASKS
from synthetic_run import MadeUpRun


def test_structural_checks(registry: Registry) -> None:
    run = MadeUpRun(checks={"C17": [{"name": "branches", "passed": False, "expected": "2", "found": "3"}]})
    evidence = structure.measure("C17", run, PROFILE)
    assert list(show.checks(evidence).loc["branches"]) == ["no", "2", "3"]
    profile = PROFILE.model_copy(update={"claims": ["C15", "C17"]})
    assert verdict(registry, evidence, profile) == "not reproduced"
    assert verdict(registry, structure.measure("C15", run, profile), profile) == "not run"


def test_metrics_are_those_of_the_registry(registry: Registry) -> None:
    found = {claim: entry.metric for claim, entry in registry.entries.items() if entry.notebook != "structure"}
    assert found == parts.METRICS
    assert {e.metric for e in registry.entries.values() if e.notebook == "structure"} == {parts.STRUCTURAL}


def test_the_papers_numbers() -> None:
    """Means over 11 layers and best layers as stated in the paper's discussion of its own table."""
    means = {task: float(np.mean(list(paper.layer_gains(task).values()))) for task in TASK_NAMES}
    assert means == pytest.approx({"xnli": 0.91, "pawsx": 1.42, "ner": 0.03, "pos": 1.10}, abs=0.006)
    best = {task: (paper.best_layer(task), max(paper.layer_gains(task).values())) for task in TASK_NAMES}
    assert best == {"xnli": (11, 1.51), "pawsx": (6, 2.43), "ner": (8, 1.17), "pos": (10, 1.53)}
    assert sum(gain > 0 for gain in paper.layer_gains("ner").values()) == 6
    assert paper.accuracy_gap("xnli") == {11: 12.03, 8: 11.77}
    assert paper.similarity("pawsx") == {10: 0.8548, 6: 0.9461}


Measured = dict[str, tuple[Evidence, MadeUpRun]]
"""By claim: its evidence, and what it was measured on."""


@pytest.fixture(scope="module")
def all_evidence(planted: MadeUpRun) -> Measured:
    probes = probe_run()
    probes.probes["similarity"] = similarity_frame(list(TASKS["xnli"].languages), kin=0.2)
    probes.probes["offsets"] = similarity_frame(list(TASKS["ner"].languages), kin=0.2)
    arms = arms_run(TARGETED, sharper=2.0, n=100)
    apart = half_run(PROFILE, apart=0.3)
    return {
        "C03": (equilibrium_evidence(planted, PROFILE), planted),
        "C13": (attention.measure("C13", apart, PROFILE), apart),
        "Q01": (calibration.measure("Q01", arms, TARGETED), arms),
        **{c: (analysis_of(c).measure(c, planted, PROFILE), planted) for c in ("C02", "C05", "C06", "C07")},
        **{c: (analysis_of(c).measure(c, probes, PROFILE), probes) for c in ("C01", "C08", "C09")},
    }


@pytest.mark.parametrize("claim", sorted(parts.METRICS))
def test_figures_are_readable(all_evidence: Measured, claim: str, tmp_path: Path) -> None:
    evidence, run = all_evidence[claim]
    names = analysis_of(claim).figures(evidence, run, PROFILE, tmp_path)
    assert names
    for name in names:
        drawn = (tmp_path / name).read_bytes()
        assert b"Arial" not in drawn, "one font is named"
        picture = ET.fromstring(drawn)
        words = " ".join(element.text or "" for element in picture.iter("{http://www.w3.org/2000/svg}text"))
        assert any(unit in words for unit in ("points", "cosine", "layer", "weights", "accuracy", "%"))
        assert picture.find("{http://www.w3.org/2000/svg}title") is not None
    if claim == "C05":
        text = (tmp_path / "gain_by_layer.svg").read_text(encoding="utf-8")
        assert "paper (mBERT)" in text
        assert 3 * 11 <= text.lower().count("#d55e00") < 4 * 11, "the paper scores POS by another metric"


def test_tables_show_every_part_once(all_evidence: Measured) -> None:
    for evidence, _ in all_evidence.values():
        judged, shown = show.judged(evidence), show.shown(evidence)
        by_language = [part for part in evidence.parts if part.language]
        assert len(judged) + len(shown) + len(by_language) == len(evidence.parts)
        assert not judged.isna().to_numpy().any()
    table = show.judged(all_evidence["C05"][0])
    assert table.loc[0, "of"] == "xnli"
    assert table.loc[0, "seeds"] == 3
    summary = show.summary(all_evidence["C05"][0])
    assert summary.loc["trials", "value"] == "60"


def test_keep_writes_evidence_that_names_its_figures(all_evidence: Measured, tmp_path: Path) -> None:
    evidence, run = all_evidence["C06"]
    images = show.keep(evidence, gains.figures, show.Source(run, PROFILE), str(tmp_path / "C06"))
    kept = read_evidence(tmp_path / "C06" / "evidence.json")
    assert kept.figures == ("estimands.svg",)
    assert kept == evidence.model_copy(update={"figures": kept.figures})
    assert len(images) == 1
    assert 'alt="Three gains for each task' in images[0].data
    missing = evidence.model_copy(update={"status": "missing", "parts": (), "headline": None})
    assert show.keep(missing, gains.figures, show.Source(run, PROFILE), str(tmp_path / "none")) == []
