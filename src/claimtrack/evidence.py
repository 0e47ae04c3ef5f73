"""What a notebook leaves behind for a verdict: numbers with intervals, and what they rest on."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from claimtrack.errors import ClaimError
from claimtrack.settings import describe


class Strict(BaseModel):
    """Base of the claim records: unknown keys and NaN are errors."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class Interval(Strict):
    """A two-sided interval.

    Attributes:
        low, high: its bounds, in the unit of the estimate.
        level: how often such intervals hold the true value.
        method: how it was made.
        df: degrees of freedom of Student's t; ``None`` for an interval of another kind.
    """

    low: float
    high: float
    level: float = 0.95
    method: str
    df: float | None = None

    @model_validator(mode="after")
    def _ordered(self) -> Interval:
        if self.low > self.high:
            raise ValueError(f"interval low {self.low} lies above high {self.high}")
        return self


class Measurement(Strict):
    """One measured quantity: a claim has one or many.

    Attributes:
        measure: what it is, for example ``dev_selected_gain``; the verdict rules look parts up by it.
        task, language, layer, model: what it is about, where that applies.
        about: what else it is about, by dimension: ``{"data": "digits", "size": 32}``.
        estimate: the value, in ``unit``; ``None`` when it could not be measured (``note`` says why).
        unit: ``points`` are hundredths of a share.
        interval: of the estimate; ``None`` when the design gives none (one seed, say).
        item_variance: the part of its squared standard error that is due to the test items and no number of seeds
            removes, in the unit squared.
        minimum_detectable: smallest true value that this design would find with 80 % power.
        p_value: of the stated test, if any.
        p_adjusted: the same after Holm's correction over the layers of a task, for gains shown layer by layer.
        n_seeds, n_items: what it was computed from.
        by_seed: the values at the seeds, in their order, whose mean is the estimate; empty where not kept.
        judged: whether the verdict rule reads it; the others are shown only.
        note: one sentence for the reader.
    """

    measure: str
    task: str | None = None
    language: str | None = None
    layer: int | None = None
    model: str | None = None
    about: dict[str, str | int | float] = {}
    estimate: float | None
    interval: Interval | None = None
    unit: str
    item_variance: float = 0.0
    minimum_detectable: float | None = None
    p_value: float | None = None
    p_adjusted: float | None = None
    n_seeds: int = 0
    n_items: int = 0
    by_seed: tuple[float, ...] = ()
    judged: bool = False
    note: str = ""

    @model_validator(mode="after")
    def _mean_of_seeds(self) -> Measurement:
        mean, n = self.estimate or 0.0, len(self.by_seed)
        if n and (n != self.n_seeds or abs(sum(self.by_seed) / n - mean) > 1e-6 * max(1.0, abs(mean))):
            raise ValueError(f"by_seed has {n} values, whose mean is not the estimate over {self.n_seeds} seeds")
        return self

    @property
    def subject(self) -> str | None:
        """What it is about, as pins and decisions name it: the task, then ``data digits, size 32``, by name."""
        words = [self.task or "", *(f"{name} {value}" for name, value in sorted(self.about.items()))]
        return ", ".join(filter(None, words)) or None

    @property
    def names(self) -> tuple[str, ...]:
        """Under which a verdict may decide on it: measure and subject together, subject, task, measure."""
        whole = " ".join(filter(None, (self.measure, self.subject)))
        return tuple(filter(None, (whole, self.subject, self.task, self.measure)))


class Check(Strict):
    """A structural fact.

    Attributes:
        name: what was looked at.
        passed: whether it is as expected.
        expected, found: both sides, as text.
    """

    name: str
    passed: bool
    expected: str
    found: str


@dataclass(frozen=True)
class Trial:
    """What claims need to know of a trial.

    Attributes:
        key: its name in `Evidence.trials`.
        subject: what it was trained or run on; the ``task`` of measurements.
        model, arm, stage, seed: which of the planned trials it is.
        outcome: ``ok``, or the name of what went wrong.
        seal: hash of the newest seal when it ran; empty without one.
        score: its main score, in ``unit``; ``None`` where it is not known.
        file: where its results lie.
    """

    key: str
    subject: str
    model: str
    seed: int
    arm: str = ""
    stage: str = ""
    outcome: str = "ok"
    seal: str = ""
    score: float | None = None
    unit: str = ""
    file: Path | None = None


