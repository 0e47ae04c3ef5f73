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
# # Do earlier layers supplement the last one?
#
# D_x fuses layer x with the last layer. That it beats the baseline does not show that layer x *adds*
# anything: the fusion module also has parameters, and any new training run mends some errors of another. So
# two things are measured.
#
# - **D_x minus self.** The control `self` has as many parameters and reads the last layer only. The layer x
#   is chosen on English dev.
# - **Excess complementarity.** The share of the baseline's errors that D_x mends, minus the share that
#   *another seed of the baseline* mends. Only trials of other seeds are compared, for D_x and for the
#   baseline alike.
#
# A task holds if both lie above 0, intervals included. It is refuted if the first is shown to be below 0.5
# points, or the second below 2 % of the errors. **Reproduced** if all four tasks hold, partly if some do after
# Holm's correction; **not reproduced** if none holds and one is refuted.

# %% tags=["parameters"]
claim: str = "C02"
results: str = "results/offline"
profile: str = "params.yaml"
output: str = "results/offline/claims/C02"

# %%
from crosslayer.paper import complementarity, show

source = show.open_source(results, profile)
evidence = complementarity.measure(claim, source.run, source.profile)
show.summary(evidence)

# %% [markdown]
# ## What the verdict reads

# %%
show.judged(evidence)

# %% [markdown]
# ## What it is made of
#
# `excess complementarity of self` is what mere capacity does.

# %%
show.shown(evidence)

# %%
display(*show.keep(evidence, complementarity.figures, source, output))
