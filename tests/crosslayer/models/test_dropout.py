"""Fast dropout: the right share is dropped, independently."""

from __future__ import annotations

import pytest
import torch
from scipy import stats
from torch.testing import assert_close

from crosslayer.models.dropout import LEVELS, drop

FALSE_ALARM = 1e-6
"""Of each statistical check here; seeds are fixed, so that a check that passes once passes always."""


@pytest.fixture(autouse=True)
def seeded() -> None:
    torch.manual_seed(0)


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


def test_a_seed_gives_one_draw_and_a_tiny_probability_none() -> None:
    x = torch.randn(50, 50)
    torch.manual_seed(5)
    one = drop(x, 0.1)
    torch.manual_seed(5)
    assert torch.equal(one, drop(x, 0.1))
    assert not torch.equal(one, drop(x, 0.1))
    assert drop(x, 1e-6) is x
