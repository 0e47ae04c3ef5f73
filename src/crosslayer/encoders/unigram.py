"""A Unigram tokeniser over (piece, score) pairs as XLM-R has it, after Kudo 2018 (arXiv 1804.10959)."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from tokenizers import Tokenizer
from tokenizers.models import Unigram
from tokenizers.processors import TemplateProcessing

from crosslayer.encoders.tokenizer import FastTokenizer

METASPACE = "▁"
_SPACES = re.compile(" {2,}")
_IMPOSSIBLE = " "  # normalised text has no space, so that a literal "<unk>" in a text is split like any other


class UnigramTokenizer(FastTokenizer):
    """Normalise by a character map, join runs of spaces, write them as ``▁``, and find the best segmentation.

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
        """Sub-words of running text; ``▁`` alone for an empty one."""
        encoding = self._backend.encode(self._normalise(text), add_special_tokens=False)
        if self._unk_id not in encoding.ids:
            return list(encoding.ids)
        spans = zip(encoding.ids, encoding.offsets, strict=True)  # the segmenter fuses unknown neighbours
        return [id for id, (start, end) in spans for _ in range(end - start if id == self._unk_id else 1)]

    def _normalise(self, text: str) -> str:
        text = _SPACES.sub(" ", text.translate(self._characters))
        return (text if text.startswith(" ") else f" {text}").replace(" ", METASPACE)
