"""Probes: similarity against closed forms; structural checks that fail on a spoiled module."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch

from crosslayer.config import FusionSpec
from crosslayer.encoders.synthetic import make_random
from crosslayer.models.fusion import AIF, DLFA
from crosslayer.probes import layers, structure
from crosslayer.probes.layers import identity, linear_cka, offset_similarity, similarity
from crosslayer.windows.encoded import Encoded
from made_inputs import made_inputs

RNG = np.random.default_rng(0)


def test_linear_cka_equals_the_alignment_of_centred_gram_matrices() -> None:
    x, y = RNG.normal(size=(40, 6)), RNG.normal(size=(40, 3))
    centring = np.eye(40) - 1 / 40
    one, other = (centring @ (v @ v.T) @ centring for v in (x, y))
    assert linear_cka(x, y) == pytest.approx(np.sum(one * other) / np.sqrt(np.sum(one**2) * np.sum(other**2)))


def test_similarity_of_languages_is_that_of_their_mean_vectors_and_cka() -> None:
    vectors = {code: RNG.normal(size=(2, 9, 4)) for code in ("en", "de", "tr")}
    frame = similarity(vectors)
    means = offset_similarity({code: states.mean(axis=1) for code, states in vectors.items()})
    pd.testing.assert_frame_equal(frame.drop(columns="cka"), means)
    found = frame.set_index(["layer", "first", "second"]).loc[(1, "de", "tr"), "cka"]
    assert found == pytest.approx(linear_cka(vectors["de"][1], vectors["tr"][1]))


def stand_in(monkeypatch: pytest.MonkeyPatch, vectors: np.ndarray[Any, Any]) -> list[int]:
    """Give row ``r`` of any windows the vectors (L, E) at ``vectors[:, r]``; returns the rows asked for."""
    asked: list[int] = []

    def encode(encoder: object, encoded: object, rows: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
        asked.extend(rows.tolist())
        return vectors[:, rows]

    monkeypatch.setattr(layers, "vectors_of", encode)
    return asked


def windows(task: str, split: list[str], language: list[str], labels: list[int]) -> Encoded:
    """Windows of one label each; item numbers begin anew in each split and language."""
    n = len(split)
    item = [str(list(zip(split, language, strict=True))[:i].count((split[i], language[i]))) for i in range(n)]
    empty = np.zeros((n, 1), np.int64)
    return Encoded(
        task=task, split=np.array(split), language=np.array(language), item=np.array(item),  # type: ignore[arg-type]
        start=empty[:, 0], ids=empty, types=empty, firsts=empty, labels=np.array(labels)[:, None],
    )  # fmt: skip


def test_offsets_from_english_by_hand_and_each_sentence_encoded_once(monkeypatch: pytest.MonkeyPatch) -> None:
    codes = ("de", "es", "tr")
    sides = [(split, code) for split in ("foreign", "english") for code in codes for _ in range(5)]
    vectors = RNG.normal(size=(2, len(sides), 4))
    asked = stand_in(monkeypatch, vectors)
    parallel = windows("", [s for s, _ in sides], [c for _, c in sides], [0] * len(sides))
    hits, frame = layers.retrieval(None, parallel)  # type: ignore[arg-type]
    assert sorted(asked) == list(range(len(sides)))
    assert len(hits) == 3 * 5 * 4
    offset = {
        code: vectors[1, 5 * i : 5 * i + 5].mean(axis=0) - vectors[1, 15 + 5 * i : 20 + 5 * i].mean(axis=0)
        for i, code in enumerate(codes)
    }
    middle = sum(offset.values()) / 3
    one, other = offset["de"] - middle, offset["tr"] - middle
    found = frame.set_index(["layer", "first", "second"])["cosine"]
    assert list(found.index) == [(x, a, b) for x in (0, 1) for a, b in (("de", "es"), ("de", "tr"), ("es", "tr"))]
    assert found[(1, "de", "tr")] == pytest.approx(one @ other / np.sqrt(one @ one * (other @ other)))
    assert offset_similarity({"de": vectors[:, 0]}).empty, "one language has no pair"


def test_transfer_says_how_common_the_commonest_label_is(monkeypatch: pytest.MonkeyPatch) -> None:
    gold = {"en": [0, 0, 1, 2], "de": [1, 1, 1, 2]}
    split = ["train"] * 4 + ["test"] * 8
    stand_in(monkeypatch, RNG.normal(size=(2, 12, 4)))
    language = ["en"] * 8 + ["de"] * 4
    frame = layers.transfer(None, windows("xnli", split, language, [0, 1, 2, 0, *gold["en"], *gold["de"]]), 4)  # type: ignore[arg-type]
    assert frame.groupby("language")["commonest"].unique().map(list).to_dict() == {"en": [50.0], "de": [75.0]}
    assert frame["n_items"].unique() == [4]


def test_a_language_is_told_where_its_vectors_lie_apart_and_nowhere_else() -> None:
    """Layer 1 shifts each language; layer 0 has one cloud: 3 x 100 right or wrong, 5 standard errors of chance."""
    vectors = {code: RNG.normal(size=(2, 200, 8)) for code in ("en", "de", "tr")}
    for place, states in enumerate(vectors.values()):
        states[1, :, place] += 20
    frame = identity(vectors)
    assert frame.groupby("language").size().to_dict() == {"en": 100, "de": 100, "tr": 100}
    assert frame["layer_1"].all()
    assert frame["layer_0"].mean() == pytest.approx(1 / 3, abs=0.14)


def passed(checks: list[dict[str, Any]]) -> list[bool]:
    return [check["passed"] for check in checks]


def test_few_windows_fill_whole_groups_of_batch_normalisation() -> None:
    encoder = make_random()
    encoded = made_inputs("pos", encoder, n_train=1, n_predicted=12).encoded
    found = structure.measure_structure(encoder.model, encoded, FusionSpec(bn_group=8))
    assert all(all(passed(checks)) for checks in found.values())


def test_the_built_module_passes_and_a_spoiled_one_fails() -> None:
    """A gate in place of the literal form; a branch without effect."""
    torch.manual_seed(0)
    fusion = DLFA(16, FusionSpec(bn_group=2))
    lower, last = torch.randn(4, 5, 16), torch.randn(4, 5, 16)
    mask = torch.arange(5) < torch.tensor([5, 3, 4, 2])[:, None]
    for _ in range(3):
        fusion(lower, last, mask)
    fusion.eval()
    assert all(passed(structure.attention_fuses(fusion, lower, last, mask)))
    assert all(passed(structure.eq1(fusion.aif, (lower + last) / 2, mask)))
    assert all(passed(structure.input_shape(fusion, lower, last, mask)))
    assert all(passed(structure.convolutions(fusion.aif) + structure.branches(fusion.aif)))
    fusion.form = "gate"
    assert not passed(structure.attention_fuses(fusion, lower, last, mask))[0]
    torch.nn.init.zeros_(fusion.aif.local_branch.expand_norm.weight)
    torch.nn.init.zeros_(fusion.aif.local_branch.expand_norm.bias)
    assert not all(passed(structure.eq1(fusion.aif, (lower + last) / 2, mask)))


def test_a_missing_branch_or_convolution_fails() -> None:
    aif = AIF(16, FusionSpec())
    aif.local_branch.expand = torch.nn.Identity()  # type: ignore[assignment]
    assert not all(passed(structure.convolutions(aif)))
    del aif.global_branch
    assert not all(passed(structure.branches(aif)))
