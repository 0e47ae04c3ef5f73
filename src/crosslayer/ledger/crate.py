"""A recorded run as an RO-Crate 1.1: its files with what each is, in one folder to publish.

Versions, hardware and revision are in its ``run.json``.
"""

from __future__ import annotations

import shutil
from dataclasses import replace
from datetime import UTC, datetime
from fnmatch import fnmatch
from pathlib import Path

from claimtrack.export import to_jsonld
from claimtrack.files import fresh_folder
from claimtrack.registry import REGISTRY, Registry
from claimtrack.results import load_recorded
from crosslayer.errors import ConfigError
from crosslayer.ledger.ledger import verify

LICENSE = "https://spdx.org/licenses/Apache-2.0"
KINDS = {
    ".json": "application/json",
    ".jsonld": "application/ld+json",
    ".npz": "application/zip",
    ".parquet": "application/vnd.apache.parquet",
    ".svg": "image/svg+xml",
    ".yaml": "application/yaml",
}
WHAT = {
    "run.json": "Title, seconds by stage, hardware, versions and revision",
    "profile.yaml": "The settings of the run",
    "registry.yaml": "The claims: source text, how each is measured and judged",
    "claims.jsonld": "The claims and their verdicts as schema.org Claim and ClaimReview",
    "trials.json": "Specification, outcome and scores of each trial",
    "diagnostics.npz": "Mean fused vectors by language and mean attention weights of each trial",
    "hashes.json": "SHA-256 of each file of the run",
    "evidence.json": "Estimates, intervals and checks of one claim",
    "*.svg": "Figure of one claim",
    "predictions-*": "Gold ids once, and one column of predicted ids a trial",
    "log-odds-*": "Log-odds of the predicted label of every word, in steps of 1/64, one column a trial",
    "scores-*": "Centred log-probabilities of one trial",
    "*": "Measurements of the encoder before fine-tuning",
}
"""What a file is, by its name."""


def write_crate(entry: Path, registry: Registry, folder: Path) -> int:
    """Copy a recorded run into a new folder and describe it in ``ro-crate-metadata.json``; returns how many files
    there are besides that. Nothing is written over, and no entry published whose files have changed."""
    if folder.exists():
        raise ConfigError(f"{folder} already exists; choose another name")
    verify(entry)
    run = load_recorded(entry, registry)
    with fresh_folder(folder) as home:
        shutil.copytree(entry, home, dirs_exist_ok=True)
        shutil.copyfile(REGISTRY, home / "registry.yaml")
        (home / "claims.jsonld").write_text(to_jsonld(registry, [replace(run, folder=Path())]), encoding="utf-8")
        files = [path.relative_to(home) for path in sorted(home.rglob("*")) if path.is_file()]
        _describe(home, files, f"{run.name}: {run.title}")
    return len(files)


def _describe(folder: Path, files: list[Path], title: str) -> None:
    from rocrate.model import ContextEntity
    from rocrate.rocrate import ROCrate

    crate = ROCrate(version="1.1")
    crate.name = title
    crate.description = (
        "A recorded run of crosslayer: predicted and gold label ids, diagnostics and probes without any text of a "
        "data set, and the evidence and verdicts computed from them."
    )
    crate.datePublished = datetime.now(UTC)
    terms = {"@type": "CreativeWork", "name": "Apache License 2.0"}
    crate.license = crate.add(ContextEntity(crate, LICENSE, terms))
    makers = {"@type": "Organization", "name": "The crosslayer maintainers"}
    author = crate.add(ContextEntity(crate, "#maintainers", makers))
    crate.root_dataset["author"] = crate.root_dataset["publisher"] = author
    for path in files:
        what = next(text for pattern, text in WHAT.items() if fnmatch(path.name, pattern))
        about = {"name": path.as_posix(), "description": what, "encodingFormat": KINDS[path.suffix]}
        crate.add_file(folder / path, path.as_posix(), properties=about)
    crate.metadata.write(str(folder))
