"""Dutch: two genders, an adjective ending, *geen*, verb-second main clauses, verb-final ones, separable verbs."""

from __future__ import annotations

from crosslayer.data.fragment.meanings import Clause, Phrase
from crosslayer.data.fragment.realise import COMMA, Realiser, Token, Tokens, gap

ARTICLES, RELATIVES = {"c": "de", "n": "het"}, {"c": "die", "n": "dat"}
MODALS = {"must": ("moest", "moesten"), "can": ("kon", "konden"), "want": ("wilde", "wilden")}
NOT, AND, WHO = Token("niet", "ADV"), Token("en", "CCONJ"), Token("wie", "PRON")
NO, AN = Token("geen", "DET"), Token("een", "DET")
CONNECTIVES = {"because": "omdat", "that": "dat"}


class Dutch(Realiser):
    """Dutch words and order. Order in the middle field: known object, time, negation, manner, place.

    An agent or a new object comes last, and a place then before the negation and the manner.
    """

    numerals = ("twee", "drie", "vier", "vijf")

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

    def _subject(self, clause: Clause) -> Tokens:
        if clause.question == "who":
            return [WHO]
        first = clause.object if clause.passive else clause.subject
        assert first is not None
        return self.phrase(first)

    def _verbs(self, clause: Clause) -> tuple[Token, Tokens]:
        """The finite verb and what stands at the end of a main clause."""
        plural = clause.subject.count > 1
        if clause.kind != "event":
            what = [Token(self.adjectives[clause.predicate][0], "ADJ")] if clause.kind == "state" else []
            return Token("waren" if plural else "was", "AUX"), what
        singular_form, plural_form, participle, infinitive, *prefix = self.verbs[clause.predicate]
        if clause.passive:
            assert clause.object is not None
            auxiliary = "werden" if clause.object.count > 1 else "werd"
            return Token(auxiliary, "AUX"), [Token(participle, "VERB")]
        if clause.modal:
            return Token(MODALS[clause.modal][plural], "AUX"), [Token(infinitive, "VERB")]
        form = plural_form if plural else singular_form
        return Token(form, "VERB"), [Token(particle, "ADP") for particle in prefix]

    def _verb_final(self, clause: Clause) -> Tokens:
        """All verb forms at the end of a subordinate clause, a separable prefix joined to its verb."""
        finite, final = self._verbs(clause)
        if clause.modal:
            return [finite, *final]
        if finite.upos == "AUX":
            return [*final, finite]
        return [finite._replace(form="".join(token.form for token in final) + finite.form)]

    def _middle(self, clause: Clause, with_object: bool = True) -> Tokens:
        what = clause.object if with_object and not clause.passive else None
        late = what is not None and _stands_late(what, clause.negated)
        object_ = self._object(clause, what) if what else []
        negation = [NOT] if clause.negated and not (what and _denied_by_article(what)) else []
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

    def _place(self, place: Phrase | None) -> Tokens:
        if place is None:
            return []
        preposition = "in" if place.sort == "place" else self.spots[place.head][0]
        return [Token(preposition, "ADP"), *self.phrase(place)]

    def _link(self, clause: Clause) -> Tokens:
        if clause.link is None:
            return []
        word, second = clause.link
        if word == "and":
            return [AND, *self.clause(second)]
        time_first = self.adjunct(second.time) if second.front else []
        body = [*time_first, *self._subject(second), *self._middle(second), *self._verb_final(second)]
        return [Token(CONNECTIVES[word], "SCONJ"), *body]


def _stands_late(what: Phrase, negated: bool) -> bool:
    """Whether an object follows the adjuncts: what is new does, and so does a place unless *niet* follows."""
    return what.count > 1 or not what.definite or (what.sort == "place" and not negated)


def _denied_by_article(what: Phrase) -> bool:
    """Whether an object has an article that *geen* can take the place of."""
    return what.sort == "noun" and what.count == 1 and not what.definite
