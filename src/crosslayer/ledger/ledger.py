"""Recorded runs: everything that evidence is computed from, and the evidence.

``claims/ledger/ENTRY/`` holds a run in compact form (`crosslayer.predictions.runs`), ``run.json``,
``profile.yaml``, the evidence computed from these, and ``hashes.json``. An entry is complete or absent: it is
written under a hidden name and renamed. What is measured comes from above, as `Measures`.

Recording the present run, extending an entry by what has been trained since, joining entries and replacing a part
of one are one operation: the trials of several sources are put together (`combining`) and written anew. No
predictions of the recorded sources are needed any more, and the sources may come from different machines. The
active profile is the plan of the whole; what of it has not been trained is missing, as in any other run.
"""

from __future__ import annotations

import hashlib
import json
import re
import shutil
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from claimtrack.errors import ResultsError
from claimtrack.evidence import Evidence, read_evidence, write_evidence
from claimtrack.files import fresh_folder, put_back
from claimtrack.reading import Malformed, parse_json
from claimtrack.runlog import read_run
from claimtrack.runs import FRESH, LEDGER
from claimtrack.seal import not_due, read_seals
from crosslayer.config import Profile, load_profile
from crosslayer.errors import ConfigError
from crosslayer.ledger.combining import Part, combined
from crosslayer.ledger.compact import copy_probes, write_description, write_tables
from crosslayer.ledger.differences import differences
from crosslayer.metrics import task_score
from crosslayer.predictions.records import PREDICTED, TrialRecord, as_trial, write_records
from crosslayer.predictions.runs import RecordedRun, ResultsRun, Run
from crosslayer.sweep.runlog import combined_info

Measure = Callable[..., Evidence]
"""Computes the evidence of one claim from a `Run` and its `Profile`; given a folder, the figures are drawn into it
and named in the evidence."""
Measures = Mapping[str, Measure]
"""By claim."""


def record(
    name: str,
    title: str,
    profile: Profile,
    measures: Measures,
    results: Path,
    trials: Sequence[TrialRecord] | None,
    sources: Sequence[str] = (),
    ledger: Path = LEDGER,
    replaced: Collection[Part] = (),
) -> Path:
    """Write an entry from present results, recorded entries, or both.

    Args:
        name: of the entry: new, or one of ``sources``, which otherwise stay; the only source may be yet to begin.
        title: one line for readers, of the whole.
        profile: the active profile, which plans everything recorded and everything new.
        measures: of the claims that are computed.
        results, trials: ``results/PROFILE``, and those of its trials that count; ``None`` takes none.
        sources: names of entries.
        replaced: stages and tasks of which the trials of ``results`` take the place of the recorded ones, so that
            settings may differ.

    Raises:
        ConfigError: the name is no folder name, an entry is absent, or there already, or the profile has other
            settings or plans less than is recorded.
        ResultsError: there is nothing to record, an entry is damaged, or the trials do not belong together.
    """
    final = entry_folder(name, ledger)
    if final.exists() and name not in sources:
        raise ConfigError(
            f"{final} already exists; choose another name, or add to it with --extend or --join {name}"
        )
    if not sources and not trials:
        raise ResultsError(f"{results} has no trials to record; run `dvc repro` first")
    begins = [*sources] == [name] and trials is not None and not final.exists()
    recorded = [_verified(entry_folder(s, ledger)) for s in dict.fromkeys(sources) if not begins]
    run = combined(name, recorded, ResultsRun(results), trials, profile, replaced)
    with fresh_entry(final, measures) as folder:
        kept = {trial.key for one in recorded for trial in one.trials if one.keeps_confidence(trial)}
        write_tables(run, told(run, run.trials, profile), folder, kept)
        copy_probes(run.probed.folder / "probes", folder)
        infos = [read_run(one.folder / "run.json") for one in recorded]
        if trials is not None:
            infos.append({**read_run(results / "run.json"), "title": title})
        write_description(combined_info(title, infos) if recorded else infos[0], profile, folder)
    return final


def recompute(name: str, measures: Measures, ledger: Path = LEDGER) -> Path:
    """Compute the evidence of an entry with today's code, in place of what it has: for after a correction.

    Arguments and errors as in `record`.
    """
    final = entry_folder(name, ledger)
    _verified(final)
    with fresh_entry(final, measures) as folder:
        shutil.copytree(final, folder, dirs_exist_ok=True, ignore=shutil.ignore_patterns("claims", "hashes.json"))
        run = RecordedRun(folder)  # scores were left out while its plan was not due
        trials = told(run, run.trials, load_profile(folder / "profile.yaml"))
        if trials != list(run.trials):
            write_records(trials, folder / "trials.json")
    return final


