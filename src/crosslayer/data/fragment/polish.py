"""Polish: cases and no articles, genitive of negation, numerals that govern, past tenses that agree in gender."""

from __future__ import annotations

from typing import Literal

from claimtrack.settings import read_yaml
from crosslayer.data.fragment.meanings import HERE, Clause, Phrase, gender_of, genders, inventory
from crosslayer.data.fragment.realise import COMMA, Realiser, Token, Tokens, gap, leading, parse

Case = Literal["nom", "gen", "acc", "inst", "loc"]

ADJECTIVE_ENDINGS = {
    "nom": {"m": "y", "f": "a", "n": "e", "p": "e"},
    "gen": {"m": "ego", "f": "ej", "n": "ego", "p": "ych"},
    "inst": {"m": "ym", "f": "ą", "n": "ym", "p": "ymi"},
}
PAST_ENDINGS = {"m": "", "f": "a", "n": "o", "p": "y", "governed": "o"}
OF_MEN = ("dwóch", "trzech", "czterech", "pięciu")
COLLECTIVE = ("dwoje", "troje", "czworo", "pięcioro")
MODALS = {"must": "musiał", "can": "mógł", "want": "chciał"}
CONNECTIVES = {"and": "a/CCONJ", "because": "ponieważ/SCONJ", "that": "że/SCONJ"}
NOT, AND, SELF = Token("nie", "PART"), Token("i", "CCONJ"), Token("się", "PRON")
WHETHER = Token("czy", "PART")
GARMENTS = frozenset({"garment", *inventory()["train"].kinds["garment"]})


