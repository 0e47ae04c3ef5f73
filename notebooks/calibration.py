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
# # Calibration after multilingual intermediate training
#
# The question of the source report: does the calibration of zero-shot cross-lingual transfer change if the
# intermediate task is multilingual instead of English only? Three arms (no intermediate task, English only,
# multilingual with as many items), then the same fine-tuning in English.
#
# The **primary measure** is the expected calibration error of the languages other than English: 10 bins of
# equal mass, debiased (the plug-in form reads 4 points at 300 items even if calibration is perfect), before
# any scaling. Multilingual minus English only, mean over the target tasks, one interval. A difference that two
# one-sided tests show to lie within 1 point is **practically none**; else it **improves** below 0, **worsens**
# above 0, and is **undecided** if the interval holds 0. There is no value in the literature to compare with.
#
# **Second** come Brier score and negative log-likelihood, and all three after temperature scaling fitted on
# English dev. Accuracy and mean confidence (sharpness) always stand beside them, since an arm can be better
# calibrated only by being worse. **Exploratory** is the rest: other binning rules, single labels, predicted
# spans (NER), vector scaling and isotonic regression, risk against coverage, language families and distance
# from English (steps up the language tree: 1 Germanic, 2 other Indo-European, 3 the rest), and what layer
# fusion or label smoothing does to calibration in the sweep.

# %% tags=["parameters"]
claim: str = "Q01"
results: str = "results/offline"
profile: str = "params.yaml"
output: str = "results/offline/claims/Q01"

# %%
from crosslayer.paper import calibration, show

source = show.open_source(results, profile)
evidence = calibration.measure(claim, source.run, source.profile)
show.summary(evidence)

# %% [markdown]
# ## What the verdict reads

# %%
show.judged(evidence)

# %% [markdown]
# ## Figures

# %%
display(*show.keep(evidence, calibration.figures, source, output))

# %% [markdown]
# ## By target and arm

# %%
show.shown(evidence)
