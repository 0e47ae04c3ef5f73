"""The pipeline's own description: sources of every stage, programs, claims, and nothing of one machine."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import import_graph
from claimtrack.entries import Entry
from claimtrack.registry import load_registry
from claimtrack.settings import ACTIVE, read_yaml
from clones import AWKWARD, tracked
from crosslayer.config import Profile, load_profile
from repository import ROOT

STAGES: dict[str, Any] = read_yaml(ROOT / "dvc.yaml")["stages"]
MACHINE = re.compile(r"(?<![\w./{}$-])/(?:work|tmp|root|home)/")
"""An absolute path below a folder that differs between machines."""


@pytest.mark.parametrize("name", STAGES)
def test_a_stage_depends_on_all_that_it_imports(name: str) -> None:
    """Directly, through others, inside functions and by name; one that is left out is noticed."""
    command, deps = STAGES[name]["cmd"], STAGES[name]["deps"]
    assert import_graph.missing(command, deps) == []
    assert import_graph.missing(command, [dep for dep in deps if dep not in ("src", "src/crosslayer/stages")])


def test_the_report_and_the_claims_make_no_stage_train() -> None:
    later = [f"src/crosslayer/{room}" for room in ("paper", "ledger", "stats", "ingest", "cli.py")]
    for name in ("prepare", "encoder", "sweep", "intermediate", "probe"):
        deps = STAGES[name]["deps"]
        assert "src" not in deps
        assert not any(dep.startswith(("paper", "notebooks", *later)) for dep in deps)


def test_stages_that_compute_depend_on_the_locked_packages() -> None:
    assert {name for name in STAGES if "requirements.lock" not in STAGES[name]["deps"]} == {"report"}


@pytest.mark.parametrize("name", STAGES)
def test_every_stage_is_kept_apart_by_profile(name: str) -> None:
    stage = STAGES[name]
    assert stage["matrix"]["profile"] == ["${profile}"]
    assert name == "report" or "${item.profile}" in stage["cmd"]
    outs = [out for kind in ("outs", "metrics", "plots") for out in stage.get(kind, [])]
    paths = [next(iter(out)) if isinstance(out, dict) else out for out in outs]
    assert name == "report" or all(path.startswith("results/${item.profile}/") for path in paths)


def test_parameters_of_stages_are_required() -> None:
    """Of every profile, and of every claim in the registry, so that none lacks one."""
    for param in (param for stage in STAGES.values() for param in stage.get("params", [])):
        if isinstance(param, str):
            assert Profile.model_fields[param.split(".")[0]].is_required(), param
        else:
            fields = [Entry.model_fields[key.split(".")[-1]] for key in param["claims/registry.yaml"]]
            assert all(field.is_required() for field in fields), param


@pytest.mark.parametrize("path", [*(ROOT / "profiles").glob("*.yaml"), ROOT / ACTIVE], ids=lambda path: path.name)
def test_claims_of_a_profile_are_in_the_registry(path: Path) -> None:
    claims = read_yaml(path)["claims"]
    assert claims
    assert len(set(claims)) == len(claims)
    assert set(claims) <= set(load_registry(ROOT / "claims" / "registry.yaml").entries)


def test_the_active_profile_is_a_shipped_one() -> None:
    active = load_profile(ROOT / ACTIVE)
    assert active == load_profile(ROOT / "profiles" / f"{active.profile}.yaml")


def test_dvc_asks_no_other_host() -> None:
    config = (ROOT / ".dvc" / "config").read_text(encoding="utf-8")
    assert config == "[core]\n    analytics = false\n    check_update = false\n"


def test_no_path_of_a_machine() -> None:
    texts = {name: (ROOT / name).read_bytes().decode("utf-8", errors="ignore") for name in tracked()}
    assert [name for name, text in texts.items() if MACHINE.search(text)] == []


@pytest.mark.parametrize("stage", ["probe", "claim", "verdicts"])
def test_linear_algebra_has_one_thread_whatever_the_machine(stage: str) -> None:
    """Else a number's last digits, and with them a prediction near a tie, would depend on the cores."""
    code = (
        f"import crosslayer.stages.{stage}, numpy, scipy.linalg, threadpoolctl as t; "
        "print({found['num_threads'] for found in t.threadpool_info() if found['user_api'] == 'blas'})"
    )
    environment = {**os.environ, "OMP_NUM_THREADS": "4"}
    command = [sys.executable, "-c", code]
    ended = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    assert ended.stdout == "{1}\n"


def test_make_runs_in_a_folder_of_any_name(tmp_path: Path) -> None:
    """With an environment that already exists, whose `dvc` only says where it stands."""
    folder = tmp_path / AWKWARD
    (folder / ".venv" / "bin").mkdir(parents=True)
    for name in ("Makefile", "requirements.lock", "pyproject.toml"):
        shutil.copy(ROOT / name, folder)
    dvc = folder / ".venv" / "bin" / "dvc"
    dvc.write_text('#!/bin/sh\necho "$1 in $PWD"\n', encoding="utf-8")
    dvc.chmod(0o755)
    (folder / ".venv" / ".installed").touch()
    ended = subprocess.run(["make", "repro"], cwd=folder, capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stderr
    assert f"repro in {folder}" in ended.stdout
