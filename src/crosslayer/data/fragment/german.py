"""German: three genders, three cases, verb-second main clauses, verb-final subordinate ones, separable verbs."""

from __future__ import annotations

from crosslayer.data.fragment.meanings import Clause, Phrase
from crosslayer.data.fragment.realise import COMMA, Realiser, Token, Tokens, gap

CASES = ("nom", "acc", "dat")
DEFINITE = {
    "m": ("der", "den", "dem"), "f": ("die", "die", "der"), "n": ("das", "das", "dem"),
}  # fmt: skip
INDEFINITE = {"m": ("", "en", "em"), "f": ("e", "e", "er"), "n": ("", "", "em")}
WEAK = {"m": ("e", "en", "en"), "f": ("e", "e", "en"), "n": ("e", "e", "en")}
MIXED = {"m": ("er", "en", "en"), "f": ("e", "e", "en"), "n": ("es", "es", "en")}
STRONG_PLURAL = ("e", "e", "en")
CONTRACTED = {("in", "dem"): "im", ("an", "dem"): "am", ("von", "dem"): "vom"}
NOT = Token("nicht", "PART")
CONNECTIVES = {"and": "und", "because": "weil", "that": "dass"}


class German(Realiser):
    """German words and order. Middle field: known object, time, agent, negation, manner, place, new object."""

    numerals = ("zwei", "drei", "vier", "fünf")

    def clause(self, clause: Clause) -> Tokens:
        """A main clause: one constituent, the finite verb, the rest; see `Realiser.clause`."""
        subject = self._subject(clause)
        finite, final = self._verbs(clause)
        rest = [*self._middle(clause), *final]
        start, inner = (self.adjunct(clause.time), subject) if clause.front else (subject, [])
        return [*start, finite, *inner, *rest, *self._link(clause)]

    def phrase(self, phrase: Phrase, case: str = "nom", negated: bool = False) -> Tokens:
        """A noun phrase or a name; ``negated`` makes the indefinite article ``kein``."""
        if phrase.sort != "noun":
            return self.name(phrase)
        gender = self.nouns[phrase.head][0]
        column = CASES.index(case)
        determiner, ending = self._determiner(phrase, gender, column, negated)
        adjective = [Token(self._stem(phrase.adjective) + ending, "ADJ")] if phrase.adjective else []
        noun = Token(self._noun(phrase, case), "NOUN")
        return [determiner, *adjective, noun, *self._relative(phrase)]

    def _determiner(self, phrase: Phrase, gender: str, column: int, negated: bool) -> tuple[Token, str]:
        """The determiner and the ending of the adjective after it."""
        if phrase.count > 1:
            return self.numeral(phrase.count), STRONG_PLURAL[column]
        if phrase.definite:
            return Token(DEFINITE[gender][column], "DET"), WEAK[gender][column]
        article = ("kein" if negated else "ein") + INDEFINITE[gender][column]
        return Token(article, "DET"), MIXED[gender][column]

    def _stem(self, adjective: str) -> str:
        return self.adjectives[adjective][-1]

    def _noun(self, phrase: Phrase, case: str) -> str:
        _, singular, plural, *declension = self.nouns[phrase.head]
        if phrase.count > 1:
            return plural + "n" if case == "dat" and plural[-1] not in "ns" else plural
        return plural if declension and case != "nom" else singular

    def _relative(self, phrase: Phrase) -> Tokens:
        clause = phrase.relative
        if clause is None:
            return []
        column = 0 if gap(phrase) == "subject" else 1
        pronoun = Token(DEFINITE[self.nouns[phrase.head][0]][column], "PRON")
        subject = [] if gap(phrase) == "subject" else self._subject(clause)
        middle = self._middle(clause, with_object=gap(phrase) == "subject")
        return [COMMA, pronoun, *subject, *middle, *self._verb_final(clause), COMMA]

    def _subject(self, clause: Clause) -> Tokens:
        first = clause.object if clause.passive else clause.subject
        assert first is not None
        return self.phrase(first)

    def _verbs(self, clause: Clause) -> tuple[Token, Tokens]:
        """The finite verb and what stands at the end of a main clause."""
        if clause.state:
            return Token("war", "AUX"), [Token(self.adjectives[clause.predicate][0], "ADJ")]
        singular, plural, participle, *prefix = self.verbs[clause.predicate]
        if clause.passive:
            assert clause.object is not None
            auxiliary = "wurden" if clause.object.count > 1 else "wurde"
            return Token(auxiliary, "AUX"), [Token(participle, "VERB")]
        form = plural if clause.subject.count > 1 else singular
        return Token(form, "VERB"), [Token(particle, "ADP") for particle in prefix]

    def _verb_final(self, clause: Clause) -> Tokens:
        """All verb forms at the end of a subordinate clause, a separable prefix joined to its verb."""
        finite, final = self._verbs(clause)
        if clause.state or clause.passive:
            return [*final, finite]
        return [finite._replace(form="".join(token.form for token in final) + finite.form)]

    def _middle(self, clause: Clause, with_object: bool = True) -> Tokens:
        what = clause.object if with_object and not clause.passive else None
        late = what is not None and _stands_late(what, clause.negated)
        object_ = self.phrase(what, "acc", clause.negated) if what else []
        negation = [NOT] if clause.negated and not late else []
        time = [] if clause.front else self.adjunct(clause.time)
        agent = self._with("von", clause.subject) if clause.passive else []
        rest = [*self.adjunct(clause.manner), *self._place(clause.place)]
        early = [] if late else object_
        return [*early, *time, *agent, *negation, *rest, *(object_ if late else [])]

    def _place(self, place: Phrase | None) -> Tokens:
        if place is None:
            return []
        return self._with("in" if place.sort == "place" else self.spots[place.head][0], place)

    def _with(self, preposition: str, phrase: Phrase) -> Tokens:
        """A preposition with the dative, contracted with a bare article."""
        first, *rest = self.phrase(phrase, "dat")
        contracted = CONTRACTED.get((preposition, first.form)) if phrase.relative is None else None
        if contracted:
            return [Token(contracted, "ADP"), *rest]
        return [Token(preposition, "ADP"), first, *rest]

    def _link(self, clause: Clause) -> Tokens:
        if clause.link is None:
            return []
        word, second = clause.link
        if word == "and":
            return [Token("und", "CCONJ"), *self.clause(second)]
        time_first = self.adjunct(second.time) if second.front else []
        body = [*time_first, *self._subject(second), *self._middle(second), *self._verb_final(second)]
        return [COMMA, Token(CONNECTIVES[word], "SCONJ"), *body]


def _stands_late(what: Phrase, negated: bool) -> bool:
    """Whether an object follows the adjuncts: what is new does, and so does a place unless *nicht* follows."""
    return what.count > 1 or not what.definite or (what.sort == "place" and not negated)
