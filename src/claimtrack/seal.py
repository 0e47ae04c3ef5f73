"""Seals: the values that decide each claim, written down before the trials that they judge are trained.

``claims/seals.json`` is a list of seals, the newest last. A seal holds, for each claim, the values that decide it
and their hash. It may also hold a plan. Texts, class names and module names are left out, so moving code around
breaks no seal. The record of each trial names the seal that was the newest one when the trial was trained.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import AwareDatetime, ValidationError

from claimtrack.errors import ClaimError
from claimtrack.files import write_text
from claimtrack.hashed import Hashed, Values, changes, digest
from claimtrack.plan import Plan, Planned
from claimtrack.reading import Malformed, parse_json

if TYPE_CHECKING:
    from claimtrack.evidence import Trial
    from claimtrack.registry import Entry, Registry
    from claimtrack.rules import Rule

SEALS = Path("claims/seals.json")
SEAL_AGAIN = "run `claimtrack seal --reason TEXT`"


class SealedClaim(Hashed):
    """The values that decide one claim (`decisive`), and the hash of ``values``."""

    values: Values

    def content(self) -> Values:
        """What the hash is made of."""
        return self.values


class Seal(Hashed):
    """One seal; its hash covers the hashes of its claims and of its plan.

    Attributes:
        date: when it was made (UTC).
        commit: HEAD of git then.
        reason: why.
        claims: by id.
        plan: the plan that was sealed with it, if any.
    """

    date: AwareDatetime
    commit: str
    reason: str
    claims: dict[str, SealedClaim]
    plan: Plan | None = None

    def content(self) -> Values:
        """What the hash is made of."""
        return hashes_of(self.claims, self.plan)


def hashes_of(claims: Mapping[str, SealedClaim], plan: Plan | None) -> Values:
    """What the hash of a seal is made of."""
    hashes = {"claims": {claim: sealed.hash for claim, sealed in claims.items()}}
    return hashes | ({"plan": plan.hash} if plan else {})


def decisive(entry: Entry, rule: Rule) -> Values:
    """Everything that decides a claim, as JSON values."""
    return {
        "rule": entry.rule,
        "thresholds": {name: float(value) for name, value in rule.decided_by.items()},
        "measures": list(rule.measures),
        "metric": entry.metric,
        "claimed": entry.claimed.model_dump(mode="json", exclude_defaults=True),
    }


def sealed_claims(registry: Registry, rules: Mapping[str, Rule]) -> dict[str, SealedClaim]:
    """What a seal of the present rules holds."""
    values = {claim: decisive(entry, rules[entry.rule]) for claim, entry in registry.entries.items()}
    return {claim: SealedClaim(hash=digest(found), values=found) for claim, found in values.items()}


def read_seals(path: Path = SEALS) -> tuple[Seal, ...]:
    """All seals, the newest last; none where there is no file.

    Raises:
        ClaimError: the file is damaged or was edited by hand.
    """
    try:
        content = parse_json(path.read_bytes())
        if not isinstance(content, list):
            raise Malformed("it is no list of seals")
        return tuple(map(Seal.model_validate, content))
    except FileNotFoundError:
        return ()
    except OSError as error:
        raise ClaimError(f"{path} cannot be read: {error.strerror}") from None
    except (Malformed, RecursionError) as error:
        raise ClaimError(f"{path} is damaged: {error}; restore it from git") from None
    except ValidationError as error:
        first = error.errors()[0]
        key, message = ".".join(map(str, first["loc"])), first["msg"].removeprefix("Value error, ")
        raise ClaimError(f"{path}: {key:.80}: {message}".replace(": :", ":")) from None


def newest_hash(path: Path = SEALS) -> str:
    """The hash of the newest seal, for the records of the trials that are trained now; empty without seals."""
    seals = read_seals(path)
    return seals[-1].hash if seals else ""


def add_seal(
    claims: Mapping[str, SealedClaim], reason: str, commit: str, path: Path = SEALS, plan: Plan | None = None
) -> list[str]:
    """Append a seal to the file.

    Args:
        claims: what the present rules give (`sealed_claims`).
        reason: why they are sealed now.
        commit: HEAD of git.
        path: the file.
        plan: to be sealed with them.

    Returns:
        One line for each claim that changed and for the plan.

    Raises:
        ClaimError: no reason, nothing to seal, or a damaged file.
    """
    reason = " ".join(reason.split())
    if not reason or not reason.isprintable():
        raise ClaimError("a seal needs a reason in plain words; add --reason TEXT")
    seals = read_seals(path)
    before = seals[-1].claims if seals else {}
    found = _changed(before, claims, "{} {} -> {}", "sealed for the first time", "not in the registry any more")
    lines = [f"{claim}: {told}" for claim, told in found.items()]
    if plan and plan != plan_of_profile(plan.profile, seals):
        n_trials = sum(map(len, plan.seeds.values()))
        lines.append(f"plan of {plan.profile}: {n_trials} trials, judged {plan.judged_at}")
    if not lines:
        raise ClaimError("nothing has changed since the newest seal; there is nothing to seal")
    now, whole = datetime.now(UTC).replace(microsecond=0), digest(hashes_of(claims, plan))
    seal = Seal(date=now, commit=commit, reason=reason, claims=dict(claims), plan=plan, hash=whole)
    content = [item.model_dump(mode="json", exclude_defaults=True) for item in (*seals, seal)]
    write_text(path, json.dumps(content, indent=1) + "\n")
    return lines


def seal_problems(claims: Mapping[str, SealedClaim], seal: Seal) -> dict[str, str]:
    """By claim, one line for each whose deciding values are not those of the seal."""
    day = f"{seal.date:%Y-%m-%d}"
    changed = f"{{}} was {{}} when sealed on {day}, is {{}}"
    found = _changed(seal.claims, claims, changed, f"not in the seal of {day}", f"sealed on {day}, now absent")
    return {claim: f"{claim}: {told}; {SEAL_AGAIN}" for claim, told in found.items()}


def _changed(
    old: Mapping[str, SealedClaim], new: Mapping[str, SealedClaim], changed: str, added: str, removed: str
) -> dict[str, str]:
    """What differs, by claim; ``changed`` is a format of a value's name and both sides."""
    told = dict.fromkeys(sorted(new.keys() - old.keys()), added)
    told |= dict.fromkeys(sorted(old.keys() - new.keys()), removed)
    for claim in old.keys() & new.keys():
        if old[claim].hash != new[claim].hash:
            told[claim] = ", ".join(
                changed.format(*each) for each in changes(old[claim].values, new[claim].values)
            )
    return dict(sorted(told.items()))


