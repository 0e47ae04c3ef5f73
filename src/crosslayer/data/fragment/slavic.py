"""Polish and Russian: cases, no articles, names that decline, verbs that agree in gender."""

from __future__ import annotations

from abc import abstractmethod

from crosslayer.data.fragment.meanings import Clause, Phrase, gender_of, is_of_class
from crosslayer.data.fragment.realise import COMMA, Realiser, Token, Tokens, leading

ADJECTIVE_ENDINGS = {
    "nom": {"m": "y", "f": "a", "n": "e", "p": "e"},
    "gen": {"m": "ego", "f": "ej", "n": "ego", "p": "ych"},
    "ins": {"m": "ym", "f": "ą", "n": "ym", "p": "ymi"},
}
PAST_ENDINGS = {"m": "", "f": "a", "n": "o", "p": "y", "governed": "o"}
CASES = ("nom", "gen", "acc", "ins")
VOWELS, HUSHES = "аеёиоуыэюя", "жшчщ"
LONG = {
    "m": ("", "ого", "", "ым"), "f": ("ая", "ой", "ую", "ой"), "n": ("ое", "ого", "ое", "ым"),
}  # fmt: skip
"""Endings of long adjectives in these cases, the accusative of what is inanimate."""
NAMES = {"а": "ы у ой е", "я": "и ю ей е", "ь": "я я ем е", "й": "я я ем е", "": "а а ом е"}
"""Endings of names by what they replace: genitive, accusative, instrumental, prepositional."""
LOCATIVES = {"Египет": "Египте", "Афины": "Афинах"}


class Slavic(Realiser):
    """Cases are nom, gen, acc, ins and, of places, loc."""

    def name(self, phrase: Phrase, case: str = "nom") -> Tokens:
        """A name in a case; that of an organisation has none but follows a noun."""
        tokens = super().name(phrase)
        if phrase.sort == "organisation":
            return [Token(self._firm(phrase)[CASES.index(case)], "NOUN"), *tokens]
        if case == "nom":
            return tokens
        forms = self._declined([token.form for token in tokens], phrase, case)
        return [token._replace(form=form) for token, form in zip(tokens, forms, strict=True)]

    @abstractmethod
    def _declined(self, words: list[str], phrase: Phrase, case: str) -> list[str]:
        """The words of the name of a person or a place."""

    def _subject(self, clause: Clause) -> Tokens:
        """See `Realiser._subject`; the genitive says that it was not there."""
        if clause.question == "who":
            return self.word("who")
        return self.phrase(leading(clause), "gen" if is_absence(clause) else "nom")

    def _not(self, clause: Clause) -> Tokens:
        return self.word("not") if clause.negated else []

    def _placed(self, place: Phrase) -> Tokens:
        """A place; the lexicon has the nouns in the case that their preposition asks for."""
        return [*self._preposition(place), *(self.name(place, "loc") if place.sort == "place" else [])]


def is_absence(clause: Clause) -> bool:
    """Whether it says that somebody was not somewhere."""
    return clause.kind == "location" and clause.negated


