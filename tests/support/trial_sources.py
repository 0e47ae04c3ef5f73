"""Hashes of the sources that decide what a trial computes, and why they changed without a new TRIAL_VERSION.

python tests/support/trial_sources.py --no-effect "REASON"    a change that alters no prediction
python tests/support/trial_sources.py                         after TRIAL_VERSION was raised
"""

from __future__ import annotations

import argparse
import hashlib
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

from claimtrack.settings import read_yaml
from crosslayer.training.trials import TRIAL_VERSION
from repository import ROOT

SOURCE = ROOT / "src" / "crosslayer"
RECORD = Path(__file__).with_suffix(".yaml")
FILES = (
    "training/trials.py", "training/trainable.py", "training/finetuned.py", "training/inference.py",
    "training/execution.py", "models/dropout.py", "models/trunk.py", "models/classifier.py", "models/fusion.py",
    "windows/batching.py", "windows/encoded.py", "metrics/__init__.py", "metrics/classification.py",
    "metrics/tagging.py", "encoders/base.py", "encoders/packaged.py", "encoders/synthetic.py",
    "windows/vocabulary.py",
)  # fmt: skip


def hashes() -> dict[str, str]:
    """SHA-256 of each file."""
    return {name: hashlib.sha256((SOURCE / name).read_bytes()).hexdigest() for name in FILES}


def problem(record: dict[str, Any], version: int, present: dict[str, str]) -> str | None:
    """What is wrong with the present sources, if anything."""
    command = "`python tests/support/trial_sources.py"
    if record["version"] != version:
        return f"TRIAL_VERSION is {version}, recorded is {record['version']}; run {command}`"
    changed = [name for name in FILES if record["sources"].get(name) != present[name]]
    if changed:
        return (
            f"{', '.join(changed)} changed but TRIAL_VERSION is still {version}: raise it if a trial computes "
            f'something else now, or run {command} --no-effect "REASON"`'
        )
    return None


def main() -> None:
    """Rewrite the record."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--no-effect", metavar="REASON")
    reason = parser.parse_args().no_effect
    old = read_yaml(RECORD)
    is_new = old["version"] != TRIAL_VERSION
    if is_new == bool(reason):
        parser.error("a reason is stated with --no-effect where TRIAL_VERSION is as recorded, and only there")
    reasons = [] if is_new else [*old["no_effect"], reason]
    with RECORD.open("w", encoding="utf-8") as stream:
        YAML().dump({"version": TRIAL_VERSION, "no_effect": reasons, "sources": hashes()}, stream)


if __name__ == "__main__":
    main()
