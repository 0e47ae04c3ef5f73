"""Numbers as words: plain text, for verdict sentences and tables."""

from __future__ import annotations

import re
from collections.abc import Iterable
from itertools import groupby

from crosslayer.claims.evidence import Evidence, Part
from crosslayer.tasks import TASKS

SPELLINGS = {
    "ece": "ECE", "upos": "UPOS", "xnli": "XNLI", "nll": "NLL", "english": "English",
    "dev selected": "dev-selected", "cross fitted": "cross-fitted",
}  # fmt: skip
"""Words of names of measures as a reader knows them."""


def sentence(parts: Iterable[Part], *, capital: bool = True) -> str:
    """``Dev-selected gain (points): XNLI +0.61 [+0.12, +1.10], NER ...; next measure ...``, no full stop; without
    ``capital`` to stand within another one."""
    groups = groupby(parts, key=lambda part: (part.measure, part.unit))
    text = "; ".join(
        f"{measure_title(measure)} ({unit}): " + ", ".join(map(value, group)) for (measure, unit), group in groups
    )
    return text[:1].upper() + text[1:] if capital else text


def name(part: Part) -> str:
    """``dev_selected_gain XNLI``: the measure, and the task where there is one."""
    return " ".join(filter(None, (part.measure, task_title(part.task))))


def measure_title(measure: str) -> str:
    """``dev-selected gain`` for ``dev_selected_gain``: words, with hyphens and capitals where they belong."""
    text = measure.replace("_", " ")
    for short, full in SPELLINGS.items():
        text = re.sub(rf"\b{short}\b", full, text)
    return text


def key_number(evidence: Evidence | None) -> str:
    """The number shown first: the headline part, or how many checks pass; ``-`` where there is none."""
    if evidence is None or evidence.status == "missing":
        return "-"
    if evidence.headline is not None:
        part = evidence.parts[evidence.headline]
        return f"{part.measure} {value(part)} {part.unit}"
    if evidence.checks:
        return f"{sum(check.passed for check in evidence.checks)} of {len(evidence.checks)} checks"
    return "-"


def task_title(task: str | None) -> str:
    """``XNLI`` for ``xnli``; empty for ``None``; other names as they are."""
    titles = {str(key): value.title for key, value in TASKS.items()}
    return "" if task is None else titles.get(task, task)


def number(value: float, unit: str) -> str:
    """Two decimals for points, three significant digits else; a sign (a true minus) where there can be two."""
    if unit == "F":
        return f"{value:.3g}"
    text = f"{value:+.2f}" if unit == "points" else f"{value:+.3g}"
    return (text if text.strip("+-0.") else text.lstrip("+-")).replace("-", "−")


def value(part: Part) -> str:
    """``XNLI +0.61 [+0.12, +1.10] p = 0.012``, as far as the part has them."""
    shown = [task_title(part.task)]
    shown.append("missing" if part.estimate is None else number(part.estimate, part.unit))
    if part.interval is not None:
        shown.append(f"[{number(part.interval.low, part.unit)}, {number(part.interval.high, part.unit)}]")
    if part.p_value is not None:
        shown.append("p < 0.001" if part.p_value < 0.001 else f"p = {part.p_value:.2g}")
    return " ".join(filter(None, shown))
