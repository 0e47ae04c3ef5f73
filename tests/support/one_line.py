"""What is said about bad input."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest

Command = Callable[..., tuple[int, str, str]]
"""A command line that is run in this process: exit code, standard output, standard error."""


def said(error: type[Exception], call: Callable[..., object], *given: object) -> str:
    """The one line of an expected error."""
    with pytest.raises(error) as caught:
        call(*given)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def one_line(text: str) -> str:
    """The only line of an error message."""
    assert re.fullmatch("error: [^\n]*\n", text)
    return text.strip()


def refused(program: Command, *arguments: str) -> str:
    """The one line with which a command is refused."""
    code, out, err = program(*arguments)
    assert (code, out) == (2, "")
    return one_line(err)
