"""Random meanings from one half of the inventory: phrases, events, states and the sentence patterns."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import replace

from crosslayer.data.fragment.meanings import Clause, Half, Phrase

SLOTS: tuple[str, ...] = ("time", "manner", "place")
NO_MANNER: tuple[str, ...] = ("time", "place")
"""Adjuncts of a negated event with an indefinite object: a manner there reads badly in German and Spanish."""
PEOPLE = ("person", "organisation")


class Draw:
    """A source of random meanings from ``half``; ``rng`` is the only source of chance."""

    def __init__(self, half: Half, rng: random.Random) -> None:
        self.half = half
        self.rng = rng
        self.objects = (*half.kinds, "site", *PEOPLE)
        self.anything = (*self.objects, "place")

    def chance(self, probability: float) -> bool:
        return self.rng.random() < probability

    def named(self, given: Sequence[str], surname: float = 0.7) -> Phrase:
        """Somebody with one of these given names, with a surname at this probability."""
        name = self.rng.choice(given)
        return Phrase(self._full(name) if self.chance(surname) else name, "person", human=True)

    def named_person(self) -> Phrase:
        return self.named(self.rng.choice((self.half.women, self.half.given["m"])))

    def named_lady(self) -> Phrase:
        """A woman's full name whose parts take no case endings in Slavic languages."""
        return replace(self.named(self.half.given["steady"], 1), courtesy=True)

    def _full(self, given: str) -> str:
        return f"{given} {self.rng.choice(self.half.surnames)}"

    def worker(self, adjective: float = 0.5) -> Phrase:
        """A person by occupation, with an attribute at this probability."""
        attribute = self.rng.choice(self.half.attributes["person"]) if self.chance(adjective) else None
        return Phrase(self.rng.choice(self.half.people), human=True, adjective=attribute)

    def person(self) -> Phrase:
        return self.named_person() if self.chance(0.5) else self.worker()

    def organisation(self) -> Phrase:
        return Phrase(self.rng.choice(self.half.organisations).replace("_", " "), "organisation")

    def place(self) -> Phrase:
        return Phrase(self.rng.choice(self.half.places).replace("_", " "), "place")

    def site(self) -> Phrase:
        attribute = self.rng.choice(self.half.attributes["site"]) if self.chance(0.5) else None
        return Phrase(self.rng.choice(self.half.sites), adjective=attribute)

    def thing(self, sort: str) -> Phrase:
        """Something that belongs to a class of objects; things are not mentioned before."""
        if sort in self.half.kinds:
            return Phrase(self.rng.choice(self.half.kinds[sort]), definite=False)
        makers = {"site": self.site, "place": self.place, "person": self.person, "organisation": self.organisation}
        return makers[sort]()

    def event(self, sorts: Sequence[str], adjuncts: Sequence[str] = ()) -> Clause:
        """Someone does something to an object of one of these classes, with these adjuncts."""
        verb, sort = self.rng.choice(self.half.verbs_for(*sorts))
        takes_organisations = "organisation" in self.half.verbs[verb]
        if takes_organisations and sort == "person" and "organisation" in sorts and self.chance(0.8):
            sort = "organisation"
        object_ = self.thing(sort)
        subject = self.organisation() if takes_organisations and self.chance(0.7) else self.person()
        while subject.name == object_.name:
            subject = self.person()
        return self.adjoin(Clause(verb, subject, object_), adjuncts)

    def two_events(self, sorts: Sequence[str], adjuncts: Sequence[str]) -> tuple[Clause, Clause]:
        """Two different events of different people, the first with these adjuncts."""
        one, two = self.event(sorts, adjuncts), self.event(sorts)
        while two.predicate == one.predicate or two.subject.name == one.subject.name:
            two = self.event(sorts)
        return one, two

    def adjoin(self, clause: Clause, slots: Sequence[str]) -> Clause:
        """``clause`` with an adjunct in each of these slots, where it can have one."""
        return replace(
            clause,
            time=self.rng.choice(self.half.times) if "time" in slots else clause.time,
            manner=self.rng.choice(self.half.manners) if "manner" in slots else clause.manner,
            place=self._place_of(clause) if "place" in slots else clause.place,
        )

    def _place_of(self, clause: Clause) -> Phrase | None:
        """Where it may happen: with buildings and organisations in a city, with cities nowhere else."""
        object_ = clause.object
        if object_ is not None and object_.sort == "place":
            return None
        fixed = object_ is not None and (object_.sort == "organisation" or object_.head in self.half.sites)
        if fixed or clause.subject.sort == "organisation" or self.chance(0.4):
            return self.place()
        return Phrase(self.rng.choice(self.half.spots))

    def slots(self, count: int, among: Sequence[str] = SLOTS) -> list[str]:
        return self.rng.sample(among, count)

    def one_or_two_slots(self) -> list[str]:
        return self.slots(self.rng.choice((1, 2, 2)))

    def bearer(self) -> tuple[Phrase, str]:
        """Whose state is described, a site with what happened to it, and the class of states that fit."""
        if self.chance(0.3):
            return self.person(), "person"
        site = self.site()
        return replace(site, relative=self.past_of(site)), "site"

    def past_of(self, site: Phrase) -> Clause:
        """What someone did to ``site``, as a relative clause."""
        verb, _ = self.rng.choice(self.half.verbs_for("site"))
        return Clause(verb, self.named_person(), site)

    def namings(self, phrase: Phrase) -> tuple[Phrase, Phrase]:
        """The same thing named twice, one time more fully; each is the full one in half of the cases.

        What has one name only, organisations and things not mentioned before, comes back as it is.
        """
        if phrase.sort == "organisation" or not phrase.definite:
            return phrase, phrase
        if phrase.sort == "person":
            full = phrase if " " in phrase.head else replace(phrase, head=self._full(phrase.head))
            pair = [full, replace(phrase, head=phrase.name)]
        else:
            attributes = self.half.attributes["person" if phrase.human else "site"]
            full = replace(phrase, adjective=phrase.adjective or self.rng.choice(attributes))
            pair = [full, replace(phrase, adjective=None)]
        self.rng.shuffle(pair)
        if phrase.relative is not None:
            number = self.rng.randrange(2)
            pair[number] = replace(pair[number], relative=None)
        return pair[0], pair[1]

    def surface(self, clause: Clause, passive: bool) -> Clause:
        """The same meaning in a random order, and in that voice if it can be had."""
        passive = passive and can_be_passive(clause)
        front = clause.time is not None and self.chance(0.3) and (passive or not names_meet(clause))
        return replace(clause, front=front, passive=passive)

    def fronted(self, clause: Clause) -> Clause:
        """``clause`` with its time first in three of ten cases, unless that joins two names."""
        may = clause.time is not None and (clause.passive or not names_meet(clause))
        return replace(clause, front=may and self.chance(0.3))

    def state(self, negated: float) -> Clause:
        subject, sort = self.bearer()
        if self.chance(0.6):
            subject = replace(subject, relative=None)
        adjective = self.rng.choice(self.rng.choice(self.half.states[sort]))
        slots = ["time"] if self.chance(0.8) else []
        return replace(self.adjoin(Clause(adjective, subject, kind="state"), slots), negated=self.chance(negated))


