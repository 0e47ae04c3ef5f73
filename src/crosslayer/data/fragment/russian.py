"""Russian: three genders, six cases, animacy, no articles; numerals take the genitive, short passives."""

from __future__ import annotations

from typing import Literal

from crosslayer.data.fragment.meanings import Clause, Phrase, gender_of, inventory
from crosslayer.data.fragment.realise import COMMA, ENTITY, Realiser, Token, Tokens, gap, leading, parse

Case = Literal["nom", "gen", "acc", "ins", "loc"]

VOWELS = "аеёиоуыэюя"
LONG = {"m": ("", "ого", "", "ым"), "f": ("ая", "ой", "ую", "ой"), "n": ("ое", "ого", "ое", "ым")}
"""Endings of long adjectives in the nominative, genitive, inanimate accusative and instrumental."""
NAMES = {"а": "ы у ой е", "я": "и ю ей е", "ь": "я я ем е", "й": "я я ем е", "": "а а ом е"}
"""Endings of names by what they replace: genitive, accusative, instrumental, prepositional."""
LOCATIVES = {"Египет": "Египте", "Афины": "Афинах"}
ANIMATE_FEW = ("двух", "трёх", "четырёх")
FIRMS = {"train": "компания", "test": "фирма"}
"""The noun before the name of an organisation: the halves share no noun."""
NOT, WHETHER = Token("не", "PART"), Token("ли", "PART")
CONNECTIVES = {"and": parse("а/CCONJ"), "because": parse("потому/ADV что/SCONJ"), "that": parse("что/SCONJ")}
MODALS = {"can": ("мог", "могла"), "want": ("хотел", "хотела")}


