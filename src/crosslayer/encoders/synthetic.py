"""A random BERT and a tokeniser that need no files, for quick runs of the whole pipeline.

It has learnt nothing: scores on it are those of guessing or of what its own fine-tuning finds.
"""

from __future__ import annotations

import hashlib
import json
import re
import zlib

import torch
from transformers import BertConfig, BertModel

from crosslayer.encoders.base import Encoder, load_weights
from crosslayer.errors import EncoderError

PAD, CLS, SEP, UNK = range(4)
BUCKETS = 512
PIECE_LENGTH = 4
_WORD = re.compile(r"\w+|[^\w\s]")
_RECIPE = "normal-0.02, crc32 of pieces of 4 characters, version 1"


class HashTokenizer:
    """Words cut into pieces of four characters, hashed (CRC-32) into 508 ids behind four special ones."""

    pad_id = PAD
    n_special_single, n_special_pair, prefix_length = 2, 3, 1

    def encode_text(self, text: str) -> list[int]:
        return [piece for word in _WORD.findall(text) for piece in self.encode_word(word)]

    def encode_word(self, word: str) -> list[int]:
        """Sub-words of one word; ``UNK`` for an empty one."""
        starts = range(0, len(word), PIECE_LENGTH)
        return [_bucket(word[start : start + PIECE_LENGTH], start == 0) for start in starts] or [UNK]

    def wrap(self, first: list[int], second: list[int] | None) -> tuple[list[int], list[int]]:
        """``[CLS] A [SEP]``, or ``[CLS] A [SEP] B [SEP]`` with token type 1 from B on."""
        ids = [CLS, *first, SEP]
        tail = [] if second is None else [*second, SEP]
        return ids + tail, [0] * len(ids) + [1] * len(tail)


def _bucket(piece: str, opens_word: bool) -> int:
    data = ("_" if opens_word else "#").encode() + piece.encode("utf-8", "surrogatepass")
    return UNK + 1 + zlib.crc32(data) % (BUCKETS - UNK - 1)


def make_random(*, seed: int = 0, layers: int = 2, width: int = 32, heads: int = 2) -> Encoder:
    """A BERT with seeded random weights; the caller's random state is left as it was."""
    if width % heads:
        raise EncoderError(f"encoder.heads ({heads}) must divide encoder.width ({width})")
    recipe = {"recipe": _RECIPE, "seed": seed, "layers": layers, "width": width, "heads": heads}
    config = BertConfig(
        vocab_size=BUCKETS,
        hidden_size=width,
        num_hidden_layers=layers,
        num_attention_heads=heads,
        intermediate_size=4 * width,
        pad_token_id=PAD,
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        weights = BertModel(config, add_pooling_layer=False).state_dict()
    return Encoder(
        name=f"random BERT ({layers} x {width}, seed {seed})",
        digest=hashlib.sha256(json.dumps(recipe, sort_keys=True).encode()).hexdigest(),
        model=load_weights(config=config, state_dict=weights),
        tokenizer=HashTokenizer(),
    )
