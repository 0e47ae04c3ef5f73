"""The report: one context, set as HTML and LaTeX, safe for any text, complete without any run."""

from __future__ import annotations

import base64
import hashlib
import re
import shutil
import xml.etree.ElementTree as ET
from collections.abc import Callable
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jinja2 import UndefinedError

from claimtrack.decisions import Decision
from claimtrack.errors import ClaimError
from claimtrack.evidence import Check, Evidence, Interval, Measurement
from claimtrack.registry import Claimed, Entry, Expected, Literature, Registry, Source, load_registry
from claimtrack.report import figures, html, latex, numbers
from claimtrack.report.bibliography import load_references
from claimtrack.report.context import MARKS, Panel, PlotRow, ReportContext, build
from claimtrack.report.layers import LayerCell, LayerRow, layer_table
from claimtrack.report.paper import load_deviations, pieces, setting
from claimtrack.report.runs import cautions
from claimtrack.report.text import visible
from claimtrack.report.write import compile_pdf, write_figures, write_report
from claimtrack.results import RunResults
from claimtrack.verdict import Verdict, decide
from claimtrack.wording import what_decides
from crosslayer.config import Profile, SplitSizes, TargetPhase, parse_profile
from repository import ROOT

PAPER = ROOT / "paper"
TASKS = ("xnli", "pawsx", "ner", "pos")
HOSTILE = (
    "<script>alert(1)</script>", "]]>", "--></style>", r"\input{/etc/passwd}", "50 % of_these $x$ {a} #1 ^~&",
    "\u202egnissim", "a\x00b", "''quotes`` -- <<x>>", "\\\\[1cm]*", "{{ 7*7 }}", "中文 Ωμέγα", "x" * 300,
)  # fmt: skip
JUDGED = {
    "C01": ("retrieval_lower_minus_upper", "upos_probe_upper_minus_lower"),
    "C02": ("dev_selected_minus_self", "excess_complementarity"),
    "C03": ("slope_accuracy_gap", "slope_similarity"),
    "C05": ("dev_selected_gain",),
    "C06": ("cross_fitted_gain",),
    "C07": ("task_by_layer_interaction", "own_over_common"),
    "C08": ("correlation_semantic", "correlation_structural"),
    "C09": ("genus_similarity_difference", "family_similarity_difference"),
    "C13": ("between_minus_within",),
    "Q01": ("ece_multilingual_minus_english",),
}
BY_TASK = {"C02": TASKS, "C03": TASKS[:2], "C05": TASKS, "C06": TASKS, "C08": ("ner", "xnli", "pawsx")}


def profile(name: str, data: str, encoder: dict[str, Any], mode: str) -> Profile:
    task = {"mode": mode, "epochs": 2, "learning_rate": 1e-4}
    content = {
        "profile": name,
        "encoder": encoder,
        "data": {"source": data, "root": "somewhere"} if data == "xtreme" else {"source": data},
        "tasks": dict.fromkeys(TASKS, task),
        "sweep": {"layers": list(range(1, 12)), "controls": ["self"], "seeds": [0, 1, 2]},
        **{section: {} for section in ("fusion", "intermediate", "probe", "compute")},
        "claims": [f"C{number:02d}" for number in range(1, 18)] + ["Q01"],
    }
    return parse_profile(content, name)


OFFLINE = profile("offline", "fragment", {"source": "packaged"}, "frozen")
FULL = profile("paper", "hub", {"source": "hub", "name": "bert-base-multilingual-cased"}, "finetuned")


def part(measure: str, task: str | None, place: int) -> Measurement:
    middle = 0.4 * place - 0.3
    interval = Interval(low=middle - 0.84, high=middle + 0.84, method="two-way")
    return Measurement(
        measure=measure, task=task, estimate=middle, interval=interval, unit="points", minimum_detectable=1.2,
        p_value=0.013 * (place + 1), n_seeds=3, n_items=5010, judged=True, note="Seeds are paired across models.",
    )  # fmt: skip


def layer_parts() -> list[Measurement]:
    """Gains of two layers and a control in two tasks, one of them not measured."""
    common: dict[str, Any] = {"unit": "points", "n_seeds": 3, "n_items": 5010}
    span = Interval(low=0.25, high=1.75, method="two-way")
    return [
        Measurement(measure="baseline_score", task="ner", model="baseline", estimate=61.234, **common),
        Measurement(measure="layer_gain", task="ner", layer=8, model="layer_8", estimate=1.004, interval=span,
             p_value=0.01, p_adjusted=0.02, **common),
        Measurement(measure="layer_gain", task="ner", layer=4, model="layer_4", estimate=None, unit="points"),
        Measurement(measure="layer_gain", task="pos", layer=4, model="layer_4", estimate=-0.5, **common),
        Measurement(measure="control_gain", task="pos", model="self", estimate=0.75, **{**common, "n_seeds": 2}),
    ]  # fmt: skip


def near_parts() -> list[Measurement]:
    """Accuracy on English and German and on the rest in PAWS-X."""
    span = Interval(low=87.5, high=90.25, method="t")
    common: dict[str, Any] = {"task": "pawsx", "unit": "points", "n_seeds": 3}
    return [
        Measurement(measure="accuracy_en_de", model="baseline", estimate=88.875, interval=span, **common),
        Measurement(measure="accuracy_rest", model="baseline", estimate=70.5, **common),
        Measurement(measure="accuracy_rest", layer=6, model="layer_6", estimate=71.5, **common),
        Measurement(measure="accuracy_rest", layer=4, model="layer_4", estimate=72.5, **{**common, "n_seeds": 2}),
    ]


def evidence(claim: str, run: str, name: str) -> Evidence:
    parts = [
        part(measure, task, place)
        for measure in JUDGED.get(claim, ())
        for place, task in enumerate(BY_TASK.get(claim, (None,)))
    ]
    if claim == "C06":
        parts += [
            Measurement(measure="best_on_test_gain", task="ner", layer=layer, estimate=0.1 * layer, unit="points")
            for layer in range(1, 12)
        ]
    if claim == "C05":
        parts += layer_parts()
    if claim == "C03":
        parts += near_parts()
    found = Check(name="literal form against NumPy", passed=True, expected="at most 1e-5", found="3e-7")
    return Evidence(
        claim=claim, profile=name, run=run, metric="accuracy_v1", status="measured", headline=0 if parts else None,
        parts=tuple(parts), checks=() if parts else (found,), missing=("NER, layer 4, seed 2: collapsed",),
        trials=tuple(hashlib.sha256(f"{claim}{n}".encode()).hexdigest()[:20] for n in range(36)),
        figures=("gains.svg",), facts={"n_languages": 15},
    )  # fmt: skip


