"""What the claims say, measured on the kept predictions: one value a split, then an interval.

Splits of one data set overlap, so that intervals carry Nadeau and Bengio's correction. An error is the mean
squared error of a probability, in hundredths ("points").
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path

import numpy as np

from claimtrack.evidence import Check, Evidence, Measurement
from claimtrack.project import evidence_of
from claimtrack.samples import difference_of, mean_of, overlap
from good_probabilities import study
from good_probabilities.plugin import Settings
from good_probabilities.study import Scored

Found = Mapping[str, Mapping[str, list[Scored]]]
"""What each learner says, split by split: ``found[data][learner]``."""
SHARED = overlap(3, 1)
"""Three quarters of the items train and calibrate, one quarter is tested on."""
FEW, MANY, DRAWS = 32, 2000, 3
"""Items to calibrate on: where the paper finds Platt scaling better, and where isotonic regression as good;
and how often the few are drawn anew in a split."""
UNIT = "points"
CALIBRATIONS: dict[str, study.Method] = {"platt_gain": "sigmoid", "isotonic_gain": "isotonic"}


def measure(claim: str, run: Path, settings: Settings) -> Evidence:
    """The evidence of a claim; its metric has the name that the registry gives it."""
    metric, make = MEASURED[claim]
    found: Found = {data: study.read(run, data) for data in settings.data}
    made = tuple(make(found))
    parts = [one for one in made if isinstance(one, Measurement)]
    checks = [one for one in made if isinstance(one, Check)]
    return evidence_of(claim, settings, metric, parts, checks)


def gap(learner: str) -> Callable[[Found], Iterator[Measurement]]:
    """Mean confidence minus accuracy: below 0 where probabilities are pushed away from 0 and 1."""

    def make(found: Found) -> Iterator[Measurement]:
        for name in study.LEARNERS:
            for data, by_learner in found.items():
                values = [one.confidence_minus_accuracy() for one in by_learner[name]]
                yield mean_of("confidence_minus_accuracy", values, UNIT, shared=SHARED, judged=name == learner,
                              n_items=len(by_learner[name][0].gold),
                              about={"data": data, "learner": name})  # fmt: skip

    return make


def gains(*learners: str) -> Callable[[Found], Iterator[Measurement]]:
    """How far each calibration lowers the error."""

    def make(found: Found) -> Iterator[Measurement]:
        for measure, method in CALIBRATIONS.items():
            for learner in learners:
                for data, by_learner in found.items():
                    before, after = errors(by_learner[learner]), errors(by_learner[learner], method)
                    yield difference_of(measure, before, after, UNIT, shared=SHARED,
                                        n_items=len(by_learner[learner][0].gold),
                                        about={"data": data, "learner": learner})  # fmt: skip

    return make


def isotonic_against_platt(found: Found) -> Iterator[Measurement]:
    """C04: the error of naive Bayes after Platt scaling minus that after isotonic regression."""
    for data, by_learner in found.items():
        platt, isotonic = (errors(by_learner["bayes"], method) for method in ("sigmoid", "isotonic"))
        yield difference_of("isotonic_over_platt", platt, isotonic, UNIT, shared=SHARED,
                            n_items=len(by_learner["bayes"][0].gold), about={"data": data})  # fmt: skip


def by_calibration_items(found: Found) -> Iterator[Measurement]:
    """C06: the error after isotonic regression minus that after Platt scaling, on few and on many items."""
    for learner in study.LEARNERS:
        small = [_isotonic_excess(by_learner[learner], FEW) for by_learner in found.values()]
        yield mean_of("isotonic_excess_few", np.mean(small, axis=0), UNIT, shared=SHARED,
                      about={"learner": learner, "size": FEW})  # fmt: skip
    if "synthetic" in found:
        for learner in study.LEARNERS:
            large = _isotonic_excess(found["synthetic"][learner], None)
            yield mean_of("isotonic_excess_many", large, UNIT, shared=SHARED,
                          about={"learner": learner, "size": MANY})  # fmt: skip


def best_after_calibration(found: Found) -> Iterator[Measurement]:
    """C07: the error of each other learner minus that of boosted trees, both after Platt scaling."""
    for learner in study.LEARNERS:
        if learner == "boosted":
            continue
        each = {
            data: np.subtract(errors(by[learner], "sigmoid"), errors(by["boosted"], "sigmoid"))
            for data, by in found.items()
        }
        yield mean_of("excess_error", np.mean(list(each.values()), axis=0), UNIT, shared=SHARED,
                      about={"learner": learner})  # fmt: skip
        for data, values in each.items():
            yield mean_of("excess_error", values, UNIT, shared=SHARED, judged=False,
                          about={"data": data, "learner": learner})  # fmt: skip


def same_ranking(found: Found) -> Iterator[Check]:
    """C08: pairs of test items that stand in another order after Platt scaling."""
    for data, by_learner in found.items():
        for learner, splits in by_learner.items():
            turned = sum(_turned(one) for one in splits)
            yield Check(name=f"{data}, {learner}", passed=turned == 0, expected="0 neighbours change places",
                        found=f"{turned} change places")  # fmt: skip


MEASURED: dict[str, tuple[str, Callable[[Found], Iterable[Measurement | Check]]]] = {
    "C01": ("confidence_minus_accuracy_v1", gap("boosted")),
    "C02": ("confidence_minus_accuracy_v1", gap("bayes")),
    "C03": ("squared_error_v1", gains("boosted")),
    "C04": ("squared_error_v1", isotonic_against_platt),
    "C05": ("squared_error_v1", gains("net", "bagged")),
    "C06": ("squared_error_v1", by_calibration_items),
    "C07": ("squared_error_v1", best_after_calibration),
    "C08": ("neighbours_turned_v1", same_ranking),
    "Q01": ("squared_error_v1", gains(*study.LEARNERS)),
}


def errors(splits: list[Scored], method: study.Method = "raw") -> list[float]:
    """The error in each split."""
    return [one.error(method) for one in splits]


def _isotonic_excess(splits: list[Scored], size: int | None) -> list[float]:
    """One value a split; with few items the mean over draws."""
    draws = range(1 if size is None else DRAWS)
    return [
        float(np.mean([one.error("isotonic", size, draw) - one.error("sigmoid", size, draw) for draw in draws]))
        for one in splits
    ]


def _turned(one: Scored) -> int:
    order = np.argsort(one.test, kind="stable")
    return int((np.diff(one.probabilities("sigmoid")[order]) < 0).sum())
