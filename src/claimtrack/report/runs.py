"""A run as the report presents it: what was run, on what, at what cost, and every trial of it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from claimtrack.evidence import Trial
from claimtrack.plugin import Plugin
from claimtrack.report import numbers
from claimtrack.report.sections import Sections
from claimtrack.report.text import anchor
from claimtrack.results import RunResults
from claimtrack.runlog import parts_of
from claimtrack.wording import title


@dataclass(frozen=True)
class TrialTable:
    """The trials of one subject and stage, with what they share.

    Attributes:
        id: where a link finds it.
        file: of the predictions, in the repository.
        revision, machine: of the parts of the run that trained the stage; which of several is not recorded.
        rows: a trial, what tells it from others of its name, and the claims that rest on it.
    """

    id: str
    subject: str
    title: str
    stage: str
    file: str
    revision: str
    machine: str
    rows: tuple[tuple[Trial, str, str], ...]


@dataclass(frozen=True)
class RunView:
    """One run.

    Attributes:
        name, title, profile: as recorded.
        cautions: label and banner of each thing that its numbers cannot show.
        setting, cost, facts: rows of name and value; ``cost`` is seconds by stage as time.
        size: the amount of data.
        order, real: see `claimtrack.report.sections.RunNotes`.
        revision: of the code, or ``unknown``; several where the run was recorded in parts.
        trials: tables of all trials.
    """

    name: str
    title: str
    profile: str
    cautions: tuple[tuple[str, str], ...]
    setting: tuple[tuple[str, str], ...]
    size: str
    order: int
    real: bool
    revision: str
    cost: tuple[tuple[str, str], ...]
    facts: tuple[tuple[str, str], ...]
    trials: tuple[TrialTable, ...]

    @property
    def anchor(self) -> str:
        """Where a link finds it."""
        return anchor(f"run-{self.name}")

    @property
    def labels(self) -> str:
        """``fragment data, not mBERT``; empty without cautions."""
        return ", ".join(label for label, _ in self.cautions)

    def tables(self, claim: str, subject: str | None) -> tuple[tuple[str, str], ...]:
        """Anchor and name of the tables of trials that a claim rests on, in one subject or in all."""
        of = (t for t in self.trials if subject is None or t.subject == subject)
        used = (t for t in of if any(claim in claims.split() for _, _, claims in t.rows))
        return tuple((t.id, f"{t.title}, {t.stage}") for t in used)


def view_run(run: RunResults[Any], plugin: Plugin, sections: Sections) -> RunView:
    """Gather what the report says of a run."""
    parts = parts_of(run.info)
    revisions = dict.fromkeys(str(part.get("revision") or "unknown") for part in parts)
    spent = {stage: entry["seconds"] for stage, entry in run.info.get("stages", {}).items()}
    notes = sections.notes(run)
    return RunView(
        name=run.name,
        title=run.title,
        profile=run.profile.profile,
        cautions=notes.cautions,
        setting=notes.setting,
        size=notes.size,
        order=notes.order,
        real=notes.real,
        revision=", ".join(revisions),
        cost=tuple(_cost(spent)),
        facts=tuple((name, str(value)) for name, value in _facts(parts)),
        trials=tuple(_trial_tables(run, plugin, sections)),
    )


def _trial_tables(run: RunResults[Any], plugin: Plugin, sections: Sections) -> Iterator[TrialTable]:
    """One table a stage and subject; a trial's claims are those whose evidence names its key."""
    claims: dict[str, list[str]] = {}
    for claim, evidence in run.evidence.items():
        for key in evidence.trials:
            claims.setdefault(key, []).append(claim)
    groups: dict[tuple[str, str], list[Trial]] = {}
    for trial in plugin.trials(run.folder).values():
        groups.setdefault((trial.stage, trial.subject), []).append(trial)
    distinct = sections.distinct(run)
    for (stage, subject), trials in groups.items():
        parts = [part for part in parts_of(run.info) if _trained(part, f"{stage}-{subject}")]
        machines = [part.get("machine") or {} for part in parts]
        yield TrialTable(
            id=anchor(f"trials-{run.name}-{stage}-{subject}"),
            subject=subject,
            title=title(subject, plugin.titles),
            stage=stage,
            file=_common_file(trials),
            revision=_either(str(part.get("revision") or "")[:8] for part in parts),
            machine=_either(f"{each.get('processor')}, {each.get('cores')} cores" for each in machines if each),
            rows=tuple(
                (trial, distinct.get(trial.key, ""), " ".join(claims.get(trial.key, ())))
                for trial in sorted(trials, key=lambda trial: (_natural(trial.model), trial.arm, trial.seed))
            ),
        )


def _trained(part: Mapping[str, Any], stage: str) -> bool:
    """Whether a part of a run trained in a stage; what took no second came from elsewhere."""
    return bool(part.get("stages", {}).get(stage, {}).get("seconds", 0) >= 1)


def _common_file(trials: Sequence[Trial]) -> str:
    """The file of all trials, or the pattern of their files."""
    files = dict.fromkeys(str(trial.file).replace(trial.key, "KEY") for trial in trials if trial.file)
    return ", ".join(files)


def _either(values: Iterable[str]) -> str:
    return " or ".join(dict.fromkeys(filter(None, values))) or "not recorded"


def _natural(name: str) -> list[tuple[int, str]]:
    """An order in which ``layer_10`` comes after ``layer_9``."""
    return [(int(piece), "") if piece.isdecimal() else (-1, piece) for piece in re.split(r"(\d+)", name)]


def _cost(spent: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Seconds of the stages; what took none was done elsewhere, and its time is not recorded."""
    known = {name: float(value) for name, value in spent.items() if isinstance(value, int | float)}
    yield from ((name, numbers.seconds(value) if value >= 1 else "not recorded") for name, value in known.items())
    if known:
        yield "all that is recorded", numbers.seconds(sum(known.values()))


def _facts(parts: Sequence[Mapping[str, Any]]) -> Iterator[tuple[str, Any]]:
    """The machines of a run, part by part; packages are in ``run.json``."""
    for place, part in enumerate(parts, 1):
        known = {key: value for key, value in part.items() if key not in ("stages", "packages", "version")}
        yield from _leaves(known, f"part {place}" if len(parts) > 1 else "")


def _leaves(value: Any, name: str = "") -> Iterator[tuple[str, Any]]:
    """The values of nested mappings under dotted names."""
    if not isinstance(value, Mapping):
        if value not in (None, "", [], ()):
            yield name, ", ".join(map(str, value)) if isinstance(value, list) else value
        return
    for key, inner in value.items():
        yield from _leaves(inner, f"{name}.{key}" if name else str(key))
