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
# # One claim
#
# Measures the claim, shows what the verdict reads and what stands beside it, and leaves the evidence.

# %% tags=["parameters"]
claim: str = "C01"
output: str = "results/full/claims/C01"

# %%
from claimtrack import project, tables

evidence = project.measure(claim)
tables.summary(evidence)

# %% [markdown]
# ## What the verdict reads

# %%
tables.checks(evidence) if evidence.checks else tables.judged(evidence)

# %% [markdown]
# ## What is shown beside it

# %%
tables.shown(evidence)

# %%
project.keep(evidence, output)
