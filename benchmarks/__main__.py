"""Prints the tables of `make bench`; every contender runs in a process of its own, one after the other."""

from __future__ import annotations

import argparse
import multiprocessing
import tempfile
from collections.abc import Callable, Mapping
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from itertools import chain
from pathlib import Path
from typing import Any

import torch

from benchmarks import breakdown, calibration, frozen, paper, pipeline, scaleout
from benchmarks.contenders import CONTENDERS, XTREME, Trial
from benchmarks.measures import derive, matmul_rate, matmul_rates
from benchmarks.sheets import Sheet, save
from benchmarks.simulation.designs import planned
from benchmarks.simulation.rates import all_tables
from claimtrack.runs import LEDGER
from crosslayer.config import FusionKind, Profile, load_profile
from crosslayer.stages.encoder import encode_all
from crosslayer.stages.prepare import prepare
from crosslayer.sweep.plan import load_inputs
from crosslayer.tasks import TASKS, TaskName

FINETUNED: tuple[TaskName, ...] = ("pos", "xnli")
TRAINED = 2000
"""Training items of a fine-tuning trial."""
GOALS = {"Trainer, dynamic padding": "1.5", XTREME: "5"}
"""How many times faster ours is meant to be."""
PRECISIONS = ("bfloat16", "float32")
FROZEN_GOALS = {
    "plain loop over cached states": "1", f"trials that run the encoder ({frozen.SINGLE} timed)": "15",
}  # fmt: skip
DATA_SETS = 4000
"""Of each truth under which a rule is tried."""


