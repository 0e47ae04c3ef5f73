"""Verdicts computed from evidence by the rule that the registry names, never typed by hand."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from claimtrack.entries import Entry
from claimtrack.evidence import Evidence
from claimtrack.plugin import Plugin
from claimtrack.rules import Case, Judgement
from claimtrack.runs import FRESH, Setting
from claimtrack.statistics import MIN_SEEDS
from claimtrack.verdict import Verdict
from claimtrack.wording import counted, sentence


def decide(
    entry: Entry,
    evidence: Evidence | None,
    setting: Setting,
    plugin: Plugin,
    run: str = FRESH,
    hours_per_seed: Mapping[str, float] | None = None,
) -> Verdict:
    """The verdict on a claim in one run; ``hours_per_seed``: by task, what one more seed of it costs, if known."""
    verdict, because, decisions = judge(entry, evidence, setting, plugin)
    hours, there = hours_per_seed or {}, evidence.seeds_by_name if evidence else {}
    cost = {
        task: round((found.seeds - there.get(task, 0)) * hours[task], 1)
        for task, found in decisions.items()
        if found.seeds is not None and task in hours
    }
    known = plugin.all_conditions  # the last of an entry is for `any`
    relevance = next(item for item in entry.relevance if known[item.when](setting))
    return Verdict(
        claim=entry.id, profile=setting.profile, run=run, verdict=verdict, because=because,
        decisions={task: found.model_copy(update={"hours": cost.get(task)}) for task, found in decisions.items()},
        relevance=relevance.value, relevant_to=entry.relevant_to, relevance_reason=relevance.reason,
        n_seeds=evidence.n_seeds if evidence else 0,
    )  # fmt: skip


def judge(entry: Entry, evidence: Evidence | None, setting: Setting, plugin: Plugin) -> Judgement:
    """The verdict and the sentence behind it, without its relevance."""
    if entry.id not in setting.claims:
        return Judgement("not run", f"The profile {setting.profile} does not measure this claim.")
    if evidence is None:
        return Judgement("not run", "There is no evidence in this run.")
    rule, titles = plugin.all_rules[entry.rule], plugin.titles
    parts = rule.parts(entry, evidence)
    if evidence.status == "missing" or not (parts or (evidence.checks and rule.is_structural)):
        reason = "; ".join(evidence.missing or unknown_names(entry, evidence)) or "no part"
        return Judgement("not run", f"Nothing to measure it from: {reason}.")
    few = [part for part in parts if part.n_seeds < MIN_SEEDS and (part.n_seeds or not rule.seedless)]
    if rule.claimed or not few:
        return rule.judge(Case(entry, evidence, rule, titles))
    rest = tuple(part for part in evidence.parts if part not in few)
    without = evidence.model_copy(update={"parts": rest, "headline": None})
    if rule.parts(entry, without):
        verdict, because, decisions = rule.judge(Case(entry, without, rule, titles))
        note = f"{because[:-1]}; not counted, with fewer than {MIN_SEEDS} seeds: {sentence(few, titles)}."
        return Judgement(verdict, note, decisions)
    most = max(part.n_seeds for part in few)
    needed = f"{counted(most, 'seed')} at most, and at least {MIN_SEEDS} are needed"
    return Judgement("inconclusive", f"{sentence(few, titles)}; cannot be decided at this size: {needed}.")


def unknown_names(entry: Entry, evidence: Evidence) -> Iterator[str]:
    """Measures, units and tasks that the registry names and the evidence does not have, one line each."""
    units = {part.measure: part.unit for part in evidence.parts if part.judged}
    known = ", ".join(units) or "no judged measurement"
    for measure, unit in entry.claimed.named_measures().items():
        if measure not in units:
            yield f"claimed names {measure}, the evidence has {known}"
        elif unit and unit != units[measure]:
            yield f"claimed gives {measure} in {unit}, the evidence in {units[measure]}"
    about = {part.subject for part in evidence.parts} | {part.task for part in evidence.parts}
    for task in (*entry.claimed.by_task, *entry.claimed.other_metric):
        if task not in about:
            yield f"claimed names {task}, which no measurement is about"


def unclaimed(entry: Entry, evidence: Evidence) -> Iterator[str]:
    """Judged measures of which nothing is claimed, for a rule that reads what is claimed, one line each."""
    for measure in dict.fromkeys(part.measure for part in evidence.parts if part.judged):
        if measure not in entry.claimed.measures:
            yield f"{measure} is judged and nothing is claimed of it; claim something, or give it judged=False"
