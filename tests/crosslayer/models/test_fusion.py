"""Fusion against formulas written without it: ragged NumPy lists instead of masks, torch's own BatchNorm."""

from __future__ import annotations

import copy
from typing import Any, TypeVar, get_args

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.func import functional_call
from torch.testing import assert_close

from crosslayer.config import FusionKind, FusionSpec
from crosslayer.errors import ConfigError
from crosslayer.models.fusion import AIF, DLFA, FUSIONS, MaskedBatchNorm, SelfFusion, ShuffledFusion, check_layer
from one_line import said

LENGTHS = [5, 2, 4, 1, 3, 5]  # a full sentence, one of a single sub-word, groups of unequal size
WIDTH, GROUP = 8, 3
SMALL = FusionSpec(reduction=2, bn_group=GROUP)
KINDS = get_args(FusionKind)
EXACT = {"rtol": 1e-10, "atol": 1e-10}  # float64: the same sums in another order

Ragged = list[np.ndarray]
Module = TypeVar("Module", bound=nn.Module)


def spec(**changes: Any) -> FusionSpec:
    return SMALL.model_copy(update=changes)


def draw(seed: int, *shape: int, dtype: torch.dtype = torch.float64) -> Tensor:
    """A fixed tensor, the same in every precision."""
    return torch.from_numpy(np.random.default_rng(seed).normal(0.3, 1.5, shape)).to(dtype)


def mask_of(lengths: list[int], longest: int | None = None) -> Tensor:
    return torch.arange(longest or max(lengths)) < torch.tensor(lengths)[:, None]


def filled(module: Module, seed: int = 0) -> Module:
    """The module in float64 with fixed weights and running statistics, none of them a default."""
    module.double()
    rng = np.random.default_rng(seed)
    for name, tensor in module.state_dict().items():
        low, high = (0.5, 2.0) if name.endswith("running_var") else (-0.9, 0.9)
        tensor.copy_(torch.from_numpy(rng.uniform(low, high, tuple(tensor.shape))))
    return module


def layers(dtype: torch.dtype = torch.float64) -> tuple[Tensor, Tensor, Tensor]:
    shape = (len(LENGTHS), max(LENGTHS), WIDTH)
    return draw(1, *shape, dtype=dtype), draw(2, *shape, dtype=dtype), mask_of(LENGTHS)


def ragged(x: Tensor, lengths: list[int]) -> Ragged:
    return [row[:length].detach().numpy() for row, length in zip(x, lengths, strict=True)]


def numpy_conv(x: np.ndarray, weight: np.ndarray, bias: np.ndarray) -> np.ndarray:
    """A length-keeping convolution of one unpadded sentence (n, C) by its definition; weight (O, C, K)."""
    half = weight.shape[2] // 2
    out = np.tile(bias, (len(x), 1))
    for position in range(len(x)):
        for tap in range(weight.shape[2]):
            source = position + tap - half
            if 0 <= source < len(x):
                out[position] += weight[:, :, tap] @ x[source]
    return out


def numpy_norm(sentences: Ragged, state: dict[str, np.ndarray], training: bool) -> Ragged:
    out: Ragged = []
    for start in range(0, len(sentences), GROUP):
        block = sentences[start : start + GROUP]
        rows = np.concatenate(block)
        mean = rows.mean(axis=0) if training else state["running_mean"]
        variance = rows.var(axis=0) if training else state["running_var"]
        out += [(s - mean) / np.sqrt(variance + 1e-5) * state["weight"] + state["bias"] for s in block]
    return out


def numpy_branch(sentences: Ragged, branch: nn.Module, training: bool) -> Ragged:
    def part(name: str) -> dict[str, np.ndarray]:
        return {key: value.detach().numpy() for key, value in getattr(branch, name).state_dict().items()}

    squeezed = [numpy_conv(s, **part("squeeze")) for s in sentences]
    hidden = [np.maximum(s, 0) for s in numpy_norm(squeezed, part("squeeze_norm"), training)]
    return numpy_norm([numpy_conv(s, **part("expand")) for s in hidden], part("expand_norm"), training)


def numpy_weights(sentences: Ragged, aif: AIF, training: bool) -> Ragged:
    local = numpy_branch(sentences, aif.local_branch, training)
    pooled = numpy_branch([s.mean(axis=0, keepdims=True) for s in sentences], aif.global_branch, training)
    return [1 / (1 + np.exp(-(a + b))) for a, b in zip(local, pooled, strict=True)]