def run(
    registry: Registry, name: str, of: Profile, folder: Path, only: tuple[str, ...] | None = None
) -> RunResults:
    found = {
        claim: evidence(claim, name, of.profile) for claim in registry.entries if only is None or claim in only
    }
    verdicts: dict[str, Verdict] = {
        claim: decide(entry, found.get(claim), of, name) for claim, entry in registry.entries.items()
    }
    for claim in found:
        (folder / "claims" / claim).mkdir(parents=True, exist_ok=True)
        (folder / "claims" / claim / "gains.svg").write_text(
            '<svg xmlns="http://www.w3.org/2000/svg" width="90" height="30"><rect width="60" height="20"/></svg>'
        )
    info = {
        "revision": "0123abcd",
        "hardware": {"cpu": "two cores"},
        "stages": {"sweep": {"seconds": 7200.0}, "probe": {"seconds": 40}},
    }
    return RunResults(name, f"the run {name}", of, folder, found, verdicts, info)


@pytest.fixture(scope="module")
def registry() -> Registry:
    return load_registry(ROOT / "claims" / "registry.yaml")


@pytest.fixture(scope="module")
def context(registry: Registry, tmp_path_factory: pytest.TempPathFactory) -> ReportContext:
    folder = tmp_path_factory.mktemp("runs")
    runs = [run(registry, "fresh", OFFLINE, folder / "a"), run(registry, "gpu-2026", FULL, folder / "b")]
    return build(registry, runs, paper=PAPER)


@pytest.fixture(scope="module")
def page(context: ReportContext) -> str:
    return html.render(context)


@pytest.fixture(scope="module")
def tex(context: ReportContext) -> str:
    return latex.render(context)


class Page(HTMLParser):
    """An HTML page taken apart: tags with attributes, text, and whether every tag is closed in order."""

    VOID = ("meta", "br", "img", "link")

    def __init__(self, source: str) -> None:
        super().__init__(convert_charrefs=True)
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.text = ""
        self.feed(source)
        self.close()
        assert not self.open

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.tags if name == tag]

    def values(self, attribute: str) -> list[str]:
        return [str(attributes[attribute]) for _, attributes in self.tags if attribute in attributes]


def plain(text: str) -> str:
    return " ".join(text.split())


def section(source: str, claim: str) -> str:
    """The article of one claim as text."""
    found = re.search(rf'<article class="claim filtered" id="{claim}".*?</article>', source, re.S)
    assert found
    return plain(Page(found[0]).text)


# --- numbers


@given(st.floats(0.0011, 5000))
def test_half_width_is_shown_with_two_significant_digits(half: float) -> None:
    places = numbers.decimals(Interval(low=-half, high=half, method="t"), "points")
    exponent = int(f"{half:.16e}".split("e")[1])
    assert places == min(4, max(0, 1 - exponent))


@given(st.floats(-1e6, 1e6), st.integers(0, 4), st.booleans())
def test_number_reads_back(value: float, places: int, signed: bool) -> None:
    text = numbers.number(value, places, signed)
    read = float(text.replace("−", "-").replace(",", ""))
    assert read == pytest.approx(value, abs=0.5000001 * 10**-places)
    assert text[0] == "−" if read < 0 else text[0] == "+" if signed and read > 0 else text[0].isdigit()


def test_numbers_as_shown() -> None:
    shown = part("cross_fitted_gain", "xnli", 3)
    assert numbers.estimate(shown) == "+0.90 points"
    assert numbers.interval(shown) == "95 % +0.06 to +1.74"
    assert numbers.estimate(shown.model_copy(update={"measure": "accuracy"})) == "0.90 points"
    assert numbers.estimate(shown.model_copy(update={"estimate": None})) == numbers.NO_VALUE
    bare = shown.model_copy(update={"interval": None, "measure": "between_minus_within", "unit": "weight²"})
    assert numbers.estimate(bare.model_copy(update={"estimate": -0.000394})) == "−0.00039 weight²"
    assert numbers.estimate(bare.model_copy(update={"estimate": 1.25})) == "+1.250 weight²"
    assert (
        numbers.estimate(bare.model_copy(update={"estimate": 4.337, "measure": "power", "unit": "%"})) == "4.3 %"
    )
    signed = ("ece_change_in_family", "accuracy_per_step_from_english", "own_over_common", "dev_selected_gain")
    assert all(map(numbers.is_difference, signed))
    assert not any(map(numbers.is_difference, ("weight_variance_over_tokens", "ece", "baseline_score")))
    assert numbers.number(-0.0004, 2, signed=True) == "0.00"
    assert numbers.number(595584, 0) == "595,584"
    assert [numbers.p_value(p) for p in (None, 0.0002, 0.0134, 0.52)] == ["–", "< 0.001", "0.013", "0.52"]
    assert [numbers.seconds(s) for s in (41, 720, 12240)] == ["41 s", "12 min", "3.4 h"]


# --- the context


def test_headlines_come_from_the_most_relevant_run(context: ReportContext) -> None:
    assert [claim.entry.id for claim in context.headlines] == ["C02", "C06", "C07", "Q01"]
    leads = {claim.lead.run.name for claim in context.headlines if claim.lead}
    assert leads == {"gpu-2026"}


def test_a_run_without_the_claim_does_not_lead(registry: Registry, tmp_path: Path) -> None:
    runs = [run(registry, "fresh", OFFLINE, tmp_path), run(registry, "late", FULL, tmp_path, only=("C01",))]
    by_id = {claim.entry.id: claim for claim in build(registry, runs, paper=PAPER).claims}
    leads = {claim: by_id[claim].lead for claim in ("C06", "C01")}
    assert {claim: lead.run.name for claim, lead in leads.items() if lead} == {"C06": "fresh", "C01": "late"}
    assert by_id["C06"].runs[1].outcome.verdict == "not run"


def test_of_equally_relevant_runs_that_on_most_tasks_and_seeds_leads(registry: Registry, tmp_path: Path) -> None:
    runs = [run(registry, name, FULL, tmp_path / name) for name in ("a", "b", "c")]
    gains = runs[0].evidence["C05"].parts
    fewer = tuple(part for part in gains if part.task in (None, "ner"))
    fewer_seeds = tuple(part.model_copy(update={"n_seeds": 2}) for part in gains)
    for found, parts in ((runs[0], fewer), (runs[1], fewer_seeds)):
        found.evidence["C05"] = found.evidence["C05"].model_copy(update={"parts": parts, "headline": None})
    lead = next(c for c in build(registry, runs, paper=PAPER).claims if c.entry.id == "C05").lead
    assert lead is not None
    assert lead.run.name == "c"


