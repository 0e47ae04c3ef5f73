"""Windows and batches against counting by hand, with a tokeniser of one sub-word a character."""

import hashlib
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from claimtrack.errors import ResultsError
from crosslayer.data.examples import Corpus, PairExample, TagExample
from crosslayer.tasks import TASKS
from crosslayer.windows.batching import POOL, Batch, collate, prediction_batches, training_batches
from crosslayer.windows.encoded import Encoded, concatenate, encode, encode_texts, read_encoded, write_encoded
from one_line import said

PAD, OPEN, CLOSE, UNKNOWN = 0, 1, 2, 3
FEW = settings(max_examples=60)
WORDS = st.lists(st.text("abcxyz", max_size=20), min_size=1, max_size=25)
LIMITS = st.integers(16, 32)


@dataclass(frozen=True)
class Letters:
    """``1 1 A 2`` and ``1 1 A 2 2 B 2``, a letter's id its code point: two sub-words before the first word."""

    pad_id: int = PAD
    n_special_single: int = 3
    n_special_pair: int = 5
    prefix_length: int = 2

    def encode_text(self, text: str) -> list[int]:
        return [ord(letter) for letter in text]

    def encode_word(self, word: str) -> list[int]:
        return self.encode_text(word) or [UNKNOWN]

    def wrap(self, first: list[int], second: list[int] | None) -> tuple[list[int], list[int]]:
        ids = [OPEN, OPEN, *first, CLOSE]
        tail = [] if second is None else [CLOSE, *second, CLOSE]
        return ids + tail, [0] * len(ids) + [1] * len(tail)


def sentence(words: list[str], item: str = "7") -> TagExample:
    tags = TASKS["pos"].labels
    return TagExample(item, tuple(words), tuple(tags[i % len(tags)] for i in range(len(words))))


def encode_sentence(words: list[str], limit: int) -> Encoded:
    return encode("pos", {("dev", "en"): [sentence(words)]}, Letters(), limit)


def of_lengths(lengths: list[int], split: str = "train", language: str = "en") -> Encoded:
    """One window for each length; its label is its number modulo 2."""
    rows = [PairExample(str(i), "a" * (n - 5), "", str(i % 2)) for i, n in enumerate(lengths)]
    return encode("pawsx", {(split, language): rows}, Letters(), 512)  # type: ignore[dict-item]


@pytest.fixture
def mixed() -> Encoded:
    """Sentences in two languages and an English text without labels."""
    corpus: Corpus = {
        ("train", "en"): [sentence(["ab", "c"], "0"), sentence(["", "abcdefgh", "abcdefgh", "x"], "1")],
        ("test", "de"): [sentence(["xyz"], "0")],
        ("test", "en"): [sentence(["abc"], "0")],
        ("test", "ar"): [sentence(["b"], "0")],
    }
    texts = encode_texts([("en", "0", "a text"), ("en", "1", "")], Letters(), 16, "common")
    return concatenate([encode("pos", corpus, Letters(), 16), texts])


# Windows


def test_a_label_sits_on_the_first_sub_word_of_its_word() -> None:
    encoded = encode_sentence(["ab", "", "xyz"], 16)
    assert encoded.ids[0].tolist() == [OPEN, OPEN, 97, 98, UNKNOWN, 120, 121, 122, CLOSE]
    assert encoded.firsts[0].tolist() == [2, 4, 5]
    assert encoded.labels[0].tolist() == [0, 1, 2]
    assert encoded.start.tolist() == [0]


@FEW
@given(words=WORDS, limit=LIMITS)
def test_windows_hold_each_word_once_in_order_as_many_as_fit(words: list[str], limit: int) -> None:
    encoded = encode_sentence(words, limit)
    pieces = [Letters().encode_word(word)[: limit - 3] for word in words]
    assert encoded.start.tolist() == np.cumsum([0, *map(len, encoded.firsts)])[:-1].tolist()
    assert np.concatenate(encoded.labels).tolist() == [i % 17 for i in range(len(words))]
    assert [i for ids in encoded.ids for i in ids[2:-1]] == [i for piece in pieces for i in piece]
    for ids, firsts, start in zip(encoded.ids, encoded.firsts, encoded.start, strict=True):
        end = start + len(firsts)
        assert ids[firsts].tolist() == [piece[0] for piece in pieces[start:end]]
        assert len(ids) <= limit
        assert end == len(words) or len(ids) + len(pieces[end]) > limit


