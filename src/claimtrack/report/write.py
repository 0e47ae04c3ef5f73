"""Writes the report: the HTML file, the LaTeX source with figures and bibliography, and the PDF where it can."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator, Sequence
from pathlib import Path

from claimtrack.files import write_text
from claimtrack.report import html, latex
from claimtrack.report.context import ReportContext

PACKAGES = "latexmk texlive-latex-extra texlive-fonts-recommended lmodern"
LATEXMK = ("latexmk", "-norc", "-pdf", "-interaction=nonstopmode", "-halt-on-error", "-file-line-error")
TEX_ENVIRONMENT = {"openin_any": "p", "openout_any": "p", "SOURCE_DATE_EPOCH": "0", "FORCE_SOURCE_DATE": "1"}
"""TeX reads and writes below its folder only, and writes no time of day."""
LEFT_BY_LATEX = (".aux", ".bbl", ".blg", ".fdb_latexmk", ".fls", ".log", ".out")
"""With times of day in them; they stay where there is no PDF."""
PDF_SECONDS, FIGURE_SECONDS = 300, 60


def write_report(context: ReportContext, out: Path) -> list[str]:
    """Write ``report.html`` and ``report.tex`` with all that they need into ``out``, then try the PDF.

    Returns:
        Lines that say where they are, and what is missing for a figure or the PDF.
    """
    out.mkdir(parents=True, exist_ok=True)
    page, source = out / "report.html", out / "report.tex"
    write_data(context, out / "data")
    write_text(page, html.render(context))
    shutil.copyfile(context.paper / "references.bib", out / "references.bib")
    lacking = write_figures(context, out)
    write_text(source, latex.render(context))
    return [f"report: {page}", f"report: {source}", *lacking, *compile_pdf(source)]


def write_data(context: ReportContext, folder: Path) -> None:
    """Write what the page leaves out: all numbers of each claim and run, and figures of runs that do not lead."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    for item in context.items:
        if item.evidence:
            write_text(folder / f"{item.anchor}.json", item.evidence.model_dump_json(indent=1) + "\n")
        for drawing in item.drawings:
            if drawing.svg is not None:
                (folder / f"{item.anchor}-{drawing.name}").write_bytes(drawing.svg)


def write_figures(context: ReportContext, out: Path) -> list[str]:
    """Write the figures that LaTeX takes as PDF; returns notes on those that it must do without."""
    for old in out.glob("figure-*.pdf"):
        old.unlink()
    drawings = dict(_figures(context))
    if drawings and shutil.which("rsvg-convert") is None:
        return ["the LaTeX report has no figures; on Debian: apt install librsvg2-bin"]
    failed = [name for name, svg in drawings.items() if not _convert(svg, out / name)]
    return [f"{name} could not be made from its SVG" for name in failed]


def _figures(context: ReportContext) -> Iterator[tuple[str, bytes]]:
    """The picture of the summary, those of sections, and a notebook's figure of each claim in a chapter."""
    if context.summary:
        yield latex.figure_name("summary"), context.summary.svg().encode()
    for section in context.sections:
        for number, drawn in enumerate(section.figures, 1):
            if drawn.svg is not None:
                yield latex.figure_name(section.id, number), drawn.svg
    for claim in (claim for chapter in context.chapters for claim in context.chapter(chapter)[0]):
        first = claim.lead.drawings[0].svg if claim.lead and claim.lead.drawings else None
        if first is not None:
            yield latex.figure_name(claim.entry.id), first


def compile_pdf(source: Path) -> list[str]:
    """Run latexmk without shell escape; a line says what to do if there is no PDF. An older one never stays."""
    source.with_suffix(".pdf").unlink(missing_ok=True)
    if shutil.which("latexmk") is None:
        return [f"no PDF: latexmk is absent; on Debian: apt install {PACKAGES}"]
    command = [*LATEXMK, "-pdflatex=pdflatex -no-shell-escape %O %S", source.name]
    if _run(command, source.parent, PDF_SECONDS) is None:
        return [f"no PDF: latexmk failed; {source.with_suffix('.log')} says why"]
    for suffix in LEFT_BY_LATEX:
        source.with_suffix(suffix).unlink(missing_ok=True)
    return []


def _convert(svg: bytes, target: Path) -> bool:
    """SVG to PDF; without a file name librsvg loads nothing that the SVG refers to."""
    made = _run(("rsvg-convert", "--format", "pdf"), target.parent, FIGURE_SECONDS, svg)
    if made is not None:
        target.write_bytes(made)
    return made is not None


def _run(command: Sequence[str], folder: Path, seconds: float, given: bytes = b"") -> bytes | None:
    """What a program says that gets so many seconds and no time of day; ``None`` where it failed."""
    environment = {**os.environ, **TEX_ENVIRONMENT}
    try:
        return subprocess.run(
            command, cwd=folder, env=environment, input=given, capture_output=True, timeout=seconds, check=True
        ).stdout
    except (subprocess.CalledProcessError, subprocess.TimeoutExpired):
        return None
