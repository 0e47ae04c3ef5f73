"""The HTML report: one file, nothing loaded from anywhere, one script of our own that it can do without.

Every value passes through `escape`: Jinja's ``finalize`` calls it, so no template can forget it.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from jinja2 import ChoiceLoader, Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from claimtrack.report import pictures
from claimtrack.report.context import MARKS, SHOWN, ReportContext
from claimtrack.report.prose import set_prose
from claimtrack.report.text import visible
from claimtrack.wording import EVIDENCE, SEALED

TEMPLATES = Path(__file__).with_name("templates")


def environment(paper: Path, finalize: Callable[[Any], Markup], **syntax: Any) -> Environment:
    """Of templates of the paper before those that come with this package; ``finalize`` escapes every value."""
    made = Environment(
        loader=ChoiceLoader([FileSystemLoader(paper), FileSystemLoader(TEMPLATES)]), autoescape=True,
        finalize=finalize, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True, **syntax,
    )  # fmt: skip
    made.globals.update(shapes=MARKS, kinds=EVIDENCE, sealed=SEALED)
    return made


def render(context: ReportContext) -> str:
    """The report as one HTML file; evidence and the figures of other runs lie in ``data/`` beside it."""
    labels = {reference.key: reference.label for reference in context.references}
    jinja = environment(context.paper, escape)
    jinja.filters.update(prose=partial(prose, labels=labels), digest=digest)
    jinja.globals.update(data_uri=data_uri, scale=pictures.scale, shown=SHOWN)
    style, script = (Markup((TEMPLATES / name).read_text(encoding="utf-8")) for name in ("style.css", "report.js"))
    return jinja.get_template("report.html.j2").render(report=context, style=style, script=script)


def digest(text: str) -> str:
    """What the page's policy calls an inline block by: the base64 of its SHA-256."""
    return base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()


def escape(value: Any) -> Markup:
    """Any value as HTML text: markup characters escaped, control and direction characters spelt out."""
    return value if isinstance(value, Markup) else Markup.escape(visible(str(value)))


def prose(text: str, labels: dict[str, str]) -> Markup:
    """A paragraph of ours: citations become links to the references, names in backquotes code."""

    def cite(keys: list[str]) -> Markup:
        links = (Markup('<a href="#ref-{}">{}</a>').format(key, labels[key]) for key in keys)
        return Markup("({})").format(Markup("; ").join(links))

    return set_prose(text, escape, cite, lambda name: Markup("<code>{}</code>").format(escape(name)))


def data_uri(svg: bytes) -> str:
    """An SVG as a ``data:`` address; in an ``img`` element it can neither run nor load anything."""
    dark = svg.replace(b"<defs>", b"<style>%s</style><defs>" % (TEMPLATES / "dark.css").read_bytes(), 1)
    return "data:image/svg+xml;base64," + base64.b64encode(dark).decode()
