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
# - **cross-fitted** (judged in C06): chosen by the test scores of other seeds on one half of the items,
#   scored on the seeds and the half that did not choose;
# - **best on test** (the paper's way; shown, never judged): biased upward, since the best of many layers
#   looks good even if none has an effect. What it would give then stands beside it, and its p-value permutes
#   all models within each seed.
#
# Intervals combine the noise between seeds (pooled over models of one kind) and the choice of test items (clusters
# resampled). `detectable` is the smallest true gain that this design would find with 80 % power.
#
# Each task is decided first. **C05** holds in a task if the interval lies above 0, and is refuted if the gain is
# shown to be below 0.5 points. **C06** holds if the interval lies above 0 and overlaps 1 to 3 points, and is
# refuted if the gain is shown to be outside. All four tasks hold: reproduced; some, after Holm's correction:
# partly; none, and one refuted: not reproduced. A task with fewer than 3 seeds is missing.

# %% tags=["parameters"]
claim: str = "C05"
results: str = "results/offline"
profile: str = "params.yaml"
output: str = "results/offline/claims/C05"

# %%
from crosslayer.paper import gains, show

source = show.open_source(results, profile)
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
