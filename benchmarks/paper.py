"""What the profile `paper` costs: a step at its size, measured, and from it the whole grid here and on a GPU."""

from __future__ import annotations

from typing import NamedTuple

import torch
from transformers import BertConfig, BertModel

from benchmarks.measures import clock, peak_megabytes
from crosslayer.config import FusionKind, Profile
from crosslayer.data.examples import Corpus, Example, PairExample
from crosslayer.encoders.synthetic import HashTokenizer
from crosslayer.models.classifier import TrainedEncoder
from crosslayer.models.trunk import Trunk
from crosslayer.predictions.models import BASELINE
from crosslayer.sweep.plan import choose_precision, planned_device
from crosslayer.tasks import INTERMEDIATE, TaskName
from crosslayer.training.finetuned import epochs
from crosslayer.training.inference import MAX_TOKENS, predict
from crosslayer.training.trainable import TrialInputs, build_model
from crosslayer.training.trials import TrialSpec, planned_trials
from crosslayer.windows.encoded import encode

WIDTH, LAYERS, HEADS, INNER, VOCABULARY = 768, 12, 12, 3072, 119_547
"""bert-base-multilingual-cased."""
WEIGHTS = LAYERS * (4 * WIDTH * WIDTH + 2 * WIDTH * INNER)
"""Of its matrices; embedding rows are looked up, not multiplied."""
LENGTH = 45
"""Sub-words of every pair that is timed: XNLI's mean."""
LONGEST = 127
"""Sub-words of the longest pairs of two sentences of one length under XTREME's limit of 128."""
STEPS, PREDICTED = 6, 182
"""Training steps, of which the fastest counts, and predicted pairs, two batches of them."""
H100 = 989e12
"""Dense bfloat16 FLOP/s of an H100 SXM in NVIDIA's data sheet (1,979 TFLOP/s there is with sparsity)."""
LAUNCHED = 0.025
"""Seconds of a training step where launching kernels sets the pace: 1,400 operations at 18 microseconds each."""


class Size(NamedTuple):
    """Items of a task, of the test split over all languages, and their mean sub-words with special tokens."""

    train: int
    dev: int
    test: int
    train_length: float
    dev_length: float
    test_length: float


SIZES: dict[TaskName, Size] = {
    "xnli": Size(392_702, 2_490, 15 * 5_010, 44.7, 42.3, 45.6),
    "pawsx": Size(49_401, 2_000, 7 * 2_000, 63.4, 63.9, 65.8),
    "ner": Size(20_000, 10_000, 262_300, 14.2, 14.0, 17.7),
    "pos": Size(21_253, 3_974, 102_119, 24.9, 18.2, 29.6),
}
"""Items: Table 1 of XTREME (arXiv 2003.11080) and the cards of google/xtreme and wikiann on the hub. Sub-words: of
public XTREME files, 3,000 training and 300 test items a language, languages weighted by their items, in the
vocabulary of XLM-R; mBERT's own may cut a little finer."""


class Cost(NamedTuple):
    """Trials of a task, the sub-words that they train on and predict, and their training steps; a batch that is
    predicted counts as a third of a step."""

    trials: int
    trained: float
    predicted: float
    steps: float

    @property
    def flops(self) -> float:
        """6 a weight and trained token (Kaplan et al. 2020, section 2.1), 2 a weight and predicted one; attention
        and fusion are not counted."""
        return WEIGHTS * (6 * self.trained + 2 * self.predicted)


def cost(profile: Profile, task: TaskName) -> Cost:
    """What a task costs, with the arms of Q01."""
    size, settings, seeds = SIZES[task], profile.tasks[task], profile.sweep.of(task).seeds
    planned = [*planned_trials(profile, "sweep", task)]
    if task in profile.intermediate.targets:
        # the arm without a phase is the sweep's baseline where it has the seed
        arms = planned_trials(profile, "intermediate", task)
        planned += [(seed, found) for seed, found in arms if found.arm != "none" or seed not in seeds]
    shares = [found.model.share or (0.5 if found.model.half else 1.0) for _, found in planned]
    items = settings.epochs * size.train * sum(shares)
    phases = sum(found.arm != "none" for _, found in planned)
    first_phase = profile.intermediate.items * profile.intermediate.epochs * phases
    dev, test = size.dev * size.dev_length, size.test * size.test_length
    predicted = ((settings.epochs + 1) * dev + test) * len(shares)
    return Cost(
        trials=len(shares),
        trained=items * size.train_length + first_phase * SIZES[INTERMEDIATE[task]].test_length,
        predicted=predicted,
        steps=(items + first_phase) / settings.batch_size + predicted / MAX_TOKENS / 3,
    )


class Speed(NamedTuple):
    """Seconds of a training step, megabytes of training, sub-words trained on and predicted in a second."""

    step: float
    megabytes: float
    trained: float
    predicted: float
    precision: str


def measure(
    profile: Profile, kind: FusionKind, threads: int, length: int = LENGTH, micro_batch: int | None = None
) -> Speed:
    """Train and predict pairs of ``length`` sub-words with random weights of mBERT's shape.

    Args:
        profile: of the batch size, the control layer and the device.
        kind: of the fusion.
        threads: of torch.
        length: sub-words of every pair.
        micro_batch: as in `crosslayer.config.ComputeSpec`.
    """
    torch.set_num_threads(threads)
    device = planned_device(profile.compute)
    training = profile.tasks["xnli"].model_copy(update={"epochs": STEPS})
    spec = TrialSpec(
        stage="sweep", task="xnli", model=BASELINE, seed=0, kind=kind, fusion=profile.fusion, training=training,
        layer=None if kind == "none" else profile.sweep.control_layer, digests={}, device_kind=device,
        precision=choose_precision(profile.compute, device), threads=threads,
        micro_batch=micro_batch,
    )  # fmt: skip
    inputs = _inputs(training.batch_size, length, torch.device(device))
    encoder = TrainedEncoder(Trunk(inputs.encoder).to(inputs.device), spec.layer, training)
    module = build_model(spec, "xnli", inputs, encoder)
    seconds, now = [], clock(threads)
    start = now()
    for _ in epochs(module, inputs, inputs.encoded, inputs.encoded.rows("train")):
        seconds.append(now() - start)  # an epoch is one step, and over: its loss was read
        start = now()
    step, megabytes = min(seconds[1:]), peak_megabytes()
    predict(module, inputs)
    start = now()
    predict(module, inputs)
    predicted = (PREDICTED + 1) * length / (now() - start)
    return Speed(step, megabytes, training.batch_size * length / step, predicted, spec.precision)


def _inputs(batch_size: int, length: int, device: torch.device) -> TrialInputs:
    """One training batch, one dev pair and the pairs to predict, all of one length."""
    config = BertConfig(
        vocab_size=VOCABULARY, hidden_size=WIDTH, num_hidden_layers=LAYERS, num_attention_heads=HEADS,
        intermediate_size=INNER, pad_token_id=0,
    )  # fmt: skip
    words = (length - HashTokenizer.n_special_pair) // 2
    pairs: list[Example] = [
        PairExample(f"{i}", " ".join("a" * words), " ".join("b" * words), "neutral") for i in range(PREDICTED)
    ]
    corpus: Corpus = {("train", "en"): pairs[:batch_size], ("dev", "en"): pairs[:1], ("test", "en"): pairs}
    encoded = encode("xnli", corpus, HashTokenizer(), length)
    assert set(encoded.lengths()) == {length}
    return TrialInputs(BertModel(config, add_pooling_layer=False), encoded, {}, device)
