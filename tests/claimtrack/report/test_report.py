"""The report: one context, set as HTML and LaTeX, safe for any text, complete without any run."""

from __future__ import annotations

import base64
import hashlib
import re
import shutil
from dataclasses import replace
from math import inf
from pathlib import Path
from xml.etree import ElementTree

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from jinja2 import UndefinedError

from claimtrack.decisions import Decision
from claimtrack.evidence import Evidence
from claimtrack.registry import Registry
from claimtrack.report import html, latex, pictures
from claimtrack.report.claims import ClaimView
from claimtrack.report.context import MARKS, ReportContext
from claimtrack.report.summary import grade
from claimtrack.report.text import visible
from claimtrack.report.write import compile_pdf, write_report
from claimtrack.runs import RunResults
from claimtrack.sections import Drawing
from claimtrack.wording import EVIDENCE, what_decides
from made_report import FULL, HOSTILE, OFFLINE, PAPER, Page, hostile_report, made, plain, run, section


@pytest.fixture(scope="module")
def context(registry: Registry, tmp_path_factory: pytest.TempPathFactory) -> ReportContext:
    """The fragment beside mBERT on full data."""
    folder = tmp_path_factory.mktemp("runs")
    return made(
        registry, [run(registry, "fresh", OFFLINE, folder / "a"), run(registry, "gpu-2026", FULL, folder / "b")]
    )


@pytest.fixture(scope="module")
def page(context: ReportContext) -> str:
    return html.render(context)


@pytest.fixture(scope="module")
def tex(context: ReportContext) -> str:
    return latex.render(context)


@pytest.fixture(scope="module")
def hostile(registry: Registry, tmp_path_factory: pytest.TempPathFactory) -> ReportContext:
    return hostile_report(registry, tmp_path_factory.mktemp("hostile"))


@pytest.fixture
def c06(registry: Registry, tmp_path: Path) -> RunResults:
    """A run of one claim."""
    return run(registry, "late", FULL, tmp_path, only=("C06",))


def of_evidence(ran: RunResults, claim: str, **changes: object) -> RunResults:
    """The run with other evidence of a claim."""
    return replace(ran, evidence={**ran.evidence, claim: ran.evidence[claim].model_copy(update=changes)})


def view(found: ReportContext, claim: str = "C06") -> ClaimView:
    return next(each for each in found.claims if each.entry.id == claim)


def lead(found: ReportContext, claim: str) -> str:
    first = view(found, claim).lead
    return first.run.name if first else ""


# --- which run leads, and what is said of it


def test_the_most_relevant_run_leads_and_made_up_data_come_last(context: ReportContext) -> None:
    assert {lead(context, claim.entry.id) for claim in context.claims} == {"gpu-2026"}
    assert [run.name for run in context.runs] == ["gpu-2026", "fresh"]


def test_a_run_without_the_claim_does_not_lead(registry: Registry, tmp_path: Path) -> None:
    runs = [run(registry, "fresh", OFFLINE, tmp_path), run(registry, "late", FULL, tmp_path, only=("C01",))]
    found = made(registry, runs)
    assert (lead(found, "C01"), lead(found, "C06")) == ("late", "fresh")


def test_of_equally_relevant_runs_that_on_most_tasks_and_seeds_leads(registry: Registry, tmp_path: Path) -> None:
    runs = [run(registry, name, FULL, tmp_path / name) for name in ("a", "b", "c")]
    gains = runs[0].evidence["C05"].parts
    fewer = tuple(part for part in gains if part.task in (None, "ner"))
    fewer_seeds = tuple(part.model_copy(update={"n_seeds": 2}) for part in gains)
    runs[0] = of_evidence(runs[0], "C05", parts=fewer, headline=None)
    runs[1] = of_evidence(runs[1], "C05", parts=fewer_seeds, headline=None)
    assert lead(made(registry, runs), "C05") == "c"


