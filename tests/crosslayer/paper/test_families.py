"""The part of a family's similarity that its genera do not explain, against planted effects and brute force."""

from __future__ import annotations

from collections.abc import Callable
from itertools import combinations, permutations

import numpy as np
import pandas as pd
import pytest

from claimtrack.evidence import Measurement
from crosslayer.data.languages import LANGUAGES, Language
from crosslayer.paper import families
from crosslayer.tasks import TASKS
from synthetic_run import MadeUpRun, make_profile

PROFILE = make_profile()
MANY = list(TASKS["ner"].languages)
FEW = ["de", "en", "es", "et", "fi", "hu"]
"""One script, two families, four genera: 180 labellings, which are enumerated."""
Kinship = Callable[[Language, Language], float]


def offsets(languages: list[str], kinship: Kinship) -> pd.DataFrame:
    """Similarity 0.2 and more for kin, with noise."""
    rng = np.random.default_rng(3)
    rows = [
        {"layer": layer, "first": a, "second": b,
         "cosine": 0.2 + kinship(LANGUAGES[a], LANGUAGES[b]) + 0.02 * rng.standard_normal()}
        for layer in range(3) for a, b in combinations(sorted(languages), 2)
    ]  # fmt: skip
    return pd.DataFrame(rows)


def test_languages_of_unknown_family_are_named_and_left_out() -> None:
    run, known = MadeUpRun(), MadeUpRun()
    frame = offsets(MANY, lambda a, b: 0.3 * (a.genus == b.genus))
    strange = frame[frame["second"] == "zh"].assign(second="tlh", cosine=9.0)
    known.probes["offsets"], run.probes["offsets"] = frame, pd.concat([frame, strange])
    found = families.measure("C09", run, PROFILE)
    assert found.parts == families.measure("C09", known, PROFILE).parts
    assert "tlh is left out, since its family is unknown" in found.missing


def measured(languages: list[str], kinship: Kinship) -> dict[str, Measurement]:
    run = MadeUpRun()
    run.probes["offsets"] = offsets(languages, kinship)
    return {part.measure: part for part in families.measure("C09", run, PROFILE).parts if part.layer is None}


def test_similarity_within_genera_is_no_similarity_beyond_them() -> None:
    found = measured(MANY, lambda a, b: 0.3 * (a.genus == b.genus))
    family, beyond = found["family_similarity_difference"], found["family_beyond_genus_difference"]
    assert family.p_value == pytest.approx(1e-4), "the pairs of one genus make it"
    assert "those of one genus among them" in family.note
    assert beyond.estimate == pytest.approx(0, abs=0.01)
    assert beyond.p_value > 0.05
    assert (beyond.judged, beyond.unit) == (False, "cosine")
    n_genus = sum(LANGUAGES[a].genus == LANGUAGES[b].genus for a, b in combinations(MANY, 2))
    assert beyond.note.startswith(f"Without the {n_genus} pairs of one genus; beyond the ")


def test_similarity_of_genera_of_one_family_is_found() -> None:
    part = measured(MANY, lambda a, b: 0.3 * (a.family == b.family))["family_beyond_genus_difference"]
    assert part.estimate > 0.2
    assert part.p_value == pytest.approx(1e-4)
    assert part.interval.low > 0


def test_few_labellings_are_enumerated() -> None:
    """By every order of all languages: they are of one script, so that each may get the names of any other."""
    assert len({LANGUAGES[code].script for code in FEW}) == 1
    frame = offsets(FEW, lambda a, b: 0.05 * (a.family == b.family))
    table = frame[frame["layer"] > 0].groupby(["first", "second"])["cosine"].mean()
    by_labelling: dict[tuple[str, ...], float] = {}
    for order in permutations([LANGUAGES[code] for code in FEW]):
        kin, others = [], []
        for (a, one), (b, two) in combinations(zip(FEW, order, strict=True), 2):
            if one.family != two.family:
                others.append(table[a, b])
            elif one.genus != two.genus:
                kin.append(table[a, b])
        by_labelling[tuple(language.genus for language in order)] = float(np.mean(kin) - np.mean(others))
    expected = np.array(list(by_labelling.values()))
    observed = by_labelling[tuple(LANGUAGES[code].genus for code in FEW)]
    test = families.beyond_genus_test(frame)
    assert test.observed == pytest.approx(observed)
    assert np.sort(test.null) == pytest.approx(np.sort(expected))
    assert test.p_value == pytest.approx(np.mean(expected > observed - 1e-9))


@pytest.mark.parametrize("languages", [["de", "en", "es"], ["de", "en", "et", "fi"]])
def test_without_both_kinds_of_pairs_nothing_is_measured(languages: list[str]) -> None:
    """One family only, or no family with two genera."""
    part = measured(languages, lambda a, b: 0.0)["family_beyond_genus_difference"]
    assert part.estimate is None
    assert "is one family only, or none of two genera" in part.note
