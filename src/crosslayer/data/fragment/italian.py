"""Italian: two genders, articles by the sound that follows, articulated prepositions, *avere* and *essere*."""

from __future__ import annotations

from crosslayer.data.fragment.meanings import Clause, Phrase, countries, gender_of
from crosslayer.data.fragment.realise import Realiser, Token, Tokens, gap, parse

DEFINITE = {"m": ("il", "lo", "l'"), "f": ("la", "la", "l'")}
INDEFINITE = {"m": ("un", "uno", "un"), "f": ("una", "una", "un'")}
BEAUTIFUL = {"m": ("bel", "bello", "bell'"), "f": ("bella", "bella", "bell'")}
"""Singular forms before a plain consonant, before *z* or *s* with a consonant, and before a vowel."""
JOINED = {"il": "l", "lo": "llo", "la": "lla", "l'": "ll'"}
"""What becomes of the article after a preposition."""
HAVE = {False: ("ha", "hanno"), True: ("aveva", "avevano")}
PERFECT_MODALS = {"must": "dovuto", "can": "potuto"}
CONNECTIVES = {"because": "perché/SCONJ", "that": "che/SCONJ"}
NOT, RELATIVE = Token("non", "ADV"), Token("che", "PRON")
CITIES_WITH_ARTICLE = ("Cairo", "Havana")
MASCULINE_IN_A = ("Canada", "Kenya", "Ghana")


