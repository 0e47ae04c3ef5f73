"""Scores without items as evidence from the literature: shown beside a claim, never judged.

Read are ``all_results.json`` and its like of Hugging Face's Trainer, ``results.json`` of lm-evaluation-harness,
and tables as CSV whose first column names the rows.
"""

from __future__ import annotations

from collections.abc import Iterator
from io import StringIO
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

from claimtrack.entries import Literature
from claimtrack.reading import Malformed, parse_json
from claimtrack.settings import validated
from crosslayer.data.formats import located, read_csv, read_lines
from crosslayer.errors import DataError
from crosslayer.ingest.formats import number_of

SPENT = ("runtime", "per_second", "epoch", "samples", "flos", "mem_", "stderr")
"""Parts of the names of numbers that are no scores."""
MOST = 1e9


def read_aggregates(source: Path) -> list[tuple[str, float]]:
    """Names and numbers in a file or in those of a folder; a DataError if one is absent, wrong or without any."""
    if not source.exists():
        raise DataError(f"{source} does not exist")
    paths = [source] if source.is_file() else sorted(p for p in source.glob("*") if p.suffix in (".json", ".csv"))
    if not paths:
        raise DataError(f"{source} has no .json or .csv file with scores")
    return [score for path in paths for score in _scores(path)]


def as_literature(scores: list[tuple[str, float]], model: str, source: str) -> str:
    """Scores as ``literature`` of a claim in ``claims/registry.yaml``; they give a scale and decide nothing.

    A ClaimError where a name, the model or the source is empty or has more than one line.
    """
    out, yaml = StringIO(), YAML()
    yaml.width = 110
    about = {"direction": "context", "model": model, "source": source, "independent": True, "read": "full text"}
    told = [about | {"finding": name, "number": f"{value:.6g}"} for name, value in scores]
    records = [validated(score, Literature, "a score cannot be told as literature") for score in told]
    yaml.dump([record.model_dump(mode="json", exclude_defaults=True) for record in records], out)
    return out.getvalue()


def _scores(path: Path) -> list[tuple[str, float]]:
    found = list(_of_table(path) if path.suffix == ".csv" else _of_json(path))
    if not found:
        raise DataError(
            f"{path} holds no score; known are all_results.json, results.json of lm-eval, and CSV tables"
        )
    return [(f"{path.stem}: {name}", value) for name, value in found]


def _of_json(path: Path) -> Iterator[tuple[str, float]]:
    try:
        content = parse_json("\n".join(read_lines(path)))
    except Malformed as error:
        raise DataError(f"{path}:{error.line or 1}: no JSON") from None
    if not isinstance(content, dict):
        raise DataError(f"{path}: no JSON object")
    results = content.get("results")
    if isinstance(results, dict):
        for task, metrics in results.items():
            yield from ((f"{task} {name}", value) for name, value in _numbers(metrics))
    else:
        yield from _numbers(content)


def _numbers(content: Any) -> Iterator[tuple[str, float]]:
    for name, value in content.items() if isinstance(content, dict) else ():
        is_number = isinstance(value, int | float) and not isinstance(value, bool) and value == value
        if is_number and abs(value) < MOST and not any(part in name for part in SPENT):
            yield name.removesuffix(",none").replace("_", " "), float(value)


def _of_table(path: Path) -> Iterator[tuple[str, float]]:
    rows = read_csv(path)
    _, header = next(rows, ("", [""]))
    for where, cells in rows:
        for column, cell in zip(header[1:], cells[1:], strict=True):
            if cell.strip():
                with located(where):
                    if abs(number := number_of(cell)) >= MOST:
                        raise ValueError(f"{cell.strip()!r:.40} is no score")
                yield f"{cells[0].strip()}, {column.strip()}", number
