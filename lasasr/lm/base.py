"""The contract of a language model that is trained here: one step for search, one pass for training.

As in *Attend* and *Spell*, state is a value: a NamedTuple of tensors that each hypothesis owns, leaves (B, K, ...).
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from lasasr.nn import lengths
from lasasr.text import special


class LMStep(NamedTuple):
    """One step for every hypothesis."""

    logits: Tensor  # (B, K, V); blank, pad and sos hold -inf
    state: Any


class LanguageModel(nn.Module, ABC):
    """Tokens so far → logits of the next token. A sentence begins with sos and ends with eos.

    Constructors take `vocabulary_size` as a keyword, and the rest from the yaml.
    """

    vocabulary_size: int  # V

    @abstractmethod
    def initial(self, utterances: int, hypotheses: int) -> Any:
        """The state before the first token, leaves (utterances, hypotheses, ...)."""

    @abstractmethod
    def step(self, tokens: Tensor, state: Any) -> LMStep:
        """Read `tokens` (B, K) int64, the last token of each hypothesis (sos at first), and score the next one."""

    @abstractmethod
    def unroll(self, tokens: Tensor) -> Tensor:
        """Logits (B, U, V) after each of `tokens` (B, U) int64: the same as U steps with one hypothesis."""

    def nats(self, tokens: Tensor, token_lengths: Tensor) -> Tensor:
        """−log p (B,) float32 of each sentence with its eos, in nats.

        Args:
            tokens: (B, U) int64, without sos and eos; padding may hold anything.
            token_lengths: (B,) int64.
        """
        text = tokens.masked_fill(~lengths.mask(token_lengths, tokens.shape[1]), special.PAD)
        read = functional.pad(text, (1, 0), value=special.SOS)
        reference = functional.pad(text, (0, 1), value=special.PAD).scatter(1, token_lengths[:, None], special.EOS)
        logits = self.unroll(read).float().flatten(0, 1)
        nats = functional.cross_entropy(logits, reference.flatten(), ignore_index=special.PAD, reduction="none")
        return nats.view(reference.shape).sum(1)


def without_never_emitted(logits: Tensor) -> Tensor:
    """`logits` (..., V) with -inf at blank, pad and sos: they have no probability."""
    never = torch.zeros(logits.shape[-1], dtype=torch.bool, device=logits.device)
    never[list(special.NEVER_EMITTED)] = True
    return logits.masked_fill(never, -torch.inf)


def check_widths(tied: bool, embedding_dim: int, hidden_dim: int) -> None:
    """
    Raises:
        ValueError: tied embeddings whose width is not that of what the output layer reads.
    """
    if tied and embedding_dim != hidden_dim:
        raise ValueError(f"tied_embeddings needs embedding_dim equal to hidden_dim {hidden_dim}, got {embedding_dim}")
