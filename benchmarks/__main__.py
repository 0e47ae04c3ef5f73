"""Prints the tables of `make bench`; every contender runs in a process of its own, one after the other."""

from __future__ import annotations

import argparse
import multiprocessing
import os
import tempfile
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

import torch
from rich.console import Console
from rich.table import Table

from benchmarks import calibration, frozen, paper, scaleout
from benchmarks.contenders import CONTENDERS, Trial
from benchmarks.measures import derive, matmul_rate
from crosslayer.claims.ledger import LEDGER
from crosslayer.config import FusionKind, Profile, load_profile
from crosslayer.material import load_material
from crosslayer.stages.encoder import encode_all
from crosslayer.stages.prepare import prepare
from crosslayer.tasks import TASKS, TaskName

FINETUNED: tuple[TaskName, ...] = ("pos", "xnli")
GOALS = {"Trainer, dynamic padding": 1.5, "XTREME scripts' way": 5.0}
"""How many times faster ours is meant to be."""
SHARE = 0.6
"""Of the rate of matrix products, meant for a fine-tuning trial."""
FROZEN_GOALS = {"plain loop over cached states": 1.0, f"trials that run the encoder ({frozen.SINGLE} timed)": 15.0}
SECONDS, MEGABYTES = 30, 2000
"""Meant for all analysis of the recorded runs together, and for each."""
console = Console()


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--train", type=int, default=320, help="training items of a fine-tuning trial")
    parser.add_argument("--rounds", type=int, default=1, help="how often each contender runs; the fastest counts")
    parser.add_argument(
        "--only",
        choices=["finetuning", "frozen", "scaleout", "analysis", "calibration", "paper"],
        help="one of the tables",
    )
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        if options.only in (None, "finetuning"):
            finetuning(Path(scratch), options.train, options.rounds)
        if options.only in (None, "frozen"):
            frozen_sweep(Path(scratch), options.rounds)
        if options.only in (None, "scaleout"):
            scale_out(Path(scratch), options.rounds)
    if options.only in (None, "analysis"):
        analysis()
    if options.only in (None, "calibration"):
        calibration_metrics(max(3, options.rounds))
    if options.only in (None, "paper"):
        paper_profile()


def finetuning(scratch: Path, n_train: int, rounds: int) -> None:
    """One baseline trial on the fragment, side by side."""
    profile, folder = _prepared(scratch / "finetuned", _finetuned_settings(n_train))
    for task in FINETUNED:
        table = Table("contender", "seconds", "times ours", "tokens/s", "share of matmul", "peak MB", "precision",
                      "score", title=f"one fine-tuning trial, {TASKS[task].title}, {n_train} items, "
                      f"{profile.compute.threads} threads")  # fmt: skip
        trials: dict[str, list[Trial]] = {name: [] for name in CONTENDERS}
        for _ in range(rounds):
            for name, run in CONTENDERS.items():
                trials[name].append(_alone(run, profile, folder, task))
        best = {name: min(found, key=lambda trial: trial.seconds) for name, found in trials.items()}
        rates = {
            precision: _alone(partial(matmul_rate, precision=precision), profile.compute.threads)
            for precision in dict.fromkeys(trial.precision for trial in best.values())
        }
        for name, trial in best.items():
            ratio = trial.seconds / best["crosslayer"].seconds
            goal = f" (goal {GOALS[name]:g})" if name in GOALS else ""
            rate = rates[trial.precision]
            share = training_flops(trial.tokens, profile, folder, task) / trial.seconds / rate
            table.add_row(
                name,
                f"{trial.seconds:.1f}",
                f"{ratio:.2f}{goal}",
                f"{trial.tokens / trial.seconds:.0f}",
                f"{share:.0%}" + (f" (goal {SHARE:.0%})" if name == "crosslayer" else ""),
                f"{trial.megabytes:.0f}",
                trial.precision,
                f"{trial.score:.1f}",
            )
        console.print(table)
        reached = ", ".join(f"{rate / 1e9:.0f} GFLOP/s in {precision}" for precision, rate in rates.items())
        console.print(f"matrix products reach {reached} here; seconds are training and prediction")


