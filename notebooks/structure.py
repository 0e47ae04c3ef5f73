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
# # The fusion module as built
#
# Claims about what the module *is* (C04, C10 to C12, C14 to C17) need no training. The probe stage builds it,
# feeds it hidden states of the profile's encoder, and compares shapes, counts and values with what the
# paper's equations and figures say; values are computed a second time without the module's own code.
#
# A claim is **reproduced** if every check passes, and **not reproduced** if one does not. Numbers agree if
# they are within 1e-5 in float32; counts and shapes have to be equal.

# %% tags=["parameters"]
claim: str = "C04"
results: str = "results/offline"
profile: str = "params.yaml"
output: str = "results/offline/claims/C04"

# %%
from claimtrack import project
from crosslayer.paper import show, structure

source = show.open_source(results, profile)
evidence = structure.measure(claim, source.run, source.profile)
show.summary(evidence)

# %% [markdown]
# ## The checks

# %%
show.checks(evidence)

# %% [markdown]
# No figure: the table says it all.

# %%
project.keep(evidence, output)
