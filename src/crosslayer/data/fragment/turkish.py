"""Turkish: verb-final order, endings with vowel harmony, participles instead of subordinate clauses."""

from __future__ import annotations

from crosslayer.data.fragment.meanings import Clause, Phrase
from crosslayer.data.fragment.realise import COMMA, Realiser, Token, Tokens, leading, parse

VOWELS = "aâıoueiöü"
HIGH = {"a": "ı", "â": "ı", "ı": "ı", "o": "u", "u": "u", "e": "i", "i": "i", "ö": "ü", "ü": "ü"}
LOW = {vowel: "a" if high in "ıu" else "e" for vowel, high in HIGH.items()}
VOICELESS = "fstkçşhpx"
CASES = {"nom": "", "acc": "(y)I", "gen": "(n)In", "dat": "DA", "abl": "DAn"}
"""Endings; the locative serves as the dative of other languages, the case of a place."""
PAST, NOT, ABLE, INFINITIVE = "DI", "mA", "(y)Abil", "mAk"
WAS, WHO_DID, WHAT_ONE_DID, THAT_ONE_DID = "(y)DI", "(y)An", "DIğI", "DIğInI"


class Turkish(Realiser):
    """Turkish words and order: [time] subject time place [agent] known object, manner, new object, verb."""

    def sentence(self, clause: Clause) -> Tokens:
        """See `Realiser.sentence`; the capital of i is İ."""
        dotted = self.clause(clause)[0].form[0] == "i"
        first, *rest = super().sentence(clause)
        return [first._replace(form="İ" + first.form[1:]) if dotted else first, *rest]

    def clause(self, clause: Clause) -> Tokens:
        opening = self.adjunct(clause.time) if clause.front else []
        if opening and self._first(clause).relative:
            opening = [*opening, COMMA]
        predicate = self._predicate(clause)
        if clause.question == "who":  # stands before what is new
            known, new = self._known_and_new(clause)
            who = [*known, *self.word("who"), *self.adjunct(clause.manner), *new]
            return [*opening, *self._setting(clause), *who, *predicate]
        if clause.link and clause.link[0] == "that":
            that = self._participle(clause.link[1], THAT_ONE_DID)
            return [*opening, *self.phrase(clause.subject), COMMA, *that, *predicate]
        body = [*opening, *self._subject(clause), *self._middle(clause), *predicate]
        if clause.question == "whether":
            return [*body, Token(_attach("m", "I", after=body[-1].form), "AUX")]
        return [*body, *self._link(clause, body[-1])]

    def _noun_phrase(self, phrase: Phrase, case: str, negated: bool) -> Tokens:
        """See `Realiser.phrase`: under negation *bir* is left out or, before a case ending, *hiçbir*."""
        adjective = self._words(self.adjectives[phrase.adjective], "ADJ") if phrase.adjective else []
        number = [self.numeral(phrase.count)] if phrase.count > 1 else []
        bare = number or phrase.definite or (negated and case == "nom")
        article = [] if bare else self._determiner(phrase, negated=negated)
        noun = self._words(self.nouns[phrase.head], "NOUN", case)
        return [*self._relative(phrase), *number, *adjective, *article, *noun]

    def _words(self, words: list[str], upos: str, case: str = "nom") -> Tokens:
        """Words of the lexicon, the last with an ending and with its own UPOS where it has one."""
        *others, entry = words
        last, _, own = entry.partition("/")
        return [*(Token(word, upos) for word in others), Token(_inflect(last, CASES[case]), own or upos)]

    def name(self, phrase: Phrase, case: str = "nom") -> Tokens:
        """A name; endings are put to it, to the title of a lady or to the noun that follows the name of a firm."""
        tokens = super().name(phrase)
        if phrase.sort == "organisation":
            return [*tokens, *self._words(self._firm(phrase), "NOUN", case)]
        if phrase.courtesy:
            tokens = [*tokens, *self.word("lady")]
        if case == "nom":
            return tokens
        *others, last = tokens
        ending = _attach("", CASES[case], after=self._sound(last.form))
        return [*others, last._replace(form=f"{last.form}'{ending}")]

    def _sound(self, word: str) -> str:
        return self.tables["sounds"].get(word, [word])[0]

    def _relative_clause(self, phrase: Phrase, clause: Clause, as_subject: bool) -> Tokens:
        return self._participle(clause, WHO_DID if as_subject else WHAT_ONE_DID, phrase.head)

    def _participle(self, clause: Clause, ending: str, missing: str = "") -> Tokens:
        """An event as a participle, its subject in the genitive, without the noun that it describes."""
        subject = [] if clause.subject.head == missing else self.phrase(clause.subject, "gen")
        return [*subject, *self._middle(clause, missing), *self._verb(clause, ending)]

    def _first(self, clause: Clause) -> Phrase:
        """What is in the nominative: the object of a passive, unless the verb has none."""
        return clause.subject if self._government(clause) == "abl" else leading(clause)

    def _subject(self, clause: Clause) -> Tokens:
        """The subject, with a comma where one might read it as one with the participant after it."""
        first = self._first(clause)
        if clause.passive and first is clause.subject:
            return []
        subject = self.phrase(first)
        following = clause.subject if clause.passive else clause.object
        apart = clause.place or (clause.time and not clause.front) or clause.kind != "event"
        if apart or following is None or not (following.human or following.sort == "organisation"):
            return subject
        return [*subject, COMMA]

    def _middle(self, clause: Clause, missing: str = "") -> Tokens:
        setting, manner = self._setting(clause), self.adjunct(clause.manner)
        if clause.kind != "event" or clause.object is None or clause.object.head == missing:
            return [*setting, *manner]
        known, new = self._known_and_new(clause)
        if not clause.passive:
            return [*setting, *known, *manner, *new]
        if self._government(clause) == "abl":
            return [*known, *setting, *self.phrase(clause.subject), *manner]
        return [*setting, *self.phrase(clause.subject), *self.word("by"), *manner]

    def _setting(self, clause: Clause) -> Tokens:
        time = self._late_time(clause)
        return time if clause.kind == "location" else [*time, *self._place(clause.place)]

    def _known_and_new(self, clause: Clause) -> tuple[Tokens, Tokens]:
        """The object as known or as new: only what is definite, and of some verbs what is one, has a case."""
        what = clause.object
        assert what is not None
        known = what.definite and what.count == 1
        case = self._government(clause)
        if case != "abl":
            case = "acc" if known or (case == "acc" and what.count == 1) else "nom"
        tokens = self._objects(clause, case)
        return (tokens, []) if known else ([], tokens)

    def _government(self, clause: Clause) -> str:
        """The case of a new object of this verb, which is that of any object if it is the ablative."""
        return self.verbs[clause.predicate][-1].partition(":")[2] if clause.kind == "event" else ""

    def _placed(self, place: Phrase) -> Tokens:
        following = self.tables["spots"][place.head] if place.sort == "noun" else []
        if following:
            return [*self.phrase(place), *self._words(following, "NOUN", "dat")]
        return self.phrase(place, "dat")

    def _predicate(self, clause: Clause) -> Tokens:
        """The verb, or an adjective, a noun or a place with *was* or *was not*."""
        if clause.kind == "event":
            return self._verb(clause, PAST)
        if clause.kind == "state":
            what = self._words(self.adjectives[clause.predicate], "ADJ")
        elif clause.object:
            what = self.phrase(clause.object, negated=clause.object.adjective is None)
        else:
            what = self._place(clause.place)
        if clause.negated:
            return [*what, *self.word("was not")]
        *others, last = what
        after = self.tables["sounds"].get(last.form, [""])[0]
        return [*others, last._replace(form=_attach(last.form, WAS, after=after))]

    def _verb(self, clause: Clause, ending: str) -> Tokens:
        *words, entry = self.verbs[clause.predicate]
        stem, _, government = entry.partition(":")
        if clause.passive and government != "abl":
            stem = _inflect(stem, "n" if stem[-1] in VOWELS else "In" if stem[-1] == "l" else "Il")
        if clause.modal == "can":
            stem = _inflect(stem, ABLE)
        if clause.negated:
            stem = _inflect(stem, NOT)
        before = parse(" ".join(words))
        if clause.modal in ("must", "want"):
            return [*before, Token(_inflect(stem, INFINITIVE), "VERB"), *self.word(clause.modal)]
        return [*before, Token(_inflect(stem, ending), "VERB")]


def _inflect(entry: str, ending: str) -> str:
    """A word of the lexicon, with its second stem where it has one, and an ending."""
    base, _, stem = entry.partition("=")
    second = stem and ending and (stem[-1] == "n" or ending[0] in "(I")
    return _attach(stem if second else base, ending)


def _attach(stem: str, ending: str, after: str = "") -> str:
    """``stem`` with an ending: A and I harmonise, D assimilates, a letter in brackets stands after vowels only.

    ``after`` is what decides on it if that is not the stem itself.
    """
    sound = after or stem
    if ending[:1] == "(":
        ending = ending[1] + ending[3:] if sound[-1] in VOWELS else ending[3:]
    added = ""
    for letter in ending:
        vowel = next(sign for sign in reversed(sound + added) if sign in VOWELS)
        consonant = "t" if (sound + added)[-1] in VOICELESS else "d"
        added += {"A": LOW[vowel], "I": HIGH[vowel], "D": consonant}.get(letter, letter)
    return stem + added
