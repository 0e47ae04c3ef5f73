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
# # Has each task its own best fusion layer?
#
# The best layers of the paper's four tasks are 11, 6, 8 and 10. Four picks out of 11 differ by mere chance in
# 54 % of cases, so that argmaxes show nothing. Instead:
#
# - **(a) interaction**: do the layers gain differently in different tasks? An F test against the noise
#   between seeds and the choice of test items;
# - **(b) own over common**: how many points does each task win by its own best layer over one layer for all,
#   both chosen by other seeds on one half of the items and scored on the other half?
#
# Both at p < 0.05 is **reproduced**, (a) alone partly. **Not reproduced** if (a) is not shown and (b) lies
# below 0.3 points.

# %% tags=["parameters"]
claim: str = "C07"
results: str = "results/offline"
profile: str = "params.yaml"
output: str = "results/offline/claims/C07"

# %%
from crosslayer.paper import best_layers, show

source = show.open_source(results, profile)
evidence = best_layers.measure(claim, source.run, source.profile)
show.summary(evidence)

# %% [markdown]
# ## What the verdict reads

# %%
show.judged(evidence)

# %% [markdown]
# ## Which layer is best, as far as these seeds tell

# %%
display(*show.keep(evidence, best_layers.figures, source, output))

# %%
show.shown(evidence)