def test_the_report_says_which_rules_were_sealed_before_the_trials(registry: Registry, tmp_path: Path) -> None:
    before, after = "Rule sealed before the first trial.", "Rule not sealed before the first trial."
    only = {"C05": True, "C06": False, "C13": None}
    ran = run(registry, "late", FULL, tmp_path, only=tuple(only))
    verdicts = {claim: v.model_copy(update={"sealed": only.get(claim)}) for claim, v in ran.verdicts.items()}
    found = made(registry, [replace(ran, verdicts=verdicts)])
    page, source = html.render(found), latex.render(found)
    for claim, shown in (("C05", (1, 0)), ("C06", (0, 1)), ("C13", (0, 0))):
        text = section(page, claim)
        assert (text.count(before), text.count(after)) == shown
    assert (source.count(before), source.count(after)) == (1, 1)


# --- decisions, and the first screen


def decided(registry: Registry, folder: Path, hours: float | None) -> ReportContext:
    """C05 and C06 with decisions of every kind, and C07 without any."""
    decisions = {
        "xnli": Decision(decision="undecided", seeds=24, hours=hours),
        "pawsx": Decision(decision="undecided"),
        "ner": Decision(decision="refuted"),
        "pos": Decision(decision="holds", note="below the smallest effect of interest"),
    }
    ran = run(registry, "late", FULL, folder, only=("C05", "C06", "C07"))
    verdicts = {
        claim: v.model_copy(update={"decisions": decisions if claim != "C07" else {}, "sealed": True})
        for claim, v in ran.verdicts.items()
    }
    return made(registry, [replace(ran, verdicts=verdicts)])


def test_the_decision_on_each_task_stands_beside_its_number(registry: Registry, tmp_path: Path) -> None:
    found = decided(registry, tmp_path, 6.0)
    (ran,) = view(found).runs
    rows = {row.subject: row.decision for row in ran.judged}
    assert rows == {
        "XNLI": "undecided; 24 seeds would decide, about 6 h",
        "PAWS-X": "undecided; no number of seeds up to 1,000 would",
        "NER": "refuted",
        "POS": "holds; below the smallest effect of interest",
    }
    for text in (section(html.render(found), "C06"), latex.render(found)):
        assert all(decision in text for decision in rows.values())
    assert ran.answer == (
        "Undecided on XNLI (24 seeds would decide, about 6 h), PAWS-X, refuted on NER, "
        "holds on POS (below the smallest effect of interest)."
    )


@pytest.mark.parametrize(("hours", "shown"), [(0.3, "0.3"), (6.0, "6"), (6.4, "6.4"), (120.0, "120")])
def test_hours_have_a_decimal_where_they_are_few(hours: float, shown: str) -> None:
    found = Decision(decision="undecided", seeds=24, hours=hours)
    assert what_decides(found) == f"24 seeds would decide, about {shown} h"


@pytest.mark.parametrize(("hours", "cost"), [(6.0, "6 h"), (0.3, "0.3 h"), (None, "time not recorded")])
def test_the_first_screen_answers(registry: Registry, tmp_path: Path, hours: float | None, cost: str) -> None:
    first = decided(registry, tmp_path, hours).summary
    assert first is not None
    assert first.sentences == (
        "Fusing a lower layer probably helps on POS; no gain on NER; XNLI and PAWS-X are undecided.",
        "A gain of the claimed 1 to 3 points is possible on POS.",
    )
    assert [(row.label, row.words, row.beside) for row in first.rows] == [
        ("XNLI", "undecided (24 seeds would decide)", "undecided"),
        ("PAWS-X", "undecided", "undecided"),
        ("NER", "no gain shown", "smaller than claimed"),
        ("POS", "gain shown", "claimed size possible"),
    ]
    assert first.deciding == (f"21 more seeds overall ({cost})", "on PAWS-X no number of seeds")
    assert (first.certainty, first.reasons) == ("low", ("2 of 4 tasks undecided", "few seeds"))
    assert first.built == "Built as described: 0 of 8 claims"


