"""This paper: its plugin for claimtrack, and from predictions and probes to evidence, free of torch.

Each of the modules that a notebook is named after has ``measure(claim, run, profile) -> Evidence`` and
``figures(evidence, folder) -> names``: figures show what is in the evidence and nothing else.
"""

from crosslayer.paper.plugin import PLUGIN

__all__ = ["PLUGIN"]
