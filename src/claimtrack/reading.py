"""JSON and YAML, with one error for whatever is wrong with them."""

from __future__ import annotations

import json
from typing import Any


class Malformed(ValueError):
    """What cannot be read; ``line`` counts from 1 and is ``None`` where it is not known."""

    def __init__(self, message: str, line: int | None = None) -> None:
        super().__init__(" ".join(message.split())[:200])
        self.line = line


def parse_json(data: bytes | str) -> Any:
    """JSON in UTF-8; `Malformed` if it is none or nested too deeply."""
    try:
        return json.loads(data)
    except json.JSONDecodeError as error:
        raise Malformed(error.msg, error.lineno) from None
    except (ValueError, RecursionError) as error:
        raise Malformed(str(error)) from None


def parse_yaml(text: str) -> Any:
    """YAML 1.2 with the objects of JSON, dates and bytes alone; `Malformed` if it is none or nested too deeply."""
    from ruamel.yaml import YAML

    try:
        return YAML(typ="safe").load(text)
    except Exception as error:  # the constructors of numbers, dates and bytes raise many kinds
        mark = getattr(error, "problem_mark", None)
        problem = getattr(error, "problem", None) or f"{type(error).__name__} {error}"
        raise Malformed(str(problem), None if mark is None else mark.line + 1) from None
