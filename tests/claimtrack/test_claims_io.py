"""Claims in and out: a report's table to a registry; verdicts as JSON, CSV and JSON-LD; two runs compared."""

from __future__ import annotations

import csv
import io
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from ruamel.yaml import YAML

from claimtrack.compare import differences
from claimtrack.errors import ClaimError
from claimtrack.evidence import Evidence, Measurement, read_evidence, write_evidence
from claimtrack.export import to_csv, to_json, to_jsonld
from claimtrack.importer import BLANK, MARKS, Report, read_report, skeleton
from claimtrack.judging import decide
from claimtrack.registry import Registry, json_schema, load_registry
from claimtrack.runs import RunResults
from crosslayer.paper import PLUGIN
from made_evidence import gain, gains
from one_line import said
from synthetic_run import make_profile

PROFILE = make_profile(controls=())
TABLE = "Claim\tVerified\tConfidence\n"
BROKEN = "It breaks off at the width to which the report cuts its cla"
HOSTILE = (
    "<script>alert(1)</script>",
    "\\input{x} % _ $",
    "]]> & 'a': *b",
    "=cmd|' /C calc'!A0",
    "\u202eright to left",
)


def read(folder: Path, text: str) -> Report:
    path = folder / "report.txt"
    path.write_text(text, encoding="utf-8")
    return read_report(path)


# Import


def test_a_skeleton_names_its_first_blank_and_is_a_registry_once_filled(
    tmp_path: Path, registry: Registry
) -> None:
    found = read(tmp_path, f"A title\n\n2 July 2026\n{TABLE}A claim of $x^2$.\t✓\t0.5\n{BROKEN}\tno\t0\n")
    path = tmp_path / "registry.yaml"
    path.write_text(skeleton(found, "report.txt"), encoding="utf-8")
    with pytest.raises(ClaimError, match=r"registry\.yaml, line 4: plugin: .*string"):
        load_registry(path)
    content = YAML(typ="safe").load(path.read_text(encoding="utf-8"))
    content["plugin"], content["source"]["note"] = "crosslayer.paper:PLUGIN", "a note"
    model = registry.entry("C17").model_dump(mode="json", exclude_none=True)
    for entry in content["entries"].values():
        assert {name for name in BLANK if entry[name] is None} == set(BLANK)
        entry.update({name: model[name] for name in BLANK if name != "primary_source"})
        entry["primary_source"] = {"supports": None, "cell": "none"}
    with path.open("w", encoding="utf-8") as stream:
        YAML(typ="safe").dump(content, stream)
    filled = load_registry(path)
    assert [(e.source_text, e.verified, e.truncated) for e in filled.entries.values()] == [
        ("A claim of $x^2$.", True, False), (BROKEN, False, True)
    ]  # fmt: skip
    assert filled.source.date == "2026-07-02"


line = st.text(st.characters(codec="utf-8", exclude_categories=("C", "Z")), min_size=1)


@settings(max_examples=100)
@given(st.lists(st.tuples(line, st.sampled_from(sorted(MARKS)), st.floats(0, 1)), min_size=1, max_size=5))
def test_any_texts_come_through_yaml_as_they_are(
    tmp_path_factory: Any, rows: list[tuple[str, str, float]]
) -> None:
    folder = tmp_path_factory.mktemp("report")
    body = "".join(f"{text}\t{mark}\t{confidence}\n" for text, mark, confidence in rows)
    content = YAML(typ="safe").load(skeleton(read(folder, f"Title\n{TABLE}{body}"), "x"))
    kept = [(e["source_text"], e["verified"], e["confidence"]) for e in content["entries"].values()]
    assert kept == [(text, MARKS[mark], confidence) for text, mark, confidence in rows]


@pytest.mark.parametrize("text", HOSTILE[:4])
def test_hostile_claims_are_text(tmp_path: Path, text: str) -> None:
    found = read(tmp_path, f"T\n{TABLE}{text}\t×\t0.1\n")
    assert YAML(typ="safe").load(skeleton(found, "a\nb: c"))["entries"]["C01"]["source_text"] == text


