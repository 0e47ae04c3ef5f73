"""Files led by coverage: ``fuzz_coverage.py TARGET RUNS`` in an empty folder, with the package atheris.

libFuzzer changes the file of a target (`fuzz_targets`), beginning with the valid one, and goes on from those that
reach lines of crosslayer that none before did. It stops at the first one that ends in another error than ours,
takes more than `SECONDS`, or more than `MEBIBYTES` beyond what reading the valid one took, and leaves it there.
"""

from __future__ import annotations

import resource
import sys
import warnings
from pathlib import Path

import atheris


def main(name: str, runs: str) -> None:
    """Never returns: libFuzzer ends the process, with 0 if it found nothing."""
    warnings.simplefilter("ignore")
    folder, corpus = Path("files"), Path("corpus")
    with atheris.instrument_imports(include=["crosslayer"]):
        from fuzz_targets import MEBIBYTES, SECONDS, TARGETS, address_space, is_refused

        target, path = TARGETS[name], folder / TARGETS[name].file
        folder.mkdir()
        target.make(folder)
        is_refused(target, folder)  # imports what the reader needs
    corpus.mkdir()
    (corpus / "valid").write_bytes(path.read_bytes())

    def read(data: bytes) -> None:
        path.write_bytes(data)
        is_refused(target, folder)

    megabytes = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024 + MEBIBYTES
    limits = [f"-timeout={SECONDS}", f"-rss_limit_mb={megabytes}", f"-max_len={4 * path.stat().st_size}"]
    once = "-reload=0"  # nobody else adds to the corpus: reading it again by the clock would make runs differ
    atheris.Setup([sys.argv[0], f"-runs={runs}", "-seed=1", once, *limits, "-print_final_stats=1", "corpus"], read)
    with address_space(MEBIBYTES):
        atheris.Fuzz()


if __name__ == "__main__":
    main(*sys.argv[1:])
