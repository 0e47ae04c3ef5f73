"""The paper's tables beside each run's: Table 1, the baseline's score and the gain of every layer and control;
Tables 2 and 3, accuracy on English and German and on the rest; and the same encoder frozen and fine-tuned."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import chain
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

from claimtrack.evidence import Evidence, Measurement
from claimtrack.report import numbers
from claimtrack.runs import RunResults
from claimtrack.sections import Cell, Drawing, Section, Table
from claimtrack.statistics import MIN_SEEDS
from crosslayer.paper import paper
from crosslayer.predictions.batches import best_batch
from crosslayer.predictions.models import BASELINE
from crosslayer.predictions.records import TrialRecord
from crosslayer.tasks import TASK_NAMES, TASKS, TaskName

GAINS, NEAR = "C05", "C03"
"""The claims whose evidence has the gains of layers and controls, and what is near English."""
MODES = {"frozen": "frozen", "finetuned": "fine-tuned"}
_AT_CHANCE = re.compile(r"^(?P<task>[^:]+): (?P<model>\w+) stayed at chance")


class Column(NamedTuple):
    """Two columns of a table under one title: by model, what the paper reports, and our measurement."""

    title: str
    reported: Mapping[str, str]
    ours: Mapping[str, Measurement]


def sections(
    runs: Sequence[RunResults], sizes: Mapping[str, str], trials: Mapping[str, Sequence[TrialRecord]]
) -> Iterator[Section]:
    """The sections that the runs have something for; ``sizes`` and ``trials`` are those of each run, by name."""
    if rebuilt := [table for run in runs if (table := layer_table(run, sizes[run.name]))]:
        closed = (replace(table, closed=True) for table in rebuilt[1:])
        yield Section("layers", "Table 1, rebuilt", LAYERS, tables=(rebuilt[0], *closed))
    if failures := tuple(line for run in runs for line in failures_to_train(run, trials[run.name])):
        yield Section("failures", "Failures to train", FAILURES, failures)
    if both := {task: pair for task in TASK_NAMES if (pair := _pair(task, runs))}:
        said = tuple(_sentence(task, pair) for task, pair in both.items())
        yield Section("modes", "Does the benefit survive fine-tuning?", MODES_TEXT, said, (_drawn(both),))
    if near := tuple(table for run in runs if (table := near_table(run))):
        yield Section("near", "Tables 2 and 3, rebuilt", NEAR_TEXT, tables=near)


LAYERS = (
    "Each fusion layer against the baseline of the same seed, in points, beside what the paper reports of "
    "mBERT: a single run a cell, without intervals. Ours are means over seeds with 95 % intervals, and p after "
    "Holm's correction over the layers of a task. A cell of fewer than three seeds is marked and has no "
    "interval. The paper's POS numbers are span F1 on bare tags, which stands first; accuracy is what is "
    "judged. The best of a column is biased upward, here as there; C05 and C06 judge layers chosen beforehand.",
)
FAILURES = (
    "A fine-tuned model stayed at chance where it is no better on English dev than luck would be. Such trials "
    "are missing from the gains; how often they happen is a result of its own.",
)
MODES_TEXT = (
    "The same encoder and data, once frozen and once fine-tuned. Besides the encoder, learning rate and epochs "
    "differ, as each setting needs. The frozen gains are never counted for the paper.",
)
NEAR_TEXT = (
    "Accuracy on English and German and on the other languages, in points, beside what the paper reports: a "
    "single run a cell, of the two fusion layers that it shows. Ours are means over seeds with 95 % intervals. "
    "C03 judges the slope of their difference over the layers.",
)


def layer_table(run: RunResults, size: str = "") -> Table | None:
    """Table 1 in a run; ``None`` where no task has the gain of any layer."""
    parts = [part for part in _parts(run, GAINS) if part.estimate is not None and part.language is None]
    gains = [part for part in parts if part.measure in ("layer_gain", "control_gain")]
    columns = [
        column
        for task in TASK_NAMES
        if any(part.task == task and part.layer for part in gains)
        for column in _gain_columns(task, [part for part in parts if part.task == task])
    ]
    controls = {str(part.model): f"control: {part.model}" for part in gains if part.layer is None}
    models = {BASELINE: "baseline, score", **_layer_names(gains), **controls}
    return _rebuilt(f"Table 1 in {run.name}, points; {size}; seeds a cell: ", columns, models, gains)


def near_table(run: RunResults) -> Table | None:
    """Tables 2 and 3 in a run; ``None`` where nothing was measured."""
    measures = {paper.ON_NEAR: "en and de", paper.ON_REST: "the rest"}
    parts = [part for part in _parts(run, NEAR) if part.measure in measures]
    columns = []
    for task in TASK_NAMES:
        if any(part.task == task for part in parts):
            for place, (measure, group) in enumerate(measures.items()):
                reported = {model: numbers.number(on[place], 1) for model, on in paper.near_and_rest(task).items()}
                ours = {str(part.model): part for part in parts if (part.task, part.measure) == (task, measure)}
                columns.append(Column(f"{TASKS[task].title}, {group}", reported, ours))
    models = {BASELINE: BASELINE, **_layer_names(parts)}
    return _rebuilt(f"Tables 2 and 3 in {run.name}, points; seeds a cell: ", columns, models, parts)


def _rebuilt(
    caption: str, columns: Sequence[Column], models: Mapping[str, str], parts: Sequence[Measurement]
) -> Table | None:
    """One row a model, under its name; how many seeds a cell has ends the caption."""
    if not columns:
        return None
    rows = []
    for model, name in models.items():
        pairs = [(Cell(c.reported.get(model, numbers.NO_VALUE)), _cell(c.ours.get(model))) for c in columns]
        rows.append((Cell(name), *chain(*pairs)))
    counts = [part.n_seeds for part in parts]
    seeds = " to ".join(map(str, sorted({min(counts), max(counts)})))
    head = ("model", *("paper", "here") * len(columns))
    return Table(caption + seeds, head, tuple(rows), tuple((column.title, 2) for column in columns))


def _layer_names(parts: Sequence[Measurement]) -> dict[str, str]:
    layers = sorted({part.layer for part in parts if part.layer is not None}, reverse=True)
    return {f"layer_{layer}": f"D_{layer}" for layer in layers}


def _parts(run: RunResults, claim: str) -> Sequence[Measurement]:
    evidence = run.evidence.get(claim)
    return evidence.parts if evidence else ()


def failures_to_train(run: RunResults, trials: Sequence[TrialRecord]) -> Iterator[str]:
    """``PAWS-X: 3 of 12 fused models stayed at chance, of the baselines 0 of 3``, from what C05 found missing."""
    evidence: Evidence | None = run.evidence.get(GAINS)
    lines = [m for line in (evidence.missing if evidence else ()) if (m := _AT_CHANCE.match(line))]
    for title in dict.fromkeys(m["task"] for m in lines):
        named = [m["model"] for m in lines if m["task"] == title]
        of_task = [
            t for t in trials if t.stage == "sweep" and TASKS[t.task].title == title and t.model.is_compared
        ]
        trained = best_batch(of_task)
        fused, plain = sum(t.model.layer is not None for t in trained), sum(t.model == BASELINE for t in trained)
        low, low_fused = named.count(BASELINE), sum(name.startswith("layer_") for name in named)
        if low or low_fused:
            yield (
                f"{title} in {run.name}: {low_fused} of {fused} fused models stayed at chance, and "
                f"{low or 'none'} of {plain} baselines. They do not count in the gains."
            )


def _gain_columns(task: TaskName, parts: Sequence[Measurement]) -> Iterator[Column]:
    """One, or two where a task is also measured by the rule that the paper reports and ours is another."""
    measures = {"baseline_score", "layer_gain", "control_gain"}
    gains = {f"layer_{x}": numbers.number(gain, 1, signed=True) for x, gain in paper.layer_gains(task).items()}
    reported = {BASELINE: numbers.number(paper.baseline(task), 1), **gains}
    ours = {str(part.model): part for part in parts if part.measure in measures}
    spans = {f"{measure}{paper.BY_SPANS}" for measure in measures}
    by_spans = {str(part.model): part for part in parts if part.measure in spans}
    if not by_spans:
        yield Column(TASKS[task].title, reported, ours)
    else:
        yield Column(f"{TASKS[task].title}, span F1", reported, by_spans)
        yield Column(f"{TASKS[task].title}, accuracy", {}, ours)


def _cell(part: Measurement | None) -> Cell:
    if part is None or part.estimate is None:
        return Cell(numbers.NO_VALUE)
    signed = "gain" in part.measure
    ours = numbers.number(part.estimate, 1, signed)
    if 0 < part.n_seeds < MIN_SEEDS:
        return Cell(ours, f"{part.n_seeds} seed{'s' if part.n_seeds > 1 else ''} only")
    if part.interval is None:
        return Cell(ours)
    span = " to ".join(numbers.number(value, 1, signed) for value in (part.interval.low, part.interval.high))
    p = part.p_adjusted
    return Cell(ours, span if p is None else f"{span}, p {numbers.p_value(p)}")


def _drawn(pairs: Mapping[TaskName, Sequence[RunResults]]) -> Drawing:
    """Gains by layer in both modes, all tasks on one scale."""
    from crosslayer.paper import plots  # matplotlib is slow to load

    title, name = "Gain over the baseline by fusion layer, frozen and fine-tuned, with 95 % intervals", "modes.svg"
    with TemporaryDirectory() as folder:
        with plots.picture(Path(folder), name, title, height=2.8, columns=len(pairs), share_y=True) as axes:
            for place, (task, pair) in zip(axes, pairs.items(), strict=True):
                for series, run in enumerate(pair):
                    mode = MODES[run.profile.tasks[task].mode]
                    plots.by_layer(place, _layer_gains(run, task), series, mode)
                plots.zero_line(place)
                place.set(title=TASKS[task].title, xlabel="fusion layer x of D_x", ylabel="gain (points)")
            plots.legend_above(axes[0])
        return Drawing(name, (Path(folder) / name).read_bytes())


def _pair(task: TaskName, runs: Sequence[RunResults]) -> list[RunResults]:
    """Two runs that measured a task in both modes, with one encoder on the same data."""
    real = [run for run in runs if task in run.profile.tasks and _layer_gains(run, task)]
    for run in real:
        alike = [other for other in real if _setting(other, task) == _setting(run, task)]
        by_mode = {other.profile.tasks[task].mode: other for other in reversed(alike)}
        if len(by_mode) == len(MODES):
            return [by_mode[mode] for mode in MODES]
    return []


def _setting(run: RunResults, task: TaskName) -> tuple[object, ...]:
    """What two runs must share to be compared."""
    return run.profile.encoder, run.profile.data, run.profile.tasks[task].sizes


def _layer_gains(run: RunResults, task: TaskName) -> list[Measurement]:
    of_layers = (part for part in _parts(run, GAINS) if part.measure == "layer_gain" and part.task == task)
    return [part for part in of_layers if part.estimate is not None]


def _sentence(task: TaskName, runs: Sequence[RunResults]) -> str:
    said = []
    for run in runs:
        part = next(p for p in run.evidence[GAINS].parts if p.measure == "dev_selected_gain" and p.task == task)
        shown = f"{numbers.estimate(part, signed=True)} ({numbers.interval(part, signed=True)})"
        said.append(f"{MODES[run.profile.tasks[task].mode]} {shown}")
    return f"{TASKS[task].title}, gain of the layer that English dev chooses: {'; '.join(said)}."
