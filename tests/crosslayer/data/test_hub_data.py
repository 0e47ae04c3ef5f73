"""The hub reader on data sets with the real columns and features, without a network."""

from __future__ import annotations

from fnmatch import fnmatch
from pathlib import Path
from typing import Any

import pytest
from datasets import Dataset

from crosslayer.config import DataSpec, load_profile
from crosslayer.data import hub
from crosslayer.data.examples import PairExample, TagExample
from crosslayer.data.hubfiles import HubError
from crosslayer.errors import DataError
from crosslayer.tasks import UPOS, TaskName
from data_files import write
from hub_contents import MULTI_NLI, NLI, XTREME, Tables, files_of, paws, tables, tagged, xnli
from one_line import said
from repository import ROOT

REVISIONS = {XTREME: "a" * 40, MULTI_NLI: "b" * 40}


class Hub:
    """Stands in for `fetch`: writes the files that are asked for into a folder; a wrong pin is an error."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.tables: dict[str, Tables] = tables()
        self.asked: list[tuple[str, str]] = []

    def __call__(self, kind: str, name: str, revision: str, patterns: list[str]) -> Path:
        assert (kind, revision, patterns[0]) == ("dataset", REVISIONS[name], "README.md")
        self.asked.append((name, patterns[1]))
        if name not in self.tables:
            raise HubError("https://hub cannot be reached")
        config, split = patterns[1].replace("data/", "default/").removesuffix("-*.parquet").split("/")
        folder = self.folder / str(len(self.asked))
        for path, content in files_of({config: {split: self.tables[name][config][split]}}).items():
            assert fnmatch(path, patterns[1]) or path == "README.md"
            write(folder / path, content)
        return folder

    def put(self, config: str, **splits: Dataset) -> None:
        for split, table in splits.items():
            home = self.tables[MULTI_NLI if config == "default" else XTREME]
            home.setdefault(config, {})[split] = [table]


@pytest.fixture
def fake(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Hub:
    """A hub with a few rows of each task in English, German and Spanish."""
    stand_in = Hub(tmp_path)
    monkeypatch.setattr(hub, "fetch", stand_in)
    return stand_in


def spec(*languages: str, revisions: dict[str, str] = REVISIONS) -> DataSpec:
    return DataSpec(source="hub", languages=list(languages), revisions=revisions)


def told(task: TaskName, chosen: DataSpec) -> str:
    """Why a task is refused."""
    return said(DataError, hub.read_all, task, chosen)


def test_only_what_is_asked_for_is_read(fake: Hub) -> None:
    fake.put("PAWS-X.en", test=paws("en", "0110"))
    fake.put("PAWS-X.de", test=paws("de", "010"))
    found = hub.read_all("pawsx", spec("de"), {("test", "de")})
    assert fake.asked == [(XTREME, f"PAWS-X.{code}/test-*.parquet") for code in ("en", "de")]
    german = found["test", "de"]
    assert [row and row.item for row in german.rows] == ["0", None, "3"], "the labels leave open which row 1 faces"
    assert sum(german.left_out.values()) == 1
    assert hub.read_all("ner", spec("de"), {("test", "de")}).keys() == {("test", "de")}


def test_labels_that_do_not_follow_english_are_an_error(fake: Hub) -> None:
    fake.put("PAWS-X.en", test=paws("en", "0110"))
    fake.put("PAWS-X.de", test=paws("de", "0111"))
    assert "google/xtreme PAWS-X.de test de is not parallel to English: their labels part" in told(
        "pawsx", spec("de")
    )


def test_tags_are_read_by_the_names_of_the_feature(fake: Hub) -> None:
    shuffled = ["VERB", "PUNCT", *(tag for tag in UPOS if tag not in ("VERB", "PUNCT"))]
    fake.put("udpos.German", test=tagged("pos_tags", shuffled, [["Los", "!"]], [[0, 1]]))
    found = hub.read_all("pos", spec("de"))["test", "de"].examples
    assert found == [TagExample("0", ("Los", "!"), ("VERB", "PUNCT"))]


def test_pairs_with_a_blank_side_are_left_out(fake: Hub) -> None:
    pairs = {"source_sentence": ["eins\n", "\n", "drei"], "target_sentence": ["one\n", "two\n", "three"]}
    fake.put("tatoeba.deu", validation=Dataset.from_dict(pairs))
    expected = [PairExample("0", "eins", "one"), PairExample("2", "drei", "three")]
    assert hub.read_parallel(spec("de", "pl")) == {"de": expected}
    assert fake.asked == [(XTREME, "tatoeba.deu/validation-*.parquet")]


NUMBERS = Dataset.from_dict({"premise": ["a"], "hypothesis": ["b"], "label": [1]})


@pytest.mark.parametrize(
    ("task", "place", "rows", "expected"),
    [
        ("pawsx", "PAWS-X.de test", paws("de", "02"), "de row 1: unknown label '2'"),
        ("xnli", "XNLI test", xnli([("en", NLI[0]), ("de", "-")]), "de row 0: unknown label '-'"),
        ("xnli", "XNLI test", xnli([("en", NLI[0])]), "de has no row"),
        ("xnli", "default train", NUMBERS, "en row 0: unknown label 1"),
        ("ner", "PAN-X.de test", tagged("ner_tags", ["O", "B-MISC"], [["a"], ["b"]], [[0], [1]]),
         "de row 1: unknown tag 'B-MISC'"),
        ("pos", "udpos.German test", tagged("pos_tags", list(UPOS), [["a", "b"]], [[0]]),
         "de row 0: 2 words but 1 tags"),
        ("pos", "udpos.German test", tagged("upos", list(UPOS), [["a"]], [[0]]), "it has no column pos_tags"),
        ("pos", "udpos.German test", tagged("pos_tags", list(UPOS), [], []), "de has no row"),
    ],
)  # fmt: skip
def test_a_bad_row_is_one_line_that_names_it(
    fake: Hub, task: TaskName, place: str, rows: Dataset, expected: str
) -> None:
    config, split = place.split()
    fake.put(config, **{split: rows})
    line = told(task, spec("de"))
    assert place in line
    assert expected in line


@pytest.mark.parametrize("name", [XTREME, MULTI_NLI])
@pytest.mark.parametrize("pin", [None, "main", "v1.0", "A" * 40, "a" * 39])
def test_a_data_set_without_a_whole_commit_is_never_asked_for(fake: Hub, name: str, pin: str | None) -> None:
    others = {other: commit for other, commit in REVISIONS.items() if other != name}
    line = told("xnli", spec("de", revisions=others | ({name: pin} if pin else {})))
    assert f"data.revisions has no commit of {name} but {pin!r}; pin one by its 40 digits" in line
    assert name not in {found for found, _ in fake.asked}


def test_the_papers_profile_pins_all_that_it_reads() -> None:
    profile = load_profile(ROOT / "profiles" / "paper.yaml")
    for name in (XTREME, MULTI_NLI):
        assert hub.pinned(profile.data, name)


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
    monkeypatch.setattr(hub, "fetch", lambda *_: tmp_path)
    line = said(DataError, hub.read_parallel, spec("de"))
    assert line.startswith(f"cannot load google/xtreme tatoeba.deu dev at {'a' * 40}: ")
    assert ("is damaged" if content else "tatoeba.deu/validation-*.parquet cannot be read") in line


@pytest.mark.parametrize("value", [None, 3, ["a"]])
def test_rows_are_texts(value: Any, fake: Hub) -> None:
    fake.put("tatoeba.deu", validation=Dataset.from_dict({"source_sentence": [value], "target_sentence": ["x"]}))
    assert "is not text" in said(DataError, hub.read_parallel, spec("de"))


def test_a_hub_that_does_not_answer(fake: Hub) -> None:
    fake.tables.clear()
    for line in (told("ner", spec("de")), said(DataError, hub.read_parallel, spec("de"))):
        assert f"at {'a' * 40}: https://hub cannot be reached; " in line
        assert all(way in line for way in ("network", "data.revisions", "data.root"))


def test_a_language_that_the_task_does_not_have(fake: Hub) -> None:
    assert "no pawsx in sw; drop sw from data.languages" in told("pawsx", spec("de", "sw"))
    assert fake.asked == []
