"""Profiles: one line that names the key, and all shipped profiles valid."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from claimtrack.errors import ClaimError
from claimtrack.settings import read_yaml
from crosslayer.config import load_profile, parse_profile
from one_line import said
from repository import ROOT


def content(**changes: Any) -> dict[str, Any]:
    """The tiny profile with dotted keys (``__``) changed."""
    base: dict[str, Any] = read_yaml(ROOT / "profiles" / "tiny.yaml")
    for key, value in changes.items():
        *sections, last = key.split("__")
        place = base
        for section in sections:
            place = place[section]
        place[last] = value
    return base


@pytest.mark.parametrize(
    ("changes", "line"),
    [
        ({"tasks__pos__epoch": 3}, "unknown key tasks.pos.epoch; did you mean epochs?"),
        ({"sweeps": {}}, "unknown key sweeps; did you mean sweep?"),
        ({"tasks__pos__epochs": "3"}, "tasks.pos.epochs: Input should be a valid integer (got '3')"),
        ({"tasks__pos__batch_size": 12}, "tasks.pos.batch_size 12 is not a multiple of fusion.bn_group 8"),
        ({"data__source": "xtreme"}, "data.root is missing; add --set data.root=DIR"),
        ({"sweep__layers": [1, 1]}, "sweep.layers: [1, 1] names one twice"),
        ({"sweep__control_seeds": [0, 7]}, "control_seeds has 7, which is not in seeds"),
        (
            {"sweep__by_task": {"pos": {"seeds": [8], "controls": ["gate"]}}, "sweep__control_seeds": [0]},
            "control_seeds has 0, which is not in the seeds of pos",
        ),
        (
            {"sweep__variations": {"tasks": ["pos"], "seeds": [77]}, "sweep__control_layer": 1},
            "variations.seeds has 77, which is not in the seeds of pos",
        ),
        ({"fusion__kernel": 2}, "kernel 2 is even"),
        (
            {"sweep__variations": {"tasks": ["ner"]}, "sweep__control_layer": 1},
            "variations.tasks names ner, which",
        ),
        ({"sweep__variations": {"tasks": ["pos"]}, "sweep__control_layer": None}, "variations need control_layer"),
        ({"sweep__variations": {"fusion": [{"reductoin": 16}]}}, "unknown key reductoin; did you mean reduction?"),
        (
            {"sweep__variations": {"tasks": ["pos"], "fusion": [{"bn_group": 32}]}, "sweep__control_layer": 1},
            "not a multiple of sweep.variations.fusion.0.bn_group 32",
        ),
        ({"intermediate__targets": ["ner"]}, "intermediate.targets names ner, which tasks does not have"),
        ({"intermediate__items": 2}, "intermediate.items 2 is less than tasks.pos.batch_size"),
        ({"intermediate__by_target": {"ner": {}}}, "intermediate.by_target names ner, which tasks does not have"),
        (
            {"intermediate__by_target": {"pos": {"seeds": [1, 1]}}},
            "intermediate.by_target.pos.seeds: [1, 1] names one twice",
        ),
        ({"intermediate__by_target": {"pos": {"items": 9}}}, "unknown key intermediate.by_target.pos.items"),
        ({"compute__micro_batch": 4}, "compute.micro_batch 4 is not a multiple of fusion.bn_group 8"),
        ({"compute__micro_batch": 24}, "compute.micro_batch 24 does not divide tasks.pos.batch_size 16"),
        (
            {
                "compute__micro_batch": 8,
                "sweep__variations": {"tasks": ["pos"], "fusion": [{"bn_group": 16}]},
                "sweep__control_layer": 1,
            },
            "micro_batch 8 is not a multiple of sweep.variations.fusion.0.bn_group 16",
        ),
    ],
)
def test_a_wrong_profile_is_one_line_that_names_the_key(changes: dict[str, Any], line: str) -> None:
    told = said(ClaimError, parse_profile, content(**changes), "params.yaml")
    assert told.startswith("params.yaml: ")
    assert line in told


def test_shipped_profiles_are_valid_and_named_after_their_file() -> None:
    for path in (ROOT / "profiles").glob("*.yaml"):
        profile = read_yaml(path)
        if profile["data"]["source"] == "xtreme":
            profile["data"]["root"] = "anywhere"
        assert parse_profile(profile, path.name).profile == path.stem


@pytest.mark.parametrize(
    ("data", "line"),
    [
        (b"a: [1", "is not YAML"),
        (b"\xff\xfe", "not UTF-8"),
        (b"- 1\n", "holds no mapping"),
        (None, "does not exist"),
    ],
)
def test_a_file_that_is_no_profile_is_named(tmp_path: Path, data: bytes | None, line: str) -> None:
    path = tmp_path / "params.yaml"
    if data is not None:
        path.write_bytes(data)
    told = said(ClaimError, load_profile, path)
    assert told.startswith(str(path))
    assert line in told