@FEW
@given(first=st.integers(0, 60), second=st.integers(0, 60), limit=LIMITS)
def test_a_pair_loses_the_end_of_its_longer_text(first: int, second: int, limit: int) -> None:
    texts = ["ab" * 30, "yz" * 30]
    pair = PairExample("0", texts[0][:first], texts[1][:second], "1")
    encoded = encode("pawsx", {("dev", "en"): [pair]}, Letters(), limit)
    room = limit - 5
    kept = min(first, max(room // 2, room - second))  # the first text loses where both are as long
    one, other = (Letters().encode_text(text) for text in (texts[0][:kept], texts[1][: min(second, room - kept)]))
    ids, types = Letters().wrap(one, other)
    assert encoded.ids[0].tolist() == ids
    assert encoded.types[0].tolist() == types
    assert len(ids) <= limit
    assert (encoded.firsts[0].tolist(), encoded.labels[0].tolist()) == ([0], [1])


def test_texts_are_cut_and_carry_no_label() -> None:
    encoded = encode_texts([("de", "3", "x" * 50), ("en", "4", "")], Letters(), 16, "common")
    assert encoded.lengths().tolist() == [16, 3]
    assert [len(row) for row in (*encoded.firsts, *encoded.labels)] == [0, 0, 0, 0]
    assert encoded.rows("common", "de").tolist() == [0]


def test_rows_and_languages_by_split(mixed: Encoded) -> None:
    assert mixed.languages("test") == ["en", "ar", "de"]
    assert mixed.split.tolist() == ["test"] * 3 + ["train"] * 3 + ["common"] * 2
    assert mixed.language.tolist() == ["en", "ar", "de", "en", "en", "en", "en", "en"]
    assert mixed.rows("train", "en").tolist() == mixed.rows("train").tolist() == [3, 4, 5]
    assert mixed.rows("train", "de").tolist() == []
    assert mixed.predicted_rows().tolist() == mixed.rows("test").tolist() == [0, 1, 2]
    assert mixed.item[3:6].tolist() == ["0", "1", "1"]
    assert mixed.start[3:6].tolist() == [0, 0, 2]


# On disk


@pytest.mark.parametrize("rows", [slice(None), slice(0, 1), slice(-2, None), slice(-1, None)])
def test_windows_come_back_from_parquet(mixed: Encoded, tmp_path: Path, rows: slice) -> None:
    columns = {name: getattr(mixed, name)[rows] for name in mixed.__dataclass_fields__ if name != "task"}
    encoded = replace(mixed, **columns)
    write_encoded(encoded, tmp_path / "windows.parquet")
    back = read_encoded(tmp_path / "windows.parquet")
    assert back.digest() == encoded.digest()
    for name in ("ids", "types", "firsts", "labels"):
        assert {row.dtype for row in getattr(back, name)} == {row.dtype for row in getattr(encoded, name)}


def test_a_file_of_windows_that_is_absent_damaged_or_another(mixed: Encoded, tmp_path: Path) -> None:
    path = tmp_path / "windows.parquet"
    assert "windows.parquet is missing; run `dvc repro`" in said(ResultsError, read_encoded, path)
    write_encoded(mixed, path)
    path.write_bytes(path.read_bytes()[:-9])
    assert "windows.parquet is damaged" in said(ResultsError, read_encoded, path)
    pq.write_table(pa.table({"item": ["1"]}), path)
    assert "windows.parquet has other columns" in said(ResultsError, read_encoded, path)


def test_the_digest_is_that_of_the_documented_bytes() -> None:
    encoded = encode("pos", {("dev", "en"): [sentence(["a", "bc"], "5")]}, Letters(), 16)
    numbers = [0, 6, 1, 1, 97, 98, 99, 2, 6, 0, 0, 0, 0, 0, 0, 2, 2, 3, 2, 0, 1]
    content = b"pos" + b"dev" + b"en" + b"5" + b"".join(n.to_bytes(4, "little") for n in numbers)
    assert encoded.digest() == hashlib.sha256(content).hexdigest()


# Batches

LENGTHS = st.lists(st.integers(6, 40), min_size=1, max_size=60)


def padding(batches: list[Batch]) -> float:
    cells = sum(batch.mask.numel() for batch in batches)
    return 1 - sum(int(batch.mask.sum()) for batch in batches) / cells


def test_collate_pads_masks_and_points_to_what_is_predicted(mixed: Encoded) -> None:
    batch = collate(mixed, np.array([5, 6, 3]), PAD)
    ids = [[1, 1, *b"abcdefgh", *b"x", 2], [1, 1, *b"a text", 2, 0, 0, 0], [1, 1, *b"abc", 2] + [0] * 6]
    assert batch.ids.tolist() == ids
    assert batch.mask.tolist() == [[True] * n + [False] * (12 - n) for n in (12, 9, 6)]
    assert batch.types.tolist() == [[0] * 12] * 3
    assert batch.row.tolist() == [0, 0, 2, 2]
    assert batch.position.tolist() == [2, 10, 2, 4]
    assert batch.labels.tolist() == [2, 3, 0, 1]
    assert batch.windows.tolist() == [5, 6, 3]
    assert (batch.ids.dtype, batch.mask.dtype, batch.labels.dtype) == (torch.int64, torch.bool, torch.int64)


def test_collate_keeps_a_padding_id_inside_a_text_and_token_types() -> None:
    rows = [PairExample("0", "ab", "c", "1"), PairExample("1", "\x00", "", "0")]
    batch = collate(encode("pawsx", {("dev", "en"): rows}, Letters(), 16), np.array([0, 1]), PAD)
    assert batch.mask.sum(dim=1).tolist() == [8, 6]
    assert batch.types.tolist() == [[0, 0, 0, 0, 0, 1, 1, 1], [0, 0, 0, 0, 1, 1, 0, 0]]
    assert batch.position.tolist() == [0, 0]
    assert batch.to(torch.device("meta")).ids.is_meta


@FEW
@given(lengths=LENGTHS, size=st.integers(1, 9), seed=st.integers(0, 3))
def test_training_batches_are_full_and_repeat_nothing(lengths: list[int], size: int, seed: int) -> None:
    encoded = of_lengths(lengths)
    rows = np.arange(len(lengths))[::2]
    batches = list(training_batches(encoded, rows, size, np.random.default_rng(seed), PAD))
    seen = [window for batch in batches for window in batch.windows.tolist()]
    assert {len(batch.windows) for batch in batches} <= {size}
    assert len(batches) == len(rows) // size
    assert len(set(seen)) == len(seen)
    assert set(seen) <= set(rows.tolist())
    for batch in batches:
        assert batch.mask.sum(dim=1).tolist() == [lengths[window] for window in batch.windows]
        assert batch.labels.tolist() == [window % 2 for window in batch.windows]


def test_training_batches_repeat_with_the_seed_and_differ_between_epochs() -> None:
    encoded, rows = of_lengths([6 + i % 20 for i in range(67)]), np.arange(67)

    def order(rng: np.random.Generator) -> list[int]:
        return [i for batch in training_batches(encoded, rows, 8, rng, PAD) for i in batch.windows]

    one, again, other = map(np.random.default_rng, (1, 1, 2))
    first = order(one)
    assert first == order(again) != order(other)
    assert set(first) != set(order(one)), "other items are left out each epoch"


def test_buckets_save_padding_and_mix_lengths_over_the_epoch() -> None:
    lengths = np.random.default_rng(0).integers(6, 100, 8 * POOL * 3).tolist()
    encoded, rows = of_lengths(lengths), np.arange(len(lengths))
    batches = list(training_batches(encoded, rows, 8, np.random.default_rng(0), PAD))
    plain = [collate(encoded, rows[i : i + 8], PAD) for i in range(0, len(rows), 8)]
    assert padding(batches) < 0.05 < 0.3 < padding(plain)
    widths = [batch.ids.shape[1] for batch in batches[:POOL]]
    assert widths != sorted(widths)
    assert widths != sorted(widths, reverse=True)


@FEW
@given(lengths=LENGTHS, max_tokens=st.integers(1, 200))
def test_prediction_batches_hold_every_row_once_within_the_limit(lengths: list[int], max_tokens: int) -> None:
    encoded = of_lengths(lengths)
    rows = np.arange(len(lengths))[1:]
    batches = list(prediction_batches(encoded, rows, max_tokens, PAD))
    seen = [window for batch in batches for window in batch.windows.tolist()]
    assert sorted(seen) == rows.tolist()
    assert [lengths[window] for window in seen] == sorted((lengths[row] for row in rows), reverse=True)
    for batch in batches:
        assert len(batch.windows) >= min(2, len(rows))
        fitting = max(2, max_tokens // batch.ids.shape[1])
        last = batch is batches[-1]
        assert len(batch.windows) <= fitting + 1 if last else len(batch.windows) == fitting
