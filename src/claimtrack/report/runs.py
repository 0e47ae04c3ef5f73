"""A run as the report presents it: what was run, on what, at what cost, and every trial of it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from claimtrack.evidence import Trial
from claimtrack.plugin import Plugin
from claimtrack.report import numbers
from claimtrack.report.text import anchor
from claimtrack.runlog import parts_of
from claimtrack.runs import RunResults
from claimtrack.sections import RunNotes, Sections
from claimtrack.wording import title

Rows = Mapping[tuple[str, str, tuple[str, ...]], Mapping[int, Sequence[Trial]]]
"""By model (with its arm, if any), what tells it from others of its name, and the claims on it: trials by seed."""


@dataclass(frozen=True)
class TrialTable:
    """The trials of one subject and stage.

    Attributes:
        id: where a link finds it.
        file: of the predictions, in the repository.
        revision: of the parts of the run that trained the stage; which of several is not recorded.
        rows: in a natural order.
    """

    id: str
    subject: str
    title: str
    stage: str
    file: str
    revision: str
    trials: Sequence[Trial]
    rows: Rows


@dataclass(frozen=True, kw_only=True)
class RunView(RunNotes):
    """One run, with the project's notes on it.

    Attributes:
        withheld: what it waits for where its sealed plan is not due, else empty.
        revision: of the code, or ``unknown``; several where the run was recorded in parts.
        cost: time by stage.
        facts: revision and machine of each of its parts.
    """

    name: str
    title: str
    profile: str
    withheld: str
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
        used = (t for t in of if any(claim in claims for _, _, claims in t.rows))
        return tuple((t.id, f"{t.title}, {t.stage}") for t in used)


def view_run(run: RunResults, plugin: Plugin, sections: Sections) -> RunView:
    """Gather what the report says of a run."""
    parts = parts_of(run.info)
    return RunView(
        **vars(sections.notes(run)),
        name=run.name,
        title=run.title,
        profile=run.profile.profile,
        withheld=run.withheld,
        revision=", ".join(dict.fromkeys(str(part.get("revision") or "unknown")[:8] for part in parts)),
        cost=tuple(_cost(run.info.get("stages", {}))),
        facts=tuple(_facts(parts)),
        trials=tuple(_trial_tables(run, plugin, sections)),
    )


def _trial_tables(run: RunResults, plugin: Plugin, sections: Sections) -> Iterator[TrialTable]:
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
        revisions = [str(part.get("revision") or "")[:8] for part in parts]
        yield TrialTable(
            id=anchor(f"trials-{run.name}-{stage}-{subject}"),
            subject=subject,
            title=title(subject, plugin.titles),
            stage=stage,
            file=", ".join(dict.fromkeys(_anonymous(trial) for trial in trials if trial.file)),
            revision=" or ".join(dict.fromkeys(filter(None, revisions))) or "not recorded",
            trials=trials,
            rows=_rows(trials, distinct, claims),
        )


def _anonymous(trial: Trial) -> str:
    """The trial's file with KEY in place of its key."""
    return re.sub(rf"(?<![A-Za-z0-9]){re.escape(trial.key)}(?![A-Za-z0-9])", "KEY", str(trial.file))


def _rows(trials: Iterable[Trial], distinct: Mapping[str, str], claims: Mapping[str, Sequence[str]]) -> Rows:
    rows: dict[tuple[str, str, tuple[str, ...]], dict[int, list[Trial]]] = {}
    for trial in sorted(trials, key=lambda trial: (_natural(trial.model), trial.arm, trial.seed)):
        model = trial.model if trial.arm in ("", "none") else f"{trial.model}, {trial.arm}"
        name = (model, distinct.get(trial.key, ""), tuple(claims.get(trial.key, ())))
        rows.setdefault(name, {}).setdefault(trial.seed, []).append(trial)
    return rows


def _trained(part: Mapping[str, Any], stage: str) -> bool:
    """Whether a part of a run trained in a stage; what took no second came from elsewhere."""
    return bool(part.get("stages", {}).get(stage, {}).get("seconds", 0) >= 1)


def _natural(name: str) -> list[tuple[int, str]]:
    """An order in which ``layer_10`` comes after ``layer_9``."""
    return [(int(piece), "") if piece.isdecimal() else (-1, piece) for piece in re.split(r"(\d+)", name)]


def _cost(stages: Mapping[str, Mapping[str, Any]]) -> Iterator[tuple[str, str]]:
    """Seconds of the stages; what took none was done elsewhere, and its time is not recorded."""
    spent = {
        stage: max(entry.get("seconds", 0.0), entry.get("trained_seconds", 0.0)) for stage, entry in stages.items()
    }
    for stage, seconds in spent.items():
        yield stage, numbers.seconds(seconds) if seconds >= 1 else "not recorded"
    if spent:
        yield "all that is recorded", numbers.seconds(sum(spent.values()))


def _facts(parts: Sequence[Mapping[str, Any]]) -> Iterator[tuple[str, str]]:
    """Revision and machine of each part of a run, and what trained elsewhere; packages are in ``run.json``."""
    for place, part in enumerate(parts, 1):
        own = part.get("machine") or {}
        elsewhere = {stage: entry.get("machine") or own for stage, entry in part.get("stages", {}).items()}
        told = [str(part.get("title") or ""), f"revision {part.get('revision') or 'unknown'}", _machine(own)]
        told += [f"{stage} on: {_machine(other)}" for stage, other in elsewhere.items() if other != own]
        yield f"part {place}", "; ".join(filter(None, told))


def _machine(about: Mapping[str, Any]) -> str:
    return ", ".join(f"{name.replace('_', ' ')} {value}" for name, value in about.items())
