"""C08 on made-up probes whose truth is known, through the analysis and the real registry."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pandas as pd

from claimtrack.registry import load_registry
from claimtrack.verdict import decide
from crosslayer import stats
from crosslayer.paper import PLUGIN, transfer
from synthetic_run import MadeUpRun, make_profile

PROFILE = make_profile()
ENTRIES = load_registry().entries


def test_transfer_that_follows_both_features_is_found_although_other_targets_are_at_chance() -> None:
    """r = 0.99 in NER and POS; XNLI and PAWS-X guess, 1,500 items each, with another luck in every language."""
    rng = np.random.default_rng(8)
    drawn = [transfer.measure("C08", planted_transfer(rng), PROFILE) for _ in range(30)]
    assert all(len(measured.missing) == 2 for measured in drawn)
    found = Counter(decide(ENTRIES["C08"], measured, PROFILE, PLUGIN).verdict for measured in drawn)
    assert found["partly reproduced"] / len(drawn) > 0.7


def smooth(rng: np.random.Generator) -> stats.Floats:
    """Thirteen neighbours, correlated at 0.97: a trend."""
    steps = rng.normal(size=13)
    for place in range(1, 13):
        steps[place] = 0.97 * steps[place - 1] + np.sqrt(1 - 0.97**2) * steps[place]
    return steps


def planted_transfer(rng: np.random.Generator) -> MadeUpRun:
    """Probe tables of one smooth feature, seen by retrieval and by tagging alike, and of transfer."""
    feature = smooth(rng)
    feature = (feature - feature.mean()) / feature.std()
    hits = np.arange(1000)[:, None] < 500 + 150 * feature
    columns = {f"layer_{x}": hits[:, x] for x in range(13)}
    run = MadeUpRun()
    words = {"language": "de", "item": np.arange(1000).astype(str), "direction": "to_english", "centred": False}
    run.probes["retrieval"] = pd.DataFrame(words | columns)
    run.probes["tagging"] = pd.DataFrame({"sentence": np.arange(1000)} | columns)
    rows: list[tuple[str, str, int, float, int, float]] = []
    for task in ("ner", "pos"):
        own = rng.normal(size=13)
        own -= own.mean() + feature * (own @ feature) / 13
        target = 50 + 10 * (0.99 * feature + np.sqrt(1 - 0.99**2) * own / own.std())
        rows += [(task, "de", x, score, 1500, 20.0) for x, score in enumerate(target)]
    for task, chance in (("xnli", 35.6), ("pawsx", 54.3)):
        for code in ("de", "es", "zh"):
            guesses = 100 * rng.binomial(1500, chance / 100, size=13) / 1500
            rows += [(task, code, x, score, 1500, chance) for x, score in enumerate(guesses)]
    run.probes["transfer"] = pd.DataFrame(
        rows, columns=["task", "language", "layer", "score", "n_items", "commonest"]
    )
    return run
