"""From a meaning to tagged words: what all languages share.

A language is a lexicon file and a subclass of `Realiser` that orders and inflects; see `english` for the simplest.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping
from typing import NamedTuple

from babel import Locale

from claimtrack.settings import read_yaml
from crosslayer.data.fragment.meanings import HERE, Clause, Phrase, Sort, countries

ENTITY: dict[Sort, str] = {"person": "PER", "place": "LOC", "organisation": "ORG"}
CLOSING = {",", ".", "?"}
OPENING = {"¿"}


class Token(NamedTuple):
    """A word with its UPOS tag and its entity tag in BIO."""

    form: str
    upos: str
    entity: str = "O"


Tokens = list[Token]
COMMA, STOP, ASK = Token(",", "PUNCT"), Token(".", "PUNCT"), Token("?", "PUNCT")


class Realiser(ABC):
    """Words of one language.

    Args:
        language: the code whose lexicon file is read.

    Attributes:
        numerals: the words for two, three, four and five.
        who: the question word for a person.
    """

    numerals: tuple[str, str, str, str]
    who: Token

    def __init__(self, language: str) -> None:
        lexicon = read_yaml(HERE / "lexicon" / f"{language}.yaml")
        self.nouns: Mapping[str, list[str]] = _entries(lexicon["nouns"])
        self.verbs: Mapping[str, list[str]] = _entries(lexicon["verbs"])
        self.adjectives: Mapping[str, list[str]] = _entries(lexicon["adjectives"])
        self.spots: Mapping[str, list[str]] = _entries(lexicon["spots"])
        self.adjuncts = {
            key: parse(words) for part in ("times", "manners") for key, words in lexicon[part].items()
        }
        territories = Locale(language).territories
        self.names: Mapping[str, str] = {
            **{name: territories[code] for name, code in countries().items()}, **lexicon["names"],
        }  # fmt: skip

    @abstractmethod
    def clause(self, clause: Clause) -> Tokens:
        """A main clause with what follows it, without capital and full stop."""

    @abstractmethod
    def phrase(self, phrase: Phrase) -> Tokens:
        """A noun phrase or a name."""

    def _subject(self, clause: Clause) -> Tokens:
        """What stands as the subject, or the question word in its place."""
        return [self.who] if clause.question == "who" else self.phrase(leading(clause))

    def _place(self, place: Phrase | None) -> Tokens:
        """A place after its preposition, which is *in* before a name."""
        if place is None:
            return []
        preposition = "in" if place.sort == "place" else self.spots[place.head][0]
        return [Token(preposition, "ADP"), *self.phrase(place)]

    def sentence(self, clause: Clause) -> Tokens:
        """A whole sentence, with its capital and its full stop or question mark."""
        first, *rest = self.clause(clause)
        end = ASK if clause.question else STOP
        return [first._replace(form=first.form[0].upper() + first.form[1:]), *rest, end]

    def text(self, clause: Clause) -> str:
        """A whole sentence as running text."""
        return detokenise(token.form for token in self.sentence(clause))

    def adjunct(self, key: str | None) -> Tokens:
        """A time or a manner; nothing for ``None``."""
        return self.adjuncts[key] if key is not None else []

    def name(self, phrase: Phrase) -> Tokens:
        """A name in this language."""
        words = self.names.get(phrase.head, phrase.head).split()
        label = ENTITY[phrase.sort]
        return [Token(word, "PROPN", f"{'I' if i else 'B'}-{label}") for i, word in enumerate(words)]

    def numeral(self, count: int) -> Token:
        """The numeral of 2 to 5."""
        return Token(self.numerals[count - 2], "NUM")


def leading(clause: Clause) -> Phrase:
    """The phrase that stands as the subject: in the passive the object."""
    first = clause.object if clause.passive else clause.subject
    assert first is not None
    return first


def gap(phrase: Phrase) -> str:
    """Which role ``phrase`` has in its relative clause: ``subject`` or ``object``."""
    assert phrase.relative is not None
    return "subject" if phrase.relative.subject.head == phrase.head else "object"


def parse(words: str) -> Tokens:
    """``word/UPOS word/UPOS`` as tokens."""
    return [Token(*pair.rsplit("/", 1)) for pair in words.split()]


def detokenise(words: Iterable[str]) -> str:
    """Words joined by spaces, punctuation attached."""
    text = "".join(word if word in CLOSING else f" {word}" for word in words).lstrip()
    for mark in OPENING:
        text = text.replace(f"{mark} ", mark)
    return text


def _entries(section: Mapping[str, str]) -> dict[str, list[str]]:
    return {key: forms.split() for key, forms in section.items()}