def frozen_sweep(scratch: Path, rounds: int) -> None:
    """Eleven layers, five seeds, one process and one thread each."""
    layers, seeds = list(range(1, 12)), list(range(5))
    settings: dict[str, Any] = {
        "sweep": {"layers": layers, "controls": [], "halves": False, "seeds": seeds},
        "compute": {"threads": 1, "workers": 1, "precision": "float32", "device": "cpu"},
    }
    profile, folder = _prepared(scratch / "frozen", settings)
    runs = dict(zip(("crosslayer", *FROZEN_GOALS), (frozen.ours, frozen.loop, frozen.single), strict=True))
    best = {name: min(_alone(run, profile, folder) for _ in range(rounds)) for name, run in runs.items()}
    table = Table(
        "contender", "seconds", "times ours", title=f"frozen sweep, {len(layers)} layers x {len(seeds)} seeds"
    )
    for name, seconds in best.items():
        goal = f" (goal {FROZEN_GOALS[name]:g})" if name in FROZEN_GOALS else ""
        table.add_row(name, f"{seconds:.1f}", f"{seconds / best['crosslayer']:.2f}{goal}")
    console.print(table)


def scale_out(scratch: Path, rounds: int) -> None:
    """Two workers of one thread against one, in processes of this machine and on Ray."""
    settings = _finetuned_settings(640) | {
        "sweep": {"layers": [], "controls": [], "halves": False, "seeds": list(range(scaleout.SEEDS))},
        "compute": {"threads": 1, "workers": 1},
    }
    profile, folder = _prepared(scratch / "scaleout", settings)
    table = Table("workers", "seconds", "times one", title=f"{scaleout.SEEDS} trials of UPOS, one thread each")
    one = 0.0
    for workers, executor in ((1, "local"), (2, "local"), (2, "ray")):
        took = min(_alone(scaleout.seconds, profile, folder, "pos", workers, executor) for _ in range(rounds))
        one = one or took
        goal = " (goal 1.8)" if workers > 1 else ""
        table.add_row(f"{workers}, {executor}", f"{took:.1f}", f"{one / took:.2f}{goal}")
    console.print(table)


def analysis() -> None:
    """All evidence of the recorded runs, again."""
    table = Table("recorded run", "seconds", "peak MB", title="all analysis of a recorded run")
    found = {e.name: _alone(derive, e) for e in sorted(LEDGER.glob("[!.]*")) if e.is_dir()}
    found["all"] = sum(seconds for seconds, _ in found.values()), max(megabytes for _, megabytes in found.values())
    for name, (seconds, megabytes) in found.items():
        goals = (f" (goal {SECONDS})", f" (goal {MEGABYTES})") if name == "all" else ("", "")
        table.add_row(name, f"{seconds:.1f}{goals[0]}", f"{megabytes:.0f}{goals[1]}")
    console.print(table)


def calibration_metrics(rounds: int) -> None:
    """Every metric on a million predictions, and netcal's ECE."""
    ours, megabytes = _alone(calibration.ours, rounds)
    netcal, their_megabytes = _alone(calibration.netcal, rounds)
    theirs = netcal["ECE"]
    table = Table(
        "metric", "ms", "times faster than netcal's ECE",
        title=f"calibration of {calibration.N:,} predictions of {calibration.K} labels",
    )  # fmt: skip
    for name, seconds in [*ours.items(), ("all together", sum(ours.values())), ("netcal's ECE", theirs)]:
        goal = " (goal 10)" if name == "all together" else ""
        table.add_row(name, f"{1000 * seconds:.0f}", f"{theirs / seconds:.1f}{goal}")
    console.print(table)
    console.print(f"peak memory {megabytes:.0f} MB (goal 1000), netcal {their_megabytes:.0f} MB")


