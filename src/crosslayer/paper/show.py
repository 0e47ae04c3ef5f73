"""What every notebook calls: open a run, show tables and figures, leave the evidence."""

from __future__ import annotations

import base64
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from claimtrack.evidence import Evidence, Measurement, write_evidence
from crosslayer.config import Profile, load_profile
from crosslayer.predictions.records import ResultsRun, Run

if TYPE_CHECKING:
    import pandas as pd
    from IPython.display import HTML

FRESH = "fresh"
Figures = Callable[[Evidence, Run, Profile, Path], tuple[str, ...]]


@dataclass(frozen=True)
class Source:
    """Where a notebook's numbers come from."""

    run: Run
    profile: Profile


def open_source(results: str, profile: str, run: str) -> Source:
    """The present results of a profile (``fresh``), or a recorded run.

    Raises:
        ConfigError: the profile is absent or wrong.
    """
    return Source(_open_run(Path(results), run), load_profile(Path(profile)))


def summary(evidence: Evidence) -> pd.DataFrame:
    """What was measured, and what is missing, one line each."""
    import pandas as pd

    rows = [
        *((name, str(getattr(evidence, name))) for name in ("claim", "profile", "run", "metric", "status")),
        ("trials", str(len(evidence.trials))),
        *((name.replace("_", " "), str(value)) for name, value in evidence.facts.items()),
        *(("missing", line) for line in evidence.missing),
    ]  # fmt: skip
    return pd.DataFrame(rows, columns=["", "value"]).set_index("")


def judged(evidence: Evidence) -> pd.DataFrame:
    """The parts that the verdict reads."""
    return _table([part for part in evidence.parts if part.judged])


def shown(evidence: Evidence) -> pd.DataFrame:
    """The parts that are shown and never judged; those by language are left to the figures."""
    return _table([part for part in evidence.parts if not part.judged and part.language is None])


def checks(evidence: Evidence) -> pd.DataFrame:
    """Structural facts: expected, found."""
    import pandas as pd

    rows = [(c.name, "yes" if c.passed else "no", c.expected, c.found) for c in evidence.checks]
    return pd.DataFrame(rows, columns=["check", "passed", "expected", "found"]).set_index("check")


def keep(evidence: Evidence, figures: Figures, source: Source, output: str) -> list[HTML]:
    """Draw the figures, write them and the evidence into ``output``, and give the figures out to be shown."""
    folder = Path(output)
    folder.mkdir(parents=True, exist_ok=True)
    names = figures(evidence, source.run, source.profile, folder)
    write_evidence(evidence.model_copy(update={"figures": names}), folder)
    return [_image(folder / name) for name in names]


def _image(path: Path) -> HTML:
    """A figure with its title as the words for those who do not see it."""
    from IPython.display import HTML

    svg = path.read_text(encoding="utf-8")
    title = svg.partition("<title>")[2].partition("</title>")[0]
    data = base64.b64encode(svg.encode()).decode()
    return HTML(f'<img alt="{title}" src="data:image/svg+xml;base64,{data}">')  # type: ignore[no-untyped-call]


def _open_run(results: Path, run: str) -> Run:
    if run == FRESH:
        return ResultsRun(results)
    from crosslayer.ledger.ledger import RecordedRun

    return RecordedRun(results)


def _table(parts: list[Measurement]) -> pd.DataFrame:
    import pandas as pd

    frame = pd.DataFrame([_row(part) for part in parts]).fillna("")
    return frame.loc[:, (frame != "").any()] if len(frame) else frame


def _row(part: Measurement) -> dict[str, str | int]:
    interval = part.interval
    return {
        "measure": part.measure.replace("_", " "),
        "task": part.task or "",
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
