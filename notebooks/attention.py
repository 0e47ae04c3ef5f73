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
# # Does AIF adapt to the task?
#
# AIF weighs channels by sigmoid(G + L). If it adapts to the task, modules trained on *different tasks* should
# weigh one common text differently, and more so than two modules trained on two *halves of one task's data*,
# at the same layer. Only modules of different seeds are compared: those of one task and seed start from the
# same weights, which would make them alike for no good reason.
#
# The difference of the two mean distances is judged; p exchanges tasks within seeds, both halves of a task
# together. **Reproduced** if it is positive with p < 0.05; **not reproduced** if its interval lies below 0.

# %% tags=["parameters"]
claim: str = "C13"
results: str = "results/offline"
profile: str = "params.yaml"
output: str = "results/offline/claims/C13"

# %%
from crosslayer.paper import attention, show

source = show.open_source(results, profile)
evidence = attention.measure(claim, source.run, source.profile)
show.summary(evidence)

# %% [markdown]
# ## What the verdict reads

# %%
show.judged(evidence)

# %%
show.shown(evidence)

# %% [markdown]
# ## Between tasks, and within (on the diagonal)

# %%
display(*show.keep(evidence, attention.figures, source, output))
