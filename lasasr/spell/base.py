"""The contract of *Spell*: one step of the decoder, and the only training loop."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from lasasr.text import special


class DecoderMemory(NamedTuple):
    """What all hypotheses of an utterance share."""

    attention: Any  # the attention's memory, leaves (B, ...)


class DecoderState(NamedTuple):
    """What each hypothesis owns."""

    hidden: Tensor  # (B, K, L, D)
    cell: Tensor  # (B, K, L, D); a GRU's is (B, K, L, 0)
    context: Tensor  # (B, K, ·), what the next step reads of the last step: its context (width 0: nothing)
    attention: Any  # the attention's state, leaves (B, K, ...)


class DecoderStep(NamedTuple):
    """One step for every hypothesis."""

    logits: Tensor  # (B, K, V); blank, pad and sos hold MASKED
    weights: Tensor  # (B, K, H, T)
    state: DecoderState


class Unrolled(NamedTuple):
    """All steps of a teacher-forced pass."""

    logits: Tensor  # (B, U, V)
    weights: Tensor  # (B, U, H, T)


class UnrolledValues(NamedTuple):
    """The same before the readout."""

    values: Tensor  # (B, U, R)
    weights: Tensor  # (B, U, H, T)


MASKED = -1e4  # a logit whose probability is exactly 0 in float32, and finite in half precision


class Decoder(nn.Module, ABC):
    """Tokens so far and encoded frames → logits of the next token.

    Promises, each tried by `lasasr check spell=NAME`:
    * memory is computed once per utterance and only read; its leaves begin with B, those of the state with B, K;
    * a step is pure: what a hypothesis remembers is in its state, which keeps structure, shapes and dtypes;
    * an utterance is spelled the same alone and in any batch, a hypothesis the same alone and among K, and padding of
      `encoded` may hold anything; no gradient reaches it;
    * blank, pad and sos have probability 0 in float32; all logits are finite;
    * `unroll` gives what its steps give, and the same gradients;
    * `draws` is true where a training pass draws random numbers.
    Constructors take `attend` (a callable that finishes the attention with `encoded_dim` and `query_dim`),
    `encoded_dim` and `vocabulary_size` as keywords, and the rest from the yaml.
    """

    vocabulary_size: int  # V
    compiles: bool = False  # whether the training loop runs a compiled step

    @abstractmethod
    def memory(self, encoded: Tensor, mask: Tensor) -> DecoderMemory:
        """What is computed once per utterance from encoded (B, T, E) and mask (B, T)."""

    @abstractmethod
    def initial(self, memory: DecoderMemory, hypotheses: int) -> DecoderState:
        """The state before the first token, leaves (B, hypotheses, ...)."""

    @abstractmethod
    def step(self, tokens: Tensor, memory: DecoderMemory, state: DecoderState) -> DecoderStep:
        """Read `tokens` (B, K) int64, the last token of each hypothesis (SOS at first), and score the next one."""

    @property
    def draws(self) -> bool:
        """Whether a pass in the present mode draws random numbers: dropout, or an attention's `noise`."""
        return self.training and draws(self)

    def unroll(self, tokens: Tensor, memory: DecoderMemory, state: DecoderState, sampling: float = 0.0) -> Unrolled:
        """Read `tokens` (B, U) int64 one after another (K = 1).

        Args:
            tokens: SOS followed by the reference; padding may be any valid id.
            sampling: probability, per token and utterance, of reading a token drawn from the model's own last
                prediction in place of the reference (scheduled sampling, Bengio et al. 2015, §2.4).
        """
        logits: list[Tensor] = []
        weights: list[Tensor] = []
        read = tokens[:, 0]
        for u in range(tokens.shape[1]):
            if u:
                read = sampled(tokens[:, u], logits[-1], sampling)
            step = self.step(read[:, None], memory, state)
            state = step.state
            logits.append(step.logits[:, 0])
            weights.append(step.weights[:, 0])
        return Unrolled(torch.stack(logits, 1), torch.stack(weights, 1))


class ReadoutDecoder(Decoder):
    """A decoder whose logits are made of values of its loop, each step by itself: large ones can be made in pieces."""

    @property
    @abstractmethod
    def reads_in_pieces(self) -> bool:
        """Whether `readout(unroll_values(...).values)` is what `unroll` gives."""

    @abstractmethod
    def unroll_values(
        self, tokens: Tensor, memory: DecoderMemory, state: DecoderState, sampling: float = 0.0
    ) -> UnrolledValues:
        """`unroll` without the readout."""

    @abstractmethod
    def readout(self, values: Tensor) -> Tensor:
        """Logits (..., V) of values (..., R); draws no random numbers."""


def draws(module: nn.Module) -> bool:
    """Whether any part of `module` draws random numbers in training: dropout, or an attention's `noise`."""
    return any(
        (isinstance(part, nn.Dropout) and part.p > 0.0) or bool(getattr(part, "noise", 0.0))
        for part in module.modules()
    )


def sampled(reference: Tensor, logits: Tensor, probability: float) -> Tensor:
    """Each token of `reference` (B,), or with `probability` one drawn from softmax(`logits` (B, V)).

    The draw is per utterance and token. No gradient flows through it.
    """
    if probability <= 0.0:
        return reference
    chances = logits.detach().float().softmax(-1)
    drawn = (chances / torch.empty_like(chances).exponential_()).argmax(
        -1
    )  # the exponential race: P(i wins) = chance i
    own = torch.rand(reference.shape, device=reference.device) < probability
    return torch.where(own, drawn, reference)


def never_emitted_mask(vocabulary_size: int, device: torch.device | str = "cpu") -> Tensor:
    """(V,) bool, True at blank, pad and sos, which no decoder emits."""
    ids = torch.arange(vocabulary_size, device=device)  # compared on the device: an index would be copied to it
    return torch.stack([ids == token for token in special.NEVER_EMITTED]).any(0)


def mask_never_emitted(logits: Tensor) -> Tensor:
    """Set the logits (..., V) of blank, pad and sos to MASKED, so that the decoder gives them no probability."""
    return logits.masked_fill(never_emitted_mask(logits.shape[-1], logits.device), MASKED)
