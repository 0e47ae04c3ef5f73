"""What tests of analyses share: made-up runs, looking up a measurement, and slow counts by plain loops."""

from __future__ import annotations

import warnings
from itertools import combinations

import numpy as np
import pandas as pd
from seqeval.metrics import f1_score

from claimtrack.evidence import Evidence, Measurement
from claimtrack.judging import decide
from claimtrack.registry import Registry
from crosslayer.config import Profile
from crosslayer.data.languages import LANGUAGES
from crosslayer.paper import PLUGIN, equilibrium
from crosslayer.tasks import TASKS, TaskName
from synthetic_run import MadeUpRun, make_items, make_profile, make_record

PROFILE = make_profile()


def one(evidence: Evidence, measure: str, task: str | None = None, **about: object) -> Measurement:
    found = [
        part
        for part in evidence.parts
        if (part.measure, part.task) == (measure, task) and all(getattr(part, k) == v for k, v in about.items())
    ]
    assert len(found) == 1, [(part.measure, part.task) for part in evidence.parts]
    return found[0]


def verdict(registry: Registry, evidence: Evidence, profile: Profile = PROFILE) -> str:
    return decide(registry.entry(evidence.claim), evidence, profile, PLUGIN).verdict


def task_score(run: MadeUpRun, task: TaskName, key: str) -> float:
    """Mean over languages, by other code: seqeval on tag names, or the share of equal labels."""
    items, predicted = run.items[task, "test"], run.predicted[key, "test"]
    found = []
    for code in sorted(set(items.language)):
        here = items.language == code
        if task == "ner":
            names = np.array(TASKS["ner"].labels)
            gold, guess = (names[ids[here]].reshape(-1, 4).tolist() for ids in (items.gold, predicted))
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                found.append(100 * float(f1_score(gold, guess)))
        else:
            found.append(float(100 * np.mean(items.gold[here] == predicted[here])))
    return float(np.mean(found))


def brute_gain(run: MadeUpRun, task: TaskName, model: str, seeds: tuple[int, ...] = (0, 1, 2)) -> float:
    pairs = [(f"sweep-{task}-{model}-none-{s}", f"sweep-{task}-baseline-none-{s}") for s in seeds]
    return float(np.mean([task_score(run, task, a) - task_score(run, task, b) for a, b in pairs]))


def equilibrium_evidence(run: MadeUpRun, profile: Profile) -> Evidence:
    """C03 on vectors whose cosine between every two languages is 0.6 - 0.05 x, with some noise."""
    rng = np.random.default_rng(5)
    n = len(set(run.items["xnli", "test"].language))
    for trial in run.trials:
        cosine = 0.6 - 0.05 * (trial.layer or 0) + 0.001 * rng.standard_normal()
        matrix = np.full((n, n), cosine) + (1 - cosine) * np.eye(n)
        vectors = np.linalg.cholesky(matrix) * rng.uniform(0.5, 2, (n, 1))
        run.arrays[trial.key] = {"fused_mean": vectors, "pair_similarity": matrix}
    return equilibrium.measure("C03", run, profile)


def half_run(profile: Profile, apart: float, alike: float = 0.0) -> MadeUpRun:
    """Modules on halves: tasks lie ``apart``, and modules of one task and seed share ``alike`` of their start."""
    rng = np.random.default_rng(2)
    run = MadeUpRun()
    for task in profile.tasks:
        run.items[task, "dev"] = make_items(task, 50, ("en",), np.random.default_rng(0))
        centre = rng.standard_normal(64)
        for seed in profile.sweep.seeds:
            start = rng.standard_normal(64)
            for half in ("half_1", "half_2"):
                record = make_record(task, half, seed).model_copy(update={"layer": 3})
                run.trials.append(record)
                run.predicted[record.key, "dev"] = run.items[task, "dev"].gold
                mean = 0.5 + 0.1 * (apart * centre + alike * start + 0.1 * rng.standard_normal(64))
                run.arrays[record.key] = {"attention_mean": mean, "attention_variance": np.full(64, 0.01)}
    return run


