"""Entry points of the DVC stages, one module each: ``python -m crosslayer.stages.NAME``.

A stage ends at once when it is interrupted, and its workers with it: they leave the keyboard to the stage. It
watches the command that started it from its first moment, before it imports anything slow: a ``dvc`` or ``make``
that is killed meanwhile could not be found any more. The garbage collector rests until the imports are done: they
make half a million objects that all stay, and going through them again and again takes a third of the start (5.4 s
instead of 8.5 s with torch and transformers).

Linear algebra of NumPy and SciPy has one thread: sums are made in the same order on any number of cores, and small
matrices gain nothing from more.
"""

import gc
import os
import signal
import sys
from multiprocessing import current_process

_STAGE = any(argument.startswith("crosslayer.stages.") for argument in sys.orig_argv)


def _leave(*_: object) -> None:
    """Before there is anything to end."""
    os.write(2, b"interrupted; the same command goes on where it stopped\n")
    os._exit(130)


if _STAGE:
    signal.signal(signal.SIGINT, _leave)

from crosslayer.sweep.processes import die_with_supervisors, end_on_signals  # noqa: E402

os.environ["OPENBLAS_NUM_THREADS"] = "1"  # before NumPy is imported

if _STAGE and current_process().name == "MainProcess":
    end_on_signals()
    die_with_supervisors()
    gc.disable()
