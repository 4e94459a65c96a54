"""Exact CTC prefix scores of every next token, without a loop over frames.

Watanabe et al. 2017 (Hybrid CTC/attention, algorithm 2) score a prefix g by ψ(g), the probability of all label
sequences that begin with it, from γⁿ_t(g) and γᵇ_t(g), the probabilities that the first t frames spell g and end in its
last token or in a blank; Seki et al. 2019 do so for all hypotheses at once. Both loop over frames. Here

    ψ(g·c) = Σ_t φ_t(g, c) p_t(c),   φ_t = γᵇ_{t-1}(g), plus γⁿ_{t-1}(g) unless c repeats the last token of g,

is for all c one matrix product (the repeated token is put right after it), and the recursion for the token that was
picked, γⁿ_t = (γⁿ_{t-1} + φ_t) p_t(c), divided by its running product Π p_t(c), becomes a running sum: `logcumsumexp`.
The recursion is in float64, where the quotients lose nothing: at T = 2,000 they span some 10⁵ in log, of 10¹⁶ in
precision. The product is in float32 where nothing that counts can underflow in it, otherwise in float64 too.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.nn import functional

from lasasr.nn import tree
from lasasr.search.acoustics import Acoustics
from lasasr.search.base import Scored, Scorer, StepContext
from lasasr.search.ctc_greedy import required
from lasasr.text import special

NEVER = -1e30  # log of zero, without the NaN of -inf - -inf
LEAST = -690.0  # a log probability below this is taken for it: exp(LEAST) is still a normal float64
# With all p_t(c) above exp(SMALL) and the largest φ scaled to 1, the sum over t is above it too; what float32 drops of
# the other terms, each below exp(-87), is for a million frames less than 1e-3 of that.
SMALL = -65.0
LEAST_SCORE = -1e7  # log; a score below it, of a token that the frames cannot spell, is taken for it


class CTCMemory(NamedTuple):
    """What all hypotheses of an utterance share; padding is frames of certain blank, so it changes nothing."""

    probabilities: Tensor  # (B, V, T) float32 or float64, 0 where CTC never emits
    padding: Tensor  # (B, 1, T) bool
    blank: Tensor  # (B, 1, T) float64, log probability
    blank_product: Tensor  # (B, 1, T) float64, its sum over the frames up to and including t


class CTCState(NamedTuple):
    """The prefix g of each hypothesis; index t of the last axis refers to the first t frames."""

    ending_blank: Tensor  # (B, K, T + 1) float64, log γᵇ_t(g)
    ending: Tensor  # (B, K, T + 1) float64, log (γᵇ_t(g) + γⁿ_t(g))
    prefix: Tensor  # (B, K) float64, log ψ(g), as scored: of the frames in the window only
    whole: Tensor  # (B, K) float64, log ψ(g) of all frames
    last: Tensor  # (B, K) int64, last token of g, SOS where there is none
    emitted: Tensor  # (B, K, T) float64, its log probability


class CTCScored(NamedTuple):
    """The state and the scores of a step: the input of `reorder`."""

    state: CTCState
    scores: Tensor  # (B, K, V) float64, log ψ(g·c) − log ψ(g); for eos log p(g) − log ψ(g)


class _Entered(NamedTuple):
    """The leaves of `CTCState` that a next token goes on from."""

    ending_blank: Tensor
    ending: Tensor
    last: Tensor


class CTCPrefixScorer(Scorer):
    """log ψ(g·c) − log ψ(g) of every token c, and log p(g) − log ψ(g) of eos, so that a finished total is log p(y|x).

    Args:
        window: only frames at most so far from the peak of the decoder's attention may start a next token; 0: all.
            It bears on the ranking of tokens; the total of a finished hypothesis stays exact.
    """

    name = "ctc"

    def __init__(self, window: int = 0, weight: float | None = None) -> None:
        self.window, self.weight = window, weight

    def start(self, acoustics: Acoustics, hypotheses: int) -> tuple[Any, Any]:
        probabilities = _probabilities(required(acoustics), acoustics.mask)
        blank = _log_(probabilities[:, None, special.BLANK].double())
        product = blank.cumsum(-1)
        none = functional.pad(product, (1, 0)).expand(-1, hypotheses, -1).contiguous()
        certain = none.new_zeros(none.shape[:2])
        last = torch.full_like(certain, special.SOS, dtype=torch.int64)
        memory = CTCMemory(probabilities, ~acoustics.mask[:, None], blank, product)
        return memory, CTCState(none, none, certain, certain, last, torch.full_like(none[..., 1:], LEAST))

    def score(self, tokens: Tensor, memory: CTCMemory, state: CTCState, context: StepContext) -> Scored:
        out = memory.padding
        if self.window and context.weights is not None:
            out = out | _far_from_peak(context.weights, self.window)
        ending = state.ending[..., :-1].masked_fill(out, NEVER)
        highest = ending.amax(-1, keepdim=True)
        scaled = ending.sub_(highest).exp_().to(memory.probabilities.dtype)
        before = state.prefix[..., None]
        scores = _log_(scaled @ memory.probabilities.transpose(1, 2)) + (highest - before)
        repeated = (state.ending_blank[..., :-1] + state.emitted).masked_fill_(out, NEVER).logsumexp(-1, keepdim=True)
        scores.scatter_(2, state.last[..., None], repeated - before)
        scores[..., special.EOS] = state.ending[..., -1] - state.prefix
        scores.clamp_(min=LEAST_SCORE)
        # what a window took from ψ(g) eos gives back, so that a total rises: to log p(g·...) <= log ψ(g) of all frames
        return Scored(scores, CTCScored(state, scores), highest=state.whole if self.window else None)

    def reorder(self, memory: CTCMemory, state: CTCScored, parents: Tensor, tokens: Tensor) -> CTCState:
        """The state after `tokens`: one step of algorithm 2 for all frames at once."""
        emitted = _log_(_of_tokens(memory.probabilities, tokens).double())
        product = emitted.cumsum(-1)
        old = tree.reorder(_Entered(state.state.ending_blank, state.state.ending, state.state.last), parents)
        repeats = (tokens == old.last)[..., None]
        entering = torch.where(repeats, old.ending_blank, old.ending)[..., :-1]
        del old
        scores = state.scores.flatten(1).gather(1, parents * state.scores.shape[-1] + tokens)
        prefix = state.state.prefix.gather(1, parents) + scores
        ending_token = _after(entering, emitted, product)
        whole = (entering + emitted).logsumexp(-1) if self.window else prefix
        before = functional.pad(ending_token, (1, 0), value=NEVER)
        ending_blank = _after(before[..., :-1], memory.blank, memory.blank_product)
        ending_blank = functional.pad(ending_blank, (1, 0), value=NEVER)
        return CTCState(ending_blank, torch.logaddexp(before, ending_blank), prefix, whole, tokens, emitted)


def _probabilities(log_probs: Tensor, mask: Tensor) -> Tensor:
    """(B, V, T) of log_probs (B, T, V); 0 for ids CTC never emits, and on padding for all but blank."""
    real = log_probs.transpose(1, 2).masked_fill(~mask[:, None], 0.0)
    lowest = torch.minimum(real[:, special.BLANK].amin(), real[:, special.FIRST_TEXT :].amin())
    dtype = torch.float32 if bool(lowest > SMALL) else torch.float64
    probabilities = real.to(dtype, copy=True, memory_format=torch.contiguous_format).exp_()
    probabilities[:, [special.PAD, special.SOS, special.EOS]] = 0.0
    probabilities[:, special.FIRST_TEXT :].masked_fill_(~mask[:, None], 0.0)
    return probabilities


def _of_tokens(probabilities: Tensor, tokens: Tensor) -> Tensor:
    """(B, K, T): the rows of `probabilities` (B, V, T) for `tokens` (B, K)."""
    rows = torch.arange(len(tokens), device=tokens.device)[:, None]
    return probabilities[rows, tokens]


def _log_(probabilities: Tensor) -> Tensor:
    """In place."""
    return probabilities.clamp_(min=max(math.exp(LEAST), torch.finfo(probabilities.dtype).tiny)).log_()


def _after(entering: Tensor, emitted: Tensor, product: Tensor) -> Tensor:
    """log a_t of a_t = (a_{t-1} + e_t) p_t, from log e_t, log p_t and log Π p up to t, each (..., T)."""
    return (entering - (product - emitted)).logcumsumexp(-1).add_(product)


def _far_from_peak(weights: Tensor, window: int) -> Tensor:
    """(B, K, T) bool, True further than `window` frames from the peak of weights (B, K, H, T), averaged over heads."""
    average = weights.mean(2)
    frames = torch.arange(average.shape[-1], device=average.device)
    return (frames - average.argmax(-1, keepdim=True)).abs() > window


def ctc_log_likelihood(acoustics: Acoustics, tokens: Sequence[Sequence[int]]) -> Tensor:
    """log p(tokens | utterance), all alignments summed; (B,) float64, -inf where the frames cannot spell them.

    Raises:
        UsageError: the model has no CTC head.
    """
    log_probs = required(acoustics).double().clamp(min=LEAST).transpose(0, 1)
    sizes = torch.tensor([len(sequence) for sequence in tokens])
    flat = torch.tensor(
        [token for sequence in tokens for token in sequence], dtype=torch.int64, device=log_probs.device
    )
    return -functional.ctc_loss(log_probs, flat, acoustics.lengths.cpu(), sizes, special.BLANK, "none")