class Polish(Slavic):
    """Polish words and order: [time] subject [adverb of time] manner verb object place time.

    Genders: v men, a masculine animals, m masculine things, f, n, and p plural only. What a verb agrees with is
    m, f, n, p or ``governed``: a numeral with the genitive has a neuter verb, and adjectives in the genitive.
    """

    def clause(self, clause: Clause) -> Tokens:
        """See `Realiser.clause`; of someone who was not somewhere Polish says that there was nothing of him."""
        asking = self.word("whether") if clause.question == "whether" else []
        start = self.adjunct(clause.time) if clause.front else []
        agreement = "n" if is_absence(clause) else self._agreement(leading(clause))
        rest = self._predicate(clause, "m" if clause.question == "who" else agreement)
        return [*asking, *start, *self._subject(clause), *rest, *self._link(clause, rest[-1])]

    def _noun_phrase(self, phrase: Phrase, case: str, negated: bool) -> Tokens:
        gender, singular, genitive, plural, genitive_plural, *instrumental = self.nouns[phrase.head]
        numeral: Tokens = []
        if phrase.count > 1:
            governs = case == "gen" or self._agreement(phrase) == "governed"
            numeral = [self._numeral(phrase.count, gender, case)]
            noun, gender, case = (genitive_plural, "p", "gen") if governs else (plural, "p", "nom")
        else:
            noun = instrumental[0] if case == "ins" else _decline_polish(gender, singular, genitive, case)
        words = [*(self.adjectives[phrase.adjective] if phrase.adjective else []), noun]
        words += self.tables["following"].get(phrase.head, [])
        group = [Token(w, "NOUN") if w == noun else Token(_inflect(w, gender, case), "ADJ") for w in words]
        return [*numeral, *group, *self._relative(phrase)]

    def _declined(self, words: list[str], phrase: Phrase, case: str) -> list[str]:
        """Names of men and places decline, those of women only in -a."""
        if phrase.sort == "person":
            man = gender_of(phrase) == "m"
            return [self._man(word) if man else self._woman(word, case) for word in words]
        gender, *forms = self.tables["places"][phrase.head]
        if not forms:
            return words
        genitive, locative, *_ = (form.replace("_", " ") for form in forms)
        return (locative if case == "loc" else _decline_polish(gender, " ".join(words), genitive, case)).split()

    def _man(self, name: str) -> str:
        regular = f"{name}ego" if name[-1] == "i" else f"{name.removesuffix('o')}a"
        return self.tables["genitives"].get(name, [regular])[0]

    def _woman(self, name: str, case: str) -> str:
        if name[-1] != "a":
            return name
        regular = name[:-1] + ("i" if name[-2] in "lie" else "y")
        return _decline_polish("f", name, self.tables["genitives"].get(name, [regular])[0], case)

    def _agreement(self, phrase: Phrase) -> str:
        """What a verb or a predicative adjective agrees with."""
        gender = self.nouns[phrase.head][0] if phrase.sort == "noun" else gender_of(phrase)
        if phrase.count == 1:
            return "m" if gender in "va" else gender
        return "governed" if phrase.count == 5 or gender in "vp" else "p"

    def _numeral(self, count: int, gender: str, case: str) -> Token:
        if case == "gen" or gender == "v":
            return self.word("numerals of men")[count - 2]
        if gender == "p":
            return self.word("collective numerals")[count - 2]
        return self.word("two f")[0] if gender == "f" and count == 2 else self.numeral(count)

    def _relative_clause(self, phrase: Phrase, clause: Clause, as_subject: bool) -> Tokens:
        pronoun = _inflect("który", self.nouns[phrase.head][0], "nom" if as_subject else "acc")
        subject = None if as_subject else self.phrase(clause.subject)
        rest = self._predicate(clause, self._agreement(clause.subject), subject)
        return [COMMA, Token(pronoun, "DET"), *rest, COMMA]

    def _predicate(self, clause: Clause, agreement: str, subject: Tokens | None = None) -> Tokens:
        """The verb and what belongs to it, with ``subject`` in the place of an object named before."""
        time = self._late_time(clause)
        early, late = ([], time) if time and time[0].upos == "ADP" else (time, [])
        if clause.kind != "event":
            core = self._copula(clause, agreement, early)
        elif clause.passive:
            core = self._passive(clause, agreement, early)
        else:
            what = self._objects(clause, "gen" if clause.negated else "acc") if subject is None else subject
            core = self._active(clause, agreement, early, what)
        return [*core, *self._place(clause.place), *late]

    def _copula(self, clause: Clause, agreement: str, early: Tokens) -> Tokens:
        what = [_agree_polish(self.adjectives[clause.predicate][0], agreement)] if clause.kind == "state" else []
        role = self.phrase(clause.object, "ins") if clause.object else []
        return [*self._not(clause), Token(_past("był", agreement), "AUX"), *early, *what, *role]

    def _passive(self, clause: Clause, agreement: str, early: Tokens) -> Tokens:
        _, _, participle, *auxiliary = self._verb(clause)
        was = Token(_past(auxiliary[0] if auxiliary else "został", agreement), "AUX")
        how = [*early, *self.adjunct(clause.manner), _agree_polish(participle, agreement)]
        return [*self._not(clause), was, *how, *self.word("by"), *self.phrase(clause.subject, "acc")]

    def _active(self, clause: Clause, agreement: str, early: Tokens, what: Tokens) -> Tokens:
        past, infinitive, *marks = self._verb(clause)
        itself = self.word("self") if marks == ["się"] else []
        manner = self.adjunct(clause.manner)
        if clause.modal:
            modal = Token(_past(self.word(clause.modal)[0].form, agreement), "VERB")
            return [modal, *early, *manner, Token(infinitive, "VERB"), *itself, *what]
        verb = [*self._not(clause), Token(_past(past, agreement), "VERB"), *itself]
        return [*early, *verb, *manner, *what] if clause.negated else [*early, *manner, *verb, *what]

    def _verb(self, clause: Clause) -> list[str]:
        """The verb; a garment is not washed with the same word as a dog."""
        garment = clause.object is not None and is_of_class(clause.object, "garment")
        return self.tables["garments"].get(clause.predicate if garment else "", self.verbs[clause.predicate])

    def _in(self, place: Phrase) -> Tokens:
        own = self.tables["places"][place.head][3:]
        return [Token(own[0] if own else "w", "ADP")]


