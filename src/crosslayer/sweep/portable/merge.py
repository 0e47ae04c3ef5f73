"""Brings home what a packed sweep has trained."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pandas as pd
from pydantic import BaseModel, ConfigDict, ValidationError

from claimtrack.errors import ResultsError
from claimtrack.reading import Malformed
from claimtrack.runlog import note_seconds
from crosslayer.config import Profile
from crosslayer.data.parquet import kind
from crosslayer.errors import TrialFailure
from crosslayer.predictions.records import check_predictions, schema
from crosslayer.sweep.locking import exclusive
from crosslayer.sweep.plan import planned_specs
from crosslayer.sweep.portable.archives import unpack_arrays, unpack_table, unzip
from crosslayer.sweep.portable.run import FILES, KEY
from crosslayer.sweep.store import finished, keep, scores_are_finite
from crosslayer.tasks import TASKS
from crosslayer.training.finetuned import KEPT, TrialResult
from crosslayer.training.inference import prediction_frame
from crosslayer.training.trials import TrialSpec
from crosslayer.windows.encoded import Encoded, read_encoded

Contents = dict[str, bytes]
"""File name -> content of one trial."""


class Result(BaseModel):
    """``result.json`` of a trial that was trained elsewhere."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    key: str
    torch: str
    outcome: Literal["ok", "collapsed", "nan_loss", "out_of_memory"]
    seconds: float = 0.0
    detail: str = ""
    dev_history: tuple[float, ...] = ()
    losses: tuple[float, ...] = ()
    best_epoch: int = 1
    fusion_parameters: int = 0
    trained_parameters: int = 0
    seal: str = ""


def merge_sweep(profile: Profile, results: Path, folder: Path) -> tuple[int, int]:
    """Put the trials of a packed folder that has run, or of its ``part-N.zip``, under their keys.

    Returns:
        How many trials were merged, and how many were there already and stay.

    Raises:
        ResultsError: nothing to merge, a trial that the profile does not plan, a damaged file, or predictions on
            other items; what was merged before stays.
    """
    planned = planned_specs(profile, results / "encoder")
    spent: dict[str, list[float]] = defaultdict(list)
    new: dict[str, list[float]] = defaultdict(list)
    for key, contents in read_trials(folder):
        spec = planned.get(key)
        if spec is None:
            raise ResultsError(
                f"{folder}: trial {key} is none of the profile {profile.profile}; activate its profile"
            )
        result = read_result(contents, f"trial {key}")
        stage, home = f"{spec.stage}-{spec.task}", results / "trials" / spec.stage / spec.task
        spent[stage].append(result.seconds)
        with exclusive(home):
            if finished(home, spec) is None:
                encoded = read_encoded(results / "encoder" / f"{spec.task}.parquet")
                keep(spec, _checked(spec, result, contents, encoded), home, result.torch, result.seal)
                new[stage].append(result.seconds)
    if not spent:
        raise ResultsError(f"{folder} holds no finished trial; run the packed sweep first")
    for stage, seconds in spent.items():
        note_seconds(results, stage, sum(seconds), trained=len(new[stage]), trained_seconds=sum(new[stage]))
    merged = sum(map(len, new.values()))
    return merged, sum(map(len, spent.values())) - merged


def read_trials(folder: Path) -> Iterator[tuple[str, Contents]]:
    """Key and files of each finished trial, out of ``part-N.zip``, and of ``trials/`` what no part has.

    A run that was interrupted after an earlier one has written no parts of its own.

    Raises:
        ResultsError: a part is damaged or holds something else.
    """
    parts = sorted([*folder.glob("part-*.zip"), *folder.glob("parts/part-*.zip")])
    packed: set[str] = set()
    for part in parts:
        for key, contents in _read_part(part):
            packed.add(key)
            yield key, contents
    for path in sorted(folder.glob("trials/*/result.json")):
        if path.parent.name not in packed:
            files = {name: path.with_name(name) for name in FILES}
            yield path.parent.name, {name: file.read_bytes() for name, file in files.items() if file.exists()}


def _read_part(path: Path) -> Iterator[tuple[str, Contents]]:
    trials: dict[str, Contents] = {}
    try:
        members = unzip(path)
    except (Malformed, OSError) as error:
        raise ResultsError(f"{path} is damaged ({error}); copy it again") from None
    for member, content in members.items():
        key, _, name = member.partition("/")
        if not KEY.fullmatch(key) or name not in FILES:
            raise ResultsError(f"{path} holds {member[:80]!r}, which is no file of a trial; nothing was read")
        trials.setdefault(key, {})[name] = content
    yield from trials.items()


def _checked(spec: TrialSpec, result: Result, contents: Contents, encoded: Encoded) -> TrialResult | TrialFailure:
    """What came of a trial, its predictions compared with the windows here."""
    if result.outcome not in ("ok", "collapsed"):
        return TrialFailure(result.outcome, result.detail)
    where = f"trial {spec.key}"
    predictions = read_predictions(contents.get("predictions.parquet", b""), len(TASKS[spec.task].labels), where)
    _compare(predictions, encoded, where)
    diagnostics = read_arrays(contents.get("diagnostics.npz", b""), where)
    return TrialResult(predictions, diagnostics, **result.model_dump(include={*KEPT}))


def read_result(contents: Contents, where: str) -> Result:
    """``result.json`` of a trial; a ResultsError where it is damaged."""
    try:
        return Result.model_validate_json(contents["result.json"])
    except (KeyError, ValidationError):
        raise ResultsError(f"{where}: result.json is damaged; run the packed sweep again") from None


def read_predictions(data: bytes, n_labels: int, where: str) -> pd.DataFrame:
    """``predictions.parquet`` of a trial; a ResultsError where it is damaged or not as a sweep writes it."""
    try:
        table = unpack_table(data)
    except Malformed as error:
        raise ResultsError(f"{where}: predictions.parquet is damaged ({error})") from None
    kinds = dict.fromkeys(schema(n_labels).names, "numbers") | dict.fromkeys(("split", "language", "item"), "text")
    if {name: kind(table[name]) for name in table.column_names} != kinds:
        raise ResultsError(f"{where}: predictions.parquet has other columns than a sweep writes")
    frame: pd.DataFrame = table.to_pandas()
    if scores_are_finite(frame):
        check_predictions(frame, n_labels, where)
    return frame


def _compare(frame: pd.DataFrame, encoded: Encoded, where: str) -> None:
    """Items and gold labels must be those of the windows here."""
    test = [encoded.rows("test", language) for language in encoded.languages("test")]
    rows = np.concatenate([encoded.rows("dev", "en"), *test])
    n_rows = sum(len(encoded.labels[row]) for row in rows)
    expected = prediction_frame(encoded, rows, np.zeros((n_rows, 1), np.float32))
    for name in ("split", "language", "item", "position", "gold"):
        if not np.array_equal(frame[name].astype(str).to_numpy(), expected[name].astype(str).to_numpy()):
            raise ResultsError(
                f"{where}: {name} differs from the windows here; the sweep was packed from other data"
            )


def read_arrays(data: bytes, where: str) -> dict[str, Any]:
    """``diagnostics.npz`` of a trial; a ResultsError where it is damaged."""
    try:
        return unpack_arrays(data)
    except Malformed as error:
        raise ResultsError(f"{where}: diagnostics.npz is damaged ({error})") from None
