"""A recorded run as an RO-Crate 1.1, read back by the rocrate library, and what that does not check."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from rocrate.rocrate import ROCrate

from claimtrack.errors import ResultsError
from claimtrack.registry import Registry
from crosslayer.errors import ConfigError
from crosslayer.ledger.crate import write_crate
from one_line import said

ENTRY = Path("claims/ledger/xtreme-frozen")


@pytest.fixture(scope="module")
def crate(registry: Registry, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("crates") / "pilot"
    write_crate(ENTRY, registry, folder)
    return folder


def test_every_file_is_there_and_described(crate: Path) -> None:
    read = ROCrate(crate)
    named = {entity.id for entity in read.data_entities}
    present = {path.relative_to(crate).as_posix() for path in crate.rglob("*") if path.is_file()}
    assert named == present - {"ro-crate-metadata.json"}
    assert {path.relative_to(ENTRY).as_posix() for path in ENTRY.rglob("*") if path.is_file()} <= named
    for entity in read.data_entities:
        assert len(entity["description"]) > 10
        assert "/" in entity["encodingFormat"]


def test_the_root_says_what_who_when_and_on_which_terms(crate: Path) -> None:
    content = json.loads((crate / "ro-crate-metadata.json").read_text(encoding="utf-8"))
    assert content["@context"] == "https://w3id.org/ro/crate/1.1/context"
    graph = {entity["@id"]: entity for entity in content["@graph"]}
    assert len(graph) == len(content["@graph"]), "an id names one thing"
    root = graph["./"]
    assert {"name", "description", "datePublished", "publisher"} <= set(root)
    assert graph[root["license"]["@id"]]["name"] == "Apache License 2.0"
    assert graph[root["author"]["@id"]]["name"] == "The crosslayer maintainers"


def test_verdicts_link_to_evidence_in_the_crate(crate: Path) -> None:
    content = json.loads((crate / "claims.jsonld").read_text(encoding="utf-8"))
    links = [node["url"] for node in content["@graph"] if "url" in node]
    assert links
    assert all((crate / link).is_file() for link in links)


def test_nothing_is_written_over_and_no_changed_entry_published(registry: Registry, tmp_path: Path) -> None:
    entry = shutil.copytree(ENTRY, tmp_path / "entry")
    assert "already exists" in said(ConfigError, write_crate, ENTRY, registry, entry)
    (entry / "trials.json").write_text("[]", encoding="utf-8")
    assert "not what was recorded" in said(ResultsError, write_crate, entry, registry, tmp_path / "crate")
    assert [path.name for path in tmp_path.iterdir()] == ["entry"]