def bars(*rows: str, header: str = "Claim | Verified | Confidence") -> str:
    lines = [header, "|".join("---" for _ in header.split("|")), *rows]
    return "".join(f"| {line} |\n" for line in lines)


def claims(folder: Path, table: str) -> list[tuple[str, bool, float]]:
    """What is read of a report with that table."""
    return [(row.text, row.verified, row.confidence) for row in read(folder, f"T\n\n{table}").rows]


def test_a_table_with_bars(tmp_path: Path) -> None:
    text = bars("One. | yes | 0.2") + "\n| Not | a | claim |\n| Neither. | yes | 0.2 |\n"
    assert claims(tmp_path, text) == [("One.", True, 0.2)]


@pytest.mark.parametrize(
    ("between", "again"), [("\n", ""), ("\n7\n\f\nA running head\n\n", ""), ("\nMore text.\n\n", bars())]
)
def test_a_table_goes_on_behind_a_blank_line_and_there_may_be_several(
    tmp_path: Path, between: str, again: str
) -> None:
    table = bars("It gains. | yes | 0.3") + between + again + "| It loses. | no | 0.2 |\n"
    assert claims(tmp_path, table) == [("It gains.", True, 0.3), ("It loses.", False, 0.2)]
    tabs = f"{TABLE}It gains.\tyes\t0.3\n{between}{TABLE if again else ''}It loses.\tno\t0.2\n"
    assert claims(tmp_path, tabs) == [("It gains.", True, 0.3), ("It loses.", False, 0.2)]


@pytest.mark.parametrize(
    ("header", "row"),
    [
        ("**Claim** | **Verified** | **Confidence**", "It gains. | yes | 0.3"),
        ("# | Claim | Verified | Confidence", "1 | It gains. | yes | 0.3"),
        ("Extracted claims | Source | Confidence score (0-1) | Verified?", "It gains. | A 2020 | 30 % | **yes**"),
        ("CONFIDENCE: | Statement | Supported", "0,3 | It gains. | y"),
    ],
)
def test_headers_and_columns_as_people_write_them(tmp_path: Path, header: str, row: str) -> None:
    assert claims(tmp_path, bars(row, header=header)) == [("It gains.", True, 0.3)]


@pytest.mark.parametrize("mark", ["✔️", "✔", "✅", "☑", "Yes", "[✓]", "Verified"])
@pytest.mark.parametrize("against", ["❌", "✖️", "✗", "No", "not verified", "**false**"])
def test_marks_as_people_set_them(tmp_path: Path, mark: str, against: str) -> None:
    found = claims(tmp_path, bars(f"One. | {mark} | .3", f"Two. | {against} | .1"))
    assert found == [("One.", True, 0.3), ("Two.", False, 0.1)]


@pytest.mark.parametrize(
    ("written", "read"),
    [
        (r"P(a\|b) grows.", "P(a|b) grows."),
        ("It gains\u00a02\u202fpoints.", "It gains 2 points."),
        ("co\u00adoperate.", "cooperate."),
        ("می\u200cشود.", "می\u200cشود."),
        ("عربي #1 _x_ 50% $a_b$ \\frac{1}{2} & {y} ~ ^ 😀.", "عربي #1 _x_ 50% $a_b$ \\frac{1}{2} & {y} ~ ^ 😀."),
    ],
)
def test_signs_of_all_scripts(tmp_path: Path, written: str, read: str) -> None:
    assert claims(tmp_path, bars(f"{written} | yes | 0.3")) == [(read, True, 0.3)]


