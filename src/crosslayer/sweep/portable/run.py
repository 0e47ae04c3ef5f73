"""Trains the trials of a packed folder: ``python -m crosslayer sweep run DIR``.

Imports nothing but the standard library, numpy, pandas, pyarrow, torch and transformers.
"""

from __future__ import annotations

import hashlib
import json
import multiprocessing
import os
import re
import shutil
import threading
import time
import uuid
import zipfile
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, Self, cast

import numpy as np
import torch
from transformers import BertConfig

from claimtrack.errors import ResultsError
from claimtrack.progress import Progress
from claimtrack.reading import parse_json, read_arrays
from crosslayer.encoders.base import assemble
from crosslayer.errors import ConfigError, TrialFailure
from crosslayer.sweep.locking import exclusive
from crosslayer.sweep.portable.blocks import unpack_state
from crosslayer.training.execution import attempt, make_runner, own_device
from crosslayer.training.finetuned import KEPT
from crosslayer.training.trainable import TrialInputs
from crosslayer.windows.encoded import read_encoded

if TYPE_CHECKING:
    from crosslayer.training.trials import TrialSpec

KEY = re.compile(r"[0-9a-f]{16}")
FILES = ("result.json", "predictions.parquet", "diagnostics.npz")
PART_BYTES = 15 * 2**20
WORKERS_ON_A_GPU = 8
"""Trials at a time on each GPU: one alone leaves a large GPU idle between the kernels of so small an encoder."""


class Settings(SimpleNamespace):
    """A section of a trial's specification, read as the home machine's pydantic models are."""

    def model_copy(self, update: dict[str, Any]) -> Self:
        """This section with some values changed."""
        return type(self)(**{**vars(self), **update})


def read_spec(content: dict[str, Any]) -> TrialSpec:
    """A trial of ``pack.json``; its sections ``training`` and ``fusion`` become attributes. What packs written
    before lack has its default."""
    sections = {name: Settings(**content[name]) for name in ("training", "fusion")}
    return cast("TrialSpec", Settings(**{"micro_batch": None, **content, **sections}))


def read_pack(folder: Path) -> dict[str, Any]:
    """``pack.json``, once every file that it names is found whole.

    Raises:
        ConfigError: this is no packed folder, or a file is missing or another one.
    """
    try:
        pack: dict[str, Any] = parse_json((folder / "pack.json").read_bytes())
        hashes, keys = dict(pack["files"]), [str(trial["key"]) for trial in pack["trials"]]
    except (OSError, ValueError, KeyError, TypeError):
        raise ConfigError(f"{folder} is no packed sweep; make one with `crosslayer sweep pack TASK DIR`") from None
    if not all(map(KEY.fullmatch, keys)):
        raise ConfigError(f"{folder}/pack.json names a trial by something else than its key; pack it again")
    for name, expected in hashes.items():
        try:
            found = hashlib.sha256((folder / str(name)).read_bytes()).hexdigest()
        except (OSError, ValueError):  # absent, or no name that a file can have
            found = None
        if found != expected:
            raise ConfigError(f"{folder / str(name)} is missing or not the file that was packed; copy it again")
    return pack


def run_pack(folder: Path, workers: int | None = None, seconds: float | None = None) -> int:
    """Train what is not finished yet, then write ``parts/``; returns how many trials are left.

    Args:
        workers: trials at a time; by default 8 on each GPU, and as the profile says on a CPU.
        seconds: start no trial after this time; the same command goes on later.

    Raises:
        ConfigError: no packed folder, or trials for a GPU on a machine without one.
        ResultsError: another process trains this folder, or a worker died.
    """
    pack = read_pack(folder)
    specs = [read_spec(content) for content in pack["trials"]]
    device = torch.device(specs[0].device_kind)
    if device.type == "cuda" and not torch.cuda.is_available():
        raise ConfigError("these trials are for a GPU, but torch sees none")
    usual = WORKERS_ON_A_GPU * torch.cuda.device_count() if device.type == "cuda" else int(pack["workers"])
    stop = None if seconds is None else time.monotonic() + seconds
    home = folder / "trials"
    with exclusive(home):
        for path in home.glob(".*-*"):
            shutil.rmtree(path)
        todo = [spec for spec in specs if not _is_finished(home / spec.key)]
        prepared = (folder, todo, str(device), str(pack.get("seal", "")))
        with Progress(f"{specs[0].stage} {specs[0].task}", len(todo)) as progress:
            for line in filter(None, _execute(todo, prepared, workers or usual, stop)):
                progress.advance(line)
        write_parts(folder)
    return sum(not _is_finished(home / spec.key) for spec in specs)