class Evidence(Strict):
    """Everything one claim's notebook measured in one run.

    Attributes:
        schema_version: of this format.
        claim: C01..C99 or Q01..Q99.
        profile, run: the profile; and the recorded run it belongs to, ``fresh`` for a present run.
        metric: name and version of the main metric.
        status: ``measured`` or ``missing`` (nothing to measure it from: the verdict is ``not run``).
        headline: index into ``parts`` of the number shown first; ``None`` for structural claims.
        parts, checks: the measurements.
        facts: other named values worth keeping (counts, settings).
        missing: what was absent, failed or collapsed, one line each.
        trials: keys of the trials it was computed from, sorted.
        figures: file names beside the evidence file.
    """

    schema_version: Literal[1] = 1
    claim: str = Field(pattern=r"^[CQ]\d{2}$")
    profile: str
    run: str = "fresh"
    metric: str
    status: Literal["measured", "missing"]
    headline: int | None = None
    parts: tuple[Measurement, ...] = ()
    checks: tuple[Check, ...] = ()
    facts: dict[str, float | int | str | bool] = {}
    missing: tuple[str, ...] = ()
    trials: tuple[str, ...] = ()
    figures: tuple[str, ...] = ()

    @model_validator(mode="after")
    def _consistent(self) -> Evidence:
        if self.headline is not None and not 0 <= self.headline < len(self.parts):
            raise ValueError(f"headline {self.headline} names none of {len(self.parts)} parts")
        if self.status == "measured" and not (self.parts or self.checks):
            raise ValueError("measured evidence needs parts or checks")
        return self

    @property
    def seeds_by_name(self) -> dict[str, int]:
        """Under every name that a verdict may decide on, the seeds behind its judged part, or the fewest behind
        any other."""
        parts = sorted(self.parts, key=lambda part: (part.judged, -part.n_seeds))
        return {name: part.n_seeds for part in parts for name in part.names}

    @property
    def n_seeds(self) -> int:
        """Fewest seeds behind a judged part that was measured; 0 without any."""
        judged = (part for part in self.parts if part.judged and part.estimate is not None)
        return min((part.n_seeds for part in judged), default=0)

    def differs(self, **expected: str) -> list[str]:
        """What it is about instead of what is expected, one line each."""
        found = {name: getattr(self, name) for name in expected}
        wrong = [name for name in expected if found[name] != expected[name]]
        return [f"evidence is of {name} {found[name]!r}, not {expected[name]!r}" for name in wrong]

    def measured(self, *measures: str) -> list[Measurement]:
        """The parts of these measures that the verdict may use and that have a value, measure by measure."""
        judged = [part for part in self.parts if part.judged and part.estimate is not None]
        return [part for measure in measures for part in judged if part.measure == measure]


def _refuse_twins(evidence: Evidence, path: Path) -> None:
    """Rules, pins and checks know a judged measurement by its name alone."""
    for name, n in Counter(part.names[0] for part in evidence.parts if part.judged).items():
        if n > 1:
            raise ClaimError(f"{path}: {name} is measured twice; tell them apart in `about`, or judge one of them")


def write_evidence(evidence: Evidence, folder: Path) -> Path:
    """Write ``evidence.json`` without defaults and with stable bytes: equal evidence gives equal files.

    A `ClaimError` where two judged measurements have the same measure, task and ``about``.
    """
    path = folder / "evidence.json"
    _refuse_twins(evidence, path)
    content = {"schema_version": evidence.schema_version}
    content |= evidence.model_dump(mode="json", exclude_defaults=True)
    text = json.dumps(content, indent=1, sort_keys=True, ensure_ascii=False)
    path.write_text(text + "\n", encoding="utf-8")
    return path


def read_evidence(path: Path) -> Evidence:
    """Read an evidence file; a `ClaimError` if it is absent, damaged or measures the same twice."""
    try:
        evidence = Evidence.model_validate_json(path.read_bytes())
    except FileNotFoundError:
        raise ClaimError(f"{path} does not exist; run `dvc repro` to make it") from None
    except ValidationError as error:
        raise ClaimError(f"{path}: {describe(error, Evidence)}; run `dvc repro` to make it again") from None
    _refuse_twins(evidence, path)
    return evidence
