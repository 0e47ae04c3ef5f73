"""The registry: the source report's words, and one-line errors for anything malformed."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from claimtrack.errors import ClaimError
from claimtrack.registry import Registry, load_registry
from repository import ROOT

PATH = ROOT / "claims" / "registry.yaml"
SOURCE_REPORT = ROOT.parent / "shared" / "source-report.txt"
NOTEBOOKS = {
    "structure": "C04 C10 C11 C12 C14 C15 C16 C17", "layers": "C01 C08 C09", "complementarity": "C02",
    "equilibrium": "C03", "gains": "C05 C06", "best_layers": "C07", "attention": "C13", "calibration": "Q01",
}  # fmt: skip


@pytest.fixture(scope="module")
def registry() -> Registry:
    return load_registry(PATH)


@pytest.fixture(scope="module")
def report() -> str:
    if not SOURCE_REPORT.exists():
        pytest.skip(f"{SOURCE_REPORT} is not here")
    return SOURCE_REPORT.read_text(encoding="utf-8")


def test_it_has_the_eighteen_claims_in_order(registry: Registry) -> None:
    assert list(registry.entries) == [f"C{row:02d}" for row in range(1, 18)] + ["Q01"]
    assert all(entry.id == claim for claim, entry in registry.entries.items())


def test_rows_are_those_of_the_source_report(registry: Registry, report: str) -> None:
    rows = [line.split("\t") for line in report.splitlines() if re.search(r"\t[✓×]\t", line)]
    claims = [entry for claim, entry in registry.entries.items() if claim.startswith("C")]
    marks = {True: "✓", False: "×", None: "?"}
    ours = [[entry.source_text, marks[entry.verified], f"{entry.confidence:.2f}"] for entry in claims]
    assert ours == rows
    assert [entry.source_row for entry in claims] == list(range(1, len(rows) + 1))


def test_truncated_marks_the_texts_without_a_full_stop(registry: Registry, report: str) -> None:
    for entry in list(registry.entries.values())[:17]:
        assert entry.truncated == (not entry.source_text.endswith(".")), entry.id
    assert sum(entry.truncated for entry in registry.entries.values()) == 10


def test_question_title_date_and_papers_are_those_of_the_source_report(registry: Registry, report: str) -> None:
    question, source = registry.entry("Q01"), registry.source
    assert f"Research question: {question.source_text}" in report
    assert (question.source_row, question.verified, question.confidence) == (None, None, None)
    assert source.title in report
    assert "July 2, 2026" in report
    assert source.date == "2026-07-02"
    assert source.cites == [f"arXiv {name}" for name in re.findall(r"arxiv\.org/abs/([\w.]+)>", report)]


def test_only_one_row_is_not_verified_and_the_paper_supports_it(registry: Registry) -> None:
    unverified = [entry for entry in registry.entries.values() if entry.verified is False]
    assert [entry.id for entry in unverified] == ["C16"]
    assert unverified[0].primary_source.supports is True
    assert "Figure 2" in unverified[0].primary_source.cell


def test_every_claim_has_its_notebook_and_rule(registry: Registry) -> None:
    found: dict[str, str] = {}
    for claim, entry in registry.entries.items():
        found[entry.notebook] = f"{found.get(entry.notebook, '')} {claim}".strip()
        assert (entry.rule == "all_checks") == (entry.kind == "structural")
    assert found == NOTEBOOKS
    assert found.keys() == {path.stem for path in (ROOT / "notebooks").glob("*.py")}


def test_claimed_gains_are_best_layer_minus_baseline_of_table_1(registry: Registry) -> None:
    baseline = {"xnli": 65.40, "pawsx": 81.94, "ner": 62.17, "pos": 70.28}
    best = {"xnli": 66.91, "pawsx": 84.37, "ner": 63.34, "pos": 71.81}
    gains = {task: round(best[task] - baseline[task], 2) for task in best}
    assert registry.entry("C05").claimed.by_task == gains
    assert registry.entry("C06").claimed.by_task == gains
    assert registry.entry("C06").claimed.bounds == (1, 3)
    assert registry.entry("C07").claimed.by_task == {"xnli": 11, "pawsx": 6, "ner": 8, "pos": 10}


def test_an_unknown_claim_names_those_of_the_registry_in_its_order(registry: Registry) -> None:
    with pytest.raises(ClaimError, match=r"unknown claim 'c99'; the registry has C01, C02, .*C17, Q01"):
        registry.entry("c99")
    with pytest.raises(ClaimError, match=r"C01, C02.*Q01"):
        registry.entry("whatever")


SMALL = """\
plugin: crosslayer.paper:PLUGIN
source: {title: A report, date: '2026-01-01', note: A note.}
entries:
  C01:
    source_text: 'Text <script>alert(1)</script> \\input{x} [red]{{ 7*7 }}'
    kind: measured
    title: A title
    primary_source: {supports: null, cell: Table 1}
    measured_as: So.
    reproduced_when: Then.
    would_change: That.
    notebook: gains
    metric: some_metric_v1
    rule: gain_above_zero
    relevance:
      - {when: any, value: direct, reason: Because.}
