"""What each layer of the encoder carries: retrieval, offsets of languages from English, a UPOS probe, zero-shot
transfer, similarity of languages, their identity.

Notation: L layers with the embeddings as layer 0, W windows, P words, E width.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import combinations
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from crosslayer.metrics import task_score
from crosslayer.models.classifier import pool
from crosslayer.tasks import TASKS, TaskName
from crosslayer.training.trainable import pad_id_of
from crosslayer.windows.batching import Batch, prediction_batches
from crosslayer.windows.encoded import Encoded

if TYPE_CHECKING:
    from transformers import BertModel

Array = np.ndarray[Any, np.dtype[Any]]
MAX_TOKENS = 512
"""Padded sub-words of a batch: one language has few windows, which larger batches pad more."""
Vectors = dict[str, Array]
"""By language, vectors (L, W, E) of the same items."""


@torch.inference_mode()
def states_of(encoder: BertModel, batch: Batch) -> tuple[Tensor, ...]:
    """Hidden states of all layers, (B, T, E) each."""
    model: Any = encoder
    states: tuple[Tensor, ...] = model(
        input_ids=batch.ids,
        token_type_ids=batch.types,
        attention_mask=batch.mask.long(),
        output_hidden_states=True,
    ).hidden_states
    return states


@torch.inference_mode()
def vectors_of(encoder: BertModel, encoded: Encoded, rows: Array) -> Array:
    """Vectors of windows, (L, P, E): for tags the states of the words' first sub-words in the order of ``rows``,
    else the means over the windows' sub-words."""
    by_word = encoded.task != "" and TASKS[encoded.task].kind == "tags"
    counts = np.array([len(encoded.labels[row]) if by_word else 1 for row in rows])
    places = dict(zip(rows.tolist(), np.split(np.arange(counts.sum()), np.cumsum(counts)[:-1]), strict=True))
    n_layers = int(encoder.config.num_hidden_layers) + 1
    vectors = np.zeros((n_layers, counts.sum(), int(encoder.config.hidden_size)), np.float32)
    for batch in prediction_batches(encoded, rows, MAX_TOKENS, pad_id_of(encoder)):
        where = np.concatenate([places[window] for window in batch.windows.tolist()])
        for layer, state in enumerate(states_of(encoder, batch)):
            read = state[batch.row, batch.position] if by_word else pool(state, batch.mask)
            vectors[layer, where] = read.numpy()
    return vectors


def retrieval(encoder: BertModel, parallel: Encoded) -> tuple[pd.DataFrame, pd.DataFrame]:
    """What sentence pairs with English tell at each layer, encoded once: retrieval, and `offset_similarity`.

    Retrieval is whether each sentence finds its translation as nearest neighbour by cosine: both directions, plain
    and after centring each side of each language (Libovicky et al. 2020).
    """
    frames, offsets = [], {}
    for language in parallel.languages("foreign"):
        sides = [parallel.rows(split, language) for split in ("foreign", "english")]
        foreign, english = (vectors_of(encoder, parallel, rows) for rows in sides)
        offsets[language] = foreign.mean(axis=1) - english.mean(axis=1)
        for centred in (False, True):
            pairs = [_unit(v - v.mean(axis=1, keepdims=True) if centred else v) for v in (foreign, english)]
            similarity = pairs[0] @ pairs[1].transpose(0, 2, 1)
            for direction, scores in (("to_english", similarity), ("from_english", similarity.transpose(0, 2, 1))):
                hits = scores.argmax(axis=2) == np.arange(scores.shape[1])
                about = {"language": language, "item": parallel.item[sides[0]], "direction": direction}
                frames.append(pd.DataFrame({**about, "centred": centred, **_by_layer(hits)}))
    return pd.concat(frames, ignore_index=True), offset_similarity(offsets)


def offset_similarity(offsets: dict[str, Array]) -> pd.DataFrame:
    """Cosine of every two languages' offsets from English at each layer, the mean over languages taken off.

    Args:
        offsets: by language, mean vector (L, E) of its sentences minus that of their English translations. Each
            language has its own sentences; their content cancels.
    """
    means = np.stack(list(offsets.values()))
    with np.errstate(invalid="ignore"):  # one language alone has no direction
        unit = dict(zip(offsets, _unit(means - means.mean(axis=0)), strict=True))
    rows = [(layer, a, b, float(unit[a][layer] @ unit[b][layer])) for layer, a, b in _pairs(unit)]
    return pd.DataFrame(rows, columns=["layer", "first", "second", "cosine"])