def test_seeds_are_told_in_sum_and_runs_that_are_awaited_with_what_they_wait_for(
    registry: Registry, tmp_path: Path
) -> None:
    ran = run(registry, "late", FULL, tmp_path, only=("C05", "C06"))
    open_ = {task: Decision(decision="undecided", seeds=24) for task in ("xnli", "ner")}
    verdicts = ran.verdicts | {"C05": ran.verdicts["C05"].model_copy(update={"decisions": open_})}
    wait = "sealed plan: 2 of 9 trials; judged at 3 seeds"
    grid = replace(run(registry, "grid", FULL, tmp_path / "grid", only=()), withheld=wait)
    report = made(registry, [replace(ran, verdicts=verdicts), grid])
    assert report.summary is not None
    assert report.summary.deciding[:2] == (
        "42 more seeds overall (time not recorded)", "sealed grid"
    )  # fmt: skip
    assert f"not run: {wait}" in html.render(report)


def test_certainty_is_high_only_without_any_reason_against_it(registry: Registry, tmp_path: Path) -> None:
    ran = run(registry, "late", FULL, tmp_path, only=("C05",))
    many = tuple(part.model_copy(update={"n_seeds": 10}) for part in ran.evidence["C05"].parts)
    evidence = of_evidence(ran, "C05", parts=many).evidence["C05"]
    holds = dict.fromkeys(("xnli", "ner"), Decision(decision="holds"))
    verdict = ran.verdicts["C05"].model_copy(update={"decisions": holds, "sealed": True})
    assert grade(verdict, evidence) == ("high", ())
    after = verdict.model_copy(update={"sealed": False})
    assert grade(after, evidence) == ("moderate", ("rules not sealed before the first trial",))
    other = after.model_copy(update={"relevance": "indirect"})
    assert grade(other, evidence) == ("low", ("indirect evidence", "rules not sealed before the first trial"))


def test_a_number_of_few_seeds_has_no_interval(registry: Registry, c06: RunResults) -> None:
    two = tuple(part.model_copy(update={"n_seeds": 2}) for part in c06.evidence["C06"].parts)
    row = view(made(registry, [of_evidence(c06, "C06", parts=two)])).runs[0].judged[0]
    assert (row.few, row.interval, row.p_value) == (True, "–", "–")
    assert row.drawn is not None
    assert row.drawn.interval is None


def test_of_runs_alike_the_one_of_most_seeds_stands_first(registry: Registry, tmp_path: Path) -> None:
    few, many = (run(registry, name, FULL, tmp_path / name) for name in ("few", "many"))
    parts = tuple(part.model_copy(update={"n_seeds": 12}) for part in many.evidence["C06"].parts)
    found = made(registry, [few, of_evidence(many, "C06", parts=parts)])
    assert [item.run.name for item in view(found).runs] == ["many", "few"]


# --- pictures


def test_one_quantity_has_one_axis_and_made_up_data_another(context: ReportContext) -> None:
    gains = (*view(context, "C05").runs, *view(context, "C06").runs)
    axes = {(item.run.name, row.axis) for item in gains for row in item.judged}
    assert len(axes) == 2, "both claims share the axis of a run's kind"
    assert len({axis for _, axis in axes}) == 2, "the fragment does not stand on the axis of real data"


def test_a_number_that_no_verdict_reads_has_an_axis(registry: Registry, c06: RunResults) -> None:
    shown = c06.evidence["C06"].parts[0].model_copy(update={"judged": False, "unit": "%"})
    found = made(registry, [of_evidence(c06, "C06", parts=(shown,), headline=0)])
    assert found.axes.keys() == {view(found).runs[0].judged[0].axis}
    assert section(html.render(found), "C06")


def test_a_row_draws_what_is_claimed_and_reported(context: ReportContext) -> None:
    c06 = view(context)
    rows = {row.subject: row.drawn for row in c06.runs[0].judged if row.drawn}
    assert {mark.claimed for mark in rows.values()} == {(1.0, 3.0)}
    assert rows["XNLI"].reported == c06.entry.claimed.by_task["xnli"]
    assert rows["POS"].reported is None, "the paper scores POS by another metric"