def test_what_was_not_run_is_no_evidence(registry: Registry, tmp_path: Path) -> None:
    runs = [run(registry, "late", FULL, tmp_path, only=("C01",))]
    claims = {claim.entry.id: claim.runs[0].outcome for claim in build(registry, runs, paper=PAPER).claims}
    assert (claims["C06"].verdict, claims["C06"].relevance) == ("not run", "none")
    assert claims["C06"].relevance_reason == "Nothing was measured."
    assert claims["C01"].relevance == "direct"


def test_the_report_says_which_rules_were_sealed_before_the_trials(registry: Registry, tmp_path: Path) -> None:
    before, after = "Rule sealed before the first trial.", "Rule written after trials had been seen."
    only = {"C05": True, "C06": False, "C17": None}
    made = run(registry, "late", FULL, tmp_path, only=tuple(only))
    verdicts = {claim: v.model_copy(update={"sealed": only.get(claim)}) for claim, v in made.verdicts.items()}
    found = build(registry, [replace(made, verdicts=verdicts)], paper=PAPER)
    page, source = html.render(found), latex.render(found)
    for claim, shown in (("C05", (1, 0)), ("C06", (0, 1)), ("C17", (0, 0))):
        text = section(page, claim)
        assert (text.count(before), text.count(after)) == shown
    assert (source.count(before), source.count(after)) == (1, 1)


def decided(registry: Registry, folder: Path, hours: float | None) -> ReportContext:
    """C06 and Q01 with decisions of every kind, and C07 without any."""
    of_claim = {
        "xnli": Decision(decision="undecided", seeds=24, hours=hours),
        "pawsx": Decision(decision="undecided"),
        "ner": Decision(decision="refuted"),
        "pos": Decision(decision="holds", note="below the smallest effect of interest"),
    }
    of_question = {
        "pos": Decision(decision="practically none", note="above 0, within 1"),
        "ner": Decision(decision="worsens"),
    }
    made = run(registry, "late", FULL, folder, only=("C06", "C07", "Q01"))
    decisions = {"C06": of_claim, "Q01": of_question}
    verdicts = {
        claim: v.model_copy(update={"decisions": decisions.get(claim, {})}) for claim, v in made.verdicts.items()
    }
    return build(registry, [replace(made, verdicts=verdicts)], paper=PAPER)


def test_the_decision_on_each_task_stands_beside_the_verdict(registry: Registry, tmp_path: Path) -> None:
    found = decided(registry, tmp_path, 6.0)
    page, source = html.render(found), latex.render(found)
    rows = {
        "C06": [
            ("XNLI", "undecided", "24 seeds would decide, about 6 h", ""),
            ("PAWS-X", "undecided", "no number of seeds up to 1,000 would", ""),
            ("NER", "refuted", "–", ""),
            ("POS", "holds", "–", "below the smallest effect of interest"),
        ],
        "Q01": [("POS", "practically none", "–", "above 0, within 1"), ("NER", "worsens", "–", "")],
    }
    for claim, wanted in rows.items():
        table = section(page, claim).rpartition(f"Decisions of {claim}, late")[2].replace(" ", "")
        heading = "about decision what would decide it note"
        assert table.startswith("".join((heading, *map("".join, wanted))).replace(" ", ""))
        for row in wanted:
            assert " & ".join(map(latex.escape, row)) in source
    assert "Decisions of C07" not in section(page, "C07")
    assert source.count("what would decide it") == 2
    assert "hours not recorded" not in page + source


def test_hours_that_nobody_recorded_are_named_once(registry: Registry, tmp_path: Path) -> None:
    found = decided(registry, tmp_path, None)
    page, source = html.render(found), latex.render(found)
    assert "Decisions of C06, late; hours not recorded" in section(page, "C06")
    assert section(page, "C06").count("24 seeds would decide") == 1
    assert "about 6 h" not in page
    assert (page.count("hours not recorded"), source.count("hours not recorded")) == (1, 1)


@pytest.mark.parametrize(("hours", "shown"), [(0.3, "0.3"), (6.0, "6"), (6.4, "6.4"), (120.0, "120")])
def test_hours_have_a_decimal_where_they_are_few(hours: float, shown: str) -> None:
    found = Decision(decision="undecided", seeds=24, hours=hours)
    assert what_decides(found) == f"24 seeds would decide, about {shown} h"


def test_the_first_screen_says_the_decisions(registry: Registry, tmp_path: Path) -> None:
    found = decided(registry, tmp_path, 6.0)
    answers = {claim.entry.id: claim.answer for claim in found.headlines}
    assert answers["C06"] == (
        "Undecided on XNLI (24 seeds would decide, about 6 h), PAWS-X, refuted on NER, "
        "holds on POS (below the smallest effect of interest)."
    )
    outcomes = {claim.entry.id: claim.lead.outcome for claim in found.headlines if claim.lead}
    for claim in ("C07", "Q01"):
        assert answers[claim] == outcomes[claim].because, "no tasks, and an answer of its own"
    page, source = html.render(found), latex.render(found)
    first = page[: page.index('id="matrix"')], source[: source.index(r"\end{abstract}")]
    for text, escaped in zip(first, (html.escape, latex.escape), strict=True):
        assert all(escaped(answers[claim]) in text for claim in ("C06", "C07", "Q01"))
        assert escaped(outcomes["C06"].because) not in text


def test_counts_cover_every_claim(context: ReportContext) -> None:
    for view in context.runs:
        assert sum(count for _, count in context.counts(view)) == len(context.claims) == 18


def test_cautions_follow_the_profile() -> None:
    assert [label for label, _ in cautions(OFFLINE)] == ["fragment data", "not mBERT", "frozen encoder"]
    assert cautions(FULL) == ()
    tiny = profile("tiny", "fragment", {"source": "random"}, "finetuned")
    assert [label for label, _ in cautions(tiny)] == ["fragment data", "random encoder"]


def test_two_runs_of_one_name_are_refused(registry: Registry, tmp_path: Path) -> None:
    twins = [run(registry, "same", FULL, tmp_path), run(registry, "same", FULL, tmp_path)]
    with pytest.raises(ClaimError, match="two runs are called same; rename"):
        build(registry, twins, paper=PAPER)


