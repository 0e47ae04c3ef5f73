"""A recorded run as an RO-Crate: its files with what each is, and how they came about, in one folder to publish.

The metadata follow RO-Crate 1.1 and the Process Run Crate profile 0.5: one ``CreateAction`` whose instrument is
crosslayer, whose objects are the profile and the registry, and whose results are all other files.
"""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from claimtrack import __version__
from claimtrack.export import to_jsonld
from claimtrack.registry import REGISTRY, Registry
from claimtrack.results import load_recorded
from claimtrack.runlog import parts_of
from crosslayer.errors import ConfigError
from crosslayer.ledger.ledger import verify

if TYPE_CHECKING:
    from rocrate.rocrate import ROCrate

LICENSE = "https://spdx.org/licenses/Apache-2.0"
PROFILE = "https://w3id.org/ro/wfrun/process/0.5"
KINDS = {
    ".json": "application/json",
    ".jsonld": "application/ld+json",
    ".npz": "application/zip",
    ".parquet": "application/vnd.apache.parquet",
    ".svg": "image/svg+xml",
    ".yaml": "application/yaml",
}
GIVEN = ("profile.yaml", "registry.yaml")
WHAT = {
    "run.json": "Title, seconds by stage, hardware, versions and revision",
    "profile.yaml": "The settings of the run",
    "registry.yaml": "The claims: source text, how each is measured and judged",
    "claims.jsonld": "The claims and their verdicts as schema.org Claim and ClaimReview",
    "trials.json": "Specification, outcome and scores of each trial",
    "diagnostics.npz": "Mean fused vectors by language and mean attention weights of each trial",
    "hashes.json": "SHA-256 of each file of the run",
    "evidence.json": "Estimates, intervals and checks of one claim",
}
"""What a file is, by its name."""


def write_crate(entry: Path, registry: Registry, folder: Path) -> int:
    """Copy a recorded run into a new folder and describe it in ``ro-crate-metadata.json``.

    Args:
        entry: of the ledger.
        registry: whose claims were judged.
        folder: must not exist.

    Returns:
        How many files the crate holds besides its metadata.

    Raises:
        ConfigError: the folder is there already.
        ResultsError: a file of the entry is not what was recorded.
    """
    if folder.exists():
        raise ConfigError(f"{folder} is there already; choose another name")
    verify(entry)
    run = load_recorded(entry, registry)
    temporary = folder.with_name(f".{folder.name}-{uuid4().hex[:8]}")
    try:
        shutil.copytree(entry, temporary)
        shutil.copyfile(REGISTRY, temporary / "registry.yaml")
        (temporary / "claims.jsonld").write_text(
            to_jsonld(registry, [replace(run, folder=Path())]), encoding="utf-8"
        )
        files = [path.relative_to(temporary) for path in sorted(temporary.rglob("*")) if path.is_file()]
        _describe(temporary, files, run.name, run.title, run.info)
        temporary.rename(folder)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
    return len(files)


def _describe(folder: Path, files: list[Path], name: str, title: str, info: dict[str, Any]) -> None:
    from rocrate.model import ContextEntity, SoftwareApplication
    from rocrate.rocrate import ROCrate

    def entity(id: str, **properties: Any) -> Any:
        return crate.add(ContextEntity(crate, id, {"@type": properties.pop("kind"), **properties}))

    crate = ROCrate(version="1.1")
    crate.name = f"{name}: {title}"
    crate.description = (
        "A recorded run of crosslayer: predicted and gold label ids, diagnostics and probes without any text of a "
        "data set, and the evidence and verdicts computed from them."
    )
    crate.datePublished = datetime.now(UTC)
    crate.license = entity(LICENSE, kind="CreativeWork", name="Apache License 2.0")
    crate.root_dataset["conformsTo"] = entity(PROFILE, kind="CreativeWork", name="Process Run Crate")
    makers = entity("#maintainers", kind="Organization", name="The crosslayer maintainers")
    crate.root_dataset["author"] = crate.root_dataset["publisher"] = makers
    parts = parts_of(info)
    revision = ", ".join(dict.fromkeys(str(part.get("revision") or "unknown") for part in parts))
    facts = {"name": "crosslayer", "softwareVersion": f"{__version__}, revision {revision}"}
    software = crate.add(SoftwareApplication(crate, "#crosslayer", facts))
    software["softwareRequirements"] = [
        crate.add(
            SoftwareApplication(crate, f"pkg:pypi/{package}@{version}", {"name": package, "version": version})
        )
        for package, version in sorted({pair for part in parts for pair in part.get("packages", {}).items()})
    ]
    machines = " and ".join(dict.fromkeys(json.dumps(part.get("machine", {}), sort_keys=True) for part in parts))
    run = entity("#run", kind="CreateAction", name="Train, measure and judge", description=f"On {machines}")
    run["instrument"], run["agent"] = software, makers
    run["object"], run["result"] = _add_files(crate, folder, files)
    crate.root_dataset["mentions"] = run
    crate.metadata.write(str(folder))


def _add_files(crate: ROCrate, folder: Path, files: list[Path]) -> tuple[list[Any], list[Any]]:
    """What the run was given, and what it made."""
    entities = {
        path: crate.add_file(
            folder / path,
            path.as_posix(),
            properties={"name": path.as_posix(), "description": _what(path), "encodingFormat": KINDS[path.suffix]},
        )
        for path in files
    }
    given = [entities[Path(name)] for name in GIVEN]
    return given, [entity for entity in entities.values() if entity not in given]


def _what(path: Path) -> str:
    if path.suffix == ".svg":
        return f"Figure of {path.parent.name}"
    if path.parts[0] == "probes":
        return "Measurements of the encoder before fine-tuning"
    if path.name.startswith("predictions-"):
        return "Gold ids once, and one column of predicted ids a trial"
    if path.name.startswith("confidences-"):
        return "Probability of the predicted label of every word, in 65,535ths, one column a trial"
    if path.name.startswith("scores-"):
        return "Centred log-probabilities of one trial"
    return WHAT[path.name] + (f": {path.parent.name}" if path.name == "evidence.json" else "")
