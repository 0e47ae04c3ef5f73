"""Verdicts computed from evidence by the rule that the registry names, never typed by hand."""

from __future__ import annotations

from collections.abc import Mapping

from claimtrack.decisions import Decision
from claimtrack.entries import Entry
from claimtrack.evidence import Evidence
from claimtrack.plugin import Plugin
from claimtrack.rules import Case, Judgement
from claimtrack.runs import FRESH, Setting
from claimtrack.statistics import MIN_SEEDS
from claimtrack.verdict import Verdict
from claimtrack.wording import sentence


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
    known = plugin.all_conditions  # the last of an entry is for `any`
    relevance = next(item for item in entry.relevance if known[item.when](setting))
    return Verdict(
        claim=entry.id, profile=setting.profile, run=run, verdict=verdict, because=because,
        decisions=_with_hours(decisions, evidence, hours_per_seed or {}),
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
        reason = "; ".join(evidence.missing) or _nothing_found(entry, evidence)
        return Judgement("not run", f"Nothing to measure it from: {reason}.")
    few = [part for part in parts if part.n_seeds < MIN_SEEDS and (part.n_seeds or not rule.seedless)]
    if not few:
        return rule.judge(Case(entry, evidence, rule, titles))
    rest = tuple(part for part in evidence.parts if part not in few)
    without = evidence.model_copy(update={"parts": rest, "headline": None})
    if rule.parts(entry, without):
        verdict, because, decisions = rule.judge(Case(entry, without, rule, titles))
        verdict = "inconclusive" if rule.claimed and verdict == "reproduced" else verdict
        note = f"{because[:-1]}; not counted, with fewer than {MIN_SEEDS} seeds: {sentence(few, titles)}."
        return Judgement(verdict, note, decisions)
    most = max(part.n_seeds for part in few)
    needed = f"{most} seed{'' if most == 1 else 's'} at most, and at least {MIN_SEEDS} are needed"
    return Judgement("inconclusive", f"{sentence(few, titles)}; cannot be decided at this size: {needed}.")


def _nothing_found(entry: Entry, evidence: Evidence) -> str:
    """What a rule looked for in vain: mistyped names of measures and units end here."""
    measured = sorted({f"{part.measure} ({part.unit})" for part in evidence.parts if part.judged})
    if not (measured and entry.claimed.named_measures()):
        return "no part"
    return f"the registry names {', '.join(entry.claimed.named_measures())}, the evidence {', '.join(measured)}"


def _with_hours(
    decisions: Mapping[str, Decision], evidence: Evidence | None, hours: Mapping[str, float]
) -> dict[str, Decision]:
    """The same decisions, with what the seeds that are missing would cost."""
    there = evidence.seeds_by_name if evidence else {}
    cost = {
        task: round((found.seeds - there.get(task, 0)) * hours[task], 1)
        for task, found in decisions.items()
        if found.seeds is not None and task in hours
    }
    return {task: found.model_copy(update={"hours": cost.get(task)}) for task, found in decisions.items()}
