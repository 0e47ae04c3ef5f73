"""Evidence as tables, for notebooks."""

from __future__ import annotations

from collections.abc import Iterable

import pandas as pd

from claimtrack.evidence import Evidence, Measurement


def summary(evidence: Evidence) -> pd.DataFrame:
    """What was measured, and what is missing, one line each."""
    rows = [
        *((name, str(getattr(evidence, name))) for name in ("claim", "profile", "run", "metric", "status")),
        ("trials", str(len(evidence.trials))),
        *((name.replace("_", " "), str(value)) for name, value in evidence.facts.items()),
        *(("missing", line) for line in evidence.missing),
    ]  # fmt: skip
    return pd.DataFrame(rows, columns=["", "value"]).set_index("")


def judged(evidence: Evidence) -> pd.DataFrame:
    """The parts that the verdict reads."""
    return _table(part for part in evidence.parts if part.judged)


def shown(evidence: Evidence) -> pd.DataFrame:
    """The parts that are shown and never judged; those by language are left to the figures."""
    return _table(part for part in evidence.parts if not part.judged and part.language is None)


def checks(evidence: Evidence) -> pd.DataFrame:
    """Structural facts: expected, found."""
    rows = [(c.name, "yes" if c.passed else "no", c.expected, c.found) for c in evidence.checks]
    return pd.DataFrame(rows, columns=["check", "passed", "expected", "found"]).set_index("check")


def _table(parts: Iterable[Measurement]) -> pd.DataFrame:
    frame = pd.DataFrame([_row(part) for part in parts]).fillna("")
    return frame.loc[:, (frame != "").any()] if len(frame) else frame


def _row(part: Measurement) -> dict[str, str | int | float]:
    interval = part.interval
    return {
        "measure": part.measure.replace("_", " "),
        "of": part.subject or "",
        "model": part.model or "",
        "layer": "" if part.layer is None else part.layer,
        "estimate": _number(part.estimate),
        "95 % interval": "" if interval is None else f"[{_number(interval.low)}, {_number(interval.high)}]",
        "unit": part.unit,
        "detectable": _number(part.minimum_detectable),
        "p": "" if part.p_value is None else f"{part.p_value:.3g}",
        "seeds": part.n_seeds,
        "items": part.n_items,
        "note": part.note,
    }


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.3g}" if abs(value) < 0.1 else f"{value:.2f}"
