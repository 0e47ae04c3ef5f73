"""Decides every claim of the present run, and derives every recorded run again with today's code."""

from __future__ import annotations

import json
from pathlib import Path

from claimtrack.files import write_text
from claimtrack.registry import load_registry
from claimtrack.results import load_fresh
from claimtrack.runs import LEDGER, RunResults
from claimtrack.verdict import VERDICTS
from crosslayer.config import Profile
from crosslayer.ledger.ledger import derive_again
from crosslayer.paper.plugin import measures
from crosslayer.stages.command import run_stage


def verdicts(profile: Profile, folder: Path) -> None:
    """Write ``verdicts.json``, ``metrics.json`` and ``gains.csv``.

    Raises:
        ResultsError: a number of a recorded run moved, or one of its files changed.
    """
    registry = load_registry()
    measured = measures(registry.entries)
    for entry in sorted(path for path in LEDGER.glob("[!.]*") if path.is_dir()):
        derive_again(entry, measured)
    results = load_fresh(profile, registry)
    decided = [verdict.model_dump(mode="json") for verdict in results.verdicts.values()]
    for name, content in (("verdicts.json", decided), ("metrics.json", metrics(results))):
        write_text(folder / name, json.dumps(content, indent=1) + "\n")
    write_text(folder / "gains.csv", gains_by_layer(results))


def metrics(results: RunResults) -> dict[str, dict[str, float | int]]:
    """What `dvc metrics show` shows: how many claims have each verdict, and each claim's headline number."""
    found = [verdict.verdict for verdict in results.verdicts.values()]
    parts = {c: e.parts[e.headline] for c, e in results.evidence.items() if e.headline is not None}
    headline = {claim: round(part.estimate, 3) for claim, part in parts.items() if part.estimate is not None}
    return {"verdicts": {name: found.count(name) for name in VERDICTS if name in found}, "headline": headline}


def gains_by_layer(results: RunResults) -> str:
    """What `dvc plots show` draws: the gain over the baseline by task and fusion layer, as CSV."""
    parts = (part for evidence in results.evidence.values() for part in evidence.parts)
    gains = (part for part in parts if part.measure == "layer_gain")
    rows = {(part.task or "", part.layer or 0, part.estimate) for part in gains if part.estimate is not None}
    lines = [f"{task},{layer},{gain:.4f}" for task, layer, gain in sorted(rows)]
    return "\n".join(["task,layer,gain", *lines]) + "\n"


if __name__ == "__main__":
    run_stage("verdicts", verdicts)