def main() -> None:
    """Measure and print, and keep where asked."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--only", choices=list(BENCHMARKS), help="one of the benchmarks")
    parser.add_argument("--save", action="store_true", help="keep the tables in benchmarks/recorded/")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        for name in [options.only] if options.only else BENCHMARKS:
            sheets = BENCHMARKS[name](Path(scratch))
            for sheet in sheets:
                sheet.show()
            if options.save:
                save(name, sheets)


def finetuning(scratch: Path) -> list[Sheet]:
    """One baseline trial on the fragment, side by side."""
    profile, folder = _prepared(scratch / "finetuned", _finetuned_settings(TRAINED))
    threads = profile.compute.threads
    rates = {precision: _alone(partial(matmul_rate, precision=precision), threads) for precision in PRECISIONS}
    of_tasks = (_finetuning_of(task, profile, folder, rates) for task in FINETUNED)
    return [*chain(*of_tasks), products()]


def products() -> Sheet:
    """The rate of matrix products at the shapes that occur."""
    found = {precision: _alone(partial(matmul_rates, precision=precision), 1) for precision in PRECISIONS}
    rows = [
        (f"{m:,}", f"{k:,}", f"{n:,}", *(f"{rates[m, k, n] / 1e9:.0f}" for rates in found.values()))
        for m, k, n in found[PRECISIONS[0]]
    ]
    head = ("sub-words", "inputs", "outputs", *(f"GFLOP/s in {precision}" for precision in PRECISIONS))
    return Sheet("matrix products of a layer, one thread", head, rows)


def _finetuning_of(task: TaskName, profile: Profile, folder: Path, rates: Mapping[str, float]) -> list[Sheet]:
    """The contenders on one task; ``rates`` are those of matrix products by precision, in FLOP/s."""
    trials: dict[str, Trial] = {name: _alone(run, profile, folder, task) for name, run in CONTENDERS.items()}
    rows = []
    for name, trial in trials.items():
        ratio = trial.seconds / trials["crosslayer"].seconds
        share = training_flops(trial.tokens, profile, folder, task) / trial.seconds / rates[trial.precision]
        rows.append((
            name,
            f"{trial.seconds:.1f}",
            _against(f"{ratio:.2f}", GOALS.get(name)),
            f"{trial.tokens / trial.seconds:.0f}",
            _against(f"{share:.0%}", "60%" if name == "crosslayer" else None),
            f"{trial.megabytes:.0f}",
            trial.precision,
            "" if name == XTREME else f"{trial.score:.1f}",
        ))  # fmt: skip
    reached = ", ".join(f"{rate / 1e9:.0f} GFLOP/s in {precision}" for precision, rate in rates.items())
    title = f"one fine-tuning trial, {TASKS[task].title}, {TRAINED:,} items, one thread"
    head = (
        "contender", "seconds", "times ours", "trained tokens/s", "share of matmul", "peak MiB", "precision",
        "score",
    )  # fmt: skip
    note = f"Matrix products reach {reached} here at a layer's shapes; seconds are those of one core."
    seconds = _alone(breakdown.shares, profile, folder, task)
    parts = [(kind, f"{part / sum(seconds.values()):.0%}") for kind, part in seconds.items()]
    return [
        Sheet(title, head, rows, note),
        Sheet(f"where its time goes, {TASKS[task].title}", ("operations of torch", "share"), parts),
    ]


def frozen_sweep(scratch: Path) -> list[Sheet]:
    """Eleven layers, five seeds, one process and one thread each."""
    layers, seeds = list(range(1, 12)), list(range(5))
    settings: dict[str, Any] = {
        "sweep": {"layers": layers, "controls": [], "halves": False, "seeds": seeds},
        "compute": {"threads": 1, "workers": 1, "precision": "float32", "device": "cpu"},
    }
    profile, folder = _prepared(scratch / "frozen", settings)
    runs = dict(zip(("crosslayer", *FROZEN_GOALS), (frozen.ours, frozen.loop, frozen.single), strict=True))
    took = {name: _alone(run, profile, folder) for name, run in runs.items()}
    rows = [
        (name, f"{seconds:.1f}", _against(f"{seconds / took['crosslayer']:.2f}", FROZEN_GOALS.get(name)))
        for name, seconds in took.items()
    ]
    title = f"frozen sweep, {len(layers)} layers x {len(seeds)} seeds"
    return [Sheet(title, ("contender", "seconds", "times ours"), rows)]


def scale_out(scratch: Path) -> list[Sheet]:
    """Two workers of one thread against one, in processes of this machine and on Ray."""
    settings = _finetuned_settings(640) | {
        "sweep": {"layers": [], "controls": [], "halves": False, "seeds": list(range(scaleout.SEEDS))},
        "compute": {"threads": 1, "workers": 1},
    }
    profile, folder = _prepared(scratch / "scaleout", settings)
    ways = ((1, "local"), (2, "local"), (2, "ray"))
    took = [_alone(scaleout.seconds, profile, folder, "pos", *way) for way in ways]
    rows = [
        (
            f"{workers}, {executor}",
            f"{each:.1f}",
            _against(f"{took[0] / each:.2f}", "1.8" if workers > 1 else None),
        )
        for (workers, executor), each in zip(ways, took, strict=True)
    ]
    title = f"{scaleout.SEEDS} trials of UPOS, one thread each"
    head, note = ("workers", "seconds", "times as fast as one"), "The start of workers and of Ray counts."
    return [Sheet(title, head, rows, note)]


def analysis(scratch: Path) -> list[Sheet]:
    """All evidence of the recorded runs, again."""
    found = {e.name: _alone(derive, e) for e in sorted(LEDGER.glob("[!.]*")) if e.is_dir()}
    rows = [(name, f"{seconds:.1f}", f"{megabytes:.0f}") for name, (seconds, megabytes) in found.items()]
    total, most = sum(seconds for seconds, _ in found.values()), max(megabytes for _, megabytes in found.values())
    rows.append(("all", f"{total:.1f} (goal 30)", f"{most:.0f} (goal 2000)"))
    return [Sheet("all analysis of a recorded run", ("recorded run", "seconds", "peak MiB"), rows)]


def calibration_metrics(scratch: Path) -> list[Sheet]:
    """Every metric on a million predictions, and netcal's ECE."""
    ours, megabytes = _alone(calibration.ours)
    netcal, their_megabytes = _alone(calibration.netcal)
    theirs = netcal["ECE"]
    rows = [
        (
            name,
            f"{1000 * seconds:.0f}",
            _against(f"{theirs / seconds:.1f}", "10" if name == "all together" else None),
        )
        for name, seconds in [*ours.items(), ("all together", sum(ours.values())), ("netcal's ECE", theirs)]
    ]
    title = f"calibration of {calibration.N:,} predictions of {calibration.K} labels"
    note = f"Peak memory {megabytes:.0f} MiB (goal 1000), netcal {their_megabytes:.0f} MiB."
    return [Sheet(title, ("metric", "ms", "times faster than netcal's ECE"), rows, note)]


