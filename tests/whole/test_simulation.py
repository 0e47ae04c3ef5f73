"""False alarms and reach of every verdict rule, and coverage of its intervals, where the truth is known.

The quick form draws 200 data sets a truth, the slow one 4,000. A check of the quick form fails where a true rate
at the limit (5 % false alarms, 80 % reached) would fail in 1 of 100,000 runs; of all its checks one fails by
chance in less than 1 of 500 runs. The slow form holds the rates to the limits themselves. All draws are fixed.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from functools import cache

import numpy as np
import pytest
from scipy.stats import binom

from benchmarks.simulation import designs, rates, samples
from benchmarks.simulation.__main__ import main
from benchmarks.simulation.designs import Measured
from benchmarks.simulation.rates import Rates
from benchmarks.simulation.scenarios import SCENARIOS
from claimtrack.evidence import Interval, read_evidence
from claimtrack.registry import load_registry
from claimtrack.seal import plan_of_profile, read_seals
from crosslayer import stats
from crosslayer.paper import PLUGIN
from crosslayer.paper.parts import gain_part
from repository import ROOT

QUICK, FULL = 200, 4000
SIZES = [QUICK, pytest.param(FULL, marks=pytest.mark.slow)]
PLANNED = designs.planned()
ENTRIES = load_registry().entries
LEDGER = ROOT / "claims" / "ledger" / "xtreme-pilot" / "claims"
EVERY = [(claim, place) for claim, (_, scenarios) in SCENARIOS.items() for place in range(len(scenarios))]
NOT_REACHED: dict[str, set[str]] = {
    "C01": {"both contrasts are 0"},
    "C02": {"2 points over `self`, excess 4 %", "no gain over `self`, excess 4 %"},
    "C03": {"slopes as claimed, 0.2 points and -0.001 a layer"},
    "C05": {"no effect anywhere"},
    "C06": {"every layer gains 0.4 points, too little"},
    "C07": {
        "no effect anywhere", "every layer gains 2 points", "one layer gains 2 points in every task",
        "every layer gains 0.4 points",
    },
    "Q01": {"no difference", "1 point higher, the edge of practically none"},
}  # fmt: skip
"""The truths at which the planned design does not give the right verdict in 80 % of data sets."""
TOO_OFTEN_WRONG = {"C06": {"every layer gains 0.4 points, too little"}}
"""A defect of the rule: too small a gain holds where its interval reaches from above 0 into the claimed range."""


@cache
def found(claim: str, place: int, n: int) -> Rates:
    return rates.simulate(claim, SCENARIOS[claim][1][place], PLANNED, n)


def is_in(listed: dict[str, set[str]], rates: Rates) -> bool:
    return rates.scenario.name in listed.get(rates.claim, set())


def at_most(share: float, n: int) -> float:
    """A count that data sets of that true rate pass in 1 of 100,000 runs."""
    return float(binom.isf(1e-5, n, share))


def at_least(share: float, n: int) -> float:
    """A count that they fall short of in 1 of 100,000 runs."""
    return float(binom.ppf(1e-5, n, share))


def test_the_planned_design_is_the_sealed_plan() -> None:
    plan = plan_of_profile("xtreme-small", read_seals(ROOT / "claims" / "seals.json"))
    assert plan
    for task, about in PLANNED.tasks.items():
        layers = {name for name in plan.seeds if name.startswith(f"sweep/{task}/layer_")}
        assert layers == {f"sweep/{task}/{layer}/none" for layer in about.layers}
        assert {len(plan.seeds[name]) for name in (*layers, f"sweep/{task}/self/none")} == {about.scores.seeds}
        arms = (f"intermediate/{task}/baseline/{arm}" for arm in ("english", "multilingual"))
        assert {len(plan.seeds[arm]) for arm in arms} == {PLANNED.targets[task].seeds}


@pytest.mark.parametrize("n", SIZES)
@pytest.mark.parametrize(("claim", "place"), EVERY, ids=str)
def test_a_wrong_verdict_is_rare(claim: str, place: int, n: int) -> None:
    seen = found(claim, place, n)
    is_rare = seen.false_alarms * n <= (rates.MAX_FALSE_ALARMS * n if n == FULL else at_most(0.05, n))
    assert is_rare != is_in(TOO_OFTEN_WRONG, seen), seen.verdicts


@pytest.mark.parametrize("n", SIZES)
@pytest.mark.parametrize(("claim", "place"), EVERY, ids=str)
def test_a_verdict_is_reached_unless_it_is_listed(claim: str, place: int, n: int) -> None:
    seen = found(claim, place, n)
    if seen.scenario.right and n == FULL:
        assert (seen.right >= rates.REACHED) != is_in(NOT_REACHED, seen), "the list is wrong"
    elif seen.scenario.right and not is_in(NOT_REACHED, seen):
        assert seen.right * n >= at_least(0.8, n), seen.verdicts


def test_every_rule_about_trained_models_or_probes_is_tried() -> None:
    tried = {ENTRIES[claim].rule for claim, (_, scenarios) in SCENARIOS.items() if any(s.wrong for s in scenarios)}
    assert tried == PLUGIN.rules.keys()


# Intervals of gains


TRUE = 1.5
"""Points that are gained."""


def gains_of_a_layer(seeds: int, n: int) -> Iterator[Interval | None]:
    """Of PAWS-X, whose items leave most noise."""
    models, noise = ("baseline", *designs.LAYERS, "self"), Measured(seeds, *designs.SCORES["pawsx"])
    for tables in samples.score_tables({"layer_3": TRUE}, models, noise, np.random.default_rng(seeds), n):
        yield stats.gain(tables.test, "layer_3").interval


def means_over_targets(seeds: int, n: int) -> Iterator[Interval | None]:
    """Of three arms a target, whose noise differs fivefold."""
    design = replace(PLANNED, targets={task: Measured(seeds, *noise) for task, noise in designs.ERRORS.items()})
    for sample in samples.calibration(TRUE, design, np.random.default_rng(seeds), n):
        yield sample.parts[0].interval


OF_SEEDS = [(3, 1000), *(pytest.param(seeds, 10_000, marks=pytest.mark.slow) for seeds in (3, 5, 10))]


@pytest.mark.parametrize(("seeds", "n"), OF_SEEDS)
@pytest.mark.parametrize("draw", [gains_of_a_layer, means_over_targets])
def test_intervals_hold_the_truth_in_95_of_100(draw, seeds: int, n: int) -> None:
    """Of 10,000 draws a true 95 % is seen within 94 and 96 %."""
    held = sum(interval.low <= TRUE <= interval.high for interval in draw(seeds, n))
    assert at_least(0.95, n) <= held <= at_most(0.95, n)


@pytest.mark.slow
@pytest.mark.parametrize(("claim", "place"), EVERY, ids=str)
def test_the_intervals_that_a_rule_reads_hold_the_truth(claim: str, place: int) -> None:
    """In 94 of 100 at least: those of a cross-fitted gain and of own over common layers are wide by design."""
    seen = found(claim, place, FULL)
    assert all(held >= at_least(0.94, n) for held, n in seen.covered.values()), seen.covered


# The simulation itself


def test_scores_have_the_noise_that_the_design_says() -> None:
    """Of 4,000 tables: residual sd 0.7, of whose variance test items add 12 %, item sd of a difference 0.3."""
    noise = Measured(5, 0.7, 0.3)
    drawn = [*samples.score_tables({}, ("a", "b"), noise, np.random.default_rng(0), 4000)]
    test, dev = (np.array([getattr(t, name).scores for t in drawn]) for name in ("test", "dev"))
    gain = test[:, 0] - test[:, 1]
    between = np.mean(gain[:, 0] * gain[:, 1])  # what seeds share
    assert np.sqrt(between) == pytest.approx(0.3, rel=0.1)
    assert np.sqrt((np.mean(gain**2) - between) / 2) == pytest.approx(0.7, rel=0.03)
    within = [(scores - scores.mean(axis=-1, keepdims=True)).ravel() for scores in (test, dev)]
    assert np.corrcoef(*within)[0, 1] == pytest.approx(0.5 * np.sqrt(0.88), abs=0.02)


def test_a_recorded_design_is_read_from_its_evidence() -> None:
    design = designs.recorded(LEDGER)
    evidence = read_evidence(LEDGER / "C05" / "evidence.json")
    assert design.tasks["ner"].scores.run == evidence.facts["seed_noise_ner"]
    assert design.tasks["ner"].scores.seeds == 5
    assert design.tasks["xnli"].layers == ("layer_4", "layer_6", "layer_8", "layer_11")
    assert design.targets.keys() == {"xnli", "pawsx"}


def test_the_noise_behind_an_interval_is_found_again() -> None:
    """Six seeds, a residual of 0.64: 2 x 0.64 / 6; items 0.09."""
    part = gain_part("x", stats.Gain(1.0, 6, 2 * 0.64 / 6, 50.0, 0.09))
    assert designs.measured(part) == pytest.approx((6, 0.8, 0.3))


def test_coverage_of_a_value_that_only_simulation_knows_is_that_of_its_mean() -> None:
    gains = [gain_part("x", stats.Gain(value, 6, 1.0, 1e6)) for value in (-3.0, 0.0, 3.0)]
    drawn = [samples.Sample([gain], [np.nan]) for gain in gains]
    assert rates.covered(drawn) == {"x": (1, 3)}
    assert rates.covered([samples.Sample([gain], [3.0]) for gain in gains]) == {"x": (1, 3)}
    assert rates.covered([samples.Sample([gain], [None]) for gain in gains]) == {}


def test_the_seeds_that_reach_a_verdict_are_searched(monkeypatch: pytest.MonkeyPatch) -> None:
    [scenario] = [s for s in SCENARIOS["C05"][1] if s.name == "every layer gains 2 points"]
    assert rates.seeds_needed("C05", scenario, 20, lambda found: found.right) == designs.PLANNED_SEEDS
    monkeypatch.setattr(rates, "REACHED", 1.1)
    assert rates.seeds_needed("C05", scenario, 2, lambda found: found.right) is None


def test_a_row_says_what_is_right_how_often_and_what_is_wrong() -> None:
    lowest = SCENARIOS["C05"][1][0]
    found = Rates(
        "C05", lowest, 400, Counter({"not reproduced": 340, "reproduced": 20, "inconclusive": 40}),
        {"xnli": Counter(holds=20, refuted=320, undecided=60)}, {"x": (380, 400), "y": (390, 400)},
    )  # fmt: skip
    assert (found.false_alarms, found.coverage) == (0.05, 0.95)
    assert rates.row(found, ["reproduced", "not reproduced"], PLANNED) == [
        "no effect anywhere", "not reproduced", "5.0 ± 1.1", "85.0 ± 1.8", "5.0 ± 1.1", "95.0",
        "reached; each task reached", "XNLI refuted 80.0, holds 5.0",
    ]  # fmt: skip


def test_one_command_prints_a_table_of_every_claim(capsys: pytest.CaptureFixture[str]) -> None:
    main(["--data-sets", "2", "--design", "recorded"])
    printed = capsys.readouterr()
    assert [line.strip() for line in printed.out.splitlines() if line.strip() in SCENARIOS] == [*SCENARIOS]
    assert "2 data sets a truth, xtreme-pilot design" in printed.out
    assert f"simulate {len(EVERY)}/{len(EVERY)}" in printed.err