def test_which_claims_break_off(tmp_path: Path) -> None:
    def broken(*texts: str) -> list[bool]:
        rows = [f"{text} | yes | 0.3" for text in texts]
        return [row.truncated for row in read(tmp_path, "T\n" + bars(*rows)).rows]

    assert broken("層を融合すると精度が上がる。", "שלום עולם", "A full stop in brackets (here.)") == [False] * 3
    assert broken("A claim without a full stop, which is the way of this report", "As this one") == [False] * 2
    assert broken(BROKEN, "A whole one.", BROKEN[:-1] + "x") == [True, False, True]
    assert broken(BROKEN, BROKEN + " but another claim that ends is longer.") == [False, False]
    assert broken("A short one…", "Another one", "A third.") == [True, False, False]


def test_marks_that_say_neither_are_counted_and_columns_may_be_absent(tmp_path: Path) -> None:
    marks = ("partly", "unclear", "?", "-", "")
    found = read(tmp_path, f"T\n{TABLE}" + "".join(f"A claim.\t{mark}\t0.5\n" for mark in marks))
    assert [row.verified for row in found.rows] == [None] * 5
    assert found.gaps == ("claims without a clear mark, which are `verified: null`: 5",)
    table = "T\nDate: 2026-11-20. By hand.\nClaim | Source\nA claim. | Ho (1998)\nB. | Ho (1998)\n"
    short = read(tmp_path, table)
    assert [(row.text, row.verified, row.confidence) for row in short.rows] == [
        ("A claim.", None, None),
        ("B.", None, None),
    ]
    assert (short.date, short.cites) == ("2026-11-20", ("Ho (1998)",))


def test_a_line_without_cells_is_named_where_a_claim_may_begin_in_it(tmp_path: Path) -> None:
    found = read(tmp_path, f"T\n{TABLE}It gains\non XNLI.\tyes\t0.3\nIt loses.\tno\t0.2\nThe end.\n")
    assert found.gaps == ("claims behind a line without cells, which was passed over: 1, first line 3",)


def test_another_table_ends_the_one_with_claims(tmp_path: Path) -> None:
    text = (
        "T\n\n| Claim | Source |\n|---|---|\n| It gains. | A |\n\n| Model | Score |\n|---|---|\n| mBERT | 0.7 |\n"
    )
    assert [row.text for row in read(tmp_path, text).rows] == ["It gains."]
    ruled = "T\n\n| Claim | Source |\n|---+---|\n| It gains. | A |\n| It loses. | A |\n|---+---|\n"
    assert [row.text for row in read(tmp_path, ruled).rows] == ["It gains.", "It loses."]


def test_a_line_of_dashes_is_no_title_and_a_question_no_two_sentences(tmp_path: Path) -> None:
    head = "---\nA report\ndate: 2026-07-02\n---\nResearch question: to find out.\n\nAbstract. Is it good?\n"
    found = read(tmp_path, f"{head}{TABLE}It gains.\tyes\t0.3\n")
    assert (found.title, found.date, found.question) == ("A report", "2026-07-02", None)
    asked = read(tmp_path, f"T\nResearch\nquestion: Does it,\n\nhelp?\n{TABLE}It gains.\tyes\t0.3\n")
    assert asked.question == "Does it,  help?"


def test_judged_measurements_of_the_same_are_refused(tmp_path: Path) -> None:
    part = Measurement(measure="gain", task="pos", estimate=1.0, unit="points", judged=True)
    twice = Evidence(claim="C01", profile="p", metric="m_v1", status="measured", parts=(part, part))
    with pytest.raises(ClaimError, match="gain pos is measured twice"):
        write_evidence(twice, tmp_path)
    assert not any(tmp_path.iterdir())
    apart = (part, part.model_copy(update={"about": {"size": 32}}), part.model_copy(update={"judged": False}))
    write_evidence(twice.model_copy(update={"parts": apart}), tmp_path)
    assert read_evidence(tmp_path / "evidence.json").parts == apart