def paper_profile(scratch: Path) -> list[Sheet]:
    """A step at mBERT's size, and the hours of the whole profile `paper` here and on an H100."""
    profile, threads = load_profile(Path("profiles/paper.yaml")), torch.get_num_threads()
    models: dict[str, FusionKind] = {"baseline": "none", f"D_{profile.sweep.control_layer}": "dlfa"}
    speeds = {name: _alone(paper.measure, profile, kind, threads) for name, kind in models.items()}
    precision = speeds["baseline"].precision
    rate = _alone(matmul_rate, threads, paper.WIDTH, precision)
    shares = {name: 6 * paper.WEIGHTS * speed.trained / rate for name, speed in speeds.items()}
    step = Sheet(
        f"mBERT's size, batches of {profile.tasks['xnli'].batch_size} pairs of {paper.LENGTH} sub-words, "
        f"{precision}, {threads} threads",
        ("model", "s a step", "peak MiB", "trained tokens/s", "share of matmul", "predicted tokens/s"),
        [
            (name, f"{speed.step:.3g}", f"{speed.megabytes:.0f}", f"{speed.trained:.0f}", f"{shares[name]:.0%}",
             f"{speed.predicted:.0f}")
            for name, speed in speeds.items()
        ],
        f"Matrix products reach {rate / 1e9:.0f} GFLOP/s here.",
    )  # fmt: skip
    longest = {
        size: _alone(paper.measure, profile, models["baseline"], threads, paper.LONGEST, size)
        for size in (None, profile.fusion.bn_group)
    }
    memory = Sheet(
        f"memory of the baseline with pairs of {paper.LONGEST} sub-words",
        ("trained together", "peak MiB"),
        [("the batch" if size is None else f"{size} pairs of it", f"{speed.megabytes:.0f}")
         for size, speed in longest.items()],
    )  # fmt: skip
    slowest, here = min(shares.values()), min(speeds.values(), key=lambda speed: speed.trained)
    costs = {TASKS[task].title: paper.cost(profile, task) for task in profile.tasks}
    costs["all"] = paper.Cost(*(sum(part) for part in zip(*costs.values(), strict=True)))
    rows = []
    for name, cost in costs.items():
        seconds = (
            cost.trained / here.trained + cost.predicted / here.predicted,
            cost.flops / paper.H100 / slowest,
            cost.steps * paper.LAUNCHED,
        )
        rows.append((name, f"{cost.trials}", f"{cost.trained / 1e6:.0f}", f"{cost.predicted / 1e6:.0f}",
                     f"{cost.flops:.2g}", *(f"{each / 3600:.1f}" for each in seconds)))  # fmt: skip
    head = (
        "task", "trials", "trained", "predicted", "FLOP", "here", f"H100 at {slowest:.0%}",
        f"H100 at {1000 * paper.LAUNCHED:.0f} ms a step",
    )  # fmt: skip
    return [step, memory, Sheet("the profile paper: millions of tokens, hours", head, rows)]


def whole_pipeline(scratch: Path) -> list[Sheet]:
    """The active profile, in a clone of what is committed."""
    profile = load_profile()
    usage, seconds, disk = pipeline.first_run(scratch, profile.profile)
    grouped: dict[str, list[str]] = {}
    for stage in seconds:
        grouped.setdefault("a claim" if stage.startswith("claim-") else stage.replace("-", " "), []).append(stage)
    rows = []
    for name, stages in grouped.items():
        mean = sum(seconds[stage] for stage in stages) / len(stages)
        rows.append((name, f"{len(stages)}", f"{mean:.0f}", f"{max(usage.megabytes[s] for s in stages):.0f}"))
    rows.append(("all of it", "", f"{usage.seconds:.0f}", f"{max(usage.megabytes.values()):.0f}"))
    space = ", ".join(f"{name} {size / 1e9:.2f} GB" for name, size in disk.items())
    title = f"`dvc repro` in a fresh clone, profile {profile.profile}, {profile.compute.workers} trials at a time"
    return [Sheet(title, ("stage", "of them", "seconds each", "peak MiB"), rows, f"Disk: {space}.")]


def reachable(scratch: Path) -> list[Sheet]:
    """What every rule decides on made-up measurements, at the planned design."""
    return all_tables(planned(), DATA_SETS)


BENCHMARKS: dict[str, Callable[[Path], list[Sheet]]] = {
    "finetuning": finetuning, "frozen": frozen_sweep, "scaleout": scale_out, "analysis": analysis,
    "calibration": calibration_metrics, "paper": paper_profile, "pipeline": whole_pipeline,
    "reachable": reachable,
}  # fmt: skip
"""Each takes a scratch folder."""


def _against(value: str, goal: str | None) -> str:
    """A value beside what is meant to be reached."""
    return value if goal is None else f"{value} (goal {goal})"


def training_flops(tokens: int, profile: Profile, folder: Path, task: TaskName) -> float:
    """FLOPs that a trial must do: 6 a weight and trained token (Kaplan et al. 2020, section 2.1), 2 a weight and
    predicted token, attention not counted."""
    inputs = load_inputs(folder / "encoder", task, [], torch.device("cpu"))
    weights = sum(p.numel() for p in inputs.encoder.encoder.parameters() if p.dim() == 2)
    lengths = inputs.encoded.lengths()
    predicted = int(lengths[inputs.encoded.rows("test")].sum())
    return float(6 * weights * tokens + 2 * weights * predicted)


def _finetuned_settings(n_train: int) -> dict[str, Any]:
    task = {
        "sizes": {"train": n_train, "dev": 16, "test": 100}, "mode": "finetuned", "epochs": 1, "batch_size": 16,
        "learning_rate": 1e-4, "train_embeddings": True, "trainable_layers": None, "pooling": "mean",
    }  # fmt: skip
    return {
        "tasks": dict.fromkeys(FINETUNED, task),
        "sweep": {"layers": [], "controls": [], "halves": False, "seeds": [0]},
        "compute": {"threads": 1, "workers": 1, "precision": "auto"},
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
    prepare(profile, folder)
    encode_all(profile, folder)
    return profile, folder


def _alone(run: Callable[..., Any], *arguments: Any) -> Any:
    """What a function gives in a fresh process."""
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool:
        return pool.submit(run, *arguments).result()


if __name__ == "__main__":
    main()
