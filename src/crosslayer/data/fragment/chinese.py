"""Chinese: no inflection; classifiers, aspect particles, modifiers before the noun, adjuncts before the verb."""

from __future__ import annotations

from collections.abc import Mapping

from claimtrack.settings import read_yaml
from crosslayer.data.fragment.meanings import HERE, Clause, Phrase
from crosslayer.data.fragment.realise import ENTITY, Realiser, Token, Tokens, gap, parse

COMMA, STOP, ASK, DOT = (Token(mark, "PUNCT") for mark in "，。？·")
THAT, ONE, OF, AND = Token("那", "DET"), Token("一", "NUM"), Token("的", "PART"), Token("和", "CCONJ")
DONE, BY, IN = Token("了", "AUX"), Token("被", "ADP"), Token("在", "ADP")
DID_NOT, NOT, ONCE, BE = Token("没有", "AUX"), Token("不", "ADV"), Token("曾", "ADV"), Token("是", "AUX")
WHETHER = Token("吗", "PART")
MODALS = {"must": Token("不得不", "AUX"), "can": Token("能", "AUX"), "want": Token("想", "AUX")}
CONNECTIVES = {"and": [COMMA, Token("而", "CCONJ")], "because": [COMMA, Token("因为", "SCONJ")], "that": []}
NO_PASSIVE = {"leave"}
"""Verbs that 被 does not go with: their object stands first instead, as the topic."""


class Chinese(Realiser):
    """Chinese words and order: [time,] subject time negation or modal place [被 agent] manner verb 了 object.

    What is definite has 那 and a classifier, what is not has 一 and a classifier, or nothing under negation; the
    nouns of place adjuncts are bare. Organisations are named without a noun such as 公司. The middle dot in the
    name of a person is a token of its own, as in the treebanks, and part of the name.
    """

    numerals = ("两", "三", "四", "五")
    who = Token("谁", "PRON")

    def __init__(self, language: str) -> None:
        super().__init__(language)
        lexicon = read_yaml(HERE / "lexicon" / f"{language}.yaml")
        self.aspects: Mapping[str, str] = lexicon["aspects"]

    def sentence(self, clause: Clause) -> Tokens:
        """See `Realiser.sentence`; there are no capitals."""
        return [*self.clause(clause), ASK if clause.question else STOP]

    def text(self, clause: Clause) -> str:
        """See `Realiser.text`; there are no spaces."""
        return "".join(token.form for token in self.sentence(clause))

    def clause(self, clause: Clause) -> Tokens:
        """See `Realiser.clause`."""
        time = self.adjunct(clause.time) if clause.front else []
        if clause.passive and clause.predicate in NO_PASSIVE:
            assert clause.object is not None
            topic = [*self.phrase(clause.object), COMMA, *time]
            return [*topic, *self.phrase(clause.subject), *self._predicate(clause)]
        opening = [*time, COMMA] if time else []
        asking = [WHETHER] if clause.question == "whether" else []
        return [*opening, *self._subject(clause), *self._predicate(clause), *asking, *self._link(clause)]

    def phrase(self, phrase: Phrase, bare: bool = False) -> Tokens:
        """A noun phrase or a name; ``bare`` leaves out 一 and the classifier."""
        if phrase.sort != "noun":
            return self.name(phrase)
        noun, *classifier = self.nouns[phrase.head]
        first = self.numeral(phrase.count) if phrase.count > 1 else THAT if phrase.definite else ONE
        determiner = [] if bare and first == ONE else [first, Token(classifier[0], "NOUN")]
        attribute = parse(" ".join(self.adjectives[phrase.adjective])) if phrase.adjective else []
        relative = self._relative(phrase)
        if relative and gap(phrase) == "object":
            return [*relative, *determiner, *attribute, Token(noun, "NOUN")]
        return [*determiner, *relative, *attribute, Token(noun, "NOUN")]

    def name(self, phrase: Phrase) -> Tokens:
        """See `Realiser.name`; between the names of a person stands a dot."""
        person = phrase.sort == "person"
        heads = phrase.head.split() if person else [phrase.head]
        words = (f" {DOT.form} " if person else " ").join(self.names[head] for head in heads).split()
        label = ENTITY[phrase.sort]
        return [
            Token(word, "PUNCT" if word == DOT.form else "PROPN", f"{'I' if i else 'B'}-{label}")
            for i, word in enumerate(words)
        ]

    def _relative(self, phrase: Phrase) -> Tokens:
        """A clause with its 了 only where an object follows the verb."""
        clause = phrase.relative
        if clause is None:
            return []
        if gap(phrase) == "subject":
            return [*self._predicate(clause), OF]
        return [*self._subject(clause), *self._before_verb(clause), *self._verb(clause), OF]

    def _predicate(self, clause: Clause) -> Tokens:
        """All that follows the subject."""
        if clause.kind == "event":
            return [*self._before_verb(clause), *self._verb(clause), *self._after_verb(clause)]
        time = [] if clause.front else self.adjunct(clause.time)
        if clause.kind == "state":
            return [*time, *self._state(clause)]
        negation = [NOT] if clause.negated else []
        if clause.kind == "location":
            return [*time, *negation, *self._place(clause.place)]
        return [*time, *(negation or [ONCE]), BE, *self._role(clause)]

    def _before_verb(self, clause: Clause) -> Tokens:
        time = [] if clause.front else self.adjunct(clause.time)
        negation = [DID_NOT] if clause.negated else []
        modal = [MODALS[clause.modal]] if clause.modal else []
        agent = [BY, *self.phrase(clause.subject)] if clause.passive and clause.predicate not in NO_PASSIVE else []
        return [*time, *negation, *modal, *self._place(clause.place), *agent, *self.adjunct(clause.manner)]

    def _verb(self, clause: Clause) -> Tokens:
        """A verb, another one for places and for people where the lexicon has three."""
        thing, *others = " ".join(self.verbs[clause.predicate]).split(" | ")
        form = thing
        if others and clause.object and (clause.object.human or clause.object.sort == "place"):
            form = others[clause.object.human]
        return parse(" ".join(word if "/" in word else f"{word}/VERB" for word in form.split()))

    def _after_verb(self, clause: Clause) -> Tokens:
        """The aspect, which negated and modal verbs and verbs of speech lack, and the object or the objects."""
        reported = clause.link is not None and clause.link[0] == "that"
        plain = clause.negated or clause.modal or reported
        aspect = parse(self.aspects.get(clause.predicate, f"{DONE.form}/{DONE.upos}"))
        what = self.phrase(clause.object, clause.negated) if clause.object else []
        also = [AND, *self.phrase(clause.also, clause.negated)] if clause.also else []
        return [*([] if plain else aspect), *([] if clause.passive else [*what, *also])]

    def _state(self, clause: Clause) -> Tokens:
        positive, negative = " ".join(self.adjectives[clause.predicate]).split(" | ")
        return parse(negative if clause.negated else positive)

    def _role(self, clause: Clause) -> Tokens:
        """A role, after the place as its attribute."""
        assert clause.object is not None
        place = [*self.phrase(clause.place), OF] if clause.place else []
        return [*place, *self.phrase(clause.object)]

    def _place(self, place: Phrase | None) -> Tokens:
        if place is None:
            return []
        if place.sort == "place":
            return [IN, *self.name(place)]
        inside = [Token(word, "ADP") for word in self.spots[place.head]]
        return [IN, Token(self.nouns[place.head][0], "NOUN"), *inside]

    def _link(self, clause: Clause) -> Tokens:
        if clause.link is None:
            return []
        word, second = clause.link
        return [*CONNECTIVES[word], *self.clause(second)]
