"""Trials on a Ray cluster: one that runs already, or one that is started here and ends with the sweep.

The stage is Ray's driver. It sends what the trials share to every node that trains, and writes what comes back, so
that nodes need no common file system, only Ray and what this package needs; the packages themselves travel.
"""

from __future__ import annotations

import logging
import os
import socket
import tempfile
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from functools import lru_cache
from pathlib import Path
from typing import Any

import torch

import claimtrack
import crosslayer
from crosslayer.config import ComputeSpec
from crosslayer.errors import ConfigError, TrialFailure
from crosslayer.sweep.plan import load_inputs, planned_device
from crosslayer.training.execution import Runner, attempt, make_runner
from crosslayer.training.finetuned import TrialResult
from crosslayer.training.trials import TrialSpec

RETRIES = 3
"""How often a trial is begun anew after its worker or node was lost."""


def run_on_ray(
    specs: Sequence[TrialSpec], compute: ComputeSpec, encoder: Path
) -> Iterator[tuple[TrialSpec, TrialResult | TrialFailure, str]]:
    """Train trials, each as a task of its own with its threads and its share of a GPU; gives each as it ends, what
    came of it, and the version of torch that trained it.

    A trial whose worker or node is lost begins anew, where there is room, at most `RETRIES` times.
    """
    ray, device, first = import_ray(), planned_device(compute), specs[0]
    with connected(ray, compute):
        gpus = compute.gpu_share if device == "cuda" else 0
        _check_room(ray, first.threads, gpus)
        arms = {spec.arm for spec in specs} - {"none"}
        shared = ray.put((specs, load_inputs(encoder, first.task, arms, torch.device(device))))
        train = ray.remote(_train).options(
            num_cpus=first.threads, num_gpus=gpus, max_retries=RETRIES, scheduling_strategy="SPREAD"
        )
        waiting = {train.remote([shared], spec): spec for spec in specs}
        while waiting:
            (ended,), _ = ray.wait(list(waiting))
            yield waiting.pop(ended), *_result(ray, ended)


def _train(shared: list[Any], spec: TrialSpec) -> tuple[TrialResult | TrialFailure, str]:
    """The body of a Ray task. The reference comes in a list, so that its content is fetched only once a worker."""
    return attempt(spec, _runner(*shared)), torch.__version__


@lru_cache(maxsize=1)
def _runner(reference: Any) -> Runner:
    """What runs trials in this worker: made of their plan and of what they share."""
    import ray

    return make_runner(*ray.get(reference))


def _result(ray: Any, ended: Any) -> tuple[TrialResult | TrialFailure, str]:
    """What came of a task; a trial that took its workers down with it has failed."""
    why = ray.exceptions
    lost = (why.WorkerCrashedError, why.NodeDiedError, why.OutOfMemoryError, why.ObjectLostError)
    try:
        result: tuple[TrialResult | TrialFailure, str] = ray.get(ended)
    except lost as error:
        detail = f"its worker was lost {RETRIES + 1} times ({type(error).__name__}), perhaps for lack of memory"
        return TrialFailure("failed", detail), torch.__version__
    except why.RayTaskError as error:
        raise error.cause from None
    return result


def import_ray() -> Any:
    """Ray, its usage statistics off and its retries for lack of memory bounded."""
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    os.environ.setdefault("RAY_task_oom_retries", str(RETRIES))
    try:
        import ray
    except ModuleNotFoundError:
        raise ConfigError(
            "compute.executor is ray, which is not installed; run pip install -e '.[ray]', or take executor local"
        ) from None
    return ray


@contextmanager
def connected(ray: Any, compute: ComputeSpec) -> Iterator[None]:
    """A connection to the cluster of the profile, or else to one of this machine that ends with it."""
    with tempfile.TemporaryDirectory(prefix="ray-", dir="/tmp", ignore_cleanup_errors=True) as scratch:
        try:
            if compute.address and compute.address != "auto":  # Ray takes minutes to find that nobody answers
                host, port = compute.address.split(":")
                socket.create_connection((host, int(port)), timeout=5).close()
            own: dict[str, Any] = {"address": compute.address}
            if compute.address is None:  # a processor for each thread of each worker; sockets need a short name
                cores = compute.workers * compute.threads
                own = {"address": "local", "num_cpus": cores, "include_dashboard": False, "_temp_dir": scratch}
            modules = [str(Path(package.__file__ or "").parent) for package in (claimtrack, crosslayer)]
            with nullcontext() if compute.address else _at_home(scratch), warnings.catch_warnings():
                warnings.simplefilter("ignore")
                env = {"py_modules": modules}
                ray.init(**own, runtime_env=env, log_to_driver=False, logging_level=logging.ERROR)
        except Exception as error:  # Ray also raises plain ones
            raise ConfigError(
                f"no Ray cluster at {compute.address or 'this machine'} ({_reason(error)}); start one with "
                "`ray start --head`, run this on one of its nodes, and check compute.address"
            ) from None
        try:
            yield
        finally:
            ray.shutdown()


def _reason(error: Exception) -> str:
    """What Ray says, in a few words."""
    if "InvalidAuthToken" in f"{error} {error.__cause__}":
        return "it wants a token: set RAY_AUTH_MODE=token and RAY_AUTH_TOKEN as on its nodes"
    return " ".join(str(error).split()).split(". ")[0][:200]


@contextmanager
def _at_home(folder: str) -> Iterator[None]:
    """Ray's programs start with another home, where an empty description of the cluster lies: where there is none,
    they ask the addresses of cloud providers which cloud this is, statistics or not."""
    (Path(folder) / "ray_bootstrap_config.yaml").write_text("{}\n", encoding="utf-8")
    before = os.environ.get("HOME")
    os.environ["HOME"] = folder
    try:
        yield
    finally:
        if before is None:
            del os.environ["HOME"]
        else:
            os.environ["HOME"] = before


def _check_room(ray: Any, threads: int, gpus: float) -> None:
    """A task that fits no node would wait for ever."""
    alive = [node["Resources"] for node in ray.nodes() if node["Alive"]]
    if any(has.get("CPU", 0) >= threads and has.get("GPU", 0) >= gpus for has in alive):
        return
    share = f" and {gpus:g} GPUs" if gpus else ""
    raise ConfigError(
        f"no node of the Ray cluster has the {threads} processors{share} that a trial needs; lower "
        "compute.threads or compute.gpu_share, or start nodes with more"
    )
