"""Languages of one genus or family are similar (C09).

Judged by the languages' offsets from English over the Tatoeba languages; beside it, over the fewer languages that
share their sentences, by mean vectors and by CKA. Labels are permuted among the languages of one script, since
languages of one script are alike for other reasons and often belong to one family; what such a permutation gives
on average is taken off the difference. Pairs of one genus are pairs of one family too; the difference of the other
pairs of a family stands beside.

Notation: L languages, P their pairs, R labellings.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable
from functools import cache, partial
from itertools import chain, product
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import numpy.typing as npt

from claimtrack.errors import ResultsError
from claimtrack.evidence import Evidence, Interval, Measurement
from crosslayer import stats
from crosslayer.config import Profile
from crosslayer.data.languages import LANGUAGES, of_unknown_family
from crosslayer.paper import plots
from crosslayer.paper.parts import Facts, Fields, generator, has_values, make_evidence, part_or_none, select
from crosslayer.predictions.runs import Run
from crosslayer.stats import Floats

if TYPE_CHECKING:
    import pandas as pd

N_PERMUTATIONS = 9999
MAX_LABELLINGS = 100_000
"""So many labellings are enumerated; of more, `N_PERMUTATIONS` are drawn."""
KINDS = ("genus", "family")
BEYOND_GENUS = "family_beyond_genus_difference"
TIE = 1e-9
"""Cosines closer than that are equal, as in `stats.permutation_p`."""
Labels = npt.NDArray[np.intp]
"""Numbers that stand for a genus, a family or a script."""
GROUPS = {
    "similarity_of_one_genus": "one genus",
    "similarity_of_one_family": "one family, two genera",
    "similarity_of_others": "two families",
}
"""Measures of pairs by the steps that they are apart, and their labels in the picture."""


def measure(claim: str, run: Run, profile: Profile) -> Evidence:
    """Pairs of one genus, then of one family, against the others."""
    tables = [run.probe(name) for name in ("offsets", "similarity")]
    missing = of_unknown_family(code for table in tables if table is not None for code in _codes(table))
    offsets, parallel = map(_of_known_family, tables)
    facts: Facts = {} if offsets is None else {"languages": " ".join(_codes(offsets))}
    parts = []
    for kind in KINDS:
        test = cache(partial(kin_test, offsets, "offsets", kind, "cosine"))
        parts.append(_difference(f"{kind}_similarity_difference", test, "cosine", judged=True))
        if parts[-1].estimate is not None:
            facts[f"smallest_p_{kind}"] = test().smallest_p
    parts.append(_difference(BEYOND_GENUS, partial(beyond_genus_test, offsets), "cosine"))
    for (name, column, unit), kind in product((("similarity", "cosine", "cosine"), ("cka", "cka", "CKA")), KINDS):
        beside = partial(kin_test, parallel, "similarity", kind, column)
        parts.append(_difference(f"{kind}_{name}_difference_of_parallel_languages", beside, unit))
    return make_evidence(claim, run, profile, [*parts, *_curves(offsets)], missing, facts=facts)


def similarity_matrix(frame: pd.DataFrame, column: str, languages: list[str]) -> Floats:
    """Similarity (L, L), mean over the layers above the embeddings; the diagonal is 0."""
    mean = frame[frame["layer"] > 0].groupby(["first", "second"], observed=True)[column].mean()
    half = mean.unstack().reindex(index=languages, columns=languages).fillna(0).to_numpy()
    return np.asarray(half + half.T)


def kin_difference(matrix: Floats, labels: Labels, groups: Labels | None = None) -> Floats:
    """Mean similarity of the pairs of one label minus that of the other pairs.

    Args:
        matrix: (L, L) similarities.
        labels: (..., L) of the languages.
        groups: of each label, if pairs of one group but two labels are to be compared with pairs of two groups.
    """
    first, second = np.triu_indices(len(matrix), 1)
    values, kin = matrix[first, second], labels[..., first] == labels[..., second]
    others = ~kin
    if groups is not None:
        one_group = groups[labels[..., first]] == groups[labels[..., second]]
        kin, others = one_group & ~kin, ~one_group
    return np.asarray(kin @ values / kin.sum(axis=-1) - others @ values / others.sum(axis=-1))


class PermutationTest(NamedTuple):
    """A difference between kinds of pairs, against those of the labels permuted within strata.

    Attributes:
        observed: the difference.
        null: (R,) those of all distinct labellings, or of randomly drawn ones.
        p_value: one-sided, never below ``smallest_p``.
        smallest_p: the smallest p that the test can give.
        n_same: pairs of one label.
    """

    observed: float
    null: Floats
    p_value: float
    smallest_p: float
    n_same: int

    @property
    def fields(self) -> Fields:
        """Of a measurement: the difference beyond what strata alone give."""
        by_strata = self.null.mean()
        beyond = self.observed - by_strata
        low, high = beyond - np.quantile(self.null - by_strata, [0.975, 0.025])
        interval = Interval(low=float(low), high=float(high), method="permutation of languages within script")
        return {"estimate": beyond, "interval": interval, "p_value": self.p_value}


def permutation_test(
    matrix: Floats,
    labels: Labels,
    strata: Labels,
    rng: np.random.Generator,
    difference: Callable[[Floats, Labels], Floats] = kin_difference,
) -> PermutationTest:
    """Test whether a difference between kinds of pairs is greater than the labels give by chance.

    If there are at most `MAX_LABELLINGS` distinct labellings, all are enumerated: p is the share of them that
    reach the observed difference, and at least the share that reach the largest one. Otherwise p is
    (b + 1) / (R + 1) for b of R drawn labellings, and at least one by the number of groupings.
    """
    observed = float(difference(matrix, labels))
    if n_labellings(labels, strata) <= MAX_LABELLINGS:
        null = difference(matrix, all_labellings(labels, strata))
        p, smallest = (float(np.mean(null >= value - TIE)) for value in (observed, null.max()))
    else:
        null = difference(matrix, permuted_within(labels, strata, N_PERMUTATIONS, rng))
        smallest = max(1 / n_groupings(labels, strata), 1 / (len(null) + 1))
        p = max(stats.permutation_p(null, observed), smallest)
    n_same = int(np.sum(labels[:, None] == labels) - len(labels)) // 2
    return PermutationTest(observed, null, p, smallest, n_same)


def permuted_within(labels: Labels, strata: Labels, n: int, rng: np.random.Generator) -> Labels:
    """Labels (n, L) permuted among the places of each stratum."""
    permuted = np.broadcast_to(labels, (n, len(labels))).copy()
    for places in _places(strata):
        permuted[:, places] = rng.permuted(permuted[:, places], axis=1)
    return permuted


def all_labellings(labels: Labels, strata: Labels) -> Labels:
    """Every distinct labelling (R, L) that permuting within strata can give."""
    from sympy.utilities.iterables import multiset_permutations

    places = _places(strata)
    orders = product(*(multiset_permutations(labels[stratum].tolist()) for stratum in places))
    found = np.array([list(chain(*order)) for order in orders], dtype=np.intp)
    return found[:, np.argsort(np.concatenate(places))]


def n_labellings(labels: Labels, strata: Labels) -> int:
    """How many distinct labellings permuting within strata can give."""
    return math.prod(
        math.factorial(sum(counts)) // math.prod(map(math.factorial, counts)) for counts in _counts(labels, strata)
    )


def n_groupings(labels: Labels, strata: Labels) -> int:
    """How many ways to group they are: labels that occur alike in every stratum may swap their names."""
    alike = Counter(zip(*_counts(labels, strata), strict=True)).values()
    return n_labellings(labels, strata) // math.prod(map(math.factorial, alike))


def _places(strata: Labels) -> list[Labels]:
    return [np.flatnonzero(strata == stratum) for stratum in np.unique(strata)]


def _counts(labels: Labels, strata: Labels) -> list[list[int]]:
    """How often each label occurs, one list a stratum."""
    names = set(labels.tolist())
    return [[labels[places].tolist().count(name) for name in names] for places in _places(strata)]


def kin_test(frame: pd.DataFrame | None, table: str, kind: str, column: str) -> PermutationTest:
    """Pairs of one genus or family against the others, labels permuted within script.

    Raises:
        ResultsError: there is no such probe table, or its languages do not differ in kinship.
    """
    languages, matrix = _similarities(frame, table, column)
    labels = numbers(languages, kind)
    if len(set(labels.tolist())) in (1, len(languages)):
        raise ResultsError(f"among {', '.join(languages)} all pairs or none are of one {kind}")
    rng = generator("families", table, kind, column)
    return permutation_test(matrix, labels, numbers(languages, "script"), rng)


def beyond_genus_test(offsets: pd.DataFrame | None) -> PermutationTest:
    """Pairs of one family but two genera against pairs of two families, genera permuted within script.

    The smallest p of drawn labellings is that of the genera alone, which is never below this test's own.

    Raises:
        ResultsError: there is no table of offsets, or it has no pairs of one of the two kinds.
    """
    languages, matrix = _similarities(offsets, "offsets", "cosine")
    genera, families = (numbers(languages, kind) for kind in KINDS)
    family_of = families[np.unique(genera, return_index=True)[1]]
    if len(set(family_of.tolist())) in (1, len(family_of)):
        raise ResultsError(f"among {', '.join(languages)} is one family only, or none of two genera")
    difference = partial(kin_difference, groups=family_of)
    rng = generator("families", BEYOND_GENUS)
    return permutation_test(matrix, genera, numbers(languages, "script"), rng, difference)


def numbers(languages: list[str], kind: str) -> Labels:
    """Numbers (L,) of the genus, family or script of each language."""
    return np.unique([getattr(LANGUAGES[code], kind) for code in languages], return_inverse=True)[1]


def _similarities(frame: pd.DataFrame | None, table: str, column: str) -> tuple[list[str], Floats]:
    """The languages of a probe table, and how alike they are."""
    if frame is None:
        raise ResultsError(f"the probe stage has left no {table} table")
    languages = _codes(frame)
    return languages, similarity_matrix(frame, column, languages)


def _difference(measure: str, test: Callable[[], PermutationTest], unit: str, judged: bool = False) -> Measurement:
    def make() -> Fields:
        found = test()
        note = (
            f"{_pairs(measure, found.n_same)}; beyond the {found.null.mean():+.3f} that script alone gives; "
            f"{len(found.null)} labellings, p at least {found.smallest_p:.2g}."
        )
        return {**found.fields, "note": note}

    return part_or_none(measure, make, unit=unit, judged=judged)


def _pairs(measure: str, n_same: int) -> str:
    if measure == BEYOND_GENUS:
        return f"Without the {n_same} pairs of one genus"
    among = ", those of one genus among them" if measure.startswith("family") else ""
    return f"{n_same} pairs of one {measure.split('_')[0]}{among}"


def _codes(frame: pd.DataFrame) -> list[str]:
    return sorted({*frame["first"], *frame["second"]})


def _of_known_family(frame: pd.DataFrame | None) -> pd.DataFrame | None:
    """The pairs of two languages whose families are known."""
    return None if frame is None else frame[frame[["first", "second"]].isin([*LANGUAGES]).all(axis=1)]


def steps_apart(one: str, other: str) -> int:
    """Steps up the language tree: 1 to a language of the same genus, 2 of the same family, 3 to any other."""
    a, b = LANGUAGES[one], LANGUAGES[other]
    return 1 if a.genus == b.genus else 2 if a.family == b.family else 3


def _curves(frame: pd.DataFrame | None) -> list[Measurement]:
    if frame is None:
        return []
    names = [*GROUPS]
    group = [names[steps_apart(*pair) - 1] for pair in zip(frame["first"], frame["second"], strict=True)]
    means = frame.assign(group=group).groupby(["group", "layer"])["cosine"].mean().reset_index()
    return [
        Measurement(measure=name, layer=layer, estimate=value, unit="cosine")
        for name, layer, value in means.astype(object).itertuples(index=False)
    ]


def figures(evidence: Evidence, run: Run, profile: Profile, folder: Path) -> tuple[str, ...]:
    """Similarity by layer of the pairs of one genus, of one family, and of the others; and of each pair."""
    frame = _of_known_family(run.probe("similarity"))
    names = [_draw(evidence, folder)] if any(select(evidence, group) for group in GROUPS) else []
    if frame is not None and has_values(evidence):
        names.append(_draw_matrix(frame, folder))
    return tuple(names)


def _draw(evidence: Evidence, folder: Path) -> str:
    title = "Mean cosine of the languages' offsets from English by layer, by kinship"
    with plots.picture(folder, "kinship.svg", title, height=3) as (axes,):
        for series, (group, label) in enumerate(GROUPS.items()):
            plots.by_layer(axes, select(evidence, group), series, label)
        plots.zero_line(axes)
        axes.set(xlabel="layer (0: embeddings)", ylabel="similarity (cosine)")
        axes.legend()
    return "kinship.svg"


def _draw_matrix(frame: pd.DataFrame, folder: Path) -> str:
    """Each pair of the languages that share their sentences, kin side by side."""
    languages = sorted(_codes(frame), key=lambda code: (LANGUAGES[code].family, LANGUAGES[code].genus, code))
    matrix = similarity_matrix(frame, "cosine", languages)
    np.fill_diagonal(matrix, np.nan)
    names = [f"{LANGUAGES[code].genus}, {code}" for code in languages]
    title = "Mean cosine of centred mean vectors over the layers, for each pair of parallel languages"
    with plots.picture(folder, "similarity_matrix.svg", title, height=1.0 + 0.27 * len(languages)) as (axes,):
        plots.diverging(axes, matrix, names, languages, places=2)
        axes.set_xlabel("mean cosine over layers 1 and up")
    return "similarity_matrix.svg"
