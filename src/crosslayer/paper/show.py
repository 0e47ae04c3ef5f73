"""What every notebook calls: open a run, show tables and figures, leave the evidence."""

from __future__ import annotations

import base64
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from claimtrack import project
from claimtrack.evidence import Evidence
from claimtrack.tables import checks, judged, shown, summary
from crosslayer.config import Profile, load_profile
from crosslayer.paper.parts import has_values
from crosslayer.predictions.runs import Run, open_run

if TYPE_CHECKING:
    from IPython.display import HTML

__all__ = ["checks", "judged", "shown", "summary"]
Figures = Callable[[Evidence, Run, Profile, Path], tuple[str, ...]]


class Source(NamedTuple):
    """Where a notebook's numbers come from."""

    run: Run
    profile: Profile


def open_source(results: str, profile: str) -> Source:
    """The results of a present or a recorded run, and its profile; a ClaimError where that is absent or wrong."""
    return Source(open_run(Path(results)), load_profile(Path(profile)))


def keep(evidence: Evidence, figures: Figures, source: Source, output: str) -> list[HTML]:
    """Draw the figures, if anything has a value; leave them and the evidence in ``output``; give them out."""
    folder = Path(output)
    folder.mkdir(parents=True, exist_ok=True)
    names = figures(evidence, source.run, source.profile, folder) if has_values(evidence) else ()
    project.keep(evidence, output, *names)
    return [_image(folder / name) for name in names]


def _image(path: Path) -> HTML:
    """A figure with its title as the words for those who do not see it."""
    from IPython.display import HTML

    svg = path.read_text(encoding="utf-8")
    title = svg.partition("<title>")[2].partition("</title>")[0]
    data = base64.b64encode(svg.encode()).decode()
    return HTML(f'<img alt="{title}" src="data:image/svg+xml;base64,{data}">')  # type: ignore[no-untyped-call]