class Polish(Realiser):
    """Polish words and order: [time] subject [adverb of time] manner verb object place time.

    Genders: v men, a masculine animals, m masculine things, f, n, and p plural only. What a verb agrees with is
    m, f, n, p or ``governed``: a numeral with the genitive has a neuter verb, and adjectives in the genitive.
    """

    numerals = ("dwa", "trzy", "cztery", "pięć")
    who = Token("kto", "PRON")

    def __init__(self, language: str) -> None:
        super().__init__(language)
        lexicon = read_yaml(HERE / "lexicon" / f"{language}.yaml")
        self.garments: dict[str, list[str]] = {key: forms.split() for key, forms in lexicon["garments"].items()}
        self.following = {key: forms.split() for key, forms in lexicon["following"].items()}
        self.places: dict[str, list[str]] = {key: forms.split() for key, forms in lexicon["places"].items()}
        self.genitives: dict[str, str] = lexicon["genitives"]
        self.firms = {
            organisation.replace("_", " "): lexicon["firms"][name].split()
            for name, half in inventory().items()
            for organisation in half.organisations
        }

    def clause(self, clause: Clause) -> Tokens:
        """See `Realiser.clause`; of someone who was not somewhere Polish says that there was nothing of him."""
        first = leading(clause)
        start = self.adjunct(clause.time) if clause.front else []
        if clause.question == "who":
            return [*start, self.who, *self._predicate(clause, "m")]
        absent = clause.kind == "location" and clause.negated
        subject = self.phrase(first, "gen" if absent else "nom")
        start = [WHETHER, *start] if clause.question == "whether" else start
        predicate = self._predicate(clause, "n" if absent else self._agreement(first))
        return [*start, *subject, *predicate, *self._link(clause)]

    def phrase(self, phrase: Phrase, case: Case = "nom") -> Tokens:
        """A noun phrase or a name."""
        if phrase.sort != "noun":
            return self.name(phrase, case)
        gender, singular, genitive, plural, genitive_plural, *instrumental = self.nouns[phrase.head]
        numeral: Tokens = []
        if phrase.count > 1:
            governs = case == "gen" or self._agreement(phrase) == "governed"
            numeral = [self._numeral(phrase.count, gender, case)]
            noun, gender, case = (genitive_plural, "p", "gen") if governs else (plural, "p", "nom")
        else:
            noun = instrumental[0] if case == "inst" else _decline(gender, singular, genitive, case)
        adjective = self.adjectives[phrase.adjective] if phrase.adjective else []
        before = [Token(_inflect(word, gender, case), "ADJ") for word in adjective]
        after = [Token(_inflect(word, gender, case), "ADJ") for word in self.following.get(phrase.head, [])]
        return [*numeral, *before, Token(noun, "NOUN"), *after, *self._relative(phrase, gender)]

    def name(self, phrase: Phrase, case: Case = "nom") -> Tokens:
        """A name; those of women decline only in -a, those of firms only in the noun before them."""
        tokens = super().name(phrase)
        if phrase.sort == "organisation":
            noun, genitive = self.firms[phrase.head]
            return [Token(_decline("f", noun, genitive, case), "NOUN"), *tokens]
        if case == "nom":
            return tokens
        if phrase.sort == "place":
            forms = self._place_name(phrase.head, " ".join(token.form for token in tokens), case).split()
        else:
            man = genders()[phrase.head.split()[0]] == "m"
            forms = [self._man(token.form) if man else self._woman(token.form, case) for token in tokens]
        return [token._replace(form=form) for token, form in zip(tokens, forms, strict=True)]

    def _place_name(self, head: str, nominative: str, case: Case) -> str:
        gender, *forms = self.places[head]
        if not forms:
            return nominative
        genitive, locative, *_ = (form.replace("_", " ") for form in forms)
        return locative if case == "loc" else _decline(gender, nominative, genitive, case)

    def _man(self, name: str) -> str:
        """The genitive and accusative of a man's name."""
        if name in self.genitives:
            return self.genitives[name]
        return f"{name}ego" if name[-1] == "i" else f"{name.removesuffix('o')}a"

    def _woman(self, name: str, case: Case) -> str:
        if name[-1] != "a":
            return name
        regular = name[:-1] + ("i" if name[-2] in "lie" else "y")
        return _decline("f", name, self.genitives.get(name, regular), case)

    def _gender(self, phrase: Phrase) -> str:
        known = {"noun": self.nouns, "place": self.places}.get(phrase.sort)
        return known[phrase.head][0] if known else gender_of(phrase)

    def _agreement(self, phrase: Phrase) -> str:
        """What a verb or a predicative adjective agrees with."""
        gender = self._gender(phrase)
        if phrase.count == 1:
            return "m" if gender in "va" else gender
        return "governed" if phrase.count == 5 or gender in "vp" else "p"

    def _numeral(self, count: int, gender: str, case: Case) -> Token:
        if case == "gen" or gender == "v":
            return Token(OF_MEN[count - 2], "NUM")
        if gender == "p":
            return Token(COLLECTIVE[count - 2], "NUM")
        return Token("dwie", "NUM") if gender == "f" and count == 2 else self.numeral(count)

    def _relative(self, phrase: Phrase, gender: str) -> Tokens:
        clause = phrase.relative
        if clause is None:
            return []
        if gap(phrase) == "subject":
            pronoun, rest = _inflect("który", gender, "nom"), self._predicate(clause, self._agreement(phrase))
        else:
            pronoun = _inflect("który", gender, "gen" if clause.negated else "acc")
            subject = self.phrase(clause.subject)
            rest = self._predicate(clause, self._agreement(clause.subject), subject)
        return [COMMA, Token(pronoun, "DET"), *rest, COMMA]

    def _predicate(self, clause: Clause, agreement: str, subject: Tokens | None = None) -> Tokens:
        """The verb and what belongs to it, with ``subject`` in the place of an object named before."""
        time = [] if clause.front else self.adjunct(clause.time)
        late = bool(time) and time[0].upos == "ADP"
        early = [] if late else time
        if clause.kind != "event":
            core = self._copula(clause, agreement, early)
        elif clause.passive:
            core = self._passive(clause, agreement, early)
        else:
            core = self._active(clause, agreement, early, self._object(clause) if subject is None else subject)
        return [*core, *self._place(clause.place), *(time if late else [])]

    def _copula(self, clause: Clause, agreement: str, early: Tokens) -> Tokens:
        what = [_agree(self.adjectives[clause.predicate][0], agreement)] if clause.kind == "state" else []
        role = self.phrase(clause.object, "inst") if clause.object else []
        return [*_negation(clause), Token(_past("był", agreement), "AUX"), *early, *what, *role]

    def _passive(self, clause: Clause, agreement: str, early: Tokens) -> Tokens:
        _, _, participle, *auxiliary = self._verb(clause)
        was = Token(_past(auxiliary[0] if auxiliary else "został", agreement), "AUX")
        how = [*early, *self.adjunct(clause.manner), _agree(participle, agreement)]
        return [*_negation(clause), was, *how, Token("przez", "ADP"), *self.phrase(clause.subject, "acc")]

    def _active(self, clause: Clause, agreement: str, early: Tokens, what: Tokens) -> Tokens:
        past, infinitive, *marks = self._verb(clause)
        itself = [SELF] if marks == ["się"] else []
        manner = self.adjunct(clause.manner)
        if clause.modal:
            modal = Token(_past(MODALS[clause.modal], agreement), "VERB")
            return [*_negation(clause), modal, *early, *manner, Token(infinitive, "VERB"), *itself, *what]
        verb = [Token(_past(past, agreement), "VERB"), *itself]
        return [*early, NOT, *verb, *manner, *what] if clause.negated else [*early, *manner, *verb, *what]

    def _verb(self, clause: Clause) -> list[str]:
        """The verb; a garment is not washed with the same word as a dog."""
        garment = clause.object is not None and clause.object.head in GARMENTS
        return self.garments.get(clause.predicate if garment else "", self.verbs[clause.predicate])

    def _object(self, clause: Clause) -> Tokens:
        if clause.object is None:
            return []
        case: Case = "gen" if clause.negated else "acc"
        second = [AND, *self.phrase(clause.also, case)] if clause.also else []
        return [*self.phrase(clause.object, case), *second]

    def _place(self, place: Phrase | None) -> Tokens:
        if place is None:
            return []
        if place.sort == "noun":
            preposition, noun = self.spots[place.head]
            return [Token(preposition, "ADP"), Token(noun, "NOUN")]
        given = self.places[place.head][3:]
        return [Token(given[0] if given else "w", "ADP"), *self.name(place, "loc")]

    def _link(self, clause: Clause) -> Tokens:
        if clause.link is None:
            return []
        word, second = clause.link
        return [COMMA, *parse(CONNECTIVES[word]), *self.clause(second)]