def numpy_dlfa(lower: Ragged, last: Ragged, module: DLFA, training: bool) -> Ragged:
    fused = [(a + b) / 2 for a, b in zip(lower, last, strict=True)]
    weights = numpy_weights(fused, module.aif, training)
    if module.form == "literal":
        weights = [w * g for w, g in zip(fused, weights, strict=True)]
    return [a * w + b * (1 - w) for a, b, w in zip(lower, last, weights, strict=True)]


def assert_ragged(actual: Tensor, expected: Ragged, lengths: list[int] = LENGTHS) -> None:
    for row, reference in zip(ragged(actual, lengths), expected, strict=True):
        np.testing.assert_allclose(row, reference, **EXACT)


# The paper's equations


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("form", ["literal", "gate"])
@pytest.mark.parametrize("kernel", [1, 3])
def test_dlfa_follows_equations(kernel: int, form: str, training: bool) -> None:
    module = filled(DLFA(WIDTH, spec(form=form, kernel=kernel))).train(training)
    lower, last, mask = layers()
    expected = numpy_dlfa(ragged(lower, LENGTHS), ragged(last, LENGTHS), module, training)
    assert_ragged(module(lower, last, mask), expected)


def test_unmasked_padding_counts_as_text() -> None:
    module = filled(DLFA(WIDTH, spec(kernel=3, mask_padding=False)))
    lower, last, mask = layers()
    full = [mask.shape[1]] * len(LENGTHS)
    expected = numpy_dlfa(ragged(lower, full), ragged(last, full), module, training=True)
    assert_ragged(module(lower, last, mask), expected, full)


@pytest.mark.parametrize("form", ["literal", "gate"])
@pytest.mark.parametrize("training", [True, False])
def test_last_with_itself_is_the_identity(form: str, training: bool) -> None:
    module = filled(DLFA(WIDTH, spec(form=form))).train(training)
    _, last, mask = layers()
    fused = module(last, last, mask)
    assert torch.equal(fused, last)
    fused.square().sum().backward()
    assert all(torch.count_nonzero(parameter.grad) == 0 for parameter in module.parameters())


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("form", ["literal", "gate"])
def test_gradients_by_finite_differences(form: str, training: bool) -> None:
    module = filled(DLFA(4, spec(form=form, kernel=3, bn_group=2))).train(training)
    names = [name for name, _ in module.named_parameters()]
    mask = mask_of([2, 1, 2, 2])

    def fuse(lower: Tensor, last: Tensor, *parameters: Tensor) -> Tensor:
        state = dict(zip(names, parameters, strict=True))
        return functional_call(module, state, (lower, last, mask))

    inputs = [draw(3, 4, 2, 4), draw(4, 4, 2, 4), *(p.detach().clone() for p in module.parameters())]
    assert torch.autograd.gradcheck(fuse, [x.requires_grad_() for x in inputs])


# Batch normalisation


def test_groups_are_batches_of_real_positions_one_after_another() -> None:
    norm, reference = filled(MaskedBatchNorm(WIDTH, group=GROUP)), nn.BatchNorm1d(WIDTH).double()
    reference.load_state_dict(norm.state_dict(), strict=False)
    x, _, mask = layers()
    expected = [reference(x[rows][mask[rows]]) for rows in torch.arange(len(LENGTHS)).split(GROUP)]
    assert_close(norm(x, mask)[mask], torch.cat(expected), **EXACT)
    assert_close(norm.running_mean, reference.running_mean, **EXACT)
    assert_close(norm.running_var, reference.running_var, **EXACT)
    assert not any(buffer.requires_grad for buffer in norm.buffers()), "they keep no graph"


def test_evaluation_moves_no_statistics() -> None:
    module = filled(DLFA(WIDTH, SMALL)).eval()
    before = copy.deepcopy(module)
    lower, last, mask = layers()
    one_by_one = [module(lower[b : b + 1], last[b : b + 1], mask[b : b + 1]) for b in range(len(LENGTHS))]
    assert_close(torch.cat(one_by_one), module(lower, last, mask), **EXACT)
    assert_close(dict(module.state_dict()), dict(before.state_dict()), **EXACT)


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("kernel", [1, 3])
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float32, 1e-6), (torch.bfloat16, 5e-3)])
def test_more_padding_changes_nothing(
    kind: FusionKind, kernel: int, training: bool, dtype: torch.dtype, tolerance: float
) -> None:
    module = filled(FUSIONS[kind](WIDTH, spec(kernel=kernel))).float().train(training)
    twin = copy.deepcopy(module)
    lower, last, mask = layers(dtype)
    longer = (nn.functional.pad(x, (0, 0, 0, 7), value=value) for x, value in ((lower, 30.0), (last, -20.0)))
    padded = twin(*longer, mask_of(LENGTHS, 12))
    fused = module(lower, last, mask)
    assert_close(padded[:, : mask.shape[1]][mask], fused[mask], rtol=tolerance, atol=tolerance)
    assert padded.isfinite().all()


