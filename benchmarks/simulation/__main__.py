"""Prints the tables of all rules: ``python -m benchmarks.simulation --help``."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence

from benchmarks.simulation.designs import Design, planned, recorded
from benchmarks.simulation.rates import all_tables
from claimtrack.errors import in_one_line
from claimtrack.runs import LEDGER

DESIGNS: dict[str, Callable[[], Design]] = {
    "planned": planned, "recorded": lambda: recorded(LEDGER / "xtreme-pilot" / "claims"),
}  # fmt: skip


def main(argv: Sequence[str] | None = None) -> None:
    """Simulate and print; run it in the folder of the project."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.simulation", description=__doc__)
    parser.add_argument("--data-sets", type=int, default=4000, help="simulated data sets for each truth")
    parser.add_argument(
        "--design", choices=list(DESIGNS), default="planned", help="recorded: that of xtreme-pilot"
    )
    options = parser.parse_args(argv)
    if options.data_sets < 1:
        parser.error("--data-sets must be at least 1")
    with in_one_line():
        for sheet in all_tables(DESIGNS[options.design](), options.data_sets):
            sheet.show()


if __name__ == "__main__":
    main()
