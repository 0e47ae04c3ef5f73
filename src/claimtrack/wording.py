"""Numbers as words: plain text, for verdict sentences and tables."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from itertools import groupby

from claimtrack.decisions import Decision
from claimtrack.entries import THE_PAPER, Literature, RelevanceValue
from claimtrack.evidence import Evidence, Measurement
from claimtrack.statistics import MAX_SEEDS

Titles = Mapping[str, str]
"""How names are shown (`claimtrack.plugin.Plugin`)."""
EVIDENCE: dict[RelevanceValue, str] = {
    "direct": "direct evidence", "indirect": "indirect evidence", "none": "no evidence",
}  # fmt: skip
SEALED = {
    True: "Rule sealed before the first trial.", False: "Rule not sealed before the first trial.", None: "",
}  # fmt: skip
"""What is said of the ``sealed`` of a verdict."""


def sentence(parts: Iterable[Measurement], titles: Titles, *, capital: bool = True) -> str:
    """``Dev-selected gain (points): XNLI +0.61 [+0.12, +1.10], NER ...; next measure ...``, no full stop; without
    ``capital`` to stand within another one."""
    groups = groupby(parts, key=lambda part: (part.measure, part.unit))
    text = "; ".join(
        f"{measure_title(measure, titles)} ({unit}): " + ", ".join(value(part, titles) for part in group)
        for (measure, unit), group in groups
    )
    return text[:1].upper() + text[1:] if capital else text


def measure_title(measure: str, titles: Titles) -> str:
    """``dev-selected gain`` for ``dev_selected_gain``: words, with hyphens and capitals where they belong."""
    if measure in titles:
        return titles[measure]
    text = measure.replace("_", " ")
    names = "|".join(map(re.escape, sorted(titles, key=len, reverse=True)))
    return re.sub(rf"\b(?:{names})\b", lambda found: titles[found[0]], text) if names else text


def what_decides(found: Decision) -> str:
    """``24 seeds would decide, about 6 h``, the hours of the seeds that are missing; empty of what is decided."""
    if found.decision != "undecided":
        return ""
    if found.seeds is None:
        return f"no number of seeds up to {MAX_SEEDS:,} would"
    about = "" if found.hours is None else f", about {hours_words(found.hours)}"
    return f"{found.seeds} seeds would decide{about}"


def counted(n: int, noun: str) -> str:
    """``1 claim``, ``1,200 trials``."""
    return f"{n:,} {noun}{'' if n == 1 else 's'}"


def hours_words(hours: float) -> str:
    """``120 h``, ``6 h`` or ``0.3 h``."""
    return f"{hours:.{0 if hours >= 10 else 1}f} h".replace(".0 h", " h")


def decisions_sentence(decisions: Mapping[str, Decision], titles: Titles) -> str:
    """``refuted on POS and NER, undecided on XNLI (24 seeds would decide)``."""
    groups: dict[str, list[str]] = {}
    for name, found in decisions.items():
        beside = "".join(f" ({text})" for text in (what_decides(found) if found.seeds else "", found.note) if text)
        groups.setdefault(found.decision, []).append(measure_title(name, titles) + beside)
    return ", ".join(f"{decision} on {', '.join(titles)}" for decision, titles in groups.items())


def decision_words(found: Decision) -> str:
    """``undecided; 24 seeds would decide, about 6 h``."""
    return "; ".join(filter(None, (found.decision, what_decides(found), found.note)))


def relevance_note(relevant_to: Mapping[str, str]) -> str:
    """``to the paper; for Q01, to the source report's question``, from what each claim id is relevant to."""
    claims: dict[str, list[str]] = {}
    for claim, subject in relevant_to.items():
        claims.setdefault(subject, []).append(claim)
    usual = max(claims, key=lambda subject: len(claims[subject]), default=THE_PAPER)
    others = [f"for {', '.join(claims[subject])}, to {subject}" for subject in claims if subject != usual]
    return "; ".join([f"to {usual}", *others])


def literature_line(item: Literature) -> str:
    """``supports: all layers fused, XNLI: 70.36 → 71.50 points (mT5 encoder). SOURCE``."""
    reported = f": {item.reported}" if item.number else ""
    return f"{item.direction}: {item.finding}{reported} ({item.model}). {item.citation}"


def key_number(evidence: Evidence | None, titles: Titles) -> str:
    """The number shown first: the headline part, or how many checks pass; ``-`` where there is none."""
    if evidence is None or evidence.status == "missing":
        return "-"
    if evidence.headline is not None:
        part = evidence.parts[evidence.headline]
        return f"{part.measure} ({part.unit}) {value(part, titles)}"
    passed = sum(check.passed for check in evidence.checks)
    return f"{passed} of {len(evidence.checks)} checks" if evidence.checks else "-"


def title(name: str | None, titles: Titles) -> str:
    """``XNLI`` for ``xnli``; empty for ``None``; names without a title as they are.

    Of ``data digits, size 32`` every dimension and every value may have one.
    """
    if name is None or name in titles:
        return "" if name is None else titles[name]
    pairs = (pair.partition(" ") for pair in name.split(", "))
    return ", ".join(f"{titles.get(one, one)}{gap}{titles.get(other, other)}" for one, gap, other in pairs)


def number(value: float, unit: str) -> str:
    """Two decimals for points, three significant digits else; a sign (a true minus) where there can be two."""
    if unit == "F":
        return f"{value:.3g}"
    text = f"{value:+.2f}" if unit == "points" else f"{value:+.3g}"
    return (text if text.strip("+-0.") else text.lstrip("+-")).replace("-", "−")


def value(part: Measurement, titles: Titles) -> str:
    """``XNLI +0.61 [+0.12, +1.10] p = 0.012``, without what the part does not have."""
    shown = [title(part.subject, titles)]
    shown.append("missing" if part.estimate is None else number(part.estimate, part.unit))
    if part.interval is not None:
        shown.append(f"[{number(part.interval.low, part.unit)}, {number(part.interval.high, part.unit)}]")
    if part.p_value is not None:
        shown.append("p < 0.001" if part.p_value < 0.001 else f"p = {part.p_value:.2g}")
    return " ".join(filter(None, shown))