"""


def load_text(folder: Path, text: str) -> Registry:
    path = folder / "registry.yaml"
    path.write_text(text, encoding="utf-8")
    return load_registry(path)


def test_hostile_text_is_read_as_it_stands(tmp_path: Path) -> None:
    entry = load_text(tmp_path, SMALL).entry("C01")
    assert entry.source_text == "Text <script>alert(1)</script> \\input{x} [red]{{ 7*7 }}"


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("    title: A title", "    title: A\n    reportd: x", "line 8: unknown key .*did you mean reported"),
        ("    title: A title\n", "", "line 4: key entries.C01.title is missing"),
        ("    title: A title", "    title: 3", "line 7: entries.C01.title: .*string.* \\(got 3\\)"),
        ("    kind: measured", "    kind: guessed", "line 6: entries.C01.kind: .*\\(got 'guessed'\\)"),
        ("    kind: measured", "    kind: measured\n    verified: 'yes'", "line 7: .*verified: .*boolean"),
        ("rule: gain_above_zero", "rule: gain_above", "line 14: unknown rule 'gain_above'; known: all_checks, "),
        ("rule: gain_above_zero", "rule: slopes", "line 14: C01: the rule slopes needs claimed.signs of slope_"),
        ("rule: gain_above_zero", "rule: gain_in_range", "line 14: C01: the rule gain_in_range needs claimed.low"),
        ("when: any", "when: fragment", "line 15: entries.C01.relevance: the last one must be for `any`"),
        ("      - {when: any", "      - {when: dull, value: none, reason: R.}\n      - {when: any",
         "line 16: unknown condition 'dull'; known: fragment, .*, any"),
        ("crosslayer.paper:PLUGIN", "crosslayer.papers:PLUGIN", "line 1: plugin .*No module named"),
        ("crosslayer.paper:PLUGIN", "crosslayer.paper:RULE", "line 1: plugin .* cannot be imported .*'RULE'"),
        ("crosslayer.paper:PLUGIN", "crosslayer.config:Profile", "line 1: plugin .*must be a claimtrack"),
        ("crosslayer.paper:PLUGIN", "crosslayer", "line 1: plugin: .*pattern"),
        ("value: direct", "value: 'yes'", "line 16: entries.C01.relevance.0.value: .*'none' \\(got 'yes'\\)"),
        ("  C01:", "  C1:", "line 4: entries.C1.id"),
        ("  C01:", "  1:", "line 4: entries.1"),
        ("entries:\n", "entries:\n  C01: {}\n", "line 5: found duplicate key \"C01\""),
        ("entries:\n", "entries: [\n", "line \\d+: "),
        ("    kind: measured", "    kind: !!python/name:os.system x", "line 6: could not determine a constructor"),
        ("date: '2026-01-01'", "date: 2026-01-01", "line 2: source.date: .*string"),
        ("A title", "'two\n\n      lines'", "line 7: entries.C01.title"),
    ],
)  # fmt: skip
def test_a_malformed_registry_is_one_line_with_the_place(tmp_path: Path, old: str, new: str, message: str) -> None:
    assert SMALL.count(old) >= 1
    with pytest.raises(ClaimError, match=message) as caught:
        load_text(tmp_path, SMALL.replace(old, new, 1))
    assert str(tmp_path / "registry.yaml") in str(caught.value)
    assert "\n" not in str(caught.value)


LITERATURE = """\
    literature:
      - {direction: supports, finding: 'All <b>layers</b>', number: 70 → 71, unit: '%', model: M, source: S,
         independent: true, read: abstract}
      - {direction: context, finding: Words alone, model: M, source: S, independent: false, read: full text}
