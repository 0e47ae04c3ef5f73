"""Verdicts for other programs: JSON, CSV, and JSON-LD with schema.org's Claim and ClaimReview.

What others report about a claim is in JSON and in JSON-LD, there with the terms of CiTO.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from claimtrack.entries import Direction, Entry
from claimtrack.registry import Registry
from claimtrack.runs import RunResults
from claimtrack.verdict import Verdict
from claimtrack.wording import literature_line

OF_VERDICT = ("verdict", "relevance", "relevant_to", "because", "relevance_reason", "n_seeds", "sealed")
COLUMNS = (
    "claim", "run", "profile", *OF_VERDICT, "measure", "estimate", "low", "high", "unit", "evidence",
)  # fmt: skip
CONTEXT = ["https://schema.org", {"cito": "http://purl.org/spar/cito/"}]
CITO: dict[Direction, str] = {
    "supports": "cito:supports", "contradicts": "cito:disputes", "partly": "cito:qualifies",
    "context": "cito:citesAsRelated",
}  # fmt: skip
"""How a source relates to a claim."""
FORMULA = ("=", "+", "-", "@", "\t")
"""A spreadsheet would compute a text that begins so."""


def _records(registry: Registry, runs: Sequence[RunResults]) -> Iterator[dict[str, Any]]:
    """One a claim and run: `COLUMNS`, ``None`` where nothing was measured; decisions and what others report."""
    for run in runs:
        for claim, verdict in run.verdicts.items():
            evidence = run.evidence.get(claim)
            part = evidence.parts[evidence.headline] if evidence and evidence.headline is not None else None
            bounds = part.interval if part else None
            yield {
                "claim": claim,
                "run": run.name,
                "profile": run.profile.profile,
                **{name: getattr(verdict, name) for name in OF_VERDICT},
                **{name: getattr(part, name, None) for name in ("measure", "estimate", "unit")},
                **{name: getattr(bounds, name, None) for name in ("low", "high")},
                "evidence": _link(run, claim),
                "decisions": {task: found.model_dump() for task, found in verdict.decisions.items()},
                "literature": [item.model_dump() for item in registry.entry(claim).literature],
            }


def to_json(registry: Registry, runs: Sequence[RunResults]) -> str:
    """A list of records, each with the decisions on its tasks and with what others report about the claim."""
    return json.dumps(list(_records(registry, runs)), indent=1, ensure_ascii=False) + "\n"


def to_csv(registry: Registry, runs: Sequence[RunResults]) -> str:
    """A table with a header; a text that a spreadsheet would compute gets an apostrophe before it."""
    out = io.StringIO()
    writer = csv.DictWriter(out, COLUMNS, extrasaction="ignore", lineterminator="\n")
    writer.writeheader()
    for row in _records(registry, runs):
        formulas = {k: f"'{v}" for k, v in row.items() if isinstance(v, str) and v.startswith(FORMULA)}
        writer.writerow(row | formulas)
    return out.getvalue()


def to_jsonld(registry: Registry, runs: Sequence[RunResults]) -> str:
    """One graph: a Claim for each entry, a CreativeWork for each source that reports about it, a ClaimReview for
    each verdict, its evidence as a relative link."""
    source = {"@type": "CreativeWork", "name": registry.source.title, "datePublished": registry.source.date}
    entries = registry.entries.values()
    graph: list[dict[str, Any]] = [
        {"@type": "Claim", "@id": f"#{entry.id}", "name": entry.title, "text": entry.source_text,
         "appearance": source}
        for entry in entries
    ]  # fmt: skip
    graph += [
        {"@type": "CreativeWork", "@id": f"#{entry.id}-literature-{number}", "name": item.source,
         "abstract": literature_line(item), CITO[item.direction]: {"@id": f"#{entry.id}"}}
        for entry in entries
        for number, item in enumerate(entry.literature, 1)
    ]  # fmt: skip
    graph += [
        _review(registry.entry(claim), run, verdict) for run in runs for claim, verdict in run.verdicts.items()
    ]
    return json.dumps({"@context": CONTEXT, "@graph": graph}, indent=1, ensure_ascii=False) + "\n"


FORMATS: dict[str, Callable[[Registry, Sequence[RunResults]], str]] = {
    "json": to_json, "csv": to_csv, "jsonld": to_jsonld,
}  # fmt: skip


def _review(entry: Entry, run: RunResults, verdict: Verdict) -> dict[str, Any]:
    """A verdict, with a link to its evidence if there is some."""
    return {
        "@type": "ClaimReview",
        "@id": f"#{entry.id}-{run.name}",
        "itemReviewed": {"@id": f"#{entry.id}"},
        "claimReviewed": entry.source_text,
        "reviewAspect": f"run {run.name}, profile {run.profile.profile}",
        "reviewBody": verdict.because,
        "reviewRating": {
            "@type": "Rating",
            "alternateName": verdict.verdict,
            "ratingExplanation": verdict.relevance_sentences,
        },
        **({"url": link} if (link := _link(run, entry.id)) else {}),
    }


def _link(run: RunResults, claim: str) -> str | None:
    return run.evidence_path(claim).as_posix() if claim in run.evidence else None
