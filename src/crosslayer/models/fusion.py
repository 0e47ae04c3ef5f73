"""Fusion of a lower transformer layer with the last one: DLFA, its AIF attention, and the controls.

Notation: B sequences, T sub-words, E width of the encoder, r reduction, G normalisation groups.
L1 is the output of a lower layer x, L2 that of the last one, both (B, T, E); ``mask`` is (B, T), true at real
sub-words. Every fusion is called as ``module(lower, last, mask)`` and returns the fused embeddings (B, T, E).

    W  = (L1 + L2) / 2
    W' = AIF(W) = W * sigmoid(Global(W) + Local(W))       Eq. 1, * is element-wise
    L  = L1 * W' + L2 * (1 - W')                          Eq. 2

Source: Chen, Guo, Liu, Tao, "Feature Aggregation in Zero-Shot Cross-Lingual Transfer Using Multilingual
BERT", ICPR 2022, doi 10.1109/ICPR56361.2022.9956721. The reading of W' as a gate, sigmoid(...) alone, follows
Dai et al., "Attentional Feature Fusion", WACV 2021, arXiv 2009.14082.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from crosslayer.config import FusionKind, FusionSpec
from crosslayer.errors import ConfigError


def check_layer(layer: int, n_layers: int) -> None:
    """A ConfigError for a lower layer that is not strictly between the embeddings (0) and the last layer."""
    if not 1 <= layer < n_layers:
        raise ConfigError(
            f"layer {layer} cannot be the lower layer of a fusion; it must be 1..{n_layers - 1}, "
            f"below the last of the encoder's {n_layers} layers"
        )


class Fusion(nn.Module):
    """Base of all fusions: one call, computed in float32 whatever the encoder's precision.

    Built from the ``width`` E and the settings of the profile; a ConfigError for a reduction beyond that width.
    """

    def __init__(self, width: int, spec: FusionSpec) -> None:
        super().__init__()

    def forward(self, lower: Tensor, last: Tensor, mask: Tensor) -> Tensor:
        """Fuse two layers.

        Args:
            lower, last: L1 and L2, (B, T, E), of any floating type; padding may hold any finite values.
            mask: (B, T) bool, true at real sub-words, of which each sequence has at least one.

        Returns:
            (B, T, E) in float32, or float64 for float64 inputs; finite at padding too.
        """
        dtype = torch.promote_types(last.dtype, torch.float32)
        with torch.autocast(last.device.type, enabled=False):
            return self.fuse(lower.to(dtype), last.to(dtype), mask)

    def fuse(self, lower: Tensor, last: Tensor, mask: Tensor) -> Tensor:
        """The formula of this fusion, in the module's own precision."""
        raise NotImplementedError


class DLFA(Fusion):
    """Double Layers Feature Aggregation, Eqs. 1 and 2.

    The ``literal`` form is the paper's: W' carries the features themselves, so L is quadratic in the hidden
    states and unbounded. The ``gate`` form takes W' = sigmoid(Global(W) + Local(W)), and L is a convex
    combination of the two layers. With L1 = L2 both give back L2, and no gradient reaches AIF.
    """

    def __init__(self, width: int, spec: FusionSpec) -> None:
        super().__init__(width, spec)
        self.aif = AIF(width, spec)
        self.form = spec.form

    def fuse(self, lower: Tensor, last: Tensor, mask: Tensor) -> Tensor:
        """Eq. 2, written as L2 + W' * (L1 - L2) so that it is exactly L2 where L1 = L2."""
        average = (lower + last) / 2
        attention = self.aif(average, mask) if self.form == "literal" else self.aif.weights(average, mask)
        return torch.lerp(last, lower, attention)


class SelfFusion(DLFA):
    """Control of equal capacity: L = L2 + AIF(L2), which never sees the lower layer.

    `DLFA` of the last layer with itself would be no control: it is the identity, and trains nothing.
    """

    def fuse(self, lower: Tensor, last: Tensor, mask: Tensor) -> Tensor:
        attended: Tensor = self.aif(last, mask)
        return last + attended


class ShuffledFusion(DLFA):
    """Control: `DLFA` whose lower layer is that of another sentence, the one before it in the batch.

    Sub-word t gets real sub-word t mod n of the other sentence, which has n of them, so every real position
    gets a real vector. The result depends on how sentences are batched, and a batch of one is refused. Where
    a batch is computed in micro-batches, "before it" goes round in the micro-batch: it is another sentence all the
    same, but this control's result is not that of the whole batch.
    """

    def fuse(self, lower: Tensor, last: Tensor, mask: Tensor) -> Tensor:
        return super().fuse(_of_neighbour(lower, mask), last, mask)


