"""English: fixed subject-verb-object order and do-support."""

from __future__ import annotations

from crosslayer.data.fragment.meanings import Clause, Phrase
from crosslayer.data.fragment.realise import COMMA, Realiser, Token, Tokens, gap

NOT = Token("not", "PART")
TO = Token("to", "PART")
MODALS = {
    "must": [Token("had", "VERB"), TO], "can": [Token("could", "AUX")], "want": [Token("wanted", "VERB"), TO],
}  # fmt: skip


class English(Realiser):
    """English words and order: [time,] subject verb object manner place time."""

    numerals = ("two", "three", "four", "five")
    who = Token("who", "PRON")

    def clause(self, clause: Clause) -> Tokens:
        """See `Realiser.clause`."""
        subject = self._subject(clause)
        if clause.question == "whether":
            return [Token("did", "AUX"), *subject, *self._after_subject(clause)]
        opening = [*self.adjunct(clause.time), COMMA] if clause.front else []
        return [*opening, *subject, *self._after_subject(clause), *self._link(clause)]

    def phrase(self, phrase: Phrase) -> Tokens:
        """A noun phrase or a name."""
        if phrase.sort != "noun":
            return self.name(phrase)
        noun = Token(self.nouns[phrase.head][phrase.count > 1], "NOUN")
        inner = [Token(phrase.adjective, "ADJ"), noun] if phrase.adjective else [noun]
        return [self._determiner(phrase, inner[0].form), *inner, *self._relative(phrase)]

    def _determiner(self, phrase: Phrase, following: str) -> Token:
        if phrase.count > 1:
            return self.numeral(phrase.count)
        if phrase.definite:
            return Token("the", "DET")
        return Token("an" if following.startswith(("a", "e", "i", "o", "u", "hon")) else "a", "DET")

    def _relative(self, phrase: Phrase) -> Tokens:
        clause = phrase.relative
        if clause is None:
            return []
        pronoun = Token("who" if phrase.human else "that", "PRON")
        if gap(phrase) == "subject":
            return [pronoun, *self._after_subject(clause)]
        return [pronoun, *self.phrase(clause.subject), *self._after_subject(clause, with_object=False)]

    def _after_subject(self, clause: Clause, with_object: bool = True) -> Tokens:
        if clause.kind != "event":
            core = self._copula(clause)
        elif clause.passive:
            core = self._passive(clause)
        else:
            core = self._active(clause, with_object)
        time = [] if clause.front else self.adjunct(clause.time)
        return [*core, *self._place(clause.place), *time]

    def _copula(self, clause: Clause) -> Tokens:
        what = [Token(clause.predicate, "ADJ")] if clause.kind == "state" else []
        role = self.phrase(clause.object) if clause.object else []
        return [Token("was", "AUX"), *([NOT] if clause.negated else []), *what, *role]

    def _active(self, clause: Clause, with_object: bool) -> Tokens:
        base, past, _ = self.verbs[clause.predicate]
        what = self.phrase(clause.object) if clause.object and with_object else []
        if clause.also:
            what = [*what, Token("and", "CCONJ"), *self.phrase(clause.also)]
        manner = self.adjunct(clause.manner)
        if clause.modal:
            return [*MODALS[clause.modal], *manner, Token(base, "VERB"), *what]
        if clause.question == "whether":
            return [*manner, Token(base, "VERB"), *what]
        if clause.negated:
            return [Token("did", "AUX"), NOT, Token(base, "VERB"), *what, *manner]
        return [*manner, Token(past, "VERB"), *what]

    def _passive(self, clause: Clause) -> Tokens:
        assert clause.object is not None
        auxiliary = Token("were" if clause.object.count > 1 else "was", "AUX")
        participle = Token(self.verbs[clause.predicate][2], "VERB")
        agent = [Token("by", "ADP"), *self.phrase(clause.subject)]
        manner = self.adjunct(clause.manner)
        return [auxiliary, *([NOT] if clause.negated else []), *manner, participle, *agent]

    def _link(self, clause: Clause) -> Tokens:
        if clause.link is None:
            return []
        word, second = clause.link
        return [Token(word, "CCONJ" if word == "and" else "SCONJ"), *self.clause(second)]
