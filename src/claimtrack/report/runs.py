"""A run as the report presents it: what was run, on what, at what cost, and what its numbers cannot show."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from typing import TYPE_CHECKING, Any

from claimtrack.registry import Condition
from claimtrack.relevance import CONDITIONS
from claimtrack.report import numbers
from claimtrack.runlog import parts_of
from crosslayer.config import Profile
from crosslayer.ledger.ledger import STAGES, RecordedRun
from crosslayer.paper.scores import that_learnt
from crosslayer.predictions.batches import by_batch
from crosslayer.predictions.records import TaskTable, TrialRecord
from crosslayer.tasks import TASK_NAMES, TASKS

if TYPE_CHECKING:
    from claimtrack.results import RunResults

CAUTIONS: tuple[tuple[Condition, str, str], ...] = (
    (
        "fragment",
        "fragment data",
        "The data are the built-in hand-written fragment: these numbers show that the machinery works end to end "
        "and are no evidence about the paper.",
    ),
    (
        "random_encoder",
        "random encoder",
        "The encoder has random weights: these numbers test the pipeline and mean nothing else.",
    ),
    (
        "similarity_encoder",
        "not mBERT",
        "The encoder is multilingual-e5-small, not mBERT. It was trained contrastively to be cross-lingual at its "
        "last layer: C01, the similarity part of C03, C08 and C09 measured on it say nothing about mBERT, and the "
        "rest is indirect evidence about the paper.",
    ),
    (
        "other_encoder",
        "not mBERT",
        "The encoder is not mBERT: these numbers are indirect evidence about the paper.",
    ),
    (
        "frozen_trunk",
        "frozen encoder",
        "The encoder stays frozen in at least one task: fusing a lower layer can then gain far more than after "
        "fine-tuning.",
    ),
)
"""Condition, label and banner; of two with one label the first counts."""


@dataclass(frozen=True)
class RunView:
    """One run.

    Attributes:
        name, title, profile: as recorded.
        cautions: label and banner of each thing that its numbers cannot show; empty for the paper's own setting.
        setting, cost, facts: rows of name and value; ``setting`` of a recorded run says what was trained, of a
            present one what is planned; ``cost`` is seconds by stage as time.
        revision: of the code, or ``unknown``; several where the run was recorded in parts.
    """

    name: str
    title: str
    profile: str
    cautions: tuple[tuple[str, str], ...]
    setting: tuple[tuple[str, str], ...]
    revision: str
    cost: tuple[tuple[str, str], ...]
    facts: tuple[tuple[str, str], ...]

    @property
    def labels(self) -> str:
        """``fragment data, not mBERT``; empty without cautions."""
        return ", ".join(label for label, _ in self.cautions)


def view_run(run: RunResults) -> RunView:
    """Gather what the report says of a run."""
    parts = parts_of(run.info)
    revisions = dict.fromkeys(str(part.get("revision") or "unknown") for part in parts)
    spent = {stage: entry["seconds"] for stage, entry in run.info.get("stages", {}).items()}
    return RunView(
        name=run.name,
        title=run.title,
        profile=run.profile.profile,
        cautions=cautions(run.profile),
        setting=(*_inputs(run.profile), *(_trained(run) if _is_recorded(run) else _planned(run.profile))),
        revision=", ".join(revisions),
        cost=tuple(_cost(spent)),
        facts=tuple((name, str(value)) for name, value in _facts(parts)),
    )


def cautions(profile: Profile) -> tuple[tuple[str, str], ...]:
    """Labels and banners that hold for a profile."""
    found: dict[str, str] = {}
    for condition, label, banner in CAUTIONS:
        if CONDITIONS[condition](profile):
            found.setdefault(label, banner)
    if "random encoder" in found:
        found.pop("not mBERT", None)
    return tuple(found.items())


def _inputs(profile: Profile) -> Iterator[tuple[str, str]]:
    encoder = profile.encoder
    source = {"packaged": "multilingual-e5-small, packaged", "random": "random weights"}.get(encoder.source)
    yield "encoder", source or f"{encoder.name} {encoder.revision or ''}".strip()
    yield "data", profile.data.source


def _planned(profile: Profile) -> Iterator[tuple[str, str]]:
    sweep = profile.sweep
    yield "tasks", ", ".join(f"{name} ({task.mode})" for name, task in profile.tasks.items())
    yield "fusion layers", _spaced(sweep.layers)
    yield "controls", _spaced(sweep.controls)
    yield "seeds", _spaced(sweep.seeds)
    for task in sweep.by_task:
        own = sweep.of(task)
        shown = (
            f"fusion layers {_spaced(own.layers)}; controls {_spaced(own.controls)}; seeds {_spaced(own.seeds)}"
        )
        yield f"of them for {TASKS[task].title}", shown
    yield "precision, threads", f"{profile.compute.precision}, {profile.compute.threads}"


def _is_recorded(run: RunResults) -> bool:
    return (run.folder / "trials.json").is_file()


def _trained(run: RunResults) -> Iterator[tuple[str, str]]:
    """What is recorded, by stage and task: its profile may plan more."""
    recorded = RecordedRun(run.folder)
    for stage, task in product(STAGES, TASK_NAMES):
        if trials := recorded.records(stage, task):
            after = " after an intermediate task" if stage == "intermediate" else ""
            told = ". Not compared with them: ".join(_told(b, recorded) for b in by_batch(trials).values())
            yield f"trained, {TASKS[task].title}{after}", told
            predicted = [trial for trial in trials if trial.outcome in ("ok", "collapsed")]
            if stage == "sweep" and predicted:
                yield f"tested, {TASKS[task].title}", _tested(recorded.table(predicted[:1], "test"))


def _tested(table: TaskTable) -> str:
    """``10,500 pairs in 7 languages: en de es fr ja ko zh``."""
    unit = "pairs" if TASKS[table.records[0].task].kind == "pair" else "words"
    return f"{len(table.gold):,} {unit} in {len(table.languages)} languages: {_spaced(table.languages)}"


def _told(trials: Sequence[TrialRecord], run: RecordedRun) -> str:
    """``15 trials: baseline; layers 4 6 8 11; seeds 0 1 2; finetuned; bfloat16; 1 collapsed``."""
    fused = [trial.model == f"layer_{trial.layer}" for trial in trials]
    parts: list[tuple[str, list[object]]] = [
        ("", [t.model for t, layer in zip(trials, fused, strict=True) if not layer]),
        ("layers", [t.layer for t, layer in zip(trials, fused, strict=True) if layer]),
        ("arms", [t.arm for t in trials if t.stage == "intermediate"]),
        ("seeds", [*sorted({t.seed for t in trials})]),
        ("", [t.mode for t in trials]),
        ("", [t.precision for t in trials]),
    ]
    told = [f"{word} {_spaced(dict.fromkeys(found))}".strip() for word, found in parts if found]
    ended = Counter(t.outcome.replace("_", " ") for t in trials if t.outcome != "ok")
    told += [f"{n} {outcome}" for outcome, n in ended.items()]
    if at_chance := len(that_learnt(run, trials)[1]):
        told.append(f"{at_chance} stayed at chance")
    return f"{len(trials)} trials: {'; '.join(told)}"


def _spaced(values: Iterable[object]) -> str:
    return " ".join(map(str, values)) or "none"


def _cost(spent: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    known = {name: float(value) for name, value in spent.items() if isinstance(value, int | float)}
    yield from ((name, numbers.seconds(value)) for name, value in known.items())
    if known:
        yield "all stages", numbers.seconds(sum(known.values()))


def _facts(parts: Sequence[Mapping[str, Any]]) -> Iterator[tuple[str, Any]]:
    """What else is known of a run; of one that was recorded in several parts, of each."""
    for number, part in enumerate(parts, 1):
        told = ("stages",) if len(parts) > 1 else ("stages", "revision")
        known = {key: value for key, value in part.items() if key not in told}
        yield from _leaves(known, f"part {number}" if len(parts) > 1 else "")


def _leaves(value: Any, name: str = "") -> Iterator[tuple[str, Any]]:
    """The values of nested mappings under dotted names."""
    if not isinstance(value, Mapping):
        if value not in (None, "", [], ()):
            yield name, ", ".join(map(str, value)) if isinstance(value, list) else value
        return
    for key, inner in value.items():
        yield from _leaves(inner, f"{name}.{key}" if name else str(key))
