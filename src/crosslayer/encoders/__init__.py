"""Encoders: one from a package, any BERT from the hub or a directory, and a random one for tests."""

from __future__ import annotations

import crosslayer.data.hubfiles  # noqa: F401  settings of the hub client, read when it is first imported
from crosslayer.config import EncoderSpec
from crosslayer.encoders.base import Encoder, Tokenizer

__all__ = ["Encoder", "Tokenizer", "load_encoder"]


def load_encoder(spec: EncoderSpec) -> Encoder:
    """The encoder that a profile names, with its full vocabulary; an EncoderError where its files are missing,
    damaged, not pinned or of another architecture."""
    if spec.source == "packaged":
        from crosslayer.encoders.packaged import load_packaged

        return load_packaged()
    if spec.source == "hub":
        from crosslayer.encoders.hub import load_hub

        return load_hub(spec.name, spec.revision)
    from crosslayer.encoders.synthetic import make_random

    return make_random(seed=spec.seed, layers=spec.layers, width=spec.width, heads=spec.heads)
