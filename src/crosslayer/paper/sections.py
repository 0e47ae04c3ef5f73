"""What this paper adds to the report of claimtrack: the question of the first screen, what a run is, its trials.

The tables of the paper, rebuilt, are in `crosslayer.paper.sections_tables`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path

from claimtrack.decisions import Decision
from claimtrack.evidence import Measurement
from claimtrack.runs import RunResults
from claimtrack.sections import Chapter, FirstScreen, RunNotes, Section, Sections
from crosslayer.config import Profile
from crosslayer.paper import sections_tables
from crosslayer.paper.conditions import CONDITIONS, fragment, frozen_trunk, other_encoder
from crosslayer.predictions.records import PREDICTED
from crosslayer.predictions.runs import open_run, records_of
from crosslayer.tasks import TASK_NAMES, TASKS

COSTS = Path("benchmarks/recorded/paper.json")
CAUTIONS = {
    "fragment": (
        "fragment data",
        "The data are the built-in hand-written fragment: these numbers show that the machinery works end to end "
        "and are no evidence about the paper.",
    ),
    "random_encoder": (
        "random encoder",
        "The encoder has random weights: these numbers test the pipeline and mean nothing else.",
    ),
    "similarity_encoder": (
        "e5-small, not mBERT",
        "The encoder is multilingual-e5-small, not mBERT. It was trained contrastively to be cross-lingual at its "
        "last layer: C01, the similarity part of C03, C08 and C09 measured on it say nothing about mBERT, and the "
        "rest is indirect evidence about the paper.",
    ),
    "other_encoder": (
        "not mBERT",
        "The encoder is not mBERT: these numbers are indirect evidence about the paper.",
    ),
    "frozen_trunk": (
        "frozen encoder",
        "The encoder stays frozen in at least one task: fusing a lower layer can then gain far more than after "
        "fine-tuning.",
    ),
    "reduced": (
        "reduced setting",
        "The setting is smaller than the paper's: fewer training items, languages, tasks or trained layers.",
    ),
}
"""Label and banner by condition; of two about the encoder the first counts."""
_RESTRICTED = re.compile(r"among (layers? [\d, ]+ only)")


class PaperSections(Sections):
    """The report of Chen et al. 2022."""

    first = FirstScreen(
        question="Does fusing a lower layer help?",
        claim="C05",
        size="C06",
        axis="gain in points over the baseline, layer chosen on English dev",
        note="dot and 95 % bar: here; circles: seeds; diamond: paper (POS has another metric); band: claimed",
        others={
            "C02": "More than equal capacity?",
            "C07": "A best layer for each task?",
            "Q01": "Better calibrated?",
        },
        words={"holds": "gain shown", "refuted": "no gain shown"},
        built="Built as described",
    )
    chapters = (
        Chapter("Gains", ("C05", "C06"), ("layers", "failures")),
        Chapter("Controls, and frozen against fine-tuned", ("C02",), ("modes",)),
        Chapter("Layers", ("C07", "C03", "C01"), ("near",)),
        Chapter("Calibration", ("Q01",)),
    )

    differences = (
        "_minus_", "_over_common", "gain", "slope", "excess", "difference", "correlation", "_change_",
        "_per_step_",
    )  # fmt: skip

    def __init__(self) -> None:
        self._records, self._tested = cache(records_of), cache(_tested)

    def notes(self, run: RunResults) -> RunNotes:
        """What was run, and what its numbers cannot show."""
        profile, made_up = run.profile, fragment(run.profile)
        sizes = {TASKS[task].title: spec.sizes.train for task, spec in profile.tasks.items()}
        named = ", ".join(f"{title} {'all' if n is None else f'{n:,}'}" for title, n in sizes.items())
        encoder = profile.encoder
        source = {"packaged": "multilingual-e5-small, packaged", "random": "random weights"}.get(encoder.source)
        told = source or f"{encoder.name} {encoder.revision or ''}".strip()
        return RunNotes(
            cautions=cautions(profile),
            setting=(("encoder", told), ("data", profile.data.source), *self._tested(run.folder)),
            size="made-up sentences" if made_up else f"training items: {named}",
            order=2 if made_up else int(frozen_trunk(profile)),
            real=not made_up,
        )

    def distinct(self, run: RunResults) -> Mapping[str, str]:
        """Mode and precision: models are compared within one."""
        return {record.key: f"{record.mode}, {record.precision}" for record in self._records(run.folder)}

    def remark(self, part: Measurement) -> str:
        """Where a layer was chosen among some only."""
        found = _RESTRICTED.search(part.note)
        return found[1] if found else ""

    def sentences(self, gain: Mapping[str, Decision], size: Mapping[str, Decision], claimed: str) -> Sequence[str]:
        """Whether it helps, and whether by as much as is claimed."""
        by_gain, by_size = (_by_decision(found) for found in (gain, size))
        no, open_ = by_gain.get("refuted", []), [*by_gain.get("undecided", []), *by_gain.get("missing", [])]
        helped = by_gain.get("holds", [])
        be = "is" if len(open_) == 1 else "are"
        rest = [
            f"no gain on {_listed(no)}" if no else "",
            f"{_listed(open_)} {be} undecided" if open_ else "",
        ]
        told = "; ".join(filter(None, rest))
        if len(helped) == len(gain):
            first = f"Fusing a lower layer probably helps on all tasks: {_listed(helped)}."
        elif helped:
            first = f"Fusing a lower layer probably helps on {_listed(helped)}; {told}."
        else:
            first = f"No task shows a gain: {told}."
        ruled_out, reached = by_size.get("refuted", []), by_size.get("holds", [])
        if reached:
            second = f"A gain of the claimed {claimed} points is possible on {_listed(reached)}."
        elif ruled_out:
            second = f"The claimed {claimed} points are ruled out on {_listed(ruled_out)} and shown on no task."
        else:
            second = f"Whether it gains the claimed {claimed} points is undecided on every task."
        return first, second

    def costs(self, runs: Sequence[RunResults]) -> Sequence[str]:
        """What the paper's own setting would cost, unless a run of it is there."""
        if any(not other_encoder(run.profile) for run in runs) or not COSTS.is_file():
            return ()
        sheets = json.loads(COSTS.read_text(encoding="utf-8"))["sheets"]
        cells = (pair for sheet in sheets for pair in zip(sheet["head"], sheet["rows"][-1], strict=True))
        hours = [float(value) for column, value in cells if column.startswith("H100 at")]
        return (f"mBERT: {min(hours):.2g} to {max(hours):.2g} H100 hours (computed)",)

    def sections(self, runs: Sequence[RunResults]) -> Sequence[Section]:
        """Tables 1 to 3 rebuilt, frozen against fine-tuned, failures to train."""
        shown = [run for run in runs if not fragment(run.profile)]
        sizes = {run.name: self.notes(run).size for run in shown}
        trials = {run.name: self._records(run.folder) for run in shown}
        return tuple(sections_tables.sections(shown, sizes, trials))


