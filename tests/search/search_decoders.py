"""Tiny decoders that keep the contract of `spell.base`, for the tests of search."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from lasasr.search.acoustics import Acoustics
from lasasr.spell.base import Decoder, DecoderMemory, DecoderState, DecoderStep, mask_never_emitted


class Frames(NamedTuple):
    encoded: Tensor  # (B, T, E)
    mask: Tensor  # (B, T)


class Last(NamedTuple):
    weights: Tensor  # (B, K, T)


class TinyDecoder(Decoder):
    """An Elman network with an attention that sees its last weights: a state that search must carry correctly."""

    def __init__(
        self, vocabulary_size: int = 8, encoded_dim: int = 6, dim: int = 5, sharpness: float = 3.0, seed: int = 0
    ):
        super().__init__()
        torch.manual_seed(seed)
        self.vocabulary_size = vocabulary_size
        self.embedding = nn.Embedding(vocabulary_size, dim)
        self.recurrence = nn.Linear(2 * dim + encoded_dim, dim)
        self.query = nn.Linear(dim, encoded_dim)
        self.output = nn.Linear(dim + encoded_dim, vocabulary_size)
        self.sharpness = sharpness

    def memory(self, encoded: Tensor, mask: Tensor) -> DecoderMemory:
        return DecoderMemory(Frames(encoded.masked_fill(~mask[..., None], 0.0), mask))

    def initial(self, memory: DecoderMemory, hypotheses: int) -> DecoderState:
        encoded, mask = memory.attention
        B, T, E = encoded.shape
        dim = self.recurrence.out_features
        start = (mask / mask.sum(1, keepdim=True))[:, None].expand(B, hypotheses, T).contiguous()
        zeros = encoded.new_zeros(B, hypotheses, 1, dim)
        return DecoderState(zeros, zeros[..., :0], encoded.new_zeros(B, hypotheses, E), Last(start))

    def step(self, tokens: Tensor, memory: DecoderMemory, state: DecoderState) -> DecoderStep:
        encoded, mask = memory.attention
        read = torch.cat([self.embedding(tokens), state.hidden[:, :, 0], state.context], -1)
        hidden = self.recurrence(read).tanh()
        energy = self.query(hidden) @ encoded.transpose(1, 2) + 2.0 * functional.pad(state.attention.weights, (1, -1))
        weights = energy.masked_fill(~mask[:, None], -torch.inf).softmax(-1)
        context = weights @ encoded
        logits = mask_never_emitted(self.sharpness * self.output(torch.cat([hidden, context], -1)))
        return DecoderStep(
            logits, weights[:, :, None], DecoderState(hidden[:, :, None], state.cell, context, Last(weights))
        )


class Position(NamedTuple):
    position: Tensor  # (B, K) int64


class ScriptedDecoder(Decoder):
    """Says the same of every utterance and hypothesis: row u of `logits` (U, V) at step u, its last row later on."""

    def __init__(self, logits: Tensor):
        super().__init__()
        self.logits = logits
        self.vocabulary_size = logits.shape[1]

    def memory(self, encoded: Tensor, mask: Tensor) -> DecoderMemory:
        return DecoderMemory(Frames(encoded, mask))

    def initial(self, memory: DecoderMemory, hypotheses: int) -> DecoderState:
        B = len(memory.attention.mask)
        none = torch.zeros(B, hypotheses, 0)
        position = torch.zeros(B, hypotheses, dtype=torch.int64)
        return DecoderState(none[..., None], none[..., None], none, Position(position))

    def step(self, tokens: Tensor, memory: DecoderMemory, state: DecoderState) -> DecoderStep:
        position = state.attention.position
        logits = self.logits[position.clamp(max=len(self.logits) - 1)]
        mask = memory.attention.mask
        weights = (mask / mask.sum(1, keepdim=True))[:, None, None].expand(-1, tokens.shape[1], 1, -1)
        return DecoderStep(logits, weights, state._replace(attention=Position(position + 1)))


def acoustics(*frames: int, vocabulary_size: int | None = 8, encoded_dim: int = 6, seed: int = 0) -> Acoustics:
    """Random utterances of so many encoded frames; no CTC head where `vocabulary_size` is None."""
    generator = torch.Generator().manual_seed(seed)
    longest = max(frames)
    encoded = torch.randn(len(frames), longest, encoded_dim, generator=generator)
    mask = torch.arange(longest)[None] < torch.tensor(frames)[:, None]
    ctc = None
    if vocabulary_size is not None:
        logits = 2.0 * torch.randn(len(frames), longest, vocabulary_size, generator=generator)
        logits[..., 1:4] = -torch.inf
        ctc = logits.log_softmax(-1)
    return Acoustics(encoded, mask, ctc)


def alone(utterances: Acoustics, b: int) -> Acoustics:
    """Utterance b by itself, without padding."""
    T = int(utterances.lengths[b])
    ctc = None if utterances.ctc_log_probs is None else utterances.ctc_log_probs[b : b + 1, :T]
    return Acoustics(utterances.encoded[b : b + 1, :T], utterances.mask[b : b + 1, :T], ctc)