@settings(max_examples=30)
@given(st.floats(-1e6, 1e6), st.floats(0, 1e6), st.text(max_size=60))
@example(0.0, 0.0, "")
def test_any_value_can_be_drawn(value: float, half: float, label: str) -> None:
    mark = pictures.Mark(value, (value - half, value + half), (value + half,), value, (1.0, inf))
    axis = pictures.axis_of([mark], label)
    assert axis.low <= min(value - half, 0.0) + 1e-6 * max(1, half) < axis.high
    assert 2 <= len(axis.ticks) <= 8
    told = re.findall(r">([^<]+)</text>", pictures.scale(axis))
    numbers = [float(text.replace(",", "").replace("\N{MINUS SIGN}", "-")) for text in told]
    assert numbers == pytest.approx(axis.ticks, rel=0, abs=1e-6 * (axis.ticks[1] - axis.ticks[0]))
    row = pictures.Row(label, label, mark, *[label] * 5)
    drawn = pictures.whole([row], axis, label, label)
    assert ElementTree.fromstring(drawn).tag.endswith("svg")
    ElementTree.fromstring(pictures.strip(mark, axis, label))


def test_without_a_decision_there_is_no_first_screen(registry: Registry, tmp_path: Path) -> None:
    ran = run(registry, "fresh", FULL, tmp_path, only=("C05",))
    ran.verdicts["C05"] = ran.verdicts["C05"].model_copy(update={"decisions": {}})
    assert made(registry, [ran]).summary is None


def test_a_section_of_any_name_finds_its_figures() -> None:
    name = latex.figure_name("calibration_curves of all", 1)
    assert latex.escape(name) == name == "figure-calibration-curves-of-all-1.pdf"


def drawings(registry: Registry, ran: RunResults, *names: str) -> tuple[Drawing, ...]:
    """What the report shows of C06 where its evidence names these files."""
    return view(made(registry, [of_evidence(ran, "C06", figures=names)])).runs[0].drawings


@pytest.mark.parametrize(
    "code",
    [
        "<script>x</script>",
        '<g onload="x"/>',
        "<foreignObject/>",
        '<s:script xmlns:s="http://www.w3.org/2000/svg"/>',
        '<a href="java&#115;cript:x"/>',
        '<a href="java&#9;script:x"/>',
        '<animate attributeName="href" values="#;x"/>',
        "<g>",
    ],
)
def test_a_figure_with_code_is_not_read(registry: Registry, c06: RunResults, code: str) -> None:
    (c06.folder / "claims" / "C06" / "gains.svg").write_text(f"<svg>{code}</svg>", encoding="utf-8")
    (drawing,) = drawings(registry, c06, "gains.svg")
    assert drawing.svg is None


def test_figures_outside_the_claim_folder_are_not_read(registry: Registry, c06: RunResults) -> None:
    (c06.folder / "claims" / "secret.svg").write_text("<svg/>")
    found = drawings(registry, c06, "../secret.svg", "evidence.json", "absent.svg", "gains.svg")
    assert [drawing.svg is not None for drawing in found] == [False, False, False, True]


def test_a_drawing_is_called_by_the_title_of_its_svg(registry: Registry, c06: RunResults) -> None:
    svg = "<svg xmlns='http://www.w3.org/2000/svg'><title>Gains &lt;b&gt;of\n  95 %&lt;/b&gt;</title></svg>"
    for name, content in (("gains.svg", svg), ("bare.svg", "<svg/>")):
        (c06.folder / "claims" / "C06" / name).write_text(content, encoding="utf-8")
    found = drawings(registry, c06, "gains.svg", "bare.svg")
    assert [drawing.title for drawing in found] == ["Gains <b>of 95 %</b>", "bare.svg"]
    assert 'alt="Gains &lt;b&gt;of 95 %&lt;/b&gt;, ' in html.render(made(registry, [c06]))


def test_the_cost_of_a_stage_is_that_of_all_its_trials(registry: Registry, c06: RunResults) -> None:
    info = {"stages": {"sweep-pos": {"seconds": 90.0, "trained": 40, "trained_seconds": 7200.0}}}
    found = made(registry, [replace(c06, info=info)])
    assert found.runs[0].cost == (("sweep-pos", "2.0 h"), ("all that is recorded", "2.0 h"))


