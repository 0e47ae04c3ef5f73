"""The LaTeX report: the same content as a short paper for pdflatex, with its figures and bibliography beside it.

Every value passes through `escape`: Jinja's ``finalize`` calls it, so no template can forget it. Characters that
pdflatex's fonts lack are spelt out as ``[U+4E2D]``: nothing is lost in silence, nothing stops the compilation.
"""

from __future__ import annotations

import re
import unicodedata
from functools import cache
from typing import Any

from markupsafe import Markup

from claimtrack.report.context import ReportContext
from claimtrack.report.html import environment
from claimtrack.report.prose import set_prose
from claimtrack.report.text import anchor, code_point, visible

LONG, STEP = 24, 8
"""Words of more than LONG characters may be broken after every STEP."""
_SPECIAL = {
    "\\": r"\textbackslash{}", "{": r"\{", "}": r"\}", "$": r"\$", "%": r"\%", "&": r"\&", "#": r"\#",
    "^": r"\textasciicircum{}", "~": r"\textasciitilde{}", "<": r"\textless{}", ">": r"\textgreater{}",
    "|": r"\textbar{}", '"': r"\textquotedbl{}", "`": r"\textasciigrave{}", "_": r"\_\allowbreak{}",
    "/": r"/\allowbreak{}", "[": r"{[}", "]": r"{]}", "*": r"{*}",
}  # fmt: skip
"""ASCII that means something to LaTeX; brackets and stars do so at the start of a table row."""
_SYMBOLS = {
    "−": r"\ensuremath{-}", "×": r"\ensuremath{\times}", "±": r"\ensuremath{\pm}", "≤": r"\ensuremath{\leq}",
    "≥": r"\ensuremath{\geq}", "≈": r"\ensuremath{\approx}", "→": r"\ensuremath{\rightarrow}",
    "∈": r"\ensuremath{\in}", "✓": r"\ensuremath{\surd}", "●": r"\textbullet{}", "–": r"\textendash{}",
    "—": r"\textemdash{}", "‘": r"\textquoteleft{}", "’": r"\textquoteright{}", "“": r"\textquotedblleft{}",
    "”": r"\textquotedblright{}", "…": r"\textellipsis{}", "•": r"\textbullet{}", "\N{NO-BREAK SPACE}": "~",
}  # fmt: skip
_GREEK = dict(
    zip(
        "αβγδεζηθικλμνξπρστυφχψωΓΔΘΛΞΠΣΦΨΩ",
        "alpha beta gamma delta varepsilon zeta eta theta iota kappa lambda mu nu xi pi rho sigma tau upsilon "
        "varphi chi psi omega Gamma Delta Theta Lambda Xi Pi Sigma Phi Psi Omega".split(),
        strict=True,
    )
)
_NOT_IN_FONT = frozenset("\xad¸ĦħĸĿŀŉŦŧſ")
"""Letters of Latin-1 and Latin Extended-A that the encodings T1 and TS1 lack (t1enc.dfu, ts1enc.dfu)."""


def render(context: ReportContext) -> str:
    """The report as LaTeX; it takes the figures that it finds beside it (`claimtrack.report.write`)."""
    jinja = environment(
        context.paper, escape,
        block_start_string="<%", block_end_string="%>",
        variable_start_string="<<", variable_end_string=">>",
        comment_start_string="<#", comment_end_string="#>",
    )  # fmt: skip
    jinja.filters["prose"] = prose
    jinja.globals.update(figure_name=figure_name)
    return jinja.get_template("report.tex.j2").render(report=context)


def escape(value: Any) -> Markup:
    """Any value as LaTeX text; blanks and line ends in a row become one blank, long words may be broken."""
    if isinstance(value, Markup):
        return value
    words = unicodedata.normalize("NFC", visible(str(value))).split()
    escaped = " ".join(map(_word, words))
    return Markup(re.sub(r"([-,'])(?=\1)", r"\1{}", escaped))


def prose(text: str) -> Markup:
    """A paragraph of ours: citations become ``\\citep``, names in backquotes typewriter."""

    def plain(stretch: str) -> str:
        before, after = (" " if end.isspace() else "" for end in (stretch[:1], stretch[-1:]))
        return f"{before}{escape(stretch)}{after}"

    return set_prose(
        text, plain, lambda keys: rf"\citep{{{','.join(keys)}}}", lambda name: rf"\texttt{{{escape(name)}}}"
    )


def figure_name(*parts: object) -> Markup:
    """File name of a figure: of the ``summary``, a section by number, or a claim; LaTeX takes it as it is."""
    return Markup(f"figure-{'-'.join(anchor(str(part)) for part in parts)}.pdf".replace("_", "-"))


def _word(word: str) -> str:
    step = STEP if len(word) > LONG else len(word)
    chunks = (word[start : start + step] for start in range(0, len(word), step))
    return r"\allowbreak{}".join("".join(map(_character, chunk)) for chunk in chunks)


@cache
def _character(character: str) -> str:
    if character in _SPECIAL or character in _SYMBOLS:
        return _SPECIAL.get(character) or _SYMBOLS[character]
    if character in _GREEK:
        return rf"\ensuremath{{\{_GREEK[character]}}}"
    if character.isascii() or ("\xa1" <= character <= "\u017f" and character not in _NOT_IN_FONT):
        return character
    return "".join(map(_character, code_point(character)))
