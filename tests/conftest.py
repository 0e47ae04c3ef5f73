"""What several files of tests share: the registry, one undisturbed run of the whole pipeline, command lines."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from claimtrack import cli as claims_cli
from claimtrack.registry import Registry, load_registry
from clones import ALONE, AWKWARD, Undisturbed, can_be_alone, make_clone, repro
from crosslayer import cli
from one_line import Command
from repository import ROOT

# A property holds or not, however busy the machine is.
settings.register_profile("untimed", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("untimed")


@pytest.fixture(scope="session")
def registry() -> Registry:
    """The claims of this repository; not to be changed."""
    return load_registry(ROOT / "claims" / "registry.yaml")


@pytest.fixture(scope="session")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> Undisturbed:
    """The run; in a network namespace of its own where that can be had."""
    folder = make_clone(tmp_path_factory.mktemp("clone") / AWKWARD)
    start = time.monotonic()
    assert "report@tiny" in repro(folder, *(ALONE if can_be_alone() else ()))
    return Undisturbed(folder, time.monotonic() - start)


@pytest.fixture
def clone(undisturbed: Undisturbed) -> Path:
    """A clone in which the pipeline has run; tests leave it as it was."""
    return undisturbed.folder


@pytest.fixture
def command_line(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Command:
    """Run a command line in this process."""

    def run(main: Callable[[], None], name: str, *arguments: str) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", [name, *arguments])
        with pytest.raises(SystemExit) as ended:
            main()
        out, err = capsys.readouterr()
        return int(ended.value.code or 0), out, err

    return run


@pytest.fixture
def claimtrack(command_line: Command) -> Command:
    return partial(command_line, claims_cli.main, "claimtrack")


@pytest.fixture
def crosslayer(command_line: Command) -> Command:
    return partial(command_line, cli.main, "crosslayer")
