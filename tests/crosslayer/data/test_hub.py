"""The loading code against a hub on 127.0.0.1: what it reads, what it keeps, what it makes of a hub that fails."""

from __future__ import annotations

import hashlib
import json
import os
import re
import select
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from crosslayer.cli import changed
from crosslayer.data.hubfiles import HubError, _delete_damaged
from hub_contents import MBERT, MULTI_NLI, NLI, XTREME, repositories, sentence, words, write_model
from hub_server import Fault, Hub
from repository import TESTS

TEXT = "The cat sleeps in Rome."
LONGEST = 60
"""Seconds that any call may take with a hub that fails, waits between tries included."""

Ask = Callable[..., dict[str, Any]]


@pytest.fixture(scope="module")
def hub() -> Iterator[Hub]:
    """The hub with its three repositories."""
    server = Hub(repositories())
    yield server
    server.stop()


@pytest.fixture(scope="module")
def surroundings(hub: Hub, tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """The environment of a process that may reach this hub only; at the end nothing else was tried."""
    log = tmp_path_factory.mktemp("guard") / "strangers.txt"
    own = {name: value for name, value in os.environ.items() if not name.startswith("HF_")}
    path = os.pathsep.join([str(TESTS.parent / "src"), str(TESTS / "support" / "hub_guard")])
    yield own | {
        "PYTHONPATH": path,
        "HUB_GUARD_LOG": str(log),
        "HF_ENDPOINT": hub.url,
        "HF_HOME": str(log.parent / "home"),
        "OMP_NUM_THREADS": "1",
    }
    assert not log.exists(), log.read_text(encoding="utf-8")
    answered = ("/resolve/", "/tree/", "/revision/")
    strange = {
        request for request in hub.requests if request != "HEAD /" and not any(map(request.count, answered))
    }
    assert not strange, "only files, listings and commits are asked for"


@pytest.fixture(scope="module")
def ask(surroundings: dict[str, str]) -> Iterator[Ask]:
    """Call the loading code in a process of its own, with a given cache."""
    command = [sys.executable, str(TESTS / "support" / "hub_client.py")]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1, env=surroundings
    ) as process:
        assert process.stdin
        assert process.stdout

        def call(
            call: str, cache: Path, offline: bool = False, patience: float = 10, **arguments: Any
        ) -> dict[str, Any]:
            settings = {"cache": str(cache), "offline": offline, "patience": patience}
            request = {"call": call, "arguments": arguments, **settings}
            process.stdin.write(json.dumps(request) + "\n")
            if not select.select([process.stdout], [], [], 2 * LONGEST)[0]:
                process.kill()
                pytest.fail(f"no answer to {request}")
            return json.loads(process.stdout.readline())

        yield call
        process.stdin.close()


def data(commit: str, *languages: str) -> dict[str, Any]:
    """The part of the data section that names languages and pins."""
    return {"languages": list(languages), "revisions": {XTREME: commit, MULTI_NLI: commit}}


def value(answer: dict[str, Any]) -> Any:
    """What a call returned."""
    assert answer["error"] is None, answer["message"]
    return answer["value"]


def error(answer: dict[str, Any]) -> str:
    """The one line of an expected error, which did not keep anyone waiting."""
    assert answer["error"] in ("DataError", "EncoderError"), answer["message"]
    assert "\n" not in answer["message"]
    assert answer["seconds"] + answer["slept"] < LONGEST
    return str(answer["message"])


def pair(language: str, item: int, second: int, label: str) -> dict[str, Any]:
    texts = {"first": sentence(language, item), "second": sentence(language, second)}
    return {"item": str(item), **texts, "label": label}


def assert_intact(cache: Path) -> None:
    """Every file in the cache has the content that its name stands for."""
    for blob in cache.glob("*/blobs/*"):
        content = blob.read_bytes()
        git = hashlib.sha1(f"blob {len(content)}\0".encode() + content).hexdigest()
        assert blob.name in (git, hashlib.sha256(content).hexdigest()), blob


