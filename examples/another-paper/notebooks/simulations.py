# ---
# jupyter:
#   jupytext:
#     text_representation:
#       extension: .py
#       format_name: percent
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # Claims about small test sets, simulated
#
# C01 and C03 are judged by an interval of the mean over simulated test sets, which has to lie inside the claimed
# range (`as_claimed`). C02 is a matter of structure: every check has to pass (`all_checks`).

# %% tags=["parameters"]
claim: str = "C01"
profile: str = "profiles/quick.yaml"
output: str = "results/quick/claims/C01"

# %%
from pathlib import Path

import simulations
from setting import load_setting

from claimtrack.evidence import write_evidence
from crosslayer.paper import show

evidence = simulations.measure(claim, Path(output), load_setting(Path(profile)))
write_evidence(evidence, Path(output))
show.summary(evidence)

# %% [markdown]
# ## What the verdict reads

# %%
show.checks(evidence) if evidence.checks else show.judged(evidence)

# %% [markdown]
# ## What is shown beside it

# %%
show.shown(evidence)
