"""The encoder before fine-tuning, layer by layer."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy.stats import binom, norm, pearsonr

from analysed import PROFILE, one, probe_run, verdict
from claimtrack.errors import ResultsError
from claimtrack.registry import Registry
from crosslayer.paper import layers, parts, transfer
from crosslayer.tasks import TASKS, TaskName
from synthetic_run import make_sweep


def test_layer_contrasts(registry: Registry) -> None:
    run = probe_run()
    evidence = layers.measure("C01", run, PROFILE)
    columns = [f"layer_{x}" for x in range(1, 13)]
    means = run.probes["retrieval"].groupby("language")[columns].mean().mean().to_numpy()
    part = one(evidence, "retrieval_lower_minus_upper")
    assert part.estimate == pytest.approx(100 * (means[:6].mean() - means[6:].mean()))
    assert part.n_items == 600
    error = (part.interval.high - part.interval.low) / 2 / norm.ppf(0.975)
    assert part.minimum_detectable == pytest.approx((norm.ppf(0.975) + norm.ppf(0.8)) * error)
    words = run.probes["tagging"][columns].mean().to_numpy()
    assert one(evidence, "upos_probe_upper_minus_lower").estimate == pytest.approx(
        100 * (words[6:].mean() - words[:6].mean())
    )
    assert one(evidence, "language_identity", layer=7).estimate == pytest.approx(100 * 2 / 3)
    assert verdict(registry, evidence) == "reproduced"
    assert evidence.n_seeds == 0
    assert evidence.facts == {"lower": "1-6", "upper": "7-12"}


def test_interval_of_a_layer_contrast_is_that_of_its_clusters() -> None:
    run = probe_run()
    part = one(layers.measure("C01", run, PROFILE), "upos_probe_upper_minus_lower")
    lower, upper = layers.halves(12)
    table = run.probes["tagging"]
    per_word = table[[f"layer_{x}" for x in range(13)]].to_numpy(float) @ (upper - lower)
    by_sentence = pd.Series(per_word).groupby(table["sentence"]).mean()
    error = 100 * by_sentence.std() / np.sqrt(len(by_sentence))
    assert (part.interval.high - part.interval.low) / (2 * 1.96) == pytest.approx(error, rel=0.1)


@pytest.mark.parametrize(
    ("n", "lower", "upper"), [(12, range(1, 7), range(7, 13)), (3, [1], [2, 3]), (2, [1], [2])]
)
def test_halves(n: int, lower: list[int], upper: list[int]) -> None:
    found = layers.halves(n)
    for weights, members in zip(found, (lower, upper), strict=True):
        assert np.flatnonzero(weights).tolist() == list(members)
        assert weights.sum() == pytest.approx(1)
    with pytest.raises(ResultsError, match="no lower and upper half"):
        layers.halves(1)


def test_correlations_over_layers() -> None:
    run = probe_run()
    evidence = transfer.measure("C08", run, PROFILE)
    columns = [f"layer_{x}" for x in range(13)]
    semantic = run.probes["retrieval"].groupby("language")[columns].mean().mean().to_numpy()
    for task in ("xnli", "ner", "pawsx", "pos"):
        table = run.probes["transfer"]
        there = table[(table["task"] == task) & (table["language"] != "en")]
        target = there.groupby("layer")["score"].mean().to_numpy()
        part = one(evidence, "correlation_semantic", task)
        assert part.estimate == pytest.approx(pearsonr(semantic, target).statistic)
        assert part.p_value == pytest.approx(1 / 26)
    assert not parts.select(evidence, "correlation_structural", "pos")
    structural = one(evidence, "correlation_structural", "ner")
    assert structural.estimate < -0.9
    assert structural.p_value > 0.5


def test_correlation_interval_counts_layers_that_are_worth_one_and_no_more_than_there_are() -> None:
    rng = np.random.default_rng(0)
    rough, other = rng.standard_normal((2, 200))
    found = transfer.correlation_interval(rough, other)
    plain = pearsonr(rough, other).confidence_interval()
    assert (found.low, found.high) == pytest.approx((plain.low, plain.high), abs=0.03)
    wide = transfer.correlation_interval(np.cumsum(rough), np.cumsum(other))
    assert wide is None or wide.high - wide.low > 2 * (found.high - found.low)
    assert transfer.correlation_interval(np.arange(7.0), np.arange(7.0)) is None
    # autocorrelations of unlike sign: the formula gives 41 layers
    rising, turning = np.arange(13.0), (-1.0) ** np.arange(13) + np.arange(13) / 9
    found = transfer.correlation_interval(rising, turning)
    assert found.method == "Fisher z, 13.0 effective layers"
    plain = pearsonr(rising, turning).confidence_interval()
    assert (found.low, found.high) == pytest.approx((plain.low, plain.high))


def test_targets_at_chance_are_left_out_and_named_with_their_scores() -> None:
    """The frozen probe guesses on two targets, a point above or below the commonest label."""
    run = probe_run()
    table = run.probes["transfer"]
    here, english = table["task"].isin(["xnli", "pawsx"]), table["language"] == "en"
    table.loc[here, "score"] = np.where(english, 90.0, 50 + np.random.default_rng(0).uniform(-1, 1, len(table)))[
        here
    ]
    best = table[(table["task"] == "xnli") & ~english].groupby("layer")["score"].mean()
    limit = next(k for k in range(500, 1000) if binom.cdf(k, 1000, 0.5) ** 13 >= 0.95)
    evidence = transfer.measure("C08", run, PROFILE)
    for measure, left in (("correlation_semantic", ["ner", "pos"]), ("correlation_structural", ["ner"])):
        assert [part.task for part in evidence.measured(measure)] == left
    named, other = evidence.missing  # each once, though two correlations miss it
    assert named == (
        f"XNLI is left out, since its frozen probe is at chance at every layer: at best {best.max():.1f} "
        f"(layer {best.idxmax()}); guessing gives 50.0, the best of 13 guesses up to {limit / 10}"
    )
    assert other.startswith("PAWS-X is left out")


@pytest.mark.parametrize("task", ["xnli", "pos"])
def test_chance_of_a_table_without_gold_labels_is_that_of_the_sweep(task: TaskName) -> None:
    run = probe_run()
    recorded = run.probes["transfer"].pop("commonest")
    with pytest.raises(ResultsError, match=f"{TASKS[task].title}: no gold labels to tell chance from"):
        transfer.check_above_chance(run, task)
    trials = make_sweep(PROFILE, n=200)
    run.trials, run.items, run.predicted = trials.trials, trials.items, trials.predicted
    items = run.items[task, "test"]
    shares = [
        max(np.mean(items.gold[items.language == code] == k) for k in range(len(TASKS[task].labels)))
        for code in sorted(set(items.language) - {"en"})
    ]
    assert transfer.chance_of(run, task) == pytest.approx(100 * np.mean(shares))
    run.probes["transfer"]["commonest"] = recorded
    assert transfer.chance_of(run, task) == 50.0


def test_entities_are_at_chance_only_without_any_and_words_at_the_commonest_tag() -> None:
    run = probe_run()
    table = run.probes["transfer"]
    for task, best in (("ner", 0.1), ("pos", 50.1)):
        table.loc[table["task"] == task, "score"] = best
        transfer.check_above_chance(run, task)  # type: ignore[arg-type]
        table.loc[table["task"] == task, "score"] = best - 0.1
        with pytest.raises(ResultsError, match="at chance at every layer"):
            transfer.check_above_chance(run, task)  # type: ignore[arg-type]
