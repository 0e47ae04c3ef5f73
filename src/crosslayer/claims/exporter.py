"""Verdicts for other programs: JSON, CSV, and JSON-LD with schema.org's Claim and ClaimReview."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from crosslayer.claims.bears import Setting
from crosslayer.claims.registry import Registry
from crosslayer.claims.results import RunResults

COLUMNS = (
    "claim", "run", "profile", "verdict", "bears_on_paper", "because", "bears_reason", "n_seeds", "measure",
    "estimate", "low", "high", "unit", "evidence",
)  # fmt: skip
FORMULA = ("=", "+", "-", "@", "\t")
"""A spreadsheet would compute a text that begins so."""


def to_rows(runs: Sequence[RunResults[Setting]]) -> Iterator[dict[str, Any]]:
    """One record a claim and run, with the keys of `COLUMNS`; numbers are ``None`` where nothing was measured."""
    for run in runs:
        for claim, verdict in run.verdicts.items():
            evidence = run.evidence.get(claim)
            part = evidence.parts[evidence.headline] if evidence and evidence.headline is not None else None
            bounds = part.interval if part else None
            yield {
                "claim": claim,
                "run": run.name,
                "profile": run.profile.profile,
                **{
                    name: getattr(verdict, name)
                    for name in ("verdict", "bears_on_paper", "because", "bears_reason", "n_seeds")
                },
                "measure": part.measure if part else None,
                "estimate": part.estimate if part else None,
                "low": bounds.low if bounds else None,
                "high": bounds.high if bounds else None,
                "unit": part.unit if part else None,
                "evidence": _link(run, claim),
            }


def to_json(registry: Registry, runs: Sequence[RunResults[Setting]]) -> str:
    """A list of records."""
    return json.dumps(list(to_rows(runs)), indent=1, ensure_ascii=False) + "\n"


def to_csv(registry: Registry, runs: Sequence[RunResults[Setting]]) -> str:
    """A table with a header; a text that a spreadsheet would compute gets an apostrophe before it."""
    out = io.StringIO()
    writer = csv.DictWriter(out, COLUMNS, lineterminator="\n")
    writer.writeheader()
    for row in to_rows(runs):
        writer.writerow({name: _harmless(value) for name, value in row.items()})
    return out.getvalue()


def to_jsonld(registry: Registry, runs: Sequence[RunResults[Setting]]) -> str:
    """One graph: a Claim for each entry, a ClaimReview for each verdict, its evidence as a relative link."""
    appearance = {
        "@type": "CreativeWork",
        "name": registry.source.title,
        "datePublished": registry.source.date,
    }
    graph: list[dict[str, Any]] = [
        {"@type": "Claim", "@id": f"#{entry.id}", "name": entry.title, "text": entry.source_text,
         "appearance": appearance}
        for entry in registry.entries.values()
    ]  # fmt: skip
    for row in to_rows(runs):
        review = {
            "@type": "ClaimReview",
            "@id": f"#{row['claim']}-{row['run']}",
            "itemReviewed": {"@id": f"#{row['claim']}"},
            "claimReviewed": registry.entry(row["claim"]).source_text,
            "reviewAspect": f"run {row['run']}, profile {row['profile']}",
            "reviewBody": row["because"],
            "reviewRating": {
                "@type": "Rating",
                "alternateName": row["verdict"],
                "ratingExplanation": f"bears on the paper: {row['bears_on_paper']}. {row['bears_reason']}",
            },
        }
        graph.append(review | ({"url": row["evidence"]} if row["evidence"] else {}))
    return json.dumps({"@context": "https://schema.org", "@graph": graph}, indent=1, ensure_ascii=False) + "\n"


FORMATS: dict[str, Callable[[Registry, Sequence[RunResults[Setting]]], str]] = {
    "json": to_json, "csv": to_csv, "jsonld": to_jsonld,
}  # fmt: skip


def _link(run: RunResults[Setting], claim: str) -> str | None:
    return (run.folder / "claims" / claim / "evidence.json").as_posix() if claim in run.evidence else None


def _harmless(value: Any) -> Any:
    return f"'{value}" if isinstance(value, str) and value.startswith(FORMULA) else value
