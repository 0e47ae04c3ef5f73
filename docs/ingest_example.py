"""Prediction files as somebody else's code might leave them: ``python docs/ingest_example.py FOLDER``.

Gold labels of the active profile's data with made-up errors, for a baseline and two fused layers with three seeds,
in XTREME's format. No model is behind them.
"""

from __future__ import annotations

import csv
import sys
from pathlib import Path

import numpy as np

from crosslayer.config import load_profile
from crosslayer.data.examples import TagExample
from crosslayer.data.sources import load_corpus
from crosslayer.tasks import TASKS

RIGHT = {"baseline": 0.80, "layer_4": 0.82, "layer_8": 0.84}
COLUMNS = ("file", "task", "language", "split", "model", "seed", "encoder", "training_items")


def main(folder: Path) -> None:
    """Write the files and ``trials.csv``."""
    folder.mkdir(parents=True, exist_ok=True)
    profile, rng, rows = load_profile(), np.random.default_rng(0), []
    for task in profile.tasks:
        labels = TASKS[task].labels
        evaluated = [(key, found) for key, found in load_corpus(task, profile).items() if key[0] != "train"]
        for model, share in RIGHT.items():
            for seed in range(3):
                for (split, code), examples in evaluated:
                    tagged = [e.tags if isinstance(e, TagExample) else (e.label,) for e in examples]
                    made = [[_noisy(tag, share, labels, rng) for tag in tags] for tags in tagged]
                    end = "\n\n" if TASKS[task].kind == "tags" else "\n"
                    name = f"{task}-{model}-{seed}-{split}-{code}.txt"
                    (folder / name).write_text(end.join("\n".join(tags) for tags in made) + "\n", encoding="utf-8")
                    rows.append((name, task, code, split, model, seed, "bert-base-multilingual-cased", "all"))
    with (folder / "trials.csv").open("w", encoding="utf-8", newline="") as stream:
        csv.writer(stream, lineterminator="\n").writerows([COLUMNS, *rows])


def _noisy(label: str, share: float, labels: tuple[str, ...], rng: np.random.Generator) -> str:
    return label if rng.random() < share else str(rng.choice(labels))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
