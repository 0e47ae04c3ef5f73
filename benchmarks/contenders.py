"""Three ways to fine-tune one encoder on the same windows: ours, Hugging Face's Trainer, the XTREME scripts' way.

The second and third train the whole encoder with its whole vocabulary, as they do for everybody; ours trains the
embedding rows in use. Seed, data, epochs, batch size, learning rate and heads are the same.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from transformers import BertModel, Trainer, TrainingArguments

from benchmarks.measures import clock, peak_megabytes
from crosslayer.config import Profile
from crosslayer.data.prepared import read_corpus
from crosslayer.encoders import load_encoder
from crosslayer.metrics import task_score
from crosslayer.models.classifier import Head
from crosslayer.sweep.plan import choose_precision, load_inputs, trial_specs
from crosslayer.tasks import TASKS, TaskName
from crosslayer.training.execution import make_runner
from crosslayer.training.inference import score_of
from crosslayer.training.trainable import pad_id_of
from crosslayer.windows.batching import collate
from crosslayer.windows.encoded import Encoded, encode

XTREME = "XTREME scripts' way (an eighth timed)"
XTREME_LENGTH = 128
PREDICTED_AT_ONCE = 32
"""Windows; the XTREME scripts' setting."""
TIMED = 8
IGNORED = -100
"""The label of sub-words that are not predicted."""


@dataclass(frozen=True)
class Trial:
    """One trial of a contender.

    Attributes:
        seconds: of training and predicting, without loading anything; of one thread those that it computes.
        tokens: real sub-words trained on, padding not counted, over all epochs.
        score: mean over languages, points.
        megabytes: peak memory of the process, or on a GPU of torch.
        precision: of the matrix products.
    """

    seconds: float
    tokens: int
    score: float
    megabytes: float
    precision: str


def ours(profile: Profile, folder: Path, task: TaskName) -> Trial:
    """A baseline trial as a sweep runs it."""
    spec = next(s for s in trial_specs(profile, "sweep", task, folder / "encoder") if s.model == "baseline")
    inputs = load_inputs(folder / "encoder", task, [], torch.device(_device()))
    now = clock(profile.compute.threads)
    start = now()
    finished = make_runner([spec], inputs)(spec)
    seconds = now() - start
    test = finished.predictions[finished.predictions["split"] == "test"]
    scores = [score_of(task, part) for _, part in test.groupby("language", observed=True)]
    tokens = _trained_tokens(inputs.encoded, profile, task)
    return Trial(seconds, tokens, float(np.mean(scores)), peak_megabytes(), spec.precision)


def trainer(profile: Profile, folder: Path, task: TaskName) -> Trial:
    """Hugging Face's Trainer, each batch padded to its longest window, bfloat16 where the device has it."""
    settings, precision = profile.tasks[task], choose_precision(profile.compute, _device())
    torch.set_num_threads(profile.compute.threads)
    torch.manual_seed(0)
    encoded, model = _whole(profile, folder, task)
    train, test = encoded.rows("train", "en"), encoded.rows("test")
    pad_id, now = pad_id_of(model.encoder), clock(profile.compute.threads)
    with tempfile.TemporaryDirectory() as scratch:
        arguments = TrainingArguments(
            output_dir=scratch, num_train_epochs=settings.epochs, learning_rate=settings.learning_rate,
            per_device_train_batch_size=settings.batch_size, per_device_eval_batch_size=PREDICTED_AT_ONCE,
            max_grad_norm=settings.clip, weight_decay=settings.weight_decay, bf16=precision == "bfloat16",
            save_strategy="no", logging_strategy="no", report_to="none", disable_tqdm=True, seed=0,
            remove_unused_columns=False, dataloader_pin_memory=False, use_cpu=not torch.cuda.is_available(),
        )  # fmt: skip
        with_collate = Trainer(
            model=model,
            args=arguments,
            train_dataset=train.tolist(),
            data_collator=lambda windows: _padded(encoded, np.array(windows), pad_id, None),
        )
        start = now()
        with_collate.train()
        logits = with_collate.predict(test.tolist()).predictions  # padded with -100 to one length
        seconds = now() - start
    return _trial(encoded, test, logits, seconds, profile, task, precision)


