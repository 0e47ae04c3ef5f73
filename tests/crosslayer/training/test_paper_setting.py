"""The paper's own setting at its own size: a random BERT of mBERT's shape under the profile `paper`."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from crosslayer.config import FusionSpec
from crosslayer.encoders.base import Encoder
from crosslayer.encoders.synthetic import make_random
from crosslayer.models.classifier import TrainedEncoder
from crosslayer.models.fusion import FUSIONS
from crosslayer.models.trunk import Trunk
from crosslayer.predictions.records import read_arrays, read_predictions
from crosslayer.sweep import workers
from crosslayer.sweep.plan import choose_precision
from crosslayer.sweep.store import finished
from crosslayer.tasks import TASKS, TaskName
from crosslayer.training import finetuned as training
from crosslayer.training.execution import make_runner
from crosslayer.training.trainable import TrainableModel, TrialInputs, build_model
from made_inputs import made_inputs, made_spec, paper

WIDTH, LAYERS, HEADS, INNER, VOCABULARY, POSITIONS = 768, 12, 12, 3072, 119_547, 512
"""bert-base-multilingual-cased, after its config.json."""
AIF_PARAMETERS = {4: 595_584, 8: 300_096, 16: 152_352}


@pytest.fixture(scope="module")
def mbert() -> Encoder:
    """mBERT's shape with random weights, and 512 words in place of 119,547."""
    return make_random(layers=LAYERS, width=WIDTH, heads=HEADS)


def bert_parameters(vocabulary: int) -> int:
    """Weights and biases of a BERT without pooler (Devlin et al. 2019): embeddings, and twelve layers of four
    square projections, a feed-forward block and two normalisations."""
    embeddings = (vocabulary + POSITIONS + 2) * WIDTH + 2 * WIDTH
    attention = 4 * (WIDTH * WIDTH + WIDTH)
    feed_forward = WIDTH * INNER + INNER + INNER * WIDTH + WIDTH
    return embeddings + LAYERS * (attention + feed_forward + 2 * 2 * WIDTH)


def test_the_random_encoder_has_the_shape_of_mbert(mbert: Encoder) -> None:
    assert sum(parameter.numel() for parameter in mbert.model.parameters()) == bert_parameters(512)
    assert bert_parameters(VOCABULARY) == 177_262_848
    found = mbert.model.config.to_dict()
    usual = {"hidden_act": "gelu", "type_vocab_size": 2, "layer_norm_eps": 1e-12, "num_attention_heads": HEADS}
    assert found | usual | {"hidden_dropout_prob": 0.1, "attention_probs_dropout_prob": 0.1} == found


@pytest.mark.slow
@pytest.mark.parametrize("task", list(TASKS))
def test_a_training_step_and_a_prediction_pass(
    task: TaskName, mbert: Encoder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """D_8 on one batch of the profile's size, from the specification to the folder of the trial."""
    profile = paper()
    settings = profile.tasks[task].model_copy(update={"epochs": 1})
    spec = made_spec(task, profile, training=settings, precision=choose_precision(profile.compute, "cpu"))
    assert (spec.layer, spec.training.batch_size, spec.fusion.bn_group) == (8, 32, 8)
    inputs = made_inputs(task, mbert, spec.training.batch_size, 8)
    source = TrainedEncoder(Trunk(mbert.model), spec.layer, settings)
    before = build_model(spec, task, inputs, source).state_dict()
    after: dict[str, Tensor] = {}

    def keep_state(module: TrainableModel, inputs: TrialInputs) -> object:
        after.update(module.state_dict())
        return predict(module, inputs)

    predict = training.predict
    monkeypatch.setattr(training, "predict", keep_state)
    record = workers.run_and_keep(spec, make_runner([spec], inputs), tmp_path)

    assert finished(tmp_path, spec) == record
    assert record.outcome in ("ok", "collapsed")  # one step of a random encoder may well give one label to all
    assert record.fusion_parameters == AIF_PARAMETERS[4]
    labels = len(TASKS[task].labels)
    head = WIDTH * labels + labels + (WIDTH * WIDTH + WIDTH if TASKS[task].kind == "pair" else 0)
    assert record.trained_parameters == bert_parameters(512) + AIF_PARAMETERS[4] + head
    assert np.isfinite(read_arrays(tmp_path / spec.key / "diagnostics.npz")["losses"]).all()
    frame = read_predictions(tmp_path / spec.key / "predictions.parquet")
    assert len(frame) == sum(map(len, inputs.encoded.labels[inputs.encoded.predicted_rows()]))
    assert np.isfinite(frame.filter(like="score_").to_numpy(np.float64)).all()
    assert not [name for name in after if torch.equal(before[name], after[name])]


@pytest.mark.parametrize("reduction", AIF_PARAMETERS)
def test_parameters_of_the_fusion(reduction: int) -> None:
    """Two branches of two convolutions of width 1 with biases, each with the two vectors of a normalisation."""
    narrow = WIDTH // reduction
    branch = (WIDTH * narrow + narrow) + 2 * narrow + (narrow * WIDTH + WIDTH) + 2 * WIDTH
    assert 2 * branch == AIF_PARAMETERS[reduction]
    fusion = FUSIONS["dlfa"](WIDTH, FusionSpec(reduction=reduction))
    assert sum(parameter.numel() for parameter in fusion.parameters()) == 2 * branch


def test_hyper_parameters_are_those_of_xtreme() -> None:
    """Hu et al. 2020 (arXiv 2003.11080) and its public scripts; of XNLI's epochs the paper's."""
    profile = paper()
    tasks = profile.tasks
    assert {name: task.epochs for name, task in tasks.items()} == {"xnli": 2, "pawsx": 5, "ner": 10, "pos": 10}
    assert {len(TASKS[name].languages) for name in tasks} == {15, 7, 40, 33}
    for task in tasks.values():
        assert (task.learning_rate, task.batch_size, task.weight_decay, task.clip) == (2e-5, 32, 0.0, 1.0)
        assert (task.mode, task.trainable_layers, task.train_embeddings) == ("finetuned", None, True)
        assert (task.label_smoothing, task.sizes.train, task.sizes.test) == (0.0, None, None)
    assert profile.data.max_length == 128
    assert profile.encoder.name == "google-bert/bert-base-multilingual-cased"