class Average(Fusion):
    """Control without parameters: L = (L1 + L2) / 2."""

    def fuse(self, lower: Tensor, last: Tensor, mask: Tensor) -> Tensor:
        return (lower + last) / 2


class Concatenation(Fusion):
    """Control: one linear map from both layers side by side, Linear([L1; L2]), 2E -> E."""

    def __init__(self, width: int, spec: FusionSpec) -> None:
        super().__init__(width, spec)
        self.linear = nn.Linear(2 * width, width)

    def fuse(self, lower: Tensor, last: Tensor, mask: Tensor) -> Tensor:
        fused: Tensor = self.linear(torch.cat([lower, last], dim=-1))
        return fused


class ScalarMix(Fusion):
    """Control: L = gamma * (s1 * L1 + s2 * L2), s the softmax of two learnt scalars.

    Starts as `Average`: both scalars 0, gamma 1. Source: Peters et al., "Deep contextualized word
    representations", NAACL 2018, Eq. 1, with two layers.
    """

    def __init__(self, width: int, spec: FusionSpec) -> None:
        super().__init__(width, spec)
        self.scalars = nn.Parameter(torch.zeros(2))
        self.gamma = nn.Parameter(torch.ones(()))

    def fuse(self, lower: Tensor, last: Tensor, mask: Tensor) -> Tensor:
        share = self.scalars.softmax(dim=0)
        return self.gamma * (share[0] * lower + share[1] * last)


class NoFusion(Fusion):
    """The baseline: L = L2."""

    def fuse(self, lower: Tensor, last: Tensor, mask: Tensor) -> Tensor:
        return last


FUSIONS: dict[FusionKind, type[Fusion]] = {
    "none": NoFusion, "dlfa": DLFA, "self": SelfFusion, "shuffled": ShuffledFusion, "average": Average,
    "concatenation": Concatenation, "scalar_mix": ScalarMix,
}  # fmt: skip


class AIF(nn.Module):
    """Attentional Information Fusion, Eq. 1: the input times the sigmoid of a global and a local branch.

    Both branches are bottlenecks E -> E/r -> E. The local one looks at each sub-word, the global one at the
    mean over the sequence. The paper gives neither r nor the kernel nor the treatment of padding.

    Args:
        width: E.
        spec: r, 4 as in Dai et al. 2021; the odd kernel of the local convolutions (the global branch has one
            position, so its kernel is 1); the sequences that are normalised together, see `MaskedBatchNorm`; and
            whether padding is left out of pooling, convolution and normalisation. Otherwise padding counts as
            text, and the output depends on how far a batch is padded.
    """

    def __init__(self, width: int, spec: FusionSpec) -> None:
        super().__init__()
        if width < spec.reduction:
            raise ConfigError(
                f"reduction {spec.reduction} leaves no channel of width {width}; use at most {width}"
            )
        self.mask_padding = spec.mask_padding
        self.local_branch = Bottleneck(width, spec.reduction, spec.kernel, spec.bn_group)
        self.global_branch = Bottleneck(width, spec.reduction, 1, spec.bn_group)
        self.sigmoid = nn.Sigmoid()

    def forward(self, fused: Tensor, mask: Tensor) -> Tensor:
        """W * weights(W), (B, T, E), for ``fused`` W (B, T, E) in the module's precision."""
        return fused * self.weights(fused, mask)

    def weights(self, fused: Tensor, mask: Tensor) -> Tensor:
        """sigmoid(Global(W) + Local(W)), (B, T, E), each strictly between 0 and 1 up to rounding."""
        counted = mask if self.mask_padding else torch.ones_like(mask)
        pooled = masked_mean(fused, counted)  # (B, 1, E)
        present = counted.any(dim=1, keepdim=True)  # (B, 1)
        weights: Tensor = self.sigmoid(self.global_branch(pooled, present) + self.local_branch(fused, counted))
        return weights