# --- HTML


def test_page_is_well_formed_and_its_anchors_resolve(page: str) -> None:
    parsed = Page(page)
    ids = parsed.values("id")
    assert len(set(ids)) == len(ids)
    targets = [a["href"] for a in parsed.all("a") if str(a["href"]).startswith("#")]
    assert {str(target)[1:] for target in targets} <= set(ids)
    assert {"answer", "C06", "Q01", "C04", "method", "deviations", "references", "ref-chen2022"} <= set(ids)
    assert set(parsed.values("aria-labelledby")) <= set(ids)


def test_page_loads_nothing_and_runs_only_our_script(page: str) -> None:
    parsed = Page(page)
    assert not {tag for tag, _ in parsed.tags} & {"link", "iframe", "object", "base"}
    assert parsed.all("script") == [{}]
    assert all(source.startswith("data:image/svg+xml;base64,") for source in parsed.values("src"))
    attributes = {name for _, found in parsed.tags for name in found}
    assert not {name for name in attributes if name.startswith("on") or name == "style"}
    assert all(href.startswith(("#", "https://", "data/")) for href in parsed.values("href"))


def test_policy_allows_pictures_our_style_and_our_script_alone(page: str) -> None:
    policy = next(str(m["content"]) for m in Page(page).all("meta") if m.get("http-equiv"))
    rules = dict(rule.strip().split(" ", 1) for rule in policy.split(";"))
    for element in ("style", "script"):
        (block,) = re.findall(rf"<{element}>(.*?)</{element}>", page, re.S)
        digest = base64.b64encode(hashlib.sha256(block.encode()).digest()).decode()
        assert rules.pop(f"{element}-src") == f"'sha256-{digest}'"
    assert rules.pop("img-src") == "data:"
    assert set(rules.values()) == {"'none'"}


def test_page_can_be_read_without_eyes_or_mouse(page: str) -> None:
    parsed = Page(page)
    assert {"main", "nav", "footer"} <= {tag for tag, _ in parsed.tags}
    assert parsed.all("a")[0]["class"] == "skip"
    assert all(image.get("alt") for image in parsed.all("img"))
    assert all(cell.get("scope") in ("col", "colgroup", "row", "rowgroup") for cell in parsed.all("th"))
    assert page.count("<table") == page.count("<caption>")
    scrolled = [div for div in parsed.all("div") if div.get("class") == "scroll"]
    assert all(div.get("tabindex") == "0" and div.get("aria-label") for div in scrolled)


def test_the_matrix_has_every_claim_and_run(context: ReportContext, page: str) -> None:
    cells = re.findall(r'<td data-run=[^>]*><span class="verdict.*?</td>', page[: page.index('id="claims"')])
    items = [i for group in (context.measured, context.structural) for claim in group for i in claim.runs]
    assert len(cells) == len(items) == 18 * 2
    for cell, item in zip(cells, items, strict=True):
        found = item.found
        assert plain(Page(cell).text) == f"{MARKS[found.verdict]} {found.verdict} {EVIDENCE[found.counts_as]}"


def test_each_claim_shows_what_it_rests_on(context: ReportContext, page: str) -> None:
    for claim in context.measured:
        text, entry = section(page, claim.entry.id), claim.entry
        for wanted in (entry.source_text, entry.measured_as, entry.reproduced_when, entry.would_change):
            assert plain(wanted) in text
        assert ("[cut off in the source]" in text) == entry.truncated
        assert claim.literature_status in text
        assert text.count("What others report") == bool(entry.literature)
        assert all(item.finding in text and item.citation in text for item in entry.literature)
        for item in claim.runs:
            assert item.evidence
            rows = [value for row in item.judged for value in (row.estimate, row.interval, row.part.note)]
            for wanted in (*rows, item.found.because, item.found.relevance_reason, *item.evidence.missing):
                assert plain(wanted) in text
            assert f"data/{item.anchor}.json" in text


