"""Small encoder files made by hand: one of the packed format, and a directory of a BERT."""

import json
import struct
from pathlib import Path

import numpy as np
import torch
from tokenizers import Tokenizer as RustTokenizer
from tokenizers import models, normalizers, pre_tokenizers, processors
from transformers import BertConfig, BertModel

from crosslayer.windows.vocabulary import save_encoder


def expected_block(data: bytes) -> list[float]:
    """One 18-byte block by the scalar formula."""
    scale = struct.unpack("<e", data[:2])[0]
    return [((byte >> shift & 15) - 8) * scale for shift in (0, 4) for byte in data[2:]]


def small_file(rng: np.random.Generator) -> tuple[bytes, dict[str, np.ndarray]]:
    """A file of the packed format: 1 layer x 32, 2 heads, 64 in the middle, 5 rows; and its tensors."""
    shapes = {"emb.word": (5, 32), "emb.pos": (8, 32), "emb.type": (2, 32), "emb.ln.w": (32,), "emb.ln.b": (32,)}
    for part, shape in {"q": (32, 32), "k": (32, 32), "v": (32, 32), "ao": (32, 32)}.items():
        shapes |= {f"l0.{part}.w": shape, f"l0.{part}.b": (32,)}
    shapes |= {"l0.fi.w": (64, 32), "l0.fi.b": (64,), "l0.fo.w": (32, 64), "l0.fo.b": (32,)}
    shapes |= {f"l0.{part}.{kind}": (32,) for part in ("aln", "oln") for kind in "wb"}
    pieces = ["<s>", "<pad>", "</s>", "<unk>", "▁é"]
    encoded = [piece.encode() for piece in pieces]
    head = b"E5S1" + struct.pack("<I7if i", 1, 32, 1, 2, 64, 5, 8, 2, 1e-5, 32)
    blob = b"".join(encoded)
    head += struct.pack("<5iQ", len(pieces), 0, 2, 1, 3, len(blob))
    head += struct.pack("<6I", *np.cumsum([0, *map(len, encoded)])) + struct.pack("<5f", 0, 0, 0, 0, -1.5) + blob
    characters = struct.pack("<IB", 0x200B, 0) + struct.pack("<IB2I", 0xFB01, 2, ord("f"), ord("i"))
    head += struct.pack("<iI", 2, len(characters)) + characters + struct.pack("<i", len(shapes))
    directory_size = sum(2 + len(name) + 21 for name in shapes)
    directory, body, tensors = b"", b"", {}
    for name, shape in shapes.items():
        count, packed = int(np.prod(shape)), len(shape) == 2 and name not in ("emb.pos", "emb.type")
        if packed:
            blocks = [struct.pack("<e", rng.normal()) + rng.bytes(16) for _ in range(count // 32)]
            data, values = b"".join(blocks), [value for block in blocks for value in expected_block(block)]
        else:
            values = rng.normal(size=count).astype("<f4")
            data = values.tobytes()
        offset = len(head) + directory_size + len(body)
        directory += struct.pack("<H", len(name)) + name.encode()
        directory += struct.pack("<BIQQ", packed, count, offset, len(data))
        body, tensors[name] = body + data, np.array(values, dtype=np.float32).reshape(shape)
    return head + directory + body, tensors


def write_bert(folder: Path) -> None:
    """A complete directory of a 2-layer BERT with a WordPiece vocabulary."""
    words = "[PAD] [UNK] [CLS] [SEP] [MASK] the cat sat un ##believ ##able on mat . , ##s a b c ##a ##b".split()
    vocabulary = {word: index for index, word in enumerate(words)}
    tokenizer = RustTokenizer(models.WordPiece(vocabulary, unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.BertNormalizer(lowercase=False)
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", pair="[CLS] $A [SEP] $B:1 [SEP]:1", special_tokens=[("[CLS]", 2), ("[SEP]", 3)]
    )
    tokenizer.enable_truncation(4)  # as some repositories ship it; must not cut our texts
    torch.manual_seed(0)
    config = BertConfig(
        vocab_size=len(words), hidden_size=16, num_hidden_layers=2, num_attention_heads=2, intermediate_size=32
    )
    save_encoder(BertModel(config, add_pooling_layer=False), folder, {})
    tokenizer.save(str(folder / "tokenizer.json"))
    names = {"unk_token": "[UNK]", "pad_token": "[PAD]", "cls_token": "[CLS]", "sep_token": "[SEP]"}
    settings = {"tokenizer_class": "BertTokenizer", "do_lower_case": False, "mask_token": "[MASK]", **names}
    (folder / "tokenizer_config.json").write_text(json.dumps(settings))
    (folder / "vocab.txt").write_text("\n".join(words) + "\n")