class Russian(Slavic):
    """Russian words and order: subject [time] manner verb known object place new object."""

    def clause(self, clause: Clause) -> Tokens:
        time, subject = self.adjunct(clause.time), self._subject(clause)
        if clause.question == "whether":
            verb, manner = self._verb(clause), self.adjunct(clause.manner)
            return [*verb, *self.word("whether"), *subject, *time, *manner, *self._complements(clause)]
        start = [*time, *subject] if clause.front else [*subject, *time]
        rest = self._predicate(clause)
        return [*start, *rest, *self._link(clause, rest[-1])]

    def _noun_phrase(self, phrase: Phrase, case: str, negated: bool) -> Tokens:
        kind, *forms, many = self.nouns[phrase.head]
        noun, numeral = forms[CASES.index(case)], self._numeral(phrase.count, kind, case)
        if phrase.count > 1:
            animate = numeral[0] in self.word("animate numerals")
            noun = many if phrase.count == 5 or animate or forms[1].endswith("ого") else forms[1]
            kind = "p"
        long = self.adjectives[phrase.adjective][1] if phrase.adjective else None
        adjective = [Token(_long(long, kind, case), "ADJ")] if long else []
        return [*numeral, *adjective, *_words(noun), *self._relative(phrase)]

    def _numeral(self, count: int, kind: str, case: str) -> Tokens:
        """A numeral in the nominative or accusative: *два студента*, *двух студентов*."""
        if count == 1:
            return []
        if count < 5 and kind[1] == "a" and case == "acc":
            return [self.word("animate numerals")[count - 2]]
        return self.word("two f") if count == 2 and kind[0] == "f" else [self.numeral(count)]

    def _declined(self, words: list[str], phrase: Phrase, case: str) -> list[str]:
        if phrase.sort == "place" and case == "acc" and words[0][-1] not in "ая":
            return words
        return [_decline_russian(word, gender_of(phrase), case) for word in words]

    def _relative_clause(self, phrase: Phrase, clause: Clause, as_subject: bool) -> Tokens:
        pronoun = _long("который", self._kind(phrase), "nom" if as_subject else "acc")
        rest = self._predicate(clause) if as_subject else [*self._verb(clause), *self._subject(clause)]
        return [COMMA, Token(pronoun, "PRON"), *rest, COMMA]

    def _predicate(self, clause: Clause) -> Tokens:
        if clause.kind != "event" or clause.passive:
            core = self._passive(clause) if clause.passive else self._description(clause)
            return [*self._not(clause), *core, *self._place(clause.place)]
        manner = [] if clause.negated else self.adjunct(clause.manner)
        return [*manner, *self._not(clause), *self._verb(clause), *self._complements(clause)]

    def _complements(self, clause: Clause) -> Tokens:
        """What follows an active verb: a known object precedes the place, a new one follows it."""
        what, place = self._objects(clause), self._place(clause.place)
        manner = self.adjunct(clause.manner) if clause.negated else []
        if clause.object and (clause.object.count > 1 or not clause.object.definite):
            return [*manner, *place, *what]
        return [*what, *manner, *place]

    def _description(self, clause: Clause) -> Tokens:
        """A state, a role or what says that somebody was somewhere, without its place."""
        kind = "n" if is_absence(clause) else self._kind(clause.subject)
        was = self._agreeing("was", kind)
        if clause.kind != "state":
            return [*was, *(self.phrase(clause.object, "ins") if clause.object else [])]
        form, masculine, *feminine = self.adjectives[clause.predicate]
        if form == "long":
            return [*was, Token(_long(masculine, kind, "ins"), "ADJ")]
        state = _agree_russian(masculine, feminine[0], kind, short=True)
        return [*was, Token(state, "ADJ" if form == "short" else "VERB")]

    def _agreeing(self, key: str, kind: str) -> Tokens:
        return self.word(key, "mfnp".index(kind[0]))

    def _verb(self, clause: Clause) -> Tokens:
        kind = "m" if clause.question == "who" else self._kind(clause.subject)
        infinitive, masculine, feminine = self._forms(clause)[:3]
        if clause.modal:
            return [*self._agreeing(clause.modal, kind), Token(infinitive, "VERB")]
        return [Token(_agree_russian(masculine, feminine, kind), "VERB")]

    def _passive(self, clause: Clause) -> Tokens:
        assert clause.object is not None
        kind = self._kind(clause.object)
        masculine = self._forms(clause)[3]
        feminine = masculine.removesuffix("ён") + ("ена" if masculine.endswith("ён") else "а")
        participle = Token(_agree_russian(masculine, feminine, kind, short=True), "VERB")
        agent = self.phrase(clause.subject, "ins")
        return [*self._agreeing("was", kind), *self.adjunct(clause.manner), participle, *agent]

    def _forms(self, clause: Clause) -> list[str]:
        """Infinitive, masculine and feminine past and participle of the verb that suits its object."""
        forms = self.verbs[clause.predicate]
        special = clause.object is not None and len(forms) > 4 and is_of_class(clause.object, forms[4])
        return forms[5:] if special else forms[:4]

    def _kind(self, phrase: Phrase) -> str:
        """Gender and animacy, or ``p`` for the plural."""
        if phrase.count > 1:
            return "p"
        return self.nouns[phrase.head][0] if phrase.sort == "noun" else gender_of(phrase)

    def _in(self, place: Phrase) -> Tokens:
        """The preposition has a vowel before *В* or *Ф* and a consonant."""
        name = self.names[place.head]
        return self.word("in", name[0] in "ВФ" and name[1] not in VOWELS)


