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
# # Gains over the matched baseline
#
# The score of a task is the plain mean over its languages, English included. A gain is the score of D_x minus
# that of the baseline with the same code, data and seeds. Which x? Three answers, each with its job:
#
# - **chosen on English dev** (judged in C05): what a user without labels in other languages could do;
# - **cross-fitted** (judged in C06): chosen by the test scores of the other seeds on one half of the items,
#   scored on the other half with the seed held out;
# - **best on test** (the paper's way; shown, never judged): biased upward, since the best of many layers
#   looks good even if none has an effect. What it would give then stands beside it, and its p-value permutes
#   all models within each seed.
#
# Intervals combine the noise between seeds (pooled over all models) and the choice of test items (clusters
# resampled). `detectable` is the smallest true gain that this design would find with 80 % power.
#
# **C05** is reproduced if the interval lies above 0 in all four tasks, in three of them partly. **C06** is
# reproduced if it lies above 0 and overlaps 1 to 3 points in all four; partly if it does in some of them that
# last under Holm's correction. With fewer than 3 seeds both are inconclusive.

# %% tags=["parameters"]
claim: str = "C05"
results: str = "results/offline"
profile: str = "params.yaml"
output: str = "results/offline/claims/C05"
run: str = "fresh"

# %%
from crosslayer.analysis import gains, show

source = show.open_source(results, profile, run)
evidence = gains.measure(claim, source.run, source.profile)
show.summary(evidence)

# %% [markdown]
# ## What the verdict reads

# %%
show.judged(evidence)

# %% [markdown]
# ## Figures
#
# Diamonds are the paper's own numbers (mBERT, single runs, no intervals).

# %%
display(*show.keep(evidence, gains.figures, source, output))

# %% [markdown]
# ## Everything else
#
# Gains in single languages are in the figure and in the evidence file.

# %%
show.shown(evidence)
