"""From a meaning to tagged words: what all languages share.

A language is a lexicon file and a subclass of `Realiser` that orders and inflects; see `english` for the simplest.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable
from typing import ClassVar, NamedTuple

from babel import Locale

from claimtrack.settings import read_yaml
from crosslayer.data.fragment.meanings import HERE, Clause, Connective, Phrase, Sort, countries, inventory

ENTITY: dict[Sort, str] = {"person": "PER", "place": "LOC", "organisation": "ORG"}
SHARED = {"stop": "./PUNCT", "ask": "?/PUNCT", "open": "", "between names": ""}
"""Entries of a lexicon's ``words`` that few languages have otherwise."""


class Token(NamedTuple):
    """A word with its UPOS tag and its entity tag in BIO."""

    form: str
    upos: str
    entity: str = "O"


Tokens = list[Token]
COMMA = Token(",", "PUNCT")


class Realiser(ABC):
    """Words of one language.

    Args:
        language: the code whose lexicon file is read.

    Attributes:
        tables: every section of the lexicon; each entry as a list of forms.
        words: function words by what they mean, each with its forms as tagged words.
        names: names that differ from English ones.
        name_separator: what stands between the names of a person.
        before_and: how a word starts before which *and* has its second form.
    """

    name_separator: ClassVar = " "
    before_and: ClassVar[tuple[str, ...]] = ()

    def __init__(self, language: str) -> None:
        lexicon: dict[str, dict[str, str]] = read_yaml(HERE / "lexicon" / f"{language}.yaml")
        self.tables = {
            part: {key: forms.split() for key, forms in entries.items()} for part, entries in lexicon.items()
        }
        self.nouns, self.verbs, self.adjectives = (self.tables[part] for part in ("nouns", "verbs", "adjectives"))
        words = SHARED | lexicon["words"]
        self.words = {key: [parse(form) for form in forms.split("|")] for key, forms in words.items()}
        self.adjuncts = {key: parse(words) for key, words in (lexicon["times"] | lexicon["manners"]).items()}
        territories = Locale(language).territories
        self.names = {name: territories[code] for name, code in countries().items()} | lexicon["names"]

    @abstractmethod
    def clause(self, clause: Clause) -> Tokens:
        """A main clause with what follows it, without capital and full stop."""

    def phrase(self, phrase: Phrase, case: str = "nom", negated: bool = False) -> Tokens:
        """A noun phrase or a name; ``negated`` puts the negative article in the place of the indefinite one."""
        return self._noun_phrase(phrase, case, negated) if phrase.sort == "noun" else self.name(phrase, case)

    @abstractmethod
    def _noun_phrase(self, phrase: Phrase, case: str, negated: bool) -> Tokens: ...

    def sentence(self, clause: Clause) -> Tokens:
        """A whole sentence, with its capital and its full stop or question marks."""
        first, *rest = self.clause(clause)
        start = first._replace(form=first.form[0].upper() + first.form[1:])
        if clause.question:
            return [*self.word("open"), start, *rest, *self.word("ask")]
        return [start, *rest, *self.word("stop")]

    def text(self, clause: Clause) -> str:
        return detokenise(token.form for token in self.sentence(clause))

    def word(self, key: str, form: int = 0) -> Tokens:
        """A function word in one of its forms; a word with a single form has it everywhere."""
        forms = self.words[key]
        return forms[form] if len(forms) > 1 else forms[0]

    def adjunct(self, key: str | None) -> Tokens:
        return self.adjuncts[key] if key is not None else []

    def name(self, phrase: Phrase, case: str = "nom") -> Tokens:
        heads = phrase.head.split() if phrase.sort == "person" else [phrase.head]
        words = self.name_separator.join(self.names.get(head, head) for head in heads).split()
        tags, entity = self.tables.get("inside names", {}), f"-{ENTITY[phrase.sort]}"
        return [Token(word, tags.get(word, ["PROPN"])[0], "BI"[i > 0] + entity) for i, word in enumerate(words)]

    def _subject(self, clause: Clause) -> Tokens:
        """What stands as the subject, or the question word in its place."""
        return self.word("who") if clause.question == "who" else self.phrase(leading(clause))

    def _late_time(self, clause: Clause) -> Tokens:
        return [] if clause.front else self.adjunct(clause.time)

    def _objects(self, clause: Clause, case: str = "acc") -> Tokens:
        if clause.object is None:
            return []
        conjunction = self.word("and also" if "and also" in self.words else "and")
        second = [*conjunction, *self._object(clause, clause.also, case)] if clause.also else []
        return [*self._object(clause, clause.object, case), *second]

    def _object(self, clause: Clause, what: Phrase, case: str) -> Tokens:
        return self.phrase(what, case, clause.negated)

    def _role(self, clause: Clause) -> Tokens:
        """A role, which most languages give an article only with an attribute."""
        assert clause.object is not None
        return self.phrase(clause.object)[0 if clause.object.adjective else 1 :]

    def _relative(self, phrase: Phrase) -> Tokens:
        clause = phrase.relative
        return self._relative_clause(phrase, clause, clause.subject.head == phrase.head) if clause else []

    @abstractmethod
    def _relative_clause(self, phrase: Phrase, clause: Clause, as_subject: bool) -> Tokens:
        """A clause that says more about ``phrase``, which is its subject or its object."""

    def _link(self, clause: Clause, last: Token) -> Tokens:
        """The second clause, if any, after its conjunction."""
        if clause.link is None:
            return []
        word, second = clause.link
        following = self._linked(word, second)
        if word != "and":
            return [*self.word(word), *following]
        names = "O" not in (last.entity, following[0].entity)
        similar = following[0].form.lower().startswith(self.before_and)
        return [*(self.word("between names") if names else []), *self.word(word, similar), *following]

    def _linked(self, word: Connective, second: Clause) -> Tokens:
        return self.clause(second)

    def _determiner(self, phrase: Phrase, gender: str = "", form: int = 0, negated: bool = False) -> Tokens:
        if phrase.count > 1:
            return [self.numeral(phrase.count)]
        article = "the" if phrase.definite else "no" if negated else "a"
        return self.word(f"{article} {gender}".rstrip(), form)

    def numeral(self, count: int) -> Token:
        return self.word("numerals")[count - 2]

    def _place(self, place: Phrase | None) -> Tokens:
        return self._placed(place) if place else []

    def _placed(self, place: Phrase) -> Tokens:
        return self._with(self._preposition(place), self.phrase(place, "dat"))

    def _preposition(self, place: Phrase) -> Tokens:
        return self._in(place) if place.sort == "place" else parse(" ".join(self.tables["spots"][place.head]))

    def _in(self, place: Phrase) -> Tokens:
        return self.word("in")

    def _with(self, preposition: Tokens, words: Tokens) -> Tokens:
        """A preposition before other words, one word with an article where the lexicon joins the two."""
        first, *rest = words
        *before, last = preposition
        joined = self.tables.get("joined", {}).get(f"{last.form} {first.form}")
        return [*before, Token(joined[0], "ADP"), *rest] if joined else [*preposition, *words]

    def _firm(self, phrase: Phrase) -> list[str]:
        """The noun beside the name of an organisation; the halves share none."""
        half = "test" if phrase.head.replace(" ", "_") in inventory()["test"].organisations else "train"
        return self.tables["firms"][half]


def leading(clause: Clause) -> Phrase:
    """The phrase that stands as the subject: in the passive the object."""
    first = clause.object if clause.passive else clause.subject
    assert first is not None
    return first


def parse(words: str) -> Tokens:
    """``word/UPOS word/UPOS`` as tokens."""
    return [Token(*pair.rsplit("/", 1)) for pair in words.split()]


def detokenise(words: Iterable[str]) -> str:
    """Words joined by spaces, but for punctuation and next to apostrophes and leading hyphens."""
    text = " ".join(words)
    for apart, attached in ((" ,", ","), (" .", "."), (" ?", "?"), ("¿ ", "¿"), ("' ", "'"), (" -", "-")):
        text = text.replace(apart, attached)
    return text
