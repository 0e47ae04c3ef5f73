"""This paper: its plugin for claimtrack, and from predictions and probes to evidence, free of torch.

Each of the modules that a notebook is named after has ``measure(claim, run, profile) -> Evidence``. Those with
more than checks have ``figures(evidence, run, profile, folder) -> names``, called where any part has a value.
"""

from crosslayer.paper.plugin import PLUGIN

__all__ = ["PLUGIN"]
