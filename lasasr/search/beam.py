"""Beam search with attention, CTC, language models and whatever else scores tokens."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace

import torch

from lasasr.errors import UsageError
from lasasr.search.acoustics import Acoustics
from lasasr.search.base import Scorer, Search
from lasasr.search.beam_state import BeamState
from lasasr.search.ctc_greedy import required
from lasasr.search.ctc_prefix import CTCPrefixScorer
from lasasr.search.hypothesis import Hypothesis, near_tied
from lasasr.search.limits import Limits
from lasasr.search.lm_scorer import penalised
from lasasr.search.pruning import Pruning
from lasasr.search.rescoring import Rescoring, forced, teacher_forced, vocabulary_size
from lasasr.search.scorer import DecoderScorer, weight_of
from lasasr.search.scorer_set import Coverage, LengthBonus, ScorerSet
from lasasr.search.scorers import Fused, agreed
from lasasr.search.subtraction import Subtraction
from lasasr.spell.base import Decoder

WIDEST = 10_000  # hypotheses per utterance


class BeamSearch(Search):
    """Joint decoding: the `beam` best beginnings by the weighted sum of all scorers go on at every step.

    The sum is (1 − ctc_weight) · decoder + ctc_weight · ctc + lm_weight · lm − the scores of `subtract` +
    length_bonus · (U + 1) + coverage_weight · coverage + Σ weight · entry of `scorers`; a scorer of weight 0 is not
    run. At ctc_weight 1 that is CTC prefix search.

    Args:
        beam: K, hypotheses per utterance.
        nbest: how many are returned, at most `beam`.
        ctc_weight: in [0, 1].
        lm: a language model (shallow fusion).
        lm_weight: of `lm`; None only without one.
        subtract: language models of weight below zero.
        rescore: ranks the n best anew.
        length_bonus: log, for each token, eos included.
        normalise: rank finished hypotheses by their score divided by U + 1.
        temperature: divides the decoder's logits.
        coverage: which coverage score counts, where coverage_weight is not 0.
        coverage_weight: log, per unit of it.
        pruning: what is left out, and when a search ends.
        limits: of the length; at the upper one eos is forced.
        keep_weights: whether the best hypothesis carries its attention weights (one more pass over its tokens).
        scorers: by name, further ones with a weight of their own. The names ctc, lm, length and coverage are those that
            `ctc_weight`, `lm` and `lm_weight`, `length_bonus`, `coverage` and `coverage_weight` are short for.
        hotwords: phrases, or a mapping to their boosts; of a configuration, where it is short for the entry hotwords.
        lm_unknown: log, at most 0, added for every word that `lm` lacks, where that is an n-gram file.

    Raises:
        ValueError: a value is out of range, `lm` or an entry of `scorers` has no weight, or an entry and the key that
            is short for it differ.
    """

    def __init__(
        self,
        beam: int = 10,
        nbest: int = 1,
        ctc_weight: float = 0.0,
        lm: Scorer | None = None,
        lm_weight: float | None = None,
        subtract: Subtraction | None = None,
        rescore: Rescoring | None = None,
        length_bonus: float = 0.0,
        normalise: bool = False,
        temperature: float = 1.0,
        coverage: Coverage | None = None,
        coverage_weight: float = 0.0,
        pruning: Pruning | None = None,
        limits: Limits | None = None,
        keep_weights: bool = True,
        scorers: Mapping[str, Scorer] | None = None,
        hotwords: Sequence[str] | Mapping[str, float] | None = None,
        lm_unknown: float = 0.0,
    ) -> None:
        if hotwords:
            raise ValueError("hotwords are a key of configurations; here: scorers={'hotwords': HotWords(...)}")
        weights = {"lm_weight": lm_weight or 0.0, "length_bonus": length_bonus, "coverage_weight": coverage_weight}
        if endless := [name for name, value in weights.items() if not math.isfinite(value)]:
            raise ValueError(f"{endless[0]} must be a finite number, got {weights[endless[0]]}")
        if lm is None and lm_unknown:
            raise ValueError(f"lm_unknown is {lm_unknown}, but no lm is named")
        lm = None if lm is None else penalised(lm, lm_unknown, "lm_unknown")
        fused = Fused(ctc_weight, lm, lm_weight, length_bonus, coverage, coverage_weight)
        fused.add(scorers or {})
        if not 1 <= nbest <= beam:
            raise ValueError(f"1 <= nbest <= beam must hold, got nbest {nbest} and beam {beam}")
        if beam > WIDEST:
            raise ValueError(f"beam must be ≤ {WIDEST:,}, got {beam}")
        if not 0.0 <= fused.ctc_weight <= 1.0:
            raise ValueError(f"ctc_weight must be in [0, 1], got {fused.ctc_weight}")
        if not 0.0 < temperature < math.inf:
            raise ValueError(f"temperature must be > 0 and finite, got {temperature}")
        if fused.coverage_weight and fused.coverage is None:
            raise ValueError(f"coverage_weight is {coverage_weight}, but no coverage is chosen")
        if rescore is not None and rescore.wanted and nbest == 1:
            raise ValueError("rescore ranks the n best anew, but nbest is 1; set search.nbest=10, say")
        self.beam, self.nbest = beam, nbest
        self.fused, self.ctc_weight = fused, fused.ctc_weight
        self.lm, self.lm_weight = fused.lm, weight_of(fused.lm, fused.lm_weight)
        self.subtract, self.rescore = subtract or Subtraction(), rescore or Rescoring()
        self.length_bonus, self.normalise = fused.length_bonus, normalise
        self.temperature = temperature
        self.coverage, self.coverage_weight = fused.coverage, fused.coverage_weight
        self.pruning, self.limits = pruning or Pruning(), limits or Limits()
        self.keep_weights = keep_weights
        self.ctc = fused.entries.get("ctc") or CTCPrefixScorer(self.pruning.ctc_window)
        if isinstance(self.ctc, CTCPrefixScorer):
            agreed("pruning.ctc_window", self.pruning.ctc_window, 0, "ctc.window", self.ctc.window)

    @torch.inference_mode()
    def __call__(
        self,
        decoder: Decoder | None,
        acoustics: Acoustics,
        ids: Sequence[str] = (),
        lm: Scorer | None = None,
        also: Sequence[tuple[Scorer, float]] = (),
    ) -> list[list[Hypothesis]]:
        """The n best hypotheses of each utterance, best first, never none.

        Args:
            decoder: in evaluation mode.
            ids: the utterances' names, for error messages.
            lm: weighted by `lm_weight`; in place of that of the constructor.
            also: further scorers, each with its weight.

        Raises:
            UsageError: a weight is set for a scorer that the model lacks.
            LasasrError: a score is NaN; the message names the utterance.
        """
        scorers = [*self._scorers(decoder, acoustics, lm), *also]
        scorer_set = ScorerSet(
            scorers, acoustics, self.beam, vocabulary_size(decoder, acoustics), self.pruning.pre_beam
        )
        nbests = BeamState(scorer_set, acoustics, self, ids).search()
        if self.rescore.wanted:
            nbests = [near_tied(nbest) for nbest in self.rescore(decoder, acoustics, nbests, self.normalise)]
        if self.keep_weights and decoder is not None and self.ctc_weight < 1.0:
            best = [nbest[0].tokens for nbest in nbests]
            _, weights = teacher_forced(decoder, acoustics, best, self.temperature)
            nbests = [[replace(nbest[0], weights=w), *nbest[1:]] for nbest, w in zip(nbests, weights, strict=True)]
        return nbests

    @torch.inference_mode()
    def score(
        self,
        decoder: Decoder | None,
        acoustics: Acoustics,
        tokens: Sequence[Sequence[int]],
        lm: Scorer | None = None,
        also: Sequence[tuple[Scorer, float]] = (),
    ) -> list[Hypothesis]:
        """Score tokens (of the reference, for example), one sequence per utterance, as this search would rank them.

        Where a reference scores higher than what was found, the search erred; where it scores lower, the model did.

        Raises:
            UsageError: a weight is set for a scorer that the model lacks.
        """
        scorers = [*self._scorers(decoder, acoustics, lm), *also]
        scorer_set = ScorerSet(scorers, acoustics, 1, vocabulary_size(decoder, acoustics))
        parts = forced(scorer_set, tokens)
        totals = (parts @ parts.new_tensor(scorer_set.weights)).tolist()
        ranks = [
            total / (len(text) + 1) if self.normalise else total for total, text in zip(totals, tokens, strict=True)
        ]
        scores = [dict(zip(scorer_set.names, part_scores, strict=True)) for part_scores in parts.tolist()]
        rows = zip(tokens, ranks, scores, strict=True)
        nbests = [[Hypothesis(tuple(text), rank, part_scores)] for text, rank, part_scores in rows]
        if self.rescore.wanted:
            nbests = self.rescore(decoder, acoustics, nbests, self.normalise)
        return [nbest[0] for nbest in nbests]

    def _scorers(self, decoder: Decoder | None, acoustics: Acoustics, lm: Scorer | None) -> list[tuple[Scorer, float]]:
        scorers: list[tuple[Scorer, float]] = []
        self._check_attention()
        if self.ctc_weight < 1.0:
            if decoder is None:
                raise UsageError("this model has no decoder (loss.ctc_weight=1); use search=ctc_prefix")
            scorers.append((DecoderScorer(decoder, self.temperature), 1.0 - self.ctc_weight))
        if self.ctc_weight:
            required(acoustics)
            scorers.append((self.ctc, self.ctc_weight))
        if self.lm_weight:
            fused = lm or self.lm
            if fused is None:
                raise UsageError(f"search.lm_weight={self.lm_weight}, but no language model is given; add search.lm=")
            scorers.append((fused, self.lm_weight))
        scorers += self.subtract.scorers(decoder)
        if self.length_bonus:
            scorers.append((self.fused.entries.get("length") or LengthBonus(), self.length_bonus))
        if self.coverage is not None and self.coverage_weight:
            scorers.append((self.coverage, self.coverage_weight))
        return [*scorers, *self.fused.further()]

    def _check_attention(self) -> None:
        wanting = {
            "coverage_weight": self.coverage_weight,
            "pruning.eos_threshold": self.pruning.eos_threshold,
            "pruning.max_shift": self.pruning.max_shift,
            "pruning.ctc_window": self.pruning.ctc_window,
        }
        if self.ctc_weight == 1.0 and (idle := [name for name, value in wanting.items() if value]):
            raise UsageError(f"search.{idle[0]} needs the decoder, but search.ctc_weight=1 leaves it out")