class Italian(Realiser):
    """Italian words and order: [time] subject verb manner object place time."""

    numerals = ("due", "tre", "quattro", "cinque")
    who = Token("chi", "PRON")

    def clause(self, clause: Clause, anterior: bool = False) -> Tokens:
        """See `Realiser.clause`; ``anterior`` puts an event before one of the past."""
        opening = self.adjunct(clause.time) if clause.front else []
        subject = self._subject(clause)
        return [*opening, *subject, *self._after_subject(clause, anterior=anterior), *self._link(clause)]

    def text(self, clause: Clause) -> str:
        """See `Realiser.text`; an apostrophe joins a word to the next."""
        return super().text(clause).replace("' ", "'")

    def name(self, phrase: Phrase) -> Tokens:
        """See `Realiser.name`; a preposition in a name is tagged as one."""
        return [token._replace(upos="ADP") if token.form == "di" else token for token in super().name(phrase)]

    def phrase(self, phrase: Phrase, negated: bool = False) -> Tokens:
        """A noun phrase or a name; ``negated`` makes the indefinite article ``nessuno``."""
        if phrase.sort != "noun":
            name = self.name(phrase)
            return [self._article(phrase, name[0].form), *name] if self._has_article(phrase) else name
        noun = Token(self.nouns[phrase.head][1 + (phrase.count > 1)], "NOUN")
        inner = [noun]
        if phrase.adjective:
            adjective = self._attribute(phrase, phrase.adjective, noun.form)
            inner = [adjective, noun] if self._precedes(phrase, phrase.adjective) else [noun, adjective]
        return [self._determiner(phrase, inner[0].form, negated), *inner, *self._relative(phrase)]

    def _determiner(self, phrase: Phrase, following: str, negated: bool) -> Token:
        if phrase.count > 1:
            return self.numeral(phrase.count)
        if phrase.definite:
            return self._article(phrase, following)
        form = INDEFINITE[self._gender(phrase)][_sound(following)]
        return Token("ness" + form if negated else form, "DET")

    def _article(self, phrase: Phrase, following: str) -> Token:
        return Token(DEFINITE[self._gender(phrase)][_sound(following)], "DET")

    def _has_article(self, phrase: Phrase) -> bool:
        """Whether a name has the article: countries do, except after *in*, and a few cities."""
        return phrase.sort == "place" and (phrase.head in countries() or phrase.head in CITIES_WITH_ARTICLE)

    def _gender(self, phrase: Phrase) -> str:
        if phrase.sort == "noun":
            return self.nouns[phrase.head][0]
        if phrase.sort != "place":
            return gender_of(phrase)
        if not self._has_article(phrase):
            return "f"
        return "f" if self.name(phrase)[-1].form[-1] == "a" and phrase.head not in MASCULINE_IN_A else "m"

    def _agree(self, phrase: Phrase, singular: str, plural: str) -> str:
        """The masculine forms of an adjective or participle with the gender and number of ``phrase``."""
        stem = singular[:-1]
        if singular[-1] == "e" or self._gender(phrase) == "m":
            return plural if phrase.count > 1 else singular
        if phrase.count == 1:
            return f"{stem}a"
        return f"{stem}he" if stem[-1] in "cg" else f"{stem}e"

    def _adjective(self, adjective: str, phrase: Phrase) -> Token:
        singular, plural, *_ = self.adjectives[adjective]
        return Token(self._agree(phrase, singular, plural), "ADJ")

    def _attribute(self, phrase: Phrase, adjective: str, noun: str) -> Token:
        if adjective == "beautiful":
            return Token(BEAUTIFUL[self._gender(phrase)][_sound(noun)], "ADJ")
        return self._adjective(adjective, phrase)

    def _precedes(self, phrase: Phrase, adjective: str) -> bool:
        """Whether the adjective stands before the noun, some only where it does not tell one from others."""
        position = self.adjectives[adjective][2:]
        return position == ["before"] or (position == ["new"] and not phrase.definite)

    def _relative(self, phrase: Phrase) -> Tokens:
        clause = phrase.relative
        if clause is None:
            return []
        if gap(phrase) == "subject":
            return [RELATIVE, *self._after_subject(clause)]
        return [RELATIVE, *self.phrase(clause.subject), *self._after_subject(clause, with_object=False)]

    def _after_subject(self, clause: Clause, with_object: bool = True, anterior: bool = False) -> Tokens:
        if clause.kind != "event":
            core = self._copula(clause)
        elif clause.passive:
            core = self._passive(clause)
        else:
            what = self._object(clause) if with_object else []
            core = [*self._verbs(clause, anterior), *self.adjunct(clause.manner), *what]
        time = [] if clause.front else self.adjunct(clause.time)
        return [*([NOT] if clause.negated else []), *core, *self._place(clause.place), *time]

    def _copula(self, clause: Clause) -> Tokens:
        """A state, a role, which has an article only with an adjective, or a location."""
        what = [self._adjective(clause.predicate, clause.subject)] if clause.kind == "state" else []
        role = self.phrase(clause.object) if clause.object else []
        if clause.object and not clause.object.adjective:
            role = role[1:]
        return [Token("erano" if clause.subject.count > 1 else "era", "AUX"), *what, *role]

    def _verbs(self, clause: Clause, anterior: bool) -> Tokens:
        """All verb forms of an active event: the perfect of the verb or of its modal; wanting is imperfect."""
        infinitive, participle = self.verbs[clause.predicate]
        plural = clause.subject.count > 1
        if clause.modal == "want":
            return [Token("volevano" if plural else "voleva", "AUX"), Token(infinitive, "VERB")]
        auxiliary = Token(HAVE[anterior][plural], "AUX")
        if clause.modal:
            return [auxiliary, Token(PERFECT_MODALS[clause.modal], "AUX"), Token(infinitive, "VERB")]
        return [auxiliary, Token(participle, "VERB")]

    def _object(self, clause: Clause) -> Tokens:
        if clause.object is None:
            return []
        what = self.phrase(clause.object, clause.negated)
        return _joined(what, self.phrase(clause.also, clause.negated)) if clause.also else what

    def _passive(self, clause: Clause) -> Tokens:
        what = clause.object
        assert what is not None
        participle = self.verbs[clause.predicate][1]
        been, done = (self._agree(what, form, form[:-1] + "i") for form in ("stato", participle))
        auxiliaries = [Token("sono" if what.count > 1 else "è", "AUX"), Token(been, "AUX")]
        return [*auxiliaries, Token(done, "VERB"), *self.adjunct(clause.manner), *self._with("da", clause.subject)]

    def _place(self, place: Phrase | None) -> Tokens:
        if place is None:
            return []
        if place.head in countries():
            return [Token("in", "ADP"), *self.name(place)]
        if place.sort == "place":
            return self._with("a", place)
        words = self.spots[place.head]
        if words[-1] == "bare":
            return [*parse(words[0]), *self.phrase(place)[1:]]
        *adverb, preposition = (token for word in words for token in parse(word))
        return [*adverb, *self._with(preposition.form, place)]

    def _with(self, preposition: str, phrase: Phrase) -> Tokens:
        """A preposition, joined with the definite article; *a* is *ad* before another *a*."""
        first, *rest = self.phrase(phrase)
        if first.upos == "DET" and first.form in JOINED:
            stem = "ne" if preposition == "in" else preposition
            return [Token(stem + JOINED[first.form], "ADP"), *rest]
        form = "ad" if preposition == "a" and first.form[0] in "aA" else preposition
        return [Token(form, "ADP"), first, *rest]

    def _link(self, clause: Clause) -> Tokens:
        if clause.link is None:
            return []
        word, second = clause.link
        if word == "and":
            return _joined([], self.clause(second))
        return [*parse(CONNECTIVES[word]), *self.clause(second, anterior=word == "that")]


def _sound(following: str) -> int:
    """Which form the next word asks for: 0 a plain consonant, 1 *z* or *s* with a consonant, 2 a vowel."""
    word = following.lower()
    if word[0] in "aeiou":
        return 2
    impure = word[0] in "zxy" or word.startswith(("gn", "ps", "pn")) or (word[0] == "s" and word[1] not in "aeiou")
    return int(impure)


def _joined(first: Tokens, second: Tokens) -> Tokens:
    """Two phrases or clauses with *e* between them, which is *ed* before another *e*."""
    return [*first, Token("ed" if second[0].form[0] in "eEéÉ" else "e", "CCONJ"), *second]