# What is read


def test_all_tasks_are_read_with_what_they_need_only(hub: Hub, ask: Ask, tmp_path: Path) -> None:
    commit = hub.commit("all tasks")
    start = len(hub.requests)
    arguments = data(commit, "de", "es")
    found = {
        task: value(ask("corpus", tmp_path, task=task, **arguments)) for task in ("xnli", "pawsx", "ner", "pos")
    }
    every = {f"test {language}" for language in ("en", "de", "es")}
    english = {"train en", "dev en"}
    assert set(found["pawsx"]) == set(found["pos"]) == english | every
    assert set(found["ner"]) == english | every | {"train de", "train es"}
    assert set(found["xnli"]) == english | every | {"dev de", "dev es"}
    assert found["xnli"]["train en"] == [
        pair("en", number, number + 1, NLI[label]) for number, label in enumerate([0, 1, 2, 2, 0])
    ], "the pair without a gold label is left out"
    assert found["xnli"]["test de"] == [pair("de", number, number + 2, NLI[number % 3]) for number in range(4)]
    assert found["pawsx"]["test es"] == [pair("es", number, number + 4, str(number % 2)) for number in range(5)]
    for task, tags in (("ner", "O O O O B-LOC O"), ("pos", "DET NOUN VERB ADP PROPN PUNCT")):
        assert found[task]["test de"] == [
            {"item": str(number), "words": words("de", number), "tags": tags.split()} for number in range(5)
        ]
    pairs = value(ask("parallel", tmp_path, **arguments))
    assert pairs == {
        code: [[str(number), sentence(code, number), sentence("en", number)] for number in range(4)]
        for code in ("de", "es")
    }
    files = [request for request in hub.requests[start:] if request.startswith("GET /s")]
    assert len(files) == len(set(files)) == 2 + 5 + 7 + 5 + 2 + 2 + 2, "two cards, and each file of a split once"
    assert not any("MLQA" in request for request in files)
    assert_intact(tmp_path)


@pytest.mark.parametrize("name", [MBERT, "bert-base-multilingual-cased"])
def test_the_encoder_by_id_is_that_of_its_files(name: str, hub: Hub, ask: Ask, tmp_path: Path) -> None:
    commit = hub.commit("encoder")
    start = len(hub.requests)
    found = value(ask("encoder", tmp_path / "cache", name=name, revision=commit, text=TEXT))
    local = value(ask("encoder", tmp_path, name=str(write_model(tmp_path / "files")), revision=None, text=TEXT))
    assert found.pop("name") == f"{name}@{commit[:8]}"
    assert local.pop("name") == "files"
    assert found == local
    assert len(found["ids"]) > 7
    assert not any(("pytorch_model" in request) for request in hub.requests[start:])


def test_a_warm_cache_needs_no_hub_and_asks_none(hub: Hub, ask: Ask, tmp_path: Path) -> None:
    commit, other = hub.commit("warm"), hub.commit("not in the cache")
    calls = [
        ("corpus", {"task": "pawsx", **data(commit, "de")}),
        ("parallel", data(commit, "de")),
        ("encoder", {"name": MBERT, "revision": commit, "text": TEXT}),
    ]
    first = [value(ask(call, tmp_path, **arguments)) for call, arguments in calls]
    start = len(hub.requests)
    assert [value(ask(call, tmp_path, **arguments)) for call, arguments in calls] == first
    assert len(hub.requests) == start
    with hub.stopped():
        assert [value(ask(call, tmp_path, **arguments)) for call, arguments in calls] == first
        assert [value(ask(call, tmp_path, offline=True, **arguments)) for call, arguments in calls] == first
        told = error(ask("corpus", tmp_path, task="pawsx", **data(other, "de")))
        assert f"{XTREME} PAWS-X.en train at {other}: {hub.url} cannot be reached" in told, (
            "another commit is another"
        )
        assert "cannot be reached" in error(ask("corpus", tmp_path, task="pawsx", **data(commit, "de", "es")))
        assert "cannot be reached" in error(ask("encoder", tmp_path, name=MBERT, revision=other, text=TEXT))
    told = error(ask("corpus", tmp_path, offline=True, task="pawsx", **data(other, "de")))
    assert "HF_HUB_OFFLINE is set" in told
    assert "HF_HUB_OFFLINE is set" in error(
        ask("encoder", tmp_path, offline=True, name=MBERT, revision=other, text="")
    )


