"""Sweeps for machines without network, hub, DVC or room: packed into one folder, run there, merged here.

``pack`` and ``merge`` run where the project is installed. ``run`` needs torch, transformers, numpy, pandas and
pyarrow only: nothing that `crosslayer.sweep.portable.run` imports may import anything else (a test runs it so).

A packed folder holds ``pack.json`` (the trials and the SHA-256 of every file), ``encoder.json`` and
``encoder.npz`` (`crosslayer.sweep.portable.blocks`), the tables of windows, and the packages ``crosslayer`` and
``claimtrack``. Run there, it gains ``trials/KEY/{result.json, predictions.parquet, diagnostics.npz}`` and
``parts/part-N.zip``.

A worker leaves an interrupt from the keyboard to the process that started it, from before its slow imports.
"""

import signal
from multiprocessing import current_process

if current_process().name != "MainProcess":  # `parent_process` is not yet set in one that starts
    signal.signal(signal.SIGINT, signal.SIG_IGN)
