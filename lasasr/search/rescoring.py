"""Scores of complete token sequences, and the rescoring of n-best lists with them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import torch
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

from lasasr.errors import UsageError
from lasasr.search.acoustics import Acoustics
from lasasr.search.base import Scorer
from lasasr.search.ctc_greedy import required
from lasasr.search.ctc_prefix import LEAST_SCORE, ctc_log_likelihood
from lasasr.search.hypothesis import Hypothesis
from lasasr.search.scorer import log_probs, weight_of
from lasasr.search.scorer_set import ScorerSet
from lasasr.spell.base import Decoder
from lasasr.text import special


def teacher_forced(
    decoder: Decoder, acoustics: Acoustics, tokens: Sequence[Sequence[int]], temperature: float = 1.0
) -> tuple[Tensor, list[Tensor]]:
    """log p(tokens, eos | utterance) and the attention weights on the way.

    Args:
        decoder: in evaluation mode.
        tokens: one sequence of text tokens per utterance.

    Returns:
        Scores (B,) float64, and per utterance weights (U + 1, H, T') over its own T' frames.
    """
    scores, weights = _unrolled(decoder, acoustics, tokens, temperature)
    return scores.sum(1), weights


def token_scores(
    decoder: Decoder, acoustics: Acoustics, tokens: Sequence[Sequence[int]]
) -> tuple[list[list[float]], list[Tensor]]:
    """log p(token | tokens before, utterance) of each token, eos left out, and the weights as of `teacher_forced`."""
    scores, weights = _unrolled(decoder, acoustics, tokens, 1.0)
    rows = scores.tolist()
    return [row[: len(sequence)] for row, sequence in zip(rows, tokens, strict=True)], weights


def _unrolled(
    decoder: Decoder, acoustics: Acoustics, tokens: Sequence[Sequence[int]], temperature: float
) -> tuple[Tensor, list[Tensor]]:
    """(B, U + 1) float64 log probabilities of the tokens and eos, 0 behind it, and the weights."""
    device = acoustics.encoded.device
    wanted = _padded([[*sequence, special.EOS] for sequence in tokens], device)
    read = torch.cat([torch.full_like(wanted[:, :1], special.SOS), wanted[:, :-1]], 1)
    memory = decoder.memory(acoustics.encoded, acoustics.mask)
    unrolled = decoder.unroll(read, memory, decoder.initial(memory, 1))
    scores = log_probs(unrolled.logits, temperature).double().gather(2, wanted[..., None])[..., 0]
    frames = acoustics.lengths.tolist()
    return scores.masked_fill(wanted == special.PAD, 0.0), [
        unrolled.weights[b, : len(sequence) + 1, :, : frames[b]].clone() for b, sequence in enumerate(tokens)
    ]


def forced(scorer_set: ScorerSet, tokens: Sequence[Sequence[int]]) -> Tensor:
    """(B, S) float64: the score of tokens and eos by each of the S scorers, one sequence per utterance.

    Args:
        scorer_set: started with one hypothesis per utterance, without a pre-beam.
        tokens: without sos and eos, one sequence per utterance.
    """
    wanted = _padded([[*sequence, special.EOS] for sequence in tokens], scorer_set.bias.device)
    parents, read = torch.zeros_like(wanted[:, :1]), torch.full_like(wanted[:, :1], special.SOS)
    totals = torch.zeros(len(wanted), len(scorer_set.names), dtype=torch.float64, device=wanted.device)
    for u in range(wanted.shape[1]):
        if u:
            scorer_set.follow(parents, read)
        fused, now = scorer_set.score(read), wanted[:, u : u + 1]
        step_scores = torch.where(now[..., None] == special.EOS, fused.of_eos(), fused.of(parents, now))[:, 0]
        totals += step_scores.masked_fill(now == special.PAD, 0.0)
        read = now
    return totals


def _padded(tokens: Sequence[Sequence[int]], device: torch.device) -> Tensor:
    rows = [torch.tensor(sequence, device=device) for sequence in tokens]
    return pad_sequence(rows, batch_first=True, padding_value=special.PAD)


def vocabulary_size(decoder: Decoder | None, acoustics: Acoustics) -> int:
    """V of a model, from whichever part it has.

    Raises:
        UsageError: it has neither a decoder nor a CTC head.
    """
    return required(acoustics).shape[-1] if decoder is None else decoder.vocabulary_size


class Rescoring:
    """Ranks the n best hypotheses anew by scorers that were too expensive, or not applicable, while searching.

    The new score is score + lm_weight · lm + ctc_weight · ctc + decoder_weight · decoder, the additions in nats of the
    whole hypothesis (per token where the search ranks per token). Their scores are added to the others as
    "rescored_lm", "rescored_ctc" and "rescored_decoder".

    Args:
        lm: any language model.
        lm_weight: of `lm`.
        ctc_weight: of the model's CTC head, all alignments summed.
        decoder_weight: of the model's decoder, for a search by CTC alone.

    Raises:
        ValueError: one of `lm` and `lm_weight` is set without the other.
    """

    def __init__(
        self,
        lm: Scorer | None = None,
        lm_weight: float | None = None,
        ctc_weight: float = 0.0,
        decoder_weight: float = 0.0,
    ) -> None:
        lm_weight = weight_of(lm, lm_weight)
        if lm_weight and lm is None:
            raise ValueError(f"lm_weight is {lm_weight}, but no lm is named")
        self.lm = lm
        self.weights = {"lm": lm_weight, "ctc": ctc_weight, "decoder": decoder_weight}

    @property
    def wanted(self) -> bool:
        """Whether any weight is set."""
        return any(self.weights.values())

    def __call__(
        self, decoder: Decoder | None, acoustics: Acoustics, nbests: Sequence[list[Hypothesis]], per_token: bool = False
    ) -> list[list[Hypothesis]]:
        """The hypotheses of each utterance with their new scores, best first; of equal ones the former order stays.

        Raises:
            UsageError: a weight is set for a part that the model does not have.
        """
        rows = [b for b, nbest in enumerate(nbests) for _ in nbest]
        flat = [hypothesis for nbest in nbests for hypothesis in nbest]
        part_scores = self._part_scores(decoder, _rows(acoustics, rows), [hypothesis.tokens for hypothesis in flat])
        ranked: list[list[Hypothesis]] = [[] for _ in nbests]
        for i, (b, hypothesis) in enumerate(zip(rows, flat, strict=True)):
            added = sum(self.weights[name] * scores[i] for name, scores in part_scores.items())
            score = hypothesis.score + (added / (len(hypothesis.tokens) + 1) if per_token else added)
            scores = hypothesis.scores | {f"rescored_{name}": scores[i] for name, scores in part_scores.items()}
            ranked[b].append(replace(hypothesis, score=score, scores=scores))
        return [sorted(nbest, key=lambda hypothesis: -hypothesis.score) for nbest in ranked]

    def _part_scores(
        self, decoder: Decoder | None, acoustics: Acoustics, tokens: Sequence[Sequence[int]]
    ) -> dict[str, list[float]]:
        """The scores of each sequence of tokens, one per row, by each part whose weight is set."""
        part_scores: dict[str, list[float]] = {}
        if self.lm is not None and self.weights["lm"]:
            V = vocabulary_size(decoder, acoustics)
            part_scores["lm"] = forced(ScorerSet([(self.lm, 1.0)], acoustics, 1, V), tokens)[:, 0].tolist()
        if self.weights["ctc"]:
            part_scores["ctc"] = ctc_log_likelihood(acoustics, tokens).clamp(min=LEAST_SCORE).tolist()
        if self.weights["decoder"]:
            if decoder is None:
                raise UsageError("search.rescore.decoder_weight needs a decoder; this model has none")
            part_scores["decoder"] = teacher_forced(decoder, acoustics, tokens)[0].tolist()
        return part_scores


def _rows(acoustics: Acoustics, rows: Sequence[int]) -> Acoustics:
    """The utterances `rows` of a batch, perhaps several times."""
    index = torch.tensor(rows, device=acoustics.mask.device)
    ctc = None if acoustics.ctc_log_probs is None else acoustics.ctc_log_probs[index]
    return Acoustics(acoustics.encoded[index], acoustics.mask[index], ctc)