# Faults

LISTING, SMALL, LARGE = "GET /api/", "GET /small", "GET /store"
REFUSALS: dict[str, tuple[Fault, str]] = {
    "a listing that never comes": (Fault(LISTING, "hang"), "does not answer in time"),
    "a listing that breaks off": (Fault(LISTING, "cut", 20), "closes the connection too early"),
    "too many requests": (Fault(LISTING, "status", code=429), r"too many requests \(HTTP 429\)"),
    "no such file": (
        Fault(LARGE, "status", code=404, headers={"X-Error-Code": "EntryNotFound"}),
        r"(validation-00000-of-00001.parquet|model.safetensors): not found \(HTTP 404\)",
    ),
    "an hour to wait": (
        Fault(LARGE, "status", code=429, headers={"Retry-After": "3600"}),
        "too many requests .*; it asks to wait 3600 s",
    ),
    "a window to wait for": (
        Fault(LARGE, "status", code=429, headers={"RateLimit": '"resolvers";r=0;t=301'}),
        "too many requests .*; it asks to wait 301 s",
    ),
    "a server that fails": (Fault("HEAD .*(parquet|safetensors)", "status", code=503), r"refused \(HTTP 503\)"),
    "headers that never come": (Fault("HEAD .*(parquet|safetensors)", "hang"), "does not answer in time"),
    "content that stops": (Fault(LARGE, "stall", 40, ranges=False), "breaks off again and again"),
    "content that is cut": (Fault(LARGE, "cut", 40, ranges=False), "breaks off again and again"),
    "other content": (Fault(LARGE, "spoil"), "(parquet|safetensors) does not match its checksum and was deleted"),
    "other content of a small file": (Fault(SMALL, "spoil"), "(README.md|json|txt) does not match its checksum"),
    "a page of a network that asks for a password": (Fault("", "status", code=200), ""),
}
"""What goes wrong and stays so, and what is said about it."""

OF_ENCODER = ("a listing that never comes", "no such file", "content that is cut", "other content")


@pytest.mark.parametrize(
    ("what", "name"), [*(("data", name) for name in REFUSALS), *(("encoder", name) for name in OF_ENCODER)]
)
def test_a_fault_is_told_in_a_line_and_leaves_nothing_behind(
    what: str, name: str, hub: Hub, ask: Ask, tmp_path: Path
) -> None:
    fault, expected = REFUSALS[name]
    commit = hub.commit(f"{what}: {name}")
    if what == "data":
        call: dict[str, Any] = {"call": "parallel", "cache": tmp_path, **data(commit, "de")}
        start = f"cannot load {XTREME} tatoeba.deu validation at {commit}: "
    else:
        call = {"call": "encoder", "cache": tmp_path, "name": MBERT, "revision": commit, "text": TEXT}
        start = f"cannot get {MBERT}@{commit[:8]} from the hub ("
    with hub.broken(fault):
        told = error(ask(**call, patience=0.5 if fault.what in ("hang", "stall") else 10))
    assert told.startswith(start)
    assert re.search(expected, told), told
    assert_intact(tmp_path)
    found = value(ask(**call))
    assert (
        found["de"][3] == ["3", sentence("de", 3), sentence("en", 3)] if what == "data" else len(found["ids"]) > 7
    )
    assert_intact(tmp_path)