def test_panels_hold_the_judged_parts_with_claimed_and_reported_values(context: ReportContext) -> None:
    claim = next(claim for claim in context.claims if claim.entry.id == "C06")
    (panel,) = claim.panels
    assert panel.claimed == (1.0, 3.0)
    assert len(panel.rows) == 2 * len(TASKS)
    assert [row.reported for row in panel.rows[:4]] == [
        *(claim.entry.claimed.by_task[t] for t in ("xnli", "pawsx", "ner")),
        None,
    ], "the paper scores POS by another metric"
    assert panel.rows[0].run == "fresh (fragment)"
    signs = next(claim for claim in context.claims if claim.entry.id == "C03").panels
    assert [panel.claimed for panel in signs] == [(0.0, float("inf")), (float("-inf"), 0.0)]


def test_expected_ranges_are_those_of_the_run(registry: Registry, tmp_path: Path) -> None:
    wanted = Expected(
        profile="offline",
        measure="cross_fitted_gain",
        task="ner",
        low=0.25,
        high=1.5,
        basis="pilot",
        reason="two seeds",
    )
    entry = registry.entries["C06"].model_copy(update={"expected": [wanted]})
    small = registry.model_copy(update={"entries": {"C06": entry}})
    runs = [run(small, name, of, tmp_path / name) for name, of in (("fresh", OFFLINE), ("late", OFFLINE))]
    made = build(small, runs, paper=PAPER)
    (panel,) = made.claims[0].panels
    assert {(row.run, row.subject): row.expected for row in panel.rows if row.expected} == {
        ("fresh (fragment)", "NER"): (0.25, 1.5)
    }
    text = section(html.render(made), "C06")
    assert text.count("cross_fitted_gain ner: 0.25 to 1.5, from pilot: two seeds") == 1


def test_figures_outside_the_claim_folder_are_not_read(registry: Registry, tmp_path: Path) -> None:
    made = run(registry, "fresh", FULL, tmp_path, only=("C06",))
    (tmp_path / "claims" / "secret.svg").write_text("<svg/>")
    names = ("../secret.svg", "evidence.json", "absent.svg", "gains.svg")
    wanted = made.evidence["C06"].model_copy(update={"figures": names})
    claims = build(registry, [replace(made, evidence={"C06": wanted})], paper=PAPER).claims
    drawings = next(claim for claim in claims if claim.entry.id == "C06").runs[0].drawings
    assert [drawing.svg is not None for drawing in drawings] == [False, False, False, True]


def test_a_drawing_is_called_by_the_title_of_its_svg(registry: Registry, tmp_path: Path) -> None:
    made = run(registry, "fresh", FULL, tmp_path, only=("C06",))
    svg = "<svg xmlns='http://www.w3.org/2000/svg'><title>Gains &lt;b&gt;of\n  95 %&lt;/b&gt;</title></svg>"
    wanted = made.evidence["C06"].model_copy(update={"figures": ("gains.svg", "bare.svg")})
    folder = tmp_path / "claims" / "C06"
    (folder / "gains.svg").write_text(svg, encoding="utf-8")
    (folder / "bare.svg").write_text("<svg/>", encoding="utf-8")
    context = build(registry, [replace(made, evidence={"C06": wanted})], paper=PAPER)
    titled, bare = next(claim for claim in context.claims if claim.entry.id == "C06").runs[0].drawings
    assert (titled.title, bare.title) == ("Gains <b>of 95 %</b>", "bare.svg")
    page, source = html.render(context), latex.render(context)
    assert 'alt="Gains &lt;b&gt;of 95 %&lt;/b&gt;, ' in page
    assert "<figcaption>Gains &lt;b&gt;of 95 %&lt;/b&gt;. " in page
    assert r"{Gains \textless{}b\textgreater{}of 95 \%\textless{}/\allowbreak{}b\textgreater{}.}" in source


# --- what people wrote


def test_deviations_name_real_settings() -> None:
    deviations = load_deviations(PAPER / "deviations.yaml")
    assert len({deviation.id for deviation in deviations}) == len(deviations) > 15
    for deviation in deviations:
        for key in deviation.settings:
            assert setting(OFFLINE, key)


def test_settings_are_read_from_the_profile() -> None:
    assert setting(OFFLINE, "fusion.reduction") == "4"
    assert setting(OFFLINE, "tasks.*.learning_rate") == "0.0001"
    mixed = OFFLINE.tasks | {"ner": OFFLINE.tasks["ner"].model_copy(update={"epochs": 9})}
    assert "ner 9" in setting(OFFLINE.model_copy(update={"tasks": mixed}), "tasks.*.epochs")
    phases = {"targets": ["pos", "ner"], "epochs": 3, "by_target": {"ner": TargetPhase(epochs=1)}}
    after = OFFLINE.model_copy(update={"intermediate": OFFLINE.intermediate.model_copy(update=phases)})
    assert setting(after, "intermediate.phases.*.epochs") == "pos 3, ner 1"
    none = OFFLINE.model_copy(update={"intermediate": OFFLINE.intermediate.model_copy(update={"targets": []})})
    assert setting(none, "intermediate.phases.*.epochs") == "none"
    with pytest.raises(ClaimError, match=r"no profile has the key fusion\.colour"):
        setting(OFFLINE, "fusion.colour")


def test_prose_is_split_at_citations_and_code() -> None:
    split = list(pieces("See [@a2020; @b2021] and `self` [no] cite."))
    assert [piece.kind for piece in split] == ["text", "cite", "text", "code", "text"]
    assert split[1].text == "a2020,b2021"
    assert "".join(piece.text for piece in pieces("no [marks] at all")) == "no [marks] at all"


def paper_folder(tmp_path: Path, name: str, change: Callable[[str], str]) -> Path:
    folder = tmp_path / "paper"
    shutil.copytree(PAPER, folder, ignore=shutil.ignore_patterns("build"))
    (folder / name).write_text(change((folder / name).read_text(encoding="utf-8")), encoding="utf-8")
    return folder


@pytest.mark.parametrize(
    ("name", "change", "message"),
    [
        (
            "prose.yaml",
            lambda text: text.replace("@dai2021", "@nobody1999"),
            "cites nobody1999, which references.bib",
        ),
        (
            "deviations.yaml",
            lambda text: text.replace("\n  effect:", "\n  efect:", 1),
            r"deviations\.yaml: 0\.\w+: ",
        ),
        ("references.bib", lambda text: text + "@article{broken,", "references.bib"),
    ],
)
def test_wrong_texts_are_one_line(
    registry: Registry, tmp_path: Path, name: str, change: Callable[[str], str], message: str
) -> None:
    with pytest.raises(ClaimError, match=message) as caught:
        build(registry, [], paper=paper_folder(tmp_path, name, change))
    assert "\n" not in str(caught.value)


