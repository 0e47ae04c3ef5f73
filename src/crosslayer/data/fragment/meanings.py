"""Meanings, without the words of any language: phrases, clauses and the inventory they are drawn from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Literal

from claimtrack.settings import read_yaml

HERE = Path(__file__).parent

Sort = Literal["noun", "person", "place", "organisation"]
Gender = Literal["f", "m"]
Kind = Literal["event", "state", "role", "location"]
Modal = Literal["must", "can", "want"]
Question = Literal["whether", "who"]
HalfName = Literal["train", "test"]


@dataclass(frozen=True, slots=True)
class Phrase:
    """A thing that takes part in an event.

    Attributes:
        head: a noun of the inventory, or a name (words of a name are separated by a space).
        sort: ``noun``, or which kind of name.
        human: whether it denotes a person.
        definite: ``the`` or ``a``; names and counted nouns have no article.
        count: how many; 1 is the singular without a numeral.
        adjective: an attribute.
        relative: a clause with this phrase as its subject or object, which says more about it.
        courtesy: a language that puts case endings on names may name the person with a title that takes them.
    """

    head: str
    sort: Sort = "noun"
    human: bool = False
    definite: bool = True
    count: int = 1
    adjective: str | None = None
    relative: Clause | None = None
    courtesy: bool = False

    @property
    def name(self) -> str:
        """The first word: of a person the given name."""
        return self.head.split()[0]


@dataclass(frozen=True, slots=True)
class Clause:
    """An event or a state in the past.

    Attributes:
        predicate: a verb of the inventory, or the adjective of a state; nothing for a role or a location.
        subject: who acts, whose state it is, or who or what is described.
        object: what the event is done to, or the role.
        also: a second object of the same class.
        kind: an event; a state (*was old*); a role (*was a teacher*); a location (*was in Berlin*).
        time, manner: adjuncts of the inventory.
        place: a place name, or a noun of the inventory's spots.
        negated: it is not the case that all of this holds.
        passive: the object is made the grammatical subject.
        front: the time stands first.
        modal: the event had to happen, could happen, or the subject wanted it to.
        question: asks whether it is so, or who the subject is; what ``subject`` says is then not said.
        link: how a second clause goes on, and that clause.
    """

    predicate: str
    subject: Phrase
    object: Phrase | None = None
    also: Phrase | None = None
    kind: Kind = "event"
    time: str | None = None
    manner: str | None = None
    place: Phrase | None = None
    negated: bool = False
    passive: bool = False
    front: bool = False
    modal: Modal | None = None
    question: Question | None = None
    link: tuple[Connective, Clause] | None = None


Connective = Literal["and", "because", "that"]


@dataclass(frozen=True, slots=True)
class Half:
    """One half of the inventory; see ``meanings.yaml`` for what the fields hold."""

    people: tuple[str, ...]
    sites: tuple[str, ...]
    spots: tuple[str, ...]
    kinds: Mapping[str, tuple[str, ...]]
    verbs: Mapping[str, tuple[str, ...]]
    intransitive: tuple[str, ...]
    speech: tuple[str, ...]
    states: Mapping[str, tuple[tuple[str, ...], ...]]
    attributes: Mapping[str, tuple[str, ...]]
    times: tuple[str, ...]
    manners: tuple[str, ...]
    given: Mapping[str, tuple[str, ...]]
    surnames: tuple[str, ...]
    cities: tuple[str, ...]
    countries: Mapping[str, str]
    organisations: tuple[str, ...]

    @property
    def women(self) -> tuple[str, ...]:
        return (*self.given["f"], *self.given["steady"])

    @property
    def places(self) -> tuple[str, ...]:
        return (*self.cities, *self.countries)

    def verbs_for(self, *classes: str) -> tuple[tuple[str, str], ...]:
        """All (verb, class of its object) with a class among ``classes``."""
        return tuple((verb, kind) for verb, kinds in self.verbs.items() for kind in kinds if kind in classes)

    def kind_of(self, noun: str) -> str:
        return next(kind for kind, members in self.kinds.items() if noun in members)


@cache
def inventory() -> dict[HalfName, Half]:
    """The two halves of the inventory, which share no noun, verb, adjective or name."""
    content = read_yaml(HERE / "meanings.yaml")
    return {name: Half(countries=half.pop("countries"), **_split(half)) for name, half in content.items()}


@cache
def countries() -> dict[str, str]:
    """The CLDR code of each country."""
    return {name: code for half in inventory().values() for name, code in half.countries.items()}


@cache
def _women() -> frozenset[str]:
    return frozenset(name for half in inventory().values() for name in half.women)


def gender_of(phrase: Phrase) -> Gender:
    """Gender of what is not an ordinary noun: firms are feminine, as in Romance and Slavic languages.

    Places are masculine unless a language says otherwise, and so are the nouns of occupations.
    """
    feminine = phrase.sort == "organisation" or (phrase.sort == "person" and phrase.name in _women())
    return "f" if feminine else "m"


def is_of_class(phrase: Phrase, name: str) -> bool:
    """Whether a phrase is a person, or a kind of thing or what falls under it."""
    if name == "person":
        return phrase.human
    return any(phrase.head in (name, *half.kinds.get(name, ())) for half in inventory().values())


def _split(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _split(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return tuple(_split(inner) for inner in value)
    return tuple(value.split())