class Russian(Realiser):
    """Russian words and order: subject [time] manner verb known object place new object."""

    numerals = ("два", "три", "четыре", "пять")
    who = Token("кто", "PRON")

    def clause(self, clause: Clause) -> Tokens:
        """See `Realiser.clause`."""
        time = self.adjunct(clause.time)
        subject = [self.who] if clause.question == "who" else self._subject(clause)
        if clause.question == "whether":
            verb, manner = self._past(clause), self.adjunct(clause.manner)
            return [verb, WHETHER, *subject, *time, *manner, *self._complements(clause)]
        start = [*time, *subject] if clause.front else [*subject, *time]
        return [*start, *self._predicate(clause), *self._link(clause)]

    def phrase(self, phrase: Phrase, case: Case = "nom") -> Tokens:
        """A noun phrase or a name."""
        if phrase.sort != "noun":
            return self.name(phrase, case)
        if phrase.count > 1:
            return self._counted(phrase, case)
        adjective = [self._adjective(phrase.adjective, phrase, case)] if phrase.adjective else []
        return [*adjective, *_words(self._noun(phrase.head, case)), *self._relative(phrase)]

    def name(self, phrase: Phrase, case: Case = "nom") -> Tokens:
        """A name with its case ending; that of an organisation has none but follows a noun."""
        if phrase.sort == "organisation":
            test = phrase.head.replace(" ", "_") in inventory()["test"].organisations
            firm = _decline(FIRMS["test" if test else "train"], "f", case)
            return [Token(firm, "NOUN"), *super().name(phrase)]
        if phrase.sort == "place":
            words = [self.names[phrase.head]]
            case = "nom" if case == "acc" and words[0][-1] not in "ая" else case
        else:
            words = [self.names[word] for word in phrase.head.split()]
        forms = (_decline(word, gender_of(phrase), case) for word in words)
        return [Token(form, "PROPN", f"{'I' if i else 'B'}-{ENTITY[phrase.sort]}") for i, form in enumerate(forms)]

    def _noun(self, head: str, case: Case) -> str:
        kind, nominative, genitive, instrumental, _ = self.nouns[head]
        if case == "acc":
            if nominative[-1] in "ая" and kind[0] != "n":
                return nominative[:-1] + {"а": "у", "я": "ю"}[nominative[-1]]
            return genitive if kind == "ma" else nominative
        return {"nom": nominative, "gen": genitive, "ins": instrumental}[case]

    def _adjective(self, adjective: str, phrase: Phrase, case: Case) -> Token:
        return Token(_long(self.adjectives[adjective][1], self.nouns[phrase.head][0], case), "ADJ")

    def _counted(self, phrase: Phrase, case: Case) -> Tokens:
        """A numeral with its noun in the nominative or accusative: *два студента*, *двух студентов*."""
        kind, _, genitive, _, many = self.nouns[phrase.head]
        numeral = self.numeral(phrase.count)
        noun = many if phrase.count == 5 or genitive.endswith("ого") else genitive
        if phrase.count < 5 and kind[1] == "a" and case == "acc":
            numeral, noun = Token(ANIMATE_FEW[phrase.count - 2], "NUM"), many
        elif phrase.count == 2 and kind[0] == "f":
            numeral = Token("две", "NUM")
        adjective = [Token(_long(self.adjectives[phrase.adjective][1], "p"), "ADJ")] if phrase.adjective else []
        return [numeral, *adjective, *_words(noun)]

    def _relative(self, phrase: Phrase) -> Tokens:
        clause = phrase.relative
        if clause is None:
            return []
        case: Case = "nom" if gap(phrase) == "subject" else "acc"
        pronoun = Token(_long("который", self.nouns[phrase.head][0], case), "PRON")
        if case == "nom":
            return [COMMA, pronoun, *self._predicate(clause), COMMA]
        negation = [NOT] if clause.negated else []
        return [COMMA, pronoun, *negation, self._past(clause), *self._subject(clause), COMMA]

    def _subject(self, clause: Clause) -> Tokens:
        """The subject; the genitive says that it was not there."""
        return self.phrase(leading(clause), "gen" if _is_absence(clause) else "nom")

    def _predicate(self, clause: Clause) -> Tokens:
        negation = [NOT] if clause.negated else []
        if clause.kind != "event":
            return [*negation, *self._description(clause), *self._place(clause.place)]
        if clause.passive:
            return [*negation, *self._passive(clause), *self._place(clause.place)]
        manner = [] if clause.negated else self.adjunct(clause.manner)
        return [*manner, *negation, *self._verb(clause), *self._complements(clause)]

    def _complements(self, clause: Clause) -> Tokens:
        """What follows an active verb: a known object precedes the place, a new one follows it."""
        what = self.phrase(clause.object, "acc") if clause.object else []
        if clause.also:
            what = [*what, Token("и", "CCONJ"), *self.phrase(clause.also, "acc")]
        manner = self.adjunct(clause.manner) if clause.negated else []
        place = self._place(clause.place)
        if clause.object and (clause.object.count > 1 or not clause.object.definite):
            return [*manner, *place, *what]
        return [*what, *manner, *place]

    def _description(self, clause: Clause) -> Tokens:
        """A state, a role or what says that somebody was somewhere, without its place."""
        kind = self._kind(clause.subject)
        was = Token("было" if _is_absence(clause) else _agree("был", "была", kind), "AUX")
        if clause.kind != "state":
            return [was, *(self.phrase(clause.object, "ins") if clause.object else [])]
        form, masculine, *feminine = self.adjectives[clause.predicate]
        if form == "long":
            return [was, Token(_long(masculine, kind, "ins"), "ADJ")]
        state = _agree(masculine, feminine[0], kind, short=form != "verb")
        if form == "verb":
            return [Token(state, "VERB")]
        return [was, Token(state, "ADJ" if form == "short" else "VERB")]

    def _verb(self, clause: Clause) -> Tokens:
        if clause.modal is None:
            return [self._past(clause)]
        infinitive = Token(self._forms(clause)[0], "VERB")
        kind = self._kind(clause.subject)
        if clause.modal == "must":
            modal = Token(_agree("должен", "должна", kind, short=True), "ADJ")
            return [modal, Token(_agree("был", "была", kind), "AUX"), infinitive]
        return [Token(_agree(*MODALS[clause.modal], kind), "VERB"), infinitive]

    def _past(self, clause: Clause) -> Token:
        masculine, feminine = self._forms(clause)[1:3]
        who = clause.question == "who"
        return Token(_agree(masculine, feminine, "m" if who else self._kind(clause.subject)), "VERB")

    def _passive(self, clause: Clause) -> Tokens:
        assert clause.object is not None
        kind = self._kind(clause.object)
        masculine = self._forms(clause)[3]
        feminine = masculine.removesuffix("ён") + ("ена" if masculine.endswith("ён") else "а")
        participle = Token(_agree(masculine, feminine, kind, short=True), "VERB")
        agent = self.phrase(clause.subject, "ins")
        return [Token(_agree("был", "была", kind), "AUX"), *self.adjunct(clause.manner), participle, *agent]

    def _forms(self, clause: Clause) -> list[str]:
        """Infinitive, masculine and feminine past and participle of the verb that suits its object."""
        forms = self.verbs[clause.predicate]
        special = clause.object is not None and len(forms) > 4 and _belongs(clause.object, forms[4])
        return forms[5:] if special else forms[:4]

    def _kind(self, phrase: Phrase) -> str:
        """Gender and animacy, or ``p`` for the plural."""
        if phrase.count > 1:
            return "p"
        return self.nouns[phrase.head][0] if phrase.sort == "noun" else gender_of(phrase)

    def _place(self, place: Phrase | None) -> Tokens:
        if place is None:
            return []
        if place.sort == "noun":
            preposition, noun = self.spots[place.head]
            return [Token(preposition, "ADP"), Token(noun, "NOUN")]
        name = self.name(place, "loc")
        cluster = name[0].form[0] in "ВФ" and name[0].form[1] not in VOWELS
        return [Token("во" if cluster else "в", "ADP"), *name]

    def _link(self, clause: Clause) -> Tokens:
        if clause.link is None:
            return []
        word, second = clause.link
        return [COMMA, *CONNECTIVES[word], *self.clause(second)]


