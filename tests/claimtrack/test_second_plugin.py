"""A second project, whose plugin stands beside: from its registry to its report through claimtrack alone."""

from __future__ import annotations

import re
import shutil
import sys
from pathlib import Path

import pytest

from claimtrack.errors import ClaimError
from claimtrack.evidence import read_evidence, write_evidence
from claimtrack.project import keep, measure
from claimtrack.registry import load_registry
from one_line import Command, refused

HERE = Path(__file__).with_name("second_plugin")
PROSE = """\
title: Dice
question: Do dice do what is said of them?
method: []
limits: []
data: []
data_note: Made up.
"""


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project whose three claims have been measured."""
    for folder in ("claims", "paper", "profiles"):
        (tmp_path / folder).mkdir()
    shutil.copy(HERE / "dice.py", tmp_path)
    shutil.copy(HERE / "registry.yaml", tmp_path / "claims")
    for name in ("params.yaml", "profiles/small.yaml"):
        (tmp_path / name).write_text("{profile: small, rolls: 90, claims: [C01, C02, C03]}\n")
    (tmp_path / "paper" / "prose.yaml").write_text(PROSE)
    (tmp_path / "paper" / "deviations.yaml").write_text("[]\n")
    (tmp_path / "paper" / "references.bib").write_text("@misc{a, title={A}, author={B, C}, year={2026}}\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.delitem(sys.modules, "dice", raising=False)
    monkeypatch.setattr(sys, "path", [*sys.path])
    for claim in ("C01", "C02", "C03"):
        keep(measure(claim), f"results/small/claims/{claim}")
    return tmp_path


def test_the_commands_work_anywhere_in_the_project(
    project: Path, claimtrack: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(project / "paper")
    code, out, _ = claimtrack("list")
    assert code == 0
    shown = [[claim, "reproduced", "indirect"] for claim in ("C01", "C02", "C03")]
    assert [line.split()[:3] for line in out.splitlines()[2:5]] == shown, "fewer than 100 rolls"
    assert claimtrack("check")[:2] == (0, ""), "what nobody has pinned is not compared"
    assert claimtrack("pin", "--reason", "first")[0] == 0
    assert claimtrack("seal", "--reason", "first")[0] == 0
    assert claimtrack("check")[:2] == claimtrack("seal", "--check")[:2] == (0, "")
    assert "plans no trials" in refused(claimtrack, "seal", "--reason", "r", "--plan", "--judged-at-seeds", "3")


def test_only_a_run_of_a_file_in_profiles_is_pinned(project: Path, claimtrack: Command) -> None:
    (project / "profiles" / "small.yaml").write_text("{profile: small, rolls: 91, claims: [C01, C02, C03]}\n")
    assert "params.yaml differs from profiles/small.yaml" in refused(claimtrack, "pin", "--reason", "r")
    (project / "profiles" / "small.yaml").unlink()
    assert "or that file is absent" in refused(claimtrack, "pin", "--reason", "r")


def test_evidence_of_another_metric_is_refused_where_it_is_measured(project: Path) -> None:
    path = project / "claims" / "registry.yaml"
    path.write_text(path.read_text().replace("metric: roll_v1", "metric: roll_v2"))
    with pytest.raises(ClaimError, match="C01: evidence is of metric 'roll_v1', not 'roll_v2'; correct"):
        measure("C01")


def test_a_measure_that_is_judged_without_a_claim_is_named(project: Path, claimtrack: Command) -> None:
    """Of C01, whose rule reads what is claimed; C03 has a rule of its own."""
    for claim in ("C01", "C03"):
        evidence = measure(claim)
        more = evidence.parts[0].model_copy(update={"measure": "side"})
        keep(evidence.model_copy(update={"parts": (*evidence.parts, more)}), f"results/small/claims/{claim}")
    code, out, _ = claimtrack("check")
    told = "C01: side is judged and nothing is claimed of it; claim something, or give it judged=False\n"
    assert (code, out) == (1, told)


def test_a_number_leads_to_its_trials(project: Path, claimtrack: Command) -> None:
    code, out, _ = claimtrack("why", "C01", "--subject", "d6")
    assert code == 0
    assert re.search(r"^    D6 die seed 2: .*\(die-2\)$", out, re.MULTILINE)
    assert "rests on 3 trials" in out
    assert claimtrack("why", "C01", "--run", "none")[0] == 2
    assert "unknown task 'd7'; there are d6" in refused(claimtrack, "why", "C01", "--subject", "d7")


def test_another_value_is_a_complaint(project: Path, claimtrack: Command) -> None:
    claimtrack("pin", "--reason", "first")
    folder = project / "results" / "small" / "claims" / "C01"
    evidence = read_evidence(folder / "evidence.json")
    moved = evidence.parts[0].model_copy(update={"estimate": 9.0, "by_seed": ()})
    write_evidence(evidence.model_copy(update={"parts": (moved,)}), folder)
    code, out, _ = claimtrack("check")
    assert code == 1
    assert out.startswith("fresh: C01: mean_roll is 9, expected ")


def test_the_report_is_written_with_claimtrack_alone(project: Path, claimtrack: Command) -> None:
    assert claimtrack("report")[0] == 0
    page = Path("paper/build/report.html").read_text(encoding="utf-8")
    assert page.count("reproduced") >= 3
    assert "A die has six faces." in page
    assert "Six faces" in Path("paper/build/report.tex").read_text(encoding="utf-8")


def test_a_module_that_the_plugin_lacks_is_named(project: Path) -> None:
    (project / "lacking.py").write_text("import os\nimport no_such_module\n", encoding="utf-8")
    text = (project / "claims" / "registry.yaml").read_text().replace("dice:PLUGIN", "lacking:PLUGIN")
    (project / "claims" / "registry.yaml").write_text(text)
    with pytest.raises(ClaimError, match=r"fails at lacking\.py:2: it imports no_such_module, which is missing"):
        load_registry()
