"""Any BERT from the Hugging Face hub or a directory: pinned, safetensors only, no foreign code."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

from transformers import AutoTokenizer, BertConfig

from claimtrack.reading import Malformed, parse_json
from crosslayer.data.hubfiles import HubError, fetch, is_commit
from crosslayer.encoders.base import SIZES, Encoder, load_weights, one_line, silence
from crosslayer.encoders.tokenizer import FastTokenizer
from crosslayer.errors import EncoderError

VOCABULARY_FILES = ("tokenizer.json", "vocab.txt", "sentencepiece.bpe.model")
FILES = (
    *("config.json", "*.safetensors", "*.safetensors.index.json"),
    *(*VOCABULARY_FILES, "tokenizer_config.json", "special_tokens_map.json", "added_tokens.json"),
)


def load_hub(name: str | None, revision: str | None) -> Encoder:
    """The BERT called ``name``: a directory, or a hub id at the commit ``revision``."""
    folder, title = _find(name, revision)
    check_folder(folder)
    model = load_weights(folder)
    tokenizer = load_tokenizer(folder)
    if tokenizer.vocabulary_size > model.config.vocab_size:
        raise EncoderError(
            f"{folder}: the tokeniser has {tokenizer.vocabulary_size} sub-words but the model only "
            f"{model.config.vocab_size}; give files that belong together"
        )
    model.config.pad_token_id = tokenizer.pad_id
    return Encoder(title, digest_files(folder), model, tokenizer)


def _find(name: str | None, revision: str | None) -> tuple[Path, str]:
    """The directory of an encoder, fetched if it is on the hub, and a title for reports."""
    if not name:
        raise EncoderError("encoder.name is empty; set encoder.name to a Hugging Face id or a directory")
    folder = Path(name).expanduser()
    if folder.is_dir():
        return folder, folder.resolve().name
    if name.startswith((".", "/", "~")) or name.count("/") > 1:
        raise EncoderError(f"no directory {name}; correct encoder.name")
    if revision is None or not is_commit(revision):
        raise EncoderError(
            f"{name} is not a directory, and as a hub id it must be pinned; "
            "set encoder.revision to the 40-digit commit shown on its page"
        )
    title = f"{name}@{revision[:8]}"
    try:
        return fetch("model", name, revision, FILES), title
    except HubError as error:
        advice = "check the id and the network, or set encoder.name to a directory"
        raise EncoderError(f"cannot get {title} from the hub ({error}); {advice}") from None


def check_folder(folder: Path) -> None:
    """Refuse what is no BERT, or asks for more weights than it has bytes, before any room is made for them."""
    path = folder / "config.json"
    try:
        config = parse_json(path.read_bytes())
        kind = config.get("model_type")
    except (OSError, Malformed, AttributeError) as error:
        raise EncoderError(f"{path} cannot be read ({one_line(error)}); give a complete model directory") from None
    if kind != "bert":
        raise EncoderError(f"{path}: model_type is {kind}, and only bert is supported; choose another encoder")
    if not any(folder.glob("*.safetensors")):
        raise EncoderError(f"{folder} has no .safetensors file; convert the weights, other formats are not read")
    n_bytes = sum(file.stat().st_size for file in folder.glob("*.safetensors"))
    sizes: list[Any] = [(BertConfig().to_dict() | config).get(name) for name in SIZES]
    if not all(isinstance(size, int) and size > 0 for size in sizes):
        raise EncoderError(f"{path}: {', '.join(SIZES)} must be positive; got {sizes!s:.200}")
    width, layers, _, inner, rows, places, types = sizes
    weights = width * (rows + places + types) + layers * (4 * width * (width + 1) + inner * (2 * width + 1))
    if weights > n_bytes:
        raise EncoderError(
            f"the weights of {folder} do not fit its config.json, which asks for {weights} of them; there are "
            f"{n_bytes} bytes"
        )


def load_tokenizer(folder: Path) -> FastTokenizer:
    """The fast tokeniser of a model directory; an EncoderError where it is slow, damaged or without padding."""
    if not any((folder / name).is_file() for name in VOCABULARY_FILES):
        raise EncoderError(f"{folder} has none of {', '.join(VOCABULARY_FILES)}; give a complete model directory")
    try:
        silence()
        tokenizer = AutoTokenizer.from_pretrained(
            str(folder), local_files_only=True, trust_remote_code=False, use_fast=True
        )
        if not tokenizer.is_fast or tokenizer.pad_token_id is None or tokenizer.unk_token_id is None:
            raise EncoderError("it must be a fast one with padding and unknown sub-words")
        pad, unk = int(tokenizer.pad_token_id), int(tokenizer.unk_token_id)
        return FastTokenizer(tokenizer.backend_tokenizer, pad, unk)
    except Exception as error:  # the Rust backend raises bare Exception on a damaged file
        raise EncoderError(f"cannot load the tokeniser of {folder}: {one_line(error)}") from error


def digest_files(folder: Path) -> str:
    """SHA-256 over the names and contents of the files that determine weights and tokeniser."""
    total = hashlib.sha256()
    for path in sorted({path for pattern in FILES for path in folder.glob(pattern)}):
        with path.open("rb") as file:
            total.update(f"{path.name}\0{hashlib.file_digest(file, 'sha256').hexdigest()}\n".encode())
    return total.hexdigest()
