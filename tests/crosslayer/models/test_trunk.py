"""The trunk computes what transformers' own BertModel computes."""

from __future__ import annotations

from copy import deepcopy

import pytest
import torch
from torch import Tensor, nn
from torch.testing import assert_close
from transformers import BertConfig, BertModel

from crosslayer.models.trunk import Trunk

LENGTHS = (7, 3, 5)
LAYERS = 3


@pytest.fixture(scope="module")
def bert() -> BertModel:
    """A small random encoder, its biases and normalisations too."""
    config = BertConfig(
        vocab_size=20, hidden_size=16, num_hidden_layers=LAYERS, num_attention_heads=4, intermediate_size=24,
        max_position_embeddings=8, hidden_act="gelu",
    )  # fmt: skip
    torch.manual_seed(1)
    model = BertModel(config, add_pooling_layer=False).eval()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(0.1 * torch.randn_like(parameter))
    return model


@pytest.fixture
def trunk(bert: BertModel) -> Trunk:
    return Trunk(bert).eval()


IDS = torch.arange(21).reshape(3, 7) % 20
TYPES = (torch.arange(7) > 2).long().expand(3, 7)
MASK = torch.arange(max(LENGTHS)) < torch.tensor(LENGTHS)[:, None]


def states_of(bert: BertModel) -> tuple[Tensor, ...]:
    output = bert(input_ids=IDS, token_type_ids=TYPES, attention_mask=MASK.long(), output_hidden_states=True)
    return output.hidden_states  # type: ignore[no-any-return]


def run(trunk: Trunk) -> list[Tensor]:
    embedded = trunk.embed(IDS, TYPES)
    return [embedded, *trunk.run(embedded, MASK)]


def test_every_layer_is_that_of_transformers(bert: BertModel, trunk: Trunk) -> None:
    """From the embeddings on, and from given states."""
    states = states_of(bert)
    found = [*run(trunk), *trunk.run(states[1], MASK, 1)]
    for mine, other in zip(found, [*states, *states[2:]], strict=True):
        assert_close(mine[MASK], other[MASK], rtol=1e-5, atol=1e-5)


def test_gradients_are_those_of_transformers(bert: BertModel, trunk: Trunk) -> None:
    """Of the embeddings, and of query, key and value, which the trunk holds side by side."""
    direction = torch.randn(int(MASK.sum()), 16)
    other = deepcopy(bert)
    for last in (states_of(other)[-1], run(trunk)[-1]):
        (last[MASK] * direction).sum().backward()  # type: ignore[no-untyped-call]
    mine = [
        trunk.embeddings.word_embeddings.weight.grad,
        *(layer.projection.weight.grad for layer in trunk.layers),
    ]
    expected = [other.embeddings.word_embeddings.weight.grad]
    for layer in other.encoder.layer:
        parts = (layer.attention.self.query, layer.attention.self.key, layer.attention.self.value)
        expected.append(torch.cat([part.weight.grad for part in parts]))
    assert_close(mine, expected, rtol=1e-4, atol=1e-5)


def test_bfloat16_rounds_and_the_rounded_copy_too(bert: BertModel, trunk: Trunk) -> None:
    """Under autocast, and with weights rounded once: the states between the layers are bfloat16, and near."""
    exact = states_of(bert)[-1][MASK]
    rounded = trunk.rounded(torch.bfloat16)
    for one in (trunk, rounded):
        with torch.no_grad(), torch.autocast("cpu", torch.bfloat16):
            last = run(one)[-1]
        assert last.dtype == torch.bfloat16
        assert (last[MASK].float() - exact).abs().max() < 0.1
    assert all(parameter.dtype == torch.float32 for parameter in trunk.parameters())
    assert rounded.embeddings is trunk.embeddings


def test_dropout_comes_in_training_only_and_everywhere(trunk: Trunk) -> None:
    trunk.train()
    assert not torch.equal(run(trunk)[0], run(trunk)[0])
    for module in (trunk.embeddings, *trunk.layers):
        module.eval()
        last = run(trunk)[-1]
        assert torch.equal(last, run(trunk)[-1]) == (module is trunk.layers[-1])


def test_the_weights_are_a_copy(bert: BertModel, trunk: Trunk) -> None:
    before = deepcopy(bert.state_dict())
    with torch.no_grad():
        for parameter in trunk.parameters():
            parameter.zero_()
    assert_close(dict(bert.state_dict()), dict(before), rtol=0, atol=0)
    assert isinstance(bert.embeddings.dropout, nn.Dropout)


def test_attention_with_dropout_is_unbiased(bert: BertModel) -> None:
    """The mean of many draws against the plain formula, each number within five and a half standard errors."""
    layer = Trunk(bert).double().layers[0].train()
    layer.attention_dropout = 0.2
    projected = torch.randn(2, 5, 3 * 16, dtype=torch.float64)
    real = torch.tensor([[1, 1, 1, 1, 1], [1, 1, 1, 0, 0]], dtype=torch.bool)
    query, key, value = projected.view(2, 5, 3, 4, 4).unbind(2)
    scores = torch.exp(torch.einsum("bqhd,bkhd->bhqk", query, key) / 2) * real[:, None, None]
    expected = torch.einsum("bhqk,bkhd->bqhd", scores / scores.sum(-1, keepdim=True), value).flatten(2)
    hide = torch.zeros(2, 5, dtype=torch.float64).masked_fill(~real, -torch.inf)
    torch.manual_seed(0)
    draws = torch.stack([layer.attend(projected, hide) for _ in range(4000)])
    error = draws.std(dim=0) / 4000**0.5
    assert ((draws.mean(dim=0) - expected).abs() <= 5.5 * error).all()
    assert (error > 0).all()
