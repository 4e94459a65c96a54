"""The contract of a search: what a model heard → the best hypotheses."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence

from lasasr.search.acoustics import Acoustics
from lasasr.search.hypothesis import Hypothesis
from lasasr.spell.base import Decoder


class Search(ABC):
    """Decodes a batch. A class of one's own must tell by `UsageError` which parts of a model it needs."""

    @abstractmethod
    def __call__(
        self, decoder: Decoder | None, acoustics: Acoustics, ids: Sequence[str] = ()
    ) -> list[list[Hypothesis]]:
        """For each utterance its hypotheses, the best first; at least one.

        Args:
            decoder: in evaluation mode; None where the model has none.
            acoustics: encoded frames, and CTC's log probabilities where the model has a CTC head.
            ids: the utterances' names, for error messages.
        """

    @abstractmethod
    def score(self, decoder: Decoder | None, acoustics: Acoustics, tokens: Sequence[Sequence[int]]) -> list[Hypothesis]:
        """Given tokens (of the reference, say), one sequence per utterance, as this search would score them."""