@pytest.mark.parametrize("what", ["data", "encoder"])
def test_faults_that_pass_are_waited_out(what: str, hub: Hub, ask: Ask, tmp_path: Path) -> None:
    commit = hub.commit(f"passing: {what}")
    faults = [
        Fault(LISTING, "status", code=429, headers={"Retry-After": "20"}, times=1),
        Fault(SMALL, "spoil", times=1),
        Fault(SMALL, "delay", 0.3, times=1),
        Fault("HEAD .*(parquet|safetensors)", "status", code=503, times=2),
        Fault(LARGE, "cut", 40, times=2),
    ]
    with hub.broken(*faults):
        if what == "data":
            answer = ask("parallel", tmp_path, **data(commit, "de"))
            assert value(answer)["de"][1] == ["1", sentence("de", 1), sentence("en", 1)]
        else:
            answer = ask("encoder", tmp_path, name=MBERT, revision=commit, text=TEXT)
            local = ask("encoder", tmp_path, name=str(write_model(tmp_path / "files")), revision=None, text=TEXT)
            assert value(answer)["states"] == value(local)["states"]
    assert answer["slept"] > 20, "as long as it was told to"
    assert not any(fault.times for fault in faults), "each of them happened"
    assert_intact(tmp_path)


@pytest.mark.parametrize("what", ["data", "encoder"])
def test_a_file_that_was_damaged_in_the_cache_is_fetched_again(
    what: str, hub: Hub, ask: Ask, tmp_path: Path
) -> None:
    commit = hub.commit(f"damaged: {what}")
    arguments = data(commit, "de") if what == "data" else {"name": MBERT, "revision": commit, "text": TEXT}
    call = {"call": "parallel" if what == "data" else "encoder", "cache": tmp_path, **arguments}
    first = value(ask(**call))
    kept = [path for path in tmp_path.glob("*/snapshots/*/**/*") if path.suffix in (".parquet", ".safetensors")]
    assert len(kept) == 1
    content = kept[0].read_bytes()
    kept[0].resolve().write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    with hub.stopped():
        assert "cannot be reached" in error(ask(**call)), "it is not used"
    start = len(hub.requests)
    assert value(ask(**call)) == first
    assert [request.split()[0] for request in hub.requests[start:]] == ["HEAD", "GET"], "nothing else is fetched"
    assert_intact(tmp_path)


def test_files_are_known_by_their_hashes(tmp_path: Path) -> None:
    (tmp_path / "blobs").mkdir()
    contents = {
        "large": (hashlib.sha256(b"abc").hexdigest(), b"abc"),
        "small": (hashlib.sha1(b"blob 3\0abc").hexdigest(), b"abc"),
        "other": (hashlib.sha256(b"abc").hexdigest()[:-1] + "0", b"abc"),
        "cut": (hashlib.sha1(b"blob 3\0xyz").hexdigest(), b"xy"),
        "gone": ("0" * 64, None),
    }
    for name, (blob, content) in contents.items():
        if content is not None:
            (tmp_path / "blobs" / blob).write_bytes(content)
        (tmp_path / name).symlink_to(Path("blobs") / blob)
    (tmp_path / "copied").write_bytes(b"whatever it is")
    assert _delete_damaged(tmp_path, ["*"]) == ["cut", "gone", "other"]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["blobs", "copied", "large", "small"]
    assert len(list((tmp_path / "blobs").iterdir())) == 2
    (tmp_path / "large").unlink()
    (tmp_path / "large").symlink_to("blobs")
    with pytest.raises(HubError, match="large in the cache: Is a directory"):
        _delete_damaged(tmp_path, ["large"])


