"""Writes the report: the HTML file, the LaTeX source with figures and bibliography, and the PDF where it can."""

from __future__ import annotations

import os
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from claimtrack.files import write_text
from claimtrack.report import html, latex
from claimtrack.report.context import ClaimView, ReportContext

PACKAGES = "latexmk texlive-latex-extra texlive-fonts-recommended lmodern"
LATEXMK = ("latexmk", "-norc", "-pdf", "-interaction=nonstopmode", "-halt-on-error", "-file-line-error")
TEX_ENVIRONMENT = {"openin_any": "p", "openout_any": "p", "SOURCE_DATE_EPOCH": "0", "FORCE_SOURCE_DATE": "1"}
"""TeX reads and writes below its folder only, and writes no time of day."""
PDF_SECONDS, FIGURE_SECONDS = 300, 60


@dataclass(frozen=True)
class Written:
    """The files of a report; ``pdf`` is ``None`` where ``notes`` say why."""

    html: Path
    tex: Path
    pdf: Path | None
    notes: tuple[str, ...]


def write_report(context: ReportContext, out: Path) -> Written:
    """Write ``report.html`` and ``report.tex`` with all that it needs into ``out``, then try the PDF."""
    out.mkdir(parents=True, exist_ok=True)
    page, source = out / "report.html", out / "report.tex"
    write_text(page, html.render(context))
    shutil.copyfile(context.paper / "references.bib", out / "references.bib")
    notes = write_figures(context, out)
    write_text(source, latex.render(context))
    pdf, problem = compile_pdf(source)
    return Written(page, source, pdf, (*notes, *problem))


def write_figures(context: ReportContext, out: Path) -> tuple[str, ...]:
    """Write the figures that LaTeX takes as PDF; returns notes on those that it must do without."""
    for old in out.glob("figure-*.pdf"):
        old.unlink()
    for claim in context.claims:
        _write_picture(claim, out)
    if context.modes:
        from claimtrack.report import figures

        (out / latex.MODES_NAME).write_bytes(figures.draw_modes(context.modes, "pdf"))
    drawings = [
        (latex.drawing_name(claim.entry.id, place, number), drawing.svg)
        for claim in context.claims
        for place, item in enumerate(claim.runs)
        for number, drawing in enumerate(item.drawings)
        if drawing.svg is not None
    ]
    if drawings and shutil.which("rsvg-convert") is None:
        return ("the LaTeX report lacks the notebooks' figures; on Debian: apt install librsvg2-bin",)
    failed = [name for name, svg in drawings if not _convert(svg, out / name)]
    return tuple(f"{name} could not be made from its SVG" for name in failed)


def compile_pdf(source: Path) -> tuple[Path | None, tuple[str, ...]]:
    """Run latexmk without shell escape; the PDF, or what to do to get it. An older PDF never stays."""
    pdf = source.with_suffix(".pdf")
    pdf.unlink(missing_ok=True)
    if shutil.which("latexmk") is None:
        return None, (f"no PDF: latexmk is absent; on Debian: apt install {PACKAGES}",)
    command = [*LATEXMK, "-pdflatex=pdflatex -no-shell-escape %O %S", source.name]
    environment = {**os.environ, **TEX_ENVIRONMENT}
    try:
        subprocess.run(
            command, cwd=source.parent, env=environment, capture_output=True, timeout=PDF_SECONDS, check=True
        )
    except (subprocess.CalledProcessError, subprocess.TimeoutExpired):
        return None, (f"no PDF: latexmk failed; {source.with_suffix('.log')} says why",)
    return pdf, ()


def _write_picture(claim: ClaimView, out: Path) -> None:
    if claim.panels:
        from claimtrack.report import figures

        (out / latex.picture_name(claim.entry.id)).write_bytes(figures.draw(claim.panels, "pdf"))


def _convert(svg: bytes, target: Path) -> bool:
    """SVG to PDF; without a file name librsvg loads nothing that the SVG refers to."""
    command = ("rsvg-convert", "--format", "pdf")
    try:
        run = subprocess.run(command, input=svg, capture_output=True, timeout=FIGURE_SECONDS, check=True)
    except (subprocess.CalledProcessError, subprocess.TimeoutExpired):
        return False
    target.write_bytes(run.stdout)
    return True
