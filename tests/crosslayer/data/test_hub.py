"""The hub: its files from a server on 127.0.0.1, what is asked for, kept, checked and refused; and their rows."""

from __future__ import annotations

import hashlib
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

import pytest
import torch
from datasets import Dataset

import hub_contents as made
from crosslayer.cli import changed
from crosslayer.config import DataSpec, load_profile
from crosslayer.data import hub as reader
from crosslayer.data.examples import Corpus, PairExample, TagExample, corpus_of
from crosslayer.encoders.hub import load_hub
from crosslayer.errors import DataError, EncoderError
from crosslayer.tasks import UPOS, TaskName
from data_files import write
from hub_contents import MBERT, MULTI_NLI, NLI, XTREME, Tables, sentence, words
from hub_server import Hub
from one_line import said
from repository import ROOT, TESTS


@pytest.fixture(scope="module")
def server() -> Iterator[Hub]:
    server = Hub({MBERT: made.mbert()}, {name: made.files_of(each) for name, each in made.tables().items()})
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
    return DataSpec(source="hub", languages=list(languages), revisions=dict.fromkeys((XTREME, MULTI_NLI), commit))


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
    for name, content in made.mbert().items():
        (folder / name).write_bytes(content)
    found, local = load_hub(MBERT, commit), load_hub(str(folder), None)
    assert found.name == f"{MBERT}@{commit[:8]}"
    assert found.digest == local.digest
    assert all(map(torch.equal, found.model.state_dict().values(), local.model.state_dict().values()))
    assert not any(request.endswith((".bin", ".py", ".pt")) for request in server.requests)


def test_a_warm_cache_needs_no_hub_and_asks_none(server: Hub, cache: Path) -> None:
    commit, other = server.commit("warm"), server.commit("not in the cache")
    first = read_corpus("pawsx", spec(commit, "de")), load_hub(MBERT, commit).digest
    start = len(server.requests)
    with server.stopped():
        assert (read_corpus("pawsx", spec(commit, "de")), load_hub(MBERT, commit).digest) == first
        assert len(server.requests) == start
        line = said(DataError, lambda: read_corpus("pawsx", spec(other, "de")))
        assert line.startswith(f"cannot load {XTREME} PAWS-X.en train at {other}: ConnectError: ")
        assert all(way in line for way in ("network", "data.revisions", "data.root"))
        assert line.partition(": ")[2] in said(DataError, lambda: reader.read_parallel(spec(other, "de")))
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


def use(place: Path, commit: str) -> None:
    """Make the paper's profile with German as its only other language the active one in a directory."""
    pins = f"data.revisions={{{XTREME}: {commit!r}, {MULTI_NLI}: {commit!r}}}"
    settings = ["data.languages=[de]", pins, f"encoder.revision={commit!r}", "intermediate.targets=[]"]
    text = changed(ROOT / "profiles" / "paper.yaml", settings)
    (place / "params.yaml").write_text(text, encoding="utf-8")


def test_the_stage_prepare_sends_nothing_elsewhere(server: Hub, tmp_path: Path) -> None:
    """A whole process, in which an attempt to reach another host fails and is written down."""
    use(tmp_path, server.commit("stages"))
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
    use(tmp_path, "0" * 40)
    ended = run()
    assert ended.returncode == 2
    assert re.fullmatch(r"error: cannot load .* RevisionNotFoundError: .*\n", ended.stderr)


# Rows, without a server

COMMIT = "a" * 40


