"""Spanish, French and Italian: two genders, adjectives that agree, articles and prepositions joined."""

from __future__ import annotations

from typing import ClassVar

from crosslayer.data.fragment.english import SubjectVerbObject
from crosslayer.data.fragment.meanings import Clause, Phrase, countries, gender_of, is_of_class
from crosslayer.data.fragment.realise import COMMA, Token, Tokens, parse

ELIDED = ("le", "la", "de", "ne", "que")
ASPIRATED = ("hache", "hibou", "hareng", "hongrie", "hâte")


class Romance(SubjectVerbObject):
    """Two genders; adjectives agree and mostly follow their noun."""

    def phrase(self, phrase: Phrase, case: str = "nom", negated: bool = False) -> Tokens:
        """See `Realiser.phrase`; some places have an article."""
        words = super().phrase(phrase, case, negated)
        return [*self._article(phrase, words[0]), *words] if phrase.head in self.tables["places"] else words

    def _noun_phrase(self, phrase: Phrase, case: str, negated: bool) -> Tokens:
        noun = Token(self.nouns[phrase.head][1 + (phrase.count > 1)], "NOUN")
        inner = self._attributed(phrase, phrase.adjective, noun) if phrase.adjective else [noun]
        return [*self._article(phrase, inner[0], negated), *inner, *self._relative(phrase)]

    def _article(self, phrase: Phrase, following: Token, negated: bool = False) -> Tokens:
        return self._determiner(phrase, self._gender(phrase), negated=negated)

    def _attributed(self, phrase: Phrase, adjective: str, noun: Token) -> Tokens:
        return [noun, *self._adjective(adjective, phrase)]

    def _adjective(self, adjective: str, phrase: Phrase) -> Tokens:
        return [Token(self.adjectives[adjective][self._agree(phrase)], "ADJ")]

    def _gender(self, phrase: Phrase) -> str:
        known = {"noun": self.nouns, "place": self.tables["places"]}.get(phrase.sort)
        return known[phrase.head][0] if known else gender_of(phrase)

    def _copula(self, clause: Clause) -> Tokens:
        what = self._adjective(clause.predicate, clause.subject) if clause.kind == "state" else []
        return [*self.word("was", self._is_essence(clause)), *what, *(self._role(clause) if clause.object else [])]

    def _is_essence(self, clause: Clause) -> bool:
        """Whether Spanish has *ser*, for a role and some states, or *estar*; the others have one verb."""
        return clause.kind == "role" or "ser" in self.adjectives.get(clause.predicate, ())

    def _active(self, clause: Clause, without: Phrase | None, anterior: bool) -> Tokens:
        plural = clause.subject.count > 1
        verb = self._finite(clause, plural, anterior)
        if clause.modal:
            verb = [*self.word(clause.modal, plural), Token(self.verbs[clause.predicate][-2], "VERB")]
        return [*verb, *self.adjunct(clause.manner), *([] if without else self._objects(clause))]

    def _finite(self, clause: Clause, plural: bool, anterior: bool) -> Tokens:
        """The perfect of a verb, formed with *to have*."""
        have = self.word("had" if anterior else "have", plural)
        return [*have, Token(self.verbs[clause.predicate][-1], "VERB")]


class Spanish(Romance):
    """Spanish words and order: [time,] subject verb manner object place time; after ``¿`` the verb precedes."""

    inverted: ClassVar = True
    before_and: ClassVar = ("i", "hi")
    agreement: ClassVar = ("o", "a", "os", "as")

    def _article(self, phrase: Phrase, following: Token, negated: bool = False) -> Tokens:
        """An article, that of a masculine before some feminine nouns."""
        gender = "m" if "el" in self.nouns.get(phrase.head, ()) else self._gender(phrase)
        return self._determiner(phrase, gender, negated=negated)

    def _finite(self, clause: Clause, plural: bool, anterior: bool) -> Tokens:
        return [Token(self.verbs[clause.predicate][plural], "VERB")]

    def _object(self, clause: Clause, what: Phrase, case: str) -> Tokens:
        """An object, with *a* before people, organisations and animals that are cared for."""
        words = self.phrase(what, case, clause.negated)
        cared_for = any(is_of_class(what, name) for name in self.tables["care"].get(clause.predicate, ()))
        personal = what.human or what.sort == "organisation" or cared_for
        return self._with(self.word("to"), words) if personal else words


class Italian(Romance):
    """Italian words and order: [time] subject verb manner object place time."""

    before_and: ClassVar = ("e", "é")
    agreement: ClassVar = ("o", "a", "i", "e")

    def _article(self, phrase: Phrase, following: Token, negated: bool = False) -> Tokens:
        return self._determiner(phrase, self._gender(phrase), _sound(following.form), negated)

    def _attributed(self, phrase: Phrase, adjective: str, noun: Token) -> Tokens:
        """Some adjectives stand before the noun, others do where they do not tell one from others."""
        if adjective == "beautiful":
            return [*self.word(f"beautiful {self._gender(phrase)}", _sound(noun.form)), noun]
        position = self.adjectives[adjective][4:]
        precedes = position == ["before"] or (position == ["new"] and not phrase.definite)
        words = self._adjective(adjective, phrase)
        return [*words, noun] if precedes else [noun, *words]

    def _placed(self, place: Phrase) -> Tokens:
        """A place: *in* before countries, *a* before cities; some nouns lose their article."""
        if place.head in countries():
            return [*self.word("in"), *self.name(place)]
        if place.sort == "place":
            return self._with(self.word("to"), self.phrase(place))
        words = self.phrase(place)
        return self._with(self._preposition(place), words[1:] if place.head in self.tables["bare"] else words)

    def _with(self, preposition: Tokens, words: Tokens) -> Tokens:
        """See `Realiser._with`; *a* is *ad* before another *a*."""
        first, *rest = super()._with(preposition, words)
        if first.form == "a" and rest[0].form[0] in "aA":
            first = first._replace(form="ad")
        return [first, *rest]


