"""Languages of one genus or family are similar (C09), against planted effects and brute force."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from itertools import combinations, permutations, starmap
from operator import eq
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from analysed import PROFILE, one, similarity_frame, verdict
from claimtrack.evidence import Evidence
from claimtrack.registry import Registry
from crosslayer.data.languages import LANGUAGES
from crosslayer.paper import families
from crosslayer.predictions.records import Array
from crosslayer.tasks import TASKS
from synthetic_run import MadeUpRun

MANY, XNLI = list(TASKS["ner"].languages), list(TASKS["xnli"].languages)
BEYOND = "family_beyond_genus_difference"


def evidence_of(**probes: pd.DataFrame) -> Evidence:
    return families.measure("C09", MadeUpRun(probes=probes), PROFILE)


def test_languages_of_unknown_family_are_named_and_left_out() -> None:
    frame = similarity_frame(MANY, kin=0.3)
    strange = frame[frame["second"] == "zh"].assign(second="tlh", cosine=9.0)
    found = evidence_of(offsets=pd.concat([frame, strange]))
    assert found.parts == evidence_of(offsets=frame).parts
    assert "tlh is left out, since its family is unknown" in found.missing


def test_similarity_within_genera_is_no_similarity_beyond_them() -> None:
    evidence = evidence_of(offsets=similarity_frame(MANY, kin=0.3))
    family, beyond = one(evidence, "family_similarity_difference"), one(evidence, BEYOND)
    assert family.p_value == pytest.approx(1e-4), "the pairs of one genus make it"
    assert "those of one genus among them" in family.note
    assert beyond.estimate == pytest.approx(0, abs=0.01)
    assert beyond.p_value > 0.05
    assert (beyond.judged, beyond.unit) == (False, "cosine")
    n_genus = sum(LANGUAGES[a].genus == LANGUAGES[b].genus for a, b in combinations(MANY, 2))
    assert beyond.note.startswith(f"Without the {n_genus} pairs of one genus; beyond the ")


def test_similarity_of_genera_of_one_family_is_found() -> None:
    part = one(evidence_of(offsets=similarity_frame(MANY, kin=0.0, family=0.3)), BEYOND)
    assert part.estimate > 0.2
    assert part.p_value == pytest.approx(1e-4)
    assert part.interval.low > 0
    few = ["de", "en", "es", "et", "fi", "hu"]  # one script, two families, four genera
    assert "; 180 labellings" in one(evidence_of(offsets=similarity_frame(few, kin=0.0)), BEYOND).note


def test_without_both_kinds_of_pairs_nothing_is_measured() -> None:
    """One family only, or no family with two genera."""
    evidence = evidence_of(offsets=similarity_frame(["de", "en", "es"], kin=0.1))
    assert one(evidence, "genus_similarity_difference").estimate is not None
    assert "all pairs or none are of one family" in one(evidence, "family_similarity_difference").note
    assert evidence.facts == {"languages": "de en es", "smallest_p_genus": 1 / 3}
    for other in (evidence, evidence_of(offsets=similarity_frame(["de", "en", "et", "fi"], kin=0.0))):
        part = one(other, BEYOND)
        assert part.estimate is None
        assert "is one family only, or none of two genera" in part.note


def test_kinship_is_found_and_script_is_not_taken_for_it() -> None:
    evidence = evidence_of(offsets=similarity_frame(MANY, kin=0.3, script=0.3))
    assert one(evidence, "genus_similarity_difference").p_value == pytest.approx(1e-4)
    assert evidence.facts["smallest_p_genus"] == evidence.facts["smallest_p_family"] == pytest.approx(1e-4)
    assert evidence.facts["languages"] == " ".join(MANY)
    evidence = evidence_of(offsets=similarity_frame(MANY, kin=0.0, script=0.3))
    part = one(evidence, "genus_similarity_difference")
    assert part.estimate == pytest.approx(0, abs=0.02), "what scripts give is taken off"
    assert "beyond the +0." in part.note
    assert part.p_value > 0.05


def test_parallel_languages_stand_beside_and_are_not_judged(registry: Registry) -> None:
    """The fifteen languages of XNLI: 420 labellings and 70 groupings by family, so that p is at least 1/70."""
    parallel = similarity_frame(XNLI, kin=0.3)
    evidence = evidence_of(offsets=similarity_frame(MANY, kin=0.0), similarity=parallel)
    assert [part.measure for part in evidence.parts if part.judged] == [
        "genus_similarity_difference", "family_similarity_difference",
    ]  # fmt: skip
    for kind, smallest in (("genus", 1 / 210), ("family", 1 / 70)):
        beside = one(evidence, f"{kind}_similarity_difference_of_parallel_languages")
        assert beside.p_value == pytest.approx(smallest)
        assert f"p at least {smallest:.2g}." in beside.note
        assert one(evidence, f"{kind}_cka_difference_of_parallel_languages").unit == "CKA"
    evidence = evidence_of(similarity=parallel)
    assert verdict(registry, evidence) == "not run"
    assert (evidence.missing, evidence.facts) == (("the probe stage has left no offsets table",), {})


@st.composite
def labelled(draw: st.DrawFn) -> tuple[Array, Array, Array]:
    """Similarities (L, L) of 3 to 6 languages, their labels, and strata; some pairs of one label, some not."""
    n = draw(st.integers(3, 6))
    numbers = st.lists(st.integers(0, 3), min_size=n, max_size=n)
    labels = draw(numbers.filter(lambda names: 1 < len(set(names)) < n))
    values = draw(st.lists(st.sampled_from([-0.5, 0.0, 0.1, 0.25, 0.7]), min_size=n * n, max_size=n * n))
    matrix = np.triu(np.reshape(values, (n, n)), 1)
    return matrix + matrix.T, np.array(labels), np.array(draw(numbers))


Kin = Callable[[int, int], bool | None]


def beyond(one: int, other: int) -> bool | None:
    """Pairs of one group but two labels against those of two groups; labels 0 and 2, and 1 and 3, are groups."""
    return False if one % 2 != other % 2 else one != other or None


def by_brute_force(matrix: Array, labels: Array, strata: Array, is_kin: Kin) -> tuple[float, float, int, int]:
    """p, the smallest p, labellings and groupings, from every order of all languages that keeps to strata."""
    differences: dict[tuple[int, ...], float] = {}
    groupings = set()
    for order in permutations(range(len(labels))):
        if any(strata[a] != strata[b] for a, b in enumerate(order)):
            continue
        names = tuple(int(labels[place]) for place in order)
        pairs: dict[bool | None, list[float]] = {True: [], False: [], None: []}
        for i, j in combinations(range(len(names)), 2):
            pairs[is_kin(names[i], names[j])].append(matrix[i, j])
        differences[names] = float(np.mean(pairs[True]) - np.mean(pairs[False]))
        groupings.add(frozenset(frozenset(np.flatnonzero(np.array(names) == k).tolist()) for k in set(names)))
    found = np.array(list(differences.values()))
    p, smallest = (
        float(np.mean(found > value - 1e-9)) for value in (differences[tuple(labels.tolist())], found.max())
    )
    return p, smallest, len(differences), len(groupings)


@given(labelled())
def test_p_of_kinship_is_exact_where_labellings_are_few(drawn: tuple[Array, Array, Array]) -> None:
    matrix, labels, strata = drawn
    tests: list[tuple[Kin, Any]] = [(eq, families.kin_difference)]
    if {*starmap(beyond, combinations(labels.tolist(), 2))} >= {True, False}:
        tests.append((beyond, partial(families.kin_difference, groups=np.arange(4) % 2)))
    for is_kin, difference in tests:
        test = families.permutation_test(matrix, labels, strata, np.random.default_rng(0), difference)
        p, smallest, n_labellings, n_groupings = by_brute_force(matrix, labels, strata, is_kin)
        assert (test.p_value, test.smallest_p) == pytest.approx((p, smallest))
        assert len(test.null) == families.n_labellings(labels, strata) == n_labellings
        assert families.n_groupings(labels, strata) == n_groupings


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
