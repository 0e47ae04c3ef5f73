"""What the claims say, measured on simulated test sets: settings in, evidence out.

Notation: N test items, K labels, M settings.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import numpy.typing as npt
from setting import CONDITIONS, Setting

from claimtrack.errors import ClaimError
from claimtrack.evidence import Check, Evidence, Measurement
from claimtrack.plugin import Plugin
from crosslayer import stats
from crosslayer.metrics.calibration import ece10_equal_mass_debiased_v1, ece10_equal_mass_v1, softmax, top_label
from crosslayer.metrics.recalibration import fit_temperature
from crosslayer.paper.parts import generator, seed_part

Floats = npt.NDArray[np.float64]
Ids = npt.NDArray[np.intp]

FEW_ITEMS, MANY_ITEMS = 300, 2000
N_LABELS, N_SETTINGS = 3, 11
ACCURACY = 0.75
"""Of every setting in C03, and about that of the classifier in C01."""


def measure(claim: str, folder: Path, setting: Setting) -> Evidence:
    """The evidence of a claim; its metric has the name that registry.yaml gives it."""
    if claim not in MEASURED:
        raise ClaimError(f"nothing here measures {claim:.20}; measured are {', '.join(MEASURED)}")
    metric, found = MEASURED[claim]
    parts, checks = found(setting)
    return Evidence(
        claim=claim, profile=setting.profile, metric=metric, status="measured",
        headline=0 if parts else None, parts=parts, checks=checks,
    )  # fmt: skip


def calibration_error(setting: Setting) -> tuple[tuple[Measurement, ...], tuple[Check, ...]]:
    """C01: the plug-in error of a calibrated classifier, and the debiased one beside it."""
    rng = generator("calibration")
    samples = [top_label(softmax(logits), gold) for logits, gold in _test_sets(setting.repeats, rng)]
    plug_in = stats.mean_interval([ece10_equal_mass_v1(*sample) for sample in samples])
    debiased = stats.mean_interval([ece10_equal_mass_debiased_v1(*sample) for sample in samples])
    note = "Gold labels are drawn from the predicted probabilities, so the true error is 0."
    return (
        seed_part("plug_in_error", "points", plug_in, judged=True, n_items=FEW_ITEMS, note=note),
        seed_part("debiased_error", "points", debiased, n_items=FEW_ITEMS, note="Shown beside it."),
    ), ()


def unchanged_accuracy(setting: Setting) -> tuple[tuple[Measurement, ...], tuple[Check, ...]]:
    """C02: the predicted labels at fitted and at extreme temperatures."""
    moved = dict.fromkeys(("fitted", "0.1", "10"), 0)
    for logits, gold in _test_sets(setting.repeats, generator("temperature")):
        fitted = fit_temperature(logits, gold)
        for name, temperature in zip(moved, (fitted, 0.1, 10.0), strict=True):
            moved[name] += int((softmax(logits, temperature).argmax(1) != logits.argmax(1)).sum())
    n = setting.repeats * FEW_ITEMS
    return (), tuple(
        Check(name=f"labels that change, temperature {name}", passed=count == 0, expected=f"0 of {n:,}",
              found=f"{count:,} of {n:,}")
        for name, count in moved.items()
    )  # fmt: skip


def selection(setting: Setting) -> tuple[tuple[Measurement, ...], tuple[Check, ...]]:
    """C03: the best of M settings minus a baseline, where all have the same true accuracy."""
    shape = (setting.repeats, N_SETTINGS + 1)
    scores = 100 * generator("selection").binomial(MANY_ITEMS, ACCURACY, shape) / MANY_ITEMS
    apparent = stats.mean_interval((scores[:, 1:].max(axis=1) - scores[:, 0]).tolist())
    noise = 100 * np.sqrt(ACCURACY * (1 - ACCURACY) / MANY_ITEMS)
    expected = stats.null_best_gain(float(noise), N_SETTINGS, 1)
    note = "The true gain is 0. Each setting is scored on test items of its own."
    return (
        seed_part("apparent_gain", "points", apparent, judged=True, n_items=MANY_ITEMS, note=note),
        Measurement(measure="apparent_gain_in_theory", estimate=expected, unit="points", n_items=MANY_ITEMS,
             note="Mean of the largest of eleven normal scores."),
    ), ()  # fmt: skip


Found = Callable[[Setting], tuple[tuple[Measurement, ...], tuple[Check, ...]]]
MEASURED: dict[str, tuple[str, Found]] = {
    "C01": ("plug_in_error_v1", calibration_error),
    "C02": ("labels_moved_v1", unchanged_accuracy),
    "C03": ("apparent_gain_v1", selection),
}
PLUGIN = Plugin(name="another-paper", settings=Setting, measure=measure, conditions=CONDITIONS)


def _test_sets(count: int, rng: np.random.Generator) -> list[tuple[Floats, Ids]]:
    """Logits (N, K) and gold labels (N,) of a classifier that is calibrated by construction."""
    made = []
    for _ in range(count):
        logits = 2 * rng.standard_normal((FEW_ITEMS, N_LABELS))
        below = softmax(logits).cumsum(axis=1) < rng.random((FEW_ITEMS, 1))
        made.append((logits, np.minimum(below.sum(axis=1), N_LABELS - 1)))
    return made
