"""Untrusted text, whatever the output: what cannot be seen is spelt out."""

from __future__ import annotations

import re

_UNSEEN = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\xad\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff0-\ufffb\ud800-\udfff\ufffe\uffff]"
)


def visible(text: str) -> str:
    """Control characters, direction marks, zero-width characters and lone surrogates as ``[U+202E]``."""
    return _UNSEEN.sub(lambda match: code_point(match[0]), text)


def code_point(character: str) -> str:
    """``[U+202E]``."""
    return f"[U+{ord(character):04X}]"


def anchor(text: str) -> str:
    """A name for a place in the page or for a file beside it: letters, digits, dots and hyphens, at most 80."""
    return re.sub(r"[^\w.-]+", "-", text)[:80]
