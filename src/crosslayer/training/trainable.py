"""What is trained together in one trial, and the random streams it draws from."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from crosslayer.models.classifier import Head, Hidden, TrainedEncoder
from crosslayer.models.fusion import FUSIONS, Fusion
from crosslayer.tasks import TASKS, TaskName
from crosslayer.training.trials import TrialSpec
from crosslayer.windows.batching import Batch
from crosslayer.windows.encoded import Encoded

if TYPE_CHECKING:
    from transformers import BertModel

Source = Callable[[Batch], Hidden]


def pad_id_of(encoder: BertModel) -> int:
    """The padding sub-word of an encoder; trimming keeps it."""
    pad_id = encoder.config.pad_token_id
    assert pad_id is not None
    return int(pad_id)


@dataclass(frozen=True)
class TrialInputs:
    """What all trials of a task share.

    Attributes:
        encoder: the trunk with trimmed embeddings; trials train a copy.
        encoded: windows of the task; its split ``common`` is one English text, the same for all tasks, on
            which attention is compared.
        intermediate: windows of the intermediate task by arm.
        device: where trials run.
    """

    encoder: BertModel
    encoded: Encoded
    intermediate: dict[str, Encoded]
    device: torch.device

    @property
    def pad_id(self) -> int:
        """The padding sub-word."""
        return pad_id_of(self.encoder)


def stream(spec: TrialSpec, purpose: str) -> int:
    """The seed of one random stream. Data order, head, dropout and fusion have one each, and none depends on
    the model: trials of one seed differ in nothing but the model."""
    digest = hashlib.sha256(f"{spec.task}:{spec.seed}:{purpose}".encode()).digest()
    return int.from_bytes(digest[:6], "big")


class TrainableModel(nn.Module):
    """What is trained together: fusion and head, and the source of hidden states where it is an encoder."""

    def __init__(self, spec: TrialSpec, fusion: Fusion, head: Head, source: Source | TrainedEncoder) -> None:
        super().__init__()
        self.spec, self.fusion, self.head, self.source = spec, fusion, head, source

    def trained(self) -> list[nn.Parameter]:
        """The parameters that are not frozen: those of fusion and head, then the encoder's."""
        return [parameter for parameter in self.parameters() if parameter.requires_grad]

    def for_prediction(self) -> TrainableModel:
        """The same in evaluation mode; in bfloat16 with a copy of the encoder whose weights are rounded once."""
        self.eval()
        if not isinstance(self.source, TrainedEncoder) or self.spec.precision == "float32":
            return self
        return TrainableModel(self.spec, self.fusion, self.head, self.source.rounded(torch.bfloat16))

    def forward(self, batch: Batch) -> tuple[Tensor, Tensor]:
        """Fused embeddings (B, T, E) in float32 and logits (P, K); matrix products in the trial's precision."""
        with torch.autocast(batch.ids.device.type, torch.bfloat16, enabled=self.spec.precision == "bfloat16"):
            fused = self.fusion(*self.source(batch), batch.mask).float()
            return fused, self.head(fused, batch)


def build_model(
    spec: TrialSpec, task: TaskName, inputs: TrialInputs, source: Source | TrainedEncoder
) -> TrainableModel:
    """Fusion and head, each initialised from its own stream, over a source of hidden states."""
    width = int(inputs.encoder.config.hidden_size)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(stream(spec, "fusion"))
        fusion = FUSIONS[spec.kind](width, spec.fusion)
        torch.manual_seed(stream(spec, f"head:{task}"))
        head = Head(width, TASKS[task], spec.training)
    return TrainableModel(spec, fusion.to(inputs.device), head.to(inputs.device), source)
