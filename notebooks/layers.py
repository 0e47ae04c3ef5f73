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
# # The encoder before fine-tuning, layer by layer
#
# Three claims are about what the layers of the encoder carry before any task is learnt, so that no seed
# enters.
#
# - **C01**, lower layers are cross-lingual and upper layers carry structure: sentence retrieval (does a
#   sentence find its translation by mean-pooled vectors, both directions, plain and centred per language) in
#   the lower half of the layers minus the upper half; and a linear probe for English parts of speech, upper
#   minus lower. Intervals resample items. Both above 0 is reproduced, one of them after Holm's correction partly.
# - **C08**, semantic and structural features make transfer work: over the layers, retrieval (semantic) and
#   the probe (structural) against zero-shot transfer from each frozen layer. A target that no frozen layer
#   transfers to better than guessing is left out. Layers are neighbours and no sample, so p comes from circular
#   shifts. Correlation shows no cause: partly reproduced is the most that it can be.
# - **C09**, languages of one family are similar: pairs of one genus, and of one family, against the other
#   pairs. What is compared are the languages' offsets from English: the mean vector of sentences minus that of
#   their translations, so that content cancels. Script confounds this; labels are permuted within scripts only.
#   Beside it, not judged: the mean vectors and the CKA of the languages that share their sentences.

# %% tags=["parameters"]
claim: str = "C01"
results: str = "results/offline"
profile: str = "params.yaml"
output: str = "results/offline/claims/C01"

# %%
from crosslayer.paper import show
from crosslayer.paper.plugin import analysis_of

source = show.open_source(results, profile)
analysis = analysis_of(claim)
evidence = analysis.measure(claim, source.run, source.profile)
show.summary(evidence)

# %% [markdown]
# ## What the verdict reads

# %%
show.judged(evidence)

# %% [markdown]
# ## What else was measured

# %%
show.shown(evidence)

# %% [markdown]
# ## By layer

# %%
display(*show.keep(evidence, analysis.figures, source, output))
