"""Dutch: two genders, an adjective ending, *geen*, verb-second main clauses, verb-final ones, separable verbs."""

from __future__ import annotations

from typing import ClassVar

from crosslayer.data.fragment.meanings import Clause, Phrase
from crosslayer.data.fragment.realise import COMMA, Token, Tokens, gap
from crosslayer.data.fragment.verbsecond import VerbSecond, denied_by_article, stands_late

ARTICLES, RELATIVES = {"c": "de", "n": "het"}, {"c": "die", "n": "dat"}
NOT, AND = Token("niet", "ADV"), Token("en", "CCONJ")
NO, AN = Token("geen", "DET"), Token("een", "DET")
CONNECTIVES = {"because": "omdat", "that": "dat"}


class Dutch(VerbSecond):
    """Dutch words and order. Order in the middle field: known object, time, negation, manner, place.

    An agent or a new object comes last, and a place then before the negation and the manner.
    """

    numerals = ("twee", "drie", "vier", "vijf")
    who = Token("wie", "PRON")
    be, become = ("was", "waren"), ("werd", "werden")
    modals: ClassVar = {"must": ("moest", "moesten"), "can": ("kon", "konden"), "want": ("wilde", "wilden")}

    def clause(self, clause: Clause) -> Tokens:
        """One constituent, which a question whether lacks, the finite verb, the rest; see `Realiser.clause`."""
        subject = self._subject(clause)
        finite, final = self._verbs(clause)
        rest = [*self._middle(clause), *final]
        if clause.question == "whether":
            return [finite, *subject, *rest]
        start, inner = (self.adjunct(clause.time), subject) if clause.front else (subject, [])
        return [*start, finite, *inner, *rest, *self._link(clause)]

    def phrase(self, phrase: Phrase, negated: bool = False) -> Tokens:
        """A noun phrase or a name; ``negated`` makes the indefinite article ``geen``."""
        if phrase.sort != "noun":
            return self.name(phrase)
        gender, *numbers = self.nouns[phrase.head]
        adjective = [Token(self._attribute(phrase, gender), "ADJ")] if phrase.adjective else []
        noun = Token(numbers[phrase.count > 1], "NOUN")
        return [self._determiner(phrase, gender, negated), *adjective, noun, *self._relative(phrase, gender)]

    def _determiner(self, phrase: Phrase, gender: str, negated: bool) -> Token:
        if phrase.count > 1:
            return self.numeral(phrase.count)
        if phrase.definite:
            return Token(ARTICLES[gender], "DET")
        return NO if negated else AN

    def _attribute(self, phrase: Phrase, gender: str) -> str:
        """The adjective, which has no ending before an indefinite neuter singular."""
        assert phrase.adjective is not None
        bare, ending = self.adjectives[phrase.adjective]
        return bare if gender == "n" and not phrase.definite and phrase.count == 1 else ending

    def _relative(self, phrase: Phrase, gender: str) -> Tokens:
        """A restrictive clause, with a comma after it alone."""
        clause = phrase.relative
        if clause is None:
            return []
        pronoun = Token("die" if phrase.count > 1 else RELATIVES[gender], "PRON")
        as_subject = gap(phrase) == "subject"
        subject = [] if as_subject else self._subject(clause)
        middle = self._middle(clause, with_object=as_subject)
        return [pronoun, *subject, *middle, *self._verb_final(clause), COMMA]

    def _verb_final(self, clause: Clause) -> Tokens:
        """See `VerbSecond`; a modal stands before its infinitive."""
        finite, final = self._verbs(clause)
        return [finite, *final] if clause.modal else super()._verb_final(clause)

    def _middle(self, clause: Clause, with_object: bool = True) -> Tokens:
        what = clause.object if with_object and not clause.passive else None
        late = what is not None and stands_late(what, clause.negated)
        object_ = self._object(clause, what) if what else []
        negation = [NOT] if clause.negated and not (what and denied_by_article(what)) else []
        agent = [Token("door", "ADP"), *self.phrase(clause.subject)] if clause.passive else []
        before = [] if late else object_
        time = [] if clause.front else self.adjunct(clause.time)
        new = object_ if late else agent
        manner, place = self.adjunct(clause.manner), self._place(clause.place)
        if new and clause.kind != "role":
            return [*before, *time, *place, *negation, *manner, *new]
        return [*before, *time, *negation, *manner, *new, *place]

    def _object(self, clause: Clause, what: Phrase) -> Tokens:
        """The object or the objects, or a role, which has an article only with an attribute or as *geen*."""
        words = self.phrase(what, clause.negated)
        if clause.kind == "role" and not what.adjective and not clause.negated:
            return words[1:]
        return [*words, AND, *self.phrase(clause.also, clause.negated)] if clause.also else words

    def _link(self, clause: Clause) -> Tokens:
        if clause.link is None:
            return []
        word, second = clause.link
        if word == "and":
            return [AND, *self.clause(second)]
        time_first = self.adjunct(second.time) if second.front else []
        body = [*time_first, *self._subject(second), *self._middle(second), *self._verb_final(second)]
        return [Token(CONNECTIVES[word], "SCONJ"), *body]
