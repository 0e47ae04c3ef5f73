"""Verdicts: what one run says about one claim."""

from __future__ import annotations

from typing import get_args

from pydantic import Field

from claimtrack.decisions import Decision
from claimtrack.entries import RelevanceValue, VerdictName
from claimtrack.evidence import Strict
from claimtrack.wording import EVIDENCE

VERDICTS: tuple[VerdictName, ...] = get_args(VerdictName)


class Verdict(Strict):
    """What one run says about one claim.

    Attributes:
        claim, profile: of which claim, under which settings.
        run: ``fresh`` or the name of a recorded run.
        verdict: by the claim's rule.
        because: one sentence computed from the numbers.
        decisions: on each task, where the claim is about several; of a question on each target.
        relevance: what kind of evidence it is.
        relevant_to: what it is evidence about.
        relevance_reason: why it is of that kind.
        n_seeds: fewest seeds behind a judged part.
        sealed: whether the rule was sealed before the first trial behind the evidence was trained; ``None`` where
            the evidence rests on no trial.
    """

    claim: str
    profile: str
    run: str
    verdict: VerdictName
    because: str
    decisions: dict[str, Decision] = Field(default_factory=dict)
    relevance: RelevanceValue
    relevant_to: str
    relevance_reason: str
    n_seeds: int
    sealed: bool | None = None

    @property
    def ran(self) -> bool:
        """Whether anything was measured."""
        return self.verdict != "not run"

    @property
    def counts_as(self) -> RelevanceValue:
        """What kind of evidence it is; none of what was not run, whatever the settings."""
        return self.relevance if self.ran else "none"

    @property
    def rank(self) -> int:
        """0 of direct evidence, 2 of none."""
        return get_args(RelevanceValue).index(self.counts_as)

    @property
    def about(self) -> str:
        """``Indirect evidence about the paper``."""
        return f"{EVIDENCE[self.counts_as].capitalize()} about {self.relevant_to}"

    @property
    def relevance_sentences(self) -> str:
        """``Indirect evidence about the paper. REASON``."""
        return f"{self.about}. {self.relevance_reason if self.ran else 'Nothing was measured.'}"
