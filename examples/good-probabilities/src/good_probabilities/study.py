"""The experiment: learners on splits of small data sets, their probabilities before and after calibration.

Notation: N items. All labels are 0 or 1, all probabilities those of label 1.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.calibration import CalibratedClassifierCV
from sklearn.datasets import load_breast_cancer, load_digits, make_classification
from sklearn.ensemble import AdaBoostClassifier, BaggingClassifier
from sklearn.frozen import FrozenEstimator
from sklearn.model_selection import train_test_split
from sklearn.naive_bayes import GaussianNB
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.tree import DecisionTreeClassifier

Floats = npt.NDArray[np.float64]
Ids = npt.NDArray[np.intp]
Method = Literal["raw", "sigmoid", "isotonic"]

TREES = 100
"""In a boosted and in a bagged ensemble."""
TRAINED, CALIBRATED = 0.5, 0.25
"""Shares of the items; the rest is tested on."""


def _digits(positive: Callable[[Ids], npt.NDArray[np.bool_]]) -> tuple[Floats, Ids]:
    x, y = load_digits(return_X_y=True)
    return x, positive(y).astype(int)


def _made() -> tuple[Floats, Ids]:
    x, y = make_classification(n_samples=8000, n_features=10, n_informative=6, class_sep=0.8,
                               flip_y=0.05, random_state=0)  # fmt: skip
    return x, y


DATA: dict[str, Callable[[], tuple[Floats, Ids]]] = {
    "cancer": lambda: load_breast_cancer(return_X_y=True),
    "low": lambda: _digits(lambda y: y < 5),
    "eight": lambda: _digits(lambda y: y == 8),
    "synthetic": _made,
}
"""Malignant or benign; digits 0 to 4 or 5 to 9; 8 or another digit; and one that is made up, with more items."""


LEARNERS = ("boosted", "bayes", "net", "bagged")
METHODS: dict[Method, str] = {"raw": "as predicted", "sigmoid": "Platt", "isotonic": "isotonic"}


def learners(seed: int) -> dict[str, Any]:
    """The learners of a split, by name."""
    return {
        "boosted": AdaBoostClassifier(DecisionTreeClassifier(max_depth=3), n_estimators=TREES, random_state=seed),
        "bayes": GaussianNB(),
        "net": make_pipeline(StandardScaler(), MLPClassifier((32,), alpha=0.01, max_iter=60, random_state=seed)),
        "bagged": BaggingClassifier(DecisionTreeClassifier(), n_estimators=TREES, random_state=seed),
    }


@dataclass(frozen=True, eq=False)
class Scored:
    """What a learner says of the items of a split: probabilities and labels (N,), to calibrate and to test on."""

    calibrate: Floats
    calibrate_gold: Ids
    test: Floats
    gold: Ids

    def probabilities(self, method: Method = "raw", size: int | None = None, seed: int = 0) -> Floats:
        """Of the test items, (N,); ``size`` items to calibrate on are drawn, stratified, by default all."""
        if method == "raw":
            return self.test
        x, y = self.calibrate, self.calibrate_gold
        if size is not None:
            x, _, y, _ = train_test_split(x, y, train_size=size, stratify=y, random_state=seed)
        fitted = CalibratedClassifierCV(FrozenEstimator(_Scores().fit(x, y)), method=method, cv=2)
        return np.asarray(fitted.fit(x[:, None], y).predict_proba(self.test[:, None])[:, 1])

    def confidence_minus_accuracy(self) -> float:
        """Mean probability of the predicted label minus the share that is right, in points."""
        right = (self.test >= 0.5) == self.gold
        return float(100 * (np.maximum(self.test, 1 - self.test).mean() - right.mean()))

    def error(self, method: Method = "raw", size: int | None = None, seed: int = 0) -> float:
        """Mean squared error of the probabilities, in hundredths."""
        return float(100 * np.mean((self.probabilities(method, size, seed) - self.gold) ** 2))


class _Scores(ClassifierMixin, BaseEstimator):  # type: ignore[misc]
    """A classifier whose only feature is its score, so that scikit-learn can calibrate it."""

    def fit(self, x: Floats, y: Ids) -> _Scores:
        self.classes_ = np.unique(y)
        return self

    def decision_function(self, x: Floats) -> Floats:
        return x[:, 0]

    def predict(self, x: Floats) -> Ids:
        return (x[:, 0] > 0.5).astype(int)


def train(data: str, seed: int) -> Iterator[tuple[str, Scored]]:
    """Train every learner on one split of a data set."""
    x, y = DATA[data]()
    rest, test, y_rest, y_test = train_test_split(
        x, y, test_size=1 - TRAINED - CALIBRATED, stratify=y, random_state=seed
    )
    share = CALIBRATED / (TRAINED + CALIBRATED)
    fit, held, y_fit, y_held = train_test_split(rest, y_rest, test_size=share, stratify=y_rest, random_state=seed)
    for name, learner in learners(seed).items():
        learner.fit(fit, y_fit)
        yield name, Scored(score(learner, held), y_held, score(learner, test), y_test)


def score(learner: Any, x: Floats) -> Floats:
    """Probabilities (N,) as the paper reads them: of boosted trees the weighted share of votes."""
    if isinstance(learner, AdaBoostClassifier):
        return np.asarray(learner.decision_function(x) / 4 + 0.5)  # from -2 (no vote) to 2 (all votes)
    return np.asarray(learner.predict_proba(x)[:, 1])


def file_of(folder: Path, data: str) -> Path:
    """Where the predictions on a data set lie."""
    return folder / "predictions" / f"{data}.npz"


def write(folder: Path, data: str, splits: int) -> None:
    """Train on every split of a data set and keep what the learners say."""
    kept = {
        f"{seed}/{name}/{field}": value.astype(np.float32 if value.dtype == np.float64 else np.int8)
        for seed in range(splits)
        for name, scored in train(data, seed)
        for field, value in vars(scored).items()
    }
    file_of(folder, data).parent.mkdir(parents=True, exist_ok=True)
    np.savez_compressed(file_of(folder, data), **kept)


def read(folder: Path, data: str) -> dict[str, list[Scored]]:
    """What each learner says, one entry a split."""
    with np.load(file_of(folder, data), allow_pickle=False) as kept:
        found: dict[str, dict[str, dict[str, Any]]] = {}
        for key in kept.files:
            seed, name, field = key.split("/")
            value = kept[key]
            whole = value.astype(np.float64 if value.dtype == np.float32 else np.intp)
            found.setdefault(name, {}).setdefault(seed, {})[field] = whole
    return {name: [Scored(**fields) for _, fields in sorted(by.items())] for name, by in found.items()}