@pytest.mark.parametrize("commit", ["0" * 40, "main", "ABCDEF"])
def test_a_commit_that_is_none(commit: str, hub: Hub, ask: Ask, tmp_path: Path) -> None:
    start = len(hub.requests)
    told = error(ask("parallel", tmp_path, **data(commit, "de")))
    of_encoder = error(ask("encoder", tmp_path, name=MBERT, revision=commit, text=TEXT))
    if commit == "0" * 40:
        assert "the hub has no such commit; check the network and data.revisions" in told
        assert "the hub has no such commit" in of_encoder
    else:
        assert f"data.revisions has no commit but {commit!r} for {XTREME}; pin the 40-digit commit" in told
        assert f"{hub.url}/datasets/{XTREME}/commits/main" in told
        assert "set encoder.revision to the 40-digit commit" in of_encoder
        assert len(hub.requests) == start


def test_a_model_that_the_hub_does_not_have(hub: Hub, ask: Ask, tmp_path: Path) -> None:
    told = error(ask("encoder", tmp_path, name="nobody/nothing", revision=hub.commit("any"), text=TEXT))
    assert "the hub has no such repository, or shows it to its members only" in told


# What `crosslayer doctor` says

PAPER = TESTS.parent / "profiles" / "paper.yaml"


def use(place: Path, commit: str, *changes: str) -> None:
    """Make the paper's profile with German as its only other language the active one in a directory."""
    pins = f"data.revisions={{{XTREME}: {commit!r}, {MULTI_NLI}: {commit!r}}}"
    settings = ["data.languages=[de]", pins, f"encoder.revision={commit!r}", *changes]
    (place / "params.yaml").write_text(changed(PAPER, settings), encoding="utf-8")


def lines(answer: dict[str, Any]) -> dict[str, tuple[bool, str]]:
    """The findings about the hub and what comes from it: whether, and the fix."""
    assert answer["seconds"] + answer["slept"] < LONGEST / 3
    found = {name: (there, fix) for name, there, fix in value(answer)}
    for name in ("packaged encoder", "GPU", "native bfloat16", "latexmk (PDF)"):
        del found[name]
    assert not any("\n" in name + fix for name, (_, fix) in found.items())
    return found


def test_doctor_tells_what_is_cached_and_what_is_reachable(hub: Hub, ask: Ask, tmp_path: Path) -> None:
    commit = hub.commit("doctor")
    names = [f"{what}@{commit[:8]}" for what in (f"encoder {MBERT}", f"data {XTREME}", f"data {MULTI_NLI}")]
    address, cache = f"hub at {hub.url}", tmp_path / "cache"
    use(tmp_path, commit)

    def doctor(**settings: Any) -> dict[str, tuple[bool, str]]:
        return lines(ask("doctor", cache, place=str(tmp_path), **settings))

    cold = doctor()
    assert cold[address][0]
    assert [name for name, (there, _) in cold.items() if there] == [
        address,
        *(f"{name}: on the hub, 0 of {parts} cached" for name, parts in zip(names, (1, 16, 1), strict=True)),
    ]
    assert not list(cache.glob("**/*.parquet")), "nothing is downloaded"
    with hub.stopped():
        silent = doctor()
    assert silent[address] == (False, f"{hub.url} cannot be reached; check the network, proxies and HF_ENDPOINT")
    assert [silent[name][0] for name in names] == [False] * 3
    assert silent[names[0]][1].endswith("or set encoder.name to a directory with its files")
    assert silent[names[1]][1].startswith("0 of 16 cached and the hub does not answer; fill the cache (HF_HOME)")
    for task in ("xnli", "pawsx", "ner", "pos"):
        value(ask("corpus", cache, task=task, **data(commit, "de")))
    with hub.stopped():
        partly = doctor()
        assert partly[names[1]][1].startswith("15 of 16 cached"), "Tatoeba was not read"
    value(ask("parallel", cache, **data(commit, "de")))
    value(ask("encoder", cache, name=MBERT, revision=commit, text=TEXT))
    with hub.stopped():
        warm = doctor()
    start = len(hub.requests)
    assert [name for name, (there, _) in warm.items() if there] == [f"{name}: cached" for name in names]
    assert "HF_HUB_OFFLINE is set" in doctor(offline=True)[address][1]
    with hub.broken(Fault("HEAD /$", "hang")):
        assert "does not answer in time" in doctor(patience=0.5)[address][1]
    assert len(hub.requests) == start + 1


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        (["data.revisions={}"], {f"data {XTREME}": f"data.revisions has no {XTREME}; pin the 40-digit commit"}),
        (["encoder.revision=null"], {f"encoder {MBERT}": "it must be pinned; set encoder.revision"}),
        (["encoder.name=./absent"], {"encoder ./absent": "no directory ./absent; correct encoder.name"}),
        (["encoder.name=null"], {"encoder": "set encoder.name to a Hugging Face id or a directory"}),
        (["encoder.name=."], {"encoder .": "config.json cannot be read"}),
        (["data.languages=[xx]"], {"data": "drop xx from data.languages"}),
        (["data.source=xtreme", "data.root=absent"], {"data in absent": "data.root absent is no directory"}),
        (
            [f"data.revisions={{{XTREME}: {'0' * 40!r}}}", f"encoder.revision={'0' * 40!r}"],
            {
                f"data {XTREME}@00000000": "the hub has no such commit; correct its name or its revision",
                f"encoder {MBERT}@00000000": "the hub has no such commit",
                f"data {MULTI_NLI}": "pin the 40-digit commit",
            },
        ),
    ],
)
def test_doctor_names_the_fix(
    changes: list[str], expected: dict[str, str], hub: Hub, ask: Ask, tmp_path: Path
) -> None:
    use(tmp_path, hub.commit("doctor"), *changes)
    found = lines(ask("doctor", tmp_path, place=str(tmp_path)))
    for name, fix in expected.items():
        assert not found[name][0]
        assert fix in found[name][1]


