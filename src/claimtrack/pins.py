"""Pinning: write down what a run gives now, so that ``pytest claims/`` sees when it changes.

A recorded run is pinned to its values. A fresh run is pinned to prediction intervals: with estimate m and
half-width h of its own interval, a new run with as many seeds differs from m by sqrt(2) times the noise that h
stands for. To hold for all judged parts of the run at once, h is widened from its own level to 95 % over all of
them (Bonferroni): by t(1 - 0.05 / 2n) / t(1/2 + level/2) for n parts, at the degrees of freedom of the interval.
"""

from __future__ import annotations

import math
import os
import re
from io import StringIO
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap, CommentedSeq
from ruamel.yaml.representer import RoundTripRepresenter
from scipy.stats import t

from claimtrack.checks import CHECKS_MEASURE
from claimtrack.errors import ClaimError
from claimtrack.evidence import Evidence, Interval, Measurement
from claimtrack.files import write_text
from claimtrack.plugin import Setting
from claimtrack.registry import load_registry, read_text
from claimtrack.results import FRESH, RunResults
from claimtrack.rules import SMALLEST_EFFECT

Key = tuple[str, str | None]
"""Measure and task of a part."""
UNRELEASED = "## Unreleased"
FLOOR_POINTS = SMALLEST_EFFECT
"""No range of points is narrower to either side: the smallest effect of interest."""
FLOOR_SHARE = 0.05
"""The same for other units, as a share of the estimate."""


def pin(registry_path: Path, results: RunResults[Setting], reason: str, changelog_path: Path) -> tuple[str, ...]:
    """Write pins and expected ranges of one run, and a line in the changelog.

    Returns:
        One line for each verdict that is new or changed.

    Raises:
        ClaimError: no reason, no evidence, or two judged parts of one name.
    """
    reason = " ".join(reason.split())
    if not reason.isprintable() or not reason:
        raise ClaimError("a pin needs a reason in plain words; add --reason TEXT")
    if not results.evidence:
        raise ClaimError(f"{results.folder} has no evidence to pin; run `make repro` first")
    changes = _changes(registry_path, results)
    yaml = round_trip()
    content = yaml.load(read_text(registry_path))
    for claim, entry in content["entries"].items():
        _pin_entry(entry, claim, results, reason)
    text = StringIO()
    yaml.dump(content, text)
    _write_registry(registry_path, text.getvalue())
    _note(changelog_path, results, reason, changes)
    return changes


def prediction_range(part: Measurement, n_parts: int) -> tuple[float, float]:
    """Where the estimate of a new run should fall; see the module's docstring. Needs estimate and interval."""
    if part.estimate is None or part.interval is None:
        raise ValueError(f"{part.measure} has no interval")
    floor = FLOOR_POINTS if part.unit == "points" else FLOOR_SHARE * abs(part.estimate)
    factor = _widening(part.interval, n_parts)
    below = max(factor * (part.estimate - part.interval.low), floor)
    above = max(factor * (part.interval.high - part.estimate), floor)
    return part.estimate - below, part.estimate + above


def _widening(interval: Interval, n_parts: int) -> float:
    df = math.inf if interval.df is None else interval.df
    wide, own = t.ppf([1 - 0.05 / (2 * n_parts), 0.5 + interval.level / 2], df)
    return float(math.sqrt(2) * wide / own)


def _pin_entry(entry: CommentedMap, claim: str, results: RunResults[Setting], reason: str) -> None:
    """Replace what the entry says about this run."""
    head = {"profile": results.profile.profile}
    if results.name != FRESH:
        head["run"] = results.name
    expected, pins = (_without(entry.get(key), head) for key in ("expected", "pins"))
    if claim in results.profile.claims:
        evidence = results.evidence.get(claim)
        record = None if evidence is None else _expected(evidence, results)
        if record:
            expected.append(_flow({**head, **record}))
        pins.append(_flow({**head, "verdict": results.verdicts[claim].verdict, "reason": reason}))
    entry["expected"], entry["pins"] = expected, pins


def _expected(evidence: Evidence, results: RunResults[Setting]) -> dict[str, Any] | None:
    """Basis, reason and ranges of one claim; ``None`` where nothing has a range."""
    ranges = _ranges(evidence, results)
    if not ranges:
        return None
    if list(ranges) == [(CHECKS_MEASURE, None)]:
        basis, reason = "paper", "every check of the definition passes"
    elif results.name != FRESH:
        basis, reason = "recorded", "the recorded value, to 1e-9"
    else:
        basis = "pilot"
        n = evidence.n_seeds
        seeds = f" of {n} seed{'s' if n > 1 else ''}" if n else ""
        reason = (
            f"prediction interval for a new run{seeds}, 95 % over all {_n_ranged(results)} parts of the run; "
            f"at least {FLOOR_POINTS} points or {100 * FLOOR_SHARE:g} % to either side"
        )
    return {"basis": basis, "reason": reason, "ranges": _nested(ranges)}


