"""Measures every claim of a profile, decides, and compares with what is pinned.

python run.py                        the profile quick
python run.py --profile full
python run.py --notebooks            each claim in an executed notebook, as the stages of crosslayer do
python run.py --pin REASON           writes expected ranges and verdicts into pins.yaml
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from setting import Setting, load_setting
from simulations import measure

from claimtrack.checks import expected_problems, verdict_problems
from claimtrack.errors import ClaimtrackError
from claimtrack.evidence import write_evidence
from claimtrack.export import to_jsonld
from claimtrack.notebook import run_notebook
from claimtrack.pins import PinnedRun, load_pins, pin
from claimtrack.registry import Registry, load_registry
from claimtrack.results import FRESH, Place, RunResults, load, table

REGISTRY, PINS = Path("registry.yaml"), Path("pins.yaml")


def main() -> int:
    """Exit code 0, 1 where something is not as pinned, 2 for a user's error."""
    parser = argparse.ArgumentParser(description="Measure every claim of a profile, decide, and check the pins.")
    parser.add_argument("--profile", default="quick", help="a file of profiles/")
    parser.add_argument("--notebooks", action="store_true", help="execute the notebooks")
    parser.add_argument("--pin", metavar="REASON", help="write what this run gives as what is expected")
    options = parser.parse_args()
    try:
        return run(Path("profiles") / f"{options.profile}.yaml", options.notebooks, options.pin)
    except ClaimtrackError as error:
        sys.stderr.write(f"error: {error}\n")
        return 2


def run(profile: Path, notebooks: bool, reason: str | None) -> int:
    """Measure, decide, write ``verdicts.jsonld``; the exit code."""
    setting, registry = load_setting(profile), load_registry(REGISTRY)
    place = Place(FRESH, setting, Path("results") / setting.profile)
    for claim in setting.claims:
        folder = place.evidence_path(claim).parent
        if notebooks:
            source = Path("notebooks") / f"{registry.entry(claim).notebook}.py"
            run_notebook(source, {"claim": claim, "profile": str(profile), "output": str(folder)}, folder)
        else:
            folder.mkdir(parents=True, exist_ok=True)
            write_evidence(measure(claim, place.folder, setting), folder)
    results = load(place, registry, pins=PINS)
    (place.folder / "verdicts.jsonld").write_text(to_jsonld(registry, [results]), encoding="utf-8")
    print("\n".join(table(results, registry.project.titles)))
    if reason is not None:
        print("\n".join(pin(results, reason, PINS)))
        return 0
    return check(place, registry, results, load_pins(PINS).of(setting.profile, None))


def check(place: Place[Setting], registry: Registry, results: RunResults[Setting], pinned: PinnedRun) -> int:
    """Print what is not as pinned; 1 where there is anything."""
    problems = []
    for claim, evidence in results.evidence.items():
        entry = registry.entry(claim)
        problems += expected_problems(entry, evidence, place, pinned) + verdict_problems(
            entry, evidence, place, registry.project, pinned
        )
    print("\n".join(problems) or "Values and verdicts are as pinned.")
    return int(bool(problems))


if __name__ == "__main__":
    sys.exit(main())
