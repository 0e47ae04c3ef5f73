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
from claimtrack.results import load_all
from crosslayer.config import load_profile
from repository import ROOT

CHROMIUM = shutil.which("chromium")
WIDTHS = (1280, 390)
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


def shown_claims(page: Any) -> list[str]:
    return [text.split()[0] for text in page.locator(".matrix tbody tr:visible th").all_inner_texts()]


@pytest.mark.parametrize("page", [{"width": width} for width in WIDTHS], indirect=True)
def test_the_page_is_no_wider_than_the_screen(page: Any) -> None:
    for details in page.locator("details").all():
        details.evaluate("one => one.open = true")
    assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")


def test_the_first_screen_answers(page: Any, context: ReportContext) -> None:
    for claim in context.headlines:
        card = page.locator("#answers article", has_text=claim.entry.title)
        assert claim.lead
        assert claim.lead.outcome.verdict in card.inner_text()
        assert claim.lead.outcome.evidence_about in card.inner_text()
        box = card.bounding_box()
        assert box["y"] + box["height"] < 900


def test_a_verdict_is_filtered(page: Any, context: ReportContext) -> None:
    every = [claim.entry.id for claim in context.claims]
    assert shown_claims(page) == every
    for verdict in context.verdicts:
        page.get_by_role("combobox", name="Verdict").select_option(verdict)
        wanted = [c.entry.id for c in context.claims if any(i.outcome.verdict == verdict for i in c.runs)]
        assert shown_claims(page) == wanted
        assert page.locator("article.claim:visible").count() == len(wanted)
        assert page.locator("form.filter output").inner_text() == f"{len(wanted)} of {len(every)} claims"
    page.get_by_role("button", name="Show all").click()
    page.locator("form.filter output", has_text=f"{len(every)} of {len(every)} claims").wait_for()


def test_a_run_and_a_task_are_filtered_together(page: Any, context: ReportContext) -> None:
    run = context.runs[-1].name
    page.get_by_role("combobox", name="Run").select_option(run)
    page.get_by_role("combobox", name="Task").select_option("NER")
    wanted = [
        claim.entry.id
        for claim in context.claims
        if any(item.run.name == run and "NER" in item.tasks for item in claim.runs)
    ]
    assert shown_claims(page) == wanted
    assert page.locator("section.run:visible").count() == len(wanted)
    assert page.locator(".matrix thead th:visible").count() == 2, "the claim and the chosen run"


def test_a_link_to_a_hidden_claim_shows_it(page: Any) -> None:
    page.get_by_role("combobox", name="Task").select_option("NER")
    assert not page.locator("#C04").is_visible()
    page.evaluate("location.hash = '#C04'")
    page.locator("#C04").wait_for(state="visible")
    assert page.get_by_role("combobox", name="Task").input_value() == ""


@pytest.mark.parametrize("column", [1, 2, 3])
def test_a_table_is_sorted(column: int, page: Any) -> None:
    """By subject as text, its numbers as numbers; by estimate, and by the lower end of intervals; both ways."""
    table = page.locator("#C06 table.sortable").first
    header = table.locator("thead th").nth(column)

    def cells() -> list[Any]:
        texts = [row.locator("th, td").nth(column).inner_text() for row in table.locator("tbody tr").all()]
        return [_number(text.removeprefix("95 % ")) for text in texts] if column > 1 else texts

    before = cells()
    for order, reverse in (("ascending", False), ("descending", True)):
        header.get_by_role("button").click()
        assert header.get_attribute("aria-sort") == order
        if column > 1:
            present = [value for value in cells() if value is not None]
            assert present == sorted(present, reverse=reverse)
            assert cells() == [*present, *[None] * (len(before) - len(present))], "what has no number comes last"
        else:
            assert cells() == sorted(before, key=_words_and_numbers, reverse=reverse)
    assert len(cells()) == len(before)


def _words_and_numbers(text: str) -> list[Any]:
    return [int(piece) if piece.isdecimal() else piece.lower() for piece in re.split(r"(\d+)", text)]


def _number(text: str) -> float | None:
    found = re.match(r"[+−]?[\d,]*\.?\d+", text)
    return float(found[0].replace("−", "-").replace(",", "")) if found else None


def test_keys_reach_everything(page: Any) -> None:
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.className") == "skip"
    page.get_by_role("combobox", name="Verdict").focus()
    page.keyboard.press("ArrowDown")
    assert page.get_by_role("combobox", name="Verdict").input_value() != ""
    page.get_by_role("button", name="Show all").focus()
    page.keyboard.press("Enter")
    assert page.get_by_role("combobox", name="Verdict").input_value() == ""
    header = page.locator("table.sortable th button").first
    header.focus()
    page.keyboard.press("Enter")
    assert page.locator("th[aria-sort]").count() == 1


@pytest.mark.parametrize("page", [{"color_scheme": "light"}, {"color_scheme": "dark"}], indirect=True)
def test_both_colour_schemes_can_be_used_by_all(page: Any) -> None:
    """axe-core finds no serious violation, contrast included, and the schemes differ."""
    from axe_playwright_python.sync_playwright import Axe

    for details in page.locator("details").all():
        details.evaluate("one => one.open = true")
    found = Axe().run(page).response["violations"]
    serious = [(v["id"], v["nodes"][0]["html"][:200]) for v in found if v["impact"] in ("serious", "critical")]
    assert serious == []
    background = page.evaluate("getComputedStyle(document.body).backgroundColor")
    light = page.evaluate("matchMedia('(prefers-color-scheme: light)').matches")
    assert (background == "rgb(255, 255, 255)") == light


@pytest.mark.parametrize("page", [{"java_script_enabled": False}], indirect=True)
def test_without_a_script_everything_is_there(page: Any, context: ReportContext) -> None:
    assert shown_claims(page) == [claim.entry.id for claim in context.claims]
    assert not page.locator("form.filter").is_visible()
    assert page.locator("section.run:visible").count() == len(context.claims) * len(context.runs)


def test_evidence_can_be_saved(page: Any, tmp_path: Path) -> None:
    page.locator("#C06 details").last.evaluate("one => one.open = true")
    with page.expect_download() as saved:
        page.locator("#C06 a[download]").last.click()
    assert saved.value.suggested_filename.startswith("C06-")
    saved.value.save_as(tmp_path / "evidence.json")
    assert '"claim":"C06"' in (tmp_path / "evidence.json").read_text(encoding="utf-8")