def _is_absence(clause: Clause) -> bool:
    """Whether it says that somebody was not somewhere."""
    return clause.kind == "location" and clause.negated


def _words(form: str) -> Tokens:
    """The words of a noun, which are nouns themselves unless they name their tag."""
    parts = (word.partition("/") for word in form.split("_"))
    return [Token(word, upos or "NOUN") for word, _, upos in parts]


def _belongs(phrase: Phrase, kind: str) -> bool:
    """Whether ``phrase`` is of a class of objects."""
    if kind == "person":
        return phrase.human
    return any(phrase.head in (kind, *half.kinds.get(kind, ())) for half in inventory().values())


def _agree(masculine: str, feminine: str, kind: str, short: bool = False) -> str:
    """A past tense or a short adjective in a gender or the plural; its last *а* marks the feminine."""
    if kind[0] in "mf":
        return masculine if kind[0] == "m" else feminine
    stem, _, reflexive = feminine.rpartition("а")
    return stem + ("о" if kind[0] == "n" else "ы" if short else "и") + reflexive


def _long(masculine: str, kind: str, case: Case = "gen") -> str:
    """A long adjective; of the plural there is the genitive only."""
    stem = masculine[:-2]
    if case == "acc" and kind == "ma":
        case = "gen"
    ending = "ых" if kind == "p" else LONG[kind[0]][("nom", "gen", "acc", "ins").index(case)]
    if not ending:
        return masculine
    return stem + (ending.replace("ы", "и") if stem[-1] in "гкхжшчщ" else ending)


def _decline(name: str, gender: str, case: Case) -> str:
    """A name in *-а*, *-я* or, of a man or a place, a consonant; others take no ending."""
    if case == "nom":
        return name
    if case == "loc" and name in LOCATIVES:
        return LOCATIVES[name]
    last = name[-1]
    if name.endswith("уа") or (last not in "ая" and (last in VOWELS or gender == "f")):
        return name
    replaced = last if last in NAMES else ""
    stem = name.removesuffix(replaced)
    ending = NAMES[replaced].split()[("gen", "acc", "ins", "loc").index(case)]
    if (ending == "ы" and stem[-1] in "гкхжшчщ") or (ending == "е" and name.endswith("ия")):
        return stem + "и"
    return stem + (ending.replace("о", "е") if stem[-1] in "жшчщц" else ending)
