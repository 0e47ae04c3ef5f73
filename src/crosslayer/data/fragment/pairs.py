"""Pairs of meanings with the label that follows from how the second was made from the first.

In both tasks whatever a single sentence shows (negation, voice, order, number of adjuncts, hypernyms) is
equally frequent under every label, so that only the relation of the two sentences tells them apart.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Literal, NamedTuple

from crosslayer.data.fragment.draw import NO_MANNER, PEOPLE, SLOTS, Draw
from crosslayer.data.fragment.meanings import Clause, Phrase, gender_of

Pair = tuple[Clause, Clause]
Relation = Literal["wider", "narrower", "opposite", "other"]
"""What the positive hypothesis is to the positive premise: ``wider`` holds whenever the premise does, ``narrower``
the reverse, by adjuncts or a hypernym; ``opposite`` holds exactly if it does not, ``other`` is independent, by
adjectives."""


class Recipe(NamedTuple):
    """How a pair for inference is made: the relation, and whether premise and hypothesis are negated."""

    relation: Relation
    negated: tuple[bool, bool]


def _recipes(times: int, *recipes: tuple[Relation, tuple[bool, bool]]) -> list[Recipe]:
    return [Recipe(*recipe) for recipe in recipes for _ in range(times)]


NONE, SECOND, FIRST, BOTH = (False, False), (False, True), (True, False), (True, True)
RECIPES = {
    "entailment": _recipes(4, ("wider", NONE), ("narrower", BOTH), ("opposite", SECOND), ("opposite", FIRST)),
    "neutral": _recipes(
        2,
        ("narrower", NONE), ("wider", BOTH), ("narrower", SECOND), ("wider", FIRST),
        ("other", NONE), ("other", SECOND), ("other", FIRST), ("other", BOTH),
    ),
    "contradiction": _recipes(4, ("wider", SECOND), ("narrower", FIRST), ("opposite", NONE), ("opposite", BOTH)),
}  # fmt: skip
"""Recipes by label: eight about details and eight about states, each polarity as often under each label.

As many entailments as contradictions have one negation, and as many two: the words that negation costs in a
language do not tell the labels apart.
"""
HYPERNYMS: dict[tuple[Relation, bool], dict[tuple[bool, bool], int]] = {
    ("wider", False): {(False, True): 1, (True, True): 1, (False, False): 2},
    ("narrower", False): {(True, False): 1, (False, False): 3},
    ("narrower", True): {(True, False): 1, (True, True): 2, (False, False): 1},
    ("wider", True): {(False, True): 1, (True, True): 3},
}
"""By relation and negation of the premise: whether premise and hypothesis name the hypernym, with weights.

Under every label a positive premise then has it in 1 of 4 cases, a negated one in 3 of 4, and a hypothesis in
half, negated or not: the weights solve these equations. Without them a hypernym under negation would give the
contradiction away, and languages whose negation changes the object's case show that in a single word.
"""


STATES = 0.45
"""The share of details about states; opposites all are."""
KINDS = 0.2
"""The share of events whose object has a hypernym; those have no passive, as their objects are indefinite."""

EXTRA = {"time": 4, "manner": 4, "place": 1}
"""How often each adjunct is the one that only one of two events has.