def tagging(encoder: BertModel, encoded: Encoded, n_sentences: int) -> pd.DataFrame:
    """A linear UPOS probe on each layer: trained on English train windows, right or wrong on English dev words."""
    train, dev = (encoded.rows(split, "en")[:n_sentences] for split in ("train", "dev"))
    labels, gold = labels_of(encoded, train), labels_of(encoded, dev)
    states = zip(vectors_of(encoder, encoded, train), vectors_of(encoder, encoded, dev), strict=True)
    right = [_fit(x, labels).predict(y) == gold for x, y in states]
    sentence = np.repeat(np.arange(len(dev)), [len(encoded.labels[row]) for row in dev])
    return pd.DataFrame({"sentence": sentence, **_by_layer(right)})


def transfer(encoder: BertModel, encoded: Encoded, n_windows: int) -> pd.DataFrame:
    """Zero-shot scores of a linear head trained in English on one frozen layer, by language and layer.

    ``commonest`` is the share (points) of the commonest gold label.
    """
    task: TaskName = encoded.task  # type: ignore[assignment]
    train = encoded.rows("train", "en")[:n_windows]
    labels = labels_of(encoded, train)
    heads = [_fit(x, labels) for x in vectors_of(encoder, encoded, train)]
    rows = []
    for language in encoded.languages("test"):
        test = encoded.rows("test", language)
        gold, states = labels_of(encoded, test), vectors_of(encoder, encoded, test)
        item = np.repeat(encoded.item[test], [len(encoded.labels[row]) for row in test])
        commonest = 100 * float(np.bincount(gold).max()) / len(gold)
        for layer, head in enumerate(heads):
            score = task_score(task, gold, head.predict(states[layer]), item)
            rows.append((task, language, layer, score, len(gold), commonest))
    return pd.DataFrame(rows, columns=["task", "language", "layer", "score", "n_items", "commonest"])


def parallel_vectors(encoder: BertModel, encoded: Encoded, split: str, n_items: int) -> Vectors:
    """Mean-pooled vectors of the same items in every language of a split."""
    codes = encoded.languages(split)
    return {code: vectors_of(encoder, encoded, encoded.rows(split, code)[:n_items]) for code in codes}


def similarity(vectors: Vectors) -> pd.DataFrame:
    """Similarity of languages at each layer on parallel windows.

    ``cosine`` is between the languages' mean vectors after the mean over languages is taken off; ``cka`` is
    linear CKA over items (Kornblith et al. 2019, arXiv 1905.00414, Eq. 5).
    """
    found = offset_similarity({code: states.mean(axis=1) for code, states in vectors.items()})
    cka = [linear_cka(vectors[one][layer], vectors[other][layer]) for layer, one, other in _pairs(vectors)]
    return found.assign(cka=cka)


def identity(vectors: Vectors) -> pd.DataFrame:
    """Whether a linear probe tells a sentence's language, at each layer: trained on one half of the items in all
    languages, right or wrong on the other half, so that no content is seen twice."""
    half = min(states.shape[1] for states in vectors.values()) // 2
    gold = np.array(list(vectors)).repeat(half)
    right = []
    for layer in range(len(next(iter(vectors.values())))):
        halves = [(states[layer, :half], states[layer, half : 2 * half]) for states in vectors.values()]
        train, test = map(np.concatenate, zip(*halves, strict=True))
        right.append(_fit(train, gold).predict(test) == gold)
    item = np.tile(np.arange(half), len(vectors))
    return pd.DataFrame({"language": gold, "item": item, **_by_layer(right)})


def linear_cka(x: Array, y: Array) -> float:
    """Linear centred kernel alignment of two (n, E) matrices: between 0 and 1."""
    x, y = x - x.mean(axis=0), y - y.mean(axis=0)
    cross = np.linalg.norm(x.T @ y) ** 2
    return float(cross / (np.linalg.norm(x.T @ x) * np.linalg.norm(y.T @ y)))


def labels_of(encoded: Encoded, rows: Array) -> Array:
    """Gold label ids of the predicted positions of some windows, (P,)."""
    return np.concatenate([encoded.labels[row] for row in rows])


def _pairs(vectors: Vectors) -> Iterator[tuple[int, str, str]]:
    """Every layer, and every two languages, of vectors (L, ...) by language."""
    n_layers = len(next(iter(vectors.values())))
    for layer in range(n_layers):
        yield from ((layer, *pair) for pair in combinations(vectors, 2))


def _by_layer(rows: Iterable[Array]) -> dict[str, Array]:
    return {f"layer_{layer}": row for layer, row in enumerate(rows)}


def _unit(vectors: Array) -> Array:
    return np.asarray(vectors / np.linalg.norm(vectors, axis=-1, keepdims=True))


def _fit(x: Array, y: Array) -> Any:
    """A ridge classifier on standardised features: linear, deterministic, in closed form."""
    from sklearn.linear_model import RidgeClassifier
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    return make_pipeline(StandardScaler(), RidgeClassifier(alpha=1.0)).fit(x, y)
