"""Many trials: which are planned, trained here or on Ray, and kept.

A worker leaves an interrupt from the keyboard to the process that started it, from before its slow imports.
"""

import signal
from multiprocessing import current_process

if current_process().name != "MainProcess":  # `parent_process` is not yet set in one that starts
    signal.signal(signal.SIGINT, signal.SIG_IGN)
