"""Tokenisers of the ``tokenizers`` library, as `crosslayer.encoders.base.Tokenizer` describes them."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from tokenizers import Tokenizer
from tokenizers.models import Unigram
from tokenizers.processors import TemplateProcessing

METASPACE = "▁"
_SPACES = re.compile(" {2,}")
_IMPOSSIBLE = " "  # normalised text has no space, so that a literal "<unk>" in a text is split like any other


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


class UnigramTokenizer(FastTokenizer):
    """A Unigram model over (piece, score) pairs as XLM-R has it, after Kudo 2018 (arXiv 1804.10959).

    Normalise by a character map, join runs of spaces, write them as ``▁``, and find the best segmentation.

    Unless the text begins with a space, one is put before it, so that the first sub-word of a word may be a bare
    ``▁``, as is usual in Chinese. A character that no piece covers costs the lowest score less 10 and becomes one
    unknown sub-word. Texts are wrapped as ``<s> A </s>`` and ``<s> A </s> </s> B </s>``, all of token type 0.

    Args:
        pieces, scores: the vocabulary; an id is an index into it.
        characters: code point -> its normal form.
        bos, eos, pad, unk: ids of the special pieces.
    """

    def __init__(
        self,
        pieces: Sequence[str],
        scores: Sequence[float],
        characters: Mapping[int, str],
        *,
        bos: int,
        eos: int,
        pad: int,
        unk: int,
    ) -> None:
        names = [*pieces[:unk], _IMPOSSIBLE, *pieces[unk + 1 :]]
        backend = Tokenizer(Unigram(list(zip(names, scores, strict=True)), unk_id=unk))
        backend.post_processor = TemplateProcessing(
            single="<s> $A </s>", pair="<s> $A </s> </s> $B </s>", special_tokens=[("<s>", bos), ("</s>", eos)]
        )
        super().__init__(backend, pad, unk)
        self._characters = dict(characters)

    def encode_text(self, text: str) -> list[int]:
        encoding = self._backend.encode(self._normalise(text), add_special_tokens=False)
        if self._unk_id not in encoding.ids:
            return list(encoding.ids)
        spans = zip(encoding.ids, encoding.offsets, strict=True)  # the segmenter fuses unknown neighbours
        return [id for id, (start, end) in spans for _ in range(end - start if id == self._unk_id else 1)]

    def _normalise(self, text: str) -> str:
        text = _SPACES.sub(" ", text.translate(self._characters))
        return (text if text.startswith(" ") else f" {text}").replace(" ", METASPACE)
