"""`dvc repro` on the tiny profile, killed, interrupted and started twice."""

from __future__ import annotations

import io
import json
import os
import random
import re
import signal
import subprocess
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

import psutil
import pytest
from ruamel.yaml import YAML, YAMLError

from clones import (
    Undisturbed,
    environment,
    evidence,
    family,
    kill,
    make_clone,
    repro,
    stages_run,
    status,
    trials,
    wait_for,
)

pytestmark = pytest.mark.slow

KILLS = 20


def start(clone: Path, log: Path, *command: str) -> subprocess.Popen[bytes]:
    """Start a program in a clone, in a process group of its own as a shell does; it writes into ``log``."""
    with log.open("w") as stream:
        return subprocess.Popen(
            command, cwd=clone, env=environment(clone), stdout=stream, stderr=stream, process_group=0
        )


def finished_stages(clone: Path) -> set[str]:
    lock = clone / "dvc.lock"
    return set(YAML(typ="safe").load(lock)["stages"]) if lock.exists() else set()


def is_whole(text: str) -> bool:
    """Whether DVC wrote this lock to its end, so far as DVC reads it.

    It writes the stages one after another, the outputs of each last; of an output it compares the hash alone.
    """
    try:
        stages = YAML(typ="safe").load(text)["stages"].values()
        outs = [out for stage in stages for out in stage["outs"]]
        hashes = [str(out["md5"]) for out in outs]
    except (YAMLError, AttributeError, TypeError, KeyError):
        return False
    whole = all(re.fullmatch(r"[0-9a-f]{32}(\.dir)?", digest) for digest in hashes)
    return whole and not any(None in out.values() for out in outs)


def begun(dvc: subprocess.Popen[bytes]) -> bool:
    """Whether a stage below DVC has started its interpreter and loads its imports, psutil being the first."""
    return any(map(_is_stage, family(dvc)[1:]))


def _is_stage(process: psutil.Process) -> bool:
    with suppress(psutil.NoSuchProcess):  # it has just ended
        named = "crosslayer.stages" in " ".join(process.cmdline())
        return named and any("psutil" in entry.path for entry in process.memory_maps())
    return False


def wait_for_the_end(processes: list[psutil.Process]) -> None:
    assert psutil.wait_procs(processes, timeout=30)[1] == []


def remove_cut_locks(clone: Path) -> None:
    """What docs/faults.md says to do where a kill cut what DVC writes in place: its lock, its list of readers."""
    lock, readers = clone / "dvc.lock", clone / ".dvc" / "tmp" / "rwlock"
    if lock.exists() and not is_whole(lock.read_text(encoding="utf-8")):
        lock.unlink()
    try:
        json.loads(readers.read_text(encoding="utf-8") if readers.exists() else "{}")
    except ValueError:
        readers.unlink()


def test_twenty_kills_lose_nothing_and_repeat_nothing(undisturbed: Undisturbed, tmp_path: Path) -> None:
    """At random moments DVC alone, or with all that it started; the evidence is that of an undisturbed run.

    A moment is up to a fifth of an undisturbed run away from the start, so that the kills go through the stages.
    """
    other, rng = make_clone(tmp_path / "clone"), random.Random(20)
    reached: set[str] = set()
    for number in range(KILLS):
        done, before = finished_stages(other), trials(other)
        log = tmp_path / f"{number}.log"
        dvc = start(other, log, "dvc", "repro")
        time.sleep(rng.uniform(0.02, 0.2) * undisturbed.seconds)
        everyone = family(dvc)
        kill(everyone[: 1 if number % 2 else None])
        dvc.wait()
        wait_for_the_end(everyone)
        remove_cut_locks(other)
        ran, after = set(stages_run(log.read_text(encoding="utf-8"))), trials(other)
        assert not ran & done, "a stage ran twice"
        assert {key: after.get(key) for key in before} == before, "a trial was lost or trained twice"
        reached |= ran
    done = finished_stages(other)
    assert not set(repro(other)) & done
    assert len(reached) >= 4, "the kills came too early to mean anything"
    assert evidence(other) == evidence(undisturbed.folder)
    assert trials(other).keys() == trials(undisturbed.folder).keys()
    assert status(other) == 0
    assert not list((other / "results").rglob(".*.new")), "nothing half-written is left"


def test_a_lock_that_was_cut_costs_no_trial(clone: Path) -> None:
    """DVC writes it in blocks, so that a kill, or Ctrl-C, leaves some of them."""
    before, kept = evidence(clone), trials(clone)
    lock = clone / "dvc.lock"
    text = lock.read_text(encoding="utf-8")
    blocks = range(0, len(text), io.DEFAULT_BUFFER_SIZE)
    assert is_whole(text)
    assert not any(is_whole(text[:size]) for size in blocks)
    lock.write_text(text[: blocks[len(blocks) // 2]], encoding="utf-8")
    remove_cut_locks(clone)
    assert repro(clone)
    assert trials(clone) == kept
    assert evidence(clone) == before
    assert status(clone) == 0


def test_two_at_once(clone: Path, tmp_path: Path) -> None:
    """One works; the other works after it, or says in a line who is working."""
    before, kept = evidence(clone), trials(clone)
    command = ("dvc", "repro", "-s", "-f", "sweep@tiny-pos")
    logs = [tmp_path / "one.log", tmp_path / "two.log"]
    both = [start(clone, log, *command) for log in logs]
    codes = [process.wait(300) for process in both]
    texts = [log.read_text(encoding="utf-8") for log in logs]
    assert 0 in codes, texts
    for code, text in zip(codes, texts, strict=True):
        assert "Traceback" not in text
        assert code == 0 or "is busy" in text or "Unable to acquire lock" in text, text
    assert trials(clone) == kept
    assert repro(clone) == []
    assert evidence(clone) == before


def interrupt(clone: Path, log: Path, command: Sequence[str], moment: float) -> list[psutil.Process]:
    """Interrupt a command so many seconds after its stage has begun, or earlier where the stage is over by then:
    DVC, which saves its outputs, has a line of its own for that."""
    dvc = start(clone, log, *command)
    wait_for(lambda: begun(dvc), 120)
    time.sleep(moment)
    everyone = family(dvc) if begun(dvc) else []
    if everyone:
        os.killpg(dvc.pid, signal.SIGINT)
    code = dvc.wait(60)
    if code and everyone:
        return everyone
    assert code == 0, log.read_text(encoding="utf-8")
    assert moment > 0.1, "the interrupt was passed over"
    return interrupt(clone, log, command, moment / 2)


@pytest.mark.parametrize("stage", ["encoder@tiny", "claim@tiny-C05"])
def test_an_interrupt_from_the_keyboard_is_a_line_and_nothing_is_lost(
    stage: str, clone: Path, tmp_path: Path
) -> None:
    """The signal goes to the whole group, as from a terminal, while the stage imports and later."""
    before, log, command = evidence(clone), tmp_path / "log", ("dvc", "repro", "-s", "-f", stage)
    undisturbed = start(clone, log, *command)
    wait_for(lambda: begun(undisturbed), 120)
    began = time.monotonic()
    wait_for(lambda: not begun(undisturbed), 120)
    took = time.monotonic() - began
    assert undisturbed.wait(60) == 0
    for moment in (0.0, 0.5 * took):
        wait_for_the_end(interrupt(clone, log, command, moment))
        text = log.read_text(encoding="utf-8")
        assert text.count("interrupted; the same command goes on where it stopped") == 1, text
        assert "Traceback" not in text
        assert evidence(clone) == before
    repro(clone)
    assert evidence(clone) == before
    assert status(clone) == 0
