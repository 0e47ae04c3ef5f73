"""What Dutch and German share: the finite verb second, the others last; separable verbs; a negative article."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from crosslayer.data.fragment.meanings import Clause, Phrase
from crosslayer.data.fragment.realise import Realiser, Token, Tokens

Forms = tuple[str, str]
"""Singular and plural."""


class VerbSecond(Realiser):
    """Where the verbs stand.

    Attributes:
        be, become: the auxiliaries of states and of the passive.
        modals: the modal verbs.
    """

    be: Forms
    become: Forms
    modals: ClassVar[Mapping[str, Forms]]

    def _verbs(self, clause: Clause) -> tuple[Token, Tokens]:
        """The finite verb and what stands at the end of a main clause."""
        plural = clause.subject.count > 1
        if clause.kind != "event":
            what = [Token(self.adjectives[clause.predicate][0], "ADJ")] if clause.kind == "state" else []
            return Token(self.be[plural], "AUX"), what
        singular_form, plural_form, participle, infinitive, *prefix = self.verbs[clause.predicate]
        if clause.passive:
            assert clause.object is not None
            return Token(self.become[clause.object.count > 1], "AUX"), [Token(participle, "VERB")]
        if clause.modal:
            return Token(self.modals[clause.modal][plural], "AUX"), [Token(infinitive, "VERB")]
        form = plural_form if plural else singular_form
        return Token(form, "VERB"), [Token(particle, "ADP") for particle in prefix]

    def _verb_final(self, clause: Clause) -> Tokens:
        """All verb forms at the end of a subordinate clause, a separable prefix joined to its verb."""
        finite, final = self._verbs(clause)
        if finite.upos == "AUX":
            return [*final, finite]
        return [finite._replace(form="".join(token.form for token in final) + finite.form)]


def stands_late(what: Phrase, negated: bool) -> bool:
    """Whether an object follows the adjuncts: what is new does, and so does a place unless *not* follows."""
    return what.count > 1 or not what.definite or (what.sort == "place" and not negated)


def denied_by_article(what: Phrase) -> bool:
    """Whether an object has an article whose place the negative one can take."""
    return what.sort == "noun" and what.count == 1 and not what.definite
