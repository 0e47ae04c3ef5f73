"""``python -m crosslayer``: the command line; ``sweep run`` without it, so that a pack needs less."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path


def run_packed(arguments: list[str]) -> None:
    """``sweep run DIR``, with the options of the full command line."""
    from claimtrack.errors import ClaimtrackError, fail

    parser = argparse.ArgumentParser(prog="python -m crosslayer sweep run")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--workers", type=int)
    parser.add_argument("--seconds", type=float)
    options = parser.parse_args(arguments)
    try:
        from crosslayer.sweep.portable.run import run_pack

        left = run_pack(options.folder, options.workers, options.seconds)
    except (ClaimtrackError, OSError) as error:
        fail(error)
    except KeyboardInterrupt:
        sys.stderr.write("interrupted; the same command goes on where it stopped\n")
        sys.exit(130)
    sys.stdout.write(f"{left} trials left; results in {options.folder / 'parts'}\n")


if __name__ == "__main__":
    if sys.argv[1:3] == ["sweep", "run"]:
        run_packed(sys.argv[3:])
    else:
        from crosslayer.cli import main

        main()