def test_gaps_are_said(tmp_path: Path) -> None:
    table = bars("1 | One. | yes | 0.3", "3. | Three. | no | 0.2", header="No. | Claim | Verified | Confidence")
    found = read(tmp_path, f"T\n4 claims extracted; 3 verified.\n\n{table}")
    assert found.gaps == (
        "the report speaks of 4 claims, its tables have 2", "numbers missing in the tables of claims: 2",
    )  # fmt: skip
    assert read(tmp_path, f"T\n1 claims extracted\n{bars('One. | yes | 0.3')}").gaps == ()


@pytest.mark.parametrize("date", ["2026-07-02", "July 2, 2026", "2 July 2026", "**Date:** 2 Jul. 2026"])
def test_what_stands_before_the_table(tmp_path: Path, date: str) -> None:
    text = f"# A title\n\n{date}\n\n**Research question:** Does it\nhelp? Maybe.\n\n{bars('One. | yes | 1')}"
    found = read(tmp_path, f"{text}\narXiv:2003.11080v5, https://doi.org/10.1145/1102351.1102430.\n")
    assert (found.title, found.date, found.question) == ("A title", "2026-07-02", "Does it help?")
    assert found.cites == ("arXiv 2003.11080v5", "doi 10.1145/1102351.1102430")


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "is empty"),
        ("Title\nno table", "no table with a column Claim and others"),
        (f"T\n{TABLE}", "line 2: the table has 0 claims"),
        (f"T\n{TABLE}a claim\t✓\n", "line 3: 2 cells, 0 empty; the header has 3 columns"),
        (f"T\n{TABLE}\t✓\t0.1\n", "line 3: 3 cells, 1 empty"),
        (f"T\n{TABLE}a\tmaybe\t0.1\n", "line 3: 'maybe' is not a mark"),
        (f"T\n{TABLE}a\t✓\tnan\n", "line 3: 'nan' is not a confidence"),
        (f"T\n{TABLE}a\t✓\t1.5\n", "line 3: '1.5' is not a confidence"),
        (f"T\n{TABLE}a\x1bb\t✓\t0.5\n", "line 3: the claim holds a control character"),
        (f"T\n{TABLE}{HOSTILE[4]}\t✓\t0.5\n", "line 3: the claim holds a control character"),
        (f"T\n{TABLE}" + "a\t✓\t0.5\n" * 100, "the table has 100 claims; 1 to 99"),
    ],
)
def test_a_malformed_report_is_one_line(tmp_path: Path, text: str, told: str) -> None:
    assert told in said(ClaimError, read, tmp_path, text)


def test_a_report_that_is_no_text(tmp_path: Path) -> None:
    path = tmp_path / "report"
    assert "does not exist" in said(ClaimError, read_report, path)
    for content, told in (
        (b"%PDF-1.5\n\xff\xfe", "is not UTF-8 (byte 9)"),
        (b"a" * (2**20 + 1), "more than 1048576"),
    ):
        path.write_bytes(content)
        assert told in said(ClaimError, read_report, path)


# Export and comparison


def a_run(registry: Registry, name: str, estimate: float | None, half: float = 1.0) -> RunResults:
    """A run that measured C05 on NER only."""
    about = {"status": "missing", "headline": None} if estimate is None else {}
    evidence = gains(gain("ner", estimate, half, n_seeds=5), run=name, **about)
    found = {"C05": evidence}
    verdicts = {
        claim: decide(entry, found.get(claim), PROFILE, PLUGIN, name) for claim, entry in registry.entries.items()
    }
    return RunResults(name, PROFILE, Path("ledger") / name, f"title of {name}", found, verdicts, {})


def test_records_hold_the_headline_and_where_it_comes_from(registry: Registry) -> None:
    records = {record["claim"]: record for record in json.loads(to_json(registry, [a_run(registry, "one", 2.0)]))}
    assert list(records) == list(registry.entries)
    row = records["C05"]
    assert (row["estimate"], row["low"], row["high"], row["unit"]) == (2.0, 1.0, 3.0, "points")
    assert row["evidence"] == "ledger/one/claims/C05/evidence.json"
    found = dict.fromkeys(("xnli", "pawsx", "pos"), "missing") | {"ner": "holds"}
    assert {task: one["decision"] for task, one in row["decisions"].items()} == found
    other = records["C01"]
    assert (other["verdict"], other["estimate"], other["evidence"]) == ("not run", None, None)
    for claim, entry in registry.entries.items():
        assert records[claim]["literature"] == [item.model_dump() for item in entry.literature]


