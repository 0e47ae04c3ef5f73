"""Pairs of meanings with the label that follows from how the second was made from the first.

In both tasks whatever a single sentence shows (negation, voice, order, number of adjuncts, hypernyms) is
equally frequent under every label, so that only the relation of the two sentences tells them apart.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import product
from typing import Literal

from crosslayer.data.fragment.draw import NO_MANNER, PEOPLE, SLOTS, Draw
from crosslayer.data.fragment.meanings import Clause, Phrase

Pair = tuple[Clause, Clause]
Trick = Literal["adjunct", "kind", "state"]
Relation = Literal["wider", "narrower", "opposite", "other"]


@dataclass(frozen=True, slots=True)
class Recipe:
    """How a pair for inference is made.

    Attributes:
        label: what follows from the other three.
        trick: ``adjunct`` drops or adds one, ``kind`` trades a noun and its hypernym, ``state`` an adjective.
        relation: what the positive hypothesis is to the positive premise: ``wider`` holds whenever the premise
            does, ``narrower`` the reverse, ``opposite`` holds exactly if it does not, ``other`` is independent.
        negated: whether premise and hypothesis are.
    """

    label: str
    trick: Trick
    relation: Relation
    negated: tuple[bool, bool]


EVENT_LABELS: dict[tuple[Relation, tuple[bool, bool]], str] = {
    ("wider", (False, False)): "entailment",
    ("narrower", (True, True)): "entailment",
    ("wider", (False, True)): "contradiction",
    ("narrower", (True, False)): "contradiction",
    ("narrower", (False, False)): "neutral",
    ("wider", (True, True)): "neutral",
    ("narrower", (False, True)): "neutral",
    ("wider", (True, False)): "neutral",
}


def _recipes() -> dict[str, list[Recipe]]:
    """Recipes by label, twenty of each: eight events and twelve states, each polarity as often under each label.

    Negating one sentence of two costs an event more shared words than a state, hence more states.
    """
    recipes = [
        Recipe(label, trick, relation, negated)
        for (relation, negated), label in EVENT_LABELS.items()
        for trick in ("adjunct", "kind")
        for _ in range(1 if label == "neutral" else 2)
    ]
    for first, second in product((False, True), repeat=2):
        label = "contradiction" if first == second else "entailment"
        recipes += 6 * [Recipe(label, "state", "opposite", (first, second))]
        recipes += 3 * [Recipe("neutral", "state", "other", (first, second))]
    return {
        label: [recipe for recipe in recipes if recipe.label == label]
        for label in ("entailment", "neutral", "contradiction")
    }


RECIPES = _recipes()


def inference(draw: Draw, recipe: Recipe) -> Pair:
    """A premise and a hypothesis."""
    first, second = TRICKS[recipe.trick](draw, recipe)
    negated_first, negated_second = recipe.negated
    return (
        replace(draw.surface(first), negated=negated_first),
        replace(draw.surface(second), negated=negated_second),
    )


def _by_adjunct(draw: Draw, recipe: Recipe) -> Pair:
    full, slots = _full_event(draw)
    second = draw.slots(draw.rng.randint(1, len(slots) - 1), slots)
    spare = [slot for slot in slots if slot not in second]
    if recipe.label == "neutral" and draw.chance(0.1):
        first = [*second[1:], draw.rng.choice(spare)]
    elif recipe.relation == "wider":
        first = [*second, draw.rng.choice(spare)]
    else:
        first = second[1:]
    return _restrict(full, first), _restrict(full, second)


def _full_event(draw: Draw) -> tuple[Clause, Sequence[str]]:
    """An event with all its adjuncts, and their slots."""
    if draw.chance(0.6):
        return draw.event(["site", "person", "organisation"], SLOTS), SLOTS
    event = draw.event(list(draw.half.kinds), NO_MANNER)
    return (_of_kind(draw, event) if draw.chance(0.5) else event), NO_MANNER


def _of_kind(draw: Draw, clause: Clause) -> Clause:
    """``clause`` with the hypernym of its object."""
    assert clause.object is not None
    return replace(clause, object=replace(clause.object, head=draw.half.kind_of(clause.object.head)))


def _restrict(clause: Clause, slots: list[str]) -> Clause:
    """``clause`` with no adjuncts but these."""
    return replace(
        clause,
        time=clause.time if "time" in slots else None,
        manner=clause.manner if "manner" in slots else None,
        place=clause.place if "place" in slots else None,
    )


def _by_kind(draw: Draw, recipe: Recipe) -> Pair:
    narrow = draw.event(list(draw.half.kinds), draw.slots(draw.rng.choice((0, 1, 2)), NO_MANNER))
    wide = _of_kind(draw, narrow)
    return (narrow, wide) if recipe.relation == "wider" else (wide, narrow)


def _by_state(draw: Draw, recipe: Recipe) -> Pair:
    subject, sort = draw.bearer()
    one, two = draw.rng.sample(draw.half.states[sort], 2)
    first, opposite = draw.rng.sample(one, 2)
    second = opposite if recipe.relation == "opposite" else draw.rng.choice(two)
    base = draw.adjoin(Clause(first, subject, state=True), ["time"] if draw.chance(0.6) else [])
    return base, replace(base, predicate=second)


TRICKS: dict[Trick, Callable[[Draw, Recipe], Pair]] = {
    "adjunct": _by_adjunct, "kind": _by_kind, "state": _by_state,
}  # fmt: skip


def paraphrase(draw: Draw, same: bool) -> Pair:
    """Two sentences of the same words: the same meaning, or with two of its parts exchanged."""
    return _one_event(draw, same) if draw.chance(0.6) else _two_events(draw, same)


def _one_event(draw: Draw, same: bool) -> Pair:
    """One event in two orders or voices; what is exchanged are two names, which no case marks."""
    base = draw.event(PEOPLE, ["time", *draw.slots(1, ("manner", "place"))])
    one, two = _two_names(draw, base)
    base = replace(base, subject=one, object=two)
    return _two_surfaces(draw, base, base if same else replace(base, subject=two, object=one))


def _two_surfaces(draw: Draw, one: Clause, two: Clause) -> Pair:
    """Two clauses that differ in voice or, as often, in order alone."""
    voice, front = draw.chance(0.5), draw.chance(0.5)
    if draw.chance(0.5):
        second = replace(two, passive=voice, front=not front)
    else:
        second = replace(two, passive=not voice, front=draw.chance(0.5))
    return replace(one, passive=voice, front=front), second


def _two_workers(draw: Draw) -> tuple[Phrase, Phrase]:
    heads = draw.rng.sample(draw.half.people, 2)
    adjectives = draw.rng.sample(draw.half.attributes["person"], 2)
    one, two = (
        Phrase(head, human=True, adjective=adjective) for head, adjective in zip(heads, adjectives, strict=True)
    )
    return one, two


def _two_names(draw: Draw, event: Clause) -> tuple[Phrase, Phrase]:
    """Two organisations where the object of ``event`` is one, else two people."""
    organisations = event.object is not None and event.object.sort == "organisation"
    one, two = (draw.organisation() if organisations else draw.named_person(surname=1) for _ in range(2))
    while two.head.split()[0] == one.head.split()[0]:
        two = draw.organisation() if organisations else draw.named_person(surname=1)
    return one, two


def _two_events(draw: Draw, same: bool) -> Pair:
    """Two co-ordinated events in either order; what is exchanged are the people who act or their attributes."""
    one, two = draw.two_events([*draw.half.kinds, "site", "place"], ("time",))
    exchange = _subjects_exchanged
    if draw.chance(0.4):
        first, second = _two_workers(draw)
        one, two = replace(one, subject=first), replace(two, subject=second)
        exchange = _attributes_exchanged
    other_one, other_two = (one, two) if same else exchange(one, two)
    if draw.chance(0.5):
        return replace(one, link=("and", two)), replace(other_two, link=("and", other_one))
    return replace(one, link=("and", two)), replace(other_one, front=True, link=("and", other_two))


def _subjects_exchanged(one: Clause, two: Clause) -> Pair:
    return replace(one, subject=two.subject), replace(two, subject=one.subject)


def _attributes_exchanged(one: Clause, two: Clause) -> Pair:
    return (
        replace(one, subject=replace(one.subject, adjective=two.subject.adjective)),
        replace(two, subject=replace(two.subject, adjective=one.subject.adjective)),
    )