A place is seldom it: *not in* is one and the same pair of words in Chinese, Dutch or German, and would show.
"""


def inference(draw: Draw, recipe: Recipe) -> Pair:
    """A premise and a hypothesis, each in a voice and an order of its own."""
    make = _detail if recipe.relation in ("wider", "narrower") else _states
    first, second = (
        replace(draw.surface(clause, passive=draw.chance(0.5)), negated=negated)
        for clause, negated in zip(make(draw, recipe), recipe.negated, strict=True)
    )
    return first, second


def _detail(draw: Draw, recipe: Recipe) -> Pair:
    """Two sentences of which one says more."""
    small, large = _more_of_state(draw) if draw.chance(STATES) else _more_of_event(draw, recipe)
    return (large, small) if recipe.relation == "wider" else (small, large)


def _more_of_state(draw: Draw) -> Pair:
    subject, sort = draw.bearer()
    state = Clause(draw.rng.choice(draw.rng.choice(draw.half.states[sort])), subject, kind="state")
    return _named_apart(draw, state, draw.adjoin(state, ("time",)))


def _more_of_event(draw: Draw, recipe: Recipe) -> Pair:
    """An event with fewer and with more adjuncts, or with the hypernym of a noun and with the noun."""
    if draw.chance(KINDS):
        slots = NO_MANNER
        small, large = _heads(draw, draw.event(list(draw.half.kinds), slots), recipe)
    else:
        slots = SLOTS
        small = large = draw.event(["site", *PEOPLE], slots)
    few, many = _adjuncts(draw, slots, more=small == large)
    return _named_apart(draw, _restrict(small, few), _restrict(large, many))


def _states(draw: Draw, recipe: Recipe) -> Pair:
    """A state and its opposite or an independent one.

    Details about states have a time in the premise if it is affirmed and follows or is denied, or if it is negated
    and neither; here it is the other way round, so often that no label has more times in either polarity.
    """
    subject, sort = draw.bearer()
    one, two = draw.rng.sample(draw.half.states[sort], 2)
    first, opposite = draw.rng.sample(one, 2)
    second = opposite if recipe.relation == "opposite" else draw.rng.choice(two)
    often = recipe.negated[0] != (recipe.relation == "other")
    timed = draw.chance((1 + STATES) / 2 if often else (1 - STATES) / 2)
    base = draw.adjoin(Clause(first, subject, kind="state"), ("time",) if timed else ())
    return _named_apart(draw, base, replace(base, predicate=second))


def _named_apart(draw: Draw, one: Clause, two: Clause) -> Pair:
    """Two clauses with the same participants, each named more fully in one of the two, which means nothing."""
    first, second = draw.namings(one.subject)
    one, two = replace(one, subject=first), replace(two, subject=second)
    if one.object is not None and one.object == two.object:
        first, second = draw.namings(one.object)
        one, two = replace(one, object=first), replace(two, object=second)
    return one, two


def _heads(draw: Draw, event: Clause, recipe: Recipe) -> Pair:
    """``event`` in the sentence that says less and in the other, with a hypernym where `HYPERNYMS` says so."""
    weights = HYPERNYMS[recipe.relation, recipe.negated[0]]
    first, second = draw.rng.choices(list(weights), list(weights.values()))[0]
    assert event.object is not None
    wide = replace(event, object=replace(event.object, head=draw.half.kind_of(event.object.head)))
    heads = (wide if first else event), (wide if second else event)
    return heads[::-1] if recipe.relation == "wider" else heads


def _adjuncts(draw: Draw, slots: Sequence[str], more: bool) -> tuple[list[str], list[str]]:
    """The slots filled in the sentence that says less and in the other: the same, or one ``more`` there."""
    extra = draw.rng.choices(slots, [EXTRA[slot] for slot in slots]) if more else []
    others = [slot for slot in slots if slot not in extra]
    shared = draw.slots(draw.rng.randint(0, len(others)), others)
    return shared, shared + extra


def _restrict(clause: Clause, slots: list[str]) -> Clause:
    empty: dict[str, Any] = {slot: None for slot in SLOTS if slot not in slots}
    return replace(clause, **empty)


TURNED = 0.3
"""The share of pairs whose second sentence names the participants in the other order though all else is equal.

In these a different order means the same, in the others it means something else. With as many of both, nothing
but the interaction of order and voice tells the label, and a fine-tuned encoder does not leave chance.
"""


def paraphrase(draw: Draw, same: bool) -> Pair:
    """Two sentences of the same words: the same meaning, or with two of its parts exchanged."""
    return _one_event(draw, same) if draw.chance(0.6) else _two_events(draw, same)


def _one_event(draw: Draw, same: bool) -> Pair:
    """One event, in two voices or, more often, with its time in two places; two names, which no case marks, are
    exchanged."""
    base = draw.event(PEOPLE, ["time", *draw.slots(1, ("manner", "place"))])
    one, two = _two_names(draw, base)
    base = replace(base, subject=one, object=two)
    other = base if same else replace(base, subject=two, object=one)
    voice, front = draw.chance(0.5), draw.chance(0.5)
    if draw.chance(TURNED):
        second = replace(other, passive=not voice, front=draw.chance(0.5))
    else:
        second = replace(other, passive=voice, front=not front)
    return replace(base, passive=voice, front=front), second


def _two_names(draw: Draw, event: Clause) -> tuple[Phrase, Phrase]:
    """Two organisations if the object of ``event`` is one, else two women: no case or gender tells them apart."""
    organisations = event.object is not None and event.object.sort == "organisation"
    make = draw.organisation if organisations else draw.named_lady
    one, two = make(), make()
    while set(one.head.split()) & set(two.head.split()):
        two = make()
    return one, two


def _two_events(draw: Draw, same: bool) -> Pair:
    """Two co-ordinated events in either order; what is exchanged are the people who act or their attributes.

    Those who act are of one gender, so that no agreement of the verb tells that they were exchanged.
    """
    one, two = draw.two_events([*draw.half.kinds, "site", "place"], ("time",))
    while gender_of(one.subject) != gender_of(two.subject):
        one, two = draw.two_events([*draw.half.kinds, "site", "place"], ("time",))
    first, second = one.subject, two.subject
    if draw.chance(0.4):
        heads = draw.rng.sample(draw.half.people, 2)
        attributes = draw.rng.sample(draw.half.attributes["person"], 2)
        one, two = (
            replace(clause, subject=Phrase(head, human=True, adjective=attribute))
            for clause, head, attribute in zip((one, two), heads, attributes, strict=True)
        )
        second, first = (
            Phrase(head, human=True, adjective=a) for head, a in zip(heads, attributes[::-1], strict=True)
        )
    other_one, other_two = (one, two) if same else (replace(one, subject=second), replace(two, subject=first))
    if draw.chance(TURNED):
        return replace(one, link=("and", two)), replace(other_two, link=("and", other_one))
    return replace(one, link=("and", two)), replace(other_one, front=True, link=("and", other_two))