class French(Romance):
    """French words and order: [time,] subject verb object manner place time; adverbs follow the auxiliary."""

    agreement: ClassVar = ("", "e", "s", "es")

    def clause(self, clause: Clause, anterior: bool = False) -> Tokens:
        """The same words with elision, and prepositions joined with the article *le*, also that of a name."""
        result: Tokens = []
        for token in reversed(super().clause(clause, anterior)):
            following = result[-1] if result else COMMA
            joined = self.tables["contracted"].get(f"{token.form} {following.form.lower()}")
            if token.form in ELIDED and _starts_in_vowel(following):
                result.append(token._replace(form=f"{token.form[:-1]}'"))
            elif joined:
                result[-1] = token._replace(form=joined[0])
                if following.entity != "O":
                    result[-2] = result[-2]._replace(entity=following.entity)
            else:
                result.append(token)
        return result[::-1]

    def text(self, clause: Clause) -> str:
        """See `Realiser.text`; a space precedes the question mark."""
        return super().text(clause).replace("?", " ?")

    def _attributed(self, phrase: Phrase, adjective: str, noun: Token) -> Tokens:
        """Some adjectives stand before the noun, a few in a form of their own before a vowel."""
        position = self.adjectives[adjective][4:]
        words = self._adjective(adjective, phrase)
        if "before" not in position:
            return [noun, *words]
        if len(position) > 1 and self._agree(phrase) == 0 and _starts_in_vowel(noun):
            words = [Token(position[1], "ADJ")]
        return [*words, noun]

    def _adjective(self, adjective: str, phrase: Phrase) -> Tokens:
        adverbs = [form for form in self.adjectives[adjective] if "/" in form]
        form = self.adjectives[adjective][len(adverbs) + self._agree(phrase)]
        return [*parse(" ".join(adverbs)), Token(form, "ADJ")]

    def _active(self, clause: Clause, without: Phrase | None, anterior: bool) -> Tokens:
        """An active event; one pays people a visit."""
        plural = clause.subject.count > 1
        adverb, manner = self._manner(clause)
        infinitive, participle = (Token(form, "VERB") for form in self.verbs[clause.predicate])
        what = [] if without else self._objects(clause)
        if without:
            participle = Token(self._participle(clause, without), "VERB")
        if _is_call(clause):
            infinitive, participle = self.word("visit", 0)[0], self.word("visit", 1)[0]
            what = [*self.word("visit to"), *what]
        finite = self.word(clause.modal or ("had" if anterior else "have"), plural)
        if clause.question == "whether":
            finite = [*finite, *self.word("he", self._gender(clause.subject) == "f")]
        return [*finite, *adverb, infinitive if clause.modal else participle, *what, *manner]

    def _passive(self, clause: Clause) -> Tokens:
        """A passive; people receive a visit."""
        if not _is_call(clause):
            return super()._passive(clause)
        adverb, manner = self._manner(clause)
        agent = [*self.word("visit of"), *self.phrase(clause.subject)]
        return [*self.word("have"), *adverb, *self.word("received"), *manner, *agent]

    def _manner(self, clause: Clause) -> tuple[Tokens, Tokens]:
        """An adverb stands before the participle, a longer expression after it."""
        words = self.adjunct(clause.manner)
        return (words, []) if len(words) == 1 else ([], words)

    def _placed(self, place: Phrase) -> Tokens:
        """A place: *en* before countries that are feminine or start in a vowel, *à* before others and cities."""
        if place.sort != "place":
            return super()._placed(place)
        name = self.name(place)
        if place.head in countries() and (self._gender(place) == "f" or _starts_in_vowel(name[0])):
            return [*self.word("in"), *name]
        return [*self.word("to"), *self.phrase(place)]


def _sound(following: str) -> int:
    """Which form the next word asks for: 0 a plain consonant, 1 *z* or *s* with a consonant, 2 a vowel."""
    word = following.lower()
    if word[0] in "aeiou":
        return 2
    impure = word[0] in "zxy" or word.startswith(("gn", "ps", "pn")) or (word[0] == "s" and word[1] not in "aeiou")
    return int(impure)


def _is_call(clause: Clause) -> bool:
    return clause.predicate == "visit" and clause.object is not None and clause.object.human


def _starts_in_vowel(token: Token) -> bool:
    """Whether a word before this one is elided; the *h* of firms and of some nouns counts as a consonant."""
    word = token.form.lower()
    if word[0] == "h":
        return not token.entity.endswith("ORG") and not word.startswith(ASPIRATED)
    return word[0] in "aeiouâéêîô"
