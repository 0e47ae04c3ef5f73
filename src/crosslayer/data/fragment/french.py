"""French: elision, *au* and *du*, *ne* ... *pas*, the perfect with *avoir*, participles that agree."""

from __future__ import annotations

from crosslayer.data.fragment.meanings import Clause, Phrase, countries, gender_of
from crosslayer.data.fragment.realise import COMMA, Realiser, Token, Tokens, gap, parse

DEFINITE, INDEFINITE = {"m": "le", "f": "la"}, {"m": "un", "f": "une"}
CLITICS = {"m": "-t-il", "f": "-t-elle"}
"""What takes up the subject after the verb of a question."""
HAVE = {False: ("a", "ont"), True: ("avait", "avaient")}
WERE, WANTED = ("était", "étaient"), ("voulait", "voulaient")
PERFECT_MODALS = {"must": "dû", "can": "pu"}
CONNECTIVES = {"and": "et/CCONJ", "because": "parce/SCONJ que/SCONJ", "that": "que/SCONJ"}
NE, PAS, NO = Token("ne", "ADV"), Token("pas", "ADV"), Token("de", "DET")
AND, WHOM = Token("et", "CCONJ"), Token("que", "PRON")
CALL = ("rendre", "rendu", parse("visite/NOUN à/ADP"))
CALLED_ON = (Token("reçu", "VERB"), parse("la/DET visite/NOUN de/ADP"))
"""How one visits people, and how they are visited."""
ELIDED = ("le", "la", "de", "ne", "que")
CONTRACTED = {("à", "le"): "au", ("de", "le"): "du"}
ASPIRATED = ("hache", "hibou", "hareng", "hongrie", "hâte")
MASCULINE_IN_E = ("Mexico",)


