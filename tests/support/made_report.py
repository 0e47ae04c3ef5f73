"""A report of made-up runs: profiles, evidence, runs and hostile texts, for the tests of the report."""

from __future__ import annotations

import hashlib
import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

from claimtrack.decisions import Decision
from claimtrack.entries import Claimed, Entry, Literature, Source
from claimtrack.evidence import Check, Evidence, Interval, Measurement
from claimtrack.judging import decide
from claimtrack.registry import Registry
from claimtrack.report.context import ReportContext, build
from claimtrack.runs import RunResults
from claimtrack.verdict import Verdict
from crosslayer.config import Profile, parse_profile
from crosslayer.paper import PLUGIN
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


def profile(name: str, data: str, encoder: dict[str, Any], **task: Any) -> Profile:
    content = {
        "profile": name,
        "encoder": encoder,
        "data": {"source": data, "root": "somewhere"} if data == "xtreme" else {"source": data},
        "tasks": {each: {"epochs": 2, "learning_rate": 1e-4, **task} for each in TASKS},
        "sweep": {"layers": list(range(1, 12)), "controls": ["self"], "seeds": [0, 1, 2]},
        **{section: {} for section in ("fusion", "intermediate", "probe", "compute")},
        "claims": [f"C{number:02d}" for number in range(1, 18)] + ["Q01"],
    }
    return parse_profile(content, name)


OFFLINE = profile("offline", "fragment", {"source": "packaged"}, mode="frozen")
FULL = profile("paper", "hub", {"source": "hub", "name": "bert-base-multilingual-cased"})


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
        claim: decide(entry, found.get(claim), of, PLUGIN, name) for claim, entry in registry.entries.items()
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
    return RunResults(name, of, folder, f"the run {name}", found, verdicts, info)


def made(registry: Registry, runs: list[RunResults], paper: Path = PAPER) -> ReportContext:
    """The report of some runs."""
    return build(registry, runs, paper=paper, date="2026-01-31", revision="0123abcd")


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


def hostile_report(registry: Registry, folder: Path) -> ReportContext:
    """Two claims, each text of which is all hostile texts in a row."""
    text = "\n".join(HOSTILE)
    entries = {claim: hostile_entry(registry.entries[claim], text) for claim in ("C04", "C06")}
    small = registry.model_copy(
        update={"entries": entries, "source": Source(title="t", date="d", note=text, cites=[])}
    )
    ran = run(small, "fresh", OFFLINE, folder)
    names = ("note", "model", "unit")
    evil = {
        claim: found.model_copy(
            update={
                "parts": tuple(p.model_copy(update=dict.fromkeys(names, text)) for p in found.parts),
                "checks": (Check(name=text, passed=False, expected=text, found=text),),
                "missing": (text,), "metric": text, "trials": (text,), "facts": {text: text}, "figures": (text,),
            }
        )
        for claim, found in ran.evidence.items()
    }  # fmt: skip
    verdicts = {
        claim: v.model_copy(
            update={
                "because": text, "relevant_to": text, "relevance_reason": text,
                "decisions": {text: Decision(decision="holds", note=text)},
            }
        )
        for claim, v in ran.verdicts.items()
    }  # fmt: skip
    info = {"revision": text, text: {text: text}, "stages": {text: {"seconds": 3}}}
    changed = replace(ran, name=text, title=text, evidence=evil, verdicts=verdicts, info=info)
    return made(small, [changed])
