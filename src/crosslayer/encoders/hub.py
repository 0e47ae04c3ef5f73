"""Any BERT from the Hugging Face hub or a directory: pinned, safetensors only, no foreign code."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from transformers import AutoTokenizer, BertConfig

from claimtrack.errors import EncoderError
from claimtrack.reading import Malformed, parse_json
from crosslayer.data import hubfiles as hub
from crosslayer.encoders.base import Encoder, check_size, load_weights, one_line, quiet

VOCABULARY_FILES = ("tokenizer.json", "vocab.txt", "sentencepiece.bpe.model")
FILES = (
    *("config.json", "*.safetensors", "*.safetensors.index.json"),
    *(*VOCABULARY_FILES, "tokenizer_config.json", "special_tokens_map.json", "added_tokens.json"),
)


def load_hub(name: str | None, revision: str | None) -> Encoder:
    """The BERT called ``name``: a directory, or a hub id at the commit ``revision``.

    Raises:
        EncoderError: no such directory or id, no commit given, files missing or damaged, or not a BERT.
    """
    if not name:
        raise EncoderError("encoder.name is empty; give a Hugging Face id or a directory")
    folder = resolve(name, revision)
    check_folder(folder)
    model = load_weights(str(folder), use_safetensors=True, local_files_only=True)
    tokenizer = load_tokenizer(folder)
    if tokenizer.vocabulary_size > model.config.vocab_size:
        raise EncoderError(
            f"{folder}: the tokeniser has {tokenizer.vocabulary_size} sub-words but the model only "
            f"{model.config.vocab_size}; give files that belong together"
        )
    model.config.pad_token_id = tokenizer.pad_id
    return Encoder(_title(folder, name, revision), digest_files(folder), model, tokenizer)


def _title(folder: Path, name: str, revision: str | None) -> str:
    if revision is None or Path(name).expanduser() == folder:
        return folder.resolve().name
    return f"{name}@{revision[:8]}"


def resolve(name: str, revision: str | None) -> Path:
    """The directory with the files: ``name`` itself, or the hub client's copy of that commit, each file checked.

    Raises:
        EncoderError: no such directory or id, no commit given, or the files cannot be had intact.
    """
    commit = pinned(name, revision)
    if commit is None:
        return Path(name).expanduser()
    try:
        return hub.fetch("model", name, commit, FILES)
    except hub.HubError as error:
        raise EncoderError(
            f"cannot get {name}@{commit[:8]} from the hub ({error}); "
            "check the id and the network, or set encoder.name to a directory"
        ) from None


def pinned(name: str, revision: str | None) -> str | None:
    """The commit of a hub id; none where ``name`` is a directory.

    Raises:
        EncoderError: a directory that is not there, or a hub id without a commit.
    """
    if Path(name).expanduser().is_dir():
        return None
    if name.startswith((".", "/", "~")) or name.count("/") > 1:
        raise EncoderError(f"no directory {name}; correct encoder.name")
    if revision is None or not hub.is_commit(revision):
        raise EncoderError(
            f"{name} is no directory, and as a hub id it must be pinned; "
            "set encoder.revision to the 40-digit commit shown on its page"
        )
    return revision


def check_folder(folder: Path) -> None:
    """Raise EncoderError where a directory holds no BERT with its weights."""
    path = folder / "config.json"
    try:
        config = parse_json(path.read_bytes())
        kind = config.get("model_type")
    except (OSError, Malformed, AttributeError) as error:
        raise EncoderError(
            f"{path} cannot be read ({one_line(error)}); give a complete model directory"
        ) from error
    if kind != "bert":
        raise EncoderError(f"{path}: model_type is {kind}, and only bert is supported; choose another encoder")
    if not any(folder.glob("*.safetensors")):
        raise EncoderError(f"{folder} has no .safetensors file; convert the weights, other formats are not read")
    n_bytes = sum(file.stat().st_size for file in folder.glob("*.safetensors"))
    check_size(SimpleNamespace(**{**BertConfig().to_dict(), **config}), n_bytes, str(folder))


def digest_files(folder: Path) -> str:
    """SHA-256 over the names and contents of the files that determine weights and tokeniser."""
    paths = {path for pattern in FILES for path in folder.glob(pattern)}
    total = hashlib.sha256()
    for path in sorted(paths):
        with path.open("rb") as file:
            total.update(f"{path.name}\0{hashlib.file_digest(file, 'sha256').hexdigest()}\n".encode())
    return total.hexdigest()


Special = tuple[int, int]
"""A special sub-word: id and token type."""


@dataclass(frozen=True)
class Frame:
    """What a tokeniser puts around n texts.

    Attributes:
        specials: n + 1 runs of special sub-words: before the first text, after the first, and so on.
        text_types: token type of each text.
    """

    specials: tuple[tuple[Special, ...], ...]
    text_types: tuple[int, ...]

    @classmethod
    def read(cls, encoding: Any, n_texts: int) -> Frame:
        """The frame in a ``tokenizers.Encoding`` of ``n_texts`` texts, none of them empty."""
        specials: list[list[Special]] = [[] for _ in range(n_texts + 1)]
        text_types = [0] * n_texts
        seen = 0
        columns = zip(encoding.ids, encoding.type_ids, encoding.sequence_ids, strict=True)
        for id, type_id, sequence in columns:
            if sequence is None:
                specials[seen].append((id, type_id))
            else:
                seen = sequence + 1
                text_types[sequence] = type_id
        return cls(tuple(map(tuple, specials)), tuple(text_types))

    @property
    def size(self) -> int:
        """How many special sub-words it has."""
        return sum(map(len, self.specials))

    def wrap(self, *texts: list[int]) -> tuple[list[int], list[int]]:
        """Ids and token types of the framed texts."""
        both = list(self.specials[0])
        for text, text_type, specials in zip(texts, self.text_types, self.specials[1:], strict=True):
            both += [(id, text_type) for id in text]
            both += specials
        return [id for id, _ in both], [type_id for _, type_id in both]


class HubTokenizer:
    """A fast tokeniser of the transformers library; the frame is read off two encoded probes.

    Args:
        backend: a ``tokenizers.Tokenizer``; its truncation and padding are switched off.
        pad_id, unk_id: ids of the padding and the unknown sub-word.
    """

    def __init__(self, backend: Any, pad_id: int, unk_id: int) -> None:
        backend.no_truncation()
        backend.no_padding()
        self._backend = backend
        self._unk_id = unk_id
        self._single = Frame.read(backend.encode("a"), 1)
        self._pair = Frame.read(backend.encode("a", "a"), 2)
        self.pad_id = pad_id
        self.n_special_single = self._single.size
        self.n_special_pair = self._pair.size
        self.prefix_length = len(self._single.specials[0])
        self.vocabulary_size = max(backend.get_vocab(with_added_tokens=True).values()) + 1

    def encode_text(self, text: str) -> list[int]:
        """Sub-words of running text; empty for blank text."""
        return list(self._backend.encode(text, add_special_tokens=False).ids)

    def encode_word(self, word: str) -> list[int]:
        """Sub-words of one word; the unknown sub-word where the tokeniser gives none."""
        return self.encode_text(word) or [self._unk_id]

    def wrap(self, first: list[int], second: list[int] | None) -> tuple[list[int], list[int]]:
        """Ids and token types as the tokeniser itself frames one or two texts."""
        return self._single.wrap(first) if second is None else self._pair.wrap(first, second)


def load_tokenizer(folder: Path) -> HubTokenizer:
    """The fast tokeniser of a model directory.

    Raises:
        EncoderError: its files are missing or damaged, or it is slow or has no padding or unknown sub-word.
    """
    if not any((folder / name).is_file() for name in VOCABULARY_FILES):
        raise EncoderError(f"{folder} has none of {', '.join(VOCABULARY_FILES)}; give a complete model directory")
    try:
        with quiet():
            tokenizer = AutoTokenizer.from_pretrained(
                str(folder), local_files_only=True, trust_remote_code=False, use_fast=True
            )
        if not tokenizer.is_fast or tokenizer.pad_token_id is None or tokenizer.unk_token_id is None:
            raise EncoderError("it must be a fast one with padding and unknown sub-words")
        pad, unk = int(tokenizer.pad_token_id), int(tokenizer.unk_token_id)
        return HubTokenizer(tokenizer.backend_tokenizer, pad, unk)
    except Exception as error:  # the Rust backend raises bare Exception on a damaged file
        raise EncoderError(f"cannot load the tokeniser of {folder}: {one_line(error)}") from error
