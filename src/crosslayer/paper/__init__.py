"""From predictions and probes to evidence: one module for each notebook, free of torch.

Each of the modules that a notebook is named after has ``measure(claim, run, profile) -> Evidence`` and
``figures(evidence, folder) -> names``: figures show what is in the evidence and nothing else.
"""
