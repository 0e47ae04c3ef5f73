"""This paper: its plugin for claimtrack, and from predictions and probes to evidence, free of torch.

Each module that `plugin.ANALYSES` names has ``measure(claim, run, profile) -> Evidence``. Those with more than
checks have ``figures(evidence, run, profile, folder) -> names``, called where any part has a value.
"""

from crosslayer.paper.plugin import PLUGIN

__all__ = ["PLUGIN"]
