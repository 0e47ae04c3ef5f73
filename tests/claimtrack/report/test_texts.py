"""What the report says in text: numbers, prose, references, and any text escaped in HTML and LaTeX."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from claimtrack.errors import ClaimError
from claimtrack.evidence import Interval
from claimtrack.registry import load_registry
from claimtrack.report import html, latex, numbers
from claimtrack.report.bibliography import load_references
from claimtrack.report.prose import setting
from claimtrack.report.text import visible
from claimtrack.sections import Sections
from crosslayer.config import TargetPhase
from made_report import OFFLINE, PAPER, made, part, plain
from one_line import said
from repository import ROOT


def test_a_number_too_small_for_four_decimals_is_shown_by_its_power_of_ten() -> None:
    assert numbers.number(-1.2e-6, 4) == f"{numbers.MINUS}1.2e-06"
    assert numbers.number(0.0, 4, signed=True) == "0.0000"


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


def test_differences_are_told_by_the_names_of_measures() -> None:
    assert all(map(Sections().is_difference, ("one_over_other", "change_of_error", "a_minus_b", "gain")))
    assert not any(map(Sections().is_difference, ("accuracy", "slope", "error")))


def test_numbers_as_shown() -> None:
    shown = part("cross_fitted_gain", "xnli", 3)
    assert numbers.estimate(shown, signed=True) == "+0.90 points"
    assert numbers.interval(shown, signed=True) == "95 % +0.06 to +1.74"
    assert numbers.estimate(shown, signed=False) == "0.90 points"
    bare = shown.model_copy(update={"interval": None})
    for estimate, unit, text in (
        (None, "points", numbers.NO_VALUE),
        (-0.000394, "weight²", "−0.00039 weight²"),
        (1.25, "weight²", "+1.250 weight²"),
        (4.337, "%", "+4.3 %"),
    ):
        told = bare.model_copy(update={"estimate": estimate, "unit": unit})
        assert numbers.estimate(told, signed=True) == text
    assert numbers.number(-0.0004, 2, signed=True) == "0.00"
    assert numbers.number(595584, 0) == "595,584"
    assert [numbers.p_value(p) for p in (None, 0.0002, 0.0134, 0.52)] == ["–", "< 0.001", "0.013", "0.52"]
    assert [numbers.seconds(s) for s in (41, 720, 12240)] == ["41 s", "12 min", "3.4 h"]


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
    text = "See [@devlin-etal-2019; @a:b.c] and\n`se_lf` [no] <cite"
    tex = r"See \citep{devlin-etal-2019,a:b.c} and \texttt{se\_\allowbreak{}lf} {[}no{]} \textless{}cite"
    assert latex.prose(text) == tex
    links = '(<a href="#ref-devlin-etal-2019">D</a>; <a href="#ref-a:b.c">A</a>)'
    labels = {"devlin-etal-2019": "D", "a:b.c": "A"}
    assert html.prose(text, labels) == f"See {links} and\n<code>se_lf</code> [no] &lt;cite"


@pytest.mark.parametrize(
    ("name", "old", "new", "message"),
    [
        ("prose.yaml", "@dai2021", "@nobody1999", "prose.yaml cites nobody1999, which references.bib"),
        ("deviations.yaml", "@dai2021", "@nobody1999", "deviations.yaml cites nobody1999, which references.bib"),
        (
            "deviations.yaml",
            "\n  effect:",
            "\n  efect:",
            "deviations.yaml: unknown key 0.efect; did you mean effect",
        ),
        ("deviations.yaml", "- id: encoder", "- id: trunk", "deviations.yaml: two deviations have the id trunk"),
        ("references.bib", "@", "@article{broken,", "references.bib: "),
        ("references.bib", "@inproceedings", "@report", "is a @report, which cannot be set here; use @misc"),
    ],
)
def test_wrong_texts_are_one_line(tmp_path: Path, name: str, old: str, new: str, message: str) -> None:
    shutil.copytree(PAPER, tmp_path, ignore=shutil.ignore_patterns("build"), dirs_exist_ok=True)
    path = tmp_path / name
    path.write_text(path.read_text(encoding="utf-8").replace(old, new, 1), encoding="utf-8")
    registry = load_registry(ROOT / "claims" / "registry.yaml")
    assert message in said(ClaimError, made, registry, [], tmp_path)


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
    found = {(reference.label, reference.address) for reference in load_references(tmp_path / "r.bib")}
    assert found == {("Lee 1999", ""), ("The Institute", ""), ("A Title Alone", "")}


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
