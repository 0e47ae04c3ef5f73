"""The report of this repository in a real browser: Debian's Chromium, driven by Playwright."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from claimtrack.registry import load_registry
from claimtrack.report import html
from claimtrack.report.context import ReportContext, build
from claimtrack.report.write import write_report
from claimtrack.results import load_all
from crosslayer.config import load_profile
from repository import ROOT

CHROMIUM = shutil.which("chromium")
WIDTHS = (1280, 390)
WITHOUT_AXES = """() => {
  const copy = document.getElementById("answer").cloneNode(true);
  copy.querySelectorAll("svg, caption, thead, .unseen").forEach((one) => one.remove());
  return [...copy.querySelectorAll("*")].flatMap((e) => [...e.childNodes].filter((n) => n.nodeType === 3))
    .map((n) => n.data).join(" ");
}"""
"""The words of the first screen but for axis labels."""
OPEN_ALL = "document.querySelectorAll('details').forEach((one) => { one.open = true; })"
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(CHROMIUM is None, reason="chromium is absent; on Debian: apt install chromium"),
]


@pytest.fixture(scope="module")
def context() -> ReportContext:
    registry = load_registry()
    return build(registry, load_all(load_profile(), registry), paper=ROOT / "paper")


@pytest.fixture(scope="module")
def address(context: ReportContext, tmp_path_factory: pytest.TempPathFactory) -> str:
    path = tmp_path_factory.mktemp("report") / "report.html"
    path.write_text(html.render(context), encoding="utf-8")
    return path.as_uri()


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    from playwright.sync_api import sync_playwright

    with sync_playwright() as play:
        started = play.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield started
        started.close()


@pytest.fixture
def page(browser: Any, address: str, request: pytest.FixtureRequest) -> Iterator[Any]:
    """The report, opened; whatever it says on the console or asks of a network fails the test."""
    options = getattr(request, "param", {})
    width = options.pop("width", WIDTHS[0]) if options else WIDTHS[0]
    opened = browser.new_context(viewport={"width": width, "height": 900}, **options)
    page = opened.new_page()
    heard: list[str] = []
    page.on("console", lambda message: heard.append(message.text))
    page.on("pageerror", lambda error: heard.append(str(error)))
    page.on("request", lambda asked: None if asked.url.startswith(("file:", "data:")) else heard.append(asked.url))
    page.goto(address)
    yield page
    opened.close()
    assert heard == []


def ids(context: ReportContext, *, verdict: str | None = None) -> list[str]:
    """The claims that have this verdict in any run, in the order of the page; all without one."""
    claims = (*context.measured, *context.structural)
    return [c.entry.id for c in claims if verdict in (None, *(item.found.verdict for item in c.runs))]


def shown_claims(page: Any) -> list[str]:
    return [text.split()[0] for text in page.locator(".matrix tr.filtered:visible th").all_inner_texts()]


@pytest.mark.parametrize("page", [{"width": width} for width in WIDTHS], indirect=True)
def test_the_page_is_no_wider_than_the_screen(page: Any) -> None:
    page.evaluate(OPEN_ALL)
    assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")


@pytest.mark.parametrize(
    ("page", "height"), [({"width": 1280}, 800), ({"width": 390}, 2 * 844)], indirect=["page"]
)
def test_the_first_screen_answers(page: Any, height: int, context: ReportContext) -> None:
    """Complete without scrolling, on a phone in two screens; few words, few numbers."""
    first = context.summary
    assert first is not None
    box = page.locator("#answer").bounding_box()
    assert box["y"] + box["height"] < height
    text = page.locator("#answer").inner_text()
    wanted = (*first.sentences, first.certainty, *first.reasons, *first.deciding, first.built, first.measured_on)
    assert all(said in text for said in wanted)
    said = page.evaluate(WITHOUT_AXES)
    named = "|".join([*context.tasks, *(run.name for run in context.runs)])
    unnamed = re.sub(rf"\b(C\d\d|layers? [\d, ]+only|e5-small|mBERT|H100|{named})", "", said)
    assert len(re.findall(r"[A-Za-z]+", unnamed)) <= 120
    assert len(re.findall(r"\d[\d.,]*", unnamed)) <= 20


def test_two_clicks_lead_from_a_number_to_its_trials(page: Any, context: ReportContext) -> None:
    first = context.summary
    assert first is not None
    assert all(row.link for row in first.rows)
    for row in first.rows:
        page.goto(page.url.partition("#")[0])
        page.get_by_role("link", name=f"trials of {row.label}").first.click()
        table = page.locator(f"[id='{row.link}'] table")
        table.wait_for(state="visible")
        assert re.search(r"model.*\bseed \d.*baseline", table.inner_text(), re.DOTALL)
        assert table.locator("td.trial:not(:empty)").count() >= int(row.small.split()[0])
        assert ".parquet" in page.locator(f"[id='{row.link}']").inner_text()


def test_the_page_is_light(page: Any, address: str) -> None:
    assert len(Path(address.removeprefix("file://")).read_bytes()) < 2.5e6
    assert page.evaluate("document.querySelectorAll('*').length") < 12_000
    assert page.evaluate("document.documentElement.scrollHeight / 800") < 30


def test_a_filter_is_kept_in_the_address(page: Any) -> None:
    page.get_by_role("combobox", name="Verdict").select_option("not reproduced")
    assert page.url.partition("?")[2] == "verdict=not+reproduced"
    shown = shown_claims(page)
    page.reload()
    assert shown_claims(page) == shown
    assert page.get_by_role("combobox", name="Verdict").input_value() == "not reproduced"


def test_a_verdict_is_filtered(page: Any, context: ReportContext) -> None:
    assert shown_claims(page) == ids(context)
    n = len(ids(context))
    for verdict in context.verdicts:
        page.get_by_role("combobox", name="Verdict").select_option(verdict)
        wanted = ids(context, verdict=verdict)
        assert shown_claims(page) == wanted
        assert page.locator("form.filter output").inner_text() == f"{len(wanted)} of {n} claims"
    page.get_by_role("button", name="Show all").click()
    page.locator("form.filter output", has_text=f"{n} of {n} claims").wait_for()


def test_a_run_and_a_task_are_filtered_together(page: Any, context: ReportContext) -> None:
    run = context.runs[-1].name
    page.get_by_role("combobox", name="Run").select_option(run)
    page.get_by_role("combobox", name="Task").select_option("NER")
    wanted = [
        claim.entry.id
        for claim in context.measured
        if any(item.run.name == run and "NER" in item.tasks for item in claim.runs)
    ]
    assert shown_claims(page) == wanted
    assert page.locator(".matrix thead th:visible").count() == 2, "the claim and the chosen run"


def test_a_link_to_a_hidden_claim_shows_it(page: Any) -> None:
    page.get_by_role("combobox", name="Task").select_option("NER")
    assert not page.locator("#C09").is_visible()
    page.evaluate("location.hash = '#C09'")
    page.locator("#C09").wait_for(state="visible")
    assert page.get_by_role("combobox", name="Task").input_value() == ""


@pytest.mark.parametrize("column", [0, 3])
def test_a_table_is_sorted(column: int, page: Any) -> None:
    """Names as text with their numbers, scores (above a trial's key) as numbers; both ways."""
    page.evaluate(OPEN_ALL)
    table = page.locator("#runs table.sortable").first
    header = table.locator("thead th").nth(column)

    def cells() -> list[Any]:
        texts = table.locator(f"tbody td:nth-child({column + 1})").all_inner_texts()
        return [float(text.split()[0]) for text in texts if text] if column else texts

    def words_and_numbers(text: str) -> list[Any]:
        return [int(piece) if piece.isdecimal() else piece.lower() for piece in re.split(r"(\d+)", text)]

    before = cells()
    for order, reverse in (("ascending", False), ("descending", True)):
        header.get_by_role("button").click()
        assert header.get_attribute("aria-sort") == order
        assert cells() == sorted(before, key=None if column else words_and_numbers, reverse=reverse)


def test_keys_reach_everything(page: Any) -> None:
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.className") == "skip"
    choice = page.get_by_role("combobox", name="Verdict")
    choice.press("ArrowDown")
    assert choice.input_value() != ""
    page.get_by_role("button", name="Show all").press("Enter")
    assert choice.input_value() == ""
    page.evaluate(OPEN_ALL)
    page.locator("table.sortable th button").first.press("Enter")
    assert page.locator("th[aria-sort]").count() == 1


@pytest.mark.parametrize("page", [{"color_scheme": "light"}, {"color_scheme": "dark"}], indirect=True)
def test_both_colour_schemes_can_be_used_by_all(page: Any) -> None:
    """axe-core finds no violation, contrast included, and the schemes differ."""
    from axe_playwright_python.sync_playwright import Axe

    page.evaluate(OPEN_ALL)
    found = Axe().run(page).response["violations"]
    assert [(v["id"], v["nodes"][0]["html"][:200]) for v in found] == []
    background = page.evaluate("getComputedStyle(document.body).backgroundColor")
    light = page.evaluate("matchMedia('(prefers-color-scheme: light)').matches")
    assert (background == "rgb(255, 255, 255)") == light


@pytest.mark.parametrize("page", [{"java_script_enabled": False}], indirect=True)
def test_without_a_script_everything_is_there(page: Any, context: ReportContext) -> None:
    assert shown_claims(page) == ids(context)
    assert not page.locator("form.filter").is_visible()
    assert page.locator("section.run:visible").count() == len(context.measured)
    assert page.locator("#answer svg.strip").count() == 1 + 4


@pytest.mark.skipif(shutil.which("latexmk") is None, reason="latexmk is not installed")
def test_the_pdf_has_a_dozen_pages_and_an_appendix(
    context: ReportContext, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("claimtrack.report.write.LEFT_BY_LATEX", ())
    said = write_report(context, tmp_path)
    assert (tmp_path / "report.pdf").exists(), said
    labels, log = ((tmp_path / f"report.{end}").read_text(errors="replace") for end in ("aux", "log"))
    (appendix,) = re.findall(r"\\contentsline \{section\}\{\\numberline \{A\}[^}]*\}\{(\d+)\}", labels)
    (pages,) = re.findall(r"Output written on report.pdf \((\d+) pages", log)
    assert int(appendix) <= 14
    assert int(pages) - int(appendix) < 15
