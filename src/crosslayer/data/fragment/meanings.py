"""Meanings, without the words of any language: phrases, clauses and the inventory they are drawn from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal

from crosslayer.config import read_yaml

HERE = Path(__file__).parent

Sort = Literal["noun", "person", "place", "organisation"]
Gender = Literal["f", "m"]
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
    """

    head: str
    sort: Sort = "noun"
    human: bool = False
    definite: bool = True
    count: int = 1
    adjective: str | None = None
    relative: Clause | None = None


@dataclass(frozen=True, slots=True)
class Clause:
    """An event or a state in the past.

    Attributes:
        predicate: a verb of the inventory, or the adjective of a state.
        subject: who acts, or whose state it is.
        object: what the event is done to.
        state: whether ``predicate`` is an adjective.
        time, manner: adjuncts of the inventory.
        place: a place name, or a noun of the inventory's spots.
        negated: it is not the case that all of this holds.
        passive: the object is made the grammatical subject.
        front: the time stands first.
        link: how a second clause goes on, and that clause.
    """

    predicate: str
    subject: Phrase
    object: Phrase | None = None
    state: bool = False
    time: str | None = None
    manner: str | None = None
    place: Phrase | None = None
    negated: bool = False
    passive: bool = False
    front: bool = False
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
    places: tuple[str, ...]
    organisations: tuple[str, ...]

    def verbs_for(self, *classes: str) -> tuple[tuple[str, str], ...]:
        """All (verb, class of its object) with a class among ``classes``."""
        return tuple((verb, kind) for verb, kinds in self.verbs.items() for kind in kinds if kind in classes)

    def kind_of(self, noun: str) -> str:
        """The hypernym of ``noun``."""
        return next(kind for kind, members in self.kinds.items() if noun in members)


@lru_cache(maxsize=1)
def inventory() -> dict[HalfName, Half]:
    """The two halves of the inventory, which share no noun, verb, adjective or name."""
    content = read_yaml(HERE / "meanings.yaml")
    return {"train": Half(**_split(content["train"])), "test": Half(**_split(content["test"]))}


@lru_cache(maxsize=1)
def genders() -> dict[str, Gender]:
    """Gender of given names."""
    return {name: gender for half in inventory().values() for gender in ("f", "m") for name in half.given[gender]}


def gender_of(phrase: Phrase) -> Gender:
    """Gender of a name: organisations are feminine, as firms are in Romance languages; places masculine."""
    if phrase.sort == "person":
        return genders()[phrase.head.split()[0]]
    return "f" if phrase.sort == "organisation" else "m"


def _split(value: Any) -> Any:
    """Strings of words as tuples of words, at any depth."""
    if isinstance(value, Mapping):
        return {key: _split(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return tuple(_split(inner) for inner in value)
    return tuple(value.split())
