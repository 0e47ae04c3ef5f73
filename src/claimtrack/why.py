"""The way from a verdict to its numbers, and from these to the trials and files that they rest on."""

from __future__ import annotations

from collections.abc import Iterator

from claimtrack.errors import ClaimError
from claimtrack.evidence import Trial
from claimtrack.plugin import Plugin
from claimtrack.runlog import parts_of
from claimtrack.runs import RunResults
from claimtrack.wording import counted, measure_title, number, title, value


def ways(results: RunResults, claim: str, plugin: Plugin, subject: str | None = None) -> Iterator[str]:
    """Lines of text: the verdict, the numbers that its rule reads, and the trials, each with score and file.

    With a ``subject``, only numbers and trials of this task; a `ClaimError` where nothing is about it.
    """
    verdict, evidence = results.verdicts[claim], results.evidence.get(claim)
    known = plugin.trials(results.folder)
    parts = evidence.parts if evidence else ()
    subjects = {name for part in parts for name in (part.task, part.subject)} | {t.subject for t in known.values()}
    there = ", ".join(sorted(filter(None, subjects))) or "none"
    if subject not in (None, *subjects):
        raise ClaimError(f"unknown task {subject!r:.40}; there are {there}")
    yield f"{claim} in {results.name}: {verdict.verdict}. {verdict.because}"
    if evidence is None:
        return
    for part in evidence.parts:
        if part.judged and subject in (None, part.task, part.subject):
            about = f"{measure_title(part.measure, plugin.titles)} ({part.unit})"
            counts = [counted(part.n_seeds, "seed"), *([counted(part.n_items, "item")] if part.n_items else [])]
            yield f"  {about}: {value(part, plugin.titles)}, {', '.join(counts)}"
    for check in evidence.checks:
        yield f"  {check.name}: expected {check.expected}, found {check.found}"
    yield f"  evidence: {results.evidence_path(claim)}"
    trials = [known.get(key, key) for key in evidence.trials]
    shown = [t for t in trials if subject is None or (isinstance(t, Trial) and t.subject == subject)]
    told = (str(part["revision"]) for part in parts_of(results.info) if part.get("revision"))
    revision = ", ".join(dict.fromkeys(told)) or "unknown"
    yield f"  rests on {counted(len(shown), 'trial')}, revision {revision}" if shown else "  rests on no trial"
    for trial in shown:
        yield f"    {_line(trial, plugin)}" if isinstance(trial, Trial) else f"    {trial}: no record"


def _line(trial: Trial, plugin: Plugin) -> str:
    """``POS layer_8 seed 2: 71.30 points, results/.../predictions.parquet (KEY)``."""
    which = " ".join(filter(None, (trial.stage, title(trial.subject, plugin.titles), trial.model, trial.arm)))
    scored = f"{number(trial.score, trial.unit).lstrip('+')} {trial.unit}" if trial.score is not None else ""
    ended = "" if trial.outcome == "ok" else trial.outcome
    told = ", ".join(filter(None, (ended, scored, str(trial.file or ""))))
    return f"{which} seed {trial.seed}: {told} ({trial.key})"
