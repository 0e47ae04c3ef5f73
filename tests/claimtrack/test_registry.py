"""The registry: texts as they stand, and one-line errors for anything malformed."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import pytest

from claimtrack.errors import ClaimError
from claimtrack.registry import Registry, load_registry
from one_line import said

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
    literature:
      - {direction: supports, finding: 'All <b>layers</b>', number: 70 → 71, unit: '%', model: M, source: S,
         independent: true, read: abstract}
      - {direction: context, finding: Words alone, model: M, source: S, independent: false, read: full text}
"""


def load_text(folder: Path, text: str) -> Registry:
    path = folder / "registry.yaml"
    path.write_text(text, encoding="utf-8")
    return load_registry(path)


def test_texts_are_read_as_they_stand(tmp_path: Path) -> None:
    entry = load_text(tmp_path, SMALL).entry("C01")
    assert entry.source_text == "Text <script>alert(1)</script> \\input{x} [red]{{ 7*7 }}"
    first, second = entry.literature
    assert (first.finding, first.reported) == ("All <b>layers</b>", "70 → 71 %")
    assert first.citation == "S, as reported in the abstract"
    assert (second.reported, second.citation) == ("", "S, by authors of the paper itself")


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("    title: A title\n", "", "line 4: key entries.C01.title is missing"),
        ("    title: A title", "    title: 3", "line 7: entries.C01.title: .*string.* \\(got 3\\)"),
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
        ("  C01:", "  C1:", "line 4: entries.C1.id"),
        ("entries:\n", "entries:\n  C01: {}\n", "line 5: found duplicate key \"C01\""),
        ("entries:\n", "entries: [\n", "line \\d+: "),
        ("date: '2026-01-01'", "date: 2026-01-01", "line 2: source.date: .*string"),
        ("direction: supports", "direction: proves", "line 18: entries.C01.literature.0.direction: .*'proves'"),
        ("number: 70 → 71, ", "", "line 18: entries.C01.literature.0: a unit needs a number"),
        (", independent: false", "", "line 20: key entries.C01.literature.1.independent is missing"),
        ("source: S", "sourc: S", "line 18: unknown key entries.C01.literature.0.sourc; did you mean source"),
        ("    title: A title", "    titel: A title", "line 7: unknown key entries.C01.titel; did you mean title"),
        ("    rule: gain_above_zero", "    claimed: {order: [a, b]}\n    rule: claimed_each",
         "line 14: entries.C01.claimed: order needs a unit"),
        (SMALL, "", "holds no mapping"),
        (SMALL, "- a\n", "holds no mapping"),
        (SMALL, "entries: {}\n", "key plugin is"),
    ],
)  # fmt: skip
def test_a_malformed_registry_is_one_line_with_the_place(tmp_path: Path, old: str, new: str, message: str) -> None:
    assert SMALL.count(old) >= 1
    line = said(ClaimError, load_text, tmp_path, SMALL.replace(old, new, 1))
    assert str(tmp_path / "registry.yaml") in line
    assert re.search(message, line)


@pytest.mark.parametrize(
    ("code", "message"),
    [
        ("def x(:\n", r"line 1: plugin .* fails at .*broken\.py:1: SyntaxError .*; correct it"),
        ("1 / 0\n", r"line 1: plugin .* fails at .*broken\.py:1: ZeroDivisionError division by zero; correct it"),
        ("assert not 1\n", r"fails at .*broken\.py:1: AssertionError; correct it"),
    ],
)
def test_a_plugin_that_does_not_load_is_one_line(
    code: str, message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delitem(sys.modules, "broken", raising=False)
    monkeypatch.syspath_prepend(str(tmp_path))
    (tmp_path / "broken.py").write_text(code, encoding="utf-8")
    text = SMALL.replace("crosslayer.paper:PLUGIN", "broken:PLUGIN")
    assert re.search(message, said(ClaimError, load_text, tmp_path, text))
