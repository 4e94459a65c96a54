"""`lasasr check spell=NAME`: promises kept by every shipped decoder, each broken by the decoder that breaks it."""

from __future__ import annotations

from functools import partial
from typing import Any

import pytest
import torch
from shipped_parts import names, part
from torch import Tensor, nn

from lasasr.models import factory
from lasasr.spell.base import Decoder, DecoderMemory, DecoderState, DecoderStep, Unrolled, mask_never_emitted
from lasasr.spell.conformance import PROMISES, check
from lasasr.spell.trial import TrialMemory

D = 5


def broken(make: Any) -> dict[str, str]:
    return {finding.promise: finding.number for finding in check(make) if not finding.kept}


@pytest.mark.parametrize("name", names("spell"))
@pytest.mark.parametrize(
    "options",
    [{}, {"dropout": 0.3}, {"layers": 2, "readout_dim": None}, {"input_feeding": True}, {"tied_embeddings": True}],
    ids=str,
)
def test_every_shipped_decoder_keeps_every_promise(name: str, options: dict[str, Any]) -> None:
    assert broken(partial(factory.build, {**part("spell", name), **options}, "spell")) == {}


class Whole(Decoder):
    """A GRU cell between the attention and a linear readout: unbroken."""

    def __init__(self, *, attend: Any, encoded_dim: int, vocabulary_size: int) -> None:
        super().__init__()
        self.vocabulary_size = vocabulary_size
        self.attention = attend(encoded_dim=encoded_dim, query_dim=D)
        self.embedding = nn.Embedding(vocabulary_size, D)
        self.cell = nn.GRUCell(D + self.attention.context_dim, D)
        self.output = nn.Linear(D + self.attention.context_dim, vocabulary_size)

    def memory(self, encoded: Tensor, mask: Tensor) -> DecoderMemory:
        return DecoderMemory(self.attention.memory(encoded, mask))

    def initial(self, memory: DecoderMemory, hypotheses: int) -> DecoderState:
        zeros = self.output.weight.new_zeros(len(memory.attention.mask), hypotheses, 1, D)
        return DecoderState(
            zeros, zeros[..., :0], zeros[:, :, 0, :0], self.attention.initial(memory.attention, hypotheses)
        )

    def read(self, tokens: Tensor, memory: DecoderMemory) -> Tensor:
        return self.embedding(tokens)

    def emitted(self, logits: Tensor) -> Tensor:
        return mask_never_emitted(logits)

    def hidden(self, read: Tensor, hidden: Tensor) -> Tensor:
        return self.cell(read.flatten(0, 1), hidden.flatten(0, 1)).view_as(hidden).to(hidden.dtype)

    def step(self, tokens: Tensor, memory: DecoderMemory, state: DecoderState) -> DecoderStep:
        hidden = state.hidden[:, :, 0]
        attended = self.attention(hidden, memory.attention, state.attention)
        hidden = self.hidden(torch.cat([self.read(tokens, memory), attended.context], -1), hidden)
        logits = self.emitted(self.output(torch.cat([hidden, attended.context], -1)))
        return DecoderStep(
            logits, attended.weights, state._replace(hidden=hidden[:, :, None], attention=attended.state)
        )


class WrongAxis(Whole):
    def step(self, tokens: Tensor, memory: DecoderMemory, state: DecoderState) -> DecoderStep:
        step = super().step(tokens, memory, state)
        return step._replace(weights=step.weights.mean(2))


class EmitsAll(Whole):
    def emitted(self, logits: Tensor) -> Tensor:
        return logits


class MinusInfinity(Whole):
    def emitted(self, logits: Tensor) -> Tensor:
        return super().emitted(logits).masked_fill(super().emitted(logits) < -9e3, -torch.inf)


class SeesPadding(Whole):
    def read(self, tokens: Tensor, memory: DecoderMemory) -> Tensor:
        return super().read(tokens, memory) + memory.attention.encoded.mean((1, 2))[:, None, None]


class SeesNeighbours(Whole):
    def read(self, tokens: Tensor, memory: DecoderMemory) -> Tensor:
        read = super().read(tokens, memory)
        return read - read.mean(0)


class SeesSiblings(Whole):
    def read(self, tokens: Tensor, memory: DecoderMemory) -> Tensor:
        read = super().read(tokens, memory)
        return read - 0.5 * read.mean(1, keepdim=True)


class HiddenHidden(Whole):
    """What the beam must reorder is kept on `self`."""

    def initial(self, memory: DecoderMemory, hypotheses: int) -> DecoderState:
        state = super().initial(memory, hypotheses)
        self.kept = state.hidden[:, :, 0]
        return state

    def hidden(self, read: Tensor, hidden: Tensor) -> Tensor:
        self.kept = super().hidden(read, self.kept)
        return self.kept


class HiddenMemory(Whole):
    def memory(self, encoded: Tensor, mask: Tensor) -> DecoderMemory:
        self.kept = super().memory(encoded, mask)
        return self.kept

    def step(self, tokens: Tensor, memory: DecoderMemory, state: DecoderState) -> DecoderStep:
        return super().step(tokens, self.kept, state)


