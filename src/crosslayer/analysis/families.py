"""Languages of one genus or family are similar (C09).

Labels are permuted among the languages of one script, since languages of one script are alike for other
reasons and often belong to one family; what such a permutation gives on average is taken off the difference.

Notation: L languages, P their pairs, R permutations.
"""

from __future__ import annotations

import math
from itertools import combinations
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from crosslayer import stats
from crosslayer.analysis.parts import Facts, generator, has_values, make_evidence, part_or_none, select
from crosslayer.claims.evidence import Evidence, Interval, Part
from crosslayer.config import Profile
from crosslayer.errors import ResultsError
from crosslayer.predictions import Run
from crosslayer.stats import Floats
from crosslayer.tasks import LANGUAGES

if TYPE_CHECKING:
    import pandas as pd

N_PERMUTATIONS = 9999
Labels = npt.NDArray[np.intp]
"""Numbers that stand for a genus, a family or a script."""


def measure(claim: str, run: Run, profile: Profile) -> Evidence:
    """Pairs of one genus, then of one family, against the others, by centred mean vectors and by CKA."""
    frame = run.probe("similarity")
    parts = [
        _difference("genus_similarity_difference", frame, "genus", "cosine", True),
        _difference("family_similarity_difference", frame, "family", "cosine", True),
        _difference("genus_cka_difference", frame, "genus", "cka", False),
        _difference("family_cka_difference", frame, "family", "cka", False),
    ]
    facts: Facts = {} if frame is None else {"languages": " ".join(_languages(frame))}
    return make_evidence(claim, run, profile, [*parts, *_curves(frame)], facts=facts)


def figures(evidence: Evidence, run: Run, profile: Profile, folder: Path) -> tuple[str, ...]:
    """Similarity by layer of the pairs of one genus, of one family, and of the others; and of each pair."""
    frame = run.probe("similarity")
    if frame is None or not has_values(evidence):
        return ()
    return _draw(evidence, folder), _draw_matrix(frame, folder)


def similarity_matrix(frame: pd.DataFrame, column: str, languages: list[str]) -> Floats:
    """Similarity (L, L), mean over the layers above the embeddings; the diagonal is 0."""
    index = {code: i for i, code in enumerate(languages)}
    mean = frame[frame["layer"] > 0].groupby(["first", "second"], observed=True)[column].mean()
    matrix = np.zeros((len(languages), len(languages)))
    for row in mean.reset_index().itertuples(index=False):
        a, b = index[str(row.first)], index[str(row.second)]
        if a != b:
            matrix[a, b] = matrix[b, a] = getattr(row, column)
    return matrix


def same_label_difference(matrix: Floats, labels: Labels) -> Floats:
    """Mean similarity of pairs of one label minus that of the other pairs, for labels (..., L)."""
    first, second = np.triu_indices(len(matrix), 1)
    values = matrix[first, second]
    same = labels[..., first] == labels[..., second]
    n_same = same.sum(axis=-1)
    inside = same @ values
    return np.asarray(inside / n_same - (values.sum() - inside) / (len(values) - n_same))


def permuted_within(labels: Labels, strata: Labels, n: int, rng: np.random.Generator) -> Labels:
    """Labels (n, L) permuted among the places of each stratum."""
    permuted = np.broadcast_to(labels, (n, len(labels))).copy()
    for stratum in np.unique(strata):
        places = np.flatnonzero(strata == stratum)
        permuted[:, places] = rng.permuted(permuted[:, places], axis=1)
    return permuted


