"""Spanish: two genders, personal *a*, *ser* and *estar*, *al*; adjectives follow their noun."""

from __future__ import annotations

from crosslayer.data.fragment.meanings import Clause, Phrase, gender_of
from crosslayer.data.fragment.realise import Realiser, Token, Tokens, gap, parse

NO = Token("no", "ADV")
CONNECTIVES = {"and": "y/CCONJ", "because": "porque/SCONJ", "that": "que/SCONJ"}
ARTICLES = {"m": ("el", "un", "ningún"), "f": ("la", "una", "ninguna")}
CONTRACTED = {("a", "el"): "al", ("de", "el"): "del"}
COPULAS = {"ser": "era", "estar": "estaba"}
WORDS = {"en": "en/ADP", "junto": "junto/ADV", "cerca": "cerca/ADV", "a": "a/ADP", "de": "de/ADP"}


class Spanish(Realiser):
    """Spanish words and order: [time] subject verb manner object place time."""

    numerals = ("dos", "tres", "cuatro", "cinco")

    def clause(self, clause: Clause) -> Tokens:
        """See `Realiser.clause`."""
        first = clause.object if clause.passive else clause.subject
        assert first is not None
        opening = self.adjunct(clause.time) if clause.front else []
        return [*opening, *self.phrase(first), *self._after_subject(clause), *self._link(clause)]

    def phrase(self, phrase: Phrase, negated: bool = False) -> Tokens:
        """A noun phrase or a name; ``negated`` makes the indefinite article ``ningún``."""
        if phrase.sort != "noun":
            return self.name(phrase)
        noun = Token(self.nouns[phrase.head][1 + (phrase.count > 1)], "NOUN")
        adjective = [self._adjective(phrase.adjective, phrase)] if phrase.adjective else []
        return [self._determiner(phrase, negated), noun, *adjective, *self._relative(phrase)]

    def _determiner(self, phrase: Phrase, negated: bool) -> Token:
        if phrase.count > 1:
            return self.numeral(phrase.count)
        definite, indefinite, none = ARTICLES[self._gender(phrase)]
        return Token(definite if phrase.definite else none if negated else indefinite, "DET")

    def _gender(self, phrase: Phrase) -> str:
        return self.nouns[phrase.head][0] if phrase.sort == "noun" else gender_of(phrase)

    def _agree(self, masculine: str, phrase: Phrase) -> str:
        """A masculine singular with the gender and number of ``phrase``."""
        feminine = masculine[-1] == "o" and self._gender(phrase) == "f"
        form = masculine[:-1] + "a" if feminine else masculine
        if phrase.count == 1:
            return form
        return form + "s"

    def _adjective(self, adjective: str, phrase: Phrase) -> Token:
        masculine, _, *plural = self.adjectives[adjective]
        form = plural[0] if plural and phrase.count > 1 else self._agree(masculine, phrase)
        return Token(form, "ADJ")

    def _relative(self, phrase: Phrase) -> Tokens:
        clause = phrase.relative
        if clause is None:
            return []
        pronoun = Token("que", "PRON")
        if gap(phrase) == "subject":
            return [pronoun, *self._after_subject(clause)]
        return [pronoun, *self.phrase(clause.subject), *self._after_subject(clause, with_object=False)]

    def _after_subject(self, clause: Clause, with_object: bool = True) -> Tokens:
        if clause.state:
            core = self._state(clause)
        elif clause.passive:
            core = self._passive(clause)
        else:
            core = self._active(clause, with_object)
        time = [] if clause.front else self.adjunct(clause.time)
        negation = [NO] if clause.negated else []
        return [*negation, *core, *self._place(clause.place), *time]

    def _state(self, clause: Clause) -> Tokens:
        copula = COPULAS[self.adjectives[clause.predicate][1]]
        return [Token(copula, "AUX"), self._adjective(clause.predicate, clause.subject)]

    def _active(self, clause: Clause, with_object: bool) -> Tokens:
        verb = self.verbs[clause.predicate][clause.subject.count > 1]
        what = self._object(clause) if with_object else []
        return [Token(verb, "VERB"), *self.adjunct(clause.manner), *what]

    def _object(self, clause: Clause) -> Tokens:
        """The object, with *a* before people and organisations."""
        what = clause.object
        if what is None:
            return []
        if what.human or what.sort == "organisation":
            return self._with(["a"], what)
        return self.phrase(what, clause.negated)

    def _passive(self, clause: Clause) -> Tokens:
        what = clause.object
        assert what is not None
        auxiliary = Token("fueron" if what.count > 1 else "fue", "AUX")
        participle = Token(self._agree(self.verbs[clause.predicate][2], what), "VERB")
        agent = [Token("por", "ADP"), *self.phrase(clause.subject)]
        return [auxiliary, participle, *self.adjunct(clause.manner), *agent]

    def _place(self, place: Phrase | None) -> Tokens:
        if place is None:
            return []
        return self._with(["en"] if place.sort == "place" else self.spots[place.head], place)

    def _with(self, preposition: list[str], phrase: Phrase) -> Tokens:
        """A preposition of one or more words; *a* and *de* contract with the article *el*."""
        first, *rest = self.phrase(phrase)
        contracted = CONTRACTED.get((preposition[-1], first.form))
        tokens = [token for word in preposition for token in parse(WORDS[word])]
        if contracted:
            return [*tokens[:-1], Token(contracted, "ADP"), *rest]
        return [*tokens, first, *rest]

    def _link(self, clause: Clause) -> Tokens:
        if clause.link is None:
            return []
        word, second = clause.link
        following = self.clause(second)
        if word == "and" and following[0].form.lower().startswith(("i", "hi")):
            return [Token("e", "CCONJ"), *following]
        return [*parse(CONNECTIVES[word]), *following]
