"""The encoder before fine-tuning, layer by layer."""

from __future__ import annotations

from itertools import combinations, permutations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binom, norm, pearsonr

from analysed import PROFILE, one, probe_run, similarity_frame, verdict
from claimtrack.errors import ResultsError
from claimtrack.registry import Registry
from crosslayer.paper import families, layers, parts, transfer
from crosslayer.paper.probes import halves
from crosslayer.predictions.records import Array
from crosslayer.tasks import TASKS, TaskName
from synthetic_run import MadeUpRun, make_sweep


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
    lower, upper = halves(12)
    table = run.probes["tagging"]
    per_word = table[[f"layer_{x}" for x in range(13)]].to_numpy(float) @ (upper - lower)
    by_sentence = pd.Series(per_word).groupby(table["sentence"]).mean()
    error = 100 * by_sentence.std() / np.sqrt(len(by_sentence))
    assert (part.interval.high - part.interval.low) / (2 * 1.96) == pytest.approx(error, rel=0.1)


@pytest.mark.parametrize(
    ("n", "lower", "upper"), [(12, range(1, 7), range(7, 13)), (3, [1], [2, 3]), (2, [1], [2])]
)
def test_halves(n: int, lower: list[int], upper: list[int]) -> None:
    found = halves(n)
    for weights, members in zip(found, (lower, upper), strict=True):
        assert np.flatnonzero(weights).tolist() == list(members)
        assert weights.sum() == pytest.approx(1)
    with pytest.raises(ResultsError, match="no lower and upper half"):
        halves(1)


def test_missing_probes_are_named(registry: Registry) -> None:
    for claim, module in (("C01", layers), ("C08", transfer), ("C09", families)):
        evidence = module.measure(claim, MadeUpRun(), PROFILE)
        assert evidence.status == "missing"
        assert any("the probe stage has left no" in line for line in evidence.missing)
        assert verdict(registry, evidence) == "not run"


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


def test_correlation_interval_counts_layers_that_are_worth_one() -> None:
    rng = np.random.default_rng(0)
    rough, other = rng.standard_normal((2, 200))
    found = transfer.correlation_interval(rough, other)
    plain = pearsonr(rough, other).confidence_interval()
    assert (found.low, found.high) == pytest.approx((plain.low, plain.high), abs=0.03)
    smooth = np.cumsum(rough)
    wide = transfer.correlation_interval(smooth, np.cumsum(other))
    assert wide is None or wide.high - wide.low > 2 * (found.high - found.low)
    assert transfer.correlation_interval(np.arange(7.0), np.arange(7.0)) is None


def test_as_many_layers_count_as_there_are_and_no_more() -> None:
    """A rising and a turning series have autocorrelations of unlike sign: the formula gives 41 layers."""
    rising, turning = np.arange(13.0), (-1.0) ** np.arange(13) + np.arange(13) / 9
    found = transfer.correlation_interval(rising, turning)
    assert found.method == "Fisher z, 13.0 effective layers"
    plain = pearsonr(rising, turning).confidence_interval()
    assert (found.low, found.high) == pytest.approx((plain.low, plain.high))


def at_chance(run: MadeUpRun, *tasks: TaskName) -> None:
    """Let the frozen probe guess on these tasks, a point above or below the commonest label."""
    table = run.probes["transfer"]
    here = table["task"].isin(tasks)
    table.loc[here, "score"] = 50 + np.random.default_rng(0).uniform(-1, 1, here.sum())


def test_targets_at_chance_are_left_out_and_named_with_their_scores() -> None:
    run = probe_run()
    at_chance(run, "xnli", "pawsx")
    table = run.probes["transfer"]
    english = (table["task"] == "xnli") & (table["language"] == "en")
    table.loc[english, "score"] = 90.0
    best = table[(table["task"] == "xnli") & ~english].groupby("layer")["score"].mean()
    evidence = transfer.measure("C08", run, PROFILE)
    for measure, left in (("correlation_semantic", ["ner", "pos"]), ("correlation_structural", ["ner"])):
        measured = [part.task for part in evidence.measured(measure)]
        assert measured == left
    assert len(evidence.missing) == 2, "each once, though two correlations miss it"
    assert (
        f"XNLI is left out, since its frozen probe is at chance at every layer: at best {best.max():.1f} "
        f"(layer {best.idxmax()}); guessing gives 50.0"
    ) in evidence.missing[0]
    assert evidence.missing[1].startswith("PAWS-X is left out")


def test_the_best_of_some_layers_that_guess_exceeds_the_limit_in_one_of_twenty() -> None:
    limit = transfer.best_by_chance(35.6, 1500, 13)
    right = round(limit * 15)
    assert limit == pytest.approx(100 * right / 1500)
    assert binom.cdf(right, 1500, 0.356) ** 13 >= 0.95 > binom.cdf(right - 1, 1500, 0.356) ** 13
    assert transfer.best_by_chance(35.6, 1500, 1) == pytest.approx(100 * binom.ppf(0.95, 1500, 0.356) / 1500)


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


def test_kinship_is_found_and_script_is_not_taken_for_it() -> None:
    languages = list(TASKS["ner"].languages)
    run = MadeUpRun()
    run.probes["offsets"] = similarity_frame(languages, kin=0.3, script=0.3)
    evidence = families.measure("C09", run, PROFILE)
    assert one(evidence, "genus_similarity_difference").p_value == pytest.approx(1e-4)
    assert evidence.facts["smallest_p_genus"] == evidence.facts["smallest_p_family"] == pytest.approx(1e-4)
    assert evidence.facts["languages"] == " ".join(languages)
    run.probes["offsets"] = similarity_frame(languages, kin=0.0, script=0.3)
    part = one(families.measure("C09", run, PROFILE), "genus_similarity_difference")
    assert part.estimate == pytest.approx(0, abs=0.02), "what scripts give is taken off"
    assert "beyond the +0." in part.note
    assert part.p_value > 0.05