class InPlace(Whole):
    def hidden(self, read: Tensor, hidden: Tensor) -> Tensor:
        return (
            hidden.copy_(super().hidden(read, hidden)) if not torch.is_grad_enabled() else super().hidden(read, hidden)
        )


class WritesMemory(Whole):
    def read(self, tokens: Tensor, memory: DecoderMemory) -> Tensor:
        if not torch.is_grad_enabled():
            memory.attention.keys.mul_(0.9)
        return super().read(tokens, memory)


class OtherType(Whole):
    def hidden(self, read: Tensor, hidden: Tensor) -> Tensor:
        return self.cell(read.flatten(0, 1), hidden.flatten(0, 1)).view_as(hidden).bfloat16().float().double()

    def step(self, tokens: Tensor, memory: DecoderMemory, state: DecoderState) -> DecoderStep:
        return super().step(tokens, memory, state._replace(hidden=state.hidden.float()))


class NoisyTest(Whole):
    def read(self, tokens: Tensor, memory: DecoderMemory) -> Tensor:
        return nn.functional.dropout(super().read(tokens, memory), 0.3)


class NoisyTraining(Whole):
    """Noise by a function, which nobody can see on the module."""

    def read(self, tokens: Tensor, memory: DecoderMemory) -> Tensor:
        return nn.functional.dropout(super().read(tokens, memory), 0.3, self.training)


class LooksAhead(Whole):
    """A fused loop that reads the mean of all tokens."""

    def unroll(self, tokens: Tensor, memory: DecoderMemory, state: DecoderState, sampling: float = 0.0) -> Unrolled:
        unrolled = super().unroll(tokens, memory, state, sampling)
        return unrolled._replace(logits=unrolled.logits + self.embedding(tokens).mean((1, 2))[:, None, None])


class OtherGradient(Whole):
    """A fused loop of the same values that cuts the gradient of the embedding."""

    def unroll(self, tokens: Tensor, memory: DecoderMemory, state: DecoderState, sampling: float = 0.0) -> Unrolled:
        self.embedding.weight.requires_grad_(False)
        unrolled = super().unroll(tokens, memory, state, sampling)
        self.embedding.weight.requires_grad_(True)
        return unrolled


class NeverSamples(Whole):
    def unroll(self, tokens: Tensor, memory: DecoderMemory, state: DecoderState, sampling: float = 0.0) -> Unrolled:
        return super().unroll(tokens, memory, state)


class Idle(Whole):
    def __init__(self, **sizes: Any) -> None:
        super().__init__(**sizes)
        self.idle = nn.Parameter(torch.ones(1))


class LearnsFromPadding(Whole):
    """Only gradients see padding: what is added is less its own value."""

    def read(self, tokens: Tensor, memory: DecoderMemory) -> Tensor:
        attended: TrialMemory = memory.attention
        seen = (attended.encoded - attended.encoded.detach()).sum((1, 2))
        return super().read(tokens, memory) + seen[:, None, None]


class Rounds(Whole):
    """The distance to a large number, which half precision does not hold."""

    def emitted(self, logits: Tensor) -> Tensor:
        return super().emitted((logits + 1000.0) - 1000.0)


BROKEN = [
    (WrongAxis, "logits (B, K, V), weights (B, K, H, T), memory (B, ...), state (B, K, ...)"),
    (EmitsAll, "blank, pad and sos are never emitted, and logits are finite"),
    (MinusInfinity, "blank, pad and sos are never emitted, and logits are finite"),
    (SeesPadding, "more padding, filled with 1e3, changes nothing"),
    (SeesNeighbours, "alone is as in a batch"),
    (SeesSiblings, "each of several hypotheses scores as alone"),
    (HiddenHidden, "reordering the state reorders the result"),
    (HiddenHidden, "two interleaved batches do not disturb each other"),
    (HiddenMemory, "two interleaved batches do not disturb each other"),
    (InPlace, "a state can be continued twice"),
    (WritesMemory, "memory is left untouched"),
    (OtherType, "the state keeps structure, shapes, dtypes"),
    (NoisyTest, "deterministic in evaluation"),
    (LooksAhead, "unroll gives what the steps give, and the same gradients"),
    (OtherGradient, "unroll gives what the steps give, and the same gradients"),
    (LooksAhead, "tokens after an utterance's end change nothing before it"),
    (NeverSamples, "with sampling=1 no token of the reference is read but the first"),
    (NoisyTraining, "draws says whether a training pass draws random numbers"),
    (Idle, "gradients of all parameters are finite and not 0"),
    (LearnsFromPadding, "no gradient reaches encoded padding"),
    (Rounds, "bfloat16 is nearly the same"),
]


def test_the_unbroken_one_keeps_every_promise() -> None:
    assert broken(Whole) == {}


@pytest.mark.parametrize(
    ("make", "promise"), BROKEN, ids=[f"{make.__name__}-{n}" for n, (make, _) in enumerate(BROKEN)]
)
def test_each_defect_is_caught_by_the_promise_meant_for_it(make: Any, promise: str) -> None:
    assert promise in broken(make)


def test_every_promise_has_a_decoder_that_breaks_it() -> None:
    assert {promise for _, promise in BROKEN} == set(PROMISES)
