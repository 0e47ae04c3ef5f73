"""What this paper adds to the report: cautions, trials, and its tables rebuilt."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

from claimtrack.evidence import Evidence, Measurement
from claimtrack.registry import Registry
from claimtrack.report.runs import view_run
from claimtrack.results import load_recorded
from claimtrack.runs import RunResults
from claimtrack.sections import Cell, Section, Table
from crosslayer.config import SplitSizes
from crosslayer.paper.sections import PaperSections, cautions
from crosslayer.paper.sections_tables import layer_table, near_table
from made_report import FULL, OFFLINE, layer_parts, profile, run
from repository import ROOT

PILOT = ROOT / "claims" / "ledger" / "xtreme-pilot"


@pytest.fixture(scope="module")
def pilot(registry: Registry) -> RunResults:
    return load_recorded(PILOT, registry)


def sections(runs: list[RunResults]) -> dict[str, Section]:
    return {section.id: section for section in PaperSections().sections(runs)}


@pytest.fixture
def bare(registry: Registry, tmp_path: Path) -> RunResults:
    """A run without any evidence."""
    return run(registry, "late", FULL, tmp_path, only=())


def table_1(of: RunResults, parts: list[Measurement]) -> Table:
    """Rebuilt from these parts of C05."""
    found = Evidence(claim="C05", profile="made-up", metric="m_v1", status="measured", parts=tuple(parts))
    table = layer_table(replace(of, evidence={"C05": found}))
    assert table is not None
    return table


# --- what a run is


def test_cautions_follow_the_profile() -> None:
    labels = [label for label, _ in cautions(OFFLINE)]
    assert labels == ["fragment data", "e5-small, not mBERT", "frozen encoder"]
    assert cautions(FULL) == ()
    part = FULL.model_copy(update={"data": FULL.data.model_copy(update={"languages": ("en", "de")})})
    assert [label for label, _ in cautions(part)] == ["reduced setting"]
    tiny = profile("tiny", "fragment", {"source": "random"})
    assert [label for label, _ in cautions(tiny)] == ["fragment data", "random encoder"]


def test_the_fragment_comes_last_and_a_frozen_encoder_before_it(registry: Registry, tmp_path: Path) -> None:
    frozen = profile("frozen", "xtreme", {"source": "packaged"}, mode="frozen")
    made = [run(registry, of.profile, of, tmp_path / of.profile, only=()) for of in (FULL, frozen, OFFLINE)]
    notes = [PaperSections().notes(each) for each in made]
    assert [note.order for note in notes] == [0, 1, 2]
    assert [note.real for note in notes] == [True, True, False]


# --- the way to the trials


def test_every_recorded_trial_is_listed_with_score_file_and_revision(
    pilot: RunResults, registry: Registry
) -> None:
    tables = view_run(pilot, registry.project, PaperSections()).trials
    xnli = next(table for table in tables if (table.subject, table.stage) == ("xnli", "sweep"))
    assert (xnli.revision, xnli.trials[0].unit) == ("e3ac8231 or ec0963ab", "points")
    assert all((ROOT / table.file).is_file() for table in tables)
    listed = [
        (precision, claims, seed, trial)
        for table in tables
        for (_, precision, claims), by_seed in table.rows.items()
        for seed, trials in by_seed.items()
        for trial in trials
    ]
    assert all(precision and trial.score is not None for precision, _, _, trial in listed)
    assert all(trial.seed == seed for _, _, seed, trial in listed)
    assert len({trial.key for *_, trial in listed}) == len(listed) == sum(len(t.trials) for t in tables)
    for claim in ("C05", "C06", "Q01"):
        used = {trial.key for _, claims, _, trial in listed if claim in claims}
        assert used == set(pilot.evidence[claim].trials)


def test_differences_carry_a_sign() -> None:
    signed = ("ece_change_in_family", "accuracy_per_step_from_english", "own_over_common", "dev_selected_gain")
    assert all(map(PaperSections().is_difference, signed))
    assert not any(map(PaperSections().is_difference, ("weight_variance_over_tokens", "ece", "baseline_score")))


@pytest.mark.parametrize(("layers", "told"), [("layers 4, 8 only", "layers 4, 8 only"), ("layers 1-11", "")])
def test_a_choice_among_some_layers_only_is_named(layers: str, told: str) -> None:
    note = f"Layer chosen among {layers} on dev."
    assert PaperSections().remark(Measurement(measure="m", estimate=1.0, unit="points", note=note)) == told


def test_failures_to_train_are_a_finding(pilot: RunResults) -> None:
    (point,) = sections([pilot])["failures"].points
    assert point == (
        "PAWS-X in xtreme-pilot: 3 of 12 fused models stayed at chance, and none of 3 baselines. "
        "They do not count in the gains."
    )
    lines = [f"PAWS-X: {name} stayed at chance with seed 0" for name in ("self", "layer_4", "baseline")]
    told = pilot.evidence["C05"].model_copy(update={"missing": tuple(lines)})
    (point,) = sections([replace(pilot, evidence={"C05": told})])["failures"].points
    assert "1 of 12 fused models stayed at chance, and 1 of 3 baselines." in point, "a control is no fused model"


# --- the paper's tables


def test_table_1_has_the_papers_numbers_beside_ours(bare: RunResults) -> None:
    found = table_1(bare, layer_parts())
    assert found.groups == (("NER", 2), ("POS", 2))
    assert found.caption.endswith("seeds a cell: 2 to 3")
    none, rows = Cell("–"), {row[0].text: row[1:] for row in found.rows}
    assert list(rows) == ["baseline, score", "D_8", "D_4", "control: self"]
    assert rows["baseline, score"] == (Cell("62.2"), Cell("61.2"), Cell("70.3"), none)
    assert rows["D_8"][:2] == (Cell("+1.2"), Cell("+1.0", "+0.2 to +1.8, p 0.020"))
    assert rows["D_4"] == (Cell("+0.1"), none, Cell("+1.0"), Cell("−0.5"))
    assert rows["control: self"] == (none, none, none, Cell("+0.8", "2 seeds only"))


def test_pos_stands_first_by_the_papers_rule(bare: RunResults) -> None:
    common: dict[str, Any] = {"task": "pos", "unit": "points", "n_seeds": 3}
    spans = [
        Measurement(measure="baseline_score_by_pos_span_f1", model="baseline", estimate=65.5, **common),
        Measurement(measure="layer_gain_by_pos_span_f1", layer=4, model="layer_4", estimate=-0.25, **common),
    ]
    found = table_1(bare, [*layer_parts(), *spans])
    assert [title for title, _ in found.groups] == ["NER", "POS, span F1", "POS, accuracy"]
    rows = {row[0].text: row[3:] for row in found.rows}
    assert rows["baseline, score"] == (Cell("70.3"), Cell("65.5"), Cell("–"), Cell("–"))
    assert rows["D_4"] == (Cell("+1.0"), Cell("−0.2"), Cell("–"), Cell("−0.5"))


def test_tables_2_and_3_have_the_papers_numbers_beside_ours(registry: Registry, tmp_path: Path) -> None:
    ran = run(registry, "late", FULL, tmp_path, only=("C03",))
    found = near_table(ran)
    assert [title for title, _ in found.groups] == ["PAWS-X, en and de", "PAWS-X, the rest"]
    rows = {row[0].text: row[1:] for row in found.rows}
    assert rows["baseline"] == (Cell("89.8"), Cell("88.9", "87.5 to 90.2"), Cell("78.8"), Cell("70.5"))
    assert rows["D_6"] == (Cell("90.0"), Cell("–"), Cell("82.1"), Cell("71.5"))
    assert rows["D_4"][3] == Cell("72.5", "2 seeds only")


def test_frozen_and_fine_tuned_runs_of_real_data_are_compared(registry: Registry, tmp_path: Path) -> None:
    assert "modes" not in sections([run(registry, "fresh", OFFLINE, tmp_path)]), "of the fragment"
    modes = {mode: profile(mode, "xtreme", {"source": "packaged"}, mode=mode) for mode in ("finetuned", "frozen")}
    runs = [run(registry, f"run-{mode}", of, tmp_path / mode) for mode, of in modes.items()]
    found = sections(runs)["modes"]
    (figure,) = found.figures
    assert {"NER", "POS", "frozen", "fine-tuned"} <= set(ElementTree.fromstring(figure.svg).itertext())
    assert [point.count(" points ") for point in found.points] == [2, 2]
    tasks = runs[1].profile.tasks.items()
    smaller = {name: task.model_copy(update={"sizes": SplitSizes(train=200)}) for name, task in tasks}
    for other in ({"encoder": FULL.encoder}, {"data": FULL.data}, {"tasks": smaller}):
        changed = replace(runs[1], profile=runs[1].profile.model_copy(update=other))
        assert "modes" not in sections([runs[0], changed]), "not the same encoder and data"