def _decline_polish(gender: str, nominative: str, genitive: str, case: str) -> str:
    """A singular: the accusative is the genitive of men and animals and differs from the nominative in -a."""
    if case == "gen" or (case == "acc" and gender in "va"):
        return genitive
    return f"{nominative[:-1]}ę" if case == "acc" and nominative[-1] == "a" else nominative


def _inflect(adjective: str, gender: str, case: str) -> str:
    """The form of a masculine in -y or -i; the accusative is the genitive, the instrumental or the nominative."""
    row = ("gen" if gender in "va" else "ins" if gender == "f" else "nom") if case == "acc" else case
    ending = ADJECTIVE_ENDINGS[row]["m" if gender in "va" else gender]
    soft = adjective[-1] == "i" and ending[0] in "ye"
    return adjective[:-1] + (f"i{ending.removeprefix('y')}" if soft else ending)


def _agree_polish(adjective: str, agreement: str) -> Token:
    governed = agreement == "governed"
    return Token(_inflect(adjective, "p", "gen") if governed else _inflect(adjective, agreement, "nom"), "ADJ")


def _past(masculine: str, agreement: str) -> str:
    """The past of the third person that agrees, with the vowels of *-ął* and *-ógł* changed before an ending."""
    ending = PAST_ENDINGS[agreement]
    return masculine.replace("ął", "ęł").replace("ógł", "ogł") + ending if ending else masculine


def _words(form: str) -> Tokens:
    """The words of a noun, which are nouns themselves unless they name their tag."""
    parts = (word.partition("/") for word in form.split("_"))
    return [Token(word, upos or "NOUN") for word, _, upos in parts]


def _agree_russian(masculine: str, feminine: str, kind: str, short: bool = False) -> str:
    """A past tense or a short adjective in a gender or the plural; its last *а* marks the feminine."""
    if kind[0] in "mf":
        return masculine if kind[0] == "m" else feminine
    stem, _, reflexive = feminine.rpartition("а")
    return stem + ("о" if kind[0] == "n" else "ы" if short else "и") + reflexive


def _long(masculine: str, kind: str, case: str) -> str:
    """A long adjective; of the plural there is the genitive only."""
    stem = masculine[:-2]
    ending = "ых" if kind == "p" else LONG[kind[0]][CASES.index("gen" if (case, kind) == ("acc", "ma") else case)]
    if not ending:
        return masculine
    return stem + (ending.replace("ы", "и") if stem[-1] in "гкх" + HUSHES else ending)


def _decline_russian(name: str, gender: str, case: str) -> str:
    """A name in *-а*, *-я* or, of a man or a place, a consonant; others take no ending."""
    if case == "loc" and name in LOCATIVES:
        return LOCATIVES[name]
    last = name[-1]
    if case == "nom" or name.endswith("уа") or (last not in "ая" and (last in VOWELS or gender == "f")):
        return name
    replaced = last if last in NAMES else ""
    stem = name.removesuffix(replaced)
    ending = NAMES[replaced].split()[("gen", "acc", "ins", "loc").index(case)]
    if (ending == "ы" and stem[-1] in "гкх" + HUSHES) or (ending == "е" and name.endswith("ия")):
        return stem + "и"
    return stem + (ending.replace("о", "е") if stem[-1] in "ц" + HUSHES else ending)
