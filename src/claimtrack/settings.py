"""Settings of a run: a YAML file, checked by the model that the project's plugin names."""

from __future__ import annotations

import difflib
import re
import reprlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from claimtrack.errors import ClaimError
from claimtrack.reading import Malformed, parse_yaml

ACTIVE = Path("params.yaml")
"""The settings of the present run."""
ModelT = TypeVar("ModelT", bound=BaseModel)
SHORT = reprlib.Repr()
SHORT.maxstring = SHORT.maxother = 60
"""Of what an error quotes: aliases of YAML can stand for a value of any size."""


def read_text(path: Path) -> str:
    """The text of a UTF-8 file; a `ClaimError` where that fails."""
    try:
        return path.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise ClaimError(f"{path} is not UTF-8 (byte {error.start}); save it as UTF-8") from None
    except FileNotFoundError:
        raise ClaimError(f"{path} does not exist") from None
    except OSError as error:
        raise ClaimError(f"{path} cannot be read: {error.strerror}") from None


def read_yaml(path: Path) -> Any:
    """Read a YAML 1.2 file safely; a `ClaimError` where it is absent, not UTF-8 or no YAML."""
    try:
        return parse_yaml(read_text(path))
    except Malformed as error:
        place = "" if error.line is None else f", line {error.line}"
        raise ClaimError(f"{path} is not YAML{place}: {error}") from None


def check_settings(content: Any, model: type[ModelT], where: str) -> ModelT:
    """Check the content of a settings file; a `ClaimError` names it (``where``), the key and its neighbours."""
    if not isinstance(content, Mapping):
        raise ClaimError(f"{where} holds no mapping of keys; start from one of the files in profiles/")
    found = validated(content, model, where)
    name = str(getattr(found, "profile", "profile"))
    if not re.fullmatch(r"\w[\w.-]*", name):  # it names a folder of results/
        raise ClaimError(f"{where}: the profile's name {name!r:.40} may hold letters, digits, -, _ and . only")
    return found


def validated(content: Any, model: type[ModelT], where: str) -> ModelT:
    """The content of any file as its model; a `ClaimError` names it (``where``) and the key that is wrong."""
    try:
        return model.model_validate(content)
    except ValidationError as error:
        raise ClaimError(f"{where}: {describe(error, model)}") from None


def load_settings(path: Path, model: type[ModelT]) -> ModelT:
    """Read and check a settings file; errors as `read_yaml` and `check_settings`."""
    return check_settings(read_yaml(path), model, str(path))


def describe(error: ValidationError, model: type[BaseModel]) -> str:
    """The foremost complaint of pydantic as one line with the dotted key."""
    first = foremost(error)
    key = ".".join(str(part)[:80] for part in first["loc"] if part != "[key]")
    if first["type"] == "extra_forbidden":
        known = sorted(_fields_at(model, first["loc"][:-1]))
        near = difflib.get_close_matches(str(first["loc"][-1]), known, n=3, cutoff=0.5)
        hint = f"did you mean {', '.join(near)}?" if near else f"known here: {', '.join(known)}"
        return f"unknown key {key}; {hint}"
    message: str = first["msg"].removeprefix("Value error, ")
    if first["type"] == "missing":
        return f"key {key} is missing"
    if not key:
        return message
    return f"{key}: {message}" + (
        "" if first["type"] == "value_error" else f" (got {SHORT.repr(first['input'])[:60]})"
    )


def foremost(error: ValidationError) -> Any:
    """The first complaint of pydantic; an unknown key before a missing one, since the one is often the other
    misspelt."""
    found = error.errors()
    return next((item for item in found if item["type"] == "extra_forbidden"), found[0])


def _fields_at(model: type[BaseModel], loc: tuple[int | str, ...]) -> list[str]:
    """Names of the fields of the section that ``loc`` leads to."""
    for part in loc:
        field = model.model_fields.get(str(part))
        if field is None:
            continue
        candidates = [field.annotation, *getattr(field.annotation, "__args__", ())]
        model = next((c for c in candidates if isinstance(c, type) and issubclass(c, BaseModel)), model)
    return list(model.model_fields)
