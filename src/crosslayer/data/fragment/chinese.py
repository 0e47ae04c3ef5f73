"""Chinese: no inflection; classifiers, aspect particles, modifiers before the noun, adjuncts before the verb."""

from __future__ import annotations

from typing import ClassVar

from crosslayer.data.fragment.meanings import Clause, Phrase
from crosslayer.data.fragment.realise import Realiser, Token, Tokens, parse

NO_PASSIVE = {"leave"}
"""Verbs that 被 does not go with: their object stands first instead, as the topic."""


class Chinese(Realiser):
    """Chinese words and order: [time,] subject time negation or modal place [被 agent] manner verb 了 object.

    What is definite has 那 and a classifier, what is not has 一 and a classifier, or nothing under negation; the
    nouns of place adjuncts are bare. Organisations are named without a noun such as 公司. The middle dot in the
    name of a person is a token of its own, as in the treebanks, and part of the name.
    """

    name_separator: ClassVar = " · "

    def text(self, clause: Clause) -> str:
        """See `Realiser.text`; there are no spaces."""
        return "".join(token.form for token in self.sentence(clause))

    def clause(self, clause: Clause) -> Tokens:
        time = self.adjunct(clause.time) if clause.front else []
        rest = self._predicate(clause)
        if clause.passive and clause.predicate in NO_PASSIVE:
            return [*self._subject(clause), *self.word("pause"), *time, *self.phrase(clause.subject), *rest]
        opening = [*time, *self.word("pause")] if time else []
        asking = self.word("whether") if clause.question == "whether" else []
        return [*opening, *self._subject(clause), *rest, *asking, *self._link(clause, rest[-1])]

    def _noun_phrase(self, phrase: Phrase, case: str, negated: bool) -> Tokens:
        """See `Realiser.phrase`: what is indefinite has no determiner under negation."""
        noun, *classifier = self.nouns[phrase.head]
        bare = negated and phrase.count == 1 and not phrase.definite
        determiner = [] if bare else [*self._determiner(phrase), Token(classifier[0], "NOUN")]
        attribute = parse(" ".join(self.adjectives[phrase.adjective])) if phrase.adjective else []
        relative = self._relative(phrase)
        if phrase.relative and phrase.relative.subject.head != phrase.head:
            return [*relative, *determiner, *attribute, Token(noun, "NOUN")]
        return [*determiner, *relative, *attribute, Token(noun, "NOUN")]

    def _relative_clause(self, phrase: Phrase, clause: Clause, as_subject: bool) -> Tokens:
        """A clause with its 了 only where an object follows the verb."""
        if as_subject:
            return [*self._predicate(clause), *self.word("of")]
        return [*self._subject(clause), *self._before_verb(clause), *self._verb(clause), *self.word("of")]

    def _predicate(self, clause: Clause) -> Tokens:
        time = self._late_time(clause)
        if clause.kind == "event":
            return [*self._before_verb(clause), *self._verb(clause), *self._after_verb(clause)]
        if clause.kind == "state":
            states = " ".join(self.adjectives[clause.predicate]).split("|")
            return [*time, *parse(states[clause.negated])]
        if clause.kind == "role":
            place = [*self.phrase(clause.place), *self.word("of")] if clause.place else []
            return [*time, *self.word("once"), *self.word("is"), *place, *self._objects(clause)]
        return [*time, *(self.word("is not") if clause.negated else []), *self._place(clause.place)]

    def _before_verb(self, clause: Clause) -> Tokens:
        negation = self.word("not") if clause.negated else []
        modal = self.word(clause.modal) if clause.modal else []
        by = clause.passive and clause.predicate not in NO_PASSIVE
        agent = [*self.word("by"), *self.phrase(clause.subject)] if by else []
        place, manner = self._place(clause.place), self.adjunct(clause.manner)
        return [*self._late_time(clause), *negation, *modal, *place, *agent, *manner]

    def _verb(self, clause: Clause) -> Tokens:
        """A verb, another one for places and for people where the lexicon has three."""
        thing, *others = " ".join(self.verbs[clause.predicate]).split("|")
        form = thing
        if others and clause.object and (clause.object.human or clause.object.sort == "place"):
            form = others[clause.object.human]
        return parse(" ".join(word if "/" in word else f"{word}/VERB" for word in form.split()))

    def _after_verb(self, clause: Clause) -> Tokens:
        """The aspect, which negated and modal verbs and verbs of speech lack, and the object or the objects."""
        reported = clause.link is not None and clause.link[0] == "that"
        plain = clause.negated or clause.modal or reported
        aspect = parse(*self.tables["aspects"].get(clause.predicate, ["了/AUX"]))
        return [*([] if plain else aspect), *([] if clause.passive else self._objects(clause))]

    def _placed(self, place: Phrase) -> Tokens:
        """A place after 在, a noun before its localiser."""
        if place.sort == "place":
            return [*self.word("in"), *self.name(place)]
        return [*self.word("in"), Token(self.nouns[place.head][0], "NOUN"), *self._preposition(place)]
