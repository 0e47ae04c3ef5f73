"""The registry: all claims, and the report that they come from.

``claims/registry.yaml`` is YAML 1.2, read safely. Its texts are data: they are kept as they are and never
interpreted.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any

from pydantic import Field, PrivateAttr, StringConstraints, ValidationError, field_validator
from ruamel.yaml import YAML, MappingNode, SequenceNode

from claimtrack.entries import Entry, Record, Relevance, Source
from claimtrack.errors import ClaimError
from claimtrack.plugin import Plugin, load_plugin
from claimtrack.settings import describe, foremost, read_text, read_yaml

REGISTRY = Path("claims/registry.yaml")


class Registry(Record):
    """All claims, by id, in the order of the file; and the report that they come from.

    Attributes:
        plugin: ``module:ATTRIBUTE`` of the project's plugin (`claimtrack.plugin`).
        source: the report.
        relevance: lists that several entries share (by YAML alias).
        entries: the claims, by id.
    """

    plugin: Annotated[str, StringConstraints(pattern=r"^[\w.]+:\w+$")]
    source: Source
    relevance: dict[str, list[Relevance]] = Field(default_factory=dict)
    entries: dict[str, Entry]
    _project: Plugin | None = PrivateAttr(default=None)

    @property
    def project(self) -> Plugin:
        """The plugin; `load_registry` imports it."""
        assert self._project is not None
        return self._project

    @field_validator("entries", mode="before")
    @classmethod
    def _named(cls, value: Any) -> Any:
        """Each entry knows the key that it stands under."""
        if not isinstance(value, Mapping):  # pydantic says what it must be
            return value
        return {key: {**item, "id": key} if isinstance(item, Mapping) else item for key, item in value.items()}

    def entry(self, claim: str) -> Entry:
        """The entry of a claim id; a `ClaimError` names the first twenty that there are."""
        if claim in self.entries:
            return self.entries[claim]
        raise ClaimError(f"unknown claim {claim!r}; the registry has {', '.join(list(self.entries)[:20])}")


def load_registry(path: Path = REGISTRY) -> Registry:
    """Read and check the registry; a `ClaimError` has the file, the line where it is known, and what is wrong."""
    content = read_yaml(path)
    if not isinstance(content, Mapping):
        raise ClaimError(f"{path} holds no mapping; it needs the keys source and entries")
    home = path.resolve().parent
    try:
        registry = Registry.model_validate(content)
    except ValidationError as error:
        raise _wrong(path, foremost(error)["loc"], describe(error, Registry)) from None
    try:
        registry._project = load_plugin(registry.plugin, home.parent if home.name == "claims" else home)
    except ClaimError as error:
        raise _wrong(path, ("plugin",), error) from None
    for where, problem in _unknown_names(registry):
        raise _wrong(path, where, problem)
    return registry


def _wrong(path: Path, loc: tuple[int | str, ...], problem: str | ClaimError) -> ClaimError:
    """An error with the line, from 1, of the deepest key of ``loc`` that the file has."""
    node, line = YAML(typ="safe").compose(read_text(path)), 0
    for part in loc:
        if isinstance(node, MappingNode):
            found = next(((key, value) for key, value in node.value if key.value == str(part)), None)
        elif isinstance(node, SequenceNode) and isinstance(part, int) and part < len(node.value):
            found = (node.value[part], node.value[part])
        else:
            found = None
        if found is None:
            break
        line, node = found[0].start_mark.line, found[1]
    return ClaimError(f"{path}, line {line + 1}: {problem}")


def _unknown_names(registry: Registry) -> Iterator[tuple[tuple[str | int, ...], str]]:
    """Rules and conditions that neither claimtrack nor the plugin has, and what a rule misses in ``claimed``."""
    rules, conditions = registry.project.all_rules, registry.project.all_conditions
    for claim, entry in registry.entries.items():
        here = ("entries", claim)
        if entry.rule not in rules:
            yield (*here, "rule"), f"unknown rule {entry.rule!r:.40}; known: {', '.join(rules)}"
        elif lacking := rules[entry.rule].lacks(entry.claimed):
            yield (*here, "rule"), f"{claim}: the rule {entry.rule} needs {lacking}"
        for place, relevance in enumerate(entry.relevance):
            if relevance.when not in conditions:
                problem = f"unknown condition {relevance.when!r:.40}; known: {', '.join(conditions)}"
                yield (*here, "relevance", place, "when"), problem


def json_schema() -> dict[str, Any]:
    """The JSON Schema of the registry as it is written: entries without ids."""
    schema = Registry.model_json_schema()
    entry = schema["$defs"]["Entry"]
    del entry["properties"]["id"]
    entry["required"].remove("id")
    return schema
