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
    rows = np.resize(rows, max(spec.bn_group, WINDOWS // spec.bn_group * spec.bn_group))  # whole groups
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


def check(name: str, expected: object, found: object, passed: bool | None = None) -> Check:
    """One structural fact; it holds where the two are the same in words, unless told."""
    passed = str(expected) == str(found) if passed is None else passed
    return {"name": name, "passed": passed, "expected": str(expected), "found": str(found)}


def agrees(name: str, found: Tensor, expected: Array, mask: Tensor) -> Check:
    """The largest difference at real sub-words, relative to the largest expected value over 1, is small."""
    real = mask.numpy()
    difference = np.abs(found.double().numpy() - expected)[real].max()
    error = float(difference / max(1.0, np.abs(expected[real]).max()))
    return check(f"largest difference from {name} in NumPy", f"< {TOLERANCE}", f"{error:.1e}", error < TOLERANCE)


def moves(name: str, one: Tensor, other: Tensor) -> Check:
    """The largest difference is not."""
    change = float((one - other).abs().max())
    return check(name, "> 0.001", f"{change:.3f}", change > 1e-3)


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
    state = {name: value.double().numpy() for name, value in branch.state_dict().items()}
    for part, norm in (("squeeze", "squeeze_norm"), ("expand", "expand_norm")):
        x = np.maximum(x, 0) if part == "expand" else x
        x = x @ state[f"{part}.weight"][:, :, 0].T + state[f"{part}.bias"]
        scale = state[f"{norm}.weight"] / np.sqrt(state[f"{norm}.running_var"] + 1e-5)
        x = (x - state[f"{norm}.running_mean"]) * scale + state[f"{norm}.bias"]
    return x


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
    l1, l2 = lower.double().numpy(), last.double().numpy()
    w = (l1 + l2) / 2
    w_prime = w * numpy_weights(fusion.aif, w, mask.numpy())
    shifted, plain = (fusion.aif.weights((lower + last) / 2 + step, mask)[mask] for step in (1, 0))
    return [
        agrees("Eqs. 1-2", fusion(lower, last, mask), l1 * w_prime + l2 * (1 - w_prime), mask),
        moves("weights depend on the input (largest change when it moves by 1)", shifted, plain),
    ]


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
    moves_it = [x for x in expected if not torch.equal(fusion(states[x], states[-1], batch.mask), alone)]
    identity = torch.equal(alone[batch.mask], states[-1].float()[batch.mask])
    return [
        check("lower layers that are accepted", expected, accepted),
        check("lower layers that change the fused embeddings", expected, moves_it),
        check("the last layer with itself gives itself", "equal", "equal" if identity else "different"),
    ]


def shapes(states: tuple[Tensor, ...], batch: Batch) -> list[Check]:
    """C11: hidden states are (B, T, E)."""
    expected = (*batch.ids.shape, states[0].shape[2])
    found = ", ".join(sorted({str(tuple(state.shape)) for state in states}))
    return [check(f"shape of each of the {len(states)} hidden states (B, T, E)", expected, found)]


@torch.no_grad()
def eq1(aif: AIF, w: Tensor, mask: Tensor) -> list[Check]:
    """C12: the module's output is that of Eq. 1, and both of its branches count; ``w`` is its input (B, T, E)."""
    expected = w.double().numpy() * numpy_weights(aif, w.double().numpy(), mask.numpy())
    checks = [agrees("Eq. 1", aif(w, mask), expected, mask)]
    whole = aif(w, mask)[mask]
    for name in ("local_branch", "global_branch"):
        silent = getattr(aif, name).register_forward_hook(lambda *called: torch.zeros_like(called[-1]))
        checks.append(moves(f"largest change without {name}", whole, aif(w, mask)[mask]))
        silent.remove()
    return checks


def squeezes(aif: AIF, spec: FusionSpec) -> list[Check]:
    """C14: each branch squeezes E channels to E/r, and the module has the paper's number of parameters."""
    width = aif.local_branch.squeeze.in_channels
    expected = (width, width // spec.reduction, width)
    parts = (aif.local_branch, aif.global_branch)
    widths = {(part.squeeze.in_channels, part.squeeze.out_channels, part.expand.out_channels) for part in parts}
    paper = AIF(PAPER_WIDTH, FusionSpec(reduction=PAPER_REDUCTION))
    count = sum(parameter.numel() for parameter in paper.parameters())
    title = f"parameters at E = {PAPER_WIDTH}, r = {PAPER_REDUCTION}"
    return [
        check("widths E, E/r, E of each branch", expected, ", ".join(map(str, widths))),
        check(title, f"{PAPER_PARAMETERS:,}", f"{count:,}"),
    ]


def convolutions(aif: AIF) -> list[Check]:
    """C15: each branch has two convolutions."""
    counts = {name: sum(isinstance(part, nn.Conv1d) for part in branch.modules()) for name, branch in _parts(aif)}
    return [check(f"convolutions in {name}", 2, count) for name, count in counts.items()]


@torch.no_grad()
def input_shape(fusion: DLFA, lower: Tensor, last: Tensor, mask: Tensor) -> list[Check]:
    """C16: the module's input is the average of the two layers, (B, T, E)."""
    seen: list[Tensor] = []
    handle = fusion.aif.register_forward_pre_hook(lambda module, inputs: seen.append(inputs[0]))
    fusion(lower, last, mask)
    handle.remove()
    average = torch.allclose(seen[0], (lower + last) / 2)
    return [
        check("shape of the module's input W (B, T, E)", tuple(lower.shape), tuple(seen[0].shape)),
        check("W is the average of the two layers", "equal", "equal" if average else "different"),
    ]


def _parts(aif: AIF) -> list[tuple[str, nn.Module]]:
    """The parts that have parameters."""
    return [(name, part) for name, part in aif.named_children() if list(part.parameters())]


def branches(aif: AIF) -> list[Check]:
    """C17: two branches have parameters."""
    names = [name for name, _ in _parts(aif)]
    return [check("branches with parameters", 2, f"{len(names)} ({', '.join(names)})", len(names) == 2)]
