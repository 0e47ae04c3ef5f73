"""Dutch and German: the finite verb second, the others last; separable verbs; a negative article."""

from __future__ import annotations

from abc import abstractmethod

from crosslayer.data.fragment.meanings import Clause, Connective, Phrase
from crosslayer.data.fragment.realise import COMMA, Realiser, Token, Tokens


class VerbSecond(Realiser):
    """Order: one constituent, which a question whether lacks, the finite verb, the middle field, other verbs."""

    def clause(self, clause: Clause) -> Tokens:
        subject = self._subject(clause)
        finite, final = self._verbs(clause)
        inside = clause.front or clause.question == "whether"
        start = self.adjunct(clause.time) if clause.front else []
        rest = [*self._middle(clause, behind_subject=inside), *final]
        first = [*start, finite, *subject, *rest] if inside else [*subject, finite, *rest]
        return [*first, *self._link(clause, first[-1])]

    def _noun_phrase(self, phrase: Phrase, case: str, negated: bool) -> Tokens:
        column, gender = ("nom", "acc", "dat").index(case), self.nouns[phrase.head][0]
        determiner = self._determiner(phrase, gender, column, negated)
        adjective = [Token(self._attribute(phrase, phrase.adjective, column), "ADJ")] if phrase.adjective else []
        noun = Token(self._noun(phrase, case), "NOUN")
        return [*determiner, *adjective, noun, *self._relative(phrase)]

    @abstractmethod
    def _attribute(self, phrase: Phrase, adjective: str, column: int) -> str:
        """The adjective with its ending."""

    def _noun(self, phrase: Phrase, case: str) -> str:
        return self.nouns[phrase.head][1 + (phrase.count > 1)]

    def _verbs(self, clause: Clause) -> tuple[Token, Tokens]:
        plural = clause.subject.count > 1
        if clause.kind != "event":
            what = [Token(self.adjectives[clause.predicate][0], "ADJ")] if clause.kind == "state" else []
            return self.word("was")[0], what
        singular_form, plural_form, participle, infinitive, *prefix = self.verbs[clause.predicate]
        if clause.passive:
            return self.word("became")[0], [Token(participle, "VERB")]
        if clause.modal:
            return self.word(clause.modal, plural)[0], [Token(infinitive, "VERB")]
        form = plural_form if plural else singular_form
        return Token(form, "VERB"), [Token(particle, "ADP") for particle in prefix]

    def _verb_final(self, clause: Clause) -> Tokens:
        """All verb forms at the end of a subordinate clause, a separable prefix joined to its verb."""
        finite, final = self._verbs(clause)
        if finite.upos == "AUX":
            return [*final, finite]
        return [finite._replace(form="".join(token.form for token in final) + finite.form)]

    def _middle(self, clause: Clause, with_object: bool = True, behind_subject: bool = False) -> Tokens:
        time, place = self._late_time(clause), self._place(clause.place)
        if clause.kind == "role":
            return [*time, *self._role(clause), *place]
        what = clause.object if with_object and not clause.passive else None
        words = self._objects(clause) if what else []
        agent = self._with(self.word("by"), self.phrase(clause.subject, "dat")) if clause.passive else []
        by_article = what is not None and what.sort == "noun" and what.count == 1 and not what.definite
        negation = self.word("not") if clause.negated and not by_article else []
        manner = self.adjunct(clause.manner)
        late = what is not None and self._stands_late(what, clause.negated, behind_subject)
        parts = {
            "known": [] if late else words, "time": time, "agent": agent, "negation": negation,
            "manner": manner, "place": place, "new": words if late else [],
        }  # fmt: skip
        return [token for part in self._order(parts).split() for token in parts[part]]

    def _stands_late(self, what: Phrase, negated: bool, behind_subject: bool) -> bool:
        """Whether an object follows the adjuncts: what is new does, and so does a place unless *not* follows."""
        return what.count > 1 or not what.definite or (what.sort == "place" and not negated)

    @abstractmethod
    def _order(self, parts: dict[str, Tokens]) -> str:
        """The order of the middle field; ``known`` and ``new`` are what an object can be."""

    def _relative_clause(self, phrase: Phrase, clause: Clause, as_subject: bool) -> Tokens:
        pronoun = self.word(f"which {self.nouns[phrase.head][0]}", not as_subject)
        subject = [] if as_subject else self._subject(clause)
        middle = self._middle(clause, with_object=as_subject)
        return [*pronoun, *subject, *middle, *self._verb_final(clause), COMMA]

    def _linked(self, word: Connective, second: Clause) -> Tokens:
        if word == "and":
            return self.clause(second)
        middle = self._middle(second, behind_subject=True)
        return [*self._subject(second), *middle, *self._verb_final(second)]


class Dutch(VerbSecond):
    """Dutch words and order. Order in the middle field: known object, time, negation, manner, place.

    An agent or a new object comes last, and a place then before the negation and the manner. A relative clause has
    a comma after it alone.
    """

    def _attribute(self, phrase: Phrase, adjective: str, column: int) -> str:
        """The adjective, which has no ending before an indefinite neuter singular."""
        bare, ending = self.adjectives[adjective]
        neuter = self.nouns[phrase.head][0] == "n"
        return bare if neuter and not phrase.definite and phrase.count == 1 else ending

    def _order(self, parts: dict[str, Tokens]) -> str:
        if parts["agent"] or parts["new"]:
            return "known time place negation manner agent new"
        return "known time negation manner place"


class German(VerbSecond):
    """German words and order. Middle field: known object, time, agent, place, manner, new object.

    Negation stands before manner and place, which then come in this order. A known object that is a name stands
    late as well if it would follow the subject as if it were part of it (*der Ingenieur Simon Parker*).
    """

    def name(self, phrase: Phrase, case: str = "nom") -> Tokens:
        article = self.word("the f", ("nom", "acc", "dat").index(case)) if phrase.head == "Mongolia" else []
        return [*article, *super().name(phrase)]

    def _attribute(self, phrase: Phrase, adjective: str, column: int) -> str:
        """The adjective with its weak or mixed ending, in the plural the strong one."""
        row = "plural" if phrase.count > 1 else f"{'the' if phrase.definite else 'a'} {self.nouns[phrase.head][0]}"
        ending = self.tables["endings"][row][column]
        return self.adjectives[adjective][-1] + ending

    def _noun(self, phrase: Phrase, case: str) -> str:
        _, singular, plural, *weak = self.nouns[phrase.head]
        if phrase.count > 1:
            return plural + "n" if case == "dat" and plural[-1] not in "ns" else plural
        return plural if weak and case != "nom" else singular

    def _stands_late(self, what: Phrase, negated: bool, behind_subject: bool) -> bool:
        meets_subject = behind_subject and what.sort != "noun" and not negated
        return meets_subject or super()._stands_late(what, negated, behind_subject)

    def _order(self, parts: dict[str, Tokens]) -> str:
        rest = "negation manner place" if parts["negation"] else "place manner"
        return f"known time agent {rest} new"
