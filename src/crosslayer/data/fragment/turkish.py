"""Turkish: verb-final order, endings with vowel harmony, participles instead of subordinate clauses."""

from __future__ import annotations

from claimtrack.settings import read_yaml
from crosslayer.data.fragment.meanings import HERE, Clause, Phrase, inventory
from crosslayer.data.fragment.realise import COMMA, Realiser, Token, Tokens, gap, parse

VOWELS = "aâıoueiöü"
HIGH = {"a": "ı", "â": "ı", "ı": "ı", "o": "u", "u": "u", "e": "i", "i": "i", "ö": "ü", "ü": "ü"}
LOW = {vowel: "a" if high in "ıu" else "e" for vowel, high in HIGH.items()}
VOICELESS = "fstkçşhpx"
ACCUSATIVE, GENITIVE, LOCATIVE, ABLATIVE = "(y)I", "(n)In", "DA", "DAn"
PAST, NOT, ABLE, INFINITIVE = "DI", "mA", "(y)Abil", "mAk"
WAS, WHO_DID, WHAT_ONE_DID, THAT_ONE_DID = "(y)DI", "(y)An", "DIğI", "DIğInI"
MODALS = {"must": Token("zorundaydı", "NOUN"), "want": Token("istedi", "VERB")}
AND, WAS_NOT, BY = Token("ve", "CCONJ"), Token("değildi", "AUX"), Token("tarafından", "ADP")
A, NO, BECAUSE = Token("bir", "DET"), Token("hiçbir", "DET"), Token("çünkü", "CCONJ")
LADY = Token("Hanım", "PROPN")