def test_doctor_without_a_profile_that_needs_the_hub(hub: Hub, ask: Ask, tmp_path: Path) -> None:
    def doctor() -> dict[str, tuple[bool, str]]:
        with hub.stopped():
            return lines(ask("doctor", tmp_path, place=str(tmp_path)))

    address = f"hub at {hub.url}"
    assert list(doctor()) == [address]
    (tmp_path / "params.yaml").write_bytes((PAPER.parent / "offline.yaml").read_bytes())
    assert doctor() == {address: (False, f"{hub.url} cannot be reached; profile offline does without")}
    (tmp_path / "params.yaml").write_text("profile: [\n", encoding="utf-8")
    assert "is not YAML" in doctor()["active profile"][1]


# Whole processes


def test_stages_read_the_hub_once_and_then_their_cache(
    hub: Hub, surroundings: dict[str, str], tmp_path: Path
) -> None:
    use(tmp_path, hub.commit("stages"), "intermediate.targets=[]")

    def run(stage: str, home: str) -> subprocess.CompletedProcess[str]:
        environment = surroundings | {"HF_HOME": str(tmp_path / home)}
        command = [sys.executable, "-m", f"crosslayer.stages.{stage}", "paper"]
        return subprocess.run(
            command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False, timeout=90
        )

    ended = run("prepare", "home")
    assert (ended.returncode, ended.stderr) == (0, "")
    prepared = tmp_path / "results" / "paper" / "data"
    made = {path.name: path.read_bytes() for path in prepared.glob("*.parquet")}
    assert set(made) == {f"{name}.parquet" for name in ("xnli", "pawsx", "ner", "pos", "parallel")}
    with hub.stopped():
        ended = run("prepare", "home")
        assert (ended.returncode, ended.stderr) == (0, "")
        assert {path.name: path.read_bytes() for path in prepared.glob("*.parquet")} == made
        ended = run("prepare", "elsewhere")
    assert ended.returncode == 2
    assert re.fullmatch(r"error: cannot load .* cannot be reached; .*\n", ended.stderr)
    assert {path.name: path.read_bytes() for path in prepared.glob("*.parquet")} == made
