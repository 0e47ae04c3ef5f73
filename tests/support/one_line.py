"""What is said about bad input."""

from __future__ import annotations

from collections.abc import Callable

import pytest


def said(error: type[Exception], call: Callable[..., object], *given: object) -> str:
    """The one line of an expected error."""
    with pytest.raises(error) as caught:
        call(*given)
    assert "\n" not in str(caught.value)
    return str(caught.value)
