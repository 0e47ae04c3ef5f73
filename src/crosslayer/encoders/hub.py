"""Any BERT from the Hugging Face hub or a directory: pinned, safetensors only, no foreign code."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

from transformers import BertConfig

from claimtrack.reading import Malformed, parse_json
from crosslayer.data.hubfiles import HubError, fetch, is_commit
from crosslayer.encoders.base import Encoder, load_weights, one_line
from crosslayer.encoders.tokenizer import VOCABULARY_FILES, load_tokenizer
from crosslayer.errors import EncoderError

FILES = (
    *("config.json", "*.safetensors", "*.safetensors.index.json"),
    *(*VOCABULARY_FILES, "tokenizer_config.json", "special_tokens_map.json", "added_tokens.json"),
)
SIZES = (
    "vocab_size", "max_position_embeddings", "type_vocab_size", "num_hidden_layers", "hidden_size",
    "intermediate_size", "num_attention_heads",
)  # fmt: skip
"""What the number of a BERT's weights follows from; it does not depend on the heads."""


def load_hub(name: str | None, revision: str | None) -> Encoder:
    """The BERT called ``name``: a directory, or a hub id at the commit ``revision``.

    Raises:
        EncoderError: no such directory or id, no commit given, files missing or damaged, or not a BERT.
    """
    name, commit = pinned(name, revision)
    if commit is None:
        folder = Path(name).expanduser()
        title = folder.resolve().name
    else:
        title = f"{name}@{commit[:8]}"
        try:
            folder = fetch("model", name, commit, FILES)
        except HubError as error:
            advice = "check the id and the network, or set encoder.name to a directory"
            raise EncoderError(f"cannot get {title} from the hub ({error}); {advice}") from None
    check_folder(folder)
    model = load_weights(str(folder), use_safetensors=True, local_files_only=True)
    tokenizer = load_tokenizer(folder)
    if tokenizer.vocabulary_size > model.config.vocab_size:
        raise EncoderError(
            f"{folder}: the tokeniser has {tokenizer.vocabulary_size} sub-words but the model only "
            f"{model.config.vocab_size}; give files that belong together"
        )
    model.config.pad_token_id = tokenizer.pad_id
    return Encoder(title, digest_files(folder), model, tokenizer)


def pinned(name: str | None, revision: str | None) -> tuple[str, str | None]:
    """A hub id and its commit, or a directory.

    Raises:
        EncoderError: no name, a directory that is not there, or a hub id without a commit.
    """
    if not name:
        raise EncoderError("encoder.name is empty; set encoder.name to a Hugging Face id or a directory")
    if Path(name).expanduser().is_dir():
        return name, None
    if name.startswith((".", "/", "~")) or name.count("/") > 1:
        raise EncoderError(f"no directory {name}; correct encoder.name")
    if not is_commit(revision):
        raise EncoderError(
            f"{name} is not a directory, and as a hub id it must be pinned; "
            "set encoder.revision to the 40-digit commit shown on its page"
        )
    return name, revision


def check_folder(folder: Path) -> None:
    """Check a model directory before any room is made for its weights.

    Raises:
        EncoderError: it holds no BERT, a size is no positive integer, or its configuration asks for more weights
            than there are bytes.
    """
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
    rows, places, types, layers, width, inner, _ = sizes
    weights = width * (rows + places + types) + layers * (4 * width * (width + 1) + inner * (2 * width + 1))
    if weights > n_bytes:
        raise EncoderError(
            f"the weights of {folder} do not fit its config.json, which asks for {weights} of them; there are "
            f"{n_bytes} bytes"
        )


def digest_files(folder: Path) -> str:
    """SHA-256 over the names and contents of the files that determine weights and tokeniser."""
    total = hashlib.sha256()
    for path in sorted({path for pattern in FILES for path in folder.glob(pattern)}):
        with path.open("rb") as file:
            total.update(f"{path.name}\0{hashlib.file_digest(file, 'sha256').hexdigest()}\n".encode())
    return total.hexdigest()