def test_references_have_labels_text_and_addresses() -> None:
    found = {reference.key: reference for reference in load_references(PAPER / "references.bib")}
    assert found["chen2022"].label == "Chen et al. 2022"
    assert "1428–1435" in found["chen2022"].text
    assert found["libovicky2020"].label == "Libovický et al. 2020"
    assert {reference.address[:8] for reference in found.values()} == {"https://"}
    assert not any("URL" in reference.text or "{" in reference.text for reference in found.values())


def test_references_need_no_author_and_no_address(tmp_path: Path) -> None:
    (tmp_path / "r.bib").write_text(
        "@book{one, author={Ann Lee}, title={A Book}, publisher={P}, year={1999}}\n"
        "@misc{two, organization={The Institute}, title={A Page}, url={http://x.org}}\n"
        "@misc{three, title={A Title Alone}}\n",
        encoding="utf-8",
    )
    found = {reference.key: reference for reference in load_references(tmp_path / "r.bib")}
    labels = {"one": "Lee 1999", "two": "The Institute", "three": "A Title Alone"}
    assert {key: reference.label for key, reference in found.items()} == labels
    assert {reference.address for reference in found.values()} == {""}


# --- HTML


def test_page_is_well_formed_and_its_anchors_resolve(page: str) -> None:
    parsed = Page(page)
    ids = parsed.values("id")
    assert len(set(ids)) == len(ids)
    targets = [a["href"] for a in parsed.all("a") if str(a["href"]).startswith("#")]
    assert {str(target)[1:] for target in targets} <= set(ids)
    assert {"C06", "Q01", "method", "deviations", "references", "ref-chen2022"} <= set(ids)
    assert set(parsed.values("aria-labelledby")) <= set(ids)


def test_page_loads_nothing_and_runs_only_our_script(page: str) -> None:
    parsed = Page(page)
    names = {tag for tag, _ in parsed.tags}
    assert not names & {"link", "iframe", "object", "base", "svg"}
    assert parsed.all("script") == [{}]
    assert all("action" not in form for form in parsed.all("form"))
    assert all(source.startswith("data:image/svg+xml;base64,") for source in parsed.values("src"))
    attributes = {name for _, found in parsed.tags for name in found}
    assert not {name for name in attributes if name.startswith("on") or name == "style"}
    saved = "data:application/json;base64,"
    assert all(href.startswith(("#", "https://", saved)) for href in parsed.values("href"))
    assert all(str(a["href"]).startswith(saved) == ("download" in a) for a in parsed.all("a"))


def test_policy_allows_pictures_our_style_and_our_script_alone(page: str) -> None:
    policy = next(str(m["content"]) for m in Page(page).all("meta") if m.get("http-equiv"))
    rules = dict(rule.strip().split(" ", 1) for rule in policy.split(";"))
    for element in ("style", "script"):
        (block,) = re.findall(rf"<{element}>(.*?)</{element}>", page, re.S)
        digest = base64.b64encode(hashlib.sha256(block.encode()).digest()).decode()
        assert rules.pop(f"{element}-src") == f"'sha256-{digest}'"
    assert rules.pop("img-src") == "data:"
    assert set(rules.values()) == {"'none'"}


def test_evidence_travels_with_the_page(context: ReportContext, page: str) -> None:
    links = {a["download"]: str(a["href"]) for a in Page(page).all("a") if "download" in a}
    found = [item for claim in context.claims for item in claim.runs if item.evidence]
    assert len(links) == len(found) > 18
    for item in found:
        content = base64.b64decode(links[f"{item.anchor}.json"].partition(",")[2])
        assert Evidence.model_validate_json(content) == item.evidence


def test_a_claim_has_its_history_over_the_runs(context: ReportContext, page: str) -> None:
    shown = section(page, "C06").partition("C06 over the runs")[2]
    first = shown.index("fresh")
    headline = next(c for c in context.claims if c.entry.id == "C06").runs[0].headline
    assert headline
    assert headline.estimate in shown
    assert first < shown.index(context.claims[0].runs[1].run.name)


def test_page_can_be_read_without_eyes_or_mouse(page: str) -> None:
    parsed = Page(page)
    assert {"main", "header", "nav", "footer"} <= {tag for tag, _ in parsed.tags}
    assert parsed.all("a")[0]["class"] == "skip"
    assert all(image.get("alt") for image in parsed.all("img"))
    assert all(cell.get("scope") in ("col", "colgroup", "row") for cell in parsed.all("th"))
    assert page.count("<table") == page.count("<caption>")
    scrolled = [div for div in parsed.all("div") if div.get("class") == "scroll"]
    assert all(div.get("tabindex") == "0" and div.get("aria-label") for div in scrolled)
    assert page.count("<table") <= len(scrolled)


def test_first_screen_has_answers_then_verdicts(context: ReportContext, page: str) -> None:
    before = page[: page.index('id="claims"')]
    assert before.index('id="answers"') < before.index('id="matrix"')
    text = plain(Page(before.rsplit("<section", 1)[0] + "</main></body></html>").text)
    for claim in context.headlines:
        assert claim.lead
        by_task = claim.entry.id in ("C02", "C06")
        assert (claim.lead.outcome.because in text) != by_task, "claims about each task say the decisions instead"
        assert claim.answer in text
        about = "the source report's question" if claim.entry.id == "Q01" else "the paper"
        assert f"Direct evidence about {about}. mBERT, fine-tuned on the full data." in text
    cells = re.findall(r"<td data-run=[^>]*><span class=\"verdict.*?</td>", before)
    assert len(cells) == 18 * 2
    for cell, item in zip(cells, (item for claim in context.claims for item in claim.runs), strict=True):
        shown = plain(Page(cell).text)
        kind = {"direct": "direct", "indirect": "indirect", "none": "no"}[item.outcome.relevance]
        assert shown == f"{MARKS[item.outcome.verdict]} {item.outcome.verdict} {kind} evidence"


