"""Weights in 4-bit blocks where these hold them exactly, else in float32.

A block is 32 consecutive weights that are whole multiples, -8 to 7, of one float16 scale, which may be negative:
how the packaged encoder is published, so that packing it again loses nothing.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

BLOCK = 32
Floats = npt.NDArray[np.float32]
Packed = dict[str, npt.NDArray[Any]]


def pack_tensor(weights: Floats) -> Packed:
    """``{scale, nibbles, shape}`` if every block is exact, else ``{values}``."""
    if weights.size % BLOCK or not weights.size:
        return {"values": weights}
    blocks = weights.reshape(-1, BLOCK)
    largest = np.abs(blocks).max(axis=1)
    scale = np.zeros(len(blocks), np.float16)
    steps = np.zeros(blocks.shape, np.int8)
    left = largest > 0
    for multiple in range(8, 0, -1):
        rows = np.flatnonzero(left)
        with np.errstate(over="ignore"):
            guess = (largest[rows] / np.float32(multiple)).astype(np.float16)
        usable = np.isfinite(guess) & (guess > 0)
        rows, guess = rows[usable], guess[usable]
        found = np.round(blocks[rows] / guess.astype(np.float32)[:, None])
        exact = (found * guess.astype(np.float32)[:, None] == blocks[rows]).all(axis=1)
        turned = (found == 8).any(axis=1)
        guess[turned], found[turned] = -guess[turned], -found[turned]
        exact &= (found >= -8).all(axis=1) & (found <= 7).all(axis=1)
        scale[rows[exact]], steps[rows[exact]] = guess[exact], found[exact]
        left[rows[exact]] = False
    if left.any():
        return {"values": weights}
    codes = (steps + 8).astype(np.uint8)
    nibbles = codes[:, : BLOCK // 2] | codes[:, BLOCK // 2 :] << 4
    return {"scale": scale, "nibbles": nibbles, "shape": np.array(weights.shape)}


def unpack_tensor(packed: Packed) -> Floats:
    """The weights that `pack_tensor` was given, bit for bit but for the sign of zeros."""
    if "values" in packed:
        return np.asarray(packed["values"], np.float32)
    nibbles = packed["nibbles"]
    codes = np.concatenate([nibbles & 15, nibbles >> 4], axis=1).astype(np.float32) - 8
    return np.asarray((codes * packed["scale"].astype(np.float32)[:, None]).reshape(packed["shape"]))


def pack_state(state: dict[str, Floats]) -> Packed:
    """All tensors in one dictionary: ``NAME:scale`` and so on, as `numpy.savez` takes it."""
    return {f"{name}:{part}": array for name, w in state.items() for part, array in pack_tensor(w).items()}


def unpack_state(packed: Packed) -> dict[str, Floats]:
    """What `pack_state` was given."""
    names = dict.fromkeys(key.rsplit(":", 1)[0] for key in packed)
    parts = ("values", "scale", "nibbles", "shape")
    return {
        name: unpack_tensor({part: packed[f"{name}:{part}"] for part in parts if f"{name}:{part}" in packed})
        for name in names
    }