def _is_finished(trial: Path) -> bool:
    """Whether a trial ended; one that ran out of memory beside others may have enough alone."""
    try:
        return bool(json.loads((trial / "result.json").read_bytes())["outcome"] != "out_of_memory")
    except (OSError, ValueError, KeyError, TypeError):
        return False


def _execute(
    todo: Sequence[TrialSpec], prepared: tuple[Any, ...], workers: int, stop: float | None
) -> Iterator[str]:
    """Train in this process or in several, each of them prepared alike, giving out a line a trial."""
    if not todo:
        return
    if workers == 1:
        _start(*prepared)
        yield from (train_one(spec, stop) for spec in todo)
        return
    with ProcessPoolExecutor(
        min(workers, len(todo)),
        mp_context=multiprocessing.get_context("spawn"),
        initializer=_start,
        initargs=prepared,
    ) as pool:
        try:
            yield from (
                future.result() for future in as_completed([pool.submit(train_one, spec, stop) for spec in todo])
            )
        except KeyboardInterrupt:
            for process in multiprocessing.active_children():
                process.kill()  # leaving the pool would first train all that is left
            raise
        except BrokenProcessPool:
            raise ResultsError("a worker process died; run the same command again, with fewer workers") from None


worker: dict[str, Any] = {}
"""What a process trains with: ``run``, ``home`` and ``seal``."""


def _start(folder: Path, specs: Sequence[TrialSpec], device: str, seal: str) -> None:
    """Prepare this process for the trials; a worker ends with the process that started it.

    As `crosslayer.sweep.processes` does at home, which needs psutil; a node may lack that.
    """
    if multiprocessing.parent_process():
        threading.Thread(target=_end_with_parent, daemon=True).start()
    run = make_runner(specs, load_inputs(folder, specs, own_device(device)))
    worker.update(run=run, home=folder / "trials", seal=seal)


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent:
        parent.join()
        os._exit(1)


def load_inputs(folder: Path, specs: Sequence[TrialSpec], device: torch.device) -> TrialInputs:
    """Encoder and windows out of a packed folder."""
    config = BertConfig.from_dict(json.loads((folder / "encoder.json").read_text(encoding="utf-8")))
    state = unpack_state(read_arrays(folder / "encoder.npz"))
    arms = {spec.arm for spec in specs} - {"none"}
    return TrialInputs(
        encoder=assemble(config, {name: torch.from_numpy(value) for name, value in state.items()}),
        encoded=read_encoded(folder / "windows.parquet"),
        intermediate={arm: read_encoded(folder / f"intermediate-{arm}.parquet") for arm in sorted(arms)},
        device=device,
    )


def train_one(spec: TrialSpec, stop: float | None) -> str:
    """Train one trial and write its folder in one step; nothing after ``stop`` on the clock that all processes
    of a machine share and nobody sets back."""
    if stop is not None and time.monotonic() > stop:
        return ""
    home: Path = worker["home"]
    temporary = home / f".{spec.key}-{uuid.uuid4().hex[:8]}"
    temporary.mkdir()
    start = time.monotonic()
    told: dict[str, Any] = {"key": spec.key, "torch": torch.__version__, "seal": worker["seal"]}
    result = attempt(spec, worker["run"])
    if isinstance(result, TrialFailure):
        told |= {"outcome": result.outcome, "detail": result.detail}
        said = f" ({result.detail})"
    else:
        told |= {name: getattr(result, name) for name in KEPT}
        said = f", English dev {max(result.dev_history):.2f}"
        result.predictions.to_parquet(temporary / "predictions.parquet", index=False, compression="zstd")
        np.savez_compressed(temporary / "diagnostics.npz", allow_pickle=False, **result.diagnostics)
    told["seconds"] = round(time.monotonic() - start, 2)
    (temporary / "result.json").write_text(json.dumps(told), encoding="utf-8")
    shutil.rmtree(home / spec.key, ignore_errors=True)  # of one that ran out of memory before
    os.replace(temporary, home / spec.key)
    return f"{spec.model} seed {spec.seed}: {result.outcome}{said}"


def write_parts(folder: Path) -> list[Path]:
    """Pack the finished trials into ``parts/part-N.zip``, at most 15 MiB each."""
    parts = folder / "parts"
    shutil.rmtree(parts, ignore_errors=True)
    parts.mkdir()
    written: list[Path] = []
    size = PART_BYTES
    for trial in sorted(path for path in (folder / "trials").iterdir() if KEY.fullmatch(path.name)):
        files = [trial / name for name in FILES if (trial / name).exists()]
        bytes_ = sum(path.stat().st_size + 200 for path in files)
        if size + bytes_ > PART_BYTES:
            written.append(parts / f"part-{len(written) + 1}.zip")
            size = 0
        size += bytes_
        with zipfile.ZipFile(written[-1], "a") as archive:
            for path in files:
                archive.write(path, f"{trial.name}/{path.name}")
    return written
