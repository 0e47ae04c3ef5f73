"""Structural claims: the built fusion module, on hidden states of the real encoder, against the equations.

The comparison values are computed here in NumPy (float64) from the weights alone, without the module's code.
"""

from __future__ import annotations

from contextlib import suppress
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from transformers import BertModel

from crosslayer.config import FusionSpec
from crosslayer.errors import ConfigError
from crosslayer.models.fusion import AIF, DLFA, check_layer
from crosslayer.probes.layers import states_of
from crosslayer.training.trainable import pad_id_of
from crosslayer.windows.batching import Batch, collate
from crosslayer.windows.encoded import Encoded

Array = np.ndarray[Any, np.dtype[Any]]
Check = dict[str, Any]
TOLERANCE = 1e-5
PAPER_WIDTH, PAPER_REDUCTION, PAPER_PARAMETERS = 768, 4, 595_584
"""AIF of the paper's encoder (arXiv 2205.08497)."""
WINDOWS = 16


def measure_structure(encoder: BertModel, encoded: Encoded, spec: FusionSpec) -> dict[str, list[Check]]:
    """All structural checks by claim, of the literal form, on a batch of English dev items."""
    rows = encoded.rows("dev", "en")
    rows = rows[: max(spec.bn_group, WINDOWS // spec.bn_group * spec.bn_group)]
    batch = collate(encoded, rows, pad_id_of(encoder))
    states = states_of(encoder, batch)
    fusion = _warmed_up(states, batch, spec)
    layer = max(1, (len(states) - 1) * 2 // 3)
    lower, last = states[layer], states[-1]
    return {
        "C04": attention_fuses(fusion, lower, last, batch.mask),
        "C10": takes_lower_and_last(states, batch, spec),
        "C11": shapes(states, batch),
        "C12": eq1(fusion.aif, (lower + last) / 2, batch.mask),
        "C14": squeezes(fusion.aif, spec),
        "C15": convolutions(fusion.aif),
        "C16": input_shape(fusion, lower, last, batch.mask),
        "C17": branches(fusion.aif),
    }


def check(name: str, passed: bool, expected: object, found: object) -> Check:
    """One structural fact."""
    return {"name": name, "passed": bool(passed), "expected": str(expected), "found": str(found)}


def numpy_weights(aif: AIF, fused: Array, mask: Array) -> Array:
    """sigmoid(Global(W) + Local(W)) in evaluation mode, kernel 1, one sentence at a time, (B, T, E)."""
    out = np.zeros_like(fused)
    for b, real in enumerate(mask):
        tokens = fused[b, real]
        both = numpy_branch(aif.local_branch, tokens) + numpy_branch(aif.global_branch, tokens.mean(axis=0)[None])
        out[b, real] = 1 / (1 + np.exp(-both))
    return out


def numpy_branch(branch: nn.Module, x: Array) -> Array:
    """Conv-BN-ReLU-Conv-BN of (n, E) vectors; a kernel of 1 makes each convolution a matrix product."""
    weights = {name: value.double().numpy() for name, value in branch.state_dict().items()}

    def convolve_and_normalise(x: Array, part: str) -> Array:
        y = x @ weights[f"{part}.weight"][:, :, 0].T + weights[f"{part}.bias"]
        norm = f"{part}_norm"
        scale = weights[f"{norm}.weight"] / np.sqrt(weights[f"{norm}.running_var"] + 1e-5)
        normalised: Array = (y - weights[f"{norm}.running_mean"]) * scale + weights[f"{norm}.bias"]
        return normalised

    out: Array = convolve_and_normalise(np.maximum(convolve_and_normalise(x, "squeeze"), 0), "expand")
    return out


@torch.no_grad()
def _warmed_up(states: tuple[Tensor, ...], batch: Batch, spec: FusionSpec) -> DLFA:
    """A module whose running statistics have seen the batch, in evaluation mode."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        fusion = DLFA(states[0].shape[2], FusionSpec(reduction=spec.reduction, bn_group=spec.bn_group))
    for _ in range(20):
        fusion(states[1], states[-1], batch.mask)
    return fusion.eval()


@torch.no_grad()
def attention_fuses(fusion: DLFA, lower: Tensor, last: Tensor, mask: Tensor) -> list[Check]:
    """C04: the fused layers are those of Eqs. 1-2, with weights that depend on the input."""
    l1, l2, real = lower.double().numpy(), last.double().numpy(), mask.numpy()
    w = (l1 + l2) / 2
    w_prime = w * numpy_weights(fusion.aif, w, real)
    expected = l1 * w_prime + l2 * (1 - w_prime)
    error = _error(fusion(lower, last, mask), expected, real)
    shifted = fusion.aif.weights((lower + last) / 2 + 1, mask)
    change = float((shifted - fusion.aif.weights((lower + last) / 2, mask))[mask].abs().max())
    return [
        check("largest difference from Eqs. 1-2 in NumPy", error < TOLERANCE, f"< {TOLERANCE}", f"{error:.1e}"),
        check("weights depend on the input (largest change when it moves by 1)", change > 1e-3, "> 0.001",
              f"{change:.3f}"),
    ]  # fmt: skip


def _error(found: Tensor, expected: Array, real: Array) -> float:
    """Largest absolute difference at real sub-words, relative to the largest expected value over 1."""
    difference = np.abs(found.double().numpy() - expected)[real].max()
    return float(difference / max(1.0, np.abs(expected[real]).max()))


@torch.no_grad()
def takes_lower_and_last(states: tuple[Tensor, ...], batch: Batch, spec: FusionSpec) -> list[Check]:
    """C10: each layer between the embeddings and the last one is fused with the last one."""
    n_layers = len(states) - 1
    accepted = []
    for layer in range(n_layers + 1):
        with suppress(ConfigError):
            check_layer(layer, n_layers)
            accepted.append(layer)
    expected = list(range(1, n_layers))
    fusion = DLFA(states[0].shape[2], FusionSpec(bn_group=spec.bn_group)).eval()
    alone = fusion(states[-1], states[-1], batch.mask)
    moved = [fusion(states[layer], states[-1], batch.mask) for layer in expected]
    gives_last = [layer for layer, fused in zip(expected, moved, strict=True) if not torch.equal(fused, alone)]
    identity = torch.equal(alone[batch.mask], states[-1].float()[batch.mask])
    return [
        check("lower layers that are accepted", accepted == expected, expected, accepted),
        check("lower layers that change the fused embeddings", gives_last == expected, expected, gives_last),
        check("the last layer with itself gives itself", identity, "equal", "equal" if identity else "different"),
    ]


def shapes(states: tuple[Tensor, ...], batch: Batch) -> list[Check]:
    """C11: hidden states are (B, T, E)."""
    expected = (*batch.ids.shape, states[0].shape[2])
    found = {tuple(state.shape) for state in states}
    return [
        check(f"shape of each of the {len(states)} hidden states (B, T, E)", found == {expected}, expected,
              ", ".join(map(str, sorted(found)))),
    ]  # fmt: skip


@torch.no_grad()
def eq1(aif: AIF, w: Tensor, mask: Tensor) -> list[Check]:
    """C12: the module's output is that of Eq. 1, and both of its branches count; ``w`` is its input (B, T, E)."""
    expected = w.double().numpy() * numpy_weights(aif, w.double().numpy(), mask.numpy())
    error = _error(aif(w, mask), expected, mask.numpy())
    checks = [check("largest difference from Eq. 1 in NumPy", error < TOLERANCE, f"< {TOLERANCE}", f"{error:.1e}")]
    whole = aif(w, mask)[mask]
    for name in ("local_branch", "global_branch"):
        silent = getattr(aif, name).register_forward_hook(lambda *called: torch.zeros_like(called[-1]))
        change = float((whole - aif(w, mask)[mask]).abs().max())
        silent.remove()
        checks.append(check(f"largest change without {name}", change > 1e-3, "> 0.001", f"{change:.3f}"))
    return checks


def squeezes(aif: AIF, spec: FusionSpec) -> list[Check]:
    """C14: each branch squeezes E channels to E/r, and the module has the paper's number of parameters."""
    width = aif.local_branch.squeeze.in_channels
    expected = (width, width // spec.reduction, width)
    widths = {
        (branch.squeeze.in_channels, branch.squeeze.out_channels, branch.expand.out_channels)
        for branch in (aif.local_branch, aif.global_branch)
    }
    paper = AIF(PAPER_WIDTH, FusionSpec(reduction=PAPER_REDUCTION))
    count = sum(parameter.numel() for parameter in paper.parameters())
    return [
        check("widths E, E/r, E of each branch", widths == {expected}, expected, ", ".join(map(str, widths))),
        check(f"parameters at E = {PAPER_WIDTH}, r = {PAPER_REDUCTION}", count == PAPER_PARAMETERS,
              f"{PAPER_PARAMETERS:,}", f"{count:,}"),
    ]  # fmt: skip


def convolutions(aif: AIF) -> list[Check]:
    """C15: each branch has two convolutions."""
    counts = {name: sum(isinstance(part, nn.Conv1d) for part in branch.modules()) for name, branch in _parts(aif)}
    return [check(f"convolutions in {name}", count == 2, 2, count) for name, count in counts.items()]


@torch.no_grad()
def input_shape(fusion: DLFA, lower: Tensor, last: Tensor, mask: Tensor) -> list[Check]:
    """C16: the module's input is the average of the two layers, (B, T, E)."""
    seen: list[Tensor] = []
    handle = fusion.aif.register_forward_pre_hook(lambda module, inputs: seen.append(inputs[0]))
    fusion(lower, last, mask)
    handle.remove()
    average = torch.allclose(seen[0], (lower + last) / 2)
    expected = tuple(lower.shape)
    return [
        check(
            "shape of the module's input W (B, T, E)", seen[0].shape == expected, expected, tuple(seen[0].shape)
        ),
        check("W is the average of the two layers", average, "equal", "equal" if average else "different"),
    ]


def _parts(aif: AIF) -> list[tuple[str, nn.Module]]:
    """The parts that have parameters."""
    return [(name, part) for name, part in aif.named_children() if list(part.parameters())]


def branches(aif: AIF) -> list[Check]:
    """C17: two branches have parameters."""
    names = [name for name, _ in _parts(aif)]
    return [check("branches with parameters", len(names) == 2, 2, f"{len(names)} ({', '.join(names)})")]