def test_each_claim_shows_all_that_it_rests_on(context: ReportContext, page: str) -> None:
    for claim in context.claims:
        text = section(page, claim.entry.id)
        entry = claim.entry
        for wanted in (entry.source_text, entry.measured_as, entry.reproduced_when, entry.would_change):
            assert plain(wanted) in text
        assert ("[cut off in the source]" in text) == entry.truncated
        assert claim.literature_status in text
        for item in claim.runs:
            assert item.evidence
            rows = [value for row in item.parts for value in (row.estimate, row.interval, row.note)]
            checks = [value for check in item.evidence.checks for value in (check.expected, check.found)]
            rest = [item.outcome.because, item.outcome.relevance_reason, item.run.revision]
            for wanted in (*rows, *checks, *rest, *item.evidence.missing, *item.evidence.trials):
                assert plain(wanted) in text


def test_fragment_numbers_say_so_everywhere(context: ReportContext, page: str, tex: str) -> None:
    for claim in context.claims:
        assert section(page, claim.entry.id).count("the run fresh fragment data, not mBERT, frozen encoder") == 1
        assert "the run gpu-2026 fragment" not in section(page, claim.entry.id)
    assert "are no evidence about the paper" in page
    assert tex.count("fragment data, not mBERT, frozen encoder") >= len(context.claims) + 1
    head = re.search(r"\\pagestyle\{myheadings\}\n\\markright\{(.*)\}", tex)
    assert head is not None
    assert "fresh: fragment data, not mBERT, frozen encoder" in head[1]


def test_table_of_layers_has_the_papers_numbers_beside_ours(context: ReportContext, page: str, tex: str) -> None:
    found = context.tables[0]
    assert "fragment" not in found.run.labels, "real data come first"
    assert (found.columns, found.seeds) == (("NER", "POS"), "2 to 3")
    rows = {row.name: row.cells for row in found.rows}
    assert list(rows) == ["baseline, score", "D_8", "D_4", "control: self"]
    assert rows["baseline, score"] == (LayerCell("62.17", "61.23", "", "–"), LayerCell("70.28", "–", "", "–"))
    assert rows["D_8"][0] == LayerCell("+1.17", "+1.00", "+0.25 to +1.75", "0.020")
    assert rows["D_4"] == (LayerCell("+0.11", "–", "", "–"), LayerCell("+0.98", "−0.50", "", "–"))
    assert rows["control: self"] == (LayerCell("–", "–", "", "–"), LayerCell("–", "+0.75", "", "–"))
    for source in (page, tex):
        assert "Table 1, rebuilt" in source
        assert "+0.25 to +1.75" in source
    assert "0.010 (Holm 0.020)" in page


def test_pos_stands_beside_the_papers_numbers_by_the_papers_rule_only(context: ReportContext) -> None:
    common: dict[str, Any] = {"task": "pos", "unit": "points", "n_seeds": 3}
    spans = [
        Measurement(measure="baseline_score_by_pos_span_f1", model="baseline", estimate=65.5, **common),
        Measurement(measure="layer_gain_by_pos_span_f1", layer=4, model="layer_4", estimate=-0.25, **common),
        Measurement(measure="control_gain_by_pos_span_f1", model="self", estimate=0.25, **common),
    ]
    found = layer_table(context.runs[0], made_evidence([*layer_parts(), *spans]))
    assert found is not None
    assert found.columns == ("NER", "POS, accuracy", "POS, span F1")
    rows = {row.name: row.cells[1:] for row in found.rows}
    assert rows["baseline, score"] == (LayerCell("–", "–", "", "–"), LayerCell("70.28", "65.50", "", "–"))
    assert rows["D_4"] == (LayerCell("–", "−0.50", "", "–"), LayerCell("+0.98", "−0.25", "", "–"))
    assert rows["control: self"] == (LayerCell("–", "+0.75", "", "–"), LayerCell("–", "+0.25", "", "–"))


def test_a_wide_table_stands_in_parts_of_three_columns_on_paper(context: ReportContext) -> None:
    narrow = context.tables[0]
    names = tuple(f"column {k}" for k in range(5))
    cells = tuple(LayerCell("–", f"{k}.25", "", "–") for k in range(5))
    wide = replace(narrow, columns=names, rows=(LayerRow("D_8", cells),))
    assert html.render(replace(context, tables=(wide, narrow))).count('class="layers wide"') == 1
    source = latex.render(replace(context, tables=(wide,)))
    parts = (
        source.partition("Table 1, rebuilt")[2]
        .partition("Tables 2 and 3, rebuilt")[0]
        .split(r"\begin{longtable}")[1:]
    )
    assert [[name for name in names if name in part] for part in parts] == [list(names[:3]), list(names[3:])]
    assert [[k for k in range(5) if f" {k}.25 " in part] for part in parts] == [[0, 1, 2], [3, 4]]


def made_evidence(parts: list[Measurement]) -> Evidence:
    return Evidence(claim="C05", profile="made-up", metric="m_v1", status="measured", parts=tuple(parts))


def test_tables_2_and_3_have_the_papers_numbers_beside_ours(context: ReportContext, page: str, tex: str) -> None:
    found = context.near[0]
    assert (found.columns, found.seeds) == (("PAWS-X, en and de", "PAWS-X, the rest"), "2 to 3")
    rows = {row.name: row.cells for row in found.rows}
    assert list(rows) == ["baseline", "D_6", "D_4"]
    assert rows["baseline"] == (
        LayerCell("89.85", "88.88", "87.50 to 90.25", "–"), LayerCell("78.80", "70.50", "", "–")
    )  # fmt: skip
    assert rows["D_6"] == (LayerCell("90.00", "–", "", "–"), LayerCell("82.12", "71.50", "", "–"))
    assert rows["D_4"] == (LayerCell("–", "–", "", "–"), LayerCell("–", "72.50", "", "–"))
    for source in (page, tex):
        assert "Tables 2 and 3, rebuilt" in source
        assert "87.50 to 90.25" in source


