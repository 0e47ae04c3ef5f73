"""Fast dropout: the right share is dropped, independently, and nothing else of the trunk changes."""

from __future__ import annotations

from copy import deepcopy

import pytest
import torch
from scipy import stats
from torch import Tensor, nn
from torch.testing import assert_close
from transformers import BertConfig, BertModel

from crosslayer.models.dropout import ATTENTION, LEVELS, Dropout, attend, drop, use_fast_dropout

FALSE_ALARM = 1e-6
"""Of each statistical check here; seeds are fixed, so that a check that passes once passes always."""
LENGTHS = (7, 3, 5)


@pytest.fixture(autouse=True)
def seeded() -> None:
    torch.manual_seed(0)


@pytest.fixture(scope="module")
def trunk() -> BertModel:
    config = BertConfig(
        vocab_size=20, hidden_size=16, num_hidden_layers=2, num_attention_heads=4, intermediate_size=24,
        max_position_embeddings=8,
    )  # fmt: skip
    torch.manual_seed(1)
    return BertModel(config, add_pooling_layer=False).eval()


def inputs() -> dict[str, Tensor]:
    mask = torch.arange(max(LENGTHS)) < torch.tensor(LENGTHS)[:, None]
    return {"input_ids": torch.arange(21).reshape(3, 7) % 20, "attention_mask": mask.long()}


@pytest.mark.parametrize("p", [0.1, 0.5, 0.9, 0.003])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float64])
def test_the_right_share_is_dropped_and_the_rest_is_scaled(p: float, dtype: torch.dtype) -> None:
    x = torch.full((401, 503), 3.0, dtype=dtype)  # a number that four does not divide
    y = drop(x, p)
    assert (y.dtype, y.shape) == (dtype, x.shape)
    dropped = int((y == 0).sum())
    exact = round(p * LEVELS) / LEVELS
    assert stats.binomtest(dropped, x.numel(), exact).pvalue > FALSE_ALARM
    kept = y[y != 0]
    assert_close(
        kept, torch.full_like(kept, 3 / (1 - exact)), rtol=2**-7 if dtype == torch.bfloat16 else 1e-6, atol=0
    )


def test_numbers_are_dropped_independently() -> None:
    """The four numbers of one draw, neighbours and columns: each pair is dropped together p² of the time."""
    zero = (drop(torch.ones(1_000_000), 0.25) == 0).reshape(-1, 4)
    for i in range(4):
        for j in range(i):
            assert stats.binomtest(int((zero[:, i] & zero[:, j]).sum()), len(zero), 1 / 16).pvalue > FALSE_ALARM
    flat = zero.flatten()
    for step in (4, 8, 384):
        pairs = flat[step:] & flat[:-step]
        assert stats.binomtest(int(pairs.sum()), len(pairs), 1 / 16).pvalue > FALSE_ALARM


def test_the_gradient_passes_where_the_number_did() -> None:
    x = torch.randn(64, 33, requires_grad=True)
    y = drop(x, 0.5)
    y.sum().backward()  # type: ignore[no-untyped-call]
    assert x.grad is not None
    assert_close(x.grad, (y != 0) * 2.0)


def test_a_seed_gives_one_draw_and_a_tiny_probability_none() -> None:
    x = torch.randn(50, 50)
    torch.manual_seed(5)
    one = drop(x, 0.1)
    torch.manual_seed(5)
    assert torch.equal(one, drop(x, 0.1))
    assert not torch.equal(one, drop(x, 0.1))
    assert drop(x, 1e-6) is x


def test_evaluation_is_bit_equal(trunk: BertModel) -> None:
    fast = deepcopy(trunk)
    use_fast_dropout(fast)
    with torch.no_grad():
        assert torch.equal(fast(**inputs()).last_hidden_state, trunk(**inputs()).last_hidden_state)
    assert trunk.config._attn_implementation != ATTENTION


def test_every_layer_of_the_trunk_is_changed(trunk: BertModel) -> None:
    fast = deepcopy(trunk)
    use_fast_dropout(fast)
    kinds = [type(module) for module in fast.modules() if isinstance(module, nn.Dropout)]
    assert kinds == [Dropout] * sum(isinstance(module, nn.Dropout) for module in trunk.modules())
    assert fast.config._attn_implementation == ATTENTION


def test_training_with_hardly_any_dropout_is_the_usual_attention(trunk: BertModel) -> None:
    """A probability below 1/65536 drops nothing, and takes the way of training all the same."""
    fast = deepcopy(trunk).train()
    use_fast_dropout(fast)
    for module in fast.modules():
        if isinstance(module, Dropout):
            module.p = 1e-6
    real = inputs()["attention_mask"].bool()
    with torch.no_grad():
        expected = trunk(**inputs()).last_hidden_state[real]
        assert_close(fast(**inputs()).last_hidden_state[real], expected, rtol=1e-5, atol=1e-5)


def test_attention_with_dropout_is_unbiased() -> None:
    """The mean of many draws against the plain formula, each number within five and a half standard errors."""
    shape = (2, 3, 5, 4)
    query, key, value = (torch.randn(shape, dtype=torch.float64) for _ in range(3))
    mask = torch.tensor([[1, 1, 1, 1, 1], [1, 1, 1, 0, 0]], dtype=torch.bool)[:, None, None].expand(2, 1, 5, 5)
    scores = torch.einsum("bhqd,bhkd->bhqk", query, key) / 2
    expected = torch.exp(scores) * mask
    expected = torch.einsum("bhqk,bhkd->bqhd", expected / expected.sum(-1, keepdim=True), value)
    module = nn.Module().train()
    draws = torch.stack([attend(module, query, key, value, mask, dropout=0.2)[0] for _ in range(4000)])
    error = draws.std(dim=0) / 4000**0.5
    assert ((draws.mean(dim=0) - expected).abs() <= 5.5 * error).all()
    assert (error > 0).all()
