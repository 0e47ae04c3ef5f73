"""The HTML report: one file, nothing loaded from anywhere, one script of our own that it can do without.

Every value passes through `escape`: Jinja's ``finalize`` calls it, so no template can forget it.
"""

from __future__ import annotations

import base64
import hashlib
from functools import partial
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from claimtrack.evidence import Evidence
from claimtrack.report.context import ClaimView, ReportContext
from claimtrack.report.modes import CLAIMS
from claimtrack.report.paper import pieces
from claimtrack.report.text import visible


def render(context: ReportContext) -> str:
    """The report as one HTML file."""
    style = (context.paper / "style.css").read_text(encoding="utf-8")
    script = (context.paper / "report.js").read_text(encoding="utf-8")
    labels = {reference.key: reference.label for reference in context.references}
    environment = Environment(
        loader=FileSystemLoader(context.paper),
        autoescape=True,
        finalize=escape,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["prose"] = partial(prose, labels=labels)
    environment.globals.update(
        picture=picture, data_uri=data_uri, json_uri=json_uri, modes_uri=modes_uri, mode_claims=CLAIMS
    )
    template = environment.get_template("report.html.j2")
    return template.render(
        report=context,
        style=Markup(style),
        style_hash=digest(style),
        script=Markup(script),
        script_hash=digest(script),
    )


def digest(text: str) -> str:
    """What the page's policy calls an inline block by: the base64 of its SHA-256."""
    return base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()


def escape(value: Any) -> Markup:
    """Any value as HTML text: markup characters escaped, control and direction characters spelt out."""
    return value if isinstance(value, Markup) else Markup.escape(visible(str(value)))


def prose(text: str, labels: dict[str, str]) -> Markup:
    """A paragraph of ours: citations become links to the references, names in backquotes code."""
    shown = []
    for piece in pieces(text):
        if piece.kind == "text":
            shown.append(escape(piece.text))
        elif piece.kind == "code":
            shown.append(Markup("<code>{}</code>").format(escape(piece.text)))
        else:
            links = [Markup('<a href="#ref-{}">{}</a>').format(key, labels[key]) for key in piece.text.split(",")]
            shown.append(Markup("({})").format(Markup("; ").join(links)))
    return Markup("").join(shown)


def picture(claim: ClaimView) -> dict[str, str] | None:
    """Address and description of a claim's picture, ``None`` where there is nothing to draw."""
    if not claim.panels:
        return None
    from claimtrack.report import figures

    source = data_uri(figures.draw(claim.panels, "svg"))
    return {"source": source, "alt": figures.describe(claim.panels), "caption": figures.CAPTION}


def modes_uri(context: ReportContext) -> str:
    """The picture of frozen and fine-tuned gains as an address."""
    from claimtrack.report import figures

    return data_uri(figures.draw_modes(context.modes, "svg"))


def json_uri(evidence: Evidence) -> str:
    """Evidence as an address that can be saved as a file."""
    text = evidence.model_dump_json()
    return "data:application/json;base64," + base64.b64encode(text.encode()).decode()


def data_uri(svg: bytes) -> str:
    """An SVG as a ``data:`` address; in an ``img`` element it can neither run nor load anything."""
    return "data:image/svg+xml;base64," + base64.b64encode(svg).decode()