def can_be_passive(clause: Clause) -> bool:
    """Whether a passive of it is natural: the object is definite."""
    return clause.object is not None and clause.object.definite


def names_meet(clause: Clause) -> bool:
    """Whether a verb-final clause or one with the time first would join two names as if they were one."""
    return clause.subject.sort != "noun" and clause.object is not None and clause.object.sort != "noun"


def transitive(draw: Draw) -> Clause:
    """*The doctor secretly bought an apple at the market.*"""
    clause = draw.event(draw.objects, draw.one_or_two_slots())
    negated = draw.chance(0.25) and (clause.manner is None or can_be_passive(clause))
    return draw.fronted(replace(clause, negated=negated))


def intransitive(draw: Draw) -> Clause:
    """*Anna Weber worked in Berlin on Monday.*"""
    clause = Clause(draw.rng.choice(draw.half.intransitive), draw.person(), negated=draw.chance(0.25))
    clause = draw.adjoin(clause, ("place", *draw.slots(1, ("time",))))
    return replace(clause, front=draw.chance(0.4))


def copula(draw: Draw) -> Clause:
    """*The old school was closed in summer.*"""
    return draw.fronted(draw.state(negated=0.3))


def passive(draw: Draw) -> Clause:
    """*The bridge was painted by the engineer.*"""
    clause = draw.fronted(replace(draw.event(["site", *PEOPLE], draw.one_or_two_slots()), passive=True))
    return replace(clause, negated=draw.chance(0.25))