def xtreme(profile: Profile, folder: Path, task: TaskName) -> Trial:
    """A plain loop in float32 with every window padded to 128 sub-words; one in `TIMED` items is timed, and
    all are taken to cost as many times as much; the score is that of a model that has seen few."""
    settings = profile.tasks[task]
    torch.set_num_threads(profile.compute.threads)
    torch.manual_seed(0)
    encoded, model = _whole(profile, folder, task)
    model.to(_device()).train()
    train, test = encoded.rows("train", "en")[::TIMED], encoded.rows("test")[::TIMED]
    pad_id, now = pad_id_of(model.encoder), clock(profile.compute.threads)
    optimiser = torch.optim.AdamW(
        model.parameters(), lr=settings.learning_rate, weight_decay=settings.weight_decay
    )
    n_batches = len(train) // settings.batch_size
    steps = settings.epochs * n_batches
    decay = torch.optim.lr_scheduler.LambdaLR(optimiser, lambda step: 1 - step / steps)
    start = now()
    for _ in range(settings.epochs):
        order = train[torch.randperm(len(train)).numpy()][: n_batches * settings.batch_size]
        for windows in np.split(order, n_batches):
            loss = model(**_moved(_padded(encoded, windows, pad_id, XTREME_LENGTH)))["loss"]
            optimiser.zero_grad()
            loss.backward()
            nn.utils.clip_grad_norm_(model.parameters(), settings.clip)
            optimiser.step()
            decay.step()
    model.eval()
    logits = []
    with torch.no_grad():
        for first in range(0, len(test), PREDICTED_AT_ONCE):
            windows = test[first : first + PREDICTED_AT_ONCE]
            logits.append(
                model(**_moved(_padded(encoded, windows, pad_id, XTREME_LENGTH)))["logits"].cpu().numpy()
            )
    seconds = TIMED * (now() - start)
    return _trial(encoded, test, np.concatenate(logits), seconds, profile, task, "float32")


CONTENDERS: dict[str, Callable[[Profile, Path, TaskName], Trial]] = {
    "crosslayer": ours, "Trainer, dynamic padding": trainer, XTREME: xtreme,
}  # fmt: skip


class Whole(nn.Module):
    """The whole encoder with our head; takes and gives what a Trainer expects."""

    encoder: BertModel

    def __init__(self, encoder: BertModel, head: Head) -> None:
        super().__init__()
        self.encoder = encoder
        self.head = head

    def forward(self, ids: Tensor, types: Tensor, mask: Tensor, labels: Tensor) -> dict[str, Tensor]:
        """Loss, and logits (B, T, K), of which a pair's is at its first sub-word."""
        hidden = self.encoder(input_ids=ids, token_type_ids=types, attention_mask=mask).last_hidden_state
        if self.head.dense is not None:
            weight = mask.unsqueeze(-1)
            chosen = (hidden * weight).sum(1) / weight.sum(1) if self.head.pooling == "mean" else hidden[:, 0]
            hidden = torch.tanh(self.head.dense(chosen)).unsqueeze(1)
            labels = labels[:, :1]
        logits = self.head.output(self.head.dropout(hidden))
        loss = nn.functional.cross_entropy(logits.flatten(0, 1), labels.flatten(), ignore_index=IGNORED)
        return {"loss": loss, "logits": logits}


def _whole(profile: Profile, folder: Path, task: TaskName) -> tuple[Encoded, Whole]:
    encoder = load_encoder(profile.encoder)
    corpus = read_corpus(folder / "data" / f"{task}.parquet")
    head = Head(int(encoder.model.config.hidden_size), TASKS[task], profile.tasks[task])
    return encode(task, corpus, encoder.tokenizer, profile.data.max_length), Whole(encoder.model, head)


def _padded(encoded: Encoded, windows: Any, pad_id: int, length: int | None) -> dict[str, Tensor]:
    batch = collate(encoded, windows, pad_id)
    labels = torch.full_like(batch.ids, IGNORED)
    labels[batch.row, batch.position] = batch.labels
    room = 0 if length is None else length - batch.ids.shape[1]
    padded = {"ids": (batch.ids, pad_id), "types": (batch.types, 0), "mask": (batch.mask.long(), 0),
              "labels": (labels, IGNORED)}  # fmt: skip
    return {name: nn.functional.pad(values, (0, room), value=fill) for name, (values, fill) in padded.items()}


def _moved(batch: dict[str, Tensor]) -> dict[str, Tensor]:
    return {name: values.to(_device()) for name, values in batch.items()}


def _device() -> str:
    return "cuda" if torch.cuda.is_available() else "cpu"


def _trial(
    encoded: Encoded, test: Any, logits: Any, seconds: float, profile: Profile, task: TaskName, precision: str
) -> Trial:
    scores = []
    for language in encoded.languages("test"):
        chosen = [place for place, row in enumerate(test) if encoded.language[row] == language]
        gold = np.concatenate([encoded.labels[test[place]] for place in chosen])
        guess = np.concatenate([logits[place][encoded.firsts[test[place]]].argmax(-1) for place in chosen])
        item = np.repeat(encoded.item[test[chosen]], [len(encoded.labels[test[place]]) for place in chosen])
        scores.append(task_score(task, gold, guess, item))
    tokens = _trained_tokens(encoded, profile, task)
    return Trial(seconds, tokens, float(np.mean(scores)), peak_megabytes(), precision)


def _trained_tokens(encoded: Encoded, profile: Profile, task: TaskName) -> int:
    return profile.tasks[task].epochs * int(encoded.lengths()[encoded.rows("train", "en")].sum())