def test_checks_of_the_module_stand_apart_from_findings(context: ReportContext, page: str, tex: str) -> None:
    assert len(context.structural) == 8
    built = page.partition('id="built"')[2].partition('id="method"')[0]
    for claim in context.structural:
        assert f'id="{claim.entry.id}"' in built
        assert all(check.found in built for check in claim.checks)
    assert "they replicate no finding" in built
    assert "they replicate no finding" in tex
    disputed = view(context, "C16")
    assert disputed.literature_status == "not verified (×) in the source report; supported by the primary source"
    assert disputed.runs[0].found.verdict == "reproduced"


def test_fragment_numbers_say_so_everywhere(context: ReportContext, page: str, tex: str) -> None:
    label = "fragment data, e5-small, not mBERT, frozen encoder"
    assert all(label in section(page, claim.entry.id) for claim in context.measured)
    assert "are no evidence about the paper" in page
    head = re.search(r"\\pagestyle\{myheadings\}\n\\markright\{(.*)\}", tex)
    assert head is not None
    assert f"fresh: {label}" in head[1]


# --- without runs


def test_without_runs_everything_is_not_run(registry: Registry) -> None:
    empty = made(registry, [])
    assert empty.summary is None
    text = plain(Page(html.render(empty)).text)
    assert "no claim has a verdict" in text
    assert latex.render(empty).count(r"\emph{not run}") >= len(empty.measured)


def test_without_evidence_the_verdict_says_why(registry: Registry, tmp_path: Path) -> None:
    bare = made(registry, [run(registry, "late", FULL, tmp_path, only=())])
    shown = section(html.render(bare), "C06")
    assert "not run" in shown
    assert shown.count("There is no evidence in this run.") == 1
    found = view(bare).runs[0].found
    assert (found.counts_as, found.relevance_sentences[-22:]) == ("none", " Nothing was measured.")


def test_a_forgotten_value_is_an_error(registry: Registry, tmp_path: Path) -> None:
    folder = tmp_path / "paper"
    shutil.copytree(PAPER, folder, ignore=shutil.ignore_patterns("build"))
    wrong = (html.TEMPLATES / "report.html.j2").read_text(encoding="utf-8").replace("entry.title", "entry.titel")
    (folder / "report.html.j2").write_text(wrong, encoding="utf-8")
    with pytest.raises(UndefinedError):
        html.render(made(registry, [], folder))


# --- hostile texts


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


def test_templates_never_mark_text_as_safe() -> None:
    for path in (*html.TEMPLATES.glob("*.j2"), *PAPER.glob("*.j2")):
        assert not re.search(r"\|\s*safe|autoescape|Markup", path.read_text(encoding="utf-8"))


# --- files


def test_report_is_written_without_latexmk(
    context: ReportContext, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("shutil.which", lambda name: None)
    (tmp_path / "figure-C99.pdf").write_bytes(b"of an older report")
    *_, figures, pdf = write_report(context, tmp_path)
    assert "apt install librsvg2-bin" in figures
    assert "apt install latexmk" in pdf
    assert {path.name for path in tmp_path.iterdir()} == {"report.html", "report.tex", "references.bib", "data"}
    for claim in context.claims:
        for item in claim.runs:
            beside = (tmp_path / "data" / f"{item.anchor}.json").read_bytes()
            assert Evidence.model_validate_json(beside) == item.evidence


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("latexmk") is None, reason="latexmk is not installed")
@pytest.mark.parametrize("name", ["context", "hostile"])
def test_latex_compiles_without_overfull_boxes(
    name: str, request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("claimtrack.report.write.LEFT_BY_LATEX", ())
    said = write_report(request.getfixturevalue(name), tmp_path)
    assert (tmp_path / "report.pdf").exists(), said
    log = (tmp_path / "report.log").read_text(encoding="utf-8", errors="replace")
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
    assert compile_pdf(source) == [], source.with_suffix(".log").read_text(errors="replace")[-2000:]