"""


def test_literature_is_read_as_it_stands(tmp_path: Path) -> None:
    first, second = load_text(tmp_path, SMALL + LITERATURE).entry("C01").literature
    assert (first.finding, first.number, first.unit) == ("All <b>layers</b>", "70 → 71", "%")
    assert (first.reported, first.citation) == ("70 → 71 %", "S, as reported in the abstract")
    assert (second.number, second.unit, second.reported) == (None, None, "")
    assert second.citation == "S, by authors of the paper itself"
    assert load_text(tmp_path, SMALL).entry("C01").literature == []


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("direction: supports", "direction: proves", "line 18: entries.C01.literature.0.direction: .*'proves'"),
        ("number: 70 → 71", "number: 70", "line 18: entries.C01.literature.0.number: .*string.* \\(got 70\\)"),
        ("number: 70 → 71, ", "", "line 18: entries.C01.literature.0: a unit needs a number"),
        (", independent: false", "", "line 20: key entries.C01.literature.1.independent is missing"),
        ("read: full text", "read: partly", "line 20: entries.C01.literature.1.read: .*'partly'"),
        ("source: S", "sourc: S", "line 18: unknown key entries.C01.literature.0.sourc; did you mean source"),
    ],
)  # fmt: skip
def test_malformed_literature_is_one_line_with_the_place(tmp_path: Path, old: str, new: str, message: str) -> None:
    with pytest.raises(ClaimError, match=message) as caught:
        load_text(tmp_path, SMALL + LITERATURE.replace(old, new, 1))
    assert str(tmp_path / "registry.yaml") in str(caught.value)
    assert "\n" not in str(caught.value)


def test_every_source_of_literature_can_be_looked_up(registry: Registry) -> None:
    items = [item for entry in registry.entries.values() for item in entry.literature]
    assert {claim for claim, entry in registry.entries.items() if entry.literature} == {
        "C01", "C02", "C05", "C07", "C08", "C09", "Q01"
    }  # fmt: skip
    without = {item.source for item in items if not re.search(r"arXiv \d{4}\.\d{5}|doi 10\.", item.source)}
    assert without == {"a public fine-tuning log on a model hub"}
    abstracts = {re.findall(r"\d{4}\.\d{5}", item.source)[0] for item in items if item.read == "abstract"}
    assert abstracts == {"2508.09091", "2209.15168"}


def test_only_the_question_is_not_relevant_to_the_paper(registry: Registry) -> None:
    others = {claim: e.relevant_to for claim, e in registry.entries.items() if e.relevant_to != "the paper"}
    assert others == {"Q01": "the source report's question"}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "holds no mapping"),
        ("- a\n", "holds no mapping"),
        ("entries: {}\n", "key plugin is missing"),
        ("[" * 600, "nested too deeply|recursion depth"),
        ("a: \x00", "registry.yaml"),
    ],
)
def test_no_registry_at_all_is_one_line(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(ClaimError, match=message) as caught:
        load_text(tmp_path, text)
    assert "\n" not in str(caught.value)


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    path = tmp_path / "registry.yaml"
    with pytest.raises(ClaimError, match="does not exist"):
        load_registry(path)
    path.write_bytes(b"source: \xff")
    with pytest.raises(ClaimError, match=r"is not UTF-8 \(byte 8\)"):
        load_registry(path)