class Turkish(Realiser):
    """Turkish words and order: [time] subject time place [agent] known object, manner, new object, verb."""

    numerals = ("iki", "üç", "dört", "beş")
    who = Token("kim", "PRON")

    def __init__(self, language: str) -> None:
        super().__init__(language)
        lexicon = read_yaml(HERE / "lexicon" / f"{language}.yaml")
        self.sounds: dict[str, str] = lexicon["sounds"]
        self.firms: dict[str, list[str]] = {
            organisation.replace("_", " "): [lexicon["firms"][name]]
            for name, half in inventory().items()
            for organisation in half.organisations
        }

    def sentence(self, clause: Clause) -> Tokens:
        """See `Realiser.sentence`; the capital of i is İ."""
        dotted = self.clause(clause)[0].form[0] == "i"
        first, *rest = super().sentence(clause)
        return [first._replace(form="İ" + first.form[1:]) if dotted else first, *rest]

    def clause(self, clause: Clause) -> Tokens:
        """See `Realiser.clause`."""
        opening = self.adjunct(clause.time) if clause.front else []
        if opening and self._first(clause).relative:
            opening = [*opening, COMMA]
        if clause.question == "who":
            return [*opening, *self._asking_who(clause), *self._predicate(clause)]
        body = [*opening, *self._subject(clause), *self._middle(clause), *self._predicate(clause)]
        if clause.question == "whether":
            return [*body, Token(_attach("m", "I", after=body[-1].form), "AUX")]
        if clause.link is None:
            return body
        word, second = clause.link
        if word == "that":
            that = self._participle(second, THAT_ONE_DID)
            return [*opening, *self.phrase(clause.subject), COMMA, *that, *self._predicate(clause)]
        return [*body, *([AND] if word == "and" else [COMMA, BECAUSE]), *self.clause(second)]

    def phrase(self, phrase: Phrase, case: str = "", bare: bool = False) -> Tokens:
        """A noun phrase or a name; ``bare`` leaves out *bir*, for which there is *hiçbir* before a case ending."""
        if phrase.sort != "noun":
            return self._name(phrase, case)
        adjective = self._words(self.adjectives[phrase.adjective], "ADJ") if phrase.adjective else []
        number = [self.numeral(phrase.count)] if phrase.count > 1 else []
        article = [] if number or phrase.definite or (bare and not case) else [NO if bare else A]
        noun = self._words(self.nouns[phrase.head], "NOUN", case)
        return [*self._relative(phrase), *number, *adjective, *article, *noun]

    def _words(self, words: list[str], upos: str, case: str = "") -> Tokens:
        """Words of the lexicon, the last with an ending and with its own UPOS where it has one."""
        *others, entry = words
        last, _, own = entry.partition("/")
        return [*(Token(word, upos) for word in others), Token(_inflect(last, case), own or upos)]

    def _name(self, phrase: Phrase, case: str) -> Tokens:
        """A name; endings are put to it, to the title of a lady or to the noun that follows the name of a firm."""
        tokens = self.name(phrase)
        if phrase.sort == "organisation":
            return [*tokens, *self._words(self.firms[phrase.head], "NOUN", case)]
        if phrase.courtesy:
            tokens = [*tokens, LADY]
        if not case:
            return tokens
        *others, last = tokens
        ending = _attach("", case, after=self.sounds.get(last.form, last.form))
        return [*others, last._replace(form=f"{last.form}'{ending}")]

    def _relative(self, phrase: Phrase) -> Tokens:
        clause = phrase.relative
        if clause is None:
            return []
        return self._participle(clause, WHO_DID if gap(phrase) == "subject" else WHAT_ONE_DID, phrase.head)

    def _participle(self, clause: Clause, ending: str, missing: str = "") -> Tokens:
        """An event as a participle, its subject in the genitive, without the noun that it describes."""
        first = self._first(clause)
        subject = [] if first.head == missing else self.phrase(first, GENITIVE)
        return [*subject, *self._middle(clause, missing), *self._verb(clause, ending)]

    def _first(self, clause: Clause) -> Phrase:
        """What is in the nominative: the object of a passive, unless the verb has none."""
        passive = clause.object is not None and clause.passive and self._government(clause) != ABLATIVE
        return clause.object if clause.object is not None and passive else clause.subject

    def _subject(self, clause: Clause) -> Tokens:
        """The subject, with a comma where one might read it as one with the participant after it."""
        first = self._first(clause)
        subject = self.phrase(first)
        if clause.passive and first is clause.subject:
            return []
        following = clause.subject if clause.passive else clause.object
        apart = clause.place or (clause.time and not clause.front) or clause.kind != "event"
        if apart or following is None or not (following.human or following.sort == "organisation"):
            return subject
        return [*subject, COMMA]

    def _middle(self, clause: Clause, missing: str = "") -> Tokens:
        """What stands between the subject and the verb."""
        setting = self._setting(clause)
        manner = self.adjunct(clause.manner)
        if clause.kind != "event" or clause.object is None or clause.object.head == missing:
            return [*setting, *manner]
        known, new = self._objects(clause)
        if not clause.passive:
            return [*setting, *known, *manner, *new]
        if self._government(clause) == ABLATIVE:
            return [*known, *setting, *self.phrase(clause.subject), *manner]
        return [*setting, *self.phrase(clause.subject), BY, *manner]

    def _asking_who(self, clause: Clause) -> Tokens:
        """The middle of a question for the subject, which stands before what is new."""
        known, new = self._objects(clause)
        return [*self._setting(clause), *known, self.who, *self.adjunct(clause.manner), *new]

    def _setting(self, clause: Clause) -> Tokens:
        time = [] if clause.front else self.adjunct(clause.time)
        return time if clause.kind == "location" else [*time, *self._place(clause.place)]

    def _objects(self, clause: Clause) -> tuple[Tokens, Tokens]:
        """The object as known or as new: only what is definite, and of some verbs what is one, has a case."""
        what = clause.object
        if what is None:
            return [], []
        known = what.definite and what.count == 1
        case = self._government(clause)
        if case != ABLATIVE:
            case = ACCUSATIVE if known or (case and what.count == 1) else ""
        tokens = self.phrase(what, case, clause.negated)
        if clause.also:
            tokens += [AND, *self.phrase(clause.also, case, clause.negated)]
        return (tokens, []) if known else ([], tokens)

    def _government(self, clause: Clause) -> str:
        """The case of a new object of this verb, which is that of any object if it is the ablative."""
        marks = {"": "", "acc": ACCUSATIVE, "abl": ABLATIVE}
        return marks[self.verbs[clause.predicate][-1].partition(":")[2]]

    def _place(self, place: Phrase | None) -> Tokens:
        if place is None:
            return []
        following = self.spots[place.head] if place.sort == "noun" else []
        if following:
            return [*self.phrase(place), *self._words(following, "NOUN", LOCATIVE)]
        return self.phrase(place, LOCATIVE)

    def _predicate(self, clause: Clause) -> Tokens:
        """The verb, or an adjective, a noun or a place with *was* or *was not*."""
        if clause.kind == "event":
            return self._verb(clause, PAST)
        what = self._words(self.adjectives[clause.predicate], "ADJ") if clause.kind == "state" else []
        if clause.object:
            what = self.phrase(clause.object, bare=clause.object.adjective is None)
        what += self._place(clause.place) if clause.kind == "location" else []
        if clause.negated:
            return [*what, WAS_NOT]
        *others, last = what
        return [*others, last._replace(form=_attach(last.form, WAS, after=self.sounds.get(last.form, "")))]

    def _verb(self, clause: Clause, ending: str) -> Tokens:
        """A verb with what belongs to it."""
        *words, entry = self.verbs[clause.predicate]
        stem, _, government = entry.partition(":")
        if clause.passive and government != "abl":
            stem = _inflect(stem, "n" if stem[-1] in VOWELS else "In" if stem[-1] == "l" else "Il")
        if clause.modal == "can":
            stem = _inflect(stem, ABLE)
        if clause.negated:
            stem = _inflect(stem, NOT)
        before = parse(" ".join(words))
        if clause.modal in MODALS:
            return [*before, Token(_inflect(stem, INFINITIVE), "VERB"), MODALS[clause.modal]]
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