class Fetched:
    """Stands in for `fetch`: writes the files that are asked for into a folder; a wrong pin is an error."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.tables: dict[str, Tables] = made.tables()
        self.asked: list[tuple[str, str]] = []

    def __call__(self, kind: str, name: str, revision: str, patterns: list[str]) -> Path:
        assert (kind, revision, patterns[0]) == ("dataset", COMMIT, "README.md")
        self.asked.append((name, patterns[1]))
        config, split = patterns[1].replace("data/", "default/").removesuffix("-*.parquet").split("/")
        folder = self.folder / str(len(self.asked))
        for path, content in made.files_of({config: {split: self.tables[name][config][split]}}).items():
            assert fnmatch(path, patterns[1]) or path == "README.md"
            write(folder / path, content)
        return folder

    def put(self, config: str, **splits: Dataset) -> None:
        for split, table in splits.items():
            home = self.tables[MULTI_NLI if config == "default" else XTREME]
            home.setdefault(config, {})[split] = [table]


@pytest.fixture
def fake(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Fetched:
    """A hub with a few rows of each task in English, German and Spanish."""
    stand_in = Fetched(tmp_path)
    monkeypatch.setattr(reader, "fetch", stand_in)
    return stand_in


def told(task: TaskName, chosen: DataSpec) -> str:
    """Why a task is refused."""
    return said(DataError, reader.read_all, task, chosen)


def test_only_what_is_asked_for_is_read(fake: Fetched) -> None:
    fake.put("PAWS-X.en", test=made.paws("en", "0110"))
    fake.put("PAWS-X.de", test=made.paws("de", "010"))
    found = reader.read_all("pawsx", spec(COMMIT, "de"), {("test", "de")})
    assert fake.asked == [(XTREME, f"PAWS-X.{code}/test-*.parquet") for code in ("en", "de")]
    german = found["test", "de"]
    assert [row and row.item for row in german.rows] == ["0", None, "3"], "the labels leave open which row 1 faces"
    assert sum(german.left_out.values()) == 1
    assert reader.read_all("ner", spec(COMMIT, "de"), {("test", "de")}).keys() == {("test", "de")}


def test_tags_are_read_by_the_names_of_the_feature(fake: Fetched) -> None:
    shuffled = ["VERB", "PUNCT", *(tag for tag in UPOS if tag not in ("VERB", "PUNCT"))]
    fake.put("udpos.German", test=made.tagged("pos_tags", shuffled, [["Los", "!"]], [[0, 1]]))
    found = reader.read_all("pos", spec(COMMIT, "de"))["test", "de"].examples
    assert found == [TagExample("0", ("Los", "!"), ("VERB", "PUNCT"))]


def test_pairs_with_a_blank_side_are_left_out(fake: Fetched) -> None:
    pairs = {"source_sentence": ["eins\n", "\n", "drei"], "target_sentence": ["one\n", "two\n", "three"]}
    fake.put("tatoeba.deu", validation=Dataset.from_dict(pairs))
    expected = [PairExample("0", "eins", "one"), PairExample("2", "drei", "three")]
    assert reader.read_parallel(spec(COMMIT, "de", "pl")) == {"de": expected}
    assert fake.asked == [(XTREME, "tatoeba.deu/validation-*.parquet")]


@pytest.mark.parametrize(
    ("task", "place", "rows", "expected"),
    [
        ("pawsx", "PAWS-X.de test", made.paws("de", "02"), "de row 1: unknown label '2'"),
        ("pawsx", "PAWS-X.de test", made.paws("de", "01000"),
         "google/xtreme PAWS-X.de test de is not parallel to English: their labels part at row 4"),
        ("xnli", "XNLI test", made.xnli([("en", NLI[0]), ("de", "-")]), "de row 0: unknown label '-'"),
        ("xnli", "XNLI test", made.xnli([("en", NLI[0])]), "de has no row"),
        ("xnli", "default train", Dataset.from_dict({"premise": ["a"], "hypothesis": ["b"], "label": [1]}),
         "en row 0: unknown label 1"),
        ("ner", "PAN-X.de test", made.tagged("ner_tags", ["O", "B-MISC"], [["a"], ["b"]], [[0], [1]]),
         "de row 1: unknown tag 'B-MISC'"),
        ("pos", "udpos.German test", made.tagged("pos_tags", list(UPOS), [["a", "b"]], [[0]]),
         "de row 0: 2 words but 1 tags"),
        ("pos", "udpos.German test", made.tagged("upos", list(UPOS), [["a"]], [[0]]), "it has no column pos_tags"),
        ("pos", "udpos.German test", made.tagged("pos_tags", list(UPOS), [], []), "de has no row"),
    ],
)  # fmt: skip
def test_a_bad_row_is_one_line_that_names_it(
    fake: Fetched, task: TaskName, place: str, rows: Dataset, expected: str
) -> None:
    config, split = place.split()
    fake.put(config, **{split: rows})
    line = told(task, spec(COMMIT, "de"))
    assert place in line
    assert expected in line


@pytest.mark.parametrize("name", [XTREME, MULTI_NLI])
@pytest.mark.parametrize("pin", [None, "main", "v1.0", "A" * 40, "a" * 39])
def test_a_data_set_without_a_whole_commit_is_never_asked_for(fake: Fetched, name: str, pin: str | None) -> None:
    chosen = spec(COMMIT, "de")
    chosen.revisions.pop(name) if pin is None else chosen.revisions.update({name: pin})
    line = told("xnli", chosen)
    assert f"data.revisions has no commit of {name} but {pin!r}; pin one by its 40 digits" in line
    assert name not in {found for found, _ in fake.asked}


def test_the_papers_profile_pins_all_that_it_reads() -> None:
    profile = load_profile(ROOT / "profiles" / "paper.yaml")
    for name in (XTREME, MULTI_NLI):
        assert reader.pinned(profile.data, name)


CARD = (
    "---\ndataset_info:\n- config_name: tatoeba.deu\n  features: [{name: source_sentence, dtype: string}]\n---\n"
)


@pytest.mark.parametrize(
    ("content", "card"),
    [
        (None, CARD),
        (b"no Parquet", CARD),
        (None, CARD.replace("deu", "deu: [")),
        (None, CARD.replace("dtype: string", "dtype: 3")),
    ],
)
def test_what_a_repository_may_lack(
    content: bytes | None, card: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(tmp_path / "README.md", card)
    if content is not None:
        write(tmp_path / "tatoeba.deu" / "validation-00000-of-00001.parquet", content)
    monkeypatch.setattr(reader, "fetch", lambda *_: tmp_path)
    line = said(DataError, reader.read_parallel, spec(COMMIT, "de"))
    assert line.startswith(f"cannot load google/xtreme tatoeba.deu dev at {COMMIT}: ")
    assert ("is damaged" if content else "tatoeba.deu/validation-*.parquet cannot be read") in line


@pytest.mark.parametrize("value", [None, 3, ["a"]])
def test_rows_are_texts(value: Any, fake: Fetched) -> None:
    fake.put("tatoeba.deu", validation=Dataset.from_dict({"source_sentence": [value], "target_sentence": ["x"]}))
    assert "is not text" in said(DataError, reader.read_parallel, spec(COMMIT, "de"))


def test_a_language_that_the_task_does_not_have(fake: Fetched) -> None:
    assert "no pawsx in sw; drop sw from data.languages" in told("pawsx", spec(COMMIT, "de", "sw"))
    assert fake.asked == []
