"""Spanish: two genders, personal *a*, *ser* and *estar*, *al*; adjectives follow their noun."""

from __future__ import annotations

from functools import cache

from crosslayer.data.fragment.meanings import Clause, Phrase, gender_of, inventory
from crosslayer.data.fragment.realise import COMMA, Realiser, Token, Tokens, gap, parse

NO, AND, ASK_FIRST = Token("no", "ADV"), Token("y", "CCONJ"), Token("¿", "PUNCT")
CONNECTIVES = {"because": "porque/SCONJ", "that": "que/SCONJ"}
ARTICLES = {"m": ("el", "un", "ningún"), "f": ("la", "una", "ninguna")}
CONTRACTED = {("a", "el"): "al", ("de", "el"): "del"}
COPULAS = {"ser": "era", "estar": "estaba"}
MODALS = {
    "must": (parse("tuvo/AUX que/SCONJ"), parse("tuvieron/AUX que/SCONJ")),
    "can": (parse("pudo/AUX"), parse("pudieron/AUX")),
    "want": (parse("quiso/VERB"), parse("quisieron/VERB")),
}
ARTICLED = ("India",)
"""The countries that have an article, which is *la*."""
CARE = ("feed", "wash")
"""The verbs that treat an animal as a person: it has the personal *a*."""
WORDS = {"en": "en/ADP", "junto": "junto/ADV", "cerca": "cerca/ADV", "a": "a/ADP", "de": "de/ADP"}


class Spanish(Realiser):
    """Spanish words and order: [time,] subject verb manner object place time; after ``¿`` the verb precedes."""

    numerals = ("dos", "tres", "cuatro", "cinco")
    who = Token("quién", "PRON")

    def sentence(self, clause: Clause) -> Tokens:
        """See `Realiser.sentence`; a question mark also opens a question."""
        tokens = super().sentence(clause)
        return [ASK_FIRST, *tokens] if clause.question else tokens

    def clause(self, clause: Clause) -> Tokens:
        """See `Realiser.clause`."""
        subject = self._subject(clause)
        opening = [*self.adjunct(clause.time), COMMA] if clause.front else []
        rest = self._after_subject(clause)
        if clause.question == "whether":
            verb = 2 if clause.negated else 1
            return [*opening, *rest[:verb], *subject, *rest[verb:]]
        return [*opening, *subject, *rest, *self._link(clause, rest[-1])]

    def phrase(self, phrase: Phrase, negated: bool = False) -> Tokens:
        """A noun phrase or a name; ``negated`` makes the indefinite article ``ningún``."""
        if phrase.sort != "noun":
            article = [Token("la", "DET")] if phrase.head in ARTICLED else []
            return [*article, *self.name(phrase)]
        noun = Token(self.nouns[phrase.head][1 + (phrase.count > 1)], "NOUN")
        adjective = [self._adjective(phrase.adjective, phrase)] if phrase.adjective else []
        return [self._determiner(phrase, negated), noun, *adjective, *self._relative(phrase)]

    def _determiner(self, phrase: Phrase, negated: bool) -> Token:
        if phrase.count > 1:
            return self.numeral(phrase.count)
        gender = "m" if "el" in self.nouns[phrase.head] else self._gender(phrase)
        definite, indefinite, none = ARTICLES[gender]
        return Token(definite if phrase.definite else none if negated else indefinite, "DET")

    def _gender(self, phrase: Phrase) -> str:
        if phrase.sort == "place":
            return "f" if self.names.get(phrase.head, phrase.head).endswith(("a", "as")) else "m"
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
        if clause.kind != "event":
            core = self._copula(clause)
        elif clause.passive:
            core = self._passive(clause)
        else:
            core = self._active(clause, with_object)
        time = [] if clause.front else self.adjunct(clause.time)
        negation = [NO] if clause.negated else []
        return [*negation, *core, *self._place(clause.place), *time]

    def _copula(self, clause: Clause) -> Tokens:
        """*Ser* for a role, which has an article only with an attribute, and *estar* for a location."""
        if clause.kind == "state":
            copula = COPULAS[self.adjectives[clause.predicate][1]]
            return [Token(copula, "AUX"), self._adjective(clause.predicate, clause.subject)]
        what = clause.object
        if what is None:
            return [Token(COPULAS["estar"], "AUX")]
        return [Token(COPULAS["ser"], "AUX"), *self.phrase(what)[0 if what.adjective else 1 :]]

    def _active(self, clause: Clause, with_object: bool) -> Tokens:
        plural = clause.subject.count > 1
        singular_form, plural_form, _, infinitive = self.verbs[clause.predicate]
        verb = [Token(plural_form if plural else singular_form, "VERB")]
        if clause.modal:
            verb = [*MODALS[clause.modal][plural], Token(infinitive, "VERB")]
        what = self._object(clause, clause.object) if clause.object and with_object else []
        also = [AND, *self._object(clause, clause.also)] if clause.also else []
        return [*verb, *self.adjunct(clause.manner), *what, *also]

    def _object(self, clause: Clause, what: Phrase) -> Tokens:
        """An object, with *a* before people, organisations and animals that are cared for."""
        cared_for = clause.predicate in CARE and what.head in _animals()
        if what.human or what.sort == "organisation" or cared_for:
            return self._with(["a"], what, clause.negated)
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

    def _with(self, preposition: list[str], phrase: Phrase, negated: bool = False) -> Tokens:
        """A preposition of one or more words; *a* and *de* contract with the article *el*."""
        first, *rest = self.phrase(phrase, negated)
        contracted = CONTRACTED.get((preposition[-1], first.form))
        tokens = [token for word in preposition for token in parse(WORDS[word])]
        if contracted:
            return [*tokens[:-1], Token(contracted, "ADP"), *rest]
        return [*tokens, first, *rest]

    def _link(self, clause: Clause, last: Token) -> Tokens:
        """The second clause; a comma parts two names that *y* would seem to join."""
        if clause.link is None:
            return []
        word, second = clause.link
        following = self.clause(second)
        if word != "and":
            return [*parse(CONNECTIVES[word]), *following]
        before_i = following[0].form.lower().startswith(("i", "hi"))
        names = "O" not in (last.entity, following[0].entity)
        return [*([COMMA] if names else []), Token("e", "CCONJ") if before_i else AND, *following]


@cache
def _animals() -> frozenset[str]:
    """All animals and birds, and these two words."""
    kinds = inventory()["train"].kinds
    return frozenset(("animal", *kinds["animal"], "bird", *kinds["bird"]))