def probe_run() -> MadeUpRun:
    """Retrieval falls and the UPOS probe rises by layer; transfer follows retrieval."""
    rng = np.random.default_rng(4)
    layers = range(13)
    hit = {f"layer_{x}": 0.9 - 0.05 * x for x in layers}
    frames = []
    for language in ("de", "es", "zh"):
        for item in range(200):
            luck = rng.random()
            for direction in ("to_english", "from_english"):
                for centred in (False, True):
                    row = {"language": language, "item": f"{item}", "direction": direction, "centred": centred}
                    frames.append(row | {name: luck < share + 0.02 * centred for name, share in hit.items()})
    words = rng.random(1000)
    tagging = {f"layer_{x}": words < 0.5 + 0.025 * x for x in layers}
    target = [
        {"task": task, "language": code, "layer": x, "score": 60 - x + rng.standard_normal() / 10,
         "n_items": 1000, "commonest": 50.0}
        for task in ("xnli", "ner", "pawsx", "pos")
        for code in ("en", "de", "zh")
        for x in layers
    ]  # fmt: skip
    run = MadeUpRun()
    run.probes["retrieval"] = pd.DataFrame(frames)
    run.probes["tagging"] = pd.DataFrame({"sentence": np.arange(1000) // 10, **tagging})
    run.probes["transfer"] = pd.DataFrame(target)
    told = {"language": ["de", "es", "zh"] * 50, "item": np.repeat(np.arange(50), 3)}
    run.probes["identity"] = pd.DataFrame(told | {f"layer_{x}": np.arange(150) % 3 != 0 for x in layers})
    return run


def similarity_frame(languages: list[str], kin: float, script: float = 0.0, family: float = 0.0) -> pd.DataFrame:
    """Similarity 0.2, more for one genus (``kin``), for one script and for one family."""
    rows = []
    rng = np.random.default_rng(1)
    for layer in range(4):
        for a, b in combinations(languages, 2):
            first, second = LANGUAGES[a], LANGUAGES[b]
            value = 0.2 + kin * (first.genus == second.genus) + script * (first.script == second.script)
            value += family * (first.family == second.family) + 0.02 * rng.standard_normal()
            rows.append({"layer": layer, "first": a, "second": b, "cosine": value, "cka": 0.5})
    return pd.DataFrame(rows)


def arms_run(profile: Profile, sharper: float, n: int = 400) -> MadeUpRun:
    """Two labels of known probability; the English-only arm's logits are ``sharper`` times too large."""
    rng = np.random.default_rng(6)
    run = MadeUpRun()
    for task in profile.intermediate.targets:
        for split, languages in (("dev", ("en",)), ("test", ("en", "de", "zh"))):
            items = make_items("pawsx", n, languages, rng)
            logit = rng.normal(1.5, 1.0, len(items.gold))
            run.items[task, split] = items
            for arm in ("none", "english", "multilingual"):
                for seed in range(3):
                    record = make_record(task, "baseline", seed, "intermediate", arm)
                    noisy = logit + 0.3 * rng.standard_normal(len(logit))
                    right = rng.random(len(logit)) < 1 / (1 + np.exp(-logit))
                    chosen = np.where(right, items.gold, 1 - items.gold)
                    scale = sharper if arm == "english" else 1.0
                    logits = np.zeros((len(logit), 2))
                    logits[np.arange(len(logit)), chosen] = noisy * scale
                    run.predicted[record.key, split] = logits.argmax(axis=1).astype(np.int8)
                    run.logits[record.key, split] = logits - logits.max(axis=1, keepdims=True)
                    if split == "test":
                        run.trials.append(record)
    return run


TARGETED = make_profile(tasks=["pawsx"], targets=["pawsx"])