def _negation(clause: Clause) -> Tokens:
    return [NOT] if clause.negated else []


def _decline(gender: str, nominative: str, genitive: str, case: Case) -> str:
    """A singular: the accusative is the genitive of men and animals and differs from the nominative in -a."""
    if case == "gen" or (case == "acc" and gender in "va"):
        return genitive
    return f"{nominative[:-1]}ę" if case == "acc" and nominative[-1] == "a" else nominative


def _inflect(adjective: str, gender: str, case: Case) -> str:
    """The form of a masculine in -y or -i; the accusative is the genitive, the instrumental or the nominative."""
    row = ("gen" if gender in "va" else "inst" if gender == "f" else "nom") if case == "acc" else case
    ending = ADJECTIVE_ENDINGS[row]["m" if gender in "va" else gender]
    soft = adjective[-1] == "i" and ending[0] in "ye"
    return adjective[:-1] + (f"i{ending.removeprefix('y')}" if soft else ending)


def _agree(adjective: str, agreement: str) -> Token:
    governed = agreement == "governed"
    return Token(_inflect(adjective, "p", "gen") if governed else _inflect(adjective, agreement, "nom"), "ADJ")


def _past(masculine: str, agreement: str) -> str:
    """The past of the third person that agrees, with the vowels of *-ął* and *-ógł* changed before an ending."""
    ending = PAST_ENDINGS[agreement]
    return masculine.replace("ął", "ęł").replace("ógł", "ogł") + ending if ending else masculine