# Controls


def test_self_fusion_adds_the_attended_last_layer_and_trains_all_of_its_capacity() -> None:
    module = filled(SelfFusion(WIDTH, SMALL))
    lower, last, mask = layers()
    weights = numpy_weights(ragged(last, LENGTHS), module.aif, training=True)
    expected = [h + h * w for h, w in zip(ragged(last, LENGTHS), weights, strict=True)]
    assert_ragged(module(lower, last, mask), expected)
    assert torch.equal(module(lower, last, mask), module(last, last, mask))
    module(lower, last, mask)[mask].square().sum().backward()
    for name, parameter in module.named_parameters():
        before_norm = name.endswith(("squeeze.bias", "expand.bias"))  # batch norm takes a constant away
        assert before_norm or parameter.grad.abs().max() > 1e-3, name


@pytest.mark.parametrize("form", ["literal", "gate"])
def test_shuffled_takes_the_sentence_before(form: str) -> None:
    module = filled(ShuffledFusion(WIDTH, spec(form=form)))
    lower, last, mask = layers()
    rows = ragged(lower, LENGTHS)
    others = [
        np.stack([rows[b - 1][t % LENGTHS[b - 1]] for t in range(length)]) for b, length in enumerate(LENGTHS)
    ]
    assert_ragged(module(lower, last, mask), numpy_dlfa(others, ragged(last, LENGTHS), module, training=True))


def test_shuffled_refuses_a_single_sentence() -> None:
    one = torch.ones(1, 3, WIDTH)
    told = said(ConfigError, ShuffledFusion(WIDTH, SMALL).eval(), one, one, mask_of([3]))
    assert "batch of 1; give it at least 2" in told


def test_simple_fusions() -> None:
    lower, last, mask = layers()
    modules: dict[str, Any] = {kind: filled(FUSIONS[kind](WIDTH, SMALL)) for kind in KINDS}
    linear, mix = modules["concatenation"].linear, modules["scalar_mix"]
    one, two = mix.scalars.exp()
    by_hand = {
        "none": last,
        "average": 0.5 * lower + 0.5 * last,
        "concatenation": lower @ linear.weight[:, :WIDTH].T + last @ linear.weight[:, WIDTH:].T + linear.bias,
        "scalar_mix": mix.gamma * (one * lower + two * last) / (one + two),
    }
    for kind, expected in by_hand.items():
        assert_close(modules[kind](lower, last, mask), expected, **EXACT)


def test_scalar_mix_starts_as_the_average() -> None:
    lower, last, mask = layers()
    mix, average = (FUSIONS[kind](WIDTH, SMALL) for kind in ("scalar_mix", "average"))
    assert_close(mix(lower, last, mask), average(lower, last, mask), **EXACT)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_fusion_is_computed_in_float32_under_autocast(kind: FusionKind, dtype: torch.dtype) -> None:
    module = filled(FUSIONS[kind](WIDTH, SMALL)).float()
    lower, last, mask = layers(dtype)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        fused = module(lower, last, mask)
    assert fused.dtype == torch.float32
    assert torch.equal(fused, module(lower.float(), last.float(), mask))


# Refusals


@pytest.mark.parametrize("n_sequences", [1, 7, 12])
def test_training_batch_must_be_whole_groups(n_sequences: int) -> None:
    x, mask = torch.ones(n_sequences, 3, WIDTH), mask_of([3] * n_sequences)
    told = said(ConfigError, DLFA(WIDTH, spec(bn_group=8)), x, x, mask)
    assert f"batch of {n_sequences} sequence(s) is not a multiple of bn_group 8" in told


def test_a_bottleneck_without_channels_is_refused() -> None:
    assert "reduction 9 leaves no channel of width 8" in said(ConfigError, AIF, WIDTH, spec(reduction=9))


@pytest.mark.parametrize("layer", [-1, 0, 12, 13])
def test_layers_that_cannot_be_fused(layer: int) -> None:
    assert "must be 1..11" in said(ConfigError, check_layer, layer, 12)
