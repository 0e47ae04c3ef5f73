"""Calibration after multilingual instead of English-only intermediate training (Q01).

Every measure is taken in each language other than English and averaged over them. The primary one is the debiased
equal-mass ECE of 10 bins, before any scaling; Brier score, negative log-likelihood, the ECE after temperature
scaling fitted on English dev, and accuracy stand beside it.

Notation: N rows with kept scores, K labels, U units, S seeds, L languages, R resamples.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import get_args

import numpy as np
import numpy.typing as npt

from crosslayer import stats
from crosslayer.analysis.parts import (
    gain_part, generator, has_values, interval, make_evidence, part_or_none, seed_gain, select, tasks_in,
)  # fmt: skip
from crosslayer.analysis.scores import Units, describe_failure, find_units, unit_of_row
from crosslayer.claims.evidence import Evidence, Part
from crosslayer.config import Arm, Profile
from crosslayer.errors import ResultsError
from crosslayer.metrics.calibration import (
    brier_v1, ece10_equal_mass_debiased_counts_v1, ece10_equal_mass_debiased_from_counts_v1,
    ece10_equal_mass_debiased_v1, fit_temperature, nll_v1, softmax, top_label,
)  # fmt: skip
from crosslayer.predictions import Run, TrialRecord
from crosslayer.stats import Floats
from crosslayer.tasks import TASK_NAMES, TASKS, TaskName

ARMS: tuple[Arm, ...] = get_args(Arm)
N_RESAMPLES = 300
PRIMARY = "ece"
MEASURES = {PRIMARY: "points", "ece_scaled": "points", "brier": "brier", "nll": "nats", "accuracy": "points"}


@dataclass(frozen=True, eq=False)
class Trial:
    """One trial's test scores in the languages other than English.

    Attributes:
        logits: (N, K) of the rows whose scores were kept.
        gold: (N,).
        language: (N,) index into ``languages``.
        languages: other than English.
        unit: (N,) the pair or sentence of each row, never falling.
        cluster: (U,) what is resampled together.
        temperature: fitted on English dev.
    """

    record: TrialRecord
    logits: Floats
    gold: npt.NDArray[np.int8]
    language: npt.NDArray[np.int16]
    languages: tuple[str, ...]
    units: Units
    temperature: float

    @cached_property
    def by_language(self) -> dict[str, Floats]:
        """Each measure in each language, (L,)."""
        rows = [self._measures(self.language == code) for code in range(len(self.languages))]
        return {name: np.array([row[name] for row in rows]) for name in MEASURES}

    def _measures(self, here: npt.NDArray[np.bool_]) -> dict[str, float]:
        logits, gold = self.logits[here], self.gold[here]
        probabilities = softmax(logits)
        confidence, right = top_label(probabilities, gold)
        scaled, _ = top_label(softmax(logits, self.temperature), gold)
        return {
            "ece": ece10_equal_mass_debiased_v1(confidence, right),
            "ece_scaled": ece10_equal_mass_debiased_v1(scaled, right),
            "brier": brier_v1(probabilities, gold),
            "nll": nll_v1(logits, gold),
            "accuracy": float(100 * right.mean()),
        }

    def resampled_ece(self, rng: np.random.Generator) -> Floats:
        """(R,) mean over languages of the primary measure under resampling of clusters."""
        counts = np.concatenate([self._ece_counts(code) for code in range(len(self.languages))])
        statistic = ece10_equal_mass_debiased_from_counts_v1
        units = self.units
        return stats.bootstrap_scores(counts[None], units.language, units.cluster, statistic, N_RESAMPLES, rng)[0]