class French(Realiser):
    """French words and order: [time,] subject verb object manner place time; adverbs follow the auxiliary."""

    numerals = ("deux", "trois", "quatre", "cinq")
    who = Token("qui", "PRON")

    def clause(self, clause: Clause, anterior: bool = False) -> Tokens:
        """See `Realiser.clause`; ``anterior`` puts an event before one of the past."""
        opening = [*self.adjunct(clause.time), COMMA] if clause.front else []
        subject = self._subject(clause)
        rest = self._after_subject(clause, anterior=anterior)
        return _joined([*opening, *subject, *rest, *self._link(clause)])

    def text(self, clause: Clause) -> str:
        """See `Realiser.text`; apostrophes and hyphens join words, and a space precedes the question mark."""
        return super().text(clause).replace("' ", "'").replace(" -", "-").replace("?", " ?")

    def name(self, phrase: Phrase) -> Tokens:
        """See `Realiser.name`; the article of a city is tagged as one."""
        return [
            token._replace(upos="DET") if token.form in ("Le", "La") else token for token in super().name(phrase)
        ]

    def phrase(self, phrase: Phrase, negated: bool = False) -> Tokens:
        """A noun phrase or a name; ``negated`` makes the indefinite article ``de``."""
        if phrase.sort != "noun":
            country = phrase.sort == "place" and phrase.head in countries()
            article = [Token(DEFINITE[self._gender(phrase)], "DET")] if country else []
            return [*article, *self.name(phrase)]
        noun = Token(self.nouns[phrase.head][1 + (phrase.count > 1)], "NOUN")
        inner = [noun]
        if phrase.adjective:
            position = self.adjectives[phrase.adjective][2:]
            adjective = self._adjective(phrase.adjective, phrase)
            if len(position) > 1 and self._gender(phrase) == "m" and phrase.count == 1 and _starts_in_vowel(noun):
                adjective = [Token(position[1], "ADJ")]
            inner = [*adjective, noun] if position else [noun, *adjective]
        return [self._determiner(phrase, negated), *inner, *self._relative(phrase)]

    def _determiner(self, phrase: Phrase, negated: bool) -> Token:
        if phrase.count > 1:
            return self.numeral(phrase.count)
        if negated and not phrase.definite:
            return NO
        return Token((DEFINITE if phrase.definite else INDEFINITE)[self._gender(phrase)], "DET")

    def _gender(self, phrase: Phrase) -> str:
        if phrase.sort == "noun":
            return self.nouns[phrase.head][0]
        if phrase.sort != "place":
            return gender_of(phrase)
        name = self.names.get(phrase.head, phrase.head)
        feminine = name.endswith(("e", "es")) and not name.startswith("Le ") and phrase.head not in MASCULINE_IN_E
        return "f" if feminine else "m"

    def _agree(self, phrase: Phrase, masculine: str, feminine: str = "") -> str:
        """An adjective or participle with the gender and number of ``phrase``; the feminine mostly adds *e*."""
        form = (feminine or f"{masculine}e") if self._gender(phrase) == "f" else masculine
        if phrase.count == 1 or form[-1] in "sx":
            return form
        return f"{form}x" if form.endswith("eau") else f"{form}s"

    def _adjective(self, adjective: str, phrase: Phrase) -> Tokens:
        masculine, feminine, *_ = (form for form in self.adjectives[adjective] if "/" not in form)
        before = [token for form in self.adjectives[adjective] if "/" in form for token in parse(form)]
        return [*before, Token(self._agree(phrase, masculine, feminine), "ADJ")]

    def _relative(self, phrase: Phrase) -> Tokens:
        clause = phrase.relative
        if clause is None:
            return []
        if gap(phrase) == "subject":
            return [self.who, *self._after_subject(clause)]
        return [WHOM, *self.phrase(clause.subject), *self._after_subject(clause, extracted=phrase)]

    def _after_subject(self, clause: Clause, extracted: Phrase | None = None, anterior: bool = False) -> Tokens:
        """The predicate; ``extracted`` is an object that stands before it, with which the participle agrees."""
        if clause.kind != "event":
            finite, *rest = self._copula(clause)
        elif clause.passive:
            finite, *rest = self._passive(clause, anterior)
        else:
            finite, *rest = self._active(clause, extracted, anterior)
        verb = [NE, finite, PAS] if clause.negated else [finite]
        if clause.question == "whether":
            verb.append(Token(CLITICS[self._gender(clause.subject)], "PRON"))
        time = [] if clause.front else self.adjunct(clause.time)
        return [*verb, *rest, *self._place(clause.place), *time]

    def _copula(self, clause: Clause) -> Tokens:
        """A state, a role, which has an article only with an adjective, or a location."""
        what = self._adjective(clause.predicate, clause.subject) if clause.kind == "state" else []
        role = self.phrase(clause.object) if clause.object else []
        if clause.object and not clause.object.adjective:
            role = role[1:]
        return [Token(WERE[clause.subject.count > 1], "AUX"), *what, *role]

    def _active(self, clause: Clause, extracted: Phrase | None, anterior: bool) -> Tokens:
        plural = clause.subject.count > 1
        adverb, manner = self._manner(clause.manner)
        infinitive, participle = self.verbs[clause.predicate]
        what = self._object(clause) if clause.object and not extracted else []
        if clause.predicate == "visit" and clause.object and clause.object.human:
            infinitive, participle, link = CALL
            what = [*link, *what]
        have = Token(HAVE[anterior][plural], "AUX")
        if clause.modal:
            modal = [Token(WANTED[plural], "VERB")]
            if clause.modal in PERFECT_MODALS:
                modal = [have, Token(PERFECT_MODALS[clause.modal], "VERB")]
            return [*modal, *adverb, Token(infinitive, "VERB"), *what, *manner]
        done = self._agree(extracted, participle) if extracted else participle
        return [have, *adverb, Token(done, "VERB"), *what, *manner]

    def _object(self, clause: Clause) -> Tokens:
        assert clause.object is not None
        also = [AND, *self.phrase(clause.also, clause.negated)] if clause.also else []
        return [*self.phrase(clause.object, clause.negated), *also]

    def _passive(self, clause: Clause, anterior: bool) -> Tokens:
        what = clause.object
        assert what is not None
        adverb, manner = self._manner(clause.manner)
        have, agent = Token(HAVE[anterior][what.count > 1], "AUX"), self.phrase(clause.subject)
        if clause.predicate == "visit" and what.human:
            done, link = CALLED_ON
            return [have, *adverb, done, *manner, *link, *agent]
        done = Token(self._agree(what, self.verbs[clause.predicate][1]), "VERB")
        return [have, Token("été", "AUX"), *adverb, done, *manner, Token("par", "ADP"), *agent]

    def _manner(self, manner: str | None) -> tuple[Tokens, Tokens]:
        """What stands before the participle, an adverb, and what after it, a longer expression."""
        words = self.adjunct(manner)
        return (words, []) if len(words) == 1 else ([], words)

    def _place(self, place: Phrase | None) -> Tokens:
        if place is None:
            return []
        if place.sort != "place":
            return [token for word in self.spots[place.head] for token in parse(word)] + self.phrase(place)
        name = self.name(place)
        if place.head in countries() and (self._gender(place) == "f" or _starts_in_vowel(name[0])):
            return [Token("en", "ADP"), *name]
        return [Token("à", "ADP"), *self.phrase(place)]

    def _link(self, clause: Clause) -> Tokens:
        if clause.link is None:
            return []
        word, second = clause.link
        return [*parse(CONNECTIVES[word]), *self.clause(second, anterior=word == "that")]


def _starts_in_vowel(token: Token) -> bool:
    """Whether a word before this one is elided; the *h* of firms and of some nouns counts as a consonant."""
    word = token.form.lower()
    if word[0] == "h":
        return not token.entity.endswith("ORG") and not word.startswith(ASPIRATED)
    return word[0] in "aeiouâéêîô"


def _joined(tokens: Tokens) -> Tokens:
    """The same words with elision, and prepositions joined with the article *le*, also that of a name."""
    result: Tokens = []
    for token in reversed(tokens):
        following = result[-1] if result else COMMA
        contracted = CONTRACTED.get((token.form, following.form.lower()))
        if token.form in ELIDED and _starts_in_vowel(following):
            result.append(token._replace(form=f"{token.form[:-1]}'"))
        elif contracted:
            result[-1] = token._replace(form=contracted)
            if following.entity != "O":
                result[-2] = result[-2]._replace(entity=following.entity)
        else:
            result.append(token)
    return result[::-1]
