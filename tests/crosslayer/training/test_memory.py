"""Micro-batches give the step of the whole batch; out of memory ends in advice; workers share out the GPUs."""

from __future__ import annotations

import multiprocessing
from multiprocessing import get_context
from pathlib import Path
from typing import Any
from unittest.mock import Mock

import pytest
import torch
from torch import Tensor
from torch.testing import assert_close

from crosslayer.config import FusionKind, FusionSpec, parse_profile
from crosslayer.encoders.synthetic import make_random
from crosslayer.models.classifier import TrainedEncoder
from crosslayer.models.trunk import Trunk
from crosslayer.sweep import workers
from crosslayer.sweep.run import summary
from crosslayer.tasks import TaskName
from crosslayer.training.execution import memory_advice, own_device
from crosslayer.training.finetuned import epochs
from crosslayer.training.trainable import build_model
from crosslayer.windows.batching import collate, micro_batches
from made_inputs import made_inputs, made_spec, paper

BATCH, GROUP, LAYER = 16, 4, 1


def trained(
    task: TaskName, micro_batch: int | None, kind: FusionKind = "dlfa", group: int = GROUP
) -> tuple[dict[str, Tensor], list[float]]:
    """Everything that two steps have changed, and the loss, without dropout, in float64."""
    training = paper().tasks[task].model_copy(update={"batch_size": BATCH, "epochs": 1, "learning_rate": 1e-3})
    spec = made_spec(
        task, paper(), training=training, layer=LAYER, kind=kind, fusion=FusionSpec(bn_group=group),
        micro_batch=micro_batch,
    )  # fmt: skip
    inputs = made_inputs(task, make_random(), 2 * BATCH, 4)
    trunk = Trunk(inputs.encoder)
    model = build_model(spec, task, inputs, TrainedEncoder(trunk, LAYER, training)).double()
    model.head.dropout.p = trunk.dropout = 0.0
    for layer in trunk.layers:
        layer.dropout = layer.attention_dropout = 0.0
    losses = list(epochs(model, inputs, inputs.encoded, inputs.encoded.rows("train")))
    return model.state_dict(), losses


@pytest.fixture
def _double(monkeypatch: pytest.MonkeyPatch) -> None:
    """The classifier computes in float32 whatever the encoder's precision; here in float64."""
    monkeypatch.setattr(Tensor, "float", Tensor.double)


@pytest.mark.usefixtures("_double")
@pytest.mark.parametrize("micro_batch", [GROUP, 2 * GROUP])
@pytest.mark.parametrize("task", ["pos", "xnli"])
def test_micro_batches_train_as_the_whole_batch_does(task: TaskName, micro_batch: int) -> None:
    whole, loss = trained(task, None)
    parts, loss_of_parts = trained(task, micro_batch)
    assert any("running_var" in name for name in whole)
    assert_close(parts, whole, rtol=1e-9, atol=1e-11)
    assert_close(loss_of_parts, loss, rtol=1e-12, atol=0.0)


@pytest.mark.usefixtures("_double")
@pytest.mark.parametrize(
    ("one", "other"),
    [
        ((None, "dlfa", GROUP), (None, "dlfa", GROUP // 2)),  # as micro-batches smaller than a group would
        ((None, "shuffled", GROUP), (GROUP, "shuffled", GROUP)),  # a micro-batch's first has another neighbour
    ],
)
def test_what_trains_otherwise(one: tuple[Any, ...], other: tuple[Any, ...]) -> None:
    with pytest.raises(AssertionError):
        assert_close(trained("pos", *one)[0], trained("pos", *other)[0], rtol=1e-3, atol=1e-5)


def test_micro_batches_are_the_batch_in_parts() -> None:
    encoded = made_inputs("pos", make_random(), BATCH, 4).encoded
    batch = collate(encoded, encoded.rows("train"), 0)
    parts = list(micro_batches(batch, GROUP))
    assert len({len(part.labels) for part in parts}) > 1, "else the weights of the parts would not matter"
    for name in ("ids", "types", "mask", "position", "labels"):
        assert torch.equal(torch.cat([getattr(part, name) for part in parts]), getattr(batch, name))
    assert [window for part in parts for window in part.windows] == batch.windows.tolist()
    (whole,) = micro_batches(batch, None)
    assert all(torch.equal(getattr(whole, name), getattr(batch, name)) for name in ("ids", "row", "labels"))


SEEN = (
    "CUDA out of memory. Tried to allocate 2.00 GiB. GPU 0 has a total capacity of 15.77 GiB of which 1.20 GiB is "
    "free.\nSee documentation for Memory Management"
)
WANTED = "CUDA out of memory. Tried to allocate 2.00 GiB; "


@pytest.mark.parametrize(
    ("micro_batch", "advice"),
    [
        (None, "lower compute.micro_batch to 16, now 32 sequences are computed together"),
        (16, "lower compute.micro_batch to 8, now 16 sequences are computed together"),
        (8, "one normalisation group of 8 sequences does not fit, and a smaller fusion.bn_group would change the "
            "result: shorten data.max_length, compute in bfloat16 or use a larger GPU"),
    ],
)  # fmt: skip
def test_out_of_memory_says_what_to_do(micro_batch: int | None, advice: str, tmp_path: Path) -> None:
    spec = made_spec("xnli", paper(), micro_batch=micro_batch)
    record = workers.run_and_keep(spec, Mock(side_effect=torch.OutOfMemoryError(SEEN)), tmp_path)
    assert (record.outcome, record.detail) == ("out_of_memory", WANTED + advice)
    assert summary(record).endswith(f"out_of_memory ({record.detail})")


@pytest.mark.parametrize("batch", [8, 24, 40])
def test_the_advice_is_one_that_the_profile_accepts(batch: int) -> None:
    training = paper().tasks["pos"].model_copy(update={"batch_size": batch})
    advice = memory_advice(made_spec("pos", paper(), training=training), torch.OutOfMemoryError(SEEN))
    assert ("micro_batch to 8," in advice) == (batch > 8)
    tasks = {"pos": training.model_dump()}
    content = paper().model_dump() | {"tasks": tasks, "intermediate": {}, "compute": {"micro_batch": 8}}
    assert parse_profile(content, "p").compute.micro_batch == 8


@pytest.mark.parametrize(
    ("process", "n_gpus", "gpu"),
    [("SpawnProcess-1", 2, 0), ("SpawnProcess-2", 2, 1), ("SpawnProcess-3", 2, 0), ("SpawnProcess-7", 1, 0)],
)
def test_worker_processes_share_out_the_gpus(
    process: str, n_gpus: int, gpu: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(multiprocessing.current_process(), "_name", process)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: n_gpus)
    assert own_device(torch.device("cuda")) == torch.device("cuda", gpu)
    assert own_device(torch.device("cpu")) == torch.device("cpu")


def test_children_are_numbered_one_after_the_other() -> None:
    """What the assignment rests on."""
    numbers = [int(get_context("spawn").Process().name.removeprefix("SpawnProcess-")) for _ in range(3)]
    assert numbers == [numbers[0], numbers[0] + 1, numbers[0] + 2]
