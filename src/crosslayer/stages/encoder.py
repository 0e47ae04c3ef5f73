"""Tokenises everything with the full tokeniser, then keeps only the embedding rows in use."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from claimtrack.files import fresh_folder
from crosslayer.config import Profile
from crosslayer.data.examples import Corpus, PairExample
from crosslayer.data.prepared import read_corpus
from crosslayer.encoders import Encoder, load_encoder
from crosslayer.errors import ConfigError
from crosslayer.models.fusion import check_layer
from crosslayer.stages.command import run_stage
from crosslayer.tasks import INTERMEDIATE
from crosslayer.windows.encoded import Encoded, concatenate, encode, encode_texts, write_encoded
from crosslayer.windows.vocabulary import save_encoder, trim_together

COMMON_SENTENCES = 64
"""English sentences of the text on which attention weights are compared between tasks."""


def encode_all(profile: Profile, folder: Path) -> None:
    """Write the trimmed encoder and every table of windows to ``encoder/``.

    Digests are of the ids before trimming: what one task is cut to changes no other task's trials, but for the dev
    texts of the first task, on which all modules are compared.
    """
    encoder = load_encoder(profile.encoder)
    for layer in profile.sweep.lower_layers:
        check_layer(layer, encoder.n_layers)
    if profile.data.max_length > (longest := int(encoder.model.config.max_position_embeddings)):
        raise ConfigError(f"data.max_length is {profile.data.max_length}; {encoder.name} takes {longest} at most")
    tables = dict(_tables(profile, folder / "data", encoder))
    model, trimmed = trim_together(encoder.model, encoder.tokenizer.pad_id, tables)
    digests = {"encoder": encoder.digest}
    digests |= {name if name in profile.tasks else f"{name}.parquet": t.digest() for name, t in tables.items()}
    vocabulary = int(model.config.vocab_size)
    meta = {"name": encoder.name, "digests": digests, "vocabulary": vocabulary, "n_layers": encoder.n_layers}
    with fresh_folder(folder / "encoder") as home:
        for name, table in trimmed.items():
            write_encoded(table, home / f"{name}.parquet")
        save_encoder(model, home, meta)


def _tables(profile: Profile, data: Path, encoder: Encoder) -> Iterator[tuple[str, Encoded]]:
    tokenizer, length = encoder.tokenizer, profile.data.max_length
    corpora = {task: read_corpus(data / f"{task}.parquet") for task in profile.tasks}
    common = encode_texts(common_text(next(iter(corpora.values()))), tokenizer, length, "common")
    for task, corpus in corpora.items():
        yield task, concatenate([encode(task, corpus, tokenizer, length), common])
    for path in sorted(data.glob("intermediate-*.parquet")):
        target: Any = path.stem.split("-")[1]
        yield path.stem, encode(INTERMEDIATE[target], read_corpus(path), tokenizer, length)
    if parallel := read_corpus(data / "parallel.parquet"):
        rows = [(code, row) for (_, code), some in parallel.items() for row in some]
        pairs = [(code, row) for code, row in rows if isinstance(row, PairExample)]
        foreign = [(code, row.item, row.first) for code, row in pairs]
        english = [(code, row.item, row.second) for code, row in pairs]
        sides = {"foreign": foreign, "english": english}.items()
        yield "parallel", concatenate([encode_texts(texts, tokenizer, length, side) for side, texts in sides])


def common_text(corpus: Corpus) -> list[tuple[str, str, str]]:
    """The first English dev texts of the profile's first task."""
    examples = corpus["dev", "en"][:COMMON_SENTENCES]
    texts = [e.first if isinstance(e, PairExample) else " ".join(e.words) for e in examples]
    return [("en", str(i), text) for i, text in enumerate(texts)]


if __name__ == "__main__":
    run_stage("encoder", encode_all)