def relative(draw: Draw) -> Clause:
    """*The teacher who criticised Nokia worked in Madrid.*"""
    if draw.chance(0.4):
        site = draw.site()
        state = draw.rng.choice(draw.rng.choice(draw.half.states["site"]))
        return Clause(state, replace(site, relative=draw.past_of(site)), kind="state", negated=draw.chance(0.2))
    who = draw.worker()
    inner = draw.event(["place", *PEOPLE])
    while inner.object is not None and inner.object.head == who.head:
        inner = draw.event(["place", *PEOPLE])
    subject = replace(who, relative=replace(inner, subject=who))
    outer = Clause(draw.rng.choice(draw.half.intransitive), subject)
    return draw.adjoin(outer, draw.slots(1, ("place", "time")))


def subordinate(draw: Draw) -> Clause:
    """*Clara said that David found a hammer*; *Paul sang because the shop was closed.*"""
    if draw.chance(0.5):
        while names_meet(inner := draw.event(draw.anything, draw.slots(1))):
            pass
        return Clause(draw.rng.choice(draw.half.speech), draw.person(), link=("that", inner))
    reason = draw.state(negated=0.2)
    outer = draw.event([*draw.half.kinds, *PEOPLE], draw.slots(1, ("time",)))
    return replace(outer, link=("because", replace(reason, time=None)))


def coordination(draw: Draw) -> Clause:
    """*Laura visited Rome and Hugo drew three horses.*"""
    one, two = draw.two_events(draw.anything, draw.slots(1, NO_MANNER))
    return replace(one, link=("and", two))


def quantity(draw: Draw) -> Clause:
    """*Four students bought five lemons on Tuesday.*"""
    clause = draw.event(list(draw.half.kinds), draw.one_or_two_slots())
    assert clause.object is not None
    subject = replace(draw.worker(), count=draw.rng.randint(2, 5)) if draw.chance(0.5) else clause.subject
    object_ = replace(clause.object, count=draw.rng.randint(2, 5))
    return draw.fronted(replace(clause, subject=subject, object=object_))


def role(draw: Draw) -> Clause:
    """*David Novak was a young teacher in Vienna.*"""
    what = replace(draw.worker(adjective=0.6), definite=False)
    man = draw.named(draw.half.given["m"])  # as the masculine nouns of occupations ask for
    return Clause("", man, what, kind="role", place=draw.place())


def location(draw: Draw) -> Clause:
    """*The famous painter was in Vienna in March.*"""
    clause = draw.adjoin(Clause("", draw.person(), kind="location"), ("place", *draw.slots(1, ("time",))))
    return replace(clause, negated=draw.chance(0.25), front=draw.chance(0.3))


def modality(draw: Draw) -> Clause:
    """*The waiter had to wash two coats in the garden.*"""
    clause = draw.event(draw.objects, draw.slots(1, NO_MANNER))
    return draw.fronted(replace(clause, modal=draw.rng.choice(("must", "can", "want"))))


def whether(draw: Draw) -> Clause:
    """*Did the tailor find a hammer in the cellar?*"""
    clause = draw.event(draw.objects, draw.slots(draw.rng.choice((1, 2, 2)), NO_MANNER))
    while names_meet(clause):
        clause = draw.event(draw.objects, draw.slots(1, NO_MANNER))
    return replace(clause, question="whether")


def who(draw: Draw) -> Clause:
    """*Who painted the old bridge in summer?*"""
    clause = draw.event(draw.anything, draw.one_or_two_slots())
    return replace(clause, question="who")


def two_objects(draw: Draw) -> Clause:
    """*Jane Walker bought a shirt and a coat on Thursday.*"""
    clause = draw.event(list(draw.half.kinds), draw.slots(1, NO_MANNER))
    assert clause.object is not None
    first = clause.object.head
    others = [noun for noun in draw.half.kinds[draw.half.kind_of(first)] if noun != first]
    return replace(clause, also=replace(clause.object, head=draw.rng.choice(others)))


PATTERNS: tuple[Callable[[Draw], Clause], ...] = (
    transitive, intransitive, copula, passive, relative, subordinate, coordination, quantity,
    role, location, modality, whether, who, two_objects,
)  # fmt: skip
