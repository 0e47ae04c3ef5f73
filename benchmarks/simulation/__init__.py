"""What the rules decide on made-up measurements whose truth is known: false alarms, reach and coverage.

`designs` says how much is measured and how noisy it is, `samples` draws measurements and makes the parts that a
rule reads, by the functions that analyse real trials, `scenarios` lists the truths of each rule with the verdict
that is right there, and `rates` counts what `claimtrack.judging.judge` says about them.

Notation: D data sets, T tasks, M models, S seeds, X layers.
"""
