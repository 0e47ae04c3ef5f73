"""JSON, YAML and NumPy files, with one error for whatever is wrong with them."""

from __future__ import annotations

import json
from io import BytesIO
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np


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


def read_arrays(source: Path | BinaryIO) -> dict[str, np.ndarray[Any, np.dtype[Any]]]:
    """The arrays of an ``.npz`` file by name, without pickled ones; `Malformed` if damaged or a member is none."""
    try:
        # np.load leaks a damaged file
        stream = BytesIO(source.read_bytes()) if isinstance(source, Path) else source
        with np.load(stream, allow_pickle=False) as archive:
            arrays = dict(archive.items())
    except FileNotFoundError:
        raise
    except Exception as error:  # zipfile, zlib and NumPy raise many kinds
        raise Malformed(f"{type(error).__name__}: {error}") from None
    if other := [name for name, array in arrays.items() if not isinstance(array, np.ndarray)]:
        raise Malformed(f"{other[0]} is no array")
    return arrays
