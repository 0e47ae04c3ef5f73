"""Well-formed files with wild values: each reader takes them, or says in one line what is wrong.

Changed bytes seldom get past a parser. Here a file is right as YAML, JSON or TSV, and what it holds is anything:
parts of a valid file are exchanged, or the whole is made up.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from ruamel.yaml import YAML

from claimtrack.registry import json_schema
from crosslayer.config import Profile
from fuzz_targets import TARGETS, data_targets, is_refused, memory, within_bounds

EACH = 60
"""Examples of a file."""
TRIED = settings(max_examples=EACH, derandomize=True, database=None, suppress_health_check=list(HealthCheck))
SHARE = {"hub tokeniser": 4, "hub config": 4, "profile": 2, "registry": 2, "hub card": 2}
"""Readers that take milliseconds get a part of the examples."""

WILD = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=20),
    st.sampled_from([0, -1, 2**31, 2**63, 2**64, 10**400, 1e308, "", "../..", "a\nb", "\x1b[2J", "é" * 300, "C01",
                     "en", "pos", "1e5"]),
)  # fmt: skip
ANY = st.recursive(
    WILD, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)  # fmt: skip
NAMES = tuple(json_schema()["$defs"]["Entry"]["properties"]) + tuple(Profile.model_fields)
"""Keys that mean something, in registries and profiles."""


@pytest.fixture(scope="module")
def folder() -> Iterator[Path]:
    with memory() as place:
        yield place


def tried(name: str, folder: Path, content: bytes) -> bool:
    """Read the file of a target with another content; whether it was refused."""
    target, place = TARGETS[name], folder / name.replace(" ", "-")
    if not place.exists():
        place.mkdir()
        target.make(place)
        is_refused(target, place)  # imports what the reader needs
    (place / target.file).write_bytes(content)
    with within_bounds():
        return is_refused(target, place)


def valid(name: str) -> bytes:
    target = TARGETS[name]
    with memory() as place:
        target.make(place)
        return (place / target.file).read_bytes()


def places(value: Any, at: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """The paths to all values inside of one."""
    items = value.items() if isinstance(value, dict) else enumerate(value if isinstance(value, list) else ())
    for key, inner in list(items):
        yield (*at, key)
        yield from places(inner, (*at, key))


@st.composite
def variants(draw: st.DrawFn, content: Any) -> Any:
    """A copy with one to three values exchanged, removed, renamed or put beside another."""
    content = json.loads(json.dumps(content))
    for _ in range(draw(st.integers(1, 3))):
        there = list(places(content))
        if not there:
            break
        *path, last = draw(st.sampled_from(there))
        home = content
        for key in path:
            home = home[key]
        how = draw(st.sampled_from(("exchange", "remove", "add", "rename", "double")))
        if how == "exchange":
            home[last] = draw(ANY)
        elif how == "remove":
            del home[last]
        elif isinstance(home, list):
            home.insert(draw(st.integers(0, len(home))), home[last] if how == "double" else draw(ANY))
        else:
            key = draw(st.text(max_size=8) | st.sampled_from(NAMES))
            home[key] = home.pop(last) if how == "rename" else draw(ANY)
    return content


def dumped(value: Any) -> bytes:
    """As JSON in UTF-8, which is YAML too; with a lone surrogate as an escape."""
    return json.dumps(value).encode()


# YAML and JSON


FRAMES = {"profile": b"%s\n", "registry": b"%s\n", "hub card": b"---\n%s\n---\n"}


@pytest.mark.parametrize("name", [*FRAMES, "hub config", "hub tokeniser", "scores as JSON"])
def test_yaml_with_other_values(name: str, folder: Path) -> None:
    """YAML, and JSON, which is YAML too."""
    text = valid(name).decode()
    content = YAML(typ="safe").load(text.split("---")[1] if name == "hub card" else text)
    frame = FRAMES.get(name, b"%s")

    @settings(TRIED, max_examples=EACH // SHARE.get(name, 1))
    @given(variants(content) | ANY)
    def check(changed: Any) -> None:
        tried(name, folder, frame % dumped(changed))

    assert not tried(name, folder, frame % dumped(content))
    check()


@pytest.mark.parametrize("name", ["predictions with scores", "samples of the harness"])
def test_json_lines_with_other_values(name: str, folder: Path) -> None:
    rows = [json.loads(line) for line in valid(name).splitlines()]

    @TRIED
    @given(variants(rows) | st.lists(ANY, max_size=3))
    def check(changed: list[Any]) -> None:
        tried(name, folder, b"\n".join(map(dumped, changed)))

    check()


# Lines


CELLS = st.text(max_size=12) | st.sampled_from(["neutral", "0", "1", "O", "B-PER", "NOUN", "label", "yes", "0.5"])
LINES = st.lists(st.lists(CELLS, max_size=5).map("\t".join), max_size=8)
HEADS = dict.fromkeys([*dict(data_targets()), "Tatoeba"]) | {"report": "Title\nClaim\tVerified\tConfidence"}
"""By target what half of the files start with, by default its own first line."""


@pytest.mark.parametrize("name", HEADS)
def test_lines_of_any_cells(name: str, folder: Path) -> None:
    ends = st.sampled_from(["\n", "\r\n", "\r", "\u2028"])
    head = HEADS[name] or valid(name).decode().splitlines()[0]

    @TRIED
    @given(LINES, ends, st.booleans())
    def check(lines: list[str], end: str, headed: bool) -> None:
        whole = end.join([head] * headed + lines)
        tried(name, folder, whole.encode("utf-8", "surrogatepass"))

    check()