def sealed_before(entry: Entry, rule: Rule, trials: Sequence[Trial], seals: Iterable[Seal]) -> bool | None:
    """Whether the present rule of a claim was sealed before the first of the trials was trained.

    Args:
        entry: the claim.
        rule: its verdict rule.
        trials: those that the evidence rests on.
        seals: all of them.

    Returns:
        ``None`` where the evidence rests on no trial.
    """
    if not trials:
        return None
    present = digest(decisive(entry, rule))
    fitting = {seal.hash for seal in seals if entry.id in seal.claims and seal.claims[entry.id].hash == present}
    return all(trial.seal in fitting for trial in trials)


def plan_of_profile(profile: str, seals: Sequence[Seal]) -> Plan | None:
    """The newest plan that was sealed for the profile of that name."""
    plans = (seal.plan for seal in reversed(seals) if seal.plan and seal.plan.profile == profile)
    return next(plans, None)


def plan_problems(planned: Planned, seals: Sequence[Seal]) -> list[str]:
    """One line where settings are not what the plan of their name sealed."""
    plan = plan_of_profile(planned.profile, seals)
    found = list(changes(plan.grid, planned.grid)) if plan else []
    told = ", ".join(f"{name} was {was} when sealed, is {now}" for name, was, now in found)
    return [f"plan of {planned.profile}: {told}; set it as it was, or seal a new plan"] if found else []