def test_parallel_languages_stand_beside_and_are_not_judged() -> None:
    """The fifteen languages of XNLI: 420 labellings and 70 groupings by family, so that p is at least 1/70."""
    run = MadeUpRun()
    run.probes["offsets"] = similarity_frame(list(TASKS["ner"].languages), kin=0.0)
    run.probes["similarity"] = similarity_frame(list(TASKS["xnli"].languages), kin=0.3)
    evidence = families.measure("C09", run, PROFILE)
    assert [part.measure for part in evidence.parts if part.judged] == [
        "genus_similarity_difference", "family_similarity_difference",
    ]  # fmt: skip
    for kind, smallest in (("genus", 1 / 210), ("family", 1 / 70)):
        beside = one(evidence, f"{kind}_similarity_difference_of_parallel_languages")
        assert beside.p_value == pytest.approx(smallest)
        assert f"p at least {smallest:.2g}." in beside.note
        assert one(evidence, f"{kind}_cka_difference_of_parallel_languages").unit == "CKA"


def test_languages_without_offsets_are_not_judged_by_others(registry: Registry) -> None:
    run = MadeUpRun()
    run.probes["similarity"] = similarity_frame(list(TASKS["xnli"].languages), kin=0.3)
    evidence = families.measure("C09", run, PROFILE)
    assert verdict(registry, evidence) == "not run"
    assert evidence.missing == ("the probe stage has left no offsets table",)
    assert evidence.facts == {}


@st.composite
def labelled(draw: st.DrawFn) -> tuple[Array, Array, Array]:
    """Similarities (L, L) of 3 to 6 languages, their labels, and strata; some pairs of one label, some not."""
    n = draw(st.integers(3, 6))
    numbers = st.lists(st.integers(0, 3), min_size=n, max_size=n)
    labels = draw(numbers.filter(lambda names: 1 < len(set(names)) < n))
    values = draw(st.lists(st.sampled_from([-0.5, 0.0, 0.1, 0.25, 0.7]), min_size=n * n, max_size=n * n))
    matrix = np.triu(np.reshape(values, (n, n)), 1)
    return matrix + matrix.T, np.array(labels), np.array(draw(numbers))


def by_brute_force(matrix: Array, labels: Array, strata: Array) -> tuple[float, float, int, int]:
    """p, the smallest p, labellings and groupings, from every order of all languages that keeps to strata."""
    differences: dict[tuple[int, ...], float] = {}
    groupings = set()
    for order in permutations(range(len(labels))):
        if any(strata[a] != strata[b] for a, b in enumerate(order)):
            continue
        names = tuple(int(labels[place]) for place in order)
        kin, others = [], []
        for i, j in combinations(range(len(names)), 2):
            (kin if names[i] == names[j] else others).append(matrix[i, j])
        differences[names] = float(np.mean(kin) - np.mean(others))
        groupings.add(frozenset(frozenset(np.flatnonzero(np.array(names) == k).tolist()) for k in set(names)))
    found = np.array(list(differences.values()))
    p, smallest = (
        float(np.mean(found > value - 1e-9)) for value in (differences[tuple(labels.tolist())], found.max())
    )
    return p, smallest, len(differences), len(groupings)


@given(labelled())
def test_p_of_kinship_is_exact_where_labellings_are_few(drawn: tuple[Array, Array, Array]) -> None:
    matrix, labels, strata = drawn
    test = families.permutation_test(matrix, labels, strata, np.random.default_rng(0))
    p, smallest, n_labellings, n_groupings = by_brute_force(matrix, labels, strata)
    assert (test.p_value, test.smallest_p) == pytest.approx((p, smallest))
    assert len(test.null) == families.n_labellings(labels, strata) == n_labellings
    assert families.n_groupings(labels, strata) == n_groupings
    assert smallest >= 1 / n_groupings - 1e-12


@given(labelled(), st.integers(0, 99))
def test_p_of_kinship_is_never_below_its_smallest_value(drawn: tuple[Array, Array, Array], seed: int) -> None:
    """Not by chance either: with 19 draws all may miss the largest difference that few groupings repeat."""
    with pytest.MonkeyPatch.context() as patch:
        for most in (0, families.MAX_LABELLINGS):
            patch.setattr(families, "MAX_LABELLINGS", most)
            patch.setattr(families, "N_PERMUTATIONS", 19)
            test = families.permutation_test(*drawn, np.random.default_rng(seed))
            assert test.smallest_p <= test.p_value <= 1
            assert test.smallest_p >= 1 / families.n_groupings(*drawn[1:]) - 1e-12


def test_languages_of_one_family_only_have_no_difference() -> None:
    run = MadeUpRun()
    run.probes["offsets"] = similarity_frame(["en", "de", "es"], kin=0.1)
    evidence = families.measure("C09", run, PROFILE)
    assert one(evidence, "genus_similarity_difference").estimate is not None
    assert "all pairs or none are of one family" in one(evidence, "family_similarity_difference").note
    assert evidence.facts == {"languages": "de en es", "smallest_p_genus": 1 / 3}
