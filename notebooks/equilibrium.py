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
# # Cross-lingual capability against language structure
#
# The paper reports that fusing a *lower* layer helps the languages other than English and German more, and
# makes languages more similar to each other. As slopes over the fusion layer x of D_x, one a seed, on XNLI
# and PAWS-X:
#
# - the **accuracy gap** ({en, de} minus the rest) should **grow** with x;
# - the **similarity** of the languages' fused mean vectors should **fall** with x.
#
# A task holds if both slopes have that sign and their intervals exclude 0. It is refuted if one of them is shown
# to have the other sign. **Reproduced** if both tasks hold, partly if one does after Holm's correction; **not
# reproduced** if none holds and one is refuted.

# %% tags=["parameters"]
claim: str = "C03"
results: str = "results/offline"
profile: str = "params.yaml"
output: str = "results/offline/claims/C03"

# %%
from crosslayer.paper import equilibrium, show

source = show.open_source(results, profile)
evidence = equilibrium.measure(claim, source.run, source.profile)
show.summary(evidence)

# %% [markdown]
# ## What the verdict reads

# %%
show.judged(evidence)

# %% [markdown]
# ## By layer
#
# The paper gives two layers for each task, and does not say how it computed similarity: compare the
# direction, not the height.

# %%
display(*show.keep(evidence, equilibrium.figures, source, output))

# %%
show.shown(evidence)