def test_csv_comes_back_and_no_cell_is_a_formula(registry: Registry) -> None:
    run = a_run(registry, "one", -2.0)
    because = run.verdicts["C05"].model_copy(update={"because": HOSTILE[3]})
    run = replace(run, verdicts={**run.verdicts, "C05": because})
    rows = {row["claim"]: row for row in csv.DictReader(io.StringIO(to_csv(registry, [run])))}
    assert rows.keys() == registry.entries.keys()
    assert rows["C05"]["because"] == f"'{HOSTILE[3]}"
    assert float(rows["C05"]["estimate"]) == -2.0, "a number stays one"


def test_json_ld_reviews_every_claim(registry: Registry) -> None:
    document = json.loads(to_jsonld(registry, [a_run(registry, "one", 2.0), a_run(registry, "two", None)]))
    by_type: dict[str, list[Any]] = {}
    for node in document["@graph"]:
        by_type.setdefault(node["@type"], []).append(node)
    claims = {node["@id"]: node["text"] for node in by_type["Claim"]}
    assert len(by_type["ClaimReview"]) == 2 * len(claims) == 2 * len(registry.entries)
    for review in by_type["ClaimReview"]:
        assert review["claimReviewed"] == claims[review["itemReviewed"]["@id"]]
        assert review["reviewRating"]["alternateName"]
    assert len({node["@id"] for node in document["@graph"]}) == len(document["@graph"])


def test_json_ld_says_with_cito_how_literature_relates_to_a_claim(registry: Registry) -> None:
    terms = {
        "supports": "supports", "contradicts": "disputes", "partly": "qualifies", "context": "citesAsRelated",
    }  # fmt: skip
    document = json.loads(to_jsonld(registry, []))
    assert document["@context"] == ["https://schema.org", {"cito": "http://purl.org/spar/cito/"}]
    nodes = document["@graph"]
    found = [(node["name"], key, node[key]["@id"]) for node in nodes for key in node if key.startswith("cito:")]
    assert found == [
        (item.source, f"cito:{terms[item.direction]}", f"#{claim}")
        for claim, entry in registry.entries.items()
        for item in entry.literature
    ]


def test_two_runs_are_compared_in_half_widths(registry: Registry) -> None:
    """10 points lie 2 half-widths apart: the root of 3 squared and 4 squared is 5."""
    one, two = a_run(registry, "one", 2.0, half=3.0), a_run(registry, "two", -8.0, half=4.0)
    assert list(differences(one, two, {})) == [
        "C05  inconclusive -> not reproduced",
        "  dev_selected_gain ner: +2.00 -> −8.00 points, 2.0 half-widths apart",
        "1 claim with differences, 17 without",
    ]
    same = ["0 claims with differences, 18 without"]
    assert list(differences(one, replace(one, name="again"), {})) == same
    rounded = a_run(registry, "rounded", 2.0 + 1e-12, half=3.0)
    assert list(differences(one, rounded, {})) == same, "sums in another order"
    lost = list(differences(one, a_run(registry, "three", None), {}))[1]
    assert lost == "  dev_selected_gain ner: +2.00 -> - points"


def test_the_schema_accepts_the_registry_and_refuses_a_typo() -> None:
    schema = json_schema()
    text = Path("claims/registry.yaml").read_text(encoding="utf-8")
    content = YAML(typ="safe").load(text)
    jsonschema.validate(content, schema)
    content["entries"]["C01"]["tilte"] = "x"
    with pytest.raises(jsonschema.ValidationError, match="tilte"):
        jsonschema.validate(content, schema)
