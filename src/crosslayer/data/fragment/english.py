"""English, and what it shares with the Romance languages: the order of subject, verb and object."""

from __future__ import annotations

from abc import abstractmethod
from typing import ClassVar

from crosslayer.data.fragment.meanings import Clause, Connective, Phrase
from crosslayer.data.fragment.realise import Realiser, Token, Tokens, leading


class SubjectVerbObject(Realiser):
    """Order: [time,] subject verb object place time.

    Attributes:
        inverted: whether the subject follows the finite verb of a question whether.
        agreement: endings of a participle: masculine and feminine singular, masculine and feminine plural.
    """

    inverted: ClassVar = False
    agreement: ClassVar = ("", "", "", "")

    def clause(self, clause: Clause, anterior: bool = False) -> Tokens:
        """See `Realiser.clause`; ``anterior`` puts an event before one of the past."""
        opening = [*self.adjunct(clause.time), *self.word("pause")] if clause.front else []
        subject = self._subject(clause)
        rest = self._predicate(clause, anterior=anterior)
        if self.inverted and clause.question == "whether":
            return [*opening, rest[0], *subject, *rest[1:]]
        return [*opening, *subject, *rest, *self._link(clause, rest[-1])]

    def _predicate(self, clause: Clause, without: Phrase | None = None, anterior: bool = False) -> Tokens:
        """What follows the subject; ``without`` is an object that stands before it."""
        if clause.kind != "event":
            finite, *rest = self._copula(clause)
        elif clause.passive:
            finite, *rest = self._passive(clause)
        else:
            finite, *rest = self._active(clause, without, anterior)
        before, after = self.words["not"] if clause.negated else ([], [])
        return [*before, finite, *after, *rest, *self._place(clause.place), *self._late_time(clause)]

    @abstractmethod
    def _copula(self, clause: Clause) -> Tokens:
        """A state, a role or what says that somebody was somewhere, without its place."""

    @abstractmethod
    def _active(self, clause: Clause, without: Phrase | None, anterior: bool) -> Tokens: ...

    def _passive(self, clause: Clause) -> Tokens:
        what = leading(clause)
        before, after = self._manner(clause)
        done = Token(self._participle(clause, what), "VERB")
        agent = self._with(self.word("by"), self.phrase(clause.subject))
        return [*self.word("passive", self._agree(what)), *before, done, *after, *agent]

    def _manner(self, clause: Clause) -> tuple[Tokens, Tokens]:
        """What stands before the verb or the participle, and what after it."""
        return [], self.adjunct(clause.manner)

    def _participle(self, clause: Clause, what: Phrase) -> str:
        masculine = self.verbs[clause.predicate][-1]
        return masculine.removesuffix(self.agreement[0]) + self.agreement[self._agree(what)]

    def _agree(self, phrase: Phrase) -> int:
        """Which of four forms: of either gender, in the singular and in the plural."""
        return 2 * (phrase.count > 1) + (self._gender(phrase) == "f")

    def _gender(self, phrase: Phrase) -> str:
        return ""

    def _relative_clause(self, phrase: Phrase, clause: Clause, as_subject: bool) -> Tokens:
        if as_subject:
            return [*self._which(phrase, as_subject), *self._predicate(clause)]
        return [*self._which(phrase, as_subject), *self.phrase(clause.subject), *self._predicate(clause, phrase)]

    def _which(self, phrase: Phrase, as_subject: bool) -> Tokens:
        return self.word("which", not as_subject)

    def _linked(self, word: Connective, second: Clause) -> Tokens:
        return self.clause(second, anterior=word == "that")


class English(SubjectVerbObject):
    """English words and order: [time,] subject verb object manner place time."""

    inverted: ClassVar = True

    def _noun_phrase(self, phrase: Phrase, case: str, negated: bool) -> Tokens:
        """See `Realiser.phrase`: there is no negative article."""
        noun = Token(self.nouns[phrase.head][phrase.count > 1], "NOUN")
        inner = [Token(phrase.adjective, "ADJ"), noun] if phrase.adjective else [noun]
        vowel = inner[0].form.startswith(("a", "e", "i", "o", "u", "hon"))
        return [*self._determiner(phrase, form=vowel), *inner, *self._relative(phrase)]

    def _which(self, phrase: Phrase, as_subject: bool) -> Tokens:
        return self.word("which", phrase.human)

    def _copula(self, clause: Clause) -> Tokens:
        what = [Token(clause.predicate, "ADJ")] if clause.kind == "state" else []
        return [*self.word("was"), *what, *self._objects(clause)]

    def _manner(self, clause: Clause) -> tuple[Tokens, Tokens]:
        return self.adjunct(clause.manner), []

    def _active(self, clause: Clause, without: Phrase | None, anterior: bool) -> Tokens:
        base, past, _ = self.verbs[clause.predicate]
        what = [] if without else self._objects(clause)
        manner = self.adjunct(clause.manner)
        if clause.negated:
            return [*self.word("did"), Token(base, "VERB"), *what, *manner]
        if clause.modal or clause.question == "whether":
            return [*self.word(clause.modal or "did"), *manner, Token(base, "VERB"), *what]
        return [*manner, Token(past, "VERB"), *what]
