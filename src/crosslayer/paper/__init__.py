"""This paper: its plugin for claimtrack, and from predictions and probes to evidence, free of torch.

Each of the modules that a notebook is named after has ``measure(claim, run, profile) -> Evidence`` and
``figures(evidence, run, profile, folder) -> names``, which is called where any part has a value.
"""

from crosslayer.paper.plugin import PLUGIN

__all__ = ["PLUGIN"]
