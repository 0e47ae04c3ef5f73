"""The fast tokenisers of the transformers library, as `Tokenizer` describes them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from transformers import AutoTokenizer

from crosslayer.encoders.base import one_line, silence
from crosslayer.errors import EncoderError

VOCABULARY_FILES = ("tokenizer.json", "vocab.txt", "sentencepiece.bpe.model")


class FastTokenizer:
    """A ``tokenizers.Tokenizer`` that neither cuts nor pads; what it puts around texts is read off two probes."""

    def __init__(self, backend: Any, pad_id: int, unk_id: int) -> None:
        backend.no_truncation()
        backend.no_padding()
        self._backend = backend
        self._unk_id = unk_id
        self._single, self._pair = _frame(backend.encode("a")), _frame(backend.encode("a", "a"))
        self.pad_id = pad_id
        self.n_special_single, self.n_special_pair = len(self._single) - 1, len(self._pair) - 2
        self.prefix_length = [text for _, _, text in self._single].index(0)
        self.vocabulary_size = max(backend.get_vocab(with_added_tokens=True).values()) + 1

    def encode_text(self, text: str) -> list[int]:
        """Sub-words of running text; empty for blank text."""
        return list(self._backend.encode(text, add_special_tokens=False).ids)

    def encode_word(self, word: str) -> list[int]:
        """Sub-words of one word; the unknown sub-word where the tokeniser gives none."""
        return self.encode_text(word) or [self._unk_id]

    def wrap(self, first: list[int], second: list[int] | None) -> tuple[list[int], list[int]]:
        """Ids and token types as the tokeniser itself frames one or two texts."""
        texts = [first] if second is None else [first, second]
        ids: list[int] = []
        types: list[int] = []
        for id, type_id, text in self._single if second is None else self._pair:
            content = [id] if text is None else texts[text]
            ids += content
            types += [type_id] * len(content)
        return ids, types


def _frame(encoding: Any) -> list[tuple[int, int, int | None]]:
    """Id, token type and text of each special sub-word (text None) and, once, of each text."""
    rows = list(zip(encoding.ids, encoding.type_ids, encoding.sequence_ids, strict=True))
    before = [None, *(text for _, _, text in rows)]
    return [row for row, last in zip(rows, before, strict=False) if row[2] is None or row[2] != last]


def load_tokenizer(folder: Path) -> FastTokenizer:
    """The fast tokeniser of a model directory.

    Raises:
        EncoderError: its files are missing or damaged, or it is slow or has no padding or unknown sub-word.
    """
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