def test_frozen_and_fine_tuned_runs_of_real_data_are_compared(
    registry: Registry, tmp_path: Path, context: ReportContext
) -> None:
    assert context.modes == (), "the fragment is compared with nothing"
    modes = {mode: profile(mode, "xtreme", {"source": "packaged"}, mode) for mode in ("frozen", "finetuned")}
    runs = [run(registry, f"run-{mode}", of, tmp_path / mode) for mode, of in modes.items()]
    found = build(registry, runs, paper=PAPER)
    assert [(panel.task, [curve.mode for curve in panel.curves]) for panel in found.modes] == [
        ("NER", ["frozen", "finetuned"]), ("POS", ["frozen", "finetuned"])
    ]  # fmt: skip
    assert [part.estimate for part in found.modes[0].curves[0].gains] == [1.004]
    names = [[table.run.name for table in tables] for tables in (found.tables, found.near)]
    assert names == [["run-finetuned", "run-frozen"]] * 2, "a frozen encoder comes after a fine-tuned one"
    sentence = found.modes[0].sentence
    assert sentence.count("points") == 2
    for source in (html.render(found), latex.render(found)):
        assert "What fine-tuning leaves" in source
        assert source.count("never counted for the paper") == 1
    texts = {
        e.text for e in ET.fromstring(figures.draw_modes(found.modes, "svg")).iter() if e.tag.endswith("}text")
    }
    assert {"NER", "POS", "frozen (run-frozen)", "fine-tuned (run-finetuned)"} <= texts
    write_figures(found, tmp_path)
    assert (tmp_path / latex.MODES_NAME).read_bytes().startswith(b"%PDF")
    for other in ({"encoder": FULL.encoder}, {"data": FULL.data}, {"tasks": with_sizes(runs[1].profile, 200)}):
        changed = replace(runs[1], profile=runs[1].profile.model_copy(update=other))
        assert not build(registry, [runs[0], changed], paper=PAPER).modes, "not the same encoder and data"


def with_sizes(of: Profile, train: int) -> dict[str, Any]:
    sizes = SplitSizes(train=train)
    return {name: task.model_copy(update={"sizes": sizes}) for name, task in of.tasks.items()}


def test_literature_status_is_not_the_verdict(context: ReportContext) -> None:
    disputed = next(claim for claim in context.claims if claim.entry.id == "C16")
    assert disputed.literature_status == "not verified (×) in the source report; supported by the primary source"
    assert disputed.runs[0].outcome.verdict == "reproduced"


def test_what_others_report_stands_beside_the_claim_and_not_before(
    context: ReportContext, page: str, tex: str
) -> None:
    heading = r"\textbf{What others report}"
    assert "What others report" not in page[: page.index('id="claims"')]
    assert heading not in tex[: tex.index(r"\appendix")]
    for claim in context.claims:
        text = section(page, claim.entry.id)
        assert text.count("What others report") == bool(claim.entry.literature)
        for item in claim.entry.literature:
            row = (item.direction, item.finding, item.reported or "–", item.model, item.citation)
            assert "".join(row) in text, "the cells of one row"
    assert tex.count(heading) == sum(bool(claim.entry.literature) for claim in context.claims) == 7
    assert tex.count("as reported in the abstract") == page.count("as reported in the abstract") == 5


def test_same_context_gives_same_bytes(context: ReportContext) -> None:
    small = replace(context, claims=context.claims[1:2])
    assert html.render(small) == html.render(small)
    assert latex.render(small) == latex.render(small)
    panels = context.claims[1].panels
    assert figures.draw(panels, "pdf") == figures.draw(panels, "pdf")


# --- without runs


def test_without_runs_everything_is_not_run(registry: Registry) -> None:
    empty = build(registry, [], paper=PAPER)
    text = plain(Page(html.render(empty)).text)
    assert text.count("not run There is no run yet.") == len(empty.headlines) == 4
    assert "no claim has a verdict" in text
    source = latex.render(empty)
    assert source.count(r"\emph{not run}") >= 18 + 4


def test_without_evidence_the_verdict_says_why(registry: Registry, tmp_path: Path) -> None:
    bare = build(registry, [run(registry, "fresh", OFFLINE, tmp_path, only=())], paper=PAPER)
    text = section(html.render(bare), "C06")
    assert "not run There is no evidence in this run." in text
    assert not any(claim.panels for claim in bare.claims)


def test_a_forgotten_value_is_an_error(registry: Registry, tmp_path: Path) -> None:
    folder = paper_folder(tmp_path, "report.html.j2", lambda text: text.replace("entry.title", "entry.titel"))
    with pytest.raises(UndefinedError):
        html.render(build(registry, [], paper=folder))


# --- hostile texts


def hostile_entry(entry: Entry, text: str) -> Entry:
    line = plain(text)
    names = ("source_text", "title", "reported", "measured_as", "reproduced_when", "would_change")
    changed = dict.fromkeys(names, line)
    source = entry.primary_source.model_copy(update={"cell": line, "note": text})
    literature = Literature(
        direction="supports", finding=line, number=line, unit=line, model=line, source=line, independent=False,
        read="abstract",
    )  # fmt: skip
    more = {"primary_source": source, "claimed": Claimed(), "relevant_to": line, "literature": [literature]}
    return entry.model_copy(update={**changed, **more})


@pytest.fixture(scope="module")
def hostile(registry: Registry, tmp_path_factory: pytest.TempPathFactory) -> ReportContext:
    """Two claims, each text of which is all hostile texts in a row."""
    text = "\n".join(HOSTILE)
    folder = tmp_path_factory.mktemp("hostile")
    entries = {claim: hostile_entry(registry.entries[claim], text) for claim in ("C04", "C06")}
    small = registry.model_copy(
        update={"entries": entries, "source": Source(title="t", date="d", note=text, cites=[])}
    )
    made = run(small, "fresh", OFFLINE, folder)
    names = ("note", "model", "unit")
    evil = {
        claim: found.model_copy(
            update={
                "parts": tuple(p.model_copy(update=dict.fromkeys(names, text)) for p in found.parts),
                "checks": (Check(name=text, passed=False, expected=text, found=text),),
                "missing": (text,), "metric": text, "trials": (text,), "facts": {text: text}, "figures": (text,),
            }
        )
        for claim, found in made.evidence.items()
    }  # fmt: skip
    verdicts = {
        claim: v.model_copy(
            update={
                "because": text, "relevant_to": text, "relevance_reason": text,
                "decisions": {text: Decision(decision="holds", note=text)},
            }
        )
        for claim, v in made.verdicts.items()
    }  # fmt: skip
    info = {"revision": text, text: {text: text}, "stages": {text: {"seconds": 3}}}
    changed = replace(made, name=text, title=text, evidence=evil, verdicts=verdicts, info=info)
    return build(small, [changed], paper=PAPER)


def test_hostile_text_is_text_in_html(hostile: ReportContext, page: str) -> None:
    source = html.render(hostile)
    parsed = Page(source)
    assert {tag for tag, _ in parsed.tags} <= {tag for tag, _ in Page(page).tags}
    assert not re.search("[\x00\u202e]", source)
    text = plain(parsed.text)
    for each in HOSTILE:
        assert text.count(plain(visible(each))) > 20
    attributes = {name for _, found in parsed.tags for name in found}
    assert attributes <= {name for _, found in Page(page).tags for name in found}


