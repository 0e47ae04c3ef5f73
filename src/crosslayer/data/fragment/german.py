"""German: three genders, three cases, verb-second main clauses, verb-final subordinate ones, separable verbs."""

from __future__ import annotations

from typing import ClassVar

from crosslayer.data.fragment.meanings import Clause, Phrase
from crosslayer.data.fragment.realise import COMMA, Token, Tokens, gap
from crosslayer.data.fragment.verbsecond import VerbSecond, denied_by_article, stands_late

CASES = ("nom", "acc", "dat")
DEFINITE = {
    "m": ("der", "den", "dem"), "f": ("die", "die", "der"), "n": ("das", "das", "dem"),
}  # fmt: skip
INDEFINITE = {"m": ("", "en", "em"), "f": ("e", "e", "er"), "n": ("", "", "em")}
WEAK = {"m": ("e", "en", "en"), "f": ("e", "e", "en"), "n": ("e", "e", "en")}
MIXED = {"m": ("er", "en", "en"), "f": ("e", "e", "en"), "n": ("es", "es", "en")}
STRONG_PLURAL = ("e", "e", "en")
CONTRACTED = {("in", "dem"): "im", ("an", "dem"): "am", ("von", "dem"): "vom"}
ARTICLED = {"Mongolia": "f"}
"""The countries that have an article, and their gender."""
NOT, AND = Token("nicht", "PART"), Token("und", "CCONJ")
CONNECTIVES = {"because": "weil", "that": "dass"}


class German(VerbSecond):
    """German words and order. Middle field: known object, time, agent, place, manner, new object.

    Negation stands before manner and place, which then come in this order. A known object that is a name stands
    late as well if it would follow the subject as if it were part of it (*der Ingenieur Simon Parker*).
    """

    numerals = ("zwei", "drei", "vier", "fünf")
    who = Token("wer", "PRON")
    be, become = ("war", "waren"), ("wurde", "wurden")
    modals: ClassVar = {"must": ("musste", "mussten"), "can": ("konnte", "konnten"), "want": ("wollte", "wollten")}

    def clause(self, clause: Clause) -> Tokens:
        """One constituent, which a question whether lacks, the finite verb, the rest; see `Realiser.clause`."""
        subject = self._subject(clause)
        finite, final = self._verbs(clause)
        behind_subject = clause.front or clause.question == "whether"
        rest = [*self._middle(clause, behind_subject=behind_subject), *final]
        if clause.question == "whether":
            return [finite, *subject, *rest]
        start, inner = (self.adjunct(clause.time), subject) if clause.front else (subject, [])
        first = [*start, finite, *inner, *rest]
        return [*first, *self._link(clause, first[-1])]

    def phrase(self, phrase: Phrase, case: str = "nom", negated: bool = False) -> Tokens:
        """A noun phrase or a name; ``negated`` makes the indefinite article ``kein``."""
        column = CASES.index(case)
        if phrase.sort != "noun":
            article = ARTICLED.get(phrase.head)
            return [*([Token(DEFINITE[article][column], "DET")] if article else []), *self.name(phrase)]
        gender = self.nouns[phrase.head][0]
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
        pronoun = Token("die" if phrase.count > 1 else DEFINITE[self.nouns[phrase.head][0]][column], "PRON")
        subject = [] if gap(phrase) == "subject" else self._subject(clause)
        middle = self._middle(clause, with_object=gap(phrase) == "subject")
        return [COMMA, pronoun, *subject, *middle, *self._verb_final(clause), COMMA]

    def _middle(self, clause: Clause, with_object: bool = True, behind_subject: bool = False) -> Tokens:
        what = clause.object if with_object and not clause.passive else None
        meets = what is not None and behind_subject and what.sort != "noun" and not clause.negated
        late = what is not None and (meets or stands_late(what, clause.negated))
        object_ = self._object(clause, what) if what else []
        negation = [NOT] if clause.negated and not (what and denied_by_article(what)) else []
        time = [] if clause.front else self.adjunct(clause.time)
        if clause.kind == "role":
            return [*time, *object_, *self._place(clause.place)]
        agent = self._with("von", clause.subject) if clause.passive else []
        manner, place = self.adjunct(clause.manner), self._place(clause.place)
        rest = [*negation, *manner, *place] if negation else [*place, *manner]
        early = [] if late else object_
        return [*early, *time, *agent, *rest, *(object_ if late else [])]

    def _object(self, clause: Clause, what: Phrase) -> Tokens:
        """The object or the objects, or a role, which has an article only with an attribute or *kein*."""
        if clause.kind == "role":
            role = self.phrase(what, "nom", clause.negated)
            return role if what.adjective or clause.negated else role[1:]
        also = [AND, *self.phrase(clause.also, "acc", clause.negated)] if clause.also else []
        return [*self.phrase(what, "acc", clause.negated), *also]

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

    def _link(self, clause: Clause, last: Token) -> Tokens:
        """The second clause; a comma parts two names that ``und`` would seem to join."""
        if clause.link is None:
            return []
        word, second = clause.link
        if word == "and":
            following = self.clause(second)
            names = "O" not in (last.entity, following[0].entity)
            return [*([COMMA] if names else []), AND, *following]
        time_first = self.adjunct(second.time) if second.front else []
        middle = self._middle(second, behind_subject=True)
        body = [*time_first, *self._subject(second), *middle, *self._verb_final(second)]
        return [COMMA, Token(CONNECTIVES[word], "SCONJ"), *body]