def _difference(measure: str, frame: pd.DataFrame | None, kind: str, column: str, judged: bool) -> Part:
    def make() -> Part:
        if frame is None:
            raise ResultsError("the probe stage has left no similarity table")
        languages = _languages(frame)
        labels = _numbers(languages, kind)
        matrix = similarity_matrix(frame, column, languages)
        n_same = sum(a == b for a, b in combinations(labels.tolist(), 2))
        if n_same in (0, len(languages) * (len(languages) - 1) // 2):
            raise ResultsError(f"among {', '.join(languages)} all pairs or none are of one {kind}")
        observed = float(same_label_difference(matrix, labels))
        null = _null(matrix, labels, languages, measure)
        beyond = observed - null.mean()
        low, high = beyond - np.quantile(null - null.mean(), [0.975, 0.025])
        floor = smallest_p(labels, _numbers(languages, "script"))
        return Part(
            measure=measure, estimate=beyond, unit="cosine" if column == "cosine" else "CKA", judged=judged,
            interval=Interval(low=float(low), high=float(high), method="permutation of languages within script"),
            p_value=stats.permutation_p(null, observed, "greater"),
            note=f"{n_same} pairs of one {kind}, beyond the {null.mean():+.3f} that script alone gives; here "
            f"p is at least {floor:.2g}.",
        )  # fmt: skip

    return part_or_none(measure, make, unit="cosine" if column == "cosine" else "CKA", judged=judged)


def smallest_p(labels: Labels, strata: Labels) -> float:
    """One by the number of ways to group the languages that permuting within strata can give.

    Orders of each stratum, by those that leave every label where it is, and by those that swap whole labels of one
    size that occur nowhere else, which groups the languages as before.
    """
    ways = 1
    for stratum in np.unique(strata):
        here = strata == stratum
        names, counts = np.unique(labels[here], return_counts=True)
        alone = ~np.isin(names, labels[~here])
        alike = np.unique(counts[alone], return_counts=True)[1]
        same = math.prod(math.factorial(n) for n in [*counts.tolist(), *alike.tolist()])
        ways *= math.factorial(int(here.sum())) // same
    return 1 / ways


def _null(matrix: Floats, labels: Labels, languages: list[str], name: str) -> Floats:
    permuted = permuted_within(labels, _numbers(languages, "script"), N_PERMUTATIONS, generator("families", name))
    return same_label_difference(matrix, permuted)


def _numbers(languages: list[str], kind: str) -> Labels:
    return np.unique([getattr(LANGUAGES[code], kind) for code in languages], return_inverse=True)[1]


def _languages(frame: pd.DataFrame) -> list[str]:
    codes = set(frame["first"].astype(str)) | set(frame["second"].astype(str))
    return sorted(codes & LANGUAGES.keys())


def _group(first: str, second: str) -> str:
    a, b = LANGUAGES[first], LANGUAGES[second]
    if a.genus == b.genus:
        return "similarity_of_one_genus"
    return "similarity_of_one_family" if a.family == b.family else "similarity_of_others"


GROUPS = {
    "similarity_of_one_genus": "one genus",
    "similarity_of_one_family": "one family, two genera",
    "similarity_of_others": "two families",
}


def _curves(frame: pd.DataFrame | None) -> list[Part]:
    if frame is None:
        return []
    pairs = frame[frame["first"].astype(str) != frame["second"].astype(str)]
    group = [_group(str(a), str(b)) for a, b in zip(pairs["first"], pairs["second"], strict=True)]
    means = pairs.assign(group=group).groupby(["group", "layer"])["cosine"].mean().reset_index()
    return [
        Part(measure=name, layer=layer, estimate=value, unit="cosine")
        for name, layer, value in zip(
            means["group"], means["layer"].tolist(), means["cosine"].tolist(), strict=True
        )
    ]


def _draw(evidence: Evidence, folder: Path) -> str:
    from crosslayer.analysis import plots

    title = "Mean cosine of centred mean vectors of languages by layer, by kinship"
    with plots.picture(folder, "kinship.svg", title, height=3) as (axes,):
        for series, (group, label) in enumerate(GROUPS.items()):
            plots.by_layer(axes, select(evidence, group), series, label)
        plots.zero_line(axes)
        axes.set(xlabel="layer (0: embeddings)", ylabel="similarity (cosine)")
        axes.legend()
    return "kinship.svg"


def _draw_matrix(frame: pd.DataFrame, folder: Path) -> str:
    """Each pair of languages, kin side by side."""
    from crosslayer.analysis import plots

    languages = sorted(_languages(frame), key=lambda code: (LANGUAGES[code].family, LANGUAGES[code].genus, code))
    matrix = similarity_matrix(frame, "cosine", languages)
    np.fill_diagonal(matrix, np.nan)
    names = [f"{LANGUAGES[code].genus}, {code}" for code in languages]
    title = "Mean cosine of centred mean vectors over the layers, for each pair of languages"
    with plots.picture(folder, "similarity_matrix.svg", title, height=1.0 + 0.27 * len(languages)) as (axes,):
        plots.diverging(axes, matrix, names, languages, places=2)
        axes.set_xlabel("mean cosine over layers 1 and up")
    return "similarity_matrix.svg"