def _verified(folder: Path) -> RecordedRun:
    if not folder.exists():
        raise ConfigError(f"there is no {folder}; record it first")
    verify(folder)
    return RecordedRun(folder)


def entry_folder(name: str, ledger: Path) -> Path:
    """Where the entry of that name lies, or will; one that a kill left aside is put back. A ConfigError for a name
    that is none."""
    if not re.fullmatch(r"[a-z0-9][a-z0-9-]{0,40}", name) or name == FRESH:
        raise ConfigError(
            f"{name!r:.60} is not a name for a recorded run; use up to 41 lower-case letters, digits and -"
        )
    put_back(ledger / name)
    return ledger / name


@contextmanager
def fresh_entry(final: Path, measures: Measures) -> Iterator[Path]:
    """A hidden folder to fill with the compact form, from which evidence and figures are computed, unless a sealed
    plan is not due. It takes the place of ``final`` only when it is whole and hashed."""
    with fresh_folder(final) as folder:
        yield folder
        profile, run = load_profile(folder / "profile.yaml"), RecordedRun(folder)
        for claim, measure in () if withheld(profile, run.trials) else measures.items():
            home = folder / "claims" / claim
            home.mkdir(parents=True, exist_ok=True)
            write_evidence(measure(run, profile, home), home)
        hashes = json.dumps(_hashes(folder), indent=1, sort_keys=True) + "\n"
        (folder / "hashes.json").write_text(hashes, encoding="utf-8")


def told(run: Run, trials: Iterable[TrialRecord], profile: Profile) -> list[TrialRecord]:
    """The records of trials with their test scores; without any while a sealed plan of the profile is not due."""
    trials = list(trials)
    if withheld(profile, trials):
        return [trial.model_copy(update={"test_score": None}) for trial in trials]
    return [_scored(run, trial) for trial in trials]


def withheld(profile: Profile, trials: Iterable[TrialRecord]) -> str:
    """What the sealed plan of a profile says in place of scores while it is not due; else empty."""
    return not_due(profile.profile, map(as_trial, trials), read_seals())


def _scored(run: Run, trial: TrialRecord) -> TrialRecord:
    """A trial with its test score, which it may lack."""
    if trial.test_score is not None or trial.outcome not in PREDICTED:
        return trial
    table = run.table([trial], "test")
    rows = [table.language == code for code in range(len(table.languages))]
    scores = [task_score(trial.task, table.gold[r], table.predicted[0][r], table.item[r]) for r in rows]
    return trial.model_copy(update={"test_score": float(np.mean(scores))})


def derive_again(folder: Path, measures: Measures) -> None:
    """Check an entry's files, then compute its evidence with today's code; a ResultsError where a file changed, or
    a number moved by more than 1e-9. A claim that came after the recording is left out."""
    verify(folder)
    profile, run = load_profile(folder / "profile.yaml"), RecordedRun(folder)
    for claim, measure in measures.items():
        path = folder / "claims" / claim / "evidence.json"
        if not path.exists():
            continue
        both = (read_evidence(path), measure(run, profile))
        old, new = (e.model_copy(update={"figures": ()}).model_dump(mode="json") for e in both)
        for where, was, now in differences(old, new):
            raise ResultsError(
                f"{folder}: {claim} {where} was recorded as {was!r:.80} and is {now!r:.80} with today's code; "
                f"restore the code or, after a correction, run `crosslayer recompute {folder.name}`"
            )


def verify(folder: Path) -> None:
    """Check every file of an entry against its hash; a ResultsError names the first that differs."""
    try:
        hashes = parse_json((folder / "hashes.json").read_bytes())
    except (OSError, Malformed):
        hashes = None
    if not isinstance(hashes, dict):
        raise ResultsError(f"{folder}/hashes.json is missing or damaged; restore it from git")
    present = _hashes(folder)
    for name in sorted({*present, *hashes}):
        if present.get(name) != hashes.get(name):
            known, there = name in hashes, name in present
            what = "is not what was recorded" if known and there else "is missing" if known else "was not recorded"
            raise ResultsError(f"{folder / name} {what}; restore the folder from git")


def _hashes(folder: Path) -> dict[str, str]:
    """SHA-256 of all files below the folder, without the list of hashes."""
    files = {path.relative_to(folder).as_posix(): path for path in folder.rglob("*") if path.is_file()}
    files.pop("hashes.json", None)
    return {name: hashlib.sha256(path.read_bytes()).hexdigest() for name, path in files.items()}