def paper_profile() -> None:
    """A step at mBERT's size, and the hours of the whole profile `paper` here and on an H100."""
    profile, threads = load_profile(Path("profiles/paper.yaml")), torch.get_num_threads()
    models: dict[str, FusionKind] = {"baseline": "none", f"D_{profile.sweep.control_layer}": "dlfa"}
    speeds = {name: _alone(paper.measure, profile, kind, threads) for name, kind in models.items()}
    precision = speeds["baseline"].precision
    rate = _alone(matmul_rate, threads, paper.WIDTH, precision)
    table = Table("model", "s a step", "peak MB", "trained tokens/s", "share of matmul", "predicted tokens/s",
                  title=f"mBERT's size, batches of {profile.tasks['xnli'].batch_size} pairs of {paper.LENGTH} "
                  f"sub-words, {precision}, {threads} threads")  # fmt: skip
    shares = {name: 6 * paper.WEIGHTS * speed.trained / rate for name, speed in speeds.items()}
    for name, speed in speeds.items():
        table.add_row(name, f"{speed.step:.3g}", f"{speed.megabytes:.0f}", f"{speed.trained:.0f}",
                      f"{shares[name]:.0%}", f"{speed.predicted:.0f}")  # fmt: skip
    console.print(table)
    console.print(f"matrix products reach {rate / 1e9:.0f} GFLOP/s here")
    memory = Table("trained together", "peak MB", title=f"the baseline with pairs of {paper.LONGEST} sub-words")
    for size in (None, profile.fusion.bn_group):
        longest = _alone(paper.measure, profile, models["baseline"], threads, paper.LONGEST, size)
        memory.add_row("the batch" if size is None else f"{size} pairs of it", f"{longest.megabytes:.0f}")
    console.print(memory)
    slowest, here = min(shares.values()), min(speeds.values(), key=lambda speed: speed.trained)
    grid = Table("task", "trials", "trained", "predicted", "FLOP", "here", f"H100, {slowest:.0%}",
                 f"H100, {1000 * paper.LAUNCHED:.0f} ms a step",
                 title="the profile paper: millions of tokens, hours")  # fmt: skip
    costs = {TASKS[task].title: paper.cost(profile, task) for task in profile.tasks}
    costs["all"] = paper.Cost(*(sum(part) for part in zip(*costs.values(), strict=True)))
    for name, cost in costs.items():
        seconds = (
            cost.trained / here.trained + cost.predicted / here.predicted,
            cost.flops / paper.H100 / slowest,
            cost.steps * paper.LAUNCHED,
        )
        grid.add_row(name, f"{cost.trials}", f"{cost.trained / 1e6:.0f}", f"{cost.predicted / 1e6:.0f}",
                     f"{cost.flops:.2g}", *(f"{each / 3600:.1f}" for each in seconds))  # fmt: skip
    console.print(grid)


def training_flops(tokens: int, profile: Profile, folder: Path, task: TaskName) -> float:
    """FLOPs that a trial must do: 6 a weight and trained token (Kaplan et al. 2020, section 2.1), 2 a weight and
    predicted token, attention not counted."""
    material = load_material(folder / "encoder", task, [], torch.device("cpu"))
    weights = sum(p.numel() for p in material.encoder.encoder.parameters() if p.dim() == 2)
    lengths = material.encoded.lengths()
    predicted = int(lengths[material.encoded.rows("test")].sum())
    return float(6 * weights * tokens + 2 * weights * predicted)


def _finetuned_settings(n_train: int) -> dict[str, Any]:
    task = {
        "sizes": {"train": n_train, "dev": 16, "test": 20}, "mode": "finetuned", "epochs": 1, "batch_size": 16,
        "learning_rate": 1e-4, "train_embeddings": True, "trainable_layers": None, "pooling": "mean",
    }  # fmt: skip
    return {
        "tasks": dict.fromkeys(FINETUNED, task),
        "sweep": {"layers": [], "controls": [], "halves": False, "seeds": [0]},
        "compute": {"threads": os.cpu_count() or 1, "workers": 1, "precision": "auto"},
    }


def _prepared(folder: Path, settings: dict[str, Any]) -> tuple[Profile, Path]:
    """The offline profile with other settings, its data and encoder made."""
    content = load_profile(Path("profiles/offline.yaml")).model_dump()
    content["intermediate"]["targets"] = []
    for section, values in settings.items():
        if section == "tasks":
            content["tasks"] = {name: content["tasks"][name] | task for name, task in values.items()}
        else:
            content[section] |= values
    profile = Profile.model_validate(content)
    prepare(profile, folder, argparse.Namespace())
    encode_all(profile, folder, argparse.Namespace())
    return profile, folder


def _alone(run: Callable[..., Any], *arguments: Any) -> Any:
    """What a function gives in a fresh process."""
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool:
        return pool.submit(run, *arguments).result()


if __name__ == "__main__":
    main()