class Bottleneck(nn.Module):
    """One branch of `AIF`: convolution, batch norm, ReLU, convolution, batch norm; E -> E/r -> E."""

    def __init__(self, width: int, reduction: int, kernel: int, bn_group: int) -> None:
        super().__init__()
        self.squeeze = TokenConv(width, width // reduction, kernel)
        self.squeeze_norm = MaskedBatchNorm(width // reduction, bn_group)
        self.expand = TokenConv(width // reduction, width, kernel)
        self.expand_norm = MaskedBatchNorm(width, bn_group)

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        """(B, T, E) -> (B, T, E); ``mask`` (B, T)."""
        hidden = F.relu(self.squeeze_norm(self.squeeze(x, mask), mask))  # (B, T, E/r)
        expanded: Tensor = self.expand_norm(self.expand(hidden, mask), mask)
        return expanded


class TokenConv(nn.Conv1d):
    """A Conv1d over (B, T, C) that keeps the length and reads masked positions as its zero padding.

    Computed as one matrix product over windows, which needs no transposition; with a kernel of 1 that is a plain
    linear map.
    """

    def __init__(self, channels: int, outputs: int, kernel: int) -> None:
        super().__init__(channels, outputs, kernel, padding=kernel // 2)

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:  # type: ignore[override]
        """(B, T, channels) -> (B, T, outputs); ``mask`` (B, T)."""
        kernel = self.kernel_size[0]
        zeroed = x.masked_fill(~mask.unsqueeze(-1), 0)
        if kernel == 1:
            return F.linear(zeroed, self.weight.flatten(1), self.bias)
        padded = F.pad(zeroed, (0, 0, kernel // 2, kernel // 2))
        taps = [padded[:, start : start + x.shape[1]] for start in range(kernel)]
        windows = torch.stack(taps, dim=-1).flatten(2)  # (B, T, channels * kernel)
        return F.linear(windows, self.weight.flatten(1), self.bias)


class MaskedBatchNorm(nn.Module):
    """BatchNorm1d over the real positions of (B, T, C), in groups of sequences.

    y = (x - mean) / sqrt(var + eps) * weight + bias. In training, mean and (biased) variance are those of
    each group of consecutive sequences, so 4 groups in one batch give what 4 accumulated batches of one group
    give; the running mean and (unbiased) variance follow group by group. In evaluation the running ones are
    used.

    With one group and no padding it is ``torch.nn.BatchNorm1d``, whose ``eps`` and ``momentum`` it has.
    """

    running_mean: Tensor
    running_var: Tensor

    def __init__(self, channels: int, group: int) -> None:
        super().__init__()
        self.group, self.eps, self.momentum = group, 1e-5, 0.1
        self.weight = nn.Parameter(torch.ones(channels))
        self.bias = nn.Parameter(torch.zeros(channels))
        self.register_buffer("running_mean", torch.zeros(channels))
        self.register_buffer("running_var", torch.ones(channels))

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        """(B, T, C) -> (B, T, C); ``mask`` (B, T). In training B must be a multiple of ``group``."""
        if not self.training:
            scale = self.weight * torch.rsqrt(self.running_var + self.eps)
            return torch.addcmul(self.bias - self.running_mean * scale, x, scale)
        if len(x) % self.group:
            raise ConfigError(
                f"a training batch of {len(x)} sequence(s) is not a multiple of bn_group {self.group}; "
                "change the batch size or bn_group"
            )
        grouped = x.reshape(len(x) // self.group, -1, x.shape[-1])  # (G, group * T, C)
        counted = mask.reshape(len(grouped), -1)
        mean = masked_mean(grouped, counted)  # (G, 1, C)
        centred = grouped - mean
        variance = masked_mean(centred.square(), counted)
        self._track(mean.detach(), variance.detach(), counted.sum(dim=1).to(x))
        return torch.addcmul(self.bias, centred, self.weight * torch.rsqrt(variance + self.eps)).reshape(x.shape)

    def _track(self, mean: Tensor, variance: Tensor, count: Tensor) -> None:
        """Move the running statistics by one group after the other; mean, variance (G, 1, C), count (G,)."""
        unbiased = variance * (count / (count - 1).clamp(min=1)).reshape(-1, 1, 1)
        for group_mean, group_variance in zip(mean.squeeze(1), unbiased.squeeze(1), strict=True):
            self.running_mean = torch.lerp(self.running_mean, group_mean, self.momentum)
            self.running_var = torch.lerp(self.running_var, group_variance, self.momentum)


def masked_mean(x: Tensor, mask: Tensor) -> Tensor:
    """Mean of x (N, P, C) over the true positions of mask (N, P): (N, 1, C)."""
    count = mask.sum(dim=1, keepdim=True)
    return (mask.to(x.dtype) / count).unsqueeze(1) @ x  # (N, 1, P) @ (N, P, C)


def _of_neighbour(x: Tensor, mask: Tensor) -> Tensor:
    """The real vectors of the sequence before in the batch, repeated to the length T; (B, T, E)."""
    n_sequences, length, width = x.shape
    if n_sequences < 2:
        raise ConfigError(f"the shuffled fusion got a batch of {n_sequences}; give it at least 2 sequences")
    source = torch.arange(length, device=x.device) % mask.sum(dim=1, keepdim=True)  # (B, T); padding comes last
    wrapped = x.gather(1, source.unsqueeze(-1).expand(-1, -1, width))
    return wrapped.roll(1, dims=0)