def _ranges(evidence: Evidence, results: RunResults[Setting]) -> dict[Key, tuple[float, float]]:
    ranges: dict[Key, tuple[float, float]] = {}
    for part in evidence.parts:
        if not part.judged or part.estimate is None:
            continue
        key = (part.measure, part.task)
        if key in ranges:
            raise ClaimError(f"{evidence.claim} has two judged parts {part.measure} {part.task}; judge one")
        if results.name != FRESH:
            ranges[key] = (round(part.estimate, 12),) * 2
        elif part.interval is not None:
            low, high = prediction_range(part, _n_ranged(results))
            ranges[key] = float(f"{low:.4g}"), float(f"{high:.4g}")
    if evidence.checks:
        ranges[CHECKS_MEASURE, None] = (1.0, 1.0)
    return ranges


def _n_ranged(results: RunResults[Setting]) -> int:
    """How many parts of a fresh run get a prediction interval."""
    parts = [part for evidence in results.evidence.values() for part in evidence.parts]
    return sum(part.judged and part.estimate is not None and part.interval is not None for part in parts)


def _nested(ranges: dict[Key, tuple[float, float]]) -> CommentedMap:
    """``{measure: {task: [low, high]}}``; no task level without a task, one number where both ends are equal."""
    nested = _flow({})
    for (measure, task), (low, high) in ranges.items():
        value = low if low == high else _flow_list([low, high])
        if task is None:
            nested[measure] = value
        else:
            nested.setdefault(measure, _flow({}))[task] = value
    return nested


def _changes(registry_path: Path, results: RunResults[Setting]) -> tuple[str, ...]:
    """``C05: inconclusive -> reproduced`` for every verdict that this run's pins do not have yet."""
    run = None if results.name == FRESH else results.name
    lines = []
    for claim, entry in load_registry(registry_path).entries.items():
        if claim not in results.profile.claims:
            continue
        old, new = entry.pin(results.profile.profile, run), results.verdicts[claim].verdict
        if old is None or old.verdict != new:
            lines.append(f"{claim}: {old.verdict if old else 'no pin'} -> {new}")
    return tuple(lines)


def _note(path: Path, results: RunResults[Setting], reason: str, changes: tuple[str, ...]) -> None:
    """Add a line under the heading of unreleased changes, which is made if absent."""
    run = results.profile.profile if results.name == FRESH else f"recorded run {results.name}"
    line = f"- Pins of {run}: {reason} ({', '.join(changes) or 'no verdict changed'})."
    lines = (read_text(path) if path.exists() else "# Changelog\n").splitlines()
    at = next((i for i, text in enumerate(lines) if re.match(r"## \[?unreleased", text, re.IGNORECASE)), None)
    if at is None:
        at = 2
        lines[1:1] = ["", UNRELEASED]
    blank = at + 1 < len(lines) and not lines[at + 1].strip()
    lines[at + 1 + blank : at + 1 + blank] = [line] if blank else ["", line]
    write_text(path, "\n".join(lines) + "\n")


def _without(items: list[Any] | None, head: dict[str, str]) -> CommentedSeq:
    """The items of all other runs, one a line."""
    other = (
        item for item in items or () if (item["profile"], item.get("run")) != (head["profile"], head.get("run"))
    )
    return CommentedSeq(other)


def _flow(content: dict[str, Any]) -> CommentedMap:
    mapping = CommentedMap(content)
    mapping.fa.set_flow_style()
    return mapping


def _flow_list(values: list[float]) -> CommentedSeq:
    sequence = CommentedSeq(values)
    sequence.fa.set_flow_style()
    return sequence


class _Representer(RoundTripRepresenter):
    """Writes ``null`` where the file says ``null``, not an empty value."""


_Representer.add_representer(
    type(None), lambda representer, _: representer.represent_scalar("tag:yaml.org,2002:null", "null")
)


def round_trip() -> YAML:
    """A YAML reader and writer that keeps comments, quotes, folds and anchors as they are."""
    yaml = YAML()
    yaml.Representer = _Representer
    yaml.preserve_quotes = True
    yaml.width = 4096
    yaml.indent(mapping=2, sequence=4, offset=2)
    return yaml


def _write_registry(path: Path, text: str) -> None:
    """Replace the registry by ``text`` if that is a sound one."""
    new = path.with_name(f".{path.name}.new")
    try:
        new.write_text(text, encoding="utf-8")
        load_registry(new)
        os.replace(new, path)
    finally:
        new.unlink(missing_ok=True)