def cautions(profile: Profile) -> tuple[tuple[str, str], ...]:
    """Labels and banners that hold for a profile."""
    found = [condition for condition in CAUTIONS if CONDITIONS[condition](profile)]
    if "fragment" in found:  # goes without saying
        found = [condition for condition in found if condition != "reduced"]
    encoder = [condition for condition in found if condition.endswith("encoder")]
    return tuple(CAUTIONS[condition] for condition in found if condition not in encoder[1:])


def _tested(folder: Path) -> tuple[tuple[str, str], ...]:
    """On what each task was tested: ``10,500 pairs in 7 languages: en de es fr ja ko zh``."""
    run, rows = open_run(folder), []
    for task in TASK_NAMES:
        predicted = [trial for trial in run.records("sweep", task) if trial.outcome in PREDICTED]
        if predicted:
            table = run.table(predicted[:1], "test")
            unit = "pairs" if TASKS[task].kind == "pair" else "words"
            languages = f"{len(table.languages)} languages: {' '.join(table.languages)}"
            rows.append((f"tested, {TASKS[task].title}", f"{len(table.gold):,} {unit} in {languages}"))
    return tuple(rows)


def _by_decision(decisions: Mapping[str, Decision]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for task in (task for task in TASKS if task in decisions):
        found.setdefault(decisions[task].decision, []).append(TASKS[task].title)
    return found


def _listed(names: Sequence[str]) -> str:
    """``XNLI, NER and POS``."""
    return " and ".join(filter(None, (", ".join(names[:-1]), names[-1])))
