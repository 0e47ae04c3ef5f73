"""Seals: what decides each claim, and which trials are planned, written down before the trials are trained.

``claims/seals.json`` is a list of seals, the newest last. A seal holds, for each claim, the values that decide it
and their hash. It may also hold a plan: which trials will be trained, and when they are judged; until then only
counts are shown. Texts, class names and module names are left out, so moving code around breaks no seal. The
record of each trial names the seal that was the newest one when the trial was trained.

A hash is the SHA-256 of canonical JSON: keys sorted, no blanks, ASCII, floats as Python's ``repr`` writes them.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Annotated, Any, Self

from pydantic import AwareDatetime, Field, StringConstraints, TypeAdapter, ValidationError, model_validator

from claimtrack.entries import Entry
from claimtrack.errors import ClaimError
from claimtrack.evidence import Strict, Trial
from claimtrack.files import write_text
from claimtrack.rules import Rule
from claimtrack.settings import describe

SEALS = Path("claims/seals.json")
SEAL_AGAIN = "run `claimtrack seal --reason TEXT`"
FINISHED = ("ok", "collapsed", "nan_loss")
"""Outcomes of trials that are not tried again."""
Values = dict[str, Any]
Count = Annotated[int, Field(ge=1)]


def digest(values: Any) -> str:
    """SHA-256 of the canonical JSON; a ValueError for NaN and infinity."""
    text = json.dumps(values, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()


class Hashed(Strict):
    """A record whose ``hash`` must fit its `content`."""

    hash: Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]

    def content(self) -> Values:
        """What the hash is made of."""
        return self.model_dump(mode="json", exclude={"hash"}, exclude_defaults=True)

    @classmethod
    def made(cls, **values: Any) -> Self:
        """A record of these values, with their hash."""
        return cls(hash=digest(cls.model_construct(**values).content()), **values)

    @model_validator(mode="after")
    def _unchanged(self) -> Self:
        if digest(self.content()) != self.hash:
            raise ValueError("the hash does not fit the values")
        return self


class JudgedAt(Strict):
    """When a plan is judged.

    Attributes:
        seeds: as soon as every model of every task has that many seeds.
        day: or from that day on (UTC), if every model has ``at_least`` seeds.
        at_least: fewest seeds that are judged.
    """

    seeds: Count | None = None
    day: date | None = None
    at_least: Count = 1

    def __str__(self) -> str:
        """``10 seeds or on 2026-12-20 with at least 6``."""
        seeds = f"at {self.seeds} seeds" if self.seeds else ""
        day = f"on {self.day} with at least {self.at_least}" if self.day else ""
        return " or ".join(filter(None, (seeds, day)))


class Planned(Strict):
    """What settings plan, without anything that names a machine.

    Attributes:
        profile: their name.
        grid: the parts of them that decide the trials, as JSON values.
        seeds: the planned seeds of each model, by its `model_name`: ``{"sweep/pos/layer_8/none": [10, 11]}``.
    """

    profile: str
    grid: Values
    seeds: dict[str, list[int]]


class Plan(Planned, Hashed):
    """What will be trained, and when it is judged."""

    judged_at: JudgedAt

    @property
    def n_trials(self) -> int:
        """How many trials are planned."""
        return sum(map(len, self.seeds.values()))


class SealedClaim(Hashed):
    """The values that decide one claim (`decisive`), and the hash of ``values``."""

    values: Values

    def content(self) -> Values:
        return self.values


class Seal(Hashed):
    """One seal: its hash covers the hashes of its claims and its plan; ``commit`` was HEAD of git on its date."""

    date: AwareDatetime
    commit: str
    reason: str
    claims: dict[str, SealedClaim]
    plan: Plan | None = None

    def content(self) -> Values:
        hashes = {"claims": {claim: sealed.hash for claim, sealed in self.claims.items()}}
        return hashes | ({"plan": self.plan.hash} if self.plan else {})


def decisive(entry: Entry, rule: Rule) -> Values:
    """Everything that decides a claim, as JSON values."""
    return {
        "rule": entry.rule,
        "thresholds": {name: float(value) for name, value in rule.decided_by.items()},
        "measures": list(rule.measures),
        "metric": entry.metric,
        "claimed": entry.claimed.model_dump(mode="json", exclude_defaults=True),
    }


def sealed_claims(entries: Mapping[str, Entry], rules: Mapping[str, Rule]) -> dict[str, SealedClaim]:
    """What a seal of the present rules holds, by claim."""
    return {claim: SealedClaim.made(values=decisive(entry, rules[entry.rule])) for claim, entry in entries.items()}


def read_seals(path: Path = SEALS) -> tuple[Seal, ...]:
    """All seals, the newest last; none where there is no file, a `ClaimError` where it is damaged or a hashed
    value was edited."""
    try:
        return TypeAdapter(tuple[Seal, ...]).validate_json(path.read_bytes())
    except FileNotFoundError:
        return ()
    except ValidationError as error:
        raise ClaimError(f"{path} is damaged: {describe(error, Seal)}; restore it from git") from None


def newest_hash(path: Path = SEALS) -> str:
    """The hash of the newest seal, for the records of the trials that are trained now; empty without seals."""
    seals = read_seals(path)
    return seals[-1].hash if seals else ""


def add_seal(
    claims: Mapping[str, SealedClaim], reason: str, commit: str, path: Path = SEALS, plan: Plan | None = None
) -> list[str]:
    """Append a seal of what the present rules give (`sealed_claims`); a line for each claim and plan that is new.

    A `ClaimError` where there is no reason, nothing to seal, a plan whose day has come, or a damaged file.
    """
    reason = " ".join(reason.split())
    if not reason or not reason.isprintable():
        raise ClaimError("a seal needs a reason in plain words; add --reason TEXT")
    now = datetime.now(UTC).replace(microsecond=0)
    if plan and plan.judged_at.day and plan.judged_at.day <= now.date():
        raise ClaimError(f"--or-date {plan.judged_at.day} has come: first seeds would be judged; name a later day")
    seals = read_seals(path)
    before = seals[-1].claims if seals else {}
    lines = [f"{claim}: sealed for the first time" for claim in claims if claim not in before]
    lines += [f"{claim}: no longer in the registry" for claim in before if claim not in claims]
    for claim in sorted(claims.keys() & before.keys()):
        changes = _changes(before[claim].values, claims[claim].values, "last sealed")
        lines += [f"{claim}: {change}" for change in changes]
    if plan and plan != plan_of_profile(plan.profile, seals):
        lines.append(f"plan of {plan.profile}: {plan.n_trials} trials, judged {plan.judged_at}")
    if not lines:
        raise ClaimError("nothing has changed since the newest seal; there is nothing to seal")
    seal = Seal.made(date=now, commit=commit, reason=reason, claims=dict(claims), plan=plan)
    content = [item.model_dump(mode="json", exclude_defaults=True) for item in (*seals, seal)]
    text = re.sub(
        r"(?<=: )\[[\s\d,]+\](?=,?\n)", lambda found: " ".join(found[0].split()), json.dumps(content, indent=1)
    )
    write_text(path, f"{text}\n")  # the seeds of a model on one line
    return lines


def seal_problems(claims: Mapping[str, SealedClaim], seal: Seal) -> dict[str, str]:
    """By claim, one line for each whose deciding values are not those of the seal."""
    day, told = f"{seal.date:%Y-%m-%d}", {}
    for claim in sorted(seal.claims.keys() | claims.keys()):
        if claim not in seal.claims:
            told[claim] = f"not in the seal of {day}"
        elif claim not in claims:
            told[claim] = f"sealed on {day}, now absent"
        else:
            told[claim] = ", ".join(_changes(seal.claims[claim].values, claims[claim].values, f"sealed on {day}"))
    return {claim: f"{claim}: {text}; {SEAL_AGAIN}" for claim, text in told.items() if text}


def sealed_before(entry: Entry, rule: Rule, named: Sequence[str], seals: Iterable[Seal]) -> bool | None:
    """Whether the present rule of a claim was sealed before the first of the trials behind its evidence was
    trained, from the hash of the seal that each of them names; ``None`` without any trial."""
    if not named:
        return None
    present = digest(decisive(entry, rule))
    fitting = {seal.hash for seal in seals if entry.id in seal.claims and seal.claims[entry.id].hash == present}
    return fitting.issuperset(named)


def plan_of_profile(profile: str, seals: Sequence[Seal]) -> Plan | None:
    """The newest plan that was sealed for the profile of that name."""
    plans = (seal.plan for seal in reversed(seals) if seal.plan and seal.plan.profile == profile)
    return next(plans, None)


def plan_problems(planned: Planned, seals: Sequence[Seal]) -> list[str]:
    """One line where settings are not what the plan of their name sealed."""
    plan = plan_of_profile(planned.profile, seals)
    told = ", ".join(_changes(plan.grid, planned.grid, "sealed")) if plan else ""
    return [f"plan of {planned.profile}: {told}; set it as it was, or seal a new plan"] if told else []


def not_due(profile: str, trials: Iterable[Trial], seals: Sequence[Seal]) -> str:
    """How far the sealed plan of a profile is, while it is not due; empty if it is, or if there is none.

    A recorded run is held back as a present one is: recording it would be a way to look early.
    """
    plan = plan_of_profile(profile, seals)
    return counts_only(plan, trials, datetime.now(UTC).date()) if plan else ""


def counts_only(plan: Plan, trials: Iterable[Trial], today: date) -> str:
    """What is said in place of verdicts while a plan is not due; empty once it is.

    ``sealed plan: 312 of 560 trials; judged at 10 seeds or on 2026-12-20 with at least 6``
    """
    done: dict[str, set[int]] = defaultdict(set)
    for trial in trials:
        if trial.outcome in FINISHED:
            done[model_name(trial.stage, trial.subject, trial.model, trial.arm)].add(trial.seed)
    left = {model: set(seeds) - done[model] for model, seeds in plan.seeds.items()}
    most = max(map(len, plan.seeds.values()), default=0)
    # a model with fewer planned seeds no longer counts once it has them all
    n_seeds = min((len(plan.seeds[model]) - len(rest) for model, rest in left.items() if rest), default=most)
    when = plan.judged_at
    enough = when.seeds is not None and n_seeds >= when.seeds
    if enough or (when.day is not None and today >= when.day and n_seeds >= when.at_least):
        return ""
    n_done = plan.n_trials - sum(map(len, left.values()))
    return f"sealed plan: {n_done} of {plan.n_trials} trials; judged {plan.judged_at}"


def model_name(stage: str, subject: str, model: str, arm: str) -> str:
    """How a plan names a model."""
    return f"{stage}/{subject}/{model}/{arm}"


def _changes(old: Values, new: Values, sealed: str, prefix: str = "") -> Iterator[str]:
    """``NAME was 0.5 when sealed, is 0.3`` for each value that differs; thresholds go by their own names."""
    for name in sorted({*old, *new}):
        was, now = old.get(name, "absent"), new.get(name, "absent")
        if isinstance(was, dict) and isinstance(now, dict):
            yield from _changes(was, now, sealed, "" if name == "thresholds" else f"{prefix}{name}.")
        elif _text(was) != _text(now):
            yield f"{prefix}{name} was {_text(was)} when {sealed}, is {_text(now)}"


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, sort_keys=True)