def test_hostile_text_is_text_in_latex(hostile: ReportContext) -> None:
    source = latex.render(hostile)
    assert r"\input" not in source
    assert r"\textbackslash{}input\{/\allowbreak{}etc/\allowbreak{}passwd\}" in source
    assert r"50 \% of\_\allowbreak{}these \$x\$ \{a\} \#1 \textasciicircum{}\textasciitilde{}\&" in source
    assert not re.search("[\x00\u202e]", source)
    body = re.sub(r"\\[{}]", "", source)
    assert body.count("{") == body.count("}")


def test_hostile_run_names_are_text_in_pictures(hostile: ReportContext) -> None:
    claim = next(claim for claim in hostile.claims if claim.panels)
    drawn = figures.draw(claim.panels, "svg")
    assert ElementTree.fromstring(drawn).tag.endswith("svg")
    assert b"<script" not in drawn
    assert figures.draw(claim.panels, "pdf").startswith(b"%PDF")


@given(st.text())
def test_html_escape_reads_back(text: str) -> None:
    import html as standard

    escaped = html.escape(text)
    assert standard.unescape(escaped) == visible(text)
    assert not re.search("[<>\"'\x00-\x08\u202a-\u202e]", escaped)


SAFE = re.compile(
    r"(?:[\w .:;=+()@!?,'/~-]|[\u00a1-\u017f]|\\[{}$%&#_]|\\(?:text[a-z]+|allowbreak)\{\}|\{[\[\]*]?\}"
    r"|\\ensuremath\{(?:-|\\[A-Za-z]+)\})*"
)


@given(st.text() | st.text("\\{}$%&#^_~<>|\"`'-,[]*/ abc\n"))
def test_latex_escape_leaves_nothing_but_text(text: str) -> None:
    escaped = latex.escape(text)
    assert SAFE.fullmatch(escaped)
    assert not re.search(r"--|,,|''", escaped)
    assert latex.escape(escaped) == escaped


@given(st.text("abcdefghij :.;()=+@!?", max_size=80))
def test_latex_escape_keeps_plain_words(text: str) -> None:
    assert latex.escape(text).replace(r"\allowbreak{}", "") == plain(text)


def test_templates_never_mark_text_as_safe() -> None:
    for name in ("report.html.j2", "report.tex.j2"):
        template = (PAPER / name).read_text(encoding="utf-8")
        assert not re.search(r"\|\s*safe|autoescape|Markup", template)


# --- pictures and files


def test_picture_shows_every_row(context: ReportContext) -> None:
    claim = next(claim for claim in context.claims if claim.entry.id == "C06")
    text = "".join(ElementTree.fromstring(figures.draw(claim.panels, "svg")).itertext())
    for name in ("fresh (fragment): XNLI", "gpu-2026: POS", "cross-fitted gain", "points"):
        assert name in text


def test_picture_draws_interval_expectation_and_reported_value() -> None:
    full = PlotRow("r", "s", 0.5, (0.0, 1.0), (0.2, 0.8), 0.6)
    bare = replace(full, interval=None, expected=None, reported=None)

    def colours(row: PlotRow) -> set[str]:
        drawn = figures.draw((Panel("m", "points", None, (row,)),), "svg").decode()
        return {colour for colour in (figures.EXPECTED, figures.REPORTED, figures.BAND) if colour in drawn}

    assert colours(full) == {figures.EXPECTED, figures.REPORTED}
    assert colours(bare) == set()


@settings(max_examples=5, deadline=None)
@given(st.floats(-1e9, 1e9), st.text(max_size=60))
def test_any_value_can_be_drawn(value: float, label: str) -> None:
    row = PlotRow(label, label, value, None, None, None)
    panel = Panel(label, label, (float("-inf"), 0.0), (row,))
    ElementTree.fromstring(figures.draw((panel,), "svg"))


def test_report_is_written_without_latexmk(
    context: ReportContext, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("shutil.which", lambda name: None)
    (tmp_path / "figure-C99.pdf").write_bytes(b"of an older report")
    small = replace(context, claims=context.claims[3:6])
    written = write_report(small, tmp_path)
    assert written.pdf is None
    assert any("apt install latexmk" in note for note in written.notes)
    assert any("apt install librsvg2-bin" in note for note in written.notes)
    found = {path.name for path in tmp_path.iterdir()}
    assert found == {"report.html", "report.tex", "references.bib", "figure-C05.pdf", "figure-C06.pdf"}
    source = written.tex.read_text(encoding="utf-8")
    assert r"\optionalfigure{figure-C05-1-0.pdf}" in source
    assert "Blue band: claimed range." in source


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("latexmk") is None, reason="latexmk is not installed")
@pytest.mark.parametrize("name", ["context", "hostile"])
def test_latex_compiles_without_overfull_boxes(name: str, request: pytest.FixtureRequest, tmp_path: Path) -> None:
    written = write_report(request.getfixturevalue(name), tmp_path)
    assert written.pdf, written.notes
    log = written.tex.with_suffix(".log").read_text(encoding="utf-8", errors="replace")
    widths = [float(width) for width in re.findall(r"Overfull \\hbox \(([\d.]+)pt", log)]
    assert max(widths, default=0) <= 10
    assert "undefined" not in " ".join(re.findall(r"LaTeX Warning:.*", log))


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("latexmk") is None, reason="latexmk is not installed")
def test_every_letter_that_is_kept_is_in_the_font(tmp_path: Path) -> None:
    letters = " ".join(latex.escape(chr(code)) for code in (*range(0x20, 0x250), *range(0x370, 0x400), 0x2212))
    head = r"\documentclass{article}\usepackage[T1]{fontenc}\usepackage{textcomp,amssymb}\begin{document}"
    source = tmp_path / "letters.tex"
    source.write_text(f"{head}{letters}\\end{{document}}", encoding="utf-8")
    pdf, notes = compile_pdf(source)
    assert pdf, (notes, source.with_suffix(".log").read_text(errors="replace")[-2000:])


def test_report_needs_neither_torch_nor_early_matplotlib() -> None:
    import subprocess
    import sys

    code = (
        "import sys, claimtrack.report.write; print(sorted({'torch', 'matplotlib', 'pybtex'} & set(sys.modules)))"
    )
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert shown.strip() == "[]"
