"""The hub's files from a server on 127.0.0.1: what is asked for, kept, checked and refused."""

from __future__ import annotations

import hashlib
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch

from crosslayer.cli import changed
from crosslayer.config import DataSpec
from crosslayer.data import hub as reader
from crosslayer.data.examples import Corpus, PairExample, TagExample, corpus_of
from crosslayer.encoders.hub import load_hub
from crosslayer.errors import DataError, EncoderError
from hub_contents import MBERT, MULTI_NLI, NLI, XTREME, make_hub, mbert, sentence, words
from hub_server import Hub
from one_line import said
from repository import ROOT, TESTS


@pytest.fixture(scope="module")
def server() -> Iterator[Hub]:
    server = make_hub()
    yield server
    server.stop()


@pytest.fixture
def cache(server: Hub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache; the client knows this hub only, and tries again at once."""
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "ENDPOINT", server.url)
    template = f"{server.url}/{{repo_id}}/resolve/{{revision}}/{{filename}}"
    monkeypatch.setattr(constants, "HUGGINGFACE_CO_URL_TEMPLATE", template)
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr("time.sleep", lambda _: None)
    return tmp_path / "cache"


def read_corpus(name: Any, data: DataSpec) -> Corpus:
    return corpus_of(reader.read_all(name, data))


def spec(commit: str, *languages: str) -> DataSpec:
    return DataSpec(source="hub", languages=list(languages), revisions={XTREME: commit, MULTI_NLI: commit})


def assert_intact(cache: Path) -> None:
    """Every file in the cache has the content that its name stands for."""
    for blob in cache.glob("*/blobs/*"):
        content = blob.read_bytes()
        git = hashlib.sha1(f"blob {len(content)}\0".encode() + content).hexdigest()
        assert blob.name in (git, hashlib.sha256(content).hexdigest()), blob


def pair(language: str, item: int, second: int, label: str) -> PairExample:
    return PairExample(str(item), sentence(language, item), sentence(language, second), label)


def test_all_tasks_are_read_with_what_they_need_only(server: Hub, cache: Path) -> None:
    commit = server.commit("all tasks")
    start = len(server.requests)
    chosen = spec(commit, "de", "es")
    found = {task: read_corpus(task, chosen) for task in ("xnli", "pawsx", "ner", "pos")}  # type: ignore[arg-type]
    every = {("test", language) for language in ("en", "de", "es")} | {("train", "en"), ("dev", "en")}
    assert set(found["pawsx"]) == set(found["pos"]) == every
    assert set(found["ner"]) == every | {("train", "de"), ("train", "es")}
    assert set(found["xnli"]) == every | {("dev", "de"), ("dev", "es")}
    assert found["xnli"]["train", "en"] == [
        pair("en", number, number + 1, NLI[label]) for number, label in enumerate([0, 1, 2, 2, 0])
    ], "the pair without a gold label is left out"
    assert found["xnli"]["test", "de"] == [pair("de", number, number + 2, NLI[number % 3]) for number in range(4)]
    assert found["pawsx"]["test", "es"] == [pair("es", number, number + 4, str(number % 2)) for number in range(5)]
    for task, tags in (("ner", "O O O O B-LOC O"), ("pos", "DET NOUN VERB ADP PROPN PUNCT")):
        assert found[task]["test", "de"] == [
            TagExample(str(number), tuple(words("de", number)), tuple(tags.split())) for number in range(5)
        ]
    assert reader.read_parallel(chosen) == {
        code: [PairExample(str(number), sentence(code, number), sentence("en", number)) for number in range(4)]
        for code in ("de", "es")
    }
    files = [request for request in server.requests[start:] if "/resolve/" in request and request[:3] == "GET"]
    assert len(files) == len(set(files)) == 2 + 5 + 7 + 5 + 2 + 2 + 2, "two cards, and each file of a split once"
    assert not any("MLQA" in request for request in files)
    assert_intact(cache)


def test_the_encoder_by_id_is_that_of_its_files(server: Hub, cache: Path, tmp_path: Path) -> None:
    commit, folder = server.commit("encoder"), tmp_path / "files"
    folder.mkdir()
    for name, content in mbert().items():
        (folder / name).write_bytes(content)
    found, local = load_hub(MBERT, commit), load_hub(str(folder), None)
    assert found.name == f"{MBERT}@{commit[:8]}"
    assert found.digest == local.digest
    assert all(map(torch.equal, found.model.state_dict().values(), local.model.state_dict().values()))
    assert not any("pytorch_model" in request for request in server.requests)


def test_a_warm_cache_needs_no_hub_and_asks_none(server: Hub, cache: Path) -> None:
    commit, other = server.commit("warm"), server.commit("not in the cache")
    first = read_corpus("pawsx", spec(commit, "de")), load_hub(MBERT, commit).digest
    start = len(server.requests)
    with server.stopped():
        assert (read_corpus("pawsx", spec(commit, "de")), load_hub(MBERT, commit).digest) == first
        assert len(server.requests) == start
        line = said(DataError, lambda: read_corpus("pawsx", spec(other, "de")))
        assert line.startswith(f"cannot load {XTREME} PAWS-X.en train at {other}: ConnectError: ")
        assert "data.root" in line
        line = said(EncoderError, lambda: load_hub(MBERT, other))
        assert line.startswith(f"cannot get {MBERT}@{other[:8]} from the hub (ConnectError: ")


def test_a_file_that_was_damaged_in_the_cache_is_fetched_again(server: Hub, cache: Path) -> None:
    chosen = spec(server.commit("damaged"), "de")
    first = reader.read_parallel(chosen)
    kept = next(cache.glob("*/snapshots/*/*/*.parquet"))
    kept.resolve().write_bytes(bytes([kept.read_bytes()[0] ^ 1]) + kept.read_bytes()[1:])
    start = len(server.requests)
    assert reader.read_parallel(chosen) == first
    assert [request.split()[0] for request in server.requests[start:]] == ["HEAD", "GET"], (
        "nothing else is fetched"
    )
    assert_intact(cache)


def test_damaged_content_is_asked_for_twice_and_never_kept(server: Hub, cache: Path) -> None:
    chosen = spec(server.commit("spoilt"), "de")
    server.spoilt = 100
    assert "does not match its hash and was deleted" in said(DataError, lambda: reader.read_parallel(chosen))
    server.spoilt = 1
    assert_intact(cache)
    assert len(reader.read_parallel(chosen)["de"]) == 4
    assert_intact(cache)


@pytest.mark.parametrize(
    ("name", "commit", "words"),
    [(MBERT, "0" * 40, "Revision"), ("nobody/nothing", "1" * 40, "Repo"), (MBERT, "main", "40-digit commit")],
)
def test_a_commit_or_repository_that_is_not_there(name: str, commit: str, words: str, cache: Path) -> None:
    assert words in said(EncoderError, lambda: load_hub(name, commit))


def use(place: Path, commit: str, *changes: str) -> None:
    """Make the paper's profile with German as its only other language the active one in a directory."""
    pins = f"data.revisions={{{XTREME}: {commit!r}, {MULTI_NLI}: {commit!r}}}"
    settings = ["data.languages=[de]", pins, f"encoder.revision={commit!r}", *changes]
    text = changed(ROOT / "profiles" / "paper.yaml", settings)
    (place / "params.yaml").write_text(text, encoding="utf-8")


def test_the_stage_prepare_sends_nothing_elsewhere(server: Hub, tmp_path: Path) -> None:
    """A whole process, in which an attempt to reach another host fails and is written down."""
    use(tmp_path, server.commit("stages"), "intermediate.targets=[]")
    own = {name: value for name, value in os.environ.items() if not name.startswith("HF_")}
    path = os.pathsep.join([str(ROOT / "src"), str(TESTS / "support" / "hub_guard")])
    log = tmp_path / "strangers.txt"
    own |= {"PYTHONPATH": path, "HUB_GUARD_LOG": str(log), "HF_ENDPOINT": server.url, "HF_HOME": str(tmp_path)}
    command = [sys.executable, "-m", "crosslayer.stages.prepare", "paper"]

    def run() -> subprocess.CompletedProcess[str]:
        return subprocess.run(command, cwd=tmp_path, env=own, capture_output=True, text=True, timeout=90)

    ended = run()
    assert (ended.returncode, ended.stderr) == (0, "")
    prepared = tmp_path / "results" / "paper" / "data"
    assert {path.stem for path in prepared.iterdir()} == {"xnli", "pawsx", "ner", "pos", "parallel"}
    assert not log.exists()
    use(tmp_path, "0" * 40, "intermediate.targets=[]")
    ended = run()
    assert ended.returncode == 2
    assert re.fullmatch(r"error: cannot load .* RevisionNotFoundError: .*\n", ended.stderr)
