"""All runs that have claims: the present one of a profile (``fresh``) and the recorded ones of the ledger."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic

from crosslayer.claims.bears import Conditions, Setting, SettingT
from crosslayer.claims.evidence import Evidence, read_evidence
from crosslayer.claims.registry import Registry, read_text
from crosslayer.claims.verdict import Verdict, decide
from crosslayer.claims.wording import key_number
from crosslayer.config import Profile, load_profile
from crosslayer.errors import ClaimError
from crosslayer.reading import Malformed, parse_json

FRESH = "fresh"
RESULTS = Path("results")
LEDGER = Path("claims/ledger")


@dataclass(frozen=True)
class Place(Generic[SettingT]):
    """Where a run lies.

    Attributes:
        name: ``fresh`` or the name of the recorded run.
        profile: its settings.
        folder: holds ``claims/ID/evidence.json``; of a fresh run also ``trials/``.
    """

    name: str
    profile: SettingT
    folder: Path

    @property
    def run(self) -> str | None:
        """The ``run`` of its pins: ``None`` for a fresh run."""
        return None if self.name == FRESH else self.name

    def evidence_path(self, claim: str) -> Path:
        """Where the evidence of a claim lies."""
        return self.folder / "claims" / claim / "evidence.json"


@dataclass(frozen=True)
class RunResults(Generic[SettingT]):
    """A run with what it measured and what follows from it.

    Attributes:
        name, profile, folder: as in `Place`.
        title: for readers.
        evidence: by claim id, as far as there is some.
        verdicts: of every claim of the registry, in its order.
        info: ``run.json`` (revision, hardware, versions, seconds); empty if absent.
    """

    name: str
    title: str
    profile: SettingT
    folder: Path
    evidence: dict[str, Evidence]
    verdicts: dict[str, Verdict]
    info: dict[str, Any]


def load_all(
    profile: Profile, registry: Registry, results: Path = RESULTS, ledger: Path = LEDGER
) -> list[RunResults]:
    """The fresh run of the profile, then the recorded ones by name."""
    fresh = load_fresh(profile, registry, results)
    return [fresh, *(load_recorded(folder, registry) for folder in _entries(ledger))]


def load_fresh(profile: Profile, registry: Registry, results: Path = RESULTS) -> RunResults:
    """The present results of a profile; all verdicts are `not run` where there are none.

    Raises:
        ClaimError: an evidence file is damaged.
    """
    return load(fresh_place(profile, results), registry)


def load_recorded(folder: Path, registry: Registry) -> RunResults:
    """A recorded run of the ledger.

    Raises:
        ClaimError, ConfigError: a file of it is absent or damaged.
    """
    return load(recorded_place(folder), registry)


def load(place: Place[SettingT], registry: Registry, conditions: Conditions | None = None) -> RunResults[SettingT]:
    """Read the evidence of a run and decide on every claim; ``conditions`` as in `decide`."""
    paths = {claim: place.evidence_path(claim) for claim in registry.entries if claim in place.profile.claims}
    evidence = {claim: read_evidence(path) for claim, path in paths.items() if path.exists()}
    verdicts = {
        claim: decide(entry, evidence.get(claim), place.profile, place.name, conditions)
        for claim, entry in registry.entries.items()
    }
    info = _read_info(place.folder / "run.json")
    title = f"present run of {place.profile.profile}" if place.run is None else str(info.get("title", place.name))
    return RunResults(place.name, title, place.profile, place.folder, evidence, verdicts, info)


def places(profile: Profile, results: Path = RESULTS, ledger: Path = LEDGER) -> list[Place]:
    """The fresh run if it has claims, then the recorded runs by name."""
    fresh = fresh_place(profile, results)
    recorded = [recorded_place(folder) for folder in _entries(ledger)]
    return [fresh, *recorded] if (fresh.folder / "claims").is_dir() else recorded


def fresh_place(profile: Profile, results: Path = RESULTS) -> Place:
    """Where the present run of a profile lies, or will."""
    return Place(FRESH, profile, results / profile.profile)


def recorded_place(folder: Path) -> Place:
    """Where a recorded run lies; a `ConfigError` where it has no profile."""
    return Place(folder.name, load_profile(folder / "profile.yaml"), folder)


def table(results: RunResults[Setting]) -> list[str]:
    """The verdicts of a run as lines of text: a header, then claim, verdict, bears on paper, key numbers."""
    rows = [("claim", "verdict", "bears on paper", "key numbers")]
    for claim, verdict in results.verdicts.items():
        number = key_number(results.evidence.get(claim))
        rows.append((claim, verdict.verdict, verdict.bears_on_paper, number))
    return list(_aligned(rows))


def _aligned(rows: Sequence[tuple[str, ...]]) -> Iterable[str]:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        yield "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()


def _entries(ledger: Path) -> list[Path]:
    return sorted(path for path in ledger.glob("*") if path.is_dir() and not path.name.startswith("."))


def _read_info(path: Path) -> dict[str, Any]:
    if not path.exists():
        return {}
    try:
        content = parse_json(read_text(path))
    except Malformed as error:
        place = "" if error.line is None else f", line {error.line}"
        raise ClaimError(f"{path}{place} is not JSON: {error}") from None
    if not isinstance(content, dict):
        raise ClaimError(f"{path} holds no JSON object")
    parts = content.get("parts") or []
    if not isinstance(parts, list) or not all(map(_has_stages, [content, *parts])):
        raise ClaimError(f"{path} has no seconds by stage where they belong; take the file that the run wrote")
    return content


def _has_stages(part: Any) -> bool:
    """Whether a ``run.json``, or a part of one, says of each stage that it lists how many seconds it took."""
    stages = part.get("stages", {}) if isinstance(part, dict) else None
    if not isinstance(stages, dict):
        return False
    return all(isinstance(s, dict) and isinstance(s.get("seconds"), int | float) for s in stages.values())
