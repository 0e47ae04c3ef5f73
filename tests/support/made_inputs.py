"""Inputs of trials of any task without files: made sentences in two languages, a random encoder."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch

from crosslayer.config import Profile, load_profile, parse_profile
from crosslayer.data.examples import Corpus, Example, PairExample, TagExample
from crosslayer.encoders.base import Encoder
from crosslayer.stages.encoder import encode_all
from crosslayer.stages.prepare import prepare
from crosslayer.tasks import TASKS, TaskName
from crosslayer.training.trainable import TrialInputs
from crosslayer.training.trials import TrialSpec
from crosslayer.windows.encoded import Encoded, concatenate, encode, encode_texts
from repository import ROOT

SYLLABLES = ("ba", "de", "ki", "lo", "mu", "na", "ri", "so")


def made_inputs(task: TaskName, encoder: Encoder, n_train: int, n_predicted: int) -> TrialInputs:
    """``n_train`` English training items and ``n_predicted`` in English dev and each test split."""
    sizes = {("train", "en"): n_train, ("dev", "en"): n_predicted}
    sizes |= {("test", language): n_predicted for language in ("en", "de")}
    rng = np.random.default_rng(0)
    corpus: Corpus = {key: [_example(task, f"{i}", rng) for i in range(size)] for key, size in sizes.items()}  # type: ignore[misc]
    texts = [("en", f"{i}", _text(rng, 9)) for i in range(2)]
    common = encode_texts(texts, encoder.tokenizer, 128, "common")
    encoded: Encoded = concatenate([encode(task, corpus, encoder.tokenizer, 128), common])
    return TrialInputs(encoder.model, encoded, {}, torch.device("cpu"))


def made_spec(task: TaskName, profile: Profile, **changes: object) -> TrialSpec:
    """D_x of a profile's task, with other values; its layer is the one of the controls."""
    layer = profile.sweep.control_layer
    spec = TrialSpec(
        stage="sweep", task=task, model=f"layer_{layer}", seed=0, kind="dlfa", layer=layer,
        fusion=profile.fusion, training=profile.tasks[task], digests={}, precision="float32", device_kind="cpu",
        threads=1,
    )  # fmt: skip
    return spec.model_copy(update=changes)


def changed(profile: Profile, **sections: dict[str, Any]) -> Profile:
    """A profile with some keys of its sections changed, checked anew."""
    content = profile.model_dump()
    for name, keys in sections.items():
        content[name] |= keys
    return parse_profile(content, "test")


def prepared(profile: Profile, folder: Path) -> Path:
    """A folder of results in which the stages before the first trial have run."""
    prepare(profile, folder)
    encode_all(profile, folder)
    return folder


def paper() -> Profile:
    """The paper's own setting."""
    return load_profile(ROOT / "profiles" / "paper.yaml")


def _example(task: TaskName, item: str, rng: np.random.Generator) -> Example:
    labels = TASKS[task].labels
    n_words = int(rng.integers(2, 9))
    if TASKS[task].kind == "pair":
        return PairExample(item, _text(rng, n_words), _text(rng, 3), labels[int(rng.integers(len(labels)))])
    tags = tuple(labels[int(place)] for place in rng.integers(len(labels), size=n_words))
    return TagExample(item, tuple(_text(rng, n_words).split()), tags)


def _text(rng: np.random.Generator, n_words: int) -> str:
    return " ".join("".join(rng.choice(SYLLABLES, int(rng.integers(1, 4)))) for _ in range(n_words))
