"""A decoder on trial: the attention it is given, what it is tried on, how it is run, how results are compared."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor, nn

from lasasr.attend.base import Attended, Attention
from lasasr.nn.conformance import largest
from lasasr.spell.base import Decoder, DecoderMemory, DecoderState, DecoderStep, Unrolled
from lasasr.text import special

TOLERANCE = 1e-4  # float32, values of order 1, sums over layers of any width
LENGTHS = (9, 6, 1)  # encoded frames of the utterances tried
B, K, H, E, V = len(LENGTHS), 3, 2, 6, 11
STEPS = 4


class TrialMemory(NamedTuple):
    """What the attention of the trial knows of an utterance."""

    encoded: Tensor  # (B, T, E)
    keys: Tensor  # (B, T, H · Q)
    mask: Tensor  # (B, T)


class TrialState(NamedTuple):
    """Where it has looked."""

    coverage: Tensor  # (B, K, H, T), the weights so far


class TrialAttention(Attention[TrialMemory, TrialState]):
    """Two heads, each by products less what it has got already: what a hypothesis looked at decides where it looks."""

    heads = H

    def __init__(self, *, encoded_dim: int, query_dim: int) -> None:
        super().__init__()
        self.context_dim = H * encoded_dim
        self.key = nn.Linear(encoded_dim, H * query_dim, bias=False)

    def memory(self, encoded: Tensor, mask: Tensor) -> TrialMemory:
        """See the contract."""
        return TrialMemory(encoded, self.key(encoded), mask)

    def initial(self, memory: TrialMemory, hypotheses: int) -> TrialState:
        """See the contract."""
        batch, frames = memory.mask.shape
        return TrialState(torch.zeros(batch, hypotheses, H, frames, device=memory.mask.device))

    def forward(self, query: Tensor, memory: TrialMemory, state: TrialState) -> Attended[TrialState]:
        """See the contract."""
        keys = memory.keys.view(*memory.mask.shape, H, -1)  # (B, T, H, Q)
        energy = torch.einsum("bkq,bthq->bkht", query.to(keys.dtype), keys).float() - state.coverage
        weights = energy.masked_fill(~memory.mask[:, None, None], -torch.inf).softmax(-1)
        frames = torch.where(memory.mask[..., None], memory.encoded, 0.0)
        context = torch.einsum("bkht,bte->bkhe", weights.to(frames.dtype), frames).flatten(2)
        return Attended(context, weights, TrialState(state.coverage + weights))


@dataclass(frozen=True)
class Trial:
    """A decoder to try and what to try it on; everything is drawn from fixed seeds.

    Args:
        make: builds the decoder from the keywords `attend`, `encoded_dim` and `vocabulary_size`.
        device: where to try it.
    """

    make: Callable[..., Decoder]
    device: str = "cpu"

    def decoder(self, training: bool = False) -> Decoder:
        """The decoder, its parameters moved from where they begin, so that all of them matter."""
        torch.manual_seed(5)
        decoder = self.make(attend=TrialAttention, encoded_dim=E, vocabulary_size=V).to(self.device)
        with torch.no_grad():
            for parameter in decoder.parameters():
                parameter.add_(0.1 * torch.randn(parameter.shape).to(self.device))
        return decoder.train(training)

    def encoded(self, lengths: Sequence[int] = LENGTHS) -> tuple[Tensor, Tensor]:
        """Encoded (B, T, E), 0 on padding, and its mask (B, T)."""
        generator = torch.Generator().manual_seed(2)
        mask = torch.arange(max(lengths))[None] < torch.tensor(lengths)[:, None]
        drawn = torch.randn(len(lengths), max(lengths), E, generator=generator)
        return (drawn * mask[..., None]).to(self.device), mask.to(self.device)

    def tokens(self, utterances: int = B, hypotheses: int = K, seed: int = 3) -> Tensor:
        """(STEPS, B, K) int64, SOS first."""
        generator = torch.Generator().manual_seed(seed)
        drawn = torch.randint(special.FIRST_TEXT, V, (STEPS, utterances, hypotheses), generator=generator)
        drawn[0] = special.SOS
        return drawn.to(self.device)


def walk(
    decoder: Decoder, memory: DecoderMemory, state: DecoderState, tokens: Tensor | Sequence[Tensor]
) -> list[DecoderStep]:
    """Read tokens (U, B, K) one after another."""
    steps = []
    for read in tokens:
        steps.append(decoder.step(read, memory, state))
        state = steps[-1].state
    return steps


def run(decoder: Decoder, encoded: Tensor, mask: Tensor, tokens: Tensor) -> list[DecoderStep]:
    """`walk` from the start of the utterances."""
    memory = decoder.memory(encoded, mask)
    return walk(decoder, memory, decoder.initial(memory, tokens.shape[2]), tokens)


def unroll(decoder: Decoder, encoded: Tensor, mask: Tensor, tokens: Tensor, sampling: float = 0.0) -> Unrolled:
    """The training loop over tokens (B, U)."""
    memory = decoder.memory(encoded, mask)
    return decoder.unroll(tokens, memory, decoder.initial(memory, 1), sampling)


def difference(ours: Sequence[DecoderStep], theirs: Sequence[DecoderStep]) -> float:
    """Largest difference of two runs: logits and weights."""
    pairs = zip(ours, theirs, strict=True)
    return largest(gap for a, b in pairs for gap in (a.logits - b.logits, a.weights - b.weights))
